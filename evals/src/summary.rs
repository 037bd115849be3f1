//! The figures of a replay: checks passed, times, tokens.

use std::collections::BTreeMap;

use crm::ConversationState;
use serde::Serialize;

use crate::checks::{Check, Finding};
use crate::curves::{self, Covered};
use crate::grounded::Groundedness;
use crate::outcome::{self, STAGES, Usage};
use crate::percentile::Spread;
use crate::played::{Ending, PlayedTurn};

/// Standard deviations on each side of an interval of 95 %.
const NORMAL_95: f64 = 1.959_964;

/// How often something held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "TallyFigures")]
pub struct Tally {
    /// Times it held.
    pub passed: usize,
    /// Times it was looked at.
    pub total: usize,
}

impl Tally {
    /// `passed` of `total`, in `[0, 1]`; `None` of nothing.
    pub fn share(self) -> Option<f64> {
        (self.total > 0).then(|| self.passed as f64 / self.total as f64)
    }

    /// Where the true share lies with 95 % confidence, if the turns are a sample of many: the score
    /// interval of Wilson (1927). `None` of nothing.
    pub fn interval(self) -> Option<[f64; 2]> {
        let share = self.share()?;
        let (n, z2) = (self.total as f64, NORMAL_95 * NORMAL_95);
        let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let spread = (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        let half = NORMAL_95 * spread / (1.0 + z2 / n);
        Some([(centre - half).max(0.0), (centre + half).min(1.0)])
    }

    pub(crate) fn count(&mut self, passed: bool) {
        self.passed += usize::from(passed);
        self.total += 1;
    }
}

/// A tally as it is written to a file.
#[derive(Serialize)]
struct TallyFigures {
    passed: usize,
    total: usize,
    share: Option<f64>,
    interval: Option<[f64; 2]>,
}

impl From<Tally> for TallyFigures {
    fn from(tally: Tally) -> Self {
        Self {
            passed: tally.passed,
            total: tally.total,
            share: tally.share(),
            interval: tally.interval(),
        }
    }
}

/// A named spread of milliseconds or tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// Its spread.
    #[serde(flatten)]
    pub spread: Spread,
}

/// How turns ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Endings {
    /// With a reply, or left to a person without one.
    pub answered: usize,
    /// Not sent, as a person had taken over.
    pub silent: usize,
    /// Broken off.
    pub broken: usize,
}

/// Conversations that went to a person, where dialogues say whether they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HandOver {
    /// Of those that went, those that should.
    pub precision: Tally,
    /// Of those that should, those that went.
    pub recall: Tally,
}

impl HandOver {
    fn of(turns: &[PlayedTurn]) -> Self {
        let mut all = Self::default();
        for turn in turns {
            let verdict = turn.checks.iter().find(|made| made.check == Check::Handoff);
            let as_it_should = match verdict.map(|verdict| &verdict.finding) {
                Some(Finding::Passed) => true,
                Some(Finding::Failed { .. }) => false,
                Some(Finding::NotMeasured) | None => continue,
            };
            let went = turn.state == Some(ConversationState::Human);
            if went {
                all.precision.count(as_it_should);
            }
            if went == as_it_should {
                all.recall.count(went);
            }
        }
        all
    }
}

/// The figures of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How turns ended.
    pub endings: Endings,
    /// Checks that were asked for, by [`Check::ALL`]'s order.
    pub checks: Vec<(Check, Tally)>,
    /// Facts, had it been enough to show them in a preview.
    pub shown: Tally,
    /// Times as the customer saw them, in milliseconds.
    pub times: Vec<Figure>,
    /// Times of the server's stages, in milliseconds.
    pub stages: Vec<Figure>,
    /// Tokens of the turns that asked a model.
    pub tokens: Vec<Figure>,
    /// Tokens a second, of prompts read and of replies written.
    pub speeds: Vec<Figure>,
    /// Answered turns that cost no model token, of those with an outcome.
    pub without_model: Tally,
    /// Conversations handed over.
    pub hand_over: HandOver,
    /// Turns that were declined, of those with an outcome.
    pub refused: Tally,
    /// Turns that were left without an answer, of those with an outcome.
    pub unanswered: Tally,
    /// How far what a model wrote keeps to its facts.
    pub groundedness: Groundedness,
    /// Questions that were looked up and whose facts are known, or that have no answer: what a
    /// threshold on the similarity of the best fact would cost.
    pub coverage: Vec<Covered>,
}

impl Summary {
    /// The figures of `turns`.
    pub fn of(turns: &[PlayedTurn]) -> Self {
        let mut shown = Tally::default();
        turns
            .iter()
            .filter_map(|turn| turn.shown)
            .for_each(|passed| shown.count(passed));
        Self {
            endings: endings(turns),
            checks: checks(turns),
            shown,
            times: times(turns),
            stages: stages(turns),
            tokens: tokens(turns),
            speeds: speeds(turns),
            without_model: without_model(turns),
            hand_over: HandOver::of(turns),
            refused: acted(turns, "refuse"),
            unanswered: acted(turns, "no_answer"),
            groundedness: Groundedness::of(turns),
            coverage: coverage(turns),
        }
    }

