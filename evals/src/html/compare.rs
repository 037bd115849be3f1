//! The page of a comparison.

use serde_json::json;

use super::{HtmlError, plots, render};
use crate::compare::Comparison;

/// A page of `comparison`, headed `title`, with the gates that are broken.
///
/// # Errors
/// [`HtmlError`].
pub fn compare(
    title: &str,
    comparison: &Comparison,
    broken: &[String],
) -> Result<String, HtmlError> {
    let rates: Vec<plots::Interval> = comparison
        .checks
        .iter()
        .filter_map(|(check, change)| {
            Some(plots::Interval {
                name: check.name().to_owned(),
                share: change.after.share()?,
                interval: change.after.interval()?,
                before: change.before.share(),
            })
        })
        .collect();
    let (worse, better): (Vec<_>, Vec<_>) = comparison
        .turns_changed
        .iter()
        .partition(|turn| !turn.worse.is_empty());
    render(
        "compare.html",
        &json!({
            "title": title,
            "comparison": comparison,
            "broken": broken,
            "worse": worse,
            "better": better,
            "rates": plots::intervals(&rates)?,
        }),
    )
}
