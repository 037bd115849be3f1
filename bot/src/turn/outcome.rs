//! The record of a turn: the CRM's, the evaluation's input, and the operator's explanation of why
//! the bot said so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crm::{Millis, Outcome};
use generate::Usage;
use serde::Serialize;
use understand::Understanding;

use super::guard::Withheld;
use super::{Action, Draft, Turns, Written};
use crate::facts::Fact;

/// Times of the stages, in the order they ran.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    last: Instant,
    laps: Vec<(&'static str, Duration)>,
}

impl Clock {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            last: now,
            laps: Vec::with_capacity(8),
        }
    }

    /// Ends a stage.
    pub(super) fn lap(&mut self, stage: &'static str) {
        let now = Instant::now();
        self.laps.push((stage, now - self.last));
        metrics::histogram!("frontdesk_stage_seconds", "stage" => stage)
            .record((now - self.last).as_secs_f64());
        self.last = now;
    }

    /// Notes a time that is measured from the turn's beginning.
    pub(super) fn since_start(&mut self, name: &'static str) {
        self.laps.push((name, self.began.elapsed()));
    }

    fn millis(&self) -> BTreeMap<&'static str, f64> {
        let mut millis: BTreeMap<&'static str, f64> = BTreeMap::new();
        for (stage, time) in &self.laps {
            *millis.entry(stage).or_default() += time.as_secs_f64() * 1e3;
        }
        millis.insert("total", self.began.elapsed().as_secs_f64() * 1e3);
        millis
    }
}

/// What is recorded of a turn.
#[derive(Debug, Serialize)]
pub(super) struct OutcomeRecord<'a> {
    rule: &'a str,
    action: Action,
    language: &'a str,
    translation: Option<&'a str>,
    /// The message with its misspelt words put right.
    corrected: Option<&'a str>,
    understanding: &'a Understanding,
    /// What was looked up: the message, with what it goes on from.
    question: Option<&'a str>,
    facts: &'a [Fact],
    documents: &'a [String],
    reply: &'a str,
    quoted: Option<&'a str>,
    withheld: Vec<WithheldSentence<'a>>,
    versions: Versions<'a>,
    usage: Option<UsageRecord>,
    stages_ms: BTreeMap<&'static str, f64>,
}

#[derive(Debug, Serialize)]
struct WithheldSentence<'a> {
    sentence: &'a str,
    #[serde(flatten)]
    reason: &'a Withheld,
}

#[derive(Debug, Serialize)]
struct Versions<'a> {
    frontdesk: &'static str,
    heads: &'a str,
    reply_model: &'a str,
}

#[derive(Debug, Serialize)]
struct UsageRecord {
    prompt_tokens: usize,
    reused_tokens: usize,
    output_tokens: usize,
    queued_ms: f64,
    prefill_ms: f64,
    decode_ms: f64,
}

/// Counts the tokens of a reply or translation.
pub(super) fn count_tokens(usage: &Usage) {
    for (kind, tokens) in [
        ("prompt", usage.prompt_tokens),
        ("reused", usage.reused_tokens),
        ("output", usage.output_tokens),
    ] {
        metrics::counter!("frontdesk_tokens_total", "kind" => kind).increment(tokens as u64);
    }
}

/// The outcome of a finished turn.
pub(super) fn outcome(draft: &Draft<'_>, written: &Written, turns: &Turns) -> Outcome {
    let understanding = &draft.understood.understanding;
    let record = OutcomeRecord {
        rule: draft.rule,
        action: written.action,
        language: understanding.language.as_str(),
        translation: draft
            .understood
            .translated
            .then_some(draft.understood.english.as_str()),
        corrected: Some(draft.understood.english.as_str())
            .filter(|english| !draft.understood.translated && *english != draft.open.text),
        understanding,
        question: written.question.as_deref(),
        facts: &written.facts,
        documents: &written.documents,
        reply: &written.text,
        quoted: written.quoted.as_deref(),
        withheld: written
            .withheld
            .iter()
            .map(|(sentence, reason)| WithheldSentence { sentence, reason })
            .collect(),
        versions: Versions {
            frontdesk: env!("CARGO_PKG_VERSION"),
            heads: turns.understander.version(),
            reply_model: turns.generator.model(),
        },
        usage: written.usage.map(|usage| UsageRecord {
            prompt_tokens: usage.prompt_tokens,
            reused_tokens: usage.reused_tokens,
            output_tokens: usage.output_tokens,
            queued_ms: usage.queued.as_secs_f64() * 1e3,
            prefill_ms: usage.prefill.as_secs_f64() * 1e3,
            decode_ms: usage.decode.as_secs_f64() * 1e3,
        }),
        stages_ms: draft.clock.millis(),
    };
    metrics::counter!("frontdesk_turns_total", "action" => written.action.as_str()).increment(1);
    metrics::counter!("frontdesk_withheld_sentences_total")
        .increment(written.withheld.len() as u64);
    if let Some(usage) = &written.usage {
        count_tokens(usage);
    }
    Outcome {
        turn: draft.open.turn,
        conversation: draft.open.conversation.id,
        through_seq: draft.open.through_seq,
        intent: understanding.intent.top().to_owned(),
        sentiment: understanding.sentiment.top().to_owned(),
        action: written.action.as_str().to_owned(),
        record: super::to_json(&record),
        at: now(),
    }
}

/// The clock's time.
pub(crate) fn now() -> Millis {
    Millis(jiff::Timestamp::now().as_millisecond())
}
