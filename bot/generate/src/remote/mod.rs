//! A model behind a server that speaks OpenAI's chat completions: llama-server, vLLM, a provider.
//!
//! A request is tried again only while nothing of its reply has been read. Dropping a
//! [`Generation`] closes its connection, and the server stops writing.

mod relay;
mod waits;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Response, redirect};
use tokio::sync::{Semaphore, mpsc};
use url::Url;

use self::relay::{Relay, read_body};
use self::waits::Waits;
use self::wire::{Body, Refusal};
use crate::{GenerateError, Generation, Generator, Meter, Request};

/// Chunks that may lie unread before the server is no longer read from.
const UNREAD_CHUNKS: usize = 64;
/// Longest that a connection waits for the next request: servers close theirs after five seconds.
const IDLE: Duration = Duration::from_secs(4);
/// Most bytes read of an error's explanation.
const EXPLANATION: usize = 64 << 10;

/// A key that is never shown.
#[derive(Clone, serde::Deserialize)]
#[serde(transparent)]
pub struct ApiKey(String);

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

/// Where a [`Remote`] is.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// Up to and including `/v1`.
    pub base_url: Url,
    /// The model's name there.
    pub model: String,
    /// Sent as a bearer token.
    pub api_key: Option<ApiKey>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest silence of the server: before the first token, and between two.
    pub read_timeout: Duration,
    /// Requests at a time; more are [`GenerateError::Busy`].
    pub max_in_flight: usize,
}

