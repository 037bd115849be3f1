//! The server's protocol: our words to its messages and back.

use std::borrow::Cow;
use std::collections::HashMap;

use qdrant_client::qdrant as api;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::vector_output::Vector;
use qdrant_client::qdrant::vectors_config::Config;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::point::{
    CollectionConfig, FieldValue, Filter, Point, Query, RRF_K, Record, ScoredPoint, Selection,
};
use super::sparse::Bm25;
use super::{StoreError, TEXT_VECTOR, engine};

/// What a filter comes down to.
pub(super) enum Reading {
    /// Some condition has no values: nothing can match.
    Nothing,
    /// What the server shall match.
    Of(api::Filter),
}

pub(super) fn create(name: &str, config: &CollectionConfig) -> api::CreateCollectionBuilder {
    let mut dense = qdrant_client::qdrant::VectorsConfigBuilder::default();
    for (vector, &dimension) in &config.dense {
        let params = api::VectorParamsBuilder::new(dimension as u64, api::Distance::Cosine);
        dense.add_named_vector_params(vector, params);
    }
    let mut sparse = qdrant_client::qdrant::SparseVectorsConfigBuilder::default();
    let idf = api::SparseVectorParamsBuilder::default().modifier(api::Modifier::Idf);
    sparse.add_named_vector_params(TEXT_VECTOR, idf);
    api::CreateCollectionBuilder::new(name)
        .vectors_config(dense)
        .sparse_vectors_config(sparse)
}

/// Whether a collection of the server has the vectors of `config`, and no others.
pub(super) fn fits(info: api::GetCollectionInfoResponse, config: &CollectionConfig) -> bool {
    let params = info
        .result
        .and_then(|info| info.config)
        .and_then(|config| config.params);
    let Some(params) = params else { return false };
    let dense = match params.vectors_config.and_then(|vectors| vectors.config) {
        Some(Config::ParamsMap(named)) => named.map,
        Some(Config::Params(_)) | None => HashMap::new(),
    };
    let sparse = params
        .sparse_vectors_config
        .map(|sparse| sparse.map)
        .unwrap_or_default();
    dense.len() == config.dense.len()
        && sparse.keys().eq([TEXT_VECTOR])
        && config.dense.iter().all(|(vector, &dimension)| {
            dense
                .get(vector)
                .is_some_and(|params| params.size == dimension as u64)
        })
}

pub(super) fn point(point: &Point, bm25: &Bm25) -> api::PointStruct {
    let mut vectors = api::NamedVectors::default();
    for (name, embedding) in &point.dense {
        vectors = vectors.add_vector(name, api::Vector::new_dense(embedding.as_slice()));
    }
    if let Some(words) = bm25.document(&point.text) {
        vectors = vectors.add_vector(
            TEXT_VECTOR,
            api::Vector::new_sparse(words.indices, words.values),
        );
    }
    api::PointStruct::new(point.id.to_string(), vectors, point.payload.clone())
}

/// `None` when nothing is to be looked for.
pub(super) fn request(collection: &str, query: &Query, bm25: &Bm25) -> Option<api::QueryPoints> {
    let Reading::Of(filter) = filter(&query.filter) else {
        return None;
    };
    let prefetch = |vector: api::VectorInput, name: &str| {
        api::PrefetchQueryBuilder::default()
            .query(api::Query::new_nearest(vector))
            .using(name)
            .filter(filter.clone())
            .limit(query.prefetch_limit() as u64)
            .build()
    };
    let mut prefetches = Vec::new();
    let mut weights = Vec::new();
    for dense in &query.dense {
        let vector = api::VectorInput::new_dense(dense.embedding.as_slice());
        prefetches.push(prefetch(vector, &dense.vector));
        weights.push(dense.weight);
    }
    if let Some(text) = &query.text
        && let Some(words) = bm25.query(&text.text)
    {
        let vector = api::VectorInput::new_sparse(words.indices, words.values);
        prefetches.push(prefetch(vector, TEXT_VECTOR));
        weights.push(text.weight);
    }
    if prefetches.is_empty() {
        return None;
    }
    let names = query
        .dense
        .iter()
        .map(|dense| dense.vector.clone())
        .collect();
    let fusion = api::Query::new_rrf(api::RrfBuilder::with_k(RRF_K).weights(weights));
    Some(
        api::QueryPointsBuilder::new(collection)
            .prefetch(prefetches)
            .query(fusion)
            .limit(query.fused_limit() as u64)
            .with_payload(true)
            .with_vectors(api::VectorsSelector { names })
            .build(),
    )
}

