//! The client side of the chat protocol: one conversation over one WebSocket.
//!
//! Times are measured where the customer sits: from sending a message to receiving each frame.

use std::time::Duration;

use crm::ConversationId;
use frontdesk::protocol::{ErrorCode, ServerFrame, State};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use uuid::Uuid;

use crate::exchange::{Exchange, Step};

/// How long the server may take to welcome.
const WELCOME: Duration = Duration::from_secs(30);

/// How long after "a person answers now" the bot's last words may still come.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a conversation broke off.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The connection could not be opened, or broke.
    #[error("the connection failed: check that the server runs and takes connections")]
    Connection(#[from] tungstenite::Error),
    /// The server ended the connection.
    #[error("the server closed the connection: its log says why")]
    Closed,
    /// A frame is not of the protocol.
    #[error("the server sent {frame:?}, which is no frame of the protocol ({source})")]
    NotAFrame {
        /// The frame.
        frame: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The server did not accept something.
    #[error("the server answered {code:?}: {message}")]
    Refused {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// `welcome` names no conversation.
    #[error(
        "the server's welcome names the conversation {0:?}, which has no id: use a server of this version"
    )]
    NoConversation(String),
    /// Nothing came.
    #[error("nothing came within {} s: the server is stuck or too slow", .0.as_secs())]
    TimedOut(Duration),
}

/// How a conversation is opened.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    /// Language of the page, a BCP 47 tag.
    pub language: Option<String>,
    /// Signed customer token; `None` for an anonymous visitor.
    pub token: Option<String>,
}

/// An open conversation.
#[derive(Debug)]
pub struct Chat {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    conversation: ConversationId,
    /// The turn answered last: what still comes of it belongs to no later message.
    ended: Option<String>,
}

impl Chat {
    /// Connects to `url` (`ws://host:port/v1/chat`) and opens a new conversation.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn open(url: &str, hello: &Hello) -> Result<Self, ChatError> {
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
        let hello = json!({"type": "hello", "language": hello.language, "token": hello.token});
        socket.send(Message::text(hello.to_string())).await?;
        let deadline = Instant::now() + WELCOME;
        loop {
            match hear(&mut socket, deadline)
                .await?
                .ok_or(ChatError::TimedOut(WELCOME))?
            {
                ServerFrame::Welcome { conversation, .. } => {
                    let conversation = conversation_of(&conversation)
                        .ok_or(ChatError::NoConversation(conversation))?;
                    return Ok(Self {
                        socket,
                        conversation,
                        ended: None,
                    });
                }
                ServerFrame::Error { code, message, .. } => {
                    return Err(ChatError::Refused { code, message });
                }
                ServerFrame::Ack { .. }
                | ServerFrame::Typing { .. }
                | ServerFrame::Delta { .. }
                | ServerFrame::Preview { .. }
                | ServerFrame::Message { .. }
                | ServerFrame::Status { .. } => {}
            }
        }
    }

    /// The conversation's id in the CRM store.
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// Says `text` and listens until the answer is whole or the conversation has left the bot.
    ///
    /// A message that came too fast is sent again when the server wants it; its times count from
    /// then.
    ///
    /// # Errors
    /// [`ChatError`]; after one, nothing more can be asked.
    pub async fn ask(&mut self, text: &str, patience: Duration) -> Result<Exchange, ChatError> {
        let id = Uuid::new_v4().to_string();
        let mut exchange = Exchange::new(self.ended.take());
        self.say(&id, text).await?;
        let (mut asked, mut deadline) = (Instant::now(), Instant::now() + patience);
        loop {
            let Some(frame) = hear(&mut self.socket, deadline).await? else {
                if exchange.state.is_some() {
                    break;
                }
                return Err(ChatError::TimedOut(patience));
            };
            match exchange.hear(frame, asked.elapsed())? {
                Step::Listen => {}
                Step::LastWords => deadline = deadline.min(Instant::now() + LAST_WORDS),
                Step::Ended => break,
                Step::SayAgain(pause) => {
                    sleep(pause).await;
                    self.say(&id, text).await?;
                    (asked, deadline) = (Instant::now(), Instant::now() + patience);
                }
            }
        }
        self.ended.clone_from(&exchange.turn);
        Ok(exchange)
    }

    async fn say(&mut self, id: &str, text: &str) -> Result<(), ChatError> {
        let message = json!({"type": "message", "id": id, "text": text});
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    /// Closes the connection; the conversation stays open at the server.
    pub async fn leave(mut self) {
        // The conversation's last word has been heard: that the goodbye gets lost costs nothing.
        let _ = self.socket.close(None).await;
    }
}

