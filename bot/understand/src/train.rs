//! Training heads on labelled messages: seconds on a CPU for thousands of examples.
//!
//! The encoder stays frozen; a head is a multinomial logistic regression (L-BFGS, L2). A fifth of
//! the examples is held out, chosen by a hash of their text so that the same message is always on
//! the same side: half of it sets the temperature, all of it is reported on. The final weights are
//! then trained on everything.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use retrieval::{Encoder, EncoderError};
use serde::Deserialize;

use crate::features::features;
use crate::head::{Head, softmax};
use crate::heads::{CONCERN, Heads, INTENT, SENTIMENT};
use crate::metrics::HeldOut;
use crate::solver::{Parameters, Regression, Sparse};

/// Label of a message that raises no concern.
pub const NO_CONCERN: &str = "none";

/// A labelled message. A head is trained on the examples that carry its label.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Example {
    /// The message.
    pub text: String,
    /// What it wants.
    #[serde(default)]
    pub intent: Option<String>,
    /// How its writer feels: `negative`, `neutral`, `positive`.
    #[serde(default)]
    pub sentiment: Option<String>,
    /// What a bot must not answer alone: `fraud`, `legal`... or `none`.
    #[serde(default)]
    pub concern: Option<String>,
}

impl Example {
    fn label(&self, head: &str) -> Option<&str> {
        match head {
            INTENT => self.intent.as_deref(),
            SENTIMENT => self.sentiment.as_deref(),
            CONCERN => self.concern.as_deref(),
            _ => None,
        }
    }
}

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
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            c: 30.0,
            iterations: 150,
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

/// Reads examples, one JSON object a line; empty lines are passed over.
///
/// # Errors
/// [`TrainError::Read`], or [`TrainError::Line`] with the first line that is not an example.
pub fn read_examples(path: &Path) -> Result<Vec<Example>, TrainError> {
    let bytes = std::fs::read(path).map_err(|source| TrainError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut examples = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let bad = |reason: String| TrainError::Line {
            path: path.to_owned(),
            line: index + 1,
            reason,
        };
        let line = std::str::from_utf8(line).map_err(|_| bad("it is not UTF-8".into()))?;
        let example: Example =
            serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        if example.text.trim().is_empty() {
            return Err(bad("the text is empty".into()));
        }
        examples.push(example);
    }
    Ok(examples)
}

/// Trains every head that `examples` have labels for. `progress` hears the share done, in `[0, 1]`.
///
/// # Errors
/// [`TrainError::TooFew`] when no head has enough examples.
pub fn train(
    encoder: &Encoder,
    examples: &[Example],
    options: TrainOptions,
    mut progress: impl FnMut(f32, &str),
) -> Result<Trained, TrainError> {
    let read = embed(encoder, examples, &mut progress)?;
    let mut heads = Heads::default();
    let mut held_out = Vec::new();
    for name in [INTENT, SENTIMENT, CONCERN] {
        let set = LabelledSet::gather(name, examples, &read);
        if !set.is_enough() {
            continue;
        }
        progress(1.0, &format!("head {name}: {} examples", set.rows.len()));
        let (head, report) = set.train(name, options)?;
        heads.by_name.insert(name.to_owned(), head);
        held_out.push((name.to_owned(), report));
    }
    if held_out.is_empty() {
        return Err(TrainError::TooFew);
    }
    heads.version = version(examples);
    Ok(Trained { heads, held_out })
}

/// Names a training by what it was trained on: equal examples, equal version.
fn version(examples: &[Example]) -> String {
    let mut hasher = crc32fast::Hasher::new();
    for example in examples {
        hasher.update(example.text.as_bytes());
        for head in [INTENT, SENTIMENT, CONCERN] {
            hasher.update(example.label(head).unwrap_or("\n").as_bytes());
        }
    }
    format!("heads-{}-{:08x}", examples.len(), hasher.finalize())
}

