//! Vector collections, in Qdrant's words: embedded ([`EdgeStore`]) or on a server ([`ServerStore`]).
//!
//! Both give the same hits: dense vectors compare by cosine, words by BM25, and the rankings are
//! fused by the engine. What a method wrote is durable when it returns. A collection's name is an
//! alias of one *generation* of it; [`VectorStore::begin_rebuild`] fills another beside it and
//! switches over, so searches never see a half-built collection.

mod connection;
mod edge;
mod folder;
mod generation;
mod point;
mod server;
mod sparse;
mod wire;

use std::error::Error;

use async_trait::async_trait;
use uuid::Uuid;

pub use connection::ServerConfig;
pub use edge::EdgeStore;
pub use point::{
    CollectionConfig, Condition, DensePrefetch, FieldValue, Filter, Point, Query, Record,
    ScoredPoint, Selection, TextPrefetch,
};
pub use server::ServerStore;

/// Name of every collection's BM25 vector; no dense vector can have it.
const TEXT_VECTOR: &str = "bm25";

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No collection of this name was opened.
    #[error("there is no collection \"{0}\" yet; build it with `frontdesk index`")]
    UnknownCollection(String),
    /// A name that is no folder's, or taken.
    #[error(
        "\"{0}\" cannot name a collection or vector: use small letters, digits and underscores"
    )]
    BadName(String),
    /// A name that leads to no payload field.
    #[error("\"{0}\" cannot name a payload field; use letters, digits, underscores and dots")]
    BadField(String),
    /// The collection on disk or server was built for other vectors.
    #[error(
        "the collection \"{0}\" was built by another version or encoder; rebuild it with `frontdesk index`"
    )]
    OtherConfig(String),
    /// A vector the collection has no place for.
    #[error("the collection \"{collection}\" has no vector \"{vector}\"")]
    UnknownVector {
        /// The collection.
        collection: String,
        /// The name asked for.
        vector: String,
    },
    /// Points and collection come from different models: a deployment mistake.
    #[error(
        "the vector \"{vector}\" has {stored} dimensions in the collection and {given} here; rebuild with `frontdesk index` after a change of encoder"
    )]
    WrongDimension {
        /// Name of the vector.
        vector: String,
        /// Dimension in the collection.
        stored: usize,
        /// Dimension given.
        given: usize,
    },
    /// Someone else is rebuilding this collection.
    #[error("the collection \"{0}\" is being rebuilt already; wait until that is done")]
    RebuildRunning(String),
    /// Another process has the folder open.
    #[error("another process uses the index in {folder}; stop it, or give each its own folder")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// The server's address leads nowhere.
    #[error(
        "no Qdrant server answers at {url}; start it, or correct the address in the configuration"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What the connection said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server wants an API key, or another one.
    #[error("the Qdrant server at {url} refuses the API key; correct it in the configuration")]
    Refused {
        /// The address.
        url: String,
    },
    /// The disk is nearly full: nothing was written.
    #[error(
        "the index in {folder} needs {needed_mib} MiB of free disk to be written and there are \
         {free_mib}; make room and try again, nothing stored is lost"
    )]
    NoRoom {
        /// The folder.
        folder: String,
        /// What has to be free, in MiB.
        needed_mib: u64,
        /// What is free, in MiB.
        free_mib: u64,
    },
    /// The disk failed.
    #[error("the index in {folder} cannot be read or written: {source}")]
    Disk {
        /// The folder.
        folder: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The engine failed, or holds what we did not write.
    #[error("the vector index failed: {0}")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
}

/// Collections of points. Shared by all conversations.
#[async_trait]
pub trait VectorStore: Send + Sync {
    /// Makes a collection usable, creating it where there is none.
    ///
    /// # Errors
    /// [`StoreError::OtherConfig`] where there is one that does not fit `config`. It can then be
    /// rebuilt, and is usable from then on.
    async fn open_collection(
        &self,
        collection: &str,
        config: &CollectionConfig,
    ) -> Result<(), StoreError>;

