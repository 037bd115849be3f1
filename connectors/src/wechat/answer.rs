//! What Tencent's servers answer: an `errcode` with status 200, whatever went wrong.

use std::time::Duration;

use http::header;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::channel::{Answer, Call, Fetched, SendError, Token};

/// An answer, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    errcode: Option<i64>,
    errmsg: String,
    access_token: String,
    expires_in: u64,
    video_url: String,
    ip_list: Vec<Value>,
    pub(crate) msgid: Option<String>,
}

/// What an `errcode` means on a platform, given its reason.
pub(crate) type Meaning = fn(i64, String) -> SendError;

impl Told {
    /// Some requests are answered without an `errcode`, by what was asked for.
    fn is_complete(&self) -> bool {
        let is_empty =
            self.access_token.is_empty() && self.video_url.is_empty() && self.ip_list.is_empty();
        match self.errcode {
            Some(code) => code == 0,
            None => !is_empty,
        }
    }
}

/// What was answered, where it was accepted.
pub(crate) fn told(answer: &Answer<'_>, meaning: Meaning) -> Result<Told, SendError> {
    let status = answer.status;
    let after = answer.retry_after();
    if !(200..300).contains(&status) {
        let reason = answer.excerpt();
        return Err(match status {
            408 | 429 | 500..=599 => SendError::Later { status, after },
            status => SendError::Refused { status, reason },
        });
    }
    // Anything else but an answer of the platform's form: something on the way answered.
    let later = SendError::Later { status, after };
    let told: Told = serde_json::from_slice(answer.body).map_err(|_| later.clone())?;
    if told.is_complete() {
        return Ok(told);
    }
    let code = told.errcode.ok_or(later)?;
    Err(meaning(code, format!("{} ({code})", told.errmsg)))
}

/// The busy server's answer. There is no status but 200.
pub(crate) const BUSY: SendError = SendError::Later {
    status: 200,
    after: None,
};

/// The lent token in an answer.
pub(crate) fn token(answer: &Answer<'_>) -> Result<Token, SendError> {
    let told = told(answer, |code, _| match code {
        -1 | 45009 | 45011 => BUSY,
        // The account or its secret is wrong, or this machine's address is not on the account's list.
        _ => SendError::Unauthorized,
    })?;
    if told.access_token.is_empty() {
        return Err(BUSY);
    }
    Ok(Token {
        secret: told.access_token,
        lasts: Duration::from_secs(told.expires_in),
    })
}

/// The request for the file `place`, before it has a token; `None` where that is no id of a file.
pub(crate) fn media(mut url: Url, place: &str) -> Option<Call> {
    let is_of_id = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if place.is_empty() || !place.chars().all(is_of_id) {
        return None;
    }
    url.query_pairs_mut().append_pair("media_id", place);
    Some(Call::get(url))
}

/// What an answer to [`media`] is. Videos are elsewhere, on servers of Tencent or of `base`.
pub(crate) fn fetched(
    answer: &Answer<'_>,
    base: &Url,
    meaning: Meaning,
) -> Result<Fetched, SendError> {
    let kind = answer.headers.get(header::CONTENT_TYPE);
    let is_kind =
        |start: &str| kind.is_some_and(|kind| kind.as_bytes().starts_with(start.as_bytes()));
    // Errors come as a text, and so may a file, which has a name.
    let is_named = answer.headers.contains_key(header::CONTENT_DISPOSITION);
    let is_text = is_kind("application/json") || is_kind("text/");
    if (200..300).contains(&answer.status) && (is_named || (kind.is_some() && !is_text)) {
        return Ok(Fetched::File);
    }
    let told = told(answer, meaning)?;
    let url = Url::parse(&told.video_url).ok().filter(|url| {
        let host = url.host_str().unwrap_or_default();
        let is_tencents = host == "qq.com" || host.ends_with(".qq.com");
        matches!(url.scheme(), "http" | "https") && (is_tencents || url.host() == base.host())
    });
    let reason = answer.excerpt();
    let refused = SendError::Refused {
        status: answer.status,
        reason,
    };
    url.map(|url| Fetched::At(Box::new(Call::get(url))))
        .ok_or(refused)
}