pub(super) fn filter(filter: &Filter) -> Reading {
    let mut must = Vec::with_capacity(filter.must.len());
    for condition in &filter.must {
        if condition.values.is_empty() {
            return Reading::Nothing;
        }
        let any = condition.values.iter().map(|value| match value {
            FieldValue::Keyword(keyword) => {
                api::Condition::matches(&condition.field, keyword.clone())
            }
            FieldValue::Integer(number) => api::Condition::matches(&condition.field, *number),
            FieldValue::Bool(flag) => api::Condition::matches(&condition.field, *flag),
        });
        must.push(api::Condition::from(api::Filter::any(any)));
    }
    Reading::Of(api::Filter::must(must))
}

/// `None` when nothing can be selected.
pub(super) fn selector(selection: &Selection) -> Option<api::points_selector::PointsSelectorOneOf> {
    match selection {
        Selection::Ids(ids) => {
            let ids = ids.iter().map(|id| id.to_string().into()).collect();
            Some(api::PointsIdsList { ids }.into())
        }
        Selection::Matching(matching) => match filter(matching) {
            Reading::Of(filter) => Some(filter.into()),
            Reading::Nothing => None,
        },
    }
}

pub(super) fn scored_point(
    point: api::ScoredPoint,
    query: &Query,
) -> Result<ScoredPoint, StoreError> {
    let dense_score = query.dense_score(|name| {
        match point
            .vectors
            .as_ref()
            .and_then(|vectors| vectors.get_vector_by_name(name))
        {
            Some(Vector::Dense(vector)) => Some(Cow::Owned(vector.data)),
            Some(Vector::Sparse(_) | Vector::MultiDense(_)) | None => None,
        }
    });
    Ok(ScoredPoint {
        id: uuid(point.id)?,
        score: point.score,
        dense_score,
        payload: object(point.payload),
    })
}

pub(super) fn record(point: api::RetrievedPoint) -> Result<Record, StoreError> {
    Ok(Record {
        id: uuid(point.id)?,
        payload: object(point.payload),
    })
}

fn uuid(id: Option<api::PointId>) -> Result<Uuid, StoreError> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Uuid(id)) => Uuid::parse_str(&id).map_err(engine),
        Some(PointIdOptions::Num(_)) | None => Err(engine(std::io::Error::other(
            "a point of the server was not written by us",
        ))),
    }
}

fn object(payload: HashMap<String, api::Value>) -> Map<String, Value> {
    payload
        .into_iter()
        .map(|(field, value)| (field, value.into_json()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_survives_the_way_to_the_server_and_back() {
        let Value::Object(payload) = json!({
            "title": "退款", "price": 9.5, "stock": 3, "open": true, "tags": ["a"], "more": {"x": null},
        }) else {
            unreachable!()
        };
        let id = Uuid::from_u128(7);
        let sent = point(
            &Point {
                id,
                dense: Default::default(),
                text: "9".to_owned(),
                payload: payload.clone(),
            },
            &Bm25::new().unwrap(),
        );
        assert_eq!(object(sent.payload), payload);
        assert_eq!(uuid(sent.id).unwrap(), id);
    }

    #[test]
    fn a_query_for_nothing_asks_the_server_nothing() {
        let bm25 = Bm25::new().unwrap();
        let empty = Query {
            limit: 5,
            ..Query::default()
        };
        assert!(request("knowledge", &empty, &bm25).is_none());
        let never = Filter {
            must: vec![super::super::Condition {
                field: "x".to_owned(),
                values: Vec::new(),
            }],
        };
        assert!(matches!(filter(&never), Reading::Nothing));
        assert!(matches!(filter(&Filter::default()), Reading::Of(_)));
    }
}
