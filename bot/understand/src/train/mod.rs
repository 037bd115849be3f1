//! Training heads on labelled messages: seconds on a CPU for thousands of examples, minutes where the
//! encoder's last layers are tuned with them.
//!
//! A head is a multinomial logistic regression (L-BFGS, L2) over what the frozen encoder and the
//! n-grams give. Where layers are tuned, a second head over these is mixed in: the weighted sum of
//! both logits, one linear head over both kinds of features. A fifth of the examples is held out,
//! chosen by a hash of their text so that the same message is always on the same side: half of it
//! sets the mixture and the temperature, all of it is reported on. The final weights are then
//! trained on everything.

mod injection;
mod mixture;
pub(crate) mod pages;
mod shift;
mod tags;
mod tuned;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use retrieval::{Encoder, EncoderError, Reading};

use crate::examples::{Example, Part, version, with_defaults};
use crate::features::{Features, features, in_context, middle_layers};
use crate::head::{Head, Kind};
use crate::heads::{CONCERN, Heads, INJECTION, INTENT, SENTIMENT, TAGGED};
use crate::metrics::HeldOut;
use crate::solver::{Parameters, Regression, Sparse, Told};
use crate::tune::TuneOptions;
use mixture::{Judged, best_mixture};
use tags::TaggedSet;
use tuned::{Tuned, TunedHead};

/// Why training did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The file cannot be read.
    #[error(
        "{path} cannot be read; give a JSONL file with one {{\"text\", \"intent\", ...}} a line"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// A line is not an example.
    #[error("{path}, line {line}: {reason}; each line is a JSON object with \"text\" and a label")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Too little to learn from.
    #[error("there is nothing to learn: a head needs at least two labels with five examples each")]
    TooFew,
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The layers could not be tuned.
    #[error("the encoder's layers could not be tuned: {0}; try a smaller rate, or --mode head")]
    Tune(#[from] candle_core::Error),
    /// The optimiser failed.
    #[error("head {head} could not be trained: {reason}")]
    Solver {
        /// The head.
        head: String,
        /// Why.
        reason: String,
    },
}

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainOptions {
    /// Inverse strength of the L2 penalty, as in LIBLINEAR.
    pub c: f32,
    /// Most steps of the optimiser.
    pub iterations: u64,
    /// How to tune the encoder's last layers; `None` leaves it as it is.
    pub tune: Option<TuneOptions>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            c: 30.0,
            iterations: 150,
            tune: None,
        }
    }
}

/// Trained heads and how they did on what they had not seen.
#[derive(Debug)]
pub struct Trained {
    /// The heads, trained on all examples.
    pub heads: Heads,
    /// By head, in the order trained.
    pub held_out: Vec<(String, HeldOut)>,
}

/// Trains every head that `examples` have labels for. Layers are tuned on all labels that exclude each
/// other, but concerns and injections are told without them: a concern has few examples, to which
/// they are fitted too closely, and an injection is told by its words. `progress` hears the share done, in `[0, 1]`.
///
/// # Errors
/// [`TrainError::TooFew`] when no head has enough examples.
pub fn train(
    encoder: &Encoder,
    examples: &[Example],
    options: TrainOptions,
    mut progress: impl FnMut(f32, &str),
) -> Result<Trained, TrainError> {
    let examples = &*injection::hidden_too(examples);
    let read = ReadExamples::new(encoder, examples, options.tune.is_some(), &mut progress)?;
    let names = [INTENT, SENTIMENT, CONCERN, INJECTION];
    let sets = names.map(|name| LabelledSet::gather(name, examples));
    let sets: Vec<LabelledSet> = sets.into_iter().filter(LabelledSet::is_enough).collect();
    let tagged = TAGGED.map(|name| TaggedSet::gather(name, examples));
    let tagged: Vec<TaggedSet> = tagged.into_iter().flatten().collect();
    if sets.is_empty() && tagged.is_empty() {
        return Err(TrainError::TooFew);
    }
    let tuned = match options.tune.filter(|_| !sets.is_empty()) {
        Some(tune) => Some(Tuned::on(encoder, &read, &sets, tune, &mut progress)?),
        None => None,
    };
    let mut heads = Heads {
        encoder: encoder.name().to_owned(),
        ..Heads::default()
    };
    let mut held_out = Vec::new();
    for (at, set) in sets.iter().enumerate() {
        let told = format!("head {}: {} examples", set.name, set.rows.len());
        progress(1.0, &told);
        let tuned = tuned.as_ref().and_then(|tuned| tuned.head(at));
        let tuned = tuned.filter(|_| ![CONCERN, INJECTION].contains(&set.name));
        let (head, report) = set.train(&read, tuned, options)?;
        heads.by_name.insert(set.name.to_owned(), head);
        held_out.push((set.name.to_owned(), report));
    }
    for set in tagged {
        progress(1.0, &format!("head {}: {} examples", set.name, set.len()));
        let (head, report) = set.train(&read, options)?;
        heads.by_name.insert(set.name.to_owned(), head);
        held_out.push((set.name.to_owned(), report));
    }
    heads.version = version(examples);
    if let Some(tuned) = tuned {
        heads.version += "-full";
        heads.layers = tuned.layers;
    }
    Ok(Trained { heads, held_out })
}

