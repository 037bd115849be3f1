//! What happens in the chat: conversations, their messages, and what became of every turn.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ConversationId, CustomerId, Millis, NewAttachment, TurnId};

/// Who answers in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationState {
    /// The bot answers.
    Bot,
    /// Handed over: a person answers, the bot is silent.
    Human,
    /// Ended.
    Closed,
}

impl ConversationState {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Human => "human",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ConversationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ConversationState {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "bot" => Ok(Self::Bot),
            "human" => Ok(Self::Human),
            "closed" => Ok(Self::Closed),
            other => Err(UnknownWord(other.to_owned())),
        }
    }
}

/// A word that stands for no state and no author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a word that this version of Frontdesk knows")]
pub struct UnknownWord(pub String);

/// A conversation to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConversation {
    /// Its id.
    pub id: ConversationId,
    /// Channel it runs on (`web`).
    pub channel: String,
    /// What the channel calls it (a chat's number, an e-mail thread): one conversation each.
    pub thread: String,
    /// Who writes; `None` for an anonymous visitor.
    pub customer: Option<CustomerId>,
    /// BCP 47 tag of the language that it is expected in, where that is known.
    pub language: Option<String>,
    /// Whether what is said there is put into the outbox (a messaging platform), or fetched (the widget).
    pub pushed: bool,
    /// What the platform wants to hear when it is answered, in its own words.
    pub reply_context: Option<String>,
    /// Start.
    pub at: Millis,
}

/// A conversation's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Channel it runs on (`web`).
    pub channel: String,
    /// What the channel calls it (a chat's number, an e-mail thread): one conversation each.
    pub thread: String,
    /// Who writes; `None` for an anonymous visitor.
    pub customer: Option<CustomerId>,
    /// Who answers.
    pub state: ConversationState,
    /// Language of the last understood message, a BCP 47 tag.
    pub language: Option<String>,
    /// What the bot remembers between turns: opaque JSON of the caller's.
    pub memory: serde_json::Value,
    /// Highest `seq` given out so far.
    pub last_seq: i64,
    /// Customer messages up to this `seq` are answered.
    pub answered_seq: i64,
    /// Start.
    pub created_at: Millis,
}

/// What became of a conversation that was to be opened.
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// It was opened now.
    New {
        /// The conversation, its greeting counted.
        conversation: Conversation,
        /// The greeting as stored, if one was given.
        greeting: Option<Box<Message>>,
    },
    /// Its thread had a conversation already, which is this one; nothing was stored.
    Known(Conversation),
}

/// A change of who answers, made only if the conversation is still in a state it starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct StateChange {
    /// The conversation.
    pub conversation: ConversationId,
    /// The states that the caller expects.
    pub from: Vec<ConversationState>,
    /// The new state.
    pub to: ConversationState,
    /// What the customer is told of it, stored with the change or not at all.
    pub notice: Option<NewMessage>,
    /// When.
    pub at: Millis,
}

/// What became of a [`StateChange`].
#[derive(Clone, Debug, PartialEq)]
pub enum StateChanged {
    /// The conversation is in the new state.
    Changed {
        /// The notice as stored, if one was given.
        notice: Option<Box<Message>>,
    },
    /// The conversation was in none of the expected states, or in the new one already; nothing was
    /// stored.
    Unchanged {
        /// The state it is in.
        state: ConversationState,
    },
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The customer.
    Customer,
    /// The bot.
    Bot,
    /// A person of the company.
    Agent,
    /// A notice ("you are now talking to a person").
    System,
}

impl Author {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Bot => "bot",
            Self::Agent => "agent",
            Self::System => "system",
        }
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Author {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "customer" => Ok(Self::Customer),
            "bot" => Ok(Self::Bot),
            "agent" => Ok(Self::Agent),
            "system" => Ok(Self::System),
            other => Err(UnknownWord(other.to_owned())),
        }
    }
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Position within the conversation, from 1, without gaps.
    pub seq: i64,
    /// Who wrote it.
    pub author: Author,
    /// Text.
    pub text: String,
    /// What the bot's text rests on: a JSON list of the caller's.
    pub sources: serde_json::Value,
    /// Buttons offered with it: a JSON list of the caller's.
    pub quick_replies: serde_json::Value,
    /// The client's own id of a customer message.
    pub client_id: Option<String>,
    /// Id of the quick reply that the customer pressed instead of writing.
    pub pressed: Option<String>,
    /// When.
    pub at: Millis,
}

