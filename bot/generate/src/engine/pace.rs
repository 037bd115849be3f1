//! What a decode step costs on this machine, by its number of tokens: measured once at start-up and
//! corrected by every later step.
//!
//! On a CPU four tokens may cost twice as much as one; on a GPU a hundred may cost the same. CPU
//! kernels compute blocks of 4, 16 or 32 tokens and the remainder one by one, so 16 tokens can be
//! cheaper than 13: such a step is padded.

use std::time::{Duration, Instant};

use llama_cpp_2::token::LlamaToken;

use super::backend::{Backend, ComputeError, Entry};
use super::slots::{Edit, SlotId};

/// Steps tried at the start, in tokens, while [`MEASURED_FOR`] lasts: those first that tell most.
const SIZES: [usize; 16] = [1, 2, 4, 8, 16, 32, 64, 3, 6, 12, 24, 48, 128, 96, 256, 512];
/// Tokens of a step that may all want logits, replies' and guesses: a block of a processor's kernels. Logits of the
/// whole vocabulary are over a megabyte for each, on a graphics card, too, come over its bus and are searched by
/// the processor.
pub(super) const MOST_LOGITS: usize = 16;
/// Longest that trying takes, about.
const MEASURED_FOR: Duration = Duration::from_millis(2500);
/// Largest size that is tried twice, since others' work on the machine counts for more in a short step.
const MEASURED_TWICE: usize = 8;
/// How much a step changes what is thought of its size.
const CORRECTION: f64 = 0.05;
/// How much one that takes less than half of what was thought changes what is thought of all. Others' work on
/// the machine makes steps slower and never faster: they had been measured beside some.
const REVISION: f64 = 0.5;
/// Share of a correction that goes to all sizes: a machine becomes slower, and conversations become longer,
/// for all of them.
const SHARED: f64 = 0.4;
/// Up to here each size that occurs is known by itself, since its neighbours may fill blocks better.
const EACH: usize = 64;
/// Tokens that a step is filled up with at most.
const MOST_FILLING: usize = 16;
/// What filling up must save, as a share.
const SAVING: f64 = 0.05;
/// Of so many steps that would be filled up one is not, to see whether it still pays.
const DOUBT: usize = 50;
/// Share of the best rate that is as good.
const NEARLY: f64 = 0.9;
/// A step so many times as large as the largest that is known tells of its own size.
const LARGER: usize = 2;

/// The time of a step by its tokens: straight lines between sizes that were measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pace {
    /// Sizes, ascending, and seconds; at least one.
    knots: Vec<(usize, f64)>,
    /// Steps that it paid to fill up.
    filled: usize,
}

