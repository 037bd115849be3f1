//! Finding things by meaning and by words.
//!
//! - [`Encoder`] turns a text into an [`Embedding`], the one vector that intent, sentiment and
//!   search all use.
//! - [`VectorStore`] keeps points in Qdrant, in this process ([`EdgeStore`]) or on a server
//!   ([`ServerStore`]), and searches them by dense vectors and BM25 together.
//! - [`chunk`] cuts documents into passages, [`blocks`] a passage into the pieces that make sense
//!   alone.
//! - [`KnowledgeIndex`] and [`RecordIndex`] put these together: documents, and structured entries
//!   such as products, go in as text and come out as hits.
//!
//! This crate knows nothing of customers, conversations or HTTP.

mod chunk;
mod embedding;
mod encoder;
mod index;
mod knowledge;
mod records;
mod similarity;
mod store;

pub use chunk::{Block, Document, Passage, PassageLength, blocks, chunk, chunk_to};
pub use embedding::{Embedding, NoDirection};
pub use encoder::{
    Asked, BRANCHES_AT, Branch, Damage, EmbeddedPassage, Encoder, EncoderError, EncoderFiles,
    JointReading, Layer, Linear, Norm, Reading, Role, Titled,
};
pub use index::{IndexError, OnProgress, Progress, SearchBy, SearchRequest};
pub use knowledge::{Hit, KnowledgeIndex, NearBlock};
pub use records::{Entry, EntryHit, RecordIndex};
pub use similarity::Similarity;
pub use store::{
    CollectionConfig, Condition, DensePrefetch, EdgeStore, FieldValue, Filter, Point, Query,
    Rebuild, Record, ScoredPoint, Selection, ServerConfig, ServerStore, StoreError, TextPrefetch,
    VectorStore,
};
