//! The scheduler's [`Backend`] on llama.cpp: loads a model and drives one context over it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::{
    DecodeError, LlamaCppError, LlamaStateSeqFlags, LogOptions, SeqState, send_logs_to_tracing,
};

use super::backend::{Backend, Chosen, ComputeError, Entry};
use super::chooser::{Chooser, Choosing};
#[cfg(feature = "libraries")]
use super::libraries;
use super::logs::capture;
use super::memory;
use super::pace::Pace;
use super::shelf::{KeptId, Shelving};
use super::sizes::Sizes;
use super::slots::{Edit, Reuse, SlotId};
use super::{CacheType, EngineConfig, FlashAttention};
use crate::{GenerateError, Sampling};

/// One per process, never freed: engines may be started again and again.
static BACKEND: OnceLock<Result<LlamaBackend, LlamaCppError>> = OnceLock::new();

fn backend() -> Result<&'static LlamaBackend, String> {
    let backend = BACKEND.get_or_init(|| {
        send_logs_to_tracing(LogOptions::default());
        memory::return_large_blocks();
        #[cfg(feature = "libraries")]
        libraries::load();
        LlamaBackend::init()
    });
    backend
        .as_ref()
        .map_err(|error| format!("llama.cpp cannot be started: {error}"))
}

/// Reads the model of `config`.
///
/// # Errors
/// What is wrong with the file, as part of a sentence.
pub(super) fn load(config: &EngineConfig) -> Result<LlamaModel, String> {
    check_magic(&config.model)?;
    let backend = backend()?;
    // A processor's kernels want most weights in another order and copy them: a mapped file would stay in
    // memory beside that.
    let mut params = LlamaModelParams::default().with_use_mmap(false);
    if let Some(layers) = config.gpu_layers {
        params = params.with_n_gpu_layers(layers);
    }
    let (model, complaints) =
        capture(|| LlamaModel::load_from_file(backend, &config.model, &params));
    memory::return_free_blocks();
    model.map_err(|error| {
        complaints
            .into_iter()
            .next()
            .unwrap_or_else(|| error.to_string())
    })
}

/// llama.cpp's own words for a file of another kind are hard to understand.
fn check_magic(path: &Path) -> Result<(), String> {
    let mut magic = [0; 4];
    let file = File::open(path).map_err(|error| format!("it cannot be opened ({error})"))?;
    let mut beginning = file.take(4);
    match beginning.read_exact(&mut magic) {
        Ok(()) if &magic == b"GGUF" => Ok(()),
        Ok(()) => Err("it is not a GGUF file; convert the model or download its GGUF".to_owned()),
        Err(error) => Err(format!(
            "it is not a GGUF file ({error}); download it again"
        )),
    }
}

/// Whether `model`'s cache can be cut. A sliding window drops what lies outside of it, so that what was
/// computed cannot be gone back to.
pub(super) fn reuse(model: &LlamaModel) -> Reuse {
    let has_window = about(model, "attention.sliding_window").is_some_and(|window| window > 0);
    if model.is_recurrent() || model.is_hybrid() || has_window {
        Reuse::Nothing
    } else {
        Reuse::Prefixes
    }
}

/// A number that the model's file tells of its architecture.
pub(super) fn about(model: &LlamaModel, key: &str) -> Option<usize> {
    let architecture = model.meta_val_str("general.architecture").ok()?;
    let value = model.meta_val_str(&format!("{architecture}.{key}")).ok()?;
    value.parse().ok()
}

/// Tokens by which the copying of states is measured.
const COPIED: usize = 64;

/// A context with its batch.
pub(super) struct Llama<'model> {
    model: &'model LlamaModel,
    choosing: Choosing<'model>,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    /// Whose tokens fill steps up.
    nobody: u16,
    /// States of sequences that were given up.
    kept: HashMap<KeptId, SeqState>,
}

