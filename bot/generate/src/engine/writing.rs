//! One reply in progress: from a queued job to its last chunk.

use std::time::Instant;

use llama_cpp_2::token::LlamaToken;

use super::backend::Chosen;
use super::draft::{Guess, Record, Trust, draft};
use super::load::Work;
use super::lookup::{Index, Replies};
use super::plan::Need;
use super::reply::Reply;
use super::slots::{Admission, SlotId};
use crate::text::{Characters, StopStrings};
use crate::{Finish, GenerateError, Sampling, Usage};

/// A request as the engine's thread gets it.
#[derive(Debug)]
pub(super) struct Job {
    /// The prompt, not empty.
    pub(super) prompt: Vec<LlamaToken>,
    /// Most tokens to write; 0 only computes the prompt.
    pub(super) max_tokens: usize,
    /// What ends the reply.
    pub(super) stop: Vec<String>,
    /// How tokens are chosen.
    pub(super) sampling: Sampling,
    /// Whom it is for.
    pub(super) conversation: Option<u64>,
    /// When nobody wants it any more.
    pub(super) deadline: Option<Instant>,
    /// Whether to guess ahead.
    pub(super) speculate: bool,
    /// When it was queued.
    pub(super) queued_at: Instant,
    /// Where the text goes.
    pub(super) reply: Reply,
}

impl Job {
    /// What there is to do.
    pub(super) fn work(&self) -> Work {
        Work {
            prompt: self.prompt.len(),
            left: self.max_tokens,
        }
    }
}

/// A job that has a slot, and its sampler.
#[derive(Debug)]
pub(super) struct Writing<S> {
    slot: SlotId,
    /// The prompt and what has been written since.
    tokens: Vec<LlamaToken>,
    max_tokens: usize,
    sampler: S,
    characters: Characters,
    stops: StopStrings,
    reply: Reply,
    deadline: Option<Instant>,
    /// The same tokens to look things up in; `None` where nothing is guessed.
    index: Option<Index>,
    /// What is guessed to come next.
    draft: Vec<Guess>,
    record: Record,
    /// Where it stands in line for the next step.
    place: u64,
    usage: Usage,
    admitted_at: Instant,
    first_token_at: Option<Instant>,
    finish: Option<Finish>,
    /// Why it cannot be gone on with.
    failure: Option<String>,
}

impl<S> Writing<S> {
    /// Starts `job` where `admission` says.
    pub(super) fn start(job: Job, admission: &Admission, sampler: S) -> Self {
        let admitted_at = Instant::now();
        let usage = Usage {
            prompt_tokens: job.prompt.len(),
            reused_tokens: admission.reused,
            restored_tokens: admission.restored,
            queued: admitted_at - job.queued_at,
            ..Usage::default()
        };
        Self {
            slot: admission.slot,
            index: job.speculate.then(|| Index::of(&job.prompt)),
            tokens: job.prompt,
            max_tokens: job.max_tokens,
            sampler,
            characters: Characters::default(),
            stops: StopStrings::new(job.stop),
            reply: job.reply,
            deadline: job.deadline,
            draft: Vec::new(),
            record: Record::default(),
            place: 0,
            usage,
            admitted_at,
            first_token_at: None,
            finish: None,
            failure: None,
        }
    }

    /// Its slot.
    pub(super) fn slot(&self) -> SlotId {
        self.slot
    }

