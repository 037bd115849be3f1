//! What every store must do, on the embedded one and, where there is a server, on that one, too.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use retrieval::{
    CollectionConfig, Condition, DensePrefetch, EdgeStore, Embedding, FieldValue, Filter, Point,
    Query, ScoredPoint, Selection, ServerConfig, ServerStore, StoreError, TextPrefetch,
    VectorStore,
};
use serde_json::{Map, json};
use uuid::Uuid;

fn config() -> CollectionConfig {
    CollectionConfig {
        dense: BTreeMap::from([("passage".to_owned(), 2), ("topic".to_owned(), 2)]),
        keywords: vec!["kind".to_owned()],
    }
}

/// At an angle of so many degrees.
fn at(degrees: f32) -> Embedding {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    Embedding::normalised(vec![cosine, sine]).unwrap()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn point(number: u128, degrees: f32, text: &str) -> Point {
    let payload = json!({"kind": if number.is_multiple_of(2) { "even" } else { "odd" }, "number": number as u64});
    Point {
        id: id(number),
        dense: BTreeMap::from([("passage".to_owned(), at(degrees))]),
        text: text.to_owned(),
        payload: payload.as_object().cloned().unwrap_or_default(),
    }
}

fn four_points() -> Vec<Point> {
    vec![
        point(1, 0.0, "refund of an order"),
        point(2, 30.0, "opening hours of the shop"),
        point(3, 60.0, "退款需要三天"),
        point(4, 90.0, "invoice 10428 for an order"),
    ]
}

fn by_meaning(degrees: f32) -> Query {
    let prefetch = DensePrefetch {
        vector: "passage".to_owned(),
        embedding: at(degrees),
        weight: 1.0,
    };
    Query {
        dense: vec![prefetch],
        limit: 10,
        ..Query::default()
    }
}

fn by_words(text: &str) -> Query {
    let text = TextPrefetch {
        text: text.to_owned(),
        weight: 1.0,
    };
    Query {
        text: Some(text),
        limit: 10,
        ..Query::default()
    }
}

fn numbers(hits: &[ScoredPoint]) -> Vec<u128> {
    hits.iter().map(|hit| hit.id.as_u128()).collect()
}

async fn found(store: &dyn VectorStore, name: &str, query: Query) -> Vec<u128> {
    numbers(&store.query(name, query).await.unwrap())
}

async fn finds_by_meaning_and_words(store: &dyn VectorStore, name: &str) {
    store.open_collection(name, &config()).await.unwrap();
    store.upsert(name, four_points()).await.unwrap();

    let hits = store.query(name, by_meaning(0.0)).await.unwrap();
    assert_eq!(numbers(&hits), [1, 2, 3, 4]);
    let cosines: Vec<f32> = hits.iter().map(|hit| hit.dense_score.unwrap()).collect();
    assert!(
        (cosines[1] - 30_f32.to_radians().cos()).abs() < 1e-5,
        "{cosines:?}"
    );
    assert_eq!(hits[0].payload["kind"], "odd");

    assert_eq!(found(store, name, by_words("退款")).await, [3]);
    assert_eq!(found(store, name, by_words("Invoice 10428")).await, [4]);
    assert_eq!(
        store.query(name, by_words("hours")).await.unwrap()[0].dense_score,
        None
    );
    assert_eq!(found(store, name, by_words("?!")).await, []);
    assert_eq!(
        found(
            store,
            name,
            Query {
                limit: 3,
                ..Query::default()
            }
        )
        .await,
        []
    );

    // 4 is the farthest in meaning, and first by its words: fused it is before 2 and 3.
    let both = Query {
        text: by_words("invoice 10428").text,
        ..by_meaning(0.0)
    };
    let hits = store.query(name, both.clone()).await.unwrap();
    assert_eq!(numbers(&hits)[0], 4, "{hits:?}");
    assert!(
        hits[0].dense_score.unwrap().abs() < 1e-5,
        "a hit by words has its cosine, too"
    );
    assert_eq!(
        found(store, name, Query { limit: 2, ..both }).await.len(),
        2
    );
}

async fn filters_and_looks_up(store: &dyn VectorStore, name: &str) {
    let even = Filter::field("kind", "even");
    let query = Query {
        filter: even.clone(),
        ..by_meaning(0.0)
    };
    assert_eq!(found(store, name, query).await, [2, 4]);
    assert_eq!(store.count(name, even.clone()).await.unwrap(), 2);
    assert_eq!(store.count(name, Filter::default()).await.unwrap(), 4);
    let both = even.and("number", FieldValue::Integer(4));
    assert_eq!(store.count(name, both).await.unwrap(), 1);
    let values = vec![FieldValue::Integer(1), FieldValue::Integer(4)];
    let any = Filter {
        must: vec![Condition {
            field: "number".to_owned(),
            values,
        }],
    };
    assert_eq!(
        found(
            store,
            name,
            Query {
                filter: any,
                ..by_meaning(0.0)
            }
        )
        .await,
        [1, 4]
    );
    let none = Filter {
        must: vec![Condition {
            field: "number".to_owned(),
            values: Vec::new(),
        }],
    };
    assert_eq!(store.count(name, none.clone()).await.unwrap(), 0);
    store.delete(name, Selection::Matching(none)).await.unwrap();
    assert_eq!(store.count(name, Filter::default()).await.unwrap(), 4);

    let records = store.retrieve(name, &[id(3), id(9), id(1)]).await.unwrap();
    assert_eq!(
        records
            .iter()
            .map(|record| record.id.as_u128())
            .collect::<Vec<_>>(),
        [3, 1]
    );
    assert_eq!(records[0].payload["number"], 3);
}

async fn replaces_and_deletes(store: &dyn VectorStore, name: &str) {
    store
        .upsert(name, vec![point(1, 90.0, "moved")])
        .await
        .unwrap();
    assert_eq!(store.count(name, Filter::default()).await.unwrap(), 4);
    assert_eq!(found(store, name, by_meaning(0.0)).await[0], 2);
    assert_eq!(found(store, name, by_words("refund")).await, []);
    store
        .delete(name, Selection::Ids(vec![id(1), id(77)]))
        .await
        .unwrap();
    store
        .delete(name, Selection::Matching(Filter::field("kind", "even")))
        .await
        .unwrap();
    assert_eq!(found(store, name, by_meaning(0.0)).await, [3]);
    store.optimize(name).await.unwrap();
    assert_eq!(found(store, name, by_meaning(0.0)).await, [3]);
}

async fn refuses_what_does_not_fit(store: &dyn VectorStore, name: &str) {
    let three = Embedding::normalised(vec![1.0, 0.0, 0.0]).unwrap();
    let wrong = DensePrefetch {
        vector: "passage".to_owned(),
        embedding: three.clone(),
        weight: 1.0,
    };
    let unknown = DensePrefetch {
        vector: "title".to_owned(),
        ..wrong.clone()
    };
    let query = |prefetch| Query {
        dense: vec![prefetch],
        limit: 1,
        ..Query::default()
    };
    let error = store.query(name, query(wrong)).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::WrongDimension {
                stored: 2,
                given: 3,
                ..
            }
        ),
        "{error:?}"
    );
    let error = store.query(name, query(unknown)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::UnknownVector { .. }),
        "{error:?}"
    );
    let mut bad = point(8, 0.0, "");
    bad.dense.insert("topic".to_owned(), three);
    let error = store
        .upsert(name, vec![point(7, 0.0, ""), bad])
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::WrongDimension { .. }),
        "{error:?}"
    );
    assert_eq!(
        store.count(name, Filter::default()).await.unwrap(),
        1,
        "nothing was written"
    );
    let error = store.query("nowhere", by_meaning(0.0)).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    let error = store.open_collection("../up", &config()).await.unwrap_err();
    assert!(matches!(error, StoreError::BadName(_)), "{error:?}");
}

