//! What DingTalk sends, as far as it is read.

use serde::Deserialize;

use crate::channel::{Incoming, Media, Sender, What};

/// The kind of a conversation between one person and the robot.
pub(super) const SINGLE: &str = "1";
/// The kind of a group's.
pub(super) const GROUP: &str = "2";

/// What was written to the robot, in the same form on the hook and on the socket.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Told {
    msg_id: Option<String>,
    msgtype: Option<String>,
    text: Option<Text>,
    content: Option<Content>,
    conversation_id: Option<String>,
    conversation_type: Option<String>,
    sender_id: Option<String>,
    sender_nick: Option<String>,
    /// Of those who belong to the company.
    sender_staff_id: Option<String>,
    chatbot_user_id: Option<String>,
    robot_code: Option<String>,
    is_in_at_list: Option<bool>,
    /// Milliseconds.
    create_at: Option<i64>,
    session_webhook: Option<String>,
    /// Milliseconds.
    session_webhook_expired_time: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Text {
    content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Content {
    download_code: Option<String>,
    file_name: Option<String>,
    /// What was said in a recording.
    recognition: Option<String>,
    rich_text: Option<Vec<Part>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    download_code: Option<String>,
}

/// Reads what was written to one robot.
pub(super) struct Reader {
    pub(super) robot_code: String,
    pub(super) in_groups: bool,
}

impl Reader {
    /// A message; `None` where it is none for this robot.
    pub(super) fn event(&self, told: Told) -> Option<Incoming> {
        let kind = told.conversation_type.as_deref()?;
        let is_heard = match kind {
            SINGLE => true,
            GROUP => self.in_groups && told.is_in_at_list == Some(true),
            _ => false,
        };
        let robot = told.robot_code.as_deref();
        let is_for_us = robot.is_none_or(|robot| robot == self.robot_code);
        let is_own = told.sender_id.is_some() && told.sender_id == told.chatbot_user_id;
        if !is_heard || !is_for_us || is_own {
            return None;
        }
        let (text, media) = told.said();
        if text.is_empty() && media.is_empty() {
            return None;
        }
        let conversation = told.conversation_id.as_deref();
        let conversation = conversation.filter(|id| !id.is_empty())?;
        let staff = told.sender_staff_id.filter(|id| !id.is_empty());
        let sender = staff.or(told.sender_id).filter(|id| !id.is_empty())?;
        let until = told.session_webhook_expired_time.unwrap_or_default();
        let id = told.msg_id.filter(|id| !id.is_empty())?;
        Some(Incoming {
            thread: format!("{kind} {conversation} {sender}"),
            private: kind == SINGLE,
            at: told.create_at.map(|time| time / 1000),
            context: told.session_webhook.map(|url| format!("{until} {url}")),
            sender: Sender {
                id: sender,
                name: told.sender_nick.filter(|name| !name.is_empty()),
                language: None,
            },
            what: What::Message {
                message: id.clone(),
                text,
                media,
            },
            id,
        })
    }
}

impl Told {
    /// The text, and the files.
    fn said(&self) -> (String, Vec<Media>) {
        let content = self.content.as_ref();
        let file = |usual: Option<&str>| {
            let place = content?.download_code.clone()?;
            Some(Media {
                place,
                name: content?.file_name.clone(),
                content_type: usual.map(str::to_owned),
                size: None,
            })
        };
        let (text, media) = match self.msgtype.as_deref() {
            Some("text") => {
                let text = self.text.as_ref().and_then(|text| text.content.clone());
                (text, Vec::new())
            }
            Some("richText") => {
                let parts = || content.and_then(|content| content.rich_text.as_ref());
                let texts = parts().into_iter().flatten();
                let texts = texts.filter_map(|part| part.text.as_deref());
                let images = parts().into_iter().flatten();
                let images = images.filter_map(|part| part.download_code.clone());
                let media = images.map(|place| Media {
                    place,
                    name: None,
                    content_type: Some("image/*".to_owned()),
                    size: None,
                });
                (Some(texts.collect()), media.collect())
            }
            Some("picture") => (None, file(Some("image/*")).into_iter().collect()),
            Some("audio") => {
                let words = content.and_then(|content| content.recognition.clone());
                (words, file(Some("audio/*")).into_iter().collect())
            }
            Some("video") => (None, file(Some("video/*")).into_iter().collect()),
            Some("file") => (None, file(None).into_iter().collect()),
            _ => (None, Vec::new()),
        };
        // Where the robot was mentioned its name is cut out, and a space is left.
        (text.unwrap_or_default().trim().to_owned(), media)
    }
}
