//! What happens in rooms, as far as it is read.

use std::borrow::Cow;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Settings;
use crate::channel::{Call, Incoming, Media, Receipt, Sender, What};

pub(super) const MEMBER: &str = "m.room.member";
pub(super) const CREATE: &str = "m.room.create";
const MESSAGE: &str = "m.room.message";
const ENCRYPTED: &str = "m.room.encrypted";
const REDACTION: &str = "m.room.redaction";

/// An event. Its content is its sender's: it may have any form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) event_id: String,
    pub(super) room_id: String,
    pub(super) sender: String,
    origin_server_ts: Option<i64>,
    pub(super) state_key: Option<String>,
    redacts: Option<String>,
    content: Value,
    unsigned: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    msgtype: String,
    body: String,
    filename: Option<String>,
    formatted_body: Option<String>,
    url: Option<String>,
    info: Info,
    #[serde(rename = "m.mentions")]
    mentions: Option<Mentions>,
    #[serde(rename = "m.new_content")]
    new: Option<Box<Content>>,
    #[serde(rename = "m.relates_to")]
    relation: Relation,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    mimetype: Option<String>,
    size: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Mentions {
    user_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Relation {
    rel_type: Option<String>,
    event_id: Option<String>,
    #[serde(rename = "m.in_reply_to")]
    answered: Option<Value>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) events: Vec<Incoming>,
    pub(super) calls: Vec<Call>,
    /// The event by which the bot came into a room.
    pub(super) joined: Option<Event>,
}

impl Event {
    /// What the membership of `state_key` is by this event, in a word of the specification.
    pub(super) fn membership(&self) -> &str {
        self.content["membership"].as_str().unwrap_or_default()
    }

    /// What it was before.
    fn membership_before(&self) -> &str {
        let before = &self.unsigned["prev_content"]["membership"];
        before.as_str().unwrap_or_default()
    }

    /// Whether this is how the membership of `user` changed.
    pub(super) fn is_member(&self, user: &str) -> bool {
        self.kind == MEMBER && self.state_key.as_deref() == Some(user)
    }

    /// Whether others than before are in the room now: it is no new name or picture.
    fn is_change(&self) -> bool {
        self.membership() != self.membership_before()
    }

    fn is_direct(&self) -> bool {
        self.content["is_direct"] == true
    }

    /// Something that happened in the room, outside of its threads.
    fn incoming(&self, what: What, private: bool) -> Incoming {
        Incoming {
            id: self.event_id.clone(),
            thread: self.room_id.clone(),
            sender: Sender {
                id: self.sender.clone(),
                ..Sender::default()
            },
            private,
            at: self.origin_server_ts.map(|millis| millis.div_euclid(1000)),
            context: None,
            what,
        }
    }
}

impl Settings {
    /// Whether the bot takes everything in its rooms for said to itself alone.
    pub(super) fn is_private(&self) -> bool {
        !self.in_groups
    }

    /// Reads an event.
    pub(super) fn read(&self, event: &Event, read: &mut Read) {
        match (event.kind.as_str(), &event.state_key) {
            (MEMBER, Some(user)) if *user == self.user => self.read_ours(event, read),
            (MEMBER, Some(user)) => self.read_theirs(event, user, read),
            _ if event.sender == self.user => {}
            (MESSAGE, None) => read.events.extend(self.message(event)),
            (ENCRYPTED, None) => read.calls.extend(self.cannot_read(event)),
            (REDACTION, None) => {
                let of_content = event.content["redacts"].as_str();
                let redacted = event.redacts.as_deref().or(of_content);
                let deleted = redacted.map(|message| What::Deletion {
                    message: message.to_owned(),
                });
                let deleted = deleted.map(|what| event.incoming(what, self.is_private()));
                read.events.extend(deleted);
            }
            _ => {}
        }
    }

    /// What became of the bot's own membership.
    fn read_ours(&self, event: &Event, read: &mut Read) {
        match event.membership() {
            "invite" => self.invited(event, read),
            "join" if event.is_change() => read.joined = Some(event.clone()),
            "leave" | "ban" if event.sender != self.user && event.membership_before() == "join" => {
                read.events
                    .push(event.incoming(What::End, self.is_private()));
            }
            _ => {}
        }
    }

    /// Goes into the room, or says that it does not.
    pub(super) fn invited(&self, event: &Event, read: &mut Read) {
        let server = event.sender.split_once(':').map(|(_, server)| server);
        let may_invite = self.servers.is_empty()
            || server.is_some_and(|server| self.servers.iter().any(|other| other == server));
        if !may_invite || !(event.is_direct() || self.in_groups) {
            read.calls.push(self.leave(&event.room_id));
            return;
        }
        let path = ["v3", "join", &event.room_id];
        read.calls
            .push(self.call(Method::POST, &path, Some(&json!({}))));
        if self.is_private() {
            read.events.push(event.incoming(What::Start, true));
        }
    }

    /// What became of another's membership: in a direct room there is one other only.
    fn read_theirs(&self, event: &Event, user: &str, read: &mut Read) {
        if self.in_groups || !event.is_change() {
            return;
        }
        match event.membership() {
            "join" | "invite" | "knock" => read.calls.push(self.leave(&event.room_id)),
            "leave" | "ban" if event.membership_before() == "join" => {
                let mut ended = event.incoming(What::End, true);
                user.clone_into(&mut ended.sender.id);
                read.events.push(ended);
                read.calls.push(self.leave(&event.room_id));
            }
            _ => {}
        }
    }

    pub(super) fn leave(&self, room: &str) -> Call {
        let path = ["v3", "rooms", room, "leave"];
        self.call(Method::POST, &path, Some(&json!({})))
    }

