//! True sentences of a world's documents, and the same with a fact altered.

use std::collections::{BTreeMap, BTreeSet};

use super::{About, Case, Source};
use crate::packs::boundaries;

/// Words that a sentence needs to say something by itself.
const LEAST_WORDS: usize = 6;
/// Longest sentence that is taken, in words: a small model writes none that is longer.
const MOST_WORDS: usize = 35;
/// Documents that a name must occur in: names of one are mostly headings.
const NAMED_IN: usize = 3;

/// Negations that are taken away, then those that are put in; the first that fits is used.
const NEGATIONS: &[(&str, &str)] = &[
    (" cannot ", " can "),
    (" can not ", " can "),
    (" is not ", " is "),
    (" are not ", " are "),
    (" does not ", " does "),
    (" do not ", " do "),
    (" must not ", " may "),
    (" never ", " always "),
    (" can ", " cannot "),
    (" is ", " is not "),
    (" are ", " are not "),
    (" will ", " will not "),
    (" may ", " may not "),
    (" must ", " need not "),
];

/// For each document its complete sentences as they are, and each with a number, its sense or a name
/// altered; at most `most` of a kind, spread evenly over the world.
pub(super) fn cases(documents: &[Source], most: usize) -> Vec<Case> {
    let names = names_of(documents);
    let mut by_kind: BTreeMap<&'static str, Vec<Case>> = BTreeMap::new();
    for document in documents {
        let numbers = numbers_of(document);
        for passage in &document.passages {
            for sentence in complete(&passage.text) {
                let mut add = |kind: &'static str, says: String| {
                    by_kind.entry(kind).or_default().push(Case {
                        about: About::Document(document.id.clone()),
                        question: passage.title.clone(),
                        says,
                        supported: kind == "as_it_is",
                        kind: kind.to_owned(),
                    });
                };
                add("as_it_is", sentence.clone());
                if let Some(altered) = with_other_number(&sentence, &numbers) {
                    add("other_number", altered);
                }
                if let Some(altered) = negated(&sentence) {
                    add("negated", altered);
                }
                if let Some(altered) = with_other_name(&sentence, &names) {
                    add("other_name", altered);
                }
            }
        }
    }
    let spread = |cases: Vec<Case>| {
        let count = cases.len();
        let taken = count.min(most);
        let place = move |at: usize| at * count / taken.max(1);
        let places: BTreeSet<usize> = (0..taken).map(place).collect();
        let cases = cases.into_iter().enumerate();
        cases
            .filter(move |(at, _)| places.contains(at))
            .map(|(_, case)| case)
    };
    by_kind.into_values().flat_map(spread).collect()
}

/// Sentences that stand alone: neither rows, nor items, nor headings.
fn complete(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.contains('|'));
    let sentences = lines.flat_map(|line| boundaries().split(line));
    sentences
        // "What it costs: Nothing is charged." says what stands behind its heading.
        .map(|sentence| {
            let said = sentence
                .rsplit_once(": ")
                .map_or(&*sentence, |(_, said)| said);
            said.trim().to_owned()
        })
        .filter(|sentence| {
            let words = sentence.split_whitespace().count();
            let begins = sentence.chars().next().is_some_and(char::is_uppercase);
            begins && sentence.ends_with('.') && (LEAST_WORDS..=MOST_WORDS).contains(&words)
        })
        .collect()
}

/// Where the numbers of `text` begin and end.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        match (letter.is_ascii_digit(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push((from, at));
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    found
}

fn numbers_of(document: &Source) -> Vec<String> {
    let texts = document.passages.iter().map(|passage| &passage.text);
    let all = texts.flat_map(|text| {
        let places = numbers(text).into_iter();
        places.filter_map(|(from, to)| Some(text.get(from..to)?.to_owned()))
    });
    let all: BTreeSet<String> = all.collect();
    all.into_iter().collect()
}

