//! Matrix, by its [specification](https://spec.matrix.org/v1.17/): as an application service, to which the
//! homeserver tells what happens, or as a bot's account that asks for it.
//!
//! A room is private by how the bot came into it, for no event tells who else reads it. Without groups the bot
//! follows invitations into direct rooms only, and leaves as soon as a room has more than one other member, at
//! first or later: so all that it hears there is private. With groups it follows every invitation, answers where
//! it is mentioned, and nothing is private.
//!
//! Nothing can be pressed. Encrypted messages cannot be read.

mod event;
mod hook;
mod sync;

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Call, Connector, Fetched, Files, Hook, HookError, Limits, Outgoing, Polling, Rate,
    Received, Repeats, SendError, Sending, Sent,
};
use crate::render::{Marks, Piece, escape_html, pieces_with_choices};
use crate::signature::{hash, hex};
use crate::text::{Length, Unit};

/// How long an indicator of typing lasts.
const TYPING: Duration = Duration::from_secs(20);

/// What a bot is run with.
pub struct Settings {
    /// The homeserver, such as `https://matrix.example.org`.
    pub homeserver: Url,
    /// The application service's `as_token`, or the access token of the bot's account.
    pub token: String,
    /// The application service's `hs_token`; empty where there is an account only, and the hook is refused
    /// everything.
    pub hook_token: String,
    /// The bot's id, such as `@frontdesk:example.org`. Whoever lets it into a room by other ways than an invitation
    /// is to know that it takes the room for what it was invited to.
    pub user: String,
    /// The servers whose users may invite the bot; where there are none, those of all servers may.
    pub servers: Vec<String>,
    /// Whether the bot goes into other rooms than direct ones. It then is to be mentioned in all of them.
    pub in_groups: bool,
    /// What is said in a direct room whose messages are encrypted, in the customers' words.
    pub cannot_read: Option<String>,
}

/// A bot.
pub struct Matrix {
    settings: Settings,
}

impl Matrix {
    /// The bot of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let pieces = pieces_with_choices(message, self.limits().text, HTML);
        let pieces = pieces.iter().enumerate();
        pieces
            .map(|(part, piece)| {
                let mut content = content(message, piece);
                if let Some(relation) = self.relation(message, part) {
                    content["m.relates_to"] = relation;
                }
                let key = format!("{}-{part}", message.key);
                self.settings
                    .post(Place::of(message.thread).room, &key, &content)
            })
            .collect()
    }

    /// The first piece of `outgoing` in place of `message`: a message cannot become several.
    fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Option<Call> {
        let pieces = pieces_with_choices(outgoing, self.limits().text, HTML);
        let new = content(outgoing, pieces.first()?);
        // For who cannot replace messages.
        let fallback = format!("* {}", new["body"].as_str().unwrap_or_default());
        let content = json!({
            "msgtype": new["msgtype"],
            "body": fallback,
            "m.mentions": {},
            "m.new_content": new,
            "m.relates_to": { "rel_type": "m.replace", "event_id": message },
        });
        // The same message may be changed several times.
        let version = hash::<sha2::Sha256>(&[message.as_bytes(), content.to_string().as_bytes()]);
        let version: String = hex(&version).chars().take(16).collect();
        let key = format!("{}-{version}", outgoing.key);
        Some(
            self.settings
                .post(Place::of(outgoing.thread).room, &key, &content),
        )
    }

    /// What a message answers: all parts stand in their thread, and where several talk the first shows whom it
    /// answers.
    fn relation(&self, message: &Outgoing<'_>, part: usize) -> Option<Value> {
        if let Some(root) = Place::of(message.thread).root {
            return Some(json!({
                "rel_type": "m.thread",
                "event_id": root,
                "is_falling_back": true,
                "m.in_reply_to": { "event_id": message.context.unwrap_or(root) },
            }));
        }
        let answered = message
            .context
            .filter(|_| self.settings.in_groups && part == 0)?;
        Some(json!({ "m.in_reply_to": { "event_id": answered } }))
    }
}

/// A room, and the message that a thread in it began with.
#[derive(Clone, Copy)]
struct Place<'a> {
    room: &'a str,
    root: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(thread: &'a str) -> Self {
        // An event's id begins with `$`.
        let place = thread.find("/$").map(|at| thread.split_at(at));
        match place {
            Some((room, root)) => Self {
                room,
                root: root.strip_prefix('/'),
            },
            None => Self {
                room: thread,
                root: None,
            },
        }
    }
}

/// HTML of what clients show of it.
const HTML: Marks = Marks {
    escape,
    link: |title, url| {
        let address = escape(url);
        format!("<a href=\"{address}\">{}</a>", escape(title))
    },
    are_counted: true,
};

fn escape(text: &str) -> String {
    escape_html(text)
        .replace('"', "&quot;")
        .replace('\n', "<br>")
}

