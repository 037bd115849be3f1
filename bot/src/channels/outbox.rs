//! What leaves for a messaging platform: claimed in the store, sent within the platform's rate, in the order of
//! each conversation, at least once.

use std::sync::Arc;
use std::time::Duration;

use connectors::channel::{Call, Choice, Link, Outgoing, Rate, SendError, Sending};
use crm::{ClaimDeliveries, CrmError, Delivery, DeliveryOutcome, Millis, SettleDelivery, Store};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;

use super::account::{Account, Failure};
use crate::audience::{QuickReply, Source};
use crate::clock::Clock;

/// Conversations that are written to at once.
const AT_ONCE: usize = 16;
/// How often it is looked for what other nodes have put into the outbox, and this one.
const LOOK: Duration = Duration::from_millis(250);
/// How long a claim lasts: longer than a request and the wait for its turn. What a killed server was sending is
/// sent again after it.
const CLAIM: Duration = Duration::from_secs(45);
/// Waits between tries: this, doubled each time up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);
/// Tries after which a message is given up.
const MOST_TRIES: i64 = 12;
/// How long nothing is sent after the platform has refused the account's token.
const LOCKED_OUT: Duration = Duration::from_secs(60);

/// The sender of one channel.
pub(crate) struct Outbox {
    /// The CRM store.
    pub(crate) store: Store,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The account.
    pub(crate) account: Arc<Account>,
}

/// Why a message is not even tried.
#[derive(Debug, thiserror::Error)]
enum Unsendable {
    #[error("the customer wants no messages there, or has blocked the account")]
    Blocked,
    #[error(
        "the platform allows answers for {} hours after the customer's last message: reach them by another channel, \
         or configure a template", window.as_secs() / 3600
    )]
    TooLate {
        /// How long it allows them.
        window: Duration,
    },
}

/// How long to wait until the next try after a `failure`; `None` where there is none. `tries` have failed, with
/// this one.
pub(super) fn wait(failure: &Failure, tries: i64) -> Option<Duration> {
    let backoff = backoff(tries);
    let again = |wait| (tries < MOST_TRIES).then_some(wait);
    match failure {
        Failure::Silence(_) | Failure::Mail(_) | Failure::TooLarge { .. } => again(backoff),
        Failure::Refused(SendError::Later { after, .. }) => {
            again(after.map_or(backoff, |after| after.max(backoff)))
        }
        Failure::Refused(SendError::Expired) => again(backoff),
        // It is no fault of the message: nothing is lost while there is no token.
        Failure::Refused(SendError::Unauthorized) => Some(LOCKED_OUT),
        Failure::Refused(
            SendError::Marks { .. }
            | SendError::Moved { .. }
            | SendError::Unreachable { .. }
            | SendError::Refused { .. },
        ) => None,
    }
}

