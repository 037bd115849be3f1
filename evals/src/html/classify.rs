//! The page of a classifier.

use serde_json::json;

use super::{HtmlError, plots, render};
use crate::classify::{ClassFigures, Report, TagReport};

/// A page of `report`, headed `title`.
///
/// # Errors
/// [`HtmlError`].
pub fn classify(title: &str, report: &Report) -> Result<String, HtmlError> {
    render(
        "classify.html",
        &json!({
            "title": title,
            "report": report,
            "weakest": weakest(&report.per_class),
            "confusion": plots::confusion(&report.labels, &report.confusion)?,
            "reliability": plots::reliability(&report.reliability)?,
            "coverage": plots::coverage(&report.coverage, None)?,
            "latency": plots::distribution(&report.latencies, "milliseconds a message")?,
        }),
    )
}

/// The same for labels of which a message may have several.
///
/// # Errors
/// [`HtmlError`].
pub fn classify_tags(title: &str, report: &TagReport) -> Result<String, HtmlError> {
    render(
        "tags.html",
        &json!({
            "title": title,
            "report": report,
            "weakest": weakest(&report.per_class),
            "reliability": plots::reliability(&report.reliability)?,
            "latency": plots::distribution(&report.latencies, "milliseconds a message")?,
        }),
    )
}

/// The labels that occur, the weakest first.
fn weakest(classes: &[ClassFigures]) -> Vec<ClassFigures> {
    let mut weakest = classes.to_vec();
    weakest.retain(|class| class.messages > 0);
    weakest.sort_by(|a, b| a.f1.total_cmp(&b.f1));
    weakest
}
