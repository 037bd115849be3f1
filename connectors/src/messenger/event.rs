//! What Messenger and Instagram tell, as far as it is read.

use serde::Deserialize;
use serde_json::Value;

use super::{MARK, Settings};
use crate::channel::{Incoming, Media, Receipt, Sender, What};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    pub(super) object: String,
    entry: Vec<Entry>,
}

/// Events under `standby` belong to another app that answers now: they are not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    id: String,
    messaging: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    sender: Party,
    recipient: Party,
    /// Milliseconds of Unix time.
    timestamp: i64,
    message: Option<Message>,
    message_edit: Option<Edit>,
    postback: Option<Postback>,
    delivery: Option<Delivery>,
    read: Option<Seen>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Party {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    mid: String,
    text: Option<String>,
    quick_reply: Option<QuickReply>,
    attachments: Vec<Attachment>,
    is_echo: bool,
    is_deleted: bool,
    /// Of an echo, a number or a text.
    app_id: Value,
    /// Of an echo.
    metadata: Option<String>,
}

#[derive(Deserialize)]
struct QuickReply {
    payload: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attachment {
    #[serde(rename = "type")]
    kind: String,
    payload: Option<Payload>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Edit {
    mid: String,
    text: String,
}

#[derive(Deserialize)]
struct Postback {
    mid: Option<String>,
    payload: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delivery {
    mids: Vec<String>,
}

/// Messenger tells only until when everything was read; Instagram tells the message.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Seen {
    mid: Option<String>,
}

impl Notification {
    /// The events of `account`. One that cannot be read is passed over: it would come again.
    pub(super) fn events(self, account: &str) -> impl Iterator<Item = Event> {
        let ours = move |entry: &Entry| entry.id == account;
        let events = self.entry.into_iter().filter(ours);
        let events = events.flat_map(|entry| entry.messaging);
        events.filter_map(|event| serde_json::from_value(event).ok())
    }
}

impl Event {
    pub(super) fn read(mut self, settings: &Settings) -> Vec<Incoming> {
        let message = self.message.take();
        let is_echo = message.as_ref().is_some_and(|message| message.is_echo);
        let is_ours = self.sender.id.is_empty() || self.sender.id == settings.account;
        match message {
            Some(message) if is_echo => self.takeover(message, settings),
            _ if is_ours => None,
            Some(message) => self.said(message),
            None => return self.happened(settings),
        }
        .into_iter()
        .collect()
    }

    fn event(&self, id: String, what: What) -> Incoming {
        Incoming {
            id,
            thread: self.sender.id.clone(),
            sender: Sender {
                id: self.sender.id.clone(),
                ..Sender::default()
            },
            private: true,
            at: Some(self.timestamp / 1000).filter(|at| *at > 0),
            context: None,
            what,
        }
    }

    /// What a customer wrote, sent, chose or took back.
    fn said(&self, message: Message) -> Option<Incoming> {
        let id = message.mid;
        if message.is_deleted {
            let what = What::Deletion {
                message: id.clone(),
            };
            return Some(self.event(format!("{id}:deleted"), what));
        }
        if let Some(chosen) = message.quick_reply {
            let what = What::Press {
                reply: chosen.payload,
                receipt: None,
            };
            return Some(self.event(id, what));
        }
        let text = message.text.unwrap_or_default().trim().to_owned();
        let media = message
            .attachments
            .into_iter()
            .filter_map(Attachment::media);
        let media: Vec<Media> = media.collect();
        if text.is_empty() && media.is_empty() {
            return None;
        }
        let what = What::Message {
            message: id.clone(),
            text,
            media,
        };
        Some(self.event(id, what))
    }

    /// What somebody of the company wrote; `None` of our own messages.
    fn takeover(&self, message: Message, settings: &Settings) -> Option<Incoming> {
        let app = message.app_id.to_string();
        let app = app.trim_matches('"');
        let is_marked = message.metadata.as_deref() == Some(MARK);
        if is_marked || app == settings.app_id || message.is_deleted {
            return None;
        }
        let what = What::Takeover {
            message: message.mid.clone(),
            text: message.text.unwrap_or_default().trim().to_owned(),
        };
        Some(Incoming {
            thread: self.recipient.id.clone(),
            ..self.event(message.mid, what)
        })
        .filter(|event| !event.thread.is_empty())
    }

    fn happened(self, settings: &Settings) -> Vec<Incoming> {
        if let Some(edit) = &self.message_edit {
            let what = What::Edit {
                message: edit.mid.clone(),
                text: edit.text.trim().to_owned(),
            };
            return vec![self.event(format!("{}:{}", edit.mid, self.timestamp), what)];
        }
        if let Some(press) = &self.postback {
            let what = if press.payload == settings.start {
                What::Start
            } else {
                What::Press {
                    reply: press.payload.clone(),
                    receipt: None,
                }
            };
            let of_press = || format!("{}:{}:{}", self.sender.id, self.timestamp, press.payload);
            let id = press.mid.clone().unwrap_or_else(of_press);
            return vec![self.event(id, what)];
        }
        let delivered = self.delivery.iter().flat_map(|delivery| &delivery.mids);
        let delivered = delivered.map(|mid| (mid, "delivered", Receipt::Delivered));
        let seen = self.read.iter().filter_map(|read| read.mid.as_ref());
        let seen = seen.map(|mid| (mid, "read", Receipt::Read));
        let receipts = delivered.chain(seen).map(|(mid, state, receipt)| {
            let message = mid.clone();
            let what = What::Receipt { message, receipt };
            self.event(format!("{mid}:{state}"), what)
        });
        receipts.collect()
    }
}

impl Attachment {
    /// The file; `None` of a place or a page that was shared.
    fn media(self) -> Option<Media> {
        if ["fallback", "location", "template"].contains(&self.kind.as_str()) {
            return None;
        }
        Some(Media {
            place: self.payload?.url?,
            name: None,
            content_type: None,
            size: None,
        })
    }
}
