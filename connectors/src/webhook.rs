//! Any program that speaks HTTP: messages come as requests to the hook, and leave as requests to an address of
//! the operator's, both signed as [Standard Webhooks](https://www.standardwebhooks.com) 1.0 says.

use std::time::Duration;

use base64::Engine;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::channel::{
    Answer, Auth, Buttons, Call, Connector, Hook, HookError, Incoming, Limits, Media, Outgoing,
    Rate, Received, Repeats, SendError, Sender, Sending, Sent, What,
};
use crate::signature::{BASE64, hmac_sha256, same};
use crate::text::{Length, Unit};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How far the clocks of the two may be apart, in seconds.
const TOLERANCE: i64 = 300;
/// Longest text of a message; a request stays under the 20 KB that receivers take.
const MOST_TEXT: usize = 4000;

/// A key as the operator enters it.
#[derive(Clone)]
pub enum Key {
    /// `whsec_` and base64: both sides have it.
    Shared(Vec<u8>),
    /// `whsk_` and base64: signs what leaves.
    Private(Box<SigningKey>),
    /// `whpk_` and base64: tells who signed what comes.
    Public(Box<VerifyingKey>),
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's key is `whsec_`, `whsk_` or `whpk_` and base64 behind it")]
pub struct KeyError;

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (kind, encoded) = text.trim().split_once('_').ok_or(KeyError)?;
        let bytes = BASE64.decode(encoded).map_err(|_| KeyError)?;
        let fixed = || <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError);
        match kind {
            "whsec" if !bytes.is_empty() => Ok(Self::Shared(bytes)),
            "whsk" => Ok(Self::Private(Box::new(SigningKey::from_bytes(&fixed()?)))),
            "whpk" => {
                let key = VerifyingKey::from_bytes(&fixed()?).map_err(|_| KeyError)?;
                Ok(Self::Public(Box::new(key)))
            }
            _ => Err(KeyError),
        }
    }

    fn sign(&self, content: &[u8]) -> Option<String> {
        match self {
            Self::Shared(key) => {
                let mac = hmac_sha256(key, &[content]);
                Some(format!("v1,{}", BASE64.encode(mac)))
            }
            Self::Private(key) => {
                let signature = key.sign(content).to_bytes();
                Some(format!("v1a,{}", BASE64.encode(signature)))
            }
            Self::Public(_) => None,
        }
    }

    /// Whether this key signed `content`; a signature of another version is none of its.
    fn has_signed(&self, content: &[u8], version: &str, signature: &[u8]) -> bool {
        let by = |key: &VerifyingKey| {
            let signature = Signature::from_slice(signature);
            version == "v1a"
                && signature.is_ok_and(|signature| key.verify_strict(content, &signature).is_ok())
        };
        match self {
            Self::Shared(key) => version == "v1" && same(&hmac_sha256(key, &[content]), signature),
            Self::Private(key) => by(&key.verifying_key()),
            Self::Public(key) => by(key),
        }
    }
}

/// A program at the other end of two webhooks.
pub struct Webhook {
    /// Where messages are sent.
    url: Url,
    /// Several while they are changed: each that can signs, and one that fits is enough.
    keys: Vec<Key>,
}

impl Webhook {
    /// A webhook to `url`, signed by each of `keys`.
    #[must_use]
    pub fn new(url: Url, keys: Vec<Key>) -> Self {
        Self { url, keys }
    }

    /// The id of an event whose signature fits.
    fn verified<'h>(&self, hook: &'h Hook<'_>) -> Result<&'h str, HookError> {
        let header = |name: HeaderName| hook.header(name.as_str()).ok_or(HookError::BadSignature);
        let (id, timestamp) = (header(ID)?, header(TIMESTAMP)?);
        let signatures = header(SIGNATURE)?;
        let at: i64 = timestamp.parse().map_err(|_| HookError::BadSignature)?;
        let content = content(id, timestamp, hook.body);
        let fits = |signature: &str| {
            let Some((version, encoded)) = signature.split_once(',') else {
                return false;
            };
            let Ok(signature) = BASE64.decode(encoded) else {
                return false;
            };
            let by = |key: &Key| key.has_signed(&content, version, &signature);
            self.keys.iter().any(by)
        };
        if id.contains('.') || !signatures.split(' ').any(fits) {
            return Err(HookError::BadSignature);
        }
        if hook.at.abs_diff(at) > TOLERANCE.unsigned_abs() {
            return Err(HookError::WrongTime);
        }
        Ok(id)
    }

