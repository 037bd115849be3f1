//! The store in a database of a PostgreSQL server, for several programs at once.
//!
//! Every transaction is READ COMMITTED and first locks the row that it is about: a conversation's
//! or the revision counter's. That gives what SQLite's single writer gives.

use std::io;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};

use crate::error::{CrmError, of_any_driver};
use crate::location::Server;

pub(crate) use sql::Engine;

use sqlx::Postgres as Db;
use sqlx::postgres::PgRow as Row;

/// A query whose rows no other transaction changes until this one ends.
macro_rules! for_update {
    ($query:literal) => {
        concat!($query, " FOR UPDATE")
    };
}

/// The same without rows that another transaction has taken.
macro_rules! skip_locked {
    ($query:literal) => {
        concat!($query, " FOR UPDATE SKIP LOCKED")
    };
}

#[cfg(test)]
pub(crate) mod place;
#[path = "../sql/mod.rs"]
pub(crate) mod sql;
#[cfg(test)]
mod tests;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// The oldest server that the tests are run on.
const AT_LEAST: i32 = 15;

/// Connections that write, and so messages stored at the same time.
const WRITERS: u32 = 10;

/// Connections that read. They are others, so that writers that wait for a lock hold up no reader.
const READERS: u32 = 6;

/// How long a call waits for a connection: longer than a server takes to start again.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take to be made where nothing else limits it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a call may take: longer than the server's own limits of it (see [`bounded`]), so that
/// this ends only what waits for a server or network that has gone silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a connection that comes back may take to end its transaction.
const FAREWELL: Duration = Duration::from_secs(5);

/// Opens the store on `server`, see [`Store::connect`](crate::Store::connect).
pub(crate) async fn open(server: &Server) -> Result<Engine, CrmError> {
    let store = server.to_string();
    let options = server
        .options()
        .map_err(|error| connecting(&store, error))?
        .application_name("frontdesk");
    let mut connection = connect(&store, &options).await?;
    check_server(&mut connection, &store).await?;
    MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| migrating(&store, error))?;
    // A server that does not say goodbye has already done what it was asked.
    let _ = connection.close().await;

    let options = bounded(options);
    let writer = pool_options(WRITERS).connect_lazy_with(options.clone());
    let readers = pool_options(READERS).connect_lazy_with(options);
    Ok(Engine {
        writer,
        readers,
        store,
        patience: PATIENCE,
    })
}

/// Waits for calls under way and closes the connections.
pub(crate) async fn close(engine: &Engine) {
    engine.readers.close().await;
    engine.writer.close().await;
}

async fn begin(writer: &PgPool) -> Result<sql::Tx, sqlx::Error> {
    writer.begin().await
}

/// Begins a transaction that sees one state of the store, that of its first statement.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Makes a text of a JSON value.
const FROM_JSON: &str = "::TEXT";

/// Makes a JSON value of a text.
const TO_JSON: &str = "::JSONB";

/// Sets the counter of the events' numbers behind the highest one.
async fn set_counters(tx: &mut sql::Tx) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT setval(pg_get_serial_sequence('events', 'id'), COALESCE(MAX(id), 0) + 1, FALSE)
         FROM events",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn pool_options(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN_TIMEOUT)
        .after_release(|connection, _| Box::pin(leave_no_transaction(connection)))
}

/// Limits of the server's on what a connection of the store may hold up.
fn bounded(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "60s"),
        ("default_transaction_isolation", "read committed"),
        // Keeps the warnings of `leave_no_transaction` from being sent.
        ("client_min_messages", "error"),
    ])
}

/// Connects once, for an answer that says why it does not work.
async fn connect(store: &str, options: &PgConnectOptions) -> Result<PgConnection, CrmError> {
    let connecting_to = PgConnection::connect_with(options);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting_to).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(connecting(store, error)),
        Err(elapsed) => Err(CrmError::Unreachable {
            store: store.to_owned(),
            source: elapsed.into(),
        }),
    }
}

