//! LINE, by the [Messaging API](https://developers.line.biz/en/reference/messaging-api/).
//!
//! A hook proves itself by a MAC of its body and carries no time: what is told again is recognised by its
//! `webhookEventId`. An event brings a token by which it is answered once, at no charge, while the event is fresh;
//! everything else is pushed, and counted towards the account's monthly quota.

mod event;

use std::time::Duration;

use base64::Engine;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::Sha1;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::channel::{
    Answer, Auth, Buttons, Call, Choice, Connector, Fetched, Files, Hook, HookError, Incoming,
    Limits, Outgoing, Rate, Received, Repeats, SendError, Sending, Sent, Token, TokenSource,
};
use crate::render::{PLAIN, pieces_with_choices};
use crate::signature::{BASE64, hash, hmac_sha256, same};
use crate::text::{Length, Unit};
use event::{Body, Event};

const SIGNATURE: &str = "x-line-signature";
const RETRY_KEY: HeaderName = HeaderName::from_static("x-line-retry-key");

/// How long a reply token is used, in seconds: LINE takes it for a minute.
const FRESH: i64 = 50;
/// Messages of one request.
const AT_ONCE: usize = 5;
/// How long the loading indicator lasts, in seconds: a multiple of 5 up to 60.
const LOADING: u64 = 20;

/// A LINE Official Account's channel of the Messaging API.
pub struct Settings {
    /// `https://api.line.me`.
    pub base: Url,
    /// `https://api-data.line.me`, where files are.
    pub data_base: Url,
    /// How requests are authorised.
    pub access: Access,
    /// The channel secret, by which hooks are signed.
    pub secret: String,
    /// Whether messages in groups and rooms are read that mention the account.
    pub in_groups: bool,
}

/// How requests to LINE are authorised.
pub enum Access {
    /// By the long-lived channel access token of the console.
    Token(String),
    /// By tokens that are lent to the channel of this id by its secret.
    Channel(String),
}

/// An official account.
pub struct Line(Settings);

impl Line {
    /// The account of `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(settings)
    }

    fn authorized(&self, call: Call) -> Call {
        match &self.0.access {
            Access::Token(token) => call.bearer(token),
            Access::Channel(_) => call.with(Auth::Bearer),
        }
    }

    fn call(&self, path: &str, body: &Value) -> Call {
        let url = below(&self.0.base, path);
        self.authorized(Call::json(Method::POST, url, body))
    }

    fn message(&self, message: &Outgoing<'_>) -> Vec<Call> {
        let limits = self.limits();
        let (items, listed) = quick_reply(&message.quick_replies, limits.buttons);
        let listed = Outgoing {
            quick_replies: listed,
            ..message.clone()
        };
        let pieces = pieces_with_choices(&listed, limits.text, PLAIN);
        let texts = pieces.iter();
        let mut texts: Vec<Value> = texts
            .map(|piece| json!({ "type": "text", "text": piece.plain }))
            .collect();
        if let Some(last) = texts.last_mut().filter(|_| !items.is_empty()) {
            last["quickReply"] = json!({ "items": items });
        }
        let token = message.context.filter(|_| is_fresh(message));
        let parts = texts.chunks(AT_ONCE).enumerate();
        parts
            .map(|(part, texts)| match token.filter(|_| part == 0) {
                Some(token) => {
                    let body = json!({ "replyToken": token, "messages": texts });
                    self.call("v2/bot/message/reply", &body)
                }
                None => self.push(message, part, texts),
            })
            .collect()
    }

    fn push(&self, message: &Outgoing<'_>, part: usize, texts: &[Value]) -> Call {
        let body = json!({ "to": message.thread, "messages": texts });
        let mut call = self.call("v2/bot/message/push", &body);
        if let Ok(key) = HeaderValue::from_str(&retry_key(message.key, part)) {
            call.headers.insert(RETRY_KEY, key);
        }
        call
    }

    /// Why LINE refuses a request.
    fn refused(&self, answer: &Answer<'_>) -> SendError {
        let told: Told = serde_json::from_slice(answer.body).unwrap_or_default();
        let reason = told.reason().unwrap_or_else(|| answer.excerpt());
        let status = answer.status;
        let later = |after| SendError::Later { status, after };
        match status {
            // The token was used, or is too old: once it is not fresh any more, the message is pushed.
            400 if reason.contains("Invalid reply token") => {
                later(Some(Duration::from_secs(FRESH.unsigned_abs())))
            }
            401 if matches!(self.0.access, Access::Channel(_)) => SendError::Expired,
            401 | 403 => SendError::Unauthorized,
            404 => SendError::Unreachable { reason },
            // The month's messages are used up; replies are still accepted.
            429 if reason.contains("monthly limit") => SendError::Refused { status, reason },
            // 2xx of another form: something on the way answered.
            200..=299 | 408 | 429 | 500..=599 => later(answer.retry_after()),
            status => SendError::Refused { status, reason },
        }
    }
}

