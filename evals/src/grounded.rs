//! Whether replies are grounded in the facts: a word-based estimate, for English.
//!
//! The model's text is compared with the facts that the turn recorded and with what the customer
//! wrote. A number or a name that occurs in neither is invented; a sentence is supported when one
//! fact covers most of it. The product's guard uses rules of the same kind, but these are written
//! independently of it.

use std::collections::HashSet;

use crm::Outcome;
use serde_json::Value;

use crate::outcome;
use crate::packs::{JUDGED, boundaries};
use crate::played::PlayedTurn;
use crate::summary::Tally;

/// Share of a sentence's words that one fact must have.
const SUPPORTED: f64 = 0.5;
/// Letters from which a word says something.
const CONTENT_LETTERS: usize = 4;
/// Words of courtesy and of answering, which need no fact.
const EMPTY: &[&str] = &[
    "also", "been", "does", "from", "have", "here", "hello", "help", "just", "like", "more",
    "must", "need", "only", "please", "sorry", "sure", "than", "thank", "thanks", "that", "their",
    "them", "then", "there", "these", "they", "this", "those", "trouble", "want", "well", "what",
    "when", "which", "will", "with", "would", "your", "yours",
];

/// How far replies keep to their facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Groundedness {
    /// Sentences of which most is in one fact.
    pub supported: Tally,
    /// Sentences with a number that neither facts nor customer have.
    pub invented_number: Tally,
    /// Sentences with a name that neither facts nor customer have, days and months included.
    pub invented_name: Tally,
}

impl Groundedness {
    /// Of the English answers among `turns` that a model wrote.
    pub fn of(turns: &[PlayedTurn]) -> Self {
        let mut all = Self::default();
        let mut said: Vec<&str> = Vec::new();
        let mut dialogue = "";
        for turn in turns {
            if turn.dialogue != dialogue {
                (dialogue, said) = (&turn.dialogue, Vec::new());
            }
            said.push(&turn.user);
            if let Some((reply, outcome)) = written(turn) {
                all.add(reply, &Given::new(outcome, &said));
            }
            said.extend(turn.reply.as_deref());
        }
        all
    }

    fn add(&mut self, reply: &str, given: &Given) {
        for sentence in boundaries().split(reply) {
            let content: Vec<String> = content(&sentence).collect();
            if content.is_empty() {
                continue;
            }
            let number = numbers(&sentence).any(|number| !given.numbers.contains(&number));
            let name = names(&sentence).any(|name| !given.words.contains(&name));
            let held = |fact: &HashSet<String>| {
                let held = content.iter().filter(|word| fact.contains(*word)).count();
                held as f64 >= SUPPORTED * content.len() as f64
            };
            self.supported.count(given.facts.iter().any(held));
            self.invented_number.count(number);
            self.invented_name.count(name);
        }
    }
}

/// An English reply of a model, without what it quotes.
fn written(turn: &PlayedTurn) -> Option<(&str, &Outcome)> {
    let outcome = turn.outcome.as_ref()?;
    let is_english = outcome.record.get("language").and_then(Value::as_str) == Some(JUDGED);
    let is_written = outcome::usage(outcome).is_some_and(|usage| usage.output_tokens > 0);
    if !is_english || !is_written || outcome.action != "answer" {
        return None;
    }
    let reply = turn.reply.as_deref()?;
    let quoted = outcome.record.get("quoted").and_then(Value::as_str);
    let end = quoted.and_then(|quoted| reply.find(quoted));
    Some((reply.get(..end.unwrap_or(reply.len()))?, outcome))
}

/// What a reply may rest on.
struct Given {
    /// Words of each fact.
    facts: Vec<HashSet<String>>,
    /// Words of facts and conversation.
    words: HashSet<String>,
    numbers: HashSet<String>,
}

