//! What records have to say to a question: the order that is meant, the notes that are asked for, and
//! whether that is enough.

use crm::OrderId;
use serde::Serialize;

use super::super::read::Question;
use super::super::services::Finder;
use super::super::{Turn, TurnError};
use super::{enquiry, suggest};
use crate::desk::{Desk, DeskAnswer, Enquiry, Finding};
use crate::facts::FactKind;

/// Things ordered that are looked through at most, the newest orders' first.
const MOST_ITEMS: usize = 40;
/// Notes of a record told at most.
const MOST_DETAILS: usize = 2;

/// What the template of a record's notes may name.
#[derive(Serialize)]
struct Details<'a> {
    /// Whether they are notes of an order, not sentences about a product.
    of_order: bool,
    details: Vec<&'a String>,
}

/// What the desk has to say to the question; where it would tell of all orders, only of the one whose things
/// are meant, in whatever words or language.
pub(super) async fn look_up(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    desk: &Desk<'_>,
    question: &Question,
) -> Result<DeskAnswer, TurnError> {
    let enquiry = enquiry(turn, question);
    let answer = desk.look_up(&enquiry)?;
    let is_ambiguous = matches!(&answer, DeskAnswer::Found(finding) if finding.of_all_orders);
    if !is_ambiguous {
        return Ok(answer);
    }
    let Some(meant) = meant_order(turn, finder).await? else {
        return Ok(answer);
    };
    let enquiry = Enquiry {
        meant: Some(meant),
        ..enquiry
    };
    Ok(desk.look_up(&enquiry)?)
}

/// The order that holds the thing nearest to the question; `None` where nothing ordered is nearer to it
/// than unrelated texts are.
async fn meant_order<'t>(
    turn: &'t Turn<'_>,
    finder: &dyn Finder,
) -> Result<Option<&'t OrderId>, TurnError> {
    let orders = turn.opened.orders.iter();
    let items = orders.flat_map(|order| order.items.iter().map(move |item| (&order.id, item)));
    let (orders, names): (Vec<&OrderId>, Vec<String>) = items
        .take(MOST_ITEMS)
        .map(|(order, item)| (order, item.name.clone()))
        .unzip();
    let query = &turn.reading.understanding.embedding;
    let similarity = finder.similarity(query, names).await?;
    let best = orders
        .into_iter()
        .zip(similarity)
        .max_by(|a, b| a.1.total_cmp(&b.1));
    Ok(best
        .filter(|(_, similarity)| *similarity > 0.0)
        .map(|(order, _)| order))
}

/// The finding with what else is noted of its record, where that is near to the question.
pub(super) async fn with_details(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    mut finding: Finding,
) -> Result<Finding, TurnError> {
    let details = std::mem::take(&mut finding.details);
    let Some(fact) = finding.facts.last_mut().filter(|_| !details.is_empty()) else {
        return Ok(finding);
    };
    let query = turn.reading.understanding.query();
    let similarity = finder.similarity(&query, details.clone()).await?;
    let floor = turn.settings.config.retrieval.floor;
    let mut near: Vec<(&String, f32)> = details.iter().zip(similarity).collect();
    near.retain(|(_, similarity)| *similarity >= floor);
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    let details: Vec<&String> = near
        .into_iter()
        .take(MOST_DETAILS)
        .map(|(detail, _)| detail)
        .collect();
    if details.is_empty() {
        return Ok(finding);
    }
    let context = Details {
        of_order: fact.kind == FactKind::Order,
        details,
    };
    let voice = &turn.settings.voice;
    let told = voice.render(turn.language(), "details", &context)?;
    fact.text = format!("{} {told}", fact.text).trim().to_owned();
    Ok(finding)
}

/// Whether what a record has to say, which answers what was asked of it, needs nothing beside it of pages
/// that are as near to the question as `similarity`.
pub(super) async fn is_enough(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    question: &Question,
    finding: &Finding,
    similarity: f32,
) -> Result<bool, TurnError> {
    let understanding = &turn.reading.understanding;
    let nearest = if finding.is_of_products() {
        suggest::nearness(turn, finder, question, finding).await?
    } else if understanding.surely_asks_of_a_record() {
        return Ok(true);
    } else {
        let told = finding.facts.iter().map(|fact| fact.text.clone()).collect();
        let all = finder.similarity(&understanding.query(), told).await?;
        all.into_iter().fold(-1.0, f32::max)
    };
    Ok(nearest >= similarity)
}
