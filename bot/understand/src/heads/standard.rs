//! What states are standardised by.

use safetensors::SafeTensors;

use super::tensors::{Tensor, floats};

const MEANS: &str = "states.means";
const DEVIATIONS: &str = "states.deviations";
/// Least deviation that is divided by.
const LEAST: f32 = 1e-6;

/// Mean and standard deviation of each number of a state: a few of them are hundreds of times larger than
/// the rest and would drown these.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Standard {
    means: Vec<f32>,
    deviations: Vec<f32>,
}

impl Standard {
    /// That of `states`, all of one length.
    pub(crate) fn over<'s>(states: impl Iterator<Item = &'s [f32]>) -> Self {
        let (mut count, mut sums, mut squares) = (0.0_f64, Vec::new(), Vec::new());
        for state in states {
            sums.resize(state.len(), 0.0_f64);
            squares.resize(state.len(), 0.0_f64);
            count += 1.0;
            for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(state) {
                *sum += f64::from(*value);
                *square += f64::from(*value) * f64::from(*value);
            }
        }
        let count = count.max(1.0);
        let deviation = |(sum, square): (&f64, &f64)| {
            let mean = sum / count;
            (square / count - mean * mean).max(0.0).sqrt() as f32
        };
        Self {
            means: sums.iter().map(|sum| (sum / count) as f32).collect(),
            deviations: sums.iter().zip(&squares).map(deviation).collect(),
        }
    }

    /// `state` in deviations from the mean, no more than `most` of them.
    pub(crate) fn of(&self, state: &[f32], most: f32) -> Vec<f32> {
        let standards = self.means.iter().zip(&self.deviations);
        let standardised = state.iter().zip(standards);
        standardised
            .map(|(value, (mean, deviation))| {
                ((value - mean) / deviation.max(LEAST)).clamp(-most, most)
            })
            .collect()
    }

    pub(super) fn tensors(&self) -> [(String, Tensor); 2] {
        let tensor = |name: &str, values| (name.to_owned(), Tensor::single(values));
        [
            tensor(MEANS, &self.means),
            tensor(DEVIATIONS, &self.deviations),
        ]
    }

    /// `None` of a file without one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn read(tensors: &SafeTensors<'_>) -> Result<Option<Self>, String> {
        if !tensors.names().contains(&MEANS) {
            return Ok(None);
        }
        let standard = Self {
            means: floats(tensors, MEANS)?,
            deviations: floats(tensors, DEVIATIONS)?,
        };
        if standard.means.len() == standard.deviations.len() {
            Ok(Some(standard))
        } else {
            Err(format!("{MEANS} and {DEVIATIONS} do not fit together"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_become_deviations_from_their_mean() {
        let states = [[1.0, 500.0], [3.0, 500.0]];
        let standard = Standard::over(states.iter().map(|state| state.as_slice()));
        assert_eq!(standard.of(&[3.0, 500.0], 6.0), [1.0, 0.0]);
        assert_eq!(standard.of(&[100.0, 500.0], 6.0), [6.0, 0.0]);
    }
}
