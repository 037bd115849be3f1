//! What LINE tells, as far as it is read.

use serde::Deserialize;
use serde_json::Value;

use crate::channel::{Incoming, Media, Sender, What};

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    pub(super) events: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    mode: String,
    /// Milliseconds.
    timestamp: Option<i64>,
    source: Source,
    webhook_event_id: String,
    reply_token: Option<String>,
    message: Option<Message>,
    postback: Option<Postback>,
    #[serde(default)]
    follow: Follow,
    unsend: Option<Unsend>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    group_id: Option<String>,
    room_id: Option<String>,
    user_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    mention: Mention,
    content_provider: Option<Provider>,
    file_name: Option<String>,
    file_size: Option<u64>,
    sticker_id: Option<String>,
    #[serde(default)]
    keywords: Vec<String>,
    title: Option<String>,
    address: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct Mention {
    #[serde(default)]
    mentionees: Vec<Mentionee>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mentionee {
    /// UTF-16 code units, as `length`.
    index: usize,
    length: usize,
    #[serde(default)]
    is_self: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    original_content_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Postback {
    data: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Follow {
    #[serde(default)]
    is_unblocked: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unsend {
    message_id: String,
}

impl Source {
    fn is_private(&self) -> bool {
        self.group_id.is_none() && self.room_id.is_none()
    }

    fn thread(&self) -> Option<&String> {
        let group = self.group_id.as_ref().or(self.room_id.as_ref());
        group.or(self.user_id.as_ref())
    }
}

impl Event {
    /// What happened; `None` of what is not for the account, or not known here. Of groups nothing is told unless
    /// `in_groups`.
    pub(super) fn incoming(self, in_groups: bool) -> Option<Incoming> {
        let private = self.source.is_private();
        // In standby another program has the conversation.
        if self.mode == "standby" || !(private || in_groups) {
            return None;
        }
        let thread = self.source.thread()?.clone();
        // LINE does not name everybody in a group.
        let sender = self.source.user_id.clone();
        let sender = sender.unwrap_or_else(|| thread.clone());
        let id = self.webhook_event_id.clone();
        let at = self.timestamp.map(|at| at.div_euclid(1000));
        let context = self.reply_token.clone();
        Some(Incoming {
            id,
            thread,
            sender: Sender {
                id: sender,
                ..Sender::default()
            },
            private,
            at,
            context,
            what: self.what(private)?,
        })
    }

    fn what(self, private: bool) -> Option<What> {
        match self.kind.as_str() {
            "message" => self.message?.said(private),
            "messageEdited" => {
                let message = self.message?;
                let text = message.words(private)?;
                Some(What::Edit {
                    message: message.id,
                    text,
                })
            }
            "postback" => Some(What::Press {
                reply: self.postback?.data,
                receipt: None,
            }),
            "unsend" => Some(What::Deletion {
                message: self.unsend?.message_id,
            }),
            "follow" if self.follow.is_unblocked => Some(What::Unblocked),
            "follow" => Some(What::Start),
            "unfollow" => Some(What::Blocked),
            _ => None,
        }
    }
}

impl Message {
    fn said(self, private: bool) -> Option<What> {
        let text = self.words(private)?;
        let media: Vec<Media> = self.media().into_iter().collect();
        let is_empty = text.is_empty() && media.is_empty();
        (!is_empty).then_some(What::Message {
            message: self.id,
            text,
            media,
        })
    }

    /// What is said to the account: all of it in a chat with one person, in a group what mentions the account,
    /// without the mention. `None` where it is not for the account.
    fn words(&self, private: bool) -> Option<String> {
        if self.kind == "location" && private {
            return Some(self.place());
        }
        let ours = self.mention.mentionees.iter();
        let ours: Vec<_> = ours
            .filter(|mentionee| mentionee.is_self)
            .map(|mentionee| mentionee.index..mentionee.index.saturating_add(mentionee.length))
            .collect();
        if !private && ours.is_empty() {
            return None;
        }
        let units = self.text.encode_utf16().enumerate();
        let kept = units.filter(|(place, _)| !ours.iter().any(|range| range.contains(place)));
        let kept: Vec<u16> = kept.map(|(_, unit)| unit).collect();
        Some(String::from_utf16_lossy(&kept).trim().to_owned())
    }

    /// A location as its name, its address and a URI (RFC 5870).
    fn place(&self) -> String {
        let point = self.latitude.zip(self.longitude);
        let point = point.map(|(latitude, longitude)| format!("geo:{latitude},{longitude}"));
        let lines = [self.title.clone(), self.address.clone(), point];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }

    fn media(&self) -> Option<Media> {
        let usual = match self.kind.as_str() {
            "image" => Some("image/jpeg"),
            "video" => Some("video/mp4"),
            "audio" => Some("audio/x-m4a"),
            "file" => None,
            "sticker" => {
                // LINE offers no address for its picture.
                let id = self.sticker_id.as_deref().unwrap_or_default();
                let name = self.keywords.join(", ");
                return Some(Media {
                    place: format!("sticker/{id}"),
                    name: Some(name).filter(|name| !name.is_empty()),
                    content_type: Some("image/png".to_owned()),
                    size: None,
                });
            }
            _ => return None,
        };
        let provider = self.content_provider.as_ref();
        let elsewhere = provider.and_then(|provider| provider.original_content_url.clone());
        Some(Media {
            place: elsewhere.unwrap_or_else(|| self.id.clone()),
            name: self.file_name.clone(),
            content_type: usual.map(str::to_owned),
            size: self.file_size,
        })
    }
}
