//! Slack, by the [Events API](https://docs.slack.dev/apis/events-api/) and the
//! [Web API](https://docs.slack.dev/apis/web-api/).
//!
//! Events, presses and slash commands come to one hook, which tells them apart by their media type, or over the
//! sockets of Socket Mode. A thread in a channel is a conversation of its own; so is what somebody says in a
//! channel by slash commands, which only they read. The Web API reports most errors with status 200.

mod event;
mod socket;
mod text;

use std::time::Duration;

use http::{HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Buttons, Call, Choice, Connector, Fetched, Files, Gateway, Hook, HookError, Limits,
    Outgoing, Rate, Received, Repeats, SendError, Sending, Sent,
};
use crate::render::{Marks, escape_html, pieces_with_choices};
use crate::signature::{hex, hmac_sha256, same};
use crate::text::{Length, Unit};
use event::{Place, Reader};

const TIMESTAMP: &str = "x-slack-request-timestamp";
const SIGNATURE: &str = "x-slack-signature";
/// How far the clocks of the two may be apart, in seconds.
const TOLERANCE: u64 = 300;
const FORM: &str = "application/x-www-form-urlencoded";
/// What the `action_id` of a quick reply's button begins with.
const QUICK_REPLY: &str = "qr_";

/// What an app is installed with in a workspace.
pub struct Settings {
    /// `https://slack.com/api`.
    pub base: Url,
    /// `https://files.slack.com`: for a file the token is sent nowhere else.
    pub files: Url,
    /// `https://hooks.slack.com`: slash commands are answered nowhere else.
    pub responses: Url,
    /// Token of the bot user, `xoxb-`.
    pub token: String,
    /// The app's signing secret; empty where all comes over sockets.
    pub secret: String,
    /// App-level token, `xapp-`, with the scope `connections:write`: what happened comes over sockets.
    pub app_token: Option<String>,
    /// What an app with an assistant's threads shows there while it answers, in the customers' words.
    pub status: Option<String>,
    /// Whether those are answered who mention the bot in channels and in conversations of several people.
    pub in_groups: bool,
}

/// A bot user of a workspace.
pub struct Slack {
    settings: Settings,
}

impl Slack {
    /// The bot user of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn reader(&self) -> Reader {
        Reader {
            in_groups: self.settings.in_groups,
        }
    }

    fn method(&self, name: &str) -> Url {
        let mut url = self.settings.base.clone();
        let root = self.settings.base.path().trim_end_matches('/');
        url.set_path(&format!("{root}/{name}"));
        url
    }

    fn call(&self, method: &str, body: &Value) -> Call {
        Call::json(Method::POST, self.method(method), body).bearer(&self.settings.token)
    }

    /// A call of the methods that read forms only.
    fn form(&self, method: &str, token: &str) -> Call {
        let mut call = Call {
            method: Method::POST,
            ..Call::get(self.method(method))
        };
        let form = HeaderValue::from_static(FORM);
        call.headers.insert(header::CONTENT_TYPE, form);
        call.bearer(token)
    }

    /// Whether the raw body is Slack's.
    fn verify(&self, hook: &Hook<'_>) -> Result<(), HookError> {
        let timestamp = hook.header(TIMESTAMP).ok_or(HookError::BadSignature)?;
        let signature = hook.header(SIGNATURE).ok_or(HookError::BadSignature)?;
        let secret = self.settings.secret.as_bytes();
        let at: i64 = timestamp.parse().map_err(|_| HookError::BadSignature)?;
        let parts = [b"v0:", timestamp.as_bytes(), b":", hook.body];
        let expected = format!("v0={}", hex(&hmac_sha256(secret, &parts)));
        if secret.is_empty() || !same(expected.as_bytes(), signature.as_bytes()) {
            return Err(HookError::BadSignature);
        }
        if hook.at.abs_diff(at) > TOLERANCE {
            return Err(HookError::WrongTime);
        }
        Ok(())
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let (buttons, others) = choices(message);
        let bodies = bodies(&others, &buttons).into_iter().enumerate();
        bodies
            .map(|(part, body)| match Place::parse(message.thread) {
                Place::Seen { channel, ts } => self.posted(&body, message.key, part, (channel, ts)),
                Place::Whispered { channel, user } => {
                    self.whispered(&body, message.context, channel, user)
                }
            })
            .collect()
    }

    fn posted(&self, body: &Value, key: &str, part: usize, to: (&str, Option<&str>)) -> Call {
        let mut body = body.clone();
        body["channel"] = to.0.into();
        if let Some(ts) = to.1 {
            body["thread_ts"] = ts.into();
        }
        body["unfurl_links"] = false.into();
        body["unfurl_media"] = false.into();
        // Posting twice posts twice: by this a message can be found again.
        let id = format!("{key}-{part}");
        body["metadata"] = json!({ "event_type": "frontdesk", "event_payload": { "id": id } });
        self.call("chat.postMessage", &body)
    }

    /// To one person in a channel: at the address that the platform gave for it, else where the bot is a member.
    fn whispered(&self, body: &Value, to: Option<&str>, channel: &str, user: &str) -> Call {
        let mut body = body.clone();
        let response = to.and_then(|to| Url::parse(to).ok());
        let responses = self.settings.responses.origin();
        if let Some(url) = response.filter(|url| url.origin() == responses) {
            body["response_type"] = "ephemeral".into();
            body["replace_original"] = false.into();
            return Call::json(Method::POST, url, &body);
        }
        body["channel"] = channel.into();
        body["user"] = user.into();
        self.call("chat.postEphemeral", &body)
    }

    /// The first piece of `outgoing` in place of `message`: a message cannot become several.
    fn edit(&self, message: &str, outgoing: &Outgoing<'_>) -> Option<Call> {
        let (channel, ts) = message.split_once('/')?;
        let (buttons, others) = choices(outgoing);
        let mut body = bodies(&others, &buttons).into_iter().next()?;
        body["channel"] = channel.into();
        body["ts"] = ts.into();
        if body.get("blocks").is_none() {
            body["blocks"] = json!([]); // Left out, the old ones stay.
        }
        Some(self.call("chat.update", &body))
    }
}

