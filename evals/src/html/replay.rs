//! The page of a replay.

use serde::Serialize;
use serde_json::json;

use super::{HtmlError, plots, render};
use crate::checks::Finding;
use crate::played::{Ending, PlayedTurn};
use crate::summary::Summary;

/// A dialogue in which a check failed.
#[derive(Serialize)]
struct Failing<'a> {
    dialogue: &'a str,
    turns: Vec<&'a PlayedTurn>,
    failed: usize,
}

/// A page of the replay of `turns`, headed `title`.
///
/// # Errors
/// [`HtmlError`].
pub fn replay(title: &str, summary: &Summary, turns: &[PlayedTurn]) -> Result<String, HtmlError> {
    let rates: Vec<plots::Interval> = summary
        .checks
        .iter()
        .filter_map(|(check, tally)| {
            Some(plots::Interval {
                name: check.name().to_owned(),
                share: tally.share()?,
                interval: tally.interval()?,
                before: None,
            })
        })
        .collect();
    let waits = turns.iter().filter_map(|turn| turn.times.sentence_ms);
    let waits: Vec<f64> = waits.map(|milliseconds| milliseconds / 1e3).collect();
    render(
        "replay.html",
        &json!({
            "title": title,
            "summary": summary,
            "failing": failing(turns),
            "rates": plots::intervals(&rates)?,
            "latency": plots::distribution(&waits, "seconds to the first sentence")?,
            "coverage": plots::coverage(&summary.coverage, None)?,
        }),
    )
}

/// The dialogues with a failed check or a break, whole.
fn failing(turns: &[PlayedTurn]) -> Vec<Failing<'_>> {
    let mut all: Vec<Failing<'_>> = Vec::new();
    for turn in turns {
        let has_failed = has_failed(turn);
        match all.last_mut() {
            Some(last) if last.dialogue == turn.dialogue => {
                last.turns.push(turn);
                last.failed += usize::from(has_failed);
            }
            _ => all.push(Failing {
                dialogue: &turn.dialogue,
                turns: vec![turn],
                failed: usize::from(has_failed),
            }),
        }
    }
    all.retain(|dialogue| dialogue.failed > 0);
    all
}

fn has_failed(turn: &PlayedTurn) -> bool {
    let is_failed = |finding: &Finding| matches!(finding, Finding::Failed { .. });
    matches!(turn.ending, Ending::Broken { .. })
        || turn
            .checks
            .iter()
            .any(|verdict| is_failed(&verdict.finding))
}
