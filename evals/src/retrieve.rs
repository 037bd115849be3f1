//! Retrieval quality: how often the documents that hold the answer are found, for each search
//! method alone and for both together.
//!
//! The queries are those of the product itself, follow-ups rewritten as it rewrites them: the
//! dialogues are played against a server without a model, and every query that a turn recorded is
//! run again as a semantic, a lexical and a hybrid search. A turn that ran no query, because it was
//! answered or handed over before, is searched for by the customer's own words.

mod figures;
mod tables;

use std::collections::BTreeMap;
use std::time::Instant;

use crm::Outcome;
use retrieval::{Filter, IndexError, KnowledgeIndex, SearchBy, SearchRequest};
use serde::Serialize;

use crate::dialogue::Dialogue;
use crate::outcome;
use crate::played::PlayedTurn;

pub use figures::{Figures, Group, Report, Row};
pub use tables::tables;

/// Passages looked at: enough for ten documents.
const PASSAGES: usize = 60;

/// Documents of a ranking that are looked at.
const DOCUMENTS: usize = 10;

/// A way of finding documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the similarity of embeddings.
    Dense,
    /// By BM25.
    Sparse,
    /// By both, fused.
    Fused,
    /// What the turn has found: fused, in the languages that it looks in, as many as it takes.
    Turn,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Dense, Self::Sparse, Self::Fused, Self::Turn];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Sparse => "sparse",
            Self::Fused => "fused",
            Self::Turn => "turn",
        }
    }

    /// How the index is searched that way; the turn has done so itself.
    fn search(self) -> Option<SearchBy> {
        match self {
            Self::Dense => Some(SearchBy::Meaning),
            Self::Sparse => Some(SearchBy::Words),
            Self::Fused => Some(SearchBy::Both),
            Self::Turn => None,
        }
    }
}

/// A turn whose answer is in known documents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// Its dialogue.
    pub dialogue: String,
    /// Its place in the dialogue, from 1.
    pub turn: usize,
    /// What the customer writes in, a BCP 47 tag.
    pub language: String,
    /// What the customer wrote.
    pub message: String,
    /// What was looked up.
    pub query: String,
    /// Ids of the documents of which each holds the answer, or a part of it.
    pub gold: Vec<String>,
    /// Ids of the documents found, best first.
    pub found: BTreeMap<Way, Vec<String>>,
    /// What finding them took, in milliseconds.
    pub milliseconds: BTreeMap<Way, f64>,
}

/// The turns of `played` whose documents are known, not searched for yet.
pub fn questions(dialogues: &[Dialogue], played: &[PlayedTurn]) -> Vec<Question> {
    let turns = dialogues.iter().flat_map(|dialogue| {
        let turns = dialogue.turns.iter().zip(1..);
        turns.map(move |(turn, number)| (dialogue, turn, number))
    });
    let question = |(dialogue, turn, number): (&Dialogue, &crate::dialogue::Turn, usize)| {
        let gold = turn.expect.documents.clone()?;
        let is_played =
            |played: &&PlayedTurn| played.dialogue == dialogue.id && played.turn == number;
        let outcome = played.iter().find(is_played)?.outcome.as_ref();
        let looked_up = outcome.and_then(outcome::question);
        Some(Question {
            dialogue: dialogue.id.clone(),
            turn: number,
            language: dialogue.language.clone().unwrap_or_else(|| "en".to_owned()),
            message: turn.user.clone(),
            query: looked_up.unwrap_or(&turn.user).to_owned(),
            gold,
            found: BTreeMap::from([(Way::Turn, found_by(outcome))]),
            milliseconds: outcome
                .and_then(|outcome| {
                    let mut stages = outcome::stages(outcome);
                    let (_, time) = stages.find(|(stage, _)| *stage == "retrieve")?;
                    Some(BTreeMap::from([(Way::Turn, time)]))
                })
                .unwrap_or_default(),
        })
    };
    turns.filter_map(question).collect()
}

fn found_by(outcome: Option<&Outcome>) -> Vec<String> {
    let found = outcome.map(outcome::documents).unwrap_or_default();
    found.into_iter().map(str::to_owned).collect()
}

/// Searches `index` for every question; `searched` is told of each.
///
/// # Errors
/// [`IndexError`] when encoder or index fail.
pub async fn search(
    index: &KnowledgeIndex,
    questions: &mut [Question],
    mut searched: impl FnMut(),
) -> Result<(), IndexError> {
    for question in questions {
        for way in Way::ALL {
            let Some(by) = way.search() else {
                continue;
            };
            let began = Instant::now();
            let request = SearchRequest {
                text: question.query.clone(),
                embedding: None,
                language: None,
                limit: PASSAGES,
                filter: Filter::default(),
                by,
            };
            let hits = index.search(&request).await?;
            let time = began.elapsed().as_secs_f64() * 1e3;
            let mut documents: Vec<String> = Vec::new();
            for hit in hits {
                if !documents.contains(&hit.passage.document) {
                    documents.push(hit.passage.document);
                }
            }
            documents.truncate(DOCUMENTS);
            question.found.insert(way, documents);
            question.milliseconds.insert(way, time);
        }
        searched();
    }
    Ok(())
}
