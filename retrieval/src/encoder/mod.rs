//! The text encoder: a message or a passage becomes one [`Embedding`].
//!
//! multilingual-e5-small (Wang et al., 2024): twelve layers, 384 numbers, a hundred languages,
//! mean-pooled, cut at [`MAX_TOKENS`] tokens. It was trained on pairs of a query and a passage, and
//! wants to be told which of them a text is. Every call blocks for milliseconds: from async code,
//! call it on a blocking thread. One session serves all clones and calls take turns, because a
//! session already uses all the threads it is given.

mod branch;
mod graph;
mod layer;
mod tokens;
mod weights;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use parking_lot::Mutex;

use crate::embedding::{Embedding, NoDirection};
use tokens::Tokens;
use weights::{Shape, Table, Weights};

pub use branch::{BRANCHES_AT, Branch};
pub use layer::{Layer, Linear, Norm};
pub use weights::Damage;

/// Words and pieces of words beyond this many are not read.
pub const MAX_TOKENS: usize = 256;

/// Layers whose states a [`Reading`] has beside the last: what a sentence feels like is plainer
/// there than behind the last one, which was trained to tell topics apart.
const MIDDLE_LAYERS: [usize; 2] = [BRANCHES_AT, 10];

/// Texts in one run of the model. Larger batches take gigabytes of memory and are no faster.
const BATCH: usize = 8;

/// Where the encoder's files lie.
#[derive(Clone, Debug)]
pub struct EncoderFiles {
    /// The model and its tokenizer, in one file of the format E5S1.
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
    Model(#[source] ort::Error),
    /// Layers are no branch of this encoder.
    #[error("the tuned layers do not fit the encoder; train them anew with `frontdesk train`")]
    Branch,
    /// The model failed on a text.
    #[error("the encoder failed: {0}")]
    Encode(#[source] ort::Error),
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

/// What a text is to a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What somebody asks or says.
    Query,
    /// What may answer it.
    Passage,
}

impl Role {
    /// What the model was trained to see in front of such a text.
    fn prefix(self) -> &'static str {
        match self {
            Self::Query => "query: ",
            Self::Passage => "passage: ",
        }
    }
}

/// What one pass makes of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The message as a query.
    pub embedding: Embedding,
    /// Mean states behind the middle layers, nearest to the last first.
    pub middle: Vec<Embedding>,
    /// The states behind layer [`BRANCHES_AT`], `tokens x width`.
    pub lower: Arc<[f32]>,
}

/// A loaded encoder. Clones share one model.
#[derive(Clone)]
pub struct Encoder {
    model: Arc<Loaded>,
}

