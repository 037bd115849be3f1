//! Why the store did not do what it was asked, told apart where a caller or operator would act
//! differently.

use std::error::Error;
use std::path::PathBuf;

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
    /// The file can be neither opened nor made, or the server cannot be spoken to.
    #[error(
        "cannot open the CRM store {store}: of a file, check that the path names one and that this \
         user may write to its folder; of a server, check the URL's options (`sslmode`)"
    )]
    CannotOpen {
        /// The store.
        store: String,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file or database holds something else; it was left as it is.
    #[error("{store} is not a CRM store: name another file or an empty database")]
    NotAStore {
        /// What was opened.
        store: String,
    },
    /// The PostgreSQL server is older than the SQL used.
    #[error("{store} runs PostgreSQL {version}, but the CRM store needs {at_least} or newer")]
    ServerTooOld {
        /// The store.
        store: String,
        /// The server's version.
        version: String,
        /// The oldest version that will do.
        at_least: i32,
    },
    /// The server does not let this user in.
    #[error("{store} refuses the login: check the user and password of the URL, and pg_hba.conf")]
    LoginRefused {
        /// The store.
        store: String,
        /// What the server said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server has no database of that name.
    #[error("{store} does not exist: create the database, or correct its name in the URL")]
    UnknownDatabase {
        /// The store.
        store: String,
    },
    /// The user may not do what the store needs.
    #[error("{store} denies this user a right: make the user the owner of the database")]
    NotAllowed {
        /// The store.
        store: String,
        /// What the server said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server has no connection left. The call may be repeated.
    #[error(
        "{store} takes no more connections: raise max_connections of the server, or run fewer \
         programs on it"
    )]
    TooManyConnections {
        /// The store.
        store: String,
    },
    /// The server cannot be reached, or went away during the call: whether that wrote anything is
    /// then unknown. The call may be repeated; connections are made anew by themselves.
    #[error("{store} cannot be reached: check that the server runs and that the network lets it")]
    Unreachable {
        /// The store.
        store: String,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A newer Frontdesk has already changed the schema.
    #[error(
        "the CRM store {store} was written by a newer version of Frontdesk: run that version, or \
         restore the backup made before upgrading"
    )]
    NewerSchema {
        /// The store.
        store: String,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of the CRM store {store} cannot be brought up to date")]
    Migration {
        /// The store.
        store: String,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No space left. The call may be repeated once there is.
    #[error("the disk that holds {store} is full: free some space; nothing stored is lost")]
    DiskFull {
        /// The store.
        store: String,
    },
    /// The file or its folder may not be written, or the server is a standby.
    #[error(
        "{store} is read-only: let this user write to the file and its folder, or name the \
         primary server"
    )]
    ReadOnly {
        /// The store.
        store: String,
    },
    /// Pages or indexes are damaged.
    #[error("{store} is damaged: stop Frontdesk and restore it from a backup")]
    Corrupt {
        /// The store.
        store: String,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Others held the store for too long. The call may be repeated.
    #[error("{store} is busy: try again; if it stays so, look for a long import or backup")]
    Busy {
        /// The store.
        store: String,
    },
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

impl CrmError {
    /// Whether the same call may succeed a moment later: the store was busy or out of reach.
    ///
    /// After [`CrmError::Unreachable`] a write may have been stored. Those that are repeated safely
    /// say so: a message by its client id, a turn by the `seq` it answers, records by their ids.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Unreachable { .. } | Self::TooManyConnections { .. }
        )
    }
}

/// Why a unit of work failed: the SQL's own decision, or the database's, which its dialect explains.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Refused for a reason that the caller knows how to read.
    Refused(CrmError),
    /// The database failed.
    Database(sqlx::Error),
}

impl From<CrmError> for Fault {
    fn from(error: CrmError) -> Self {
        Self::Refused(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// What any database's driver can report.
pub(crate) fn of_any_driver(error: sqlx::Error) -> CrmError {
    if let sqlx::Error::ColumnDecode { index, source } = error {
        return CrmError::Garbled {
            column: index,
            source,
        };
    }
    if matches!(error, sqlx::Error::PoolClosed) {
        return CrmError::StoreClosed;
    }
    CrmError::Database(error.into())
}
