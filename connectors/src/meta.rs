//! What Meta's messaging platforms have in common by the
//! [Graph API](https://developers.facebook.com/docs/graph-api): how a hook proves itself, where requests go, and
//! what an error looks like.
//!
//! A hook carries no time: what is told again is recognised by its id.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::channel::{
    Answer, Buttons, Call, Choice, Hook, HookError, Outgoing, Reply, SendError, Sent,
};
use crate::signature::{hex, hmac_sha256, same};
use crate::text::Length;

const SIGNATURE: &str = "x-hub-signature-256";
/// How full the account's allowances are, and when they are lent again.
const USAGE: &str = "x-business-use-case-usage";
/// How long to wait where a platform says that its limit for all is reached, and no time.
pub(crate) const PAUSE: Duration = Duration::from_secs(60);

/// An app at Meta, and its access to one account.
pub struct App {
    /// `https://graph.facebook.com`; `https://graph.instagram.com` for an account that logs in at Instagram.
    pub base: Url,
    /// Version of the Graph API, such as `v25.0`.
    pub version: String,
    /// Access token of the account.
    pub token: String,
    /// Secrets of the app, which sign its hook: one is enough, several while they are changed. The first proves
    /// requests.
    pub secrets: Vec<String>,
    /// What the hook's address was registered with.
    pub verify_token: String,
    /// Whether requests carry a proof that they come from the app: it can be set to ask for it.
    pub proves: bool,
}

impl App {
    /// Lets the platform's requests to the hook pass: `None` for one that tells something, the answer to one that
    /// asks whether the address is the app's.
    pub(crate) fn admit(&self, hook: &Hook<'_>) -> Result<Option<Reply>, HookError> {
        if hook.method == Method::GET {
            return self.handshake(hook).map(Some);
        }
        let signature = hook
            .header(SIGNATURE)
            .and_then(|header| header.strip_prefix("sha256="))
            .ok_or(HookError::BadSignature)?;
        let fits = |secret: &String| {
            let mac = hex(&hmac_sha256(secret.as_bytes(), &[hook.body]));
            !secret.is_empty() && same(mac.as_bytes(), signature.as_bytes())
        };
        if self.secrets.iter().any(fits) {
            Ok(None)
        } else {
            Err(HookError::BadSignature)
        }
    }

    fn handshake(&self, hook: &Hook<'_>) -> Result<Reply, HookError> {
        let parameter = |name| hook.parameter(name).unwrap_or_default();
        let token = parameter("hub.verify_token");
        let is_ours = same(token.as_bytes(), self.verify_token.as_bytes());
        if self.verify_token.is_empty() || !is_ours || parameter("hub.mode") != "subscribe" {
            return Err(HookError::BadSignature);
        }
        Ok(Reply::text(parameter("hub.challenge")))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Call {
        Call::json(Method::POST, self.url(path), body).bearer(&self.token)
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        Call::get(self.url(path)).bearer(&self.token)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let root = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{root}/{}/{path}", self.version));
        if let Some(secret) = self.secrets.first().filter(|_| self.proves) {
            let proof = hex(&hmac_sha256(secret.as_bytes(), &[self.token.as_bytes()]));
            url.query_pairs_mut().append_pair("appsecret_proof", &proof);
        }
        url
    }
}

/// `place` where it is at one of `hosts`, or at a host below them, over TLS; or at one of them that is written with
/// its scheme and port.
pub(crate) fn listed(place: &str, hosts: &[String]) -> Option<Url> {
    let url = Url::parse(place).ok()?;
    let is_at = |host: &String| {
        let below = url
            .host_str()
            .unwrap_or_default()
            .strip_suffix(host.as_str());
        let is_below = below.is_some_and(|below| below.is_empty() || below.ends_with('.'));
        let is_usual = url.scheme() == "https" && url.port().is_none();
        !host.is_empty() && (is_below && is_usual || url.origin().ascii_serialization() == *host)
    };
    hosts.iter().any(is_at).then_some(url)
}

/// What the Graph API answered, where it has accepted the request.
pub(crate) fn told(answer: &Answer<'_>) -> Result<Value, Failure> {
    let told: Value = serde_json::from_slice(answer.body).unwrap_or_default();
    let has = |name| told.get(name).is_some();
    // Something on the way may have answered, and not the Graph API.
    let is_known = ["messages", "message_id", "recipient_id", "success", "id"];
    let is_known = is_known.into_iter().any(has) && !has("error");
    if (200..300).contains(&answer.status) && is_known {
        return Ok(told);
    }
    Err(Failure::of(answer))
}

/// What was accepted, by the id at `pointer` (RFC 6901).
pub(crate) fn sent(told: &Value, pointer: &str) -> Sent {
    let id = told.pointer(pointer).and_then(Value::as_str);
    Sent {
        message: id.map(str::to_owned),
    }
}

/// An error of the Graph API.
pub(crate) struct Failure {
    /// `None` where something else answered.
    pub(crate) code: Option<i64>,
    /// 0 where there is none.
    pub(crate) subcode: i64,
    is_transient: bool,
    reason: String,
    status: u16,
    after: Option<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    error: Error,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    message: String,
    code: Option<i64>,
    error_subcode: i64,
    error_data: Value,
    is_transient: bool,
}

impl Failure {
    pub(crate) fn of(answer: &Answer<'_>) -> Self {
        let envelope = serde_json::from_slice::<Envelope>(answer.body);
        let error = envelope.unwrap_or_default().error;
        let details = error.error_data["details"].as_str();
        let words = [error.message.as_str(), details.unwrap_or_default()];
        let words = words.into_iter().filter(|words| !words.is_empty());
        let reason = words.collect::<Vec<_>>().join(": ");
        Self {
            code: error.code,
            subcode: error.error_subcode,
            is_transient: error.is_transient,
            reason: Some(reason)
                .filter(|reason| !reason.is_empty())
                .unwrap_or_else(|| answer.excerpt()),
            status: answer.status,
            after: regained_after(answer).or(answer.retry_after()),
        }
    }

