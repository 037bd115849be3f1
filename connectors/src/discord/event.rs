//! What Discord tells, as far as it is read.

use serde::Deserialize;

use crate::channel::{Incoming, Media, Sender, What};

/// The kinds of messages that people write: plain ones, and replies.
const WRITTEN: [u64; 2] = [0, 19];
/// The kind of an interaction with which Discord asks whether the address is an application's.
const PING: u64 = 1;
/// The kind of an interaction with a component, and the kind of a component that is a button.
const COMPONENT: u64 = 3;
const BUTTON: u64 = 2;
/// Where an interaction happened: in the direct messages between its user and the bot.
const WITH_THE_BOT: u64 = 1;
/// When Discord's time begins, in milliseconds of Unix time.
const EPOCH: u64 = 1_420_070_400_000;

/// Whom and what of them a bot reads.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) in_groups: bool,
    /// The bot's own id.
    pub(super) own: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    id: String,
    channel_id: String,
    guild_id: Option<String>,
    #[serde(rename = "type")]
    kind: u64,
    author: Option<User>,
    webhook_id: Option<String>,
    content: Option<String>,
    edited_timestamp: Option<String>,
    mentions: Vec<User>,
    attachments: Vec<Attachment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    id: String,
    username: Option<String>,
    global_name: Option<String>,
    bot: bool,
}

#[derive(Debug, Deserialize)]
struct Attachment {
    url: String,
    filename: Option<String>,
    content_type: Option<String>,
    size: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Deletion {
    id: String,
    channel_id: String,
    guild_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Typing {
    channel_id: String,
    guild_id: Option<String>,
    user_id: String,
    timestamp: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interaction {
    pub(super) id: String,
    pub(super) token: String,
    #[serde(rename = "type")]
    kind: u64,
    channel_id: Option<String>,
    guild_id: Option<String>,
    context: Option<u64>,
    user: Option<User>,
    member: Option<Member>,
    locale: Option<String>,
    data: Option<Component>,
    /// What happened, where it is no interaction but an event of the application's.
    event: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Member {
    user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Component {
    component_type: Option<u64>,
    custom_id: Option<String>,
}

/// The channel of a thread, and whether several people read it.
pub(super) fn channel_of(thread: &str) -> (&str, bool) {
    match thread.split_once('/') {
        Some((channel, _)) => (channel, true),
        None => (thread, false),
    }
}

/// The name of the thread of a user in a channel: where several read it, each has their own.
fn thread(channel: &str, user: &str, is_private: bool) -> String {
    match is_private {
        true => channel.to_owned(),
        false => format!("{channel}/{user}"),
    }
}

/// When something was made, in seconds of Unix time, by its id.
fn made_at(id: &str) -> Option<i64> {
    let since_epoch = id.parse::<u64>().ok()? >> 22;
    i64::try_from((since_epoch + EPOCH) / 1000).ok()
}

impl User {
    fn sender(self, language: Option<String>) -> Sender {
        Sender {
            id: self.id,
            name: self.global_name.or(self.username),
            language,
        }
    }
}

impl Message {
    /// What a new message says to the bot, or one that was changed; `None` where it is not for the bot.
    pub(super) fn event(self, reader: Reader<'_>, is_new: bool) -> Option<Incoming> {
        let is_private = self.guild_id.is_none();
        let text = self.said_to_us(reader, is_private)?;
        let author = self.author?;
        let is_written = WRITTEN.contains(&self.kind) && self.webhook_id.is_none();
        if author.bot || author.id == reader.own || !is_written {
            return None;
        }
        let media: Vec<Media> = self.attachments.into_iter().map(Media::from).collect();
        let (id, at, what) = if is_new {
            if text.is_empty() && media.is_empty() {
                return None; // A sticker, a poll.
            }
            let what = What::Message {
                message: self.id.clone(),
                text,
                media,
            };
            (self.id.clone(), made_at(&self.id), what)
        } else {
            // Also told when a preview of a link arrives: the message was not changed then.
            let edited = self.edited_timestamp?;
            let at = edited.parse().ok().map(jiff::Timestamp::as_second);
            let what = What::Edit {
                message: self.id.clone(),
                text,
            };
            (format!("{}-{edited}", self.id), at, what)
        };
        Some(Incoming {
            id,
            thread: thread(&self.channel_id, &author.id, is_private),
            sender: author.sender(None),
            private: is_private,
            at,
            context: Some(self.id).filter(|_| !is_private),
            what,
        })
    }

    /// All of a direct message; on a server what mentions the bot, without the mention.
    fn said_to_us(&self, reader: Reader<'_>, is_private: bool) -> Option<String> {
        let text = self.content.as_deref()?.trim();
        if is_private {
            return Some(text.to_owned());
        }
        let is_mentioned = self.mentions.iter().any(|user| user.id == reader.own);
        if !reader.in_groups || reader.own.is_empty() || !is_mentioned {
            return None;
        }
        let mut others = text.to_owned();
        for mention in [format!("<@{}>", reader.own), format!("<@!{}>", reader.own)] {
            others = others.replace(&mention, " ");
        }
        let words = others.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ")
        });
        Some(words.collect::<Vec<_>>().join("\n").trim().to_owned())
    }
}

impl From<Attachment> for Media {
    fn from(attachment: Attachment) -> Self {
        Self {
            place: attachment.url,
            name: attachment.filename,
            content_type: attachment.content_type,
            size: attachment.size,
        }
    }
}

impl Deletion {
    /// Who wrote the message is not told: on a server the thread is the channel alone.
    pub(super) fn event(self, reader: Reader<'_>) -> Option<Incoming> {
        let is_private = self.guild_id.is_none();
        (is_private || reader.in_groups).then(|| Incoming {
            id: format!("{}-deleted", self.id),
            thread: self.channel_id,
            sender: Sender::default(),
            private: is_private,
            at: None,
            context: None,
            what: What::Deletion { message: self.id },
        })
    }
}

impl Typing {
    pub(super) fn event(self, reader: Reader<'_>) -> Option<Incoming> {
        let is_theirs = self.guild_id.is_none() && self.user_id != reader.own;
        is_theirs.then(|| Incoming {
            id: format!("{}-{}-{}", self.channel_id, self.user_id, self.timestamp),
            thread: self.channel_id,
            sender: Sender {
                id: self.user_id,
                ..Sender::default()
            },
            private: true,
            at: Some(self.timestamp),
            context: None,
            what: What::Typing,
        })
    }
}

impl Interaction {
    pub(super) fn is_ping(&self) -> bool {
        self.kind == PING && self.event.is_none()
    }

    pub(super) fn is_press(&self) -> bool {
        let component = self.data.as_ref().and_then(|data| data.component_type);
        self.kind == COMPONENT && component == Some(BUTTON)
    }

    /// The press of a button.
    pub(super) fn event(self, in_groups: bool) -> Option<Incoming> {
        if !self.is_press() {
            return None;
        }
        let is_private = match self.context {
            Some(context) => context == WITH_THE_BOT,
            None => self.guild_id.is_none() && self.member.is_none(),
        };
        if !is_private && !in_groups {
            return None;
        }
        let channel = self.channel_id?;
        let user = self.member.map(|member| member.user).or(self.user)?;
        Some(Incoming {
            thread: thread(&channel, &user.id, is_private),
            sender: user.sender(self.locale),
            private: is_private,
            at: made_at(&self.id),
            context: None,
            id: self.id,
            what: What::Press {
                reply: self.data?.custom_id?,
                receipt: None, // It is acknowledged as soon as it comes.
            },
        })
    }
}
