//! Files of encoders, and what can be wrong with them.

use std::path::Path;

use super::EncoderError;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is something else.
    #[error("it is no encoder that this program knows")]
    Foreign,
    /// It ends too early.
    #[error("it ends too early")]
    Short,
    /// A part of the model is not there, or not of the size that it must have.
    #[error("its tensor {0} is missing or of another shape")]
    Tensor(String),
    /// Numbers that describe the model contradict each other.
    #[error("its description makes no sense")]
    Shape,
}

/// The bytes of the file at `path`.
pub(super) fn read_whole(path: &Path) -> Result<Vec<u8>, EncoderError> {
    std::fs::read(path).map_err(|source| unreadable(path, source))
}

pub(super) fn unreadable(path: &Path, source: std::io::Error) -> EncoderError {
    EncoderError::File {
        path: path.to_owned(),
        source,
    }
}

pub(super) fn unusable(path: &Path, damage: Damage) -> EncoderError {
    EncoderError::Damaged {
        path: path.to_owned(),
        damage,
    }
}
