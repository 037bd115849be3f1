//! A Matrix homeserver, as far as a bot sees it.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::Url;

use super::{Answered, Fake, Shown, Told, now};

/// The bot's token.
pub const TOKEN: &str = "as-token";
/// The homeserver's.
pub const HS_TOKEN: &str = "hs-token";
/// The bot's id.
pub const OWN: &str = "@frontdesk:example.org";

/// A homeserver with one bot. A customer's name is the local part of their id; they have one room with the bot.
#[derive(Default)]
pub struct Matrix {
    /// Whether what happens is told to the hook.
    by_hook: bool,
    /// What happened, in its order.
    events: Vec<Value>,
    /// Rooms that the bot is in.
    joined: BTreeSet<String>,
    /// What was sent under a key of the bot's, by room and key.
    keys: BTreeMap<String, String>,
}

fn refused(status: u16, code: &str) -> Answered {
    Answered::json(status, &json!({ "errcode": code, "error": "refused" }))
}

fn done() -> Answered {
    Answered::json(200, &json!({}))
}

/// A customer's room.
pub fn room(customer: &str) -> String {
    format!("!{customer}:example.org")
}

fn user(customer: &str) -> String {
    format!("@{customer}:example.org")
}

impl Matrix {
    /// One that tells an application service what happens.
    pub fn by_hook() -> Self {
        Self {
            by_hook: true,
            ..Self::default()
        }
    }

    fn happened(&mut self, room: &str, sender: &str, kind: &str, content: Value) -> Value {
        let event = json!({
            "type": kind, "event_id": format!("$event{}", self.events.len()), "room_id": room,
            "sender": sender, "origin_server_ts": now() * 1000, "content": content,
        });
        self.events.push(event.clone());
        event
    }

    fn member(&mut self, room: &str, sender: &str, user: &str, content: Value) -> Value {
        let is_theirs = |event: &&Value| event["room_id"] == room && event["state_key"] == user;
        let before = self.events.iter().rev().find(is_theirs);
        let before = before.map(|event| event["content"].clone());
        let mut event = self.happened(room, sender, "m.room.member", content);
        event["state_key"] = user.into();
        if let Some(before) = before {
            event["unsigned"] = json!({ "prev_content": before });
        }
        if let Some(last) = self.events.last_mut() {
            last.clone_from(&event);
        }
        event
    }

    /// A customer asks the bot into a direct room of theirs.
    pub fn invites(&mut self, customer: &str) -> Told {
        let (room, user) = (room(customer), user(customer));
        let mut created = self.happened(&room, &user, "m.room.create", json!({}));
        created["state_key"] = "".into();
        self.member(&room, &user, &user, json!({ "membership": "join" }));
        let invitation = json!({ "membership": "invite", "is_direct": true });
        let invited = self.member(&room, &user, OWN, invitation);
        self.told(&invited)
    }

    /// The bot has come into a customer's room.
    pub fn has_come(&mut self, customer: &str) -> Told {
        let room = room(customer);
        assert!(self.joined.contains(&room));
        let is_ours = |event: &&Value| event["room_id"] == room && event["state_key"] == OWN;
        let joined = self.events.iter().rev().find(is_ours).cloned();
        self.told(&joined.unwrap_or_default())
    }

    fn told(&self, event: &Value) -> Told {
        if !self.by_hook {
            return Told::Polled;
        }
        Told::Hook {
            method: Method::PUT,
            query: format!(
                "/matrix/shop/_matrix/app/v1/transactions/{}",
                self.events.len()
            ),
            headers: vec![("authorization", format!("Bearer {HS_TOKEN}"))],
            body: json!({ "events": [event] }).to_string().into_bytes(),
        }
    }

    fn join(&mut self, room: &str) -> Answered {
        let is_ours = |event: &&Value| event["room_id"] == room && event["state_key"] == OWN;
        let last = self.events.iter().rev().find(is_ours);
        if last.is_none_or(|event| event["content"]["membership"] != "invite") {
            return refused(403, "M_FORBIDDEN");
        }
        self.joined.insert(room.to_owned());
        self.member(room, OWN, OWN, json!({ "membership": "join" }));
        Answered::json(200, &json!({ "room_id": room }))
    }

