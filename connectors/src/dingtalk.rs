//! [DingTalk](https://open.dingtalk.com/document/), by a robot of a company's own app.
//!
//! What is written to the robot comes over a socket (stream mode) or to the hook. The hook's signature covers the
//! time alone, so that who has seen one request can make others for as long as the time is good: the socket is
//! better. Answers go to the conversation's own address while that is valid, afterwards to the API. Buttons are
//! links that write their label in the customer's name: what is chosen comes back as a message.

mod event;
mod message;
mod stream;

use std::time::Duration;

use base64::Engine;
use http::{Method, header};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::channel::{
    Answer, Auth, Call, Connector, Fetched, Files, Gateway, Hook, HookError, Limits, Rate,
    Received, Repeats, SendError, Sending, Sent, Token, TokenSource,
};
use crate::signature::{BASE64, hmac_sha256, same};
use crate::text::{Length, Unit};
use event::Told;

/// Where a request to the API carries the lent token.
const AUTH: Auth = Auth::Header("x-acs-dingtalk-access-token");
/// How far the clocks of the two may be apart, in milliseconds: DingTalk itself would allow an hour.
const TOLERANCE: i64 = 300_000;
/// Where files are kept, for one who was told their address.
const STORES: [&str; 3] = ["dingtalk.com", "aliyuncs.com", "alicdn.com"];

/// A robot's account.
pub struct Settings {
    /// The API, `https://api.dingtalk.com`.
    pub base: Url,
    /// Where the addresses of conversations are, `https://oapi.dingtalk.com`: nothing is sent elsewhere.
    pub sessions: Url,
    /// Client ID of the app, also called its `AppKey`.
    pub client_id: String,
    /// Client secret of the app, also called its `AppSecret`.
    pub client_secret: String,
    /// The robot's `robotCode`, mostly the same as the client ID.
    pub robot_code: String,
    /// Whether what is written is told over a socket; else to the hook.
    pub stream: bool,
    /// Whether it answers in groups: to those who mention it.
    pub in_groups: bool,
}

/// A robot.
pub struct DingTalk {
    settings: Settings,
}

impl DingTalk {
    /// A company's robot.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// A request to the API.
    fn call(&self, path: &str, body: &Value) -> Call {
        let mut url = self.settings.base.clone();
        let root = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{root}/v1.0/{path}"));
        Call::json(Method::POST, url, body)
    }

