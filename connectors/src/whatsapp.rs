//! WhatsApp, by the [Cloud API](https://developers.facebook.com/docs/whatsapp/cloud-api).
//!
//! Customers are named by the id that WhatsApp gives them for the business: they may hide their number. Text has
//! marks, and no way to escape them. Up to three answers to choose from are buttons, up to ten a list.

mod change;

use std::time::Duration;

use serde_json::{Value, json};

use crate::channel::{
    Answer, Buttons, Call, Choice, Connector, Fetched, Files, Hook, HookError, Incoming, Limits,
    Outgoing, Rate, Received, Repeats, SendError, Sending, Sent,
};
use crate::meta::{App, Failure, PAUSE, label, listed, offered, sent, told};
use crate::render::{PLAIN, pieces_with_choices};
use crate::text::{Length, Unit};
use change::{Change, Notification};

/// What marks a conversation's name as a group's.
const GROUP: &str = "group:";

const TEXT: Length = chars(4096);
/// Of the text above buttons.
const BODY: Length = chars(1024);
const BUTTON: Length = chars(20);
const ROW: Length = chars(24);
const DESCRIPTION: Length = chars(72);
/// More answers to choose from become a list.
const MOST_BUTTONS: usize = 3;

const fn chars(most: usize) -> Length {
    Length {
        most,
        unit: Unit::Chars,
    }
}

/// A number of the business.
pub struct WhatsApp {
    settings: Settings,
}

/// How a number is reached.
pub struct Settings {
    /// The app. Its base is `https://graph.facebook.com`.
    pub app: App,
    /// Id of the number (`phone_number_id`), not the number. What comes to other numbers of the app is ignored.
    pub phone_number: String,
    /// Hosts that files may be fetched from, with the hosts below them: `lookaside.fbsbx.com`. Files come from
    /// there over TLS, or from one that is written with its scheme and port, such as `http://127.0.0.1:8080`.
    pub media_hosts: Vec<String>,
    /// Label of the button that opens a list of answers, not empty and up to 20 characters.
    pub list_button: String,
    /// Who has not written for 24 hours is sent this template; nothing without one.
    pub template: Option<Template>,
    /// Whether messages in groups that name the number (`@15550001111`) are answered.
    pub in_groups: bool,
}

/// A message that WhatsApp has approved, without parameters.
pub struct Template {
    /// Name.
    pub name: String,
    /// Language and region as WhatsApp writes them, such as `en_US`.
    pub language: String,
}

impl WhatsApp {
    /// The number of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn call(&self, body: &Value) -> Call {
        let path = format!("{}/messages", self.settings.phone_number);
        self.settings.app.post(&path, body)
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        // Groups have no buttons.
        let is_group = message.thread.starts_with(GROUP);
        let buttons = self.limits().buttons.filter(|_| !is_group);
        let (pressed, told) = offered(message, buttons);
        let with_told = Outgoing {
            quick_replies: told,
            ..message.clone()
        };
        let pieces = pieces_with_choices(&with_told, TEXT, PLAIN).into_iter();
        let mut texts: Vec<String> = pieces.map(|piece| piece.plain).collect();
        let mut above_buttons = None;
        if !pressed.is_empty()
            && let Some(last) = texts.pop()
        {
            let (before, end) = cut_end(&last);
            texts.extend(before);
            above_buttons = Some(end);
        }
        let texts = texts.into_iter().map(|text| {
            let mut body = addressed(message.thread);
            body["type"] = "text".into();
            body["text"] = json!({ "body": text, "preview_url": false });
            body
        });
        let last = above_buttons.map(|text| {
            let mut body = addressed(message.thread);
            body["type"] = "interactive".into();
            body["interactive"] = self.interactive(&text, &pressed);
            body
        });
        texts.chain(last).map(|body| self.call(&body)).collect()
    }

    /// `text` above `choices`: as buttons where there are few whose labels can be told apart, else as a list.
    fn interactive(&self, text: &str, choices: &[Choice<'_>]) -> Value {
        let labels = choices.iter().map(|choice| label(choice.label, BUTTON));
        let labels: Vec<String> = labels.collect();
        let mut distinct = labels.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if choices.len() <= MOST_BUTTONS && distinct.len() == choices.len() {
            let buttons = choices.iter().zip(&labels).map(|(choice, label)| {
                json!({ "type": "reply", "reply": { "id": choice.id, "title": label } })
            });
            return json!({
                "type": "button",
                "body": { "text": text },
                "action": { "buttons": buttons.collect::<Vec<_>>() },
            });
        }
        let rows = choices.iter().map(|choice| {
            let title = label(choice.label, ROW);
            let whole = label(choice.label, DESCRIPTION);
            let mut row = json!({ "id": choice.id, "title": title });
            if title != whole {
                row["description"] = whole.into();
            }
            row
        });
        json!({
            "type": "list",
            "body": { "text": text },
            "action": {
                "button": label(&self.settings.list_button, BUTTON),
                "sections": [{ "rows": rows.collect::<Vec<_>>() }],
            },
        })
    }

    fn reminder(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let template = self.settings.template.iter();
        let calls = template.map(|template| {
            let mut body = addressed(message.thread);
            body["type"] = "template".into();
            body["template"] = json!({
                "name": template.name,
                "language": { "code": template.language },
            });
            self.call(&body)
        });
        calls.collect()
    }

    fn events(&self, change: Change) -> Vec<Incoming> {
        if change.value.metadata.phone_number_id == self.settings.phone_number {
            change.events(self.settings.in_groups)
        } else {
            Vec::new()
        }
    }
}