    /// Says that the room's messages cannot be read: for as long as the homeserver remembers its key, once.
    fn cannot_read(&self, event: &Event) -> Option<Call> {
        let text = self.cannot_read.as_deref().filter(|_| self.is_private())?;
        let content = json!({ "msgtype": "m.notice", "body": text, "m.mentions": {} });
        Some(self.post(&event.room_id, "encrypted", &content))
    }

    /// What somebody writes to the bot; `None` where it is for nobody, or of a bot.
    fn message(&self, event: &Event) -> Option<Incoming> {
        let content: Content = serde_json::from_value(event.content.clone()).ok()?;
        let relation = &content.relation;
        if relation.rel_type.as_deref() == Some("m.replace") {
            let text = self.said_to_us(content.new.as_deref()?)?;
            let message = relation.event_id.clone()?;
            let what = What::Edit { message, text };
            return Some(event.incoming(what, self.is_private()));
        }
        let text = self.said_to_us(&content)?;
        let media: Vec<Media> = content.media().into_iter().collect();
        if text.is_empty() && media.is_empty() {
            return None;
        }
        let message = event.event_id.clone();
        let what = What::Message {
            message: message.clone(),
            text,
            media,
        };
        let mut incoming = event.incoming(what, self.is_private());
        let is_threaded = relation.rel_type.as_deref() == Some("m.thread");
        if let Some(root) = relation.event_id.as_ref().filter(|_| is_threaded) {
            incoming.thread = format!("{}/{root}", event.room_id);
        }
        incoming.context = Some(message);
        Some(incoming)
    }

    /// All of what is said in a direct room; elsewhere what mentions the bot, without the mention.
    fn said_to_us(&self, content: &Content) -> Option<String> {
        let text = content.words()?;
        if self.is_private() {
            return Some(text.into_owned());
        }
        let html = content.formatted_body.as_deref().unwrap_or_default();
        let is_mentioned = match &content.mentions {
            Some(mentions) => mentions.user_ids.contains(&self.user),
            None => text.contains(&self.user) || mention(html, &self.user).is_some(),
        };
        let mut others = text.into_owned();
        for name in [Some(self.user.as_str()), mention(html, &self.user)] {
            others = name.map_or(others.clone(), |name| without(&others, name));
        }
        is_mentioned.then_some(others)
    }

    /// Who types, and who has read what; `told_by` is unique among what tells it.
    pub(super) fn read_ephemeral(&self, event: &Event, told_by: &str) -> Vec<Incoming> {
        let incoming = |user: &str, what: What, id: String| Incoming {
            id,
            sender: Sender {
                id: user.to_owned(),
                ..Sender::default()
            },
            ..event.incoming(what, true)
        };
        if self.in_groups {
            return Vec::new();
        }
        let is_other = |user: &&str| *user != self.user;
        match event.kind.as_str() {
            "m.typing" => {
                let users = event.content["user_ids"].as_array().into_iter().flatten();
                let users = users.filter_map(Value::as_str).filter(is_other);
                let typing = |user| {
                    let id = format!("{told_by}-{}-{user}", event.room_id);
                    incoming(user, What::Typing, id)
                };
                users.map(typing).collect()
            }
            "m.receipt" => {
                let messages = event.content.as_object().into_iter().flatten();
                let readers = messages.flat_map(|(message, receipts)| {
                    let readers = receipts["m.read"].as_object().into_iter().flatten();
                    readers.map(move |(user, _)| (message, user.as_str()))
                });
                let read = |(message, user): (&String, &str)| {
                    let what = What::Receipt {
                        message: message.clone(),
                        receipt: Receipt::Read,
                    };
                    incoming(user, what, format!("{message}-read-{user}"))
                };
                readers
                    .filter(|(_, user)| is_other(user))
                    .map(read)
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Content {
    /// What was written, without what it answers; `None` where nothing is read of it.
    fn words(&self) -> Option<Cow<'_, str>> {
        let text = match self.msgtype.as_str() {
            "m.text" | "m.emote" => self.body.as_str(),
            // Without a name of its own the file has the text's.
            "m.image" | "m.file" | "m.audio" | "m.video" => match &self.filename {
                Some(name) if *name != self.body => self.body.as_str(),
                _ => "",
            },
            // What bots write, `m.notice`, is never answered.
            _ => return None,
        };
        if self.relation.answered.is_none() || !text.starts_with("> ") {
            return Some(text.trim().into());
        }
        let lines = text.lines().skip_while(|line| line.starts_with('>'));
        let own: Vec<&str> = lines.collect();
        Some(own.join("\n").trim().to_owned().into())
    }

    fn media(&self) -> Option<Media> {
        let name = self.filename.as_deref().unwrap_or(&self.body);
        Some(Media {
            place: self.url.clone()?,
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            content_type: self.info.mimetype.clone(),
            size: self.info.size,
        })
    }
}

/// How `user` is called where HTML mentions them.
fn mention<'a>(html: &'a str, user: &str) -> Option<&'a str> {
    let encoded = user.replace('@', "%40").replace(':', "%3A");
    let found = [user, &encoded].into_iter().find_map(|user| {
        let link = format!("https://matrix.to/#/{user}\"");
        html.split_once(&link).map(|(_, rest)| rest)
    });
    let name = found?.split_once('>')?.1.split_once("</a>")?.0;
    Some(name).filter(|name| !name.is_empty())
}

/// `text` without the first `name`, and without what separates it from the rest.
fn without(text: &str, name: &str) -> String {
    let Some((before, after)) = text.split_once(name) else {
        return text.to_owned();
    };
    let after = after.trim_start_matches([':', ',']).trim_start();
    let before = before.trim_end();
    let between = if before.is_empty() { "" } else { " " };
    format!("{before}{between}{after}").trim().to_owned()
}
