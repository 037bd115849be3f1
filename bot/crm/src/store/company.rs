//! Products and knowledge documents, and the marks of the indexes that follow all changes.
//!
//! Every change draws a revision, see [`Change`]. A record that is written again as it was keeps
//! its revision, so that importing a file twice gives an index nothing to do.

use crate::changes::Change;
use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Adds or replaces products, all or none. A removed product comes back.
    pub async fn upsert_products(&self, products: &[Product]) -> Result<(), CrmError> {
        write_with!(self, company::upsert_products(products))
    }

    /// Adds or replaces documents, all or none. A removed document comes back.
    pub async fn upsert_documents(&self, documents: &[Document]) -> Result<(), CrmError> {
        write_with!(self, company::upsert_documents(documents))
    }

    /// Removes products, all or none, and gives their number; ids that are not there are passed
    /// over. Orders keep what they say of a product.
    pub async fn remove_products(&self, ids: &[ProductId]) -> Result<u64, CrmError> {
        write_with!(self, company::remove_products(ids))
    }

    /// Removes documents, all or none, and gives their number; ids that are not there are passed
    /// over.
    pub async fn remove_documents(&self, ids: &[DocumentId]) -> Result<u64, CrmError> {
        write_with!(self, company::remove_documents(ids))
    }

    /// The document of that id.
    pub async fn find_document(&self, id: &DocumentId) -> Result<Option<Document>, CrmError> {
        read_with!(self, company::find_document(id))
    }

    /// At most `limit` products by id; `after_id` is the last one seen.
    pub async fn list_products(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Product>, CrmError> {
        read_with!(self, company::list_products(after_id, limit))
    }

    /// At most `limit` documents by id; `after_id` is the last one seen.
    pub async fn list_documents(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, CrmError> {
        read_with!(self, company::list_documents(after_id, limit))
    }

    /// At most `limit` products changed or removed after `after_revision`, in order of change.
    pub async fn changed_products(
        &self,
        after_revision: i64,
        limit: u32,
    ) -> Result<Vec<Change<Product>>, CrmError> {
        read_with!(self, changes::products(after_revision, limit))
    }

    /// At most `limit` documents changed or removed after `after_revision`, in order of change.
    pub async fn changed_documents(
        &self,
        after_revision: i64,
        limit: u32,
    ) -> Result<Vec<Change<Document>>, CrmError> {
        read_with!(self, changes::documents(after_revision, limit))
    }

    /// What the index called `name` last noted of itself.
    pub async fn index_mark(&self, name: &str) -> Result<Option<serde_json::Value>, CrmError> {
        read_with!(self, changes::mark(name))
    }

    /// Notes how far the index called `name` has come.
    pub async fn set_index_mark(
        &self,
        name: &str,
        value: &serde_json::Value,
    ) -> Result<(), CrmError> {
        write_with!(self, changes::set_mark(name, value))
    }
}