/// A model on a server.
pub struct Remote {
    client: Client,
    endpoint: Url,
    model: String,
    api_key: Option<ApiKey>,
    places: Arc<Semaphore>,
    max_in_flight: usize,
    /// The last request that came to an end came to a good one.
    well: Arc<AtomicBool>,
    waits: Arc<Waits>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Remote {
    /// Connects to nothing yet. Installs rustls' ring provider unless the process has one: without
    /// it the HTTP client would panic.
    ///
    /// # Errors
    /// [`GenerateError::Backend`] when URL or key cannot be used.
    pub fn new(config: RemoteConfig) -> Result<Self, GenerateError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may be faster; one provider is as good as the other.
            rustls::crypto::ring::default_provider()
                .install_default()
                .ok();
        }
        let client = Client::builder()
            .default_headers(headers(config.api_key.as_ref())?)
            .connect_timeout(config.connect_timeout)
            .read_timeout(config.read_timeout)
            .pool_idle_timeout(IDLE)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| failure("its HTTP client cannot be built", error))?;
        let max_in_flight = config.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            client,
            endpoint: endpoint(config.base_url)?,
            model: config.model,
            api_key: config.api_key,
            places: Arc::new(Semaphore::new(max_in_flight)),
            max_in_flight,
            well: Arc::new(AtomicBool::new(true)),
            waits: Arc::default(),
        })
    }

    /// Sends `body`, again after a failure that may pass.
    async fn ask(&self, body: &Body<'_>) -> Result<Response, GenerateError> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(8))
            .with_max_times(2)
            .with_jitter();
        let response = (|| self.try_once(body))
            .retry(backoff)
            .when(|refusal: &Refusal| refusal.may_retry)
            .adjust(|refusal, delay| delay.map(|delay| refusal.retry_after.unwrap_or(delay)))
            .await;
        response.map_err(|refusal| refusal.error)
    }

    async fn try_once(&self, body: &Body<'_>) -> Result<Response, Refusal> {
        let sent = self
            .client
            .post(self.endpoint.clone())
            .json(body)
            .send()
            .await;
        let response = sent.map_err(|error| Refusal {
            // Asking twice harms nobody. A server closes connections that it thinks idle, at times just
            // when a request is on its way.
            may_retry: error.is_connect() || error.is_request() && !error.is_timeout(),
            retry_after: None,
            error: failure("its server cannot be reached; check its base URL", error),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        // The status says enough when the explanation breaks off.
        let explanation = read_body(response, EXPLANATION).await.unwrap_or_default();
        let in_flight = self.max_in_flight - self.places.available_permits();
        Err(wire::refusal(
            status,
            &headers,
            &self.redacted(explanation),
            in_flight,
        ))
    }

    /// `text` without the key, which some servers quote.
    fn redacted(&self, text: String) -> String {
        match &self.api_key {
            Some(ApiKey(key)) if !key.is_empty() => text.replace(key.as_str(), "[key]"),
            Some(_) | None => text,
        }
    }
}

#[async_trait]
impl Generator for Remote {
    async fn generate(&self, request: Request) -> Result<Generation, GenerateError> {
        let place =
            Arc::clone(&self.places)
                .try_acquire_owned()
                .map_err(|_| GenerateError::Busy {
                    waiting: self.max_in_flight,
                })?;
        let (chunks, reader) = mpsc::channel(UNREAD_CHUNKS);
        let meter = Meter::default();
        let stops = request.stop.clone();
        let relay = Relay::new(chunks, meter.clone(), stops, request.max_tokens);
        let body = Body::new(&self.model, &request)?;
        let response = self.ask(&body).await;
        self.well.store(response.is_ok(), Ordering::Relaxed);
        let (response, well) = (response?, Arc::clone(&self.well));
        let waits = Arc::clone(&self.waits);
        tokio::spawn(relay.run(response, move |it_went_well, first_words| {
            well.store(it_went_well, Ordering::Relaxed);
            if let Some(first_words) = first_words {
                waits.note(first_words, Instant::now());
            }
            drop(place);
        }));
        Ok(Generation::new(reader, meter))
    }

    fn model(&self) -> &str {
        &self.model
    }

    /// None ever wait here: the server has its own queue.
    fn waiting(&self) -> usize {
        0
    }

    /// As long as the last ones waited; what is long ago counts for little.
    fn wait(&self) -> Duration {
        self.waits.expected(Instant::now())
    }

    /// Whether the last request went well. Nothing but another request finds out whether a server
    /// is back, so this is for showing, not for holding requests back.
    fn healthy(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }
}

fn headers(key: Option<&ApiKey>) -> Result<HeaderMap, GenerateError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(ApiKey(key)) = key {
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| {
            GenerateError::backend("its API key has characters that cannot be sent; set it anew")
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Where chat completions are under `base`, with or without a slash at its end.
fn endpoint(mut base: Url) -> Result<Url, GenerateError> {
    match base.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        Err(()) => {
            return Err(GenerateError::backend(
                "its base URL is none of a server; set an http URL",
            ));
        }
    }
    Ok(base)
}

/// An error of the HTTP client. Its URL is left out: it may hold a password.
fn failure(reason: &str, error: reqwest::Error) -> GenerateError {
    let error = error.without_url();
    GenerateError::Backend {
        reason: format!("{reason} ({error})"),
        source: Some(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_may_end_in_a_slash() {
        for base in ["http://localhost:8080/v1", "http://localhost:8080/v1/"] {
            let endpoint = endpoint(base.parse().unwrap()).unwrap();
            assert_eq!(
                endpoint.as_str(),
                "http://localhost:8080/v1/chat/completions"
            );
        }
        assert!(endpoint("mailto:a@example.com".parse().unwrap()).is_err());
    }

    #[test]
    fn a_key_is_shown_nowhere() {
        let config = RemoteConfig {
            base_url: "http://localhost/v1".parse().unwrap(),
            model: "m".to_owned(),
            api_key: Some("sk-secret".to_owned().into()),
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
            max_in_flight: 1,
        };
        let shown = format!("{config:?}");
        assert!(!shown.contains("sk-secret"), "{shown}");
        let remote = Remote::new(config).unwrap();
        let shown = format!("{remote:?} {:?}", remote.client);
        assert!(!shown.contains("sk-secret"), "{shown}");
        assert_eq!(
            remote.redacted("bad key sk-secret".to_owned()),
            "bad key [key]"
        );
    }
}
