//! A classifier's figures for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::Table;

use super::{ClassFigures, Report, TagReport};
use crate::percentile::Spread;
use crate::report::{align, excerpt, table};

/// Weakest labels shown.
const WEAKEST: usize = 12;
/// Mistakes shown.
const MISTAKES: usize = 12;

/// The figures, the weakest labels and the surest mistakes.
pub fn tables(report: &Report) -> String {
    let mut figures = figures_table(report.figures.named(), &report.intervals);
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
    text += &(latency(report.milliseconds) + &weakest(&report.per_class));
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

/// The same for labels of which a message may have several.
pub fn tag_tables(report: &TagReport) -> String {
    let figures = figures_table(report.figures.named(), &report.intervals);
    let mut text = format!(
        "{} messages\n\n{}\n",
        report.figures.messages,
        align(figures)
    );
    text += &(latency(report.milliseconds) + &weakest(&report.per_class));
    for mistake in report.mistakes.iter().take(MISTAKES) {
        let missed = mistake.missed.iter().map(|label| format!("-{label}"));
        let invented = mistake.invented.iter().map(|label| format!("+{label}"));
        let labels: Vec<String> = missed.chain(invented).collect();
        let _ = writeln!(text, "{}: {}", labels.join(" "), excerpt(&mistake.text));
    }
    text
}

fn figures_table(
    figures: impl Iterator<Item = (&'static str, f64)>,
    intervals: &BTreeMap<&'static str, [f64; 2]>,
) -> Table {
    let mut rows = table(["figure", "value", "95 % interval"]);
    for (name, value) in figures {
        let interval = intervals.get(name);
        let interval = interval.map(|[low, high]| format!("{low:.3} to {high:.3}"));
        let value = format!("{value:.3}");
        rows.add_row([name.to_owned(), value, interval.unwrap_or_default()]);
    }
    rows
}

fn latency(spread: Option<Spread>) -> String {
    let told = |spread: Spread| {
        let Spread { p50, p95, .. } = spread;
        format!("\n{p50:.1} ms a message at the median, {p95:.1} ms at p95\n")
    };
    spread.map(told).unwrap_or_default()
}

fn weakest(classes: &[ClassFigures]) -> String {
    let mut weakest: Vec<_> = classes.iter().filter(|class| class.messages > 0).collect();
    weakest.sort_by(|a, b| a.f1.total_cmp(&b.f1));
    let mut rows = table([
        "weakest labels",
        "messages",
        "precision",
        "recall",
        "F1",
        "recall at 98 %",
    ]);
    for class in weakest.into_iter().take(WEAKEST) {
        let shares = [
            class.precision,
            class.recall,
            class.f1,
            class.recall_at_precision_98,
        ];
        let shares = shares.map(|share| format!("{share:.3}"));
        let row = [class.label.clone(), class.messages.to_string()];
        rows.add_row(row.into_iter().chain(shares).collect::<Vec<_>>());
    }
    format!("\n{}\n\n", align(rows))
}
