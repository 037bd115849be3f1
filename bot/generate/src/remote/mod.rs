//! Models behind servers that speak OpenAI's chat completions API: llama-server, vLLM, a provider.
//!
//! Of several servers the least busy is chosen; all turns of a conversation go to the same one
//! where that costs little, since its cache holds the earlier turns. A server that fails is left
//! out for a while and another is tried. A request is retried only until the first bytes of its
//! reply have been read. Dropping a [`Generation`] closes its connection, and the server stops
//! generating.

mod relay;
mod server;
mod waits;
mod wire;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Response, redirect};
use tokio::sync::{Semaphore, mpsc};
use url::Url;

use self::relay::{Relay, read_body};
use self::server::{InFlight, Server};
use self::wire::{Body, Refusal};
use crate::{GenerateError, Generation, Generator, Meter, Request};

/// Chunks that may lie unread before the server is no longer read from.
const UNREAD_CHUNKS: usize = 64;
/// Longest that a connection waits for the next request: servers close theirs after five seconds.
const IDLE: Duration = Duration::from_secs(4);
/// Most bytes read of an error's explanation.
const EXPLANATION: usize = 64 << 10;
/// How many times as busy as the least busy server that of a conversation may be: to compute anew what
/// was said costs about as much.
const LOYALTY: f64 = 2.0;

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
    /// Up to and including `/v1`, at least one; all serve the same model.
    pub base_urls: Vec<Url>,
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