/// `text` as what is sent before the message with the buttons, and what stands above them.
fn cut_end(text: &str) -> (Vec<String>, String) {
    let mut pieces = BODY.split(text);
    let end = pieces.pop().unwrap_or_default();
    let before = text.trim_end().strip_suffix(end.as_str());
    match before.map(str::trim_end) {
        Some("") => (Vec::new(), end),
        Some(before) => (vec![before.to_owned()], end),
        None => (pieces, end),
    }
}

/// The fields that name whom a message is for: a group, a number, or the business's id of somebody, which has the
/// code of a country and a dot before it.
fn addressed(thread: &str) -> Value {
    let (kind, field, name) = match thread.strip_prefix(GROUP) {
        Some(group) => ("group", "to", group),
        None if thread.contains('.') => ("individual", "recipient", thread),
        None => ("individual", "to", thread),
    };
    let mut body = json!({ "messaging_product": "whatsapp", "recipient_type": kind });
    body[field] = name.into();
    body
}

/// What an error means, by its code: the status says little.
fn refusal(failure: Failure) -> SendError {
    /// Between two messages to one customer.
    const PAIR: Duration = Duration::from_secs(6);
    let Some(code) = failure.code else {
        return failure.unknown();
    };
    match code {
        // Of the token and its rights; then of the account, which is blocked, locked or not registered.
        0 | 3 | 10 | 190 | 200..=299 => SendError::Unauthorized,
        368 | 130497 | 131005 | 131031 | 131037 | 131045 | 133016 => SendError::Unauthorized,
        4 | 80007 | 131057 => failure.later(Some(PAUSE)),
        131056 => failure.later(Some(PAIR)),
        1 | 2 | 130429 | 131000 | 131016 | 131052 | 131053 | 135000 => failure.later(None),
        131026 => failure.unreachable(),
        // Of the request, or whom it is for.
        100 | 131008 | 131009 | 131021 | 131030 | 131051 | 131062 | 137000 => failure.refused(),
        // The window is over; too much of what nobody wants; nobody has paid.
        131047 | 130472 | 131042 | 131048..=131050 | 131063 | 131064 => failure.refused(),
        // Of the template.
        132000 | 132001 | 132005 | 132007 | 132008 | 132012 | 132015 | 132016 => failure.refused(),
        _ => failure.unknown(),
    }
}

impl Connector for WhatsApp {
    fn limits(&self) -> Limits {
        Limits {
            text: TEXT,
            buttons: Some(Buttons {
                most: 10,
                label: BUTTON,
                id_bytes: 200,
            }),
            typing: Some(Duration::from_secs(25)),
            edits: false,
            window: Some(Duration::from_hours(24)),
            // One in six seconds, and short bursts.
            thread_rate: Rate {
                most: 10,
                per: Duration::from_secs(60),
            },
            account_rate: Rate {
                most: 80,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(1),
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
        let changes = notification.changes();
        let events = changes.flat_map(|change| self.events(change));
        Ok(events.collect::<Vec<_>>().into())
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Reminder(message) => self.reminder(message),
            Sending::Typing {
                context: Some(message),
                ..
            } => vec![self.call(&json!({
                "messaging_product": "whatsapp",
                "status": "read",
                "message_id": message,
                "typing_indicator": { "type": "text" },
            }))],
            // Typing shows under a message, which is not known.
            Sending::Typing { context: None, .. } | Sending::Edit { .. } | Sending::Seen { .. } => {
                Vec::new()
            }
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = told(answer).map_err(refusal)?;
        Ok(sent(&told, "/messages/0/id"))
    }

    fn probe(&self) -> Option<Call> {
        Some(self.settings.app.get(&self.settings.phone_number))
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for WhatsApp {
    fn request(&self, place: &str) -> Option<Call> {
        let is_id = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
        let is_id = !place.is_empty() && place.bytes().all(is_id);
        is_id.then(|| self.settings.app.get(place))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        if !(200..300).contains(&answer.status) {
            return Err(refusal(Failure::of(answer)));
        }
        // A customer's file may be JSON, too.
        let told: Value = serde_json::from_slice(answer.body).unwrap_or_default();
        let is_of_platform = told["messaging_product"] == "whatsapp";
        let Some(place) = told["url"].as_str().filter(|_| is_of_platform) else {
            return Ok(Fetched::File);
        };
        let Some(url) = listed(place, &self.settings.media_hosts) else {
            return Err(SendError::Refused {
                status: answer.status,
                reason: "the file is at a host that is not listed".to_owned(),
            });
        };
        let call = Call::get(url).bearer(&self.settings.app.token);
        Ok(Fetched::At(Box::new(call)))
    }
}

#[cfg(test)]
mod tests;
