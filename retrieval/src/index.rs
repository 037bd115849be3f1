//! Encoder and store together: texts in, hits out. [`crate::KnowledgeIndex`] and
//! [`crate::RecordIndex`] say what the texts are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::chunk::Block;
use crate::embedding::{CompactEmbedding, Embedding};
use crate::encoder::{EmbeddedPassage, Encoder, EncoderError, Role, Titled};
use crate::similarity::Similarity;
use crate::store::{
    CollectionConfig, DensePrefetch, Filter, Point, Query, ScoredPoint, StoreError, TextPrefetch,
    VectorStore,
};

/// Points embedded and written at a time.
const BATCH: usize = 64;

/// The payload field of a point's [`StoredBlock`]s.
pub(crate) const BLOCKS: &str = "blocks";

/// Name of the one dense vector.
const MEANING: &str = "meaning";

/// Names the points of this program: the same text id is the same point for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x3c1d_52a6_9d0e_5b7f_8e63_f0a7_11c4_27d9);

/// Why nothing was indexed or found.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored payload is not what this version writes.
    #[error("an entry of the index cannot be read: {0}; rebuild it with `frontdesk index`")]
    Payload(#[from] serde_json::Error),
    /// A thread of ours ended early: the program is stopping.
    #[error("the index is shutting down")]
    Stopped(#[from] tokio::task::JoinError),
}

/// What entries are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchBy {
    /// Meaning and words, fused by their ranks.
    #[default]
    Both,
    /// The similarity of the embeddings.
    Meaning,
    /// BM25.
    Words,
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchRequest {
    /// The customer's words.
    pub text: String,
    /// Their embedding, where the caller has it already.
    pub embedding: Option<Embedding>,
    /// BCP 47 tag: where there are entries in this language, only they are found.
    pub language: Option<String>,
    /// At most this many hits.
    pub limit: usize,
    /// Only among these entries.
    pub filter: Filter,
    /// What they are ranked by.
    pub by: SearchBy,
}

/// How far a long piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries that are done.
    pub done: usize,
    /// Entries in all.
    pub total: usize,
}

/// Told about progress after every batch.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// A point whose vectors are still a text.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) id: Uuid,
    /// What it is found by in meaning: the lines of its blocks, where it has some.
    pub(crate) passage: Titled,
    /// What it is found by in words.
    pub(crate) words: String,
    pub(crate) payload: Map<String, Value>,
    /// Pieces of it whose meanings are kept with it, in the payload's field [`BLOCKS`].
    pub(crate) blocks: Vec<DraftBlock>,
}

/// A block that has no meaning yet.
#[derive(Clone, Debug)]
pub(crate) struct DraftBlock {
    pub(crate) block: Block,
    /// The parts of the passage that are its lines.
    pub(crate) parts: Range<usize>,
}

/// A block as the payload keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredBlock {
    #[serde(flatten)]
    pub(crate) block: Block,
    pub(crate) meanings: Vec<CompactEmbedding>,
}

/// A collection and the encoder it was made with.
#[derive(Clone)]
pub(crate) struct Index {
    encoder: Encoder,
    pub(crate) store: Arc<dyn VectorStore>,
    pub(crate) collection: String,
    config: CollectionConfig,
}

impl Index {
    pub(crate) fn new(
        encoder: Encoder,
        store: Arc<dyn VectorStore>,
        collection: &str,
        keywords: &[&str],
    ) -> Self {
        let config = CollectionConfig {
            dense: BTreeMap::from([(MEANING.to_owned(), encoder.dimension())]),
            keywords: keywords.iter().map(|&name| name.to_owned()).collect(),
        };
        Self {
            encoder,
            store,
            collection: collection.to_owned(),
            config,
        }
    }

    pub(crate) async fn open(&self) -> Result<(), IndexError> {
        Ok(self
            .store
            .open_collection(&self.collection, &self.config)
            .await?)
    }

    pub(crate) async fn upsert(
        &self,
        drafts: Vec<Draft>,
        progress: OnProgress<'_>,
    ) -> Result<(), IndexError> {
        let total = drafts.len();
        let mut drafts = drafts.into_iter();
        for done in (0..total).step_by(BATCH) {
            let points = self.embed(drafts.by_ref().take(BATCH).collect()).await?;
            self.store.upsert(&self.collection, points).await?;
            progress(Progress {
                done: total.min(done + BATCH),
                total,
            });
        }
        Ok(())
    }

