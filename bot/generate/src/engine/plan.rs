//! What one decode step computes: the next tokens of replies in progress, drafted tokens to verify,
//! and pieces of prompts.

use super::pace::{MOST_LOGITS, Pace};

/// Seconds that a step may take while replies are read: this is what keeps them flowing while others'
/// prompts are computed.
pub(super) const LONGEST_STALL: f64 = 0.5;
/// Prompt tokens that a step computes beside replies at least, however slow the machine, and up to twice as
/// many of one prompt: kernels get nowhere with fewer.
const LEAST_PROMPT: usize = 64;
/// What guesses, or leaving replies out, must gain, as a share of the pace without: what is expected of
/// less does not come about, since steps' times and odds are estimates.
const LEAST_GAIN: f64 = 0.1;
/// Tokens that every reply may have in a step, however many replies there are: beyond [`MOST_LOGITS`] the last
/// guesses of many are not likely enough for the memory that they take.
const TOKENS_EACH: usize = 2;

/// What a reply needs next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Need {
    /// This many tokens of its prompt are not computed yet.
    Prompt(usize),
    /// Its last token is to be followed by another.
    Token {
        /// Of each token that is guessed to follow, the probability that it and all before it are right.
        odds: Vec<f64>,
        /// Where it stands in line: the lower, the longer ago was its last token.
        place: u64,
    },
}

/// Hands out places in line.
#[derive(Debug, Default)]
pub(super) struct Line {
    last: u64,
}

impl Line {
    /// Who stands at `places` has had a turn, and goes behind all others, in the same order.
    pub(super) fn send_back<'a>(&mut self, places: impl Iterator<Item = &'a mut u64>) {
        let mut places: Vec<_> = places.collect();
        places.sort();
        for place in places {
            self.last += 1;
            *place = self.last;
        }
    }
}

/// How many tokens of each reply the next step computes, `largest` at most in all. `needs` are in
/// order of admission: the prompt that has waited longest is computed first, so that its reply begins
/// as soon as possible. A reply's token comes with as many guesses as pay for themselves at this
/// machine's `pace`; where fewer replies a step are written faster, they take turns.
pub(super) fn plan(needs: &[Need], pace: &Pace, largest: usize) -> Vec<usize> {
    let written = written(needs, pace);
    let replies = written.iter().filter(|is_written| **is_written).count();
    let mut room = PromptRoom::beside(replies, pace, largest);
    let share = |(need, is_written): (&Need, &bool)| match *need {
        Need::Token { .. } => usize::from(*is_written),
        Need::Prompt(pending) => room.take(pending),
    };
    let mut shares: Vec<usize> = needs.iter().zip(&written).map(share).collect();
    for reply in guesses(needs, &written, pace, shares.iter().sum(), largest) {
        shares[reply] += 1;
    }
    shares
}

/// What a step has room for of prompts.
struct PromptRoom {
    /// Most tokens of the first prompt, until that has come.
    first: Option<usize>,
    /// Tokens of all of them, unless the first alone takes more.
    all: usize,
}

impl PromptRoom {
    /// Beside so many `replies`, which are not to wait for long; without any, a step takes no more prompts
    /// than make it fast, so that the first one's reply begins before the others are read.
    fn beside(replies: usize, pace: &Pace, largest: usize) -> Self {
        let most = largest.saturating_sub(replies);
        let (first, all) = if replies == 0 {
            (most, pace.efficient(largest))
        } else {
            let within = pace.within(LONGEST_STALL, largest).saturating_sub(replies);
            (within.max(2 * LEAST_PROMPT - 1), within.max(LEAST_PROMPT))
        };
        Self {
            first: Some(first.min(most)),
            all: all.min(most),
        }
    }

    /// How many of the next prompt's `pending` tokens are read. The first prompt is read in even pieces:
    /// a short rest would take nearly as long as a long one.
    fn take(&mut self, pending: usize) -> usize {
        let taken = match self.first.take() {
            Some(0) => 0,
            Some(most) => pending.div_ceil(pending.div_ceil(most).max(1)),
            None => pending.min(self.all),
        };
        // Nobody overtakes a prompt that is not read to its end.
        self.all = match taken == pending {
            true => self.all.saturating_sub(taken),
            false => 0,
        };
        taken
    }
}

