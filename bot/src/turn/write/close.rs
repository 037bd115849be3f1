//! The end of a written reply: its last words, by what the model gave and what it left out.

use guard::Guard;
use retrieval::Embedding;
use serde::Serialize;

use super::super::decide::{Ending, Quotes, on_ending};
use super::super::plan;
use super::super::read::Question;
use super::super::services::Finder;
use super::super::{Turn, TurnError};
use super::Reply;
use super::basis::{self, Basis, Excerpt, Missing};
use crate::audience::Source;

/// What was said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    /// The apology and the record facts already sent.
    pub(super) lead: String,
    /// Whether records are among it.
    pub(super) has_told: bool,
    /// The model's sentences that passed.
    pub(super) said: String,
    /// A yes or no after which nothing came, not said yet.
    pub(super) held: String,
    pub(super) ending: Ending,
}

impl Said {
    /// The model's words; a yes or no alone tells nothing.
    fn reply(&self, guard: &Guard) -> String {
        if guard.is_bare_answer(&self.held) {
            self.said.clone()
        } else {
            format!("{}{}", self.said, self.held)
        }
    }
}

/// What the reply ends with.
#[derive(Debug, PartialEq)]
enum Closing {
    /// The model's words.
    Words,
    /// The model's words, or nothing of them, and the rule in its own.
    Quote {
        excerpt: String,
        source: Option<Source>,
        instead: bool,
    },
    /// The pages' words that may hold the answer.
    Excerpt(Excerpt),
    /// Nothing is known.
    Nothing,
}

#[derive(Serialize)]
struct Quotation<'a> {
    excerpt: &'a str,
}

/// Chooses the final words.
pub(super) async fn close(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    question: &Question,
    reply: Reply,
    said: Said,
    guard: &Guard,
    embedding: &Embedding,
) -> Result<Reply, TurnError> {
    let words = said.reply(guard);
    if said.has_told {
        // The records have been told; what may be missing is a rule that is not known.
        let sources = if words.is_empty() {
            Vec::new()
        } else {
            reply.sources
        };
        return Ok(Reply {
            text: join(&said.lead, words.trim()),
            sources,
            ..reply
        });
    }
    let query = reply.query.as_deref().unwrap_or_default();
    let basis = match basis::basis(turn, finder, &reply.facts, query, embedding).await {
        Ok(basis) => basis,
        Err(error) => {
            // What the model has said stands: the reply is not lost for want of a quotation.
            tracing::warn!("the facts could not be ranked: {error}");
            Basis::empty(turn.settings.voice.prompts().own_pack())
        }
    };
    turn.watch.lap("basis");
    let closing = choose(&words, &basis, guard, question.same_language);
    finish(turn, reply, &said, &words, closing)
}

/// What `words` are followed by, or replaced with. Words in another language than the facts' cannot
/// be compared with theirs.
fn choose(words: &str, basis: &Basis, guard: &Guard, comparable: bool) -> Closing {
    let comparable = comparable && !words.is_empty();
    if comparable && let Some(Missing { piece, instead }) = basis.missing_from(words, guard) {
        return Closing::Quote {
            excerpt: piece.text.clone(),
            source: piece.source.clone(),
            instead,
        };
    }
    let unfounded = comparable && basis.agrees_without_a_rule(words, guard);
    if !words.is_empty() && !unfounded {
        return Closing::Words;
    }
    basis.excerpt().map_or(Closing::Nothing, Closing::Excerpt)
}

fn finish(
    turn: &Turn<'_>,
    reply: Reply,
    said: &Said,
    words: &str,
    closing: Closing,
) -> Result<Reply, TurnError> {
    let quote = |template, excerpt: &str| {
        let context = Quotation { excerpt };
        turn.settings
            .voice
            .render(turn.language(), template, &context)
    };
    Ok(match closing {
        Closing::Words => Reply {
            text: join(&said.lead, words.trim()),
            ..reply
        },
        Closing::Quote {
            excerpt,
            source,
            instead,
        } => {
            let words = if instead { "" } else { words.trim() };
            let quotation = quote("quote", &excerpt)?;
            Reply {
                text: join(&said.lead, &join(words, &quotation)),
                sources: with_first(source, reply.sources),
                quoted: Some(excerpt),
                ..reply
            }
        }
        Closing::Excerpt(excerpt) => {
            let quotes = if excerpt.certain {
                Quotes::Answer
            } else {
                Quotes::Perhaps
            };
            let decision = on_ending(said.ending, quotes);
            let template = if excerpt.certain { "quote" } else { "perhaps" };
            Reply {
                reaction: decision.reaction,
                rule: decision.rule,
                text: join(&said.lead, &quote(template, &excerpt.text)?),
                sources: excerpt.source.into_iter().collect(),
                quoted: Some(excerpt.text),
                ..reply
            }
        }
        Closing::Nothing => {
            let ready = plan::ready(turn, on_ending(said.ending, Quotes::Nothing))?;
            Reply {
                reaction: ready.reaction,
                rule: ready.rule,
                text: ready.text,
                pending: ready.pending,
                sources: Vec::new(),
                ..reply
            }
        }
    })
}

/// `source` before the others, once.
fn with_first(source: Option<Source>, others: Vec<Source>) -> Vec<Source> {
    let most = others.len().max(1);
    let is_source = |other: &Source| source.as_ref().is_some_and(|source| source.id == other.id);
    let others: Vec<Source> = others
        .into_iter()
        .filter(|other| !is_source(other))
        .collect();
    source.into_iter().chain(others).take(most).collect()
}

fn join(lead: &str, rest: &str) -> String {
    format!("{lead} {rest}").trim().to_owned()
}
