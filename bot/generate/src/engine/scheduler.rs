//! The engine's thread: continuous batching of several replies over one [`Backend`].
//!
//! Each turn takes in new jobs, drops those nobody waits for, gives slots to the queue in order,
//! and computes one batch. A reply that ends or is abandoned leaves its slot within that turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use llama_cpp_2::token::LlamaToken;

use super::plan::plan;
use super::slots::{Edit, SlotId, Slots};
use super::writing::{Job, Writing};
use crate::GenerateError;

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
    /// The model is in an unknown state.
    Failed(String),
}

/// A model and its cache. Every call blocks.
pub(super) trait Backend {
    /// Chooses the tokens of one reply.
    type Sampler;

    /// A sampler; greedy when `temperature` is 0.
    fn sampler(&self, seed: u32, temperature: f32) -> Self::Sampler;
    /// Changes the cache.
    fn edit(&mut self, edit: Edit) -> Result<(), ComputeError>;
    /// Computes a batch, not empty.
    fn compute(&mut self, batch: &[Entry]) -> Result<(), ComputeError>;
    /// The token after the entry at `index` of the last batch, and its text: `None` when it ends
    /// the reply.
    fn sample(
        &mut self,
        index: usize,
        sampler: &mut Self::Sampler,
    ) -> (LlamaToken, Option<Vec<u8>>);
}

/// What the thread owns.
pub(super) struct Scheduler<B: Backend> {
    backend: B,
    slots: Slots,
    jobs: mpsc::Receiver<Job>,
    queue: VecDeque<Job>,
    /// In order of admission.
    writing: Vec<Writing<B::Sampler>>,
    /// How many are in `writing`, for the handle.
    running: Arc<AtomicUsize>,
}

impl<B: Backend> Scheduler<B> {
    /// Serves what comes through `jobs`.
    pub(super) fn new(
        backend: B,
        slots: Slots,
        jobs: mpsc::Receiver<Job>,
        running: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            backend,
            slots,
            jobs,
            queue: VecDeque::new(),
            writing: Vec::new(),
            running,
        }
    }

    /// Works until the handle is dropped or the backend fails. What is then unfinished is told.
    pub(super) fn run(mut self) {
        while self.take_jobs() {
            if let Err(reason) = self.turn() {
                tracing::error!(reason, "the language model failed; it no longer serves");
                self.fail(&reason);
                return;
            }
        }
    }

    /// Takes in what has come; waits when there is nothing else to do. False once the handle is
    /// gone.
    fn take_jobs(&mut self) -> bool {
        if self.queue.is_empty() && self.writing.is_empty() {
            let Ok(job) = self.jobs.recv() else {
                return false;
            };
            self.queue.push_back(job);
        }
        loop {
            match self.jobs.try_recv() {
                Ok(job) => self.queue.push_back(job),
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn turn(&mut self) -> Result<(), String> {
        self.forget_abandoned();
        let served = match self.admit() {
            Ok(()) => self.step(),
            Err(error) => Err(error),
        };
        self.finish();
        match served {
            Ok(()) => Ok(()),
            Err(ComputeError::NoRoom) => self.make_room(),
            Err(ComputeError::Failed(reason)) => Err(reason),
        }
    }

    fn forget_abandoned(&mut self) {
        self.queue.retain(|job| !job.reply.is_abandoned());
        for gone in self
            .writing
            .extract_if(.., |writing| writing.is_abandoned())
        {
            self.slots.release(gone.slot());
        }
    }

    /// Gives places to the queue in order: one that does not fit holds up those behind it, else
    /// short requests would keep a long one waiting for ever.
    fn admit(&mut self) -> Result<(), ComputeError> {
        while let Some(job) = self.queue.pop_front() {
            let Some(admission) = self.slots.admit(&job.prompt, job.max_tokens) else {
                self.queue.push_front(job);
                break;
            };
            let sampler = self.backend.sampler(job.seed, job.temperature);
            self.writing.push(Writing::start(job, &admission, sampler));
            for edit in admission.edits {
                self.backend.edit(edit)?;
            }
        }
        self.running.store(self.writing.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Computes one batch and samples from it.
    fn step(&mut self) -> Result<(), ComputeError> {
        let batch = self.batch();
        if batch.is_empty() {
            return Ok(());
        }
        self.backend.compute(&batch)?;
        for (index, entry) in batch.iter().enumerate() {
            self.slots.push(entry.slot, entry.token);
            let writing = self
                .writing
                .iter_mut()
                .find(|writing| writing.slot() == entry.slot);
            if let Some(writing) = writing.filter(|_| entry.output) {
                let (token, bytes) = self.backend.sample(index, writing.sampler());
                writing.accept(token, bytes.as_deref());
            }
        }
        Ok(())
    }

    fn batch(&self) -> Vec<Entry> {
        let computed = |writing: &Writing<_>| self.slots.len(writing.slot());
        let needs: Vec<_> = self.writing.iter().map(|w| w.need(computed(w))).collect();
        let shares = self.writing.iter().zip(plan(&needs));
        let entries = shares.flat_map(|(writing, count)| {
            let (slot, computed) = (writing.slot(), computed(writing));
            let tokens = writing.uncomputed(computed, count);
            (computed..)
                .zip(tokens)
                .map(move |(position, (token, output))| Entry {
                    token,
                    slot,
                    position,
                    output,
                })
        });
        entries.collect()
    }

    /// Ends the replies that are complete.
    fn finish(&mut self) {
        let slots = &mut self.slots;
        let complete = |writing: &mut Writing<_>| writing.is_finished(slots.len(writing.slot()));
        let complete: Vec<_> = self.writing.extract_if(.., complete).collect();
        self.running.store(self.writing.len(), Ordering::Relaxed);
        for writing in complete {
            self.slots.release(writing.slot());
            writing.end();
        }
    }

    /// The cache was full although the books said otherwise, as with models that keep more than
    /// one. Idle slots go first, then the youngest reply, so that the others can go on.
    fn make_room(&mut self) -> Result<(), String> {
        tracing::warn!("the language model's cache is full");
        let edit = match self.slots.evict() {
            Some(edit) => edit,
            None => self
                .give_up_youngest()
                .ok_or("its cache is full, and nothing is in it")?,
        };
        self.backend.edit(edit).map_err(|error| match error {
            ComputeError::NoRoom => "its cache cannot be cleared".to_owned(),
            ComputeError::Failed(reason) => reason,
        })
    }

    fn give_up_youngest(&mut self) -> Option<Edit> {
        let youngest = self.writing.pop()?;
        let slot = youngest.slot();
        youngest.fail(GenerateError::backend(
            "its cache is full; give it more context tokens or fewer slots",
        ));
        self.slots.release(slot);
        Some(self.slots.truncate(slot, 0))
    }

    fn fail(self, reason: &str) {
        self.queue
            .into_iter()
            .for_each(|job| job.reply.end(Err(GenerateError::backend(reason))));
        self.writing
            .into_iter()
            .for_each(|writing| writing.fail(GenerateError::backend(reason)));
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