/// Which of `needs` are replies that the step writes on: all of them beside a prompt; else as many as
/// give most tokens a second, those first that stand first in line. Kernels for eight may be slower than
/// those for six.
fn written(needs: &[Need], pace: &Pace) -> Vec<bool> {
    let mut waiting: Vec<(u64, usize)> = Vec::new();
    for (reply, need) in needs.iter().enumerate() {
        if let Need::Token { place, .. } = *need {
            waiting.push((place, reply));
        }
    }
    let all = waiting.len();
    if all == needs.len() {
        let rate = |count: usize| count as f64 / pace.step(count);
        let best = (1..=all).max_by(|a, b| rate(*a).total_cmp(&rate(*b)));
        let best = best.filter(|best| rate(*best) > rate(all) * (1.0 + LEAST_GAIN));
        waiting.sort_unstable();
        waiting.truncate(best.unwrap_or(all));
    }
    let mut written = vec![false; needs.len()];
    waiting
        .into_iter()
        .for_each(|(_, reply)| written[reply] = true);
    written
}

/// The replies, of those `written` on, that are given another guess, one entry a guess: the likeliest
/// guesses, as long as what they are expected to write is more than the machine would write in the
/// same time without them. `computed` tokens are in the step already.
fn guesses(
    needs: &[Need],
    written: &[bool],
    pace: &Pace,
    computed: usize,
    largest: usize,
) -> Vec<usize> {
    let replies = written.iter().filter(|is_written| **is_written).count();
    let mut likely: Vec<(f64, usize)> = Vec::new();
    for (reply, need) in needs
        .iter()
        .enumerate()
        .filter(|(reply, _)| written[*reply])
    {
        if let Need::Token { odds, .. } = need {
            likely.extend(odds.iter().map(|right| (*right, reply)));
        }
    }
    likely.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let most = MOST_LOGITS.max(TOKENS_EACH * replies) - replies;
    likely.truncate(largest.saturating_sub(computed).min(most));
    if likely.is_empty() {
        return Vec::new();
    }
    // Tokens that the first so many of them are expected to write.
    let sums = likely.iter().scan(0.0, |sum, (right, _)| {
        *sum += right;
        Some(*sum)
    });
    let expected: Vec<f64> = std::iter::once(0.0).chain(sums).collect();
    let pace_with = |count: usize| (replies as f64 + expected[count]) / pace.step(replies + count);
    let best = (1..=likely.len()).map(pace_with).fold(0.0, f64::max);
    if best < pace_with(0) * (1.0 + LEAST_GAIN) {
        return Vec::new();
    }
    let worth = |count: usize| {
        let costs = pace.step(computed + count) - pace.step(computed);
        expected[count] - best * costs
    };
    let count = (0..=likely.len()).max_by(|a, b| worth(*a).total_cmp(&worth(*b)));
    likely.truncate(count.unwrap_or(0));
    likely.into_iter().map(|(_, reply)| reply).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Two tokens for the price of one, then a hundred a second.
    fn slow() -> Pace {
        let millis = [(1, 40), (2, 40), (4, 60), (100, 1020)];
        Pace::new(millis.map(|(size, millis)| (size, Duration::from_millis(millis))))
    }

    /// A hundred tokens for the price of one.
    fn wide() -> Pace {
        Pace::new([1, 100].map(|size| (size, Duration::from_millis(10))))
    }

    const TOKEN: Need = Need::Token {
        odds: Vec::new(),
        place: 0,
    };

    /// So many guesses, each of which is right with `odds` if those before it are.
    fn drafted(drafted: usize, odds: f64) -> Need {
        let right = std::iter::successors(Some(odds), |before| Some(before * odds));
        Need::Token {
            odds: right.take(drafted).collect(),
            place: 0,
        }
    }

    fn standing(place: u64) -> Need {
        Need::Token {
            odds: Vec::new(),
            place,
        }
    }

    #[test]
    fn a_prompt_alone_takes_the_whole_step() {
        assert_eq!(plan(&[Need::Prompt(1000)], &slow(), 256), [250]);
    }

    #[test]
    fn replies_keep_flowing_while_a_prompt_is_read() {
        let needs = [TOKEN, Need::Prompt(1000), TOKEN];
        assert_eq!(plan(&needs, &slow(), 256), [1, 125, 1]);
        assert_eq!(plan(&needs, &wide(), 256), [1, 250, 1]);
    }

    #[test]
    fn the_oldest_prompt_is_read_first() {
        let efficient = slow().efficient(256);
        let needs = [Need::Prompt(5), Need::Prompt(100), Need::Prompt(5)];
        assert_eq!(plan(&needs, &slow(), 256), [5, efficient - 5, 0]);
        let long = [Need::Prompt(200), Need::Prompt(100)];
        assert_eq!(
            plan(&long, &slow(), 256),
            [200, 0],
            "its reply begins first"
        );
    }

    #[test]
    fn a_prompt_is_read_in_even_pieces() {
        let beside = |pending| plan(&[TOKEN, Need::Prompt(pending)], &slow(), 256)[1];
        assert_eq!([100, 127, 128, 300].map(beside), [100, 127, 64, 100]);
        assert_eq!(plan(&[Need::Prompt(300)], &slow(), 256), [150]);
    }

    #[test]
    fn likely_guesses_are_computed_and_unlikely_ones_not() {
        assert!(plan(&[drafted(8, 0.95)], &slow(), 256)[0] >= 8);
        assert_eq!(plan(&[drafted(8, 0.6)], &slow(), 256), [2]);
        assert_eq!(plan(&[drafted(8, 0.01)], &slow(), 256), [1]);
    }

    #[test]
    fn what_costs_nothing_is_always_guessed() {
        assert_eq!(plan(&[drafted(8, 0.6)], &wide(), 256), [9]);
    }

    #[test]
    fn many_replies_guess_no_more_than_there_is_memory_for() {
        let tokens = |replies| plan(&vec![drafted(8, 0.99); replies], &wide(), 512);
        assert_eq!(tokens(4).into_iter().sum::<usize>(), MOST_LOGITS);
        let many = tokens(20).into_iter().sum::<usize>();
        assert_eq!(many, 20 * TOKENS_EACH);
    }

    #[test]
    fn guesses_go_where_they_are_likely() {
        let shares = plan(&[drafted(8, 0.2), drafted(8, 0.95)], &slow(), 256);
        assert!(shares[0] == 1 && shares[1] > 4, "{shares:?}");
    }

    #[test]
    fn beside_a_prompt_a_guess_has_its_price() {
        let needs = [drafted(8, 0.5), Need::Prompt(1000)];
        let shares = plan(&needs, &slow(), 256);
        assert!(shares[0] <= 2, "{shares:?}");
        assert!(shares[1] >= LEAST_PROMPT);
    }

    #[test]
    fn where_eight_are_slower_than_six_they_take_turns() {
        let millis = [(1, 40), (2, 60), (4, 100), (6, 140), (8, 290), (64, 900)];
        let pace = Pace::new(millis.map(|(size, millis)| (size, Duration::from_millis(millis))));
        let shares = plan(&[3, 1, 9, 4, 2, 6, 5, 8].map(standing), &pace, 256);
        assert_eq!(
            shares,
            [1, 1, 0, 1, 1, 1, 1, 0],
            "who stands first is served"
        );
        let (mut line, mut places, mut tokens) = (Line::default(), [0; 8], [0; 8]);
        for _ in 0..40 {
            let shares = plan(&places.map(standing), &pace, 256);
            let served = places.iter_mut().zip(&shares);
            line.send_back(
                served
                    .filter(|(_, share)| **share > 0)
                    .map(|(place, _)| place),
            );
            for (tokens, share) in tokens.iter_mut().zip(shares) {
                *tokens += share;
            }
        }
        assert_eq!(tokens, [30; 8], "everybody is served alike");
        let beside_a_prompt = plan(&[&[TOKEN; 8][..], &[Need::Prompt(9)]].concat(), &pace, 256);
        assert_eq!(beside_a_prompt, [1, 1, 1, 1, 1, 1, 1, 1, 9]);
        assert_eq!(plan(&[TOKEN; 6], &pace, 256), [1; 6]);
    }

    fn needs() -> impl Strategy<Value = Vec<Need>> {
        let token = (0usize..16, 0.0..1.0, 0u64..9);
        let token = token.prop_map(|(guesses, odds, place)| match drafted(guesses, odds) {
            Need::Token { odds, .. } => Need::Token { odds, place },
            prompt @ Need::Prompt(_) => prompt,
        });
        let need = prop_oneof![token, (1usize..600).prop_map(Need::Prompt)];
        proptest::collection::vec(need, 1..8)
    }

    proptest! {
        #[test]
        fn a_step_is_bounded_fair_and_never_idle(
            needs in needs(),
            is_wide in any::<bool>(),
            largest in 8usize..512,
        ) {
            let pace = if is_wide { wide() } else { slow() };
            let shares = plan(&needs, &pace, largest);
            prop_assert!(shares.iter().sum::<usize>() <= largest);
            prop_assert!(shares.iter().any(|share| *share > 0));
            let mut unread = false;
            for (need, share) in needs.iter().zip(&shares) {
                match *need {
                    Need::Token { ref odds, place } => {
                        prop_assert!(*share <= 1 + odds.len());
                        let behind = |other: &Need| matches!(other, Need::Token { place: p, .. } if *p > place);
                        let overtaken = needs.iter().zip(&shares).any(|(n, s)| behind(n) && *s > 0);
                        prop_assert!(*share > 0 || !overtaken, "somebody jumped the queue");
                    }
                    Need::Prompt(pending) => {
                        prop_assert!(*share <= pending);
                        prop_assert!(!unread || *share == 0, "a later prompt overtook");
                        unread |= *share < pending;
                    }
                }
            }
        }
    }
}
