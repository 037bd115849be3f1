//! The index over the CRM store: knowledge, products and customers in Qdrant, kept up to date from
//! the store's change feed.
//!
//! The store is the truth. Each collection notes in the store the last change it has taken in, and
//! goes on from there; whatever the index lost in a crash is taken in again.

mod entries;
mod sync;

use std::path::PathBuf;
use std::sync::Arc;

use crm::{CrmError, Product, ProductId, Store};
use language::sentences::Boundaries;
use parking_lot::RwLock;
use retrieval::{
    EdgeStore, Embedding, Encoder, EncoderError, Filter, IndexError, KnowledgeIndex, NearBlock,
    RecordIndex, Role, SearchBy, SearchRequest, ServerConfig, ServerStore, StoreError, VectorStore,
};
use understand::Spelling;

use crate::config::Config;

pub use sync::INDEX_LAYOUT;
pub(crate) use sync::{REBUILD_DONE, REBUILD_REQUESTED};

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Qdrant failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The CRM store failed.
    #[error(transparent)]
    Crm(#[from] CrmError),
    /// The folder of the index cannot be made.
    #[error("the folder {path} cannot be made; check `data.dir` and its permissions")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The program is stopping.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// Embeddings of the question, each in a reading of its own: alone, and behind what was said before.
    /// What is near to it is found.
    pub embedding: Embedding,
    /// Most passages to find.
    pub limit: usize,
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    /// Id of its document.
    pub document: String,
    /// The passage's place in it, from 0.
    pub ordinal: u32,
    /// Title of the document with the passage's headings.
    pub title: String,
    /// The passage.
    pub text: String,
    /// Its blocks, in order.
    pub blocks: Vec<NearBlock>,
    /// Where to link.
    pub url: Option<String>,
    /// The language of its document, a BCP 47 tag.
    pub language: String,
    /// Whether the document is an internal one: its plain facts may be told, it is not shown.
    pub internal: bool,
    /// Similarity in meaning to the question.
    pub similarity: f32,
}

/// The index.
pub(crate) struct Library {
    crm: Store,
    encoder: Encoder,
    knowledge: KnowledgeIndex,
    products: RecordIndex,
    customers: RecordIndex,
    spelling: RwLock<Spelling>,
}

impl Library {
    /// Opens the index that `config` names: embedded, or on a Qdrant server. Sentences of articles end
    /// as `boundaries` has it.
    ///
    /// # Errors
    /// [`LibraryError`]; a server that does not answer says so within seconds.
    pub(crate) async fn open(
        config: &Config,
        crm: Store,
        encoder: Encoder,
        boundaries: Boundaries,
    ) -> Result<Self, LibraryError> {
        let vectors: Arc<dyn VectorStore> = match &config.retrieval.qdrant_url {
            Some(url) => {
                let api_key = config.retrieval.qdrant_api_key.as_ref();
                Arc::new(
                    ServerStore::connect(&ServerConfig {
                        url: url.to_string(),
                        api_key: api_key.map(|key| key.reveal().to_owned()),
                    })
                    .await?,
                )
            }
            None => {
                let path = config.data.index_dir();
                std::fs::create_dir_all(&path).map_err(|source| LibraryError::Folder {
                    path: path.clone(),
                    source,
                })?;
                let open = tokio::task::spawn_blocking(move || EdgeStore::open(&path));
                Arc::new(open.await.map_err(|_| LibraryError::ShuttingDown)??)
            }
        };
        let library = Self {
            crm,
            knowledge: KnowledgeIndex::new(encoder.clone(), Arc::clone(&vectors), boundaries),
            products: RecordIndex::new(
                encoder.clone(),
                Arc::clone(&vectors),
                "products",
                &["category"],
            ),
            customers: RecordIndex::new(encoder.clone(), vectors, "customers", &["language"]),
            spelling: RwLock::new(Spelling::new(encoder.vocabulary())),
            encoder,
        };
        library.open_collections().await?;
        library.learn_all_words().await?;
        Ok(library)
    }

