//! What leaves for messaging platforms.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ConversationId, Message, Millis, UnknownWord};

/// What has become of a message that has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent, or sent again.
    Due,
    /// The platform has it.
    Sent,
    /// It was given up: a dead letter.
    Dead,
}

impl DeliveryState {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeliveryState {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "due" => Ok(Self::Due),
            "sent" => Ok(Self::Sent),
            "dead" => Ok(Self::Dead),
            other => Err(UnknownWord(other.to_owned())),
        }
    }
}

/// A wish for something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimDeliveries {
    /// Of this channel.
    pub channel: String,
    /// How many conversations are served at once, at most.
    pub limit: u32,
    /// Now.
    pub at: Millis,
    /// Until when nobody else may send it.
    pub until: Millis,
}

/// A message to be sent, and the claim to send it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its conversation.
    pub conversation: ConversationId,
    /// The channel's name of the conversation.
    pub thread: String,
    /// The message.
    pub message: Message,
    /// The claim: a later one has a higher number.
    pub token: i64,
    /// Tries that have failed.
    pub tries: i64,
    /// Its parts that were sent already: the platform's id of each, where it has one.
    pub parts: Vec<Option<String>>,
    /// What the platform wants to hear when it is answered, in its own words.
    pub reply_context: Option<String>,
    /// When the customer was heard last.
    pub heard_at: Option<Millis>,
    /// Whether nothing was sent to the customer since then.
    pub is_first: bool,
    /// Whether they want no more messages, or can get none.
    pub blocked: bool,
}

/// What became of a claimed delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct SettleDelivery {
    /// Its conversation.
    pub conversation: ConversationId,
    /// The message's number in it.
    pub seq: i64,
    /// The claim.
    pub token: i64,
    /// What became of it.
    pub outcome: DeliveryOutcome,
}

/// What became of a try to send something.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryOutcome {
    /// These are the parts that were sent so far; the claim goes on until then.
    Parts {
        /// As in [`Delivery::parts`].
        parts: Vec<Option<String>>,
        /// Until when nobody else may go on with it.
        until: Millis,
    },
    /// All of it was sent.
    Sent {
        /// As in [`Delivery::parts`].
        parts: Vec<Option<String>>,
    },
    /// It failed, and is tried again.
    Later {
        /// When.
        due_at: Millis,
        /// Why, in words for the operator.
        error: String,
    },
    /// It failed for good.
    Dead {
        /// Why, in words for the operator.
        error: String,
    },
}

/// A message that has not been sent, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undelivered {
    /// Its conversation.
    pub conversation: ConversationId,
    /// The message's number in it.
    pub seq: i64,
    /// The channel.
    pub channel: String,
    /// Whether it will be tried again.
    pub state: DeliveryState,
    /// When.
    pub due_at: Millis,
    /// Tries that have failed.
    pub tries: i64,
    /// Why the last one did.
    pub error: Option<String>,
    /// When the message was written.
    pub at: Millis,
}
