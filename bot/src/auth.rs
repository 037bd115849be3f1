//! Who writes: customer tokens that the shop's backend signs, and the secrets that let a browser
//! take its own conversation up again.
//!
//! A token is a JWT (RFC 7519) with `alg` HS256, `sub` (the customer's id) and `exp`. Nothing that a
//! customer or the model writes has any say in whose records are read.

use std::path::Path;
use std::time::Duration;

use crm::{ConversationId, CustomerId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Secret;

/// Why a token is not accepted. The text is for the page that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Tokens cannot be checked.
    #[error("this server has no auth.secret, so it cannot check customer tokens")]
    NoSecret,
    /// Past its `exp`.
    #[error("the customer token has expired; fetch a new one from the shop's backend")]
    Expired,
    /// Anything else.
    #[error(
        "the customer token is not valid; check that it is signed with auth.secret (HS256) and has `sub` and `exp`"
    )]
    Invalid,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// Checks customer tokens.
///
/// # Errors
/// [`TokenError`].
pub fn verify(secret: Option<&Secret>, token: &str) -> Result<CustomerId, TokenError> {
    let secret = secret.ok_or(TokenError::NoSecret)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp", "sub"]);
    validation.validate_exp = true;
    validation.leeway = 30;
    let key = DecodingKey::from_secret(secret.reveal().as_bytes());
    let data = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| {
        if *error.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature {
            TokenError::Expired
        } else {
            TokenError::Invalid
        }
    })?;
    if data.claims.sub.trim().is_empty() {
        return Err(TokenError::Invalid);
    }
    Ok(CustomerId(data.claims.sub))
}

/// Signs a token for `customer`, as a shop's backend does.
///
/// # Errors
/// [`TokenError::Invalid`] if the token cannot be made.
pub fn sign(secret: &Secret, customer: &str, valid_for: Duration) -> Result<String, TokenError> {
    let exp = jsonwebtoken::get_current_timestamp().saturating_add(valid_for.as_secs());
    let claims = Claims {
        sub: customer.to_owned(),
        exp,
    };
    let key = EncodingKey::from_secret(secret.reveal().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|_| TokenError::Invalid)
}

/// Makes and checks the names under which browsers know their conversations: the conversation's id
/// and, so that nobody can guess another's, an HMAC of it.
#[derive(Clone, Debug)]
pub struct ConversationKeys {
    key: Secret,
}

impl ConversationKeys {
    /// Keys derived from the secret in `folder`, which is made on first use.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let file = folder.join("conversation.key");
        match std::fs::read_to_string(&file) {
            Ok(key) if key.trim().len() >= 32 => Ok(Self {
                key: Secret::from(key.trim().to_owned()),
            }),
            Ok(_) => Self::create(&file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(&file),
            Err(error) => Err(error),
        }
    }

    fn create(file: &Path) -> std::io::Result<Self> {
        let key = random_secret();
        write_private(file, &key)?;
        Ok(Self {
            key: Secret::from(key),
        })
    }

    /// The name of a conversation, for its browser only.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if it cannot be signed.
    pub(crate) fn name(&self, conversation: ConversationId) -> Result<String, TokenError> {
        let key = EncodingKey::from_secret(self.key.reveal().as_bytes());
        let tag = jsonwebtoken::crypto::sign(conversation.0.as_bytes(), &key, Algorithm::HS256)
            .map_err(|_| TokenError::Invalid)?;
        Ok(format!("{}.{tag}", conversation.0.simple()))
    }

    /// The conversation of this name; `None` if the name is not ours.
    pub(crate) fn check(&self, name: &str) -> Option<ConversationId> {
        let (id, tag) = name.split_once('.')?;
        let conversation = ConversationId(Uuid::try_parse(id).ok()?);
        let key = DecodingKey::from_secret(self.key.reveal().as_bytes());
        let id = conversation.0.as_bytes();
        let is_ours = jsonwebtoken::crypto::verify(tag, id, &key, Algorithm::HS256);
        is_ours.unwrap_or(false).then_some(conversation)
    }
}

/// A secret of 32 bytes that nobody can guess.
#[expect(
    clippy::disallowed_methods,
    reason = "the one thing that must never be repeated"
)]
pub(crate) fn random_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(unix)]
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?
        .write_all(text.as_bytes())
}

#[cfg(not(unix))]
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    std::fs::write(file, text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret() -> Secret {
        Secret::from("0123456789abcdef0123456789abcdef".to_owned())
    }

    #[test]
    fn a_signed_token_names_its_customer() {
        let token = sign(&secret(), "C-1001", Duration::from_secs(60)).unwrap();
        assert_eq!(verify(Some(&secret()), &token), Ok("C-1001".into()));
    }

    #[test]
    fn another_key_and_another_algorithm_are_refused() {
        let token = sign(&secret(), "C-1001", Duration::from_secs(60)).unwrap();
        let other = Secret::from("f".repeat(32));
        assert_eq!(verify(Some(&other), &token), Err(TokenError::Invalid));
        // {"alg":"none"}, {"sub":"C-1001","exp":99999999999}
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJDLTEwMDEiLCJleHAiOjk5OTk5OTk5OTk5fQ.";
        assert_eq!(verify(Some(&secret()), unsigned), Err(TokenError::Invalid));
        assert_eq!(verify(None, &token), Err(TokenError::NoSecret));
    }

    #[test]
    fn an_expired_token_says_so() {
        let claims = Claims {
            sub: "C-1".into(),
            exp: jsonwebtoken::get_current_timestamp() - 3600,
        };
        let key = EncodingKey::from_secret(secret().reveal().as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        assert_eq!(verify(Some(&secret()), &token), Err(TokenError::Expired));
    }

    #[test]
    fn a_conversation_is_known_by_its_own_name_only() {
        let folder = tempfile::tempdir().unwrap();
        let keys = ConversationKeys::open(folder.path()).unwrap();
        let (mine, other) = (
            ConversationId(Uuid::from_u128(1)),
            ConversationId(Uuid::from_u128(2)),
        );
        let name = keys.name(mine).unwrap();
        assert_eq!(keys.check(&name), Some(mine));
        let forged = format!("{}.{}", other.0.simple(), name.split_once('.').unwrap().1);
        assert_eq!(keys.check(&forged), None);
        let reopened = ConversationKeys::open(folder.path()).unwrap();
        assert_eq!(reopened.check(&name), Some(mine), "the key is kept");
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_token(text in ".{0,200}") {
            prop_assert!(verify(Some(&secret()), &text).is_err());
        }
    }
}
