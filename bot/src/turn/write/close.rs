//! The end of a written reply: its last words, by what the model gave and what it left out.

use guard::Guard;
use serde::Serialize;

use super::super::decide::{Ending, Quotes, on_ending};
use super::super::plan;
use super::super::plan::basis::{Basis, Excerpt};
use super::super::read::Question;
use super::super::services::Services;
use super::super::{Turn, TurnError};
use super::Reply;
use super::missing::{Expected, Missing};
use super::translate::translate;
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

impl Closing {
    /// The pages' words, and where they are from.
    fn quoted(&self) -> Option<(&str, Option<&Source>)> {
        match self {
            Self::Quote {
                excerpt, source, ..
            } => Some((excerpt, source.as_ref())),
            Self::Excerpt(excerpt) => Some((&excerpt.text, excerpt.source.as_ref())),
            Self::Words | Self::Nothing => None,
        }
    }
}

#[derive(Serialize)]
struct Quotation<'a> {
    excerpt: &'a str,
    translated: bool,
}

/// Chooses the final words. Without a `guard` no model has written.
pub(super) async fn close(
    turn: &Turn<'_>,
    services: &Services,
    question: &Question,
    reply: Reply,
    said: Said,
    guard: Option<&Guard>,
    basis: &Basis,
) -> Result<Reply, TurnError> {
    let words = guard.map_or_else(String::new, |guard| said.reply(guard));
    let closing = if said.has_told && guard.is_some() {
        // The records have been told; what may be missing is a rule that is not known.
        Closing::Words
    } else {
        let excerpt = basis.excerpt(longest_quotation(turn));
        match guard {
            Some(guard) => {
                let query = reply.query.as_deref().unwrap_or_default();
                let pack = turn.settings.voice.prompts().own_pack();
                let expected = Expected::new(basis, guard, query, pack);
                choose(&words, excerpt, &expected, question.same_language)
            }
            None => quote(excerpt, said.has_told),
        }
    };
    let translation = match closing.quoted() {
        Some((text, source)) => translated(turn, services, text, source).await?,
        None => None,
    };
    finish(turn, reply, &said, &words, closing, translation)
}

/// How long a quotation may be, in characters: half as long where it will be translated, which the model takes
/// seconds for.
fn longest_quotation(turn: &Turn<'_>) -> usize {
    let config = &turn.settings.config;
    let is_foreign = turn.language() != turn.settings.voice.fallback();
    if is_foreign && config.generate.translates_into(turn.language()) {
        config.retrieval.fact_chars / 2
    } else {
        config.retrieval.fact_chars
    }
}

/// The pages' words as they are; behind a record that `has_told` already only a clear answer.
fn quote(excerpt: Option<Excerpt>, has_told: bool) -> Closing {
    match excerpt {
        Some(excerpt) if has_told && excerpt.certain => Closing::Quote {
            excerpt: excerpt.text,
            source: excerpt.source,
            instead: false,
        },
        _ if has_told => Closing::Words,
        Some(excerpt) => Closing::Excerpt(excerpt),
        None => Closing::Nothing,
    }
}

/// What `words` are followed by, or replaced with. Words in another language than the facts' cannot
/// be compared with theirs.
fn choose(
    words: &str,
    excerpt: Option<Excerpt>,
    expected: &Expected<'_>,
    comparable: bool,
) -> Closing {
    let comparable = comparable && !words.is_empty();
    if comparable && let Some(Missing { piece, instead }) = expected.missing_from(words) {
        return Closing::Quote {
            excerpt: piece.text.clone(),
            source: piece.source.clone(),
            instead,
        };
    }
    let unfounded = comparable && expected.agrees_without_a_rule(words);
    if !words.is_empty() && !unfounded {
        return Closing::Words;
    }
    excerpt.map_or(Closing::Nothing, Closing::Excerpt)
}

/// A quotation in the customer's language. While it is being translated, the customer sees the words as
/// they are.
async fn translated(
    turn: &Turn<'_>,
    services: &Services,
    text: &str,
    source: Option<&Source>,
) -> Result<Option<String>, TurnError> {
    let config = &turn.settings.config.generate;
    if !config.translates_into(turn.language()) {
        return Ok(None);
    }
    let is_foreign = turn.language() != turn.settings.voice.fallback();
    if is_foreign && let Some(source) = source {
        turn.audible.preview(text.to_owned(), source.clone());
    }
    let (reader, generator) = (&*services.reader, &*services.generator);
    let translation = translate(turn, reader, generator, text).await?;
    turn.watch.lap("translate");
    Ok(translation)
}

fn finish(
    turn: &Turn<'_>,
    reply: Reply,
    said: &Said,
    words: &str,
    closing: Closing,
    translation: Option<String>,
) -> Result<Reply, TurnError> {
    let quote = |template, excerpt: &str| {
        let context = Quotation {
            excerpt: translation.as_deref().unwrap_or(excerpt),
            translated: translation.is_some(),
        };
        turn.settings
            .voice
            .render(turn.language(), template, &context)
    };
    let reply = match closing {
        Closing::Words => Reply {
            text: join(&said.lead, words.trim()),
            sources: if said.has_told && words.is_empty() {
                Vec::new()
            } else {
                reply.sources
            },
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
            let (quotes, template) = if excerpt.certain {
                (Quotes::Answer, "quote")
            } else {
                (Quotes::Perhaps, "perhaps")
            };
            let decision = on_ending(said.ending, quotes);
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
    };
    Ok(Reply {
        translation,
        ..reply
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
