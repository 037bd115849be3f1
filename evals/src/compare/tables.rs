//! A comparison for people.

use std::fmt::Write;

use comfy_table::Table;

use super::{Comparison, TurnChange};
use crate::report::{align, excerpt, table};
use crate::summary::Tally;

/// The figures before and after.
pub fn tables(comparison: &Comparison) -> String {
    let mut text = format!("{} turns compared", comparison.turns_compared);
    if comparison.turns_unpaired > 0 {
        let _ = write!(
            text,
            ", {} that only one of the replays has",
            comparison.turns_unpaired
        );
    }
    let _ = write!(
        text,
        "\n\n{}\n\n{}\n",
        checks(comparison),
        waits(comparison)
    );
    text
}

/// The turns that changed, those that got worse first; empty if there are none.
pub fn turns(comparison: &Comparison) -> String {
    let mut changed: Vec<&TurnChange> = comparison.turns_changed.iter().collect();
    changed.sort_by_key(|turn| turn.worse.is_empty());
    let mut text = String::new();
    for turn in changed {
        let _ = writeln!(text, "{} turn {}", turn.dialogue, turn.turn);
        for (check, reason) in &turn.worse {
            let _ = writeln!(text, "  worse: {}: {reason}", check.name());
        }
        for check in &turn.better {
            let _ = writeln!(text, "  better: {}", check.name());
        }
        let _ = writeln!(text, "  Q      {}", excerpt(&turn.user));
        for (name, reply) in [("before", &turn.before), ("after ", &turn.after)] {
            let reply = reply.as_deref().map_or_else(|| "-".to_owned(), excerpt);
            let _ = writeln!(text, "  {name} {reply}");
        }
    }
    text
}

fn checks(comparison: &Comparison) -> Table {
    let mut table = table(["check", "before", "after", "better", "worse", "p"]);
    let told = |tally: Tally| {
        let share = tally.share().unwrap_or_default() * 100.0;
        format!("{} of {} ({share:.1} %)", tally.passed, tally.total)
    };
    for (check, change) in &comparison.checks {
        table.add_row([
            check.name().to_owned(),
            told(change.before),
            told(change.after),
            change.better.to_string(),
            change.worse.to_string(),
            format!("{:.3}", change.p),
        ]);
    }
    align(table)
}

fn waits(comparison: &Comparison) -> Table {
    let mut table = table([
        "wait, ms",
        "p50 before",
        "after",
        "p95 before",
        "after",
        "faster",
        "slower",
        "p",
    ]);
    for (wait, change) in &comparison.waits {
        let times = [
            change.before.p50,
            change.after.p50,
            change.before.p95,
            change.after.p95,
        ];
        let times = times.map(|time| format!("{time:.0}"));
        let counts = [change.faster.to_string(), change.slower.to_string()];
        let row = [wait.name().to_owned()].into_iter().chain(times);
        let row = row.chain(counts).chain([format!("{:.3}", change.p)]);
        table.add_row(row.collect::<Vec<_>>());
    }
    align(table)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{recording, turn};
    use super::*;

    #[test]
    fn what_got_worse_comes_first_with_both_replies() {
        let before = recording(vec![turn("a", "failed", 1.0), turn("b", "passed", 1.0)]);
        let after = recording(vec![turn("a", "passed", 1.0), turn("b", "failed", 1.0)]);
        let comparison = Comparison::of(&before, &after).unwrap();
        let told = turns(&comparison);
        assert!(
            told.starts_with("b turn 1\n  worse: facts: not stated: $5\n"),
            "{told}"
        );
        assert!(told.contains("a turn 1\n  better: facts\n"), "{told}");
        let figures = tables(&comparison);
        assert!(figures.contains("1 of 2 (50.0 %)"), "{figures}");
    }
}
