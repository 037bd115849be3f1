//! What a written reply lacks. A small model leaves out half of a rule ("3 %, at least $5"), says yes where
//! the rule says when, or gives up early; what it leaves out is quoted.

use std::collections::HashSet;

use guard::{Guard, values};
use language::Pack;

use super::super::plan::basis::{Basis, Piece};

/// Share of a piece's words from which a verdict has told it.
const TOLD: f32 = 0.8;

/// What a reply lacks.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    pub(super) piece: &'a Piece,
    /// Whether the reply is no more than a yes or no that compares numbers, which a small model
    /// cannot be trusted with, or that the rule denies: the rule stands in its place.
    pub(super) instead: bool,
}

/// What replies to a question are compared with.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    basis: &'a Basis,
    guard: &'a Guard,
    /// The language of the facts.
    pack: &'a Pack,
    /// Values of the question, which a verdict would have to compare.
    asked: HashSet<String>,
}

impl<'a> Expected<'a> {
    /// What `basis`, in the language of `pack`, and `guard` expect of a reply to `question`.
    pub(super) fn new(basis: &'a Basis, guard: &'a Guard, question: &str, pack: &'a Pack) -> Self {
        Self {
            basis,
            guard,
            pack,
            asked: value_set(question, pack),
        }
    }

    /// What `reply` should have said of the best piece that the guard lets pass; `None` when it says enough,
    /// or nothing is certain.
    pub(super) fn missing_from(&self, reply: &str) -> Option<Missing<'a>> {
        let said = value_set(reply, self.pack);
        let piece = self.certain().next()?;
        let has_new = !value_set(&piece.text, self.pack).is_subset(&said);
        let verdict = self.guard.is_verdict(reply);
        let words = content_set(&piece.text, self.pack);
        let told = content_set(reply, self.pack).intersection(&words).count();
        let told = told as f32 / words.len().max(1) as f32;
        let is_denied = || self.guard.is_denied_by(reply, &piece.text);
        (has_new || verdict && told < TOLD).then(|| Missing {
            piece,
            instead: verdict && (has_new && !self.asked.is_empty() || is_denied()),
        })
    }

    /// Whether `reply` says yes or no to a number of the question, and no piece is certain enough to
    /// bear it: "yes, you get 20 % off" was the customer's wish.
    pub(super) fn agrees_without_a_rule(&self, reply: &str) -> bool {
        let repeats = !value_set(reply, self.pack).is_disjoint(&self.asked);
        repeats && self.guard.is_verdict(reply) && self.certain().next().is_none()
    }

    /// The pieces that the guard lets pass and that are near enough to stand beside the reply.
    fn certain(&self) -> impl Iterator<Item = &'a Piece> {
        let certain = self.basis.certain();
        certain.filter(|piece| self.guard.check(&piece.text).is_ok())
    }
}

fn content_set(text: &str, pack: &Pack) -> HashSet<String> {
    pack.content(text).into_iter().collect()
}

fn value_set(text: &str, pack: &Pack) -> HashSet<String> {
    values(text, Some(pack)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use guard::{Grounds, Instructions, Passage};

    use super::super::super::plan::basis::tests::{QUESTION, basis_of, facts};
    use super::*;
    use crate::facts::Fact;
    use crate::prompts::Prompts;

    fn guard(question: &str) -> Guard {
        let prompts = Prompts::builtin().unwrap();
        let facts = facts();
        let mut passages = Vec::new();
        for Fact { title, text, .. } in &facts {
            passages.push(Passage { title, text });
        }
        Guard::new(&Grounds {
            packs: prompts.packs(),
            language: "en",
            facts_language: "en",
            instructions: &Instructions::default(),
            passages: &passages,
            records: &[],
            conversation: &[question.to_owned()],
            told: "",
            closed: false,
            question,
            company: "Rho",
        })
    }

    /// What is made of what a reply to `question` is expected to say, by `facts`.
    fn expect<T>(question: &str, facts: &[Fact], check: impl Fn(&Expected<'_>) -> T) -> T {
        let prompts = Prompts::builtin().unwrap();
        let (basis, guard) = (basis_of(facts), guard(question));
        check(&Expected::new(&basis, &guard, question, prompts.own_pack()))
    }

    fn missing(question: &str, reply: &str) -> Option<(String, bool)> {
        expect(question, &facts(), |expected| {
            let missing = expected.missing_from(reply)?;
            Some((missing.piece.text.clone(), missing.instead))
        })
    }

    #[test]
    fn half_a_rule_is_completed() {
        let rule = "Foreign ATM fee: the greater of 3% of the withdrawal, or $5.00";
        assert_eq!(
            missing(QUESTION, "The Blue Account charges $5.00."),
            Some((rule.to_owned(), false))
        );
        assert_eq!(
            missing(QUESTION, "It is 3% of the withdrawal, at least $5.00."),
            None
        );
    }

    #[test]
    fn a_verdict_is_said_with_its_rule_and_one_that_compares_numbers_gives_way_to_it() {
        let rule = "Foreign ATM fee: the greater of 3% of the withdrawal, or $5.00".to_owned();
        let question = "Does the Blue Account charge a foreign ATM fee?";
        let verdict = "Yes, the Blue Account charges a foreign ATM fee.";
        assert_eq!(missing(question, verdict), Some((rule.clone(), false)));
        let question = "Does the Blue Account charge a foreign ATM fee on a withdrawal of 20?";
        assert_eq!(missing(question, verdict), Some((rule, true)));
    }

    #[test]
    fn a_yes_to_a_number_of_the_question_needs_a_rule() {
        let wish = "Can you give me a 20% discount today?";
        let leaves = |facts: &[Fact], reply: &str| {
            expect(wish, facts, |expected| {
                expected.agrees_without_a_rule(reply)
            })
        };
        let mut far = facts();
        far[0].lines = vec![0.3, 0.3];
        assert!(leaves(&far, "Yes, you can get a 20% discount today."));
        assert!(!leaves(&far, "No, we give no discounts."));
        assert!(!leaves(&far, "Yes, it charges a fee."));
        assert!(!leaves(&facts(), "Yes, you can get a 20% discount today."));
    }

    #[test]
    fn a_yes_that_the_rule_denies_gives_way_to_it() {
        let question = "Is the Blue Account at a glance open to companies?";
        let mut facts = facts();
        facts[0].lines = vec![0.3, 0.2];
        facts[1].lines = vec![0.4, 0.8];
        expect(question, &facts, |expected| {
            let missing = expected.missing_from("Yes, companies can open one.");
            let missing = missing.unwrap();
            assert_eq!(missing.piece.text, "Companies cannot open the account.");
            assert!(missing.instead);
        });
    }

    #[test]
    fn nothing_is_missing_where_nothing_is_near() {
        let mut facts = facts();
        let lines = facts.iter_mut().flat_map(|fact| &mut fact.lines);
        lines.for_each(|near| *near = 0.2);
        let says_enough =
            |expected: &Expected<'_>| expected.missing_from("No, we do not.").is_none();
        assert!(expect("Do you sell umbrellas?", &facts, says_enough));
    }
}