    /// Nobody reads it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    /// Ends it when its deadline has passed at `now`.
    pub(super) fn check_deadline(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.finish.get_or_insert(Finish::Deadline);
        }
    }

    /// What comes next when `computed` of its tokens are in the cache.
    pub(super) fn need(&self, computed: usize) -> Need {
        if self.usage.output_tokens == 0 {
            return Need::Prompt(self.tokens.len().saturating_sub(computed));
        }
        Need::Token {
            odds: self.draft.iter().map(|guess| guess.odds).collect(),
            place: self.place,
        }
    }

    /// Where it stands in line.
    pub(super) fn place(&mut self) -> &mut u64 {
        &mut self.place
    }

    /// Guesses what comes after what it has, from that and others' `replies`, as far as `trust` goes.
    pub(super) fn guess(&mut self, replies: &Replies, trust: &Trust) {
        let Some(index) = &self.index else {
            return;
        };
        // The last token of a reply is never computed, so it need not be guessed.
        let most = self.left().saturating_sub(1);
        let odds = |kind| trust.odds(kind, &self.record);
        self.draft = draft(&self.tokens, index, replies, most, odds);
    }

    /// What it says is remembered among others' `replies`, unless nothing is guessed for it.
    pub(super) fn remember_in(&self, replies: &mut Replies) {
        if self.index.is_some() && self.usage.output_tokens > 0 {
            replies.push(&self.tokens, self.usage.prompt_tokens);
        }
    }

    /// Tokens that it may still write.
    pub(super) fn left(&self) -> usize {
        self.max_tokens.saturating_sub(self.usage.output_tokens)
    }

    /// `count` tokens from `computed` on, and guesses where there are no more, each with whether its
    /// logits are wanted: from those of the last one the next is chosen, from a guess's what follows
    /// if it is right.
    pub(super) fn uncomputed(
        &self,
        computed: usize,
        count: usize,
    ) -> impl Iterator<Item = (LlamaToken, bool)> {
        let last = self.tokens.len().saturating_sub(1);
        let drafted = self.draft.iter().map(|guess| &guess.token);
        let known = self.tokens.iter().chain(drafted).enumerate();
        let uncomputed = known.skip(computed).take(count);
        uncomputed.map(move |(index, token)| (*token, index >= last && self.max_tokens > 0))
    }

    /// The tokens after `computed` that are in the cache have been computed; those guessed among them
    /// are verified by what `choose` takes after each, which is told its place among them. How many of
    /// them stay.
    pub(super) fn verify(
        &mut self,
        guessed: usize,
        trust: &mut Trust,
        mut choose: impl FnMut(usize, &mut S) -> Chosen,
    ) -> usize {
        let mut guesses = std::mem::take(&mut self.draft).into_iter();
        let mut right = 0;
        loop {
            let (token, bytes) = match choose(right, &mut self.sampler) {
                Ok(chosen) => chosen,
                Err(reason) => {
                    self.failure = Some(reason);
                    break;
                }
            };
            self.accept(token, bytes.as_deref());
            let Some(guess) = guesses.next() else {
                break;
            };
            // What was guessed but not computed tells about guesses, too.
            let is_right = guess.token == token;
            trust.note(guess.kind, is_right, &mut self.record);
            if self.finish.is_some() || right == guessed || !is_right {
                break;
            }
            right += 1;
        }
        self.usage.drafted_tokens += guessed;
        self.usage.accepted_tokens += right;
        self.reply.cost(self.usage);
        right
    }

    /// `token` has been sampled; `bytes` is its text, `None` when it ends the reply.
    fn accept(&mut self, token: LlamaToken, bytes: Option<&[u8]>) {
        let now = Instant::now();
        let first = *self.first_token_at.get_or_insert(now);
        self.usage.prefill = first - self.admitted_at;
        self.usage.decode = now - first;
        let Some(bytes) = bytes else {
            self.finish = Some(Finish::Stop);
            return;
        };
        self.tokens.push(token);
        if let Some(index) = &mut self.index {
            index.push(token);
        }
        self.usage.output_tokens += 1;
        self.reply.cost(self.usage);
        let released = self.stops.push(&self.characters.push(bytes));
        self.reply.text(released.text);
        if released.stopped {
            self.finish = Some(Finish::Stop);
        } else if self.usage.output_tokens == self.max_tokens {
            self.finish = Some(Finish::Length);
        }
    }

    /// Whether nothing is left to do when `computed` of its tokens are in the cache.
    pub(super) fn is_finished(&self, computed: usize) -> bool {
        let is_read = self.max_tokens == 0 && computed == self.tokens.len();
        self.finish.is_some() || self.failure.is_some() || is_read
    }

    /// What it has cost so far.
    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// What it has still to do when `computed` of its tokens are in the cache.
    pub(super) fn work(&self, computed: usize) -> Work {
        let prompt = match self.usage.output_tokens {
            0 => self.tokens.len().saturating_sub(computed),
            _ => 0,
        };
        Work {
            prompt,
            left: self.left(),
        }
    }

    /// Sends what is withheld, and the end. Half a character at the very end is dropped.
    pub(super) fn end(mut self) {
        if self.first_token_at.is_none() {
            self.usage.prefill = self.admitted_at.elapsed();
        }
        self.reply.text(self.stops.finish());
        self.reply.end(match self.failure {
            Some(reason) => Err(GenerateError::backend(reason)),
            None => Ok((self.finish.unwrap_or(Finish::Length), self.usage)),
        });
    }

    /// Sends `error` instead of the rest.
    pub(super) fn fail(self, error: GenerateError) {
        self.reply.end(Err(error));
    }
}