/// A customer's message at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptMessage {
    /// Where it was written.
    pub conversation: ConversationId,
    /// The client's own id of it, unique within the conversation.
    pub client_id: String,
    /// Text.
    pub text: String,
    /// Id of the quick reply that was pressed, if one was.
    pub pressed: Option<String>,
    /// What the platform wants to hear when it is answered; `None` leaves what is known.
    pub reply_context: Option<String>,
    /// Files that came with it, to be fetched.
    pub attachments: Vec<NewAttachment>,
    /// When it came.
    pub at: Millis,
}

/// A message to be stored by the server's side.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMessage {
    /// Who wrote it.
    pub author: Author,
    /// Text.
    pub text: String,
    /// As in [`Message::sources`].
    pub sources: serde_json::Value,
    /// As in [`Message::quick_replies`].
    pub quick_replies: serde_json::Value,
}

impl NewMessage {
    /// A message of nothing but text.
    pub fn text(author: Author, text: impl Into<String>) -> Self {
        let none = || serde_json::Value::Array(Vec::new());
        Self {
            author,
            text: text.into(),
            sources: none(),
            quick_replies: none(),
        }
    }
}

/// What became of a customer's message at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored now.
    Stored {
        /// Its `seq`.
        seq: i64,
    },
    /// Was stored before under the same client id.
    Duplicate {
        /// The `seq` it got then.
        seq: i64,
    },
}

/// The record of a turn, as far as SQL looks into it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The turn.
    pub turn: TurnId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Customer messages up to this `seq` are answered by it.
    pub through_seq: i64,
    /// Intent label with the highest probability.
    pub intent: String,
    /// Sentiment label.
    pub sentiment: String,
    /// Action taken (`answer`, `hand_over`...).
    pub action: String,
    /// Whole record as JSON: probabilities, facts, withheld sentences, versions, tokens, times.
    pub record: serde_json::Value,
    /// When the turn ended.
    pub at: Millis,
}

/// Everything that ends a turn, stored in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedTurn {
    /// The record.
    pub outcome: Outcome,
    /// Messages to append, in order.
    pub messages: Vec<NewMessage>,
    /// New state of the conversation.
    pub state: ConversationState,
    /// New memory of the conversation.
    pub memory: serde_json::Value,
    /// Language of the turn.
    pub language: Option<String>,
}

/// How a customer rated a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rating {
    /// 1 to 5.
    pub score: u8,
    /// In the customer's words.
    pub comment: Option<String>,
    /// When.
    pub at: Millis,
}

/// Something that happened, written down by the store in the transaction in which it did.
///
/// | kind | data |
/// |---|---|
/// | `opened` | `channel` |
/// | `bound` | |
/// | `handed_over`, `returned`, `closed` | `from` (the state before), `turn` if a turn did it |
/// | `rated` | `score` |
/// | `erased` | |
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its number: events of one conversation ascend in order of writing.
    pub id: i64,
    /// What sort of thing.
    pub kind: String,
    /// Where it happened, if in a conversation.
    pub conversation: Option<ConversationId>,
    /// Particulars, a JSON object.
    pub data: serde_json::Value,
    /// When.
    pub at: Millis,
}

/// What was deleted of a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Whether there was a record of the customer.
    pub customer: bool,
    /// Orders.
    pub orders: u64,
    /// Links to users of channels.
    pub identities: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages in them, whoever wrote them.
    pub messages: u64,
    /// Outcomes of turns.
    pub outcomes: u64,
    /// Ratings.
    pub ratings: u64,
    /// Events.
    pub events: u64,
}

/// How much the store holds. What was removed or erased does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Customers.
    pub customers: u64,
    /// Products.
    pub products: u64,
    /// Orders.
    pub orders: u64,
    /// Knowledge documents.
    pub documents: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages, whoever wrote them.
    pub messages: u64,
    /// Turns ended.
    pub outcomes: u64,
}
