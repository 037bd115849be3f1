//! llama.cpp on this machine: one thread owns a model and its context and writes several replies at
//! once. This module is the handle; `scheduler` is the thread, `slots` its KV cache, `llama` the
//! model.

mod ahead;
mod backend;
mod chooser;
mod devices;
mod draft;
mod fair;
#[cfg(feature = "libraries")]
mod libraries;
mod llama;
mod load;
mod logs;
mod lookup;
mod memory;
mod pace;
mod plan;
mod prompt;
mod reply;
mod scheduler;
mod shelf;
mod sizes;
mod slots;
mod writing;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::Semaphore;

use self::ahead::Beginning;
use self::backend::ComputeError;
use self::llama::Llama;
use self::load::Board;
use self::pace::Pace;
use self::prompt::{Ending, Prompts};
use self::reply::Reply;
use self::scheduler::{Call, Scheduler, Tuning};
use self::sizes::Sizes;
pub use self::sizes::{LEAST_CONTEXT_TOKENS, STEP_TOKENS};
use self::slots::{SlotId, Slots};
use self::writing::Job;
use crate::{Chunk, GenerateError, Generation, Generator, PromptMessage, Request, Usage};

/// Most slots: a batch must hold a token of each beside a piece of a prompt.
pub const MOST_SLOTS: u16 = 64;

/// What an [`Engine`] runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// A GGUF file with a chat template.
    pub model: PathBuf,
    /// Name and version, as outcomes record it.
    pub model_name: String,
    /// Tokens of all conversations together, prompts and replies; `None` is what suits the hardware.
    pub context_tokens: Option<u32>,
    /// Most tokens computed at once, of [`STEP_TOKENS`]; `None` is what suits the hardware.
    pub step_tokens: Option<usize>,
    /// Replies written at once, 1 to 64; `None` is what suits the hardware.
    pub slots: Option<u16>,
    /// Requests that may wait beside those.
    pub queue: usize,
    /// Threads to compute with; `None` is one a physical core.
    pub threads: Option<usize>,
    /// Layers on the GPU; `None` is all of them, where the build has one.
    pub gpu_layers: Option<u32>,
    /// What keys and values are stored as.
    pub cache_type: CacheType,
    /// How attention is computed.
    pub flash_attention: FlashAttention,
    /// Host memory, in bytes, for KV states of conversations that lost their slot.
    pub kept_bytes: usize,
}

/// What keys and values are stored as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheType {
    /// 16 bits.
    #[default]
    F16,
    /// 8 bits: half the memory, and a little less exact. It needs flash attention.
    Q8_0,
}

/// How attention is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlashAttention {
    /// Flash attention where the device has it.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// What an engine has done since it started, and does.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct EngineStats {
    /// Replies being written.
    pub running: usize,
    /// What it computes with.
    pub device: String,
    /// Replies that it writes at once.
    pub slots: usize,
    /// Tokens that all conversations share.
    pub context_tokens: usize,
    /// What steps cost on this machine as it was found at the start: tokens, and the time they take.
    pub pace: Vec<(usize, Duration)>,
    /// Bytes of the KV cache.
    pub cache_bytes: usize,
    /// Bytes of host memory that hold what conversations without a slot had computed.
    pub kept_bytes: usize,
    /// Batches computed.
    pub steps: usize,
    /// Tokens in them.
    pub tokens: usize,
    /// Time in the model.
    pub computing: Duration,
    /// Time beside it, in steps.
    pub scheduling: Duration,
}

impl EngineConfig {
    /// The defaults: what suits the hardware, 16 waiting, 256 MiB for conversations without a slot.
    pub fn new(model: impl Into<PathBuf>, model_name: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            model_name: model_name.into(),
            context_tokens: None,
            step_tokens: None,
            slots: None,
            queue: 16,
            threads: None,
            gpu_layers: None,
            cache_type: CacheType::default(),
            flash_attention: FlashAttention::default(),
            kept_bytes: 256 << 20,
        }
    }

    /// Threads that it computes with: hyper-threads slow a model down, since it waits for memory.
    pub fn threads(&self) -> usize {
        let allowed = std::thread::available_parallelism().map_or(1, usize::from);
        let physical = || num_cpus::get_physical().clamp(1, allowed);
        self.threads.unwrap_or_else(physical)
    }

    fn load_error(&self, reason: String) -> GenerateError {
        GenerateError::Load {
            path: self.model.clone(),
            reason,
        }
    }
}

