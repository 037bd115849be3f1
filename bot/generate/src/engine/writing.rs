//! One reply while it is written: from a queued job to its last chunk.

use std::time::Instant;

use llama_cpp_2::token::LlamaToken;

use super::plan::Need;
use super::reply::Reply;
use super::slots::{Admission, SlotId};
use crate::text::{Characters, StopStrings};
use crate::{Finish, Usage};

/// A request as the engine's thread gets it.
#[derive(Debug)]
pub(super) struct Job {
    /// The prompt, not empty.
    pub(super) prompt: Vec<LlamaToken>,
    /// Most tokens to write; 0 only computes the prompt.
    pub(super) max_tokens: usize,
    /// What ends the reply.
    pub(super) stop: Vec<String>,
    /// Seed of the sampler.
    pub(super) seed: u32,
    /// 0 is greedy.
    pub(super) temperature: f32,
    /// When it was queued.
    pub(super) queued_at: Instant,
    /// Where the text goes.
    pub(super) reply: Reply,
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
    usage: Usage,
    admitted_at: Instant,
    first_token_at: Option<Instant>,
    finish: Option<Finish>,
}

impl<S> Writing<S> {
    /// Starts `job` where `admission` says.
    pub(super) fn start(job: Job, admission: &Admission, sampler: S) -> Self {
        let admitted_at = Instant::now();
        let usage = Usage {
            prompt_tokens: job.prompt.len(),
            reused_tokens: admission.reused,
            queued: admitted_at - job.queued_at,
            ..Usage::default()
        };
        Self {
            slot: admission.slot,
            tokens: job.prompt,
            max_tokens: job.max_tokens,
            sampler,
            characters: Characters::default(),
            stops: StopStrings::new(job.stop),
            reply: job.reply,
            usage,
            admitted_at,
            first_token_at: None,
            finish: None,
        }
    }

    /// Its slot.
    pub(super) fn slot(&self) -> SlotId {
        self.slot
    }

    /// Its sampler.
    pub(super) fn sampler(&mut self) -> &mut S {
        &mut self.sampler
    }

    /// Nobody reads it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    /// What comes next when `computed` of its tokens are in the cache.
    pub(super) fn need(&self, computed: usize) -> Need {
        if self.usage.output_tokens > 0 {
            Need::Token
        } else {
            Need::Prompt(self.tokens.len().saturating_sub(computed))
        }
    }

    /// `count` tokens from `computed` on, each with whether its logits are wanted: those of the
    /// last one are, from them the next is sampled.
    pub(super) fn uncomputed(
        &self,
        computed: usize,
        count: usize,
    ) -> impl Iterator<Item = (LlamaToken, bool)> {
        let last = self.tokens.len().saturating_sub(1);
        let uncomputed = self.tokens.iter().enumerate().skip(computed).take(count);
        uncomputed.map(move |(index, token)| (*token, index == last && self.max_tokens > 0))
    }

    /// `token` has been sampled; `bytes` is its text, `None` when it ends the reply.
    pub(super) fn accept(&mut self, token: LlamaToken, bytes: Option<&[u8]>) {
        let now = Instant::now();
        let first = *self.first_token_at.get_or_insert(now);
        self.usage.prefill = first - self.admitted_at;
        self.usage.decode = now - first;
        let Some(bytes) = bytes else {
            self.finish = Some(Finish::Stop);
            return;
        };
        self.tokens.push(token);
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
        self.finish.is_some() || self.max_tokens == 0 && computed == self.tokens.len()
    }

    /// Sends what is withheld, and the end. Half a character at the very end is dropped.
    pub(super) fn end(mut self) {
        if self.first_token_at.is_none() {
            self.usage.prefill = self.admitted_at.elapsed();
        }
        self.reply.text(self.stops.finish());
        self.reply
            .end(Ok((self.finish.unwrap_or(Finish::Length), self.usage)));
    }

    /// Sends `error` instead of the rest.
    pub(super) fn fail(self, error: crate::GenerateError) {
        self.reply.end(Err(error));
    }
}
