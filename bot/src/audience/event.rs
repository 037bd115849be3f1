//! What happens in a conversation, as every kind of client is told of it.
//!
//! A face (`http::chat`, later the connectors and the console) puts an [`Event`] into its own
//! protocol. Nothing below the faces knows any of those protocols.

use std::time::Duration;

use crm::{Author, Message, Millis, TurnId};
use serde::{Deserialize, Serialize};

/// Something that happened in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// The bot, or a person, has begun to write.
    Began {
        /// The expected time until there is something to read, where that is long.
        wait: Option<Duration>,
    },
    /// Nobody is writing any more.
    Stopped,
    /// The next piece of a reply that is being written.
    Piece {
        /// The turn it belongs to.
        turn: TurnId,
        /// Text to append to what the turn has said so far.
        text: String,
    },
    /// The first useful content, shown while the reply is still being written.
    Preview {
        /// The turn it belongs to.
        turn: TurnId,
        /// A passage's own words.
        text: String,
        /// Where they come from.
        sources: Vec<Source>,
    },
    /// A message was stored.
    Said(Said),
    /// A person answers from now on.
    HandedOver,
    /// The conversation has ended.
    Closed,
    /// The messages so far could not be answered for now. They stay stored.
    Failed {
        /// What the customer is told.
        text: String,
        /// When trying again may help.
        retry_after: Duration,
    },
}

/// A stored message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    /// Position in the conversation, from 1.
    pub seq: i64,
    /// Who wrote it.
    pub author: Author,
    /// Text.
    pub text: String,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// Answers offered with it.
    pub quick_replies: Vec<QuickReply>,
    /// The turn that it ends; its pieces and preview are then replaced by this message.
    pub turn: Option<TurnId>,
    /// The client's own id of a customer's message.
    pub client_id: Option<String>,
    /// When.
    pub at: Millis,
}

impl Said {
    /// A text of the bot's that stands for itself.
    pub(crate) fn of_text(text: String, at: Millis) -> Self {
        Self {
            seq: 0,
            author: Author::Bot,
            text,
            sources: Vec::new(),
            quick_replies: Vec::new(),
            turn: None,
            client_id: None,
            at,
        }
    }

    /// A message as it is stored; `turn` where it ends one.
    pub(crate) fn new(message: Message, turn: Option<TurnId>) -> Self {
        Self {
            seq: message.seq,
            author: message.author,
            text: message.text,
            // Both were written by this program; what another version wrote otherwise is left out.
            sources: serde_json::from_value(message.sources).unwrap_or_default(),
            quick_replies: serde_json::from_value(message.quick_replies).unwrap_or_default(),
            turn,
            client_id: message.client_id,
            at: message.at,
        }
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

/// An answer that the customer can give with one press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickReply {
    /// What tells a press of it from the same words typed; unique within its message.
    #[serde(default)]
    pub id: String,
    /// What a press does.
    pub kind: QuickReplyKind,
    /// Label, and the text sent.
    pub text: String,
}

/// What pressing a quick reply does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuickReplyKind {
    /// Sends its text as the customer's message.
    Say,
    /// Calls a person.
    Human,
}

impl QuickReply {
    /// Id of the quick reply that calls a person.
    pub(crate) const HUMAN: &'static str = "human";
}
