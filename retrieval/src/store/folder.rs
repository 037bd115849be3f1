//! Generations of a collection on disk.
//!
//! `<collection>/<generation>/` holds the engine's files, `<collection>/current` names the
//! generation in use. That file is replaced in one step, so a crash leaves the old one or the new
//! one in use and never a half. What `current` does not name is left over and removed at opening.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::StoreError;

const CURRENT: &str = "current";

/// Bytes that must be free before the engine writes. It maps its files into memory and grows them
/// without asking for the space: where there is none, the system kills the process (SIGBUS).
const RESERVE: u64 = 64 << 20;

/// A collection's folder.
#[derive(Debug)]
pub(super) struct CollectionFolder(PathBuf);

impl CollectionFolder {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Creates the folder, or removes what a crash left in it.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        fs::create_dir_all(&self.0).map_err(disk(&self.0))?;
        self.remove_leftovers()
    }

    /// The generation in use. `None` for a new collection.
    pub(super) fn current(&self) -> Result<Option<GenerationFolder>, StoreError> {
        let name = match fs::read_to_string(self.0.join(CURRENT)) {
            Ok(name) => name,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk(&self.0)(error)),
        };
        let named = Uuid::parse_str(name.trim())
            .map_err(|error| disk(&self.0)(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Ok(Some(GenerationFolder::at(
            self.0.join(named.to_string()),
            true,
        )))
    }

    /// An empty folder for another generation, removed again unless it is [`Self::switch_to`].
    #[expect(
        clippy::disallowed_methods,
        reason = "generations of one index only need other names"
    )]
    pub(super) fn begin(&self) -> Result<GenerationFolder, StoreError> {
        let path = self.0.join(Uuid::now_v7().to_string());
        fs::create_dir(&path).map_err(disk(&path))?;
        Ok(GenerationFolder::at(path, false))
    }

    /// Puts `generation` in use, durably.
    pub(super) fn switch_to(&self, generation: &GenerationFolder) -> Result<(), StoreError> {
        self.write_current(generation).map_err(disk(&self.0))?;
        generation.keep.store(true, Ordering::Release);
        Ok(())
    }

    fn write_current(&self, generation: &GenerationFolder) -> io::Result<()> {
        let name = generation.path.file_name().unwrap_or_default();
        let draft = self.0.join("current.new");
        let mut file = File::create(&draft)?;
        file.write_all(name.as_encoded_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, self.0.join(CURRENT))?;
        // The rename itself lasts once the folder is on disk.
        File::open(&self.0)?.sync_all()
    }

    /// Removes what a crash left behind.
    pub(super) fn remove_leftovers(&self) -> Result<(), StoreError> {
        let current = self.current()?;
        for entry in fs::read_dir(&self.0).map_err(disk(&self.0))? {
            let path = entry.map_err(disk(&self.0))?.path();
            let in_use = current.as_ref().is_some_and(|current| current.path == path);
            if path.is_dir() && !in_use {
                tracing::info!(folder = %path.display(), "removing an unfinished index");
                fs::remove_dir_all(&path).map_err(disk(&path))?;
            }
        }
        Ok(())
    }
}

/// One generation's folder. Dropping it removes the folder, unless that is in use.
#[derive(Debug)]
pub(super) struct GenerationFolder {
    path: PathBuf,
    keep: AtomicBool,
}

impl GenerationFolder {
    fn at(path: PathBuf, keep: bool) -> Self {
        Self {
            path,
            keep: AtomicBool::new(keep),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses to let the engine write where the disk is nearly full. `copies` is how many times the
    /// generation as it is will be written once more.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`]; [`StoreError::Disk`] when the folder cannot be looked at.
    pub(super) fn check_room(&self, copies: u64) -> Result<(), StoreError> {
        let mut needed = RESERVE;
        if copies > 0 {
            needed += copies * allocated(&self.path).map_err(disk(&self.path))?;
        }
        let free = fs4::available_space(&self.path).map_err(disk(&self.path))?;
        if free >= needed {
            return Ok(());
        }
        Err(StoreError::NoRoom {
            folder: self.path.display().to_string(),
            needed_mib: needed.div_ceil(1 << 20),
            free_mib: free >> 20,
        })
    }

    /// From now on the folder goes when its last user does.
    pub(super) fn retire(&self) {
        self.keep.store(false, Ordering::Release);
    }
}

impl Drop for GenerationFolder {
    fn drop(&mut self) {
        if self.keep.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "an old index was not removed");
        }
    }
}

/// Bytes on disk of what is in `folder`: its files are mostly holes.
fn allocated(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            allocated(&entry.path())?
        } else {
            on_disk(&metadata)
        };
    }
    Ok(bytes)
}

#[cfg(unix)]
fn on_disk(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn on_disk(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Says which folder an I/O error is about.
pub(super) fn disk(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    |source| StoreError::Disk {
        folder: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &CollectionFolder) -> usize {
        fs::read_dir(&folder.0)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().is_dir())
            .count()
    }

    fn fresh(home: &tempfile::TempDir) -> CollectionFolder {
        let folder = CollectionFolder::at(home.path().join("knowledge"));
        folder.prepare().unwrap();
        folder
    }

    #[test]
    fn a_generation_that_is_not_switched_to_leaves_no_trace() {
        let home = tempfile::tempdir().unwrap();
        let folder = fresh(&home);
        let generation = folder.begin().unwrap();
        fs::write(generation.path().join("segment"), "points").unwrap();
        assert_eq!(names(&folder), 1);
        drop(generation);
        assert_eq!(names(&folder), 0);
        assert!(folder.current().unwrap().is_none());
    }

    #[test]
    fn switching_keeps_the_new_generation_and_retiring_removes_the_old() {
        let home = tempfile::tempdir().unwrap();
        let folder = fresh(&home);
        let (old, new) = (folder.begin().unwrap(), folder.begin().unwrap());
        folder.switch_to(&old).unwrap();
        folder.switch_to(&new).unwrap();
        old.retire();
        let new_path = new.path().to_owned();
        drop((old, new));
        assert_eq!(names(&folder), 1);
        assert_eq!(folder.current().unwrap().unwrap().path(), new_path);
    }

    #[test]
    fn what_a_crash_left_behind_is_removed_and_the_generation_in_use_is_not() {
        let home = tempfile::tempdir().unwrap();
        let folder = fresh(&home);
        let current = folder.begin().unwrap();
        folder.switch_to(&current).unwrap();
        std::mem::forget(folder.begin().unwrap());
        assert_eq!(names(&folder), 2);
        folder.remove_leftovers().unwrap();
        assert_eq!(names(&folder), 1);
        assert!(current.path().is_dir());
    }

    #[test]
    fn writing_is_refused_where_the_disk_has_no_room_for_another_copy() {
        let home = tempfile::tempdir().unwrap();
        let generation = fresh(&home).begin().unwrap();
        fs::write(generation.path().join("segment"), [1; 8192]).unwrap();
        generation.check_room(1).unwrap();
        let refused = generation.check_room(u64::from(u32::MAX)).unwrap_err();
        assert!(matches!(refused, StoreError::NoRoom { .. }), "{refused}");
        assert!(refused.to_string().contains("make room"), "{refused}");
    }

    #[test]
    fn a_damaged_current_file_is_an_error_and_nothing_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = fresh(&home);
        std::mem::forget(folder.begin().unwrap());
        fs::write(folder.0.join(CURRENT), "\0\0\0").unwrap();
        assert!(matches!(
            folder.remove_leftovers(),
            Err(StoreError::Disk { .. })
        ));
        assert_eq!(names(&folder), 1);
    }
}
