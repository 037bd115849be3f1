//! HTTP: the chat endpoint, the widget, health and metrics; the demo shop where it is enabled.

pub(crate) mod chat;
mod demo;
mod error;
mod health;
mod hooks;
mod programs;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};

use crate::app::App;

/// Largest request body, in bytes.
const MOST_BODY: usize = 64 * 1024;
/// Largest body of a platform's request, in bytes: WhatsApp's are said to reach 3 MB.
const MOST_HOOK_BODY: usize = 4 * 1024 * 1024;
/// Longest time for an answer; the chat itself runs on after its upgrade.
const MOST_TIME: Duration = Duration::from_secs(30);

/// All routes.
pub(crate) fn router(app: App) -> Router {
    let programs = programs::router(&app.config);
    let mut router = Router::new()
        .route("/v1/chat", get(chat::chat))
        .route(
            "/frontdesk.js",
            get(|headers| asset("frontdesk.js".into(), headers)),
        )
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    if app.config.demo.enabled {
        router = router.merge(demo::router()).route(
            "/{file}",
            get(|Path(file): Path<String>, headers| asset(file, headers)),
        );
    }
    let router = router.layer(RequestBodyLimitLayer::new(MOST_BODY));
    // Outermost first: an id for the log, the log, then what may end a request early.
    router
        .merge(hooks())
        .merge(programs)
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            MOST_TIME,
        ))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                .on_response(DefaultOnResponse::new().level(tracing::Level::DEBUG)),
        )
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .with_state(app)
}

/// The hooks of platforms: some have paths of their own behind it, and methods.
fn hooks() -> Router<App> {
    Router::new()
        .route("/hooks/{platform}/{account}", any(hooks::receive))
        .route("/hooks/{platform}/{account}/{*rest}", any(hooks::receive))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MOST_HOOK_BODY))
}

/// Path and id only: queries and headers may hold personal data and tokens.
fn request_span(request: &axum::http::Request<axum::body::Body>) -> tracing::Span {
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|value| value.to_str().ok());
    tracing::info_span!("request", id = id.unwrap_or(""), method = %request.method(), path = request.uri().path())
}

/// A file of the widget.
async fn asset(name: String, headers: HeaderMap) -> Response {
    let Some(asset) = connectors::web::asset(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let caching = [
        (header::ETAG, asset.etag.clone()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if known == Some(asset.etag.as_str()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (
        caching,
        [(header::CONTENT_TYPE, asset.content_type)],
        asset.bytes.into_owned(),
    )
        .into_response()
}
