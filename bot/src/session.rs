//! One connection of a chat client: the protocol of [`crate::protocol`], without the socket.
//!
//! [`Session`] takes frames in and gives frames out; `http::chat` pumps them through a WebSocket.
//! Whatever a client sends wrongly costs it an `error` frame and changes nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use crm::{
    AcceptMessage, Accepted, Conversation, ConversationId, CrmError, CustomerId, Message,
    NewConversation, NewMessage,
};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::app::App;
use crate::auth;
use crate::hub::{Frame, message_frame, to_text};
use crate::protocol::{ClientFrame, ErrorCode, ServerFrame, State};
use crate::turn::now;

/// Longest id that a client may give a message, in bytes.
const MOST_ID_BYTES: usize = 64;
/// Messages read at a time when a client resumes.
const PAGE: u32 = 500;
/// Channel of the widget.
const CHANNEL: &str = "web";

/// A connection.
pub(crate) struct Session {
    app: App,
    limiter: Box<DefaultDirectRateLimiter>,
    /// Set by `hello`.
    conversation: Option<ConversationId>,
    /// What the conversation says to this connection.
    news: Option<mpsc::Receiver<Frame>>,
}

impl Session {
    /// A new connection.
    pub(crate) fn new(app: App) -> Self {
        let server = &app.config.server;
        let at_least_one = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(server.frames_per_second))
            .allow_burst(at_least_one(server.frames_burst));
        let limiter = Box::new(RateLimiter::direct(quota));
        Self {
            app,
            limiter,
            conversation: None,
            news: None,
        }
    }

    /// The next frame that the conversation has for this connection; waits for ever before `hello`,
    /// gives `None` when the connection was too slow and has been cut off.
    ///
    /// # Cancel safety
    /// Nothing is lost when this future is dropped.
    pub(crate) async fn news(&mut self) -> Option<Frame> {
        match &mut self.news {
            Some(news) => news.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Takes a frame as text; gives the frames to answer with, in order.
    pub(crate) async fn receive(&mut self, text: &str) -> Vec<String> {
        let frames = match self.accept(text).await {
            Ok(frames) => frames,
            Err(refusal) => vec![refusal.into_frame()],
        };
        frames.iter().map(to_text).collect()
    }

    async fn accept(&mut self, text: &str) -> Result<Vec<ServerFrame>, Refusal> {
        self.check_pace()?;
        if text.len() > self.app.config.server.max_frame_bytes {
            let limit = self.app.config.server.max_frame_bytes;
            return Err(Refusal::new(
                ErrorCode::TooBig,
                format!(
                    "This frame has {} bytes; at most {limit} are taken.",
                    text.len()
                ),
            ));
        }
        let frame: ClientFrame = serde_json::from_str(text).map_err(|error| {
            Refusal::new(
                ErrorCode::Malformed,
                format!("This is not a frame of the chat protocol: {error}."),
            )
        })?;
        match frame {
            ClientFrame::Hello {
                token,
                conversation,
                after,
                language,
            } => self.hello(token, conversation, after, language).await,
            ClientFrame::Message { id, text } => self.message(id, text).await,
            ClientFrame::Typing { .. } => {
                self.current()?;
                Ok(Vec::new())
            }
            ClientFrame::Rate { score, comment } => self.rate(score, comment).await,
            ClientFrame::Human {} => self.human().await,
            ClientFrame::End {} => self.end().await,
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

    async fn hello(
        &mut self,
        token: Option<String>,
        name: Option<String>,
        after: Option<i64>,
        language: Option<String>,
    ) -> Result<Vec<ServerFrame>, Refusal> {
        if self.conversation.is_some() {
            let text = "This connection has said `hello` already; open another one.";
            return Err(Refusal::new(ErrorCode::OutOfTurn, text));
        }
        let customer = token
            .map(|token| auth::verify(self.app.config.auth.secret.as_ref(), &token))
            .transpose()
            .map_err(|error| Refusal::new(ErrorCode::BadToken, sentence(&error.to_string())))?;
        match name {
            Some(name) => self.resume(&name, customer, after.unwrap_or(0)).await,
            None => self.open(customer, language.as_deref()).await,
        }
    }

    async fn open(
        &mut self,
        customer: Option<CustomerId>,
        language: Option<&str>,
    ) -> Result<Vec<ServerFrame>, Refusal> {
        let store = &self.app.turns.store;
        // Somebody with a valid token whom the CRM does not know yet is a visitor with no records.
        let known = match &customer {
            Some(id) => store.find_customer(id).await?,
            None => None,
        };
        let id = ConversationId(Uuid::now_v7());
        let customer = known.as_ref().map(|customer| customer.id.clone());
        let theirs = || known.as_ref()?.language.as_deref();
        let language = language.or_else(theirs).unwrap_or("en");
        let language = self.app.turns.language_for(language);
        store
            .open_conversation(NewConversation {
                id,
                channel: CHANNEL.into(),
                customer,
                language: Some(language.clone()),
                at: now(),
            })
            .await?;
        let name = known.as_ref().and_then(|customer| customer.name.as_deref());
        let text = self.app.turns.welcome(&language, name)?;
        let greeting = store
            .append_message(id, NewMessage::text(crm::Author::Bot, text), now())
            .await?;
        self.listen(id);
        let conversation = self.app.keys.name(id).map_err(|_| Refusal::unavailable())?;
        Ok(vec![
            ServerFrame::Welcome {
                conversation,
                seq: greeting.seq,
            },
            message_frame(&greeting, None),
            ServerFrame::Status { state: State::Bot },
        ])
    }

    async fn resume(
        &mut self,
        name: &str,
        customer: Option<CustomerId>,
        after: i64,
    ) -> Result<Vec<ServerFrame>, Refusal> {
        let unknown = || {
            let text = "There is no such conversation; start a new one.";
            Refusal::new(ErrorCode::UnknownConversation, text)
        };
        let id = self.app.keys.check(name).ok_or_else(unknown)?;
        let store = &self.app.turns.store;
        let found = store.find_conversation(id).await?.ok_or_else(unknown)?;
        // A signed-in customer's conversation goes on only for that customer.
        match (&found.customer, &customer) {
            (Some(owner), Some(customer)) if owner == customer => {}
            (Some(_), _) => return Err(unknown()),
            (None, Some(customer)) => self.bind(&found, customer).await?,
            (None, None) => {}
        }
        // Listen before reading, so that no message falls between; clients drop repeated `seq`s.
        self.listen(id);
        let missed = self.missed(id, after).await?;
        let conversation = name.to_owned();
        let mut frames = vec![ServerFrame::Welcome {
            conversation,
            seq: found.last_seq,
        }];
        frames.extend(missed.iter().map(|message| message_frame(message, None)));
        frames.push(ServerFrame::Status { state: found.state });
        Ok(frames)
    }

    /// All messages after `seq`.
    async fn missed(&self, id: ConversationId, mut seq: i64) -> Result<Vec<Message>, Refusal> {
        let mut all = Vec::new();
        loop {
            let page = self.app.turns.store.messages_after(id, seq, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            seq = last.seq;
            all.extend(page);
        }
    }

    /// A visitor has signed in: the conversation becomes theirs.
    async fn bind(&self, found: &Conversation, customer: &CustomerId) -> Result<(), Refusal> {
        let store = &self.app.turns.store;
        if store.find_customer(customer).await?.is_some() {
            store.bind_customer(found.id, customer).await?;
        }
        Ok(())
    }

    fn listen(&mut self, id: ConversationId) {
        tracing::Span::current().record("conversation", tracing::field::display(id));
        self.news = Some(self.app.turns.hub.listen(id));
        self.conversation = Some(id);
    }

    async fn message(&mut self, id: String, text: String) -> Result<Vec<ServerFrame>, Refusal> {
        let conversation = self.current()?;
        let limit = self.app.config.server.max_message_chars;
        let chars = text.chars().count();
        if id.is_empty() || id.len() > MOST_ID_BYTES {
            let text = format!("A message needs an `id` of 1 to {MOST_ID_BYTES} bytes.");
            return Err(Refusal::new(ErrorCode::Malformed, text));
        }
        if text.trim().is_empty() {
            return Err(Refusal::new(
                ErrorCode::Empty,
                "There is no text in this message.",
            ));
        }
        if chars > limit {
            let text = format!("This message has {chars} characters; please keep to {limit}.");
            return Err(Refusal::new(ErrorCode::TooBig, text));
        }
        tracing::debug!(%conversation, "message: {}", crate::privacy::masked(&text));
        let at = now();
        let message = AcceptMessage {
            conversation,
            client_id: id.clone(),
            text: text.clone(),
            at,
        };
        let accepted = self.app.turns.store.accept_message(message).await?;
        let seq = match accepted {
            Accepted::Duplicate { seq } => return Ok(vec![ServerFrame::Ack { id, seq }]),
            Accepted::Stored { seq } => seq,
        };
        let echo = ServerFrame::Message {
            seq,
            author: crm::Author::Customer,
            text,
            sources: Vec::new(),
            actions: Vec::new(),
            turn: None,
            id: Some(id.clone()),
            at: at.0,
        };
        self.app.turns.hub.send(conversation, &echo);
        self.app.dispatcher.wake(conversation);
        Ok(vec![ServerFrame::Ack { id, seq }])
    }

    async fn rate(&self, score: u8, comment: Option<String>) -> Result<Vec<ServerFrame>, Refusal> {
        let conversation = self.current()?;
        if !(1..=5).contains(&score) {
            return Err(Refusal::new(
                ErrorCode::Malformed,
                "A rating is a score from 1 to 5.",
            ));
        }
        let comment = comment.map(|text| text.chars().take(2000).collect::<String>());
        self.app
            .turns
            .store
            .rate(conversation, score, comment.as_deref(), now())
            .await?;
        metrics::counter!("frontdesk_ratings_total", "score" => score.to_string()).increment(1);
        Ok(Vec::new())
    }

    async fn human(&self) -> Result<Vec<ServerFrame>, Refusal> {
        let notice = self.app.turns.hand_over_notice(self.current()?).await?;
        self.change_state(State::Human, notice).await
    }

    async fn end(&self) -> Result<Vec<ServerFrame>, Refusal> {
        let notice = self.app.turns.ended_notice(self.current()?).await?;
        self.change_state(State::Closed, notice).await
    }

    async fn change_state(
        &self,
        state: State,
        notice: String,
    ) -> Result<Vec<ServerFrame>, Refusal> {
        let id = self.current()?;
        let store = &self.app.turns.store;
        let now_in = store
            .find_conversation(id)
            .await?
            .map(|conversation| conversation.state);
        if now_in == Some(state) || now_in == Some(State::Closed) {
            return Ok(now_in
                .into_iter()
                .map(|state| ServerFrame::Status { state })
                .collect());
        }
        let notice = NewMessage::text(crm::Author::System, notice);
        let stored = store.set_state(id, state, Some(notice), now()).await?;
        self.app.dispatcher.silence(id);
        if let Some(message) = stored {
            self.app.turns.hub.send(id, &message_frame(&message, None));
        }
        self.app.turns.hub.send(id, &ServerFrame::typing(false));
        self.app.turns.hub.send(id, &ServerFrame::Status { state });
        Ok(Vec::new())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.news = None;
        if let Some(conversation) = self.conversation {
            self.app.turns.hub.sweep(conversation);
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

    fn into_frame(self) -> ServerFrame {
        ServerFrame::Error {
            code: self.code,
            message: self.message,
            retry_after: self.retry_after,
        }
    }
}

impl From<CrmError> for Refusal {
    fn from(error: CrmError) -> Self {
        if matches!(error, CrmError::ConversationClosed(_)) {
            let text = "This conversation has ended; start a new one.";
            return Self::new(ErrorCode::OutOfTurn, text);
        }
        if matches!(error, CrmError::OtherCustomer(_)) {
            let text = "There is no such conversation; start a new one.";
            return Self::new(ErrorCode::UnknownConversation, text);
        }
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a frame failed: {error}"
        );
        Self::unavailable()
    }
}

impl From<crate::turn::TurnError> for Refusal {
    fn from(error: crate::turn::TurnError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a frame failed: {error}"
        );
        Self::unavailable()
    }
}

impl Refusal {
    /// A failure of ours: the log has the cause, the client may try again.
    fn unavailable() -> Self {
        Self {
            retry_after: Some(5.0),
            ..Self::new(
                ErrorCode::Unavailable,
                "This could not be done just now; please try again in a moment.",
            )
        }
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
pub(crate) fn going_away() -> Arc<str> {
    let frame = ServerFrame::Error {
        code: ErrorCode::GoingAway,
        message: "The server is restarting; reconnect in a moment.".into(),
        retry_after: Some(2.0),
    };
    to_text(&frame).into()
}
