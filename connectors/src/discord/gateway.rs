//! Discord's [gateway](https://docs.discord.com/developers/events/gateway).

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::event::{Deletion, Interaction, Message, Reader, Typing};
use super::{Discord, Settings};
use crate::channel::{Answer, Call, Connector, Gateway, Heard, Incoming, SendError, Session, Then};

/// Operations.
const DISPATCH: u64 = 0;
const HEARTBEAT: u64 = 1;
const IDENTIFY: u64 = 2;
const RESUME: u64 = 6;
const RECONNECT: u64 = 7;
const INVALID_SESSION: u64 = 9;
const HELLO: u64 = 10;
const ACKNOWLEDGED: u64 = 11;

/// What the bot wants to hear. The content of messages is told without asking in direct messages and where the
/// bot is mentioned, and more of it is not read.
const GUILD_MESSAGES: u64 = 1 << 9;
const DIRECT_MESSAGES: u64 = 1 << 12;
const DIRECT_MESSAGE_TYPING: u64 = 1 << 14;

/// How often in a row the gateway may hang up on who has identified. Its reasons (a wrong token, an intent that
/// is not allowed) are codes of the closed socket, and identifying on and on resets the token.
const MOST_HANG_UPS: u32 = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    url: String,
    session_start_limit: StartLimit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StartLimit {
    remaining: Option<u64>,
    /// Milliseconds.
    reset_after: u64,
}

impl Gateway for Discord {
    fn request(&self) -> Option<Call> {
        let path = ["gateway", "bot"];
        Some(self.settings.call(Method::GET, &path, None))
    }

    fn address(&self, answer: Option<&Answer<'_>>) -> Result<Url, SendError> {
        let later = |status, after| SendError::Later { status, after };
        let answer = answer.ok_or(later(0, None))?;
        self.accepted(answer)?;
        let place: Place = serde_json::from_slice(answer.body).unwrap_or_default();
        if place.session_start_limit.remaining == Some(0) {
            let wait = Duration::from_millis(place.session_start_limit.reset_after);
            return Err(later(answer.status, Some(wait)));
        }
        socket(&self.settings, &place.url).ok_or(later(answer.status, None))
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Live {
            settings: Arc::clone(&self.settings),
            own: String::new(),
            sequence: None,
            resume: None,
            interval: None,
            is_acknowledged: true,
            hang_ups: 0,
        })
    }
}

/// The address of a socket; `None` where it is none, or less secret than the API is.
fn socket(settings: &Settings, url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    let is_secret = url.scheme() == "wss";
    if !is_secret && (url.scheme() != "ws" || settings.base.scheme() != "http") {
        return None;
    }
    url.set_query(Some("v=10&encoding=json"));
    Some(url)
}

/// A session.
struct Live {
    settings: Arc<Settings>,
    /// The bot's own id, once it is told.
    own: String,
    /// Number of the last event.
    sequence: Option<u64>,
    /// The session's id, and where it is resumed.
    resume: Option<(String, Url)>,
    interval: Option<Duration>,
    is_acknowledged: bool,
    /// Identifications in a row that were answered by nothing.
    hang_ups: u32,
}

#[derive(Debug, Deserialize)]
struct Frame {
    op: u64,
    #[serde(default)]
    d: Value,
    s: Option<u64>,
    t: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Ready {
    session_id: String,
    resume_gateway_url: String,
    user: Me,
}

#[derive(Debug, Deserialize)]
struct Me {
    id: String,
}

impl Live {
    fn heartbeat(&self) -> String {
        json!({ "op": HEARTBEAT, "d": self.sequence }).to_string()
    }