    fn reader(&self) -> event::Reader {
        event::Reader {
            robot_code: self.settings.robot_code.clone(),
            in_groups: self.settings.in_groups,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answered {
    // Of the host of the conversations' addresses.
    errcode: Option<i64>,
    errmsg: Option<String>,
    // Of the API.
    code: Value,
    message: Option<String>,
    #[serde(rename = "processQueryKey")]
    process_query_key: Option<String>,
    #[serde(rename = "invalidStaffIdList")]
    invalid: Option<Vec<String>>,
    #[serde(rename = "flowControlledStaffIdList")]
    slowed: Option<Vec<String>>,
    #[serde(rename = "accessToken")]
    access_token: Option<String>,
    #[serde(rename = "expireIn")]
    expire_in: u64,
    #[serde(rename = "downloadUrl")]
    download_url: Option<String>,
    // Of the gateway.
    endpoint: Option<String>,
    ticket: Option<String>,
}

/// What DingTalk answered: the host of the conversations' addresses tells errors with status 200.
fn answered(answer: &Answer<'_>) -> Result<Answered, SendError> {
    let status = answer.status;
    let later = SendError::Later {
        status,
        after: answer.retry_after(),
    };
    let body: Option<Answered> = serde_json::from_slice(answer.body).ok();
    let is_read = body.is_some();
    let told = body.unwrap_or_default();
    let code = match (told.errcode, &told.code) {
        (Some(0), _) | (None, Value::Null) => String::new(),
        (Some(code), _) => code.to_string(),
        (None, code) => code
            .as_str()
            .map_or_else(|| code.to_string(), str::to_owned),
    };
    let reason = || match told.errmsg.as_ref().or(told.message.as_ref()) {
        Some(message) => format!("{message} ({code})"),
        None => answer.excerpt(),
    };
    let is_slow = matches!(code.as_str(), "130101" | "90018") || code.contains("QpsLimit");
    let is_some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    Err(match status {
        _ if is_slow => later,
        401 => SendError::Expired,
        400 | 403 if code.eq_ignore_ascii_case("InvalidAuthentication") => SendError::Expired,
        400 | 403 if code.eq_ignore_ascii_case("invalidClientIdOrSecret") => {
            SendError::Unauthorized
        }
        408 | 429 | 500..=599 => later,
        // Something on the way answered.
        200..=299 if !is_read => later,
        200..=299 if is_some(&told.invalid) => SendError::Unreachable { reason: reason() },
        200..=299 if is_some(&told.slowed) => later,
        200..=299 if code.is_empty() => return Ok(told),
        status => SendError::Refused {
            status,
            reason: reason(),
        },
    })
}

/// The same for a request in which the account's own secret is all that can be refused.
fn answered_to_secret(answer: &Answer<'_>) -> Result<Answered, SendError> {
    answered(answer).map_err(|error| match error {
        SendError::Later { .. } => error,
        SendError::Unauthorized
        | SendError::Expired
        | SendError::Marks { .. }
        | SendError::Moved { .. }
        | SendError::Unreachable { .. }
        | SendError::Refused { .. } => SendError::Unauthorized,
    })
}

impl Connector for DingTalk {
    fn limits(&self) -> Limits {
        Limits {
            // A message may have some 20,000 bytes, which hold this much in any script.
            text: Length {
                most: 4000,
                unit: Unit::Chars,
            },
            // Of what is chosen only the words come back.
            buttons: None,
            typing: None,
            edits: false,
            window: None,
            thread_rate: Rate {
                most: 20,
                per: Duration::from_secs(60),
            },
            account_rate: Rate {
                most: 20,
                per: Duration::from_secs(1),
            },
            repeats: Repeats::Doubles,
            answer_within: Duration::from_secs(3),
        }
    }

    fn receive(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        let header = |name| hook.header(name).ok_or(HookError::BadSignature);
        let (timestamp, sign) = (header("timestamp")?, header("sign")?);
        let secret = self.settings.client_secret.as_bytes();
        let mac = hmac_sha256(secret, &[timestamp.as_bytes(), b"\n", secret]);
        let expected = BASE64.encode(mac);
        if secret.is_empty() || !same(expected.as_bytes(), sign.as_bytes()) {
            return Err(HookError::BadSignature);
        }
        let at: i64 = timestamp.parse().map_err(|_| HookError::BadSignature)?;
        let now = hook.at.saturating_mul(1000);
        if now.abs_diff(at) > TOLERANCE.unsigned_abs() {
            return Err(HookError::WrongTime);
        }
        let told: Told = serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
        let events = self.reader().event(told).into_iter();
        Ok(events.collect::<Vec<_>>().into())
    }

    fn send(&self, sending: &Sending<'_>) -> Vec<Call> {
        match sending {
            Sending::Message(message) => self.message(message),
            Sending::Edit { .. }
            | Sending::Reminder(_)
            | Sending::Typing { .. }
            | Sending::Seen { .. } => Vec::new(),
        }
    }

    fn accepted(&self, answer: &Answer<'_>) -> Result<Sent, SendError> {
        let message = answered(answer)?.process_query_key;
        Ok(Sent { message })
    }

    /// There is nothing that every robot may ask: a token is lent to who has the secret.
    fn probe(&self) -> Option<Call> {
        Some(TokenSource::request(self))
    }

    fn tokens(&self) -> Option<&dyn TokenSource> {
        Some(self)
    }

    fn gateway(&self) -> Option<&dyn Gateway> {
        self.settings.stream.then_some(self as &dyn Gateway)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}

impl TokenSource for DingTalk {
    fn request(&self) -> Call {
        let (id, secret) = (&self.settings.client_id, &self.settings.client_secret);
        let body = json!({ "appKey": id, "appSecret": secret });
        self.call("oauth2/accessToken", &body)
    }

    fn token(&self, answer: &Answer<'_>) -> Result<Token, SendError> {
        let told = answered_to_secret(answer)?;
        let lasts = Duration::from_secs(told.expire_in);
        let secret = told.access_token.filter(|token| !token.is_empty());
        secret
            .map(|secret| Token { secret, lasts })
            .ok_or(SendError::Later {
                status: answer.status,
                after: None,
            })
    }
}

impl Files for DingTalk {
    fn request(&self, place: &str) -> Option<Call> {
        let body = json!({ "downloadCode": place, "robotCode": self.settings.robot_code });
        let call = self.call("robot/messageFiles/download", &body).with(AUTH);
        (!place.is_empty()).then_some(call)
    }

    fn fetched(&self, answer: &Answer<'_>) -> Result<Fetched, SendError> {
        let is_json = answer.headers.get(header::CONTENT_TYPE);
        let is_json = is_json.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let is_accepted = (200..300).contains(&answer.status);
        if !is_json && is_accepted {
            return Ok(Fetched::File);
        }
        let Some(address) = answered(answer)?.download_url else {
            return Ok(Fetched::File); // A customer's own JSON.
        };
        // A customer's own JSON may name an address, too.
        let url = Url::parse(&address).ok().filter(|url| self.is_store(url));
        url.map(|url| Fetched::At(Box::new(Call::get(url))))
            .ok_or_else(|| SendError::Refused {
                status: answer.status,
                reason: "the file is kept where none is expected".to_owned(),
            })
    }
}

impl DingTalk {
    /// Whether files are kept there: at the platform's, or where the API is.
    fn is_store(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_of = |store: &str| {
            let name = host.strip_suffix(store);
            name.is_some_and(|name| name.is_empty() || name.ends_with('.'))
        };
        let is_known = STORES.iter().any(|store| is_of(store));
        matches!(url.scheme(), "http" | "https")
            && (is_known || url.origin() == self.settings.base.origin())
    }
}

#[cfg(test)]
mod tests;
