//! What a sentence says: its content words, its names, and whether it denies.

use std::collections::HashSet;

use crate::turn::words;

/// Share of a sentence's content words that one statement must hold.
pub(super) const LEAST_IN_ONE: f32 = 0.34;
/// Share that all grounds together must hold, where no one statement holds enough.
pub(super) const LEAST_IN_ALL: f32 = 0.75;
/// Share of a verdict's content words that the facts must hold: "yes, we sell bicycles" takes its
/// words from the question.
pub(super) const LEAST_OF_A_VERDICT: f32 = 0.6;
/// Share of a condition's content words that the facts and the conversation must hold.
pub(super) const LEAST_OF_A_CONDITION: f32 = 0.6;
/// From this share on a sentence says what has been said.
pub(super) const REPEATS: f32 = 0.85;
/// From this share on two sentences speak of the same thing, so that their polarity must agree.
const SAME_THING: f32 = 0.75;

const NEGATIONS: &[&str] = &[
    "not",
    "no",
    "never",
    "cannot",
    "can't",
    "isn't",
    "aren't",
    "doesn't",
    "don't",
    "won't",
    "without",
    "none",
    "neither",
    "nor",
    "unable",
    "wasn't",
    "weren't",
    "didn't",
    "couldn't",
    "ineligible",
    "unavailable",
    "excluded",
    "excluding",
    "except",
    "不",
    "没",
    "无",
    "未",
];

/// Capitalised words that are no names.
const NOT_NAMES: &[&str] = &[
    "i",
    "ai",
    "faq",
    "ok",
    "id",
    "pin",
    "atm",
    "apr",
    "apy",
    "usd",
    "eur",
    "gbp",
    "us",
    "usa",
    "uk",
    "eu",
    "pdf",
    "sms",
    "vat",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "english",
    "am",
    "pm",
    "pc",
    "tv",
    "no",
    "yes",
];

/// Names of a sentence: capitalised words that do not begin it. Only scripts with capitals have any.
pub(super) fn names(sentence: &str) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    let mut begins = true;
    for word in sentence.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let capital = bare.chars().next().is_some_and(char::is_uppercase);
        let known = NOT_NAMES.contains(&bare.to_lowercase().trim_end_matches("'s"));
        // A sentence may begin with a name, too: then its second word is often capital as well.
        if capital
            && !known
            && !is_plain_start(begins, bare)
            && bare.chars().any(char::is_lowercase)
        {
            found.push(bare.to_owned());
        }
        begins = word.ends_with([':', '.', '!', '?', '-', '•', '*']) || bare.is_empty() && begins;
    }
    found.into_iter()
}

/// Names that are no more than a kind and a letter, in small letters: "bank a" of "Bank A, Bank B".
/// A model that knows no names makes these up.
pub(super) fn lettered(text: &str) -> impl Iterator<Item = String> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let words: Vec<String> = text.split_whitespace().map(bare).collect();
    let is_kind = |word: &str| {
        let mut chars = word.chars();
        chars.next().is_some_and(char::is_uppercase) && chars.next().is_some_and(char::is_lowercase)
    };
    let is_letter =
        |word: &str| word.len() == 1 && word != "I" && word.chars().all(|c| c.is_ascii_uppercase());
    let pairs = words
        .windows(2)
        .filter(|pair| is_kind(&pair[0]) && is_letter(&pair[1]))
        .map(|pair| pair.join(" ").to_lowercase());
    pairs.collect::<Vec<_>>().into_iter()
}

fn is_plain_start(begins: bool, word: &str) -> bool {
    begins || word.contains('\'') && word.starts_with('I')
}

/// A sentence as the guard compares it.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    content: Vec<String>,
    denies: bool,
    /// Whether any part of it denies.
    negates: bool,
}

impl Statement {
    pub(super) fn new(sentence: &str) -> Self {
        let mut content: Vec<String> = words::content(sentence).collect();
        content.sort();
        content.dedup();
        Self {
            content,
            denies: denies(sentence),
            negates: negations(sentence) > 0,
        }
    }

    /// Whether it denies something, and no statement that denies speaks of it: "and Amex is not
    /// accepted" beside facts that do not name it.
    pub(super) fn denies_beyond(&self, statements: &[Self]) -> bool {
        let bears = |statement: &&Self| {
            statement.negates
                && self.share(|word| statement.content.binary_search(word).is_ok()) >= LEAST_IN_ONE
        };
        self.denies && self.has_content() && !statements.iter().any(|known| bears(&known))
    }

    /// The statement that holds the largest share of this one's content, with that share.
    pub(super) fn best_support<'s>(&self, statements: &'s [Self]) -> Option<(f32, &'s Self)> {
        statements
            .iter()
            .map(|statement| {
                (
                    self.share(|word| statement.content.binary_search(word).is_ok()),
                    statement,
                )
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Whether it has words that carry content.
    pub(super) fn has_content(&self) -> bool {
        !self.content.is_empty()
    }

    /// The statement without `words`.
    pub(super) fn without(&self, words: &HashSet<String>) -> Self {
        let content = self.content.iter();
        Self {
            content: content
                .filter(|word| !words.contains(*word))
                .cloned()
                .collect(),
            ..*self
        }
    }

    /// Share of the content that `words` hold.
    pub(super) fn share_in(&self, words: &HashSet<String>) -> f32 {
        self.share(|word| words.contains(word))
    }

    /// Whether both have a word in common that is more than a number.
    pub(super) fn shares_a_word_with(&self, other: &Self) -> bool {
        let words = || {
            self.content
                .iter()
                .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        };
        words().next().is_none() || words().any(|word| other.content.binary_search(word).is_ok())
    }

    /// Whether both speak of the same thing and one denies what the other affirms.
    pub(super) fn contradicts(&self, other: &Self, share: f32) -> bool {
        let back = other.share(|word| self.content.binary_search(word).is_ok());
        self.denies != other.denies && share >= SAME_THING && back >= SAME_THING
    }

    fn share(&self, holds: impl Fn(&String) -> bool) -> f32 {
        if self.content.is_empty() {
            return 1.0;
        }
        self.content.iter().filter(|word| holds(word)).count() as f32 / self.content.len() as f32
    }
}

/// The parts of a sentence that claim something each.
pub(super) fn clauses(sentence: &str) -> impl Iterator<Item = &str> {
    let parts = sentence.split("; ");
    let parts = parts.flat_map(|part| part.split(", and "));
    parts.flat_map(|part| part.split(", but "))
}

/// Whether the sentence denies; a double negation affirms.
pub(super) fn denies(sentence: &str) -> bool {
    negations(sentence) % 2 == 1
}

fn negations(sentence: &str) -> usize {
    let lower = sentence.to_lowercase().replace('\u{2019}', "'");
    let count = lower
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|word| NEGATIONS.contains(word))
        .count();
    let unspaced = ["不", "没有", "无法", "未"]
        .iter()
        .filter(|word| lower.contains(*word))
        .count();
    count + unspaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_capitalised_words_within_a_sentence() {
        assert_eq!(
            names("Ask for the Platinum Rewards card.").collect::<Vec<_>>(),
            ["Platinum", "Rewards"]
        );
        assert_eq!(
            names("You can come on Monday. It's an ATM, I'd say.").count(),
            0
        );
    }

    #[test]
    fn a_double_negation_affirms() {
        assert!(denies("You cannot return it."));
        assert!(!denies("It never comes without a cost."));
    }
}
