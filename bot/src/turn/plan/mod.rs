//! From a decision to a plan: words that are ready, or an assignment for the model.

mod asked;
pub(super) mod basis;
mod passages;
mod prompt;
mod ready;
mod records;
mod select;
mod suggest;
mod wish;

use generate::PromptMessage;
use guard::Guard;
use understand::{OUT_OF_SCOPE, act};

pub(super) use prompt::prefix;
pub(super) use ready::{ready, something_new};

use super::decide::{Decision, Evidence, Reaction, Searched, WishFit, on_evidence};
use super::read::Question;
use super::services::{Finder, Reader};
use super::write::Reply;
use super::{Turn, TurnError};
use crate::config::Answers;
use crate::desk::{Catalogue, Completeness, Desk, DeskAnswer, Enquiry, Finding};
use basis::{Basis, basis};
use passages::Found;

/// Probability from which an intent decides which records are looked up.
const BELIEVED: f32 = 0.4;
/// Probability from which an intent is a hint.
const LEANING: f32 = 0.25;
/// How much less similar to the question than the product's own description a passage beside it may
/// be.
const BESIDE_A_PRODUCT: f32 = 0.05;

/// What is to be said.
pub(super) enum Plan {
    /// Ready words.
    Ready(Box<Reply>),
    /// The model writes.
    Write(Box<Assignment>),
}

/// What a reply is written from.
pub(super) struct Assignment {
    /// What the model writes; `None` where the pages' own words answer.
    pub(super) writing: Option<Writing>,
    /// A word of regret, before everything else.
    pub(super) apology: Option<String>,
    /// What the records say, before everything that is written.
    pub(super) told: Option<String>,
    /// What the facts say to the question.
    pub(super) basis: Basis,
    /// The reply so far: facts, documents and sources.
    pub(super) base: Reply,
}

/// What the model is given, and what checks its words.
pub(super) struct Writing {
    pub(super) prompt: Vec<PromptMessage>,
    pub(super) guard: Guard,
}

/// Plans the answer to a question, `decision` being what was decided before the search.
pub(super) async fn answer(
    turn: &Turn<'_>,
    (finder, reader): (&dyn Finder, &dyn Reader),
    catalogue: &Catalogue,
    question: &Question,
    decision: Decision,
) -> Result<Plan, TurnError> {
    let desk = Desk {
        catalogue,
        currency: &turn.settings.config.company.currency,
        prompts: turn.settings.voice.prompts(),
        language: turn.language(),
    };
    let looked_up = records::look_up(turn, finder, &desk, question).await?;
    turn.watch.lap("desk");
    let (declined, finding) = match looked_up {
        DeskAnswer::Declined(declined) => (Some(declined), None),
        DeskAnswer::Found(finding) => (None, Some(finding)),
        DeskAnswer::Nothing => (None, None),
    };
    let evidence = Evidence {
        declined,
        records: finding.is_some(),
        searched: None,
    };
    let decision = on_evidence(&evidence, decision);
    if decision.reaction != Reaction::Answer {
        return Ok(reply(ready::with_apology(turn, decision)?));
    }
    search(turn, (finder, reader), &desk, question, finding, decision).await
}

/// Plans the answer by what is found: `finding` is what the records have to say to the question.
async fn search(
    turn: &Turn<'_>,
    (finder, reader): (&dyn Finder, &dyn Reader),
    desk: &Desk<'_>,
    question: &Question,
    finding: Option<Finding>,
    decision: Decision,
) -> Result<Plan, TurnError> {
    let found = passages::find(turn, finder, question).await?;
    turn.watch.lap("retrieve");
    let similarity = found.best_similarity();
    let finding = match finding {
        Some(finding) => Some(finding),
        None => suggest::meant(turn, finder, question, desk, similarity).await?,
    };
    let finding = match finding {
        Some(finding) => Some(records::with_details(turn, finder, finding).await?),
        None => None,
    };
    let finding = match finding {
        Some(finding) if finding.is_whole() => {
            if records::is_enough(turn, finder, question, &finding, similarity).await? {
                return Ok(reply(Reply {
                    documents: found.documents,
                    ..ready::desk_reply(turn, finding, decision)?
                }));
            }
            // A page is nearer to the question than the record: "can I pay the jacket in instalments?"
            Some(finding.with(Completeness::Partial))
        }
        finding => finding,
    };
    let wish = match finding {
        None => suggest::fit(turn, finder, question, desk, similarity).await?,
        Some(_) => None,
    };
    if let Some(wish) = wish {
        let evidence = evidence(turn, similarity, None, Some(wish.fit));
        let decision = on_evidence(&evidence, decision);
        let suggested = if decision.reaction == Reaction::Answer {
            suggest::reply(turn, desk, wish, decision)?
        } else {
            Some(ready(turn, decision)?)
        };
        if let Some(suggested) = suggested {
            return Ok(reply(Reply {
                documents: found.documents,
                ..suggested
            }));
        }
    }
    judged(turn, (finder, reader), question, finding, found, decision).await
}

