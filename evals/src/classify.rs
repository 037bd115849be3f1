//! How well a classifier head does: trained on one labelled file, evaluated on another.

mod bootstrap;
mod familiar;
mod figures;
mod labelled;
mod tables;
mod tagged;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use retrieval::{Encoder, EncoderError, Role};
use serde::Serialize;
use understand::{
    Example, Heads, HeadsError, Language, Ranking, TrainError, TrainOptions, Understander,
};

use crate::curves::{self, Bin, Covered};
use crate::formats::FormatError;
use crate::jsonl::JsonlError;
use crate::percentile::Spread;

use familiar::Familiar;

pub use figures::{ClassFigures, Figures, Judgement, OutOfScope};
pub use labelled::{Labelled, Rows, Selection, Tagged, hold_out};
pub use tables::{tables, tag_tables};
pub use tagged::{TagFigures, TagJudgement, TagMistake, TagReport, judge_tags, train_tags};

/// Labels of messages that fit no intent.
const OUT_OF_SCOPE: [&str; 2] = [understand::OUT_OF_SCOPE, "oos"];
/// The field whose head is the sentiment's; every other label set is learnt as intents are.
const SENTIMENT: &str = "sentiment";
/// Texts embedded at a time.
const BATCH: usize = 64;
/// Mistakes kept in a report, the surest first.
const MISTAKES: usize = 50;

/// Why nothing was judged.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// A file of messages cannot be read.
    #[error(transparent)]
    File(#[from] JsonlError),
    /// A file of dialogues cannot be read.
    #[error(transparent)]
    Dialogues(#[from] FormatError),
    /// Some messages have one label, others a list of them.
    #[error("some messages have one {0:?}, others a list of them: judge them apart")]
    Mixed(String),
    /// No message has the label.
    #[error("no message of {} has a {field:?}{}", file.display(), if *filtered { " and what --where asks for" } else { "" })]
    Nothing {
        /// The file.
        file: PathBuf,
        /// The label's field.
        field: String,
        /// Whether messages were filtered.
        filtered: bool,
    },
    /// Trained heads have no head for the label.
    #[error("these heads have none called {0:?}")]
    NoHead(String),
    /// The heads cannot be written.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
}

/// Heads, and what they were trained on where that is known.
#[derive(Debug)]
pub struct Trained {
    heads: Heads,
    /// The head to judge.
    head: String,
    /// What was trained on, where strangers are told by it.
    known: Option<Familiar>,
}

impl Trained {
    /// Heads trained elsewhere, of which that called `field` is judged.
    pub fn elsewhere(heads: Heads, field: &str) -> Self {
        Self {
            heads,
            head: field.to_owned(),
            known: None,
        }
    }

    /// Writes the heads.
    ///
    /// # Errors
    /// [`ClassifyError::Heads`].
    pub fn save(&self, file: &Path) -> Result<(), ClassifyError> {
        Ok(self.heads.save(file)?)
    }

    /// Trains a head on `rows`. `progress` hears the share done, in `[0, 1]`.
    ///
    /// Where `strangers` has out-of-scope messages and `rows` has none to learn from, they will be
    /// told by how much they look like the training examples.
    ///
    /// # Errors
    /// [`ClassifyError::Train`], [`ClassifyError::Encoder`].
    pub fn on(
        rows: &[Labelled],
        strangers: &[Labelled],
        field: &str,
        encoder: &Encoder,
        options: TrainOptions,
        mut progress: impl FnMut(f32),
    ) -> Result<Self, ClassifyError> {
        let together = options.tune.is_some();
        let example = |row: &Labelled| example(row, field, together);
        let examples: Vec<Example> = rows.iter().map(example).collect();
        let trained = understand::train(encoder, &examples, options, |done, _| progress(done))?;
        let has_strangers = |rows: &[Labelled]| rows.iter().any(|row| is_stranger(&row.label));
        let known = if has_strangers(strangers) && !has_strangers(rows) {
            familiar(rows, encoder)?
        } else {
            None
        };
        let head = if field == SENTIMENT {
            SENTIMENT
        } else {
            understand::INTENT
        };
        Ok(Self {
            heads: trained.heads,
            head: head.to_owned(),
            known,
        })
    }
}

/// What `rows` have in common.
fn familiar(rows: &[Labelled], encoder: &Encoder) -> Result<Option<Familiar>, EncoderError> {
    let texts: Vec<String> = rows.iter().map(|row| row.text.clone()).collect();
    let mut embeddings = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        embeddings.extend(encoder.embed_batch(batch, Role::Query)?);
    }
    let labelled = rows.iter().zip(&embeddings);
    let labelled = labelled.map(|(row, embedding)| (row.label.as_str(), embedding.as_slice()));
    Ok(Familiar::of(&labelled.collect::<Vec<_>>()))
}

