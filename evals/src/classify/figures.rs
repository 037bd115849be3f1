//! Figures of a classifier, from the probabilities that it gave. No message, no model: only numbers.

use serde::Serialize;

/// Bins of the calibration error.
const BINS: usize = 10;
/// Precision at which a label's recall is told.
const SURE: f64 = 0.98;
/// Share of in-scope messages that may be taken for strangers.
const FALSE_ALARMS: f64 = 0.05;

/// A message's right label, and the probability given to every label.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Index of the right label.
    pub right: usize,
    /// By label, in `[0, 1]`.
    pub probabilities: Vec<f64>,
}

impl Judgement {
    /// The most probable label; of equals the first.
    pub(super) fn given(&self) -> usize {
        let best = self.probabilities.iter().enumerate();
        best.fold((0, f64::NEG_INFINITY), |best, (at, probability)| {
            if *probability > best.1 {
                (at, *probability)
            } else {
                best
            }
        })
        .0
    }

    pub(super) fn confidence(&self) -> f64 {
        self.probabilities.iter().copied().fold(0.0, f64::max)
    }

    fn is_in_top(&self, most: usize) -> bool {
        let own = self.probabilities[self.right];
        let above = self.probabilities.iter().filter(|other| **other > own);
        above.count() < most
    }
}

/// The figures over all messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Messages judged.
    pub messages: usize,
    /// Share right.
    pub accuracy: f64,
    /// Share whose right label is among the three most probable.
    pub top3: f64,
    /// Mean F1 of the labels that occur.
    pub macro_f1: f64,
    /// The same, each label by its messages.
    pub weighted_f1: f64,
    /// Mean area under the ROC curve of each label against the rest; `None` where no label has
    /// both.
    pub roc_auc: Option<f64>,
    /// Expected calibration error over ten equal bins (Naeini et al., 2015).
    pub ece: f64,
}

impl Figures {
    /// The figures of `judged`; zeros of nothing.
    pub fn of(judged: &[Judgement]) -> Self {
        let share = |fits: &dyn Fn(&Judgement) -> bool| {
            judged.iter().filter(|row| fits(row)).count() as f64 / judged.len().max(1) as f64
        };
        let confusion = confusion(judged);
        let classes: Vec<(usize, f64)> = (0..confusion.len())
            .map(|label| {
                (
                    confusion[label].iter().sum(),
                    counts(&confusion, label).f1(),
                )
            })
            .filter(|(messages, _)| *messages > 0)
            .collect();
        let total: f64 = classes.iter().map(|(_, f1)| f1).sum();
        let weighted = classes.iter().map(|(messages, f1)| *messages as f64 * f1);
        Self {
            messages: judged.len(),
            accuracy: share(&|row| row.given() == row.right),
            top3: share(&|row| row.is_in_top(3)),
            macro_f1: total / classes.len().max(1) as f64,
            weighted_f1: weighted.sum::<f64>() / judged.len().max(1) as f64,
            roc_auc: roc_auc(judged),
            ece: calibration_error(
                judged
                    .iter()
                    .map(|row| (row.confidence(), row.given() == row.right)),
            ),
        }
    }

    /// The figures that intervals are given for, by name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let named = [
            ("accuracy", Some(self.accuracy)),
            ("top3", Some(self.top3)),
            ("macro_f1", Some(self.macro_f1)),
            ("weighted_f1", Some(self.weighted_f1)),
            ("roc_auc", self.roc_auc),
            ("ece", Some(self.ece)),
        ];
        named
            .into_iter()
            .filter_map(|(name, figure)| Some((name, figure?)))
    }
}

/// The figures of one label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The label.
    pub label: String,
    /// Messages that have it.
    pub messages: usize,
    /// Of the messages that were given it, the share that have it.
    pub precision: f64,
    /// Of the messages that have it, the share that were given it.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Of the messages that have it, the share found by its probability alone, at the threshold that
    /// finds most while 98 % of what it finds are right. Tells whether a label can be acted upon.
    pub recall_at_precision_98: f64,
}

