//! Copies between all pairs of databases.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::*;
use crate::changes::Change;
use crate::testing::*;
use crate::types::*;

/// A place in each database.
struct Places {
    file: crate::sqlite::place::Place,
    server: crate::postgres::place::Place,
}

impl Places {
    async fn new() -> Self {
        Self {
            file: crate::sqlite::place::Place::new().await,
            server: crate::postgres::place::Place::new().await,
        }
    }

    async fn stores(&self) -> [Store; 2] {
        [self.file.open().await, self.server.open().await]
    }
}

/// Something in every table, more messages than a page holds, and all that is easily lost.
async fn fill(store: &Store) {
    let customers = ["c1", "c2", "erased"].map(customer);
    store.upsert_customers(&customers).await.unwrap();
    let products = ["p1", "removed"].map(product);
    store.upsert_products(&products).await.unwrap();
    store
        .upsert_documents(&["d1", "ä", "_"].map(document))
        .await
        .unwrap();
    let orders = [order("o1", "c1"), order("o2", "c2")];
    store.upsert_orders(&orders).await.unwrap();
    store
        .link_identity("web", "42", &"c1".into())
        .await
        .unwrap();
    store.remove_products(&["removed".into()]).await.unwrap();
    store
        .erase_customer(&"erased".into(), Millis(9))
        .await
        .unwrap();
    let mark = json!({"revision": 7, "model": "encoder"});
    store.set_index_mark("products", &mark).await.unwrap();

    for number in 1..=3 {
        store
            .open_conversation(opening(number), None)
            .await
            .unwrap();
    }
    let id = conversation_id(1);
    for number in 0..PAGE + 1 {
        let message = saying(id, &format!("{number}"));
        store.accept_message(message).await.unwrap();
    }
    let mut finished = turn(id, 1);
    finished.outcome.record = json!({
        "z": 0.1, "a": 1.0, "b": [0.9123456789012345, 17, u64::MAX, i64::MIN],
        "text": "quote \" slash \\ \u{1F600}",
    });
    finished.memory = json!({"b": null, "aa": [{}], "a": 3});
    store.finish_turn(finished).await.unwrap();
    store.rate(id, 4, Some("good"), Millis(9)).await.unwrap();
    let closing = changing(
        conversation_id(2),
        ConversationState::Bot,
        ConversationState::Closed,
    );
    store.change_state(closing).await.unwrap();
}

/// All that the store's methods show. The order of an object's keys is no part of it.
async fn shown(store: &Store) -> Vec<serde_json::Value> {
    let conversations = store.list_conversations(None, 99).await.unwrap();
    let mut shown = vec![
        json!(format!(
            "{:?}",
            store.changed_customers(0, 99).await.unwrap()
        )),
        json!(format!(
            "{:?}",
            store.changed_products(0, 99).await.unwrap()
        )),
        json!(format!(
            "{:?}",
            store.changed_documents(0, 99).await.unwrap()
        )),
        json!(format!("{:?}", store.list_orders(None, 99).await.unwrap())),
        json!(store.find_identity("web", "42").await.unwrap()),
        json!(store.index_mark("products").await.unwrap()),
        json!(store.events_after(0, 99).await.unwrap()),
        json!(conversations),
    ];
    for Conversation { id, .. } in conversations {
        shown.push(json!(store.messages_after(id, 0, 9999).await.unwrap()));
        shown.push(json!(store.outcomes(id).await.unwrap()));
        shown.push(json!(store.find_rating(id).await.unwrap()));
    }
    shown
}