/// `sentence` with its first number in place of which another of its document stands, or one more.
fn with_other_number(sentence: &str, others: &[String]) -> Option<String> {
    let (from, to) = *numbers(sentence).first()?;
    let own = sentence.get(from..to)?;
    let all: BTreeSet<&str> = numbers(sentence)
        .into_iter()
        .filter_map(|(from, to)| sentence.get(from..to))
        .collect();
    let other = others.iter().find(|other| !all.contains(other.as_str()));
    let other = match other {
        Some(other) => other.clone(),
        None => own.parse::<u64>().ok()?.checked_add(1)?.to_string(),
    };
    Some(format!(
        "{}{other}{}",
        sentence.get(..from)?,
        sentence.get(to..)?
    ))
}

fn negated(sentence: &str) -> Option<String> {
    let (from, to) = NEGATIONS.iter().find(|(from, _)| sentence.contains(from))?;
    Some(sentence.replacen(from, to, 1))
}

/// Two and more words that are written large, within a sentence.
fn large_words(text: &str) -> Vec<String> {
    let is_large = |word: &str| {
        word.chars().next().is_some_and(char::is_uppercase) && word.chars().all(char::is_alphabetic)
    };
    let words: Vec<&str> = text.split(' ').collect();
    let runs = words.get(1..).unwrap_or_default();
    let runs = runs.split(|word| !is_large(word));
    runs.filter(|run| run.len() > 1)
        .map(|run| run.join(" "))
        .collect()
}

/// Names that several documents speak of.
fn names_of(documents: &[Source]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for document in documents {
        let texts = document.passages.iter().map(|passage| &passage.text);
        let sentences = texts.flat_map(|text| complete(text));
        let names: BTreeSet<String> = sentences.flat_map(|text| large_words(&text)).collect();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count >= NAMED_IN);
    counts.into_keys().collect()
}

/// `sentence` of the next name in the alphabet, in place of its own.
fn with_other_name(sentence: &str, names: &[String]) -> Option<String> {
    let own = large_words(sentence);
    let own = own.iter().find(|name| names.contains(name))?;
    let at = names.iter().position(|name| name == own)?;
    let other = names.get((at + 1) % names.len())?;
    (other != own && !sentence.contains(other.as_str())).then(|| sentence.replace(own, other))
}

#[cfg(test)]
mod tests {
    use super::super::Passage;
    use super::*;

    fn document(id: &str, text: &str) -> Source {
        Source {
            id: id.to_owned(),
            passages: vec![Passage {
                title: "Fees".to_owned(),
                text: text.to_owned(),
            }],
        }
    }

    fn of_kind(cases: &[Case], kind: &str) -> Vec<String> {
        let cases = cases.iter().filter(|case| case.kind == kind);
        cases.map(|case| case.says.clone()).collect()
    }

    #[test]
    fn facts_are_altered_one_at_a_time() {
        let text = "The fee of the Blue Account is $20 a month.\nIt is due on day 5.";
        let other = "You cannot open a Gold Account without an appointment there.";
        let mut documents = vec![
            document("a", text),
            document("b", text),
            document("c", text),
        ];
        documents.extend(["d", "e", "f"].map(|id| document(id, other)));
        let cases = cases(&documents, 100);
        assert_eq!(of_kind(&cases, "as_it_is").len(), 9);
        let numbers = of_kind(&cases, "other_number");
        assert!(numbers.contains(&"The fee of the Blue Account is $5 a month.".to_owned()));
        let negated = of_kind(&cases, "negated");
        assert!(
            negated
                .contains(&"You can open a Gold Account without an appointment there.".to_owned())
        );
        assert!(negated.contains(&"It is not due on day 5.".to_owned()));
        let names = of_kind(&cases, "other_name");
        assert!(names.contains(&"The fee of the Gold Account is $20 a month.".to_owned()));
        assert!(
            cases
                .iter()
                .all(|case| case.supported == (case.kind == "as_it_is"))
        );
    }

    #[test]
    fn no_more_than_asked_for_are_taken_of_a_kind() {
        let text = "The parcel takes 5 days to get there.";
        let documents: Vec<Source> = (0..50).map(|n| document(&n.to_string(), text)).collect();
        let cases = cases(&documents, 7);
        assert_eq!(of_kind(&cases, "as_it_is").len(), 7);
        assert!(
            cases
                .iter()
                .any(|case| case.about.to_string().as_str() > "4")
        );
    }
}
