//! What a step costs on this machine, by how many tokens it computes: measured once at the start,
//! then corrected by every step. On a processor four tokens may cost twice as much as one; on a
//! graphics card a hundred cost as much as one.

use std::time::{Duration, Instant};

use llama_cpp_2::token::LlamaToken;

use super::backend::{Backend, ComputeError, Entry};
use super::slots::{Edit, SlotId};

/// Steps tried at the start, in tokens, while [`MEASURED_FOR`] lasts: not evenly, since kernels change
/// at four and eight.
const SIZES: [usize; 11] = [1, 2, 4, 6, 8, 16, 32, 64, 128, 256, 512];
/// Tokens of a step that all want logits.
const MOST_LOGITS: usize = 24;
/// Longest that trying takes, about.
const MEASURED_FOR: Duration = Duration::from_millis(2000);
/// Largest size that is tried twice, since others' work on the machine counts for more in a short step.
const MEASURED_TWICE: usize = 8;
/// How much a step changes what is thought of its size.
const CORRECTION: f64 = 0.05;
/// The same for one that takes less than half of what was thought. Others' work on the machine makes steps
/// slower and never faster: they had been measured beside some.
const REVISION: f64 = 0.5;
/// Share of the best rate that is as good.
const NEARLY: f64 = 0.9;
/// A step so many times as large as the largest that is known tells of its own size.
const LARGER: usize = 2;

/// The time of a step by its tokens: straight lines between sizes that were measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pace {
    /// Sizes and seconds, both ascending; at least one.
    knots: Vec<(usize, f64)>,
}

impl Pace {
    /// Of `measured` sizes and times, in any order. A larger step never costs less.
    pub(super) fn new(measured: impl IntoIterator<Item = (usize, Duration)>) -> Self {
        let seconds = |(size, time): (usize, Duration)| (size, time.as_secs_f64());
        let mut knots: Vec<_> = measured.into_iter().map(seconds).collect();
        knots.sort_by_key(|(size, _)| *size);
        knots.dedup_by_key(|(size, _)| *size);
        if knots.is_empty() {
            knots.push((1, 0.0));
        }
        let mut pace = Self { knots };
        pace.straighten();
        pace
    }

    /// Tries what steps cost, on `slot`, which is left as empty as it was.
    ///
    /// # Errors
    /// Those of the backend.
    pub(super) fn measure<B: Backend>(
        backend: &mut B,
        slot: SlotId,
        largest: usize,
    ) -> Result<Self, ComputeError> {
        let begun = Instant::now();
        let mut measured = Vec::new();
        // The first step of all sets things up.
        step(backend, slot, 1)?;
        for size in SIZES.into_iter().filter(|size| *size <= largest) {
            let mut time = step(backend, slot, size)?;
            if size <= MEASURED_TWICE {
                time = time.min(step(backend, slot, size)?);
            }
            measured.push((size, time));
            if begun.elapsed() > MEASURED_FOR {
                break;
            }
        }
        Ok(Self::new(measured))
    }

    /// Sizes and times.
    pub(super) fn knots(&self) -> impl Iterator<Item = (usize, Duration)> {
        let time = |(size, seconds): &(usize, f64)| (*size, Duration::from_secs_f64(*seconds));
        self.knots.iter().map(time)
    }

    /// Seconds that a step of so many tokens takes; beyond the largest size in proportion.
    pub(super) fn step(&self, tokens: usize) -> f64 {
        let after = self.knots.partition_point(|(size, _)| *size < tokens);
        let before = after.checked_sub(1).map(|before| self.knots[before]);
        match (before, self.knots.get(after)) {
            (None, None) => 0.0,
            // A smaller step than the smallest tried costs as much.
            (None, Some((_, seconds))) => *seconds,
            (Some((size, seconds)), None) => seconds * tokens as f64 / size.max(1) as f64,
            (Some((low, fast)), Some((high, slow))) => {
                let along = (tokens - low) as f64 / (high - low) as f64;
                fast + (slow - fast) * along
            }
        }
    }

    /// A step of so many tokens took `time`.
    pub(super) fn note(&mut self, tokens: usize, time: Duration) {
        let (expected, time) = (self.step(tokens), time.as_secs_f64());
        if expected <= 0.0 {
            return;
        }
        let after = self.knots.partition_point(|(size, _)| *size < tokens);
        let largest = self.knots.last().map_or(0, |(size, _)| *size);
        if tokens >= largest * LARGER {
            self.knots.push((tokens, time.min(expected)));
        } else {
            // Somebody else's work on this machine is no news about ours.
            let ratio = (time / expected).min(2.0);
            let correction = if ratio < 0.5 { REVISION } else { CORRECTION };
            for index in [after.saturating_sub(1), after] {
                if let Some((_, seconds)) = self.knots.get_mut(index) {
                    *seconds *= 1.0 + correction * (ratio - 1.0);
                }
            }
        }
        for (_, seconds) in &mut self.knots[..after] {
            *seconds = seconds.min(time);
        }
        self.straighten();
    }

