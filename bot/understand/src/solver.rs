//! Fitting a logistic regression on sparse rows, multinomial or one for each label: L-BFGS with an L2
//! penalty.
//!
//! Most of a feature vector is n-gram buckets that a short message does not touch, so that walking
//! only what is there is five times as fast as a dense product. Chunks of fixed size are summed in
//! order: the same examples give the same weights, whatever the number of threads.

use std::cell::RefCell;
use std::ops::Range;

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use rayon::prelude::*;

/// Rows that one thread takes at a time.
const CHUNK: usize = 256;
/// Steps that L-BFGS remembers.
const MEMORY: usize = 10;
/// Classes that are taken at a time.
const LANES: usize = 8;
/// Gain in log-likelihood a row below which a step is the last: smaller ones move no prediction.
const LEAST_GAIN: f64 = 1e-6;

/// A feature vector without its zeros.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sparse {
    at: Vec<u32>,
    values: Vec<f32>,
}

impl Sparse {
    pub(crate) fn new(dense: &[f32]) -> Self {
        let there = || (0_u32..).zip(dense).filter(|(_, value)| **value != 0.0);
        Self {
            at: there().map(|(at, _)| at).collect(),
            values: there().map(|(_, value)| *value).collect(),
        }
    }

    /// The vector with its zeros.
    pub(crate) fn to_dense(&self, width: usize) -> Vec<f32> {
        let mut dense = vec![0.0; width];
        for (at, value) in self.entries() {
            if let Some(place) = dense.get_mut(at) {
                *place = value;
            }
        }
        dense
    }

    fn entries(&self) -> impl Iterator<Item = (usize, f32)> {
        self.at
            .iter()
            .zip(&self.values)
            .map(|(at, value)| (*at as usize, *value))
    }
}

/// How the classes of a row are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Each row has exactly one class, and classes compete.
    OneOf,
    /// A row may have several classes or none; each is a question of its own.
    AnyOf,
}

/// What to fit: rows of `width` features, each with the indices of its classes.
#[derive(Clone, Debug)]
pub(crate) struct Regression<'a> {
    pub(crate) rows: Vec<(&'a Sparse, &'a [usize])>,
    pub(crate) width: usize,
    pub(crate) classes: usize,
    pub(crate) told: Told,
    /// Strength of the L2 penalty on the weights; the biases are free.
    pub(crate) penalty: f64,
    /// Features whose weights are penalised so many times more.
    pub(crate) held_back: (Range<usize>, f64),
}

/// Fitted parameters: `width + 1` rows of one number a class, the biases last. Rows are padded to
/// whole lanes, so that a processor takes eight classes at a time.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    values: Vec<f64>,
    stride: usize,
}

impl Parameters {
    /// Where nothing has been learnt.
    pub(crate) fn zero(width: usize, classes: usize) -> Self {
        let stride = classes.next_multiple_of(LANES);
        Self {
            values: vec![0.0; (width + 1) * stride],
            stride,
        }
    }

    /// Weights of a class, in the order of the features, then its bias.
    pub(crate) fn of_class(&self, class: usize) -> impl Iterator<Item = f32> {
        self.values
            .iter()
            .skip(class)
            .step_by(self.stride.max(1))
            .map(|value| *value as f32)
    }
}

