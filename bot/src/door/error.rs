//! What is not done at the door, and why.

use crm::CrmError;

use crate::prompts::PromptError;

/// Why something is not done to a conversation. Each text is for the person who asked for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
    /// A message without an id, or with one that is too long.
    #[error("A message needs an `id` of 1 to {most} bytes.")]
    BadId {
        /// Bytes that it may have.
        most: usize,
    },
    /// A message without text.
    #[error("There is no text in this message.")]
    Empty,
    /// A message that is too long.
    #[error("This message has {chars} characters; please keep to {most}.")]
    TooLong {
        /// Characters that it has.
        chars: usize,
        /// Characters that it may have.
        most: usize,
    },
    /// A rating off the scale.
    #[error("A rating is a score from 1 to 5.")]
    NotAScore,
    /// No such conversation, or somebody else's: which of them is not told.
    #[error("There is no such conversation; start a new one.")]
    Unknown,
    /// The conversation has ended.
    #[error("This conversation has ended; start a new one.")]
    Closed,
    /// A failure of ours.
    #[error("This could not be done just now; please try again in a moment.")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<CrmError> for DoorError {
    fn from(error: CrmError) -> Self {
        if matches!(error, CrmError::ConversationClosed(_)) {
            return Self::Closed;
        }
        if matches!(
            error,
            CrmError::OtherCustomer(_) | CrmError::UnknownConversation(_)
        ) {
            return Self::Unknown;
        }
        if matches!(error, CrmError::NotAScore { .. }) {
            return Self::NotAScore;
        }
        Self::Unavailable(error.into())
    }
}

impl From<PromptError> for DoorError {
    fn from(error: PromptError) -> Self {
        Self::Unavailable(error.into())
    }
}
