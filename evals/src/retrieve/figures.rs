//! Recall, reciprocal rank and discounted gain of rankings.

use serde::Serialize;

use super::{Question, Way};
use crate::percentile::Spread;
use crate::summary::Tally;

/// How well questions were answered in one way.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Questions.
    pub questions: usize,
    /// Share of questions whose best document is right.
    pub recall_at_1: f64,
    /// Share of questions of which a right document is among the best five.
    pub recall_at_5: f64,
    /// Among the best ten.
    pub recall_at_10: f64,
    /// Where the true recall at five lies with 95 % confidence.
    pub recall_at_5_interval: Option<[f64; 2]>,
    /// Mean of one by the rank of the first right document, 0 beyond ten.
    pub mrr: f64,
    /// Normalised discounted cumulative gain of the best ten (Järvelin and Kekäläinen, 2002), every
    /// right document being as right.
    pub ndcg_at_10: f64,
    /// What finding took.
    pub milliseconds: Option<Spread>,
}

impl Figures {
    /// Of `questions`, found in one `way`; zeros of none.
    pub(super) fn of<'q>(questions: impl Iterator<Item = &'q Question>, way: Way) -> Self {
        let questions: Vec<&Question> = questions.collect();
        let count = questions.len();
        if count == 0 {
            return Self::default();
        }
        let ranks: Vec<Vec<usize>> = questions
            .iter()
            .map(|asked| right_ranks(asked, way))
            .collect();
        let share = |sum: f64| sum / count as f64;
        let within = |most: usize| {
            let first = ranks.iter().filter_map(|ranks| ranks.first());
            first.filter(|rank| **rank <= most).count()
        };
        let at_five = Tally {
            passed: within(5),
            total: count,
        };
        let first = ranks.iter().filter_map(|ranks| ranks.first());
        let gains = ranks.iter().zip(&questions);
        Self {
            questions: count,
            recall_at_1: share(within(1) as f64),
            recall_at_5: share(at_five.passed as f64),
            recall_at_10: share(within(10) as f64),
            recall_at_5_interval: at_five.interval(),
            mrr: share(sum(first.map(|rank| 1.0 / *rank as f64))),
            ndcg_at_10: share(sum(
                gains.map(|(ranks, asked)| gain(ranks, asked.gold.len()))
            )),
            milliseconds: Spread::of(
                questions
                    .iter()
                    .filter_map(|asked| asked.milliseconds.get(&way).copied()),
            ),
        }
    }
}

/// Of nothing, zero: the sum of no floats is -0.0, which prints with its sign.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, std::ops::Add::add)
}

/// Ranks of the right documents among the best ten, from 1.
fn right_ranks(question: &Question, way: Way) -> Vec<usize> {
    let found = question
        .found
        .get(&way)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let ranked = found.iter().zip(1..=10);
    let right = ranked.filter(|(document, _)| question.gold.contains(document));
    right.map(|(_, rank)| rank).collect()
}

/// The discounted gain of right documents at `ranks`, of the most that `gold` of them could have.
fn gain(ranks: &[usize], gold: usize) -> f64 {
    let discounted = |rank: usize| 1.0 / (rank as f64 + 1.0).log2();
    let best: f64 = (1..=gold.min(10)).map(discounted).sum();
    let own = sum(ranks.iter().copied().map(discounted));
    if best > 0.0 { own / best } else { 0.0 }
}

/// Which questions figures are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// All of them.
    All,
    /// The first ones of English dialogues.
    English,
    /// Later ones of English dialogues.
    EnglishFollowUps,
    /// Those in other languages.
    OtherLanguages,
}

impl Group {
    const ALL: [Self; 4] = [
        Self::All,
        Self::English,
        Self::EnglishFollowUps,
        Self::OtherLanguages,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::English => "English, first turns",
            Self::EnglishFollowUps => "English, later turns",
            Self::OtherLanguages => "other languages",
        }
    }

    fn has(self, question: &Question) -> bool {
        let is_english = question.language == "en" || question.language.starts_with("en-");
        match self {
            Self::All => true,
            Self::English => is_english && question.turn == 1,
            Self::EnglishFollowUps => is_english && question.turn > 1,
            Self::OtherLanguages => !is_english,
        }
    }
}

/// Figures of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which questions.
    pub group: Group,
    /// How they were looked up.
    pub way: Way,
    /// How well.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What came of all questions: the figures of the fused search of all, then those of each group and
