//! The connection to a Qdrant server: calls in their turn and within their time, and the
//! generations of a collection there.
//!
//! A collection is an alias on the server; its generations are collections named
//! `<collection>-<UUIDv7>`. A generation that no alias names after a day is left over and removed
//! when the collection is opened: a younger one may be another machine's rebuild.

use std::fmt;
use std::time::{Duration, SystemTime};

use qdrant_client::qdrant as api;
use qdrant_client::{Qdrant, QdrantError};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::point::CollectionConfig;
use super::sparse::Bm25;
use super::{Change, StoreError, engine, wire};

/// A server that says nothing for this long does not answer.
pub(super) const ANSWER: Duration = Duration::from_secs(3);

/// Writes and rebuilding may take longer.
pub(super) const WRITE: Duration = Duration::from_secs(60);

/// Calls in flight. The client multiplexes them over few connections.
const IN_FLIGHT: usize = 32;

/// Points in one write.
const CHUNK: usize = 128;

/// No rebuild takes this long.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the server is.
#[derive(Clone)]
pub struct ServerConfig {
    /// Address of its gRPC port, such as `http://localhost:6334`.
    pub url: String,
    /// Where the server asks for one.
    pub api_key: Option<String>,
}

impl fmt::Debug for ServerConfig {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerConfig")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A server, and what every call to it needs.
pub(super) struct Connection {
    pub(super) client: Qdrant,
    pub(super) bm25: Bm25,
    url: String,
    in_flight: Semaphore,
}

impl Connection {
    /// Connects, and makes sure that the server answers.
    pub(super) async fn open(config: &ServerConfig) -> Result<Self, StoreError> {
        let client = Qdrant::from_url(&config.url)
            .api_key(config.api_key.clone())
            .connect_timeout(ANSWER)
            .timeout(WRITE)
            .skip_compatibility_check()
            .build()
            .map_err(|error| failure(&config.url, error))?;
        let connection = Self {
            client,
            bm25: Bm25::new().map_err(engine)?,
            url: config.url.clone(),
            in_flight: Semaphore::new(IN_FLIGHT),
        };
        // The health check needs no key; listing does.
        connection
            .call(ANSWER, connection.client.list_collections())
            .await?;
        Ok(connection)
    }

    /// One call in its turn and within its time.
    pub(super) async fn call<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, QdrantError>>,
    ) -> Result<T, StoreError> {
        let _turn = self.in_flight.acquire().await.map_err(engine)?;
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(|error| failure(&self.url, error)),
            Err(elapsed) => Err(StoreError::Unreachable {
                url: self.url.clone(),
                source: Box::new(elapsed),
            }),
        }
    }

    /// Every change may be repeated, so the client may retry it.
    pub(super) async fn apply(&self, target: &str, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Upsert(points) => {
                for chunk in points.chunks(CHUNK) {
                    let points: Vec<_> = chunk
                        .iter()
                        .map(|point| wire::point(point, &self.bm25))
                        .collect();
                    let request = api::UpsertPointsBuilder::new(target, points).wait(true);
                    self.call(WRITE, self.client.upsert_points(request)).await?;
                }
            }
            Change::Delete(selection) => {
                if let Some(selector) = wire::selector(selection) {
                    let request = api::DeletePointsBuilder::new(target)
                        .points(selector)
                        .wait(true);
                    self.call(WRITE, self.client.delete_points(request)).await?;
                }
            }
        }
        Ok(())
    }

    /// The generation that the alias `collection` names.
    pub(super) async fn current(&self, collection: &str) -> Result<Option<String>, StoreError> {
        let aliases = self.call(ANSWER, self.client.list_aliases()).await?.aliases;
        let mut named = aliases
            .into_iter()
            .filter(|alias| alias.alias_name == collection);
        Ok(named.next().map(|alias| alias.collection_name))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "generations of one index only need other names"
    )]
    pub(super) async fn create(
        &self,
        collection: &str,
        config: &CollectionConfig,
    ) -> Result<String, StoreError> {
        let name = format!("{collection}-{}", Uuid::now_v7());
        self.call(
            WRITE,
            self.client.create_collection(wire::create(&name, config)),
        )
        .await?;
        for field in &config.keywords {
            let index =
                api::CreateFieldIndexCollectionBuilder::new(&name, field, api::FieldType::Keyword);
            self.call(WRITE, self.client.create_field_index(index.wait(true)))
                .await?;
        }
        Ok(name)
    }

    /// Puts a generation in use, in one step.
    pub(super) async fn switch_to(
        &self,
        generation: &str,
        collection: &str,
    ) -> Result<(), StoreError> {
        let alias = api::CreateAliasBuilder::new(generation, collection);
        self.call(WRITE, self.client.create_alias(alias))
            .await
            .map(drop)
    }

    pub(super) async fn fits(
        &self,
        generation: &str,
        config: &CollectionConfig,
    ) -> Result<bool, StoreError> {
        let info = self
            .call(ANSWER, self.client.collection_info(generation))
            .await?;
        Ok(wire::fits(info, config))
    }

    pub(super) async fn remove_leftovers(&self, collection: &str) -> Result<(), StoreError> {
        let current = self.current(collection).await?;
        let all = self
            .call(ANSWER, self.client.list_collections())
            .await?
            .collections;
        for name in all.into_iter().map(|described| described.name) {
            if Some(&name) != current.as_ref() && is_left_over(&name, collection) {
                tracing::info!(collection = name, "removing an unfinished index");
                self.call(WRITE, self.client.delete_collection(name))
                    .await?;
            }
        }
        Ok(())
    }
}