/// What the encoder and the n-grams make of the examples.
#[derive(Default)]
struct ReadExamples {
    vectors: Vec<Sparse>,
    /// Length of a vector with its zeros.
    width: usize,
    /// Where the middle layers' numbers are in it.
    middle: Range<usize>,
    /// The vectors of heads whose labels do not exclude each other: they see what was said before.
    /// Empty where there are none.
    in_context: Vec<Sparse>,
    /// Length of one of those.
    width_in_context: usize,
    /// What layers are tuned on, where they are.
    readings: Vec<Reading>,
}

impl ReadExamples {
    fn new(
        encoder: &Encoder,
        examples: &[Example],
        keep_readings: bool,
        progress: &mut impl FnMut(f32, &str),
    ) -> Result<Self, TrainError> {
        const BATCH: usize = 64;
        let mut read = Self::default();
        let is_tagged = |example: &Example| TAGGED.iter().any(|head| example.tags(head).is_some());
        let tagged = examples.iter().any(is_tagged);
        for batch in examples.chunks(BATCH) {
            let texts: Vec<String> = batch.iter().map(|example| example.text.clone()).collect();
            let readings = encoder.read_batch(&texts)?;
            for (text, reading) in texts.iter().zip(&readings) {
                let dense = features(text, reading);
                read.width = dense.len();
                read.middle = middle_layers(encoder.dimension(), dense.len());
                read.vectors.push(Sparse::new(&dense));
            }
            if tagged {
                read.add_in_context(encoder, batch, &readings)?;
            }
            if keep_readings {
                read.readings.extend(readings);
            }
            let done = read.vectors.len() as f32 / examples.len() as f32;
            progress(done, "reading the examples");
        }
        Ok(read)
    }

    fn add_in_context(
        &mut self,
        encoder: &Encoder,
        batch: &[Example],
        readings: &[Reading],
    ) -> Result<(), TrainError> {
        let behind = batch.iter().map(|example| {
            let before = example.before.as_deref()?;
            Some(in_context(before, &example.text))
        });
        let behind: Vec<Option<String>> = behind.collect();
        let texts: Vec<String> = behind.iter().flatten().cloned().collect();
        let mut contexts = encoder.read_batch(&texts)?.into_iter();
        for ((example, reading), behind) in batch.iter().zip(readings).zip(&behind) {
            let context = behind.as_ref().and_then(|_| contexts.next());
            let context = context.map_or_else(|| reading.embedding.clone(), |own| own.embedding);
            let own = features(&example.text, reading);
            let any = Kind::AnyOf {
                thresholds: Vec::new(),
            };
            let dense = Features::new(own, None, context).seen_by(&any);
            self.width_in_context = dense.len();
            self.in_context.push(Sparse::new(&dense));
        }
        Ok(())
    }
}

/// The examples of one head.
struct LabelledSet {
    name: &'static str,
    labels: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    /// Index of the example.
    example: usize,
    /// Index of the label.
    label: usize,
    part: Part,
}

impl LabelledSet {
    fn gather(name: &'static str, examples: &[Example]) -> Self {
        let labelled = with_defaults(name, examples);
        let mut labels: Vec<String> = labelled.iter().map(|(_, l)| (*l).to_owned()).collect();
        labels.sort();
        labels.dedup();
        let index: HashMap<&str, usize> = labels
            .iter()
            .enumerate()
            .map(|(at, label)| (label.as_str(), at))
            .collect();
        let row = |(example, label): &(usize, &str)| {
            let own = examples.get(*example)?;
            Some(Row {
                example: *example,
                label: *index.get(label)?,
                part: own.part(),
            })
        };
        let rows = labelled.iter().filter_map(row).collect();
        Self { name, labels, rows }
    }

    fn is_enough(&self) -> bool {
        let mut counts = vec![0_usize; self.labels.len()];
        for row in &self.rows {
            if let Some(count) = counts.get_mut(row.label) {
                *count += 1;
            }
        }
        counts.iter().filter(|count| **count >= 5).count() >= 2
    }

