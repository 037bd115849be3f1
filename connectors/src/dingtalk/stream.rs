//! [Stream mode](https://open.dingtalk.com/document/direction/stream-mode-protocol-access-description): what was
//! written, over a WebSocket. What is not acknowledged is told again.

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::event::Reader;
use super::{DingTalk, answered_to_secret};
use crate::channel::{Answer, Call, Gateway, Heard, SendError, Session, Then};

/// Where messages to the robot are told.
const MESSAGES: &str = "/v1.0/im/bot/messages/get";

impl Gateway for DingTalk {
    fn request(&self) -> Option<Call> {
        let body = json!({
            "clientId": self.settings.client_id,
            "clientSecret": self.settings.client_secret,
            "subscriptions": [{ "type": "CALLBACK", "topic": MESSAGES }],
            "ua": "frontdesk",
            "localIp": "127.0.0.1",
        });
        Some(self.call("gateway/connections/open", &body))
    }

    fn address(&self, answer: Option<&Answer<'_>>) -> Result<Url, SendError> {
        let unreadable = |status| SendError::Later {
            status,
            after: None,
        };
        let answer = answer.ok_or(unreadable(0))?;
        let told = answered_to_secret(answer)?;
        let url = told.endpoint.and_then(|url| Url::parse(&url).ok());
        let url = url.filter(|url| matches!(url.scheme(), "wss" | "ws"));
        let (Some(mut url), Some(ticket)) = (url, told.ticket) else {
            return Err(unreadable(answer.status));
        };
        url.query_pairs_mut().append_pair("ticket", &ticket);
        Ok(url)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Socket {
            reader: self.reader(),
        })
    }
}

/// A session. Each socket has a ticket of its own, and nothing to be resumed.
struct Socket {
    reader: Reader,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    headers: Headers,
    /// JSON.
    data: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Headers {
    topic: String,
    message_id: Option<String>,
}

impl Frame {
    /// That it was taken, with `data` in return.
    fn taken(&self, data: &str) -> Option<String> {
        let message = self.headers.message_id.as_deref()?;
        let taken = json!({
            "code": 200,
            "headers": { "messageId": message, "contentType": "application/json" },
            "message": "OK",
            "data": data,
        });
        Some(taken.to_string())
    }
}

impl Session for Socket {
    fn opened(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn heard(&mut self, text: &str) -> Heard {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            return Heard::default();
        };
        let data = frame.data.as_deref().unwrap_or_default();
        // What cannot be read is acknowledged, too: it would come again, and be no better.
        let nothing = json!({ "response": Value::Object(serde_json::Map::new()) }).to_string();
        let mut heard = Heard::default();
        let reply = match (frame.kind.as_str(), frame.headers.topic.as_str()) {
            ("SYSTEM", "ping") => frame.taken(data),
            ("SYSTEM", "disconnect") => {
                heard.then = Then::Reconnect;
                None
            }
            ("CALLBACK", MESSAGES) => {
                let told = serde_json::from_str(data).ok();
                heard
                    .events
                    .extend(told.and_then(|told| self.reader.event(told)));
                frame.taken(&nothing)
            }
            _ => frame.taken(&nothing),
        };
        heard.replies.extend(reply);
        heard
    }
}
