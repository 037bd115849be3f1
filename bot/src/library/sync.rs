//! Taking the store's changes into the index, and building it anew.

use crm::{Change, Customer, Document, Product, Store};
use retrieval::{Entry, Filter, IndexError, Progress, RecordIndex, StoreError};
use serde_json::json;

use super::{Library, LibraryError, entries};

/// Changes taken in at a time.
const BATCH: u32 = 256;
/// Raised with every change of what is written into the index: everything is then taken in again.
pub const INDEX_LAYOUT: i64 = 5;
/// Mark of a rebuild asked for by `frontdesk index` of a running server.
pub(crate) const REBUILD_REQUESTED: &str = "rebuild_requested";
/// Mark of the last rebuild that is done.
pub(crate) const REBUILD_DONE: &str = "rebuild_done";

/// What a sync took in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SyncReport {
    /// Documents changed or removed.
    pub documents: usize,
    /// Products changed or removed.
    pub products: usize,
    /// Customers changed.
    pub customers: usize,
}

impl SyncReport {
    /// Whether nothing had changed.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Library {
    /// Opens the three collections; what another version or encoder built is built anew.
    pub(super) async fn open_collections(&self) -> Result<(), LibraryError> {
        if is_foreign(self.knowledge.open().await)? {
            self.rebuild_knowledge(&|_| {}).await?;
        } else if self.knowledge.count(Filter::default()).await? == 0 {
            // A new or lost index: take everything in again.
            self.set_mark("knowledge", 0).await?;
        }
        self.open_records("products", &self.products).await?;
        self.open_records("customers", &self.customers).await
    }

    async fn open_records(&self, name: &str, records: &RecordIndex) -> Result<(), LibraryError> {
        if is_foreign(records.open().await)? {
            records.rebuild(Vec::new(), &|_| {}).await?;
        }
        if records.count().await? == 0 {
            self.set_mark(name, 0).await?;
        }
        Ok(())
    }