    /// How often `check` passed; nothing of nothing if it was never asked for.
    pub fn tally(&self, check: Check) -> Tally {
        let found = self.checks.iter().find(|(other, _)| *other == check);
        found.map(|(_, tally)| *tally).unwrap_or_default()
    }
}

fn acted(turns: &[PlayedTurn], action: &str) -> Tally {
    let mut tally = Tally::default();
    for outcome in turns.iter().filter_map(|turn| turn.outcome.as_ref()) {
        tally.count(outcome.action == action);
    }
    tally
}

fn coverage(turns: &[PlayedTurn]) -> Vec<Covered> {
    let judged = turns.iter().filter_map(|turn| {
        let mut checks = turn.checks.iter();
        let told = checks.find(|made| matches!(made.check, Check::Facts | Check::Answerable))?;
        let similarity = outcome::best_similarity(turn.outcome.as_ref()?)?;
        Some((similarity, told.finding == Finding::Passed))
    });
    curves::coverage(&judged.collect::<Vec<_>>())
}

fn endings(turns: &[PlayedTurn]) -> Endings {
    let mut endings = Endings::default();
    for turn in turns {
        match turn.ending {
            Ending::Replied | Ending::Left => endings.answered += 1,
            Ending::Silent => endings.silent += 1,
            Ending::Broken { .. } => endings.broken += 1,
        }
    }
    endings
}

fn checks(turns: &[PlayedTurn]) -> Vec<(Check, Tally)> {
    let mut tallies = BTreeMap::<Check, Tally>::new();
    for verdict in turns.iter().flat_map(|turn| &turn.checks) {
        match verdict.finding {
            Finding::Passed => tallies.entry(verdict.check).or_default().count(true),
            Finding::Failed { .. } => tallies.entry(verdict.check).or_default().count(false),
            Finding::NotMeasured => {}
        }
    }
    tallies.into_iter().collect()
}

