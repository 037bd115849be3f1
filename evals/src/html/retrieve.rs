//! The page of a search.

use serde_json::json;

use super::{HtmlError, plots, render};
use crate::retrieve::{Group, Question, Report, Way};

/// A page of `report`, headed `title`, with the questions whose document the turn did not find.
///
/// # Errors
/// [`HtmlError`].
pub fn retrieve(title: &str, report: &Report) -> Result<String, HtmlError> {
    let recalls: Vec<plots::Interval> = report
        .rows
        .iter()
        .filter(|row| row.group == Group::All)
        .filter_map(|row| {
            Some(plots::Interval {
                name: format!("{}, recall@5", row.way.name()),
                share: row.figures.recall_at_5,
                interval: row.figures.recall_at_5_interval?,
                before: None,
            })
        })
        .collect();
    let is_missed = |question: &&Question| {
        let found = question.found.get(&Way::Turn).into_iter().flatten();
        !found
            .take(5)
            .any(|document| question.gold.contains(document))
    };
    let missed: Vec<&Question> = report.asked.iter().filter(is_missed).collect();
    let times = report
        .asked
        .iter()
        .filter_map(|question| question.milliseconds.get(&Way::Fused).copied());
    let times: Vec<f64> = times.collect();
    render(
        "retrieve.html",
        &json!({
            "title": title,
            "report": report,
            "missed": missed,
            "recalls": plots::intervals(&recalls)?,
            "latency": plots::distribution(&times, "milliseconds a search, the encoder's pass included")?,
        }),
    )
}