impl<'model> Llama<'model> {
    /// A context of `sizes` over `model`, as `config` wants it.
    pub(super) fn new(
        model: &'model LlamaModel,
        config: &EngineConfig,
        sizes: Sizes,
    ) -> Result<Self, String> {
        let threads = i32::try_from(config.threads()).unwrap_or(1);
        let batch_tokens = u32::try_from(sizes.step_tokens).unwrap_or(u32::MAX);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(sizes.context_tokens))
            .with_n_batch(batch_tokens)
            .with_n_ubatch(batch_tokens)
            .with_n_seq_max(u32::from(sizes.slots) + 1)
            .with_kv_unified(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_type_k(config.cache_type.into())
            .with_type_v(config.cache_type.into())
            .with_flash_attention_policy(config.flash_attention.policy())
            .with_no_perf(true);
        let backend = backend()?;
        let (context, complaints) = capture(|| model.new_context(backend, params));
        let context = context.map_err(|error| {
            let reason = complaints
                .into_iter()
                .next()
                .unwrap_or_else(|| error.to_string());
            format!("there is no room for its context ({reason}); set fewer context tokens")
        })?;
        Ok(Self {
            model,
            choosing: Choosing::new(model),
            context,
            batch: LlamaBatch::new(sizes.step_tokens, 1),
            nobody: sizes.slots,
            kept: HashMap::new(),
        })
    }

    /// What states of `budget` bytes hold, and when they pay on this machine, whose `pace` is known.
    /// Tried on `slot`, which is left empty.
    pub(super) fn shelving(
        &mut self,
        slot: SlotId,
        budget: usize,
        pace: &Pace,
    ) -> Result<Shelving, ComputeError> {
        let entry = |position| Entry {
            token: LlamaToken::new(0),
            slot,
            position,
            output: false,
        };
        let batch: Vec<_> = (0..COPIED).map(entry).collect();
        self.compute(&batch, COPIED)?;
        let begun = Instant::now();
        let sequence = i32::from(slot.sequence());
        let state = self
            .context
            .state_seq_get(sequence, LlamaStateSeqFlags::empty());
        let truncate = Edit::Truncate { slot, len: 0 };
        self.edit(truncate)?;
        let Ok(state) = state else {
            return Ok(Shelving::NONE);
        };
        let restored = self.context.state_seq_set(&state, sequence);
        let seconds = begun.elapsed().as_secs_f64();
        self.edit(truncate)?;
        if restored.is_err() {
            return Ok(Shelving::NONE);
        }
        let each = state.byte_len().div_ceil(COPIED).max(1);
        Ok(Shelving {
            tokens: budget / each,
            least: COPIED,
            bytes: each,
            cost: (seconds / pace.step(COPIED)).min(1.0),
        })
    }

    /// Cells of the cache.
    pub(super) fn capacity(&self) -> usize {
        cells(self.context.n_ctx())
    }

    /// Computes `entries` and as many tokens of nobody's as make `size`.
    fn decode(&mut self, entries: &[Entry], size: usize) -> Result<(), ComputeError> {
        self.batch.clear();
        let ours = entries.iter().map(|entry| {
            let sequence = entry.slot.sequence();
            (entry.token, entry.position, sequence, entry.output)
        });
        let filling = 0..size.saturating_sub(entries.len());
        let filling = filling.map(|place| (LlamaToken::new(0), place, self.nobody, false));
        for (token, place, sequence, output) in ours.chain(filling) {
            let place = i32::try_from(place).unwrap_or(i32::MAX);
            self.batch
                .add(token, place, &[sequence.into()], output)
                .map_err(|error| ComputeError::Failed(error.to_string()))?;
        }
        self.context
            .decode(&mut self.batch)
            .map_err(|error| match error {
                DecodeError::NoKvCacheSlot => ComputeError::NoRoom,
                error @ (DecodeError::NTokensZero | DecodeError::Unknown(_)) => {
                    ComputeError::Failed(error.to_string())
                }
            })?;
        // A graphics card goes on computing; what steps cost is wanted.
        self.context.synchronize();
        Ok(())
    }
}