    /// The most tokens that a step computes within `seconds`, up to `most`; at least one.
    pub(super) fn within(&self, seconds: f64, most: usize) -> usize {
        let is_within = |size: &usize| self.step(*size) <= seconds;
        (1..=most).take_while(is_within).count().max(1)
    }

    /// The fewest tokens, `most` at most, with which a step computes about as many a second as with any
    /// number; at least one.
    pub(super) fn efficient(&self, most: usize) -> usize {
        let rate = |size: usize| size as f64 / self.step(size).max(f64::MIN_POSITIVE);
        let best = (1..=most).map(rate).fold(0.0, f64::max);
        (1..=most)
            .find(|size| rate(*size) >= best * NEARLY)
            .unwrap_or(1)
    }

    fn straighten(&mut self) {
        let mut least = 0.0_f64;
        for (_, seconds) in &mut self.knots {
            least = least.max(*seconds);
            *seconds = least;
        }
    }
}

/// Computes `size` tokens and forgets them.
fn step<B: Backend>(backend: &mut B, slot: SlotId, size: usize) -> Result<Duration, ComputeError> {
    // Replies and guesses, which want logits, are few; of larger steps most is prompt.
    let wants_logits = |position| size <= MOST_LOGITS || position + 1 == size;
    let entry = |position| Entry {
        token: LlamaToken::new(0),
        slot,
        position,
        output: wants_logits(position),
    };
    let batch: Vec<_> = (0..size).map(entry).collect();
    let begun = Instant::now();
    backend.compute(&batch)?;
    let time = begun.elapsed();
    backend.edit(Edit::Truncate { slot, len: 0 })?;
    Ok(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(knots: &[(usize, u64)]) -> Pace {
        let measured = knots.iter().copied();
        Pace::new(measured.map(|(size, millis)| (size, Duration::from_millis(millis))))
    }

    #[test]
    fn between_sizes_and_beyond_them_run_straight_lines() {
        let pace = pace(&[(4, 80), (1, 40), (8, 120)]);
        for (tokens, seconds) in [(1, 0.04), (4, 0.08), (6, 0.1), (8, 0.12), (16, 0.24)] {
            assert!((pace.step(tokens) - seconds).abs() < 1e-9, "{tokens}");
        }
    }

    #[test]
    fn as_many_tokens_as_the_time_allows() {
        let pace = pace(&[(1, 40), (2, 40), (4, 80)]);
        assert_eq!(pace.within(0.05, 100), 2);
        assert_eq!(pace.within(0.081, 100), 4);
        assert_eq!(pace.within(0.081, 3), 3);
        assert_eq!(pace.within(0.001, 100), 1);
    }

    #[test]
    fn larger_steps_are_taken_where_they_are_faster() {
        let pace = pace(&[(1, 40), (8, 200), (64, 800), (128, 1500)]);
        assert!((50..=64).contains(&pace.efficient(256)), "{pace:?}");
        assert_eq!(pace.efficient(1), 1);
    }

    #[test]
    fn steps_larger_than_any_tried_tell_what_they_cost() {
        let mut pace = pace(&[(1, 40), (64, 1000)]);
        assert!((pace.step(128) - 2.0).abs() < 1e-9);
        pace.note(128, Duration::from_millis(1500));
        assert!((pace.step(128) - 1.5).abs() < 1e-9);
        assert!((pace.step(64) - 1.0).abs() < 1e-9);
        pace.note(256, Duration::from_secs(60));
        assert!(pace.step(256) <= 3.0, "somebody else was at work: {pace:?}");
    }

    #[test]
    fn it_follows_a_machine_that_becomes_slower() {
        let mut pace = pace(&[(1, 40), (2, 44), (4, 80)]);
        for _ in 0..200 {
            pace.note(1, Duration::from_millis(80));
            pace.note(4, Duration::from_millis(160));
        }
        assert!((pace.step(1) - 0.08).abs() < 0.008, "{pace:?}");
        assert!((pace.step(4) - 0.16).abs() < 0.016, "{pace:?}");
    }

    #[test]
    fn what_was_measured_beside_others_work_is_soon_corrected() {
        let mut pace = pace(&[(1, 2000), (2, 3000), (4, 4000)]);
        pace.note(64, Duration::from_millis(800));
        assert!(
            pace.step(4) <= 0.8,
            "a smaller step costs no more: {pace:?}"
        );
        for _ in 0..12 {
            pace.note(1, Duration::from_millis(40));
        }
        assert!(pace.step(1) < 0.09, "{pace:?}");
    }

    proptest! {
        #[test]
        fn more_tokens_never_cost_less(
            knots in proptest::collection::vec((1usize..600, 0u64..5000), 0..12),
            notes in proptest::collection::vec((1usize..600, 0u64..5000), 0..12),
            tokens in 1usize..700,
        ) {
            let mut pace = pace(&knots);
            for (size, millis) in notes {
                pace.note(size, Duration::from_millis(millis));
            }
            prop_assert!(pace.step(tokens) <= pace.step(tokens + 1) + 1e-12, "{pace:?}");
            prop_assert!(pace.step(tokens).is_finite());
        }
    }
}
