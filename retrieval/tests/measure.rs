//! How well and how fast passages are found, on real documents and questions.
//!
//! The data lies beside the repository and is not part of it; without it there is nothing to
//! measure. `FRONTDESK_SHARED` names another folder.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without fails it"
)]

mod support;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use retrieval::{Document, EdgeStore, KnowledgeIndex, SearchRequest};
use serde_json::Value;
use support::encoder;

struct Question {
    text: String,
    documents: HashSet<String>,
}

struct Figures {
    recall_at_5: f64,
    mean_reciprocal_rank: f64,
    median: Duration,
}

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("FRONTDESK_SHARED").map_or(beside, PathBuf::from);
    let data = shared.join("data");
    if !data.is_dir() {
        println!(
            "skipped: there is no {}; set FRONTDESK_SHARED",
            data.display()
        );
        return None;
    }
    Some(data)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn documents(data: &Path) -> Vec<Document> {
    let to_document = |line| Document {
        language: "en".to_owned(),
        ..serde_json::from_value(line).unwrap()
    };
    lines(&data.join("bank-knowledge/documents.jsonl"))
        .into_iter()
        .map(to_document)
        .collect()
}

/// The first turns in English that name the documents they need.
fn questions(data: &Path) -> Vec<Question> {
    let of_dialogue = |dialogue: Value| {
        let turn = &dialogue["turns"][0];
        let documents = turn["expect"]["documents"].as_array()?;
        let fits = dialogue["world"] == "bank-knowledge" && dialogue["language"] == "en";
        fits.then(|| Question {
            text: turn["user"].as_str().unwrap().to_owned(),
            documents: documents
                .iter()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect(),
        })
    };
    lines(&data.join("dialogues/train.jsonl"))
        .into_iter()
        .filter_map(of_dialogue)
        .collect()
}

async fn measure(index: &KnowledgeIndex, questions: &[Question]) -> Figures {
    let mut found = 0;
    let mut reciprocal = 0.0;
    let mut times = Vec::new();
    for question in questions {
        let request = SearchRequest {
            text: question.text.clone(),
            limit: 10,
            ..SearchRequest::default()
        };
        let start = Instant::now();
        let hits = index.search(&request).await.unwrap();
        times.push(start.elapsed());
        let rank = hits
            .iter()
            .position(|hit| question.documents.contains(&hit.passage.document));
        found += usize::from(rank.is_some_and(|rank| rank < 5));
        reciprocal += rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64);
    }
    times.sort();
    let count = questions.len() as f64;
    Figures {
        recall_at_5: found as f64 / count,
        mean_reciprocal_rank: reciprocal / count,
        median: times[times.len() / 2],
    }
}

#[tokio::test]
async fn passages_of_a_bank_are_found() {
    let Some(data) = data() else { return };
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(EdgeStore::open(home.path()).unwrap());
    let index = KnowledgeIndex::new(encoder(), store);
    let documents = documents(&data);
    let start = Instant::now();
    index.rebuild(&documents, &|_| {}).await.unwrap();
    let passages = index.count(Default::default()).await.unwrap();
    println!(
        "{passages} passages of {} documents in {:?}",
        documents.len(),
        start.elapsed()
    );
    let questions = questions(&data);
    let figures = measure(&index, &questions).await;
    println!(
        "{} questions: recall@5 {:.3}, MRR {:.3}, one search {:?} (median)",
        questions.len(),
        figures.recall_at_5,
        figures.mean_reciprocal_rank,
        figures.median
    );
    assert!(
        figures.recall_at_5 >= 0.97,
        "recall@5 {:.3}",
        figures.recall_at_5
    );
    assert!(
        figures.mean_reciprocal_rank >= 0.85,
        "MRR {:.3}",
        figures.mean_reciprocal_rank
    );
}
