//! Gates: what a change must not break before it goes live.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{CompareError, Comparison, Recording, Wait, read};
use crate::checks::Check;

/// The gates of a file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gates {
    /// By check.
    pub checks: BTreeMap<Check, CheckGate>,
    /// By wait.
    pub waits: BTreeMap<Wait, WaitGate>,
}

/// What must hold of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckGate {
    /// Least share of turns that pass after the change, in `[0, 1]`.
    pub least: Option<f64>,
    /// Most of that share that may be lost against before, in `[0, 1]`.
    pub most_lost: Option<f64>,
}

/// Milliseconds up to which people feel that something happens at once (Miller, 1968).
const NOTICED_MS: f64 = 100.0;
/// How improbable a growth must be if there were none, by the sign test over the turns.
const SIGNIFICANT: f64 = 0.05;

/// What must hold of a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaitGate {
    /// Longest median after the change, in milliseconds.
    pub most_p50_ms: Option<f64>,
    /// Most that the median may grow by: 1.2 is a fifth longer. A growth by less than 100 ms is none, nor is one
    /// that chance explains: a few turns on a busy machine.
    pub most_growth: Option<f64>,
}

impl Gates {
    /// Reads gates from a TOML file.
    ///
    /// # Errors
    /// [`CompareError::Read`], [`CompareError::NotGates`].
    pub fn load(file: &Path) -> Result<Self, CompareError> {
        toml::from_str(&read(file)?).map_err(|source| CompareError::NotGates {
            file: file.to_owned(),
            source: Box::new(source),
        })
    }

    /// What a change must not cost that is put live.
    pub fn usual() -> Self {
        // The file is part of the program, and a test reads it.
        toml::from_str(include_str!("../../publish.toml")).unwrap_or_default()
    }

    /// These gates less those of checks that `recording` was never asked for.
    #[must_use]
    pub fn asked_for(mut self, recording: &Recording) -> Self {
        self.checks.retain(|check, _| recording.asks_for(*check));
        self
    }

    /// A sentence for each gate that the change breaks. What was not measured breaks its gate: a
    /// check that has vanished proves nothing.
    pub fn broken(&self, comparison: &Comparison) -> Vec<String> {
        let checks = self.checks.iter();
        let waits = self.waits.iter();
        checks
            .flat_map(|(check, gate)| gate.broken(*check, comparison))
            .chain(waits.flat_map(|(wait, gate)| gate.broken(*wait, comparison)))
            .collect()
    }
}

impl CheckGate {
    fn broken(self, check: Check, comparison: &Comparison) -> Vec<String> {
        let name = check.name();
        let shares = comparison
            .checks
            .get(&check)
            .and_then(|change| Some((change.before.share()?, change.after.share()?)));
        let Some((before, after)) = shares else {
            return vec![format!("{name} was not measured")];
        };
        let percent = |share: f64| share * 100.0;
        let least = self.least.filter(|least| after < *least).map(|least| {
            format!(
                "{name} passes {:.1} % of the turns, less than {:.1} %",
                percent(after),
                percent(least)
            )
        });
        let lost = before - after;
        let most_lost = self.most_lost.filter(|most| lost > *most).map(|most| {
            format!(
                "{name} loses {:.1} points ({:.1} % to {:.1} %), more than {:.1}",
                percent(lost),
                percent(before),
                percent(after),
                percent(most)
            )
        });
        least.into_iter().chain(most_lost).collect()
    }
}

