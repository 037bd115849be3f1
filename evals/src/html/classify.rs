//! The page of a classifier.

use serde_json::json;

use super::{HtmlError, plots, render};
use crate::classify::Report;

/// A page of `report`, headed `title`.
///
/// # Errors
/// [`HtmlError`].
pub fn classify(title: &str, report: &Report) -> Result<String, HtmlError> {
    let mut weakest = report.per_class.clone();
    weakest.retain(|class| class.messages > 0);
    weakest.sort_by(|a, b| a.f1.total_cmp(&b.f1));
    render(
        "classify.html",
        &json!({
            "title": title,
            "report": report,
            "weakest": weakest,
            "confusion": plots::confusion(&report.labels, &report.confusion)?,
            "reliability": plots::reliability(&report.reliability)?,
            "coverage": plots::coverage(&report.coverage, None)?,
            "latency": plots::distribution(&report.latencies, "milliseconds a message")?,
        }),
    )
}
