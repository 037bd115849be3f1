//! A wish that names no product: the most similar ones of the catalogue.

use crm::ProductId;
use serde::Serialize;
use understand::act;

use super::super::decide::{Decision, WishFit};
use super::super::read::Question;
use super::super::services::Finder;
use super::super::write::Reply;
use super::super::{Turn, TurnError};
use super::ready;
use super::wish::{self, price_limit};
use crate::desk::{Desk, Finding};

/// Products looked at: some of them may cost too much.
const LOOKED_AT: usize = 12;
/// Products named at most.
const MOST: usize = 3;
/// How much less similar to the wish than the best product another one may be.
const NEAR: f32 = 0.1;

/// What the catalogue has for a wish.
pub(super) struct Suggestion {
    pub(super) fit: WishFit,
    /// The products to name, best first.
    products: Vec<ProductId>,
}

#[derive(Serialize)]
struct SuggestionsContext {
    count: usize,
}

/// What the catalogue has to say of the product that a message means without naming it in the
/// catalogue's words; `None` where it asks nothing of a product, or a page, whose similarity to it is
/// `rival`, is as near.
pub(super) async fn meant(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    question: &Question,
    desk: &Desk<'_>,
    rival: f32,
) -> Result<Option<Finding>, TurnError> {
    let understanding = &turn.reading.understanding;
    if understanding.does(act::WISH) || !wish::asks_of_products(understanding) {
        return Ok(None);
    }
    let query = understanding.query();
    let nearest = finder.products(&question.text, &query, 1).await?;
    let least = turn.settings.config.retrieval.floor.max(rival);
    match nearest.first() {
        Some((id, similarity)) if *similarity > least => {
            Ok(desk.describe(id, &super::enquiry(turn, question))?)
        }
        _ => Ok(None),
    }
}

/// How the catalogue fits the wish of a message, against a passage whose similarity to it is
/// `rival`; `None` where it has no wish, or a page may answer it as well.
pub(super) async fn fit(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    question: &Question,
    desk: &Desk<'_>,
    rival: f32,
) -> Result<Option<Suggestion>, TurnError> {
    let understanding = &turn.reading.understanding;
    if !understanding.does(act::WISH) {
        return Ok(None);
    }
    let retrieval = &turn.settings.config.retrieval;
    let limit = price_limit(
        &turn.opened.text,
        desk.prompts.pack(turn.language()),
        desk.currency,
    );
    let text = &question.text;
    let mut found = finder
        .products(text, &understanding.embedding, LOOKED_AT)
        .await?;
    if found.is_empty() {
        return Ok(None);
    }
    found.retain(|(id, _)| limit.is_none_or(|limit| desk.costs_at_most(id, limit)));
    let best = found.iter().map(|(_, similarity)| *similarity);
    let best = best.fold(0.0, f32::max);
    let is_plain = understanding.surely_does(act::WISH);
    if best < retrieval.floor || !is_plain && best <= rival {
        let fit = Suggestion {
            fit: WishFit::NothingFits,
            products: Vec::new(),
        };
        return Ok((is_plain && rival < retrieval.clear).then_some(fit));
    }
    let near = found
        .into_iter()
        .filter(|(_, similarity)| *similarity >= best - NEAR);
    Ok(Some(Suggestion {
        fit: WishFit::Fits,
        products: near.map(|(id, _)| id).take(MOST).collect(),
    }))
}

/// How near the question is in meaning to the nearest product of `finding`; -1 where none of them is among
/// the nearest of the catalogue.
pub(super) async fn nearness(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    question: &Question,
    finding: &Finding,
) -> Result<f32, TurnError> {
    let embedding = &turn.reading.understanding.embedding;
    let nearest = finder
        .products(&question.text, embedding, LOOKED_AT)
        .await?;
    let is_told = |id: &ProductId| finding.facts.iter().any(|fact| fact.source == id.as_str());
    let told = nearest.iter().filter(|(id, _)| is_told(id));
    Ok(told.map(|(_, similarity)| *similarity).fold(-1.0, f32::max))
}

/// The suggestion in words; `None` when the catalogue has none of the products any more.
pub(super) fn reply(
    turn: &Turn<'_>,
    desk: &Desk<'_>,
    suggestion: Suggestion,
    decision: Decision,
) -> Result<Option<Reply>, TurnError> {
    let Some(finding) = desk.suggest(&suggestion.products)? else {
        return Ok(None);
    };
    let context = SuggestionsContext {
        count: finding.facts.len(),
    };
    let voice = &turn.settings.voice;
    let opening = voice.render(turn.language(), "suggestions", &context)?;
    let reply = ready::desk_reply(turn, finding, decision)?;
    Ok(Some(Reply {
        text: format!("{opening} {}", reply.text),
        ..reply
    }))
}
