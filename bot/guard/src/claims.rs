//! Sentences that are judged by what they are, not by the facts: courtesies, promises, verdicts,
//! confessions and holes.
//!
//! What is asked of all packs at once takes a model's falling into another language into account.

use language::{Pack, Packs, contains, normal};

/// Words that a courtesy may have beside its opener.
const COURTEOUS_WORDS: usize = 4;
/// Commas of Latin and of East Asian scripts.
const COMMAS: [char; 2] = [',', '，'];

/// The words of a sentence's condition: between "if" and the comma after it.
pub(crate) fn condition<'s>(pack: &Pack, sentence: &'s str) -> Option<&'s str> {
    let openers = &pack.sections().conditions.as_ref()?.openers;
    let words = pack.sections().words.as_ref();
    let spaced = words.is_none_or(|words| words.segmentation == language::Segmentation::Spaces);
    let lower = lower_keeping_length(sentence);
    let starts = openers.iter().filter_map(|opener| {
        let at = lower.find(opener.as_str())?;
        let begins_word = !spaced || !lower[..at].ends_with(|c: char| c.is_alphanumeric());
        begins_word.then_some(at + opener.len())
    });
    let rest = sentence.get(starts.min()?..)?;
    Some(rest.split(COMMAS).next().unwrap_or(rest))
}

/// The text in lower case, byte for byte at the same places: what changes its length stays.
fn lower_keeping_length(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut lower = c.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(small), None) if small.len_utf8() == c.len_utf8() => small,
                _ => c,
            }
        })
        .collect()
}

/// What a sentence that begins with a condition says of it: the part after the comma.
#[must_use]
pub fn consequence<'s>(pack: &Pack, sentence: &'s str) -> Option<&'s str> {
    let case = condition(pack, sentence)?;
    let (_, rest) = sentence.split_once(case)?;
    let rest = rest.trim_start_matches(|c: char| COMMAS.contains(&c) || c == ' ');
    Some(rest).filter(|rest| !rest.is_empty())
}

/// Whether the sentence is politeness and nothing else: "I'm sorry, but we take no cards" is more.
pub(crate) fn is_courtesy(pack: &Pack, sentence: &str) -> bool {
    let Some(courtesies) = &pack.sections().courtesies else {
        return false;
    };
    let lower = normal(sentence);
    let after = |openers: &[String]| {
        let mut openers = openers.iter();
        openers.find_map(|opener| lower.strip_prefix(opener.as_str()))
    };
    let says = |text: &str| pack.content(text).len();
    let clause = |rest: &str| {
        let at_comma = rest.split_once(COMMAS).map(|(_, clause)| says(clause));
        at_comma.or_else(|| {
            let mut joints = courtesies.joints.iter();
            let cut = joints.find_map(|joint| rest.split_once(joint.as_str()));
            cut.map(|(_, clause)| says(clause))
        })
    };
    let claims =
        |rest: &str| says(rest) > COURTEOUS_WORDS || clause(rest).is_some_and(|words| words > 1);
    let is_polite = after(&courtesies.openers).is_some_and(|rest| !claims(rest));
    let agrees = after(&courtesies.agreements).is_some_and(|rest| says(rest) == 0);
    (is_polite || agrees) && !lower.contains(|c: char| c.is_ascii_digit())
}

/// Whether the text invites to call or write: it holds a number and tells nothing.
#[must_use]
pub fn is_invitation(pack: &Pack, text: &str) -> bool {
    let lower = normal(text);
    let courtesies = pack.sections().courtesies.iter();
    let mut invitations = courtesies.flat_map(|courtesies| &courtesies.invitations);
    invitations.any(|start| lower.starts_with(start.as_str()))
}

/// Whether the sentence, in its normal form, promises that something can be done to an order after
/// all.
pub(crate) fn still_promises(packs: &Packs, normal: &str) -> bool {
    phrases(packs).any(|phrases| contains(normal, &phrases.promises))
}

/// Whether the sentence says in the model's own way that the facts do not answer.
#[must_use]
pub fn confesses_ignorance(packs: &Packs, sentence: &str) -> bool {
    let normal = normal(sentence);
    phrases(packs).any(|phrases| contains(&normal, &phrases.confessions))
}

/// Whether the text is a yes or a no and nothing else: it tells a customer who asked for a number,
/// or for a condition, nothing.
#[must_use]
pub fn is_bare_answer(packs: &Packs, text: &str) -> bool {
    let lower = normal(text);
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    let mut answers = packs
        .iter()
        .filter_map(|pack| pack.sections().answers.as_ref());
    answers.any(|answers| {
        let mut all = [&answers.yes, &answers.no, &answers.bare]
            .into_iter()
            .flatten();
        all.any(|answer| answer == bare)
    })
}

