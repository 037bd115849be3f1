//! The server store: a Qdrant server by its address, for several machines or large collections.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use qdrant_client::qdrant as api;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

use super::connection::{ANSWER, Connection, ServerConfig, WRITE};
use super::point::{CollectionConfig, Filter, Point, Query, Record, ScoredPoint, Selection};
use super::wire::{self, Reading};
use super::{
    Change, Rebuild, StoreError, VectorStore, check_collection, check_points, check_query,
};

/// Collections on a Qdrant server.
pub struct ServerStore {
    server: Arc<Connection>,
    collections: RwLock<HashMap<String, Arc<Collection>>>,
}

type Journal = Mutex<Vec<Change>>;

struct Collection {
    name: String,
    /// `None` before the first rebuild of a collection that did not fit.
    config: RwLock<Option<CollectionConfig>>,
    /// Held during every write, so that none falls between the old generation and the new.
    writes: AsyncMutex<Weak<Journal>>,
}

impl ServerStore {
    /// Connects, and makes sure that the server answers.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] after three seconds without an answer, [`StoreError::Refused`]
    /// where the server wants another key.
    pub async fn connect(config: &ServerConfig) -> Result<Self, StoreError> {
        Ok(Self {
            server: Arc::new(Connection::open(config).await?),
            collections: RwLock::default(),
        })
    }

    fn entry(&self, name: &str) -> Arc<Collection> {
        let mut collections = self.collections.write();
        let entry = collections.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Collection {
                name: name.to_owned(),
                config: RwLock::default(),
                writes: AsyncMutex::default(),
            })
        });
        Arc::clone(entry)
    }

    fn collection(&self, name: &str) -> Result<(Arc<Collection>, CollectionConfig), StoreError> {
        let collection = self.collections.read().get(name).cloned();
        let config = collection
            .as_ref()
            .and_then(|found| found.config.read().clone());
        collection
            .zip(config)
            .ok_or_else(|| StoreError::UnknownCollection(name.to_owned()))
    }

    async fn write(&self, name: &str, change: Change) -> Result<(), StoreError> {
        let (collection, _) = self.collection(name)?;
        let journal = collection.writes.lock().await;
        if let Change::Upsert(points) = &change {
            let (_, config) = self.collection(name)?;
            check_points(name, &config, points)?;
        }
        self.server.apply(name, &change).await?;
        if let Some(journal) = journal.upgrade() {
            journal.lock().push(change);
        }
        Ok(())
    }
}

#[async_trait]
impl VectorStore for ServerStore {
    async fn open_collection(
        &self,
        collection: &str,
        config: &CollectionConfig,
    ) -> Result<(), StoreError> {
        check_collection(collection, config)?;
        let entry = self.entry(collection);
        let _writing = entry.writes.lock().await;
        match self.server.current(collection).await? {
            Some(generation) => {
                if !self.server.fits(&generation, config).await? {
                    return Err(StoreError::OtherConfig(collection.to_owned()));
                }
            }
            None => {
                let generation = self.server.create(collection, config).await?;
                self.server.switch_to(&generation, collection).await?;
            }
        }
        *entry.config.write() = Some(config.clone());
        self.server.remove_leftovers(collection).await
    }

    async fn upsert(&self, collection: &str, points: Vec<Point>) -> Result<(), StoreError> {
        self.write(collection, Change::Upsert(points)).await
    }

    async fn retrieve(&self, collection: &str, ids: &[Uuid]) -> Result<Vec<Record>, StoreError> {
        self.collection(collection)?;
        let points: Vec<api::PointId> = ids.iter().map(|id| id.to_string().into()).collect();
        let request = api::GetPointsBuilder::new(collection, points).with_payload(true);
        let found = self
            .server
            .call(ANSWER, self.server.client.get_points(request))
            .await?
            .result;
        let records: HashMap<Uuid, Record> = found
            .into_iter()
            .map(|point| wire::record(point).map(|record| (record.id, record)))
            .collect::<Result<_, _>>()?;
        Ok(ids
            .iter()
            .filter_map(|id| records.get(id).cloned())
            .collect())
    }

