//! Drafts by prompt lookup: replies copy facts, so what followed the last words where they stood
//! before is likely to follow them again (Saxena 2023, "Prompt Lookup Decoding"). A draft costs
//! nothing to make and is verified by the model, so it changes how fast a reply is written, never
//! what is written.

use llama_cpp_2::token::LlamaToken;

/// Tokens drafted at most.
pub(super) const LONGEST_DRAFT: usize = 16;
/// Last tokens that are looked for, at most and at least. One alone, "the", follows anything.
const LONGEST_MATCH: usize = 8;
const SHORTEST_MATCH: usize = 2;

/// A guess of what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// The tokens, at least one.
    pub(super) tokens: Vec<LlamaToken>,
    /// How many of the last tokens had stood before them.
    pub(super) matched: usize,
}

/// What followed the longest end of `text` that occurs in it before; of equally long ones the last.
/// At most `most` tokens. Takes time in the length of the text.
pub(super) fn draft(text: &[LlamaToken], most: usize) -> Option<Draft> {
    let most = most.min(LONGEST_DRAFT);
    let last = text.len().checked_sub(1)?;
    let matched_before = |end: usize| {
        let before = text[..end].iter().rev();
        let pairs = before.zip(text.iter().rev()).take(LONGEST_MATCH);
        pairs.take_while(|(a, b)| a == b).count()
    };
    let best = (1..=last).map(|end| (matched_before(end), end)).max()?;
    let (matched, end) = best;
    let tokens: Vec<_> = text.get(end..)?.iter().take(most).copied().collect();
    (matched >= SHORTEST_MATCH && !tokens.is_empty()).then_some(Draft { tokens, matched })
}

/// Weight of what is assumed before anything is known, in guesses.
const ASSUMED: f64 = 4.0;
/// How much of what was learnt is kept at each guess: a few hundred count.
const KEPT: f64 = 0.995;

/// How often a guess comes true.
#[derive(Clone, Copy, Debug)]
struct Rate {
    right: f64,
    tried: f64,
}

impl Rate {
    fn assumed(share: f64) -> Self {
        Self {
            right: share * ASSUMED,
            tried: ASSUMED,
        }
    }

    fn share(self) -> f64 {
        self.right / self.tried
    }

    fn note(&mut self, is_right: bool) {
        self.right = self.right * KEPT + f64::from(u8::from(is_right));
        self.tried = self.tried * KEPT + 1.0;
    }
}

/// How far drafts may be trusted, by how many tokens matched: learnt from every draft, also from
/// those that were not computed, since what the model wrote instead is known in any case.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    by_match: [Rate; LONGEST_MATCH + 1],
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            by_match: [Rate::assumed(0.5); LONGEST_MATCH + 1],
        }
    }
}

impl Trust {
    /// The probability that a token of a draft is right when those before it are.
    pub(super) fn odds(&self, matched: usize, reply: &Record) -> f64 {
        let usual = self.by_match[matched.min(LONGEST_MATCH)].share();
        (usual * ASSUMED + reply.right) / (ASSUMED + reply.tried)
    }

    /// `right` tokens of a draft came true; `ended` by one that did not.
    pub(super) fn note(&mut self, matched: usize, right: usize, failed: bool, reply: &mut Record) {
        let rate = &mut self.by_match[matched.min(LONGEST_MATCH)];
        (0..right).for_each(|_| rate.note(true));
        if failed {
            rate.note(false);
        }
        reply.right += right as f64;
        reply.tried += (right + usize::from(failed)) as f64;
    }
}

/// How one reply's drafts fared: some replies copy, others do not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    right: f64,
    tried: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(text: &str) -> Vec<LlamaToken> {
        text.bytes()
            .map(|byte| LlamaToken::new(byte.into()))
            .collect()
    }

    fn drafted(text: &str, most: usize) -> Option<(String, usize)> {
        let Draft { tokens, matched } = draft(&tokens(text), most)?;
        let bytes = tokens.iter().map(|token| u8::try_from(token.0).unwrap());
        Some((bytes.map(char::from).collect(), matched))
    }

    #[test]
    fn what_followed_before_is_expected_again() {
        let text = "open 9 to 5. We are open 9";
        assert_eq!(drafted(text, 6), Some((" to 5.".to_owned(), 6)));
    }

    #[test]
    fn a_longer_match_is_worth_more_and_then_a_later_one() {
        assert_eq!(drafted("xabcP yabcQ xabc", 1), Some(("P".to_owned(), 4)));
        assert_eq!(drafted("abcP.abcQ,abc", 1), Some(("Q".to_owned(), 3)));
    }

    #[test]
    fn nothing_is_expected_after_what_is_new() {
        assert_eq!(drafted("abcdefgh", 4), None);
        assert_eq!(drafted("", 4), None);
        assert_eq!(drafted("axbx", 4), None);
        assert_eq!(drafted("abab", 0), None);
    }

    #[test]
    fn a_text_that_repeats_itself_goes_on() {
        assert_eq!(drafted("ababab", 16), Some(("ab".to_owned(), 4)));
    }

    #[test]
    fn drafts_that_fail_are_trusted_less() {
        let mut trust = Trust::default();
        let mut copying = Record::default();
        let mut inventing = Record::default();
        for _ in 0..50 {
            trust.note(5, 3, false, &mut copying);
            trust.note(2, 0, true, &mut inventing);
        }
        let fresh = Record::default();
        assert!(trust.odds(5, &fresh) > 0.8);
        assert!(trust.odds(2, &fresh) < 0.2);
        assert!(trust.odds(5, &inventing) < trust.odds(5, &fresh));
        assert!(trust.odds(2, &copying) > trust.odds(2, &fresh));
    }

    proptest! {
        #[test]
        fn a_draft_stands_in_the_text_after_what_matched(text in "[abc]{0,40}", most in 0usize..20) {
            if let Some((next, matched)) = drafted(&text, most) {
                prop_assert!(next.len() <= most.min(LONGEST_DRAFT));
                let end = &text[text.len() - matched..];
                let stood = format!("{end}{next}");
                prop_assert!(text.contains(&stood), "{stood} in {text}");
            }
        }
    }
}
