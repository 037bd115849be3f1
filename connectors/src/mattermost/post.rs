//! What Mattermost tells over its socket, as far as it is read.

use serde::Deserialize;
use serde_json::Value;

use crate::channel::{Incoming, Media, Sender, What};

/// The kind of a channel between one person and the bot.
const DIRECT: &str = "D";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Frame {
    pub(super) event: String,
    pub(super) data: Data,
    /// What became of a request of ours.
    pub(super) status: String,
    pub(super) error: Failure,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    pub(super) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Data {
    pub(super) channel_type: Option<String>,
    /// A [`Post`], in JSON.
    pub(super) post: Option<String>,
    pub(super) sender_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Post {
    id: String,
    /// Milliseconds of Unix time.
    create_at: i64,
    /// Milliseconds of Unix time; 0 where it was never changed.
    edit_at: i64,
    user_id: String,
    pub(super) channel_id: String,
    root_id: String,
    message: String,
    #[serde(rename = "type")]
    kind: String,
    props: Value,
    file_ids: Option<Vec<String>>,
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    files: Option<Vec<File>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    id: String,
    name: Option<String>,
    mime_type: Option<String>,
    size: Option<u64>,
}

/// What happened to a post.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    New,
    Changed,
    Deleted,
}

/// Reads what happened.
pub(super) struct Reader {
    pub(super) user: String,
    pub(super) in_groups: Option<String>,
}

impl Reader {
    /// What a person's post says to the bot. `is_direct`: nobody else reads the channel.
    pub(super) fn event(
        &self,
        turn: Turn,
        post: &Post,
        is_direct: bool,
        sender_name: Option<&str>,
    ) -> Option<Incoming> {
        if post.user_id == self.user || !post.is_by_a_person() || post.id.is_empty() {
            return None;
        }
        let text = self.said_to_us(post, is_direct)?;
        let media = post.media();
        let message = post.id.clone();
        let (id, what) = match turn {
            Turn::New if text.is_empty() && media.is_empty() => return None,
            Turn::New => (
                post.id.clone(),
                What::Message {
                    message,
                    text,
                    media,
                },
            ),
            // A reaction or the picture of a page changes a post, too.
            Turn::Changed if post.edit_at <= 0 => return None,
            Turn::Changed => (
                format!("{}/{}", post.id, post.edit_at),
                What::Edit { message, text },
            ),
            Turn::Deleted => (format!("{}/deleted", post.id), What::Deletion { message }),
        };
        let name = sender_name.map(|name| name.trim_start_matches('@').to_owned());
        Some(Incoming {
            id,
            thread: post.thread(is_direct),
            sender: Sender {
                id: post.user_id.clone(),
                name: name.filter(|name| !name.is_empty()),
                language: None,
            },
            private: is_direct,
            at: Some(post.create_at / 1000),
            context: None,
            what,
        })
    }

    /// All of it in private, in a channel what names the bot, without the name.
    fn said_to_us(&self, post: &Post, is_direct: bool) -> Option<String> {
        let text = post.message.trim();
        if is_direct {
            return Some(text.to_owned());
        }
        let name = format!("@{}", self.in_groups.as_ref()?);
        let is_ours = |word: &str| {
            let word = word.trim_end_matches(|end: char| !end.is_alphanumeric());
            word.eq_ignore_ascii_case(&name)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let named = words.iter().any(|word| is_ours(word));
        named.then(|| {
            let others = words.into_iter().filter(|word| !is_ours(word));
            others.collect::<Vec<_>>().join(" ")
        })
    }
}

impl Post {
    fn is_by_a_person(&self) -> bool {
        let has = |name: &str| {
            let value = self.props.get(name);
            value.is_some_and(|value| value == "true" || *value == Value::Bool(true))
        };
        self.kind.is_empty() && !has("from_bot") && !has("from_webhook")
    }

    fn thread(&self, is_direct: bool) -> String {
        let root = match self.root_id.is_empty() {
            true => &self.id,
            false => &self.root_id,
        };
        match is_direct {
            true => self.channel_id.clone(),
            false => format!("{}/{root}", self.channel_id),
        }
    }

    fn media(&self) -> Vec<Media> {
        let ids = self.file_ids.iter().flatten();
        let files = self.metadata.files.as_deref().unwrap_or_default();
        let media = ids.map(|id| {
            let file = files.iter().find(|file| file.id == *id);
            Media {
                place: id.clone(),
                name: file.and_then(|file| file.name.clone()),
                content_type: file.and_then(|file| file.mime_type.clone()),
                size: file.and_then(|file| file.size),
            }
        });
        media.collect()
    }
}

impl Data {
    pub(super) fn is_direct(&self) -> Option<bool> {
        self.channel_type.as_deref().map(|kind| kind == DIRECT)
    }
}