impl Backend for Llama<'_> {
    type Sampler = Chooser;

    fn sampler(&self, sampling: &Sampling) -> Result<Chooser, GenerateError> {
        self.choosing.chooser(sampling)
    }

    fn edit(&mut self, edit: Edit) -> Result<(), ComputeError> {
        let sequence = |slot: SlotId| i32::from(slot.sequence());
        let done = match edit {
            Edit::Truncate { slot, len } => {
                let sequence = Some(u32::from(slot.sequence()));
                self.context
                    .clear_kv_cache_seq(sequence, Some(position(len)), None)
            }
            Edit::Share { from, to, len } => {
                let (from, to, len) = (sequence(from), sequence(to), position(len));
                self.context
                    .copy_kv_cache_seq(from, to, Some(0), Some(len))
                    .map(|()| true)
            }
            Edit::Keep { slot, kept } => {
                let flags = LlamaStateSeqFlags::empty();
                let state = self.context.state_seq_get(sequence(slot), flags);
                let state = state.map_err(|_| ComputeError::NotKept)?;
                self.kept.insert(kept, state);
                Ok(true)
            }
            Edit::Restore { kept, slot } => {
                let state = self.kept.get(&kept).ok_or(ComputeError::NotKept)?;
                let restored = self.context.state_seq_set(state, sequence(slot));
                restored.map_err(|_| ComputeError::NotKept)?;
                Ok(true)
            }
            Edit::Forget { kept } => {
                self.kept.remove(&kept);
                Ok(true)
            }
        };
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(ComputeError::Failed("its cache cannot be cut".to_owned())),
            Err(error) => Err(ComputeError::Failed(error.to_string())),
        }
    }

    fn compute(&mut self, entries: &[Entry], size: usize) -> Result<(), ComputeError> {
        if size <= entries.len() {
            return self.decode(entries, entries.len());
        }
        match self.decode(entries, size) {
            // Perhaps there is room without what fills it up.
            Err(ComputeError::NoRoom) => self.decode(entries, entries.len()),
            Err(error) => Err(error),
            Ok(()) => {
                let nobody = Some(self.nobody.into());
                let cleared = self.context.clear_kv_cache_seq(nobody, None, None);
                cleared.map_err(|error| ComputeError::Failed(error.to_string()))?;
                Ok(())
            }
        }
    }

    fn sample(&mut self, index: usize, chooser: &mut Chooser) -> Chosen {
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        let token = chooser.choose(&self.context, index)?;
        let vocab = self.model.vocab();
        let text = (!vocab.is_eog(token)).then(|| vocab.token_to_piece(token, false, None));
        Ok((token, text))
    }
}

impl From<CacheType> for KvCacheType {
    fn from(cache: CacheType) -> Self {
        match cache {
            CacheType::F16 => Self::F16,
            CacheType::Q8_0 => Self::Q8_0,
        }
    }
}

impl FlashAttention {
    /// Its number in llama.cpp.
    fn policy(self) -> i32 {
        match self {
            Self::Auto => -1,
            Self::Off => 0,
            Self::On => 1,
        }
    }
}

/// `len` as llama.cpp counts; the context is far smaller than this type.
fn position(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A number of llama.cpp's as a size.
pub(super) fn cells(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "../../tests/engine/model.rs"]
mod model;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::model::model;
    use super::*;

    /// What follows a text of which nobody doubts how it goes on, computed in steps that are filled up with so
    /// many tokens.
    fn follows(filling: usize) -> Vec<u8> {
        let config = EngineConfig::new(model(), "smollm2");
        let loaded = load(&config).unwrap();
        let sizes = Sizes {
            slots: 1,
            context_tokens: 512,
            step_tokens: 64,
        };
        let mut llama = Llama::new(&loaded, &config, sizes).unwrap();
        let text = b"one two three four five six seven eight";
        let text = loaded.vocab().tokenize(text, false, false);
        for (position, token) in text.into_iter().enumerate() {
            let entry = Entry {
                token,
                slot: SlotId::FIRST,
                position,
                output: true,
            };
            llama.compute(&[entry], 1 + filling).unwrap();
            let left = llama.context.kv_cache_seq_pos_max(llama.nobody.into());
            assert_eq!(left, -1, "it is forgotten");
        }
        let mut chooser = llama.sampler(&Sampling::default()).unwrap();
        let (_, next) = llama.sample(0, &mut chooser).unwrap();
        next.unwrap()
    }

    #[test]
    fn what_fills_a_step_up_is_forgotten_and_changes_nothing() {
        for filling in [0, 7] {
            assert_eq!(follows(filling), b" nine", "filled up with {filling}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_named_as_such() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let empty = check_magic(file.path()).unwrap_err();
        assert!(empty.contains("not a GGUF file"), "{empty}");
        file.write_all(b"PK\x03\x04 and more").unwrap();
        let zip = check_magic(file.path()).unwrap_err();
        assert!(zip.contains("not a GGUF file; convert"), "{zip}");
    }
}
