//! What the Bot Connector and the token endpoint answer.

use std::time::Duration;

use serde::Deserialize;

use super::activity::lenient;
use crate::channel::{Answer, SendError, Sent, Token};

/// Codes of those who have blocked or removed the bot.
const UNREACHABLE: [&str; 4] = [
    "BotNotInConversationRoster",
    "ConversationBlockedByUser",
    "MessageWritesBlocked",
    "BotDisabledByAdmin",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Told {
    #[serde(deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    error: Option<Cause>,
    /// Of errors of the services behind the connector: words, or JSON.
    #[serde(deserialize_with = "lenient")]
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Cause {
    /// Of OAuth 2.0 (RFC 6749, section 5.2).
    Grant(String),
    Connector(Failure),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure {
    #[serde(deserialize_with = "lenient")]
    code: String,
    #[serde(deserialize_with = "lenient")]
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Inner {
    #[serde(deserialize_with = "lenient")]
    sub_code: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Lent {
    access_token: String,
    /// In seconds.
    expires_in: u64,
}

pub(super) fn accepted(answer: &Answer<'_>) -> Result<Sent, SendError> {
    // An indicator of typing has no id, and may have no body.
    let told = match answer.body {
        [] => Ok(Told::default()),
        body => serde_json::from_slice(body),
    };
    match told {
        Ok(told) if (200..300).contains(&answer.status) && told.error.is_none() => {
            let message = told.id.filter(|id| !id.is_empty());
            Ok(Sent { message })
        }
        told => Err(refusal(answer, told.unwrap_or_default())),
    }
}

pub(super) fn fetched(answer: &Answer<'_>) -> Result<(), SendError> {
    match answer.status {
        200..=299 => Ok(()),
        _ => Err(refused(answer)),
    }
}

pub(super) fn token(answer: &Answer<'_>) -> Result<Token, SendError> {
    let lent: Lent = serde_json::from_slice(answer.body).unwrap_or_default();
    if answer.status != 200 || lent.access_token.is_empty() {
        let error = refused(answer);
        // No lent token was shown here.
        let is_of_secret = error == SendError::Expired;
        return Err(if is_of_secret {
            SendError::Unauthorized
        } else {
            error
        });
    }
    Ok(Token {
        secret: lent.access_token,
        lasts: Duration::from_secs(lent.expires_in),
    })
}

fn refused(answer: &Answer<'_>) -> SendError {
    refusal(
        answer,
        serde_json::from_slice(answer.body).unwrap_or_default(),
    )
}

/// What to do, by the [table of errors](https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages).
fn refusal(answer: &Answer<'_>, told: Told) -> SendError {
    let status = answer.status;
    let (is_of_grant, failure) = match told.error {
        Some(Cause::Grant(code)) => (
            true,
            Failure {
                code,
                ..Failure::default()
            },
        ),
        Some(Cause::Connector(failure)) => (false, failure),
        None => (
            false,
            Failure {
                message: told.message,
                ..Failure::default()
            },
        ),
    };
    let inner: Inner = serde_json::from_str(&failure.message).unwrap_or_default();
    let is_unreachable = [&failure.code, &inner.sub_code]
        .into_iter()
        .any(|code| UNREACHABLE.contains(&code.as_str()));
    let reason = answer.excerpt();
    match status {
        400 | 401 | 403 if is_of_grant => SendError::Unauthorized,
        401 if failure.code == "BotNotRegistered" => SendError::Unauthorized,
        401 => SendError::Expired,
        403 if is_unreachable => SendError::Unreachable { reason },
        // 412: two wrote to the conversation at once; 2xx with something else: a proxy answered. After 500 the
        // message may have been delivered, and is not to be sent again.
        200..=299 | 408 | 412 | 429 | 502..=504 => SendError::Later {
            status,
            after: answer.retry_after(),
        },
        status => SendError::Refused { status, reason },
    }
}
