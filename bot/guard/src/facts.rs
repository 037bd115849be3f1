//! What the facts state, and their values with what they are said of: the right number of another
//! thing is a wrong number.

use std::collections::HashSet;

use language::Pack;
use language::values::values;

use crate::Grounds;
use crate::statement::{Reader, Statement, without_heading};

/// How much worse than the best a title may fit the question before what bears it is taken to be a
/// neighbour.
const NEIGHBOUR: f32 = 0.25;
/// Longest item of a list, in words.
const ITEM_WORDS: usize = 16;

/// A value of a fact.
#[derive(Clone, Debug)]
pub(crate) struct BoundValue {
    pub(crate) value: String,
    /// What it is said of: its sentence, under the fact's title.
    pub(crate) of: Statement,
    /// Whether it is said of a neighbour of what was asked about, by its name: the True Blue
    /// account's fee, when the Blue account's is asked.
    pub(crate) neighbours: bool,
}

/// The values of records and passages.
pub(crate) fn bound_values(grounds: &Grounds<'_>, reader: &Reader<'_>) -> Vec<BoundValue> {
    let asked: HashSet<String> = reader.words(grounds.question).into_iter().collect();
    let titles: Vec<(Statement, f32)> = grounds
        .passages
        .iter()
        .map(|passage| {
            let title = reader.statement(document_title(passage.title));
            let fit = if title.has_content() {
                title.share_in(&asked)
            } else {
                1.0
            };
            (title, fit)
        })
        .collect();
    let best = titles.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let is_neighbour = |(title, fit): &(Statement, f32)| {
        best.is_some_and(|(best, most)| *fit < most - NEIGHBOUR && title.shares_a_word_with(best))
    };
    let bind = |title, text, neighbours| bound_in(grounds, reader, (title, text), neighbours);
    let records = grounds.records.iter();
    let of_records = records.flat_map(|record| bind("", record, false));
    let of_passages = grounds
        .passages
        .iter()
        .zip(&titles)
        .flat_map(|(passage, title)| bind(passage.title, passage.text, is_neighbour(title)));
    of_records.chain(of_passages).collect()
}

/// The values of a text, each bound to its sentence. They are read in either language: records are
/// told in the reply's, with amounts as the company writes them, and some pages are written in it.
fn bound_in(
    grounds: &Grounds<'_>,
    reader: &Reader<'_>,
    (title, text): (&str, &str),
    neighbours: bool,
) -> Vec<BoundValue> {
    let packs = [grounds.language, grounds.facts_language].map(|tag| grounds.packs.get(tag));
    let sentences = facts_sentences(grounds, text);
    let mut bound = Vec::new();
    for sentence in sentences.iter().map(String::as_str).chain([title]) {
        let of = reader.statement(&format!("{title} {sentence}"));
        let values = readings(sentence, packs).into_iter();
        bound.extend(values.map(|value| BoundValue {
            value,
            of: of.clone(),
            neighbours,
        }));
    }
    bound
}

fn facts_sentences(grounds: &Grounds<'_>, text: &str) -> Vec<String> {
    let facts = Reader::new(grounds.packs.get(grounds.facts_language));
    facts.sentences(text, grounds.packs.boundaries())
}

/// The values of a text that may be in either of two languages.
pub(crate) fn readings(text: &str, packs: [Option<&Pack>; 2]) -> Vec<String> {
    let [first, second] = packs;
    let mut all = values(text, first);
    if first != second {
        all.extend(values(text, second));
    }
    all
}

/// The title of the document, without the headings below it.
fn document_title(title: &str) -> &str {
    title.split(" > ").next().unwrap_or(title)
}

/// What the facts state: their sentences, their clauses, and the items of lists under headings that
/// deny.
pub(crate) fn statements(grounds: &Grounds<'_>, reader: &Reader<'_>) -> Vec<Statement> {
    let mut all = Vec::new();
    for record in grounds.records {
        add_statements(grounds, reader, ("", record), &mut all);
    }
    for passage in grounds.passages {
        all.push(reader.statement(passage.title));
        add_statements(grounds, reader, (passage.title, passage.text), &mut all);
    }
    all
}

fn add_statements(
    grounds: &Grounds<'_>,
    reader: &Reader<'_>,
    (title, text): (&str, &str),
    all: &mut Vec<Statement>,
) {
    let mut denied = title
        .split(" > ")
        .find(|heading| lists_what_is_denied(heading, reader))
        .map(str::to_owned);
    for sentence in &facts_sentences(grounds, text) {
        let (heading, sentence) = without_heading(sentence);
        let heading = heading.filter(|heading| lists_what_is_denied(heading, reader));
        denied = heading.map(str::to_owned).or(denied);
        all.push(reader.statement(sentence));
        // Each clause speaks for itself, too, and so does an item of what is denied: "standard is
        // refunded; express is not."
        for clause in reader.inner_clauses(sentence) {
            let statement = reader.statement(clause);
            all.push(match &denied {
                Some(denied) if is_item(clause, reader) => {
                    statement.denied_by(reader.sorted_content(denied))
                }
                Some(_) | None => statement,
            });
        }
    }
}

/// Whether a heading says that what is listed below it is not possible.
fn lists_what_is_denied(heading: &str, reader: &Reader<'_>) -> bool {
    let lists = reader.pack.and_then(|pack| pack.sections().lists.as_ref());
    let lower = heading.to_lowercase();
    let asks = lists.is_some_and(|lists| {
        let mut words = lists.headings.iter();
        words.any(|word| lower.starts_with(word.as_str()))
    });
    asks && reader.denies(heading)
}

/// Whether a sentence is no more than the name of something: "Candles that have been lit."
fn is_item(sentence: &str, reader: &Reader<'_>) -> bool {
    let Some(lists) = reader.pack.and_then(|pack| pack.sections().lists.as_ref()) else {
        return false;
    };
    let mut main = sentence;
    for beyond in &lists.relatives {
        main = main.split(beyond.as_str()).next().unwrap_or(main);
    }
    let has = |text: &str, listed: &[String]| {
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
        words.any(|word| listed.contains(&word.to_lowercase()))
    };
    let words = sentence.split_whitespace().count();
    words <= ITEM_WORDS && !has(sentence, &lists.modals) && !has(main, &lists.verbs)
}
