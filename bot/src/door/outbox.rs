//! What leaves for a messaging platform: claimed in the store, sent within the platform's rate, in the order of
//! each conversation, at least once.

use std::sync::Arc;
use std::time::Duration;

use connectors::channel::{
    Answer, Call, Choice, Connector, Link, Outgoing, Rate, SendError, Sending, Sent,
};
use crm::{ClaimDeliveries, CrmError, Delivery, DeliveryOutcome, Millis, SettleDelivery, Store};
use futures::future::join_all;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;

use crate::audience::{QuickReply, Source};
use crate::clock::Clock;

/// Conversations that are written to at once.
const AT_ONCE: u32 = 16;
/// How often it is looked for what other nodes have put into the outbox, and this one.
const LOOK: Duration = Duration::from_millis(250);
/// How long a claim lasts: longer than a request and the wait for its turn. What a killed server was sending is
/// sent again after it.
const CLAIM: Duration = Duration::from_secs(45);
/// Longest wait for a platform's answer.
const PATIENCE: Duration = Duration::from_secs(30);
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
    /// The channel (`telegram/shop`).
    pub(crate) channel: String,
    /// Its platform.
    pub(crate) connector: Arc<dyn Connector>,
    /// What requests are made with.
    pub(crate) client: reqwest::Client,
}

/// Why a message was not sent, in words for the operator.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Refused(#[from] SendError),
    #[error("the platform does not answer: {0}")]
    Silence(reqwest::Error),
}

impl Failure {
    /// How long to wait until the next try; `None` where there is none. `tries` have failed, with this one.
    fn wait(&self, tries: i64) -> Option<Duration> {
        let backoff = backoff(tries);
        let again = |wait| (tries < MOST_TRIES).then_some(wait);
        match self {
            Self::Silence(_) => again(backoff),
            Self::Refused(SendError::Later { after, .. }) => {
                again(after.map_or(backoff, |after| after.max(backoff)))
            }
            Self::Refused(SendError::Expired) => again(Duration::ZERO),
            // It is no fault of the message: nothing is lost while there is no token.
            Self::Refused(SendError::Unauthorized) => Some(LOCKED_OUT),
            Self::Refused(
                SendError::Marks { .. }
                | SendError::Moved { .. }
                | SendError::Unreachable { .. }
                | SendError::Refused { .. },
            ) => None,
        }
    }
}

impl Outbox {
    /// Sends until `shutdown`. What is being sent then is settled first.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let limiter = limiter(self.connector.limits().account_rate);
        while !shutdown.is_cancelled() {
            let wait = match self.round(&limiter).await {
                Ok(0) => LOOK,
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(channel = self.channel, "the outbox cannot be read: {error}");
                    LOOK * 8
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Sends what is due; gives how many messages that was.
    async fn round(&self, limiter: &DefaultDirectRateLimiter) -> Result<usize, CrmError> {
        let at = self.clock.now();
        let claim = ClaimDeliveries {
            channel: self.channel.clone(),
            limit: AT_ONCE,
            at,
            until: after(at, CLAIM),
        };
        let claimed = self.store.claim_deliveries(claim).await?;
        let deliveries = claimed
            .iter()
            .map(|delivery| self.deliver(delivery, limiter));
        for settled in join_all(deliveries).await {
            settled?;
        }
        Ok(claimed.len())
    }

    /// Sends the parts of a message that were not sent yet.
    async fn deliver(
        &self,
        delivery: &Delivery,
        limiter: &DefaultDirectRateLimiter,
    ) -> Result<(), CrmError> {
        let calls = self.calls(delivery);
        let mut parts = delivery.parts.clone();
        let thread_rate = self.connector.limits().thread_rate;
        for call in calls.iter().skip(delivery.parts.len()) {
            wait_for(limiter).await;
            match self.call(call).await {
                Ok(sent) => parts.push(sent.message),
                Err(failure) => return self.fail(delivery, failure).await,
            }
            metrics::counter!("frontdesk_sent_total", "channel" => self.channel.clone())
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

    /// The requests that send a message.
    fn calls(&self, delivery: &Delivery) -> Vec<Call> {
        let message = &delivery.message;
        let sources: Vec<Source> =
            serde_json::from_value(message.sources.clone()).unwrap_or_default();
        let replies: Vec<QuickReply> =
            serde_json::from_value(message.quick_replies.clone()).unwrap_or_default();
        let key = format!("{}-{}", delivery.conversation, message.seq);
        let outgoing = Outgoing {
            thread: &delivery.thread,
            key: &key,
            context: None,
            heard_at: None,
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
        self.connector.send(&Sending::Message(&outgoing))
    }

    /// Makes a request; once more without marks where the platform cannot read them.
    async fn call(&self, call: &Call) -> Result<Sent, Failure> {
        match (self.request(call, &call.body).await, &call.plain) {
            (Err(Failure::Refused(SendError::Marks { .. })), Some(plain)) => {
                self.request(call, plain).await
            }
            (outcome, _) => outcome,
        }
    }

    async fn request(&self, call: &Call, body: &[u8]) -> Result<Sent, Failure> {
        // The address may hold a token: errors are told without it.
        let silence = |error: reqwest::Error| Failure::Silence(error.without_url());
        let request = self
            .client
            .request(call.method.clone(), call.url.clone())
            .headers(call.headers.clone())
            .timeout(PATIENCE)
            .body(body.to_vec());
        let response = request.send().await.map_err(silence)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.map_err(silence)?;
        let answer = Answer {
            status,
            headers: &headers,
            body: &body,
        };
        Ok(self.connector.accepted(&answer)?)
    }

    async fn fail(&self, delivery: &Delivery, failure: Failure) -> Result<(), CrmError> {
        let (channel, tries) = (&self.channel, delivery.tries + 1);
        metrics::counter!("frontdesk_send_failures_total", "channel" => channel.clone())
            .increment(1);
        let error = failure.to_string();
        let outcome = match failure.wait(tries) {
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
fn backoff(tries: i64) -> Duration {
    let doublings = u32::try_from(tries - 1).unwrap_or_default().min(20);
    let longest = (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

fn after(at: Millis, wait: Duration) -> Millis {
    Millis(at.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_six_hours_and_keep_what_the_platform_asks_for() {
        let later = |after| Failure::Refused(SendError::Later { status: 429, after });
        let wait = |tries| later(None).wait(tries).unwrap();
        for (tries, least) in [(1, 0.5), (2, 1.0), (5, 8.0)] {
            let seconds = wait(tries).as_secs_f64();
            assert!(
                (least..=2.0 * least).contains(&seconds),
                "{tries}: {seconds}"
            );
        }
        let asked = Duration::from_secs(600);
        assert_eq!(later(Some(asked)).wait(1), Some(asked));
        assert_eq!(later(None).wait(MOST_TRIES), None);
        assert!(backoff(60) <= LONGEST_WAIT);
    }

    #[test]
    fn a_refused_token_costs_no_message() {
        let wait = Failure::Refused(SendError::Unauthorized).wait(1000);
        assert_eq!(wait, Some(LOCKED_OUT));
        let reason = "blocked".to_owned();
        let blocked = Failure::Refused(SendError::Unreachable { reason });
        assert_eq!(blocked.wait(1), None);
    }
}
