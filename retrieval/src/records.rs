//! Structured things with a text to be found by: products, customers.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::encoder::{Encoder, Titled};
use crate::index::{Draft, Index, IndexError, OnProgress, SearchRequest, point_id};
use crate::similarity::Similarity;
use crate::store::{Filter, ScoredPoint, Selection, VectorStore};

const ID: &str = "id";

/// A thing to be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Unique within its collection; an entry replaces the one of the same id.
    pub id: String,
    /// Its name, where it has one.
    pub title: Option<String>,
    /// What it is found by, beside its name.
    pub text: String,
    /// What a hit gives back, and filters ask about. The field `id` is set to the entry's.
    pub payload: Map<String, Value>,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryHit {
    /// The entry's id.
    pub id: String,
    /// The entry's payload.
    pub payload: Map<String, Value>,
    /// For ordering the hits of one search, and for nothing else.
    pub score: f32,
    /// How near the entry's text is in meaning, in `[-1, 1]`: comparable between searches.
    pub similarity: f32,
}

/// A collection of entries. Cheap to clone.
#[derive(Clone)]
pub struct RecordIndex {
    index: Index,
}

impl RecordIndex {
    /// The entries of `collection`, such as `products`. Nothing is opened yet: see [`Self::open`]
    /// and [`Self::rebuild`]. Filters on the fields `keywords` are fast.
    #[must_use]
    pub fn new(
        encoder: Encoder,
        store: Arc<dyn VectorStore>,
        collection: &str,
        keywords: &[&str],
    ) -> Self {
        Self {
            index: Index::new(encoder, store, collection, keywords),
        }
    }

    /// Makes the collection usable, empty where there was none.
    ///
    /// # Errors
    /// [`crate::StoreError::OtherConfig`] after a change of encoder: [`Self::rebuild`] helps.
    pub async fn open(&self) -> Result<(), IndexError> {
        self.index.open().await
    }

    /// Makes these the only entries. Searches see the old ones until all is done.
    ///
    /// # Errors
    /// Whatever fails, the old entries stay in use.
    pub async fn rebuild(
        &self,
        entries: Vec<Entry>,
        progress: OnProgress<'_>,
    ) -> Result<(), IndexError> {
        self.index
            .rebuild(entries.into_iter().map(draft).collect(), progress)
            .await
    }

    /// Adds entries, replacing those of the same id.
    ///
    /// # Errors
    /// When encoder or store fail.
    pub async fn upsert(&self, entries: Vec<Entry>) -> Result<(), IndexError> {
        self.index
            .upsert(entries.into_iter().map(draft).collect(), &|_| {})
            .await
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count(&self) -> Result<usize, IndexError> {
        let store = &self.index.store;
        Ok(store
            .count(&self.index.collection, Filter::default())
            .await?)
    }

    /// The payload of one entry, by its id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, id: &str) -> Result<Option<Map<String, Value>>, IndexError> {
        let mut records = self
            .index
            .store
            .retrieve(&self.index.collection, &[point_id(id, 0)])
            .await?;
        Ok(records.pop().map(|record| record.payload))
    }

    /// Forgets entries. Ids that are unknown are no error.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove(&self, ids: &[&str]) -> Result<(), IndexError> {
        let points = ids.iter().map(|id| point_id(id, 0)).collect();
        Ok(self
            .index
            .store
            .delete(&self.index.collection, Selection::Ids(points))
            .await?)
    }

    /// The best entries, best first.
    ///
    /// # Errors
    /// When encoder or store fail.
    pub async fn search(&self, request: &SearchRequest) -> Result<Vec<EntryHit>, IndexError> {
        let Some(meaning) = self.index.meaning_of(request).await? else {
            return Ok(Vec::new());
        };
        let points = self.index.search(request, &meaning).await?;
        let similarity = self.index.similarity();
        let hit = |point| hit(point, similarity);
        Ok(points.into_iter().map(hit).collect())
    }
}

fn draft(entry: Entry) -> Draft {
    let mut payload = entry.payload;
    let id = point_id(&entry.id, 0);
    payload.insert(ID.to_owned(), entry.id.into());
    Draft {
        id,
        words: match &entry.title {
            Some(title) => format!("{title}. {}", entry.text),
            None => entry.text.clone(),
        },
        passage: Titled {
            title: entry.title,
            parts: vec![entry.text],
        },
        payload,
        blocks: Vec::new(),
    }
}

fn hit(point: ScoredPoint, similarity: Similarity) -> EntryHit {
    EntryHit {
        id: point
            .payload
            .get(ID)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        payload: point.payload,
        score: point.score,
        similarity: point
            .dense_score
            .map_or(-1.0, |cosine| similarity.of(cosine)),
    }
}
