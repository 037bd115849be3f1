//! What one step computes: a token for each reply being written, and pieces of waiting prompts.

/// Prompt tokens in a step that writes no reply: the largest batch llama.cpp is given.
pub(super) const PROMPT_ALONE: usize = 256;
/// Prompt tokens in a step that also writes replies. Each of them waits for the whole step, so
/// this is what keeps them flowing while others' prompts are read.
pub(super) const PROMPT_BESIDE: usize = 64;

/// What a reply needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// This many tokens of its prompt are not computed yet.
    Prompt(usize),
    /// Its last token is to be followed by another.
    Token,
}

/// How many tokens of each reply the next step computes. `needs` are in order of admission: the
/// prompt that has waited longest is read first, so that its reply begins as soon as possible.
pub(super) fn plan(needs: &[Need]) -> Vec<usize> {
    let mut budget = if needs.contains(&Need::Token) {
        PROMPT_BESIDE
    } else {
        PROMPT_ALONE
    };
    let share = |need: &Need| match *need {
        Need::Token => 1,
        Need::Prompt(pending) => {
            let taken = pending.min(budget);
            budget -= taken;
            taken
        }
    };
    needs.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_prompt_alone_takes_the_whole_step() {
        assert_eq!(plan(&[Need::Prompt(1000)]), [PROMPT_ALONE]);
    }

    #[test]
    fn replies_keep_flowing_while_a_prompt_is_read() {
        let needs = [Need::Token, Need::Prompt(1000), Need::Token];
        assert_eq!(plan(&needs), [1, PROMPT_BESIDE, 1]);
    }

    #[test]
    fn the_oldest_prompt_is_read_first() {
        let needs = [Need::Prompt(200), Need::Prompt(100), Need::Prompt(5)];
        assert_eq!(plan(&needs), [200, 56, 0]);
    }

    fn needs() -> impl Strategy<Value = Vec<Need>> {
        let need = prop_oneof![Just(Need::Token), (1usize..600).prop_map(Need::Prompt)];
        proptest::collection::vec(need, 1..8)
    }

    proptest! {
        #[test]
        fn a_step_is_bounded_fair_and_never_idle(needs in needs()) {
            let shares = plan(&needs);
            let replies = needs.iter().filter(|need| **need == Need::Token).count();
            let prompts = shares.iter().sum::<usize>() - replies;
            let budget = if replies > 0 { PROMPT_BESIDE } else { PROMPT_ALONE };
            prop_assert!(prompts <= budget);
            prop_assert!(shares.iter().any(|share| *share > 0));
            let mut unread = false;
            for (need, share) in needs.iter().zip(&shares) {
                match *need {
                    Need::Token => prop_assert_eq!(*share, 1),
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
