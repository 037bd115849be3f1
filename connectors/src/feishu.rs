//! [Feishu](https://open.feishu.cn/document/) and [Lark](https://open.larksuite.com/document/): two clouds with one
//! API, of which an app has a bot.
//!
//! A hook is signed with a plain hash of the app's encrypt key and the raw body, and repeats the app's verification
//! token. Without an encrypt key nothing is signed, and nothing is taken. Answers are texts; where there is
//! something to choose from the last is a card, whose marks are Markdown.

mod event;
mod message;

use std::time::Duration;

use base64::Engine;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use sha1::Sha1;
use sha2::Sha256;
use url::Url;

use crate::channel::{
    Answer, Auth, Buttons, Call, Connector, Fetched, Files, Hook, HookError, Limits, Rate,
    Received, Repeats, Reply, SendError, Sending, Sent, Token, TokenSource,
};
use crate::cipher::Cipher;
use crate::signature::{BASE64, hash, hex, same};
use crate::text::{Length, Unit};
use event::Body;

const TIMESTAMP: &str = "x-lark-request-timestamp";
const NONCE: &str = "x-lark-request-nonce";
const SIGNATURE: &str = "x-lark-signature";
/// Seconds until requests are accepted again.
const RATE_RESET: &str = "x-ogw-ratelimit-reset";

/// How far the clocks of the two may be apart, in seconds.
const TOLERANCE: i64 = 300;
/// The kind of a message that is a card.
const CARD: &str = "interactive";
/// What stands behind the id of a message that is a card: it is changed by another request than a text.
const CARD_MARK: &str = "/card";

/// An app's account.
pub struct Settings {
    /// `https://open.feishu.cn` or `https://open.larksuite.com`.
    pub base: Url,
    /// The app's id, `cli_...`.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: String,
    /// Encrypt Key of the app's events and callbacks. Without it no request to the hook is genuine.
    pub encrypt_key: String,
    /// Verification Token of the app's events and callbacks.
    pub verification_token: String,
    /// The bot's `open_id`, where it answers in groups: to those who mention it.
    pub in_groups: Option<String>,
}

/// An app with a bot.
pub struct Feishu {
    settings: Settings,
}

/// What a request is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signed {
    /// The encrypt key: anything.
    Event,
    /// The verification token: a press in a card of the old form.
    OldCard,
}

