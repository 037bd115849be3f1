//! Examples for the head that tells whether a passage answers a question, from pages of many trades and what
//! is asked of them.

use std::collections::BTreeMap;
use std::path::Path;

use retrieval::{Embedding, Encoder, EncoderError, Titled};
use serde::Deserialize;

use super::TrainError;
use crate::examples::{Example, json_lines};
use crate::features::in_context;

/// Longest passage, in characters: what a reply quotes.
const PASSAGE_CHARS: usize = 600;
/// Share of the best line's similarity that the others of a passage need.
const NEAR_THE_BEST: f32 = 0.6;
/// Pages that a passage is from, at most.
const MOST_PAGES: usize = 2;

/// An article, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Page {
    /// What the company does: pages of one trade are searched together, and held out together.
    pub trade: String,
    /// Its title.
    pub title: String,
    /// Its sentences, list items and rows.
    pub lines: Vec<String>,
    /// What is asked.
    pub questions: Vec<PageQuestion>,
}

/// A question to a page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PageQuestion {
    /// As a customer types it.
    pub text: String,
    /// The message before, where it goes on from that.
    #[serde(default)]
    pub before: Option<String>,
    /// Places of the lines that answer it, from 0, the best first; none of a near miss.
    pub answer: Vec<usize>,
}

/// Reads pages, one JSON object a line.
///
/// # Errors
/// [`TrainError::Read`], or [`TrainError::Line`] with the first line that is not a page.
pub fn read_pages(path: &Path) -> Result<Vec<Page>, TrainError> {
    json_lines(path, |page: &Page| {
        let is_there = |question: &PageQuestion| {
            let mut answer = question.answer.iter();
            answer.all(|line| *line < page.lines.len())
        };
        let all = page.questions.iter().all(is_there);
        if all {
            Ok(())
        } else {
            Err("an answer names a line that the page does not have".into())
        }
    })
}

/// A line by its page and its place on it.
type Place = (usize, usize);

/// What is asked of `pages`, each question behind the passage that a search among the pages of its trade
/// gives; where that answers it, also behind what the search gives without the lines that do. So nothing
/// but the passage tells the ones from the others.
///
/// # Errors
/// [`EncoderError`].
pub fn examples(encoder: &Encoder, pages: &[Page]) -> Result<Vec<Example>, EncoderError> {
    let mut trades: BTreeMap<&str, Vec<&Page>> = BTreeMap::new();
    for page in pages {
        trades.entry(&page.trade).or_default().push(page);
    }
    let mut examples = Vec::new();
    for pages in trades.values() {
        let library = Library::new(encoder, pages)?;
        for (number, page) in pages.iter().enumerate() {
            for question in &page.questions {
                examples.extend(library.examples(encoder, number, question)?);
            }
        }
    }
    Ok(examples)
}

/// The pages of a trade, to be searched.
struct Library<'p> {
    pages: &'p [&'p Page],
    /// Of each page, and of each of its lines.
    embeddings: Vec<(Embedding, Vec<Embedding>)>,
}

