//! One connection of a chat client: frames in, frames out, no socket.
//!
//! A [`Session`] translates between the frames of [`super::protocol`] and what the [`Door`] does;
//! `socket` pumps them through a WebSocket. Whatever a client sends wrongly costs it an `error` frame
//! and changes nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use crm::{ConversationId, ConversationState, CustomerId};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::protocol::{ClientFrame, ErrorCode, ServerFrame};
use crate::audience::{Event, Listener, Said};
use crate::auth::{self, ConversationKeys};
use crate::config::Config;
use crate::door::{Arrival, Door, DoorError, Entered, Incoming};

/// Channel of the widget.
const CHANNEL: &str = "web";
/// Seconds after which a client may try again what failed on our side.
const RETRY_SECONDS: f64 = 5.0;

/// A connection.
pub(crate) struct Session {
    door: Arc<Door>,
    keys: Arc<ConversationKeys>,
    config: Arc<Config>,
    limiter: Box<DefaultDirectRateLimiter>,
    /// Set by `hello`.
    conversation: Option<ConversationId>,
    /// What the conversation says to this connection.
    news: Option<Listener>,
}

/// What a frame is answered with.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The frames, in order.
    pub frames: Vec<ServerFrame>,
    /// Whether the frame was refused.
    pub refused: bool,
}

impl Session {
    /// A new connection to `door`, whose browsers know their conversations by `keys`.
    pub(crate) fn new(door: Arc<Door>, keys: Arc<ConversationKeys>, config: Arc<Config>) -> Self {
        let server = &config.server;
        let at_least_one = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(server.frames_per_second))
            .allow_burst(at_least_one(server.frames_burst));
        let limiter = Box::new(RateLimiter::direct(quota));
        Self {
            door,
            keys,
            config,
            limiter,
            conversation: None,
            news: None,
        }
    }

    /// What happens next in the conversation; waits for ever before `hello`, gives `None` when the
    /// connection was too slow and has been cut off.
    ///
    /// # Cancel safety
    /// Nothing is lost when this future is dropped.
    pub(crate) async fn news(&mut self) -> Option<Arc<Event>> {
        match &mut self.news {
            Some(news) => news.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Takes a frame as text.
    pub(crate) async fn receive(&mut self, text: &str) -> Answer {
        match self.take(text).await {
            Ok(frames) => Answer {
                frames,
                refused: false,
            },
            Err(refusal) => Answer {
                frames: vec![refusal.into_frame()],
                refused: true,
            },
        }
    }

    async fn take(&mut self, text: &str) -> Result<Vec<ServerFrame>, Refusal> {
        self.check_pace()?;
        let limit = self.config.server.max_frame_bytes;
        if text.len() > limit {
            let bytes = text.len();
            let text = format!("This frame has {bytes} bytes; at most {limit} are taken.");
            return Err(Refusal::new(ErrorCode::TooBig, text));
        }
        let frame: ClientFrame = serde_json::from_str(text).map_err(|error| {
            let text = format!("This is not a frame of the chat protocol: {error}.");
            Refusal::new(ErrorCode::Malformed, text)
        })?;
        match frame {
            ClientFrame::Hello {
                token,
                conversation,
                after,
                language,
            } => {
                let identity = self.hello(token.as_deref())?;
                match conversation {
                    Some(name) => self.resume(&name, identity.as_ref(), after).await,
                    None => self.open(identity.as_ref(), language.as_deref()).await,
                }
            }
            ClientFrame::Message { id, text, pressed } => {
                let conversation = self.current()?;
                let message = Incoming {
                    id: id.clone(),
                    text,
                    pressed,
                    reply_context: None,
                    attachments: Vec::new(),
                };
                let seq = self.door.accept(conversation, message).await?;
                Ok(vec![ServerFrame::Ack { id, seq }])
            }
            ClientFrame::Typing { .. } => {
                self.current()?;
                Ok(Vec::new())
            }
            ClientFrame::Rate { score, comment } => {
                let conversation = self.current()?;
                let comment = comment.as_deref();
                self.door.rate(conversation, score, comment).await?;
                Ok(Vec::new())
            }
            ClientFrame::Human {} => {
                let state = self.door.call_person(self.current()?).await?;
                Ok(unless(state, ConversationState::Human))
            }
            ClientFrame::End {} => {
                self.door.close(self.current()?).await?;
                Ok(Vec::new())
            }
        }
    }

    fn check_pace(&self) -> Result<(), Refusal> {
        self.limiter.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Refusal {
                retry_after: Some((wait.as_secs_f64() * 10.0).ceil() / 10.0),
                ..Refusal::new(
                    ErrorCode::TooFast,
                    "You are sending too fast; please slow down.",
                )
            }
        })
    }

    fn current(&self) -> Result<ConversationId, Refusal> {
        self.conversation.ok_or_else(|| {
            Refusal::new(
                ErrorCode::OutOfTurn,
                "Say `hello` first: it opens the conversation.",
            )
        })
    }

    /// Who says hello.
    fn hello(&self, token: Option<&str>) -> Result<Option<CustomerId>, Refusal> {
        if self.conversation.is_some() {
            let text = "This connection has said `hello` already; open another one.";
            return Err(Refusal::new(ErrorCode::OutOfTurn, text));
        }
        token
            .map(|token| auth::verify(self.config.auth.secret.as_ref(), token))
            .transpose()
            .map_err(|error| Refusal::new(ErrorCode::BadToken, sentence(&error.to_string())))
    }

    async fn open(
        &mut self,
        identity: Option<&CustomerId>,
        language: Option<&str>,
    ) -> Result<Vec<ServerFrame>, Refusal> {
        let arrival = Arrival {
            channel: CHANNEL,
            thread: None,
            identity,
            language,
            pushed: false,
            reply_context: None,
        };
        let entered = self.door.open(&arrival).await?;
        let name = self.keys.name(entered.conversation.id);
        let name = name.map_err(|_| Refusal::unavailable())?;
        let seq = entered.messages.last().map_or(0, |message| message.seq);
        Ok(self.enter(name, seq, entered))
    }

    async fn resume(
        &mut self,
        name: &str,
        identity: Option<&CustomerId>,
        after: Option<i64>,
    ) -> Result<Vec<ServerFrame>, Refusal> {
        let id = self.keys.check(name).ok_or(DoorError::Unknown)?;
        let resumed = self.door.resume(id, identity, after.unwrap_or(0));
        let entered = resumed.await?;
        let seq = entered.conversation.last_seq;
        Ok(self.enter(name.to_owned(), seq, entered))
    }

    fn enter(&mut self, name: String, seq: i64, entered: Entered) -> Vec<ServerFrame> {
        let Entered {
            conversation,
            messages,
            listener,
        } = entered;
        tracing::Span::current().record("conversation", tracing::field::display(conversation.id));
        self.news = Some(listener);
        self.conversation = Some(conversation.id);
        let welcome = ServerFrame::Welcome {
            conversation: name,
            seq,
        };
        let messages = messages
            .into_iter()
            .map(|message| ServerFrame::from(Said::new(message, None)));
        let status = ServerFrame::Status {
            state: conversation.state,
        };
        std::iter::once(welcome)
            .chain(messages)
            .chain([status])
            .collect()
    }
}

