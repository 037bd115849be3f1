//! A head: logistic regression from a feature vector to calibrated probabilities, of labels that
//! exclude each other or of labels that do not.

use serde::Serialize;

/// A label with its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// The label.
    pub label: String,
    /// Calibrated probability, in `[0, 1]`.
    pub probability: f32,
}

/// All labels of a head, most probable first; equal probabilities in the head's order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Ranking(Vec<Scored>);

impl Ranking {
    /// Ranks `scored`.
    pub fn new(mut scored: Vec<Scored>) -> Self {
        scored.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        Self(scored)
    }

    /// The most probable label; the empty string when there are no labels.
    pub fn top(&self) -> &str {
        self.0.first().map_or("", |scored| scored.label.as_str())
    }

    /// Probability of the most probable label.
    pub fn confidence(&self) -> f32 {
        self.0.first().map_or(0.0, |scored| scored.probability)
    }

    /// Probability of `label`; 0 for an unknown one.
    pub fn probability(&self, label: &str) -> f32 {
        self.0
            .iter()
            .find(|scored| scored.label == label)
            .map_or(0.0, |scored| scored.probability)
    }

    /// The mean of two rankings of the same labels: what two readings of one message make likely.
    #[must_use]
    pub fn averaged(&self, other: &Self) -> Self {
        let mean = |scored: &Scored| Scored {
            label: scored.label.clone(),
            probability: (scored.probability + other.probability(&scored.label)) / 2.0,
        };
        Self::new(self.0.iter().map(mean).collect())
    }

    /// Whether there are no labels, as of a head that is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranking itself.
    pub fn as_slice(&self) -> &[Scored] {
        &self.0
    }
}

/// How the labels of a head stand to each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Kind {
    /// A message has exactly one of them.
    #[default]
    OneOf,
    /// A message may have several or none.
    AnyOf {
        /// By label, the probability from which a message counts as having it.
        thresholds: Vec<f32>,
    },
}

/// Weights of one head.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Labels, one a column.
    pub(crate) labels: Vec<String>,
    /// `labels.len()` rows of `width` weights.
    pub(crate) weights: Vec<f32>,
    /// One a label.
    pub(crate) bias: Vec<f32>,
    /// Length of a feature vector.
    pub(crate) width: usize,
    /// Logits are divided by it before the softmax (Guo et al., 2017).
    pub(crate) temperature: f32,
    pub(crate) kind: Kind,
}

impl Head {
    /// The labels it tells apart.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Ranks the labels for `features`; values beyond the head's width are ignored.
    pub fn rank(&self, features: &[f32]) -> Ranking {
        let logits = self.logits(features);
        let probabilities = match self.kind {
            Kind::OneOf => softmax(&logits, self.temperature),
            Kind::AnyOf { .. } => sigmoids(&logits, self.temperature),
        };
        let scored = self.labels.iter().zip(probabilities);
        Ranking::new(
            scored
                .map(|(label, probability)| Scored {
                    label: label.clone(),
                    probability,
                })
                .collect(),
        )
    }

    /// The labels that `ranking`, one of this head's, says a message has: the most probable, or, where
    /// labels do not exclude each other, those above their thresholds.
    pub fn chosen<'r>(&self, ranking: &'r Ranking) -> Vec<&'r Scored> {
        let Kind::AnyOf { thresholds } = &self.kind else {
            return ranking.0.first().into_iter().collect();
        };
        let is_chosen = |scored: &&Scored| {
            let at = self.labels.iter().position(|label| *label == scored.label);
            let threshold = at.and_then(|at| thresholds.get(at));
            threshold.is_some_and(|threshold| scored.probability >= *threshold)
        };
        ranking.0.iter().filter(is_chosen).collect()
    }

    /// This head and `branch` as one over both's features, `branch` with `share` of the logits.
    pub(crate) fn mixed_with(&self, branch: &retrieval::Linear, share: f32) -> Self {
        let own = self.weights.chunks_exact(self.width.max(1));
        let width = branch.weights.len() / self.labels.len().max(1);
        let added = branch.weights.chunks_exact(width.max(1));
        let rows = own.zip(added).flat_map(|(own, added)| {
            let own = own.iter().map(|weight| weight * (1.0 - share));
            own.chain(added.iter().map(|weight| weight * share))
        });
        let bias = self.bias.iter().zip(&branch.bias);
        Self {
            labels: self.labels.clone(),
            weights: rows.collect(),
            bias: bias
                .map(|(own, added)| own * (1.0 - share) + added * share)
                .collect(),
            width: self.width + width,
            temperature: self.temperature,
            kind: self.kind.clone(),
        }
    }

    /// How much likelier `label` is than the likeliest other one, as the logarithm of their ratio; 0 of a label
    /// that it does not tell, or of the only one.
    pub(crate) fn log_odds(&self, features: &[f32], label: &str) -> f32 {
        let logits = self.logits(features);
        let labelled = || self.labels.iter().zip(&logits);
        let own = labelled().find(|(known, _)| *known == label);
        let others = labelled().filter(|(known, _)| *known != label);
        let other = others.map(|(_, logit)| *logit).max_by(f32::total_cmp);
        own.zip(other).map_or(0.0, |((_, own), other)| own - other)
    }

    pub(crate) fn logits(&self, features: &[f32]) -> Vec<f32> {
        self.weights
            .chunks_exact(self.width)
            .zip(&self.bias)
            .map(|(row, bias)| dot(row, features) + bias)
            .collect()
    }
}

