//! A Rocket.Chat workspace, as far as a bot that serves visitors sees it.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::{Answered, Fake, Shown, Told};

/// The bot's token.
pub const TOKEN: &str = "token";
/// Id of its user.
pub const BOT: &str = "botid";
/// The secret of the webhooks.
pub const SECRET: &str = "the-secret-of-the-webhook";

/// A workspace with one bot. A visitor's name is the id of their room.
#[derive(Default)]
pub struct RocketChat {
    /// What it has accepted, by room.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages so far.
    count: u64,
}

impl RocketChat {
    /// Whether a message of that id was accepted.
    fn has(&self, id: &str) -> bool {
        let mut sent = self.sent.values().flatten();
        sent.any(|message| message["_id"] == id)
    }
}

impl Fake for RocketChat {
    fn answer(&mut self, _: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Answered {
        let refused = |status: u16, error: &str| {
            Answered::json(status, &json!({ "success": false, "error": error }))
        };
        let is = |name: &str, value: &str| {
            let header = headers.get(name);
            header.is_some_and(|header| header.as_bytes() == value.as_bytes())
        };
        if !is("x-auth-token", TOKEN) || !is("x-user-id", BOT) {
            let words = "You must be logged in to do this.";
            return Answered::json(401, &json!({ "status": "error", "message": words }));
        }
        match path {
            "/api/v1/me" => Answered::json(200, &json!({ "_id": BOT, "success": true })),
            "/api/v1/chat.sendMessage" => {
                let Ok(body) = serde_json::from_slice::<Value>(body) else {
                    return refused(400, "Invalid JSON");
                };
                let message = body["message"].clone();
                let text = message["msg"].as_str().unwrap_or_default();
                let Some(room) = message["rid"].as_str() else {
                    return refused(400, "The 'rid' property on the message object is missing.");
                };
                if text.is_empty() || text.chars().count() > 5000 {
                    return refused(400, "[error-message-size-exceeded]");
                }
                let id = message["_id"].as_str().unwrap_or_default().to_owned();
                if id.is_empty() || self.has(&id) {
                    return refused(400, "E11000 duplicate key error");
                }
                self.count += 1;
                let room = room.to_owned();
                self.sent.entry(room).or_default().push(message.clone());
                Answered::json(200, &json!({ "success": true, "message": message }))
            }
            _ => refused(404, "Not Found"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.count += 1;
        let body = json!({
            "_id": customer, "type": "Message",
            "visitor": { "_id": "visitor1", "token": "t", "name": "Ana" },
            "agent": { "_id": BOT, "username": "shopbot" },
            "messages": [{
                "u": { "_id": "visitor1", "username": "guest-1" },
                "_id": format!("message{}", self.count),
                "ts": "2026-01-01T00:00:00.000Z",
                "msg": text,
            }],
        });
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("x-rocketchat-livechat-token", SECRET.to_owned()),
            ],
            body: body.to_string().into_bytes(),
        }
    }

    fn presses(&mut self, _: &str, _: &str) -> Option<Told> {
        None
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let shown = sent.map(|message| Shown {
            text: message["msg"].as_str().unwrap_or_default().to_owned(),
            buttons: Vec::new(),
        });
        shown.collect()
    }
}
