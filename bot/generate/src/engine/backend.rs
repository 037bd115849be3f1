//! What the scheduler needs of a model and its KV cache.

use llama_cpp_2::token::LlamaToken;

use super::slots::{Edit, SlotId};
use crate::{GenerateError, Sampling};

/// A token to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The token.
    pub(super) token: LlamaToken,
    /// The sequence it belongs to.
    pub(super) slot: SlotId,
    /// Its place there.
    pub(super) position: usize,
    /// Whether a token is to be sampled after it.
    pub(super) output: bool,
}

/// Why a batch was not computed.
#[derive(Debug)]
pub(super) enum ComputeError {
    /// The cache has no room for it; nothing has changed.
    NoRoom,
    /// A state cannot be copied; nothing has changed.
    NotKept,
    /// The model is in an unknown state.
    Failed(String),
}

/// A model and its cache. Every call blocks.
pub(super) trait Backend {
    /// Chooses the tokens of one reply.
    type Sampler;

    /// A sampler of that kind.
    ///
    /// # Errors
    /// [`GenerateError::Unsupported`] costs the request only.
    fn sampler(&self, sampling: &Sampling) -> Result<Self::Sampler, GenerateError>;
    /// Changes the cache. [`ComputeError::NotKept`] is an answer to [`Edit::Keep`] and
    /// [`Edit::Restore`] alone.
    fn edit(&mut self, edit: Edit) -> Result<(), ComputeError>;
    /// Computes a batch, not empty, filled up to `size` tokens with such as belong to nobody, if there is room.
    fn compute(&mut self, batch: &[Entry], size: usize) -> Result<(), ComputeError>;
    /// The token after the entry at `index` of the last batch.
    fn sample(&mut self, index: usize, sampler: &mut Self::Sampler) -> Chosen;
}

/// A token, and its text: `None` when it ends the reply. Else why none can be chosen, as part of a
/// sentence, which costs this reply only.
pub(super) type Chosen = Result<(LlamaToken, Option<Vec<u8>>), String>;
