//! Tuning the encoder's last layers on labelled messages.
//!
//! The layers above [`retrieval::BRANCHES_AT`] are trained on from the states below them, which
//! never change and are computed once: minutes on two cores. All heads are trained together, by the
//! cross-entropy of smoothed labels, with AdamW (Loshchilov and Hutter, 2019), a rate that falls by
//! a cosine, and dropout. Everything random comes from one seed.

mod network;

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rayon::prelude::*;
use retrieval::{Layer, Linear};

use network::{Batch, Dropout, Network};

pub(crate) use network::Size;

/// Tokens of a message that are learnt from.
const MOST_TOKENS: usize = 96;
/// Batches that are cut from messages sorted by length, so that little of them is padding.
const POOL: usize = 16;
/// Parts of a batch whose gradients are computed side by side. A number of its own, not the
/// machine's: what is random must not depend on that.
const PARTS: usize = 4;
/// Share of the steps on which the rates rise.
const WARM_UP: f64 = 0.1;
/// Share of the rates that is left in the end.
const LEAST_RATE: f64 = 0.02;
/// Length to which a layer's gradient is shortened.
const LONGEST_GRADIENT: f64 = 1.0;

/// How to tune.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuneOptions {
    /// Passes over the examples, at most.
    pub epochs: usize,
    /// Passes without gain on the held-out messages after which it stops.
    pub patience: usize,
    /// Highest rate of the layers.
    pub rate: f64,
    /// Highest rate of the heads, which begin from nothing.
    pub head_rate: f64,
    /// Messages a step.
    pub batch: usize,
    /// Share of numbers forgotten between layers.
    pub dropout: f32,
    /// Share of a label's weight that is spread over all labels.
    pub smoothing: f32,
    /// Where everything random comes from.
    pub seed: u64,
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self {
            epochs: 8,
            patience: 3,
            rate: 4e-4,
            head_rate: 2e-3,
            batch: 32,
            dropout: 0.1,
            smoothing: 0.1,
            seed: 0,
        }
    }
}

/// A message to learn from.
pub(crate) struct Lesson<'a> {
    /// States behind the layer below, `tokens x width`.
    pub(crate) states: &'a [f32],
    /// Index of its label in each head; `None` where it has none.
    pub(crate) labels: Vec<Option<usize>>,
}

/// What is tuned, and how.
pub(crate) struct Tuning<'a> {
    pub(crate) size: Size,
    /// The layers to begin as.
    pub(crate) layers: &'a [Layer],
    /// Number of labels of each head.
    pub(crate) labels: Vec<usize>,
    pub(crate) options: TuneOptions,
}

/// What came of it.
pub(crate) struct Tuned {
    pub(crate) layers: Vec<Layer>,
    /// For mean states of length 1.
    pub(crate) heads: Vec<Linear>,
    /// Passes it took.
    pub(crate) epochs: usize,
    /// Share of labels missed of what it was checked by; 0 without.
    pub(crate) error: f32,
}

