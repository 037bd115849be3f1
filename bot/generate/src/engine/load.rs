//! The engine's load, as its thread reports it to the handle, and the expected wait of a new
//! request.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::pace::Pace;
use crate::{EngineStats, Usage};

/// Prompt tokens in a step by which reading is judged.
const READING: usize = 64;
/// How much one reply changes what is thought usual.
const NOVELTY: f64 = 0.1;

/// What the thread tells the handle.
#[derive(Debug, Default)]
pub(super) struct Board {
    running: AtomicUsize,
    wait_micros: AtomicU64,
    stats: Mutex<EngineStats>,
}

impl Board {
    /// So many requests are being written.
    pub(super) fn run(&self, running: usize) {
        self.running.store(running, Ordering::Relaxed);
    }

    /// A newcomer would wait so long for its first word.
    pub(super) fn expect(&self, wait: Duration) {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.wait_micros.store(micros, Ordering::Relaxed);
    }

    pub(super) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    pub(super) fn wait(&self) -> Duration {
        Duration::from_micros(self.wait_micros.load(Ordering::Relaxed))
    }

    /// A turn that computed so many tokens took `turn`, of which the model `computed`.
    pub(super) fn stepped(&self, tokens: usize, turn: Duration, computed: Duration) {
        let mut stats = self.stats.lock();
        stats.steps += usize::from(tokens > 0);
        stats.tokens += tokens;
        stats.computing += computed;
        stats.scheduling += turn.saturating_sub(computed);
    }

    /// So many bytes of host memory hold states.
    pub(super) fn keep(&self, bytes: usize) {
        self.stats.lock().kept_bytes = bytes;
    }

    /// What was found out at the start.
    pub(super) fn found(&self, found: EngineStats) {
        *self.stats.lock() = found;
    }

    pub(super) fn stats(&self) -> EngineStats {
        EngineStats {
            running: self.running(),
            ..self.stats.lock().clone()
        }
    }
}

/// What a request has still to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// Tokens of its prompt to compute.
    pub(super) prompt: usize,
    /// Tokens that it may write.
    pub(super) left: usize,
}

/// What requests usually need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    prompt: f64,
    written: f64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            prompt: 128.0,
            written: 48.0,
        }
    }
}

impl Habits {
    /// A request has come to its end.
    pub(super) fn note(&mut self, usage: &Usage) {
        let computed = usage.prompt_tokens.saturating_sub(usage.reused_tokens);
        self.prompt += NOVELTY * (computed as f64 - self.prompt);
        self.written += NOVELTY * (usage.output_tokens as f64 - self.written);
    }

    /// About how long a newcomer waits for its first word, when `running` are written in some of
    /// `slots` and `waiting` come before it: not at all when there is nobody, whatever is thought of the
    /// machine's `pace`, since only by working is it found out.
    pub(super) fn wait(
        &self,
        running: &[Work],
        waiting: &[Work],
        slots: usize,
        pace: &Pace,
    ) -> Duration {
        if running.is_empty() && waiting.is_empty() {
            return Duration::ZERO;
        }
        let reading = pace.step(READING) / READING as f64;
        let beside = (running.len() + waiting.len()).clamp(1, slots.max(1));
        let step = pace.step(beside);
        let writing = |work: &Work| self.written.min(work.left as f64) * step;
        let mut free: Vec<f64> = running.iter().map(writing).collect();
        free.resize(slots.max(running.len()).max(1), 0.0);
        // Prompts are read one after the other, whoever they are for.
        let mut read: f64 = running
            .iter()
            .map(|work| work.prompt as f64 * reading)
            .sum();
        let usually_read = |work: &Work| self.prompt.min(work.prompt as f64) * reading;
        for work in waiting {
            free.sort_by(f64::total_cmp);
            read += usually_read(work);
            free[0] += writing(work);
        }
        let first = free.into_iter().fold(f64::INFINITY, f64::min);
        let seconds = first + read + self.prompt * reading;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new([(1, 40), (4, 80), (64, 640)].map(|(n, ms)| (n, Duration::from_millis(ms))))
    }

    fn wait(running: usize, waiting: usize) -> f64 {
        let work = Work {
            prompt: 100,
            left: 100,
        };
        let (running, waiting) = (vec![work; running], vec![work; waiting]);
        Habits::default()
            .wait(&running, &waiting, 4, &pace())
            .as_secs_f64()
    }

    #[test]
    fn an_idle_engine_is_always_asked() {
        assert_eq!(wait(0, 0), 0.0);
        let slow = Pace::new([(1, Duration::from_secs(1000))]);
        assert_eq!(Habits::default().wait(&[], &[], 4, &slow), Duration::ZERO);
    }

    #[test]
    fn who_comes_later_waits_longer() {
        assert!(wait(1, 0) > wait(0, 0));
        assert!(wait(4, 0) > wait(3, 0) + 1.0, "no slot is free");
        for waiting in 0..20 {
            assert!(wait(4, waiting + 1) > wait(4, waiting));
        }
    }

    #[test]
    fn short_replies_make_short_waits() {
        let mut habits = Habits::default();
        let usage = Usage {
            prompt_tokens: 40,
            output_tokens: 5,
            ..Usage::default()
        };
        (0..100).for_each(|_| habits.note(&usage));
        let work = Work {
            prompt: 0,
            left: 100,
        };
        let wait = habits.wait(&[work; 4], &[], 4, &pace());
        assert!(wait < Duration::from_secs(1), "{wait:?}");
    }
}