impl Feishu {
    /// The bot of an app.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.settings.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["open-apis"])
                .extend(path.iter().copied());
        }
        url
    }

    fn signed(&self, hook: &Hook<'_>) -> Result<Signed, HookError> {
        let header = |name| hook.header(name).ok_or(HookError::BadSignature);
        let (timestamp, nonce) = (header(TIMESTAMP)?, header(NONCE)?);
        let signature = header(SIGNATURE)?.as_bytes();
        let by = |key: &str, hash: fn(&[&[u8]]) -> Vec<u8>| {
            let [timestamp, nonce] = [timestamp, nonce].map(str::as_bytes);
            let expected = hex(&hash(&[timestamp, nonce, key.as_bytes(), hook.body]));
            !key.is_empty() && same(expected.as_bytes(), signature)
        };
        let signed = if by(&self.settings.encrypt_key, hash::<Sha256>) {
            Signed::Event
        } else if by(&self.settings.verification_token, hash::<Sha1>) {
            Signed::OldCard
        } else {
            return Err(HookError::BadSignature);
        };
        let at: i64 = timestamp.parse().map_err(|_| HookError::BadSignature)?;
        if hook.at.abs_diff(at) > TOLERANCE.unsigned_abs() {
            return Err(HookError::WrongTime);
        }
        Ok(signed)
    }

    /// A body, decrypted where it is hidden.
    fn body(&self, raw: &[u8]) -> Result<Body, HookError> {
        let body: Body = serde_json::from_slice(raw).map_err(|_| HookError::Malformed)?;
        let Some(hidden) = &body.encrypt else {
            return Ok(body);
        };
        let text = self.decrypted(hidden).ok_or(HookError::Malformed)?;
        serde_json::from_slice(&text).map_err(|_| HookError::Malformed)
    }

    fn decrypted(&self, hidden: &str) -> Option<Vec<u8>> {
        let key = hash::<Sha256>(&[self.settings.encrypt_key.as_bytes()]);
        let data = BASE64.decode(hidden).ok()?;
        let (vector, text) = data.split_first_chunk()?;
        Cipher::new(key.try_into().ok()?, *vector).decrypt(text, 16)
    }

    /// Whether `token` is the verification token.
    fn is_ours(&self, token: Option<&str>) -> bool {
        let ours = self.settings.verification_token.as_bytes();
        !ours.is_empty() && token.is_some_and(|token| same(token.as_bytes(), ours))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    code: Option<i64>,
    msg: Option<String>,
    data: Option<Stored>,
    tenant_access_token: Option<String>,
    expire: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stored {
    message_id: Option<String>,
    msg_type: Option<String>,
}

/// What the API answered: an error is told by its code, whatever the status is.
fn told(answer: &Answer<'_>) -> Result<Told, SendError> {
    let told: Told = serde_json::from_slice(answer.body).unwrap_or_default();
    let status = answer.status;
    let is_accepted = (200..300).contains(&status);
    let reset = answer.headers.get(RATE_RESET);
    let reset = reset.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = reset.map(Duration::from_secs).or(answer.retry_after());
    let reason = || match (&told.msg, told.code) {
        (Some(msg), Some(code)) => format!("{msg} ({code})"),
        _ => answer.excerpt(),
    };
    Err(match (told.code, status) {
        (Some(0), _) if is_accepted => return Ok(told),
        (Some(99_991_663 | 99_991_664 | 99_991_668), _) => SendError::Expired,
        (Some(99_991_400 | 230_020), _) => SendError::Later { status, after },
        (Some(230_002 | 230_013), _) => SendError::Unreachable { reason: reason() },
        // The bot is switched off: nobody can be written to until it is on.
        (Some(230_006), _) => SendError::Unauthorized,
        (_, 401) => SendError::Expired,
        (_, 408 | 429 | 500..=599) => SendError::Later { status, after },
        // Something on the way answered.
        (None | Some(0), 200..=299) => SendError::Later { status, after },
        _ => SendError::Refused {
            status,
            reason: reason(),
        },
    })
}

impl Connector for Feishu {
    fn limits(&self) -> Limits {
        Limits {
            // A text may have 150 KB, which nobody reads; a card's 30 KB hold this much in any script.
            text: Length {
                most: 4000,
                unit: Unit::Chars,
            },
            buttons: Some(Buttons {
                most: 20,
                label: Length {
                    most: 60,
                    unit: Unit::Chars,
                },
                id_bytes: 200,
            }),
            typing: None,
            edits: true,
            window: None,
            thread_rate: Rate {
                most: 5,
                per: Duration::from_secs(1),
            },
            // 50 a second, but also 1000 a minute.
            account_rate: Rate {
                most: 16,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Safe,
            answer_within: Duration::from_secs(3),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        let signed = self.signed(hook);
        let body = match signed {
            Ok(_) => self.body(hook.body)?,
            // Only the question whether the address is ours may come unsigned: the token proves it.
            Err(refused) => {
                let body = self.body(hook.body).ok();
                body.filter(|body| body.challenge().is_some())
                    .ok_or(refused)?
            }
        };
        if let Some(challenge) = body.challenge() {
            if !self.is_ours(body.token()) {
                return Err(HookError::BadSignature);
            }
            return Ok(Received {
                reply: Some(Reply::json(&json!({ "challenge": challenge }))),
                ..Received::default()
            });
        }
        let event = match signed? {
            Signed::OldCard => body.old_press(),
            Signed::Event if !self.is_ours(body.token()) => return Err(HookError::BadSignature),
            Signed::Event => body.event(self.settings.in_groups.as_deref())?,
        };
        Ok(Received {
            events: event.into_iter().collect(),
            // After a press an empty answer would be shown as a failure.
            reply: Some(Reply::json(&json!({}))),
            ..Received::default()
        })
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { message, outgoing } => self.edit(message, outgoing),
            Sending::Reminder(_) | Sending::Typing { .. } | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let stored = told(answer)?.data.unwrap_or_default();
        let is_card = stored.msg_type.as_deref() == Some(CARD);
        let mark = if is_card { CARD_MARK } else { "" };
        Ok(Sent {
            message: stored.message_id.map(|id| format!("{id}{mark}")),
        })
    }

    fn probe(&self) -> Option<Call> {
        let url = self.url(&["bot", "v3", "info"]);
        Some(Call::get(url).with(Auth::Bearer))
    }

    fn tokens(&self) -> Option<&dyn TokenSource> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl TokenSource for Feishu {
    fn request(&self) -> Call {
        let url = self.url(&["auth", "v3", "tenant_access_token", "internal"]);
        let (id, secret) = (&self.settings.app_id, &self.settings.app_secret);
        let body = json!({ "app_id": id, "app_secret": secret });
        Call::json(Method::POST, url, &body)
    }

    fn token(&self, answer: &Answer<'_>) -> Result<Token, SendError> {
        let told = told(answer).map_err(|error| match error {
            SendError::Later { .. } => error,
            SendError::Unauthorized
            | SendError::Expired
            | SendError::Marks { .. }
            | SendError::Moved { .. }
            | SendError::Unreachable { .. }
            | SendError::Refused { .. } => SendError::Unauthorized,
        })?;
        let lasts = Duration::from_secs(told.expire);
        let secret = told.tenant_access_token.filter(|token| !token.is_empty());
        secret
            .map(|secret| Token { secret, lasts })
            .ok_or(SendError::Later {
                status: answer.status,
                after: None,
            })
    }
}

impl Files for Feishu {
    /// A file is named by its message, its kind and its key.
    fn request(&self, place: &str) -> Option<Call> {
        let is_name = |name: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            !name.is_empty() && name.bytes().all(is_plain)
        };
        let mut parts = place.split('/');
        let (message, kind, key) = (parts.next()?, parts.next()?, parts.next()?);
        let is_known = matches!(kind, "image" | "file") && parts.next().is_none();
        if !is_known || !is_name(message) || !is_name(key) {
            return None;
        }
        let mut url = self.url(&["im", "v1", "messages", message, "resources", key]);
        url.query_pairs_mut().append_pair("type", kind);
        Some(Call::get(url).with(Auth::Bearer))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        // A customer's own JSON has hardly a code and a message of it.
        let refused: Option<Told> = serde_json::from_slice(answer.body).ok();
        let is_refused = refused.is_some_and(|told| told.code > Some(0) && told.msg.is_some());
        if is_refused || !(200..300).contains(&answer.status) {
            told(answer)?;
        }
        Ok(Fetched::File)
    }
}

#[cfg(test)]
mod tests;