#[tokio::test]
async fn a_store_goes_from_each_database_to_each_and_all_of_it_arrives() {
    let origin = crate::sqlite::place::Place::new().await;
    let mut from = origin.open().await;
    fill(&from).await;
    let expected = shown(&from).await;
    let mut first: Option<Vec<Copied>> = None;
    // File to file, file to server, server to server, server to file.
    let places = [Places::new().await, Places::new().await];
    let [[file, server], [last, other]] = [places[0].stores().await, places[1].stores().await];
    for to in [file, server, other, last] {
        let done = copy(&from, &to).await.unwrap();
        let rows = |table| done.iter().find(|one| one.table == table).unwrap().rows;
        assert_eq!(rows("messages"), PAGE as u64 + 2);
        assert_eq!((rows("customers"), rows("revision_counter")), (3, 1));
        assert_eq!(shown(&to).await, expected, "{}", to.name());
        assert_eq!(first.get_or_insert_with(|| done.clone()), &done);
        from = to;
    }
}

#[tokio::test]
async fn a_copy_goes_on_where_the_original_stopped() {
    let origin = Places::new().await;
    let [file, server] = origin.stores().await;
    fill(&file).await;
    copy(&file, &server).await.unwrap();
    let target = crate::sqlite::place::Place::new().await;
    let back = target.open().await;
    copy(&server, &back).await.unwrap();
    for store in [server, back] {
        let customers = store.changed_customers(0, 99).await.unwrap();
        let products = store.changed_products(0, 99).await.unwrap();
        // What is imported again as it was is no change, in whatever order JSON was kept.
        store
            .upsert_customers(&["c1", "c2"].map(customer))
            .await
            .unwrap();
        store.upsert_products(&[product("p1")]).await.unwrap();
        store.upsert_orders(&[order("o1", "c1")]).await.unwrap();
        assert_eq!(store.changed_customers(0, 99).await.unwrap(), customers);
        assert_eq!(store.changed_products(0, 99).await.unwrap(), products);

        let seen = customers.iter().map(Change::revision);
        let seen = seen
            .chain(products.iter().map(Change::revision))
            .max()
            .unwrap();
        store.upsert_documents(&[document("new")]).await.unwrap();
        let changes = store.changed_documents(seen, 9).await.unwrap();
        assert_eq!(changes.len(), 1, "{changes:?}");
        let events = store.recent_events(1).await.unwrap();
        store.open_conversation(opening(9), None).await.unwrap();
        assert_eq!(
            store.recent_events(1).await.unwrap()[0].id,
            events[0].id + 1
        );
        let id = conversation_id(1);
        let again = store.accept_message(saying(id, "0")).await.unwrap();
        assert_eq!(again, Accepted::Duplicate { seq: 1 });
    }
}

#[tokio::test]
async fn numbers_of_any_size_keep_their_value() {
    let places = [Places::new().await, Places::new().await];
    let [[file, server], [back, _]] = [places[0].stores().await, places[1].stores().await];
    let numbers = [
        -0.0,
        1e-7,
        1.5e300,
        5e-324,
        0.1,
        1e16,
        123_456_789.123_456_78,
    ];
    file.set_index_mark("numbers", &json!(numbers))
        .await
        .unwrap();
    copy(&file, &server).await.unwrap();
    copy(&server, &back).await.unwrap();
    for store in [server, back] {
        let mark = store.index_mark("numbers").await.unwrap().unwrap();
        let read: Vec<f64> = serde_json::from_value(mark).unwrap();
        for (number, read) in numbers.iter().zip(read) {
            // Reading decimals may be off by the last bit.
            assert!(
                (number - read).abs() <= number.abs() * 1e-15,
                "{number} {read}"
            );
        }
    }
}