async fn rebuilds_beside(store: &dyn VectorStore, name: &str) {
    let mut aborted = store.begin_rebuild(name, &config()).await.unwrap();
    aborted.upsert(vec![point(20, 0.0, "draft")]).await.unwrap();
    let second = store.begin_rebuild(name, &config()).await.err().unwrap();
    assert!(
        matches!(second, StoreError::RebuildRunning(_)),
        "{second:?}"
    );
    drop(aborted);
    assert_eq!(found(store, name, by_meaning(0.0)).await, [3]);

    let mut rebuild = store.begin_rebuild(name, &config()).await.unwrap();
    rebuild
        .upsert(vec![point(30, 10.0, "new"), point(31, 20.0, "new")])
        .await
        .unwrap();
    store
        .upsert(name, vec![point(40, 5.0, "meanwhile")])
        .await
        .unwrap();
    store
        .delete(name, Selection::Ids(vec![id(31)]))
        .await
        .unwrap();
    assert_eq!(
        found(store, name, by_meaning(0.0)).await,
        [40, 3],
        "still the old one"
    );
    rebuild.commit().await.unwrap();
    assert_eq!(
        found(store, name, by_meaning(0.0)).await,
        [40, 30],
        "changes made meanwhile hold"
    );
    assert_eq!(found(store, name, by_words("new")).await, [30]);
}

async fn keeps_the_contract(store: &dyn VectorStore, name: &str) {
    finds_by_meaning_and_words(store, name).await;
    filters_and_looks_up(store, name).await;
    replaces_and_deletes(store, name).await;
    refuses_what_does_not_fit(store, name).await;
    rebuilds_beside(store, name).await;
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let home = tempfile::tempdir().unwrap();
    keeps_the_contract(&EdgeStore::open(home.path()).unwrap(), "things").await;
}

