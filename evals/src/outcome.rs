//! The outcome of a turn as the server recorded it, as far as it is evaluated.
//!
//! The record is JSON of the server's own. Any key of it may be absent: a turn that was not
//! answered from knowledge has retrieved nothing.

use crm::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Stages of a turn in the order they happen; others are listed after them. `preview`,
/// `first_token` and `total` are counted from the turn's beginning, the rest from the stage before.
pub const STAGES: [&str; 12] = [
    "open",
    "understand",
    "decide",
    "translate",
    "desk",
    "retrieve",
    "preview",
    "compose",
    "first_token",
    "generate",
    "basis",
    "total",
];

/// Tokens that a turn has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens of the prompt, reused ones included.
    pub prompt_tokens: u64,
    /// Tokens of the prompt that were still in the cache.
    pub reused_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Time to compute what was not in the cache, in milliseconds.
    pub prefill_ms: f64,
    /// Time from the first token written to the last, in milliseconds.
    pub decode_ms: f64,
}

impl Usage {
    /// Tokens of the prompt computed in a second; `None` where too few were for a rate.
    pub fn prefill_rate(&self) -> Option<f64> {
        rate(
            self.prompt_tokens.saturating_sub(self.reused_tokens),
            self.prefill_ms,
        )
    }

    /// Tokens written in a second; `None` where too few were for a rate.
    pub fn decode_rate(&self) -> Option<f64> {
        // The first one comes at the end of the prefill.
        rate(self.output_tokens.saturating_sub(1), self.decode_ms)
    }
}

fn rate(tokens: u64, ms: f64) -> Option<f64> {
    const LEAST: u64 = 4;
    (tokens >= LEAST && ms > 0.0).then(|| tokens as f64 * 1e3 / ms)
}

/// Ids of the documents retrieved, best first.
pub fn documents(outcome: &Outcome) -> Vec<&str> {
    let documents = outcome.record.get("documents").and_then(Value::as_array);
    documents
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Similarity of the fact nearest to the question in meaning, in `[-1, 1]`; `None` where no knowledge
/// was used.
pub fn best_similarity(outcome: &Outcome) -> Option<f64> {
    let facts = outcome.record.get("facts").and_then(Value::as_array)?;
    let similarity = facts
        .iter()
        .filter_map(|fact| fact.get("similarity")?.as_f64());
    similarity.max_by(f64::total_cmp)
}

/// What was given to the model, or would be.
pub fn facts(outcome: &Outcome) -> Vec<&str> {
    let facts = outcome.record.get("facts").and_then(Value::as_array);
    let texts = facts.into_iter().flatten();
    texts
        .filter_map(|fact| fact.get("text")?.as_str())
        .collect()
}

/// What was looked up; `None` where nothing was.
pub fn question(outcome: &Outcome) -> Option<&str> {
    outcome.record.get("question").and_then(Value::as_str)
}

/// Milliseconds of every stage that took place.
pub fn stages(outcome: &Outcome) -> impl Iterator<Item = (&str, f64)> {
    let stages = outcome.record.get("stages_ms").and_then(Value::as_object);
    stages
        .into_iter()
        .flatten()
        .filter_map(|(name, ms)| Some((name.as_str(), ms.as_f64()?)))
}

/// Whether a model wrote or translated anything for the turn, whatever became of its words.
pub fn asked_model(outcome: &Outcome) -> bool {
    let translation = outcome.record.get("translation");
    let translated = translation.is_some_and(|translation| !translation.is_null());
    let written = stages(outcome).any(|(name, _)| name == "generate");
    translated || written || usage(outcome).is_some_and(|usage| usage.output_tokens > 0)
}

/// Tokens of the turn; `None` when no model was asked.
pub fn usage(outcome: &Outcome) -> Option<Usage> {
    let usage = outcome
        .record
        .get("usage")
        .filter(|usage| !usage.is_null())?;
    Usage::deserialize(usage).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::outcome;

    #[test]
    fn a_record_is_read_where_it_says_something() {
        let mut outcome = outcome("track_order", "neutral", "answer");
        outcome.record = json!({
            "stages_ms": {"open": 1.5, "retrieve": 20},
            "documents": ["a", "b"],
            "facts": [{"text": "It is $5.", "similarity": 0.5}],
            "usage": {"prompt_tokens": 700, "reused_tokens": 650, "output_tokens": 41,
                      "prefill_ms": 1000.0, "decode_ms": 2000.0},
        });
        assert_eq!(documents(&outcome), ["a", "b"]);
        assert_eq!(facts(&outcome), ["It is $5."]);
        assert_eq!(
            stages(&outcome).collect::<Vec<_>>(),
            [("open", 1.5), ("retrieve", 20.0)]
        );
        let tokens = Usage {
            prompt_tokens: 700,
            reused_tokens: 650,
            output_tokens: 41,
            prefill_ms: 1000.0,
            decode_ms: 2000.0,
        };
        assert_eq!(usage(&outcome), Some(tokens));
        assert_eq!(
            (tokens.prefill_rate(), tokens.decode_rate()),
            (Some(50.0), Some(20.0))
        );
    }

    #[test]
    fn a_model_was_asked_where_it_wrote_or_translated() {
        for (record, asked) in [
            (json!({"stages_ms": {"desk": 1.0}, "usage": null}), false),
            (
                json!({"stages_ms": {"generate": 900.0}, "usage": null}),
                true,
            ),
            (json!({"translation": "Where is it?"}), true),
        ] {
            let mut outcome = outcome("greeting", "neutral", "greet");
            outcome.record = record;
            assert_eq!(asked_model(&outcome), asked, "{}", outcome.record);
        }
    }

    #[test]
    fn a_record_without_the_keys_says_nothing() {
        for record in [
            json!({}),
            json!(null),
            json!({"usage": null, "documents": 3}),
        ] {
            let mut outcome = outcome("greeting", "neutral", "greet");
            outcome.record = record;
            assert!(documents(&outcome).is_empty());
            assert_eq!(stages(&outcome).count(), 0);
            assert_eq!(usage(&outcome), None);
        }
    }
}
