//! LINE, as far as an official account sees it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Answered, Fake, Shown, Told, now};

/// The channel's id.
pub const CHANNEL: &str = "1650000001";
/// The channel's secret.
pub const SECRET: &str = "the-secret-of-the-channel";
/// The token that is lent to the channel.
const TOKEN: &str = "lent-token";

/// The Messaging API with one channel. A customer's name is their user id.
#[derive(Default)]
pub struct Line {
    /// What it has accepted, by customer: the messages of each request.
    sent: BTreeMap<String, Vec<Vec<Value>>>,
    /// Reply tokens that were not used yet, with who each answers.
    tokens: BTreeMap<String, String>,
    /// Retry keys that were accepted.
    keys: BTreeSet<String>,
    /// Messages and events so far.
    count: u64,
}

fn refused(status: u16, reason: &str) -> Answered {
    Answered::json(status, &json!({ "message": reason }))
}

fn units(text: &Value) -> usize {
    text.as_str().unwrap_or_default().encode_utf16().count()
}

/// Whether a quick reply can be shown.
fn is_button(item: &Value) -> bool {
    let action = &item["action"];
    item["type"] == "action"
        && action["type"] == "postback"
        && (1..=20).contains(&units(&action["label"]))
        && (1..=300).contains(&units(&action["data"]))
        && units(&action["displayText"]) <= 300
}

fn is_message(message: &Value) -> bool {
    let items = message["quickReply"]["items"].as_array();
    message["type"] == "text"
        && (1..=5000).contains(&units(&message["text"]))
        && items.is_none_or(|items| (1..=13).contains(&items.len()) && items.iter().all(is_button))
}

/// Whether it is written as a UUID is.
fn is_uuid(key: &str) -> bool {
    let lengths = key.split('-').map(str::len).collect::<Vec<_>>();
    lengths == [8, 4, 4, 4, 12]
        && key
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

impl Line {
    fn told(&mut self, customer: &str, mut event: Value) -> Told {
        self.count += 1;
        let token = format!("reply-token-{}", self.count);
        self.tokens.insert(token.clone(), customer.to_owned());
        self.sent.entry(customer.to_owned()).or_default();
        event["mode"] = "active".into();
        event["timestamp"] = (now() * 1000).into();
        event["source"] = json!({ "type": "user", "userId": customer });
        event["webhookEventId"] = format!("01JGFRAV3M{:016}", self.count).into();
        event["deliveryContext"] = json!({ "isRedelivery": false });
        event["replyToken"] = token.into();
        let body = json!({ "destination": "U0f", "events": [event] });
        let body = body.to_string().into_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&body);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![("x-line-signature", signature)],
            body,
        }
    }

    fn accept(&mut self, customer: &str, messages: &[Value]) -> Answered {
        let sent = self.sent.entry(customer.to_owned()).or_default();
        sent.push(messages.to_vec());
        let ids = messages.iter().map(|_| {
            self.count += 1;
            json!({ "id": self.count.to_string(), "quoteToken": "q" })
        });
        let ids: Vec<Value> = ids.collect();
        Answered::json(200, &json!({ "sentMessages": ids }))
    }

    fn reply(&mut self, body: &Value, messages: &[Value]) -> Answered {
        let token = body["replyToken"].as_str().unwrap_or_default();
        match self.tokens.remove(token) {
            Some(customer) => self.accept(&customer, messages),
            None => refused(400, "Invalid reply token"),
        }
    }

    fn push(&mut self, body: &Value, messages: &[Value], key: Option<&str>) -> Answered {
        let customer = body["to"].as_str().unwrap_or_default();
        if !self.sent.contains_key(customer) {
            return refused(400, "The property, 'to', in the request body is invalid");
        }
        match key {
            Some(key) if !is_uuid(key) => refused(400, "Retry key is invalid"),
            Some(key) if !self.keys.insert(key.to_owned()) => {
                refused(409, "The retry key is already accepted")
            }
            _ => self.accept(customer, messages),
        }
    }

    fn lend(body: &[u8]) -> Answered {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
        let has = |name: &str, value: &str| form.get(name).is_some_and(|found| found == value);
        let is_ours = has("grant_type", "client_credentials")
            && has("client_id", CHANNEL)
            && has("client_secret", SECRET);
        if !is_ours {
            return Answered::json(400, &json!({ "error": "invalid_client" }));
        }
        let lent =
            json!({ "access_token": TOKEN, "expires_in": 2_592_000, "token_type": "Bearer" });
        Answered::json(200, &lent)
    }

    /// The buttons of the last message of the last request, which alone are shown.
    fn buttons(messages: &[Value]) -> Vec<Value> {
        let last = messages
            .last()
            .map(|message| &message["quickReply"]["items"]);
        last.and_then(Value::as_array).cloned().unwrap_or_default()
    }
}

impl Fake for Line {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if (method, path) == (&Method::POST, "/v2/oauth/accessToken") {
            return Self::lend(body);
        }
        if header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return refused(
                401,
                "Authentication failed. Confirm that the access token is valid.",
            );
        }
        if (method, path) == (&Method::GET, "/v2/bot/info") {
            return Answered::json(200, &json!({ "userId": "U0f", "displayName": "Shop" }));
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return refused(400, "The request body could not be parsed as JSON.");
        };
        let key = header("x-line-retry-key");
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let are_messages = (1..=5).contains(&messages.len()) && messages.iter().all(is_message);
        match path {
            "/v2/bot/chat/loading/start" => Answered::json(202, &json!({})),
            "/v2/bot/message/reply" | "/v2/bot/message/push" if !are_messages => {
                refused(400, "The request body has 1 error(s)")
            }
            "/v2/bot/message/reply" if key.is_some() => refused(400, "Retry key is not allowed"),
            "/v2/bot/message/reply" => self.reply(&body, &messages),
            "/v2/bot/message/push" => self.push(&body, &messages, key),
            _ => refused(404, "Not found"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        let id = format!("53{:016}", self.count);
        let message = json!({ "id": id, "type": "text", "text": text });
        self.told(customer, json!({ "type": "message", "message": message }))
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let buttons = Self::buttons(self.sent.get(customer)?.last()?);
        let mut actions = buttons.iter().map(|button| &button["action"]);
        let pressed = actions.find(|action| action["label"] == label)?;
        let postback = json!({ "data": pressed["data"] });
        Some(self.told(
            customer,
            json!({ "type": "postback", "postback": postback }),
        ))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let requests = self.sent.get(customer).into_iter().flatten();
        let shown = requests.flat_map(|messages| {
            let label = |button: Value| {
                let label = button["action"]["label"].as_str();
                label.unwrap_or_default().to_owned()
            };
            let buttons: Vec<String> = Self::buttons(messages).into_iter().map(label).collect();
            let last = messages.len().saturating_sub(1);
            let texts = messages.iter().enumerate();
            texts.map(move |(place, message)| Shown {
                text: message["text"].as_str().unwrap_or_default().to_owned(),
                buttons: if place == last {
                    buttons.clone()
                } else {
                    Vec::new()
                },
            })
        });
        shown.collect()
    }
}
