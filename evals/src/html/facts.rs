//! The page of facts kept against tokens.

use serde_json::json;

use super::{HtmlError, plots, render};
use crate::budget::{Kept, Report};

/// A page of `report`, headed `title`.
///
/// # Errors
/// [`HtmlError`].
pub fn facts(title: &str, report: &Report) -> Result<String, HtmlError> {
    let point = |kept: &Kept| Some((kept.tokens.as_ref()?.p50, kept.kept.share()?));
    let points: Vec<(f64, f64)> = report.curve.iter().filter_map(point).collect();
    let set = report
        .curve
        .iter()
        .find(|kept| kept.fact_chars == report.fact_chars);
    render(
        "facts.html",
        &json!({
            "title": title,
            "report": report,
            "set": set,
            "curve": plots::kept(&points, set.and_then(point))?,
        }),
    )
}