    /// Takes in what has changed in the store since the last time.
    ///
    /// # Errors
    /// [`LibraryError`]; what was taken in before it stays.
    pub(crate) async fn sync(
        &self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<SyncReport, LibraryError> {
        Ok(SyncReport {
            documents: self.sync_documents(progress).await?,
            products: self.sync_products().await?,
            customers: self.sync_customers().await?,
        })
    }

    /// Builds all collections anew beside those in use, and switches over.
    ///
    /// # Errors
    /// [`LibraryError`]; the old collections stay in use.
    pub(crate) async fn rebuild(
        &self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), LibraryError> {
        self.rebuild_knowledge(progress).await?;
        let (products, mark) = gather(&self.crm, Feed::Products).await?;
        self.products.rebuild(products, progress).await?;
        self.set_mark("products", mark).await?;
        let (customers, mark) = gather(&self.crm, Feed::Customers).await?;
        self.customers.rebuild(customers, progress).await?;
        self.set_mark("customers", mark).await
    }

    /// Learns the words of all that is in the store.
    pub(super) async fn learn_all_words(&self) -> Result<(), LibraryError> {
        self.learn_words(&self.all_products().await?, product_words);
        let mut mark = 0;
        loop {
            let changes = self.crm.changed_documents(mark, BATCH).await?;
            let Some(last) = changes.last() else {
                return Ok(());
            };
            mark = last.revision();
            self.learn_words(&split(changes).0, document_words);
        }
    }

    /// Words of what is removed stay known: they are words all the same.
    fn learn_words<T>(&self, records: &[T], words: fn(&T) -> Vec<&str>) {
        let mut spelling = self.spelling.write();
        let texts = records.iter().flat_map(words);
        texts.for_each(|text| spelling.learn(text));
    }

    async fn rebuild_knowledge(
        &self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), LibraryError> {
        let mut documents = Vec::new();
        let mut mark = 0;
        loop {
            let changes = self.crm.changed_documents(mark, BATCH).await?;
            let Some(last) = changes.last() else { break };
            mark = last.revision();
            let (records, _) = split(changes);
            documents.extend(records.into_iter().map(entries::document));
        }
        self.knowledge.rebuild(&documents, progress).await?;
        self.set_mark("knowledge", mark).await
    }

    async fn sync_documents(
        &self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<usize, LibraryError> {
        let mut taken = 0;
        loop {
            let mark = self.mark("knowledge").await?;
            let changes: Vec<Change<Document>> = self.crm.changed_documents(mark, BATCH).await?;
            let Some(last) = changes.last().map(Change::revision) else {
                return Ok(taken);
            };
            taken += changes.len();
            let (records, removed) = split(changes);
            for id in removed {
                self.knowledge.remove_document(&id).await?;
            }
            self.learn_words(&records, document_words);
            let documents: Vec<_> = records.into_iter().map(entries::document).collect();
            self.knowledge.index(&documents, progress).await?;
            self.set_mark("knowledge", last).await?;
        }
    }

    async fn sync_products(&self) -> Result<usize, LibraryError> {
        let mut taken = 0;
        loop {
            let mark = self.mark("products").await?;
            let changes: Vec<Change<Product>> = self.crm.changed_products(mark, BATCH).await?;
            let Some(last) = changes.last().map(Change::revision) else {
                return Ok(taken);
            };
            taken += changes.len();
            let (records, removed) = split(changes);
            self.learn_words(&records, product_words);
            let ids: Vec<&str> = removed.iter().map(String::as_str).collect();
            self.products.remove(&ids).await?;
            self.products
                .upsert(records.iter().map(entries::product).collect())
                .await?;
            self.set_mark("products", last).await?;
        }
    }

    async fn sync_customers(&self) -> Result<usize, LibraryError> {
        let mut taken = 0;
        loop {
            let mark = self.mark("customers").await?;
            let changes: Vec<Change<Customer>> = self.crm.changed_customers(mark, BATCH).await?;
            let Some(last) = changes.last().map(Change::revision) else {
                return Ok(taken);
            };
            taken += changes.len();
            let (records, _) = split(changes);
            self.customers
                .upsert(records.iter().map(entries::customer).collect())
                .await?;
            self.set_mark("customers", last).await?;
        }
    }

    async fn mark(&self, collection: &str) -> Result<i64, LibraryError> {
        let mark = self.crm.index_mark(collection).await?;
        let number = |key: &str| mark.as_ref()?.get(key)?.as_i64();
        let is_ours = number("layout") == Some(INDEX_LAYOUT);
        let encoder = mark.as_ref().and_then(|mark| mark.get("encoder")?.as_str());
        let is_ours = is_ours && encoder == Some(self.encoder.name());
        Ok(number("revision").filter(|_| is_ours).unwrap_or(0))
    }

    async fn set_mark(&self, collection: &str, revision: i64) -> Result<(), LibraryError> {
        Ok(self
            .crm
            .set_index_mark(
                collection,
                &json!({
                    "revision": revision,
                    "layout": INDEX_LAYOUT,
                    "encoder": self.encoder.name(),
                }),
            )
            .await?)
    }
}

/// Whether the collection was built by another version or encoder.
fn is_foreign(opened: Result<(), IndexError>) -> Result<bool, LibraryError> {
    match opened {
        Ok(()) => Ok(false),
        Err(IndexError::Store(StoreError::OtherConfig(collection))) => {
            tracing::warn!(
                "the collection {collection} is built anew: it was made for another encoder"
            );
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

fn document_words(document: &Document) -> Vec<&str> {
    vec![&document.title, &document.content]
}

fn product_words(product: &Product) -> Vec<&str> {
    let parts = [
        Some(&product.name),
        product.category.as_ref(),
        product.description.as_ref(),
    ];
    parts.into_iter().flatten().map(String::as_str).collect()
}

/// The records to take in, and the ids to forget.
fn split<T>(changes: Vec<Change<T>>) -> (Vec<T>, Vec<String>) {
    let (mut records, mut removed) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Upsert { record, .. } => records.push(record),
            Change::Remove { id, .. } => removed.push(id),
        }
    }
    (records, removed)
}

#[derive(Clone, Copy)]
enum Feed {
    Products,
    Customers,
}

/// All entries of a feed, and its last revision.
async fn gather(crm: &Store, feed: Feed) -> Result<(Vec<Entry>, i64), LibraryError> {
    let mut all = Vec::new();
    let mut mark = 0;
    loop {
        let last = match feed {
            Feed::Products => {
                let changes = crm.changed_products(mark, BATCH).await?;
                let last = changes.last().map(Change::revision);
                all.extend(split(changes).0.iter().map(entries::product));
                last
            }
            Feed::Customers => {
                let changes = crm.changed_customers(mark, BATCH).await?;
                let last = changes.last().map(Change::revision);
                all.extend(split(changes).0.iter().map(entries::customer));
                last
            }
        };
        match last {
            Some(revision) => mark = revision,
            None => return Ok((all, mark)),
        }
    }
}
