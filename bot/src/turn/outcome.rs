//! The record of a turn: the CRM's, the evaluation's input, and the operator's explanation of why
//! the bot said so.

use std::collections::BTreeMap;

use crm::{ConversationState, FinishedTurn, NewMessage, Outcome};
use generate::Usage;
use guard::Withheld;
use serde::Serialize;
use understand::Understanding;

use super::decide::Reaction;
use super::memory::Memory;
use super::read::Question;
use super::write::Reply;
use super::{Turn, TurnError};
use crate::audience::{QuickReply, QuickReplyKind};
use crate::facts::Fact;

/// What is recorded of a turn.
#[derive(Debug, Serialize)]
pub(super) struct OutcomeRecord<'a> {
    rule: &'a str,
    action: Reaction,
    language: &'a str,
    /// What the pages' words are in the customer's language.
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
    /// The guard's checks that the reply's language has no words for.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unchecked: &'a [&'static str],
    versions: &'a Versions<'a>,
    usage: Option<UsageRecord>,
    stages_ms: BTreeMap<&'static str, f64>,
}

#[derive(Debug, Serialize)]
struct WithheldSentence<'a> {
    sentence: &'a str,
    #[serde(flatten)]
    reason: &'a Withheld,
}

/// What answered.
#[derive(Debug, Serialize)]
pub(super) struct Versions<'a> {
    pub(super) frontdesk: &'static str,
    pub(super) heads: String,
    pub(super) reply_model: &'a str,
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

impl From<Usage> for UsageRecord {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            reused_tokens: usage.reused_tokens,
            output_tokens: usage.output_tokens,
            queued_ms: usage.queued.as_secs_f64() * 1e3,
            prefill_ms: usage.prefill.as_secs_f64() * 1e3,
            decode_ms: usage.decode.as_secs_f64() * 1e3,
        }
    }
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

/// Puts together what is stored.
pub(super) fn finish(
    turn: &Turn<'_>,
    question: Option<&Question>,
    reply: &Reply,
    versions: &Versions<'_>,
) -> Result<FinishedTurn, TurnError> {
    let language = turn.language().to_owned();
    let quick_replies = quick_replies(turn, reply)?;
    let message = NewMessage {
        author: crm::Author::Bot,
        text: reply.text.clone(),
        sources: to_json(&reply.sources),
        quick_replies: to_json(&quick_replies),
    };
    let memory = Memory::after(turn.opened, question, turn.reading.angry, reply);
    Ok(FinishedTurn {
        outcome: outcome(turn, question, reply, versions),
        messages: vec![message],
        state: match reply.reaction {
            Reaction::HandOver(_) => ConversationState::Human,
            Reaction::Answer
            | Reaction::Greet
            | Reaction::Thank
            | Reaction::Goodbye
            | Reaction::About
            | Reaction::OffTopic
            | Reaction::NoAnswer
            | Reaction::Busy
            | Reaction::Refuse(_) => ConversationState::Bot,
        },
        memory: to_json(&memory),
        language: Some(language),
    })
}

fn quick_replies(turn: &Turn<'_>, reply: &Reply) -> Result<Vec<QuickReply>, TurnError> {
    if !reply.reaction.may_want_a_person() {
        return Ok(Vec::new());
    }
    let voice = &turn.settings.voice;
    Ok(vec![QuickReply {
        id: QuickReply::HUMAN.to_owned(),
        kind: QuickReplyKind::Human,
        text: voice.say(turn.language(), "button_human", None)?,
    }])
}

/// The outcome of a finished turn.
fn outcome(
    turn: &Turn<'_>,
    question: Option<&Question>,
    reply: &Reply,
    versions: &Versions<'_>,
) -> Outcome {
    let opened = turn.opened;
    let read = &turn.reading.understanding;
    let text = question.map_or(&turn.reading.text, |question| &question.text);
    let record = OutcomeRecord {
        rule: reply.rule,
        action: reply.reaction,
        language: turn.language(),
        translation: reply.translation.as_deref(),
        corrected: Some(text.as_str()).filter(|text| *text != opened.text),
        understanding: read,
        question: reply.query.as_deref(),
        facts: &reply.facts,
        documents: &reply.documents,
        reply: &reply.text,
        quoted: reply.quoted.as_deref(),
        withheld: reply
            .withheld
            .iter()
            .map(|(sentence, reason)| WithheldSentence { sentence, reason })
            .collect(),
        unchecked: &reply.unchecked,
        versions,
        usage: reply.usage.map(UsageRecord::from),
        stages_ms: turn.watch.millis(),
    };
    count(reply);
    Outcome {
        turn: opened.turn,
        conversation: opened.conversation.id,
        through_seq: opened.through_seq,
        intent: read.intent.top().to_owned(),
        sentiment: read.sentiment.top().to_owned(),
        action: reply.reaction.as_str().to_owned(),
        record: to_json(&record),
        at: turn.settings.clock.now(),
    }
}

fn count(reply: &Reply) {
    let action = reply.reaction.as_str();
    metrics::counter!("frontdesk_turns_total", "action" => action).increment(1);
    metrics::counter!("frontdesk_withheld_sentences_total").increment(reply.withheld.len() as u64);
    if let Some(usage) = &reply.usage {
        count_tokens(usage);
    }
}

fn to_json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}
