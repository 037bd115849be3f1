//! The printed report of a replay, and its report file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::checks::{Check, Finding};
use crate::played::{Ending, PlayedTurn};
use crate::summary::{Figure, Summary, Tally};

/// Characters of a question or reply in the list of failures.
const EXCERPT: usize = 160;

/// The report cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: choose a file in a folder that you may write to", file.display())]
pub struct ReportError {
    /// The file.
    file: PathBuf,
    /// What the system said.
    source: std::io::Error,
}

/// The figures, as tables.
pub fn tables(summary: &Summary) -> String {
    let endings = summary.endings;
    let mut text = format!(
        "{} turns answered, {} silent after a hand-over, {} broken off\n\n",
        endings.answered, endings.silent, endings.broken
    );
    let sections = [
        Some(checks_table(summary)),
        spreads_table("customer's wait, ms", &summary.times),
        spreads_table("stage, ms", &summary.stages),
        spreads_table("tokens a turn", &summary.tokens),
        spreads_table("tokens a second", &summary.speeds),
    ];
    for table in sections.into_iter().flatten() {
        text.push_str(&table.trim_fmt());
        text.push_str("\n\n");
    }
    let without = summary.without_model;
    if without.total > 0 {
        let _ = writeln!(text, "Turns without a model token: {}", percent(without));
    }
    text
}

/// Turns with a failed check or a break, in short; empty if there are none.
pub fn failures(turns: &[PlayedTurn]) -> String {
    let mut text = String::new();
    for turn in turns {
        let failed = reasons(turn);
        if failed.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{} turn {}", turn.dialogue, turn.turn);
        for reason in failed {
            let _ = writeln!(text, "  {reason}");
        }
        let _ = writeln!(text, "  Q {}", excerpt(&turn.user));
        let reply = turn
            .reply
            .as_deref()
            .map_or_else(|| "-".to_owned(), excerpt);
        let _ = writeln!(text, "  A {reply}");
    }
    text
}

/// Why a turn is listed as failed.
fn reasons(turn: &PlayedTurn) -> Vec<String> {
    let broken = match &turn.ending {
        Ending::Broken { reason } => Some(format!("broken off: {reason}")),
        Ending::Replied | Ending::Left | Ending::Silent => None,
    };
    let failed = turn
        .checks
        .iter()
        .filter_map(|verdict| match &verdict.finding {
            Finding::Failed { reason } => Some(format!("{}: {reason}", verdict.check.name())),
            Finding::Passed | Finding::NotMeasured => None,
        });
    broken.into_iter().chain(failed).collect()
}

/// A replay as it is written to a file.
#[derive(Serialize)]
struct File<'a> {
    summary: &'a Summary,
    turns: &'a [PlayedTurn],
}

/// Writes figures and turns to `file` as JSON.
///
/// # Errors
/// [`ReportError`].
pub fn write_json(file: &Path, summary: &Summary, turns: &[PlayedTurn]) -> Result<(), ReportError> {
    let failed = |source| ReportError {
        file: file.to_owned(),
        source,
    };
    let mut text = serde_json::to_string_pretty(&File { summary, turns })
        .map_err(|error| failed(error.into()))?;
    text.push('\n');
    std::fs::write(file, text).map_err(failed)
}

fn checks_table(summary: &Summary) -> Table {
    let mut table = table(["check", "passed", "total", "share", "95 % interval"]);
    for (check, tally) in &summary.checks {
        table.add_row(tally_row(check.name(), *tally));
        if *check == Check::Facts {
            table.add_row(tally_row("facts, previews counted", summary.shown));
        }
    }
    let groundedness = summary.groundedness;
    for (name, tally) in [
        ("hand-over, precision", summary.hand_over.precision),
        ("hand-over, recall", summary.hand_over.recall),
        ("declined", summary.refused),
        ("left without an answer", summary.unanswered),
        ("sentences with support", groundedness.supported),
        ("  with an invented number", groundedness.invented_number),
        ("  with an invented name", groundedness.invented_name),
    ] {
        if tally.total > 0 {
            table.add_row(tally_row(name, tally));
        }
    }
    align(table)
}

