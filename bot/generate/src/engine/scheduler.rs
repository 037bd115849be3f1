//! The engine's thread: continuous batching of several replies over one [`Backend`].
//!
//! Each iteration takes in new jobs, drops those nobody waits for any more, assigns slots to queued
//! jobs in order, and decodes one batch. A reply that ends or is abandoned frees its slot in that
//! iteration. An idle iteration prefills ahead.

use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::ahead::{Ahead, Beginning};
use super::backend::{Backend, ComputeError, Entry};
use super::draft::Trust;
use super::fair::FairQueue;
use super::load::{Board, Habits};
use super::lookup::Replies;
use super::pace::Pace;
use super::plan::{LONGEST_STALL, Line, plan};
use super::shelf::Shelving;
use super::slots::{Edit, SlotId, Slots};
use super::writing::{Job, Writing};
use crate::{GenerateError, meters};

/// What the handle asks of the thread.
#[derive(Debug)]
pub(super) enum Call {
    /// A reply.
    Write(Box<Job>),
    /// To read, when there is time.
    ReadAhead(Beginning),
}

/// What a machine is good at.
#[derive(Clone, Debug)]
pub(super) struct Tuning {
    /// What steps cost.
    pub(super) pace: Pace,
    /// Most tokens of a step.
    pub(super) largest_step: usize,
    /// What is kept in host memory.
    pub(super) shelving: Shelving,
}

/// What one turn has computed.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    tokens: usize,
    /// How long the model took over it.
    computing: Duration,
}

/// What the thread owns.
pub(super) struct Scheduler<B: Backend> {
    backend: B,
    slots: Slots,
    calls: mpsc::Receiver<Call>,
    queue: FairQueue<Job>,
    /// In order of admission.
    writing: Vec<Writing<B::Sampler>>,
    ahead: Ahead,
    /// In which replies take turns where a step leaves some out.
    line: Line,
    tuning: Tuning,
    trust: Trust,
    /// Those written last, to guess from.
    replies: Replies,
    habits: Habits,
    /// What the handle sees.
    board: Arc<Board>,
}

impl<B: Backend> Scheduler<B> {
    /// Serves what comes through `calls`.
    pub(super) fn new(
        backend: B,
        slots: Slots,
        tuning: Tuning,
        calls: mpsc::Receiver<Call>,
        board: Arc<Board>,
    ) -> Self {
        Self {
            backend,
            slots,
            calls,
            queue: FairQueue::default(),
            writing: Vec::new(),
            ahead: Ahead::default(),
            line: Line::default(),
            tuning,
            trust: Trust::default(),
            replies: Replies::default(),
            habits: Habits::default(),
            board,
        }
    }

    /// Works until the handle is dropped or the backend fails. Unfinished replies end with an error.
    pub(super) fn run(mut self) {
        while self.take_calls() {
            if let Err(reason) = self.turn() {
                tracing::error!(reason, "the language model failed; it no longer serves");
                self.fail(&reason);
                return;
            }
        }
    }