/// A model on this machine. Clones share it. When the last one is dropped, replies being written
/// end with [`GenerateError::Stopped`], and the drop waits for the batch in progress.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("model", &self.inner.model_name)
            .finish_non_exhaustive()
    }
}

struct Inner {
    /// `None` only while being dropped.
    calls: Option<mpsc::Sender<Call>>,
    thread: Option<JoinHandle<()>>,
    model_name: String,
    prompts: Arc<Prompts>,
    /// Tokens that one request may use.
    limit: usize,
    /// A place for each request that is written or waits.
    places: Arc<Semaphore>,
    all_places: usize,
    board: Arc<Board>,
    alive: Arc<AtomicBool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the language model's thread had panicked");
        }
    }
}

/// What the thread tells when it is ready.
struct Ready {
    prompts: Prompts,
    limit: usize,
    slots: u16,
}

/// Where thread and handle meet.
struct ThreadEnds {
    calls: mpsc::Receiver<Call>,
    board: Arc<Board>,
    alive: Alive,
}

/// Says that the thread is gone, also when it panics.
struct Alive(Arc<AtomicBool>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Engine {
    /// Loads the model; blocks until it can serve.
    ///
    /// # Errors
    /// [`GenerateError::Load`] when the file is missing, damaged or not a chat model, or when the
    /// configuration does not suit it.
    pub fn start(config: EngineConfig) -> Result<Self, GenerateError> {
        if let Some(slots) = config.slots
            && !(1..=MOST_SLOTS).contains(&slots)
        {
            let reason = format!("slots is {slots}, it must be 1 to {MOST_SLOTS}");
            return Err(config.load_error(reason));
        }
        if let Some(tokens) = config.step_tokens
            && !STEP_TOKENS.contains(&tokens)
        {
            let (least, most) = (STEP_TOKENS.start(), STEP_TOKENS.end());
            let reason = format!("step_tokens is {tokens}, it must be {least} to {most}");
            return Err(config.load_error(reason));
        }
        let (calls, calls_end) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let board = Arc::new(Board::default());
        let alive = Arc::new(AtomicBool::new(true));
        let ends = ThreadEnds {
            calls: calls_end,
            board: Arc::clone(&board),
            alive: Alive(Arc::clone(&alive)),
        };
        let (model_name, queue) = (config.model_name.clone(), config.queue);
        let thread = std::thread::Builder::new()
            .name("language-model".to_owned())
            .spawn(move || serve(&config, ends, &ready))
            .map_err(|error| GenerateError::Backend {
                reason: "its thread cannot be started".to_owned(),
                source: Some(error.into()),
            })?;
        let Ready {
            prompts,
            limit,
            slots,
        } = is_ready.recv().map_err(|_| GenerateError::Stopped)??;
        let all_places = usize::from(slots).saturating_add(queue);
        let all_places = all_places.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            inner: Arc::new(Inner {
                calls: Some(calls),
                thread: Some(thread),
                model_name,
                prompts: Arc::new(prompts),
                limit,
                places: Arc::new(Semaphore::new(all_places)),
                all_places,
                board,
                alive,
            }),
        })
    }

    /// Computes what prompts will begin with, so that the first customer does not wait for it.
    ///
    /// # Errors
    /// As [`Generator::generate`].
    pub async fn warm(&self, prompt: &[PromptMessage]) -> Result<Usage, GenerateError> {
        let request = Request::new(prompt.to_vec(), 0);
        let mut generation = self.queue(request, Ending::Open).await?;
        while let Some(chunk) = generation.next().await {
            if let Chunk::Done { usage, .. } = chunk? {
                return Ok(usage);
            }
        }
        Err(GenerateError::Stopped)
    }

    /// What it has done so far.
    pub fn stats(&self) -> EngineStats {
        self.inner.board.stats()
    }

    async fn queue(&self, request: Request, ending: Ending) -> Result<Generation, GenerateError> {
        let inner = &self.inner;
        let place =
            Arc::clone(&inner.places)
                .try_acquire_owned()
                .map_err(|_| GenerateError::Busy {
                    waiting: self.waiting(),
                })?;
        let queued_at = Instant::now();
        let Request {
            prompt,
            max_tokens,
            stop,
            sampling,
            conversation,
            deadline,
            speculate,
        } = request;
        let prompt = self.tokens(prompt, ending).await?;
        if prompt.len().saturating_add(max_tokens) > inner.limit {
            let (tokens, limit) = (prompt.len(), inner.limit);
            return Err(GenerateError::TooLong {
                tokens,
                max_tokens,
                limit,
            });
        }
        let (reply, generation) = Reply::open(max_tokens, place);
        let job = Job {
            prompt,
            max_tokens,
            stop,
            sampling,
            conversation,
            deadline,
            speculate,
            queued_at,
            reply,
        };
        self.call(Call::Write(Box::new(job)))?;
        Ok(generation)
    }

    async fn tokens(
        &self,
        prompt: Vec<PromptMessage>,
        ending: Ending,
    ) -> Result<Vec<LlamaToken>, GenerateError> {
        let prompts = Arc::clone(&self.inner.prompts);
        let tokens = tokio::task::spawn_blocking(move || prompts.tokens(&prompt, ending));
        tokens.await.map_err(|error| GenerateError::Backend {
            reason: "a prompt could not be tokenised".to_owned(),
            source: Some(error.into()),
        })?
    }

    fn call(&self, call: Call) -> Result<(), GenerateError> {
        let calls = self.inner.calls.as_ref().ok_or(GenerateError::Stopped)?;
        calls.send(call).map_err(|_| GenerateError::Stopped)
    }
}

