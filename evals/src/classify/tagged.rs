//! How well a head gives labels of which a message may have several.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use retrieval::Encoder;
use serde::Serialize;
use understand::{EMOTIONS, Example, Language, TrainOptions, Understander};

use super::figures::{ClassFigures, area, calibration_error, ratio, sure_recall};
use super::labelled::Tagged;
use super::{ClassifyError, MISTAKES, Trained, bootstrap};
use crate::curves::{self, Bin};
use crate::percentile::Spread;

/// What was given to a message, and what it has; all by label.
#[derive(Clone, Debug, PartialEq)]
pub struct TagJudgement {
    /// Whether it has the label.
    pub own: Vec<bool>,
    /// Whether it was given the label.
    pub given: Vec<bool>,
    /// The label's probability, in `[0, 1]`; each for itself.
    pub probabilities: Vec<f64>,
}

/// The figures over all messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TagFigures {
    /// Messages judged.
    pub messages: usize,
    /// Share that was given exactly its labels.
    pub accuracy: f64,
    /// F1 of all decisions together.
    pub micro_f1: f64,
    /// Mean F1 of the labels that occur.
    pub macro_f1: f64,
    /// The same, each label by its messages.
    pub weighted_f1: f64,
    /// Mean area under the labels' ROC curves; `None` where no label both occurs and does not.
    pub roc_auc: Option<f64>,
    /// Expected calibration error of all labels' probabilities over ten equal bins.
    pub ece: f64,
}

/// Of one label: messages that have it, were given it, and both.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    own: usize,
    given: usize,
    hits: usize,
}

impl Counts {
    fn f1(self) -> f64 {
        ratio(2 * self.hits, self.own + self.given)
    }
}

fn counts(judged: &[TagJudgement]) -> Vec<Counts> {
    let labels = judged.first().map_or(0, |row| row.own.len());
    let mut counts = vec![Counts::default(); labels];
    for row in judged {
        let decisions = row.own.iter().zip(&row.given);
        for (counts, (own, given)) in counts.iter_mut().zip(decisions) {
            counts.own += usize::from(*own);
            counts.given += usize::from(*given);
            counts.hits += usize::from(*own && *given);
        }
    }
    counts
}

impl TagFigures {
    /// The figures of `judged`; zeros of nothing.
    pub fn of(judged: &[TagJudgement]) -> Self {
        let counts = counts(judged);
        let exact = judged.iter().filter(|row| row.own == row.given).count();
        let together = counts.iter().fold(Counts::default(), |sum, label| Counts {
            own: sum.own + label.own,
            given: sum.given + label.given,
            hits: sum.hits + label.hits,
        });
        let seen: Vec<Counts> = counts.into_iter().filter(|label| label.own > 0).collect();
        let total: f64 = seen.iter().map(|label| label.f1()).sum();
        let weighted: f64 = seen.iter().map(|label| label.own as f64 * label.f1()).sum();
        Self {
            messages: judged.len(),
            accuracy: ratio(exact, judged.len()),
            micro_f1: together.f1(),
            macro_f1: total / seen.len().max(1) as f64,
            weighted_f1: weighted / together.own.max(1) as f64,
            roc_auc: roc_auc(judged),
            ece: calibration_error(decisions(judged)),
        }
    }