#[tokio::test]
async fn a_target_with_something_in_it_is_refused_and_left_alone() {
    let places = Places::new().await;
    let [file, server] = places.stores().await;
    fill(&file).await;
    server
        .upsert_documents(&[document("theirs")])
        .await
        .unwrap();
    let outcome = copy(&file, &server).await;
    let Err(error @ CopyError::NotEmpty { .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(error.to_string().contains("documents"), "{error}");
    assert!(error.to_string().contains(server.name()), "{error}");
    let counts = server.counts().await.unwrap();
    assert_eq!((counts.documents, counts.customers), (1, 0));
    let outcome = copy(&file, &file).await;
    assert!(
        matches!(outcome, Err(CopyError::NotEmpty { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_copy_that_is_not_the_original_is_undone() {
    let places = Places::new().await;
    let [file, server] = places.stores().await;
    fill(&file).await;
    let mut connection = places.server.connect().await;
    let spoil = "CREATE FUNCTION spoil() RETURNS TRIGGER LANGUAGE plpgsql AS
                 $$ BEGIN NEW.total := NEW.total + 1; RETURN NEW; END $$;
                 CREATE TRIGGER spoil BEFORE INSERT ON orders
                 FOR EACH ROW EXECUTE FUNCTION spoil()";
    crate::postgres::place::run(&mut connection, spoil.into()).await;
    let outcome = copy(&file, &server).await;
    let Err(CopyError::Differs { table, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(table, "orders");
    assert_eq!(server.counts().await.unwrap(), Counts::default());
}

#[tokio::test]
async fn what_is_written_meanwhile_stays_out_of_the_copy() {
    let places = Places::new().await;
    for (from, to) in [(0, 1), (1, 0)] {
        let fresh = Places::new().await;
        let (sources, targets) = (places.stores().await, fresh.stores().await);
        let (source, target) = (&sources[from], &targets[to]);
        fill(source).await;
        let before = source.counts().await.unwrap();
        let writing = async {
            for number in 100..140 {
                source
                    .open_conversation(opening(number), None)
                    .await
                    .unwrap();
            }
        };
        let (copied, ()) = tokio::join!(copy(source, target), writing);
        let copied = copied.unwrap();
        let rows = |table| copied.iter().find(|one| one.table == table).unwrap().rows;
        // As many conversations as events of their opening, whatever the moment of the snapshot.
        let closed_and_rated_and_erased = 3;
        assert_eq!(
            rows("events"),
            rows("conversations") + closed_and_rated_and_erased
        );
        assert!(rows("conversations") >= before.conversations);
    }
}

#[tokio::test]
async fn nul_characters_of_an_old_file_are_left_out() {
    let places = Places::new().await;
    let [file, server] = places.stores().await;
    file.open_conversation(opening(1), None).await.unwrap();
    let options = SqliteConnectOptions::new().filename(places.file.file());
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let old = r#"UPDATE conversations SET language = 'e' || char(0) || 'n',
                                          memory = '{"a":"\u0000b"}'"#;
    sqlx::query(old).execute(&mut connection).await.unwrap();
    copy(&file, &server).await.unwrap();
    let copied = server
        .find_conversation(conversation_id(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(copied.language.as_deref(), Some("en"));
    assert_eq!(copied.memory, json!({"a": "b"}));
}

#[tokio::test]
async fn every_column_of_the_schema_is_copied() {
    let place = crate::postgres::place::Place::new().await;
    let lines: Vec<String> = sqlx::query_scalar(include_str!("../postgres/schema.sql"))
        .fetch_all(&mut place.connect().await)
        .await
        .unwrap();
    let of_schema: BTreeSet<_> = lines
        .iter()
        .filter(|line| !line.contains("->"))
        .filter_map(|line| line.split(' ').next())
        .filter(|column| column.contains('.'))
        .map(str::to_owned)
        .collect();
    let copied: BTreeSet<_> = TABLES
        .iter()
        .flat_map(|table| {
            table
                .columns
                .iter()
                .map(|column| format!("{}.{}", table.name, column.name))
        })
        .collect();
    assert_eq!(of_schema, copied);
    for table in TABLES {
        let key: Vec<_> = table.columns[..table.key]
            .iter()
            .map(|column| column.name)
            .collect();
        let primary = format!("{} ({}) primary", table.name, key.join(","));
        assert!(lines.contains(&primary), "{primary}");
    }
}
