//! The embedded store: the Qdrant engine in this process, a folder for each collection.
//!
//! The engine blocks, so every call runs on a blocking thread. A search takes a handle on the
//! generation in use and keeps it to its end: a switch never takes the ground from under it.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard, RwLock};
use uuid::Uuid;

use super::folder::{CollectionFolder, disk};
use super::generation::Generation;
use super::point::{CollectionConfig, Filter, Point, Query, Record, ScoredPoint, Selection};
use super::sparse::Bm25;
use super::{
    Change, Rebuild, StoreError, VectorStore, check_collection, check_points, check_query, engine,
};

/// Changes made while a rebuild runs. The rebuild owns it; the collection knows it while it lives.
type Journal = Mutex<Vec<Change>>;

/// Collections in a folder of this machine. One process may have it open.
pub struct EdgeStore {
    root: PathBuf,
    bm25: Arc<Bm25>,
    collections: RwLock<HashMap<String, Arc<Collection>>>,
    /// Locked for as long as the store lives.
    _lock: File,
}

struct Collection {
    name: String,
    folder: CollectionFolder,
    /// `None` while there is no generation that fits: before the first rebuild.
    current: RwLock<Option<Arc<Generation>>>,
    /// Held during every write, so that none falls between the old generation and the new.
    writes: Mutex<Writes>,
}

#[derive(Default)]
struct Writes {
    /// The folder exists, and what a crash left in it is gone.
    tidy: bool,
    /// Of the rebuild that runs.
    journal: Weak<Journal>,
}

impl EdgeStore {
    /// Opens the store in `root`, creating the folder where there is none. Blocks shortly.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process, or another store here, has it open.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(root).map_err(disk(root))?;
        let lock = File::create(root.join(".lock")).map_err(disk(root))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse {
                folder: root.display().to_string(),
            },
            TryLockError::Error(source) => disk(root)(source),
        })?;
        Ok(Self {
            root: root.to_owned(),
            bm25: Arc::new(Bm25::new().map_err(engine)?),
            collections: RwLock::default(),
            _lock: lock,
        })
    }

    /// The collection's entry, made where there is none; nothing is on disk yet then.
    fn entry(&self, name: &str) -> Arc<Collection> {
        let mut collections = self.collections.write();
        let entry = collections.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Collection {
                name: name.to_owned(),
                folder: CollectionFolder::at(self.root.join(name)),
                current: RwLock::default(),
                writes: Mutex::default(),
            })
        });
        Arc::clone(entry)
    }

    fn collection(&self, name: &str) -> Result<Arc<Collection>, StoreError> {
        let found = self.collections.read().get(name).cloned();
        found.ok_or_else(|| StoreError::UnknownCollection(name.to_owned()))
    }

    fn generation(&self, name: &str) -> Result<Arc<Generation>, StoreError> {
        self.collection(name)?.generation()
    }

    async fn write(&self, name: &str, change: Change) -> Result<(), StoreError> {
        let (collection, bm25) = (self.collection(name)?, Arc::clone(&self.bm25));
        blocking(move || collection.write(change, &bm25)).await
    }
}

impl Collection {
    fn generation(&self) -> Result<Arc<Generation>, StoreError> {
        let current = self.current.read().clone();
        current.ok_or_else(|| StoreError::UnknownCollection(self.name.clone()))
    }

    /// Waits for its turn to write.
    fn writes(&self) -> Result<MutexGuard<'_, Writes>, StoreError> {
        let mut writes = self.writes.lock();
        if !writes.tidy {
            self.folder.prepare()?;
            writes.tidy = true;
        }
        Ok(writes)
    }

    /// Loads the generation in use, or creates the first.
    fn open(&self, config: CollectionConfig) -> Result<(), StoreError> {
        let _writing = self.writes()?;
        if let Some(open) = self.current.read().as_ref() {
            return self.check_config(open.config() == &config);
        }
        let generation = match self.folder.current()? {
            Some(folder) => Generation::load(folder, config)?,
            None => {
                let generation = Generation::create(self.folder.begin()?, config)?;
                generation.flush();
                self.folder.switch_to(generation.folder())?;
                Some(generation)
            }
        };
        self.check_config(generation.is_some())?;
        *self.current.write() = generation.map(Arc::new);
        Ok(())
    }

    fn check_config(&self, fits: bool) -> Result<(), StoreError> {
        if fits {
            Ok(())
        } else {
            Err(StoreError::OtherConfig(self.name.clone()))
        }
    }

    fn write(&self, change: Change, bm25: &Bm25) -> Result<(), StoreError> {
        let writes = self.writes()?;
        let generation = self.generation()?;
        if let Change::Upsert(points) = &change {
            check_points(&self.name, generation.config(), points)?;
        }
        generation.apply(&change, bm25)?;
        generation.flush();
        if let Some(journal) = writes.journal.upgrade() {
            journal.lock().push(change);
        }
        Ok(())
    }

    fn begin_rebuild(&self) -> Result<Arc<Journal>, StoreError> {
        let mut writes = self.writes()?;
        if writes.journal.strong_count() > 0 {
            return Err(StoreError::RebuildRunning(self.name.clone()));
        }
        let journal = Arc::new(Journal::default());
        writes.journal = Arc::downgrade(&journal);
        Ok(journal)
    }

    /// Repeats on `next` what happened meanwhile, and puts it in use.
    fn switch(
        &self,
        next: Arc<Generation>,
        journal: &Journal,
        bm25: &Bm25,
    ) -> Result<(), StoreError> {
        let _writing = self.writes()?;
        for change in std::mem::take(&mut *journal.lock()) {
            if let Change::Upsert(points) = &change {
                check_points(&self.name, next.config(), points)?;
            }
            next.apply(&change, bm25)?;
        }
        next.flush();
        self.folder.switch_to(next.folder())?;
        let old = self.current.write().replace(next);
        match old {
            Some(old) => old.folder().retire(),
            // A generation of another config was never opened: it is left over from now on.
            None => self.folder.remove_leftovers()?,
        }
        Ok(())
    }
}

