//! The end of a written reply: its last words, by what the model gave and what it left out.

use serde::Serialize;

use super::basis::{Basis, Missing};
use super::guard::{self, Guard};
use super::{Action, Draft, TurnError, Turns, Written};
use crate::protocol::Source;

/// How the model's part ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// It wrote to the end.
    Finished,
    /// The facts do not answer, in its judgement.
    NoAnswer,
    /// It could not write.
    Failed { busy: bool },
}

/// What was said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    /// Regret and records, said before.
    pub(super) lead: String,
    /// Whether records are among it.
    pub(super) has_told: bool,
    /// The model's sentences that passed.
    pub(super) said: String,
    /// A verdict after which nothing came, not said yet.
    pub(super) held: String,
    pub(super) ending: Ending,
}

impl Said {
    /// The model's words; a yes or no alone tells nothing.
    fn reply(&self) -> String {
        if guard::is_bare_answer(&self.held) {
            self.said.clone()
        } else {
            format!("{}{}", self.said, self.held)
        }
    }
}

#[derive(Serialize)]
struct Quotation<'a> {
    excerpt: &'a str,
}

impl Turns {
    /// Chooses the final words.
    pub(super) async fn close(
        &self,
        draft: &mut Draft<'_>,
        written: Written,
        said: Said,
        guard: &Guard,
    ) -> Result<Written, TurnError> {
        let reply = said.reply();
        if said.has_told {
            // The records have been told; what may be missing is a rule that is not known.
            let sources = if reply.is_empty() {
                Vec::new()
            } else {
                written.sources
            };
            return Ok(Written {
                text: join(&said.lead, reply.trim()),
                sources,
                ..written
            });
        }
        let question = written.question.as_deref().unwrap_or_default();
        let basis = match self.basis(draft, &written.facts, question).await {
            Ok(basis) => basis,
            Err(error) => {
                // What the model has said stands: the reply is not lost for want of a quotation.
                tracing::warn!("the facts could not be ranked: {error}");
                Basis::default()
            }
        };
        draft.clock.lap("basis");
        // The model's words in another language cannot be compared with the facts'.
        let comparable = !reply.is_empty() && !draft.understood.translated;
        let missing = comparable.then(|| basis.missing_from(&reply, guard));
        if let Some(missing) = missing.flatten() {
            return self.quote(draft, written, &said.lead, &reply, &missing);
        }
        if reply.is_empty() || comparable && basis.agrees_without_a_rule(&reply, guard) {
            return self.without_reply(draft, written, &basis, said.ending);
        }
        Ok(Written {
            text: join(&said.lead, reply.trim()),
            ..written
        })
    }

    /// The reply, and the rule in its own words.
    fn quote(
        &self,
        draft: &Draft<'_>,
        written: Written,
        lead: &str,
        reply: &str,
        missing: &Missing<'_>,
    ) -> Result<Written, TurnError> {
        let excerpt = &missing.piece.text;
        let context = Quotation { excerpt };
        let quotation = self.prompts.render(draft.language(), "quote", &context)?;
        let reply = if missing.instead { "" } else { reply.trim() };
        Ok(Written {
            text: join(lead, &join(reply, &quotation)),
            sources: with_first(missing.piece.source.clone(), written.sources),
            quoted: Some(excerpt.clone()),
            ..written
        })
    }

    /// No written answer: the passages that may hold it, in their own words, with that said.
    fn without_reply(
        &self,
        draft: &Draft<'_>,
        written: Written,
        basis: &Basis,
        ending: Ending,
    ) -> Result<Written, TurnError> {
        if let Some((excerpt, source)) = basis.excerpt() {
            let context = Quotation { excerpt: &excerpt };
            let text = self.prompts.render(draft.language(), "perhaps", &context)?;
            return Ok(Written {
                action: Action::NoAnswer,
                text,
                sources: source.into_iter().collect(),
                quoted: Some(excerpt),
                ..written
            });
        }
        let instead = match ending {
            Ending::Failed { busy: true } => Action::Busy,
            Ending::NoAnswer | Ending::Finished | Ending::Failed { busy: false } => {
                Action::NoAnswer
            }
        };
        let ready = self.ready(draft, instead)?;
        Ok(Written {
            action: ready.action,
            text: ready.text,
            sources: Vec::new(),
            ..written
        })
    }
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
