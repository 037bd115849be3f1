//! Other programs that talk to the bot for their users: by the protocol of OpenAI's chat completions, and by Rasa's
//! REST channel.

mod exchange;
mod openai;
mod rasa;
mod transcripts;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use axum::{Extension, Router};
use subtle::ConstantTimeEq;
use tower_http::limit::RequestBodyLimitLayer;

use crate::app::App;
use crate::config::Config;
use transcripts::Transcripts;

/// Largest body, in bytes: programs send whole conversations.
const MOST_BODY: usize = 1024 * 1024;

/// The routes of the programs that the configuration lets in.
pub(super) fn router(config: &Config) -> Router<App> {
    let mut router = Router::new();
    if !config.programs.is_empty() {
        router = router
            .route("/v1/chat/completions", post(openai::complete))
            .route("/v1/models", get(openai::models));
    }
    if config.rasa.enabled {
        router = router
            .route(
                "/webhooks/rest/webhook",
                post(rasa::say).options(rasa::preflight),
            )
            .route("/webhooks/rest/", get(rasa::health));
    }
    router
        .layer(Extension(Arc::new(Transcripts::default())))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MOST_BODY))
}

/// The name of the program whose key the request carries.
fn program(config: &Config, headers: &HeaderMap) -> Option<String> {
    let given = bearer(headers)?;
    // All are compared, so that the time tells nothing.
    let mut found = None;
    for (name, program) in &config.programs {
        let key = program.key.reveal();
        if !key.is_empty() && bool::from(key.as_bytes().ct_eq(given.as_bytes())) {
            found = Some(name.clone());
        }
    }
    found
}

/// The token of `Authorization: Bearer` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