    async fn query(&self, collection: &str, query: Query) -> Result<Vec<ScoredPoint>, StoreError> {
        let (_, config) = self.collection(collection)?;
        check_query(collection, &config, &query)?;
        let Some(request) = wire::request(collection, &query, &self.server.bm25) else {
            return Ok(Vec::new());
        };
        let found = self
            .server
            .call(ANSWER, self.server.client.query(request))
            .await?
            .result;
        let scored = found
            .into_iter()
            .map(|point| wire::scored_point(point, &query));
        Ok(query.ranked(scored.collect::<Result<_, _>>()?))
    }

    async fn delete(&self, collection: &str, selection: Selection) -> Result<(), StoreError> {
        self.write(collection, Change::Delete(selection)).await
    }

    async fn count(&self, collection: &str, filter: Filter) -> Result<usize, StoreError> {
        self.collection(collection)?;
        let Reading::Of(filter) = wire::filter(&filter) else {
            return Ok(0);
        };
        let request = api::CountPointsBuilder::new(collection)
            .filter(filter)
            .exact(true);
        let answer = self
            .server
            .call(ANSWER, self.server.client.count(request))
            .await?;
        Ok(answer.result.map_or(0, |counted| {
            usize::try_from(counted.count).unwrap_or(usize::MAX)
        }))
    }

    async fn begin_rebuild(
        &self,
        collection: &str,
        config: &CollectionConfig,
    ) -> Result<Box<dyn Rebuild>, StoreError> {
        check_collection(collection, config)?;
        let entry = self.entry(collection);
        let mut running = entry.writes.lock().await;
        if running.strong_count() > 0 {
            return Err(StoreError::RebuildRunning(collection.to_owned()));
        }
        let next = self.server.create(collection, config).await?;
        let journal = Arc::new(Journal::default());
        *running = Arc::downgrade(&journal);
        drop(running);
        Ok(Box::new(ServerRebuild {
            server: Arc::clone(&self.server),
            collection: entry,
            config: config.clone(),
            journal,
            next: Some(next),
        }))
    }

    /// The server tidies up by itself.
    async fn optimize(&self, collection: &str) -> Result<(), StoreError> {
        self.collection(collection).map(drop)
    }
}

struct ServerRebuild {
    server: Arc<Connection>,
    collection: Arc<Collection>,
    config: CollectionConfig,
    journal: Arc<Journal>,
    /// `None` once it is in use.
    next: Option<String>,
}

#[async_trait]
impl Rebuild for ServerRebuild {
    async fn upsert(&mut self, points: Vec<Point>) -> Result<(), StoreError> {
        check_points(&self.collection.name, &self.config, &points)?;
        match &self.next {
            Some(next) => self.server.apply(next, &Change::Upsert(points)).await,
            None => Ok(()),
        }
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let collection = Arc::clone(&self.collection);
        let _writing = collection.writes.lock().await;
        let meanwhile = std::mem::take(&mut *self.journal.lock());
        let Some(next) = self.next.clone() else {
            return Ok(());
        };
        for change in meanwhile {
            if let Change::Upsert(points) = &change {
                check_points(&collection.name, &self.config, points)?;
            }
            self.server.apply(&next, &change).await?;
        }
        let old = self.server.current(&collection.name).await?;
        self.server.switch_to(&next, &collection.name).await?;
        self.next = None;
        *collection.config.write() = Some(self.config.clone());
        if let Some(old) = old {
            self.server
                .call(WRITE, self.server.client.delete_collection(old))
                .await?;
        }
        Ok(())
    }
}

impl Drop for ServerRebuild {
    /// Where nothing runs any more to remove it, it is left over and goes a day later.
    fn drop(&mut self) {
        let Some(next) = self.next.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let server = Arc::clone(&self.server);
        runtime.spawn(async move {
            if let Err(error) = server
                .call(WRITE, server.client.delete_collection(&next))
                .await
            {
                tracing::warn!(%error, collection = next, "an unfinished index was not removed");
            }
        });
    }
}