fn is_stranger(label: &str) -> bool {
    OUT_OF_SCOPE.contains(&label)
}

fn example(row: &Labelled, field: &str, together: bool) -> Example {
    let label = Some(row.label.clone());
    let beside = row.beside.clone().filter(|_| together);
    let (intent, sentiment) = if field == SENTIMENT {
        (beside, label)
    } else {
        (label, beside)
    };
    Example {
        text: row.text.clone(),
        intent,
        sentiment,
        ..Example::default()
    }
}

/// A message that was judged wrongly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// The message.
    pub text: String,
    /// Its label.
    pub right: String,
    /// The label given.
    pub given: String,
    /// Probability of that.
    pub probability: f32,
}

/// What came of judging a file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Bootstrap intervals of 95 %, by the figures' names.
    pub intervals: BTreeMap<&'static str, [f64; 2]>,
    /// Messages that belong to no label, where there are any.
    #[serde(flatten)]
    pub out_of_scope: Option<OutOfScope>,
    /// Milliseconds for one message, tokenization included.
    pub milliseconds: Option<Spread>,
    /// The labels, in the order of the matrix.
    pub labels: Vec<String>,
    /// By label.
    pub per_class: Vec<ClassFigures>,
    /// Rows are the right labels, columns the given ones.
    pub confusion: Vec<Vec<usize>>,
    /// How true the probabilities are.
    pub reliability: Vec<Bin>,
    /// What a threshold on the probability would cost.
    pub coverage: Vec<Covered>,
    /// Milliseconds of each message.
    #[serde(skip)]
    pub latencies: Vec<f64>,
    /// The surest mistakes.
    pub mistakes: Vec<Mistake>,
}

/// Judges `rows` one at a time, as messages come. `progress` hears of each.
///
/// # Errors
/// [`ClassifyError::NoHead`], [`ClassifyError::Encoder`].
pub fn judge(
    trained: Trained,
    encoder: Encoder,
    rows: &[Labelled],
    mut progress: impl FnMut(),
) -> Result<Report, ClassifyError> {
    let Trained { heads, head, known } = trained;
    let Some(learnt) = heads.get(&head) else {
        return Err(ClassifyError::NoHead(head));
    };
    let mut labels: BTreeSet<String> = learnt.labels().iter().cloned().collect();
    let (insiders, outsiders): (Vec<&Labelled>, Vec<&Labelled>) = rows
        .iter()
        .partition(|row| labels.contains(&row.label) || !is_stranger(&row.label));
    labels.extend(insiders.iter().map(|row| row.label.clone()));
    let labels: Vec<String> = labels.into_iter().collect();

    let understander = Understander::new(encoder, vec![heads])?;
    let mut judge = |row: &Labelled| -> Result<Seen, ClassifyError> {
        let began = Instant::now();
        let understanding = understander.understand(&row.text, None, Language::english())?;
        let milliseconds = began.elapsed().as_secs_f64() * 1e3;
        progress();
        let ranking = match head.as_str() {
            SENTIMENT => understanding.sentiment,
            understand::CONCERN => understanding.concern,
            _ => understanding.intent,
        };
        let score = |known: &Familiar| known.score(understanding.embedding.as_slice());
        let familiarity = known.as_ref().map(score);
        Ok(Seen {
            ranking,
            familiarity,
            milliseconds,
        })
    };
    let inside: Vec<Seen> = insiders
        .iter()
        .map(|row| judge(row))
        .collect::<Result<_, _>>()?;
    let outside: Vec<Seen> = outsiders
        .iter()
        .map(|row| judge(row))
        .collect::<Result<_, _>>()?;
    Ok(report(labels, &insiders, &inside, &outside))
}

