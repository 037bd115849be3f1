//! One generation of an embedded collection: an engine shard in a folder. Everything here blocks.
//!
//! The engine keeps a log of writes but never reads it back: what was not flushed is lost in a
//! crash, so a write that must last is followed by [`Generation::flush`]. A flush panics when
//! another thread writes, hence `writer`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::Mutex;
use qdrant_edge as edge;
use qdrant_edge::external::ordered_float::OrderedFloat;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::folder::GenerationFolder;
use super::point::{
    CollectionConfig, FieldValue, Filter, Point, Query, RRF_K, Record, ScoredPoint, Selection,
};
use super::sparse::Bm25;
use super::{Change, StoreError, TEXT_VECTOR, engine};

/// Bytes in a piece of the engine's log. Its default of 32 MiB is reserved on disk at once.
const LOG_PIECE: usize = 1 << 20;

/// Points in one write. A write is copied, serialised and logged as a whole.
const WRITE: usize = 64;

/// A shard and the folder it lives in, which goes after it.
pub(super) struct Generation {
    shard: Shard,
    writer: Mutex<()>,
    config: CollectionConfig,
    folder: GenerationFolder,
}

/// The engine flushes when dropped, and panics where it cannot, say because the disk is full. What
/// had to last was flushed before, so that is worth a warning and no more.
struct Shard(Option<edge::EdgeShard>);

impl Deref for Shard {
    type Target = edge::EdgeShard;

    #[expect(clippy::expect_used, reason = "it is taken in `drop` only")]
    fn deref(&self) -> &edge::EdgeShard {
        self.0
            .as_ref()
            .expect("the shard is there until it is dropped")
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let shard = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(shard))).is_err() {
            tracing::warn!("the index could not be flushed when it was closed");
        }
    }
}

impl Generation {
    pub(super) fn create(
        folder: GenerationFolder,
        config: CollectionConfig,
    ) -> Result<Self, StoreError> {
        folder.check_room(0)?;
        let shard = edge::EdgeShard::new(folder.path(), edge_config(&config)).map_err(engine)?;
        let generation = Self {
            shard: Shard(Some(shard)),
            writer: Mutex::new(()),
            config,
            folder,
        };
        generation.index_keywords()?;
        Ok(generation)
    }

    /// `Ok(None)` when the folder holds a shard of another config.
    pub(super) fn load(
        folder: GenerationFolder,
        config: CollectionConfig,
    ) -> Result<Option<Self>, StoreError> {
        let wanted = edge_config(&config);
        let found = edge::EdgeConfig::load(folder.path())
            .transpose()
            .map_err(engine)?;
        if !found.is_some_and(|found| {
            found.vectors == wanted.vectors && found.sparse_vectors == wanted.sparse_vectors
        }) {
            return Ok(None);
        }
        folder.check_room(0)?;
        let shard = edge::EdgeShard::load(folder.path(), Some(wanted)).map_err(engine)?;
        let generation = Self {
            shard: Shard(Some(shard)),
            writer: Mutex::new(()),
            config,
            folder,
        };
        generation.index_keywords()?;
        Ok(Some(generation))
    }

    pub(super) fn folder(&self) -> &GenerationFolder {
        &self.folder
    }

    pub(super) fn config(&self) -> &CollectionConfig {
        &self.config
    }

    fn index_keywords(&self) -> Result<(), StoreError> {
        let indexed = self.shard.info().payload_schema;
        for field in &self.config.keywords {
            let field_name = path(field)?;
            if !indexed.contains_key(&field_name) {
                let keyword = edge::PayloadFieldSchema::FieldType(edge::PayloadSchemaType::Keyword);
                let index = edge::CreateIndex {
                    field_name,
                    field_schema: Some(keyword),
                };
                self.update(edge::UpdateOperation::FieldIndexOperation(
                    edge::FieldIndexOperations::CreateIndex(index),
                ))?;
            }
        }
        Ok(())
    }

