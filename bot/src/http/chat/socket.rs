//! The WebSocket of a chat client: pumps frames between the socket and its [`Session`].

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::Instrument;

use super::protocol::{ErrorCode, ServerFrame};
use super::session::{Session, going_away};
use crate::app::{App, ConnectionGuard};
use crate::http::error::ApiError;

/// A connection reads and writes through buffers of this size: the default of 128 KiB would cost
/// ten thousand idle visitors more than a gigabyte.
const BUFFER: usize = 1024;
/// What a connection may leave unread before it is closed, in bytes.
const MOST_UNREAD: usize = 256 * 1024;
/// Largest message that is read at all. Up to here an oversized one costs an `error`, beyond it the
/// connection.
const MOST_READ: usize = 1024 * 1024;
/// Time a reader gets to take a frame.
const SEND_TIME: Duration = Duration::from_secs(10);
/// Frames refused in a row after which a connection is closed.
const MOST_REFUSED: u32 = 50;

/// Upgrades to the chat protocol.
pub(in crate::http) async fn chat(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    let place = app
        .connections
        .enter(app.config.server.max_connections)
        .ok_or(ApiError::TooManyConnections)?;
    let tracker = app.tracker.clone();
    // Within the request's own span, whose id its lines keep.
    let span = tracing::info_span!("chat", conversation = tracing::field::Empty);
    Ok(upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MOST_UNREAD)
        .max_message_size(MOST_READ)
        .max_frame_size(MOST_READ)
        .on_upgrade(move |socket| {
            tracker.track_future(converse(socket, app, place).instrument(span))
        }))
}

fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let allowed = &app.config.server.allowed_origins;
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|value| value.to_str().ok());
    match origin {
        Some(origin) if !allowed.is_empty() && !allowed.iter().any(|known| known == origin) => {
            Err(ApiError::ForeignOrigin)
        }
        _ => Ok(()),
    }
}

/// Runs a connection to its end.
async fn converse(mut socket: WebSocket, app: App, place: ConnectionGuard) {
    let shutdown = app.shutdown.clone();
    let ping = Duration::from_secs(app.config.server.ping_seconds);
    let mut session = Session::new(app.door, app.keys, app.config);
    let mut pings = interval(ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut unanswered_pings = 0;
    let mut refused = 0;
    loop {
        tokio::select! {
            received = socket.recv() => {
                unanswered_pings = 0;
                match received {
                    Some(Ok(Message::Text(text))) => {
                        // Boxed: what a frame needs for a moment must not lie in every idle connection.
                        let answer = Box::pin(session.receive(&text)).await;
                        refused = if answer.refused { refused + 1 } else { 0 };
                        if !send_all(&mut socket, &answer.frames).await { return }
                        if refused > MOST_REFUSED { break }
                    }
                    Some(Ok(Message::Binary(_))) => {
                        refused += 1;
                        let frame = malformed("Binary frames are not part of the chat protocol; send JSON text.");
                        if !send(&mut socket, &frame).await || refused > MOST_REFUSED { break }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_))) | None => break,
                    Some(Err(error)) => {
                        send(&mut socket, &unreadable(error)).await;
                        break;
                    }
                }
            }
            news = session.news() => match news {
                Some(event) => if !send_all(&mut socket, &ServerFrame::of(&event)).await { return },
                None => break,
            },
            _ = pings.tick() => {
                unanswered_pings += 1;
                if unanswered_pings > 2 { break }
                let ping = socket.send(Message::Ping(Vec::new().into()));
                if !matches!(timeout(SEND_TIME, ping).await, Ok(Ok(()))) { return }
            }
            () = shutdown.cancelled() => {
                send(&mut socket, &going_away()).await;
                break;
            }
        }
    }
    let close = Message::Close(Some(CloseFrame {
        code: 1001,
        reason: Utf8Bytes::from_static(""),
    }));
    timeout(SEND_TIME, socket.send(close)).await.ok();
    drop(place);
}

/// Sends frames; `false` when the reader is gone or does not read.
async fn send_all(socket: &mut WebSocket, frames: &[ServerFrame]) -> bool {
    for frame in frames {
        if !send(socket, frame).await {
            return false;
        }
    }
    true
}

/// Sends a frame; `false` when the reader is gone or does not read.
async fn send(socket: &mut WebSocket, frame: &ServerFrame) -> bool {
    let message = Message::Text(frame.to_text().into());
    matches!(timeout(SEND_TIME, socket.send(message)).await, Ok(Ok(())))
}

fn malformed(text: &str) -> ServerFrame {
    ServerFrame::Error {
        code: ErrorCode::Malformed,
        message: text.to_owned(),
        retry_after: None,
    }
}

/// What a client is told whose bytes are no WebSocket messages that are read.
fn unreadable(error: axum::Error) -> ServerFrame {
    let cause = error.into_inner();
    match cause.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => ServerFrame::Error {
            code: ErrorCode::TooBig,
            message: format!(
                "A message may have at most {MOST_READ} bytes; the connection is closed."
            ),
            retry_after: None,
        },
        Some(_) | None => {
            malformed("The connection is closed: what came was not a text message in UTF-8.")
        }
    }
}
