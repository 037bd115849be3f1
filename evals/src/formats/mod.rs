//! Labelled dialogues in other programs' formats, read as our own: what the customer wrote, what it
//! was labelled with and, where the file says so, the document that the answer is in. What a bot of
//! theirs said is left behind, as ours says it otherwise.

pub(crate) mod crosswoz;
mod rasa;
pub(crate) mod sgd;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crm::{Document, DocumentId, Visibility};
use serde::Deserialize;

use crate::dialogue::{self, Dialogue};
use crate::jsonl::JsonlError;

/// Why a file of dialogues is not read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A file of our own format is wrong.
    #[error(transparent)]
    Own(#[from] JsonlError),
    /// The file cannot be read.
    #[error("{} cannot be read ({source}): check the path", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not of the format that its name says.
    #[error("{}: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No format is known by this file's name or beginning.
    #[error(
        "{} is of no known format: give Frontdesk's own (.jsonl), Rasa tests (.yml), or dialogues of \
         SGD or CrossWOZ (.json, or .json.zip)",
        file.display()
    )]
    Unknown {
        /// The file.
        file: PathBuf,
    },
}

/// Reads all dialogues of a file: `.jsonl` of our own, `.yml` of Rasa's tests, `.json` or `.json.zip`
/// of the Schema-Guided Dialogue set or of CrossWOZ.
///
/// # Errors
/// [`FormatError`].
pub fn read(file: &Path) -> Result<Vec<Dialogue>, FormatError> {
    let malformed = |reason: String| FormatError::Malformed {
        file: file.to_owned(),
        reason,
    };
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("jsonl");
    let dialogues = match extension {
        "jsonl" | "ndjson" => return Ok(dialogue::read(file)?),
        "yml" | "yaml" => rasa::dialogues(&text(file)?).map_err(malformed)?,
        "json" | "zip" => match foreign(file)? {
            Foreign::Sgd(dialogues) => sgd::dialogues(&dialogues),
            Foreign::CrossWoz(dialogues) => crosswoz::dialogues(&dialogues),
        },
        _ => {
            return Err(FormatError::Unknown {
                file: file.to_owned(),
            });
        }
    };
    let sound: Vec<Dialogue> = dialogues
        .into_iter()
        .filter(|dialogue| dialogue.check().is_ok())
        .collect();
    if sound.is_empty() {
        return Err(malformed(
            "it has no dialogue with a customer's message".into(),
        ));
    }
    Ok(sound)
}

/// Whether a file is of our own format, whose labels are ours.
pub fn is_own(file: &Path) -> bool {
    let extension = file.extension().and_then(|e| e.to_str());
    extension.is_none_or(|extension| matches!(extension, "jsonl" | "ndjson"))
}

/// What intents of another program's files are called here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Intents(BTreeMap<String, String>);