    /// The figures that intervals are given for, by name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let named = [
            ("accuracy", Some(self.accuracy)),
            ("micro_f1", Some(self.micro_f1)),
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

/// Every label's probability for every message, and whether the message has it.
fn decisions(judged: &[TagJudgement]) -> impl Iterator<Item = (f64, bool)> {
    let rows = judged.iter();
    rows.flat_map(|row| {
        row.probabilities
            .iter()
            .copied()
            .zip(row.own.iter().copied())
    })
}

fn roc_auc(judged: &[TagJudgement]) -> Option<f64> {
    let labels = judged.first()?.own.len();
    let of_label = |label: usize| {
        let scores = |has: bool| -> Vec<f64> {
            let rows = judged.iter().filter(|row| row.own[label] == has);
            rows.map(|row| row.probabilities[label]).collect()
        };
        area(&scores(true), &scores(false))
    };
    let areas: Vec<f64> = (0..labels).filter_map(of_label).collect();
    (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
}

/// A message that was not given exactly its labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TagMistake {
    /// The message.
    pub text: String,
    /// Labels that it has and was not given.
    pub missed: Vec<String>,
    /// Labels that it was given and has not.
    pub invented: Vec<String>,
    /// How improbable the worst of both was held to be, in `[0, 1]`.
    pub surprise: f64,
}

/// What came of judging a file.
#[derive(Clone, Debug, Serialize)]
pub struct TagReport {
    /// The figures.
    #[serde(flatten)]
    pub figures: TagFigures,
    /// Bootstrap intervals of 95 %, by the figures' names.
    pub intervals: BTreeMap<&'static str, [f64; 2]>,
    /// Milliseconds for one message, tokenization included.
    pub milliseconds: Option<Spread>,
    /// The labels.
    pub labels: Vec<String>,
    /// By label.
    pub per_class: Vec<ClassFigures>,
    /// By label: rows are messages without and with it, columns those not given and given it.
    pub confusion: Vec<[[usize; 2]; 2]>,
    /// How true the probabilities are.
    pub reliability: Vec<Bin>,
    /// Milliseconds of each message.
    #[serde(skip)]
    pub latencies: Vec<f64>,
    /// The mistakes that were least expected.
    pub mistakes: Vec<TagMistake>,
}

/// Trains a head on `rows`. `progress` hears the share done, in `[0, 1]`.
///
/// # Errors
/// [`ClassifyError::Train`].
pub fn train_tags(
    rows: &[Tagged],
    encoder: &Encoder,
    options: TrainOptions,
    mut progress: impl FnMut(f32),
) -> Result<Trained, ClassifyError> {
    let example = |row: &Tagged| Example {
        text: row.text.clone(),
        before: row.before.clone(),
        emotions: Some(row.own.clone()),
        ..Example::default()
    };
    let examples: Vec<Example> = rows.iter().map(example).collect();
    let trained = understand::train(encoder, &examples, options, |done, _| progress(done))?;
    Ok(Trained::elsewhere(trained.heads, EMOTIONS))
}

/// Judges `rows` one at a time, as messages come. `progress` hears of each.
///
/// # Errors
/// [`ClassifyError::NoHead`], [`ClassifyError::Encoder`].
pub fn judge_tags(
    trained: Trained,
    encoder: Encoder,
    rows: &[Tagged],
    mut progress: impl FnMut(),
) -> Result<TagReport, ClassifyError> {
    let head = trained.heads.get(EMOTIONS);
    let head = head.ok_or_else(|| ClassifyError::NoHead(EMOTIONS.to_owned()))?;
    let head = head.clone();
    let mut labels: BTreeSet<String> = head.labels().iter().cloned().collect();
    labels.extend(rows.iter().flat_map(|row| row.own.iter().cloned()));
    let labels: Vec<String> = labels.into_iter().collect();

    let understander = Understander::new(encoder, vec![trained.heads])?;
    let (mut judged, mut latencies) = (Vec::new(), Vec::new());
    for row in rows {
        let began = Instant::now();
        let ranking = understander
            .understand(&row.text, row.before.as_deref(), Language::english())?
            .emotions;
        latencies.push(began.elapsed().as_secs_f64() * 1e3);
        let chosen = head.chosen(&ranking);
        let is_chosen = |label: &String| chosen.iter().any(|scored| scored.label == *label);
        let probability = |label: &String| f64::from(ranking.probability(label));
        judged.push(TagJudgement {
            own: labels.iter().map(|label| row.own.contains(label)).collect(),
            given: labels.iter().map(is_chosen).collect(),
            probabilities: labels.iter().map(probability).collect(),
        });
        progress();
    }
    Ok(report(labels, rows, &judged, latencies))
}

fn report(
    labels: Vec<String>,
    rows: &[Tagged],
    judged: &[TagJudgement],
    latencies: Vec<f64>,
) -> TagReport {
    let counts = counts(judged);
    let classes = labels.iter().zip(&counts).enumerate();
    let per_class = classes.map(|(at, (label, counts))| ClassFigures {
        label: label.clone(),
        messages: counts.own,
        precision: ratio(counts.hits, counts.given),
        recall: ratio(counts.hits, counts.own),
        f1: counts.f1(),
        recall_at_precision_98: sure_recall(
            judged
                .iter()
                .map(|row| (row.probabilities[at], row.own[at])),
        ),
    });
    let confusion = counts.iter().map(|counts| {
        let (missed, invented) = (counts.own - counts.hits, counts.given - counts.hits);
        let neither = judged.len() - counts.own - invented;
        [[neither, invented], [missed, counts.hits]]
    });
    let mut mistakes: Vec<TagMistake> = rows
        .iter()
        .zip(judged)
        .filter_map(|(row, judged)| mistake(row, judged, &labels))
        .collect();
    mistakes.sort_by(|a, b| b.surprise.total_cmp(&a.surprise));
    mistakes.truncate(MISTAKES);
    TagReport {
        figures: TagFigures::of(judged),
        intervals: bootstrap::intervals(judged, |sample| TagFigures::of(sample).named().collect()),
        milliseconds: Spread::of(latencies.iter().copied()),
        per_class: per_class.collect(),
        confusion: confusion.collect(),
        reliability: curves::reliability(&decisions(judged).collect::<Vec<_>>()),
        latencies,
        labels,
        mistakes,
    }
}

fn mistake(row: &Tagged, judged: &TagJudgement, labels: &[String]) -> Option<TagMistake> {
    let wrong = |own: bool| -> Vec<usize> {
        let is_wrong = |at: &usize| judged.own[*at] == own && judged.given[*at] != own;
        (0..labels.len()).filter(is_wrong).collect()
    };
    let (missed, invented) = (wrong(true), wrong(false));
    let of_missed = missed.iter().map(|at| 1.0 - judged.probabilities[*at]);
    let of_invented = invented.iter().map(|at| judged.probabilities[*at]);
    let surprise = of_missed.chain(of_invented).max_by(f64::total_cmp)?;
    let named = |at: Vec<usize>| at.into_iter().map(|at| labels[at].clone()).collect();
    Some(TagMistake {
        text: row.text.clone(),
        missed: named(missed),
        invented: named(invented),
        surprise,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(own: [bool; 2], probabilities: [f64; 2]) -> TagJudgement {
        TagJudgement {
            own: own.to_vec(),
            given: probabilities.iter().map(|p| *p >= 0.5).collect(),
            probabilities: probabilities.to_vec(),
        }
    }

    fn rows() -> Vec<TagJudgement> {
        vec![
            judged([true, true], [0.9, 0.6]),
            judged([true, false], [0.4, 0.1]),
            judged([false, false], [0.2, 0.1]),
            judged([false, true], [0.7, 0.8]),
        ]
    }

    #[test]
    fn figures_as_computed_by_hand() {
        let figures = TagFigures::of(&rows());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(figures.accuracy, 0.5), "{figures:?}");
        // The first label has one hit, one missed and one invented: 1/2. The second two hits: 1.
        assert!(near(figures.macro_f1, 0.75), "{figures:?}");
        assert!(near(figures.micro_f1, 6.0 / 8.0), "{figures:?}");
        assert!(near(figures.weighted_f1, 0.75), "{figures:?}");
        assert!(
            near(figures.roc_auc.unwrap(), (0.75 + 1.0) / 2.0),
            "{figures:?}"
        );
        assert_eq!(TagFigures::of(&[]).messages, 0);
    }

    #[test]
    fn a_report_tells_what_was_missed_and_what_invented() {
        let texts = ["a", "b", "c", "d"];
        let tagged: Vec<Tagged> = texts
            .iter()
            .map(|text| Tagged {
                text: (*text).to_owned(),
                before: None,
                own: Vec::new(),
            })
            .collect();
        let labels = ["joy", "anger"].map(str::to_owned).to_vec();
        let report = report(labels, &tagged, &rows(), vec![1.0; 4]);
        assert_eq!(report.confusion, [[[1, 1], [1, 1]], [[2, 0], [0, 2]]]);
        let [first, second] = &report.mistakes[..] else {
            panic!("{:?}", report.mistakes);
        };
        assert_eq!(
            (first.text.as_str(), &*first.invented),
            ("d", &["joy".to_owned()][..])
        );
        assert_eq!(
            (second.text.as_str(), &*second.missed),
            ("b", &["joy".to_owned()][..])
        );
        assert!(report.intervals["accuracy"][0] < 0.5);
    }
}
