//! Finding the facts of a question.

use retrieval::Embedding;
use understand::Language;

use super::open::Reference;
use super::select::{self, Selection};
use super::{Draft, TurnError, Turns};
use crate::config::Retrieval;
use crate::facts::Fact;
use crate::library::{Hit, Question, interleave};
use crate::protocol::Source;

/// Nearness of the nearest passage or block from which a message that names hardly anything needs nothing that
/// was said before.
const STANDS_ALONE: f32 = 0.42;

/// What was found.
pub(super) struct Found {
    /// The best passages, best first.
    hits: Vec<Hit>,
    /// Their sentences that belong to the question, within the budget.
    pub(super) facts: Vec<Fact>,
    /// Ids of the documents found, best first, without repetition.
    pub(super) documents: Vec<String>,
    /// The question that was looked up.
    pub(super) query: String,
}

/// A passage's own words, short enough to be read at a glance.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    pub(super) text: String,
    pub(super) source: Source,
}

impl Turns {
    /// Looks the message up; a follow-up also together with what it follows. Neither way alone: a
    /// long topic drowns a short question, and the question alone does not say what it is about.
    pub(super) async fn retrieve(&self, draft: &Draft<'_>) -> Result<Found, TurnError> {
        let english = &draft.understood.english;
        let reference = draft.open.reference(english);
        let embedding = draft.understood.understanding.embedding.clone();
        let alone = self.search(draft, english, Some(embedding)).await?;
        if reference != Reference::Certain {
            let found = self.found(alone.clone(), english.clone(), english);
            if reference == Reference::None || found.best_nearness() >= STANDS_ALONE {
                return Ok(found);
            }
        }
        let query = draft.open.with_topic(english);
        let whole = self.search(draft, &query, None).await?;
        let hits = interleave(whole, alone, self.config.retrieval.passages);
        Ok(self.found(hits, query, english))
    }

    /// The passages for `query`, whose embedding may be known.
    async fn search(
        &self,
        draft: &Draft<'_>,
        query: &str,
        embedding: Option<Embedding>,
    ) -> Result<Vec<Hit>, TurnError> {
        let translated = draft.understood.translated;
        let words = if translated { &draft.open.text } else { query };
        // Also where no model translates: the encoder reads what the customer writes in.
        let language = draft.language();
        let is_english = language == Language::english().as_str();
        let question = Question {
            text: query.to_owned(),
            words: words.to_owned(),
            embedding,
            language: (!is_english).then(|| language.to_owned()),
            limit: self.config.retrieval.passages,
        };
        Ok(self.library.search_knowledge(question).await?)
    }

    fn found(&self, hits: Vec<Hit>, query: String, latest: &str) -> Found {
        let selection = Selection {
            query: &query,
            latest,
            budget: self.config.retrieval.fact_chars,
        };
        let facts = select::facts(&hits, &selection);
        let mut documents: Vec<String> = Vec::new();
        for hit in &hits {
            if !documents.contains(&hit.document) {
                documents.push(hit.document.clone());
            }
        }
        Found {
            hits,
            facts,
            documents,
            query,
        }
    }
}

impl Found {
    /// Nearness of the passage or block nearest in meaning; 0 when nothing was found.
    pub(super) fn best_nearness(&self) -> f32 {
        let blocks = self.hits.iter().flat_map(|hit| &hit.blocks);
        let passages = self.hits.iter().map(|hit| hit.nearness);
        let nearness = passages.chain(blocks.map(|block| block.nearness));
        nearness.fold(0.0, f32::max)
    }

    /// Leaves out the facts whose passage is farther from the question than `nearness`.
    pub(super) fn keep_nearer_than(&mut self, nearness: f32) {
        self.facts.retain(|fact| fact.nearness >= Some(nearness));
    }

    /// The best passage's own words and their source, when it is clearly right.
    pub(super) fn preview(&self, config: &Retrieval) -> Option<Excerpt> {
        let best = self.hits.first()?;
        let is_right = best.nearness >= config.clear && !best.is_internal();
        is_right.then(|| self.excerpt_of(best)).flatten()
    }

    fn excerpt_of(&self, hit: &Hit) -> Option<Excerpt> {
        let text = select::excerpt(hit, &self.query);
        let source = Source {
            id: hit.document.clone(),
            title: hit.title.clone(),
            url: hit.url.clone(),
        };
        (!text.is_empty()).then_some(Excerpt { text, source })
    }
}
