//! An account on a messaging platform: its connector, and what makes the requests that the connector writes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connectors::channel::{Answer, Auth, Call, Connector, Keys, SendError, Sending, Sent, Token};
use crm::ConversationId;
use parking_lot::Mutex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Notify;

use super::health::Health;
use super::mail::{MailError, PostOffice};

/// Longest wait for a platform's answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer that is read, in bytes; files have a limit of their own.
const MOST_ANSWER: usize = 4 * 1024 * 1024;
/// How long keys are not asked for again.
const KEYS_AGAIN: Duration = Duration::from_secs(60);
/// Places that keys may lead through.
const MOST_STEPS: usize = 4;
/// How long before its end a lent token is renewed.
const EARLY: Duration = Duration::from_secs(300);

/// An account on a messaging platform.
pub(crate) struct Account {
    /// The channel (`telegram/shop`).
    pub(crate) channel: String,
    /// Its platform.
    pub(crate) connector: Arc<dyn Connector>,
    /// How it goes.
    pub(crate) health: Health,
    /// What a hook told of something to be polled, and that it did.
    bell: (Mutex<Option<String>>, Notify),
    client: reqwest::Client,
    /// The servers of a mailbox.
    pub(super) office: Option<PostOffice>,
    /// One request for a token at a time.
    lent: tokio::sync::Mutex<Option<Lent>>,
    /// Conversations in which it is shown that a reply is being written.
    typing: Mutex<HashSet<ConversationId>>,
    /// When keys were asked for last.
    keys_tried: tokio::sync::Mutex<Option<Instant>>,
}

/// A lent token, and until when it is used.
struct Lent {
    token: Token,
    until: Instant,
}

/// A platform's answer.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
        }
    }
}

/// Why a request was in vain, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(#[from] SendError),
    #[error("the platform does not answer: {0}")]
    Silence(reqwest::Error),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error("the answer is larger than {most} bytes")]
    TooLarge {
        /// Bytes that it may have.
        most: usize,
    },
}

impl Account {
    pub(crate) fn new(
        channel: String,
        connector: Arc<dyn Connector>,
        office: Option<PostOffice>,
        client: reqwest::Client,
    ) -> Self {
        Self {
            health: Health::new(&channel),
            channel,
            connector,
            bell: Default::default(),
            client,
            office,
            lent: tokio::sync::Mutex::default(),
            typing: Mutex::default(),
            keys_tried: tokio::sync::Mutex::default(),
        }
    }

    /// Makes a request, and has its answer read; once more without marks where the platform cannot read them, or
    /// with another token where the lent one has expired.
    pub(crate) async fn call(&self, call: &Call) -> Result<Sent, Failure> {
        let accepted = |response: Response| Ok(self.connector.accepted(&response.answer())?);
        let first = self.answer(call).await.and_then(accepted);
        let sent = match (first, &call.plain) {
            (Err(Failure::Refused(SendError::Marks { .. })), Some(plain)) => {
                let plain = Call {
                    body: plain.clone(),
                    plain: None,
                    ..call.clone()
                };
                self.answer(&plain).await.and_then(accepted)
            }
            (Err(Failure::Refused(SendError::Expired)), _) => {
                self.forget_token().await;
                self.answer(call).await.and_then(accepted)
            }
            (outcome, _) => outcome,
        };
        self.health.note(sent.as_ref().err());
        sent
    }

    /// Sends what may be lost: an indicator of typing, a receipt.
    pub(crate) async fn try_to_send(&self, sending: &Sending<'_>) {
        self.try_to_call(&self.connector.send(sending)).await;
    }

    /// Makes requests of which nothing depends.
    pub(crate) async fn try_to_call(&self, calls: &[Call]) {
        for call in calls {
            if let Err(error) = self.call(call).await {
                tracing::debug!(channel = self.channel, "a request was in vain: {error}");
                return;
            }
        }
    }

    /// The platform's answer to a request, whatever it says.
    pub(crate) async fn answer(&self, call: &Call) -> Result<Response, Failure> {
        self.answer_within(call, MOST_ANSWER, PATIENCE).await
    }

