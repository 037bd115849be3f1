//! The store itself: one SQLite file, one connection that writes and a few that read.
//!
//! Every method of [`Store`] is one unit of work: what it changes is on disk when it returns, or
//! not changed at all, and no transaction outlives a call. Ids and times are parameters.
//!
//! # Cancel safety
//! Dropping the future of a writing method leaves all of it stored or nothing. A caller that wants
//! to know which asks again: messages carry a client id, turns the `seq` they answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use crate::error::CrmError;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a statement waits for a lock that another process holds (an import, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call waits for its turn at a connection before it is told [`CrmError::Busy`].
const TURN_TIMEOUT: Duration = Duration::from_secs(20);

/// Readers never wait for the writer, and a read takes well under a millisecond: few will do.
const READERS: u32 = 4;

/// The CRM store. Clones share the same connections.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the store in `file`, making it and its folder if need be, and brings its schema up to
    /// date.
    ///
    /// # Errors
    /// [`CrmError::CannotCreateFolder`], [`CrmError::CannotOpen`], [`CrmError::ReadOnly`];
    /// [`CrmError::NotAStore`] and [`CrmError::NewerSchema`] leave the file as it is.
    pub async fn open(file: &Path) -> Result<Self, CrmError> {
        create_folder(file).await?;
        let opening = |error| CrmError::opening(file.to_owned(), error);

        let writer = pool_options(1)
            .after_release(|connection, _| Box::pin(has_no_transaction(connection)))
            .connect_with(writer_options(file))
            .await
            .map_err(opening)?;
        refuse_a_foreign_file(&writer, file).await?;
        MIGRATIONS
            .run(&writer)
            .await
            .map_err(|error| CrmError::migrating(file.to_owned(), error))?;

        let readers = pool_options(READERS)
            .connect_with(connect_options(file).read_only(true))
            .await
            .map_err(opening)?;
        Ok(Self { writer, readers })
    }

    /// Waits for calls under way, then closes the file. Later calls fail with
    /// [`CrmError::StoreClosed`]. A store that is only dropped loses nothing either.
    pub async fn close(&self) {
        // The last connection to close folds the write-ahead log into the file; it must be able
        // to write.
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that holds the write lock from its start: one that began by reading would
    /// fail, without waiting, as soon as another process had written in between.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, CrmError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The connections that read. They see every commit that happened before the call.
    pub(crate) fn read(&self) -> &SqlitePool {
        &self.readers
    }
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
    // FULL: an acknowledged message outlives a power cut, not only a crash of ours.
    connect_options(file)
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
async fn refuse_a_foreign_file(writer: &SqlitePool, file: &Path) -> Result<(), CrmError> {
    let foreign: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table')
            AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')",
    )
    .fetch_one(writer)
    .await
    .map_err(|error| CrmError::opening(file.to_owned(), error))?;
    if foreign {
        Err(CrmError::NotAStore {
            file: PathBuf::from(file),
        })
    } else {
        Ok(())
    }
}

