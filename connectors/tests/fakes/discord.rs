//! Discord, as far as a bot sees it.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer, SigningKey};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::{Answered, Fake, Shown, Told, now};

/// The bot's token.
pub const TOKEN: &str = "a.bot.token";
/// The bot's own id.
pub const OWN: &str = "700000000000000001";

/// The API and the gateway with one bot. A customer's name is the number of their channel of direct messages.
#[derive(Default)]
pub struct Discord {
    /// Whether presses are told to the hook.
    by_hook: bool,
    /// What it has accepted, by channel.
    sent: BTreeMap<String, Vec<Value>>,
    /// Presses that were not acknowledged yet.
    unseen: Vec<String>,
    /// Whether the bot has identified on the socket.
    is_ready: bool,
    /// Messages, presses and events so far.
    count: u64,
}

/// The key that presses are signed with.
fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The application's public key.
pub fn public_key() -> String {
    hex(key().verifying_key().as_bytes())
}

fn refused(status: u16, code: u64, reason: &str) -> Answered {
    Answered::json(status, &json!({ "code": code, "message": reason }))
}

/// Why a message's body is refused; `None` where it is not.
fn fault(body: &Value) -> Option<&'static str> {
    let content = body["content"].as_str().unwrap_or_default();
    let rows = body["components"].as_array().cloned().unwrap_or_default();
    let buttons = |row: &Value| row["components"].as_array().cloned().unwrap_or_default();
    let all: Vec<Value> = rows.iter().flat_map(buttons).collect();
    let is_odd = |button: &Value| {
        let length = |field: &str| button[field].as_str().unwrap_or_default().chars().count();
        let is_known = button["type"] == 2 && button["style"] == 2;
        !is_known
            || !(1..=80).contains(&length("label"))
            || !(1..=100).contains(&length("custom_id"))
    };
    let mut ids: Vec<String> = all
        .iter()
        .map(|button| button["custom_id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    let nonce = body["nonce"]
        .as_str()
        .map_or(0, |nonce| nonce.chars().count());
    match () {
        () if content.is_empty() => Some("Cannot send an empty message"),
        () if content.chars().count() > 2000 => Some("content: 2000 or fewer in length"),
        () if nonce > 25 => Some("nonce: 25 or fewer in length"),
        () if rows.len() > 5 => Some("components: 5 or fewer in length"),
        () if rows
            .iter()
            .any(|row| row["type"] != 1 || !(1..=5).contains(&buttons(row).len())) =>
        {
            Some("components: between 1 and 5 in length")
        }
        () if all.iter().any(is_odd) => Some("components: invalid form body"),
        () if ids.len() != all.len() => Some("component custom id cannot be duplicated"),
        () => None,
    }
}

impl Discord {
    /// One that tells presses to the hook.
    pub fn by_hook() -> Self {
        Self {
            by_hook: true,
            ..Self::default()
        }
    }

    /// Whether all presses were acknowledged.
    pub fn has_all_seen(&self) -> bool {
        self.unseen.is_empty()
    }

    fn id(&mut self) -> String {
        self.count += 1;
        (1_459_810_570_000_000_000 + self.count).to_string()
    }

    fn frame(&mut self, kind: &str, data: &Value) -> String {
        self.count += 1;
        json!({ "op": 0, "t": kind, "s": self.count, "d": data }).to_string()
    }

    fn posted(&mut self, channel: &str, body: &Value) -> Answered {
        if let Some(reason) = fault(body) {
            return refused(400, 50035, reason);
        }
        let sent = self.sent.entry(channel.to_owned()).or_default();
        let is_known =
            |before: &&Value| body["enforce_nonce"] == true && before["nonce"] == body["nonce"];
        if let Some(known) = sent.iter().find(is_known) {
            return Answered::json(200, known);
        }
        let mut message = body.clone();
        message["id"] = self.id().into();
        message["channel_id"] = channel.into();
        self.sent
            .entry(channel.to_owned())
            .or_default()
            .push(message.clone());
        Answered::json(200, &message)
    }
}

impl Fake for Discord {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answered {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if !header("user-agent").is_some_and(|agent| agent.starts_with("DiscordBot (http")) {
            return Answered {
                status: 403,
                ..Answered::default()
            };
        }
        let body: Option<Value> = serde_json::from_slice(body).ok();
        let path: Vec<&str> = path.trim_start_matches("/api/v10/").split('/').collect();
        if let ["interactions", id, _, "callback"] = path.as_slice() {
            let is_told = body.is_some_and(|body| body["type"] == 6);
            let before = self.unseen.len();
            self.unseen.retain(|unseen| unseen != id || !is_told);
            return match self.unseen.len() < before {
                true => Answered {
                    status: 204,
                    ..Answered::default()
                },
                false => refused(404, 10062, "Unknown interaction"),
            };
        }
        if header("authorization") != Some(&format!("Bot {TOKEN}")) {
            return refused(401, 0, "401: Unauthorized");
        }
        match (method.as_str(), path.as_slice(), body) {
            ("GET", ["users", "@me"], _) => Answered::json(200, &json!({ "id": OWN, "bot": true })),
            ("GET", ["gateway", "bot"], _) => {
                let limit = json!({ "total": 1000, "remaining": 999, "reset_after": 1000 });
                let told =
                    json!({ "url": "wss://gateway.discord.gg", "session_start_limit": limit });
                Answered::json(200, &told)
            }
            ("POST", ["channels", _, "typing"], _) => Answered {
                status: 204,
                ..Answered::default()
            },
            ("POST", ["channels", channel, "messages"], Some(body)) => self.posted(channel, &body),
            ("POST", ["channels", _, "messages"], None) => refused(400, 50109, "invalid JSON"),
            _ => refused(404, 0, "404: Not Found"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        let message = json!({
            "id": self.id(), "channel_id": customer, "type": 0, "content": text,
            "author": { "id": format!("8{customer}"), "username": "ana", "global_name": "Ana" },
            "timestamp": "2026-01-01T00:00:00.000000+00:00", "edited_timestamp": null,
            "mentions": [], "attachments": [],
        });
        Told::Frame(self.frame("MESSAGE_CREATE", &message))
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        let message = self.sent.get(customer)?.last()?.clone();
        let rows = message["components"].as_array()?.clone();
        let buttons = rows
            .iter()
            .filter_map(|row| row["components"].as_array())
            .flatten();
        let pressed = buttons
            .into_iter()
            .find(|button| button["label"] == label)?;
        let id = self.id();
        let interaction = json!({
            "id": id, "application_id": OWN, "type": 3, "token": format!("token-{id}"), "version": 1,
            "channel_id": customer, "context": 1, "locale": "en-US",
            "user": { "id": format!("8{customer}"), "username": "ana" },
            "data": { "component_type": 2, "custom_id": pressed["custom_id"] },
            "message": { "id": message["id"] },
        });
        if !self.by_hook {
            self.unseen.push(id);
            return Some(Told::Frame(self.frame("INTERACTION_CREATE", &interaction)));
        }
        let body = interaction.to_string().into_bytes();
        let at = now().to_string();
        let signature = key().sign(&[at.as_bytes(), &body].concat());
        Some(Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![
                ("x-signature-timestamp", at),
                ("x-signature-ed25519", hex(&signature.to_bytes())),
            ],
            body,
        })
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let shown = sent.map(|message| {
            let rows = message["components"].as_array().into_iter().flatten();
            let buttons = rows
                .filter_map(|row| row["components"].as_array())
                .flatten();
            let label = |button: &Value| button["label"].as_str().unwrap_or_default().to_owned();
            Shown {
                text: message["content"]
                    .as_str()
                    .unwrap_or_default()
                    .replace('\\', ""),
                buttons: buttons.map(label).collect(),
            }
        });
        shown.collect()
    }

    fn opened(&mut self) -> Vec<String> {
        self.is_ready = false;
        vec![json!({ "op": 10, "d": { "heartbeat_interval": 41250 } }).to_string()]
    }

    fn heard(&mut self, text: &str) -> Vec<String> {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let is_bot = frame["d"]["token"] == TOKEN;
        match frame["op"].as_u64() {
            Some(2)
                if is_bot
                    && frame["d"]["intents"]
                        .as_u64()
                        .is_some_and(|asked| asked & 4096 > 0) =>
            {
                self.is_ready = true;
                let ready = json!({
                    "v": 10, "user": { "id": OWN, "bot": true }, "session_id": "session-1",
                    "resume_gateway_url": "wss://gateway.discord.gg", "guilds": [],
                });
                vec![self.frame("READY", &ready)]
            }
            Some(6) if is_bot => vec![self.frame("RESUMED", &json!({}))],
            Some(1) => vec![json!({ "op": 11 }).to_string()],
            _ => vec![json!({ "op": 9, "d": false }).to_string()],
        }
    }
}