/// By label.
pub(super) fn per_class(labels: &[String], judged: &[Judgement]) -> Vec<ClassFigures> {
    let confusion = confusion(judged);
    let classes = labels.iter().enumerate().take(confusion.len());
    classes
        .map(|(at, label)| {
            let counts = counts(&confusion, at);
            let scores = judged
                .iter()
                .map(|row| (row.probabilities[at], row.right == at));
            ClassFigures {
                label: label.clone(),
                messages: counts.right,
                precision: ratio(counts.hits, counts.given),
                recall: ratio(counts.hits, counts.right),
                f1: counts.f1(),
                recall_at_precision_98: sure_recall(scores),
            }
        })
        .collect()
}

/// The largest recall of a threshold on a label's probability with a precision of [`SURE`]; 0 where
/// there is none. Of each message, the probability and whether it has the label.
pub(super) fn sure_recall(decisions: impl Iterator<Item = (f64, bool)>) -> f64 {
    let mut decisions: Vec<(f64, bool)> = decisions.collect();
    decisions.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut hits, mut most) = (0, 0, 0);
    for tied in decisions.chunk_by(|a, b| a.0 == b.0) {
        found += tied.len();
        hits += tied.iter().filter(|(_, is_right)| *is_right).count();
        if ratio(hits, found) >= SURE {
            most = hits;
        }
    }
    ratio(most, hits)
}

/// Rows are the right labels, columns the given ones.
pub(super) fn confusion(judged: &[Judgement]) -> Vec<Vec<usize>> {
    let size = judged.first().map_or(0, |row| row.probabilities.len());
    let mut confusion = vec![vec![0; size]; size];
    for row in judged {
        confusion[row.right][row.given()] += 1;
    }
    confusion
}

struct Counts {
    hits: usize,
    given: usize,
    right: usize,
}

impl Counts {
    fn f1(&self) -> f64 {
        ratio(2 * self.hits, self.given + self.right)
    }
}

fn counts(confusion: &[Vec<usize>], label: usize) -> Counts {
    Counts {
        hits: confusion[label][label],
        given: confusion.iter().map(|row| row[label]).sum(),
        right: confusion[label].iter().sum(),
    }
}

pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