/// Ends what a connection that comes back may have left open: the driver does not know of a `BEGIN`
/// whose future was dropped before the server's answer.
async fn leave_no_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // A connection that does not answer is closed, so that another can be made in its place.
    match tokio::time::timeout(FAREWELL, connection.execute("ROLLBACK")).await {
        Ok(done) => done.map(|_| true),
        Err(late) => Err(sqlx::Error::Io(io::Error::new(
            io::ErrorKind::TimedOut,
            late,
        ))),
    }
}

/// Refuses a server that is too old or a standby, and a database of another program's.
async fn check_server(connection: &mut PgConnection, store: &str) -> Result<(), CrmError> {
    let (number, version, read_only, foreign): (i32, String, bool, bool) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::INT, current_setting('server_version'),
                current_setting('transaction_read_only')::BOOL,
                EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema())
                AND to_regclass('_sqlx_migrations') IS NULL",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|error| meaning(store, error))?;
    check_version(number, &version, store)?;
    let store = store.to_owned();
    if read_only {
        return Err(CrmError::ReadOnly { store });
    }
    if foreign {
        return Err(CrmError::NotAStore { store });
    }
    Ok(())
}

/// Refuses a version like 140012, which is 14.12.
fn check_version(number: i32, version: &str, store: &str) -> Result<(), CrmError> {
    if number / 10_000 >= AT_LEAST {
        return Ok(());
    }
    Err(CrmError::ServerTooOld {
        store: store.to_owned(),
        version: version.to_owned(),
        at_least: AT_LEAST,
    })
}

/// What `error` means to the caller. A pool that gave no connection in time does not say why: the
/// server is asked.
async fn explain(engine: &Engine, error: sqlx::Error) -> CrmError {
    let store = &engine.store;
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return meaning(store, error);
    }
    match connect(store, &engine.writer.connect_options()).await {
        Ok(connection) => {
            let _ = connection.close().await;
            CrmError::Busy {
                store: store.clone(),
            }
        }
        Err(error) => error,
    }
}

fn meaning(store: &str, error: sqlx::Error) -> CrmError {
    known(store, error).unwrap_or_else(of_any_driver)
}

/// What went wrong while connecting, where everything else has to do with the URL.
fn connecting(store: &str, error: sqlx::Error) -> CrmError {
    known(store, error).unwrap_or_else(|error| CrmError::CannotOpen {
        store: store.to_owned(),
        source: error.into(),
    })
}

/// What went wrong while bringing the schema of `store` up to date.
fn migrating(store: &str, error: MigrateError) -> CrmError {
    let of_schema = |source| CrmError::Migration {
        store: store.to_owned(),
        source,
    };
    if matches!(error, MigrateError::VersionMissing(_)) {
        return CrmError::NewerSchema {
            store: store.to_owned(),
        };
    }
    if let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = error {
        return known(store, error).unwrap_or_else(|error| of_schema(error.into()));
    }
    of_schema(error.into())
}

/// What an operator or caller can do something about; anything else is given back.
fn known(store: &str, error: sqlx::Error) -> Result<CrmError, sqlx::Error> {
    let store = store.to_owned();
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return Ok(CrmError::Busy { store });
    }
    if matches!(error, sqlx::Error::Io(_)) {
        let source = error.into();
        return Ok(CrmError::Unreachable { store, source });
    }
    let Some(state) = error.as_database_error().and_then(|error| error.code()) else {
        return Err(error);
    };
    let state = state.into_owned();
    Ok(match state.as_str() {
        // The server stops, starts, recovers, or ended this connection.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => CrmError::Unreachable {
            store,
            source: error.into(),
        },
        // Deadlocks, locks and statements that took too long.
        "40001" | "40P01" | "55P03" | "57014" => CrmError::Busy { store },
        "53300" => CrmError::TooManyConnections { store },
        "53100" => CrmError::DiskFull { store },
        "25006" => CrmError::ReadOnly { store },
        "28000" | "28P01" => CrmError::LoginRefused {
            store,
            source: error.into(),
        },
        "3D000" | "57P04" => CrmError::UnknownDatabase { store },
        "42501" => CrmError::NotAllowed {
            store,
            source: error.into(),
        },
        "XX001" | "XX002" => CrmError::Corrupt {
            store,
            source: error.into(),
        },
        class if class.starts_with("08") => CrmError::Unreachable {
            store,
            source: error.into(),
        },
        _ => return Err(error),
    })
}