/// way, then the questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of all questions, by meaning and words.
    #[serde(flatten)]
    pub fused: Figures,
    /// By group and way.
    pub rows: Vec<Row>,
    /// Each with what was found.
    pub asked: Vec<Question>,
}

impl Report {
    /// The figures of `questions`.
    pub fn of(questions: Vec<Question>) -> Self {
        let mut rows = Vec::new();
        for group in Group::ALL {
            for way in Way::ALL {
                let chosen = questions.iter().filter(|question| group.has(question));
                let figures = Figures::of(chosen, way);
                if figures.questions > 0 {
                    rows.push(Row {
                        group,
                        way,
                        figures,
                    });
                }
            }
        }
        Self {
            fused: Figures::of(questions.iter(), Way::Fused),
            rows,
            asked: questions,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn question(turn: usize, language: &str, gold: &[&str], found: &[&str]) -> Question {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Question {
            dialogue: "d".into(),
            turn,
            language: language.into(),
            message: "?".into(),
            query: "?".into(),
            gold: owned(gold),
            found: BTreeMap::from([(Way::Fused, owned(found))]),
            milliseconds: BTreeMap::from([(Way::Fused, 2.0)]),
        }
    }

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let asked = [
            question(1, "en", &["a"], &["a", "b"]),
            question(1, "en", &["a", "b"], &["c", "b", "a"]),
            question(1, "en", &["a"], &["b", "c", "d", "e", "f", "a"]),
            question(1, "en", &["a"], &["b"]),
        ];
        let figures = Figures::of(asked.iter(), Way::Fused);
        assert_eq!(
            (
                figures.recall_at_1,
                figures.recall_at_5,
                figures.recall_at_10
            ),
            (0.25, 0.5, 0.75)
        );
        assert!((figures.mrr - (1.0 + 0.5 + 1.0 / 6.0) / 4.0).abs() < 1e-12);
        let log = |rank: f64| 1.0 / (rank + 1.0).log2();
        let second = (log(2.0) + log(3.0)) / (log(1.0) + log(2.0));
        assert!((figures.ndcg_at_10 - (1.0 + second + log(6.0)) / 4.0).abs() < 1e-12);
        assert_eq!(figures.milliseconds.unwrap().p50, 2.0);
        assert_eq!(Figures::of(asked.iter(), Way::Dense).recall_at_10, 0.0);
    }

    #[test]
    fn groups_are_by_language_and_turn() {
        let report = Report::of(vec![
            question(1, "en", &["a"], &["a"]),
            question(2, "en-GB", &["a"], &["b"]),
            question(2, "zh", &["a"], &["a"]),
        ]);
        let recall = |group: Group| {
            let mut rows = report.rows.iter();
            let row = rows.find(|row| row.group == group && row.way == Way::Fused);
            row.map(|row| (row.figures.questions, row.figures.recall_at_1))
        };
        assert_eq!(recall(Group::All), Some((3, 2.0 / 3.0)));
        assert_eq!(recall(Group::English), Some((1, 1.0)));
        assert_eq!(recall(Group::EnglishFollowUps), Some((1, 0.0)));
        assert_eq!(recall(Group::OtherLanguages), Some((1, 1.0)));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["recall_at_5"], 2.0 / 3.0);
        assert_eq!(json["rows"][0]["way"], "dense");
        assert_eq!(json["asked"][0]["found"]["fused"][0], "a");
    }

    proptest! {
        #[test]
        fn a_better_rank_never_lowers_a_figure(
            gold in prop::collection::btree_set("[a-h]", 1..4),
            found in Just(["a", "b", "c", "d", "e", "f", "g", "h"].map(str::to_owned).to_vec()).prop_shuffle(),
            at in 1_usize..8,
        ) {
            let gold: Vec<&str> = gold.iter().map(String::as_str).collect();
            let names: Vec<&str> = found.iter().map(String::as_str).collect();
            let mut better = names.clone();
            if gold.contains(&names[at]) {
                better.swap(at - 1, at);
            }
            let figures = |names: &[&str]| Figures::of([question(1, "en", &gold, names)].iter(), Way::Fused);
            let (before, after) = (figures(&names), figures(&better));
            prop_assert!(after.mrr >= before.mrr && after.ndcg_at_10 >= before.ndcg_at_10 - 1e-12);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&after.ndcg_at_10));
        }
    }
}