#[async_trait]
impl VectorStore for EdgeStore {
    async fn open_collection(
        &self,
        collection: &str,
        config: &CollectionConfig,
    ) -> Result<(), StoreError> {
        check_collection(collection, config)?;
        let (entry, config) = (self.entry(collection), config.clone());
        blocking(move || entry.open(config)).await
    }

    async fn upsert(&self, collection: &str, points: Vec<Point>) -> Result<(), StoreError> {
        self.write(collection, Change::Upsert(points)).await
    }

    async fn retrieve(&self, collection: &str, ids: &[Uuid]) -> Result<Vec<Record>, StoreError> {
        let (generation, ids) = (self.generation(collection)?, ids.to_vec());
        blocking(move || generation.retrieve(&ids)).await
    }

    async fn query(&self, collection: &str, query: Query) -> Result<Vec<ScoredPoint>, StoreError> {
        let (generation, bm25) = (self.generation(collection)?, Arc::clone(&self.bm25));
        check_query(collection, generation.config(), &query)?;
        blocking(move || generation.query(&query, &bm25)).await
    }

    async fn delete(&self, collection: &str, selection: Selection) -> Result<(), StoreError> {
        self.write(collection, Change::Delete(selection)).await
    }

    async fn count(&self, collection: &str, filter: Filter) -> Result<usize, StoreError> {
        let generation = self.generation(collection)?;
        blocking(move || generation.count(&filter)).await
    }

    async fn begin_rebuild(
        &self,
        collection: &str,
        config: &CollectionConfig,
    ) -> Result<Box<dyn Rebuild>, StoreError> {
        check_collection(collection, config)?;
        let (entry, config) = (self.entry(collection), config.clone());
        let bm25 = Arc::clone(&self.bm25);
        blocking(move || {
            let journal = entry.begin_rebuild()?;
            let next = Arc::new(Generation::create(entry.folder.begin()?, config)?);
            let rebuild = EdgeRebuild {
                next,
                collection: entry,
                journal,
                bm25,
            };
            Ok(Box::new(rebuild) as Box<dyn Rebuild>)
        })
        .await
    }

    async fn optimize(&self, collection: &str) -> Result<(), StoreError> {
        let collection = self.collection(collection)?;
        blocking(move || {
            let _writing = collection.writes()?;
            let generation = collection.generation()?;
            generation.optimize()?;
            generation.flush();
            Ok(())
        })
        .await
    }
}

/// The folder of `next` goes with it, unless it was switched to.
struct EdgeRebuild {
    next: Arc<Generation>,
    collection: Arc<Collection>,
    journal: Arc<Journal>,
    bm25: Arc<Bm25>,
}

#[async_trait]
impl Rebuild for EdgeRebuild {
    async fn upsert(&mut self, points: Vec<Point>) -> Result<(), StoreError> {
        check_points(&self.collection.name, self.next.config(), &points)?;
        let (next, bm25) = (Arc::clone(&self.next), Arc::clone(&self.bm25));
        blocking(move || next.apply(&Change::Upsert(points), &bm25)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        blocking(move || {
            let Self {
                next,
                collection,
                journal,
                bm25,
            } = *self;
            next.optimize()?;
            collection.switch(next, &journal, &bm25)
        })
        .await
    }
}

/// Runs engine work on a thread that may block. The engine panics when the disk fails or is full.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(engine)?
}
