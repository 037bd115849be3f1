//! Files that are not in the registry: trusted on first use, and their checksum must not change.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::checksum::Checksum;
use crate::error::{During, ModelError};
use crate::record::{self, Stamp};
use crate::store::ModelStore;

/// The first use of a file outside the registry.
#[derive(Serialize, Deserialize)]
struct FirstUse {
    /// For people who read the record; it is found by its name.
    file: String,
    #[serde(flatten)]
    stamp: Stamp,
}

impl ModelStore {
    /// Gives `file` back if its checksum is the recorded one, which is recorded if none is.
    pub(crate) fn as_first_used(&self, file: &Path) -> Result<PathBuf, ModelError> {
        let whole = file.canonicalize().during("find", file)?;
        let record = self.record_of(&whole);
        let metadata = fs::metadata(&whole).during("look at", &whole)?;
        let known = record::load::<FirstUse>(&record)?;
        if known
            .as_ref()
            .is_some_and(|known| known.stamp.fits(&metadata))
        {
            return Ok(file.to_owned());
        }
        let found = Checksum::of_file(&whole).during("read", &whole)?;
        if let Some(known) = known.filter(|known| known.stamp.sha256 != found) {
            let expected = known.stamp.sha256;
            return Err(ModelError::Changed {
                file: whole,
                expected,
                found,
                record,
            });
        }
        let stamp = Stamp::new(found, &metadata);
        let folder = self.folder.join("recorded");
        fs::create_dir_all(&folder).during("create", &folder)?;
        record::save(
            &record,
            &FirstUse {
                file: whole.display().to_string(),
                stamp,
            },
        )?;
        Ok(file.to_owned())
    }

    /// Records stand in our folder, not beside the file: that may be on a read-only disk.
    fn record_of(&self, whole: &Path) -> PathBuf {
        let mut hasher = Sha256::new();
        hasher.update(whole.as_os_str().as_encoded_bytes());
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        let digits = Checksum::of(hasher);
        let short = digits.as_str().get(..16).unwrap_or_default();
        self.folder
            .join("recorded")
            .join(format!("{name}-{short}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store_of;

    #[test]
    fn a_file_outside_the_registry_must_stay_what_it_was_at_first_use() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(&dir.path().join("models"), "mini", b"weights");
        let own = dir.path().join("own.gguf");
        fs::write(&own, "first").unwrap();
        let reference = own.to_str().unwrap();
        assert_eq!(store.resolve(reference).unwrap(), own);
        assert_eq!(store.resolve(reference).unwrap(), own, "unchanged");

        fs::write(&own, "other").unwrap();
        let changed = fs::File::options().write(true).open(&own).unwrap();
        changed.set_modified(std::time::UNIX_EPOCH).unwrap();
        let ModelError::Changed { record, .. } = store.resolve(reference).unwrap_err() else {
            panic!("a changed file is refused");
        };
        fs::remove_file(record).unwrap();
        assert!(
            store.resolve(reference).is_ok(),
            "deleting the record accepts the change"
        );
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_taken_for_a_first_use() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of(&dir.path().join("models"), "mini", b"weights");
        let own = dir.path().join("own.gguf");
        fs::write(&own, "first").unwrap();
        store.resolve(own.to_str().unwrap()).unwrap();
        let record = store.record_of(&own.canonicalize().unwrap());
        fs::write(record, "{").unwrap();
        assert!(store.resolve(own.to_str().unwrap()).is_err());
    }
}
