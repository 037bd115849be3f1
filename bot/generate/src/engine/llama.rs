//! llama.cpp behind the [`Backend`] of the scheduler: loading a model, and one context over it.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::OnceLock;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::{DecodeError, LlamaCppError, LogOptions, send_logs_to_tracing};

use super::EngineConfig;
use super::logs::capture;
use super::plan::PROMPT_ALONE;
use super::scheduler::{Backend, ComputeError, Entry};
use super::slots::{Edit, Reuse, SlotId};

/// Sampling keeps the 40 likeliest tokens, and of them the likeliest that make up 95 %.
const TOP_K: i32 = 40;
const TOP_P: f32 = 0.95;

/// One per process, never freed: engines may be started again and again.
static BACKEND: OnceLock<Result<LlamaBackend, LlamaCppError>> = OnceLock::new();

fn backend() -> Result<&'static LlamaBackend, String> {
    let backend = BACKEND.get_or_init(|| {
        send_logs_to_tracing(LogOptions::default());
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
    let mut params = LlamaModelParams::default();
    if let Some(layers) = config.gpu_layers {
        params = params.with_n_gpu_layers(layers);
    }
    let (model, complaints) =
        capture(|| LlamaModel::load_from_file(backend, &config.model, &params));
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

/// Whether `model`'s cache can be cut.
pub(super) fn reuse(model: &LlamaModel) -> Reuse {
    if model.is_recurrent() || model.is_hybrid() {
        Reuse::Nothing
    } else {
        Reuse::Prefixes
    }
}

/// A context with its batch.
pub(super) struct Llama<'model> {
    model: &'model LlamaModel,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
}

impl<'model> Llama<'model> {
    /// A context over `model` as `config` wants it.
    pub(super) fn new(model: &'model LlamaModel, config: &EngineConfig) -> Result<Self, String> {
        let threads = i32::try_from(config.threads.unwrap_or_else(physical_cores)).unwrap_or(1);
        // A batch is the whole prompt budget, or the smaller one and a token of each slot.
        let batch = PROMPT_ALONE;
        let batch_tokens = u32::try_from(batch).unwrap_or(u32::MAX);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(config.context_tokens))
            .with_n_batch(batch_tokens)
            .with_n_ubatch(batch_tokens)
            .with_n_seq_max(config.slots.into())
            .with_kv_unified(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
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
            context,
            batch: LlamaBatch::new(batch, 1),
        })
    }

    /// Cells of the cache.
    pub(super) fn capacity(&self) -> usize {
        cells(self.context.n_ctx())
    }

    fn fill(&mut self, entries: &[Entry]) -> Result<(), String> {
        self.batch.clear();
        for entry in entries {
            let position = i32::try_from(entry.position).map_err(|error| error.to_string())?;
            let sequences = [i32::from(entry.slot.sequence())];
            self.batch
                .add(entry.token, position, &sequences, entry.output)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Backend for Llama<'_> {
    type Sampler = LlamaSampler;

    fn sampler(&self, seed: u32, temperature: f32) -> LlamaSampler {
        if temperature > 0.0 {
            let steps = [
                LlamaSampler::top_k(TOP_K),
                LlamaSampler::top_p(TOP_P, 1),
                LlamaSampler::temp(temperature),
                LlamaSampler::dist(seed),
            ];
            LlamaSampler::chain(steps, true)
        } else {
            LlamaSampler::greedy()
        }
    }

    fn edit(&mut self, edit: Edit) -> Result<(), ComputeError> {
        let done = match edit {
            Edit::Truncate { slot, len } => {
                let sequence = Some(u32::from(slot.sequence()));
                self.context
                    .clear_kv_cache_seq(sequence, Some(position(len)), None)
            }
            Edit::Share { from, to, len } => {
                let sequence = |slot: SlotId| i32::from(slot.sequence());
                let (from, to, len) = (sequence(from), sequence(to), position(len));
                self.context
                    .copy_kv_cache_seq(from, to, Some(0), Some(len))
                    .map(|()| true)
            }
        };
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(ComputeError::Failed("its cache cannot be cut".to_owned())),
            Err(error) => Err(ComputeError::Failed(error.to_string())),
        }
    }

    fn compute(&mut self, entries: &[Entry]) -> Result<(), ComputeError> {
        self.fill(entries).map_err(ComputeError::Failed)?;
        match self.context.decode(&mut self.batch) {
            Ok(()) => Ok(()),
            Err(DecodeError::NoKvCacheSlot) => Err(ComputeError::NoRoom),
            Err(error @ (DecodeError::NTokensZero | DecodeError::Unknown(_))) => {
                Err(ComputeError::Failed(error.to_string()))
            }
        }
    }

    fn sample(
        &mut self,
        index: usize,
        sampler: &mut LlamaSampler,
    ) -> (LlamaToken, Option<Vec<u8>>) {
        let token = sampler.sample(&self.context, i32::try_from(index).unwrap_or(i32::MAX));
        let vocab = self.model.vocab();
        let text = (!vocab.is_eog(token)).then(|| vocab.token_to_piece(token, false, None));
        (token, text)
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

/// Cores that this process may use. Hyper-threads slow a model down: it waits for memory.
fn physical_cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    num_cpus::get_physical().clamp(1, allowed)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_of_another_kind_is_named_as_such() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let empty = check_magic(file.path()).unwrap_err();
        assert!(empty.contains("not a GGUF file"), "{empty}");
        file.write_all(b"PK\x03\x04 and more").unwrap();
        let zip = check_magic(file.path()).unwrap_err();
        assert!(zip.contains("not a GGUF file; convert"), "{zip}");
    }

    #[test]
    fn only_cores_that_exist_are_used() {
        let allowed = std::thread::available_parallelism().map_or(1, usize::from);
        assert!((1..=allowed).contains(&physical_cores()));
    }
}
