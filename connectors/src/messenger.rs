//! Facebook [Messenger](https://developers.facebook.com/docs/messenger-platform) and the direct messages of
//! [Instagram](https://developers.facebook.com/docs/instagram-platform), which differ in little.
//!
//! Customers are named by an id that holds for the page or account only. Text has no marks. What the page sends is
//! told, too: what comes from another app than ours was written by a person of the company.

mod event;

use std::time::Duration;

use serde_json::{Value, json};

use crate::channel::{
    Answer, Buttons, Call, Connector, Fetched, Files, Hook, HookError, Incoming, Limits, Outgoing,
    Rate, Received, Repeats, SendError, Sending, Sent,
};
use crate::meta::{App, Failure, PAUSE, label, listed, offered, sent, told};
use crate::render::{PLAIN, pieces_with_choices};
use crate::text::{Length, Unit};
use event::Notification;

/// What marks our messages where they are told to us.
const MARK: &str = "frontdesk";
/// After the window a person may still answer for so long, in seconds.
const HUMAN_AGENT: i64 = 7 * 24 * 3600;

/// A page or an account.
pub struct Messenger {
    settings: Settings,
}

/// How a page or an account is reached.
pub struct Settings {
    /// Which platform.
    pub service: Service,
    /// The app.
    pub app: App,
    /// Id of the app: what it sends is not taken for a person's.
    pub app_id: String,
    /// Id of the page, or of the professional account at Instagram. What comes to others of the app is ignored.
    pub account: String,
    /// Payload of the button that opens a conversation ("Get Started").
    pub start: String,
    /// Whether Meta lets the app send people's answers up to seven days after a customer wrote ("Human Agent").
    pub human_agent: bool,
    /// Hosts that files may be fetched from, with the hosts below them: `fbcdn.net`, `fbsbx.com` and
    /// `cdninstagram.com`. Files come from there over TLS, or from one that is written with its scheme and port,
    /// such as `http://127.0.0.1:8080`.
    pub media_hosts: Vec<String>,
}

/// A platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Facebook Messenger.
    Messenger,
    /// Instagram.
    Instagram,
}

impl Service {
    /// What a hook says its events are of.
    fn object(self) -> &'static str {
        match self {
            Self::Messenger => "page",
            Self::Instagram => "instagram",
        }
    }

    fn text(self) -> Length {
        match self {
            Self::Messenger => Length {
                most: 2000,
                unit: Unit::Chars,
            },
            Self::Instagram => Length {
                most: 1000,
                unit: Unit::Bytes,
            },
        }
    }
}

/// Of a quick reply.
const LABEL: Length = Length {
    most: 20,
    unit: Unit::Chars,
};

/// Why something may be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The customer has just written.
    Response,
    /// A person answers late.
    HumanAgent,
}

impl Messenger {
    /// The page or account of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn call(&self, body: &Value) -> Call {
        let path = format!("{}/messages", self.settings.account);
        self.settings.app.post(&path, body)
    }

    fn message(&self, message: &Outgoing<'_>, reason: Reason) -> Vec<Call> {
        let limits = self.limits();
        let (pressed, told) = offered(message, limits.buttons);
        let with_told = Outgoing {
            quick_replies: told,
            ..message.clone()
        };
        let pieces = pieces_with_choices(&with_told, limits.text, PLAIN);
        let last = pieces.len().saturating_sub(1);
        let pieces = pieces.into_iter().enumerate();
        pieces
            .map(|(place, piece)| {
                let mut body = self.addressed(message.thread, reason);
                body["message"]["text"] = piece.plain.into();
                if self.settings.service == Service::Messenger {
                    body["message"]["metadata"] = MARK.into();
                }
                if place == last && !pressed.is_empty() {
                    let replies = pressed.iter().map(|choice| {
                        json!({
                            "content_type": "text",
                            "title": label(choice.label, LABEL),
                            "payload": choice.id,
                        })
                    });
                    body["message"]["quick_replies"] = replies.collect();
                }
                self.call(&body)
            })
            .collect()
    }

    fn addressed(&self, thread: &str, reason: Reason) -> Value {
        let mut body = json!({ "recipient": { "id": thread } });
        match (reason, self.settings.service) {
            (Reason::HumanAgent, _) => {
                body["messaging_type"] = "MESSAGE_TAG".into();
                body["tag"] = "HUMAN_AGENT".into();
            }
            (Reason::Response, Service::Messenger) => body["messaging_type"] = "RESPONSE".into(),
            (Reason::Response, Service::Instagram) => {}
        }
        body
    }

    /// A person's answer after the window; a bot has none to send then.
    fn late(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let since = message
            .heard_at
            .map(|heard| message.at.saturating_sub(heard));
        let is_allowed = since.is_some_and(|since| since <= HUMAN_AGENT);
        if self.settings.human_agent && message.author == "agent" && is_allowed {
            self.message(message, Reason::HumanAgent)
        } else {
            Vec::new()
        }
    }

    fn events(&self, notification: Notification) -> Vec<Incoming> {
        if notification.object != self.settings.service.object() {
            return Vec::new();
        }
        let events = notification.events(&self.settings.account);
        events
            .flat_map(|event| event.read(&self.settings))
            .collect()
    }
}

/// What an error means, by its code: the status says little.
fn refusal(failure: Failure) -> SendError {
    let Some(code) = failure.code else {
        return failure.unknown();
    };
    match (code, failure.subcode) {
        // The token, its rights, or a page that is restricted.
        (190, _) | (0 | 3 | 10 | 200..=299, 0) | (10, 1_893_063) => SendError::Unauthorized,
        (551, _) => failure.unreachable(),
        (4 | 32 | 613, _) => failure.later(Some(PAUSE)),
        (1 | 2 | 1200, _) => failure.later(None),
        // The window is over (2018278), or there is nobody of that id (100, 2018001).
        (10 | 100, _) => failure.refused(),
        _ => failure.unknown(),
    }
}

impl Connector for Messenger {
    fn limits(&self) -> Limits {
        Limits {
            text: self.settings.service.text(),
            buttons: Some(Buttons {
                most: 13,
                label: LABEL,
                id_bytes: 1000,
            }),
            typing: Some(Duration::from_secs(20)),
            edits: false,
            window: Some(Duration::from_hours(24)),
            // Not documented, but that many to one thread are slowed down.
            thread_rate: Rate {
                most: 10,
                per: Duration::from_secs(10),
            },
            account_rate: Rate {
                most: 300,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(5),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        if let Some(reply) = self.settings.app.admit(hook)? {
            return Ok(Received {
                reply: Some(reply),
                ..Received::default()
            });
        }
        let read = serde_json::from_slice(hook.body);
        let notification: Notification = read.map_err(|_| HookError::Malformed)?;
        Ok(self.events(notification).into())
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message, Reason::Response),
            Sending::Reminder(message) => self.late(message),
            Sending::Typing { thread, .. } => vec![self.call(&json!({
                "recipient": { "id": thread },
                "sender_action": "typing_on",
            }))],
            Sending::Edit { .. } | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = told(answer).map_err(refusal)?;
        Ok(sent(&told, "/message_id"))
    }

    fn probe(&self) -> Option<Call> {
        Some(self.settings.app.get("me"))
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for Messenger {
    /// The platform's addresses of files hold what they need: the token is not sent to them.
    fn request(&self, place: &str) -> Option<Call> {
        Some(Call::get(listed(place, &self.settings.media_hosts)?))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        match answer.status {
            200..=299 => Ok(Fetched::File),
            _ => Err(refusal(Failure::of(answer))),
        }
    }
}

#[cfg(test)]
mod tests;
