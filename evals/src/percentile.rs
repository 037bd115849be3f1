//! Medians and tail percentiles by nearest rank: every figure is a value that was measured.

use serde::Serialize;

/// How a set of measurements is spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many measurements.
    pub count: usize,
    /// Half of them are at most this.
    pub p50: f64,
    /// 95 of 100 are at most this.
    pub p95: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; `None` of no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            count: values.len(),
            p50: nearest_rank(&values, 50)?,
            p95: nearest_rank(&values, 95)?,
            max: *values.last()?,
        })
    }
}

/// The smallest of the sorted values that `percent` of 100 do not exceed; `percent` is 1 to 100.
fn nearest_rank(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let spread = Spread::of((1..=100).rev().map(f64::from)).unwrap();
        assert_eq!(
            spread,
            Spread {
                count: 100,
                p50: 50.0,
                p95: 95.0,
                max: 100.0
            }
        );
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(
            spread,
            Spread {
                count: 3,
                p50: 2.0,
                p95: 3.0,
                max: 3.0
            }
        );
        assert_eq!(Spread::of([7.0]).unwrap().p50, 7.0);
        assert_eq!(Spread::of([]), None);
    }

    proptest! {
        #[test]
        fn at_least_the_named_share_is_at_most_the_percentile(
            values in prop::collection::vec(-1e9..1e9, 1..200),
        ) {
            let spread = Spread::of(values.iter().copied()).unwrap();
            for (percent, value) in [(50, spread.p50), (95, spread.p95)] {
                let below = values.iter().filter(|other| **other <= value).count();
                let less = values.iter().filter(|other| **other < value).count();
                prop_assert!(below * 100 >= values.len() * percent);
                prop_assert!(less * 100 < values.len() * percent);
            }
            prop_assert!(spread.p50 <= spread.p95 && spread.p95 <= spread.max);
        }
    }
}
