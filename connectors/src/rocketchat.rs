//! Rocket.Chat, by its [REST API](https://developer.rocket.chat/apidocs) and its webhooks.
//!
//! Visitors of an omnichannel workspace come by the webhook of
//! [Omnichannel](https://docs.rocket.chat/docs/omnichannel-webhooks), which tells of every room: only those are the
//! bot's that it serves as an agent. What is written in channels comes by an outgoing webhook of the workspace.
//! Both prove themselves by a static secret.

mod hook;

use std::time::Duration;

use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::channel::{
    Answer, Call, Connector, Fetched, Files, Hook, HookError, Limits, Outgoing, Rate, Received,
    Repeats, SendError, Sending, Sent,
};
use crate::mattermost::{markdown_link, quiet};
use crate::render::{Marks, pieces_with_choices};
use crate::signature::{hash, hex, same};
use crate::text::{Length, Unit};
use hook::{Posted, Reader, Session};

const SECRET: &str = "x-rocketchat-livechat-token";

/// What a bot's user is entered with.
pub struct Settings {
    /// Where the workspace is, without `/api/v1`.
    pub base: Url,
    /// The bot's personal access token.
    pub token: String,
    /// Id of the bot's user.
    pub user: String,
    /// Secret token of the webhooks: that of Omnichannel, and of the outgoing webhook where there is one.
    pub secret: String,
    /// The bot's user name without `@`, where it answers in channels: to those who name it.
    pub in_groups: Option<String>,
}

/// A bot's user, with the roles `bot` and `livechat-agent`.
pub struct RocketChat {
    settings: Settings,
}

impl RocketChat {
    /// The bot of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            user: &self.settings.user,
            in_groups: self.settings.in_groups.as_deref(),
        }
    }

    fn is_secret(&self, secret: &str) -> bool {
        let ours = self.settings.secret.as_bytes();
        !ours.is_empty() && same(secret.as_bytes(), ours)
    }

    fn authorized(&self, mut call: Call) -> Call {
        let (token, user) = (&self.settings.token, &self.settings.user);
        for (name, value) in [("x-auth-token", token), ("x-user-id", user)] {
            // What no header can hold is left out, and refused by the platform.
            if let Ok(mut value) = HeaderValue::from_str(value) {
                value.set_sensitive(true);
                call.headers.insert(name, value);
            }
        }
        call
    }

    fn url(&self, method: &str) -> Url {
        let mut url = self.settings.base.clone();
        let root = self.settings.base.path().trim_end_matches('/');
        url.set_path(&format!("{root}/api/v1/{method}"));
        url
    }

    fn call(&self, method: &str, body: &Value) -> Call {
        self.authorized(Call::json(Method::POST, self.url(method), body))
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let pieces = pieces_with_choices(message, TEXT, MARKDOWN);
        let (room, thread) = addressed(message.thread);
        let pieces = pieces.into_iter().enumerate();
        pieces
            .map(|(part, piece)| {
                let mut body = json!({
                    "_id": id(message.key, part),
                    "rid": room,
                    "msg": piece.marked,
                });
                if let Some(thread) = thread {
                    body["tmid"] = thread.into();
                }
                self.call("chat.sendMessage", &json!({ "message": body }))
            })
            .collect()
    }

    /// The first piece of `outgoing` in place of `message`: a message cannot become several.
    fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Option<Call> {
        let pieces = pieces_with_choices(outgoing, TEXT, MARKDOWN);
        let piece = pieces.into_iter().next()?;
        let (room, _) = addressed(outgoing.thread);
        let body = json!({ "roomId": room, "msgId": message, "text": piece.marked });
        Some(self.call("chat.update", &body))
    }
}

/// As a workspace has it until somebody changes it.
const TEXT: Length = Length {
    most: 5000,
    unit: Unit::Chars,
};

/// Each of the clients, apps and widgets reads marks of its own: only links are marked.
const MARKDOWN: Marks = Marks {
    escape: quiet,
    link: markdown_link,
    are_counted: true,
};

/// The room of a thread, and the message that it hangs on.
fn addressed(thread: &str) -> (&str, Option<&str>) {
    thread
        .split_once('/')
        .map_or((thread, None), |(room, thread)| (room, Some(thread)))
}

