//! Values with what they are said of: the right number of another thing is a wrong number.

use std::collections::HashSet;

use retrieval::sentences;

use super::Grounds;
use super::content::Statement;
use super::values::values;
use crate::facts::document_title;
use crate::turn::words;

/// How much worse than the best a title may fit the question before what bears it is taken to be a
/// neighbour.
const NEIGHBOUR: f32 = 0.25;

/// A value of a fact.
#[derive(Clone, Debug)]
pub(super) struct BoundValue {
    pub(super) value: String,
    /// What it is said of: its sentence, under the fact's title.
    pub(super) of: Statement,
    /// Whether it is said of a neighbour of what was asked about, by its name: the True Blue
    /// account's fee, when the Blue account's is asked.
    pub(super) neighbours: bool,
}

/// The values of records and passages.
pub(super) fn bound_values(grounds: &Grounds<'_>) -> Vec<BoundValue> {
    let asked: HashSet<String> = words::all(grounds.question).collect();
    let titles: Vec<(Statement, f32)> = grounds
        .passages
        .iter()
        .map(|fact| {
            // The title of the document, without the headings below it.
            let title = Statement::new(document_title(&fact.title));
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
    let records = grounds.records.iter();
    let of_records = records.flat_map(|record| in_text("", record, false));
    let of_passages = grounds
        .passages
        .iter()
        .zip(&titles)
        .flat_map(|(fact, title)| in_text(&fact.title, &fact.text, is_neighbour(title)));
    of_records.chain(of_passages).collect()
}

fn in_text(title: &str, text: &str, neighbours: bool) -> Vec<BoundValue> {
    let mut bound = Vec::new();
    for sentence in sentences::split(text)
        .iter()
        .map(String::as_str)
        .chain([title])
    {
        let of = Statement::new(&format!("{title} {sentence}"));
        bound.extend(values(sentence).map(|value| BoundValue {
            value,
            of: of.clone(),
            neighbours,
        }));
    }
    bound
}
