//! One model server: its load, and whether it is healthy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use failsafe::backoff::{self, EqualJittered};
use failsafe::failure_policy::{self, ConsecutiveFailures};
use failsafe::{Config, Instrument, StateMachine};
use parking_lot::Mutex;
use url::Url;

use super::waits::Waits;
use crate::GenerateError;

/// Failures in a row after which a server is left alone for a while.
const FAILURES: u32 = 3;
/// How long at first; each time that it fails again, longer.
const LEFT_ALONE: Duration = Duration::from_secs(2);
/// How long at most.
const LEFT_ALONE_AT_MOST: Duration = Duration::from_secs(60);
/// Seconds that a server takes for its first words at least: what was measured is forgotten with time.
const LEAST_WAIT: f64 = 0.05;

/// A server and what is known of it.
#[derive(Debug)]
pub(super) struct Server {
    endpoint: Url,
    /// Requests that it works on.
    in_flight: AtomicUsize,
    /// When those of them came to whose reply it has not begun.
    unheard: Mutex<Vec<Instant>>,
    /// Open while it is left alone.
    breaker: StateMachine<ConsecutiveFailures<EqualJittered>, Watch>,
    waits: Waits,
}

impl Server {
    /// The server whose API is under `base_url`, with or without a slash at its end.
    ///
    /// # Errors
    /// [`GenerateError::Backend`] when that is no address of a server.
    pub(super) fn new(base_url: Url) -> Result<Self, GenerateError> {
        let left_alone = backoff::equal_jittered(LEFT_ALONE, LEFT_ALONE_AT_MOST);
        let policy = failure_policy::consecutive_failures(FAILURES, left_alone);
        let endpoint = endpoint(base_url)?;
        let host = endpoint.host_str().unwrap_or_default();
        let server = match endpoint.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let breaker = Config::new()
            .failure_policy(policy)
            .instrument(Watch { server });
        Ok(Self {
            endpoint,
            in_flight: AtomicUsize::new(0),
            unheard: Mutex::default(),
            breaker: breaker.build(),
            waits: Waits::default(),
        })
    }

    /// Where chat completions are.
    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Whether to ask it: it has not just failed several times.
    pub(super) fn is_asked(&self) -> bool {
        self.breaker.is_call_permitted()
    }

    /// About how long it keeps one request more waiting, in seconds: good for comparing only.
    pub(super) fn load(&self, now: Instant) -> f64 {
        let requests = self.in_flight.load(Ordering::Relaxed) + 1;
        requests as f64 * self.wait(now).as_secs_f64().max(LEAST_WAIT)
    }

    /// How long its first words take: as the last ones did, but no less than somebody has waited already.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let longest = self.unheard.lock().iter().min().copied();
        let waited = longest.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.waits.expected(now).max(waited)
    }

    /// It could not be reached, or broke down.
    pub(super) fn failed(&self) {
        self.breaker.on_error();
    }

    /// The request that came at `since` waits for its first words no longer; false if it did not.
    fn is_heard(&self, since: Instant) -> bool {
        let mut unheard = self.unheard.lock();
        let index = unheard.iter().position(|other| *other == since);
        index.map(|index| unheard.swap_remove(index)).is_some()
    }
}

/// Tells operators whom requests go to no longer.
#[derive(Debug)]
struct Watch {
    /// Host and port: a URL may hold a password.
    server: String,
}

impl Instrument for Watch {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        let server = &self.server;
        tracing::warn!(
            server,
            "a language model's server fails; it is left alone for a while"
        );
    }

    fn on_half_open(&self) {
        let server = &self.server;
        tracing::info!(
            server,
            "a language model's server that failed is asked again"
        );
    }

    fn on_closed(&self) {
        let server = &self.server;
        tracing::debug!(server, "a language model's server is taken to be well");
    }
}

/// A request that a server is working on; it no longer does when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    server: Arc<Server>,
    since: Instant,
}

impl InFlight {
    /// `server` gets a request.
    pub(super) fn at(server: &Arc<Server>) -> Self {
        let since = Instant::now();
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        server.unheard.lock().push(since);
        Self {
            server: Arc::clone(server),
            since,
        }
    }

    /// Which server.
    #[cfg(test)]
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The server could not be reached, or broke down.
    pub(super) fn failed(&self) {
        self.server.failed();
    }

    /// Its first words are here.
    pub(super) fn began(&self) {
        if self.server.is_heard(self.since) {
            self.server.waits.note(self.since.elapsed(), Instant::now());
        }
    }

    /// It has gone well.
    pub(super) fn succeeded(&self) {
        self.server.breaker.on_success();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let (server, waited) = (&self.server, self.since.elapsed());
        server.in_flight.fetch_sub(1, Ordering::Relaxed);
        // Nobody knows how long it would have been.
        if server.is_heard(self.since) {
            server.waits.at_least(waited, Instant::now());
        }
    }
}

/// Where chat completions are under `base`.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Arc<Server> {
        Arc::new(Server::new("http://localhost:8080/v1".parse().unwrap()).unwrap())
    }

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
    fn who_fails_again_and_again_is_left_alone() {
        let server = server();
        (1..FAILURES).for_each(|_| server.failed());
        assert!(server.is_asked());
        InFlight::at(&server).succeeded();
        (1..FAILURES).for_each(|_| server.failed());
        assert!(server.is_asked(), "failures in a row count");
        server.failed();
        assert!(!server.is_asked());
    }

    #[test]
    fn the_load_tells_of_requests_and_of_slowness() {
        let (idle, busy, slow) = (server(), server(), server());
        let working = InFlight::at(&busy);
        working.began();
        let now = Instant::now();
        slow.waits.note(Duration::from_secs(1), now);
        assert!(idle.load(now) < busy.load(now));
        assert!(busy.load(now) < slow.load(now));
        drop(working);
        assert!((busy.load(now) - idle.load(now)).abs() < 1e-9);
    }

    #[test]
    fn who_is_silent_is_not_taken_to_be_fast() {
        let (silent, slow) = (server(), server());
        let begun = Instant::now();
        slow.waits.note(Duration::from_secs(1), begun);
        let unheard = InFlight::at(&silent);
        assert!(
            silent.load(begun) < slow.load(begun),
            "nothing is known yet"
        );
        let later = begun + Duration::from_secs(2);
        assert!(silent.load(later) > slow.load(later));
        assert!(silent.wait(later) > Duration::from_millis(1900));
        std::thread::sleep(Duration::from_millis(20));
        drop(unheard);
        let now = Instant::now();
        let wait = silent.wait(now);
        assert!(
            wait >= Duration::from_millis(19),
            "its silence is remembered: {wait:?}"
        );
        InFlight::at(&silent);
        assert!(
            silent.wait(now) >= wait,
            "who leaves at once proves nothing"
        );
    }
}
