//! Text generation: from a prompt to a streamed reply.
//!
//! [`Generator`] is the interface. The llama.cpp [`Engine`] on this machine and the
//! OpenAI-compatible [`Remote`] implement it, and [`Scripted`] does in tests. A [`Generation`] is a
//! stream of [`Chunk`]s; dropping it cancels the request.

mod engine;
mod generation;
mod meters;
mod remote;
mod request;
mod scripted;
mod silent;
mod text;

use std::time::Duration;

use async_trait::async_trait;

pub use engine::{
    CacheType, Engine, EngineConfig, EngineStats, FlashAttention, LEAST_CONTEXT_TOKENS, MOST_SLOTS,
    STEP_TOKENS,
};
pub use generation::{Chunk, Finish, Generation, Meter, Usage};
pub use remote::{ApiKey, Remote, RemoteConfig};
pub use request::{Form, PromptMessage, Request, Role, Sampling};
pub use scripted::{Script, Scripted};
pub use silent::Silent;

/// Why nothing, or nothing more, is written. The text is fit for a log and for an operator.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The queue is full: try again later.
    #[error("the language model is busy, {waiting} requests are waiting; try again later")]
    Busy {
        /// Requests in the queue.
        waiting: usize,
    },
    /// The prompt and its reply do not fit into the context.
    #[error(
        "the prompt has {tokens} tokens and {max_tokens} may be written, the context holds {limit}"
    )]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens asked for.
        max_tokens: usize,
        /// Tokens that one request may use.
        limit: usize,
    },
    /// The request cannot be carried out by this model.
    #[error("the language model cannot do what is asked: {reason}")]
    Unsupported {
        /// What, and why.
        reason: String,
    },
    /// The deadline passed while the request waited.
    #[error("the language model was too busy to begin in time")]
    TooLate,
    /// The engine's thread has ended.
    #[error("the language model has stopped; restart the server")]
    Stopped,
    /// The model file cannot be used.
    #[error("{path} cannot be loaded as a language model: {reason}")]
    Load {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// The backend failed.
    #[error("the language model failed: {reason}")]
    Backend {
        /// Why.
        reason: String,
        /// Cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl GenerateError {
    /// A failure of the backend that has no cause beside its own words.
    pub(crate) fn backend(reason: impl Into<String>) -> Self {
        Self::Backend {
            reason: reason.into(),
            source: None,
        }
    }
}

/// What writes replies.
#[async_trait]
pub trait Generator: Send + Sync {
    /// Queues `request`.
    ///
    /// # Errors
    /// [`GenerateError::Busy`] at once when the queue is full, [`GenerateError::TooLong`] before any
    /// work, [`GenerateError::Stopped`] or [`GenerateError::Backend`] when there is no model.
    async fn generate(&self, request: Request) -> Result<Generation, GenerateError>;

    /// The next prompt of `conversation` will begin with `beginning`: what computes on this machine
    /// reads it while nobody waits. What comes of it shows in [`Usage::reused_tokens`] alone.
    async fn read_ahead(&self, _conversation: u64, _beginning: Vec<PromptMessage>) {}

    /// Name and version of the model, as outcomes record it.
    fn model(&self) -> &str;

    /// Requests waiting for a place.
    fn waiting(&self) -> usize;

    /// About how long a new request waits for its first word; zero where that is not known, or nobody is
    /// before it.
    fn wait(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether it can serve.
    fn healthy(&self) -> bool;
}
