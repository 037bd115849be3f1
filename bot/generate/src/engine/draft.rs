//! Drafts by prompt lookup: replies copy facts, so what followed the last words where they stood
//! before is likely to follow them again (Saxena 2023, "Prompt Lookup Decoding"). A draft costs
//! nothing to make and is verified by the model, so it changes how fast a reply is written, never
//! what is written.

use llama_cpp_2::token::LlamaToken;

/// Tokens drafted at most.
pub(super) const LONGEST_DRAFT: usize = 16;
/// Last tokens that are looked for, at most and at least. One alone, "the", follows anything.
const LONGEST_MATCH: usize = 24;
const SHORTEST_MATCH: usize = 2;
/// Matches that are trusted alike, by the longest of each kind.
const ALIKE: [usize; 8] = [2, 3, 4, 6, 8, 12, 16, LONGEST_MATCH];

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
/// Guesses that may fail before promises are doubted.
const PATIENCE: f64 = 8.0;
/// How much of broken promises is remembered at each draft, computed or not: they are tried again.
const FORGIVEN: f64 = 0.99;

/// How often a guess comes true.
#[derive(Clone, Copy, Debug)]
struct Rate {
    right: f64,
    tried: f64,
}

impl Rate {
    const UNKNOWN: Self = Self {
        right: 0.0,
        tried: 0.0,
    };

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

/// How often drafts came true, by how many tokens matched: who has said a sentence for sixteen tokens
/// says the next ones of it, too.
#[derive(Clone, Copy, Debug)]
struct Rates([Rate; ALIKE.len()]);

impl Rates {
    fn of(&self, matched: usize) -> Rate {
        self.0[Self::kind(matched)]
    }

    /// `right` tokens of a draft came true; `failed` says that one then did not.
    fn note(&mut self, matched: usize, right: usize, failed: bool) {
        let rate = &mut self.0[Self::kind(matched)];
        (0..right).for_each(|_| rate.note(true));
        if failed {
            rate.note(false);
        }
    }

    fn kind(matched: usize) -> usize {
        let kind = ALIKE.partition_point(|longest| *longest < matched);
        kind.min(ALIKE.len() - 1)
    }
}

/// How far drafts may be trusted: learnt from every draft, also from those that were not computed, since
/// what the model wrote instead is known in any case.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    rates: Rates,
    /// Guesses that were expected to come true, of those computed, and those that did: who picks what
    /// looks best is disappointed, since it looks best by chance, too.
    promised: f64,
    kept: f64,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            rates: Rates([Rate::assumed(0.5); ALIKE.len()]),
            promised: 0.0,
            kept: 0.0,
        }
    }
}

impl Trust {
    /// The probability that a token of a draft is right when those before it are.
    pub(super) fn odds(&self, matched: usize, reply: &Record) -> f64 {
        let (usual, here) = (self.rates.of(matched).share(), reply.0.of(matched));
        let right = (usual * ASSUMED + here.right) / (ASSUMED + here.tried);
        let faith = (self.kept + PATIENCE) / (self.promised + PATIENCE);
        // So that a long draft is expected to come true as far as was kept of what such drafts promised.
        let right = right * faith.min(1.0);
        let wrong = 1.0 - right / faith.clamp(f64::MIN_POSITIVE, 1.0);
        right / (right + wrong).max(f64::MIN_POSITIVE)
    }

    /// `right` tokens of a draft came true, of which `guessed` had been computed; `failed` says that one
    /// then did not.
    pub(super) fn note(
        &mut self,
        matched: usize,
        guessed: usize,
        (right, failed): (usize, bool),
        reply: &mut Record,
    ) {
        let odds = self.odds(matched, reply);
        let promised = std::iter::successors(Some(odds), |before| Some(before * odds));
        self.promised = self.promised * FORGIVEN + promised.take(guessed).sum::<f64>();
        self.kept = self.kept * FORGIVEN + right.min(guessed) as f64;
        self.rates.note(matched, right, failed);
        reply.0.note(matched, right, failed);
    }
}

/// How one reply's drafts fared: some replies copy, others do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record(Rates);

impl Default for Record {
    fn default() -> Self {
        Self(Rates([Rate::UNKNOWN; ALIKE.len()]))
    }
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
            trust.note(5, 0, (3, false), &mut copying);
            trust.note(2, 0, (0, true), &mut inventing);
        }
        let fresh = Record::default();
        assert!(trust.odds(5, &fresh) > 0.8);
        assert!(trust.odds(2, &fresh) < 0.2);
        trust.note(5, 0, (0, true), &mut inventing);
        trust.note(2, 0, (3, false), &mut copying);
        assert!(trust.odds(5, &inventing) < trust.odds(5, &fresh));
        assert!(trust.odds(2, &copying) > trust.odds(2, &fresh));
    }

    #[test]
    fn long_matches_are_trusted_whatever_short_ones_came_to() {
        let (mut trust, mut reply) = (Trust::default(), Record::default());
        for _ in 0..30 {
            trust.note(2, 0, (0, true), &mut reply);
            trust.note(20, 0, (9, false), &mut reply);
        }
        assert!(trust.odds(20, &reply) > 0.95);
        assert!(trust.odds(24, &reply) > 0.95, "it is as long");
        assert!(trust.odds(2, &reply) < 0.1);
        assert!(
            (0.3..0.7).contains(&trust.odds(8, &reply)),
            "nothing is known of it"
        );
    }

    #[test]
    fn promises_that_are_broken_are_doubted_for_a_while() {
        let (mut trust, fresh) = (Trust::default(), Record::default());
        for matched in [9, 20].repeat(50) {
            trust.note(matched, 0, (16, false), &mut Record::default());
        }
        let sure = trust.odds(9, &fresh);
        assert!(sure > 0.95, "{sure}");
        (0..10).for_each(|_| trust.note(20, 16, (4, true), &mut Record::default()));
        let doubted = trust.odds(9, &fresh);
        assert!(doubted < sure, "{doubted}");
        (0..400).for_each(|_| trust.note(2, 0, (0, true), &mut Record::default()));
        assert!(trust.odds(9, &fresh) > sure - 0.01);
    }

    proptest! {
        #[test]
        fn odds_are_odds(notes in proptest::collection::vec((2usize..30, 0usize..17, 0usize..17, any::<bool>()), 0..60)) {
            let (mut trust, mut reply) = (Trust::default(), Record::default());
            for (matched, guessed, right, failed) in notes {
                trust.note(matched, guessed, (right, failed), &mut reply);
                let odds = trust.odds(matched, &reply);
                prop_assert!((0.0..=1.0).contains(&odds), "{odds}");
            }
        }

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
