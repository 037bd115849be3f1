//! The text encoder: a message or a passage becomes one [`Embedding`].
//!
//! Two models can be loaded: EmbeddingGemma-300M, and multilingual-e5-small for little memory. Both
//! read a hundred languages, were trained on pairs of a query and a passage, and want to be told which
//! of them a text is. Every call blocks for milliseconds: from async code, call it on a blocking
//! thread. One session serves all clones and calls take turns, because a session already uses all the
//! threads it is given.

mod e5;
mod files;
mod gemma;
mod model;
mod operators;
mod session;

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::embedding::{Embedding, NoDirection};
use crate::similarity::Similarity;
use model::{MARKS, Model, Row};
use session::{load_runtime, options, run};

pub use e5::{BRANCHES_AT, Branch, Layer, Linear, Norm};
pub use files::Damage;
pub use model::Role;

/// Texts in one run of the model. Larger batches take gigabytes of memory and are no faster.
const BATCH: usize = 8;

/// Where the encoder's files lie.
#[derive(Clone, Debug)]
pub struct EncoderFiles {
    /// The model and its tokenizer, in one file of a format that this program knows.
    pub model: PathBuf,
    /// The ONNX Runtime library. A process has one: the first that loads serves all encoders.
    pub runtime: PathBuf,
}

/// Why there is no embedding.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// One of [`EncoderFiles`] cannot be read.
    #[error("the encoder file {} cannot be read: {source}; run `make models` to fetch it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no ONNX Runtime, or too old a one.
    #[error("{} is not an ONNX Runtime that this program can use: {reason}; run `make models` to fetch the right one", path.display())]
    Runtime {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// The model's file is not what it must be.
    #[error("the encoder {} cannot be used: {damage}; run `make models` to check it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The tokenizer failed, on its own vocabulary or on a text.
    #[error("the encoder's tokenizer failed: {0}")]
    Tokens(#[source] tokenizers::Error),
    /// The runtime does not take the model.
    #[error("the encoder model cannot be loaded: {0}; run `make models` to check its files")]
    Model(#[from] ort::Error),
    /// Layers are no branch of this encoder.
    #[error("the tuned layers do not fit the encoder; train them anew with `frontdesk train`")]
    Branch,
    /// Nothing can go on from this encoder's layers.
    #[error(
        "the layers of {0} cannot be tuned: leave `--mode full` out, or set `models.encoder` to \
         \"encoder-small\""
    )]
    Fixed(&'static str),
    /// The model failed on a text.
    #[error("the encoder failed: {0}")]
    Encode(#[source] ort::Error),
    /// The token table cannot be read any more.
    #[error("the encoder's file cannot be read: {0}; check the disk")]
    Table(#[source] std::io::Error),
    /// The model's output is no vector.
    #[error("the encoder gave a vector that cannot be used: {0}")]
    Output(#[from] NoDirection),
    /// The model gave no vector for a text.
    #[error("the encoder gave {got} vectors for {texts} texts")]
    Count {
        /// Texts given.
        texts: usize,
        /// Vectors returned.
        got: usize,
    },
}

/// What one pass makes of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The message as a query.
    pub embedding: Embedding,
    /// Mean states behind middle layers, nearest to the last first; of an encoder that is read there.
    pub middle: Vec<Embedding>,
    /// The states behind layer [`BRANCHES_AT`], `tokens x width`, of an encoder that a branch can go
    /// on from.
    pub lower: Arc<[f32]>,
}

/// A text to be found, and the title that it stands under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Titled {
    /// Title and headings, where there are some.
    pub title: Option<String>,
    /// The text, in parts each of which may be found, too: sentences, rows of a table.
    pub parts: Vec<String>,
}

/// A question, and the passages that are read below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// What may answer it, the likeliest first: what is behind the tokens that the model reads is left out.
    pub passages: Vec<Titled>,
}

/// What one pass makes of an [`Asked`] question: means of states, `width` numbers each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JointReading {
    /// Of the question.
    pub question: Vec<f32>,
    /// By passage and part; `None` of a part that is behind what the model reads.
    pub passages: Vec<Vec<Option<Vec<f32>>>>,
}