impl Pace {
    /// Of `measured` sizes and times, in any order.
    pub(super) fn new(measured: impl IntoIterator<Item = (usize, Duration)>) -> Self {
        let seconds = |(size, time): (usize, Duration)| (size, time.as_secs_f64());
        let mut knots: Vec<_> = measured.into_iter().map(seconds).collect();
        knots.sort_by_key(|(size, _)| *size);
        knots.dedup_by_key(|(size, _)| *size);
        if knots.is_empty() {
            knots.push((1, 0.0));
        }
        Self { knots, filled: 0 }
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

    /// Seconds that a step of so many tokens takes, filled up if that is faster; beyond the largest size in
    /// proportion.
    pub(super) fn step(&self, tokens: usize) -> f64 {
        let (_, seconds) = self.cheapest(tokens);
        seconds
    }

    /// How many tokens a step of so many had better compute, `most` at most.
    pub(super) fn fill(&mut self, tokens: usize, most: usize) -> usize {
        let (filled, seconds) = self.cheapest(tokens);
        let saved = 1.0 - seconds / self.exactly(tokens).max(f64::MIN_POSITIVE);
        if filled == tokens || filled > most || saved < SAVING {
            return tokens;
        }
        self.filled += 1;
        if self.filled.is_multiple_of(DOUBT) {
            return tokens;
        }
        filled
    }

    /// The size that a step of so many tokens is best filled up to, and its seconds.
    fn cheapest(&self, tokens: usize) -> (usize, f64) {
        let after = self.knots.partition_point(|(size, _)| *size <= tokens);
        let larger = self.knots[after..].iter().copied();
        let within = larger.take_while(|(size, _)| *size <= tokens + MOST_FILLING);
        let exactly = (tokens, self.exactly(tokens));
        // Of equal ones the first, so that nothing is filled up for nothing.
        within.fold(
            exactly,
            |best, knot| if knot.1 < best.1 { knot } else { best },
        )
    }

    /// Seconds of exactly so many tokens.
    fn exactly(&self, tokens: usize) -> f64 {
        let after = self.knots.partition_point(|(size, _)| *size < tokens);
        let before = after.checked_sub(1).map(|before| self.knots[before]);
        match (before, self.knots.get(after)) {
            (None, None) => 0.0,
            // A smaller step than the smallest tried costs as much.
            (None, Some((_, seconds))) => *seconds,
            (Some((size, seconds)), None) => seconds * tokens as f64 / size.max(1) as f64,
            (_, Some((size, seconds))) if *size == tokens => *seconds,
            (Some((low, first)), Some((high, last))) => {
                let along = (tokens - low) as f64 / (high - low) as f64;
                first + (last - first) * along
            }
        }
    }

    /// A step of exactly so many tokens took `time`.
    pub(super) fn note(&mut self, tokens: usize, time: Duration) {
        let (expected, time) = (self.exactly(tokens), time.as_secs_f64());
        if expected <= 0.0 {
            return;
        }
        // A much smaller step costs no more, whatever else was at work when it was tried.
        let smaller = |(size, _): &(usize, f64)| size + MOST_FILLING < tokens;
        let smaller = self.knots.partition_point(smaller);
        for (_, seconds) in &mut self.knots[..smaller] {
            *seconds = seconds.min(time);
        }
        let largest = self.knots.last().map_or(0, |(size, _)| *size);
        if tokens >= largest * LARGER {
            self.knots.push((tokens, time.min(expected)));
            return;
        }
        // Somebody else's work on this machine is no news about ours.
        let ratio = (time / expected).min(2.0);
        let correct = |seconds: &mut f64, share: f64| *seconds *= 1.0 + share * (ratio - 1.0);
        let (own, all) = if ratio < 0.5 {
            (0.0, REVISION)
        } else {
            (CORRECTION, CORRECTION * SHARED)
        };
        for (_, seconds) in &mut self.knots {
            correct(seconds, all);
        }
        match self.knots.binary_search_by_key(&tokens, |(size, _)| *size) {
            Ok(place) => correct(&mut self.knots[place].1, own),
            Err(place) if tokens <= EACH => {
                let mut seconds = self.exactly(tokens);
                correct(&mut seconds, own);
                self.knots.insert(place, (tokens, seconds));
            }
            Err(place) => {
                let neighbours = place.saturating_sub(1)..self.knots.len().min(place + 1);
                for (_, seconds) in &mut self.knots[neighbours] {
                    correct(seconds, own);
                }
            }
        }
    }

    /// The most tokens that a step computes within `seconds`, up to `most`; at least one.
    pub(super) fn within(&self, seconds: f64, most: usize) -> usize {
        let is_within = |size: &usize| self.step(*size) <= seconds;
        (1..=most).rev().find(is_within).unwrap_or(1)
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
    backend.compute(&batch, size)?;
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
    fn what_is_left_of_a_block_is_filled_up() {
        let mut pace = pace(&[(1, 40), (8, 120), (15, 260), (16, 150), (32, 300)]);
        assert_eq!(
            [1, 8, 15, 16, 17].map(|tokens| pace.fill(tokens, 128)),
            [1, 8, 16, 16, 17]
        );
        assert!((pace.step(15) - 0.15).abs() < 1e-9);
        assert_eq!(pace.fill(15, 15), 15, "there is no room");
        let filled = (0..DOUBT).map(|_| pace.fill(15, 128));
        let tried = filled.filter(|size| *size == 15).count();
        assert_eq!(tried, 1, "once in a while it is tried without");
    }

    #[test]
    fn each_small_size_is_known_by_itself() {
        let mut known = pace(&[(1, 40), (16, 160), (64, 600)]);
        let truth = pace(&[(1, 40), (12, 250), (16, 160), (64, 600)]);
        work(&mut known, &[12; 20], &truth);
        assert_eq!(known.fill(12, 128), 16, "{known:?}");
        work(&mut known, &[12; 200], &truth);
        assert!((known.step(12) - 0.16).abs() < 0.02, "{known:?}");
        assert!((known.exactly(16) - 0.16).abs() < 0.02, "{known:?}");
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

    /// Has `pace` see steps of `sizes`, filled up as it says, on a machine on which `truth` holds.
    fn work(pace: &mut Pace, sizes: &[usize], truth: &Pace) {
        for size in sizes {
            let filled = pace.fill(*size, 128);
            pace.note(filled, Duration::from_secs_f64(truth.exactly(filled)));
        }
    }

    #[test]
    fn it_follows_a_machine_that_becomes_slower() {
        let mut known = pace(&[(1, 40), (2, 44), (4, 80)]);
        let truth = pace(&[(1, 80), (2, 88), (4, 160)]);
        work(&mut known, &[1, 4].repeat(200), &truth);
        assert!((known.step(1) - 0.08).abs() < 0.008, "{known:?}");
        assert!((known.step(4) - 0.16).abs() < 0.016, "{known:?}");
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
        fn a_step_costs_at_most_what_it_is_filled_up_to(
            knots in proptest::collection::vec((1usize..600, 0u64..5000), 0..12),
            notes in proptest::collection::vec((1usize..600, 0u64..5000), 0..12),
            tokens in 1usize..700,
            room in 0usize..40,
        ) {
            let mut pace = pace(&knots);
            for (size, millis) in notes {
                pace.note(size, Duration::from_millis(millis));
            }
            prop_assert!(pace.step(tokens).is_finite());
            for larger in tokens..=tokens + MOST_FILLING {
                let is_known = pace.knots.iter().any(|(size, _)| *size == larger);
                let cost = pace.exactly(larger);
                prop_assert!(!is_known || pace.step(tokens) <= cost, "{larger}: {pace:?}");
            }
            let filled = pace.fill(tokens, tokens + room);
            prop_assert!((tokens..=tokens + room.min(MOST_FILLING)).contains(&filled));
            prop_assert!(pace.exactly(filled) <= pace.exactly(tokens));
        }
    }
}