/// The next frame; `None` when the deadline passes before it.
async fn hear(
    socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>,
    deadline: Instant,
) -> Result<Option<ServerFrame>, ChatError> {
    loop {
        let Ok(heard) = timeout_at(deadline, socket.next()).await else {
            return Ok(None);
        };
        match heard.ok_or(ChatError::Closed)?? {
            Message::Text(text) => {
                let frame = serde_json::from_str(&text).map_err(|source| ChatError::NotAFrame {
                    frame: text.to_string(),
                    source,
                })?;
                return Ok(Some(frame));
            }
            Message::Close(_) => return Err(ChatError::Closed),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// The id in a conversation's name, which is the id, a full stop and a secret.
fn conversation_of(name: &str) -> Option<ConversationId> {
    name.split('.').next()?.parse().ok()
}

/// Whether the bot has left a conversation in this state.
pub(crate) fn is_over(state: State) -> bool {
    match state {
        State::Bot => false,
        State::Human | State::Closed => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scripted::{self, Say};

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn open(script: Vec<Vec<Say>>) -> Chat {
        let url = scripted::serve(script).await;
        Chat::open(&url, &Hello::default()).await.unwrap()
    }

    #[tokio::test]
    async fn a_question_gets_the_answer_of_its_own_turn() {
        let mut chat = open(vec![
            vec![
                Say::frame(json!({"type": "message", "seq": 1, "author": "bot", "text": "Hello!", "at": 0})),
                Say::ack(2),
                Say::frame(json!({"type": "preview", "turn": "t1", "text": "Fee: $5", "sources": []})),
                Say::frame(json!({"type": "delta", "turn": "t1", "text": "It is "})),
                Say::reply(3, "t1", "It is $5."),
            ],
            vec![
                // What is late of the first turn is not the second's answer.
                Say::reply(4, "t1", "Anything else?"),
                Say::ack(5),
                Say::reply(6, "t2", "Goodbye."),
            ],
        ])
        .await;
        let first = chat.ask("the fee?", PATIENCE).await.unwrap();
        assert_eq!(
            (first.reply.as_deref(), first.seq),
            (Some("It is $5."), Some(2))
        );
        assert_eq!(first.previews, ["Fee: $5"]);
        let second = chat.ask("bye", PATIENCE).await.unwrap();
        assert_eq!(
            (second.reply.as_deref(), second.seq),
            (Some("Goodbye."), Some(5))
        );
    }

    #[tokio::test]
    async fn a_hand_over_ends_the_wait_with_or_without_last_words() {
        let status = || Say::frame(json!({"type": "status", "state": "human"}));
        let mut chat = open(vec![vec![
            Say::ack(1),
            status(),
            Say::reply(2, "t", "One moment."),
        ]])
        .await;
        let exchange = chat.ask("a person please", PATIENCE).await.unwrap();
        assert_eq!(exchange.reply.as_deref(), Some("One moment."));

        let mut chat = open(vec![vec![Say::ack(1), status()]]).await;
        let exchange = chat.ask("a person please", PATIENCE).await.unwrap();
        assert_eq!((exchange.reply, exchange.state), (None, Some(State::Human)));
    }

    #[tokio::test]
    async fn a_message_that_came_too_fast_is_sent_again() {
        let mut chat = open(vec![
            vec![Say::frame(json!({
                "type": "error", "code": "too_fast", "message": "slow down", "retry_after": 0.01
            }))],
            vec![Say::ack(1), Say::reply(2, "t", "Yes.")],
        ])
        .await;
        let exchange = chat.ask("hello?", PATIENCE).await.unwrap();
        assert_eq!(exchange.reply.as_deref(), Some("Yes."));
    }

    #[tokio::test]
    async fn silence_an_error_and_a_closed_door_are_told_apart() {
        let mut chat = open(vec![vec![Say::ack(1)]]).await;
        let error = chat
            .ask("hello?", Duration::from_millis(50))
            .await
            .unwrap_err();
        assert!(matches!(error, ChatError::TimedOut(_)), "{error}");

        let refusal = json!({"type": "error", "code": "empty", "message": "no text"});
        let mut chat = open(vec![vec![Say::frame(refusal)]]).await;
        let error = chat.ask("hello?", PATIENCE).await.unwrap_err();
        assert!(
            matches!(
                error,
                ChatError::Refused {
                    code: ErrorCode::Empty,
                    ..
                }
            ),
            "{error}"
        );

        let mut chat = open(vec![vec![Say::Close]]).await;
        let error = chat.ask("hello?", PATIENCE).await.unwrap_err();
        assert!(
            matches!(error, ChatError::Closed | ChatError::Connection(_)),
            "{error}"
        );
    }

    #[test]
    fn a_conversations_name_begins_with_its_id() {
        let id = ConversationId(Uuid::now_v7());
        assert_eq!(
            conversation_of(&format!("{}.0a1b", id.0.simple())),
            Some(id)
        );
        assert_eq!(conversation_of(&id.to_string()), Some(id));
        assert_eq!(conversation_of("mine"), None);
    }
}