/// What one pass makes of a [`Titled`] text.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedPassage {
    /// Of the whole.
    pub whole: Embedding,
    /// Of each of its parts, read within the whole (Günther et al., 2024); `None` of one that is behind
    /// what the model reads.
    pub parts: Vec<Option<Embedding>>,
}

/// A loaded encoder. Clones share one model.
#[derive(Clone)]
pub struct Encoder {
    loaded: Arc<Loaded>,
}

struct Loaded {
    model: Model,
    files: EncoderFiles,
    threads: usize,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Encoder({})", self.name())
    }
}

impl Encoder {
    /// Loads the model to run on two threads.
    ///
    /// # Errors
    /// [`EncoderError`] names the file at fault.
    pub fn load(files: &EncoderFiles) -> Result<Self, EncoderError> {
        Self::load_with_threads(files, 2)
    }

    /// Loads the model to run on `threads` threads: no more than there are physical cores.
    ///
    /// # Errors
    /// [`EncoderError`] names the file at fault.
    pub fn load_with_threads(files: &EncoderFiles, threads: usize) -> Result<Self, EncoderError> {
        let threads = threads.max(1);
        let runtime = load_runtime(&files.runtime)?;
        let options = options(&runtime, threads)?;
        let mut magic = Vec::new();
        std::fs::File::open(&files.model)
            .and_then(|file| file.take(e5::MAGIC.len() as u64).read_to_end(&mut magic))
            .map_err(|source| files::unreadable(&files.model, source))?;
        let model = if magic == e5::MAGIC {
            e5::load(&files.model, &options)?
        } else {
            gemma::load(&files.model, &options)?
        };
        Ok(Self {
            loaded: Arc::new(Loaded {
                model,
                files: files.clone(),
                threads,
            }),
        })
    }