impl Given {
    fn new(outcome: &Outcome, said: &[&str]) -> Self {
        let facts = outcome.record.get("facts").and_then(Value::as_array);
        let facts: Vec<String> = facts
            .into_iter()
            .flatten()
            .map(|fact| {
                let part = |name: &str| fact.get(name).and_then(Value::as_str).unwrap_or_default();
                format!("{}. {}", part("title"), part("text"))
            })
            .collect();
        let texts = || facts.iter().map(String::as_str).chain(said.iter().copied());
        Self {
            facts: facts.iter().map(|fact| content(fact).collect()).collect(),
            words: texts().flat_map(words).collect(),
            numbers: texts().flat_map(numbers).collect(),
        }
    }
}

/// Small letters; plural and past are cut off, so that "refunded" is in "refunds".
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(|word| {
        let word = word.to_lowercase();
        let cut = ["ing", "ed", "es", "s"].into_iter().find_map(|ending| {
            let stem = word.strip_suffix(ending)?;
            (stem.chars().count() >= CONTENT_LETTERS - 1).then(|| stem.to_owned())
        });
        cut.unwrap_or(word)
    })
}

fn content(text: &str) -> impl Iterator<Item = String> {
    words(text).filter(|word| {
        word.chars().count() >= CONTENT_LETTERS
            && !EMPTY.contains(&word.as_str())
            && !word.chars().all(|letter| letter.is_ascii_digit())
    })
}

/// Numbers without thousands separators and without decimals that are zero.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut number = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let next_is_digit = letters.get(at + 1).is_some_and(char::is_ascii_digit);
        let goes_on = !number.is_empty() && matches!(letter, '.' | ',') && next_is_digit;
        match letter {
            '0'..='9' => number.push(*letter),
            '.' if goes_on => number.push('.'),
            ',' if goes_on => {}
            _ if !number.is_empty() => found.push(std::mem::take(&mut number)),
            _ => {}
        }
    }
    found.push(number);
    let plain = |number: String| match number.split_once('.') {
        Some((whole, decimals)) if decimals.chars().all(|digit| digit == '0') => whole.to_owned(),
        _ => number,
    };
    found
        .into_iter()
        .filter(|number| !number.is_empty())
        .map(plain)
}

/// Words within a sentence that are written large.
fn names(sentence: &str) -> impl Iterator<Item = String> {
    let later = sentence.split_whitespace().skip(1);
    let large = later.filter(|word| {
        let mut letters = word.chars().filter(|letter| letter.is_alphabetic());
        letters.next().is_some_and(char::is_uppercase) && letters.next().is_some()
    });
    large
        .flat_map(words)
        .filter(|word| word.chars().count() > 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::played;

    fn judged(reply: &str) -> Groundedness {
        let mut turn = played("a", 1);
        turn.user = "Does the lamp ship to Norway within 9 days?".to_owned();
        turn.reply = Some(format!("{reply} In our words: “Parcels take 900 years.”"));
        if let Some(outcome) = &mut turn.outcome {
            outcome.record = json!({
                "language": "en", "usage": {"output_tokens": 9}, "quoted": "In our words",
                "facts": [
                    {"title": "Delivery", "text": "Parcels abroad take 4 to 7 working days and cost €1,250.00."},
                    {"title": "Pay", "text": "We accept Visa."},
                ],
            });
        }
        Groundedness::of(&[turn])
    }

    fn tallies(judged: Groundedness) -> [usize; 4] {
        let [supported, number, name] = [
            judged.supported,
            judged.invented_number,
            judged.invented_name,
        ];
        [
            supported.total,
            supported.passed,
            number.passed,
            name.passed,
        ]
    }

    #[test]
    fn what_the_facts_say_is_supported() {
        let judged = judged("A parcel abroad takes 4 to 7 working days. It costs €1250.");
        assert_eq!(tallies(judged), [2, 2, 0, 0]);
    }

    #[test]
    fn numbers_and_names_of_nobody_are_invented() {
        let judged =
            judged("Parcels to Norway take 12 working days. Your parcel abroad goes with Maersk.");
        assert_eq!(tallies(judged), [2, 2, 1, 1]);
    }

    #[test]
    fn a_sentence_of_other_words_is_not_supported() {
        let judged = judged("Our drivers juggle seashells before breakfast. Sure!");
        assert_eq!(tallies(judged), [1, 0, 0, 0]);
    }
}