/// Whether `name` is a generation of `collection` that is too old to be anyone's rebuild.
fn is_left_over(name: &str, collection: &str) -> bool {
    let generation = name
        .strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('-'));
    let begun = generation
        .and_then(|generation| Uuid::parse_str(generation).ok())
        .and_then(|generation| generation.get_timestamp())
        .map(|stamp| SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.to_unix().0));
    begun
        .and_then(|begun| begun.elapsed().ok())
        .is_some_and(|age| age > LEFT_OVER)
}

/// gRPC status codes, which the client gives as they come.
mod code {
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

fn failure(url: &str, error: QdrantError) -> StoreError {
    let url = url.to_owned();
    let (status, connecting) = match &error {
        QdrantError::ResponseError { status } => (
            i32::from(status.code()),
            status.message().starts_with("Failed to connect"),
        ),
        QdrantError::InvalidUri(_) | QdrantError::Io(_) => (code::UNAVAILABLE, true),
        QdrantError::ResourceExhaustedError { .. }
        | QdrantError::ConversionError(_)
        | QdrantError::NoSnapshotFound(_)
        | QdrantError::JsonToPayload(_)
        | QdrantError::PayloadDeserialization(_) => return engine(error),
    };
    match status {
        code::UNAUTHENTICATED | code::PERMISSION_DENIED => StoreError::Refused { url },
        code::UNAVAILABLE | code::DEADLINE_EXCEEDED => StoreError::Unreachable {
            url,
            source: Box::new(error),
        },
        _ if connecting => StoreError::Unreachable {
            url,
            source: Box::new(error),
        },
        _ => engine(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(url: String) -> (StoreError, Duration) {
        let start = std::time::Instant::now();
        let config = ServerConfig { url, api_key: None };
        let error = Connection::open(&config)
            .await
            .err()
            .expect("nothing listens there");
        (error, start.elapsed())
    }

    #[tokio::test]
    async fn an_address_where_nothing_listens_is_named_at_once() {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let (error, _) = refusal(format!("http://{free}")).await;
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains(&free.to_string()), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_says_nothing_is_given_up_after_three_seconds() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (error, waited) = refusal(format!("http://{}", listener.local_addr().unwrap())).await;
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
        assert!(waited < ANSWER * 2, "{waited:?}");
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_named() {
        let (error, _) = refusal("not an address".to_owned()).await;
        assert!(error.to_string().contains("not an address"), "{error}");
    }

    #[test]
    fn the_api_key_is_not_printed() {
        let config = ServerConfig {
            url: "http://q".to_owned(),
            api_key: Some("s3cret".to_owned()),
        };
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn only_old_generations_of_the_same_collection_are_left_over() {
        #[expect(clippy::disallowed_methods, reason = "what is young depends on now")]
        let young = Uuid::now_v7();
        let old = Uuid::parse_str("01890000-0000-7000-8000-000000000000").unwrap();
        assert!(is_left_over(&format!("knowledge-{old}"), "knowledge"));
        assert!(!is_left_over(&format!("knowledge-{young}"), "knowledge"));
        assert!(!is_left_over(&format!("products-{old}"), "knowledge"));
        assert!(!is_left_over("knowledge-of-another-program", "knowledge"));
        assert!(!is_left_over("knowledge", "knowledge"));
    }
}