fn tally_row(name: &str, tally: Tally) -> [String; 5] {
    let none = || "-".to_owned();
    let percent = |share: f64| share * 100.0;
    let share = tally
        .share()
        .map(|share| format!("{:.1} %", percent(share)));
    let interval = tally
        .interval()
        .map(|[low, high]| format!("{:.0} to {:.0} %", percent(low), percent(high)));
    [
        name.to_owned(),
        tally.passed.to_string(),
        tally.total.to_string(),
        share.unwrap_or_else(none),
        interval.unwrap_or_else(none),
    ]
}

fn spreads_table(title: &str, figures: &[Figure]) -> Option<Table> {
    if figures.is_empty() {
        return None;
    }
    let mut table = table([title, "turns", "p50", "p95", "max"]);
    for Figure { name, spread } in figures {
        let values = [spread.p50, spread.p95, spread.max].map(|value| format!("{value:.0}"));
        let row = [name.clone(), spread.count.to_string()]
            .into_iter()
            .chain(values);
        table.add_row(row.collect::<Vec<_>>());
    }
    Some(align(table))
}

pub(crate) fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table
}

/// Names to the left, numbers to the right.
pub(crate) fn align(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn percent(tally: Tally) -> String {
    let share = tally.share().unwrap_or_default() * 100.0;
    format!("{} of {} ({share:.0} %)", tally.passed, tally.total)
}

/// One line of at most [`EXCERPT`] characters.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(&line)),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{failed, passed, played};

    fn turns() -> Vec<PlayedTurn> {
        let mut turns = vec![played("bank-001", 1), played("bank-001", 2)];
        turns[0].checks = vec![passed(Check::Intent), passed(Check::Facts)];
        turns[1].checks = vec![failed(Check::Facts, "not stated: $5")];
        turns[0].shown = Some(true);
        turns[1].shown = Some(true);
        turns[0].times.reply_ms = Some(1234.4);
        turns[1].reply = Some("免费。".repeat(100));
        turns
    }

    #[test]
    fn tables_line_up() {
        let text = tables(&Summary::of(&turns()));
        for line in [
            " facts                         1      2   50.0 %      9 to 91 %",
            " facts, previews counted       2      2  100.0 %    34 to 100 %",
            " whole reply              1  1234  1234  1234",
        ] {
            assert!(
                text.lines().any(|other| other == line),
                "{line:?} in\n{text}"
            );
        }
    }

    #[test]
    fn only_failed_turns_are_listed_and_long_texts_cut() {
        let mut turns = turns();
        turns[0].ending = Ending::Replied;
        let text = failures(&turns);
        assert!(
            text.starts_with("bank-001 turn 2\n  facts: not stated: $5\n"),
            "{text}"
        );
        assert!(text.ends_with("…\n") && text.lines().count() == 4, "{text}");
        turns[1].checks.clear();
        assert_eq!(failures(&turns), "");
        turns[0].ending = Ending::Broken {
            reason: "nothing came".into(),
        };
        assert!(failures(&turns).contains("broken off: nothing came"));
    }

    #[test]
    fn a_file_holds_figures_and_turns() {
        let folder = tempfile::tempdir().unwrap();
        let (file, turns) = (folder.path().join("out.json"), turns());
        write_json(&file, &Summary::of(&turns), &turns).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["turns"][1]["checks"][0]["result"], "failed");
        assert_eq!(json["turns"][1]["checks"][0]["reason"], "not stated: $5");
        assert_eq!(json["summary"]["shown"]["passed"], 2);
        let nowhere = folder.path().join("no/such/folder/out.json");
        assert!(write_json(&nowhere, &Summary::of(&turns), &turns).is_err());
    }
}