impl Regression<'_> {
    /// The parameters with the least penalised negative log-likelihood, sought from `start` on for
    /// at most `iterations` steps.
    ///
    /// # Errors
    /// The solver's reason, in words.
    pub(crate) fn fit(&self, start: Parameters, iterations: u64) -> Result<Parameters, String> {
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
            .with_tolerance_cost(LEAST_GAIN * self.rows.len() as f64)
            .map_err(|error| error.to_string())?;
        let stride = start.stride;
        let objective = Objective {
            regression: self,
            stride,
            last: RefCell::default(),
        };
        let fitted = Executor::new(objective, solver)
            .configure(|state| state.param(start.values).max_iters(iterations))
            .run()
            .map_err(|error| error.to_string())?;
        let best = fitted.state().get_best_param().cloned();
        best.map(|values| Parameters { values, stride })
            .ok_or_else(|| "the solver took no step".to_owned())
    }

    fn evaluate(&self, parameters: &[f64], stride: usize) -> Evaluation {
        let weights: Vec<f32> = parameters.iter().map(|value| *value as f32).collect();
        let chunks = self.rows.par_chunks(CHUNK);
        let parts: Vec<(f64, Vec<f32>)> = chunks
            .map(|rows| self.evaluate_chunk(rows, &weights, stride))
            .collect();
        let mut cost = 0.0;
        let mut slope = vec![0.0; parameters.len()];
        for (loss, gradient) in parts {
            cost += loss;
            for (slope, part) in slope.iter_mut().zip(gradient) {
                *slope += f64::from(part);
            }
        }
        let (held_back, times) = &self.held_back;
        let weights = parameters.chunks_exact(stride).take(self.width);
        for ((feature, weights), slopes) in weights.enumerate().zip(slope.chunks_exact_mut(stride))
        {
            let times = if held_back.contains(&feature) {
                *times
            } else {
                1.0
            };
            for (slope, weight) in slopes.iter_mut().zip(weights) {
                cost += 0.5 * self.penalty * times * weight * weight;
                *slope += self.penalty * times * weight;
            }
        }
        Evaluation {
            parameters: parameters.to_vec(),
            cost,
            slope,
        }
    }

    /// Loss and gradient of the likelihood of some rows.
    fn evaluate_chunk(
        &self,
        rows: &[(&Sparse, &[usize])],
        weights: &[f32],
        stride: usize,
    ) -> (f64, Vec<f32>) {
        let bias = self.width;
        let mut gradient = vec![0.0; weights.len()];
        let mut scores = vec![0.0_f32; stride];
        let mut loss = 0.0;
        for (row, own) in rows {
            scores.fill(0.0);
            let entries = || row.entries().chain([(bias, 1.0)]);
            for (at, value) in entries() {
                let from = weights.get(at * stride..(at + 1) * stride);
                add_scaled(&mut scores, value, from.unwrap_or_default());
            }
            let classes = scores.get_mut(..self.classes).unwrap_or_default();
            loss -= match self.told {
                Told::OneOf => log_softmax(classes, own),
                Told::AnyOf => log_sigmoids(classes, own),
            };
            // The lanes beyond the last class belong to nobody.
            scores
                .iter_mut()
                .skip(self.classes)
                .for_each(|padding| *padding = 0.0);
            for class in *own {
                if let Some(right) = scores.get_mut(*class) {
                    *right -= 1.0;
                }
            }
            for (at, value) in entries() {
                let into = gradient.get_mut(at * stride..(at + 1) * stride);
                add_scaled(into.unwrap_or_default(), value, &scores);
            }
        }
        (loss, gradient)
    }
}

/// A regression as the solver asks about it: what it costs somewhere, and how steep it is there.
/// The solver asks for both in turn, and one pass over the rows gives both.
struct Objective<'a> {
    regression: &'a Regression<'a>,
    stride: usize,
    last: RefCell<Evaluation>,
}

#[derive(Clone, Debug, Default)]
struct Evaluation {
    parameters: Vec<f64>,
    cost: f64,
    slope: Vec<f64>,
}

impl Objective<'_> {
    fn at<T>(&self, parameters: &[f64], take: impl Fn(&Evaluation) -> T) -> T {
        let mut last = self.last.borrow_mut();
        if last.parameters != parameters {
            *last = self.regression.evaluate(parameters, self.stride);
        }
        take(&last)
    }
}

impl CostFunction for Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Self::Param) -> Result<f64, Error> {
        Ok(self.at(parameters, |evaluation| evaluation.cost))
    }
}

impl Gradient for Objective<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Self::Param) -> Result<Vec<f64>, Error> {
        Ok(self.at(parameters, |evaluation| evaluation.slope.clone()))
    }
}

/// `into += factor * from`, by whole lanes.
fn add_scaled(into: &mut [f32], factor: f32, from: &[f32]) {
    let (into, _) = into.as_chunks_mut::<LANES>();
    let (from, _) = from.as_chunks::<LANES>();
    for (into, from) in into.iter_mut().zip(from) {
        for (into, from) in into.iter_mut().zip(from) {
            *into += factor * from;
        }
    }
}

/// Turns scores into probabilities that sum to 1; gives the logarithm of those of `own`.
fn log_softmax(scores: &mut [f32], own: &[usize]) -> f64 {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let above: Vec<f32> = own
        .iter()
        .map(|class| scores.get(*class).copied().unwrap_or(f32::MIN) - most)
        .collect();
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
    let whole = f64::from(sum).ln();
    above.iter().map(|above| f64::from(*above) - whole).sum()
}