    /// The platform's answer, of at most so many bytes, within that time.
    pub(crate) async fn answer_within(
        &self,
        call: &Call,
        most: usize,
        patience: Duration,
    ) -> Result<Response, Failure> {
        let token = match call.auth {
            Auth::Complete => None,
            Auth::Bearer | Auth::Header(_) | Auth::Query(_) => self.token().await?,
        };
        let call = match token {
            Some(token) => authorized(call.clone(), &token.secret),
            None => call.clone(),
        };
        self.request(call, most, patience).await
    }

    async fn request(
        &self,
        call: Call,
        most: usize,
        patience: Duration,
    ) -> Result<Response, Failure> {
        if let ("smtp" | "smtps", Some(office)) = (call.url.scheme(), &self.office) {
            return office.send(&call).await;
        }
        // The address may hold a token: errors are told without it.
        let silence = |error: reqwest::Error| Failure::Silence(error.without_url());
        let request = self
            .client
            .request(call.method, call.url)
            .headers(call.headers)
            .timeout(patience)
            .body(call.body);
        let mut response = request.send().await.map_err(silence)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silence)? {
            if body.len() + chunk.len() > most {
                return Err(Failure::TooLarge { most });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    /// The lent token, of an account that has one.
    async fn token(&self) -> Result<Option<Token>, Failure> {
        let Some(source) = self.connector.tokens() else {
            return Ok(None);
        };
        let mut lent = self.lent.lock().await;
        if let Some(known) = lent.as_ref().filter(|lent| Instant::now() < lent.until) {
            return Ok(Some(known.token.clone()));
        }
        let response = self
            .request(source.request(), MOST_ANSWER, PATIENCE)
            .await?;
        let token = source.token(&response.answer())?;
        let lasts = token.lasts.saturating_sub(EARLY).max(token.lasts / 2);
        *lent = Some(Lent {
            token: token.clone(),
            until: Instant::now() + lasts,
        });
        Ok(Some(token))
    }

    /// Has another token asked for: the platform does not know the lent one any more.
    pub(super) async fn forget_token(&self) {
        *self.lent.lock().await = None;
    }

    /// Fetches the keys that requests to the hook are checked against; gives whether there are others now. Anybody
    /// can name an unknown key, so that they are asked for now and then only.
    pub(crate) async fn renew_keys(&self) -> bool {
        let Some(source) = self.connector.keys() else {
            return false;
        };
        let mut tried = self.keys_tried.lock().await;
        if tried.is_some_and(|at| at.elapsed() < KEYS_AGAIN) {
            return false;
        }
        *tried = Some(Instant::now());
        let mut call = source.request();
        for _ in 0..MOST_STEPS {
            let response = match self.request(call, MOST_ANSWER, PATIENCE).await {
                Ok(response) => response,
                Err(error) => {
                    self.health.bad(error.to_string());
                    return false;
                }
            };
            match source.keys(&response.answer()) {
                Ok(Keys::At(next)) => call = *next,
                Ok(Keys::Set { .. }) => return true,
                Err(error) => {
                    self.health.bad(error.to_string());
                    return false;
                }
            }
        }
        false
    }

    /// It is shown from now on that a reply is being written; gives whether it was not shown before.
    pub(super) fn begins(&self, conversation: ConversationId) -> bool {
        self.typing.lock().insert(conversation)
    }

    /// It is shown no more.
    pub(super) fn ends(&self, conversation: ConversationId) {
        self.typing.lock().remove(&conversation);
    }

    /// A hook told that there is something to be polled.
    pub(crate) fn ring(&self, bell: String) {
        *self.bell.0.lock() = Some(bell);
        self.bell.1.notify_one();
    }

    /// What a hook told last, once.
    pub(crate) fn take_bell(&self) -> Option<String> {
        self.bell.0.lock().take()
    }

    /// Ready when a hook has told of something.
    pub(crate) async fn rung(&self) {
        self.bell.1.notified().await;
    }
}

/// The request with the lent token in its place. A token that no header can hold is left out, and refused by the
/// platform.
fn authorized(mut call: Call, token: &str) -> Call {
    match call.auth {
        Auth::Complete => call,
        Auth::Bearer => call.bearer(token),
        Auth::Header(name) => {
            if let Ok(mut value) = HeaderValue::from_str(token) {
                value.set_sensitive(true);
                call.headers.insert(HeaderName::from_static(name), value);
            }
            call
        }
        Auth::Query(name) => {
            call.url.query_pairs_mut().append_pair(name, token);
            call
        }
    }
}