    /// Makes a change visible to searches. Not durable before [`Self::flush`].
    pub(super) fn apply(&self, change: &Change, bm25: &Bm25) -> Result<(), StoreError> {
        match change {
            Change::Upsert(points) => points.chunks(WRITE).try_for_each(|chunk| {
                let points = chunk.iter().map(|point| edge_point(point, bm25)).collect();
                self.update_points(edge::PointOperations::UpsertPoints(
                    edge::PointInsertOperations::PointsList(points),
                ))
            }),
            Change::Delete(Selection::Ids(ids)) => {
                let ids = ids.iter().copied().map(edge::PointId::Uuid).collect();
                self.update_points(edge::PointOperations::DeletePoints { ids })
            }
            Change::Delete(Selection::Matching(filter)) => match edge_filter(filter)? {
                Some(filter) => {
                    self.update_points(edge::PointOperations::DeletePointsByFilter(filter))
                }
                None => Ok(()),
            },
        }
    }

    fn update_points(&self, operation: edge::PointOperations) -> Result<(), StoreError> {
        self.update(edge::UpdateOperation::PointOperation(operation))
    }

    fn update(&self, operation: edge::UpdateOperation) -> Result<(), StoreError> {
        let _writing = self.writer.lock();
        self.folder.check_room(0)?;
        self.shard.update(operation).map_err(engine)
    }

    /// Makes all changes so far durable.
    ///
    /// # Panics
    /// When the disk fails: the engine has no other way to say so. Callers run this on a thread of
    /// its own and turn a panic into an error.
    pub(super) fn flush(&self) {
        let _writing = self.writer.lock();
        self.shard.flush();
    }

    /// Builds search graphs where there are enough points for one, and clears deleted points.
    pub(super) fn optimize(&self) -> Result<(), StoreError> {
        let _writing = self.writer.lock();
        self.folder.check_room(1)?;
        self.shard.optimize().map(drop).map_err(engine)
    }

    pub(super) fn retrieve(&self, ids: &[Uuid]) -> Result<Vec<Record>, StoreError> {
        let ids: Vec<_> = ids.iter().copied().map(edge::PointId::Uuid).collect();
        let records = self.shard.retrieve(&ids, None, None).map_err(engine)?;
        let to_record = |record: edge::Record| {
            Ok(Record {
                id: uuid(record.id)?,
                payload: object(record.payload),
            })
        };
        records.into_iter().map(to_record).collect()
    }

    pub(super) fn count(&self, filter: &Filter) -> Result<usize, StoreError> {
        let Some(filter) = edge_filter(filter)? else {
            return Ok(0);
        };
        let request = edge::CountRequest {
            filter: Some(filter),
            exact: true,
        };
        self.shard.count(request).map_err(engine)
    }

    pub(super) fn query(&self, query: &Query, bm25: &Bm25) -> Result<Vec<ScoredPoint>, StoreError> {
        let Some(request) = edge_request(query, bm25)? else {
            return Ok(Vec::new());
        };
        let points = self.shard.query(request).map_err(engine)?;
        let scored = points.into_iter().map(|point| scored_point(point, query));
        Ok(query.ranked(scored.collect::<Result<_, _>>()?))
    }
}

fn edge_config(config: &CollectionConfig) -> edge::EdgeConfig {
    let mut builder = edge::EdgeConfig::builder()
        .wal_options(edge::WalOptions {
            segment_capacity: LOG_PIECE,
            segment_queue_len: 0,
            retain_closed: NonZeroUsize::MIN,
        })
        .sparse_vector(
            TEXT_VECTOR,
            edge::EdgeSparseVectorParams::builder()
                .modifier(edge::Modifier::Idf)
                .build(),
        );
    for (name, &dimension) in &config.dense {
        let params = edge::EdgeVectorParamsBuilder::new(dimension, edge::Distance::Cosine).build();
        builder = builder.vector(name.clone(), params);
    }
    builder.build()
}

fn edge_point(point: &Point, bm25: &Bm25) -> edge::PointStructPersisted {
    let dense = point
        .dense
        .iter()
        .map(|(name, embedding)| (name.clone(), edge::Vector::new_dense(embedding.as_slice())));
    let sparse = bm25
        .document(&point.text)
        .map(|words| (TEXT_VECTOR.to_owned(), words.into()));
    let vectors: HashMap<String, edge::Vector> = dense.chain(sparse).collect();
    edge::PointStruct::new(
        edge::PointId::Uuid(point.id),
        vectors,
        Value::Object(point.payload.clone()),
    )
    .into()
}

