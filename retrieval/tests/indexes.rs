//! Documents and entries in, hits out, on the real encoder and the embedded store.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod support;

use std::sync::{Arc, Mutex};

use language::sentences::Boundaries;
use retrieval::{
    Document, EdgeStore, Entry, Filter, KnowledgeIndex, Progress, RecordIndex, Role, SearchRequest,
};
use serde_json::json;
use support::encoder;

fn document(id: &str, title: &str, content: &str, language: &str) -> Document {
    Document {
        id: id.to_owned(),
        title: title.to_owned(),
        content: content.to_owned(),
        url: Some(format!("https://help.example/{id}")),
        language: language.to_owned(),
        internal: false,
    }
}

fn shop() -> Vec<Document> {
    vec![
        document(
            "returns",
            "Returns",
            "You can send goods back within 30 days.",
            "en",
        ),
        document(
            "hours",
            "Opening hours",
            "We are open from 9 to 17 on weekdays.",
            "en",
        ),
        document(
            "fees",
            "Fees",
            "## Gold card\n\nThe yearly fee is $150.",
            "en",
        ),
        document("tuikuan", "退款", "退款将在三个工作日内到账。", "zh"),
    ]
}

fn question(text: &str) -> SearchRequest {
    SearchRequest {
        text: text.to_owned(),
        limit: 3,
        ..SearchRequest::default()
    }
}

async fn best(index: &KnowledgeIndex, request: &SearchRequest) -> Option<String> {
    let hits = index.search(request).await.unwrap();
    hits.into_iter().next().map(|hit| hit.passage.document)
}

struct House {
    store: Arc<EdgeStore>,
    /// After the store, which lives in it.
    _home: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Arc::new(EdgeStore::open(home.path()).unwrap());
        Self { store, _home: home }
    }

    async fn knowledge(&self) -> KnowledgeIndex {
        let index = KnowledgeIndex::new(encoder(), self.store.clone(), Boundaries::default());
        index.rebuild(&shop(), &|_| {}).await.unwrap();
        index
    }
}

#[tokio::test]
async fn a_question_finds_its_passage_with_source_and_cosine() {
    let house = House::new();
    let index = house.knowledge().await;
    let hits = index
        .search(&question("can I give back what I bought?"))
        .await
        .unwrap();
    assert_eq!(hits[0].passage.document, "returns");
    assert_eq!(
        hits[0].passage.url.as_deref(),
        Some("https://help.example/returns")
    );
    assert!(hits[0].similarity > 0.3, "{hits:?}");
    assert_eq!(
        best(&index, &question("when do you open")).await.as_deref(),
        Some("hours")
    );
    assert_eq!(
        best(&index, &question("退款多久到账")).await.as_deref(),
        Some("tuikuan")
    );
    assert_eq!(best(&index, &question("  ")).await, None);
}

#[tokio::test]
async fn a_hit_tells_how_near_each_of_its_blocks_is() {
    let house = House::new();
    let index = house.knowledge().await;
    let rules = "We send parcels on working days.\n\n\
        | Where to | Price |\n| --- | --- |\n| Ireland | €4.90 |\n| Norway, Iceland | €9.90 |\n\n\
        The blue doors are older than the shop.";
    index
        .index(&[document("post", "Post", rules, "en")], &|_| {})
        .await
        .unwrap();
    let request = question("how much is a parcel to Reykjavik?");
    let hits = index.search(&request).await.unwrap();
    let hit = hits.iter().find(|hit| hit.passage.document == "post");
    let blocks = &hit.unwrap().blocks;
    let texts: Vec<&str> = blocks.iter().map(|near| near.block.text.as_str()).collect();
    let table = "Where to Ireland: Price €4.90\nWhere to Norway, Iceland: Price €9.90";
    assert_eq!(
        texts,
        [
            "We send parcels on working days.",
            table,
            "The blue doors are older than the shop."
        ]
    );
    let far = blocks[2].similarity();
    assert!(
        blocks[1].similarity() > blocks[0].similarity() && blocks[0].similarity() > far,
        "{blocks:?}"
    );
}

#[tokio::test]
async fn the_embedding_of_the_turn_is_used_in_place_of_a_second_one() {
    let house = House::new();
    let index = house.knowledge().await;
    let embedding = Some(encoder().embed("opening hours", Role::Query).unwrap());
    let request = SearchRequest {
        embedding,
        ..question("zzz")
    };
    assert_eq!(best(&index, &request).await.as_deref(), Some("hours"));
}

