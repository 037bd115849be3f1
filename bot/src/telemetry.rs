//! Logs and figures.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Upper bounds of the stages' times, in seconds.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Tokens of a step, and tokens a second.
const TOKENS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts logging to stderr. A filter that cannot be read is replaced by `info`, with a warning.
pub fn install_logs(log: &Log) {
    let (filter, problem) = match EnvFilter::try_new(&log.filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Installed already when several servers run in one process, as tests do.
    let installed = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if let (Some(problem), Ok(())) = (problem, installed) {
        tracing::warn!("log.filter cannot be read ({problem}); logging at `info`");
    }
}

/// Starts collecting figures, once a process.
pub(crate) fn install_metrics() {
    METRICS.get_or_init(|| {
        let times = Matcher::Suffix("_seconds".to_owned());
        let rates = Matcher::Suffix("_per_second".to_owned());
        let sizes = Matcher::Suffix("_tokens".to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(times, BUCKETS)
            .and_then(|builder| builder.set_buckets_for_metric(rates, TOKENS))
            .and_then(|builder| builder.set_buckets_for_metric(sizes, TOKENS))
            .ok()?;
        let handle = builder.install_recorder().ok()?;
        describe();
        Some(handle)
    });
}

/// The figures in Prometheus' text format.
pub(crate) fn render_metrics() -> String {
    METRICS
        .get()
        .and_then(Option::as_ref)
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("frontdesk_turns_total", "Turns answered, by action");
    describe_counter!(
        "frontdesk_turn_failures_total",
        "Attempts at a turn that failed"
    );
    describe_counter!(
        "frontdesk_withheld_sentences_total",
        "Sentences that the guard withheld"
    );
    describe_counter!(
        "frontdesk_tokens_total",
        "Tokens of the language model, by kind"
    );
    describe_counter!("frontdesk_ratings_total", "Ratings, by score");
    describe_histogram!("frontdesk_stage_seconds", "Time of a turn's stages");
    describe_gauge!("frontdesk_connections", "Open chat connections");
    describe_gauge!(
        "frontdesk_active_conversations",
        "Conversations being answered"
    );
    describe_gauge!(
        "frontdesk_generation_queue",
        "Requests waiting for the language model"
    );
    describe_generation();
}

fn describe_generation() {
    use metrics::{describe_counter, describe_histogram};
    describe_histogram!(
        "frontdesk_generation_queue_seconds",
        "Time that a request waited for the language model"
    );
    describe_histogram!(
        "frontdesk_generation_first_token_seconds",
        "Time from a request to its first token"
    );
    describe_histogram!(
        "frontdesk_generation_tokens_per_second",
        "Tokens a second of one reply"
    );
    describe_counter!(
        "frontdesk_generation_tokens_total",
        "Tokens by kind: of prompts, of those reused and restored, read ahead, guessed and accepted"
    );
    describe_counter!(
        "frontdesk_too_busy_total",
        "Replies not written, since the language model would have begun too late"
    );
    describe_counter!(
        "frontdesk_generation_cancelled_total",
        "Replies that nobody waited for to the end"
    );
    describe_histogram!(
        "frontdesk_generation_batch_tokens",
        "Tokens computed at once"
    );
}