/// `None` when nothing is to be looked for.
fn edge_request(query: &Query, bm25: &Bm25) -> Result<Option<edge::QueryRequest>, StoreError> {
    let Some(filter) = edge_filter(&query.filter)? else {
        return Ok(None);
    };
    let prefetch = |vector: edge::VectorInternal, name: &str| edge::Prefetch {
        prefetches: Vec::new(),
        query: Some(edge::ScoringQuery::Vector(edge::QueryEnum::Nearest(
            edge::NamedQuery::new(vector, name),
        ))),
        limit: query.prefetch_limit(),
        params: None,
        filter: Some(filter.clone()),
        score_threshold: None,
    };
    let mut prefetches = Vec::new();
    let mut weights = Vec::new();
    for dense in &query.dense {
        let vector = edge::VectorInternal::Dense(dense.embedding.as_slice().to_vec());
        prefetches.push(prefetch(vector, &dense.vector));
        weights.push(OrderedFloat(dense.weight));
    }
    if let Some(text) = &query.text
        && let Some(words) = bm25.query(&text.text)
    {
        prefetches.push(prefetch(edge::VectorInternal::Sparse(words), TEXT_VECTOR));
        weights.push(OrderedFloat(text.weight));
    }
    if prefetches.is_empty() {
        return Ok(None);
    }
    Ok(Some(edge::QueryRequest {
        prefetches,
        query: Some(edge::ScoringQuery::Fusion(edge::Fusion::Rrf {
            k: RRF_K as usize,
            weights: Some(weights),
        })),
        filter: None,
        score_threshold: None,
        limit: query.fused_limit(),
        offset: 0,
        params: None,
        with_vector: edge::WithVector::Selector(
            query
                .dense
                .iter()
                .map(|dense| dense.vector.clone())
                .collect(),
        ),
        with_payload: edge::WithPayloadInterface::Bool(true),
    }))
}

/// `None` when nothing can match.
fn edge_filter(filter: &Filter) -> Result<Option<edge::Filter>, StoreError> {
    let mut must = Vec::with_capacity(filter.must.len());
    for condition in &filter.must {
        if condition.values.is_empty() {
            return Ok(None);
        }
        let field = path(&condition.field)?;
        let any = condition.values.iter().map(|value| {
            let is = edge::Match::from(edge_value(value));
            edge::Condition::Field(edge::FieldCondition::new_match(field.clone(), is))
        });
        let any = edge::Filter {
            should: Some(any.collect()),
            ..edge::Filter::default()
        };
        must.push(edge::Condition::Filter(any));
    }
    Ok(Some(edge::Filter {
        must: Some(must),
        ..edge::Filter::default()
    }))
}

fn edge_value(value: &FieldValue) -> edge::ValueVariants {
    match value {
        FieldValue::Keyword(keyword) => edge::ValueVariants::String(keyword.clone()),
        FieldValue::Integer(number) => edge::ValueVariants::Integer(*number),
        FieldValue::Bool(flag) => edge::ValueVariants::Bool(*flag),
    }
}

fn scored_point(point: edge::ScoredPoint, query: &Query) -> Result<ScoredPoint, StoreError> {
    let dense_score = query.dense_score(|name| match &point.vector {
        Some(edge::VectorStructInternal::Named(vectors)) => match vectors.get(name) {
            Some(edge::VectorInternal::Dense(vector)) => Some(Cow::Borrowed(vector.as_slice())),
            Some(edge::VectorInternal::Sparse(_) | edge::VectorInternal::MultiDense(_)) | None => {
                None
            }
        },
        Some(edge::VectorStructInternal::Single(_) | edge::VectorStructInternal::MultiDense(_))
        | None => None,
    });
    Ok(ScoredPoint {
        id: uuid(point.id)?,
        score: point.score,
        dense_score,
        payload: object(point.payload),
    })
}

fn uuid(id: edge::PointId) -> Result<Uuid, StoreError> {
    match id {
        edge::PointId::Uuid(id) => Ok(id),
        edge::PointId::NumId(number) => Err(engine(std::io::Error::other(format!(
            "the point {number} was not written by us"
        )))),
    }
}

fn object(payload: Option<edge::Payload>) -> Map<String, Value> {
    payload.map(|payload| payload.0).unwrap_or_default()
}

fn path(field: &str) -> Result<edge::JsonPath, StoreError> {
    field
        .parse()
        .map_err(|()| StoreError::BadField(field.to_owned()))
}
