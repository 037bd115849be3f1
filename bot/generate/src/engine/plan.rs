//! What one step computes: the next token of each reply being written, guesses of those after it, and
//! pieces of prompts.

use super::pace::Pace;

/// Seconds that a step may take while replies are read: this is what keeps them flowing while others'
/// prompts are computed.
const LONGEST_STALL: f64 = 0.5;
/// Prompt tokens that a step computes beside replies at least, however slow the machine: kernels get
/// nowhere with fewer.
const LEAST_PROMPT: usize = 64;
/// What guesses must gain, as a share of the pace without them: less is noise.
const LEAST_GAIN: f64 = 0.03;

/// What a reply needs next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Need {
    /// This many tokens of its prompt are not computed yet.
    Prompt(usize),
    /// Its last token is to be followed by another.
    Token {
        /// Tokens that are guessed to follow.
        drafted: usize,
        /// The probability that one is right when those before it are.
        odds: f64,
    },
}

/// How many tokens of each reply the next step computes, `largest` at most in all. `needs` are in
/// order of admission: the prompt that has waited longest is computed first, so that its reply begins
/// as soon as possible. A reply's token comes with as many guesses as pay for themselves at this
/// machine's `pace`.
pub(super) fn plan(needs: &[Need], pace: &Pace, largest: usize) -> Vec<usize> {
    let is_reply = |need: &&Need| matches!(need, Need::Token { .. });
    let replies = needs.iter().filter(is_reply).count();
    let room = largest.saturating_sub(replies);
    let mut budget = if replies == 0 {
        room
    } else {
        let beside = pace.within(LONGEST_STALL, largest).saturating_sub(replies);
        beside.max(LEAST_PROMPT).min(room)
    };
    let share = |need: &Need| match *need {
        Need::Token { .. } => 1,
        Need::Prompt(pending) => {
            let taken = pending.min(budget);
            budget -= taken;
            taken
        }
    };
    let mut shares: Vec<usize> = needs.iter().map(share).collect();
    for reply in guesses(needs, pace, replies, shares.iter().sum(), largest) {
        shares[reply] += 1;
    }
    shares
}

/// The replies that are given another guess, one entry a guess: the likeliest guesses, as long as what
/// they are expected to write is more than the machine would write in the same time without them.
/// `computed` tokens are in the step already.
fn guesses(
    needs: &[Need],
    pace: &Pace,
    replies: usize,
    computed: usize,
    largest: usize,
) -> Vec<usize> {
    let mut likely: Vec<(f64, usize)> = Vec::new();
    for (reply, need) in needs.iter().enumerate() {
        if let Need::Token { drafted, odds } = *need {
            let right = std::iter::successors(Some(odds), |before| Some(before * odds));
            likely.extend(right.take(drafted).map(|right| (right, reply)));
        }
    }
    likely.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    likely.truncate(largest.saturating_sub(computed));
    if likely.is_empty() {
        return Vec::new();
    }
    let expected = |count: usize| likely[..count].iter().map(|(right, _)| right).sum::<f64>();
    let pace_with = |count: usize| (replies as f64 + expected(count)) / pace.step(replies + count);
    let best = (1..=likely.len()).map(pace_with).fold(0.0, f64::max);
    if best < pace_with(0) * (1.0 + LEAST_GAIN) {
        return Vec::new();
    }
    let worth = |count: usize| {
        let costs = pace.step(computed + count) - pace.step(computed);
        expected(count) - best * costs
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
        drafted: 0,
        odds: 0.5,
    };

    fn drafted(drafted: usize, odds: f64) -> Need {
        Need::Token { drafted, odds }
    }

    #[test]
    fn a_prompt_alone_takes_the_whole_step() {
        assert_eq!(plan(&[Need::Prompt(1000)], &slow(), 256), [256]);
    }

    #[test]
    fn replies_keep_flowing_while_a_prompt_is_read() {
        let needs = [TOKEN, Need::Prompt(1000), TOKEN];
        assert_eq!(plan(&needs, &slow(), 256), [1, LEAST_PROMPT, 1]);
        assert_eq!(plan(&needs, &wide(), 256), [1, 254, 1]);
    }

    #[test]
    fn the_oldest_prompt_is_read_first() {
        let needs = [Need::Prompt(200), Need::Prompt(100), Need::Prompt(5)];
        assert_eq!(plan(&needs, &slow(), 256), [200, 56, 0]);
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

    fn needs() -> impl Strategy<Value = Vec<Need>> {
        let token = (0usize..16, 0.0..1.0).prop_map(|(count, odds)| drafted(count, odds));
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
                    Need::Token { drafted, .. } => {
                        prop_assert!((1..=1 + drafted).contains(share));
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
