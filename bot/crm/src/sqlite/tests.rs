//! What only a file can suffer: other programs, permissions, a full disk, a crash.

use std::fs;

use tempfile::TempDir;

use super::sql::testing::*;
use super::*;
use crate::store::Store;
use crate::types::*;

fn engine(store: &Store) -> &Engine {
    let crate::store::Engine::Sqlite(engine) = &store.engine else {
        panic!("{store:?}")
    };
    engine
}

/// Lets the file grow to `pages` at most, as a full disk would; `None` makes room again.
async fn limit_pages(store: &Store, pages: Option<u32>) {
    let writer = &engine(store).writer;
    // The limit belongs to a connection: to the present one, and to one opened in its place.
    let limit = pages.unwrap_or(u32::MAX - 1);
    let mut options = (*writer.connect_options()).clone();
    options = options.pragma("max_page_count", limit.to_string());
    writer.set_connect_options(options);
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {limit}"));
    sqlx::query(pragma).execute(writer).await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_process_that_just_ends() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    scratch.say(id, "a").await;
    // The files as a crash leaves them: nothing closed, the log not folded in.
    let crashed = TempDir::new().unwrap();
    for entry in fs::read_dir(scratch.place.folder.path()).unwrap() {
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
    let Scratch { store, place } = scratch;
    drop(store);
    assert_eq!(place.open().await.counts().await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_closed_store_is_one_file_and_says_that_it_is_closed() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    scratch.store.close().await;
    let files = fs::read_dir(scratch.place.folder.path()).unwrap();
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
        .execute(engine(&scratch.store).readers())
        .await;
    let error = meaning("crm.db", outcome.unwrap_err());
    assert!(matches!(error, CrmError::ReadOnly { .. }), "{error:?}");
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
    .execute(&engine(&scratch.store).writer)
    .await
    .unwrap();
    let outcome = Store::open(&scratch.place.file()).await;
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
        .execute(&engine(&scratch.store).writer)
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
    limit_pages(&scratch.store, Some(1)).await;
    let large = || AcceptMessage {
        text: "x".repeat(300_000),
        ..saying(id, "large")
    };
    for attempt in 1..=3 {
        let outcome = scratch.store.accept_message(large()).await;
        assert!(
            matches!(outcome, Err(CrmError::DiskFull { .. })),
            "attempt {attempt}: {outcome:?}"
        );
    }
    // Reading goes on, and nothing of the failed message is left.
    assert_eq!(scratch.load(id).await.last_seq, 1);
    assert_eq!(scratch.store.recent_messages(id, 9).await.unwrap().len(), 1);

    limit_pages(&scratch.store, None).await;
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
    limit_pages(&scratch.store, Some(1)).await;
    let many: Vec<_> = (0..5000)
        .map(|number| customer(&format!("c{number}")))
        .collect();
    let outcome = scratch.store.upsert_customers(&many).await;
    assert!(
        matches!(outcome, Err(CrmError::DiskFull { .. })),
        "{outcome:?}"
    );
    assert_eq!(scratch.store.counts().await.unwrap().customers, 1);
    limit_pages(&scratch.store, None).await;
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

#[tokio::test]
async fn a_store_of_version_1_keeps_everything_when_it_is_opened() {
    let place = Place::new().await;
    let old = SqlitePool::connect_with(writer_options(&place.file()))
        .await
        .unwrap();
    let mut first = Migrator::DEFAULT;
    first.migrations = MIGRATIONS.migrations[..1].to_vec().into();
    first.run(&old).await.unwrap();
    sqlx::raw_sql(include_str!("version_1.sql"))
        .execute(&old)
        .await
        .unwrap();
    old.close().await;

    let store = place.open().await;
    let conversation = |number| store.find_conversation(conversation_id(number));
    let bots = conversation(1).await.unwrap().unwrap();
    assert_eq!(bots.thread, bots.id.to_string());
    let messages = store.recent_messages(bots.id, 9).await.unwrap();
    assert_eq!(messages[1].quick_replies, serde_json::json!(["Yes", "No"]));
    assert_eq!(messages[0].pressed, None);
    assert_eq!(store.unanswered().await.unwrap(), [bots.id]);
    let known = store.list_customers(None, 9).await.unwrap();
    assert_eq!(known[0].name.as_deref(), Some("Ana"));
    assert_eq!(store.orders_of(&"c1".into()).await.unwrap().len(), 1);
    let documents = store.list_documents(None, 9).await.unwrap();
    let visible: Vec<_> = documents
        .iter()
        .map(|document| document.visibility)
        .collect();
    assert_eq!(visible, [Visibility::Internal, Visibility::Public]);
    let events = store.recent_events(9).await.unwrap();
    assert_eq!((events[0].id, events[0].kind.as_str()), (1, "start"));

    // The hand-over was at 20: message 2 is from before, the customer's message 4 is owed.
    let theirs = conversation_id(2);
    let (human, bot) = (ConversationState::Human, ConversationState::Bot);
    let back = changing(theirs, human, bot);
    store.change_state(back).await.unwrap();
    let conversation = conversation(2).await.unwrap().unwrap();
    assert_eq!(conversation.answered_seq, 3);
}

#[tokio::test]
async fn nothing_of_an_erased_customer_is_left_in_the_file() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let canary = "Canary".repeat(500);
    let customer = Customer {
        name: Some(canary.clone()),
        ..customer("c1")
    };
    store.upsert_customers(&[customer]).await.unwrap();
    let id = scratch.conversation(1).await;
    let owner = CustomerId::from("c1");
    store.bind_customer(id, &owner, Millis(2)).await.unwrap();
    for number in 0..50 {
        let message = AcceptMessage {
            text: canary.clone(),
            ..saying(id, &format!("{number}"))
        };
        store.accept_message(message).await.unwrap();
    }
    let erased = store.erase_customer(&owner, Millis(9)).await.unwrap();
    assert_eq!(erased.messages, 50);
    store.close().await;
    let bytes = fs::read(scratch.place.file()).unwrap();
    let found = bytes
        .windows(6)
        .filter(|window| window == b"Canary")
        .count();
    assert_eq!(found, 0);
}
