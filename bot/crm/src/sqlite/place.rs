//! Where a test's store is: a file in a folder of its own.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::store::Store;

/// A place for a store, gone when the test ends.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("crm.db")
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.file()).await.unwrap()
    }
}
