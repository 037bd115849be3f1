//! The time to first token of a server, estimated from its recent replies.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How much one reply changes what is expected of the next.
const NOVELTY: f64 = 0.3;
/// Time in which what is known loses half of its weight: who is never asked again is never found to have
/// become faster.
const HALF_LIFE: Duration = Duration::from_secs(10);

/// What is known; nothing at first.
#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<Option<Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    seconds: f64,
    at: Instant,
}

impl Waits {
    /// At `now`, first words came after `wait`.
    pub(super) fn note(&self, wait: Duration, now: Instant) {
        let mut known = self.0.lock();
        let wait = wait.as_secs_f64();
        let seconds = known.map_or(wait, |known| {
            known.seconds + NOVELTY * (wait - known.seconds)
        });
        *known = Some(Known { seconds, at: now });
    }

    /// At `now`, none had come after `wait`.
    pub(super) fn at_least(&self, wait: Duration, now: Instant) {
        if wait > self.expected(now) {
            self.note(wait, now);
        }
    }

    /// How long they are expected to take at `now`.
    pub(super) fn expected(&self, now: Instant) -> Duration {
        let Some(Known { seconds, at }) = *self.0.lock() else {
            return Duration::ZERO;
        };
        let age = now.saturating_duration_since(at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        Duration::try_from_secs_f64(seconds * 0.5_f64.powf(age)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_replies_tell_and_are_forgotten() {
        let waits = Waits::default();
        let now = Instant::now();
        assert_eq!(waits.expected(now), Duration::ZERO);
        (0..20).for_each(|_| waits.note(Duration::from_secs(8), now));
        assert!((waits.expected(now).as_secs_f64() - 8.0).abs() < 0.1);
        waits.at_least(Duration::from_secs(1), now);
        assert!(waits.expected(now) > Duration::from_secs(7));
        waits.note(Duration::from_secs(1), now);
        assert!(waits.expected(now) < Duration::from_secs(7));
        assert!(waits.expected(now + 6 * HALF_LIFE) < Duration::from_millis(200));
    }
}