/// Of the text that Slack reads, only `& < >` are marks that can be escaped; all are counted.
const MRKDWN: Marks = Marks {
    escape: escape_html,
    link: |title, url| {
        let address = escape_html(url).replace('|', "%7C");
        format!("<{address}|{}>", escape_html(title))
    },
    are_counted: true,
};

/// What the advice for a text is; it may be ten times as long before it is cut.
const TEXT: usize = 4000;
/// Of a block of text, which stands above buttons.
const SECTION: usize = 3000;
const BUTTONS: Buttons = Buttons {
    most: 25,
    label: Length {
        most: 75,
        unit: Unit::Utf16,
    },
    id_bytes: 2000,
};

/// The answers to choose from that buttons hold, and `message` with the others.
fn choices<'a>(message: &Outgoing<'a>) -> (Vec<Choice<'a>>, Outgoing<'a>) {
    let choices = message.quick_replies.iter().copied();
    let (mut buttons, mut others): (Vec<_>, Vec<_>) = choices
        .partition(|choice| choice.id.len() <= BUTTONS.id_bytes && !choice.label.trim().is_empty());
    if buttons.len() > BUTTONS.most {
        others.extend(buttons.split_off(BUTTONS.most));
    }
    let message = Outgoing {
        quick_replies: others,
        ..message.clone()
    };
    (buttons, message)
}

/// The pieces of `message`, the last of them above the buttons.
fn bodies(message: &Outgoing<'_>, buttons: &[Choice<'_>]) -> Vec<Value> {
    let limit = Length {
        most: if buttons.is_empty() { TEXT } else { SECTION },
        unit: Unit::Utf16,
    };
    let pieces = pieces_with_choices(message, limit, MRKDWN);
    let bodies = pieces
        .into_iter()
        .map(|piece| json!({ "text": piece.marked }));
    let mut bodies: Vec<Value> = bodies.collect();
    let with_buttons = bodies.last_mut().filter(|_| !buttons.is_empty());
    if let Some(last) = with_buttons {
        let elements = buttons.iter().enumerate().map(|(place, choice)| {
            json!({
                "type": "button",
                "action_id": format!("{QUICK_REPLY}{place}"),
                "text": { "type": "plain_text", "text": BUTTONS.label.shorten(choice.label) },
                "value": choice.id,
            })
        });
        last["blocks"] = json!([
            { "type": "section", "text": { "type": "mrkdwn", "text": last["text"] } },
            { "type": "actions", "elements": elements.collect::<Vec<_>>() },
        ]);
    }
    bodies
}

/// What the Web API answers, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    ok: bool,
    error: String,
    channel: Value,
    ts: String,
    url: String,
    file: event::File,
    response_metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    messages: Vec<String>,
}

