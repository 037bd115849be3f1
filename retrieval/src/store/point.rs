//! What goes into a collection and comes out of it, in Qdrant's words.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::embedding::Embedding;

/// What the points of a collection look like. Every collection has a BM25 vector besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionConfig {
    /// The dense vectors by name, with their dimension.
    pub dense: BTreeMap<String, usize>,
    /// Payload fields that filters name; each holds a keyword, and gets an index.
    pub keywords: Vec<String>,
}

/// One thing to find.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// A point replaces the one of the same id.
    pub id: Uuid,
    /// Dense vectors by name; a name may be missing.
    pub dense: BTreeMap<String, Embedding>,
    /// What BM25 reads; not kept.
    pub text: String,
    /// What a hit gives back.
    pub payload: Map<String, Value>,
}

/// A value that a filter compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// Text, compared as a whole.
    Keyword(String),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
}

impl From<&str> for FieldValue {
    fn from(keyword: &str) -> Self {
        Self::Keyword(keyword.to_owned())
    }
}

/// `field` holds one of `values`; without values, nothing matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Name of a payload field; a dot leads into an object.
    pub field: String,
    /// Any of these will do.
    pub values: Vec<FieldValue>,
}

/// Which points are meant. The default filter means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// All of these hold.
    pub must: Vec<Condition>,
}

impl Filter {
    /// The points whose `field` is `value`.
    #[must_use]
    pub fn field(field: impl Into<String>, value: impl Into<FieldValue>) -> Self {
        Self::default().and(field, value)
    }

    /// Of these points, those whose `field` is `value`, too.
    #[must_use]
    pub fn and(mut self, field: impl Into<String>, value: impl Into<FieldValue>) -> Self {
        self.must.push(Condition {
            field: field.into(),
            values: vec![value.into()],
        });
        self
    }
}

/// One dense way to look for points.
#[derive(Clone, Debug, PartialEq)]
pub struct DensePrefetch {
    /// Name of the vector to compare with.
    pub vector: String,
    /// What to look for.
    pub embedding: Embedding,
    /// How much its ranking counts against the others; 1 is usual.
    pub weight: f32,
}

/// The BM25 way to look for points.
#[derive(Clone, Debug, PartialEq)]
pub struct TextPrefetch {
    /// The words to look for.
    pub text: String,
    /// How much its ranking counts against the others; 1 is usual.
    pub weight: f32,
}

/// A hybrid search: every prefetch ranks points, and the rankings are fused.
///
/// A query without any prefetch, or whose only one is a text without words, finds nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// By meaning.
    pub dense: Vec<DensePrefetch>,
    /// By words.
    pub text: Option<TextPrefetch>,
    /// Only among these points.
    pub filter: Filter,
    /// At most this many hits.
    pub limit: usize,
}

/// A point found by a query.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredPoint {
    /// The point's id.
    pub id: Uuid,
    /// Fused by reciprocal rank: good for ordering the hits of one query, and for nothing else.
    pub score: f32,
    /// What was stored with the point.
    pub payload: Map<String, Value>,
    /// The highest cosine between a dense prefetch and the point's vector of that name. Comparable
    /// between queries. `None` when the query had no dense part, or the point none of its vectors.
    pub dense_score: Option<f32>,
}

/// A point looked up by its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The point's id.
    pub id: Uuid,
    /// What was stored with it.
    pub payload: Map<String, Value>,
}

/// Which points to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those with these ids; ids that are not there are no error.
    Ids(Vec<Uuid>),
    /// Those that match.
    Matching(Filter),
}

/// The rank constant of reciprocal rank fusion: 60 is the literature's, and lets agreement between
/// rankings outweigh the very first place in one of them.
pub(super) const RRF_K: u32 = 60;

impl Query {
    /// How deep every prefetch looks: a hit low in one ranking may be high in another.
    pub(super) fn prefetch_limit(&self) -> usize {
        self.limit.saturating_mul(4).max(40)
    }

    /// More than asked for, so that ties at the end are cut by our order and not the engine's.
    pub(super) fn fused_limit(&self) -> usize {
        self.limit.saturating_add(8)
    }

    /// The highest cosine of the query's dense parts with what `vector` gives for their names.
    pub(super) fn dense_score<'a>(
        &self,
        mut vector: impl FnMut(&str) -> Option<std::borrow::Cow<'a, [f32]>>,
    ) -> Option<f32> {
        let cosines = self.dense.iter().filter_map(|prefetch| {
            Some(prefetch.embedding.cosine_with(&vector(&prefetch.vector)?))
        });
        cosines.max_by(f32::total_cmp)
    }

    /// Best first, of equals the one nearer in meaning, then the lower id; at most the limit.
    pub(super) fn ranked(&self, mut points: Vec<ScoredPoint>) -> Vec<ScoredPoint> {
        points.sort_by(|left, right| {
            let by_score = right.score.total_cmp(&left.score);
            let by_cosine = right.dense_score.partial_cmp(&left.dense_score);
            by_score
                .then(by_cosine.unwrap_or(std::cmp::Ordering::Equal))
                .then(left.id.cmp(&right.id))
        });
        points.truncate(self.limit);
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(id: u128, score: f32, dense_score: Option<f32>) -> ScoredPoint {
        ScoredPoint {
            id: Uuid::from_u128(id),
            score,
            payload: Map::new(),
            dense_score,
        }
    }

    #[test]
    fn equal_scores_are_ordered_by_cosine_and_then_by_id() {
        let query = Query {
            limit: 4,
            ..Query::default()
        };
        let points = vec![
            hit(9, 0.5, None),
            hit(3, 0.5, Some(0.2)),
            hit(2, 0.5, Some(0.9)),
            hit(1, 0.5, Some(0.2)),
            hit(7, 0.8, None),
        ];
        let ids: Vec<u128> = query
            .ranked(points)
            .iter()
            .map(|hit| hit.id.as_u128())
            .collect();
        assert_eq!(ids, [7, 2, 1, 3]);
    }
}
