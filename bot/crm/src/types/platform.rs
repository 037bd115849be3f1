//! What messaging platforms tell beside messages.

use serde::Serialize;

use super::{ConversationId, Millis};

/// What is known of how a conversation's customer can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The conversation.
    pub conversation: ConversationId,
    /// What the platform wants to hear when it is answered; `None` leaves what is known.
    pub reply_context: Option<String>,
    /// Whether they want no more messages, or can get none.
    pub blocked: bool,
    /// When they were heard; `None` of what is no sign of them.
    pub heard_at: Option<Millis>,
}

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAttachment {
    /// Where the platform keeps it: its id or address there.
    pub place: String,
    /// Name.
    pub name: Option<String>,
    /// Media type, as the sender says.
    pub content_type: Option<String>,
    /// Bytes, as the sender says.
    pub size: Option<i64>,
}

/// A file of a message, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// The message's number in its conversation.
    pub seq: i64,
    /// The file's number in its message, from 0.
    pub number: i64,
    /// Name.
    pub name: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// Bytes.
    pub size: Option<i64>,
    /// `due`, `stored`, or `refused`.
    pub state: String,
    /// Why it is not stored.
    pub error: Option<String>,
}

/// A file to be fetched, and the claim to fetch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueAttachment {
    /// The conversation.
    pub conversation: ConversationId,
    /// As in [`Attachment::seq`].
    pub seq: i64,
    /// As in [`Attachment::number`].
    pub number: i64,
    /// As in [`NewAttachment::place`].
    pub place: String,
    /// As in [`NewAttachment::content_type`].
    pub content_type: Option<String>,
    /// The claim: a later one has a higher number.
    pub token: i64,
    /// Tries that have failed.
    pub tries: i64,
}

/// What became of a claimed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleAttachment {
    /// The conversation.
    pub conversation: ConversationId,
    /// As in [`Attachment::seq`].
    pub seq: i64,
    /// As in [`Attachment::number`].
    pub number: i64,
    /// The claim.
    pub token: i64,
    /// What became of it.
    pub outcome: AttachmentOutcome,
}

/// What became of a try to fetch a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentOutcome {
    /// Here it is.
    Stored {
        /// Its bytes.
        content: Vec<u8>,
        /// What its first bytes say that it is.
        content_type: String,
    },
    /// It failed, and is tried again.
    Later {
        /// When.
        due_at: Millis,
        /// Why, in words for the operator.
        error: String,
    },
    /// It is never stored.
    Refused {
        /// Why, in words for the operator.
        error: String,
    },
}

/// A file as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Name.
    pub name: Option<String>,
    /// Media type.
    pub content_type: String,
    /// Bytes.
    pub content: Vec<u8>,
}

/// A wish to be the one who listens to a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The channel.
    pub channel: String,
    /// Now.
    pub at: Millis,
    /// Until when nobody else may.
    pub until: Millis,
}

/// The lease of who listens to a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Where to go on, in the platform's words.
    pub cursor: Option<String>,
    /// The lease: a later one has a higher number.
    pub token: i64,
}
