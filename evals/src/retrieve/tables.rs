//! What a search for documents came to, for people.

use std::fmt::Write as _;

use super::{Report, Way};
use crate::report::{align, excerpt, table};

/// The figures of each group and way, and the questions whose documents the fused search missed.
pub fn tables(report: &Report) -> String {
    let mut figures = table([
        "questions",
        "number",
        "search",
        "recall@1",
        "recall@5",
        "95 % interval",
        "recall@10",
        "MRR",
        "nDCG@10",
        "ms p50",
        "ms p95",
    ]);
    let share = |value: f64| format!("{value:.3}");
    for row in &report.rows {
        let own = &row.figures;
        let interval = own.recall_at_5_interval;
        let time = |pick: fn(&crate::percentile::Spread) -> f64| {
            let spread = own.milliseconds.as_ref();
            spread.map(|spread| format!("{:.1}", pick(spread)))
        };
        figures.add_row([
            row.group.name().to_owned(),
            own.questions.to_string(),
            row.way.name().to_owned(),
            share(own.recall_at_1),
            share(own.recall_at_5),
            interval
                .map(|[low, high]| format!("{low:.2} to {high:.2}"))
                .unwrap_or_default(),
            share(own.recall_at_10),
            share(own.mrr),
            share(own.ndcg_at_10),
            time(|spread| spread.p50).unwrap_or_default(),
            time(|spread| spread.p95).unwrap_or_default(),
        ]);
    }
    let mut text = format!("{}\n", align(figures));
    let missed = report.asked.iter().filter(|question| {
        let found = question.found.get(&Way::Fused);
        let best = found.into_iter().flatten().take(5);
        !best
            .into_iter()
            .any(|document| question.gold.contains(document))
    });
    for question in missed {
        let _ = writeln!(
            text,
            "\n{} turn {}: not among the best five\n  Q       {}\n  query   {}\n  right   {}",
            question.dialogue,
            question.turn,
            excerpt(&question.message),
            excerpt(&question.query),
            question.gold.join(", "),
        );
        let found = question.found.get(&Way::Fused);
        let best = found.map(|found| found.iter().take(5).cloned().collect::<Vec<_>>());
        let _ = writeln!(text, "  found   {}", best.unwrap_or_default().join(", "));
    }
    text
}
