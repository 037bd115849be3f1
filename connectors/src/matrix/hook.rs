//! What a homeserver tells an [application service](https://spec.matrix.org/v1.17/application-service-api/).

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Settings;
use super::event::{Event, Read};
use super::sync::bell;
use crate::channel::{Hook, HookError, Received, Reply};
use crate::signature::same;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Transaction {
    events: Vec<Value>,
    ephemeral: Vec<Value>,
}

impl Settings {
    /// Reads a request to the hook.
    pub(super) fn hooked(&self, hook: &Hook<'_>) -> Result<Received, HookError> {
        self.verify(hook)?;
        let url = Url::parse(hook.url).map_err(|_| HookError::Malformed)?;
        let path: Vec<&str> = url.path().split('/').collect();
        let done = Received {
            reply: Some(Reply::json(&json!({}))),
            ..Received::default()
        };
        match (hook.method.as_str(), path.as_slice()) {
            ("PUT", [.., "transactions", id]) => {
                let transaction: Transaction =
                    serde_json::from_slice(hook.body).map_err(|_| HookError::Malformed)?;
                let read = self.transaction(transaction, id);
                Ok(Received {
                    bell: read.joined.as_ref().map(bell),
                    events: read.events,
                    calls: read.calls,
                    ..done
                })
            }
            ("POST", [.., "ping"]) => Ok(done),
            // A success would mean that there is such a user, or alias.
            _ => Err(HookError::Malformed),
        }
    }

    /// By the header; the parameter of the query, which older servers send, too, must not be another.
    fn verify(&self, hook: &Hook<'_>) -> Result<(), HookError> {
        let header = hook.header("authorization");
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        let token = token.ok_or(HookError::BadSignature)?;
        let is_ours = |token: &str| same(token.as_bytes(), self.hook_token.as_bytes());
        let of_query = hook.parameter("access_token");
        let are_ours = is_ours(token) && of_query.is_none_or(|token| is_ours(&token));
        match self.is_service() && are_ours {
            true => Ok(()),
            false => Err(HookError::BadSignature),
        }
    }

    fn transaction(&self, transaction: Transaction, id: &str) -> Read {
        let mut read = Read::default();
        // An event of an unknown form is passed over: it would come again for ever.
        let known = |events: Vec<Value>| {
            let events = events.into_iter().map(serde_json::from_value::<Event>);
            events.filter_map(Result::ok)
        };
        for event in known(transaction.events) {
            self.read(&event, &mut read);
        }
        for event in known(transaction.ephemeral) {
            read.events.extend(self.read_ephemeral(&event, id));
        }
        read
    }
}
