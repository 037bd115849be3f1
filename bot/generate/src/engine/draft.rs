//! Speculative decoding by lookup. Replies copy facts, so the tokens that followed the last few
//! words at an earlier occurrence are likely to follow them again (Saxena 2023, "Prompt Lookup
//! Decoding"); and a company says the same things to one customer after another (He et al. 2023,
//! "REST: Retrieval-Based Speculative Decoding").
//!
//! A draft costs almost nothing to make, and the model verifies it: it changes how fast a reply is
//! written, never what is written.

use llama_cpp_2::token::LlamaToken;

use super::lookup::{Followed, Index, LONGEST_MATCH, Replies};

/// Tokens drafted at most.
pub(super) const LONGEST_DRAFT: usize = 16;
/// Guesses that are less likely than this are not made.
const LEAST_ODDS: f64 = 0.05;
/// Matches that are trusted alike, by the longest of each kind.
const ALIKE: [usize; 8] = [2, 3, 4, 6, 8, 12, 16, LONGEST_MATCH];
/// Where guesses come from.
const SOURCES: usize = 2;

/// Guesses that are trusted alike: by where they come from, and by how many tokens matched. Who has said a
/// sentence for sixteen tokens says the next ones of it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(usize);

impl Kind {
    /// From the conversation itself.
    fn own(matched: usize) -> Self {
        let kind = ALIKE.partition_point(|longest| *longest < matched);
        Self(kind.min(ALIKE.len() - 1))
    }

    /// From others' replies.
    fn others(matched: usize) -> Self {
        Self(Self::own(matched).0 + ALIKE.len())
    }
}

/// A token that may come next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Guess {
    /// The token.
    pub(super) token: LlamaToken,
    /// What it is trusted by.
    pub(super) kind: Kind,
    /// The probability that it and all guesses before it are right.
    pub(super) odds: f64,
}

/// What may follow `text`, by what followed its last words in `own`, where all of it stands, or in others'
/// `replies`: at each token what is more `likely` if the guesses before it are right. At most `most` tokens.
pub(super) fn draft(
    text: &[LlamaToken],
    own: &Index,
    replies: &Replies,
    most: usize,
    likely: impl Fn(Kind) -> f64,
) -> Vec<Guess> {
    let mut draft = Vec::new();
    let mut text = text[text.len().saturating_sub(LONGEST_MATCH)..].to_vec();
    let mut odds = 1.0;
    while draft.len() < most.min(LONGEST_DRAFT) {
        let of_kind =
            |kind: fn(usize) -> Kind| move |Followed { matched, by }: Followed| (kind(matched), by);
        let here = own.next(&text).map(of_kind(Kind::own));
        let elsewhere = replies.next(&text).map(of_kind(Kind::others));
        let found = elsewhere.into_iter().chain(here);
        let likelier = found.max_by(|(a, _), (b, _)| likely(*a).total_cmp(&likely(*b)));
        let Some((kind, token)) = likelier else {
            break;
        };
        odds *= likely(kind);
        if odds < LEAST_ODDS {
            break;
        }
        draft.push(Guess { token, kind, odds });
        text.push(token);
    }
    draft
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
    const UNKNOWN: Self = Self {
        right: 0.0,
        tried: 0.0,
    };
    const ASSUMED: Self = Self {
        right: 0.5 * ASSUMED,
        tried: ASSUMED,
    };

    fn note(&mut self, is_right: bool) {
        self.right = self.right * KEPT + f64::from(u8::from(is_right));
        self.tried = self.tried * KEPT + 1.0;
    }
}

/// How far guesses of each kind may be trusted: learnt from every draft, also from guesses that were not
/// computed, since what the model wrote instead is known in any case.
#[derive(Clone, Debug)]
pub(super) struct Trust([Rate; SOURCES * ALIKE.len()]);

/// How one reply's drafts fared: some replies copy, others do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record([Rate; SOURCES * ALIKE.len()]);

impl Default for Trust {
    fn default() -> Self {
        Self([Rate::ASSUMED; SOURCES * ALIKE.len()])
    }
}

impl Default for Record {
    fn default() -> Self {
        Self([Rate::UNKNOWN; SOURCES * ALIKE.len()])
    }
}

impl Trust {
    /// The probability that a guess is right when those before it are.
    pub(super) fn odds(&self, Kind(kind): Kind, reply: &Record) -> f64 {
        let (usual, here) = (self.0[kind], reply.0[kind]);
        (usual.right / usual.tried * ASSUMED + here.right) / (ASSUMED + here.tried)
    }

