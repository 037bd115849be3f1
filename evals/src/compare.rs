//! Compares two replays of the same dialogues, turn by turn: what improved, what got worse, and
//! whether the difference is more than chance.
//!
//! Only turns that both replays have are compared, and only checks that both could carry out.

mod gate;
mod sign_test;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checks::{Check, Finding, Verdict};
use crate::percentile::Spread;
use crate::played::{PlayedTurn, Times};
use crate::summary::Tally;

pub use gate::{CheckGate, Gates, WaitGate};
pub use sign_test::sign_test;
pub use tables::{tables, turns};

/// Why replays cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A file is no replay.
    #[error("{} is not what `replay --json` writes: {source}", file.display())]
    NotAReplay {
        /// The file.
        file: PathBuf,
        /// Cause.
        source: serde_json::Error,
    },
    /// A file holds no gates.
    #[error("{} holds no gates: {source}", file.display())]
    NotGates {
        /// The file.
        file: PathBuf,
        /// Cause.
        source: Box<toml::de::Error>,
    },
    /// The replays have no turn in common.
    #[error("the replays have no turn in common: compare replays of the same dialogues")]
    NothingInCommon,
}

/// A replay, as far as it is compared.
#[derive(Clone, Debug, Deserialize)]
pub struct Recording {
    turns: Vec<RecordedTurn>,
}

#[derive(Clone, Debug, Deserialize)]
struct RecordedTurn {
    dialogue: String,
    turn: usize,
    user: String,
    reply: Option<String>,
    times: Times,
    checks: Vec<Verdict>,
}

impl Recording {
    /// What is compared of `turns`.
    pub fn of(turns: &[PlayedTurn]) -> Self {
        let recorded = |turn: &PlayedTurn| RecordedTurn {
            dialogue: turn.dialogue.clone(),
            turn: turn.turn,
            user: turn.user.clone(),
            reply: turn.reply.clone(),
            times: turn.times,
            checks: turn.checks.clone(),
        };
        Self {
            turns: turns.iter().map(recorded).collect(),
        }
    }

    /// Whether any turn was asked for `check`.
    pub(crate) fn asks_for(&self, check: Check) -> bool {
        self.turns.iter().any(|turn| turn.finding(check).is_some())
    }

    /// Reads what `replay --json` wrote.
    ///
    /// # Errors
    /// [`CompareError::Read`], [`CompareError::NotAReplay`].
    pub fn read(file: &Path) -> Result<Self, CompareError> {
        let text = read(file)?;
        serde_json::from_str(&text).map_err(|source| CompareError::NotAReplay {
            file: file.to_owned(),
            source,
        })
    }
}

fn read(file: &Path) -> Result<String, CompareError> {
    std::fs::read_to_string(file).map_err(|source| CompareError::Read {
        file: file.to_owned(),
        source,
    })
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CheckChange {
    /// Turns that passed before.
    pub before: Tally,
    /// Turns that passed after.
    pub after: Tally,
    /// Turns that failed before and passed after.
    pub better: usize,
    /// Turns that passed before and failed after.
    pub worse: usize,
    /// Probability of a change at least as lopsided if there were none ([`sign_test`]).
    pub p: f64,
}

/// Something that a customer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// First useful content.
    Useful,
    /// First sentence of the reply.
    Sentence,
    /// The whole reply.
    Reply,
}

impl Wait {
    const ALL: [Self; 3] = [Self::Useful, Self::Sentence, Self::Reply];

    fn of(self, times: &Times) -> Option<f64> {
        match self {
            Self::Useful => times.useful_ms,
            Self::Sentence => times.sentence_ms,
            Self::Reply => times.reply_ms,
        }
    }

    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Useful => "first useful content",
            Self::Sentence => "first sentence",
            Self::Reply => "whole reply",
        }
    }
}

/// What became of a wait, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WaitChange {
    /// Before.
    pub before: Spread,
    /// After.
    pub after: Spread,
    /// Turns that were faster after.
    pub faster: usize,
    /// Turns that were slower after.
    pub slower: usize,
    /// Probability of a change at least as lopsided if there were none.
    pub p: f64,
}

