//! A classifier's figures for people.

use std::fmt::Write;

use super::Report;
use crate::report::{align, excerpt, table};

/// Weakest labels shown.
const WEAKEST: usize = 12;
/// Mistakes shown.
const MISTAKES: usize = 12;

/// The figures, the weakest labels and the surest mistakes.
pub fn tables(report: &Report) -> String {
    let mut figures = table(["figure", "value", "95 % interval"]);
    for (name, value) in report.figures.named() {
        let interval = report.intervals.get(name);
        let interval = interval.map(|[low, high]| format!("{low:.3} to {high:.3}"));
        let value = format!("{value:.3}");
        figures.add_row([name.to_owned(), value, interval.unwrap_or_default()]);
    }
    if let Some(out) = report.out_of_scope {
        for (name, value) in [
            ("out-of-scope AUROC", out.auroc),
            ("out-of-scope recall at 5 % false alarms", out.recall),
        ] {
            figures.add_row([name.to_owned(), format!("{value:.3}"), String::new()]);
        }
    }
    let mut text = format!(
        "{} messages\n\n{}\n",
        report.figures.messages,
        align(figures)
    );
    if let Some(spread) = report.milliseconds {
        let _ = writeln!(
            text,
            "\n{:.1} ms a message at the median, {:.1} ms at p95",
            spread.p50, spread.p95
        );
    }
    let mut weakest: Vec<_> = report.per_class.iter().filter(|c| c.messages > 0).collect();
    weakest.sort_by(|a, b| a.f1.total_cmp(&b.f1));
    let mut classes = table(["weakest labels", "messages", "precision", "recall", "F1"]);
    for class in weakest.into_iter().take(WEAKEST) {
        let shares = [class.precision, class.recall, class.f1].map(|share| format!("{share:.3}"));
        let row = [class.label.clone(), class.messages.to_string()];
        classes.add_row(row.into_iter().chain(shares).collect::<Vec<_>>());
    }
    let _ = writeln!(text, "\n{}\n", align(classes));
    for mistake in report.mistakes.iter().take(MISTAKES) {
        let _ = writeln!(
            text,
            "{} taken for {} ({:.2}): {}",
            mistake.right,
            mistake.given,
            mistake.probability,
            excerpt(&mistake.text)
        );
    }
    text
}