impl<'p> Library<'p> {
    fn new(encoder: &Encoder, pages: &'p [&'p Page]) -> Result<Self, EncoderError> {
        let titled = pages.iter().map(|page| Titled {
            title: Some(page.title.clone()),
            parts: page.lines.clone(),
        });
        let embedded = encoder.embed_passages(&titled.collect::<Vec<_>>())?;
        let embeddings = embedded.into_iter().map(|page| {
            let parts = page.parts.into_iter();
            let lines = parts.map(|part| part.unwrap_or_else(|| page.whole.clone()));
            let lines = lines.collect();
            (page.whole, lines)
        });
        Ok(Self {
            pages,
            embeddings: embeddings.collect(),
        })
    }

    /// The examples of a question to the page of that `number`.
    fn examples(
        &self,
        encoder: &Encoder,
        number: usize,
        question: &PageQuestion,
    ) -> Result<Vec<Example>, EncoderError> {
        let behind = question.before.as_deref();
        let behind = behind.map(|before| in_context(before, &question.text));
        let texts: Vec<String> = [question.text.clone()].into_iter().chain(behind).collect();
        let mut read = encoder.read_batch(&texts)?.into_iter();
        let Some(own) = read.next() else {
            return Ok(Vec::new());
        };
        let query = read.next().map_or_else(
            || own.embedding.clone(),
            |in_context| own.embedding.between(&in_context.embedding),
        );
        let near = |embedding: &Embedding| encoder.similarity().of(query.cosine(embedding));
        let mut places: Vec<(Place, f32)> = Vec::new();
        for (page, (whole, lines)) in self.embeddings.iter().enumerate() {
            let lines = lines.iter().enumerate();
            places.extend(lines.map(|(line, own)| ((page, line), (near(whole) + near(own)) / 2.0)));
        }
        let answer: Vec<Place> = question.answer.iter().map(|line| (number, *line)).collect();
        Ok(self.behind_passages(&places, &answer, number, question))
    }

    fn behind_passages(
        &self,
        near: &[(Place, f32)],
        answer: &[Place],
        number: usize,
        question: &PageQuestion,
    ) -> Vec<Example> {
        let trade = self.pages.get(number).map(|page| page.trade.clone());
        let example = |passage: &[Place], answered| Example {
            text: question.text.clone(),
            before: question.before.clone(),
            passage: Some(self.text(passage)),
            answered: Some(answered),
            made_of: trade.clone(),
            ..Example::default()
        };
        let found = self.passage(near);
        let Some(best) = answer.first() else {
            return vec![example(&found, false)];
        };
        let holds = |place: &Place| found.contains(place);
        let rest = near.iter().filter(|(place, _)| !answer.contains(place));
        let without = self.passage(&rest.copied().collect::<Vec<_>>());
        let mut examples = vec![example(&without, false)];
        // What holds a part of the answer is neither.
        if holds(best) || !answer.iter().any(holds) {
            examples.push(example(&found, holds(best)));
        }
        examples
    }

    /// The places nearest to the question, in the order of their pages.
    fn passage(&self, near: &[(Place, f32)]) -> Vec<Place> {
        let mut near = near.to_vec();
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        let least = near.first().map_or(0.0, |best| best.1 * NEAR_THE_BEST);
        let mut chosen: Vec<Place> = Vec::new();
        let mut spent = 0;
        for (place, _) in near.iter().filter(|(_, similarity)| *similarity >= least) {
            let length = self.line(*place).chars().count();
            let mut pages: Vec<usize> = chosen.iter().map(|(page, _)| *page).collect();
            pages.push(place.0);
            pages.sort_unstable();
            pages.dedup();
            let fits = chosen.is_empty() || spent + length <= PASSAGE_CHARS;
            if fits && pages.len() <= MOST_PAGES {
                spent += length;
                chosen.push(*place);
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// The words of a passage: each page's title, and its lines below it.
    fn text(&self, passage: &[Place]) -> String {
        let mut text = String::new();
        let mut before = None;
        for place in passage {
            if before != Some(place.0) {
                before = Some(place.0);
                let title = self.pages.get(place.0).map(|page| page.title.as_str());
                text.push_str(title.unwrap_or_default());
                text.push('\n');
            }
            text.push_str(self.line(*place));
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn line(&self, (page, line): Place) -> &str {
        let page = self.pages.get(page);
        let line = page.and_then(|page| page.lines.get(line));
        line.map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(title: &str, lines: &[&str]) -> Page {
        Page {
            trade: "clock shop".into(),
            title: title.into(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            questions: Vec::new(),
        }
    }

    fn question(answer: &[usize]) -> PageQuestion {
        PageQuestion {
            text: "what does a strap cost".into(),
            before: None,
            answer: answer.to_vec(),
        }
    }

    fn behind(near: &[(Place, f32)], answer: &[usize]) -> Vec<(String, bool)> {
        let pages = [
            page("Straps", &["A strap costs 12.", "Leather comes in brown."]),
            page("Opening hours", &["We open at nine."]),
        ];
        let pages: Vec<&Page> = pages.iter().collect();
        let library = Library {
            pages: &pages,
            embeddings: Vec::new(),
        };
        let answer: Vec<Place> = answer.iter().map(|line| (0, *line)).collect();
        let lines: Vec<usize> = answer.iter().map(|(_, line)| *line).collect();
        let examples = library.behind_passages(near, &answer, 0, &question(&lines));
        let told = examples.into_iter();
        told.map(|example| (example.passage.unwrap(), example.answered.unwrap()))
            .collect()
    }

    const NEAR: [(Place, f32); 3] = [((0, 0), 0.9), ((0, 1), 0.6), ((1, 0), 0.2)];

    #[test]
    fn an_answer_is_an_example_with_and_without_its_lines() {
        assert_eq!(
            behind(&NEAR, &[0]),
            [
                ("Straps\nLeather comes in brown.".to_owned(), false),
                (
                    "Straps\nA strap costs 12.\nLeather comes in brown.".to_owned(),
                    true
                ),
            ]
        );
    }

    #[test]
    fn a_near_miss_is_an_example_of_no_answer() {
        let examples = behind(&NEAR, &[]);
        assert_eq!(examples.len(), 1);
        assert!(!examples[0].1);
    }

    #[test]
    fn half_an_answer_is_no_example() {
        // The first line is needed and far, the second is near.
        let near = [((0, 0), 0.1), ((0, 1), 0.9)];
        let examples = behind(&near, &[0, 1]);
        assert!(examples.iter().all(|(_, answered)| !answered));
        assert_eq!(examples.len(), 1);
    }
}
