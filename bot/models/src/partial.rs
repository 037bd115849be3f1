//! A resumable download: a file that grows part by part.
//!
//! The bytes are in `FILE.partial`, and `FILE.journal` lists the parts that are complete. A part
//! counts only once its bytes are on disk; whatever a crash left after the last complete part is
//! truncated.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::checksum::{Checksum, feed};
use crate::error::{During, FileError};
use crate::record::{self, Place};

const BLOCK_BYTES: usize = 1 << 18;

/// Which parts `FILE.partial` holds, for which file.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Journal {
    expected: Option<Checksum>,
    parts: Vec<String>,
    bytes: u64,
}

/// A whole file that is not yet known to be the right one.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) path: PathBuf,
    pub(crate) sha256: Checksum,
}

/// Why a part could not be appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The part cannot be read.
    Part(io::Error),
    /// The file cannot be written.
    File(FileError),
}

/// The file under way.
pub(crate) struct Partial {
    place: Place,
    file: File,
    hasher: Sha256,
    journal: Journal,
}

impl Partial {
    /// Takes up what an earlier run left, if that was for the same bytes from the same parts.
    pub(crate) fn resume(
        place: &Place,
        expected: &Checksum,
        parts: &[String],
    ) -> Result<Self, FileError> {
        let path = place.partial();
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).during("open", &path)?;
        let length = file.metadata().during("look at", &path)?.len();
        // A journal that cannot be read costs a fresh start, no more.
        let journal = record::load::<Journal>(&place.journal()).ok().flatten();
        let journal = journal
            .filter(|journal| {
                journal.expected.as_ref() == Some(expected)
                    && parts.starts_with(&journal.parts)
                    && journal.bytes <= length
            })
            .unwrap_or_else(|| Journal {
                expected: Some(expected.clone()),
                ..Journal::default()
            });
        file.set_len(journal.bytes).during("cut", &path)?;
        let mut hasher = Sha256::new();
        feed(&mut hasher, &mut file).during("read", &path)?;
        Ok(Self {
            place: place.clone(),
            file,
            hasher,
            journal,
        })
    }

    /// How many parts are there.
    pub(crate) fn parts_done(&self) -> usize {
        self.journal.parts.len()
    }

    /// How many bytes these are.
    pub(crate) fn bytes(&self) -> u64 {
        self.journal.bytes
    }

    /// Adds the part called `name`; `reached` hears of the growing length.
    ///
    /// After an error the file under way is of no use; what had been appended before is, to
    /// [`Partial::resume`].
    pub(crate) fn append(
        &mut self,
        name: &str,
        part: &mut dyn Read,
        reached: &dyn Fn(u64),
    ) -> Result<(), AppendError> {
        let path = self.place.partial();
        let mut block = vec![0; BLOCK_BYTES];
        let mut length = self.journal.bytes;
        self.file
            .seek(SeekFrom::Start(length))
            .during("write", &path)?;
        loop {
            let read = part.read(&mut block).map_err(AppendError::Part)?;
            let bytes = block.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            self.file.write_all(bytes).during("write", &path)?;
            self.hasher.update(bytes);
            length = length.saturating_add(bytes.len() as u64);
            reached(length);
        }
        self.file.sync_data().during("write", &path)?;
        self.journal.parts.push(name.to_owned());
        self.journal.bytes = length;
        Ok(record::save(&self.place.journal(), &self.journal)?)
    }

    /// Closes the file, to be checked and put in place.
    pub(crate) fn finish(self) -> Candidate {
        Candidate {
            path: self.place.partial(),
            sha256: Checksum::of(self.hasher),
        }
    }
}

impl From<FileError> for AppendError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::checksum_of;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|part| format!("part{part}")).collect()
    }

    fn place(dir: &tempfile::TempDir) -> Place {
        Place(dir.path().join("model.gguf"))
    }

    #[test]
    fn bytes_behind_the_last_whole_part_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let (place, expected) = (place(&dir), checksum_of(b"onetwo"));
        let mut partial = Partial::resume(&place, &expected, &names(2)).unwrap();
        partial.append("part0", &mut &b"one"[..], &|_| ()).unwrap();
        drop(partial);
        // What a kill in the middle of the second part leaves.
        std::fs::write(place.partial(), b"onetw").unwrap();

        let mut partial = Partial::resume(&place, &expected, &names(2)).unwrap();
        assert_eq!((partial.parts_done(), partial.bytes()), (1, 3));
        partial.append("part1", &mut &b"two"[..], &|_| ()).unwrap();
        let whole = partial.finish();
        assert_eq!(whole.sha256, expected);
        assert_eq!(std::fs::read(whole.path).unwrap(), b"onetwo");
    }

    /// `/dev/full` is a file that every write fails on as on a full disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(&dir);
        std::os::unix::fs::symlink("/dev/full", place.partial()).unwrap();
        let file = File::options().write(true).open(place.partial()).unwrap();
        let mut partial = Partial {
            place: place.clone(),
            file,
            hasher: Sha256::new(),
            journal: Journal::default(),
        };
        let outcome = partial.append("part0", &mut &b"one"[..], &|_| ());
        let Err(AppendError::File(error)) = outcome else {
            panic!("{outcome:?}");
        };
        let text = error.to_string();
        assert!(
            text.contains("model.gguf.partial") && text.contains("make room"),
            "{text}"
        );
    }

    #[test]
    fn what_was_begun_for_other_bytes_or_from_other_parts_is_not_taken_up() {
        let dir = tempfile::tempdir().unwrap();
        let (place, expected) = (place(&dir), checksum_of(b"onetwo"));
        let begin = || {
            let mut partial = Partial::resume(&place, &expected, &names(2)).unwrap();
            if partial.parts_done() == 0 {
                partial.append("part0", &mut &b"one"[..], &|_| ()).unwrap();
            }
        };
        begin();
        assert_eq!(
            Partial::resume(&place, &expected, &names(2))
                .unwrap()
                .parts_done(),
            1
        );
        let other = checksum_of(b"other");
        assert_eq!(
            Partial::resume(&place, &other, &names(2)).unwrap().bytes(),
            0
        );
        begin();
        let other = vec!["elsewhere".to_owned()];
        assert_eq!(
            Partial::resume(&place, &expected, &other).unwrap().bytes(),
            0
        );
        begin();
        std::fs::write(place.journal(), "{").unwrap();
        assert_eq!(
            Partial::resume(&place, &expected, &names(2))
                .unwrap()
                .bytes(),
            0
        );
        begin();
        std::fs::write(place.partial(), "on").unwrap();
        assert_eq!(
            Partial::resume(&place, &expected, &names(2))
                .unwrap()
                .bytes(),
            0
        );
    }

    proptest! {
        #[test]
        fn however_often_it_is_interrupted_the_whole_is_the_parts_in_order(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..8),
            interrupted in prop::collection::vec(any::<bool>(), 8),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (place, all) = (place(&dir), parts.concat());
            let (expected, names) = (checksum_of(&all), names(parts.len()));
            let mut partial = Partial::resume(&place, &expected, &names).unwrap();
            for (index, part) in parts.iter().enumerate() {
                partial.append(&names[index], &mut part.as_slice(), &|_| ()).unwrap();
                if interrupted[index] {
                    partial = Partial::resume(&place, &expected, &names).unwrap();
                    prop_assert_eq!(partial.parts_done(), index + 1);
                }
            }
            let whole = partial.finish();
            prop_assert_eq!(std::fs::read(whole.path).unwrap(), all);
            prop_assert_eq!(whole.sha256, expected);
        }
    }
}
