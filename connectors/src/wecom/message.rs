//! What a customer-service account is told, as far as it is read, by
//! [its documentation](https://developer.work.weixin.qq.com/document/path/94670).

use serde::Deserialize;

use crate::channel::{Incoming, Media, Receipt, Sender, What};
use crate::wechat::lines;

/// Who has written a message.
const CUSTOMER: i64 = 3;
const PERSON_OF_THE_COMPANY: i64 = 5;

/// That there is something to be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Bell {
    pub(super) event: String,
    pub(super) token: String,
    pub(super) open_kf_id: String,
}

/// What was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    pub(super) next_cursor: String,
    pub(super) has_more: i64,
    pub(super) msg_list: Vec<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    msgid: String,
    open_kfid: String,
    external_userid: String,
    servicer_userid: String,
    send_time: Option<i64>,
    origin: i64,
    msgtype: String,
    text: Text,
    image: File,
    voice: File,
    video: File,
    file: File,
    location: Location,
    link: Link,
    miniprogram: Link,
    event: Event,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Text {
    content: String,
    /// Id of the choice whose label `content` is.
    menu_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    media_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: f64,
    longitude: f64,
    name: String,
    address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    title: String,
    desc: String,
    url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    event_type: String,
    open_kfid: String,
    external_userid: String,
    welcome_code: String,
    fail_msgid: String,
    fail_type: i64,
    change_type: i64,
    recall_msgid: String,
}

impl Message {
    /// As an event of the account `account`; `None` of what is another's, or nobody's doing.
    pub(super) fn event(self, account: &str) -> Option<Incoming> {
        let is_event = self.msgtype == "event";
        let (of, customer) = match is_event {
            true => (&self.event.open_kfid, &self.event.external_userid),
            false => (&self.open_kfid, &self.external_userid),
        };
        if self.msgid.is_empty() || customer.is_empty() || !(of.is_empty() || of == account) {
            return None;
        }
        let mut sender = customer.clone();
        let what = match self.origin {
            _ if is_event => self.happened()?,
            CUSTOMER => self.said()?,
            PERSON_OF_THE_COMPANY => {
                sender.clone_from(&self.servicer_userid);
                What::Takeover {
                    message: self.msgid.clone(),
                    text: self.words(),
                }
            }
            _ => return None,
        };
        Some(Incoming {
            thread: customer.clone(),
            sender: Sender {
                id: sender,
                ..Sender::default()
            },
            private: true,
            at: self.send_time,
            context: self.welcome(),
            what,
            id: self.msgid,
        })
    }

    fn happened(&self) -> Option<What> {
        let event = &self.event;
        match event.event_type.as_str() {
            "enter_session" => Some(What::Start),
            "msg_send_fail" => Some(What::Receipt {
                message: event.fail_msgid.clone(),
                receipt: Receipt::Failed(reason(event.fail_type)),
            }),
            "session_status_change" if event.change_type == 3 => Some(What::End),
            "user_recall_msg" => Some(What::Deletion {
                message: event.recall_msgid.clone(),
            }),
            _ => None,
        }
    }

    /// The code by which somebody who has not written yet can be welcomed, with the time from which it is valid.
    fn welcome(&self) -> Option<String> {
        let code = Some(&self.event.welcome_code).filter(|code| !code.is_empty())?;
        Some(format!("{}:{code}", self.send_time?))
    }

    fn said(&self) -> Option<What> {
        if self.msgtype == "text" && !self.text.menu_id.is_empty() {
            return Some(What::Press {
                reply: self.text.menu_id.clone(),
                receipt: None,
            });
        }
        let (text, media) = (self.words(), self.media());
        let is_something = !text.is_empty() || !media.is_empty();
        is_something.then(|| What::Message {
            message: self.msgid.clone(),
            text,
            media,
        })
    }

    fn words(&self) -> String {
        match self.msgtype.as_str() {
            "text" => self.text.content.trim().to_owned(),
            "location" => {
                let location = &self.location;
                let place = format!("{}, {}", location.latitude, location.longitude);
                lines(&[&location.name, &location.address, &place])
            }
            "link" => lines(&[&self.link.title, &self.link.desc, &self.link.url]),
            "miniprogram" => self.miniprogram.title.trim().to_owned(),
            _ => String::new(),
        }
    }

    fn media(&self) -> Vec<Media> {
        let (file, kind) = match self.msgtype.as_str() {
            "image" => (&self.image, Some("image/jpeg")),
            "voice" => (&self.voice, Some("audio/amr")),
            "video" => (&self.video, Some("video/mp4")),
            "file" => (&self.file, None),
            _ => return Vec::new(),
        };
        if file.media_id.is_empty() {
            return Vec::new();
        }
        vec![Media {
            place: file.media_id.clone(),
            name: None,
            content_type: kind.map(str::to_owned),
            size: None,
        }]
    }
}

fn reason(fail_type: i64) -> String {
    let words = match fail_type {
        1 => "the customer-service account was deleted",
        2 => "the app is switched off",
        4 => "the customer last wrote more than 48 hours ago",
        5 => "the session was closed",
        6 => "more than 5 messages since the customer last wrote",
        10 => "the customer does not want messages",
        _ => "the platform gives no reason",
    };
    format!("{words} ({fail_type})")
}