fn times(turns: &[PlayedTurn]) -> Vec<Figure> {
    let all = || turns.iter().map(|turn| turn.times);
    [
        figure(
            "first useful content",
            all().filter_map(|times| times.useful_ms),
        ),
        figure(
            "first sentence of the reply",
            all().filter_map(|times| times.sentence_ms),
        ),
        figure("whole reply", all().filter_map(|times| times.reply_ms)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn stages(turns: &[PlayedTurn]) -> Vec<Figure> {
    let mut by_stage = BTreeMap::<(usize, &str), Vec<f64>>::new();
    for outcome in turns.iter().filter_map(|turn| turn.outcome.as_ref()) {
        for (name, ms) in outcome::stages(outcome) {
            let place = STAGES
                .iter()
                .position(|stage| *stage == name)
                .unwrap_or(STAGES.len());
            by_stage.entry((place, name)).or_default().push(ms);
        }
    }
    by_stage
        .into_iter()
        .filter_map(|((_, name), values)| figure(name, values))
        .collect()
}

fn usages(turns: &[PlayedTurn]) -> impl Iterator<Item = Usage> {
    turns
        .iter()
        .filter_map(|turn| outcome::usage(turn.outcome.as_ref()?))
}

fn tokens(turns: &[PlayedTurn]) -> Vec<Figure> {
    let spread = |name, count: fn(Usage) -> u64| {
        figure(name, usages(turns).map(|usage| count(usage) as f64))
    };
    [
        spread("prompt", |usage| usage.prompt_tokens),
        spread("reused from the cache", |usage| usage.reused_tokens),
        spread("written", |usage| usage.output_tokens),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn speeds(turns: &[PlayedTurn]) -> Vec<Figure> {
    let prefill = usages(turns).filter_map(|usage| usage.prefill_rate());
    let decode = usages(turns).filter_map(|usage| usage.decode_rate());
    [figure("reading", prefill), figure("writing", decode)]
        .into_iter()
        .flatten()
        .collect()
}

fn without_model(turns: &[PlayedTurn]) -> Tally {
    let mut tally = Tally::default();
    for outcome in turns.iter().filter_map(|turn| turn.outcome.as_ref()) {
        tally.count(!outcome::asked_model(outcome));
    }
    tally
}

fn figure(name: &str, values: impl IntoIterator<Item = f64>) -> Option<Figure> {
    Some(Figure {
        name: name.to_owned(),
        spread: Spread::of(values)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{failed, passed, played};

    #[test]
    fn an_interval_is_as_wide_as_its_turns_are_few() {
        let interval = |passed, total| Tally { passed, total }.interval().unwrap();
        // Newcombe (1998), table I: 81 of 263 and 0 of 20.
        for ((passed, total), known) in [((81, 263), [0.2553, 0.3662]), ((0, 20), [0.0, 0.1611])] {
            let found = interval(passed, total);
            let near = |at: usize| (found[at] - known[at]).abs() < 1e-4;
            assert!(near(0) && near(1), "{passed} of {total}: {found:?}");
        }
        assert_eq!(Tally::default().interval(), None);
    }

    #[test]
    fn checks_are_counted_and_what_was_not_measured_is_not() {
        let mut turns = vec![played("a", 1), played("a", 2), played("b", 1)];
        turns[0].checks = vec![
            passed(Check::Intent),
            failed(Check::Facts, "not stated: $5"),
        ];
        turns[1].checks = vec![failed(Check::Intent, "complaint, not review")];
        turns[2].checks = vec![crate::checks::Verdict {
            check: Check::Intent,
            finding: Finding::NotMeasured,
        }];
        turns[0].shown = Some(true);
        turns[2].ending = Ending::Silent;
        let summary = Summary::of(&turns);
        assert_eq!(
            summary.tally(Check::Intent),
            Tally {
                passed: 1,
                total: 2
            }
        );
        assert_eq!(summary.tally(Check::Intent).share(), Some(0.5));
        assert_eq!(
            summary.tally(Check::Facts),
            Tally {
                passed: 0,
                total: 1
            }
        );
        assert_eq!(summary.tally(Check::Refuse).share(), None);
        assert_eq!(
            summary.shown,
            Tally {
                passed: 1,
                total: 1
            }
        );
        assert_eq!(
            summary.endings,
            Endings {
                answered: 2,
                silent: 1,
                broken: 0
            }
        );
    }

    #[test]
    fn hand_overs_are_counted_both_ways() {
        let went = Some(ConversationState::Human);
        let mut turns = vec![
            played("a", 1),
            played("b", 1),
            played("c", 1),
            played("d", 1),
        ];
        for (turn, (state, right)) in turns.iter_mut().zip([
            (went, true),
            (went, false),
            (Some(ConversationState::Bot), false),
            (Some(ConversationState::Bot), true),
        ]) {
            turn.state = state;
            turn.checks = vec![if right {
                passed(Check::Handoff)
            } else {
                failed(Check::Handoff, "otherwise")
            }];
        }
        let hand_over = Summary::of(&turns).hand_over;
        assert_eq!(
            (hand_over.precision.passed, hand_over.precision.total),
            (1, 2)
        );
        assert_eq!((hand_over.recall.passed, hand_over.recall.total), (1, 2));
    }

    #[test]
    fn a_question_without_an_answer_counts_in_what_a_threshold_would_cost() {
        let mut turns = vec![played("a", 1), played("b", 1), played("c", 1)];
        for (turn, (check, similarity)) in turns.iter_mut().zip([
            (passed(Check::Facts), 0.8),
            (failed(Check::Answerable, "answers"), 0.6),
            (passed(Check::Intent), 0.7),
        ]) {
            turn.checks = vec![check];
            if let Some(outcome) = &mut turn.outcome {
                outcome.record = json!({"facts": [{"similarity": similarity}]});
            }
        }
        let coverage = Summary::of(&turns).coverage;
        let all = coverage.first().unwrap();
        assert!((all.wrong - 0.5).abs() < 1e-9, "{all:?}");
        let strict = coverage.last().unwrap();
        assert!(
            (strict.answered - 0.5).abs() < 1e-9 && strict.wrong < 1e-9,
            "{strict:?}"
        );
    }

    #[test]
    fn stages_come_in_the_order_they_happen() {
        let mut turn = played("a", 1);
        let outcome = turn.outcome.as_mut().unwrap();
        outcome.record = json!({"stages_ms": {"total": 9, "rest": 2, "open": 1, "retrieve": 3}});
        let stages = Summary::of(&[turn]).stages;
        let names: Vec<_> = stages.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["open", "retrieve", "total", "rest"]);
    }

    #[test]
    fn turns_without_a_model_are_told_from_those_with() {
        let mut turns = vec![played("a", 1), played("a", 2), played("a", 3)];
        turns[0].outcome.as_mut().unwrap().record =
            json!({"usage": {"prompt_tokens": 700, "reused_tokens": 600, "output_tokens": 40}});
        turns[1].outcome.as_mut().unwrap().record = json!({"usage": null});
        turns[2].outcome = None;
        let summary = Summary::of(&turns);
        assert_eq!(
            summary.without_model,
            Tally {
                passed: 1,
                total: 2
            }
        );
        let written = summary
            .tokens
            .iter()
            .find(|figure| figure.name == "written")
            .unwrap();
        assert_eq!((written.spread.count, written.spread.p50), (1, 40.0));
    }
}
