//! Intervals by the bootstrap: the figures of many samples drawn from the judged messages.

use std::collections::BTreeMap;

use rayon::prelude::*;

/// Samples drawn.
const SAMPLES: u64 = 1000;
/// The same messages give the same intervals.
const SEED: u64 = 20_261_122;

/// Percentile intervals of 95 % (Efron, 1979) of what `figures` makes of `judged`, by name.
pub(super) fn intervals<J: Clone + Sync>(
    judged: &[J],
    figures: impl Fn(&[J]) -> Vec<(&'static str, f64)> + Sync,
) -> BTreeMap<&'static str, [f64; 2]> {
    if judged.is_empty() {
        return BTreeMap::new();
    }
    let of_sample = |number: u64| {
        let mut random = fastrand::Rng::with_seed(SEED + number);
        let sample: Vec<J> = (0..judged.len())
            .map(|_| judged[random.usize(..judged.len())].clone())
            .collect();
        figures(&sample)
    };
    let samples: Vec<_> = (0..SAMPLES).into_par_iter().map(of_sample).collect();
    let mut drawn: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (name, figure) in samples.into_iter().flatten() {
        drawn.entry(name).or_default().push(figure);
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

    fn half_right(messages: usize) -> Vec<bool> {
        (0..messages).map(|at| at % 2 == 0).collect()
    }

    fn share(sample: &[bool]) -> Vec<(&'static str, f64)> {
        let right = sample.iter().filter(|right| **right).count();
        vec![("accuracy", right as f64 / sample.len() as f64)]
    }

    #[test]
    fn an_interval_holds_the_figure_and_narrows_with_more_messages() {
        let width = |messages| {
            let [low, high] = intervals(&half_right(messages), share)["accuracy"];
            assert!(low < 0.5 && 0.5 < high, "{low} to {high}");
            high - low
        };
        assert!(width(400) < width(40) / 2.0);
        assert_eq!(intervals(&[], share), BTreeMap::new());
    }

    #[test]
    fn equal_messages_give_equal_intervals() {
        let once = || intervals(&half_right(50), share);
        assert_eq!(once(), once());
    }
}