#[tokio::test]
async fn the_server_store_keeps_the_contract() {
    let Ok(url) = std::env::var("FRONTDESK_QDRANT_URL") else {
        println!("skipped: FRONTDESK_QDRANT_URL names no Qdrant server");
        return;
    };
    let config = ServerConfig {
        url,
        api_key: std::env::var("FRONTDESK_QDRANT_KEY").ok(),
    };
    let store = ServerStore::connect(&config).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the server is shared")]
    let collection = format!("contract_{}", Uuid::new_v4().simple());
    keeps_the_contract(&store, &collection).await;
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let home = tempfile::tempdir().unwrap();
    {
        let store = EdgeStore::open(home.path()).unwrap();
        store.open_collection("things", &config()).await.unwrap();
        store.upsert("things", four_points()).await.unwrap();
    }
    let store = EdgeStore::open(home.path()).unwrap();
    let unopened = store.query("things", by_meaning(0.0)).await.unwrap_err();
    assert!(
        matches!(unopened, StoreError::UnknownCollection(_)),
        "{unopened:?}"
    );
    store.open_collection("things", &config()).await.unwrap();
    assert_eq!(found(&store, "things", by_meaning(0.0)).await, [1, 2, 3, 4]);
    assert_eq!(found(&store, "things", by_words("退款")).await, [3]);
    store.open_collection("things", &config()).await.unwrap();
}

#[tokio::test]
async fn a_collection_of_another_encoder_is_refused_until_it_is_rebuilt() {
    let home = tempfile::tempdir().unwrap();
    {
        let store = EdgeStore::open(home.path()).unwrap();
        store.open_collection("things", &config()).await.unwrap();
        store.upsert("things", four_points()).await.unwrap();
    }
    let store = EdgeStore::open(home.path()).unwrap();
    let wider = CollectionConfig {
        dense: BTreeMap::from([("passage".to_owned(), 3)]),
        keywords: Vec::new(),
    };
    let error = store.open_collection("things", &wider).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherConfig(_)), "{error:?}");
    store
        .begin_rebuild("things", &wider)
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!(store.count("things", Filter::default()).await.unwrap(), 0);
    let folders = std::fs::read_dir(home.path().join("things")).unwrap();
    let generations = folders
        .filter(|entry| entry.as_ref().unwrap().path().is_dir())
        .count();
    assert_eq!(generations, 1, "the old generation is gone");
}

#[tokio::test]
async fn a_second_store_on_the_same_folder_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let first = EdgeStore::open(home.path()).unwrap();
    let error = EdgeStore::open(home.path()).err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    drop(first);
    EdgeStore::open(home.path()).unwrap();
}

#[tokio::test]
async fn closing_a_store_whose_disk_is_gone_does_not_panic() {
    let home = tempfile::tempdir().unwrap();
    let store = EdgeStore::open(home.path()).unwrap();
    store.open_collection("things", &config()).await.unwrap();
    store.upsert("things", four_points()).await.unwrap();
    std::fs::remove_dir_all(home.path()).unwrap();
    let error = store.upsert("things", four_points()).await.unwrap_err();
    assert!(matches!(error, StoreError::Disk { .. }), "{error:?}");
    drop(store);
}

#[tokio::test]
async fn an_empty_collection_takes_little_of_the_disk() {
    let home = tempfile::tempdir().unwrap();
    let store = EdgeStore::open(home.path()).unwrap();
    store.open_collection("things", &config()).await.unwrap();
    let used = std::process::Command::new("du")
        .arg("-sk")
        .arg(home.path())
        .output()
        .unwrap();
    let used = String::from_utf8(used.stdout).unwrap();
    let kilobytes: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
    assert!(kilobytes < 80_000, "{kilobytes} KB");
}

/// Points that say which generation they belong to, `count` of them.
fn generation(number: u64, count: u128) -> Vec<Point> {
    let marked = |mut point: Point| {
        point.payload = Map::from_iter([("generation".to_owned(), number.into())]);
        point
    };
    (0..count)
        .map(|place| marked(point(place, place as f32, "same words")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_the_whole_old_or_the_whole_new_generation_while_it_is_switched() {
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(EdgeStore::open(home.path()).unwrap());
    store.open_collection("things", &config()).await.unwrap();
    store.upsert("things", generation(0, 20)).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = |store: Arc<EdgeStore>, stop: Arc<AtomicBool>| async move {
        let mut seen = std::collections::BTreeSet::new();
        while !stop.load(Ordering::Relaxed) {
            let query = Query {
                limit: 50,
                ..by_meaning(3.0)
            };
            let hits = store.query("things", query).await.unwrap();
            assert_eq!(
                hits.len(),
                20,
                "a search never finds a half-built generation"
            );
            let generations: std::collections::BTreeSet<_> = hits
                .iter()
                .map(|hit| hit.payload["generation"].as_u64().unwrap())
                .collect();
            assert_eq!(
                generations.len(),
                1,
                "one search, one generation: {generations:?}"
            );
            seen.extend(generations);
        }
        seen.len()
    };
    let readers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(reader(Arc::clone(&store), Arc::clone(&stop))))
        .collect();
    for number in 1..=8 {
        let mut rebuild = store.begin_rebuild("things", &config()).await.unwrap();
        rebuild.upsert(generation(number, 20)).await.unwrap();
        rebuild.commit().await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(
            reader.await.unwrap() > 1,
            "a reader went through several generations"
        );
    }
}