/// Turns each score into a probability of its own; gives the logarithm of the probability that
/// exactly `own` hold.
fn log_sigmoids(scores: &mut [f32], own: &[usize]) -> f64 {
    let mut log = 0.0;
    for (class, score) in scores.iter_mut().enumerate() {
        let margin = if own.contains(&class) {
            *score
        } else {
            -*score
        };
        // ln(1 / (1 + e^-margin)), without overflow on either side.
        log += f64::from(margin.min(0.0) - (-margin.abs()).exp().ln_1p());
        *score = 1.0 / (1.0 + (-*score).exp());
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rows = Vec<(Sparse, Vec<usize>)>;

    fn regression(rows: &Rows, told: Told) -> Regression<'_> {
        Regression {
            rows: rows.iter().map(|(row, own)| (row, &**own)).collect(),
            width: 3,
            classes: 3,
            told,
            penalty: 0.1,
            held_back: (1..2, 3.0),
        }
    }

    fn rows() -> Rows {
        (0..600)
            .map(|n| {
                let mut dense = [0.0; 3];
                dense[n % 3] = 1.0;
                dense[(n / 7) % 3] += 0.3;
                (Sparse::new(&dense), vec![n % 3])
            })
            .collect()
    }

    /// Rows that have their first two classes each by a feature of its own, and often none.
    fn tagged_rows() -> Rows {
        let row = |n: usize| {
            let own: Vec<usize> = (0..2).filter(|class| n.is_multiple_of(class + 2)).collect();
            let mut dense = [0.0, 0.0, 1.0];
            own.iter().for_each(|class| dense[*class] = 1.0);
            (Sparse::new(&dense), own)
        };
        (0..600).map(row).collect()
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_cost() {
        for (rows, told) in [(rows(), Told::OneOf), (tagged_rows(), Told::AnyOf)] {
            let regression = &regression(&rows, told);
            let start = Parameters::zero(3, 3);
            let objective = Objective {
                regression,
                stride: start.stride,
                last: RefCell::default(),
            };
            let at: Vec<f64> = (0..start.values.len())
                .map(|n| (n % 13) as f64 / 10.0 - 0.5)
                .collect();
            let slope = objective.gradient(&at).unwrap();
            for index in 0..at.len() {
                let shifted = |by: f64| {
                    let mut moved = at.clone();
                    moved[index] += by;
                    objective.cost(&moved).unwrap()
                };
                let measured = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
                assert!(
                    (measured - slope[index]).abs() < 0.05,
                    "{told:?}, {index}: {measured} {}",
                    slope[index]
                );
            }
        }
    }

    #[test]
    fn features_that_are_held_back_get_smaller_weights() {
        let rows = rows();
        let weight = |times: f64| {
            let regression = Regression {
                held_back: (1..2, times),
                ..regression(&rows, Told::OneOf)
            };
            let fitted = regression.fit(Parameters::zero(3, 3), 100).unwrap();
            fitted.of_class(1).nth(1).unwrap()
        };
        assert!(weight(1000.0) < weight(1.0) / 2.0);
    }

    #[test]
    fn classes_that_may_come_together_are_each_found() {
        let rows = tagged_rows();
        let fitted = regression(&rows, Told::AnyOf).fit(Parameters::zero(3, 3), 100);
        let fitted = fitted.unwrap();
        for class in 0..2 {
            let weights: Vec<f32> = fitted.of_class(class).collect();
            let score = |there: f32| weights[class] * there + weights[2] + weights[3];
            assert!(
                score(1.0) > 1.0 && score(0.0) < -1.0,
                "{class}: {weights:?}"
            );
        }
        // Nothing has the last class: it is unlikely whatever there is.
        assert!(fitted.of_class(2).last().unwrap() < -1.0);
    }

    #[test]
    fn classes_that_can_be_told_apart_are() {
        let rows = rows();
        let fitted = regression(&rows, Told::OneOf)
            .fit(Parameters::zero(3, 3), 100)
            .unwrap();
        for class in 0..3 {
            let weights: Vec<f32> = fitted.of_class(class).collect();
            assert_eq!(weights.len(), 4);
            let strongest = (0..3).max_by(|a, b| weights[*a].total_cmp(&weights[*b]));
            assert_eq!(strongest, Some(class));
        }
    }

    #[test]
    fn the_same_rows_give_the_same_weights() {
        let rows = rows();
        let fit = || {
            regression(&rows, Told::OneOf)
                .fit(Parameters::zero(3, 3), 100)
                .unwrap()
        };
        assert_eq!(fit().values, fit().values);
    }
}