/// The state, where it is not the one that was wished for: everybody hears of a change.
fn unless(state: ConversationState, wished: ConversationState) -> Vec<ServerFrame> {
    if state == wished {
        Vec::new()
    } else {
        vec![ServerFrame::Status { state }]
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.news = None;
        if let Some(conversation) = self.conversation {
            self.door.hub.sweep(conversation);
        }
    }
}

/// Why a frame is not accepted: what its sender is told.
#[derive(Debug)]
struct Refusal {
    code: ErrorCode,
    message: String,
    retry_after: Option<f64>,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    /// A failure of ours: the log has the cause, the client may try again.
    fn unavailable() -> Self {
        let text = "This could not be done just now; please try again in a moment.";
        Self {
            retry_after: Some(RETRY_SECONDS),
            ..Self::new(ErrorCode::Unavailable, text)
        }
    }

    fn into_frame(self) -> ServerFrame {
        ServerFrame::Error {
            code: self.code,
            message: self.message,
            retry_after: self.retry_after,
        }
    }
}

impl From<DoorError> for Refusal {
    fn from(error: DoorError) -> Self {
        let code = match &error {
            DoorError::BadId { .. } | DoorError::NotAScore => ErrorCode::Malformed,
            DoorError::Empty => ErrorCode::Empty,
            DoorError::TooLong { .. } => ErrorCode::TooBig,
            DoorError::Unknown => ErrorCode::UnknownConversation,
            DoorError::Closed => ErrorCode::OutOfTurn,
            DoorError::Unavailable(cause) => {
                tracing::error!(
                    error = &**cause as &dyn std::error::Error,
                    "a frame failed: {cause}"
                );
                return Self::unavailable();
            }
        };
        Self::new(code, error.to_string())
    }
}

/// An error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}

/// The frame that a connection gets when the server stops.
pub(super) fn going_away() -> ServerFrame {
    ServerFrame::Error {
        code: ErrorCode::GoingAway,
        message: "The server is restarting; reconnect in a moment.".into(),
        retry_after: Some(2.0),
    }
}

#[cfg(test)]
mod tests;