    /// It may be accepted after `pause`, or when the platform says.
    pub(crate) fn later(self, pause: Option<Duration>) -> SendError {
        SendError::Later {
            status: self.status,
            after: self.after.or(pause),
        }
    }

    pub(crate) fn refused(self) -> SendError {
        SendError::Refused {
            status: self.status,
            reason: self.reason,
        }
    }

    pub(crate) fn unreachable(self) -> SendError {
        SendError::Unreachable {
            reason: self.reason,
        }
    }

    /// What a code that the platform's documentation does not name means, or an answer without a code.
    pub(crate) fn unknown(self) -> SendError {
        match (self.status, self.code) {
            _ if self.is_transient => self.later(None),
            (401, _) => SendError::Unauthorized,
            (408 | 429 | 500..=599, _) | (200..=299, None) => self.later(None),
            _ => self.refused(),
        }
    }
}

#[derive(Deserialize)]
struct Usage {
    /// Minutes.
    #[serde(default)]
    estimated_time_to_regain_access: u64,
}

/// How long the account's allowance is used up.
fn regained_after(answer: &Answer<'_>) -> Option<Duration> {
    let usage = answer.headers.get(USAGE)?.to_str().ok()?;
    let usage: BTreeMap<String, Vec<Usage>> = serde_json::from_str(usage).ok()?;
    let usage = usage.values().flatten();
    let minutes = usage.map(|usage| usage.estimated_time_to_regain_access);
    let minutes = minutes.max().filter(|minutes| *minutes > 0)?;
    Some(Duration::from_secs(minutes.saturating_mul(60)))
}

/// The answers to choose from that become buttons, and the others, which are told in the text.
pub(crate) fn offered<'a>(
    message: &Outgoing<'a>,
    buttons: Option<Buttons>,
) -> (Vec<Choice<'a>>, Vec<Choice<'a>>) {
    let (mut pressed, mut told) = (Vec::<Choice<'a>>::new(), Vec::new());
    let labelled = |choice: &&Choice<'a>| !choice.label.trim().is_empty();
    for choice in message.quick_replies.iter().filter(labelled) {
        let is_new = pressed.iter().all(|other| other.id != choice.id);
        let fits = buttons.is_some_and(|limits| {
            let is_id = !choice.id.is_empty() && choice.id.len() <= limits.id_bytes;
            is_id && is_new && pressed.len() < limits.most
        });
        if fits {
            pressed.push(*choice);
        } else {
            told.push(*choice);
        }
    }
    (pressed, told)
}

/// A label on one line and no longer than that.
pub(crate) fn label(text: &str, length: Length) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    length.shorten(&words.join(" "))
}

#[cfg(test)]
pub(crate) mod tests;