/// A message as the classifier saw it.
struct Seen {
    ranking: Ranking,
    /// How much it looks like what was trained on, where no stranger was among that.
    familiarity: Option<f64>,
    milliseconds: f64,
}

impl Seen {
    /// How little it looks like a stranger: by what was trained, else by its label's probability.
    fn familiarity(&self) -> f64 {
        let known = OUT_OF_SCOPE
            .iter()
            .find(|label| self.ranking.as_slice().iter().any(|s| s.label == **label));
        match (known, self.familiarity) {
            (Some(label), _) => 1.0 - f64::from(self.ranking.probability(label)),
            (None, Some(familiarity)) => familiarity,
            (None, None) => f64::from(self.ranking.confidence()),
        }
    }
}

fn report(
    labels: Vec<String>,
    insiders: &[&Labelled],
    inside: &[Seen],
    outside: &[Seen],
) -> Report {
    let place = |label: &str| labels.iter().position(|known| known == label);
    let judged: Vec<Judgement> = insiders
        .iter()
        .zip(inside)
        .filter_map(|(row, seen)| {
            let probability = |label: &String| f64::from(seen.ranking.probability(label));
            Some(Judgement {
                right: place(&row.label)?,
                probabilities: labels.iter().map(probability).collect(),
            })
        })
        .collect();
    let familiar = |is_outside: bool| {
        let labelled = insiders.iter().zip(inside);
        labelled
            .filter(move |(row, _)| is_stranger(&row.label) == is_outside)
            .map(|(_, seen)| seen.familiarity())
    };
    let known: Vec<f64> = familiar(false).collect();
    let strange: Vec<f64> = familiar(true)
        .chain(outside.iter().map(Seen::familiarity))
        .collect();
    let mut mistakes: Vec<Mistake> = insiders
        .iter()
        .zip(inside)
        .filter(|(row, seen)| seen.ranking.top() != row.label)
        .map(|(row, seen)| Mistake {
            text: row.text.clone(),
            right: row.label.clone(),
            given: seen.ranking.top().to_owned(),
            probability: seen.ranking.confidence(),
        })
        .collect();
    mistakes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    mistakes.truncate(MISTAKES);
    let seen = inside.iter().chain(outside);
    let latencies: Vec<f64> = seen.map(|seen| seen.milliseconds).collect();
    let sure: Vec<(f64, bool)> = judged
        .iter()
        .map(|row| (row.confidence(), row.given() == row.right))
        .collect();
    Report {
        figures: Figures::of(&judged),
        intervals: bootstrap::intervals(&judged, |sample| Figures::of(sample).named().collect()),
        out_of_scope: OutOfScope::of(&known, &strange),
        milliseconds: Spread::of(latencies.iter().copied()),
        reliability: curves::reliability(&sure),
        coverage: curves::coverage(&sure),
        latencies,
        per_class: figures::per_class(&labels, &judged),
        confusion: figures::confusion(&judged),
        labels,
        mistakes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_told_apart_by_what_was_trained() {
        let ranking = |labels: &[(&str, f32)]| {
            Ranking::new(
                labels
                    .iter()
                    .map(|(label, probability)| understand::Scored {
                        label: (*label).to_owned(),
                        probability: *probability,
                    })
                    .collect(),
            )
        };
        let seen = |ranking| Seen {
            ranking,
            familiarity: Some(-3.0),
            milliseconds: 1.0,
        };
        let trained = seen(ranking(&[("a", 0.25), ("out_of_scope", 0.75)]));
        assert!((trained.familiarity() - 0.25).abs() < 1e-6);
        let untrained = seen(ranking(&[("a", 1.0)]));
        assert!((untrained.familiarity() + 3.0).abs() < 1e-6);
    }
}