    fn signed(&self, id: &str, at: i64, body: &[u8]) -> HeaderMap {
        let timestamp = at.to_string();
        let content = content(id, &timestamp, body);
        let signatures = self.keys.iter().filter_map(|key| key.sign(&content));
        let signatures = signatures.collect::<Vec<_>>().join(" ");
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        for (name, value) in [(ID, id), (TIMESTAMP, &timestamp), (SIGNATURE, &signatures)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        headers
    }

    fn message(&self, message: &Outgoing<'_>, text: &str, is_last: bool, part: usize) -> Call {
        // All parts of a message but the first have an id of their own.
        let id = match part {
            0 => message.key.to_owned(),
            _ => format!("{}-{part}", message.key),
        };
        let of_last = |list: serde_json::Value| if is_last { list } else { json!([]) };
        let sources = message.links.iter();
        let sources = sources.map(|link| json!({ "title": link.title, "url": link.url }));
        let actions = message.quick_replies.iter();
        let actions = actions.map(|reply| json!({ "id": reply.id, "label": reply.label }));
        let body = json!({
            "type": "message.created",
            "timestamp": rfc3339(message.at),
            "data": {
                "conversation": message.thread,
                "seq": message.seq,
                "part": part,
                "author": message.author,
                "text": text,
                "sources": of_last(sources.collect()),
                "actions": of_last(actions.collect()),
            },
        });
        self.call(&id, message.at, &body)
    }

    fn call(&self, id: &str, at: i64, body: &serde_json::Value) -> Call {
        let body = body.to_string().into_bytes();
        Call {
            method: Method::POST,
            url: self.url.clone(),
            auth: Auth::Complete,
            headers: self.signed(id, at, &body),
            body,
            plain: None,
        }
    }
}

fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

fn rfc3339(at: i64) -> String {
    jiff::Timestamp::from_second(at)
        .unwrap_or_default()
        .to_string()
}

impl Connector for Webhook {
    fn limits(&self) -> Limits {
        let a_hundred_a_second = Rate {
            most: 100,
            per: Duration::from_secs(1),
        };
        Limits {
            text: Length {
                most: MOST_TEXT,
                unit: Unit::Chars,
            },
            buttons: Some(Buttons {
                most: 20,
                label: Length {
                    most: 200,
                    unit: Unit::Chars,
                },
                id_bytes: 200,
            }),
            typing: None,
            edits: false,
            window: None,
            thread_rate: a_hundred_a_second,
            account_rate: a_hundred_a_second,
            repeats: Repeats::Safe,
            answer_within: Duration::from_secs(15),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        let event = self.verified(hook)?;
        let body: Body = serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        Ok(body.event(event).into_iter().collect::<Vec<_>>().into())
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => {
                let pieces = self.limits().text.split(message.text);
                let last = pieces.len().saturating_sub(1);
                let pieces = pieces.iter().enumerate();
                pieces
                    .map(|(part, text)| self.message(message, text, part == last, part))
                    .collect()
            }
            Sending::Edit { .. }
            | Sending::Reminder(_)
            | Sending::Typing { .. }
            | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let reason = || answer.excerpt();
        match answer.status {
            200..=299 => Ok(Sent::default()),
            401 | 403 => Err(SendError::Unauthorized),
            408 | 429 | 500..=599 => Err(SendError::Later {
                status: answer.status,
                after: answer.retry_after(),
            }),
            // Gone: the receiver wants no more.
            410 => Err(SendError::Unreachable { reason: reason() }),
            status => Err(SendError::Refused {
                status,
                reason: reason(),
            }),
        }
    }
}

/// The body of a request to the hook.
#[derive(Debug, Deserialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    conversation: String,
    user: User,
    #[serde(default)]
    text: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
    payload: Option<String>,
    /// RFC 3339.
    at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
    name: Option<String>,
    language: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Attachment {
    url: String,
    name: Option<String>,
    content_type: Option<String>,
    size: Option<u64>,
}

impl Body {
    /// What happened; `None` for what is not known here. Without an id of its own it has the `event`'s.
    fn event(self, event: &str) -> Option<Incoming> {
        let id = self.id.unwrap_or_else(|| event.to_owned());
        let what = match self.kind.as_str() {
            "message" => What::Message {
                message: id.clone(),
                text: self.text,
                media: self.attachments.into_iter().map(Media::from).collect(),
            },
            "press" => What::Press {
                reply: self.payload?,
                receipt: None,
            },
            "edit" => What::Edit {
                message: id.clone(),
                text: self.text,
            },
            "delete" => What::Deletion {
                message: id.clone(),
            },
            "typing" => What::Typing,
            "human" => What::Person,
            "end" => What::End,
            _ => return None,
        };
        let is_of_a_message = matches!(what, What::Edit { .. } | What::Deletion { .. });
        Some(Incoming {
            id: if is_of_a_message {
                event.to_owned()
            } else {
                id
            },
            thread: self.conversation,
            sender: Sender {
                id: self.user.id,
                name: self.user.name,
                language: self.user.language,
            },
            private: true,
            at: self
                .at
                .and_then(|at| at.parse().ok())
                .map(jiff::Timestamp::as_second),
            context: None,
            what,
        })
    }
}

impl From<Attachment> for Media {
    fn from(attachment: Attachment) -> Self {
        Self {
            place: attachment.url,
            name: attachment.name,
            content_type: attachment.content_type,
            size: attachment.size,
        }
    }
}

#[cfg(test)]
mod tests;