#[cfg(test)]
impl Store {
    /// Lets the file grow to `pages` at most, as a full disk would; `None` makes room again.
    async fn limit_pages(&self, pages: Option<u32>) {
        // The limit belongs to a connection: to the present one, and to one opened in its place.
        let limit = pages.unwrap_or(u32::MAX - 1);
        let mut options = (*self.writer.connect_options()).clone();
        options = options.pragma("max_page_count", limit.to_string());
        self.writer.set_connect_options(options);
        let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {limit}"));
        sqlx::query(pragma).execute(&self.writer).await.unwrap();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::testing::*;
    use crate::types::*;

    #[tokio::test]
    async fn what_was_acknowledged_survives_a_process_that_just_ends() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        // The files as a crash leaves them: nothing closed, the log not folded in.
        let crashed = TempDir::new().unwrap();
        for entry in fs::read_dir(scratch.folder.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), crashed.path().join(entry.file_name())).unwrap();
        }
        let store = Store::open(&crashed.path().join("crm.db")).await.unwrap();
        assert_eq!(store.unanswered().await.unwrap(), [id]);
        assert_eq!(
            store.recent_messages(id, 9).await.unwrap()[0].text,
            "text of a"
        );
    }

    #[tokio::test]
    async fn a_store_dropped_without_closing_opens_again_with_everything_in_it() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        let Scratch { store, folder } = scratch;
        drop(store);
        let store = Store::open(&folder.path().join("crm.db")).await.unwrap();
        assert_eq!(store.counts().await.unwrap().messages, 1);
    }

    #[tokio::test]
    async fn a_closed_store_is_one_file_and_says_that_it_is_closed() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.store.close().await;
        let files = fs::read_dir(scratch.folder.path()).unwrap();
        let names: Vec<_> = files.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["crm.db"]);
        let outcome = scratch.store.accept_message(saying(id, "a")).await;
        assert!(matches!(outcome, Err(CrmError::StoreClosed)), "{outcome:?}");
        assert_eq!(
            scratch.reopen().await.counts().await.unwrap().conversations,
            1
        );
    }

    #[tokio::test]
    async fn folders_are_made_and_odd_names_are_only_names() {
        let folder = TempDir::new().unwrap();
        let file = folder
            .path()
            .join("new/folder of ours/crm?mode=ro#1%41é.db");
        Store::open(&file).await.unwrap().close().await;
        assert!(file.is_file());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_named() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let outcome = Store::open(&folder.path().join("file/sub/crm.db")).await;
        let Err(CrmError::CannotCreateFolder { folder: named, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(named.ends_with("file/sub"));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_folder_that_takes_no_files_is_an_error_that_names_the_file() {
        // Permissions do not stop a superuser, and tests may run as one; there, nobody can.
        let outcome = Store::open(Path::new("/proc/self/crm.db")).await;
        let Err(error @ CrmError::CannotOpen { .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(error.to_string().contains("/proc/self/crm.db"), "{error}");
    }

    #[tokio::test]
    async fn a_path_that_is_a_folder_is_an_error_that_names_it() {
        let folder = TempDir::new().unwrap();
        let outcome = Store::open(folder.path()).await;
        assert!(
            matches!(outcome, Err(CrmError::CannotOpen { .. })),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn writing_where_only_reading_is_allowed_says_read_only() {
        let scratch = Scratch::new().await;
        let outcome = sqlx::query("DELETE FROM customers")
            .execute(scratch.store.read())
            .await;
        let error = CrmError::from(outcome.unwrap_err());
        assert!(matches!(error, CrmError::ReadOnly), "{error:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_store_is_refused_and_left_alone() {
        let folder = TempDir::new().unwrap();
        for (name, content) in [
            ("short", "no database".to_owned()),
            ("long", "x".repeat(9000)),
        ] {
            let file = folder.path().join(name);
            fs::write(&file, &content).unwrap();
            let outcome = Store::open(&file).await;
            assert!(
                matches!(outcome, Err(CrmError::NotAStore { .. })),
                "{name}: {outcome:?}"
            );
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
    }

    #[tokio::test]
    async fn a_database_of_another_program_is_refused_and_gets_no_tables() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("theirs.db");
        let theirs = SqlitePool::connect_with(writer_options(&file))
            .await
            .unwrap();
        sqlx::query("CREATE TABLE theirs (id INTEGER)")
            .execute(&theirs)
            .await
            .unwrap();
        let outcome = Store::open(&file).await;
        assert!(
            matches!(outcome, Err(CrmError::NotAStore { .. })),
            "{outcome:?}"
        );
        let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema")
            .fetch_one(&theirs)
            .await
            .unwrap();
        assert_eq!(tables, 1);
    }

    #[tokio::test]
    async fn a_store_of_a_newer_version_is_refused() {
        let scratch = Scratch::new().await;
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'of tomorrow', TRUE, x'00', 0)",
        )
        .execute(&scratch.store.writer)
        .await
        .unwrap();
        let outcome = Store::open(&scratch.folder.path().join("crm.db")).await;
        assert!(
            matches!(outcome, Err(CrmError::NewerSchema { .. })),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn a_value_that_another_version_wrote_is_an_error_that_names_its_column() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        sqlx::query("UPDATE conversations SET memory = '{'")
            .execute(&scratch.store.writer)
            .await
            .unwrap();
        let outcome = scratch.store.find_conversation(id).await;
        let Err(CrmError::Garbled { column, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(column.contains("memory"), "{column}");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_once_there_is_room_writing_goes_on() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "before").await;
        scratch.store.limit_pages(Some(1)).await;
        let large = || AcceptMessage {
            text: "x".repeat(300_000),
            ..saying(id, "large")
        };
        for attempt in 1..=3 {
            let outcome = scratch.store.accept_message(large()).await;
            assert!(
                matches!(outcome, Err(CrmError::DiskFull)),
                "attempt {attempt}: {outcome:?}"
            );
        }
        // Reading goes on, and nothing of the failed message is left.
        assert_eq!(scratch.load(id).await.last_seq, 1);
        assert_eq!(scratch.store.recent_messages(id, 9).await.unwrap().len(), 1);

        scratch.store.limit_pages(None).await;
        let outcome = scratch.store.accept_message(large()).await.unwrap();
        assert_eq!(outcome, Accepted::Stored { seq: 2 });
    }

    #[tokio::test]
    async fn a_full_disk_during_an_import_keeps_all_of_the_batch_out() {
        let scratch = Scratch::new().await;
        scratch
            .store
            .upsert_customers(&[customer("before")])
            .await
            .unwrap();
        scratch.store.limit_pages(Some(1)).await;
        let many: Vec<_> = (0..5000)
            .map(|number| customer(&format!("c{number}")))
            .collect();
        let outcome = scratch.store.upsert_customers(&many).await;
        assert!(matches!(outcome, Err(CrmError::DiskFull)), "{outcome:?}");
        assert_eq!(scratch.store.counts().await.unwrap().customers, 1);
        scratch.store.limit_pages(None).await;
        scratch.store.upsert_customers(&many).await.unwrap();
        assert_eq!(scratch.store.counts().await.unwrap().customers, 5001);
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_midway_blocks_no_other_and_stores_all_or_nothing() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        for number in 0..40 {
            let message = saying(id, &format!("{number}"));
            let patience = Duration::from_micros(number * 20);
            let _ = tokio::time::timeout(patience, scratch.store.accept_message(message)).await;
        }
        let last = scratch.say(id, "last").await;
        let messages = scratch.store.messages_after(id, 0, 1000).await.unwrap();
        let seqs: Vec<_> = messages.iter().map(|message| message.seq).collect();
        assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
    }
}
