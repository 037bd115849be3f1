//! The text encoder: a message or a passage becomes one [`Embedding`].
//!
//! A BERT model in ONNX (all-MiniLM-L6-v2, int8), mean-pooled, cut at [`MAX_TOKENS`] tokens. Every
//! call blocks for milliseconds: from async code, call it on a blocking thread. One session serves
//! all clones and calls take turns, because a session already uses all the threads it is given.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastembed::{
    InitOptionsUserDefined, Pooling, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel,
};
use parking_lot::Mutex;

use crate::embedding::{Embedding, NoDirection};

/// Words and pieces of words beyond this many are not read.
pub const MAX_TOKENS: usize = 256;

/// Texts in one run of the model. Larger batches take gigabytes of memory and are no faster.
const BATCH: usize = 8;

/// Where the encoder's files lie.
#[derive(Clone, Debug)]
pub struct EncoderFiles {
    /// The model, in ONNX.
    pub model: PathBuf,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// `config.json`.
    pub config: PathBuf,
    /// `special_tokens_map.json`.
    pub special_tokens_map: PathBuf,
    /// `tokenizer_config.json`.
    pub tokenizer_config: PathBuf,
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
    /// Model or tokenizer are damaged, or do not belong together.
    #[error("the encoder model cannot be loaded: {0}; run `make models` to check its files")]
    Model(#[source] fastembed::Error),
    /// The model failed on a text.
    #[error("the encoder failed: {0}")]
    Encode(#[source] fastembed::Error),
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

/// A loaded encoder. Clones share one model.
#[derive(Clone)]
pub struct Encoder {
    session: Arc<Mutex<TextEmbedding>>,
    dimension: usize,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Encoder({} dimensions)", self.dimension)
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
        load_runtime(&files.runtime)?;
        let tokenizer = TokenizerFiles {
            tokenizer_file: read(&files.tokenizer)?,
            config_file: read(&files.config)?,
            special_tokens_map_file: read(&files.special_tokens_map)?,
            tokenizer_config_file: read(&files.tokenizer_config)?,
        };
        let model = UserDefinedEmbeddingModel::new(read(&files.model)?, tokenizer)
            .with_pooling(Pooling::Mean);
        // The arena keeps the memory of the largest batch for ever. Threads spin within a run, which
        // makes it a third faster, and not between two of them, when the cores are the reply
        // model's.
        let cpu = ort::ep::CPU::default().with_arena_allocator(false).build();
        let options = InitOptionsUserDefined::new()
            .with_max_length(MAX_TOKENS)
            .with_intra_threads(threads.max(1))
            .with_execution_providers(vec![cpu])
            .with_session_config("session.force_spinning_stop", "1");
        let session = TextEmbedding::try_new_from_user_defined(model, options)
            .map_err(EncoderError::Model)?;
        let mut encoder = Self {
            session: Arc::new(Mutex::new(session)),
            dimension: 0,
        };
        encoder.dimension = encoder.embed("")?.dimension();
        Ok(encoder)
    }

    /// Numbers in every vector of this model.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The words that the model knows as a whole, in small letters.
    #[must_use]
    pub fn vocabulary(&self) -> HashSet<String> {
        let vocabulary = self.session.lock().tokenizer.get_vocab(false);
        let is_word = |token: &String| token.chars().all(char::is_alphabetic);
        vocabulary.into_keys().filter(is_word).collect()
    }

    /// The embedding of one text; the empty text has one, too.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn embed(&self, text: &str) -> Result<Embedding, EncoderError> {
        let mut vectors = self.run(&[text])?;
        vectors
            .pop()
            .ok_or(EncoderError::Count { texts: 1, got: 0 })
    }

    /// The embeddings of many texts, in their order.
    ///
    /// A vector may differ in the third decimal from [`Self::embed`]'s: the quantised model scales
    /// its numbers by batch.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn embed_batch(&self, texts: &[String]) -> Result<Vec<Embedding>, EncoderError> {
        // Texts of like length share a batch, so little of it is padding.
        let mut order: Vec<(usize, &str)> = texts.iter().map(String::as_str).enumerate().collect();
        order.sort_by_key(|(_, text)| text.len());
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in order.chunks(BATCH) {
            let batch_texts: Vec<&str> = batch.iter().map(|(_, text)| *text).collect();
            let positions = batch.iter().map(|(position, _)| *position);
            embeddings.extend(positions.zip(self.run(&batch_texts)?));
        }
        embeddings.sort_by_key(|(position, _)| *position);
        Ok(embeddings
            .into_iter()
            .map(|(_, embedding)| embedding)
            .collect())
    }

    fn run(&self, texts: &[&str]) -> Result<Vec<Embedding>, EncoderError> {
        let vectors = self
            .session
            .lock()
            .embed(texts, Some(BATCH))
            .map_err(EncoderError::Encode)?;
        if vectors.len() != texts.len() {
            return Err(EncoderError::Count {
                texts: texts.len(),
                got: vectors.len(),
            });
        }
        vectors
            .into_iter()
            .map(|vector| Ok(Embedding::normalised(vector)?))
            .collect()
    }
}

/// Loads the library before anything else asks for it: later, a missing one is a panic.
fn load_runtime(path: &Path) -> Result<(), EncoderError> {
    std::fs::File::open(path).map_err(|source| EncoderError::File {
        path: path.to_owned(),
        source,
    })?;
    ort::init_from(path)
        .map(drop)
        .map_err(|reason| EncoderError::Runtime {
            path: path.to_owned(),
            reason: reason.to_string(),
        })
}

fn read(path: &Path) -> Result<Vec<u8>, EncoderError> {
    std::fs::read(path).map_err(|source| EncoderError::File {
        path: path.to_owned(),
        source,
    })
}
