//! What Rocket.Chat's webhooks tell, as far as it is read.

use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use crate::channel::{Incoming, Media, Sender, What};
use crate::signature::{hash, hex};

/// What happened in a room of Omnichannel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    /// The room's id.
    #[serde(rename = "_id")]
    room: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    visitor: Option<Person>,
    agent: Option<Person>,
    messages: Option<Vec<Message>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Person {
    #[serde(rename = "_id")]
    id: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(rename = "_id")]
    id: String,
    u: Person,
    /// RFC 3339.
    ts: Option<String>,
    msg: Option<String>,
    /// What the workspace itself says has a kind.
    t: Option<String>,
    #[serde(rename = "agentId")]
    agent: Option<String>,
    file: Option<File>,
    #[serde(rename = "fileUpload")]
    upload: Option<Upload>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    name: Option<String>,
    #[serde(rename = "type")]
    content_type: Option<String>,
    size: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Upload {
    #[serde(rename = "publicFilePath")]
    path: Option<String>,
}

/// What was written in a channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Posted {
    pub(super) token: String,
    /// Of a message by a program; its name or `true`.
    bot: Value,
    channel_id: String,
    message_id: String,
    tmid: Option<String>,
    timestamp: Option<String>,
    user_id: String,
    user_name: Option<String>,
    text: Option<String>,
    #[serde(rename = "isEdited")]
    is_edited: Option<bool>,
}

/// Reads what happened.
pub(super) struct Reader<'a> {
    pub(super) user: &'a str,
    pub(super) in_groups: Option<&'a str>,
}

impl Reader<'_> {
    pub(super) fn session(&self, session: Session) -> Vec<Incoming> {
        let Some(room) = &session.room else {
            return Vec::new(); // A form that is left while nobody is there has no room to answer in.
        };
        let is_ours = session.is_served_by(self.user);
        let of_room = |name: &str, what| {
            let id = format!("{room}/{name}");
            session.event(id, room, None, what).into_iter().collect()
        };
        match session.kind.as_str() {
            "Message" => {
                let messages = session.messages.iter().flatten();
                let events = messages.filter_map(|message| self.said(&session, room, message));
                events.collect()
            }
            "LivechatSessionStart" if is_ours => of_room("start", What::Start),
            // Closed: its messages are all that were said.
            "LivechatSession" => of_room("end", What::End),
            "LivechatSessionTaken" | "LivechatSessionForwarded" if !is_ours => {
                let agent = session.agent.as_ref().and_then(|agent| agent.id.as_deref());
                let message = format!("taken/{}", agent.unwrap_or_default());
                let text = String::new();
                of_room(&message.clone(), What::Takeover { message, text })
            }
            _ => Vec::new(),
        }
    }

    fn said(&self, session: &Session, room: &str, message: &Message) -> Option<Incoming> {
        let is_by_us = message.u.id.as_deref() == Some(self.user);
        let is_of_workspace = message.t.as_ref().is_some_and(|kind| !kind.is_empty());
        if is_by_us || is_of_workspace || message.id.is_empty() {
            return None;
        }
        let id = message.id.clone();
        let text = message.msg.as_deref().unwrap_or_default().trim().to_owned();
        let media = message.media();
        let is_for_us = session.is_served_by(self.user) && !(text.is_empty() && media.is_empty());
        let what = match &message.agent {
            Some(agent) if agent == self.user => return None,
            Some(_) => What::Takeover {
                message: id.clone(),
                text,
            },
            None if is_for_us => What::Message {
                message: id.clone(),
                text,
                media,
            },
            None => return None, // Somebody else of the company serves the visitor.
        };
        session.event(id, room, message.ts.as_deref(), what)
    }

    /// What a person wrote to the bot: all of it in private, in a channel what names the bot, without the name.
    pub(super) fn posted(&self, posted: Posted) -> Option<Incoming> {
        let is_by_program = !matches!(posted.bot, Value::Null | Value::Bool(false));
        if is_by_program || posted.user_id == self.user || posted.message_id.is_empty() {
            return None;
        }
        // A room of two is called by both.
        let (a, b) = (posted.user_id.as_str(), self.user);
        let private = [format!("{a}{b}"), format!("{b}{a}")].contains(&posted.channel_id);
        let text = self.said_to_us(posted.text.as_deref().unwrap_or_default(), private)?;
        if text.is_empty() {
            return None;
        }
        let root = posted.tmid.as_ref().unwrap_or(&posted.message_id);
        let thread = match private {
            true => posted.channel_id.clone(),
            false => format!("{}/{root}", posted.channel_id),
        };
        let message = posted.message_id.clone();
        let (id, what) = match posted.is_edited {
            // The time is that of the message: its new words tell which edit it is.
            Some(true) => {
                let words = hex(&hash::<Sha256>(&[text.as_bytes()]));
                (format!("{message}/{words}"), What::Edit { message, text })
            }
            _ => (
                message.clone(),
                What::Message {
                    message,
                    text,
                    media: Vec::new(),
                },
            ),
        };
        Some(Incoming {
            id,
            thread,
            sender: Sender {
                id: posted.user_id,
                name: posted.user_name,
                language: None,
            },
            private,
            at: posted.timestamp.as_deref().and_then(seconds),
            context: None,
            what,
        })
    }

    fn said_to_us(&self, text: &str, private: bool) -> Option<String> {
        if private {
            return Some(text.trim().to_owned());
        }
        let name = format!("@{}", self.in_groups?);
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

impl Session {
    /// Whether the bot serves the room; so it does before an agent is found.
    fn is_served_by(&self, user: &str) -> bool {
        let agent = self.agent.as_ref().and_then(|agent| agent.id.as_deref());
        agent.is_none_or(|agent| agent == user)
    }

    fn event(&self, id: String, room: &str, at: Option<&str>, what: What) -> Option<Incoming> {
        let visitor = self.visitor.as_ref()?;
        Some(Incoming {
            id,
            thread: room.to_owned(),
            sender: Sender {
                id: visitor.id.clone()?,
                name: visitor.name.clone(),
                language: None,
            },
            private: true,
            at: at.and_then(seconds),
            context: None,
            what,
        })
    }
}

impl Message {
    fn media(&self) -> Vec<Media> {
        let upload = self.upload.as_ref();
        let place = upload.and_then(|upload| upload.path.clone());
        let file = self.file.as_ref();
        let media = place.map(|place| Media {
            place,
            name: file.and_then(|file| file.name.clone()),
            content_type: file.and_then(|file| file.content_type.clone()),
            size: file.and_then(|file| file.size),
        });
        media.into_iter().collect()
    }
}

fn seconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_second)
}