impl WaitGate {
    fn broken(self, wait: Wait, comparison: &Comparison) -> Vec<String> {
        let name = wait.name();
        let Some(change) = comparison.waits.get(&wait) else {
            return vec![format!("{name} was not measured")];
        };
        let (before, after) = (change.before.p50, change.after.p50);
        let most = self.most_p50_ms.filter(|most| after > *most);
        let most = most.map(|most| {
            format!("{name} takes {after:.0} ms at the median, more than {most:.0} ms")
        });
        let is_noticed = after - before >= NOTICED_MS && change.p < SIGNIFICANT;
        let growth = self
            .most_growth
            .filter(|most| is_noticed && after > before * most);
        let growth = growth.map(|growth| {
            format!(
                "{name} takes {after:.0} ms at the median, more than {growth} times the {before:.0} ms before"
            )
        });
        most.into_iter().chain(growth).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{recording, turn};
    use super::*;

    fn comparison() -> Comparison {
        compared(1000.0, 1500.0)
    }

    /// A comparison of ten turns, half of which pass no more, by their waits in milliseconds.
    fn compared(before: f64, after: f64) -> Comparison {
        compared_by(10, before, after)
    }

    /// The same of so many turns.
    fn compared_by(turns: usize, before: f64, after: f64) -> Comparison {
        let turns = |second, wait| {
            let result = |number: usize| {
                if number.is_multiple_of(2) {
                    "passed"
                } else {
                    second
                }
            };
            let turn = |number: usize| turn(&number.to_string(), result(number), wait);
            recording((0..turns).map(turn).collect())
        };
        Comparison::of(&turns("passed", before), &turns("failed", after)).unwrap()
    }

    fn broken(gates: &str) -> Vec<String> {
        let gates: Gates = toml::from_str(gates).unwrap();
        gates.broken(&comparison())
    }

    #[test]
    fn a_gate_that_holds_says_nothing() {
        let gates = "[checks.facts]\nleast = 0.5\nmost_lost = 0.5\n\
            [checks.handoff]\nleast = 1.0\n\
            [waits.reply]\nmost_p50_ms = 1500\nmost_growth = 1.5\n";
        assert_eq!(broken(gates), [""; 0]);
    }

    #[test]
    fn each_broken_gate_says_so() {
        for (gates, said) in [
            ("[checks.facts]\nleast = 0.6", "passes 50.0 % of the turns"),
            ("[checks.facts]\nmost_lost = 0.1", "loses 50.0 points"),
            ("[checks.intent]\nleast = 0.1", "intent was not measured"),
            ("[waits.reply]\nmost_p50_ms = 1200", "1500 ms at the median"),
            ("[waits.reply]\nmost_growth = 1.2", "1.2 times the 1000 ms"),
            ("[waits.useful]\nmost_growth = 1.2", "was not measured"),
        ] {
            let broken = broken(gates);
            assert!(
                broken.len() == 1 && broken[0].contains(said),
                "{gates}: {broken:?}"
            );
        }
    }

    #[test]
    fn what_nobody_notices_is_no_growth() {
        let gates: Gates = toml::from_str("[waits.reply]\nmost_growth = 1.25").unwrap();
        assert_eq!(gates.broken(&compared(34.0, 46.0)), [""; 0]);
        assert_eq!(gates.broken(&compared(34.0, 146.0)).len(), 1);
        assert_eq!(
            gates.broken(&compared_by(2, 34.0, 146.0)),
            [""; 0],
            "two turns may have been held up"
        );
    }

    #[test]
    fn the_usual_gates_are_there_and_those_nobody_asked_for_are_not() {
        let usual = Gates::usual();
        assert_eq!(usual.checks.len(), Check::ALL.len());
        let asked = usual.asked_for(&recording(vec![turn("a", "passed", 100.0)]));
        let checks: Vec<Check> = asked.checks.keys().copied().collect();
        assert_eq!(checks, [Check::Facts, Check::Handoff]);
        assert_eq!(asked.waits.len(), 1);
    }

    #[test]
    fn a_misspelt_gate_is_refused_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gates.toml");
        std::fs::write(&file, "[checks.fakts]\nleast = 1.0").unwrap();
        let error = Gates::load(&file).unwrap_err().to_string();
        assert!(
            error.contains("gates.toml") && error.contains("fakts"),
            "{error}"
        );
    }
}
