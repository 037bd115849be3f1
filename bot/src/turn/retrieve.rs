//! Finding the facts of a question.

use super::select::{self, Selection};
use super::{Draft, TurnError, Turns};
use crate::config::Retrieval;
use crate::facts::Fact;
use crate::library::{Hit, Question};
use crate::protocol::Source;

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
    /// Looks the message up; a follow-up together with what it follows.
    pub(super) async fn retrieve(&self, draft: &Draft<'_>) -> Result<Found, TurnError> {
        let english = &draft.understood.english;
        let follows = draft.open.is_follow_up(english);
        let query = if follows {
            format!("{} {english}", draft.open.memory.topic)
        } else {
            english.clone()
        };
        let embedding = (!follows).then(|| draft.understood.understanding.embedding.clone());
        let translated = draft.understood.translated;
        let question = Question {
            text: query.clone(),
            words: if translated {
                draft.open.text.clone()
            } else {
                query.clone()
            },
            embedding,
            language: translated.then(|| draft.language().to_owned()),
            limit: self.config.retrieval.passages,
        };
        let hits = self.library.search_knowledge(question).await?;
        let selection = Selection {
            query: &query,
            latest: english,
            budget: self.config.retrieval.fact_chars,
        };
        let facts = select::facts(&hits, &selection);
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
            query,
        })
    }
}

impl Found {
    /// Cosine of the passage nearest in meaning; 0 when nothing was found.
    pub(super) fn best_cosine(&self) -> f32 {
        self.hits.iter().map(|hit| hit.cosine).fold(0.0, f32::max)
    }

    /// The best passage's own words and their source, when it is clearly right.
    pub(super) fn preview(&self, config: &Retrieval) -> Option<Excerpt> {
        let best = self.hits.first()?;
        let is_right = best.cosine >= config.clear && !best.is_internal();
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