    /// Adds points, replacing those of the same id. Vectors that a point lacks are not found by.
    ///
    /// # Errors
    /// [`StoreError::WrongDimension`] or [`StoreError::UnknownVector`] before anything is written.
    async fn upsert(&self, collection: &str, points: Vec<Point>) -> Result<(), StoreError>;

    /// The points of these ids that there are, in the order of `ids`.
    async fn retrieve(&self, collection: &str, ids: &[Uuid]) -> Result<Vec<Record>, StoreError>;

    /// The best hits, best first. Of equal scores, the nearer in meaning comes first.
    ///
    /// # Errors
    /// [`StoreError::WrongDimension`] instead of padding or cutting a vector.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: this only reads.
    async fn query(&self, collection: &str, query: Query) -> Result<Vec<ScoredPoint>, StoreError>;

    /// Removes points. None that match is no error.
    async fn delete(&self, collection: &str, selection: Selection) -> Result<(), StoreError>;

    /// How many points match.
    async fn count(&self, collection: &str, filter: Filter) -> Result<usize, StoreError>;

    /// Starts an empty generation beside the one in use, with its own `config`.
    ///
    /// Points written to the collection meanwhile go to the old generation at once, and to the new
    /// one when it is committed.
    ///
    /// # Errors
    /// [`StoreError::RebuildRunning`] while this process has another rebuild of it.
    async fn begin_rebuild(
        &self,
        collection: &str,
        config: &CollectionConfig,
    ) -> Result<Box<dyn Rebuild>, StoreError>;

    /// Tidies up after many changes: builds search graphs, clears deleted points. Searches go on,
    /// writes wait.
    async fn optimize(&self, collection: &str) -> Result<(), StoreError>;
}

/// A generation being filled. Dropping it without [`Rebuild::commit`] leaves all as it was.
#[async_trait]
pub trait Rebuild: Send {
    /// Adds points to the new generation. Not durable before [`Rebuild::commit`].
    async fn upsert(&mut self, points: Vec<Point>) -> Result<(), StoreError>;

    /// Makes the new generation durable and switches over. Searches that run finish on the old
    /// one, which is then removed.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// A change made while a rebuild runs, to be made to the new generation, too.
#[derive(Clone, Debug)]
enum Change {
    Upsert(Vec<Point>),
    Delete(Selection),
}

/// Names become folders and parts of server collection names.
fn check_collection(collection: &str, config: &CollectionConfig) -> Result<(), StoreError> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits = |name: &str| (1..=64).contains(&name.len()) && name.chars().all(letter);
    let vectors = config.dense.keys().map(String::as_str);
    match vectors
        .chain([collection])
        .find(|name| !fits(name) || *name == TEXT_VECTOR)
    {
        Some(name) => Err(StoreError::BadName(name.to_owned())),
        None => Ok(()),
    }
}

/// Vector by vector: the collection has it, in this dimension.
fn check_vector(
    collection: &str,
    config: &CollectionConfig,
    (vector, given): (&str, usize),
) -> Result<(), StoreError> {
    let vector = vector.to_owned();
    match config.dense.get(&vector) {
        None => Err(StoreError::UnknownVector {
            collection: collection.to_owned(),
            vector,
        }),
        Some(&stored) if stored != given => Err(StoreError::WrongDimension {
            vector,
            stored,
            given,
        }),
        Some(_) => Ok(()),
    }
}

fn check_points(
    collection: &str,
    config: &CollectionConfig,
    points: &[Point],
) -> Result<(), StoreError> {
    points
        .iter()
        .flat_map(|point| &point.dense)
        .try_for_each(|(name, embedding)| {
            check_vector(collection, config, (name, embedding.dimension()))
        })
}

fn check_query(
    collection: &str,
    config: &CollectionConfig,
    query: &Query,
) -> Result<(), StoreError> {
    query.dense.iter().try_for_each(|prefetch| {
        check_vector(
            collection,
            config,
            (&prefetch.vector, prefetch.embedding.dimension()),
        )
    })
}

fn engine(source: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Engine(Box::new(source))
}