    /// The published name of the model: what heads and indexes are made for.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.model().format.name
    }

    /// Numbers in every vector of this model.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.model().width
    }

    /// What the cosines of this model's embeddings mean.
    #[must_use]
    pub fn similarity(&self) -> Similarity {
        self.model().format.similarity
    }

    /// Its size, where a [`Branch`] can go on from it.
    fn shape(&self) -> Option<&e5::Shape> {
        self.model().shape.as_ref()
    }

    fn model(&self) -> &Model {
        &self.loaded.model
    }

    /// The number of attention heads in each of its layers, and what is added to a variance before a
    /// state is divided by its root.
    ///
    /// # Errors
    /// [`EncoderError::Fixed`] of an encoder that no [`Branch`] can go on from.
    pub fn layer_settings(&self) -> Result<(usize, f32), EncoderError> {
        let shape = self.shape().ok_or(EncoderError::Fixed(self.name()))?;
        Ok((shape.attention_heads, shape.epsilon))
    }

    /// The layers above [`BRANCHES_AT`], for a [`Branch`] to begin as. Reads the file anew.
    ///
    /// # Errors
    /// [`EncoderError::Fixed`] of an encoder that none can go on from, [`EncoderError`] of a file that
    /// is gone or damaged by now.
    pub fn upper_layers(&self) -> Result<Vec<Layer>, EncoderError> {
        self.shape().ok_or(EncoderError::Fixed(self.name()))?;
        e5::upper_layers(&self.loaded.files.model)
    }

    /// The words that the model knows as a whole, in small letters.
    #[must_use]
    pub fn vocabulary(&self) -> HashSet<String> {
        self.model().tokenizer.words()
    }

    /// Whether a message is read as a whole: of a longer one, the middle is left out.
    ///
    /// # Errors
    /// [`EncoderError::Tokens`].
    pub fn reads_all_of(&self, message: &str) -> Result<bool, EncoderError> {
        let format = self.model().format;
        let message = (format.prompted)(Role::Query, None, message);
        Ok(self.count_tokens(&message)? + MARKS <= format.most_tokens)
    }

    /// How many tokens `text` has, without the marks at its ends.
    ///
    /// # Errors
    /// [`EncoderError::Tokens`].
    pub fn count_tokens(&self, text: &str) -> Result<usize, EncoderError> {
        let tokens = self.model().tokenizer.tokens(text);
        Ok(tokens.map_err(EncoderError::Tokens)?.len())
    }

    /// The embedding of one text; the empty text has one, too.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn embed(&self, text: &str, role: Role) -> Result<Embedding, EncoderError> {
        only(self.embed_batch(&[text.to_owned()], role)?)
    }

    /// The embeddings of many texts, in their order.
    ///
    /// A vector may differ in the second decimal from [`Self::embed`]'s: models scale their integers by
    /// batch.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn embed_batch(
        &self,
        texts: &[String],
        role: Role,
    ) -> Result<Vec<Embedding>, EncoderError> {
        let prompted = self.model().format.prompted;
        let texts = texts.iter().map(|text| vec![prompted(role, None, text)]);
        let model = self.model();
        let last = model.read_behind.last().copied().unwrap_or_default();
        model.run_all(texts.collect(), &[last], |states, _| {
            model.pool(states.last().ok_or(NoDirection)?)
        })
    }

    /// The embeddings of many passages and of their parts, in their order, by one pass of each.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn embed_passages(
        &self,
        passages: &[Titled],
    ) -> Result<Vec<EmbeddedPassage>, EncoderError> {
        let model = self.model();
        let prompted = model.format.prompted;
        let segments = passages.iter().map(|passage| {
            let head = prompted(Role::Passage, passage.title.as_deref(), "");
            let mut parts = passage.parts.iter();
            let first = parts.next().map_or("", String::as_str);
            let more = parts.map(|part| format!("\n{part}"));
            // A space belongs to the word behind it.
            let first = [head.trim_end().to_owned(), format!(" {first}")];
            first.into_iter().chain(more).collect()
        });
        let last = model.read_behind.last().copied().unwrap_or_default();
        model.run_all(segments.collect(), &[last], |states, places| {
            let states = states.last().ok_or(NoDirection)?;
            let part = |place: &Range<usize>| {
                let own = states.get(place.start * model.width..place.end * model.width)?;
                model.pool(own).ok()
            };
            Ok(EmbeddedPassage {
                whole: model.pool(states)?,
                parts: places.iter().skip(1).map(part).collect(),
            })
        })
    }

    /// One pass over each question and the passages below it, in their order, no higher than a middle layer.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn read_jointly(&self, asked: &[Asked]) -> Result<Vec<JointReading>, EncoderError> {
        let model = self.model();
        let prompted = model.format.prompted;
        let segments = asked.iter().map(|asked| {
            let mut segments = vec![prompted(Role::Query, None, &asked.question)];
            for (number, passage) in asked.passages.iter().enumerate() {
                let title = passage.title.as_deref().unwrap_or_default();
                segments.push(match number {
                    0 => format!("\n{}", prompted(Role::Passage, None, title)),
                    _ => format!("\n{title}"),
                });
                segments.extend(passage.parts.iter().map(|part| format!("\n{part}")));
            }
            segments
        });
        let layers = [model.joint_layer];
        let read = model.run_all(segments.collect(), &layers, |states, places| {
            let states = states.first().ok_or(NoDirection)?;
            let mean = |place: &Range<usize>| {
                let own = states.get(place.start * model.width..place.end * model.width)?;
                (!own.is_empty()).then(|| mean_of_normalised(own, model.width))
            };
            Ok(places.iter().map(mean).collect::<Vec<_>>())
        })?;
        let by_passage = read.into_iter().zip(asked).map(|(segments, asked)| {
            let mut segments = segments.into_iter();
            let question = segments.next().flatten().unwrap_or_default();
            let own = |passage: &Titled| {
                let _title = segments.next();
                segments.by_ref().take(passage.parts.len()).collect()
            };
            JointReading {
                question,
                passages: asked.passages.iter().map(own).collect(),
            }
        });
        Ok(by_passage.collect())
    }

    /// One pass over a message, for a search and for [what else](Reading) it says.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn read(&self, message: &str) -> Result<Reading, EncoderError> {
        only(self.read_batch(&[message.to_owned()])?)
    }

    /// [`Self::read`] for many messages, in their order.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn read_batch(&self, messages: &[String]) -> Result<Vec<Reading>, EncoderError> {
        let model = self.model();
        let prompted = model.format.prompted;
        let texts = messages
            .iter()
            .map(|text| vec![prompted(Role::Query, None, text)]);
        model.run_all(texts.collect(), &model.read_behind, |states, _| {
            let (last, middle) = states.split_last().ok_or(NoDirection)?;
            let lower = middle.first().copied().unwrap_or_default();
            let middle = middle.iter().rev().map(|states| mean(states, model.width));
            Ok(Reading {
                embedding: model.pool(last)?,
                middle: middle.collect::<Result<_, _>>()?,
                lower: lower.into(),
            })
        })
    }
}

