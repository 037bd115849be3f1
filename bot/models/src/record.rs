//! The sidecar record of a file: where its companion files are, and its [`Stamp`].

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::error::{During, FileError};

/// Where a model file belongs, and the files that stand beside it on the way there.
#[derive(Clone, Debug)]
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    /// The checksum of the finished file, so that it is not computed at every start.
    pub(crate) fn stamp(&self) -> PathBuf {
        self.beside("verified")
    }

    /// The parts that have arrived so far.
    pub(crate) fn partial(&self) -> PathBuf {
        self.beside("partial")
    }

    /// Which parts those are.
    pub(crate) fn journal(&self) -> PathBuf {
        self.beside("journal")
    }

    /// The folder a download from the hub goes through.
    pub(crate) fn hub_cache(&self) -> PathBuf {
        self.beside("hub")
    }

    /// What they are being converted to.
    pub(crate) fn converted(&self) -> PathBuf {
        self.beside("converted")
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.0.with_added_extension(extension)
    }
}

/// A checksum, and size and time of the file it was computed from: it holds while these do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) sha256: Checksum,
    size: u64,
    modified_ns: u64,
}

impl Stamp {
    /// `metadata` is from before `sha256` was computed: a change in between then shows.
    pub(crate) fn new(sha256: Checksum, metadata: &Metadata) -> Self {
        Self {
            sha256,
            size: metadata.len(),
            modified_ns: modified_ns(metadata),
        }
    }

    /// Whether the file still is the one the checksum was computed from.
    pub(crate) fn fits(&self, metadata: &Metadata) -> bool {
        self.size == metadata.len() && self.modified_ns == modified_ns(metadata)
    }
}

/// Nanoseconds since 1970 of the last change; 0 where the file system knows none.
fn modified_ns(metadata: &Metadata) -> u64 {
    let modified = metadata.modified().ok();
    let since_epoch = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_epoch
        .and_then(|age| u64::try_from(age.as_nanos()).ok())
        .unwrap_or(0)
}

/// Size and times of the file at `path`; `None` if there is no file.
pub(crate) fn find_metadata(path: &Path) -> Result<Option<Metadata>, FileError> {
    absent_as_none(fs::metadata(path)).during("look at", path)
}

/// The JSON at `path`; `None` if there is no file.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let text = absent_as_none(fs::read(path)).during("read", path)?;
    let parsed = text.map(|text| serde_json::from_slice(&text)).transpose();
    parsed.map_err(io::Error::from).during("understand", path)
}

/// Puts `value` at `path` as JSON, whole or not at all.
pub(crate) fn save<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    // The process id keeps two processes from writing one file between them.
    let fresh = path.with_added_extension(format!("{}.new", std::process::id()));
    let written = serde_json::to_vec(value)
        .map_err(io::Error::from)
        .and_then(|text| {
            let mut file = File::create(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, path)
        });
    written.during("write", path)
}

/// Deletes the file or folder at `path`; that there is none is fine.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    absent_as_none(removed).during("delete", path).map(|_| ())
}

/// The size of all files in `folder` and its folders; what vanishes meanwhile counts nothing.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .fold(0, u64::saturating_add)
}

fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_fits_until_size_or_time_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "one").unwrap();
        let before = fs::metadata(&path).unwrap();
        let stamp = Stamp::new(Checksum::of_file(&path).unwrap(), &before);
        assert!(stamp.fits(&fs::metadata(&path).unwrap()));

        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        assert!(!stamp.fits(&fs::metadata(&path).unwrap()), "another time");

        fs::write(&path, "three").unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        assert!(!stamp.fits(&fs::metadata(&path).unwrap()), "another size");
    }

    #[test]
    fn what_is_saved_is_loaded_and_what_is_broken_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.json");
        assert_eq!(load::<Vec<u8>>(&path).unwrap(), None);
        save(&path, &vec![1, 2]).unwrap();
        assert_eq!(load::<Vec<u8>>(&path).unwrap(), Some(vec![1, 2]));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        fs::write(&path, "[1, 2").unwrap();
        assert!(
            load::<Vec<u8>>(&path)
                .unwrap_err()
                .to_string()
                .contains("list.json")
        );
    }

    #[test]
    fn removing_takes_folders_and_files_and_what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "x").unwrap();
        remove(&folder.join("file")).unwrap();
        remove(&folder).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
    }
}