/// Inner product over the common length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Softmax of `logits / temperature`; shifted by the maximum, so it cannot overflow.
pub(crate) fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits
        .iter()
        .map(|logit| ((logit - highest) / temperature).exp())
        .collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.iter().map(|value| value / sum).collect()
}

/// The logistic function of each of `logits / temperature`.
pub(crate) fn sigmoids(logits: &[f32], temperature: f32) -> Vec<f32> {
    let sigmoid = |logit: &f32| 1.0 / (1.0 + (-logit / temperature).exp());
    logits.iter().map(sigmoid).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_label_with_the_highest_logit_comes_first() {
        let head = Head {
            labels: vec!["a".into(), "b".into()],
            weights: vec![1.0, 0.0, 0.0, 2.0],
            bias: vec![0.0, 0.5],
            width: 2,
            temperature: 1.0,
            kind: Kind::OneOf,
        };
        assert_eq!(head.rank(&[1.0, 0.0]).top(), "a");
        assert_eq!(head.log_odds(&[1.0, 0.0], "a"), 0.5);
        assert_eq!(head.log_odds(&[1.0, 0.0], "unknown"), 0.0);
        assert_eq!(head.rank(&[1.0, 1.0]).top(), "b");
    }

    #[test]
    fn labels_that_do_not_exclude_each_other_are_chosen_each_by_its_threshold() {
        let mut head = Head {
            labels: vec!["a".into(), "b".into(), "c".into()],
            weights: vec![1.0, 2.0, -3.0],
            bias: vec![0.0; 3],
            width: 1,
            temperature: 1.0,
            kind: Kind::AnyOf {
                thresholds: vec![0.5, 0.9, 0.04],
            },
        };
        let chosen = |head: &Head| -> Vec<String> {
            let ranking = head.rank(&[1.0]);
            let chosen = head.chosen(&ranking);
            chosen.iter().map(|scored| scored.label.clone()).collect()
        };
        // Their probabilities are 0.73, 0.88 and 0.047.
        assert_eq!(chosen(&head), ["a", "c"]);
        head.kind = Kind::OneOf;
        assert_eq!(chosen(&head), ["b"]);
    }

    #[test]
    fn a_mean_of_two_rankings_has_both_in_it() {
        let ranking = |a: f32| {
            let scored = |label: &str, probability| Scored {
                label: label.into(),
                probability,
            };
            Ranking::new(vec![scored("a", a), scored("b", 1.0 - a)])
        };
        let mean = ranking(0.9).averaged(&ranking(0.0));
        assert_eq!(mean.top(), "b");
        assert!((mean.probability("a") - 0.45).abs() < 1e-6);
    }

    #[test]
    fn a_mixed_head_gives_the_mean_of_both_logits() {
        let own = Head {
            labels: vec!["a".into(), "b".into()],
            weights: vec![1.0, 0.0, 0.0, 2.0],
            bias: vec![0.0, 0.5],
            width: 2,
            temperature: 1.0,
            kind: Kind::OneOf,
        };
        let branch = retrieval::Linear {
            weights: vec![4.0, -2.0],
            bias: vec![1.0, 0.0],
        };
        let mixed = own.mixed_with(&branch, 0.25);
        let frozen = own.logits(&[1.0, 1.0]);
        let logits = mixed.logits(&[1.0, 1.0, 0.5]);
        assert_eq!(logits[0], 0.75 * frozen[0] + 0.25 * (4.0 * 0.5 + 1.0));
        assert_eq!(logits[1], 0.75 * frozen[1] + 0.25 * (-2.0 * 0.5));
    }

    proptest! {
        #[test]
        fn softmax_is_a_distribution(logits in prop::collection::vec(-1e4_f32..1e4, 1..40), t in 0.05_f32..10.0) {
            let probabilities = softmax(&logits, t);
            prop_assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        }

        #[test]
        fn a_higher_temperature_never_sharpens(logits in prop::collection::vec(-20.0_f32..20.0, 2..10)) {
            let peak = |t| softmax(&logits, t).into_iter().fold(0.0, f32::max);
            prop_assert!(peak(2.0) <= peak(1.0) + 1e-6);
        }
    }
}
