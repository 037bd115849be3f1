//! How well a head does on messages it has not seen.

use std::fmt;

use crate::head::softmax;

/// Figures over held-out messages.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// Messages judged.
    pub messages: usize,
    /// Share right; of labels that may come together, the share of messages given exactly theirs.
    pub accuracy: f32,
    /// Mean of the labels' F1 scores.
    pub macro_f1: f32,
    /// Share whose right label is among the three most probable.
    pub top3: f32,
    /// Expected calibration error over ten bins (Naeini et al., 2015), on messages that did not set
    /// the temperature.
    pub ece: f32,
    /// By label: name, messages, F1.
    pub by_label: Vec<(String, usize, f32)>,
    /// The commonest mistakes: right label, given label, count.
    pub confusions: Vec<(String, String, usize)>,
}

impl HeldOut {
    /// Measures logits against right labels; `tested` are those that did not set `temperature`.
    pub(crate) fn measure(
        labels: &[String],
        judged: &[(Vec<f32>, usize)],
        tested: &[(Vec<f32>, usize)],
        temperature: f32,
    ) -> Self {
        let size = labels.len();
        let mut confusion = vec![vec![0_usize; size]; size];
        let mut in_top3 = 0;
        for (logits, right) in judged {
            let order = descending(logits);
            in_top3 += usize::from(order.iter().take(3).any(|label| label == right));
            if let Some(given) = order.first() {
                confusion[*right][*given] += 1;
            }
        }
        let by_label: Vec<(String, usize, f32)> = labels
            .iter()
            .enumerate()
            .map(|(at, label)| {
                (
                    label.clone(),
                    confusion[at].iter().sum(),
                    f1(&confusion, at),
                )
            })
            .collect();
        let seen: Vec<f32> = by_label
            .iter()
            .filter(|(_, count, _)| *count > 0)
            .map(|(_, _, f1)| *f1)
            .collect();
        let right: usize = (0..size).map(|at| confusion[at][at]).sum();
        Self {
            messages: judged.len(),
            accuracy: share(right, judged.len()),
            macro_f1: seen.iter().sum::<f32>() / seen.len().max(1) as f32,
            top3: share(in_top3, judged.len()),
            ece: expected_calibration_error(tested, temperature),
            confusions: confusions(labels, &confusion),
            by_label,
        }
    }
}

/// The probabilities of all labels of a message, and the indices of those it has.
pub(crate) type Tagged<'a> = (Vec<f32>, &'a [usize]);

