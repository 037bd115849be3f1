//! Feishu, as far as an app sees it.

use aes::Aes256;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockEncryptMut, KeyIvInit};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answered, Fake, Shown, Told, now};

/// The app's id.
pub const APP_ID: &str = "cli_1";
/// The app's secret.
pub const APP_SECRET: &str = "the-secret-of-the-app";
/// The key of its events.
pub const ENCRYPT_KEY: &str = "the-key-of-the-events";
/// The token of its events.
pub const VERIFICATION_TOKEN: &str = "the-token-of-the-events";
/// The token that is lent to it.
const LENT: &str = "t-lent";

/// A cloud with one app. A customer's name is their `open_id`.
#[derive(Default)]
pub struct Feishu {
    sent: Vec<Message>,
    count: i64,
    /// Whether the lent token is no longer good.
    pub has_expired: bool,
}

struct Message {
    id: String,
    chat: String,
    kind: String,
    content: Value,
    key: String,
}

/// The chat of a customer.
fn chat(customer: &str) -> String {
    format!("oc_{customer}")
}

fn refused(status: u16, code: i64, msg: &str) -> Answered {
    Answered::json(status, &json!({ "code": code, "msg": msg }))
}

impl Feishu {
    fn told(&mut self, kind: &str, event: &Value) -> Told {
        self.count += 1;
        let body = json!({
            "schema": "2.0",
            "header": {
                "event_id": format!("e-{}", self.count),
                "event_type": kind,
                "create_time": (now() * 1000).to_string(),
                "token": VERIFICATION_TOKEN,
                "app_id": APP_ID,
                "tenant_key": "t1",
            },
            "event": event,
        });
        let key = Sha256::digest(ENCRYPT_KEY);
        let vector = [9; 16];
        let cipher = cbc::Encryptor::<Aes256>::new(&key, &vector.into());
        let hidden = cipher.encrypt_padded_vec_mut::<Pkcs7>(body.to_string().as_bytes());
        let hidden = BASE64_STANDARD.encode([&vector[..], &hidden].concat());
        let body = json!({ "encrypt": hidden }).to_string();
        let signed = format!("{}nonce{ENCRYPT_KEY}{body}", now());
        let signature = Sha256::digest(signed);
        let signature = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![
                ("x-lark-request-timestamp", now().to_string()),
                ("x-lark-request-nonce", "nonce".to_owned()),
                ("x-lark-signature", signature),
            ],
            body: body.into_bytes(),
        }
    }

    /// The content of a message; a refusal where it cannot be shown.
    fn content(kind: &str, body: &Value) -> Result<Value, Answered> {
        let written = body["content"].as_str().unwrap_or_default();
        let Ok(content) = serde_json::from_str::<Value>(written) else {
            return Err(refused(400, 230_001, "content is not in JSON format"));
        };
        let is_shown = match kind {
            "text" => content["text"]
                .as_str()
                .is_some_and(|text| !text.trim().is_empty()),
            "interactive" => is_card(&content),
            _ => false,
        };
        let most = if kind == "text" { 150_000 } else { 30_000 };
        if body.to_string().len() > most {
            return Err(refused(
                400,
                230_025,
                "The length of the message content reaches its limit",
            ));
        }
        if !is_shown {
            return Err(refused(400, 230_001, "invalid message content"));
        }
        Ok(content)
    }

    fn create(&mut self, chat: String, body: &Value) -> Answered {
        let kind = body["msg_type"].as_str().unwrap_or_default();
        let content = match Self::content(kind, body) {
            Ok(content) => content,
            Err(refused) => return refused,
        };
        let key = body["uuid"].as_str().unwrap_or_default();
        if key.len() > 50 {
            return refused(400, 230_001, "uuid is too long");
        }
        let known = self
            .sent
            .iter()
            .find(|sent| !key.is_empty() && sent.key == key);
        let id = match known {
            Some(known) => known.id.clone(),
            None => {
                self.count += 1;
                let id = format!("om_{}", self.count);
                self.sent.push(Message {
                    id: id.clone(),
                    chat,
                    kind: kind.to_owned(),
                    content,
                    key: key.to_owned(),
                });
                id
            }
        };
        let data = json!({ "message_id": id, "msg_type": kind });
        Answered::json(200, &json!({ "code": 0, "msg": "success", "data": data }))
    }

    /// New words for the message of that id.
    fn change(&mut self, method: &Method, id: &str, body: &Value) -> Answered {
        let Some(sent) = self.sent.iter_mut().find(|sent| sent.id == id) else {
            return refused(400, 230_001, "no such message");
        };
        let is_card = *method == Method::PATCH;
        if is_card != (sent.kind == "interactive") {
            return refused(400, 230_001, "a message of another kind");
        }
        match Self::content(&sent.kind, body) {
            Ok(content) => sent.content = content,
            Err(refused) => return refused,
        }
        Answered::json(200, &json!({ "code": 0, "data": {} }))
    }
}

