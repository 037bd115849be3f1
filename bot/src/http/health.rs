//! Whether the server lives, whether it can serve, and its figures.

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::telemetry;

/// The process runs.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Store, index and language model can serve; a load balancer sends customers elsewhere otherwise.
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, String) {
    let mut missing = Vec::new();
    if app.store.counts().await.is_err() {
        missing.push("the CRM store does not answer");
    }
    if let Err(error) = app.library.check().await {
        tracing::warn!("the index does not answer: {error}");
        missing.push("the index does not answer");
    }
    if !app.services.generator.healthy() {
        missing.push("the language model has stopped");
    }
    if app.shutdown.is_cancelled() {
        missing.push("the server is shutting down");
    }
    if missing.is_empty() {
        (StatusCode::OK, "ready\n".into())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", missing.join("; ")),
        )
    }
}

/// Figures for Prometheus.
pub(super) async fn metrics(State(app): State<App>) -> String {
    metrics::gauge!("frontdesk_connections").set(app.connections.count() as f64);
    metrics::gauge!("frontdesk_active_conversations").set(app.dispatcher.active() as f64);
    metrics::gauge!("frontdesk_generation_queue").set(app.services.generator.waiting() as f64);
    telemetry::render_metrics()
}
