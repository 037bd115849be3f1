//! Intervals by the bootstrap: the figures of many samples drawn from the judged messages.

use std::collections::BTreeMap;

use super::figures::{Figures, Judgement};

/// Samples drawn.
const SAMPLES: usize = 1000;
/// The same messages give the same intervals.
const SEED: u64 = 20_261_122;

/// Percentile intervals of 95 % (Efron, 1979) of every figure, by its name.
pub(super) fn intervals(judged: &[Judgement]) -> BTreeMap<&'static str, [f64; 2]> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut drawn: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    if judged.is_empty() {
        return BTreeMap::new();
    }
    for _ in 0..SAMPLES {
        let sample: Vec<Judgement> = (0..judged.len())
            .map(|_| judged[random.usize(..judged.len())].clone())
            .collect();
        for (name, figure) in Figures::of(&sample).named() {
            drawn.entry(name).or_default().push(figure);
        }
    }
    drawn
        .into_iter()
        .map(|(name, mut figures)| {
            figures.sort_by(f64::total_cmp);
            let at = |share: f64| figures[((figures.len() - 1) as f64 * share).round() as usize];
            (name, [at(0.025), at(0.975)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half_right(messages: usize) -> Vec<Judgement> {
        (0..messages)
            .map(|at| Judgement {
                right: at % 2,
                probabilities: vec![1.0, 0.0],
            })
            .collect()
    }

    #[test]
    fn an_interval_holds_the_figure_and_narrows_with_more_messages() {
        let width = |messages| {
            let [low, high] = intervals(&half_right(messages))["accuracy"];
            assert!(low < 0.5 && 0.5 < high, "{low} to {high}");
            high - low
        };
        assert!(width(400) < width(40) / 2.0);
        assert_eq!(intervals(&[]), BTreeMap::new());
    }

    #[test]
    fn equal_messages_give_equal_intervals() {
        assert_eq!(intervals(&half_right(50)), intervals(&half_right(50)));
    }
}