/// Whether it is a card that can be shown.
fn is_card(card: &Value) -> bool {
    let is_shown = |element: &Value| match element["tag"].as_str() {
        Some("markdown") => element["content"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        Some("button") => {
            let label = element["text"]["content"].as_str().unwrap_or_default();
            let has_value = element["behaviors"][0]["value"].is_object();
            element["text"]["tag"] == "plain_text" && !label.is_empty() && has_value
        }
        _ => false,
    };
    let elements = card["body"]["elements"].as_array();
    card["schema"] == "2.0"
        && elements.is_some_and(|elements| !elements.is_empty() && elements.iter().all(is_shown))
}

/// Markdown as it is read, but for its links.
fn shown(markdown: &str) -> String {
    let mut parts = markdown.split("&#");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap();
        text.push(char::from_u32(number.parse().unwrap()).unwrap());
        text.push_str(rest);
    }
    text
}

impl Fake for Feishu {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Some(path) = path.strip_prefix("/open-apis/") else {
            return Answered::default();
        };
        if path == "auth/v3/tenant_access_token/internal" {
            if body["app_id"] != APP_ID || body["app_secret"] != APP_SECRET {
                return refused(200, 10_014, "app secret invalid");
            }
            self.has_expired = false;
            let lent = json!({ "code": 0, "tenant_access_token": LENT, "expire": 7200 });
            return Answered::json(200, &lent);
        }
        let token = headers.get("authorization").map(|token| token.as_bytes());
        if self.has_expired || token != Some(format!("Bearer {LENT}").as_bytes()) {
            return refused(400, 99_991_663, "Invalid access token for authorization");
        }
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["bot", "v3", "info"] => {
                Answered::json(200, &json!({ "code": 0, "bot": { "open_id": "ou_bot" } }))
            }
            ["im", "v1", "messages"] => {
                let to = body["receive_id"].as_str().unwrap_or_default().to_owned();
                match query {
                    "receive_id_type=chat_id" if to.starts_with("oc_") => self.create(to, &body),
                    "receive_id_type=open_id" if to.starts_with("ou_") => {
                        self.create(chat(&to), &body)
                    }
                    _ => refused(400, 230_001, "invalid receive_id"),
                }
            }
            ["im", "v1", "messages", id] if matches!(*method, Method::PUT | Method::PATCH) => {
                self.change(method, id, &body)
            }
            _ => refused(404, 404, "not found"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        let id = format!("om_in_{}", self.count);
        let event = json!({
            "sender": { "sender_id": { "open_id": customer }, "sender_type": "user" },
            "message": {
                "message_id": id,
                "create_time": (now() * 1000).to_string(),
                "chat_id": chat(customer),
                "chat_type": "p2p",
                "message_type": "text",
                "content": json!({ "text": text }).to_string(),
            },
        });
        self.told("im.message.receive_v1", &event)
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let mut sent = self.sent.iter();
        let last = sent.rfind(|sent| sent.chat == chat(customer))?;
        let elements = last.content["body"]["elements"].as_array()?;
        let mut elements = elements.iter();
        let pressed = elements.find(|element| element["text"]["content"] == label)?;
        let event = json!({
            "operator": { "open_id": customer },
            "token": "c-1",
            "action": { "tag": "button", "value": pressed["behaviors"][0]["value"] },
            "context": { "open_message_id": last.id, "open_chat_id": last.chat },
        });
        Some(self.told("card.action.trigger", &event))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.iter().filter(|sent| sent.chat == chat(customer));
        let seen = sent.map(|sent| {
            if sent.kind == "text" {
                let text = sent.content["text"].as_str().unwrap_or_default().to_owned();
                return Shown {
                    text,
                    buttons: Vec::new(),
                };
            }
            let elements = sent.content["body"]["elements"].as_array().unwrap();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let words = elements
                .iter()
                .filter(|element| element["tag"] == "markdown");
            let buttons = elements.iter().filter(|element| element["tag"] == "button");
            Shown {
                text: words.map(|words| shown(&text(&words["content"]))).collect(),
                buttons: buttons
                    .map(|button| text(&button["text"]["content"]))
                    .collect(),
            }
        });
        seen.collect()
    }
}