    /// Whether a guess came true, those before it being right.
    pub(super) fn note(&mut self, Kind(kind): Kind, is_right: bool, reply: &mut Record) {
        self.0[kind].note(is_right);
        reply.0[kind].note(is_right);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lookup::tests::tokens;
    use super::*;

    fn drafted(text: &str, replies: &Replies, likely: impl Fn(Kind) -> f64) -> String {
        let text = tokens(text);
        let draft = draft(&text, &Index::of(&text), replies, 6, likely);
        let bytes = draft.iter().map(|guess| u8::try_from(guess.token.0));
        String::from_utf8(bytes.collect::<Result<_, _>>().unwrap()).unwrap()
    }

    fn is_own(kind: Kind) -> bool {
        kind.0 < ALIKE.len()
    }

    #[test]
    fn what_followed_before_is_expected_again() {
        let text = "open 9 to 5. We are open 9";
        let next = drafted(text, &Replies::default(), |_| 0.9);
        assert_eq!(next, " to 5.");
        assert_eq!(drafted("ababab", &Replies::default(), |_| 0.9), "ababab");
    }

    #[test]
    fn what_others_were_told_goes_on_with_own_facts() {
        let mut replies = Replies::default();
        replies.push(&tokens(">>It costs EUR 70"), 2);
        let likely = |kind| if is_own(kind) { 0.9 } else { 0.8 };
        let facts = "EUR 25.>>It cost";
        assert_eq!(drafted(facts, &replies, likely), "s EUR ");
        assert_eq!(drafted(&format!("{facts}s EU"), &replies, likely), "R 25.>");
    }

    #[test]
    fn guesses_that_are_hardly_likely_are_not_made() {
        let text = "open 9 to 5. We are open 9";
        assert_eq!(drafted(text, &Replies::default(), |_| 0.3), " t");
        assert_eq!(drafted(text, &Replies::default(), |_| 0.01), "");
    }

    #[test]
    fn drafts_that_fail_are_trusted_less() {
        let (mut trust, fresh) = (Trust::default(), Record::default());
        let (mut copying, mut inventing) = (Record::default(), Record::default());
        for _ in 0..50 {
            trust.note(Kind::own(5), true, &mut copying);
            trust.note(Kind::own(2), false, &mut inventing);
        }
        assert!(trust.odds(Kind::own(5), &fresh) > 0.8);
        assert!(trust.odds(Kind::own(2), &fresh) < 0.2);
        trust.note(Kind::own(5), false, &mut inventing);
        trust.note(Kind::own(2), true, &mut copying);
        let odds = |matched, reply| trust.odds(Kind::own(matched), reply);
        assert!(odds(5, &inventing) < odds(5, &fresh));
        assert!(odds(2, &copying) > odds(2, &fresh));
    }

    #[test]
    fn guesses_of_other_kinds_are_trusted_by_themselves() {
        let (mut trust, mut reply) = (Trust::default(), Record::default());
        for _ in 0..30 {
            trust.note(Kind::own(2), false, &mut reply);
            trust.note(Kind::own(20), true, &mut reply);
        }
        assert!(trust.odds(Kind::own(24), &reply) > 0.95, "it is as long");
        assert!(trust.odds(Kind::own(2), &reply) < 0.1);
        for unknown in [Kind::own(8), Kind::others(2), Kind::others(20)] {
            assert!((0.3..0.7).contains(&trust.odds(unknown, &reply)));
        }
    }

    proptest! {
        #[test]
        fn odds_are_odds_and_descend(
            notes in proptest::collection::vec((2usize..30, any::<bool>(), any::<bool>()), 0..60),
            text in "[abc]{0,40}",
            told in "[abc]{0,40}",
            most in 0usize..20,
        ) {
            let (mut trust, mut reply) = (Trust::default(), Record::default());
            for (matched, is_own, is_right) in notes {
                let kind = if is_own { Kind::own(matched) } else { Kind::others(matched) };
                trust.note(kind, is_right, &mut reply);
            }
            let mut replies = Replies::default();
            replies.push(&tokens(&told), 0);
            let text = tokens(&text);
            let likely = |kind| trust.odds(kind, &reply);
            let draft = draft(&text, &Index::of(&text), &replies, most, likely);
            prop_assert!(draft.len() <= most.min(LONGEST_DRAFT));
            prop_assert!(draft.iter().all(|guess| (LEAST_ODDS..=1.0).contains(&guess.odds)));
            prop_assert!(draft.is_sorted_by(|before, after| before.odds >= after.odds));
            prop_assert!(draft.iter().all(|guess| guess.token.0 >= 0), "no boundary");
        }
    }
}