/// What the encoder and the n-grams make of the examples.
struct ReadExamples {
    vectors: Vec<Sparse>,
    /// Length of a vector with its zeros.
    width: usize,
}

fn embed(
    encoder: &Encoder,
    examples: &[Example],
    progress: &mut impl FnMut(f32, &str),
) -> Result<ReadExamples, TrainError> {
    const BATCH: usize = 64;
    let mut vectors = Vec::with_capacity(examples.len());
    let mut width = 0;
    for batch in examples.chunks(BATCH) {
        let texts: Vec<String> = batch.iter().map(|example| example.text.clone()).collect();
        let readings = encoder.read_batch(&texts)?;
        for (text, reading) in texts.iter().zip(&readings) {
            let dense = features(text, reading);
            width = dense.len();
            vectors.push(Sparse::new(&dense));
        }
        progress(
            vectors.len() as f32 / examples.len() as f32,
            "reading the examples",
        );
    }
    Ok(ReadExamples { vectors, width })
}

/// The examples of one head.
struct LabelledSet<'a> {
    labels: Vec<String>,
    rows: Vec<Row<'a>>,
    width: usize,
}

struct Row<'a> {
    vector: &'a Sparse,
    /// Index of the label.
    label: usize,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Temperature,
    Test,
}

/// A stable fifth is held out: the split must not move when examples are added.
fn part_of(text: &str) -> Part {
    match crc32fast::hash(text.trim().to_lowercase().as_bytes()) % 10 {
        0 => Part::Temperature,
        1 => Part::Test,
        _ => Part::Train,
    }
}

impl<'a> LabelledSet<'a> {
    fn gather(name: &str, examples: &[Example], read: &'a ReadExamples) -> Self {
        let labelled = with_defaults(name, examples);
        let mut labels: Vec<String> = labelled.iter().map(|(_, l)| (*l).to_owned()).collect();
        labels.sort();
        labels.dedup();
        let index: HashMap<&str, usize> = labels
            .iter()
            .enumerate()
            .map(|(at, label)| (label.as_str(), at))
            .collect();
        let rows = labelled
            .iter()
            .filter_map(|(at, label)| {
                Some(Row {
                    vector: read.vectors.get(*at)?,
                    label: *index.get(label)?,
                    part: part_of(&examples.get(*at)?.text),
                })
            })
            .collect();
        let width = read.width;
        Self {
            labels,
            rows,
            width,
        }
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

    fn train(&self, name: &str, options: TrainOptions) -> Result<(Head, HeldOut), TrainError> {
        let nothing = Parameters::zero(self.width, self.labels.len());
        let (seen, learnt) = self.fit(name, options, nothing, |part| part == Part::Train)?;
        let temperature = best_temperature(&self.logits(&seen, |part| part == Part::Temperature));
        let tested = self.logits(&seen, |part| part == Part::Test);
        let judged = self.logits(&seen, |part| part != Part::Train);
        let report = HeldOut::measure(&self.labels, &judged, &tested, temperature);
        // From there it is not far to the weights that fit all examples.
        let (mut head, _) = self.fit(name, options, learnt, |_| true)?;
        head.temperature = temperature;
        Ok((head, report))
    }

    /// Logits and the right label of the rows whose part is chosen.
    fn logits(&self, head: &Head, chosen: impl Fn(Part) -> bool) -> Vec<(Vec<f32>, usize)> {
        let rows = self.rows.iter().filter(|row| chosen(row.part));
        rows.map(|row| (head.logits(&row.vector.to_dense(self.width)), row.label))
            .collect()
    }

    fn fit(
        &self,
        name: &str,
        options: TrainOptions,
        start: Parameters,
        chosen: impl Fn(Part) -> bool,
    ) -> Result<(Head, Parameters), TrainError> {
        let rows = self.rows.iter().filter(|row| chosen(row.part));
        let classes = self.labels.len();
        let regression = Regression {
            rows: rows.map(|row| (row.vector, row.label)).collect(),
            width: self.width,
            classes,
            penalty: 1.0 / f64::from(options.c * looseness(name)),
        };
        let fitted = regression
            .fit(start, options.iterations)
            .map_err(|reason| TrainError::Solver {
                head: name.to_owned(),
                reason,
            })?;
        let mut head = Head {
            labels: self.labels.clone(),
            weights: Vec::with_capacity(classes * self.width),
            bias: Vec::with_capacity(classes),
            width: self.width,
            temperature: 1.0,
        };
        for class in 0..classes {
            let mut column = fitted.of_class(class);
            head.weights.extend(column.by_ref().take(self.width));
            head.bias.extend(column);
        }
        Ok((head, fitted))
    }
}

/// How much less a head is held back than `c` says. A sentiment has few labels with many examples
/// each, and is surer of itself than it should be where it may fit them all.
fn looseness(head: &str) -> f32 {
    if head == SENTIMENT { 0.1 } else { 1.0 }
}

/// Rows of a head with their labels. Where a concern is labelled at all, messages without that
/// label count as raising none: two of them for every labelled one, evenly spread.
fn with_defaults<'e>(name: &str, examples: &'e [Example]) -> Vec<(usize, &'e str)> {
    let mut labelled: Vec<(usize, &str)> = examples
        .iter()
        .enumerate()
        .filter_map(|(at, example)| Some((at, example.label(name)?)))
        .collect();
    if name == CONCERN && !labelled.is_empty() {
        let plain: Vec<usize> = (0..examples.len())
            .filter(|at| examples[*at].label(name).is_none())
            .collect();
        let step = (plain.len() / (2 * labelled.len())).max(1);
        labelled.extend(plain.into_iter().step_by(step).map(|at| (at, NO_CONCERN)));
    }
    labelled
}

