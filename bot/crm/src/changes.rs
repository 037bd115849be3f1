//! The change feed: what an index that mirrors the store has to take over since it last looked.
//!
//! One counter numbers all changes. An index asks for what came after the highest revision it has
//! taken over, applies it, and keeps the new highest one as its mark; applying a change twice must
//! be harmless. A record that changed several times appears once, as it now is.

/// One record's latest change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// It is new or different.
    Upsert {
        /// Number of the change.
        revision: i64,
        /// The record as it now is.
        record: T,
    },
    /// It is gone.
    Remove {
        /// Number of the change.
        revision: i64,
        /// The id it had.
        id: String,
    },
}

impl<T> Change<T> {
    /// Number of the change: the next question starts after it.
    pub fn revision(&self) -> i64 {
        match self {
            Self::Upsert { revision, .. } | Self::Remove { revision, .. } => *revision,
        }
    }
}
