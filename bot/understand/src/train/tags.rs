//! Training the head for labels of which a message may have several: a logistic regression for each
//! label over what the untuned encoder and the n-grams give.

use std::collections::BTreeSet;

use super::{ReadExamples, TrainError, TrainOptions, fitted_head};
use crate::examples::{Example, Part};
use crate::head::{Head, Kind, sigmoids};
use crate::metrics::{HeldOut, Tagged};
use crate::solver::{Parameters, Regression, Told};

/// Thresholds that are tried: twentieths.
const THRESHOLDS: usize = 20;
/// Pairs by which each threshold is steadied: a label of three held-out messages must not be decided
/// by them alone, so that the threshold that serves all labels best has a say of so many.
const PRIOR: f32 = 10.0;
/// Examples that a label needs to be learnt.
const LEAST: usize = 5;

/// The examples of the head, and its labels.
pub(super) struct TaggedSet {
    /// Name of the head.
    pub(super) name: &'static str,
    labels: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    /// Index of the example.
    example: usize,
    /// Indices of its labels.
    own: Vec<usize>,
    part: Part,
}

/// A held-out message: the probabilities of all labels, and which it has.
struct Judged {
    logits: Vec<f32>,
    own: Vec<usize>,
    part: Part,
}

impl TaggedSet {
    /// The examples with labels for the head `name`; `None` where fewer than two labels have enough.
    pub(super) fn gather(name: &'static str, examples: &[Example]) -> Option<Self> {
        let tagged = || {
            let examples = examples.iter().enumerate();
            examples.filter_map(|(at, example)| Some((at, example, example.tags(name)?)))
        };
        let all: BTreeSet<&String> = tagged().flat_map(|(_, _, own)| own).collect();
        let labels: Vec<String> = all.into_iter().cloned().collect();
        let row = |(example, text, own): (usize, &Example, &[String])| Row {
            example,
            own: (0..labels.len())
                .filter(|at| own.contains(&labels[*at]))
                .collect(),
            part: text.part(),
        };
        let rows: Vec<Row> = tagged().map(row).collect();
        let is_enough =
            |at: &usize| rows.iter().filter(|row| row.own.contains(at)).count() >= LEAST;
        let enough = (0..labels.len()).filter(is_enough).count();
        (enough >= 2).then_some(Self { name, labels, rows })
    }

    /// How many examples there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The head, trained on everything, and how one trained on the rest did on what was held out.
    pub(super) fn train(
        &self,
        read: &ReadExamples,
        options: TrainOptions,
    ) -> Result<(Head, HeldOut), TrainError> {
        let nothing = Parameters::zero(read.width_in_context, self.labels.len());
        let (seen, learnt) = self.fit(read, options, nothing, |part| part == Part::Train)?;
        let judged = self.judge(&seen, read);
        let setting: Vec<&Judged> = judged.iter().filter(|row| sets(row.part)).collect();
        let temperature = best_temperature(&setting);
        let thresholds = best_thresholds(&setting, temperature, self.labels.len());
        let outcomes: Vec<Tagged<'_>> = judged
            .iter()
            .map(|row| (sigmoids(&row.logits, temperature), &*row.own))
            .collect();
        let report = HeldOut::of_tags(&self.labels, &outcomes, &thresholds);
        let (mut head, _) = self.fit(read, options, learnt, |_| true)?;
        head.temperature = temperature;
        head.kind = Kind::AnyOf { thresholds };
        Ok((head, report))
    }

    fn fit(
        &self,
        read: &ReadExamples,
        options: TrainOptions,
        start: Parameters,
        chosen: impl Fn(Part) -> bool,
    ) -> Result<(Head, Parameters), TrainError> {
        let rows = self.rows.iter().filter(|row| chosen(row.part));
        let regression = Regression {
            rows: rows
                .filter_map(|row| Some((read.in_context.get(row.example)?, &*row.own)))
                .collect(),
            width: read.width_in_context,
            classes: self.labels.len(),
            told: Told::AnyOf,
            penalty: 1.0 / f64::from(options.c * LOOSENESS),
            held_back: (0..0, 1.0),
        };
        fitted_head(self.name, &self.labels, &regression, start, options)
    }

    fn judge(&self, head: &Head, read: &ReadExamples) -> Vec<Judged> {
        let rows = self.rows.iter().filter(|row| row.part != Part::Train);
        let judge = |row: &Row| {
            let vector = read.in_context.get(row.example)?;
            Some(Judged {
                logits: head.logits(&vector.to_dense(read.width_in_context)),
                own: row.own.clone(),
                part: row.part,
            })
        };
        rows.filter_map(judge).collect()
    }
}

/// How much less the head is held back than `c` says: feelings are labelled less surely than wishes.
const LOOSENESS: f32 = 0.1;

fn sets(part: Part) -> bool {
    part == Part::Temperature
}