    /// Takes in what has come; waits when there is nothing else to do. False once the handle is
    /// gone.
    fn take_calls(&mut self) -> bool {
        if self.queue.is_empty() && self.writing.is_empty() && self.ahead.is_empty() {
            let Ok(call) = self.calls.recv() else {
                return false;
            };
            self.take(call);
        }
        loop {
            match self.calls.try_recv() {
                Ok(call) => self.take(call),
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, call: Call) {
        match call {
            Call::Write(job) => {
                self.leave(Ahead::interrupt);
                let conversation = job.conversation;
                if let Some(conversation) = conversation {
                    self.leave(|ahead| ahead.forget(conversation));
                }
                self.queue.push(*job, conversation);
            }
            // Without reuse it would be read for nothing.
            Call::ReadAhead(_) if !self.slots.can_cut() => {}
            Call::ReadAhead(beginning) => {
                let most = self.slots.count();
                self.leave(|ahead| ahead.push(beginning, most));
            }
        }
    }

    fn turn(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        self.forget_unwanted();
        let served = match self.admit() {
            Ok(()) if self.writing.is_empty() => self.read_ahead(),
            Ok(()) => self.step(),
            Err(error) => Err(error),
        };
        self.finish();
        self.post();
        match served {
            Ok(Step { tokens, computing }) => {
                self.board.stepped(tokens, begun.elapsed(), computing);
                Ok(())
            }
            Err(ComputeError::NoRoom) => self.make_room(),
            Err(ComputeError::NotKept) => Err("it lost a kept state".to_owned()),
            Err(ComputeError::Failed(reason)) => Err(reason),
        }
    }

    /// Drops what nobody reads, and ends what comes too late.
    fn forget_unwanted(&mut self) {
        let now = Instant::now();
        for gone in self.queue.take(|job| job.reply.is_abandoned()) {
            meters::queued(gone.queued_at.elapsed());
            meters::cancelled();
        }
        let is_late = |job: &Job| job.deadline.is_some_and(|deadline| deadline <= now);
        for late in self.queue.take(is_late) {
            meters::queued(late.queued_at.elapsed());
            late.reply.end(Err(GenerateError::TooLate));
        }
        for gone in self
            .writing
            .extract_if(.., |writing| writing.is_abandoned())
        {
            meters::cancelled();
            meters::finished(gone.usage());
            gone.remember_in(&mut self.replies);
            // The bot itself leaves a reply that says enough, so that most end like this.
            if gone.usage().output_tokens > 0 {
                self.habits.note(gone.usage());
            }
            self.slots.release(gone.slot());
        }
        for writing in &mut self.writing {
            writing.check_deadline(now);
        }
        self.finish();
    }

    /// Gives places to the queue in order: one that does not fit holds up those behind it, else
    /// short requests would keep a long one waiting for ever.
    fn admit(&mut self) -> Result<(), ComputeError> {
        while let Some(job) = self.queue.peek() {
            let Some(mut admission) =
                self.slots
                    .admit(&job.prompt, job.max_tokens, job.conversation)
            else {
                break;
            };
            for edit in std::mem::take(&mut admission.edits) {
                if !self.carry_out(edit)? {
                    (admission.reused, admission.restored) = (0, 0);
                }
            }
            let Some(mut job) = self.queue.pop() else {
                break;
            };
            meters::queued(job.queued_at.elapsed());
            // A guess that is wrong is cut off.
            job.speculate &= self.slots.can_cut();
            match self.backend.sampler(&job.sampling) {
                Ok(sampler) => self.writing.push(Writing::start(job, &admission, sampler)),
                Err(error) => {
                    self.slots.release(admission.slot);
                    job.reply.end(Err(error));
                }
            }
        }
        self.board.run(self.writing.len());
        Ok(())
    }

    /// Changes the cache; false when a state could not be brought back, whose slot is then empty.
    fn carry_out(&mut self, edit: Edit) -> Result<bool, ComputeError> {
        match (self.backend.edit(edit), edit) {
            (Err(ComputeError::NotKept), Edit::Keep { kept, .. }) => {
                tracing::warn!("the state of a conversation could not be kept");
                self.slots.was_not_kept(kept);
                Ok(true)
            }
            (Err(ComputeError::NotKept), Edit::Restore { kept, slot }) => {
                tracing::warn!("the state of a conversation could not be brought back");
                self.slots.was_not_kept(kept);
                let edit = self.slots.truncate(slot, 0);
                self.backend.edit(edit)?;
                Ok(false)
            }
            (done, _) => done.map(|()| true),
        }
    }

    /// Reads on in what comes next, so little at a time that who asks meanwhile hardly waits.
    fn read_ahead(&mut self) -> Result<Step, ComputeError> {
        let Some(slot) = self.place_ahead()? else {
            return Ok(Step::default());
        };
        let size = self
            .tuning
            .pace
            .within(LONGEST_STALL, self.tuning.largest_step);
        let batch = self.ahead.piece(slot, self.slots.len(slot), size);
        if batch.is_empty() {
            self.leave(Ahead::finish);
            return Ok(Step::default());
        }
        let begun = Instant::now();
        match self.backend.compute(&batch, batch.len()) {
            // Nobody waits for it.
            Err(ComputeError::NoRoom) => {
                self.leave(Ahead::finish);
                return Ok(Step::default());
            }
            computed => computed?,
        }
        let computing = begun.elapsed();
        for entry in &batch {
            self.slots.push(slot, entry.token);
        }
        meters::read_ahead(batch.len());
        Ok(Step {
            tokens: batch.len(),
            computing,
        })
    }

    /// Where the next beginning is read; `None` when there is none, or no room for it.
    fn place_ahead(&mut self) -> Result<Option<SlotId>, ComputeError> {
        let Some((beginning, slot)) = self.ahead.current() else {
            return Ok(None);
        };
        if slot.is_some() {
            return Ok(slot);
        }
        let Some(admission) = self
            .slots
            .admit(&beginning.tokens, 0, Some(beginning.conversation))
        else {
            self.ahead.finish();
            return Ok(None);
        };
        self.ahead.read_in(admission.slot);
        for edit in admission.edits {
            self.carry_out(edit)?;
        }
        Ok(Some(admission.slot))
    }

    /// Reading ahead ends, as `ending` says, and leaves its slot if it has one.
    fn leave(&mut self, ending: impl FnOnce(&mut Ahead) -> Option<SlotId>) {
        if let Some(slot) = ending(&mut self.ahead) {
            self.slots.release(slot);
        }
    }

    /// Computes one batch and chooses what follows from it.
    fn step(&mut self) -> Result<Step, ComputeError> {
        let computed = |writing: &Writing<_>| self.slots.len(writing.slot());
        let needs = self.writing.iter().map(|w| w.need(computed(w)));
        let shares = plan(
            &needs.collect::<Vec<_>>(),
            &self.tuning.pace,
            self.tuning.largest_step,
        );
        let batch = self.batch(&shares);
        if batch.is_empty() {
            return Ok(Step::default());
        }
        let begun = Instant::now();
        let size = self.size(batch.len());
        self.backend.compute(&batch, size)?;
        let mut computing = begun.elapsed();
        for entry in &batch {
            self.slots.push(entry.slot, entry.token);
        }
        let served = self.writing.iter_mut().zip(&shares);
        let served = served.filter(|(_, share)| **share > 0);
        self.line
            .send_back(served.map(|(writing, _)| writing.place()));
        let mut next = 0;
        for (index, share) in shares.into_iter().enumerate() {
            let first = next;
            next += share;
            computing += self.follow(index, &batch, first..next)?;
        }
        self.tuning.pace.note(size, computing);
        meters::stepped(batch.len());
        Ok(Step {
            tokens: batch.len(),
            computing,
        })
    }

    /// What a step of so many tokens is filled up to.
    fn size(&mut self, tokens: usize) -> usize {
        let largest = self.tuning.largest_step;
        // Models whose state cannot be cut compute one sequence after the other: one more takes longer.
        if self.slots.can_cut() {
            self.tuning.pace.fill(tokens, largest)
        } else {
            tokens
        }
    }

    /// What follows for the reply at `index`, whose tokens are `entries` of the batch: how long the
    /// model took over it.
    fn follow(
        &mut self,
        index: usize,
        batch: &[Entry],
        entries: Range<usize>,
    ) -> Result<Duration, ComputeError> {
        let writing = &mut self.writing[index];
        let outputs = batch[entries.clone()].iter().filter(|entry| entry.output);
        let Some(guessed) = outputs.count().checked_sub(1) else {
            return Ok(Duration::ZERO);
        };
        let mut computing = Duration::ZERO;
        let backend = &mut self.backend;
        let first = entries.end - 1 - guessed;
        let right = writing.verify(guessed, &mut self.trust, |place, sampler| {
            let begun = Instant::now();
            let chosen = backend.sample(first + place, sampler);
            computing += begun.elapsed();
            chosen
        });
        writing.guess(&self.replies, &self.trust);
        if right < guessed {
            let slot = writing.slot();
            let len = self.slots.len(slot) - (guessed - right);
            let edit = self.slots.truncate(slot, len);
            self.backend.edit(edit)?;
        }
        Ok(computing)
    }

    fn batch(&self, shares: &[usize]) -> Vec<Entry> {
        let entries = self
            .writing
            .iter()
            .zip(shares)
            .flat_map(|(writing, count)| {
                let (slot, computed) = (writing.slot(), self.slots.len(writing.slot()));
                let tokens = writing.uncomputed(computed, *count);
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
        for writing in complete {
            self.slots.release(writing.slot());
            self.habits.note(writing.usage());
            meters::finished(writing.usage());
            writing.remember_in(&mut self.replies);
            writing.end();
        }
    }

    /// Tells the handle how things stand.
    fn post(&self) {
        let left = |writing: &Writing<_>| writing.work(self.slots.len(writing.slot()));
        let running: Vec<_> = self.writing.iter().map(left).collect();
        let waiting: Vec<_> = self.queue.iter().map(Job::work).collect();
        // Who waits although slots are free waits for their cells.
        let slots = match waiting.is_empty() {
            true => self.slots.count(),
            false => running.len(),
        };
        let wait = self
            .habits
            .wait(&running, &waiting, slots, &self.tuning.pace);
        self.board.run(running.len());
        self.board.keep(self.slots.kept_bytes());
        self.board.expect(wait);
    }

    /// The cache was full although the books said otherwise, as with models that keep more than
    /// one. Idle slots go first, then the youngest reply, so that the others can go on.
    fn make_room(&mut self) -> Result<(), String> {
        tracing::warn!("the language model's cache is full");
        let edits = match self.slots.evict() {
            Some(edits) => edits,
            None => vec![
                self.give_up_youngest()
                    .ok_or("its cache is full, and nothing is in it")?,
            ],
        };
        for edit in edits {
            self.carry_out(edit).map_err(|error| match error {
                ComputeError::NoRoom | ComputeError::NotKept => {
                    "its cache cannot be cleared".to_owned()
                }
                ComputeError::Failed(reason) => reason,
            })?;
        }
        Ok(())
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

    fn fail(mut self, reason: &str) {
        for job in self.queue.take(|_| true) {
            job.reply.end(Err(GenerateError::backend(reason)));
        }
        self.writing
            .into_iter()
            .for_each(|writing| writing.fail(GenerateError::backend(reason)));
    }
}

#[cfg(test)]
#[path = "scheduler_harness.rs"]
mod harness;
#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
