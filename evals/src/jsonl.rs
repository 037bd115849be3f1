//! JSON Lines files.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a file of lines is not read.
#[derive(Debug, thiserror::Error)]
pub enum JsonlError {
    /// The file cannot be read.
    #[error("{} cannot be read ({source}): give the path of a UTF-8 text file", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not what it should be.
    #[error("{}, line {line}: {reason}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// What `parse` makes of every line that is not empty; the first bad one is the end of it, as half a
/// file would make figures that cannot be compared.
///
/// # Errors
/// [`JsonlError`], with what `parse` says of the bad line.
pub(crate) fn read<T>(
    file: &Path,
    mut parse: impl FnMut(&str) -> Result<T, String>,
) -> Result<Vec<T>, JsonlError> {
    let text = std::fs::read_to_string(file).map_err(|source| JsonlError::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    let lines = text.lines().zip(1..);
    lines
        .filter(|(text, _)| !text.trim().is_empty())
        .map(|(text, line)| {
            parse(text).map_err(|reason| JsonlError::Line {
                file: file.to_owned(),
                line,
                reason,
            })
        })
        .collect()
}

/// A line as JSON, or what is wrong with it in words.
pub(crate) fn json<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}