    /// Everything anew: searches see the old entries until all new ones are there.
    pub(crate) async fn rebuild(
        &self,
        drafts: Vec<Draft>,
        progress: OnProgress<'_>,
    ) -> Result<(), IndexError> {
        let mut rebuild = self
            .store
            .begin_rebuild(&self.collection, &self.config)
            .await?;
        let total = drafts.len();
        let mut drafts = drafts.into_iter();
        for done in (0..total).step_by(BATCH) {
            let points = self.embed(drafts.by_ref().take(BATCH).collect()).await?;
            rebuild.upsert(points).await?;
            progress(Progress {
                done: total.min(done + BATCH),
                total,
            });
        }
        Ok(rebuild.commit().await?)
    }

    async fn embed(&self, drafts: Vec<Draft>) -> Result<Vec<Point>, IndexError> {
        let encoder = self.encoder.clone();
        tokio::task::spawn_blocking(move || {
            let passages: Vec<Titled> = drafts.iter().map(|draft| draft.passage.clone()).collect();
            let embedded = encoder.embed_passages(&passages)?;
            let points = drafts.into_iter().zip(embedded);
            points
                .map(|(draft, embedded)| draft.with_meanings(embedded))
                .collect()
        })
        .await?
    }

    /// What the cosines of the collection mean.
    pub(crate) fn similarity(&self) -> Similarity {
        self.encoder.similarity()
    }

    /// What the request means; `None` where it says nothing, so that nothing can be found.
    pub(crate) async fn meaning_of(
        &self,
        request: &SearchRequest,
    ) -> Result<Option<Embedding>, IndexError> {
        match &request.embedding {
            Some(embedding) => Ok(Some(embedding.clone())),
            None if request.text.trim().is_empty() => Ok(None),
            None => Ok(Some(self.embed_query(request.text.clone()).await?)),
        }
    }

    /// Meaning and words count the same: measured, neither alone finds as much.
    pub(crate) async fn search(
        &self,
        request: &SearchRequest,
        meaning: &Embedding,
    ) -> Result<Vec<ScoredPoint>, IndexError> {
        let dense = DensePrefetch {
            vector: MEANING.to_owned(),
            embedding: meaning.clone(),
            weight: 1.0,
        };
        let text = TextPrefetch {
            text: request.text.clone(),
            weight: 1.0,
        };
        let query = Query {
            dense: (request.by != SearchBy::Words)
                .then_some(dense)
                .into_iter()
                .collect(),
            text: (request.by != SearchBy::Meaning).then_some(text),
            filter: request.filter.clone(),
            limit: request.limit,
        };
        if let Some(language) = &request.language {
            let mut same_language = query.clone();
            same_language.filter = same_language.filter.and("language", language.as_str());
            let hits = self.store.query(&self.collection, same_language).await?;
            if !hits.is_empty() {
                return Ok(hits);
            }
        }
        Ok(self.store.query(&self.collection, query).await?)
    }

    async fn embed_query(&self, text: String) -> Result<Embedding, IndexError> {
        let encoder = self.encoder.clone();
        Ok(tokio::task::spawn_blocking(move || encoder.embed(&text, Role::Query)).await??)
    }
}

impl Draft {
    /// The point, its blocks with their meanings.
    fn with_meanings(mut self, embedded: EmbeddedPassage) -> Result<Point, IndexError> {
        let store = |draft: DraftBlock| {
            let parts = embedded.parts.get(draft.parts).unwrap_or_default();
            // What is behind the model's last token is as near as the whole.
            let meaning = |part: &Option<Embedding>| {
                CompactEmbedding::from(part.as_ref().unwrap_or(&embedded.whole))
            };
            let meanings = parts.iter().map(meaning);
            StoredBlock {
                block: draft.block,
                meanings: meanings.collect(),
            }
        };
        let blocks: Vec<StoredBlock> = self.blocks.into_iter().map(store).collect();
        if !blocks.is_empty() {
            let blocks = serde_json::to_value(blocks)?;
            self.payload.insert(BLOCKS.to_owned(), blocks);
        }
        Ok(Point {
            id: self.id,
            dense: BTreeMap::from([(MEANING.to_owned(), embedded.whole)]),
            text: self.words,
            payload: self.payload,
        })
    }
}

/// The point of a text id, or of one part of it.
pub(crate) fn point_id(id: &str, part: u32) -> Uuid {
    // The id's length keeps "a", part 11 apart from "a1", part 1.
    Uuid::new_v5(&NAMESPACE, format!("{} {id} {part}", id.len()).as_bytes())
}
