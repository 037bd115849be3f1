//! Conversions: a file as its publisher gives it becomes the file that Frontdesk uses, once, when it
//! is fetched. Equal bytes in give equal bytes out, so that the result has a checksum of its own.

mod embedding_gemma;

use std::path::Path;

use serde::Deserialize;

use crate::error::FileError;

/// How a file is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversion {
    /// An archive of EmbeddingGemma in 32-bit floats (Schechter Vera et al., 2025) becomes one
    /// safetensors file with its tokenizer, the matrices in 8-bit integers.
    EmbeddingGemma,
}

/// Why a file cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It is no archive, or a damaged one.
    #[error("it is no sound archive ({0})")]
    Archive(#[from] zip::result::ZipError),
    /// A file in the archive is not what it must be.
    #[error("its {member} cannot be used ({reason})")]
    Member {
        /// The file.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Conversion {
    /// Writes to `to` what the file `from` becomes.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub(crate) fn run(self, from: &Path, to: &Path) -> Result<(), ConvertError> {
        match self {
            Self::EmbeddingGemma => embedding_gemma::convert(from, to),
        }
    }
}
