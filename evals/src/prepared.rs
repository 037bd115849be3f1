//! Prepared worlds: data folders that are filled and indexed once and copied for every replay.
//!
//! They are kept under `$XDG_CACHE_HOME/frontdesk/worlds` (else `~/.cache/...`), named by the world
//! and a hash of everything that went into them: its records, the server of its index, the encoder and
//! the layout that this program writes. A replay works on a copy, so no conversation
//! ever leaks into the next one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use frontdesk::Config;
use sha2::{Digest, Sha256};

use crate::worlds::Body;

/// Prepared folders kept of each world; older ones are deleted.
const KEPT: usize = 3;

/// Where prepared worlds lie.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    root: PathBuf,
}

impl Shelf {
    /// The user's own shelf; `None` where there is no home.
    pub(crate) fn of_user() -> Option<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))?;
        Some(Self {
            root: cache.join("frontdesk").join("worlds"),
        })
    }

    /// Copies the world of this name into the folder `to`, which is made; `false` where it is not here. None is
    /// deleted meanwhile.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn take(&self, name: &str, to: &Path) -> io::Result<bool> {
        let lock = self.lock()?;
        lock.lock_shared()?;
        let place = self.place(name);
        let is_here = place.is_dir();
        if is_here {
            copy(&place, to)?;
        }
        Ok(is_here)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The file to lock, shared to copy from the shelf, exclusively to delete from it.
    fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.root)?;
        File::create(self.root.join(".lock"))
    }

    /// A folder to prepare a world in, deleted unless it is put on the shelf.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn workbench(&self) -> io::Result<tempfile::TempDir> {
        fs::create_dir_all(&self.root)?;
        tempfile::Builder::new()
            .prefix(".preparing-")
            .tempdir_in(&self.root)
    }

    /// Puts a prepared folder of this kind on the shelf under `name`, which begins with the kind's.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn put(
        &self,
        prepared: tempfile::TempDir,
        kind: &str,
        name: &str,
    ) -> io::Result<()> {
        let place = self.place(name);
        match fs::rename(prepared.path(), &place) {
            Ok(()) => {
                // Moved away: there is nothing left to delete.
                let _ = prepared.keep();
                self.prune(kind)
            }
            // Another run has prepared the same in the meantime: theirs is as good.
            Err(_) if place.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes all but the newest folders of a kind. While somebody copies, that is left to whoever puts one
    /// here next.
    fn prune(&self, kind: &str) -> io::Result<()> {
        let lock = self.lock()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut folders: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!("{kind}-"))
            {
                folders.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        folders.sort();
        let old = folders.len().saturating_sub(KEPT);
        folders
            .into_iter()
            .take(old)
            .try_for_each(|(_, folder)| fs::remove_dir_all(folder))
    }
}

/// The name of a world of this kind as prepared from `body` under `config` by this program.
///
/// # Errors
/// What the serializer says of the records.
pub(crate) fn name(kind: &str, body: &Body, config: &Config) -> io::Result<String> {
    let digest = Sha256::new()
        .chain_update(serde_json::to_vec(body)?)
        .chain_update(serde_json::to_vec(&config.retrieval.qdrant_url)?)
        .chain_update(&config.models.encoder)
        .chain_update(frontdesk::INDEX_LAYOUT.to_le_bytes())
        .finalize();
    let hash: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("{kind}-{hash}"))
}

/// Copies all files of `from` into `to`, which is made.
///
/// # Errors
/// What the file system says.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::World;

    fn shelf(folder: &tempfile::TempDir) -> Shelf {
        Shelf {
            root: folder.path().join("worlds"),
        }
    }

    fn put(shelf: &Shelf, name: &str, text: &str) {
        let bench = shelf.workbench().unwrap();
        fs::create_dir(bench.path().join("index")).unwrap();
        fs::write(bench.path().join("index/points"), text).unwrap();
        shelf.put(bench, "shop", name).unwrap();
    }

    /// The worlds' names, sorted.
    fn on_the_shelf(shelf: &Shelf) -> Vec<String> {
        let entries = fs::read_dir(&shelf.root).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".lock").collect();
        names.sort();
        names
    }

    #[test]
    fn a_prepared_world_is_copied_whole() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(&folder);
        put(&shelf, "shop-1", "a");
        let copied = folder.path().join("run/data");
        assert!(!shelf.take("shop-2", &copied).unwrap());
        assert!(shelf.take("shop-1", &copied).unwrap());
        assert_eq!(
            fs::read_to_string(copied.join("index/points")).unwrap(),
            "a"
        );
    }

    #[test]
    fn what_another_run_prepared_first_stays() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(&folder);
        put(&shelf, "shop-1", "first");
        put(&shelf, "shop-1", "second");
        let points = shelf.place("shop-1").join("index/points");
        assert_eq!(fs::read_to_string(points).unwrap(), "first");
        assert_eq!(on_the_shelf(&shelf), ["shop-1"], "the workbench is cleared");
    }

    #[test]
    fn only_the_newest_of_a_world_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(&folder);
        fs::create_dir_all(shelf.place("bank-knowledge-1")).unwrap();
        for number in 0..KEPT + 2 {
            put(&shelf, &format!("shop-{number}"), "x");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let newest = ["bank-knowledge-1", "shop-2", "shop-3", "shop-4"];
        assert_eq!(on_the_shelf(&shelf), newest);
    }

    #[test]
    fn none_is_deleted_while_somebody_copies() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(&folder);
        put(&shelf, "shop-0", "x");
        let copying = shelf.lock().unwrap();
        copying.lock_shared().unwrap();
        for number in 1..=KEPT {
            put(&shelf, &format!("shop-{number}"), "x");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(on_the_shelf(&shelf).len(), KEPT + 1);
        drop(copying);
        put(&shelf, "shop-9", "x");
        assert_eq!(on_the_shelf(&shelf), ["shop-2", "shop-3", "shop-9"]);
    }

    #[test]
    fn a_world_is_named_by_what_is_in_it() {
        let worlds = Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds");
        let (mut body, config) = (World::Shop.load(&worlds).unwrap(), Config::default());
        let before = name("shop", &body, &config).unwrap();
        assert!(before.starts_with("shop-"));
        assert_eq!(name("shop", &body, &config).unwrap(), before);
        body.documents[0].content.push('.');
        assert_ne!(name("shop", &body, &config).unwrap(), before);
    }
}
