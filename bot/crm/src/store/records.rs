//! Ratings, events and totals.

use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Rates a conversation from 1 to 5. A second rating replaces the first.
    ///
    /// # Errors
    /// [`CrmError::NotAScore`], [`CrmError::UnknownConversation`].
    pub async fn rate(
        &self,
        conversation: ConversationId,
        score: u8,
        comment: Option<&str>,
        at: Millis,
    ) -> Result<(), CrmError> {
        write_with!(self, records::rate(conversation, score, comment, at))
    }

    /// The conversation's rating.
    pub(crate) async fn find_rating(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Rating>, CrmError> {
        read_with!(self, records::find_rating(conversation))
    }

    /// The last `limit` events, newest first.
    pub async fn recent_events(&self, limit: u32) -> Result<Vec<Event>, CrmError> {
        read_with!(self, events::recent(limit))
    }

    /// At most `limit` events with a higher number than `id`, in order of their numbers. On
    /// PostgreSQL an event may become visible after one with a higher number: who follows events
    /// while others write reads again from a little before the last one seen.
    pub async fn events_after(&self, id: i64, limit: u32) -> Result<Vec<Event>, CrmError> {
        read_with!(self, events::after(id, limit))
    }

    /// How much the store holds.
    pub async fn counts(&self) -> Result<Counts, CrmError> {
        read_with!(self, records::counts())
    }
}
