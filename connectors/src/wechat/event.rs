//! What WeChat sends, as far as it is read.

use serde::Deserialize;

use crate::channel::{Incoming, Media, Sender, What};

/// A message or an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Told {
    pub(super) from_user_name: String,
    pub(super) msg_type: String,
    create_time: String,
    msg_id: String,
    content: String,
    /// Id of the choice whose label `content` is.
    #[serde(rename = "bizmsgmenuid")]
    choice: String,
    media_id: String,
    format: String,
    /// What the platform has understood of what was spoken.
    recognition: String,
    #[serde(rename = "Location_X")]
    latitude: String,
    #[serde(rename = "Location_Y")]
    longitude: String,
    label: String,
    title: String,
    description: String,
    url: String,
    event: String,
    event_key: String,
}

impl Told {
    pub(super) fn event(self) -> Option<Incoming> {
        let what = match self.msg_type.as_str() {
            "event" => self.happened()?,
            "text" if !self.choice.is_empty() => What::Press {
                reply: self.choice.clone(),
                receipt: None,
            },
            _ => self.said()?,
        };
        Some(Incoming {
            id: self.id(),
            thread: self.from_user_name.clone(),
            private: true,
            at: self.create_time.parse().ok(),
            context: None,
            what,
            sender: Sender {
                id: self.from_user_name,
                ..Sender::default()
            },
        })
    }

    /// Events have no id: nobody does the same twice in one second.
    fn id(&self) -> String {
        if !self.msg_id.is_empty() {
            return self.msg_id.clone();
        }
        let parts = [
            &self.from_user_name,
            &self.create_time,
            &self.event,
            &self.event_key,
        ];
        parts.map(String::as_str).join(":")
    }

    fn happened(&self) -> Option<What> {
        match self.event.as_str() {
            "subscribe" => Some(What::Start),
            "unsubscribe" => Some(What::Blocked),
            // An item of the account's own menu.
            "CLICK" => Some(What::Press {
                reply: self.event_key.clone(),
                receipt: None,
            }),
            _ => None,
        }
    }

    fn said(&self) -> Option<What> {
        let media = |content_type: Option<String>| {
            let media = Media {
                place: self.media_id.clone(),
                name: None,
                content_type,
                size: None,
            };
            Vec::from_iter(Some(media).filter(|media| !media.place.is_empty()))
        };
        let (text, media) = match self.msg_type.as_str() {
            "text" => (self.content.trim().to_owned(), Vec::new()),
            "image" => (String::new(), media(Some("image/jpeg".to_owned()))),
            "voice" => {
                let kind = Some(&self.format).filter(|format| !format.is_empty());
                let words = self.recognition.trim().to_owned();
                (words, media(kind.map(|format| format!("audio/{format}"))))
            }
            "video" | "shortvideo" => (String::new(), media(Some("video/mp4".to_owned()))),
            "location" => {
                let place = format!("{}, {}", self.latitude, self.longitude);
                (lines(&[&self.label, &place]), Vec::new())
            }
            "link" => (
                lines(&[&self.title, &self.description, &self.url]),
                Vec::new(),
            ),
            _ => return None,
        };
        let is_something = !text.is_empty() || !media.is_empty();
        is_something.then(|| What::Message {
            message: self.id(),
            text,
            media,
        })
    }
}

/// What is not empty of `parts`, one below the other.
pub(crate) fn lines(parts: &[&str]) -> String {
    let parts = parts.iter().map(|part| part.trim());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}