impl Tuning<'_> {
    /// Tunes on `lessons` in at most `epochs` passes. With `checks`, the state is kept that does best
    /// on them; without, the last one. `progress` hears the passes done, and how it goes.
    ///
    /// # Errors
    /// Candle's.
    pub(crate) fn run(
        &self,
        lessons: &[Lesson<'_>],
        checks: &[Lesson<'_>],
        epochs: usize,
        mut progress: impl FnMut(f32, &str),
    ) -> Result<Tuned> {
        let mut random = fastrand::Rng::with_seed(self.options.seed);
        let network = Network::new(self.size, self.layers, &self.labels, &mut random)?;
        let mut descent = Descent::new(&network, self.options, epochs * self.steps(lessons))?;
        let mut best: Option<Tuned> = None;
        for epoch in 1..=epochs {
            let batches = self.batches(lessons, &mut random);
            for (at, batch) in batches.iter().enumerate() {
                descent.step(self.gradients(&network, batch, random.u64(..))?)?;
                let done = (epoch - 1) as f32 + (at + 1) as f32 / batches.len() as f32;
                progress(done, &format!("tuning, pass {epoch}"));
            }
            let error = self.error(&network, checks)?;
            tracing::info!(epoch, error, "tuned");
            // Of equals, the one whose rates have fallen further.
            let is_better = |best: &Tuned| error <= best.error;
            match &best {
                Some(best) if !is_better(best) => {
                    if epoch - best.epochs >= self.options.patience {
                        break;
                    }
                }
                _ => {
                    best = Some(Tuned {
                        layers: network.layers()?,
                        heads: network.heads()?,
                        epochs: epoch,
                        error,
                    });
                }
            }
        }
        best.ok_or_else(|| candle_core::Error::msg("there were no passes"))
    }

    /// Steps of a pass.
    fn steps(&self, lessons: &[Lesson<'_>]) -> usize {
        lessons.len().div_ceil(self.options.batch.max(1))
    }

    /// The gradients of a batch's loss.
    fn gradients(
        &self,
        network: &Network,
        lessons: &[&Lesson<'_>],
        seed: u64,
    ) -> Result<Vec<GradStore>> {
        let parts: Vec<_> = lessons.chunks(lessons.len().div_ceil(PARTS)).collect();
        let part = |(at, part): (usize, &&[&Lesson<'_>])| {
            let mut dropout = Dropout {
                random: fastrand::Rng::with_seed(seed.wrapping_add(at as u64)),
                rate: self.options.dropout,
            };
            let batch = self.batch(part, self.options.smoothing)?;
            let share = part.len() as f64 / lessons.len() as f64;
            (network.loss(&batch, Some(&mut dropout))? * share)?.backward()
        };
        parts.par_iter().enumerate().map(part).collect()
    }

    /// The lessons in batches of like length, in random order.
    fn batches<'l>(
        &self,
        lessons: &'l [Lesson<'l>],
        random: &mut fastrand::Rng,
    ) -> Vec<Vec<&'l Lesson<'l>>> {
        let mut order: Vec<&Lesson<'_>> = lessons.iter().collect();
        random.shuffle(&mut order);
        let mut batches: Vec<Vec<&Lesson<'_>>> = Vec::new();
        for pool in order.chunks_mut(self.options.batch * POOL) {
            pool.sort_by_key(|lesson| lesson.states.len());
            batches.extend(pool.chunks(self.options.batch).map(<[_]>::to_vec));
        }
        random.shuffle(&mut batches);
        batches
    }

    fn batch(&self, lessons: &[&Lesson<'_>], smoothing: f32) -> Result<Batch> {
        let width = self.size.width;
        let cut = |lesson: &Lesson<'_>| (lesson.states.len() / width).min(MOST_TOKENS);
        let longest = lessons.iter().map(|lesson| cut(lesson)).max().unwrap_or(0);
        let count = lessons.len();
        let mut states = Vec::with_capacity(count * longest * width);
        let mut mask = Vec::with_capacity(count * longest);
        for (row, lesson) in lessons.iter().enumerate() {
            let tokens = cut(lesson);
            states.extend_from_slice(lesson.states.get(..tokens * width).unwrap_or_default());
            states.resize((row + 1) * longest * width, 0.0);
            mask.extend((0..longest).map(|token| if token < tokens { 1.0_f32 } else { 0.0 }));
        }
        let mut answers = Vec::with_capacity(self.labels.len());
        let mut right = Vec::with_capacity(self.labels.len());
        for (head, labels) in self.labels.iter().enumerate() {
            let label = |lesson: &&Lesson<'_>| lesson.labels.get(head).copied().flatten();
            let known: Vec<Option<usize>> = lessons.iter().map(label).collect();
            let mut rows = Vec::with_capacity(count * labels);
            for known in &known {
                let spread = known.map_or(0.0, |_| smoothing / *labels as f32);
                rows.extend((0..*labels).map(|label| {
                    let is_right = *known == Some(label);
                    spread + if is_right { 1.0 - smoothing } else { 0.0 }
                }));
            }
            right.push(known);
            answers.push(Tensor::from_vec(rows, (count, *labels), &Device::Cpu)?);
        }
        Ok(Batch {
            states: Tensor::from_vec(states, (count, longest, width), &Device::Cpu)?,
            mask: Tensor::from_vec(mask, (count, longest, 1), &Device::Cpu)?,
            answers,
            labels: right,
        })
    }

    /// Share of the labels of `checks` that are not the likeliest ones; 0 without any.
    fn error(&self, network: &Network, checks: &[Lesson<'_>]) -> Result<f32> {
        let mut order: Vec<&Lesson<'_>> = checks.iter().collect();
        order.sort_by_key(|lesson| lesson.states.len());
        let mistakes: Vec<usize> = order
            .par_chunks(self.options.batch)
            .map(|lessons| network.mistakes(&self.batch(lessons, 0.0)?))
            .collect::<Result<_>>()?;
        let labels = checks.iter().flat_map(|lesson| &lesson.labels).flatten();
        Ok(mistakes.iter().sum::<usize>() as f32 / labels.count().max(1) as f32)
    }
}

/// Optimisers whose rates rise and fall together.
struct Descent {
    /// One for each layer, so that they step side by side, and one for the heads.
    groups: Vec<Group>,
    step: usize,
    steps: usize,
}

struct Group {
    variables: Vec<Var>,
    optimiser: AdamW,
    /// Highest rate.
    rate: f64,
}

impl Descent {
    fn new(network: &Network, options: TuneOptions, steps: usize) -> Result<Self> {
        let group = |variables: Vec<Var>, rate: f64| {
            Ok(Group {
                optimiser: AdamW::new(variables.clone(), ParamsAdamW::default())?,
                variables,
                rate,
            })
        };
        let (layers, heads) = network.variables();
        let layers = layers.into_iter().map(|layer| group(layer, options.rate));
        let heads = std::iter::once(heads).map(|heads| group(heads, options.head_rate));
        Ok(Self {
            groups: layers.chain(heads).collect::<Result<_>>()?,
            step: 0,
            steps,
        })
    }

    /// One step down the sum of `gradients`.
    fn step(&mut self, mut gradients: Vec<GradStore>) -> Result<()> {
        let sums: Vec<Vec<Tensor>> = self
            .groups
            .par_iter()
            .map(|group| group.gradient(&gradients))
            .collect::<Result<_>>()?;
        let Some(whole) = gradients.first_mut() else {
            return Ok(());
        };
        for (group, sums) in self.groups.iter().zip(sums) {
            for (variable, sum) in group.variables.iter().zip(sums) {
                whole.insert(variable, sum);
            }
        }
        let share = share_of_rate(self.step, self.steps);
        self.step += 1;
        self.groups.par_iter_mut().try_for_each(|group| {
            group.optimiser.set_learning_rate(group.rate * share);
            group.optimiser.step(whole)
        })
    }
}

impl Group {
    /// The sum of its part of `gradients`, shortened to [`LONGEST_GRADIENT`].
    fn gradient(&self, gradients: &[GradStore]) -> Result<Vec<Tensor>> {
        let mut sums = Vec::with_capacity(self.variables.len());
        let mut squares = 0.0;
        for variable in &self.variables {
            let mut sum = variable.zeros_like()?;
            for gradient in gradients.iter().filter_map(|all| all.get(variable)) {
                sum = (sum + gradient)?;
            }
            squares += f64::from(sum.sqr()?.sum_all()?.to_scalar::<f32>()?);
            sums.push(sum);
        }
        let length = squares.sqrt();
        if length <= LONGEST_GRADIENT {
            return Ok(sums);
        }
        let shorten = |sum: Tensor| sum * (LONGEST_GRADIENT / length);
        sums.into_iter().map(shorten).collect()
    }
}

/// Rises from nothing, then falls by a cosine.
fn share_of_rate(step: usize, steps: usize) -> f64 {
    let warm = (steps as f64 * WARM_UP).max(1.0);
    let step = step as f64;
    if step < warm {
        return step / warm;
    }
    let passed = ((step - warm) / (steps as f64 - warm).max(1.0)).min(1.0);
    let cosine = (1.0 + (std::f64::consts::PI * passed).cos()) / 2.0;
    LEAST_RATE + (1.0 - LEAST_RATE) * cosine
}

#[cfg(test)]
mod tests {
    use retrieval::Norm;

    use super::*;

    const WIDTH: usize = 8;

    /// A layer that begins at random.
    fn layer(random: &mut fastrand::Rng) -> Layer {
        let mut linear = |part: &str| {
            let (inputs, outputs) = match part {
                "inner" => (WIDTH, 2 * WIDTH),
                "outer" => (2 * WIDTH, WIDTH),
                _ => (WIDTH, WIDTH),
            };
            Ok::<_, ()>(Linear {
                weights: (0..inputs * outputs).map(|_| random.f32() - 0.5).collect(),
                bias: vec![0.0; outputs],
            })
        };
        let norm = |_: &str| {
            Ok(Norm {
                scale: vec![1.0; WIDTH],
                shift: vec![0.0; WIDTH],
            })
        };
        Layer::of(&mut linear, norm).unwrap()
    }

    /// Messages whose label is whether their first token is like their last one, which no mean tells.
    fn messages(random: &mut fastrand::Rng) -> Vec<(Vec<f32>, usize)> {
        let message = |_| {
            let (first, last) = (random.bool(), random.bool());
            let mut states: Vec<f32> = Vec::new();
            for token in [Some(first), None, Some(last)] {
                let sign = token.map_or(0.0, |on| if on { 1.0 } else { -1.0 });
                let place = if states.is_empty() { 0 } else { 1 };
                let mut state: Vec<f32> = (0..WIDTH).map(|_| 0.1 * random.f32()).collect();
                state[place] = sign;
                states.extend(state);
            }
            (states, usize::from(first == last))
        };
        (0..160).map(message).collect()
    }

    fn lessons(messages: &[(Vec<f32>, usize)]) -> Vec<Lesson<'_>> {
        let lessons = messages.iter().map(|(states, label)| Lesson {
            states,
            labels: vec![Some(*label), None],
        });
        lessons.collect()
    }

    fn tuned(seed: u64, epochs: usize) -> Tuned {
        let mut random = fastrand::Rng::with_seed(7);
        let layers = [layer(&mut random)];
        let (train, checks) = (messages(&mut random), messages(&mut random));
        let tuning = Tuning {
            size: Size {
                width: WIDTH,
                attention_heads: 2,
                epsilon: 1e-12,
            },
            layers: &layers,
            labels: vec![2, 3],
            options: TuneOptions {
                epochs,
                patience: epochs,
                rate: 2e-2,
                head_rate: 2e-2,
                batch: 16,
                seed,
                ..TuneOptions::default()
            },
        };
        let (train, checks) = (lessons(&train), lessons(&checks));
        tuning.run(&train, &checks, epochs, |_, _| ()).unwrap()
    }

    #[test]
    fn layers_learn_what_no_mean_of_the_states_tells() {
        let tuned = tuned(1, 30);
        assert!(tuned.error < 0.1, "{} are wrong", tuned.error);
    }

    #[test]
    fn equal_seeds_give_equal_numbers() {
        let (one, again, other) = (tuned(1, 1), tuned(1, 1), tuned(2, 1));
        assert_eq!(one.layers, again.layers);
        assert_eq!(one.heads, again.heads);
        assert_ne!(one.layers, other.layers);
    }

    #[test]
    fn rates_rise_and_then_fall() {
        let rates: Vec<f64> = (0..=100).map(|step| share_of_rate(step, 100)).collect();
        assert!(rates[..=10].is_sorted());
        assert!(rates[10..].is_sorted_by(|a, b| a >= b));
        assert!((rates[10] - 1.0).abs() < 1e-9);
        assert!((rates[100] - LEAST_RATE).abs() < 1e-9);
    }
}