/// What Slack answered.
fn told(answer: &Answer<'_>) -> Result<Told, SendError> {
    let status = answer.status;
    let later = SendError::Later {
        status,
        after: answer.retry_after(),
    };
    if matches!(status, 408 | 429 | 500..=599) {
        return Err(later);
    }
    let is_success = (200..300).contains(&status);
    if is_success && answer.body.trim_ascii() == b"ok" {
        return Ok(Told::default()); // So a response URL answers.
    }
    let Ok(told) = serde_json::from_slice::<Told>(answer.body) else {
        let reason = answer.excerpt();
        return Err(match status {
            200..=299 => later, // Something on the way answered.
            401 => SendError::Unauthorized,
            status => SendError::Refused { status, reason },
        });
    };
    if told.ok && is_success {
        return Ok(told);
    }
    let details = told.response_metadata.messages.iter();
    let words: Vec<&str> = std::iter::once(&told.error)
        .chain(details)
        .map(String::as_str)
        .collect();
    let reason = words.join(" ");
    Err(match told.error.as_str() {
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            SendError::Unauthorized
        }
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "ratelimited"
        | "rate_limited" => later,
        "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "user_not_in_channel"
        | "used_url"
        | "expired_url" => SendError::Unreachable { reason },
        _ => SendError::Refused { status, reason },
    })
}

impl Connector for Slack {
    fn limits(&self) -> Limits {
        Limits {
            text: Length {
                most: TEXT,
                unit: Unit::Utf16,
            },
            buttons: Some(BUTTONS),
            typing: self
                .settings
                .status
                .as_ref()
                .map(|_| Duration::from_secs(120)),
            edits: true,
            window: None,
            thread_rate: Rate {
                most: 1,
                per: Duration::from_secs(1),
            },
            // "Several hundred messages per minute" of a workspace.
            account_rate: Rate {
                most: 5,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(3),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        self.verify(hook)?;
        let kind = hook.header("content-type").unwrap_or_default();
        if hook.body.is_empty() {
            return Ok(Received::default()); // Slack checks the certificate now and then.
        }
        if kind.starts_with(FORM) {
            return Ok(self.reader().form(hook.body)?.into());
        }
        self.reader().json(hook.body)
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => {
                self.edit(message, outgoing).into_iter().collect()
            }
            Sending::Typing { thread, .. } => {
                let Some(status) = &self.settings.status else {
                    return Vec::new();
                };
                // An assistant's threads are those of the private conversation with the app.
                let Place::Seen { channel, ts } = Place::parse(thread) else {
                    return Vec::new();
                };
                let Some(ts) = ts.filter(|_| event::is_direct(channel)) else {
                    return Vec::new();
                };
                let body = json!({ "channel_id": channel, "thread_ts": ts, "status": status });
                vec![self.call("assistant.threads.setStatus", &body)]
            }
            Sending::Reminder(_) | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = told(answer)?;
        let channel = told.channel.as_str().filter(|_| !told.ts.is_empty());
        Ok(Sent {
            message: channel.map(|channel| format!("{channel}/{}", told.ts)),
        })
    }

    fn probe(&self) -> Option<Call> {
        Some(self.form("auth.test", &self.settings.token))
    }

    fn gateway(&self) -> Option<&dyn Gateway> {
        let token = self.settings.app_token.as_deref().unwrap_or_default();
        (!token.is_empty()).then_some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl Files for Slack {
    fn request(&self, place: &str) -> Option<Call> {
        let token = &self.settings.token;
        if let Ok(url) = Url::parse(place) {
            let is_theirs = url.origin() == self.settings.files.origin();
            return is_theirs.then(|| Call::get(url).bearer(token));
        }
        // A file of another workspace is told by its id alone.
        let is_id = !place.is_empty() && place.chars().all(|c| c.is_ascii_alphanumeric());
        let mut url = self.method("files.info");
        url.query_pairs_mut().append_pair("file", place);
        is_id.then(|| Call::get(url).bearer(token))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        let kind = answer.headers.get(header::CONTENT_TYPE);
        let is = |media: &[u8]| kind.is_some_and(|kind| kind.as_bytes().starts_with(media));
        let is_file = answer.headers.contains_key(header::CONTENT_DISPOSITION);
        let (status, is_success) = (answer.status, (200..300).contains(&answer.status));
        if is_success && (is_file || !is(b"application/json") && !is(b"text/html")) {
            return Ok(Fetched::File);
        }
        if is_success && is(b"text/html") || (300..400).contains(&status) {
            // The page to sign in: the token lacks the scope `files:read`.
            let reason = "files:read".to_owned();
            return Err(SendError::Refused { status, reason });
        }
        let place = told(answer)?.file.url_private_download.unwrap_or_default();
        let found = Url::parse(&place)
            .ok()
            .and_then(|_| Files::request(self, &place));
        match found {
            Some(call) => Ok(Fetched::At(Box::new(call))),
            None => Err(SendError::Refused {
                status,
                reason: "file_not_found".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
