//! A scheduler over a backend that counts: token n is followed by n + 1, and `z` ends a reply.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use llama_cpp_2::token::LlamaToken;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::super::backend::Chosen;
use super::super::reply::Reply;
use super::super::shelf::KeptId;
use super::super::slots::Reuse;
use super::*;
use crate::{Chunk, Finish, Generation, Sampling, Usage};

/// What the backend does instead of computing a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    NoRoom,
    Failure,
    Panic,
    /// A state is lost.
    NotKept,
}

/// A token, and the cell that it lies in.
type Held = (LlamaToken, usize);

/// Holds what llama.cpp would, and asserts that nothing is computed out of place, or without a free cell.
pub(super) struct Counting {
    cache: HashMap<SlotId, Vec<Held>>,
    kept: HashMap<KeptId, Vec<LlamaToken>>,
    /// Cells that there are.
    cells: usize,
    /// The next cell's number.
    next_cell: usize,
    batch: Vec<Entry>,
    reuse: Reuse,
    trouble: mpsc::Receiver<Trouble>,
    /// States cannot be kept.
    forgets: bool,
    /// Computes only while this is set: lets a test arrange what happens meanwhile.
    open: Arc<AtomicBool>,
    /// What was computed.
    steps: Arc<Mutex<Vec<Computed>>>,
}

/// A batch that was computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Computed {
    /// Its tokens.
    pub(super) tokens: usize,
    /// What it was filled up to.
    pub(super) size: usize,
    /// Whether a token followed from it.
    pub(super) followed: bool,
}

impl Backend for Counting {
    type Sampler = ();

    fn sampler(&self, _: &Sampling) -> Result<Self::Sampler, GenerateError> {
        Ok(())
    }

    fn edit(&mut self, edit: Edit) -> Result<(), ComputeError> {
        match edit {
            Edit::Truncate { slot, len } => {
                let sequence = self.cache.entry(slot).or_default();
                let is_whole = len == 0 || len >= sequence.len();
                assert!(
                    is_whole || self.reuse == Reuse::Prefixes,
                    "it cannot be cut"
                );
                sequence.truncate(len);
            }
            Edit::Share { from, to, len } => {
                let shared = self.cache[&from][..len].to_vec();
                assert_eq!(self.cache.insert(to, shared).unwrap_or_default(), []);
            }
            Edit::Keep { slot, kept } => {
                if self.forgets {
                    return Err(ComputeError::NotKept);
                }
                let state = self.cache[&slot].iter().map(|(token, _)| *token).collect();
                assert!(self.kept.insert(kept, state).is_none(), "kept twice");
            }
            Edit::Restore { kept, slot } => {
                let state = self.kept.get(&kept).ok_or(ComputeError::NotKept)?.clone();
                assert_eq!(self.cache.remove(&slot).unwrap_or_default(), []);
                state.into_iter().for_each(|token| self.hold(slot, token));
                self.assert_room();
            }
            Edit::Forget { kept } => {
                self.kept.remove(&kept);
            }
        }
        Ok(())
    }

    fn compute(&mut self, batch: &[Entry], size: usize) -> Result<(), ComputeError> {
        while !self.open.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        match self.trouble.try_recv() {
            Ok(Trouble::NoRoom) => return Err(ComputeError::NoRoom),
            Ok(Trouble::Failure) => return Err(ComputeError::Failed("it broke".to_owned())),
            Ok(Trouble::Panic) => panic!("the backend panics, as this test wants"),
            Ok(Trouble::NotKept) => {
                self.kept.clear();
                self.forgets = !self.forgets;
            }
            Err(_) => {}
        }
        for entry in batch {
            let computed = self.cache.get(&entry.slot).map_or(0, Vec::len);
            assert_eq!(entry.position, computed, "{entry:?} leaves a gap");
            self.hold(entry.slot, entry.token);
        }
        self.assert_room();
        self.batch = batch.to_vec();
        self.steps.lock().push(Computed {
            tokens: batch.len(),
            size,
            followed: batch.iter().any(|entry| entry.output),
        });
        Ok(())
    }

    /// After `#` nothing can be chosen.
    fn sample(&mut self, index: usize, (): &mut ()) -> Chosen {
        let byte = u8::try_from(self.batch[index].token.0).unwrap() + 1;
        if byte == b'#' + 1 {
            return Err("it cannot count".to_owned());
        }
        let text = (byte != b'z').then(|| vec![byte]);
        Ok((LlamaToken::new(byte.into()), text))
    }
}

impl Counting {
    fn hold(&mut self, slot: SlotId, token: LlamaToken) {
        self.cache
            .entry(slot)
            .or_default()
            .push((token, self.next_cell));
        self.next_cell += 1;
    }