/// An address below `base`.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

/// Whether the token of what the customer wrote last can still be used.
fn is_fresh(message: &Outgoing<'_>) -> bool {
    let heard = message.heard_at;
    message.is_first && heard.is_some_and(|heard| message.at.saturating_sub(heard) < FRESH)
}

/// The buttons for `choices`, and the choices that no button can hold.
fn quick_reply<'a>(
    choices: &[Choice<'a>],
    limits: Option<Buttons>,
) -> (Vec<Value>, Vec<Choice<'a>>) {
    let (mut items, mut others) = (Vec::new(), Vec::new());
    for choice in choices {
        let fits = |limits: &Buttons| {
            items.len() < limits.most
                && choice.id.len() <= limits.id_bytes
                && !choice.label.trim().is_empty()
        };
        let Some(limits) = limits.filter(fits) else {
            others.push(*choice);
            continue;
        };
        let label = limits.label.shorten(choice.label);
        items.push(json!({ "type": "action", "action": {
            "type": "postback",
            "label": label,
            "data": choice.id,
            "displayText": label,
        } }));
    }
    (items, others)
}

/// A UUID by name (RFC 9562, section 5.5) of a message's part.
fn retry_key(key: &str, part: usize) -> String {
    /// The name space of addresses (RFC 9562, section 6.6).
    const NAMESPACE: u128 = 0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8;
    let name = format!("{key}/{part}");
    let digest = hash::<Sha1>(&[&NAMESPACE.to_be_bytes(), name.as_bytes()]);
    let bytes = digest.iter().take(16);
    let number = bytes.fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x5 << 76 | 0x2 << 62;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        number >> 96,
        number >> 80 & 0xffff,
        number >> 64 & 0xffff,
        number >> 48 & 0xffff,
        number & 0xffff_ffff_ffff
    )
}

/// What LINE answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Told {
    sent_messages: Vec<SentMessage>,
    message: String,
    details: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
struct SentMessage {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    message: String,
    property: String,
}

impl Told {
    fn reason(self) -> Option<String> {
        let details = self.details.iter();
        let details = details.map(|detail| format!("; {}: {}", detail.property, detail.message));
        let reason = self.message + &details.collect::<String>();
        Some(reason).filter(|reason| !reason.is_empty())
    }
}