#[async_trait]
impl Generator for Engine {
    async fn generate(&self, request: Request) -> Result<Generation, GenerateError> {
        self.queue(request, Ending::Reply).await
    }

    async fn read_ahead(&self, conversation: u64, beginning: Vec<PromptMessage>) {
        let read = match self.tokens(beginning, Ending::Open).await {
            Ok(tokens) if tokens.len() >= self.inner.limit => Ok(()),
            Ok(tokens) => self.call(Call::ReadAhead(Beginning {
                conversation,
                tokens,
            })),
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            tracing::warn!(conversation, "nothing is read ahead: {error}");
        }
    }

    fn model(&self) -> &str {
        &self.inner.model_name
    }

    fn waiting(&self) -> usize {
        let inside = self.inner.all_places - self.inner.places.available_permits();
        inside.saturating_sub(self.inner.board.running())
    }

    fn wait(&self) -> Duration {
        self.inner.board.wait()
    }

    fn healthy(&self) -> bool {
        self.inner.alive.load(Ordering::Acquire)
    }
}

/// The thread: loads, says that it is ready, and serves.
fn serve(
    config: &EngineConfig,
    ends: ThreadEnds,
    ready: &mpsc::Sender<Result<Ready, GenerateError>>,
) {
    let ThreadEnds {
        calls,
        board,
        alive,
    } = ends;
    let loaded = devices::check_processor().and_then(|()| llama::load(config));
    let served = loaded.and_then(|model| {
        let model = Arc::new(model);
        let prompts = Prompts::new(Arc::clone(&model))?;
        let cards = devices::cards(config);
        let token_bytes = sizes::token_bytes(&model, config.cache_type);
        let sizes = Sizes::of(config, &cards, token_bytes);
        let mut backend = Llama::new(&model, config, sizes)?;
        let tuning = tune(&mut backend, config, sizes)?;
        let capacity = backend.capacity();
        let device = devices::describe(config, &cards, model.n_layer());
        tracing::info!(
            "the language model computes with {device}: {} replies at once in {capacity} tokens",
            sizes.slots
        );
        let slots = Slots::new(sizes.slots, capacity, llama::reuse(&model), tuning.shelving);
        board.found(EngineStats {
            device,
            slots: slots.count(),
            context_tokens: capacity,
            pace: tuning.pace.knots().collect(),
            cache_bytes: tuning.shelving.bytes * capacity,
            ..EngineStats::default()
        });
        let ready_now = Ready {
            prompts,
            limit: capacity.min(llama::cells(model.n_ctx_train())),
            slots: sizes.slots,
        };
        // Nobody waits when the caller has panicked; then there are no jobs either.
        ready.send(Ok(ready_now)).ok();
        Scheduler::new(backend, slots, tuning, calls, board).run();
        Ok(())
    });
    drop(alive);
    if let Err(reason) = served {
        ready.send(Err(config.load_error(reason))).ok();
    }
}

/// Finds out what this machine is good at.
fn tune(backend: &mut Llama<'_>, config: &EngineConfig, sizes: Sizes) -> Result<Tuning, String> {
    let failed = |error: ComputeError| format!("it cannot compute ({error:?})");
    let largest_step = sizes.step_tokens.min(backend.capacity());
    let pace = Pace::measure(backend, SlotId::FIRST, largest_step).map_err(failed)?;
    let shelving = backend.shelving(SlotId::FIRST, config.kept_bytes, &pace);
    Ok(Tuning {
        pace,
        largest_step,
        shelving: shelving.map_err(failed)?,
    })
}
