//! How much of a head's word is the tuned layers', and how sure it may be.

use crate::examples::Part;
use crate::head::softmax;

/// A message that was held out.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) frozen: Vec<f32>,
    /// Empty where nothing was tuned.
    pub(super) tuned: Vec<f32>,
    pub(super) label: usize,
    pub(super) part: Part,
}

impl Judged {
    /// Logits of which the tuned layers have `share`.
    pub(super) fn mixed(&self, share: f32) -> Vec<f32> {
        if self.tuned.is_empty() {
            return self.frozen.clone();
        }
        let both = self.frozen.iter().zip(&self.tuned);
        both.map(|(frozen, tuned)| (1.0 - share) * frozen + share * tuned)
            .collect()
    }
}

/// Shares of the tuned layers that are tried: tenths.
const SHARES: usize = 10;

/// The share of the tuned layers, in `[0, 1]`, and the temperature with which `rows` are likeliest;
/// a share of 0 where nothing was tuned.
pub(super) fn best_mixture(rows: &[&Judged]) -> (f32, f32) {
    let is_tuned = rows.iter().any(|row| !row.tuned.is_empty());
    let most = if is_tuned { SHARES } else { 0 };
    let tried = (0..=most).map(|tenths| {
        let share = tenths as f32 / SHARES as f32;
        let mixed: Vec<(Vec<f32>, usize)> = rows
            .iter()
            .map(|row| (row.mixed(share), row.label))
            .collect();
        let (temperature, loss) = best_temperature(&mixed);
        (share, temperature, loss)
    });
    tried
        .min_by(|a, b| a.2.total_cmp(&b.2))
        .map_or((0.0, 1.0), |(share, temperature, _)| (share, temperature))
}

/// The temperature with the least negative log-likelihood, and that, by a scan on a logarithmic
/// scale; 1 where there is nothing to set it by.
fn best_temperature(rows: &[(Vec<f32>, usize)]) -> (f32, f32) {
    let loss = |temperature: f32| -> f32 {
        rows.iter()
            .map(|(logits, label)| {
                let probability = softmax(logits, temperature).get(*label).copied();
                -probability.unwrap_or(0.0).max(1e-9).ln()
            })
            .sum()
    };
    (0..=60)
        .map(|step| 0.2 * 1.05_f32.powi(step))
        .map(|temperature| (temperature, loss(temperature)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|_| !rows.is_empty())
        .unwrap_or((1.0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overconfident_logits_are_cooled() {
        // Always certain, right three times in four.
        let rows: Vec<(Vec<f32>, usize)> = (0..100)
            .map(|n| (vec![10.0, 0.0], usize::from(n % 4 == 0)))
            .collect();
        assert!(best_temperature(&rows).0 > 2.0);
    }

    fn judged(frozen: [f32; 2], tuned: [f32; 2]) -> Judged {
        Judged {
            frozen: frozen.to_vec(),
            tuned: tuned.to_vec(),
            label: 0,
            part: Part::Temperature,
        }
    }

    #[test]
    fn what_is_right_more_often_gets_the_greater_share() {
        let mut rows = vec![judged([2.0, 0.0], [2.0, 0.0]); 6];
        rows.extend(vec![judged([0.0, 2.0], [2.0, 0.0]); 3]);
        rows.push(judged([2.0, 0.0], [0.0, 2.0]));
        let rows: Vec<&Judged> = rows.iter().collect();
        let (share, _) = best_mixture(&rows);
        assert!((0.5..1.0).contains(&share), "{share}");
    }

    #[test]
    fn where_nothing_was_tuned_nothing_is_mixed_in() {
        let row = Judged {
            tuned: Vec::new(),
            ..judged([1.0, 0.0], [0.0, 0.0])
        };
        assert!(best_mixture(&[&row]).0 < f32::EPSILON);
        assert_eq!(row.mixed(0.0), [1.0, 0.0]);
    }
}