/// Of probabilities and whether what they promised came true.
pub(super) fn calibration_error(decisions: impl Iterator<Item = (f64, bool)>) -> f64 {
    let mut bins = [(0_usize, 0.0); BINS];
    let mut total = 0_usize;
    for (probability, is_true) in decisions {
        let bin = &mut bins[((probability * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += usize::from(is_true);
        bin.1 += probability;
        total += 1;
    }
    let gaps = bins.iter().map(|(hits, sum)| (*hits as f64 - sum).abs());
    gaps.sum::<f64>() / total.max(1) as f64
}

fn roc_auc(judged: &[Judgement]) -> Option<f64> {
    let size = judged.first()?.probabilities.len();
    let areas: Vec<f64> = (0..size)
        .filter_map(|label| {
            let scores = |has: bool| {
                let rows = judged.iter().filter(move |row| (row.right == label) == has);
                rows.map(move |row| row.probabilities[label])
                    .collect::<Vec<_>>()
            };
            area(&scores(true), &scores(false))
        })
        .collect();
    (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
}

/// Area under the ROC curve: how often one of `high` scores above one of `low`, ties by half
/// (Mann and Whitney, 1947). `None` when one of them is empty.
pub(super) fn area(high: &[f64], low: &[f64]) -> Option<f64> {
    if high.is_empty() || low.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> = high
        .iter()
        .map(|score| (*score, true))
        .chain(low.iter().map(|score| (*score, false)))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut pairs) = (0.0, 0.0);
    for tied in all.chunk_by(|a, b| a.0 == b.0) {
        let highs = tied.iter().filter(|(_, is_high)| *is_high).count() as f64;
        let lows = tied.len() as f64 - highs;
        pairs += highs * (below + lows / 2.0);
        below += lows;
    }
    Some(pairs / (high.len() as f64 * low.len() as f64))
}

/// How well messages that belong to no label are told from the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OutOfScope {
    /// Such messages.
    #[serde(rename = "out_of_scope_messages")]
    pub messages: usize,
    /// Area under the ROC curve.
    #[serde(rename = "out_of_scope_auroc")]
    pub auroc: f64,
    /// Share of them that is caught where 5 % of the others are, too.
    #[serde(rename = "out_of_scope_recall")]
    pub recall: f64,
}

impl OutOfScope {
    /// From how familiar messages of known labels look, and strangers; `None` without both.
    pub(super) fn of(known: &[f64], strange: &[f64]) -> Option<Self> {
        let auroc = area(known, strange)?;
        let mut sorted = known.to_vec();
        sorted.sort_by(f64::total_cmp);
        let threshold = sorted[(sorted.len() as f64 * FALSE_ALARMS) as usize];
        let caught = strange.iter().filter(|score| **score < threshold).count();
        Some(Self {
            messages: strange.len(),
            auroc,
            recall: ratio(caught, strange.len()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(rows: &[(usize, [f64; 3])]) -> Vec<Judgement> {
        rows.iter()
            .map(|(right, probabilities)| Judgement {
                right: *right,
                probabilities: probabilities.to_vec(),
            })
            .collect()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn figures_as_computed_by_hand() {
        let rows = judged(&[
            (0, [0.8, 0.1, 0.1]),
            (0, [0.3, 0.6, 0.1]),
            (1, [0.1, 0.8, 0.1]),
            (2, [0.1, 0.1, 0.8]),
        ]);
        let figures = Figures::of(&rows);
        assert!(near(figures.accuracy, 0.75));
        assert!(near(figures.top3, 1.0));
        // F1 of the labels: 2/3, 2/3 and 1.
        assert!(near(figures.macro_f1, 7.0 / 9.0));
        assert!(near(
            figures.weighted_f1,
            (2.0 * 2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 4.0
        ));
        // Three at 0.8 of which all are right, one at 0.6 that is wrong.
        assert!(near(figures.ece, (0.6 + 0.6) / 4.0), "{}", figures.ece);
        assert_eq!(confusion(&rows)[0], [1, 1, 0]);
        let classes = per_class(&["a", "b", "c"].map(str::to_owned), &rows);
        assert!(near(classes[1].precision, 0.5) && near(classes[1].recall, 1.0));
    }

    #[test]
    fn a_label_is_found_as_far_as_it_is_found_surely() {
        let mut decisions = vec![(0.2, false), (0.6, true), (0.7, false)];
        decisions.extend([(0.8, true), (0.9, true)]);
        assert!(near(sure_recall(decisions.into_iter()), 2.0 / 3.0));
        // One in a hundred may be wrong, and ties are found together.
        let many = (0..99).map(|_| (0.9, true)).chain([(0.8, false)]);
        let tied = many.chain([(0.8, true)]);
        assert!(near(sure_recall(tied), 1.0));
        let none = [(0.5, true), (0.5, false)];
        assert!(near(sure_recall(none.into_iter()), 0.0));
    }

    #[test]
    fn the_area_counts_ties_by_half() {
        assert_eq!(area(&[0.9, 0.8], &[0.1]), Some(1.0));
        assert_eq!(area(&[0.5], &[0.5]), Some(0.5));
        assert_eq!(area(&[0.1], &[0.9, 0.1]), Some(0.25));
        assert_eq!(area(&[], &[0.9]), None);
    }

    #[test]
    fn strangers_are_caught_below_the_false_alarms() {
        let known: Vec<f64> = (0..100).map(|n| f64::from(n) / 100.0).collect();
        let found = OutOfScope::of(&known, &[0.01, 0.04, 0.06, 0.5]).unwrap();
        assert!(near(found.recall, 0.5), "{found:?}");
        assert!(found.auroc > 0.8);
        assert_eq!(OutOfScope::of(&known, &[]), None);
    }

    #[test]
    fn nothing_judged_is_no_reason_to_fail() {
        assert_eq!(Figures::of(&[]).messages, 0);
    }

    proptest! {
        #[test]
        fn shares_are_shares(
            rows in prop::collection::vec((0_usize..3, prop::array::uniform3(0.0..1.0_f64)), 1..40),
        ) {
            let figures = Figures::of(&judged(&rows));
            for (name, figure) in figures.named() {
                prop_assert!((0.0..=1.0).contains(&figure), "{} is {}", name, figure);
            }
            prop_assert!(figures.accuracy <= figures.top3);
        }
    }
}
