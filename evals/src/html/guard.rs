//! The page of a guard.

use serde_json::json;

use super::{HtmlError, plots, render};
use crate::guard::{Mistake, Report};

/// Mistakes of a kind that are shown.
const MOST: usize = 200;

/// A page of `report`, headed `title`, with what was let pass and what was withheld by mistake.
///
/// # Errors
/// [`HtmlError`].
pub fn guard(title: &str, report: &Report) -> Result<String, HtmlError> {
    let all = [
        ("false, all".to_owned(), report.caught),
        ("true, all".to_owned(), report.withheld_by_mistake),
    ];
    let by_kind = report
        .by_kind
        .iter()
        .map(|(kind, tally)| (kind.replace('_', " "), *tally));
    let rates: Vec<plots::Interval> = all
        .into_iter()
        .chain(by_kind)
        .filter_map(|(name, tally)| {
            Some(plots::Interval {
                name,
                share: tally.share()?,
                interval: tally.interval()?,
                before: None,
            })
        })
        .collect();
    let (withheld, passed): (Vec<&Mistake>, Vec<&Mistake>) = report
        .mistakes
        .iter()
        .partition(|mistake| mistake.case.supported);
    render(
        "guard.html",
        &json!({
            "title": title,
            "report": report,
            "rates": plots::intervals(&rates)?,
            "passed": passed.iter().take(MOST).collect::<Vec<_>>(),
            "withheld": withheld.iter().take(MOST).collect::<Vec<_>>(),
        }),
    )
}