    /// The gateway has said hello: the session is resumed, or begun.
    fn greet(&mut self, hello: &Value) -> Heard {
        let interval = hello["heartbeat_interval"].as_u64();
        self.interval = interval
            .filter(|millis| *millis > 0)
            .map(Duration::from_millis);
        let token = &self.settings.token;
        if let Some((session, _)) = &self.resume {
            let resume = json!({ "token": token, "session_id": session, "seq": self.sequence });
            return said(json!({ "op": RESUME, "d": resume }).to_string());
        }
        if self.hang_ups >= MOST_HANG_UPS {
            let reason = "the gateway hangs up on the bot: check its token and its intents";
            return then(Then::Refused(reason.to_owned()));
        }
        self.hang_ups += 1;
        let of_groups = match self.settings.in_groups {
            true => GUILD_MESSAGES,
            false => 0,
        };
        let name = env!("CARGO_PKG_NAME");
        let identity = json!({
            "token": token,
            "intents": DIRECT_MESSAGES | DIRECT_MESSAGE_TYPING | of_groups,
            "properties": { "os": std::env::consts::OS, "browser": name, "device": name },
        });
        said(json!({ "op": IDENTIFY, "d": identity }).to_string())
    }

    fn dispatch(&mut self, kind: &str, data: Value) -> Heard {
        match kind {
            "READY" => {
                self.hang_ups = 0;
                if let Ok(ready) = serde_json::from_value::<Ready>(data) {
                    self.own = ready.user.id;
                    let url = socket(&self.settings, &ready.resume_gateway_url);
                    self.resume = url.map(|url| (ready.session_id, url));
                }
                Heard::default()
            }
            "INTERACTION_CREATE" => {
                let Ok(interaction) = serde_json::from_value::<Interaction>(data) else {
                    return Heard::default();
                };
                let seen = interaction
                    .is_press()
                    .then(|| self.settings.seen(&interaction));
                Heard {
                    events: interaction
                        .event(self.settings.in_groups)
                        .into_iter()
                        .collect(),
                    calls: seen.into_iter().collect(),
                    ..Heard::default()
                }
            }
            kind => Heard {
                events: self.event(kind, data).into_iter().collect(),
                ..Heard::default()
            },
        }
    }

    /// What people did; `None` for what is not known here.
    fn event(&self, kind: &str, data: Value) -> Option<Incoming> {
        let reader = Reader {
            in_groups: self.settings.in_groups,
            own: &self.own,
        };
        match kind {
            "MESSAGE_CREATE" | "MESSAGE_UPDATE" => {
                let message: Message = serde_json::from_value(data).ok()?;
                message.event(reader, kind == "MESSAGE_CREATE")
            }
            "MESSAGE_DELETE" => {
                let deletion: Deletion = serde_json::from_value(data).ok()?;
                deletion.event(reader)
            }
            "TYPING_START" => {
                let typing: Typing = serde_json::from_value(data).ok()?;
                typing.event(reader)
            }
            _ => None,
        }
    }
}

fn said(reply: String) -> Heard {
    Heard {
        replies: vec![reply],
        ..Heard::default()
    }
}

fn then(then: Then) -> Heard {
    Heard {
        then,
        ..Heard::default()
    }
}

impl Session for Live {
    fn resume_at(&self) -> Option<Url> {
        self.resume.as_ref().map(|(_, url)| url.clone())
    }

    fn opened(&mut self) -> Vec<String> {
        self.interval = None;
        self.is_acknowledged = true;
        Vec::new() // The gateway speaks first.
    }

    fn heard(&mut self, text: &str) -> Heard {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            return Heard::default();
        };
        match frame.op {
            DISPATCH => {
                self.sequence = frame.s.or(self.sequence);
                self.dispatch(frame.t.as_deref().unwrap_or_default(), frame.d)
            }
            HEARTBEAT => said(self.heartbeat()),
            RECONNECT => then(Then::Reconnect),
            INVALID_SESSION => {
                self.hang_ups = 0;
                if frame.d != Value::Bool(true) {
                    self.resume = None;
                    self.sequence = None;
                }
                then(Then::Reconnect)
            }
            HELLO => self.greet(&frame.d),
            ACKNOWLEDGED => {
                self.is_acknowledged = true;
                Heard::default()
            }
            _ => Heard::default(),
        }
    }

    fn interval(&self) -> Option<Duration> {
        self.interval
    }

    fn beat(&mut self) -> Option<String> {
        std::mem::take(&mut self.is_acknowledged).then(|| self.heartbeat())
    }
}
