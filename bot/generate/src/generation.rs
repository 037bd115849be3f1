//! A reply as it arrives: a stream of [`Chunk`]s.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::GenerateError;

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended it, or a stop string came.
    Stop,
    /// `max_tokens` reached.
    Length,
    /// The request's deadline passed.
    Deadline,
}

/// What a reply cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of those, found in the KV cache.
    pub reused_tokens: usize,
    /// Of those again, brought back from host memory.
    pub restored_tokens: usize,
    /// Tokens written.
    pub output_tokens: usize,
    /// Tokens guessed ahead and verified.
    pub drafted_tokens: usize,
    /// Of those, right.
    pub accepted_tokens: usize,
    /// Time in the queue.
    pub queued: Duration,
    /// Time from leaving the queue to the first token.
    pub prefill: Duration,
    /// Time from the first token to the last.
    pub decode: Duration,
}

/// A piece of a streamed reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// Text, whole UTF-8 characters.
    Text(String),
    /// The end; nothing follows.
    Done {
        /// Why.
        finish: Finish,
        /// What it cost.
        usage: Usage,
    },
}

/// What a reply has cost so far: kept by who writes it, read by who may have enough before its end.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Usage>>);

impl Meter {
    /// Notes what it has cost.
    pub fn set(&self, usage: Usage) {
        *self.0.lock() = usage;
    }

    /// What it has cost.
    pub fn read(&self) -> Usage {
        *self.0.lock()
    }
}

/// A reply being written. Dropping it cancels the rest.
#[derive(Debug)]
pub struct Generation {
    chunks: mpsc::Receiver<Result<Chunk, GenerateError>>,
    meter: Meter,
}

impl Generation {
    /// A generation fed through `chunks`, whose cost `meter` tells.
    pub fn new(chunks: mpsc::Receiver<Result<Chunk, GenerateError>>, meter: Meter) -> Self {
        Self { chunks, meter }
    }

    /// What it has cost so far, for readers who leave before [`Chunk::Done`].
    pub fn usage(&self) -> Usage {
        self.meter.read()
    }

    /// The next chunk; `None` after [`Chunk::Done`] or an error.
    ///
    /// # Cancel safety
    /// A chunk is never lost when this future is dropped.
    pub async fn next(&mut self) -> Option<Result<Chunk, GenerateError>> {
        self.chunks.recv().await
    }
}