    /// Whether the index answers: a Qdrant server may be gone.
    ///
    /// # Errors
    /// [`LibraryError::Index`].
    pub(crate) async fn check(&self) -> Result<(), LibraryError> {
        self.knowledge.count(Filter::default()).await?;
        Ok(())
    }

    /// The passages for a query, best first: by meaning alone, in any language. Words that are shared put
    /// the wrong pages first more often than the right ones, in the measurements of `evals`.
    ///
    /// # Errors
    /// [`LibraryError::Index`].
    pub(crate) async fn search_knowledge(&self, query: &Query) -> Result<Vec<Hit>, LibraryError> {
        let request = SearchRequest {
            text: String::new(),
            embedding: Some(query.embedding.clone()),
            language: None,
            limit: query.limit,
            filter: Filter::default(),
            by: SearchBy::Meaning,
        };
        self.hits(&request).await
    }

    /// The products nearest to a wish, best first, with their similarity to it.
    ///
    /// # Errors
    /// [`LibraryError::Index`].
    pub(crate) async fn search_products(
        &self,
        text: String,
        embedding: Embedding,
        limit: usize,
    ) -> Result<Vec<(ProductId, f32)>, LibraryError> {
        let request = SearchRequest {
            text,
            embedding: Some(embedding),
            language: None,
            limit,
            filter: Filter::default(),
            by: SearchBy::Both,
        };
        let found = self.products.search(&request).await?;
        Ok(found
            .into_iter()
            .map(|hit| (ProductId(hit.id), hit.similarity))
            .collect())
    }

    /// The similarity of each of `texts` to a query, in their order.
    ///
    /// # Errors
    /// [`LibraryError::Encoder`].
    pub(crate) async fn similarity(
        &self,
        query: Embedding,
        texts: Vec<String>,
    ) -> Result<Vec<f32>, LibraryError> {
        let encoder = self.encoder.clone();
        let similarity = encoder.similarity();
        let embedded =
            tokio::task::spawn_blocking(move || encoder.embed_batch(&texts, Role::Passage)).await;
        let embedded = embedded.map_err(|_| LibraryError::ShuttingDown)??;
        Ok(embedded
            .iter()
            .map(|text| similarity.of(text.cosine(&query)))
            .collect())
    }

    async fn hits(&self, request: &SearchRequest) -> Result<Vec<Hit>, LibraryError> {
        let found = self.knowledge.search(request).await?;
        let hit = |hit: retrieval::Hit| Hit {
            document: hit.passage.document.clone(),
            ordinal: hit.passage.ordinal,
            title: hit.passage.topic(),
            internal: hit.passage.internal,
            language: hit.passage.language,
            text: hit.passage.text,
            blocks: hit.blocks,
            url: hit.passage.url,
            similarity: hit.similarity,
        };
        Ok(found.into_iter().map(hit).collect())
    }

    /// An English message with its misspelt words put right, by the company's own.
    pub(crate) fn spelled(&self, message: &str) -> String {
        self.spelling.read().correct(message).into_owned()
    }

    /// All products of the store, for the catalogue.
    ///
    /// # Errors
    /// [`LibraryError::Crm`].
    pub(crate) async fn all_products(&self) -> Result<Vec<Product>, LibraryError> {
        const PAGE: u32 = 500;
        let mut all: Vec<Product> = Vec::new();
        loop {
            let after = all.last().map(|product| product.id.as_str().to_owned());
            let page = self.crm.list_products(after.as_deref(), PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

impl Hit {
    /// Whether both are the same passage, found by different questions.
    pub(crate) fn is_same_passage(&self, other: &Self) -> bool {
        self.document == other.document && self.ordinal == other.ordinal
    }

    /// Makes it as near, line by line, as to the question that it is nearer to.
    pub(crate) fn join(&mut self, other: &Self) {
        self.similarity = self.similarity.max(other.similarity);
        let lines = |hit: &Self| -> Vec<f32> {
            let lines = hit.blocks.iter().flat_map(|block| &block.lines);
            lines.copied().collect()
        };
        let theirs = lines(other);
        let own = self.blocks.iter_mut().flat_map(|block| &mut block.lines);
        own.zip(theirs)
            .for_each(|(own, theirs)| *own = own.max(theirs));
    }
}
