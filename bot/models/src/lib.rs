//! Model files: from a manifest of names and hashes to verified files on disk.
//!
//! [`Registry`] lists the known files, [`ModelStore`] keeps them in one folder. Two rules hold: no
//! path leaves this crate before the file's SHA-256 has been verified, and only
//! [`ModelStore::fetch`] and [`ModelStore::fetch_all`] use the network.
//!
//! Everything here blocks, since it hashes and copies gigabytes: async callers use a blocking
//! thread.

mod checksum;
mod convert;
mod error;
mod fetch;
mod first_use;
mod hub;
mod manifest;
mod partial;
mod pip;
mod progress;
mod record;
mod registry;
mod store;
#[cfg(test)]
mod testing;
mod wheel;

pub use checksum::{Checksum, ChecksumError};
pub use convert::{Conversion, ConvertError};
pub use error::{FileError, ModelError, SourceError};
pub use manifest::{Entry, HubFile, Role, Source, WheelFiles};
pub use progress::{Lines, Meter, Progress, Silent, for_stderr};
pub use registry::{ManifestError, Registry};
pub use store::{FileState, Listing, ModelStore};
