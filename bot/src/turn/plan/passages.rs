//! Finding the passages of a question.

use retrieval::{Embedding, NearBlock};
use understand::Language;

use super::super::read::Question;
use super::super::services::Finder;
use super::super::{Turn, TurnError};
use super::select;
use crate::audience::Source;
use crate::facts::Fact;
use crate::library::{Hit, Query};

/// What was found.
pub(super) struct Found {
    /// The best passages, best first.
    hits: Vec<Hit>,
    /// Their lines that customers and the model may read.
    pub(super) facts: Vec<Fact>,
    /// Ids of the documents found, best first, without repetition.
    pub(super) documents: Vec<String>,
    /// What was looked up: the question, with what it goes on from.
    pub(super) query: String,
    /// What it was looked up by.
    pub(super) embedding: Embedding,
    /// Of a message that asks several things, the line that clearly answers each, in their order.
    pub(super) answers: Vec<String>,
}

/// Looks the question up, and where it is several, each of them too.
pub(super) async fn find(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    question: &Question,
) -> Result<Found, TurnError> {
    let embedding = turn.reading.understanding.query();
    let query = Query {
        embedding: embedding.clone(),
        limit: turn.settings.config.retrieval.passages,
    };
    let mut hits = finder.passages(&query).await?;
    let mut answers = Vec::new();
    for part in &turn.reading.understanding.parts {
        let query = Query {
            embedding: part.clone(),
            ..query
        };
        let own = finder.passages(&query).await?;
        answers.extend(clear_answer(turn, own.clone()));
        for hit in own {
            match hits.iter_mut().find(|known| known.is_same_passage(&hit)) {
                Some(known) => known.join(&hit),
                None => hits.push(hit),
            }
        }
    }
    hits.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    let looked_up = if question.follows {
        turn.opened.memory.with_topic(&question.text)
    } else {
        question.text.clone()
    };
    keep_readable(turn, &mut hits);
    select::weigh_by_document(&mut hits);
    let prompts = turn.settings.voice.prompts();
    let facts = select::facts(&hits, prompts.own_pack(), prompts.packs());
    let mut documents: Vec<String> = Vec::new();
    for hit in &hits {
        if !documents.contains(&hit.document) {
            documents.push(hit.document.clone());
        }
    }
    Ok(Found {
        hits,
        facts,
        documents,
        query: looked_up,
        embedding,
        answers,
    })
}

/// The line of `hits` that is nearest to their question, where it is near enough to answer it.
fn clear_answer(turn: &Turn<'_>, mut hits: Vec<Hit>) -> Option<String> {
    keep_readable(turn, &mut hits);
    select::weigh_by_document(&mut hits);
    let shown = hits.iter().filter(|hit| !hit.internal);
    let blocks = shown.flat_map(|hit| &hit.blocks);
    let lines = blocks.flat_map(|near| near.block.text.lines().zip(&near.lines));
    let (line, similarity) = lines.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let is_clear = *similarity >= turn.settings.config.retrieval.clear;
    is_clear.then(|| line.to_owned())
}

/// Leaves out pages in a third language, where there are others: what neither the customer reads nor the
/// company writes first.
fn keep_readable(turn: &Turn<'_>, hits: &mut Vec<Hit>) {
    let languages = [turn.language(), turn.settings.voice.fallback()];
    let is_readable = |hit: &Hit| languages.contains(&Language::from_tag(&hit.language).as_str());
    if hits.iter().any(is_readable) {
        hits.retain(is_readable);
    }
}

impl Found {
    /// Similarity of the most similar passage or block; 0 when nothing was found.
    pub(super) fn best_similarity(&self) -> f32 {
        let blocks = self.hits.iter().flat_map(|hit| &hit.blocks);
        let passages = self.hits.iter().map(|hit| hit.similarity);
        let similarity = passages.chain(blocks.map(NearBlock::similarity));
        similarity.fold(0.0, f32::max)
    }

    /// Leaves out the facts whose passage is less similar to the question than `similarity`.
    pub(super) fn keep_more_similar_than(&mut self, similarity: f32) {
        self.facts
            .retain(|fact| fact.similarity >= Some(similarity));
    }

    /// The best passage's own words, short enough to be read at a glance, and their source, when it
    /// is clearly right.
    pub(super) fn preview(&self, turn: &Turn<'_>) -> Option<(String, Source)> {
        let best = self.hits.first()?;
        let is_right = best.similarity >= turn.settings.config.retrieval.clear;
        if !is_right || best.internal {
            return None;
        }
        let prompts = turn.settings.voice.prompts();
        let text = select::excerpt(best, prompts.own_pack(), prompts.packs());
        let source = Source {
            id: best.document.clone(),
            title: best.title.clone(),
            url: best.url.clone(),
        };
        (!text.is_empty()).then_some((text, source))
    }
}
