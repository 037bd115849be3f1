//! How it goes with an account: what failed last, told once when it begins and once when it is over.

use connectors::channel::SendError;
use parking_lot::Mutex;

use super::account::Failure;

/// How it goes with an account.
pub(crate) struct Health {
    channel: String,
    /// Why the account cannot be used at present.
    trouble: Mutex<Option<String>>,
}

impl Health {
    pub(crate) fn new(channel: &str) -> Self {
        gauge(channel, true);
        Self {
            channel: channel.to_owned(),
            trouble: Mutex::default(),
        }
    }

    /// Notes how a request went. What is a message's own fault says nothing about the account.
    pub(crate) fn note(&self, failure: Option<&Failure>) {
        match failure {
            None => self.good(),
            Some(Failure::Refused(
                SendError::Later { .. }
                | SendError::Marks { .. }
                | SendError::Moved { .. }
                | SendError::Unreachable { .. }
                | SendError::Refused { .. },
            )) => {}
            Some(
                failure @ (Failure::Refused(SendError::Unauthorized | SendError::Expired)
                | Failure::Silence(_)
                | Failure::Mail(_)
                | Failure::TooLarge { .. }),
            ) => self.bad(failure.to_string()),
        }
    }

    /// The account cannot be used, for that reason.
    pub(crate) fn bad(&self, reason: String) {
        let mut trouble = self.trouble.lock();
        if trouble.as_ref() != Some(&reason) {
            tracing::error!(channel = self.channel, "the channel is down: {reason}");
        }
        gauge(&self.channel, false);
        *trouble = Some(reason);
    }

    /// The account can be used.
    pub(crate) fn good(&self) {
        if self.trouble.lock().take().is_some() {
            tracing::info!(channel = self.channel, "the channel is up again");
        }
        gauge(&self.channel, true);
    }
}

fn gauge(channel: &str, up: bool) {
    let value = if up { 1.0 } else { 0.0 };
    metrics::gauge!("frontdesk_channel_up", "channel" => channel.to_owned()).set(value);
}