impl Outbox {
    /// Sends until `shutdown`. What is being sent then is settled first.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let limiter = limiter(self.account.connector.limits().account_rate);
        let mut sending = FuturesUnordered::new();
        while !shutdown.is_cancelled() {
            // A slow conversation holds up no other.
            let free = AT_ONCE.saturating_sub(sending.len());
            match self.claim(u32::try_from(free).unwrap_or_default()).await {
                Ok(claimed) => {
                    let deliveries = claimed.into_iter();
                    sending.extend(deliveries.map(|delivery| self.deliver(delivery, &limiter)));
                }
                Err(error) => self.report(&error),
            }
            tokio::select! {
                Some(settled) = sending.next() => self.note(settled),
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => {}
            }
        }
        while let Some(settled) = sending.next().await {
            self.note(settled);
        }
    }

    fn note(&self, settled: Result<(), CrmError>) {
        if let Err(error) = settled {
            self.report(&error);
        }
    }

    fn report(&self, error: &CrmError) {
        let channel = &self.account.channel;
        tracing::error!(channel, "the outbox cannot be read or written: {error}");
    }

    /// Claims what is due, of `limit` conversations at most.
    async fn claim(&self, limit: u32) -> Result<Vec<Delivery>, CrmError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let at = self.clock.now();
        let claim = ClaimDeliveries {
            channel: self.account.channel.clone(),
            limit,
            at,
            until: after(at, CLAIM),
        };
        self.store.claim_deliveries(claim).await
    }

    /// Sends the parts of a message that were not sent yet.
    async fn deliver(
        &self,
        delivery: Delivery,
        limiter: &DefaultDirectRateLimiter,
    ) -> Result<(), CrmError> {
        let delivery = &delivery;
        let calls = match self.calls(delivery) {
            Ok(calls) => calls,
            Err(unsendable) => return self.give_up(delivery, unsendable.to_string()).await,
        };
        let mut parts = delivery.parts.clone();
        let thread_rate = self.account.connector.limits().thread_rate;
        for call in calls.iter().skip(delivery.parts.len()) {
            wait_for(limiter).await;
            match self.account.call(call).await {
                Ok(sent) => parts.push(sent.message),
                Err(failure) => return self.fail(delivery, failure).await,
            }
            metrics::counter!("frontdesk_sent_total", "channel" => self.account.channel.clone())
                .increment(1);
            let parts = parts.clone();
            let outcome = if parts.len() < calls.len() {
                let until = after(self.clock.now(), CLAIM);
                DeliveryOutcome::Parts { parts, until }
            } else {
                DeliveryOutcome::Sent { parts }
            };
            if !self.settle(delivery, outcome).await? {
                return Ok(()); // Somebody else sends the rest.
            }
            // The thread's next message waits for this one: so its rate is kept.
            tokio::time::sleep(thread_rate.per / thread_rate.most.max(1)).await;
        }
        if calls.is_empty() {
            let outcome = DeliveryOutcome::Sent { parts };
            self.settle(delivery, outcome).await?;
        }
        Ok(())
    }

    /// The requests that send a message, or the reminder that stands for it where it is too late for one.
    fn calls(&self, delivery: &Delivery) -> Result<Vec<Call>, Unsendable> {
        if delivery.blocked {
            return Err(Unsendable::Blocked);
        }
        let message = &delivery.message;
        let sources: Vec<Source> =
            serde_json::from_value(message.sources.clone()).unwrap_or_default();
        let replies: Vec<QuickReply> =
            serde_json::from_value(message.quick_replies.clone()).unwrap_or_default();
        let key = format!("{}-{}", delivery.conversation, message.seq);
        let outgoing = Outgoing {
            thread: &delivery.thread,
            key: &key,
            context: delivery.reply_context.as_deref(),
            heard_at: delivery.heard_at.map(|at| at.0 / 1000),
            is_first: delivery.is_first,
            seq: message.seq,
            author: message.author.as_str(),
            text: &message.text,
            links: sources
                .iter()
                .map(|source| Link {
                    title: &source.title,
                    url: source.url.as_deref(),
                })
                .collect(),
            quick_replies: replies
                .iter()
                .map(|reply| Choice {
                    id: &reply.id,
                    label: &reply.text,
                })
                .collect(),
            at: self.clock.now().0 / 1000,
        };
        let connector = &self.account.connector;
        let silent = self.clock.now().0 - delivery.heard_at.map_or(0, |at| at.0);
        match connector.limits().window {
            Some(window) if u128::try_from(silent).is_ok_and(|ms| ms > window.as_millis()) => {
                let calls = connector.send(&Sending::Reminder(&outgoing));
                (!calls.is_empty())
                    .then_some(calls)
                    .ok_or(Unsendable::TooLate { window })
            }
            _ => Ok(connector.send(&Sending::Message(&outgoing))),
        }
    }

    async fn fail(&self, delivery: &Delivery, failure: Failure) -> Result<(), CrmError> {
        let (channel, tries) = (&self.account.channel, delivery.tries + 1);
        metrics::counter!("frontdesk_send_failures_total", "channel" => channel.clone())
            .increment(1);
        let error = failure.to_string();
        let outcome = match wait(&failure, tries) {
            Some(wait) => {
                tracing::warn!(channel, tries, "a message waits {wait:?}: {error}");
                let due_at = after(self.clock.now(), wait);
                DeliveryOutcome::Later { due_at, error }
            }
            None => {
                tracing::error!(channel, tries, "a message is given up: {error}");
                DeliveryOutcome::Dead { error }
            }
        };
        self.settle(delivery, outcome).await?;
        Ok(())
    }

    async fn give_up(&self, delivery: &Delivery, error: String) -> Result<(), CrmError> {
        tracing::warn!(
            channel = self.account.channel,
            "a message is given up: {error}"
        );
        self.settle(delivery, DeliveryOutcome::Dead { error })
            .await?;
        Ok(())
    }

    async fn settle(
        &self,
        delivery: &Delivery,
        outcome: DeliveryOutcome,
    ) -> Result<bool, CrmError> {
        let settle = SettleDelivery {
            conversation: delivery.conversation,
            seq: delivery.message.seq,
            token: delivery.token,
            outcome,
        };
        self.store.settle_delivery(settle).await
    }
}

fn limiter(rate: Rate) -> DefaultDirectRateLimiter {
    let most = std::num::NonZeroU32::new(rate.most).unwrap_or(std::num::NonZeroU32::MIN);
    let period = rate.per / most.get();
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(most));
    RateLimiter::direct(quota.allow_burst(most))
}

async fn wait_for(limiter: &DefaultDirectRateLimiter) {
    while let Err(not_yet) = limiter.check() {
        tokio::time::sleep(not_yet.wait_time_from(DefaultClock::default().now())).await;
    }
}

/// The wait after that many failed tries: doubled each time, and half of it by chance, so that what failed
/// together does not come again together.
pub(super) fn backoff(tries: i64) -> Duration {
    let doublings = u32::try_from(tries - 1).unwrap_or_default().min(20);
    let longest = (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

pub(super) fn after(at: Millis, wait: Duration) -> Millis {
    Millis(at.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_six_hours_and_keep_what_the_platform_asks_for() {
        let later = |after| Failure::Refused(SendError::Later { status: 429, after });
        let due = |tries| wait(&later(None), tries).unwrap();
        for (tries, least) in [(1, 0.5), (2, 1.0), (5, 8.0)] {
            let seconds = due(tries).as_secs_f64();
            assert!(
                (least..=2.0 * least).contains(&seconds),
                "{tries}: {seconds}"
            );
        }
        let asked = Duration::from_secs(600);
        assert_eq!(wait(&later(Some(asked)), 1), Some(asked));
        assert_eq!(wait(&later(None), MOST_TRIES), None);
        assert!(backoff(60) <= LONGEST_WAIT);
    }

    #[test]
    fn a_refused_token_costs_no_message() {
        let refused = Failure::Refused(SendError::Unauthorized);
        assert_eq!(wait(&refused, 1000), Some(LOCKED_OUT));
        let reason = "blocked".to_owned();
        let blocked = Failure::Refused(SendError::Unreachable { reason });
        assert_eq!(wait(&blocked, 1), None);
    }
}