    /// A cell that sequences share counts once.
    fn assert_room(&self) {
        let held = self.cache.values().flatten().map(|(_, cell)| cell);
        let taken = held.collect::<HashSet<_>>().len();
        assert!(taken <= self.cells, "{taken} of {} cells", self.cells);
    }
}

/// A scheduler on its thread.
pub(super) struct Bench {
    calls: Option<mpsc::Sender<Call>>,
    pub(super) trouble: mpsc::Sender<Trouble>,
    open: Arc<AtomicBool>,
    /// What was computed.
    pub(super) steps: Arc<Mutex<Vec<Computed>>>,
    pub(super) board: Arc<Board>,
    /// Whether what is asked is to be guessed ahead.
    pub(super) speculate: bool,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    pub(super) fn new(slots: u16, cells: usize) -> Self {
        Self::with(Reuse::Prefixes, slots, cells)
    }

    pub(super) fn with(reuse: Reuse, slots: u16, cells: usize) -> Self {
        let (scheduler, mut bench) = Self::unstarted(reuse, slots, cells);
        bench.thread = Some(std::thread::spawn(move || scheduler.run()));
        bench
    }

    /// A scheduler whose turns the test takes itself.
    pub(super) fn unstarted(reuse: Reuse, slots: u16, cells: usize) -> (Scheduler<Counting>, Self) {
        let (calls, calls_end) = mpsc::channel();
        let (trouble, trouble_end) = mpsc::channel();
        let open = Arc::new(AtomicBool::new(true));
        let steps = Arc::<Mutex<_>>::default();
        let backend = Counting {
            cache: HashMap::new(),
            kept: HashMap::new(),
            cells,
            next_cell: 0,
            batch: Vec::new(),
            reuse,
            trouble: trouble_end,
            forgets: false,
            open: Arc::clone(&open),
            steps: Arc::clone(&steps),
        };
        // Blocks of eight.
        let micros = [(1, 40), (2, 40), (4, 60), (7, 110), (8, 80), (100, 900)];
        let tuning = Tuning {
            pace: Pace::new(micros.map(|(size, micros)| (size, Duration::from_micros(micros)))),
            largest_step: 64,
            shelving: Shelving {
                tokens: 200,
                least: 4,
                bytes: 1,
                cost: 0.1,
            },
        };
        let slots = Slots::new(slots, cells, reuse, tuning.shelving);
        let board = Arc::new(Board::default());
        let scheduler = Scheduler::new(backend, slots, tuning, calls_end, Arc::clone(&board));
        let bench = Self {
            calls: Some(calls),
            trouble,
            open,
            steps,
            board,
            speculate: true,
            thread: None,
        };
        (scheduler, bench)
    }

    /// Holds the backend before its next batch until [`Bench::release`].
    pub(super) fn hold(&self) {
        self.open.store(false, Ordering::Release);
    }

    pub(super) fn release(&self) {
        self.open.store(true, Ordering::Release);
    }

    pub(super) fn ask(&self, prompt: &str, max_tokens: usize, stop: &[&str]) -> Generation {
        self.ask_in(None, None, prompt, max_tokens, stop)
    }

    pub(super) fn ask_in(
        &self,
        conversation: Option<u64>,
        deadline: Option<Instant>,
        prompt: &str,
        max_tokens: usize,
        stop: &[&str],
    ) -> Generation {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (reply, generation) = Reply::open(max_tokens, place);
        let job = Job {
            prompt: tokens(prompt),
            max_tokens,
            stop: stop.iter().map(|stop| stop.to_string()).collect(),
            sampling: Sampling::default(),
            conversation,
            deadline,
            speculate: self.speculate,
            queued_at: Instant::now(),
            reply,
        };
        self.call(Call::Write(Box::new(job)));
        generation
    }

    pub(super) fn read_ahead(&self, conversation: u64, beginning: &str) {
        self.call(Call::ReadAhead(Beginning {
            conversation,
            tokens: tokens(beginning),
        }));
    }

    fn call(&self, call: Call) {
        self.calls.as_ref().unwrap().send(call).unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.release();
        self.calls = None;
        // A test that wants a panic has seen what followed from it.
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

pub(super) async fn read(
    mut generation: Generation,
) -> Result<(String, Finish, Usage), GenerateError> {
    let mut text = String::new();
    loop {
        match generation.next().await.expect("a reply has an end")? {
            Chunk::Text(more) => text.push_str(&more),
            Chunk::Done { finish, usage } => {
                assert!(generation.next().await.is_none());
                return Ok((text, finish, usage));
            }
        }
    }
}

fn tokens(text: &str) -> Vec<LlamaToken> {
    let tokens = text.bytes().map(|byte| LlamaToken::new(byte.into()));
    tokens.collect()
}