/// The temperature with the least cross-entropy, by a scan on a logarithmic scale; 1 of nothing.
fn best_temperature(rows: &[&Judged]) -> f32 {
    let loss = |temperature: f32| -> f32 {
        let rows = rows.iter().map(|row| {
            let probabilities = sigmoids(&row.logits, temperature);
            let likelihood = probabilities.iter().enumerate().map(|(at, probability)| {
                let has = row.own.contains(&at);
                let probability = if has { *probability } else { 1.0 - probability };
                probability.max(1e-9).ln()
            });
            -likelihood.sum::<f32>()
        });
        rows.sum()
    };
    let tried = (0..=40).map(|step| 0.3 * 1.07_f32.powi(step));
    let losses = tried.map(|temperature| (temperature, loss(temperature)));
    let best = losses.min_by(|a, b| a.1.total_cmp(&b.1));
    best.filter(|_| !rows.is_empty()).map_or(1.0, |best| best.0)
}

/// By label, the threshold with the best F1, drawn towards the one that is best for all together.
fn best_thresholds(rows: &[&Judged], temperature: f32, labels: usize) -> Vec<f32> {
    let probabilities: Vec<Vec<f32>> = rows
        .iter()
        .map(|row| sigmoids(&row.logits, temperature))
        .collect();
    // By label and threshold: hits, given, own.
    let mut counts = vec![[[0.0_f32; 3]; THRESHOLDS]; labels];
    for (row, probabilities) in rows.iter().zip(&probabilities) {
        for (at, counts) in counts.iter_mut().enumerate() {
            let has = row.own.contains(&at);
            for (step, count) in counts.iter_mut().enumerate() {
                let given = probabilities[at] >= threshold(step);
                count[0] += f32::from(u8::from(given && has));
                count[1] += f32::from(u8::from(given));
                count[2] += f32::from(u8::from(has));
            }
        }
    }
    let together: Vec<[f32; 3]> = (0..THRESHOLDS)
        .map(|step| {
            let sum = |what: usize| counts.iter().map(|label| label[step][what]).sum();
            [sum(0), sum(1), sum(2)]
        })
        .collect();
    let all = together.first().map_or(0.0, |count| count[2]);
    let prior = PRIOR / all.max(1.0);
    let best = |label: &[[f32; 3]; THRESHOLDS]| {
        let f1 = |step: &usize| {
            let with = |what: usize| label[*step][what] + prior * together[*step][what];
            2.0 * with(0) / (with(1) + with(2)).max(1e-6)
        };
        let best = (0..THRESHOLDS).max_by(|a, b| f1(a).total_cmp(&f1(b)));
        best.map_or(0.5, threshold)
    };
    counts.iter().map(best).collect()
}

fn threshold(step: usize) -> f32 {
    (step as f32 + 0.5) / THRESHOLDS as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::EMOTIONS;

    fn judged(logit: f32, has: bool) -> Judged {
        Judged {
            logits: vec![logit],
            own: if has { vec![0] } else { Vec::new() },
            part: Part::Temperature,
        }
    }

    #[test]
    fn a_label_that_is_never_probable_gets_a_low_threshold() {
        // Its probability is 0.18 where it holds and 0.02 where it does not.
        let mut rows: Vec<Judged> = (0..50).map(|_| judged(-1.5, true)).collect();
        rows.extend((0..500).map(|_| judged(-4.0, false)));
        let rows: Vec<&Judged> = rows.iter().collect();
        let [threshold] = best_thresholds(&rows, 1.0, 1)[..] else {
            panic!("one label, one threshold");
        };
        assert!((0.02..0.18).contains(&threshold), "{threshold}");
    }

    #[test]
    fn too_sure_a_head_is_cooled() {
        let rows: Vec<Judged> = (0..100).map(|n| judged(8.0, n % 4 != 0)).collect();
        let rows: Vec<&Judged> = rows.iter().collect();
        let temperature = best_temperature(&rows);
        assert!(temperature > 4.0, "{temperature}");
        assert!((best_temperature(&[]) - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn examples_without_emotions_are_not_examples_of_none() {
        let example = |text: &str, emotions: Option<&[&str]>| Example {
            text: text.to_owned(),
            emotions: emotions.map(|own| own.iter().map(|e| (*e).to_owned()).collect()),
            ..Example::default()
        };
        let mut examples = vec![example("hm", None)];
        for n in 0..LEAST {
            examples.push(example(&format!("{n}"), Some(&["joy", "anger"])));
        }
        examples.push(example("table", Some(&[])));
        let set = TaggedSet::gather(EMOTIONS, &examples).unwrap();
        assert_eq!((set.len(), set.labels.len()), (LEAST + 1, 2));
        assert_eq!(set.rows.last().unwrap().own, [0_usize; 0]);
        assert!(TaggedSet::gather(EMOTIONS, &examples[..3]).is_none());
    }
}
