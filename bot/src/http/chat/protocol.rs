//! The chat protocol, version 1: JSON frames over the WebSocket at `/v1/chat`.
//!
//! `seq` counts the messages of a conversation from 1, without gaps. A client that reconnects says
//! the last `seq` it saw and gets the later messages, once each. Unknown fields are ignored.

use serde::{Deserialize, Serialize};

pub use crate::audience::event::{QuickReply, QuickReplyKind, Source};
use crate::audience::{Event, Said};

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// First frame of every connection: opens a conversation or takes one up again.
    Hello {
        /// Signed customer token (JWT, HS256); absent for an anonymous visitor.
        #[serde(default)]
        token: Option<String>,
        /// Conversation to resume, with the secret that `welcome` gave.
        #[serde(default)]
        conversation: Option<String>,
        /// Last `seq` that the client saw.
        #[serde(default)]
        after: Option<i64>,
        /// Language of the page, a BCP 47 tag: the greeting's language.
        #[serde(default)]
        language: Option<String>,
    },
    /// A customer's message.
    Message {
        /// Chosen by the client, unique within the conversation: sent twice, stored once.
        id: String,
        /// At most 4,000 characters.
        text: String,
        /// Id of the quick reply whose press this is; absent where the customer typed.
        #[serde(default)]
        pressed: Option<String>,
    },
    /// The customer starts or stops typing.
    Typing {
        /// Whether they type.
        on: bool,
    },
    /// A rating of the conversation.
    Rate {
        /// 1 to 5.
        score: u8,
        /// In the customer's words.
        #[serde(default)]
        comment: Option<String>,
    },
    /// Asks for a person.
    Human {},
    /// Ends the conversation.
    End {},
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// Answer to `hello`.
    Welcome {
        /// Conversation id with its secret: keep it to resume.
        conversation: String,
        /// Highest `seq` so far; in a new conversation the greeting's, 1.
        seq: i64,
    },
    /// The message is stored.
    Ack {
        /// The client's id.
        id: String,
        /// Its `seq`.
        seq: i64,
    },
    /// The bot, or a person, starts or stops writing.
    Typing {
        /// Whether somebody is writing.
        on: bool,
        /// About how many seconds pass until there is something to read, where that is long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait: Option<u64>,
    },
    /// A part of a reply being written: append `text` to what `turn` has so far.
    Delta {
        /// The turn it belongs to.
        turn: String,
        /// Text to append.
        text: String,
    },
    /// The first useful content while the reply is still being written: shown until its message comes.
    Preview {
        /// The turn it belongs to.
        turn: String,
        /// A passage's own words.
        text: String,
        /// Where they come from.
        sources: Vec<Source>,
    },
    /// A stored message. One with `turn` replaces the deltas and preview of that turn.
    Message {
        /// Position in the conversation.
        seq: i64,
        /// Who wrote it.
        author: Author,
        /// Text.
        text: String,
        /// What it rests on.
        #[serde(default)]
        sources: Vec<Source>,
        /// Quick replies to offer.
        #[serde(default)]
        actions: Vec<QuickReply>,
        /// The turn that it ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<String>,
        /// The client's own id of a customer message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// UTC milliseconds since the epoch.
        at: i64,
    },
    /// Who answers now: `bot`, `human` or `closed`.
    Status {
        /// The state.
        state: State,
    },
    /// Something the client did was not accepted.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// Seconds to wait before trying again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<f64>,
    },
}

impl ServerFrame {
    /// The frames that tell a client of `event`, in order.
    pub(super) fn of(event: &Event) -> Vec<Self> {
        match event {
            Event::Began { wait } => vec![Self::Typing {
                on: true,
                wait: wait.map(|wait| wait.as_secs()),
            }],
            Event::Stopped => vec![Self::Typing {
                on: false,
                wait: None,
            }],
            Event::Piece { turn, text } => vec![Self::Delta {
                turn: turn.to_string(),
                text: text.clone(),
            }],
            Event::Preview {
                turn,
                text,
                sources,
            } => vec![Self::Preview {
                turn: turn.to_string(),
                text: text.clone(),
                sources: sources.clone(),
            }],
            Event::Said(said) => vec![Self::from(said.clone())],
            Event::HandedOver => vec![Self::Status {
                state: State::Human,
            }],
            Event::Closed => vec![Self::Status {
                state: State::Closed,
            }],
            Event::Failed { text, retry_after } => vec![Self::Error {
                code: ErrorCode::Unavailable,
                message: text.clone(),
                retry_after: Some(retry_after.as_secs_f64()),
            }],
        }
    }

    /// The frame as JSON.
    pub(super) fn to_text(&self) -> String {
        // Frames hold strings, numbers and lists of them: they always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<Said> for ServerFrame {
    fn from(said: Said) -> Self {
        Self::Message {
            seq: said.seq,
            author: said.author,
            text: said.text,
            sources: said.sources,
            actions: said.quick_replies,
            turn: said.turn.map(|turn| turn.to_string()),
            id: said.client_id,
            at: said.at.0,
        }
    }
}

/// Who wrote a message.
pub use crm::Author;
/// Who answers.
pub use crm::ConversationState as State;

/// Machine-readable reason of an `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, not UTF-8, binary, or not a known frame.
    Malformed,
    /// Over the size limit.
    TooBig,
    /// Too many frames in a short time; see `retry_after`.
    TooFast,
    /// Not allowed now: no `hello` yet, or the conversation has ended.
    OutOfTurn,
    /// The token is missing a part, expired or wrongly signed.
    BadToken,
    /// There is no such conversation, or its secret is wrong.
    UnknownConversation,
    /// The message has no text.
    Empty,
    /// The server cannot serve now; see `retry_after`.
    Unavailable,
    /// The server is shutting down; reconnect.
    GoingAway,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crm::TurnId;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn frame(event: &Event) -> Value {
        let frames = ServerFrame::of(event);
        serde_json::from_str(&frames[0].to_text()).unwrap()
    }

    #[test]
    fn events_become_frames_of_version_1() {
        let turn = TurnId(Uuid::from_u128(7));
        for (event, expected) in [
            (
                Event::Began {
                    wait: Some(Duration::from_secs(9)),
                },
                json!({ "type": "typing", "on": true, "wait": 9 }),
            ),
            (Event::Stopped, json!({ "type": "typing", "on": false })),
            (
                Event::Piece {
                    turn,
                    text: "Hi".into(),
                },
                json!({ "type": "delta", "turn": turn.to_string(), "text": "Hi" }),
            ),
            (
                Event::HandedOver,
                json!({ "type": "status", "state": "human" }),
            ),
            (
                Event::Closed,
                json!({ "type": "status", "state": "closed" }),
            ),
            (
                Event::Failed {
                    text: "Sorry.".into(),
                    retry_after: Duration::from_secs(60),
                },
                json!({ "type": "error", "code": "unavailable", "message": "Sorry.", "retry_after": 60.0 }),
            ),
        ] {
            assert_eq!(frame(&event), expected);
        }
    }

    #[test]
    fn a_press_is_told_from_typed_words() {
        let typed = r#"{"type":"message","id":"1","text":"Yes"}"#;
        let pressed = r#"{"type":"message","id":"1","text":"Yes","pressed":"yes"}"#;
        let read = |text: &str| {
            let frame = serde_json::from_str(text).unwrap();
            let ClientFrame::Message { pressed, .. } = frame else {
                panic!("{frame:?}");
            };
            pressed
        };
        assert_eq!(read(typed), None);
        assert_eq!(read(pressed).as_deref(), Some("yes"));
    }
}