impl Intents {
    /// Reads a TOML file of `theirs = "ours"`.
    ///
    /// # Errors
    /// [`FormatError::Unreadable`], [`FormatError::Malformed`].
    pub fn load(file: &Path) -> Result<Self, FormatError> {
        toml::from_str(&text(file)?).map_err(|error| FormatError::Malformed {
            file: file.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Puts our names in the place of theirs. Names that are not `known` then are taken out, as they
    /// could only fail; gives how many turns had each.
    pub fn translate(&self, dialogues: &mut [Dialogue], known: &[&str]) -> BTreeMap<String, usize> {
        let mut unknown = BTreeMap::new();
        for turn in dialogues.iter_mut().flat_map(|d| &mut d.turns) {
            let Some(theirs) = turn.expect.intent.take() else {
                continue;
            };
            let ours = self.0.get(&theirs).unwrap_or(&theirs);
            if known.contains(&ours.as_str()) {
                turn.expect.intent = Some(ours.clone());
            } else {
                *unknown.entry(theirs).or_default() += 1;
            }
        }
        unknown
    }
}

/// What a `.json` file holds.
enum Foreign {
    Sgd(Vec<sgd::Dialogue>),
    CrossWoz(BTreeMap<String, crosswoz::Dialogue>),
}

fn foreign(file: &Path) -> Result<Foreign, FormatError> {
    let malformed = |error: serde_json::Error| FormatError::Malformed {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    let text = text(file)?;
    match text.trim_start().chars().next() {
        Some('[') => Ok(Foreign::Sgd(
            serde_json::from_str(&text).map_err(malformed)?,
        )),
        Some('{') => Ok(Foreign::CrossWoz(
            serde_json::from_str(&text).map_err(malformed)?,
        )),
        _ => Err(FormatError::Unknown {
            file: file.to_owned(),
        }),
    }
}

/// Everything that the dialogues in `folder` and its folders speak of, a document for each thing.
///
/// # Errors
/// [`FormatError`] of the first file that is not what it should be.
pub(crate) fn documents(folder: &Path) -> Result<Vec<Document>, FormatError> {
    let mut things = Things::default();
    for file in files(folder)? {
        match foreign(&file)? {
            Foreign::Sgd(dialogues) => sgd::collect(&dialogues, &mut things),
            Foreign::CrossWoz(dialogues) => crosswoz::collect(&dialogues, &mut things),
        }
    }
    Ok(things.documents())
}

/// The files of dialogues in `folder` and one level below, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, FormatError> {
    let unreadable = |source| FormatError::Unreadable {
        file: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for pattern in ["*.json", "*.json.zip", "*/*.json", "*/*.json.zip"] {
        let pattern = folder.join(pattern);
        let found = glob::glob(&pattern.to_string_lossy());
        let found = found.map_err(|error| unreadable(std::io::Error::other(error)))?;
        for file in found {
            files.push(file.map_err(|error| unreadable(error.into()))?);
        }
    }
    files.retain(|file| file.file_name().is_some_and(|name| name != "schema.json"));
    files.sort();
    Ok(files)
}

/// The text of a file, or of the first one in it where it is a `.zip`.
fn text(file: &Path) -> Result<String, FormatError> {
    let unreadable = |source| FormatError::Unreadable {
        file: file.to_owned(),
        source,
    };
    if file.extension().is_none_or(|extension| extension != "zip") {
        return std::fs::read_to_string(file).map_err(unreadable);
    }
    let packed = |error: zip::result::ZipError| unreadable(std::io::Error::other(error));
    let archive = std::fs::File::open(file).map_err(unreadable)?;
    let mut archive = zip::ZipArchive::new(archive).map_err(packed)?;
    let mut text = String::new();
    let mut first = archive.by_index(0).map_err(packed)?;
    first.read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Things that dialogues speak of, with what is said of each.
#[derive(Debug, Default)]
struct Things {
    by_id: BTreeMap<String, Thing>,
    language: &'static str,
}

#[derive(Debug, Default)]
struct Thing {
    name: String,
    facts: BTreeMap<String, String>,
}

impl Things {
    /// Notes that `what` of the thing called `name` is `value`; what was noted first stays.
    fn note(&mut self, kind: &str, name: &str, what: &str, value: &str) {
        let thing = self.by_id.entry(thing_id(kind, name)).or_default();
        thing.name = name.to_owned();
        let value = value.to_owned();
        thing.facts.entry(what.to_owned()).or_insert(value);
    }

    fn documents(self) -> Vec<Document> {
        let language = self.language;
        let document = |(id, thing): (String, Thing)| {
            let facts = thing.facts.iter();
            let lines: Vec<String> = facts
                .map(|(what, value)| format!("{what}: {value}"))
                .collect();
            Document {
                id: DocumentId(id),
                title: thing.name,
                content: lines.join("\n"),
                url: None,
                language: Some(language.to_owned()),
                visibility: Visibility::Public,
            }
        };
        self.by_id.into_iter().map(document).collect()
    }
}

/// The id of the document of a thing.
fn thing_id(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_intents_get_our_names_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let story = "stories:\n- story: s\n  steps:\n  - {user: hi, intent: greet}\n  \
            - {user: thanks, intent: thanks}\n  - {user: hm, intent: chitchat}\n";
        std::fs::write(path("test_stories.yml"), story).unwrap();
        std::fs::write(path("intents.toml"), "greet = \"greeting\"").unwrap();
        let mut dialogues = read(&path("test_stories.yml")).unwrap();
        let intents = Intents::load(&path("intents.toml")).unwrap();
        let unknown = intents.translate(&mut dialogues, &["greeting", "thanks"]);
        let labels: Vec<_> = dialogues[0]
            .turns
            .iter()
            .map(|t| t.expect.intent.as_deref())
            .collect();
        assert_eq!(labels, [Some("greeting"), Some("thanks"), None]);
        assert_eq!(unknown, BTreeMap::from([("chitchat".to_owned(), 1)]));
        assert!(!is_own(&path("test_stories.yml")) && is_own(&path("d.jsonl")));
    }

    #[test]
    fn a_file_of_no_format_is_told_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("a.txt", "hello"), ("a.json", "3")] {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err();
            assert!(matches!(error, FormatError::Unknown { .. }), "{error}");
        }
        let broken = folder.path().join("b.json");
        std::fs::write(&broken, "[{\"dialogue_id\": 3}]").unwrap();
        let error = read(&broken).unwrap_err().to_string();
        assert!(error.contains("b.json"), "{error}");
    }
}