/// A model on one server, or several.
pub struct Remote {
    client: Client,
    servers: Vec<Arc<Server>>,
    model: String,
    api_key: Option<ApiKey>,
    places: Arc<Semaphore>,
    max_in_flight: usize,
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
    /// [`GenerateError::Backend`] when a URL or the key cannot be used.
    pub fn new(config: RemoteConfig) -> Result<Self, GenerateError> {
        if config.base_urls.is_empty() {
            return Err(GenerateError::backend("it has no base URL; set one"));
        }
        let servers = config.base_urls.into_iter().map(Server::new);
        let servers = servers.map(|server| server.map(Arc::new));
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
            servers: servers.collect::<Result<_, _>>()?,
            model: config.model,
            api_key: config.api_key,
            places: Arc::new(Semaphore::new(max_in_flight)),
            max_in_flight,
        })
    }

    /// Sends `body`, again after a failure that may pass.
    async fn ask(
        &self,
        body: &Body<'_>,
        conversation: Option<u64>,
    ) -> Result<(Response, InFlight), GenerateError> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(8))
            .with_max_times(2)
            .with_jitter();
        // A request that servers break down over does so each time: one of them is not worth their all
        // being left alone.
        let rounds = AtomicUsize::new(0);
        let round = || self.ask_one_of(body, conversation, rounds.fetch_add(1, Ordering::Relaxed));
        let response = round
            .retry(backoff)
            .when(Refusal::may_pass)
            .adjust(|refusal, delay| delay.map(|delay| refusal.retry_after.unwrap_or(delay)))
            .await;
        response.map_err(|refusal| refusal.error)
    }

    /// Sends `body` to one server after the other until one takes it; the last one's refusal. In later
    /// rounds than the first, 0, they are not held to account.
    async fn ask_one_of(
        &self,
        body: &Body<'_>,
        conversation: Option<u64>,
        round: usize,
    ) -> Result<(Response, InFlight), Refusal> {
        let mut refused = Refusal {
            error: GenerateError::backend(
                "its server has failed several times, and is asked again within a minute",
            ),
            may_retry: false,
            is_broken: true,
            retry_after: None,
        };
        for server in self.in_order(conversation) {
            let in_flight = InFlight::at(server);
            refused = match self.try_once(server, body).await {
                Ok(response) => return Ok((response, in_flight)),
                Err(refusal) => refusal,
            };
            if refused.is_broken && round == 0 {
                in_flight.failed();
            }
            // Other servers would say the same of the request, or the customer has waited long enough.
            if !refused.may_retry {
                break;
            }
        }
        Err(refused)
    }

    /// The servers to ask, the best first: the least busy one, but that of the conversation if it is
    /// hardly busier. Those that have just failed again and again are left out.
    fn in_order(&self, conversation: Option<u64>) -> Vec<&Arc<Server>> {
        let now = Instant::now();
        let asked = self.servers.iter().filter(|server| server.is_asked());
        let mut loads: Vec<_> = asked.map(|server| (server.load(now), server)).collect();
        loads.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let least = loads.first().map_or(0.0, |(load, _)| *load);
        let home = conversation.and_then(|conversation| {
            let drawn = |(_, (_, server)): &(usize, &(f64, &Arc<Server>))| {
                let mut hasher = DefaultHasher::new();
                (conversation, server.endpoint().as_str()).hash(&mut hasher);
                hasher.finish()
            };
            // Rendezvous hashing: when a server comes or goes, the others keep their conversations.
            let home = loads.iter().enumerate().max_by_key(drawn);
            home.filter(|(_, (load, _))| *load <= least * LOYALTY)
                .map(|(index, _)| index)
        });
        if let Some(home) = home {
            let home = loads.remove(home);
            loads.insert(0, home);
        }
        loads.into_iter().map(|(_, server)| server).collect()
    }

    async fn try_once(&self, server: &Server, body: &Body<'_>) -> Result<Response, Refusal> {
        let sent = self
            .client
            .post(server.endpoint().clone())
            .json(body)
            .send()
            .await;
        let response = sent.map_err(|error| Refusal {
            // Asking twice harms nobody. A server closes connections that it thinks idle, at times just
            // when a request is on its way.
            may_retry: error.is_connect() || error.is_request() && !error.is_timeout(),
            is_broken: true,
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
        let relay = Relay::new(chunks, meter.clone(), &request);
        let body = Body::new(&self.model, &request)?;
        let asked = self.ask(&body, request.conversation);
        let (response, in_flight) = match request.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), asked)
                .await
                .map_err(|_| GenerateError::TooLate)??,
            None => asked.await?,
        };
        tokio::spawn(relay.run(response, in_flight, place));
        Ok(Generation::new(reader, meter))
    }

    fn model(&self) -> &str {
        &self.model
    }

    /// None ever wait here: the server has its own queue.
    fn waiting(&self) -> usize {
        0
    }

    /// As long as the last ones waited at the fastest server; what is long ago counts for little.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let asked = self.servers.iter().filter(|server| server.is_asked());
        asked
            .map(|server| server.wait(now))
            .min()
            .unwrap_or_default()
    }

    /// Whether some server is asked: all are again, within a minute of their last failure.
    fn healthy(&self) -> bool {
        self.servers.iter().any(|server| server.is_asked())
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

    fn config(servers: u16) -> RemoteConfig {
        let url = |server| format!("http://localhost:{server}/v1").parse().unwrap();
        RemoteConfig {
            base_urls: (1..=servers).map(url).collect(),
            model: "m".to_owned(),
            api_key: Some("sk-secret".to_owned().into()),
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
            max_in_flight: 1,
        }
    }

    fn remote(servers: u16) -> Remote {
        Remote::new(config(servers)).unwrap()
    }

    fn first(remote: &Remote, conversation: Option<u64>) -> &Arc<Server> {
        remote.in_order(conversation).into_iter().next().unwrap()
    }

    #[test]
    fn requests_spread_over_the_servers() {
        let remote = remote(4);
        let working: Vec<_> = (0..40)
            .map(|conversation| InFlight::at(first(&remote, Some(conversation))))
            .collect();
        let mut of_each = remote.servers.iter().map(|server| {
            let at = |flight: &&InFlight| Arc::ptr_eq(flight.server(), server);
            working.iter().filter(at).count()
        });
        assert!(of_each.all(|count| (5..=15).contains(&count)));
    }

    #[test]
    fn a_conversation_stays_where_it_is_known_while_that_is_not_busier() {
        let remote = remote(4);
        let home = Arc::clone(first(&remote, Some(7)));
        let one = InFlight::at(&home);
        assert!(Arc::ptr_eq(first(&remote, Some(7)), &home));
        let two = InFlight::at(&home);
        assert!(!Arc::ptr_eq(first(&remote, Some(7)), &home));
        drop((one, two));
        assert!(Arc::ptr_eq(first(&remote, Some(7)), &home));
        let others = (0..20).map(|conversation| first(&remote, Some(conversation)));
        assert!(others.into_iter().any(|other| !Arc::ptr_eq(other, &home)));
    }

    #[test]
    fn who_has_failed_is_not_asked() {
        let remote = remote(2);
        let home = Arc::clone(first(&remote, Some(7)));
        (0..3).for_each(|_| home.failed());
        let order = remote.in_order(Some(7));
        assert!(order.len() == 1 && !Arc::ptr_eq(order[0], &home));
    }

    #[test]
    fn there_must_be_a_server() {
        assert!(Remote::new(config(0)).is_err());
    }

    #[test]
    fn a_key_is_shown_nowhere() {
        let config = config(1);
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
