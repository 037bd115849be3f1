//! Telegram, as far as a bot sees it.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::{Answered, Fake, Shown, Told, now};

/// The bot's token.
pub const TOKEN: &str = "12:token";
/// The secret of its hook.
pub const SECRET: &str = "the-secret-of-the-hook";

/// The Bot API with one bot. A customer's name is the number of their chat.
#[derive(Default)]
pub struct Telegram {
    /// What it has accepted, by chat.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages and updates so far.
    count: i64,
}

impl Telegram {
    fn told(&self, update: &Value) -> Told {
        let mut update = update.clone();
        update["update_id"] = self.count.into();
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![("x-telegram-bot-api-secret-token", SECRET.to_owned())],
            body: update.to_string().into_bytes(),
        }
    }

    fn user(customer: &str) -> Value {
        json!({ "id": customer.parse::<i64>().unwrap_or(1), "first_name": "Ana", "language_code": "en" })
    }

    fn chat(customer: &str) -> Value {
        json!({ "id": customer.parse::<i64>().unwrap_or(1), "type": "private" })
    }
}

impl Fake for Telegram {
    fn answer(&mut self, _: &Method, path: &str, _: &HeaderMap, body: &[u8]) -> Answered {
        let refused = |status: u16, reason: &str| {
            let body = json!({ "ok": false, "error_code": status, "description": reason });
            Answered::json(status, &body)
        };
        let Some(method) = path.strip_prefix(&format!("/bot{TOKEN}/")) else {
            return refused(401, "Unauthorized");
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = body["text"].as_str().unwrap_or_default();
        match method {
            "sendMessage" if text.is_empty() => refused(400, "Bad Request: message text is empty"),
            "sendMessage" if text.encode_utf16().count() > 4096 => {
                refused(400, "Bad Request: message is too long")
            }
            "sendMessage" => {
                self.count += 1;
                let mut sent = body.clone();
                sent["message_id"] = self.count.into();
                let chat = body["chat_id"].to_string();
                self.sent.entry(chat).or_default().push(sent);
                let result = json!({ "message_id": self.count });
                Answered::json(200, &json!({ "ok": true, "result": result }))
            }
            "sendChatAction" | "answerCallbackQuery" | "getMe" => {
                Answered::json(200, &json!({ "ok": true, "result": true }))
            }
            _ => refused(404, "Not Found: method not found"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.count += 1;
        self.told(&json!({ "message": {
            "message_id": self.count,
            "date": now(),
            "from": Self::user(customer),
            "chat": Self::chat(customer),
            "text": text,
        } }))
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        self.count += 1;
        let message = self.sent.get(customer)?.last()?.clone();
        let rows = message["reply_markup"]["inline_keyboard"]
            .as_array()?
            .clone();
        let buttons = rows.iter().filter_map(Value::as_array).flatten();
        let pressed = buttons.into_iter().find(|button| button["text"] == label)?;
        Some(self.told(&json!({ "callback_query": {
            "id": format!("press-{}", self.count),
            "from": Self::user(customer),
            "data": pressed["callback_data"],
            "message": {
                "message_id": message["message_id"],
                "date": now(),
                "chat": Self::chat(customer),
            },
        } })))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let shown = sent.map(|message| {
            let rows = message["reply_markup"]["inline_keyboard"].as_array();
            let buttons = rows
                .into_iter()
                .flatten()
                .filter_map(Value::as_array)
                .flatten();
            let label = |button: &Value| button["text"].as_str().unwrap_or_default().to_owned();
            Shown {
                text: message["text"].as_str().unwrap_or_default().to_owned(),
                buttons: buttons.map(label).collect(),
            }
        });
        shown.collect()
    }
}
