//! Slack, as far as an app in one workspace sees it.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Answered, Fake, Shown, Told, now};

/// The bot user's token.
pub const TOKEN: &str = "xoxb-token";
/// The app-level token.
pub const APP_TOKEN: &str = "xapp-token";
/// The signing secret.
pub const SECRET: &str = "the-signing-secret";
const BOT: &str = "UBOT";

/// The Web API and the Events API with one app. A customer's name is the id of their private channel.
#[derive(Default)]
pub struct Slack {
    /// Whether it tells what happened over a socket.
    by_socket: bool,
    /// What it has accepted, by channel.
    sent: BTreeMap<String, Vec<Value>>,
    /// Messages and events so far.
    count: u64,
}

impl Slack {
    /// With Socket Mode switched on.
    pub fn by_socket() -> Self {
        Self {
            by_socket: true,
            ..Self::default()
        }
    }

    fn told(&self, frame: &str, payload: &Value) -> Told {
        if self.by_socket {
            let id = format!("envelope-{}", self.count);
            let frame = json!({ "type": frame, "envelope_id": id, "payload": payload });
            return Told::Frame(frame.to_string());
        }
        let (kind, body) = match frame {
            "events_api" => ("application/json", payload.to_string()),
            _ => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("payload", &payload.to_string());
                ("application/x-www-form-urlencoded", form.finish())
            }
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("v0:{}:{body}", now()).as_bytes());
        let signature = mac.finalize().into_bytes();
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        Told::Hook {
            method: Method::POST,
            query: String::new(),
            headers: vec![
                ("content-type", kind.to_owned()),
                ("x-slack-request-timestamp", now().to_string()),
                ("x-slack-signature", format!("v0={signature}")),
            ],
            body: body.into_bytes(),
        }
    }

    fn ts(&self) -> String {
        format!("{}.{:06}", now(), self.count)
    }

    /// Why a message is refused.
    fn refusal(body: &Value) -> Option<&'static str> {
        let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        if !body["channel"]
            .as_str()
            .is_some_and(|channel| channel.starts_with('D'))
        {
            return Some("channel_not_found");
        }
        if length(&body["text"]) == 0 {
            return Some("no_text");
        }
        if length(&body["text"]) > 4000 {
            return Some("msg_too_long");
        }
        let fits = |block: &Value| match block["type"].as_str() {
            Some("section") => (1..=3000).contains(&length(&block["text"]["text"])),
            Some("actions") => {
                let buttons = block["elements"].as_array().unwrap();
                let fits = |button: &Value| {
                    button["type"] == "button"
                        && (1..=75).contains(&length(&button["text"]["text"]))
                        && length(&button["value"]) <= 2000
                        && (1..=255).contains(&length(&button["action_id"]))
                };
                (1..=25).contains(&buttons.len()) && buttons.iter().all(fits)
            }
            _ => false,
        };
        let blocks = body["blocks"].as_array();
        let all_fit = blocks.is_none_or(|blocks| blocks.len() <= 50 && blocks.iter().all(fits));
        (!all_fit).then_some("invalid_blocks")
    }

    fn buttons(message: &Value) -> Vec<Value> {
        let blocks = message["blocks"].as_array().into_iter().flatten();
        let elements = blocks.filter_map(|block| block["elements"].as_array());
        elements.flatten().cloned().collect()
    }
}

impl Fake for Slack {
    fn answer(&mut self, _: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Answered {
        let refused = |reason: &str| Answered::json(200, &json!({ "ok": false, "error": reason }));
        let method = path.strip_prefix("/api/").unwrap_or_default();
        let token = if method == "apps.connections.open" {
            APP_TOKEN
        } else {
            TOKEN
        };
        let auth = headers.get("authorization");
        if auth.is_none_or(|auth| auth.as_bytes() != format!("Bearer {token}").as_bytes()) {
            return refused("invalid_auth");
        }
        let kind = headers
            .get("content-type")
            .map(|kind| kind.to_str().unwrap());
        let is_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
        let body = match serde_json::from_slice::<Value>(body) {
            Ok(body) => body,
            Err(_) if is_json => return refused("invalid_json"),
            Err(_) => Value::Null,
        };
        match method {
            "auth.test" => Answered::json(200, &json!({ "ok": true, "user_id": BOT })),
            "apps.connections.open" => {
                let url = "wss://wss.slack.example/link";
                Answered::json(200, &json!({ "ok": true, "url": url }))
            }
            "chat.postMessage" => {
                if let Some(reason) = Self::refusal(&body) {
                    return refused(reason);
                }
                self.count += 1;
                let channel = body["channel"].as_str().unwrap().to_owned();
                let (mut sent, ts) = (body, self.ts());
                sent["ts"] = ts.clone().into();
                self.sent.entry(channel.clone()).or_default().push(sent);
                Answered::json(200, &json!({ "ok": true, "channel": channel, "ts": ts }))
            }
            "assistant.threads.setStatus" => Answered::json(200, &json!({ "ok": true })),
            _ => refused("unknown_method"),
        }
    }

    fn says(&mut self, customer: &str, text: &str) -> Told {
        self.count += 1;
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let ts = self.ts();
        let event = json!({
            "type": "message", "channel": customer, "channel_type": "im", "user": "U1",
            "team": "T1", "text": text.replace('>', "&gt;"), "ts": ts, "event_ts": ts,
        });
        let envelope = json!({
            "type": "event_callback", "team_id": "T1", "api_app_id": "A1",
            "event_id": format!("Ev{}", self.count), "event_time": now(),
            "authorizations": [{ "team_id": "T1", "user_id": BOT, "is_bot": true }],
            "event": event,
        });
        self.told("events_api", &envelope)
    }

    fn presses(&mut self, customer: &str, label: &str) -> Option<Told> {
        self.count += 1;
        let message = self.sent.get(customer)?.last()?;
        let mut buttons = Self::buttons(message).into_iter();
        let mut pressed = buttons.find(|button| button["text"]["text"] == label)?;
        pressed["action_ts"] = self.ts().into();
        let container = json!({
            "type": "message", "message_ts": message["ts"], "channel_id": customer,
            "is_ephemeral": false,
        });
        let payload = json!({
            "type": "block_actions", "user": { "id": "U1", "team_id": "T1" },
            "team": { "id": "T1" }, "container": container, "channel": { "id": customer },
            "trigger_id": format!("trigger-{}", self.count), "actions": [pressed],
        });
        Some(self.told("interactive", &payload))
    }

    fn seen(&self, customer: &str) -> Vec<Shown> {
        let sent = self.sent.get(customer).into_iter().flatten();
        let shown = sent.map(|message| {
            let label = |button: &Value| button["text"]["text"].as_str().unwrap().to_owned();
            // Where there are blocks, these are shown.
            let section = message["blocks"][0]["text"]["text"].as_str();
            let text = section.or(message["text"].as_str()).unwrap_or_default();
            Shown {
                text: text.to_owned(),
                buttons: Self::buttons(message).iter().map(label).collect(),
            }
        });
        shown.collect()
    }
}