/// A turn of which a check changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TurnChange {
    /// Its dialogue.
    pub dialogue: String,
    /// Its place in the dialogue, from 1.
    pub turn: usize,
    /// What the customer wrote.
    pub user: String,
    /// Checks that it passes now.
    pub better: Vec<Check>,
    /// Checks that it fails now, with the reason.
    pub worse: Vec<(Check, String)>,
    /// The reply before.
    pub before: Option<String>,
    /// The reply after.
    pub after: Option<String>,
}

/// What two replays have in common, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// By check.
    pub checks: BTreeMap<Check, CheckChange>,
    /// By wait; none where no turn has both times.
    pub waits: BTreeMap<Wait, WaitChange>,
    /// Turns compared.
    pub turns_compared: usize,
    /// Turns that only one of the replays has.
    pub turns_unpaired: usize,
    /// Turns that changed, in the order of the replay after.
    pub turns_changed: Vec<TurnChange>,
}

impl Comparison {
    /// Compares `after` with `before`.
    ///
    /// # Errors
    /// [`CompareError::NothingInCommon`].
    pub fn of(before: &Recording, after: &Recording) -> Result<Self, CompareError> {
        let known: HashMap<_, _> = before.turns.iter().map(|turn| (turn.key(), turn)).collect();
        let pairs: Vec<Pair<'_>> = after
            .turns
            .iter()
            .filter_map(|after| {
                let before = known.get(&after.key())?;
                Some(Pair { before, after })
            })
            .collect();
        if pairs.is_empty() {
            return Err(CompareError::NothingInCommon);
        }
        let checks = Check::ALL
            .into_iter()
            .filter_map(|check| Some((check, check_change(&pairs, check)?)));
        let waits = Wait::ALL
            .into_iter()
            .filter_map(|wait| Some((wait, wait_change(&pairs, wait)?)));
        Ok(Self {
            checks: checks.collect(),
            waits: waits.collect(),
            turns_compared: pairs.len(),
            turns_unpaired: before.turns.len() + after.turns.len() - 2 * pairs.len(),
            turns_changed: pairs.iter().filter_map(Pair::change).collect(),
        })
    }
}

impl RecordedTurn {
    fn key(&self) -> (&str, usize) {
        (&self.dialogue, self.turn)
    }

    fn finding(&self, check: Check) -> Option<&Finding> {
        let verdict = self.checks.iter().find(|verdict| verdict.check == check);
        verdict.map(|verdict| &verdict.finding)
    }
}

/// A turn of both replays.
struct Pair<'a> {
    before: &'a RecordedTurn,
    after: &'a RecordedTurn,
}

impl Pair<'_> {
    /// Whether the check passed before and after; `None` where one of them does not know.
    fn passed(&self, check: Check) -> Option<(bool, bool)> {
        let passed = |finding: &Finding| match finding {
            Finding::Passed => Some(true),
            Finding::Failed { .. } => Some(false),
            Finding::NotMeasured => None,
        };
        Some((
            passed(self.before.finding(check)?)?,
            passed(self.after.finding(check)?)?,
        ))
    }

    fn change(&self) -> Option<TurnChange> {
        let (mut better, mut worse) = (Vec::new(), Vec::new());
        for check in Check::ALL {
            match self.passed(check) {
                Some((false, true)) => better.push(check),
                Some((true, false)) => {
                    let reason = match self.after.finding(check) {
                        Some(Finding::Failed { reason }) => reason.clone(),
                        Some(Finding::Passed | Finding::NotMeasured) | None => String::new(),
                    };
                    worse.push((check, reason));
                }
                Some((true, true) | (false, false)) | None => {}
            }
        }
        let changed = !better.is_empty() || !worse.is_empty();
        changed.then(|| TurnChange {
            dialogue: self.after.dialogue.clone(),
            turn: self.after.turn,
            user: self.after.user.clone(),
            better,
            worse,
            before: self.before.reply.clone(),
            after: self.after.reply.clone(),
        })
    }
}

