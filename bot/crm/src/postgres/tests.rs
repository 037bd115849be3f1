//! What only a server can do to a store, and that its tables are those of the file.

use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::place::{administrator, run};
use super::sql::testing::*;
use super::*;
use crate::location::Location;
use crate::types::*;

fn engine(store: &Store) -> &Engine {
    let crate::store::Engine::Postgres(engine) = &store.engine else {
        panic!("{store:?}")
    };
    engine
}

/// What opening a URL gives instead of a store. Its text must name the server and hide the password.
async fn failure(url: url::Url) -> CrmError {
    let location: Location = url.as_str().parse().unwrap();
    let error = Store::connect(&location).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&location.to_string()), "{text}");
    let password = url.password().unwrap();
    assert!(!format!("{text} {error:?}").contains(password), "{error:?}");
    error
}

/// A user of their own with few rights, and the URL by which they come.
async fn user(place: &Place, limits: &str) -> (String, url::Url) {
    #[expect(clippy::disallowed_methods, reason = "tests share the server")]
    let name = format!("user_{}", uuid::Uuid::new_v4().simple());
    let create = format!("CREATE ROLE {name} LOGIN PASSWORD 'of their own' {limits}");
    run(&mut administrator().await, create).await;
    let mut url = place.url();
    url.set_username(&name).unwrap();
    url.set_password(Some("of their own")).unwrap();
    (name, url)
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_keys() {
    let (ours, theirs) = (crate::sqlite::place::Place::new().await, Place::new().await);
    let store = ours.open().await;
    let crate::store::Engine::Sqlite(file) = &store.engine else {
        panic!("{store:?}")
    };
    let sqlite: Vec<String> = sqlx::query_scalar(include_str!("../sqlite/schema.sql"))
        .fetch_all(file.readers())
        .await
        .unwrap();
    let postgres: Vec<String> = sqlx::query_scalar(include_str!("schema.sql"))
        .fetch_all(&mut theirs.connect().await)
        .await
        .unwrap();
    assert_eq!(sqlite, postgres);
    assert!(sqlite.contains(&"messages (conversation,client_id) unique".to_owned()));
    let numbers = |migrations: &Migrator| -> Vec<_> {
        let named = migrations
            .iter()
            .map(|one| (one.version, one.description.clone()));
        named.collect()
    };
    assert_eq!(numbers(&MIGRATIONS), numbers(&crate::sqlite::MIGRATIONS));
}

#[tokio::test]
async fn programs_that_start_at_once_on_an_empty_database_make_one_store() {
    let place = Place::empty().await;
    let location = place.location();
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let location = location.clone();
        tasks.spawn(async move { Store::connect(&location).await });
    }
    for store in tasks.join_all().await {
        assert_eq!(store.unwrap().counts().await.unwrap(), Counts::default());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let url = "postgres://ana:geheim@127.0.0.1:1/crm".parse().unwrap();
    let error = failure(url).await;
    assert!(matches!(error, CrmError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1/crm"), "{error}");
    assert!(error.is_transient());
    let url = "postgres://ana:geheim@no-such-host.invalid/crm"
        .parse()
        .unwrap();
    let error = failure(url).await;
    assert!(matches!(error, CrmError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_database_are_told_apart() {
    let place = Place::empty().await;
    let mut url = place.url();
    url.set_password(Some("mistaken")).unwrap();
    let error = failure(url).await;
    assert!(matches!(error, CrmError::LoginRefused { .. }), "{error:?}");
    let mut url = place.url();
    url.set_path("no_such_database");
    let error = failure(url).await;
    assert!(
        matches!(error, CrmError::UnknownDatabase { .. }),
        "{error:?}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_to_grant() {
    let place = Place::empty().await;
    let (_, url) = user(&place, "").await;
    let error = failure(url).await;
    assert!(matches!(error, CrmError::NotAllowed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_without_a_connection_left_says_so_also_through_the_pool() {
    let place = Place::empty().await;
    let (name, url) = user(&place, "CONNECTION LIMIT 1").await;
    let grant = format!("GRANT CREATE ON SCHEMA public TO {name}");
    run(&mut place.connect().await, grant).await;
    let store = Store::connect(&url.as_str().parse().unwrap())
        .await
        .unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    let error = failure(url).await;
    assert!(
        matches!(error, CrmError::TooManyConnections { .. }),
        "{error:?}"
    );
    // What the pool says when it has waited in vain for a second one.
    let error = explain(engine(&store), sqlx::Error::PoolTimedOut).await;
    assert!(
        matches!(error, CrmError::TooManyConnections { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_pool_that_is_only_busy_says_busy_and_one_without_server_unreachable() {
    let scratch = Scratch::new().await;
    let error = explain(engine(&scratch.store), sqlx::Error::PoolTimedOut).await;
    assert!(matches!(error, CrmError::Busy { .. }), "{error:?}");
    let gone: Location = "postgres://ana@127.0.0.1:1/crm".parse().unwrap();
    let Location::Server(server) = &gone else {
        panic!("{gone:?}")
    };
    let away = Engine {
        writer: pool_options(1).connect_lazy_with(server.options().unwrap()),
        ..engine(&scratch.store).clone()
    };
    let error = explain(&away, sqlx::Error::PoolTimedOut).await;
    assert!(matches!(error, CrmError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_only_reads_is_refused_at_the_start_and_told_later() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    let url = scratch.place.url();
    let database = url.path().trim_start_matches('/');
    let mut server = administrator().await;
    let read_only = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    run(&mut server, read_only).await;
    let error = failure(url.clone()).await;
    assert!(matches!(error, CrmError::ReadOnly { .. }), "{error:?}");

    end_connections(&scratch).await;
    let outcome = scratch.store.accept_message(saying(id, "a")).await;
    assert!(
        matches!(outcome, Err(CrmError::ReadOnly { .. })),
        "{outcome:?}"
    );
    assert_eq!(scratch.load(id).await.last_seq, 0, "reading goes on");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_gets_no_tables() {
    let place = Place::empty().await;
    let mut connection = place.connect().await;
    run(&mut connection, "CREATE TABLE theirs (id INT)".into()).await;
    let error = failure(place.url()).await;
    assert!(matches!(error, CrmError::NotAStore { .. }), "{error:?}");
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let place = Place::new().await;
    let newer = "INSERT INTO _sqlx_migrations VALUES (9999, 'of tomorrow', now(), TRUE, '', 0)";
    run(&mut place.connect().await, newer.into()).await;
    let error = failure(place.url()).await;
    assert!(matches!(error, CrmError::NewerSchema { .. }), "{error:?}");
}

#[test]
fn a_server_older_than_the_sql_is_refused_by_its_version() {
    assert!(check_version(150_000, "15.0", "PostgreSQL at h:1/d").is_ok());
    let error = check_version(140_012, "14.12 (Debian)", "PostgreSQL at h:1/d").unwrap_err();
    assert_eq!(
        error.to_string(),
        "PostgreSQL at h:1/d runs PostgreSQL 14.12 (Debian), but the CRM store needs 15 or newer"
    );
}

#[tokio::test]
async fn what_the_server_reports_of_a_write_is_told_by_kind_and_nothing_is_stored() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    let mut connection = scratch.place.connect().await;
    run(
        &mut connection,
        "CREATE TABLE fault (state TEXT);
         CREATE FUNCTION fail() RETURNS TRIGGER LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION USING ERRCODE = (SELECT state FROM fault); END $$;
         CREATE TRIGGER fail BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION fail();"
            .into(),
    )
    .await;
    type Expected = fn(&CrmError) -> bool;
    let kinds: [(&str, Expected); 11] = [
        ("53100", |error| matches!(error, CrmError::DiskFull { .. })),
        ("40001", |error| matches!(error, CrmError::Busy { .. })),
        ("40P01", |error| matches!(error, CrmError::Busy { .. })),
        ("55P03", |error| matches!(error, CrmError::Busy { .. })),
        ("57014", |error| matches!(error, CrmError::Busy { .. })),
        ("57P03", |error| {
            matches!(error, CrmError::Unreachable { .. })
        }),
        ("08006", |error| {
            matches!(error, CrmError::Unreachable { .. })
        }),
        ("42501", |error| {
            matches!(error, CrmError::NotAllowed { .. })
        }),
        ("25006", |error| matches!(error, CrmError::ReadOnly { .. })),
        ("XX001", |error| matches!(error, CrmError::Corrupt { .. })),
        ("22012", |error| matches!(error, CrmError::Database(_))),
    ];
    for (state, expected) in kinds {
        let fault = format!("DELETE FROM fault; INSERT INTO fault VALUES ('{state}')");
        run(&mut connection, fault).await;
        let error = scratch
            .store
            .accept_message(saying(id, "a"))
            .await
            .unwrap_err();
        assert!(expected(&error), "{state}: {error:?}");
    }
    run(&mut connection, "DROP TRIGGER fail ON messages".into()).await;
    assert_eq!(scratch.say(id, "a").await, 1);
}

/// Ends the store's connections as a server does that is shut down.
async fn end_connections(scratch: &Scratch) {
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    run(&mut scratch.place.connect().await, end.into()).await;
}

#[tokio::test]
async fn a_store_whose_connections_broke_makes_new_ones() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let store = scratch.store.clone();
        tasks.spawn(async move { store.accept_message(saying(id, &format!("{number}"))).await });
    }
    tasks.join_all().await;
    for number in 20..23 {
        end_connections(&scratch).await;
        scratch.say(id, &format!("{number}")).await;
        end_connections(&scratch).await;
        assert_eq!(scratch.load(id).await.last_seq, number + 1);
    }
}

/// Holds all conversations, so that a write waits; `ROLLBACK` lets go.
async fn hold_conversations(scratch: &Scratch) -> PgConnection {
    let mut connection = scratch.place.connect().await;
    let lock = "BEGIN; SELECT * FROM conversations FOR UPDATE";
    run(&mut connection, lock.into()).await;
    connection
}

#[tokio::test]
async fn a_call_whose_connection_breaks_midway_says_unreachable_and_stores_nothing() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    let mut holder = hold_conversations(&scratch).await;
    let store = scratch.store.clone();
    let held_up = tokio::spawn(async move { store.accept_message(saying(id, "a")).await });
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut ended = 0;
    while ended == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        // Activity is read once a transaction, unless it is told to look again.
        run(&mut holder, "SELECT pg_stat_clear_snapshot()".into()).await;
        ended = sqlx::query(end).fetch_all(&mut holder).await.unwrap().len();
    }
    let outcome = held_up.await.unwrap();
    assert!(
        matches!(outcome, Err(CrmError::Unreachable { .. })),
        "{outcome:?}"
    );
    run(&mut holder, "ROLLBACK".into()).await;
    assert_eq!(scratch.say(id, "a").await, 1);
}

#[tokio::test]
async fn a_server_that_has_gone_silent_is_given_up_and_nothing_of_the_call_is_stored() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    let mut holder = hold_conversations(&scratch).await;
    let impatient = Store {
        engine: crate::store::Engine::Postgres(Engine {
            patience: Duration::from_millis(300),
            ..engine(&scratch.store).clone()
        }),
    };
    let outcome = impatient.accept_message(saying(id, "a")).await;
    assert!(
        matches!(outcome, Err(CrmError::Unreachable { .. })),
        "{outcome:?}"
    );
    assert_eq!(scratch.load(id).await.last_seq, 0, "others are served");
    run(&mut holder, "ROLLBACK".into()).await;
    assert_eq!(scratch.say(id, "b").await, 1);
    assert_eq!(left_open(&mut holder).await, 0);
    let messages = scratch.store.recent_messages(id, 9).await.unwrap();
    assert_eq!(messages.len(), 1);
}

/// Transactions that nobody ends. Those just being ended are waited for.
async fn left_open(connection: &mut PgConnection) -> i64 {
    let mut open = 0;
    for _ in 0..50 {
        open = sqlx::query_scalar(
            "SELECT COUNT(*) FROM pg_stat_activity
             WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
        )
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        if open == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_dropped_anywhere_leave_no_transaction_open_and_no_acknowledged_message_out() {
    let scratch = Scratch::new().await;
    for number in 0..20 {
        scratch.conversation(number).await;
    }
    let mut tasks = JoinSet::new();
    for worker in 0..20_u128 {
        let store = scratch.store.clone();
        tasks.spawn(async move {
            let id = conversation_id(worker);
            let mut acknowledged = Vec::new();
            let mut usual = Duration::ZERO;
            for number in 0..150 {
                let client_id = format!("{number}");
                let call = store.accept_message(saying(id, &client_id));
                // Every fifth call is waited for and tells how long they take at present.
                let patience = match number % 5 {
                    0 => Duration::MAX,
                    _ => usual.mul_f64(2.0 * fastrand::f64()),
                };
                let begun = Instant::now();
                if let Ok(outcome) = tokio::time::timeout(patience, call).await {
                    outcome.unwrap();
                    acknowledged.push(client_id);
                }
                if patience == Duration::MAX {
                    usual = begun.elapsed();
                }
                // Readers are dropped as well; some take a connection with them.
                if number % 10 == 0 {
                    let patience = Duration::from_micros(fastrand::u64(0..20_000));
                    let _ = tokio::time::timeout(patience, store.recent_messages(id, 9)).await;
                }
            }
            (id, acknowledged)
        });
    }
    let done = tasks.join_all().await;
    // Waits for the writes that go on without their callers.
    let acknowledged: usize = done
        .iter()
        .map(|(_, acknowledged)| acknowledged.len())
        .sum();
    println!("3000 calls, {acknowledged} acknowledged, the others dropped");
    assert!(
        (601..3000).contains(&acknowledged),
        "all or none were dropped"
    );
    let mut connection = scratch.place.connect().await;
    scratch.store.close().await;
    assert_eq!(left_open(&mut connection).await, 0);
    let store = scratch.reopen().await;
    for (id, acknowledged) in done {
        let messages = store.messages_after(id, 0, 1000).await.unwrap();
        assert!(
            messages
                .iter()
                .zip(1..)
                .all(|(message, seq)| message.seq == seq)
        );
        let stored: Vec<_> = messages
            .iter()
            .filter_map(|message| message.client_id.as_deref())
            .collect();
        for client_id in &acknowledged {
            assert!(stored.contains(&client_id.as_str()), "{client_id} is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beginning_that_is_dropped_is_rolled_back_when_its_connection_returns() {
    let scratch = Scratch::new().await;
    // One connection, so that the next beginning waits for it and makes no other.
    let options = engine(&scratch.store).writer.connect_options();
    let writer = pool_options(1).connect_lazy_with((*options).clone());
    let mut connection = scratch.place.connect().await;
    for polls in (1..=8).cycle().take(400) {
        // Dropped while it is tested, a connection is closed: then this makes the next one.
        drop(writer.acquire().await.unwrap());
        let mut beginning = Box::pin(writer.begin());
        let mut left = polls;
        std::future::poll_fn(|context| {
            left -= 1;
            let polled = beginning.as_mut().poll(context).map(|_| ());
            if left == 0 { Poll::Ready(()) } else { polled }
        })
        .await;
        drop(beginning);
        assert_eq!(left_open(&mut connection).await, 0, "after {polls} polls");
    }
    let store = Store {
        engine: crate::store::Engine::Postgres(Engine {
            writer,
            ..engine(&scratch.store).clone()
        }),
    };
    let id = scratch.conversation(1).await;
    let mut seen_elsewhere = scratch.place.connect().await;
    for number in 1..=20 {
        let message = saying(id, &format!("{number}"));
        store.accept_message(message).await.unwrap();
        let committed: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM messages")
            .fetch_one(&mut seen_elsewhere)
            .await
            .unwrap();
        assert_eq!(
            committed, number,
            "inside of a transaction that is not ours"
        );
    }
}