#[tokio::test]
async fn a_language_is_kept_to_where_there_is_one() {
    let house = House::new();
    let index = house.knowledge().await;
    let in_language = |tag: &str| SearchRequest {
        language: Some(tag.to_owned()),
        ..question("yearly fee of the gold card")
    };
    let chinese = index.search(&in_language("zh")).await.unwrap();
    assert!(
        chinese.iter().all(|hit| hit.passage.language == "zh"),
        "{chinese:?}"
    );
    assert_eq!(
        best(&index, &in_language("nl")).await.as_deref(),
        Some("fees")
    );
}

#[tokio::test]
async fn a_document_indexed_again_replaces_all_its_passages() {
    let house = House::new();
    let index = house.knowledge().await;
    let long = (0..80)
        .map(|n| format!("Rule {n} of the house is to be kind. "))
        .collect::<String>();
    index
        .index(&[document("rules", "Rules", &long, "en")], &|_| {})
        .await
        .unwrap();
    let of_rules = || Filter::field("document", "rules");
    assert!(index.count(of_rules()).await.unwrap() > 2);
    index
        .index(
            &[document("rules", "Rules", "There is one rule.", "en")],
            &|_| {},
        )
        .await
        .unwrap();
    assert_eq!(index.count(of_rules()).await.unwrap(), 1);
    index.remove_document("rules").await.unwrap();
    index.remove_document("never there").await.unwrap();
    assert_eq!(index.count(of_rules()).await.unwrap(), 0);
    assert_eq!(index.count(Filter::default()).await.unwrap(), 4);
}

#[tokio::test]
async fn progress_is_told_and_ends_at_the_total() {
    let house = House::new();
    let index = KnowledgeIndex::new(encoder(), house.store.clone(), Boundaries::default());
    let many: Vec<Document> = (0..150)
        .map(|number| {
            document(
                &format!("d{number}"),
                "Title",
                &format!("Text {number}"),
                "en",
            )
        })
        .collect();
    let told = Mutex::new(Vec::new());
    index
        .rebuild(&many, &|progress: Progress| {
            told.lock().unwrap().push(progress)
        })
        .await
        .unwrap();
    let told = told.into_inner().unwrap();
    assert_eq!(
        told.last(),
        Some(&Progress {
            done: 150,
            total: 150
        })
    );
    assert!(
        told.len() > 1 && told.is_sorted_by_key(|progress| progress.done),
        "{told:?}"
    );
}

fn product(id: &str, text: &str, kind: &str) -> Entry {
    let payload = json!({"kind": kind, "price": 12.5})
        .as_object()
        .cloned()
        .unwrap();
    Entry {
        id: id.to_owned(),
        title: None,
        text: text.to_owned(),
        payload,
    }
}

#[tokio::test]
async fn products_are_found_filtered_looked_up_and_removed() {
    let house = House::new();
    let products = RecordIndex::new(encoder(), house.store.clone(), "products", &["kind"]);
    products.open().await.unwrap();
    let entries = vec![
        product("P-10428", "Water bottle, steel, 750 ml, P-10428", "kitchen"),
        product("P-2", "Desk lamp with a warm light", "lamps"),
        product("P-3", "Running shoes, blue", "shoes"),
    ];
    products.upsert(entries).await.unwrap();
    let hits = products
        .search(&question("something to drink from"))
        .await
        .unwrap();
    assert_eq!(
        (hits[0].id.as_str(), &hits[0].payload["price"]),
        ("P-10428", &json!(12.5))
    );
    assert_eq!(
        products.search(&question("10428")).await.unwrap()[0].id,
        "P-10428"
    );
    let lamps = SearchRequest {
        filter: Filter::field("kind", "lamps"),
        ..question("shoes")
    };
    let hits = products.search(&lamps).await.unwrap();
    assert_eq!(
        hits.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(),
        ["P-2"]
    );
    assert_eq!(
        products.find("P-3").await.unwrap().unwrap()["kind"],
        "shoes"
    );
    products
        .upsert(vec![product("P-3", "Hiking boots", "boots")])
        .await
        .unwrap();
    assert_eq!(
        products.find("P-3").await.unwrap().unwrap()["kind"],
        "boots"
    );
    products.remove(&["P-3", "P-99"]).await.unwrap();
    assert_eq!(products.find("P-3").await.unwrap(), None);
}
