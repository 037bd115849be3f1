//! The chat protocol, version 1: JSON frames over the WebSocket at `/v1/chat`.
//!
//! `seq` counts the messages of a conversation from 1, without gaps. A client that reconnects says
//! the last `seq` it saw and gets the later messages, once each. Unknown fields are ignored.

use serde::{Deserialize, Serialize};

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
        /// Whether.
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
        /// Buttons to offer.
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
    /// The bot, or a person, starts or stops writing.
    pub fn typing(on: bool) -> Self {
        Self::Typing { on, wait: None }
    }
}

/// What a reply rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Id of the document, product or order.
    pub id: String,
    /// What to show.
    pub title: String,
    /// Where to link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A button: pressing it sends `text` as a message, or, with `kind: human`, a `human` frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickReply {
    /// What the button does.
    pub kind: QuickReplyKind,
    /// Label, and the text sent.
    pub text: String,
}

/// What a button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuickReplyKind {
    /// Sends its text as the customer's message.
    Say,
    /// Asks for a person.
    Human,
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