struct Loaded {
    session: Mutex<Session>,
    tokens: Tokens,
    table: Table,
    shape: Shape,
    files: EncoderFiles,
    threads: usize,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Encoder({} dimensions)", self.model.shape.width)
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
        let weights = read_weights(files)?;
        let layers = weights.shape.layers;
        let outputs: Vec<usize> = MIDDLE_LAYERS.into_iter().chain([layers]).collect();
        let norm = Some(&weights.embedding_norm);
        let session = session_options(&runtime, threads).and_then(|options| {
            graph::session(
                &weights.shape,
                norm,
                (0, &weights.layers),
                &outputs,
                &options,
            )
        });
        Ok(Self {
            model: Arc::new(Loaded {
                session: Mutex::new(session.map_err(EncoderError::Model)?),
                shape: weights.shape,
                table: weights.table,
                files: files.clone(),
                threads,
                tokens: Tokens::new(weights.vocabulary).map_err(EncoderError::Tokens)?,
            }),
        })
    }

    /// Numbers in every vector of this model.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.model.shape.width
    }

    /// The number of attention heads in each of its layers.
    #[must_use]
    pub fn attention_heads(&self) -> usize {
        self.model.shape.attention_heads
    }

    /// What is added to a variance before a state is divided by its root.
    #[must_use]
    pub fn epsilon(&self) -> f32 {
        self.model.shape.epsilon
    }

    /// The layers above [`BRANCHES_AT`], for a [`Branch`] to begin as. Reads the file anew.
    ///
    /// # Errors
    /// [`EncoderError`] of a file that is gone or damaged by now.
    pub fn upper_layers(&self) -> Result<Vec<Layer>, EncoderError> {
        let mut layers = read_weights(&self.model.files)?.layers;
        Ok(layers.split_off(BRANCHES_AT.min(layers.len())))
    }

    /// The words that the model knows as a whole, in small letters.
    #[must_use]
    pub fn vocabulary(&self) -> HashSet<String> {
        self.model.tokens.words()
    }

    /// How many tokens `text` has, without the marks at its ends.
    ///
    /// # Errors
    /// [`EncoderError::Tokens`].
    pub fn count_tokens(&self, text: &str) -> Result<usize, EncoderError> {
        const MARKS: usize = 2;
        let tokens = self.model.tokens.of(text, usize::MAX);
        Ok(tokens.map_err(EncoderError::Tokens)?.len() - MARKS)
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
    /// A vector may differ in the second decimal from [`Self::embed`]'s: the model scales its
    /// integers by batch.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn embed_batch(
        &self,
        texts: &[String],
        role: Role,
    ) -> Result<Vec<Embedding>, EncoderError> {
        let model = &self.model;
        model.run_all(texts, role, &[model.shape.layers], |states| {
            model.mean(states.last().ok_or(NoDirection)?)
        })
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
        let model = &self.model;
        let mut layers: Vec<usize> = MIDDLE_LAYERS.to_vec();
        layers.push(model.shape.layers);
        model.run_all(messages, Role::Query, &layers, |states| {
            let (last, middle) = states.split_last().ok_or(NoDirection)?;
            let lower = middle.first().copied().ok_or(NoDirection)?;
            let middle = middle.iter().rev().map(|states| model.mean(states));
            Ok(Reading {
                embedding: model.mean(last)?,
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

impl Loaded {
    /// What `take` makes of each text's states behind `layers`. The texts are run in batches of
    /// like length, so that little of them is padding.
    fn run_all<T>(
        &self,
        texts: &[String],
        role: Role,
        layers: &[usize],
        take: impl Fn(&[&[f32]]) -> Result<T, NoDirection>,
    ) -> Result<Vec<T>, EncoderError> {
        let mut order: Vec<(usize, &str)> = texts.iter().map(String::as_str).enumerate().collect();
        order.sort_by_key(|(_, text)| text.len());
        let mut results = Vec::with_capacity(texts.len());
        for batch in order.chunks(BATCH) {
            let rows: Vec<Vec<u32>> = batch
                .iter()
                .map(|(_, text)| {
                    let text = format!("{}{text}", role.prefix());
                    self.tokens.of(&text, MAX_TOKENS)
                })
                .collect::<Result<_, _>>()
                .map_err(EncoderError::Tokens)?;
            let taken = self
                .run(&rows, layers, &take)
                .map_err(EncoderError::Encode)?;
            for ((position, _), result) in batch.iter().zip(taken) {
                results.push((*position, result?));
            }
        }
        results.sort_by_key(|(position, _)| *position);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// One run of the model over texts in tokens.
    fn run<T>(
        &self,
        texts: &[Vec<u32>],
        layers: &[usize],
        take: impl Fn(&[&[f32]]) -> T,
    ) -> ort::Result<Vec<T>> {
        let longest = texts.iter().map(Vec::len).max().unwrap_or_default();
        let mut states = Vec::with_capacity(texts.len() * longest * self.shape.width);
        for (row, tokens) in texts.iter().enumerate() {
            self.table.look_up(tokens, &mut states);
            states.resize((row + 1) * longest * self.shape.width, 0.0);
        }
        let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        let mut session = self.session.lock();
        graph::run(&mut session, states, &lengths, layers, take)
    }

    /// The mean of a text's states.
    fn mean(&self, states: &[f32]) -> Result<Embedding, NoDirection> {
        mean(states, self.shape.width)
    }
}

/// The mean direction of states of `width` numbers.
fn mean(states: &[f32], width: usize) -> Result<Embedding, NoDirection> {
    let mut sum = vec![0.0; width];
    for state in states.chunks_exact(width) {
        sum.iter_mut()
            .zip(state)
            .for_each(|(sum, value)| *sum += value);
    }
    Embedding::normalised(sum)
}

/// The arena keeps the memory of the largest batch for ever. Threads spin within a run, which makes
/// it a third faster, and not between two of them, when the cores are the reply model's.
fn session_options(runtime: &Environment, threads: usize) -> ort::Result<SessionBuilder> {
    let cpu = ort::ep::CPU::default().with_arena_allocator(false).build();
    Ok(SessionBuilder::new(runtime)?
        .with_intra_threads(threads)?
        .with_execution_providers([cpu])?
        .with_config_entry("session.force_spinning_stop", "1")?)
}

/// Loads the library, once in a process, before anything else asks for it: later, a missing one is
/// a panic.
fn load_runtime(path: &Path) -> Result<Environment, EncoderError> {
    static LOADED: Mutex<Option<Environment>> = Mutex::new(None);
    std::fs::File::open(path).map_err(|source| EncoderError::File {
        path: path.to_owned(),
        source,
    })?;
    let unusable = |reason: String| EncoderError::Runtime {
        path: path.to_owned(),
        reason,
    };
    let mut loaded = LOADED.lock();
    if let Some(runtime) = &*loaded {
        return Ok(runtime.clone());
    }
    let builder = ort::init_from(path).map_err(|reason| unusable(reason.to_string()))?;
    let runtime = builder.build();
    let runtime = runtime.map_err(|reason| unusable(reason.to_string()))?;
    *loaded = Some(runtime.clone());
    Ok(runtime)
}

fn read_weights(files: &EncoderFiles) -> Result<Weights, EncoderError> {
    Weights::parse(read(&files.model)?.into()).map_err(|damage| EncoderError::Damaged {
        path: files.model.clone(),
        damage,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, EncoderError> {
    std::fs::read(path).map_err(|source| EncoderError::File {
        path: path.to_owned(),
        source,
    })
}
