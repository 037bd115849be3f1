//! Messenger and Instagram, as far as a page or an account sees them.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::meta::{admitted, refused, told};
use super::{Answered, Fake, Shown, Told, now};

/// Id of the page or account.
pub const ACCOUNT: &str = "1789000";
/// Id of our app.
pub const APP: &str = "1517776481860111";

/// The Send API with one page, or one account of Instagram.
pub struct Messenger {
    is_instagram: bool,
    /// What it has accepted, by customer.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages so far.
    count: u32,
}

impl Messenger {
    pub fn new(is_instagram: bool) -> Self {
        Self {
            is_instagram,
            sent: BTreeMap::new(),
            count: 0,
        }
    }

    fn told(&self, from: &str, to: &str, message: Value) -> Told {
        let object = if self.is_instagram {
            "instagram"
        } else {
            "page"
        };
        told(
            &json!({ "object": object, "entry": [{ "id": ACCOUNT, "time": now() * 1000,
            "messaging": [{
                "sender": { "id": from }, "recipient": { "id": to }, "timestamp": now() * 1000,
                "message": message,
            }],
        }] }),
        )
    }

    fn hears(&mut self, customer: &str, mut message: Value) -> Told {
        self.count += 1;
        message["mid"] = format!("m_{}", self.count).into();
        self.told(customer, ACCOUNT, message)
    }

    /// The last message that we sent to a customer, told to us.
    pub fn echo(&self, customer: &str) -> Option<Told> {
        let mut message = self.sent.get(customer)?.last()?.clone();
        message["is_echo"] = true.into();
        message["app_id"] = APP.parse::<u64>().ok()?.into();
        Some(self.told(ACCOUNT, customer, message))
    }

    /// A person of the company writes to a customer in Meta's own inbox.
    pub fn person_says(&mut self, customer: &str, text: &str) -> Told {
        self.count += 1;
        let message = json!({ "mid": format!("m_{}", self.count), "is_echo": true, "text": text });
        self.told(ACCOUNT, customer, message)
    }

    fn accept(&mut self, body: &Value) -> Result<Answered, String> {
        let Some(customer) = body["recipient"]["id"].as_str() else {
            return Err("recipient is required".to_owned());
        };
        let message = match (body.get("sender_action"), body.get("message")) {
            (Some(action), None) if action == "typing_on" => {
                return Ok(Answered::json(200, &json!({ "recipient_id": customer })));
            }
            (None, Some(message)) => message,
            _ => return Err("there is a message or an action".to_owned()),
        };
        if !self.is_instagram && body["messaging_type"] != "RESPONSE" {
            return Err("messaging_type is required".to_owned());
        }
        let text = message["text"].as_str().unwrap_or_default();
        let is_long = if self.is_instagram {
            text.len() > 1000
        } else {
            text.chars().count() > 2000
        };
        if text.is_empty() || is_long {
            return Err("Length of param message[text] is wrong".to_owned());
        }
        let replies = message.get("quick_replies").and_then(Value::as_array);
        let is_wrong = |reply: &Value| {
            let length = |field| reply[field].as_str().unwrap_or_default().chars().count();
            let (title, payload) = (length("title"), length("payload"));
            !(1..=20).contains(&title)
                || !(1..=1000).contains(&payload)
                || reply["content_type"] != "text"
        };
        if replies
            .is_some_and(|list| list.is_empty() || list.len() > 13 || list.iter().any(is_wrong))
        {
            return Err("quick_replies are wrong".to_owned());
        }
        self.count += 1;
        let id = format!("m_{}", self.count);
        let mut message = message.clone();
        message["mid"] = id.clone().into();
        let sent = self.sent.entry(customer.to_owned()).or_default();
        sent.push(message);
        Ok(Answered::json(
            200,
            &json!({ "recipient_id": customer, "message_id": id }),
        ))
    }
}

fn replies(message: &Value) -> Vec<Value> {
    let replies = message["quick_replies"].as_array();
    replies.cloned().unwrap_or_default()
}

impl Fake for Messenger {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let path = match admitted(path, headers) {
            Ok(path) => path,
            Err(refusal) => return refusal,
        };
        match (method.as_str(), path) {
            ("GET", "me") => Answered::json(200, &json!({ "id": ACCOUNT })),
            ("POST", path) if path == format!("{ACCOUNT}/messages") || path == "me/messages" => {
                let Ok(body) = serde_json::from_slice(body) else {
                    return refused(400, 100, "The body is no JSON");
                };
                let accepted = self.accept(&body);
                accepted.unwrap_or_else(|reason| refused(400, 100, &reason))
            }
            _ => refused(404, 100, "Unsupported request"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.hears(customer, json!({ "text": text }))
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let message = self.sent.get(customer)?.last()?.clone();
        let mut replies = replies(&message).into_iter();
        let pressed = replies.find(|reply| reply["title"] == label)?;
        let payload = json!({ "payload": pressed["payload"] });
        Some(self.hears(customer, json!({ "text": label, "quick_reply": payload })))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let title = |reply: Value| reply["title"].as_str().unwrap_or_default().to_owned();
        let shown = sent.map(|message| Shown {
            text: message["text"].as_str().unwrap_or_default().to_owned(),
            buttons: replies(message).into_iter().map(title).collect(),
        });
        shown.collect()
    }
}