impl HeldOut {
    /// Measures the probabilities of labels of which a message may have several, each given from its
    /// threshold on. Half of the messages have set thresholds and temperature.
    pub(crate) fn of_tags(labels: &[String], judged: &[Tagged<'_>], thresholds: &[f32]) -> Self {
        let given = |probabilities: &[f32], at: usize| probabilities[at] >= thresholds[at];
        let by_label: Vec<(String, usize, f32)> = labels
            .iter()
            .enumerate()
            .map(|(at, label)| {
                let count = |fits: &dyn Fn(bool, bool) -> bool| {
                    let fits = |(probabilities, own): &&Tagged<'_>| {
                        fits(given(probabilities, at), own.contains(&at))
                    };
                    judged.iter().filter(fits).count()
                };
                let (hits, own) = (count(&|given, has| given && has), count(&|_, has| has));
                let f1 = share(2 * hits, count(&|given, _| given) + own);
                (label.clone(), own, f1)
            })
            .collect();
        let seen = by_label.iter().filter(|(_, messages, _)| *messages > 0);
        let seen: Vec<f32> = seen.map(|(_, _, f1)| *f1).collect();
        let count =
            |fits: &dyn Fn(&Tagged<'_>) -> bool| judged.iter().filter(|row| fits(row)).count();
        let exact = count(&|(probabilities, own)| {
            (0..labels.len()).all(|at| given(probabilities, at) == own.contains(&at))
        });
        let near = count(&|(probabilities, own)| {
            let order = descending(probabilities);
            order.iter().take(3).any(|label| own.contains(label))
        });
        let decisions = judged.iter().flat_map(|(probabilities, own)| {
            let decisions = probabilities.iter().enumerate();
            decisions.map(|(at, probability)| (*probability, own.contains(&at)))
        });
        Self {
            messages: judged.len(),
            accuracy: share(exact, judged.len()),
            macro_f1: seen.iter().sum::<f32>() / seen.len().max(1) as f32,
            top3: share(near, judged.len()),
            ece: calibration_error(decisions),
            by_label,
            confusions: Vec::new(),
        }
    }
}

fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

fn descending(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order
}

fn f1(confusion: &[Vec<usize>], label: usize) -> f32 {
    let hits = confusion[label][label];
    let given: usize = confusion.iter().map(|row| row[label]).sum();
    let right: usize = confusion[label].iter().sum();
    2.0 * hits as f32 / (given + right).max(1) as f32
}

fn confusions(labels: &[String], confusion: &[Vec<usize>]) -> Vec<(String, String, usize)> {
    let mut pairs: Vec<(String, String, usize)> = Vec::new();
    for (right, row) in confusion.iter().enumerate() {
        for (given, count) in row.iter().enumerate() {
            if right != given && *count > 0 {
                pairs.push((labels[right].clone(), labels[given].clone(), *count));
            }
        }
    }
    pairs.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
    pairs.truncate(10);
    pairs
}

fn expected_calibration_error(rows: &[(Vec<f32>, usize)], temperature: f32) -> f32 {
    let decisions = rows.iter().filter_map(|(logits, right)| {
        let given = *descending(logits).first()?;
        let confidence = *softmax(logits, temperature).get(given)?;
        Some((confidence, given == *right))
    });
    calibration_error(decisions)
}

/// Of probabilities and whether what they promised came true.
fn calibration_error(decisions: impl Iterator<Item = (f32, bool)>) -> f32 {
    const BINS: usize = 10;
    let mut bins = [(0_usize, 0.0_f64); BINS];
    let mut total = 0_usize;
    for (probability, is_true) in decisions {
        let bin = &mut bins[((probability * BINS as f32) as usize).min(BINS - 1)];
        bin.0 += usize::from(is_true);
        bin.1 += f64::from(probability);
        total += 1;
    }
    let gaps = bins
        .iter()
        .map(|(true_ones, sum)| (*true_ones as f64 - sum).abs());
    (gaps.sum::<f64>() / total.max(1) as f64) as f32
}

impl fmt::Display for HeldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "accuracy {:.1} %   macro-F1 {:.1} %   top-3 {:.1} %   ECE {:.3}   ({} held-out messages)",
            100.0 * self.accuracy,
            100.0 * self.macro_f1,
            100.0 * self.top3,
            self.ece,
            self.messages
        )?;
        let mut weakest: Vec<_> = self
            .by_label
            .iter()
            .filter(|(_, count, _)| *count > 0)
            .collect();
        weakest.sort_by(|a, b| a.2.total_cmp(&b.2));
        for (label, count, f1) in weakest.into_iter().take(8) {
            writeln!(
                f,
                "  {label:<28} F1 {:>5.1} %   {count} messages",
                100.0 * f1
            )?;
        }
        for (right, given, count) in &self.confusions {
            writeln!(f, "  {count:>3} x {right} taken for {given}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        vec!["a".into(), "b".into()]
    }

    #[test]
    fn two_of_three_right_is_counted_as_such() {
        let rows = vec![
            (vec![1.0, 0.0], 0),
            (vec![0.0, 1.0], 1),
            (vec![1.0, 0.0], 1),
        ];
        let held_out = HeldOut::measure(&labels(), &rows, &rows, 1.0);
        assert!((held_out.accuracy - 2.0 / 3.0).abs() < 1e-6);
        assert!((held_out.macro_f1 - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(held_out.confusions, [("b".to_owned(), "a".to_owned(), 1)]);
    }

    #[test]
    fn labels_that_come_together_are_judged_each_for_itself() {
        let rows: Vec<(Vec<f32>, &[usize])> = vec![
            (vec![0.9, 0.8], &[0, 1]),
            (vec![0.9, 0.1], &[0, 1]),
            (vec![0.1, 0.1], &[]),
        ];
        let held_out = HeldOut::of_tags(&labels(), &rows, &[0.5, 0.5]);
        assert!((held_out.accuracy - 2.0 / 3.0).abs() < 1e-6);
        // F1 of 1 and of 2/3.
        assert!((held_out.macro_f1 - 5.0 / 6.0).abs() < 1e-6);
    }

    #[test]
    fn certainty_about_a_coin_toss_is_a_calibration_error_of_one_half() {
        let rows: Vec<(Vec<f32>, usize)> = (0..10).map(|n| (vec![50.0, 0.0], n % 2)).collect();
        let held_out = HeldOut::measure(&labels(), &rows, &rows, 1.0);
        assert!((held_out.ece - 0.5).abs() < 1e-3, "{}", held_out.ece);
    }
}
