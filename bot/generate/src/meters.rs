//! The metrics of text generation.

use std::time::Duration;

use crate::Usage;

/// A request left the queue, to be served or because it waited too long.
pub(crate) fn queued(time: Duration) {
    metrics::histogram!("frontdesk_generation_queue_seconds").record(time.as_secs_f64());
}

/// A reply came to its end, or was given up.
pub(crate) fn finished(usage: &Usage) {
    let first = usage.queued + usage.prefill;
    if usage.output_tokens > 0 {
        metrics::histogram!("frontdesk_generation_first_token_seconds").record(first.as_secs_f64());
    }
    if usage.output_tokens > 1 && !usage.decode.is_zero() {
        let rate = (usage.output_tokens - 1) as f64 / usage.decode.as_secs_f64();
        metrics::histogram!("frontdesk_generation_tokens_per_second").record(rate);
    }
    let count = |name: &'static str, tokens: usize| {
        metrics::counter!("frontdesk_generation_tokens_total", "kind" => name)
            .increment(tokens as u64);
    };
    count("prompt", usage.prompt_tokens);
    count("reused", usage.reused_tokens);
    count("restored", usage.restored_tokens);
    count("drafted", usage.drafted_tokens);
    count("accepted", usage.accepted_tokens);
}

/// A reply was given up before its end.
pub(crate) fn cancelled() {
    metrics::counter!("frontdesk_generation_cancelled_total").increment(1);
}

/// A step computed so many tokens.
pub(crate) fn stepped(tokens: usize) {
    metrics::histogram!("frontdesk_generation_batch_tokens").record(tokens as f64);
}

/// So many tokens were computed before a request asked for them.
pub(crate) fn read_ahead(tokens: usize) {
    metrics::counter!("frontdesk_generation_tokens_total", "kind" => "ahead")
        .increment(tokens as u64);
}
