//! Calibration curves of predicted probabilities, and what a threshold on them would cost.

use serde::Serialize;

/// Bins of equal width that probabilities are gathered in.
const BINS: usize = 10;
/// Thresholds looked at.
const THRESHOLDS: usize = 50;

/// Messages whose label was given with about the same probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Messages.
    pub messages: usize,
    /// Their mean probability, in `[0, 1]`.
    pub confidence: f64,
    /// The share of them that is right.
    pub accuracy: f64,
}

/// The bins that have messages, from the least sure: `judged` is a probability and whether the label
/// is right.
pub fn reliability(judged: &[(f64, bool)]) -> Vec<Bin> {
    let mut bins = [(0_usize, 0.0, 0_usize); BINS];
    for (confidence, right) in judged {
        let at = ((confidence * BINS as f64) as usize).min(BINS - 1);
        if let Some((messages, sum, rights)) = bins.get_mut(at) {
            *messages += 1;
            *sum += confidence;
            *rights += usize::from(*right);
        }
    }
    let filled = bins.into_iter().filter(|(messages, ..)| *messages > 0);
    filled
        .map(|(messages, sum, rights)| Bin {
            messages,
            confidence: sum / messages as f64,
            accuracy: rights as f64 / messages as f64,
        })
        .collect()
}

/// A point of a coverage curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Covered {
    /// What a score must reach for an answer.
    pub threshold: f64,
    /// Share of all that is answered then.
    pub answered: f64,
    /// Share of all that is answered wrongly then.
    pub wrong: f64,
}

/// What is answered as the threshold rises over the scores that occur: `judged` is a score and
/// whether the answer is right. Empty of nothing.
pub fn coverage(judged: &[(f64, bool)]) -> Vec<Covered> {
    let mut sorted = judged.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = sorted.len();
    let point = |threshold: f64| {
        let from = sorted.partition_point(|(score, _)| *score < threshold);
        let answered = sorted.get(from..).unwrap_or_default();
        let wrong = answered.iter().filter(|(_, right)| !right).count();
        Covered {
            threshold,
            answered: answered.len() as f64 / all as f64,
            wrong: wrong as f64 / all as f64,
        }
    };
    let mut thresholds: Vec<f64> = (0..THRESHOLDS)
        .filter_map(|step| Some(sorted.get(step * all / THRESHOLDS)?.0))
        .collect();
    thresholds.dedup();
    thresholds.into_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bins_hold_what_was_given_with_like_probability() {
        let bins = reliability(&[(0.91, true), (0.95, false), (0.55, true), (1.0, true)]);
        assert_eq!(bins.len(), 2);
        assert_eq!((bins[0].messages, bins[0].accuracy), (1, 1.0));
        assert_eq!(bins[1].messages, 3);
        assert!((bins[1].accuracy - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_higher_threshold_leaves_out_what_is_wrong() {
        let points = coverage(&[(0.2, false), (0.4, true), (0.6, false), (0.8, true)]);
        assert_eq!((points[0].answered, points[0].wrong), (1.0, 0.5));
        let last = points.last().unwrap();
        assert_eq!((last.answered, last.wrong), (0.25, 0.0));
        assert!(coverage(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn coverage_falls_as_the_threshold_rises(
            judged in prop::collection::vec((0.0..1.0_f64, any::<bool>()), 1..80),
        ) {
            let points = coverage(&judged);
            prop_assert!(points.is_sorted_by(|a, b| a.answered >= b.answered && a.wrong >= b.wrong));
            prop_assert!(points.iter().all(|point| point.wrong <= point.answered));
        }
    }
}
