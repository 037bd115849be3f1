//! The store in an SQLite file: one connection that writes and a few that read.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqliteConnection};

use crate::error::{CrmError, of_any_driver};

pub(crate) use sql::Engine;

use sqlx::Sqlite as Db;
use sqlx::sqlite::SqliteRow as Row;

/// A query whose rows no other transaction changes until this one ends: there is no other, a
/// transaction has the file's write lock from its start.
macro_rules! for_update {
    ($query:literal) => {
        $query
    };
}

/// The same without rows that another transaction has taken: none has.
macro_rules! skip_locked {
    ($query:literal) => {
        $query
    };
}

#[cfg(test)]
pub(crate) mod place;
#[path = "../sql/mod.rs"]
pub(crate) mod sql;
#[cfg(test)]
mod tests;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// How long a statement waits for a lock that another process holds (an import, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call waits for its turn at a connection before it is told [`CrmError::Busy`].
const TURN_TIMEOUT: Duration = Duration::from_secs(20);

/// Readers never wait for the writer, and a read takes well under a millisecond: few will do.
const READERS: u32 = 4;

/// Opens the store in `file`, see [`Store::open`](crate::Store::open).
pub(crate) async fn open(file: &Path) -> Result<Engine, CrmError> {
    create_folder(file).await?;
    let store = file.display().to_string();
    let writer = pool_options(1)
        .after_release(|connection, _| Box::pin(has_no_transaction(connection)))
        .connect_with(writer_options(file))
        .await
        .map_err(|error| opening(&store, error))?;
    refuse_a_foreign_file(&writer, &store).await?;
    let mut connection = writer
        .acquire()
        .await
        .map_err(|error| opening(&store, error))?;
    MIGRATIONS
        .run_direct(None, &mut *connection, false)
        .await
        .map_err(|error| migrating(&store, error))?;
    drop(connection);

    let readers = pool_options(READERS)
        .connect_with(connect_options(file).read_only(true))
        .await
        .map_err(|error| opening(&store, error))?;
    Ok(Engine {
        writer,
        readers,
        store,
        // A file answers, or the driver says why not.
        patience: Duration::MAX,
    })
}

/// Waits for calls under way and closes the file.
pub(crate) async fn close(engine: &Engine) {
    // The last connection to close folds the write-ahead log into the file; it must be able to
    // write.
    engine.readers.close().await;
    engine.writer.close().await;
}

/// A transaction that holds the write lock from its start: one that began by reading would fail,
/// without waiting, as soon as another process had written in between.
async fn begin(writer: &sql::Pool) -> Result<sql::Tx, sqlx::Error> {
    writer.begin_with("BEGIN IMMEDIATE").await
}

/// Begins a transaction that sees one state of the store, that of its first statement.
const SNAPSHOT: &str = "BEGIN";

/// JSON is text.
const FROM_JSON: &str = "";

/// Text is JSON.
const TO_JSON: &str = "";

/// Nothing to do: numbers are given out behind the highest one.
async fn set_counters(_tx: &mut sql::Tx) -> Result<(), sqlx::Error> {
    Ok(())
}

async fn create_folder(file: &Path) -> Result<(), CrmError> {
    let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(|source| CrmError::CannotCreateFolder {
            folder: folder.to_owned(),
            source,
        })
}

fn pool_options(connections: u32) -> SqlitePoolOptions {
    // Connections to a file do not go stale, and each keeps its prepared statements.
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}

fn connect_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

fn writer_options(file: &Path) -> SqliteConnectOptions {
    // FULL: an acknowledged message outlives a power cut, not only a crash of ours. What is deleted
    // is overwritten: an erased customer is not to be found in free pages.
    connect_options(file)
        .pragma("secure_delete", "ON")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
}

/// Whether the writer can be used again. SQLite ends a transaction by itself when the disk is full
/// or fails; the driver goes on counting it as open and would refuse every later one. The ping
/// waits until a queued rollback has been tried.
async fn has_no_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Refuses a database of another program's, which migrating would add our tables to.
async fn refuse_a_foreign_file(writer: &SqlitePool, store: &str) -> Result<(), CrmError> {
    let foreign: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table')
            AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')",
    )
    .fetch_one(writer)
    .await
    .map_err(|error| opening(store, error))?;
    if foreign {
        Err(CrmError::NotAStore {
            store: store.to_owned(),
        })
    } else {
        Ok(())
    }
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

/// What `error` means to the caller. Asynchronous for the sake of PostgreSQL, which may have to be
/// asked.
async fn explain(engine: &Engine, error: sqlx::Error) -> CrmError {
    meaning(&engine.store, error)
}

fn meaning(store: &str, error: sqlx::Error) -> CrmError {
    let store = store.to_owned();
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return CrmError::Busy { store };
    }
    match primary_code(&error) {
        Some(code::FULL) => CrmError::DiskFull { store },
        Some(code::READ_ONLY) => CrmError::ReadOnly { store },
        Some(code::BUSY | code::LOCKED) => CrmError::Busy { store },
        Some(code::CORRUPT | code::NOT_A_DATABASE) => CrmError::Corrupt {
            store,
            source: error.into(),
        },
        Some(_) | None => of_any_driver(error),
    }
}

/// What went wrong while opening `store`, where some codes have plainer meanings.
fn opening(store: &str, error: sqlx::Error) -> CrmError {
    match primary_code(&error) {
        Some(code::NOT_A_DATABASE) => CrmError::NotAStore {
            store: store.to_owned(),
        },
        Some(code::CANNOT_OPEN) => CrmError::CannotOpen {
            store: store.to_owned(),
            source: error.into(),
        },
        Some(_) | None => meaning(store, error),
    }
}

/// What went wrong while bringing the schema of `store` up to date.
fn migrating(store: &str, error: MigrateError) -> CrmError {
    let store = store.to_owned();
    if matches!(error, MigrateError::VersionMissing(_)) {
        return CrmError::NewerSchema { store };
    }
    let code = error
        .source()
        .and_then(|cause| cause.downcast_ref())
        .and_then(primary_code);
    match code {
        Some(code::FULL) => CrmError::DiskFull { store },
        Some(code::READ_ONLY) => CrmError::ReadOnly { store },
        Some(_) | None => CrmError::Migration {
            store,
            source: error.into(),
        },
    }
}
