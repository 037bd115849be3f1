//! What a sentence says: its content words, its names, and whether it denies.

use std::collections::HashSet;

use super::Grounds;
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
/// From this fit on two sentences speak of the same thing, so that their polarity must agree.
const SAME_THING: f32 = 0.75;
/// Words that a statement needs for that.
const LEAST_WORDS: usize = 2;
/// Longest item of a list, in words.
const ITEM_WORDS: usize = 16;

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
    /// How often it denies something.
    negations: usize,
    /// Content of the heading that it is an item of: "What cannot be returned".
    heading: Vec<String>,
}

/// What the facts state: their sentences, their clauses, and the items of lists under headings that
/// deny.
pub(super) fn statements(grounds: &Grounds<'_>) -> Vec<Statement> {
    let mut all = Vec::new();
    for record in grounds.records {
        add_statements("", record, &mut all);
    }
    for fact in grounds.passages {
        all.push(Statement::new(&fact.title));
        add_statements(&fact.title, &fact.text, &mut all);
    }
    all
}

fn add_statements(title: &str, text: &str, all: &mut Vec<Statement>) {
    let mut denied = title
        .split(" > ")
        .find(|heading| lists_what_is_denied(heading));
    let sentences = retrieval::sentences::split(text);
    for sentence in &sentences {
        let (heading, sentence) = without_heading(sentence);
        if heading.is_some() {
            denied = heading
                .filter(|heading| lists_what_is_denied(heading))
                .or(denied);
        }
        all.push(Statement::new(sentence));
        // Each clause speaks for itself, too, and so does an item of what is denied: "standard is
        // refunded; express is not."
        for clause in finer_clauses(sentence) {
            let statement = Statement::new(clause);
            match denied {
                Some(denied) if is_item(clause) => all.push(Statement {
                    denies: true,
                    negations: 1,
                    heading: sorted_content(denied),
                    ..statement
                }),
                Some(_) | None => all.push(statement),
            }
        }
    }
}

/// A line's own heading, "What it costs: Nothing", apart from what it says.
fn without_heading(sentence: &str) -> (Option<&str>, &str) {
    const MOST_WORDS: usize = 8;
    let parts = sentence.split_once(": ").filter(|(heading, rest)| {
        heading.split_whitespace().count() <= MOST_WORDS
            && !heading.contains(['.', ',', ';', '!'])
            && rest.starts_with(|c: char| c.is_uppercase())
    });
    parts.map_or((None, sentence), |(heading, rest)| (Some(heading), rest))
}

/// Whether a heading says that what is listed below it is not possible.
fn lists_what_is_denied(heading: &str) -> bool {
    let lower = heading.to_lowercase();
    let asks = ["what ", "which ", "where ", "who "];
    asks.iter().any(|word| lower.starts_with(word)) && denies(heading)
}

/// Whether a sentence is no more than the name of something: "Candles that have been lit."
fn is_item(sentence: &str) -> bool {
    // Wherever they stand, something is said.
    const MODALS: &[&str] = &["can", "cannot", "will", "may", "must", "should"];
    const VERBS: &[&str] = &[
        "is", "are", "was", "can", "cannot", "will", "may", "must", "has", "have", "do", "does",
        "we", "you", "ask", "see",
    ];
    let mut main = sentence;
    for beyond in [" that ", " which ", " once ", " when ", " if ", " unless "] {
        main = main.split(beyond).next().unwrap_or(main);
    }
    let has = |text: &str, listed: &[&str]| {
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
        words.any(|word| listed.contains(&word.to_lowercase().as_str()))
    };
    let words = sentence.split_whitespace().count();
    words <= ITEM_WORDS && !has(sentence, MODALS) && !has(main, VERBS)
}

fn sorted_content(text: &str) -> Vec<String> {
    let content = words::content(text);
    let mut content: Vec<String> = content
        .filter(|word| !NEGATIONS.contains(&word.as_str()))
        .collect();
    content.sort();
    content.dedup();
    content
}

/// The sentence without the verdict that it begins with: "No, it is free" denies nothing of it.
fn without_verdict(sentence: &str) -> &str {
    let rest = sentence.split_once(", ").filter(|(first, _)| {
        let first = first.trim().to_lowercase();
        first == "no" || first == "yes"
    });
    rest.map_or(sentence, |(_, rest)| rest)
}

impl Statement {
    pub(super) fn new(sentence: &str) -> Self {
        let sentence = without_verdict(without_heading(sentence).1);
        Self {
            content: sorted_content(sentence),
            denies: denies(sentence),
            negations: negations(sentence),
            heading: Vec::new(),
        }
    }

    /// Whether it denies something, and no statement that denies speaks of it: "and Amex is not
    /// accepted" beside facts that do not name it.
    pub(super) fn denies_beyond(&self, statements: &[Self]) -> bool {
        let bears =
            |statement: &&Self| statement.negations > 0 && self.share_of(statement) >= LEAST_IN_ONE;
        self.denies && self.has_content() && !statements.iter().any(|known| bears(&known))
    }

    /// The largest share of this one's content that one of `statements` holds.
    pub(super) fn best_support(&self, statements: &[Self]) -> Option<f32> {
        let shares = statements.iter().map(|statement| self.share_of(statement));
        shares.max_by(f32::total_cmp)
    }

    fn share_of(&self, statement: &Self) -> f32 {
        self.share(|word| {
            statement.content.binary_search(word).is_ok()
                || statement.heading.binary_search(word).is_ok()
        })
    }

    /// Whether it denies one thing at most, so that it can be told from its number of negations
    /// whether it denies.
    pub(super) fn is_single(&self) -> bool {
        self.negations < 2
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
            ..self.clone()
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

    /// Whether one of `statements` speaks of the same thing and denies what this one affirms, or the
    /// other way round, and none that agrees speaks of it as closely.
    pub(super) fn is_contradicted_by(&self, statements: &[Self]) -> bool {
        if self.content.len() < LEAST_WORDS {
            return false;
        }
        let best = |agrees: bool| {
            let fits = statements
                .iter()
                .filter(|known| known.content.len() >= LEAST_WORDS)
                // Of one that denies two things, its clauses speak.
                .filter(|known| agrees || known.is_single())
                .filter(|known| (known.denies == self.denies) == agrees)
                .map(|known| self.fit(known));
            fits.fold(0.0, f32::max)
        };
        let against = best(false);
        against >= SAME_THING && against > best(true)
    }

    /// How much two statements have in common, from 0 to 1: the harmonic mean of both shares.
    fn fit(&self, known: &Self) -> f32 {
        let share = self.share_of(known);
        let back = known.share(|word| self.content.binary_search(word).is_ok());
        2.0 * share * back / (share + back).max(f32::MIN_POSITIVE)
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

/// The same, and what is joined within them: "we take no orders and keep no lists".
pub(super) fn finer_clauses(sentence: &str) -> impl Iterator<Item = &str> {
    let parts = clauses(sentence).flat_map(|clause| clause.split(" and "));
    let parts = parts.flat_map(|part| part.split(", because "));
    parts.flat_map(|part| part.split(", except "))
}

/// Whether the sentence denies; a double negation affirms.
pub(super) fn denies(sentence: &str) -> bool {
    negations(sentence) % 2 == 1
}

fn negations(sentence: &str) -> usize {
    let lower = sentence.to_lowercase().replace('\u{2019}', "'");
    // "For any reason or none" denies nothing.
    let lower = lower.replace("or none", "");
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