/// The id of a message's part: the workspace takes each but once.
fn id(key: &str, part: usize) -> String {
    const DIGITS: usize = 24;
    let part = part.to_string();
    let hash = hash::<Sha256>(&[key.as_bytes(), b"\n", part.as_bytes()]);
    hex(&hash).chars().take(DIGITS).collect()
}

/// What the workspace answers, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    success: bool,
    error: Option<String>,
    /// A message; words where something failed.
    message: Value,
}

/// What the workspace answered.
fn told(answer: &Answer<'_>) -> Result<Told, SendError> {
    let status = answer.status;
    let told = serde_json::from_slice::<Told>(answer.body).ok();
    let reason = told.as_ref().and_then(|told| {
        let words = told.message.as_str();
        told.error.clone().or_else(|| words.map(str::to_owned))
    });
    let reason = reason.unwrap_or_else(|| answer.excerpt());
    let after = answer.retry_after().or_else(|| wait(&reason));
    let is_any = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if status == 429 || is_any(&["error-too-many-requests"]) {
        return Err(SendError::Later { status, after });
    }
    match told {
        Some(told) if told.success && (200..300).contains(&status) => Ok(told),
        // It was sent before.
        Some(_) if is_any(&["E11000", "duplicate key"]) => Ok(Told::default()),
        _ if status == 401 => Err(SendError::Unauthorized),
        // Without JSON something on the way answered.
        None if (200..300).contains(&status) => Err(SendError::Later { status, after }),
        _ if matches!(status, 408 | 500..=599) => Err(SendError::Later { status, after }),
        _ if is_any(&GONE) => Err(SendError::Unreachable { reason }),
        _ => Err(SendError::Refused { status, reason }),
    }
}

/// What is said of a room that is closed, or that the bot no longer serves.
const GONE: [&str; 5] = [
    "room-closed",
    "room-not-found",
    "invalid-room",
    "error-not-allowed",
    "not-authorized",
];

/// How long the workspace's words ask to wait: `... must wait 42 seconds ...`.
fn wait(words: &str) -> Option<Duration> {
    let (_, behind) = words.split_once("wait ")?;
    let number = behind.split_whitespace().next()?;
    number.parse().ok().map(Duration::from_secs)
}

impl Connector for RocketChat {
    fn limits(&self) -> Limits {
        // For a bot whose role may pass by the limits of the API; others are told how long to wait.
        let ten_a_second = Rate {
            most: 10,
            per: Duration::from_secs(1),
        };
        Limits {
            text: TEXT,
            buttons: None,
            typing: None,
            edits: true,
            window: None,
            thread_rate: ten_a_second,
            account_rate: ten_a_second,
            repeats: Repeats::Safe,
            answer_within: Duration::from_secs(5),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        if let Some(secret) = hook.header(SECRET) {
            if !self.is_secret(secret) {
                return Err(HookError::BadSignature);
            }
            let session: Session =
                serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
            return Ok(self.reader().session(session).into());
        }
        // An outgoing webhook has its secret within.
        let posted: Posted = serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        if !self.is_secret(&posted.token) {
            return Err(HookError::BadSignature);
        }
        let event = self.reader().posted(posted);
        Ok(event.into_iter().collect::<Vec<_>>().into())
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => {
                self.edit(message, outgoing).into_iter().collect()
            }
            Sending::Reminder(_) | Sending::Typing { .. } | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = told(answer)?;
        Ok(Sent {
            message: told.message["_id"].as_str().map(str::to_owned),
        })
    }

    fn probe(&self) -> Option<Call> {
        Some(self.authorized(Call::get(self.url("me"))))
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for RocketChat {
    fn request(&self, place: &str) -> Option<Call> {
        let url = self.settings.base.join(place).ok()?;
        let root = self.settings.base.path().trim_end_matches('/');
        let is_file = url.path().starts_with(&format!("{root}/file-upload/"));
        let is_theirs = is_file && url.origin() == self.settings.base.origin();
        is_theirs.then(|| self.authorized(Call::get(url)))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        let status = answer.status;
        match status {
            200..=299 => Ok(Fetched::File),
            401 | 403 => Err(SendError::Refused {
                status,
                reason: answer.excerpt(),
            }),
            _ => told(answer).map(|_| Fetched::File),
        }
    }
}

#[cfg(test)]
mod tests;