    fn send(&mut self, room: &str, key: &str, body: Option<Value>) -> Answered {
        let Some(content) = body else {
            return refused(400, "M_NOT_JSON");
        };
        if !self.joined.contains(room) {
            return refused(403, "M_FORBIDDEN");
        }
        if content.to_string().len() > 65_000 {
            return refused(413, "M_TOO_LARGE");
        }
        if content["body"].as_str().is_none_or(str::is_empty) || content["msgtype"].is_null() {
            return refused(400, "M_BAD_JSON");
        }
        let key = format!("{room} {key}");
        let known = self.keys.get(&key).cloned();
        let id = known.unwrap_or_else(|| {
            let sent = self.happened(room, OWN, "m.room.message", content);
            sent["event_id"].as_str().unwrap_or_default().to_owned()
        });
        self.keys.insert(key, id.clone());
        Answered::json(200, &json!({ "event_id": id }))
    }

    fn sync(&self, since: Option<usize>) -> Answered {
        let (mut join, mut invite) = (json!({}), json!({}));
        let since = since.unwrap_or_default();
        // Of a room that the bot has just come into, everything is told.
        let is_ours = |event: &&Value| event["state_key"] == OWN;
        let new: Vec<&Value> = self.events.iter().skip(since).filter(is_ours).collect();
        let is_new = |event: &Value| new.iter().any(|ours| ours["room_id"] == event["room_id"]);
        let events = self.events.iter().enumerate();
        for (_, event) in events.filter(|(place, event)| *place >= since || is_new(event)) {
            let room = event["room_id"].as_str().unwrap_or_default();
            let rooms = match self.joined.contains(room) {
                true => &mut join[room]["timeline"]["events"],
                false => &mut invite[room]["invite_state"]["events"],
            };
            let mut events = rooms.as_array().cloned().unwrap_or_default();
            events.push(event.clone());
            *rooms = events.into();
        }
        let rooms = json!({ "join": join, "invite": invite });
        let next = self.events.len().to_string();
        Answered::json(200, &json!({ "next_batch": next, "rooms": rooms }))
    }

    fn context(&self, room: &str, id: &str) -> Answered {
        let events = self.events.iter().filter(|event| event["room_id"] == room);
        let events: Vec<&Value> = events.collect();
        let Some(place) = events.iter().position(|event| event["event_id"] == id) else {
            return refused(404, "M_NOT_FOUND");
        };
        let (before, rest) = events.split_at(place);
        let before: Vec<&Value> = before.iter().rev().copied().collect();
        let state: Vec<&Value> = events
            .iter()
            .copied()
            .filter(|event| !event["state_key"].is_null())
            .collect();
        let context = json!({ "event": rest[0], "events_before": before, "state": state });
        Answered::json(200, &context)
    }
}

impl Fake for Matrix {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let token = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if token != Some(&format!("Bearer {TOKEN}")) {
            return refused(401, "M_UNKNOWN_TOKEN");
        }
        let Ok(url) = Url::parse(&format!("http://localhost{path}")) else {
            return refused(400, "M_UNRECOGNIZED");
        };
        let since = url.query_pairs().find(|(name, _)| name == "since");
        let since = since.and_then(|(_, value)| value.parse().ok());
        let body: Option<Value> = serde_json::from_slice(body).ok();
        let path: Vec<&str> = url
            .path()
            .trim_start_matches("/_matrix/client/v3/")
            .split('/')
            .collect();
        match (method.as_str(), path.as_slice()) {
            ("GET", ["account", "whoami"]) => Answered::json(200, &json!({ "user_id": OWN })),
            ("GET", ["sync"]) => self.sync(since),
            ("GET", ["rooms", room, "context", event]) => self.context(room, event),
            ("POST", ["join", room]) => self.join(room),
            ("POST", ["rooms", room, "leave"]) => {
                self.joined.remove(*room);
                done()
            }
            ("PUT", ["rooms", room, "send", "m.room.message", key]) => self.send(room, key, body),
            ("PUT", ["rooms", _, "typing", OWN]) => done(),
            _ => refused(404, "M_UNRECOGNIZED"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        let (room, user) = (room(customer), user(customer));
        if !self.events.iter().any(|event| event["room_id"] == room) {
            self.invites(customer);
            self.join(&room);
        }
        let content = json!({ "msgtype": "m.text", "body": text });
        let said = self.happened(&room, &user, "m.room.message", content);
        self.told(&said)
    }

    fn presses(&mut self, _: &str, _: &str) -> Option<Told> {
        None
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let room = room(customer);
        let ours = self.events.iter().filter(|event| {
            event["room_id"] == room && event["type"] == "m.room.message" && event["sender"] == OWN
        });
        let shown = ours.map(|event| Shown {
            text: event["content"]["body"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            buttons: Vec::new(),
        });
        shown.collect()
    }
}
