//! Whether a request is Microsoft's, by the
//! [token that comes with it](https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication).
//!
//! The token does not cover the body. What binds the two is the address of the service that both name: a token
//! of ours is sent there, so it is compared.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use url::Url;

use crate::channel::{Answer, Call, HookError, KeySource, Keys, SendError};

/// How far the clocks of the two may be apart, in seconds.
const TOLERANCE: i64 = 300;
/// How long a set of keys is good.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys that tokens are signed with, and what a token must say.
pub(super) struct Gate {
    /// The OpenID document that leads to the keys.
    openid: Url,
    issuer: String,
    app_id: String,
    keys: RwLock<HashMap<String, Key>>,
}

struct Key {
    key: DecodingKey,
    /// The channels that it may speak for; of a key without any that is all.
    endorsements: Vec<String>,
}

/// A genuine token.
#[derive(Debug)]
pub(super) struct Token {
    service: String,
    endorsements: Vec<String>,
}

impl Token {
    /// Whether it is for an activity of this service and channel.
    pub(super) fn covers(&self, service: &str, channel: &str) -> bool {
        let is_endorsed = self.endorsements.iter().any(|known| known == channel);
        self.service == service && (is_endorsed || self.endorsements.is_empty())
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    nbf: i64,
    serviceurl: String,
}

/// The OpenID document, or the set of keys that it leads to.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    jwks_uri: Option<Url>,
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct WebKey {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(default)]
    endorsements: Vec<String>,
}

impl Gate {
    pub(super) fn new(openid: Url, issuer: String, app_id: String) -> Self {
        Self {
            openid,
            issuer,
            app_id,
            keys: RwLock::default(),
        }
    }

    /// The token of an `Authorization` header.
    pub(super) fn token(&self, header: Option<&str>, at: i64) -> Result<Token, HookError> {
        let (scheme, token) = header
            .and_then(|header| header.trim().split_once(' '))
            .ok_or(HookError::BadSignature)?;
        if self.app_id.is_empty() || !scheme.eq_ignore_ascii_case("bearer") {
            return Err(HookError::BadSignature);
        }
        let token = token.trim();
        let header = decode_header(token).map_err(|_| HookError::BadSignature)?;
        if header.alg != Algorithm::RS256 {
            return Err(HookError::BadSignature);
        }
        let kid = header.kid.ok_or(HookError::BadSignature)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(&kid).ok_or(HookError::UnknownKey)?;
        let claims = decode::<Claims>(token, &key.key, &self.validation())
            .map_err(|_| HookError::BadSignature)?
            .claims;
        let earliest = claims.nbf.saturating_sub(TOLERANCE);
        let latest = claims.exp.saturating_add(TOLERANCE);
        if !(earliest..=latest).contains(&at) {
            return Err(HookError::WrongTime);
        }
        Ok(Token {
            service: claims.serviceurl,
            endorsements: key.endorsements.clone(),
        })
    }

    /// What a token must say, but for the time: that is the request's, not this machine's.
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.app_id]);
        validation.validate_exp = false;
        validation
    }
}

impl KeySource for Gate {
    fn request(&self) -> Call {
        Call::get(self.openid.clone())
    }

    fn keys(&self, answer: &Answer<'_>) -> Result<Keys, SendError> {
        let status = answer.status;
        let later = || SendError::Later {
            status,
            after: answer.retry_after(),
        };
        if status != StatusCode::OK.as_u16() {
            return Err(later());
        }
        let document: Document = serde_json::from_slice(answer.body).map_err(|_| later())?;
        if let Some(url) = document.jwks_uri {
            // Keys that came over a less guarded way than the document would be anybody's.
            return match url.scheme() == self.openid.scheme() {
                true => Ok(Keys::At(Box::new(Call::get(url)))),
                false => Err(SendError::Refused {
                    status,
                    reason: answer.excerpt(),
                }),
            };
        }
        let keys: HashMap<String, Key> = document.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(later());
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(Keys::Set { until: GOOD_FOR })
    }
}

impl Key {
    /// A key with its name; `None` of a kind that signs no token here.
    fn read(key: serde_json::Value) -> Option<(String, Self)> {
        let web: WebKey = serde_json::from_value(key).ok()?;
        let key = DecodingKey::from_rsa_components(&web.n, &web.e).ok()?;
        let key = Self {
            key,
            endorsements: web.endorsements,
        };
        (web.kty == "RSA").then_some((web.kid, key))
    }
}