/// Plans the answer by what the pages `found` are judged to say to the question, beside a `finding`.
async fn judged(
    turn: &Turn<'_>,
    (finder, reader): (&dyn Finder, &dyn Reader),
    question: &Question,
    finding: Option<Finding>,
    found: Found,
    decision: Decision,
) -> Result<Plan, TurnError> {
    let writes = turn.settings.config.generate.answers == Answers::Generative;
    if writes && question.same_language {
        preview(turn, &found);
    }
    let similarity = found.best_similarity();
    let found = beside_products(turn, finder, finding.as_ref(), found).await?;
    let basis = basis(turn, (finder, reader), question, finding.as_ref(), &found).await?;
    turn.watch.lap("judge");
    let decision = match finding {
        Some(_) => decision,
        None => on_evidence(&evidence(turn, similarity, basis.answers(), None), decision),
    };
    if decision.reaction != Reaction::Answer {
        return Ok(reply(Reply {
            documents: found.documents,
            ..ready(turn, decision)?
        }));
    }
    let assignment = prompt::assign(turn, question, decision, finding, (found, basis))?;
    turn.watch.lap("compose");
    Ok(Plan::Write(Box::new(assignment)))
}

/// What was found on a question that no record answers.
fn evidence(
    turn: &Turn<'_>,
    similarity: f32,
    answered: Option<bool>,
    wish: Option<WishFit>,
) -> Evidence {
    Evidence {
        declined: None,
        records: false,
        searched: Some(Searched {
            similarity,
            floor: turn.settings.config.retrieval.floor,
            answered,
            wish,
            off_topic: turn.reading.understanding.intent.top() == OUT_OF_SCOPE,
        }),
    }
}

/// What was found, without what is less similar to the question than the products named in it: what
/// is said of other things is easily told of them.
async fn beside_products(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    finding: Option<&Finding>,
    mut found: Found,
) -> Result<Found, TurnError> {
    let Some(finding) = finding.filter(|finding| finding.describes_products()) else {
        return Ok(found);
    };
    let described = finding.facts.iter().map(|fact| fact.text.clone()).collect();
    let embedding = &turn.reading.understanding.embedding;
    let similarity = finder.similarity(embedding, described).await?;
    let best = similarity.into_iter().fold(0.0, f32::max);
    found.keep_more_similar_than(best - BESIDE_A_PRODUCT);
    Ok(found)
}

/// Shows the best passage at once where it is clearly right, while the model writes.
fn preview(turn: &Turn<'_>, found: &Found) {
    if let Some((text, source)) = found.preview(turn) {
        turn.audible.preview(text, source);
        turn.watch.since_start("preview");
    }
}

/// What the desk is asked.
fn enquiry<'a>(turn: &'a Turn<'_>, question: &'a Question) -> Enquiry<'a> {
    let understanding = &turn.reading.understanding;
    let intent = &understanding.intent;
    let from = |least: f32| (intent.confidence() >= least).then(|| intent.top());
    Enquiry {
        text: &question.text,
        intent: from(BELIEVED),
        leaning: from(LEANING),
        asks: &understanding.asks,
        same_again: understanding.does(act::SAME_AGAIN),
        follows: understanding.does(act::FOLLOWS),
        hypothetical: understanding.does(act::HYPOTHETICAL),
        wish: understanding.does(act::WISH),
        customer: turn.opened.customer.as_ref(),
        orders: &turn.opened.orders,
        focus: &turn.opened.memory.focus,
        meant: None,
    }
}

fn reply(reply: Reply) -> Plan {
    Plan::Ready(Box::new(reply))
}