fn only<T>(mut results: Vec<T>) -> Result<T, EncoderError> {
    results
        .pop()
        .ok_or(EncoderError::Count { texts: 1, got: 0 })
}

impl Model {
    /// What `take` makes of each text's states behind `layers` and of the places of its segments. The
    /// texts are run in batches of like length, so that little of them is padding.
    fn run_all<T>(
        &self,
        texts: Vec<Vec<String>>,
        layers: &[usize],
        take: impl Fn(&[&[f32]], &[Range<usize>]) -> Result<T, NoDirection>,
    ) -> Result<Vec<T>, EncoderError> {
        let mut rows = Vec::with_capacity(texts.len());
        for (position, text) in texts.iter().enumerate() {
            let row = self.tokens(text).map_err(EncoderError::Tokens)?;
            rows.push((position, row));
        }
        rows.sort_by_key(|(_, row)| row.tokens.len());
        let mut results = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            let taken = self.run(batch, layers, &take)?;
            for ((position, _), result) in batch.iter().zip(taken) {
                results.push((*position, result?));
            }
        }
        results.sort_by_key(|(position, _)| *position);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// One run of the model.
    fn run<T>(
        &self,
        texts: &[(usize, Row)],
        layers: &[usize],
        take: impl Fn(&[&[f32]], &[Range<usize>]) -> T,
    ) -> Result<Vec<T>, EncoderError> {
        let lengths: Vec<usize> = texts.iter().map(|(_, row)| row.tokens.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or_default();
        let mut states = Vec::with_capacity(texts.len() * longest * self.width);
        for (at, (_, row)) in texts.iter().enumerate() {
            let looked_up = self.table.look_up(&row.tokens, &mut states);
            looked_up.map_err(EncoderError::Table)?;
            states.resize((at + 1) * longest * self.width, 0.0);
        }
        let states = run(&self.stages, states, &lengths, layers).map_err(EncoderError::Encode)?;
        let taken = texts.iter().enumerate().map(|(place, (_, row))| {
            let own = states.of_text(place, layers);
            take(&own, &row.places)
        });
        Ok(taken.collect())
    }

    /// The embedding of a text by its last states.
    fn pool(&self, states: &[f32]) -> Result<Embedding, NoDirection> {
        let sum = sum(states, self.width);
        let Some(projection) = &self.projection else {
            return Embedding::normalised(sum);
        };
        let rows = projection.chunks_exact(self.width);
        let product = |row: &[f32]| row.iter().zip(&sum).map(|(a, b)| a * b).sum();
        Embedding::normalised(rows.map(product).collect())
    }
}

/// The mean direction of states of `width` numbers.
fn mean(states: &[f32], width: usize) -> Result<Embedding, NoDirection> {
    Embedding::normalised(sum(states, width))
}

/// The mean of states of `width` numbers, each normalised by its root mean square first.
fn mean_of_normalised(states: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    let count = (states.len() / width.max(1)).max(1) as f32;
    for state in states.chunks_exact(width) {
        let square = state.iter().map(|value| value * value).sum::<f32>() / width as f32;
        let scale = 1.0 / ((square + f32::EPSILON).sqrt() * count);
        mean.iter_mut()
            .zip(state)
            .for_each(|(mean, value)| *mean += value * scale);
    }
    mean
}

fn sum(states: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for state in states.chunks_exact(width) {
        sum.iter_mut()
            .zip(state)
            .for_each(|(sum, value)| *sum += value);
    }
    sum
}