fn check_change(pairs: &[Pair<'_>], check: Check) -> Option<CheckChange> {
    let found: Vec<(bool, bool)> = pairs.iter().filter_map(|pair| pair.passed(check)).collect();
    if found.is_empty() {
        return None;
    }
    let count = |fits: &dyn Fn(&(bool, bool)) -> bool| found.iter().filter(|f| fits(f)).count();
    let (better, worse) = (
        count(&|f| *f == (false, true)),
        count(&|f| *f == (true, false)),
    );
    let tally = |passed| Tally {
        passed,
        total: found.len(),
    };
    Some(CheckChange {
        before: tally(count(&|f| f.0)),
        after: tally(count(&|f| f.1)),
        better,
        worse,
        p: sign_test(better, worse),
    })
}

fn wait_change(pairs: &[Pair<'_>], wait: Wait) -> Option<WaitChange> {
    let times: Vec<(f64, f64)> = pairs
        .iter()
        .filter_map(|pair| Some((wait.of(&pair.before.times)?, wait.of(&pair.after.times)?)))
        .collect();
    let faster = times
        .iter()
        .filter(|(before, after)| after < before)
        .count();
    let slower = times
        .iter()
        .filter(|(before, after)| after > before)
        .count();
    Some(WaitChange {
        before: Spread::of(times.iter().map(|time| time.0))?,
        after: Spread::of(times.iter().map(|time| time.1))?,
        faster,
        slower,
        p: sign_test(faster, slower),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(super) fn recording(turns: Vec<Value>) -> Recording {
        serde_json::from_value(json!({ "summary": {}, "turns": turns })).unwrap()
    }

    /// A turn with these findings and this time of the whole reply.
    pub(super) fn turn(dialogue: &str, facts: &str, reply_ms: f64) -> Value {
        let facts = match facts {
            "failed" => json!({ "check": "facts", "result": "failed", "reason": "not stated: $5" }),
            result => json!({ "check": "facts", "result": result }),
        };
        json!({
            "dialogue": dialogue, "turn": 1, "user": "how much?", "reply": dialogue,
            "times": { "useful_ms": null, "sentence_ms": null, "reply_ms": reply_ms },
            "checks": [facts, { "check": "handoff", "result": "passed" }],
        })
    }

    fn compared() -> Comparison {
        let before = recording(vec![
            turn("a", "passed", 100.0),
            turn("b", "failed", 100.0),
            turn("c", "passed", 100.0),
            turn("d", "not_measured", 100.0),
            turn("only before", "passed", 100.0),
        ]);
        let after = recording(vec![
            turn("a", "failed", 50.0),
            turn("b", "passed", 200.0),
            turn("c", "passed", 100.0),
            turn("d", "passed", 100.0),
        ]);
        Comparison::of(&before, &after).unwrap()
    }

    #[test]
    fn what_both_know_is_compared() {
        let comparison = compared();
        assert_eq!(
            (comparison.turns_compared, comparison.turns_unpaired),
            (4, 1)
        );
        let facts = comparison.checks[&Check::Facts];
        assert_eq!((facts.before.passed, facts.before.total), (2, 3));
        assert_eq!((facts.after.passed, facts.after.total), (2, 3));
        assert_eq!((facts.better, facts.worse), (1, 1));
        assert!(!comparison.checks.contains_key(&Check::Intent));
    }

    #[test]
    fn the_turns_that_changed_are_told_with_the_reason() {
        let changed = compared().turns_changed;
        assert_eq!(changed.len(), 2);
        assert_eq!(
            changed[0].worse,
            [(Check::Facts, "not stated: $5".to_owned())]
        );
        assert_eq!(changed[1].better, [Check::Facts]);
    }

    #[test]
    fn times_are_compared_turn_by_turn() {
        let reply = compared().waits[&Wait::Reply];
        assert_eq!((reply.faster, reply.slower), (1, 1));
        assert_eq!(reply.after.max, 200.0);
        assert!(!compared().waits.contains_key(&Wait::Useful));
    }

    #[test]
    fn replays_of_other_dialogues_are_not_compared() {
        let before = recording(vec![turn("a", "passed", 1.0)]);
        let after = recording(vec![turn("b", "passed", 1.0)]);
        assert!(matches!(
            Comparison::of(&before, &after),
            Err(CompareError::NothingInCommon)
        ));
    }

    #[test]
    fn a_file_of_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.json");
        let missing = Recording::read(&file).unwrap_err().to_string();
        std::fs::write(&file, "[]").unwrap();
        let other = Recording::read(&file).unwrap_err().to_string();
        assert!(missing.contains("notes.json") && other.contains("replay --json"));
    }
}