/// Whether the text begins with a yes or a no, and which: true for yes.
pub(crate) fn verdict(packs: &Packs, text: &str) -> Option<bool> {
    let lower = normal(text);
    let first = lower
        .split(|c: char| !c.is_alphanumeric())
        .next()?
        .to_owned();
    let answers = || {
        packs
            .iter()
            .filter_map(|pack| pack.sections().answers.as_ref())
    };
    if answers().any(|answers| answers.yes.contains(&first)) {
        return Some(true);
    }
    answers()
        .any(|answers| answers.no.contains(&first))
        .then_some(false)
}

/// Whether the text has a hole where somebody forgot to put a value: `[value not available]`,
/// `{{ price }}`, `TODO`.
#[must_use]
pub fn has_placeholder(packs: &Packs, text: &str) -> bool {
    has_hole(packs, &normal(text))
}

pub(crate) fn has_hole(packs: &Packs, normal: &str) -> bool {
    let is_hole =
        |inside: &str| phrases(packs).any(|phrases| contains(inside, &phrases.placeholders));
    let bracketed = normal
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .any(|(inside, _)| is_hole(inside));
    bracketed || normal.contains("{{") || normal.split_whitespace().any(|word| word == "todo:")
}

fn phrases(packs: &Packs) -> impl Iterator<Item = &language::Phrases> {
    packs
        .iter()
        .filter_map(|pack| pack.sections().phrases.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{english, packs};

    #[test]
    fn a_consequence_follows_its_condition() {
        let consequence = |sentence| consequence(&english(), sentence).map(str::to_owned);
        assert_eq!(
            consequence("If you pay by cheque, it takes 3 days.").as_deref(),
            Some("it takes 3 days.")
        );
        assert_eq!(consequence("It takes 3 days if you pay by cheque."), None);
        assert_eq!(consequence("It takes 3 days."), None);
    }

    #[test]
    fn politeness_with_a_number_is_a_claim() {
        assert!(is_courtesy(&english(), "I’m sorry for the trouble."));
        assert!(!is_courtesy(&english(), "I'm sorry, that costs 30."));
    }

    #[test]
    fn a_yes_alone_is_bare_and_a_yes_with_a_reason_is_not() {
        let packs = packs();
        for bare in [" Yes. ", "Ja!", "是的。", "Sí"] {
            assert!(is_bare_answer(&packs, bare), "{bare}");
        }
        assert!(!is_bare_answer(&packs, "Yes, within 30 days."));
        assert!(!is_bare_answer(&packs, "Ja, innerhalb von 30 Tagen."));
    }

    #[test]
    fn an_invitation_is_told_from_a_rule_in_friendly_words() {
        let english = english();
        assert!(is_invitation(
            &english,
            "If you have any questions, call 1-800-555."
        ));
        assert!(!is_invitation(
            &english,
            "Sorry, we cannot send knives outside Europe."
        ));
        let packs = packs();
        let german = packs.require("de").unwrap();
        assert!(is_invitation(german, "Bei Fragen rufen Sie 030 1234 an."));
    }

    #[test]
    fn a_verdict_begins_with_yes_or_no() {
        let packs = packs();
        for (text, affirms) in [
            ("Yes, your daughter can open one.", Some(true)),
            ("No. That is not possible.", Some(false)),
            ("Nothing is charged.", None),
            ("Ja, das geht.", Some(true)),
            ("Nein, leider nicht.", Some(false)),
            ("Nichts wird berechnet.", None),
            ("可以，三十天内。", Some(true)),
            ("不可以。", Some(false)),
        ] {
            assert_eq!(verdict(&packs, text), affirms, "{text}");
        }
    }

    #[test]
    fn a_confession_is_no_answer() {
        let packs = packs();
        assert!(confesses_ignorance(
            &packs,
            "The facts do not mention any brands."
        ));
        assert!(confesses_ignorance(
            &packs,
            "Das wird in den Fakten nicht erwähnt."
        ));
        assert!(!confesses_ignorance(
            &packs,
            "In fact we do not charge for it."
        ));
    }

    #[test]
    fn a_hole_is_seen_and_a_footnote_is_not() {
        let packs = packs();
        assert!(has_placeholder(
            &packs,
            "The late fee is $[value not available] (USD)."
        ));
        assert!(has_placeholder(
            &packs,
            "Die Gebühr beträgt [Betrag einfügen]."
        ));
        assert!(!has_placeholder(&packs, "Prices include VAT [1]."));
    }

    #[test]
    fn deeds_are_seen_in_the_middle_of_a_sentence() {
        let english = english();
        assert!(english.claims_a_deed(&normal("Good news: I've cancelled it.")));
        assert!(!english.claims_a_deed(&normal("You can cancel it yourself.")));
    }
}
