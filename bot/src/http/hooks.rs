//! The hooks that messaging platforms call. What is signed wrongly is never stored; what is stored is answered
//! afterwards, for platforms wait seconds at most.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use connectors::channel::{Hook, HookError};
use serde::Deserialize;

use super::error::ApiError;
use crate::app::App;
use crate::channels;

/// The path of a hook; what is behind the account is the platform's own.
#[derive(Deserialize)]
pub(super) struct HookPath {
    platform: String,
    account: String,
}

/// A platform tells what happened.
pub(super) async fn receive(
    State(app): State<App>,
    Path(named): Path<HookPath>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let channel = channels::name(&named.platform, &named.account);
    let account = app.channels.get(&channel).ok_or(ApiError::UnknownChannel)?;
    let hook = Hook {
        method: &method,
        url: &address(&app, &uri, &headers),
        headers: &headers,
        body: &body,
        at: app.door.clock.now().0 / 1000,
    };
    let mut received = account.connector.receive(&hook);
    if received == Err(HookError::UnknownKey) && account.renew_keys().await {
        received = account.connector.receive(&hook);
    }
    let received = received.inspect_err(|error| count(&channel, error))?;
    // Not stored: the platform is to tell it again.
    channels::take_in(&app, account, received.events).await?;
    if let Some(bell) = received.bell {
        account.ring(bell);
    }
    if !received.calls.is_empty() {
        let account = Arc::clone(account);
        app.tracker
            .spawn(async move { account.try_to_call(&received.calls).await });
    }
    Ok(match received.reply {
        Some(reply) => {
            let kind = [(header::CONTENT_TYPE, reply.content_type)];
            (kind, reply.body).into_response()
        }
        None => StatusCode::OK.into_response(),
    })
}

/// The address that the platform called, which some of them sign: where a proxy answers for the server, that is
/// the configured one.
fn address(app: &App, uri: &Uri, headers: &HeaderMap) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    if let Some(url) = &app.config.server.public_url {
        return format!("{}{path}", url.as_str().trim_end_matches('/'));
    }
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    format!("http://{}{path}", host.unwrap_or("localhost"))
}

fn count(channel: &str, error: &HookError) {
    let reason = match error {
        HookError::BadSignature => "signature",
        HookError::WrongTime => "time",
        HookError::UnknownKey => "key",
        HookError::Malformed => "malformed",
    };
    let labels = [
        ("channel", channel.to_owned()),
        ("reason", reason.to_owned()),
    ];
    metrics::counter!("frontdesk_hooks_refused_total", &labels).increment(1);
    tracing::warn!(channel, "a request to a hook is refused: {error}");
}