/// A message's content. What a bot writes is a notice: no other bot answers it.
fn content(message: &Outgoing<'_>, piece: &Piece) -> Value {
    let kind = match message.author {
        "agent" => "m.text",
        _ => "m.notice",
    };
    let mut content = json!({ "msgtype": kind, "body": piece.plain, "m.mentions": {} });
    if piece.marked != piece.plain {
        content["format"] = "org.matrix.custom.html".into();
        content["formatted_body"] = piece.marked.replace('\n', "<br>").into();
    }
    content
}

impl Settings {
    /// A request to the homeserver.
    fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Call {
        let mut url = self.homeserver.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["_matrix", "client"])
                .extend(path);
        }
        let call = match body {
            Some(body) => Call::json(method, url, body),
            None => Call {
                method,
                ..Call::get(url)
            },
        };
        call.bearer(&self.token)
    }

    /// Whether the homeserver tells what happens.
    fn is_service(&self) -> bool {
        !self.hook_token.is_empty()
    }

    fn whoami(&self) -> Call {
        self.call(Method::GET, &["v3", "account", "whoami"], None)
    }

    /// Sends a message; with the same `key` once.
    fn post(&self, room: &str, key: &str, content: &Value) -> Call {
        let path = ["v3", "rooms", room, "send", "m.room.message", key];
        self.call(Method::PUT, &path, Some(content))
    }
}

/// What a homeserver answers, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    event_id: Option<String>,
    errcode: String,
    error: String,
    retry_after_ms: Option<u64>,
}

/// That a request was accepted, by its answer.
fn told(answer: &Answer<'_>) -> Result<Told, SendError> {
    let status = answer.status;
    let told = serde_json::from_slice::<Told>(answer.body);
    let is_read = told.is_ok();
    let told = told.unwrap_or_default();
    if (200..300).contains(&status) && is_read {
        return Ok(told);
    }
    let reason = match told.errcode.as_str() {
        "" => answer.excerpt(),
        code => format!("{code}: {}", told.error),
    };
    let asked = told.retry_after_ms.map(Duration::from_millis);
    Err(match (status, told.errcode.as_str()) {
        (401, _) | (_, "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" | "M_USER_DEACTIVATED") => {
            SendError::Unauthorized
        }
        // 2xx without what a homeserver says: something on the way answered.
        (200..=299 | 408 | 429 | 500..=599, _) | (_, "M_LIMIT_EXCEEDED") => SendError::Later {
            status,
            after: answer.retry_after().or(asked),
        },
        // The bot is not in the room, or may not speak there.
        (403, "M_FORBIDDEN") => SendError::Unreachable { reason },
        _ => SendError::Refused { status, reason },
    })
}

impl Connector for Matrix {
    fn limits(&self) -> Limits {
        Limits {
            // An event has 65,536 bytes, with the text twice and escaped.
            text: Length {
                most: 12_000,
                unit: Unit::Bytes,
            },
            buttons: None,
            typing: Some(TYPING),
            edits: true,
            window: None,
            thread_rate: Rate {
                most: 1,
                per: Duration::from_secs(1),
            },
            account_rate: Rate {
                most: 10,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Safe,
            answer_within: Duration::from_secs(30),
        }
    }

    /// A request of the homeserver to the application service, whose address ends behind the hook's as the
    /// specification says. What was written before the bot was in the room is had by polling with
    /// [`Received::bell`]. Questions for users and aliases are refused: there are none but the bot.
    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        self.settings.hooked(hook)
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => {
                self.edit(message, outgoing).into_iter().collect()
            }
            // There is no window, and nothing can be pressed.
            Sending::Reminder(_) | Sending::Seen { .. } => Vec::new(),
            Sending::Typing { thread, .. } => {
                let lasts = u64::try_from(TYPING.as_millis()).unwrap_or_default();
                let body = json!({ "typing": true, "timeout": lasts });
                let room = Place::of(thread).room;
                let path = ["v3", "rooms", room, "typing", &self.settings.user];
                vec![self.settings.call(Method::PUT, &path, Some(&body))]
            }
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let message = told(answer)?.event_id;
        Ok(Sent { message })
    }

    fn probe(&self) -> Option<Call> {
        Some(self.settings.whoami())
    }

    fn polling(&self) -> Option<&dyn Polling> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for Matrix {
    /// The homeserver fetches for its users what lies on other servers: the token goes nowhere else.
    fn request(&self, place: &str) -> Option<Call> {
        let (server, id) = place.strip_prefix("mxc://")?.split_once('/')?;
        let is_name = |text: &str, others: &str| {
            let is_letter =
                |letter: char| letter.is_ascii_alphanumeric() || others.contains(letter);
            text.chars().all(is_letter)
                && text.contains(|letter: char| letter.is_ascii_alphanumeric())
        };
        let is_place = is_name(server, ".-:[]") && is_name(id, "_-");
        let path = ["v1", "media", "download", server, id];
        is_place.then(|| self.settings.call(Method::GET, &path, None))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        match answer.status {
            200..=299 => Ok(Fetched::File),
            status => Err(told(answer).err().unwrap_or(SendError::Refused {
                status,
                reason: answer.excerpt(),
            })),
        }
    }
}

#[cfg(test)]
mod tests;
