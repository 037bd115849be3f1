//! SHA-256 checksums: read from manifests, computed over files.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How much of a file is hashed at a time: large enough that reading costs nothing beside hashing.
const BLOCK_BYTES: usize = 1 << 20;

/// The SHA-256 of a file, as 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum(String);

/// A text that is no SHA-256.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no SHA-256: write its 64 hexadecimal digits")]
pub struct ChecksumError(String);

impl Checksum {
    /// The checksum of what `hasher` has been given.
    pub(crate) fn of(hasher: Sha256) -> Self {
        use fmt::Write as _;
        let mut digits = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing into a String cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Self(digits)
    }

    /// The checksum of the file at `path`.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        feed(&mut hasher, &mut File::open(path)?)?;
        Ok(Self::of(hasher))
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Gives `hasher` all of `source`.
pub(crate) fn feed(hasher: &mut Sha256, source: &mut dyn Read) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match source.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => hasher.update(block.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl TryFrom<String> for Checksum {
    type Error = ChecksumError;

    fn try_from(text: String) -> Result<Self, ChecksumError> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(ChecksumError(text))
        }
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.0
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// SHA-256 of "abc", from FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_file_has_the_checksum_the_standard_gives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(Checksum::of_file(&path).unwrap().as_str(), ABC);
    }

    #[test]
    fn feeding_in_two_pieces_is_feeding_at_once() {
        let mut hasher = Sha256::new();
        feed(&mut hasher, &mut "a".as_bytes()).unwrap();
        feed(&mut hasher, &mut "bc".as_bytes()).unwrap();
        assert_eq!(Checksum::of(hasher).as_str(), ABC);
    }

    proptest! {
        #[test]
        fn only_64_hexadecimal_digits_are_a_checksum(text in "[0-9a-fA-Fg]{60,66}") {
            let valid = text.len() == 64 && !text.contains('g');
            let read = Checksum::try_from(text.clone());
            prop_assert_eq!(read.is_ok(), valid);
            if let Ok(checksum) = read {
                prop_assert_eq!(String::from(checksum), text.to_ascii_lowercase());
            }
        }
    }
}
