//! Layers tuned for a training's heads.

use std::collections::{BTreeMap, HashMap};

use retrieval::{Branch, Embedding, Encoder, Layer, Linear, Reading};

use super::{LabelledSet, ReadExamples, TrainError};
use crate::examples::Part;
use crate::head::dot;
use crate::tune::{Lesson, Size, TuneOptions, Tuning};

/// Layers tuned twice: on what is trained on, to be judged by the rest, and on everything.
pub(super) struct Tuned {
    /// Heads of the first.
    trials: Vec<Linear>,
    /// Mean states behind the first's layers of what is held out, by example.
    held_out: HashMap<usize, Embedding>,
    /// Heads of the second.
    lasts: Vec<Linear>,
    /// Layers of the second.
    pub(super) layers: Vec<Layer>,
}

/// One head's part of it.
pub(super) struct TunedHead<'a> {
    trial: &'a Linear,
    pub(super) held_out: &'a HashMap<usize, Embedding>,
    pub(super) last: &'a Linear,
}

impl Tuned {
    pub(super) fn on(
        encoder: &Encoder,
        read: &ReadExamples,
        sets: &[LabelledSet],
        options: TuneOptions,
        progress: &mut impl FnMut(f32, &str),
    ) -> Result<Self, TrainError> {
        let base = encoder.upper_layers()?;
        let (attention_heads, epsilon) = encoder.layer_settings()?;
        let tuning = Tuning {
            size: Size {
                width: encoder.dimension(),
                attention_heads,
                epsilon: f64::from(epsilon),
            },
            layers: &base,
            labels: sets.iter().map(|set| set.labels.len()).collect(),
            options,
        };
        let examples = labelled_examples(sets);
        let lessons = |chosen: fn(Part) -> bool| -> Vec<Lesson<'_>> {
            let chosen = examples.iter().filter(|(_, known)| chosen(known.part));
            let lesson = |(at, known): (&usize, &Known)| {
                Some(Lesson {
                    states: &read.readings.get(*at)?.lower,
                    labels: known.labels.clone(),
                })
            };
            chosen.filter_map(lesson).collect()
        };
        let most = options.epochs as f32;
        let checks = lessons(|part| part == Part::Temperature);
        let train = lessons(|part| part == Part::Train);
        let trial = tuning.run(&train, &checks, options.epochs, |passes, what| {
            progress(passes / most / 2.0, what);
        })?;
        let last = tuning.run(&lessons(|_| true), &[], trial.epochs, |passes, what| {
            progress(0.5 + passes / most / 2.0, what);
        })?;

        let held_out = examples
            .iter()
            .filter(|(_, known)| known.part != Part::Train);
        let held_out: Vec<usize> = held_out.map(|(at, _)| *at).collect();
        let readings = held_out.iter().filter_map(|at| read.readings.get(*at));
        let readings: Vec<Reading> = readings.cloned().collect();
        let states = Branch::new(encoder, &trial.layers)?.embed(&readings)?;
        Ok(Self {
            trials: trial.heads,
            held_out: held_out.into_iter().zip(states).collect(),
            lasts: last.heads,
            layers: last.layers,
        })
    }

    pub(super) fn head(&self, at: usize) -> Option<TunedHead<'_>> {
        Some(TunedHead {
            trial: self.trials.get(at)?,
            held_out: &self.held_out,
            last: self.lasts.get(at)?,
        })
    }
}

impl TunedHead<'_> {
    /// What the first head makes of a mean state.
    pub(super) fn trial_logits(&self, state: &Embedding) -> Vec<f32> {
        let state = state.as_slice();
        let rows = self.trial.weights.chunks_exact(state.len());
        rows.zip(&self.trial.bias)
            .map(|(row, bias)| dot(row, state) + bias)
            .collect()
    }
}

/// What is known of an example in any of the sets.
struct Known {
    /// Index of its label by set.
    labels: Vec<Option<usize>>,
    part: Part,
}

/// The examples with a label in any of `sets`, by their index.
fn labelled_examples(sets: &[LabelledSet]) -> BTreeMap<usize, Known> {
    let mut examples = BTreeMap::new();
    for (at, set) in sets.iter().enumerate() {
        for row in &set.rows {
            let known = examples.entry(row.example).or_insert_with(|| Known {
                labels: vec![None; sets.len()],
                part: row.part,
            });
            if let Some(label) = known.labels.get_mut(at) {
                *label = Some(row.label);
            }
        }
    }
    examples
}