/// The temperature with the least negative log-likelihood, by a scan on a logarithmic scale.
fn best_temperature(rows: &[(Vec<f32>, usize)]) -> f32 {
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
        .min_by(|a, b| loss(*a).total_cmp(&loss(*b)))
        .filter(|_| !rows.is_empty())
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, concern: Option<&str>) -> Example {
        Example {
            text: text.into(),
            intent: None,
            sentiment: None,
            concern: concern.map(str::to_owned),
        }
    }

    #[test]
    fn messages_without_a_concern_count_as_raising_none() {
        let examples: Vec<Example> = (0..40)
            .map(|n| example(&format!("message {n}"), (n % 20 == 0).then_some("fraud")))
            .collect();
        let labelled = with_defaults(CONCERN, &examples);
        assert_eq!(
            labelled
                .iter()
                .filter(|(_, label)| *label == "fraud")
                .count(),
            2
        );
        assert!(
            labelled
                .iter()
                .filter(|(_, label)| *label == NO_CONCERN)
                .count()
                >= 4
        );
    }

    #[test]
    fn overconfident_logits_are_cooled() {
        // Always certain, right three times in four.
        let rows: Vec<(Vec<f32>, usize)> = (0..100)
            .map(|n| (vec![10.0, 0.0], usize::from(n % 4 == 0)))
            .collect();
        assert!(best_temperature(&rows) > 2.0);
    }

    #[test]
    fn the_same_text_is_always_on_the_same_side() {
        assert_eq!(
            part_of("Where is my order?"),
            part_of(" where is my ORDER? ")
        );
        let held = (0..1000)
            .filter(|n| part_of(&n.to_string()) != Part::Train)
            .count();
        assert!((150..250).contains(&held), "{held} of 1000 are held out");
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("examples.jsonl");
        std::fs::write(
            &path,
            "{\"text\": \"hi\", \"intent\": \"greeting\"}\n\n{\"txt\": 1}\n",
        )
        .unwrap();
        let error = read_examples(&path).unwrap_err();
        assert!(matches!(error, TrainError::Line { line: 3, .. }), "{error}");
        std::fs::write(&path, b"{\"text\": \"caf\xe9\"}\n").unwrap();
        assert!(
            read_examples(&path)
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
    }
}
