//! Why the store did not do what it was asked, told apart where a caller or operator would act
//! differently.

use std::error::Error;
use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use crate::types::{ConversationId, ConversationState, CustomerId, OrderId};

/// A failure of the CRM store. Unless a variant says otherwise, nothing of the call was stored.
///
/// The texts are for operators and name ids; a customer is shown words of the caller's.
#[derive(Debug, thiserror::Error)]
pub enum CrmError {
    /// The store's folder is missing and cannot be made.
    #[error(
        "cannot create the folder {}: choose a path that this user may write to",
        folder.display()
    )]
    CannotCreateFolder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file can be neither opened nor made.
    #[error(
        "cannot open the CRM store {}: check that the path names a file and that this user may \
         write to its folder",
        file.display()
    )]
    CannotOpen {
        /// The file.
        file: PathBuf,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file holds something else; it was left as it is.
    #[error("{} is not a CRM store: name another file, or move this one away", file.display())]
    NotAStore {
        /// The file.
        file: PathBuf,
    },
    /// A newer Frontdesk has already changed the schema.
    #[error(
        "the CRM store {} was written by a newer version of Frontdesk: run that version, or \
         restore the backup made before upgrading",
        file.display()
    )]
    NewerSchema {
        /// The file.
        file: PathBuf,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of the CRM store {} cannot be brought up to date", file.display())]
    Migration {
        /// The file.
        file: PathBuf,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No space left. The call may be repeated once there is.
    #[error("the disk that holds the CRM store is full: free some space; nothing stored is lost")]
    DiskFull,
    /// The file or its folder may not be written.
    #[error(
        "the CRM store is read-only: let this user write to its file and to the folder it is in"
    )]
    ReadOnly,
    /// The file is damaged.
    #[error("the CRM store is damaged: stop Frontdesk and restore the file from a backup")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
    /// Others held the store for too long. The call may be repeated.
    #[error("the CRM store is busy: try again; if it stays so, look for a long import or backup")]
    Busy,
    /// [`Store::close`](crate::Store::close) was called.
    #[error("the CRM store has been closed: Frontdesk is shutting down")]
    StoreClosed,
    /// A row holds what this version does not write.
    #[error("column {column:?} of the CRM store holds a value that cannot be read")]
    Garbled {
        /// The column.
        column: String,
        /// What is wrong with the value.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No such conversation.
    #[error("there is no conversation {0}: open one first")]
    UnknownConversation(ConversationId),
    /// A conversation is opened under an id that is taken.
    #[error("conversation {0} is open already: choose another id")]
    ConversationExists(ConversationId),
    /// The conversation has ended; it takes no more messages from the customer.
    #[error("conversation {0} is closed: open a new one")]
    ConversationClosed(ConversationId),
    /// The conversation is another customer's.
    #[error("conversation {0} belongs to another customer: open a new one")]
    OtherCustomer(ConversationId),
    /// The turn's messages were answered before: its answer must not be shown.
    #[error("conversation {conversation} is already answered up to message {through_seq}")]
    AlreadyAnswered {
        /// The conversation.
        conversation: ConversationId,
        /// What the turn meant to answer.
        through_seq: i64,
    },
    /// The bot no longer answers there: the turn's answer must not be shown.
    #[error("conversation {conversation} is in state {state}: the bot stays silent")]
    NotTheBots {
        /// The conversation.
        conversation: ConversationId,
        /// Its state.
        state: ConversationState,
    },
    /// The turn claims to answer messages that do not exist; stored, it would silence the bot for
    /// messages to come.
    #[error(
        "a turn answers conversation {conversation} up to message {through_seq}, but it ends at \
         {last_seq}: this is a mistake in the program"
    )]
    BeyondTheEnd {
        /// The conversation.
        conversation: ConversationId,
        /// What the turn meant to answer.
        through_seq: i64,
        /// The last message there is.
        last_seq: i64,
    },
    /// A rating outside of the scale.
    #[error("a rating of {score} is not on the scale: give 1 to 5")]
    NotAScore {
        /// The rating.
        score: u8,
    },
    /// An order of nobody known.
    #[error("order {order} belongs to customer {customer}, who is unknown: import customers first")]
    UnknownCustomer {
        /// The order.
        order: OrderId,
        /// Its customer.
        customer: CustomerId,
    },
    /// Anything else: the source says what, and no caller could act on it.
    #[error("the CRM store failed in an unforeseen way: see the log for the database's words")]
    Database(#[source] Box<dyn Error + Send + Sync>),
}

/// SQLite's primary result codes that an operator can do something about.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANNOT_OPEN: i32 = 14;
    pub(super) const NOT_A_DATABASE: i32 = 26;
}

/// The primary code, which is the low byte of the extended one that the driver reports.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

impl From<sqlx::Error> for CrmError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::ColumnDecode { index, source } = error {
            return Self::Garbled {
                column: index,
                source,
            };
        }
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        if matches!(error, sqlx::Error::PoolClosed) {
            return Self::StoreClosed;
        }
        match primary_code(&error) {
            Some(code::FULL) => Self::DiskFull,
            Some(code::READ_ONLY) => Self::ReadOnly,
            Some(code::BUSY | code::LOCKED) => Self::Busy,
            Some(code::CORRUPT | code::NOT_A_DATABASE) => Self::Corrupt(error.into()),
            Some(_) | None => Self::Database(error.into()),
        }
    }
}

impl CrmError {
    /// What went wrong while opening `file`, where some codes have plainer meanings.
    pub(crate) fn opening(file: PathBuf, error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(code::NOT_A_DATABASE) => Self::NotAStore { file },
            Some(code::CANNOT_OPEN) => Self::CannotOpen {
                file,
                source: error.into(),
            },
            Some(_) | None => error.into(),
        }
    }

    /// What went wrong while bringing the schema of `file` up to date.
    pub(crate) fn migrating(file: PathBuf, error: MigrateError) -> Self {
        if matches!(error, MigrateError::VersionMissing(_)) {
            return Self::NewerSchema { file };
        }
        let code = error
            .source()
            .and_then(|cause| cause.downcast_ref())
            .and_then(primary_code);
        match code {
            Some(code::FULL) => Self::DiskFull,
            Some(code::READ_ONLY) => Self::ReadOnly,
            Some(_) | None => Self::Migration {
                file,
                source: error.into(),
            },
        }
    }
}
