//! What Telegram sends, as far as it is read.

use serde::Deserialize;
use serde_json::Value;

use super::PRIVATE;
use crate::channel::{Incoming, Media, Sender, What};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) ok: bool,
    pub(super) result: Value,
    pub(super) description: String,
    pub(super) parameters: Parameters,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    pub(super) retry_after: Option<u64>,
    pub(super) migrate_to_chat_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub(super) update_id: i64,
    pub(super) message: Option<Message>,
    pub(super) edited_message: Option<Message>,
    pub(super) callback_query: Option<Press>,
    pub(super) my_chat_member: Option<Membership>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) message_id: i64,
    #[serde(default)]
    pub(super) date: i64,
    pub(super) from: Option<User>,
    pub(super) chat: Chat,
    pub(super) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(super) is_topic_message: bool,
    #[serde(default)]
    pub(super) text: String,
    #[serde(default)]
    pub(super) caption: String,
    #[serde(default)]
    pub(super) photo: Vec<File>,
    pub(super) document: Option<File>,
    pub(super) voice: Option<File>,
    pub(super) audio: Option<File>,
    pub(super) video: Option<File>,
    pub(super) sticker: Option<File>,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) is_bot: bool,
    #[serde(default)]
    pub(super) first_name: String,
    #[serde(default)]
    pub(super) last_name: String,
    pub(super) language_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Chat {
    pub(super) id: i64,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) file_id: String,
    pub(super) file_name: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) file_size: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Press {
    pub(super) id: String,
    pub(super) from: User,
    pub(super) data: Option<String>,
    pub(super) message: Option<Message>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Membership {
    pub(super) chat: Chat,
    pub(super) from: User,
    #[serde(default)]
    pub(super) date: i64,
    pub(super) new_chat_member: Member,
}

#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) status: String,
}

impl Message {
    pub(super) fn words(&self) -> &str {
        if self.text.is_empty() {
            self.caption.trim()
        } else {
            self.text.trim()
        }
    }

    pub(super) fn thread(&self) -> String {
        match self.message_thread_id.filter(|_| self.is_topic_message) {
            Some(topic) => format!("{}/{topic}", self.chat.id),
            None => self.chat.id.to_string(),
        }
    }

    pub(super) fn media(&self) -> Vec<Media> {
        // Of a photo in several sizes the last is the largest.
        let others = [
            (&self.document, None),
            (&self.voice, Some("audio/ogg")),
            (&self.audio, None),
            (&self.video, None),
            (&self.sticker, Some("image/webp")),
        ];
        let others = others
            .into_iter()
            .filter_map(|(file, usual)| Some((file.as_ref()?, usual)));
        let photo = self.photo.last().map(|photo| (photo, Some("image/jpeg")));
        let files = photo.into_iter().chain(others);
        let media = files.map(|(file, usual)| Media {
            place: file.file_id.clone(),
            name: file.file_name.clone(),
            content_type: file.mime_type.clone().or(usual.map(str::to_owned)),
            size: file.file_size,
        });
        media.collect()
    }
}

impl User {
    pub(super) fn sender(&self) -> Sender {
        let name = format!("{} {}", self.first_name, self.last_name);
        Sender {
            id: self.id.to_string(),
            name: Some(name.trim().to_owned()).filter(|name| !name.is_empty()),
            language: self.language_code.clone(),
        }
    }
}

impl Press {
    pub(super) fn event(self, id: String) -> Option<Incoming> {
        let message = self.message?;
        Some(Incoming {
            id,
            thread: message.thread(),
            sender: self.from.sender(),
            private: message.chat.kind == PRIVATE,
            context: None,
            at: None, // When its message was sent is not when it was pressed.
            what: What::Press {
                reply: self.data?,
                receipt: Some(self.id),
            },
        })
    }
}

impl Membership {
    pub(super) fn event(self, id: String) -> Option<Incoming> {
        if self.chat.kind != PRIVATE {
            return None;
        }
        Some(Incoming {
            id,
            thread: self.chat.id.to_string(),
            sender: self.from.sender(),
            private: true,
            at: Some(self.date),
            context: None,
            what: match self.new_chat_member.status.as_str() {
                "kicked" => What::Blocked,
                _ => What::Unblocked,
            },
        })
    }
}