impl Connector for Line {
    fn limits(&self) -> Limits {
        Limits {
            text: Length {
                most: 5000,
                unit: Unit::Utf16,
            },
            buttons: Some(Buttons {
                most: 13,
                label: Length {
                    most: 20,
                    unit: Unit::Chars,
                },
                id_bytes: 300,
            }),
            typing: Some(Duration::from_secs(LOADING)),
            edits: false,
            window: None,
            thread_rate: Rate {
                most: 10,
                per: Duration::from_secs(1),
            },
            account_rate: Rate {
                most: 2000,
                per: Duration::from_secs(1),
            },
            // A push is recognised by its key, a reply is not.
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(2),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        let signature = hook.header(SIGNATURE).ok_or(HookError::BadSignature)?;
        let secret = self.0.secret.as_bytes();
        let expected = BASE64.encode(hmac_sha256(secret, &[hook.body]));
        if secret.is_empty() || !same(signature.as_bytes(), expected.as_bytes()) {
            return Err(HookError::BadSignature);
        }
        let body: Body = serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        let events = body.events.into_iter();
        // An event of an unknown form is passed over: those beside it are not.
        let events = events.filter_map(|event| serde_json::from_value::<Event>(event).ok());
        let events = events.filter_map(|event| event.incoming(self.0.in_groups));
        Ok(events.collect::<Vec<Incoming>>().into())
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            // Only a chat with one person shows it, and their ids alone begin so.
            Sending::Typing { thread, .. } if thread.starts_with('U') => {
                let body = json!({ "chatId": thread, "loadingSeconds": LOADING });
                vec![self.call("v2/bot/chat/loading/start", &body)]
            }
            Sending::Typing { .. }
            | Sending::Edit { .. }
            | Sending::Reminder(_)
            | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let told = serde_json::from_slice::<Told>(answer.body);
        let told = match answer.status {
            200..=299 => told.map_err(|_| self.refused(answer))?,
            // A request of the same key was accepted before.
            409 => told.unwrap_or_default(),
            _ => return Err(self.refused(answer)),
        };
        let first = told.sent_messages.into_iter().next();
        Ok(Sent {
            message: first.map(|sent| sent.id),
        })
    }

    fn probe(&self) -> Option<Call> {
        let url = below(&self.0.base, "v2/bot/info");
        Some(self.authorized(Call::get(url)))
    }

    fn tokens(&self) -> Option<&dyn TokenSource> {
        match self.0.access {
            Access::Token(_) => None,
            Access::Channel(_) => Some(self),
        }
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl TokenSource for Line {
    fn request(&self) -> Call {
        let channel = match &self.0.access {
            Access::Token(_) => "",
            Access::Channel(id) => id,
        };
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("client_id", channel)
            .append_pair("client_secret", &self.0.secret);
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
        Call {
            method: Method::POST,
            headers,
            body: form.finish().into_bytes(),
            ..Call::get(below(&self.0.base, "v2/oauth/accessToken"))
        }
    }

    fn token(&self, answer: &Answer<'_>) -> Result<Token, SendError> {
        #[derive(Deserialize)]
        struct Lent {
            access_token: String,
            expires_in: u64,
        }
        match answer.status {
            200..=299 => {
                let lent: Lent =
                    serde_json::from_slice(answer.body).map_err(|_| self.refused(answer))?;
                Ok(Token {
                    secret: lent.access_token,
                    lasts: Duration::from_secs(lent.expires_in),
                })
            }
            400 | 401 => Err(SendError::Unauthorized),
            _ => Err(self.refused(answer)),
        }
    }
}

impl Files for Line {
    fn request(&self, place: &str) -> Option<Call> {
        // A message's id: what is elsewhere, such as what a mini app has sent, is not fetched.
        let is_id = !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit());
        let path = format!("v2/bot/message/{place}/content");
        is_id.then(|| self.authorized(Call::get(below(&self.0.data_base, &path))))
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        /// How long a film takes to be ready, as a guess.
        const TRANSCODING: Duration = Duration::from_secs(5);
        let status = answer.status;
        match status {
            202 => Err(SendError::Later {
                status,
                after: answer.retry_after().or(Some(TRANSCODING)),
            }),
            200..=299 => Ok(Fetched::File),
            // The file is gone, not the customer.
            404 | 410 => Err(SendError::Refused {
                status,
                reason: answer.excerpt(),
            }),
            _ => Err(self.refused(answer)),
        }
    }
}

#[cfg(test)]
mod tests;
