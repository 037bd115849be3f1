//! Errors of HTTP requests: a status and a closed set of codes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use connectors::channel::HookError;
use serde_json::json;

/// Why a request is not served. The texts are fit for a client.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The server is full.
    #[error("this server has as many connections as it may have; try again later")]
    TooManyConnections,
    /// The page is not one that may connect.
    #[error("pages of this origin may not connect; add it to server.allowed_origins")]
    ForeignOrigin,
    /// No such demo customer.
    #[error("there is no such customer")]
    UnknownCustomer,
    /// No such channel.
    #[error("there is no such channel; add it to the configuration under `channels`")]
    UnknownChannel,
    /// A hook's request is not what it should be.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A hook's event could not be stored.
    #[error(transparent)]
    Door(#[from] crate::door::DoorError),
    /// The store failed.
    #[error("the store is not available just now")]
    Store(#[from] crm::CrmError),
    /// A token could not be made.
    #[error("a token cannot be made: {0}")]
    Token(#[from] crate::auth::TokenError),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::TooManyConnections => (StatusCode::SERVICE_UNAVAILABLE, "too_many_connections"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "foreign_origin"),
            Self::UnknownCustomer => (StatusCode::NOT_FOUND, "unknown_customer"),
            Self::UnknownChannel => (StatusCode::NOT_FOUND, "unknown_channel"),
            Self::Hook(HookError::BadSignature) => (StatusCode::UNAUTHORIZED, "bad_signature"),
            Self::Hook(HookError::WrongTime) => (StatusCode::UNAUTHORIZED, "wrong_time"),
            Self::Hook(HookError::UnknownKey) => (StatusCode::UNAUTHORIZED, "unknown_key"),
            Self::Hook(HookError::Malformed) => (StatusCode::BAD_REQUEST, "malformed"),
            Self::Door(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_stored"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            Self::Token(_) => (StatusCode::INTERNAL_SERVER_ERROR, "no_token"),
        };
        if let Self::Store(cause) = &self {
            tracing::error!(
                error = cause as &dyn std::error::Error,
                "a request failed: {cause}"
            );
        }
        (
            status,
            Json(json!({ "error": { "code": code, "message": self.to_string() } })),
        )
            .into_response()
    }
}