    fn train(
        &self,
        read: &ReadExamples,
        tuned: Option<TunedHead<'_>>,
        options: TrainOptions,
    ) -> Result<(Head, HeldOut), TrainError> {
        let nothing = Parameters::zero(read.width, self.labels.len());
        let (seen, learnt) = self.fit(read, options, nothing, |row| row.part == Part::Train)?;
        let mut judged = self.logits(&seen, read, tuned.as_ref());
        let shift = shift::shift(&judged, &self.labels);
        for row in &mut judged {
            shift.apply(&mut row.frozen);
        }
        let of = |chosen: Part| -> Vec<&Judged> {
            judged.iter().filter(|row| row.part == chosen).collect()
        };
        let (share, temperature) = best_mixture(&of(Part::Temperature));
        let mixed = |rows: &[&Judged]| -> Vec<(Vec<f32>, usize)> {
            let rows = rows.iter().map(|row| (row.mixed(share), row.label));
            rows.collect()
        };
        let all: Vec<&Judged> = judged.iter().collect();
        let (all, tested) = (mixed(&all), mixed(&of(Part::Test)));
        let report = HeldOut::measure(&self.labels, &all, &tested, temperature);
        // From there it is not far to the weights that fit all examples.
        let (mut head, _) = self.fit(read, options, learnt, |_| true)?;
        if let Some(tuned) = tuned {
            head = head.mixed_with(tuned.last, share);
        }
        shift.apply(&mut head.bias);
        head.temperature = temperature;
        Ok((head, report))
    }

    /// Which features are held back, and how much: with few examples a label the middle layers, of
    /// twice as many numbers as the last, are fitted to what is only theirs.
    fn held_back(&self, read: &ReadExamples) -> (Range<usize>, f64) {
        const FEW: usize = 20;
        const TIMES: f64 = 100.0;
        if self.rows.len() < FEW * self.labels.len() {
            (read.middle.clone(), TIMES)
        } else {
            (0..0, 1.0)
        }
    }

    /// What `head`, and the tuned one, make of the messages that are held out.
    fn logits(
        &self,
        head: &Head,
        read: &ReadExamples,
        tuned: Option<&TunedHead<'_>>,
    ) -> Vec<Judged> {
        let rows = self.rows.iter().filter(|row| row.part != Part::Train);
        let judge = |row: &Row| {
            let vector = read.vectors.get(row.example)?;
            let of_tuned = |tuned: &TunedHead<'_>| {
                let state = tuned.held_out.get(&row.example)?;
                Some(tuned.trial_logits(state))
            };
            Some(Judged {
                frozen: head.logits(&vector.to_dense(read.width)),
                tuned: tuned.and_then(of_tuned).unwrap_or_default(),
                label: row.label,
                part: row.part,
            })
        };
        rows.filter_map(judge).collect()
    }

    fn fit(
        &self,
        read: &ReadExamples,
        options: TrainOptions,
        start: Parameters,
        chosen: impl Fn(&Row) -> bool,
    ) -> Result<(Head, Parameters), TrainError> {
        let rows = self.rows.iter().filter(|row| chosen(row));
        let regression = Regression {
            rows: rows
                .filter_map(|row| {
                    let own = std::slice::from_ref(&row.label);
                    Some((read.vectors.get(row.example)?, own))
                })
                .collect(),
            width: read.width,
            classes: self.labels.len(),
            told: Told::OneOf,
            penalty: 1.0 / f64::from(options.c),
            held_back: self.held_back(read),
        };
        fitted_head(self.name, &self.labels, &regression, start, options)
    }
}

/// The head called `name` that solves `regression`, sought from `start` on, and the solution itself.
fn fitted_head(
    name: &str,
    labels: &[String],
    regression: &Regression<'_>,
    start: Parameters,
    options: TrainOptions,
) -> Result<(Head, Parameters), TrainError> {
    let fitted = regression
        .fit(start, options.iterations)
        .map_err(|reason| TrainError::Solver {
            head: name.to_owned(),
            reason,
        })?;
    let (classes, width) = (labels.len(), regression.width);
    let mut head = Head {
        labels: labels.to_vec(),
        weights: Vec::with_capacity(classes * width),
        bias: Vec::with_capacity(classes),
        width,
        temperature: 1.0,
        kind: Kind::OneOf,
    };
    for class in 0..classes {
        let mut column = fitted.of_class(class);
        head.weights.extend(column.by_ref().take(width));
        head.bias.extend(column);
    }
    Ok((head, fitted))
}
