//! [Socket Mode](https://docs.slack.dev/apis/events-api/using-socket-mode): what happened, over a WebSocket.

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::event::Reader;
use super::{Slack, told};
use crate::channel::{Answer, Call, Gateway, Heard, SendError, Session, Then};

impl Gateway for Slack {
    fn request(&self) -> Option<Call> {
        let token = self.settings.app_token.as_deref()?;
        Some(self.form("apps.connections.open", token))
    }

    fn address(&self, answer: Option<&Answer<'_>>) -> Result<Url, SendError> {
        let unreadable = |status| SendError::Later {
            status,
            after: None,
        };
        let answer = answer.ok_or(unreadable(0))?;
        let url = Url::parse(&told(answer)?.url).ok();
        url.filter(|url| matches!(url.scheme(), "wss" | "ws"))
            .ok_or(unreadable(answer.status))
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Socket {
            reader: self.reader(),
        })
    }
}

/// A session. Each socket has an address of its own, and nothing to be resumed.
struct Socket {
    reader: Reader,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    envelope_id: Option<String>,
    payload: Value,
    reason: Option<String>,
}

impl Session for Socket {
    fn opened(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn heard(&mut self, text: &str) -> Heard {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            return Heard::default();
        };
        let reason = frame.reason.unwrap_or_default();
        let (events, then) = match frame.kind.as_str() {
            "events_api" => (self.reader.event(frame.payload), Then::Listen),
            "interactive" => (self.reader.interaction(frame.payload), Then::Listen),
            "slash_commands" => (self.reader.command(frame.payload), Then::Listen),
            "disconnect" if reason == "link_disabled" => (Ok(Vec::new()), Then::Refused(reason)),
            "disconnect" => (Ok(Vec::new()), Then::Reconnect),
            _ => (Ok(Vec::new()), Then::Listen),
        };
        let received = frame.envelope_id.iter();
        Heard {
            // What cannot be read is acknowledged, too: it would come again, and be no better.
            events: events.unwrap_or_default(),
            replies: received
                .map(|id| json!({ "envelope_id": id }).to_string())
                .collect(),
            then,
            ..Heard::default()
        }
    }
}
