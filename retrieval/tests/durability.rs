//! What survives `kill -9`: a child process of this test writes, and is killed.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use retrieval::{
    CollectionConfig, DensePrefetch, EdgeStore, Embedding, Filter, Point, Query, TextPrefetch,
    VectorStore,
};
use uuid::Uuid;

const HOME: &str = "FRONTDESK_TEST_CRASH_HOME";

fn config() -> CollectionConfig {
    CollectionConfig {
        dense: BTreeMap::from([("v".to_owned(), 4)]),
        keywords: Vec::new(),
    }
}

fn points(numbers: std::ops::Range<u128>) -> Vec<Point> {
    let embedding = |number: u128| {
        Embedding::normalised(vec![1.0, number as f32, (number * number) as f32, 0.5]).unwrap()
    };
    let point = |number| Point {
        id: Uuid::from_u128(number),
        dense: BTreeMap::from([("v".to_owned(), embedding(number))]),
        text: format!("order number{number}"),
        payload: Default::default(),
    };
    numbers.map(point).collect()
}

/// Not a test of its own: what the child does until it is killed.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else {
        return;
    };
    let store = EdgeStore::open(&home.join("index")).unwrap();
    store.open_collection("orders", &config()).await.unwrap();
    store.upsert("orders", points(0..200)).await.unwrap();
    store
        .delete(
            "orders",
            retrieval::Selection::Ids(vec![Uuid::from_u128(7)]),
        )
        .await
        .unwrap();
    let mut rebuild = store.begin_rebuild("orders", &config()).await.unwrap();
    rebuild.upsert(points(1000..1050)).await.unwrap();
    std::fs::write(home.join("written"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

fn run_and_kill(home: &Path) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(HOME, home)
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !home.join("written").exists() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "the child never wrote"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill_and_an_unfinished_rebuild_does_not() {
    let home = tempfile::tempdir().unwrap();
    run_and_kill(home.path());
    let store = EdgeStore::open(&home.path().join("index")).unwrap();
    store.open_collection("orders", &config()).await.unwrap();
    assert_eq!(store.count("orders", Filter::default()).await.unwrap(), 199);

    let wanted = points(150..151).remove(0);
    let dense = DensePrefetch {
        vector: "v".to_owned(),
        embedding: wanted.dense["v"].clone(),
        weight: 1.0,
    };
    let text = TextPrefetch {
        text: "number150".to_owned(),
        weight: 1.0,
    };
    let query = Query {
        dense: vec![dense],
        text: Some(text),
        limit: 3,
        ..Query::default()
    };
    let hits = store.query("orders", query).await.unwrap();
    assert_eq!(hits[0].id, wanted.id);
    assert!(hits[0].dense_score.unwrap() > 0.9999);

    let folders = std::fs::read_dir(home.path().join("index/orders")).unwrap();
    let generations = folders
        .filter(|entry| entry.as_ref().unwrap().path().is_dir())
        .count();
    assert_eq!(generations, 1, "the unfinished rebuild is removed");

    // The engine's log goes on behind the crash: later writes are not taken for old ones.
    store.upsert("orders", points(7..8)).await.unwrap();
    assert_eq!(store.count("orders", Filter::default()).await.unwrap(), 200);
}
