//! Errors of HTTP requests: a status and a closed set of codes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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
