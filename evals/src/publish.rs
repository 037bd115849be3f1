//! Publishing: evaluates a change on labelled dialogues before it goes live.
//!
//! A change is articles, a configuration (and with it prompts, heads and models), or both. The
//! company's own records are read from its store, without conversations, into a [`Body`]; the
//! dialogues are played against a copy as it is and against one with the change. Nothing live is
//! touched before the gates have been passed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crm::import::{self, ImportError, Kind, Mapping, Records};
use crm::{Document, DocumentId};
use frontdesk::Config;

use crate::dialogue::Dialogue;
use crate::house::{House, HouseError, Plan};
use crate::played::PlayedTurn;
use crate::replay::{PATIENCE, ReplayError, replay};
use crate::worlds::Body;

/// Why a change is not put live.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no store to change.
    #[error("there is no store {}: name the live data folder with --data", .0.display())]
    NoStore(PathBuf),
    /// A file of articles cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Some articles would be left out.
    #[error("{} of the articles of {} cannot be used, the first: {first}", rejected, file.display())]
    Rejected {
        /// The file.
        file: PathBuf,
        /// How many.
        rejected: usize,
        /// The first, with the reason.
        first: String,
    },
    /// The change is none.
    #[error("this changes nothing: the articles and the configuration are those that are live")]
    NoChange,
    /// The dialogues judge nothing.
    #[error("{} asks for nothing: without an `expect` in its turns no change could make it worse", .0.display())]
    NothingAsked(PathBuf),
    /// A candidate has nothing to replace.
    #[error("name the live configuration with --config: the candidate takes its place")]
    NoLiveConfig,
    /// The server of a rehearsal does not start.
    #[error(transparent)]
    House(#[from] HouseError),
    /// A rehearsal cannot go on.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The configuration cannot be replaced.
    #[error("{} cannot be replaced ({source}): check the folder's permissions", file.display())]
    Replace {
        /// The live file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Articles against those that are live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Articles {
    /// Those that are new or read otherwise than the live ones.
    pub changed: Vec<Document>,
    /// How many of them are new.
    pub added: usize,
}

impl Articles {
    /// What of the articles in `files` differs from `live`. Blocks.
    ///
    /// # Errors
    /// [`PublishError::Import`], [`PublishError::Rejected`]: half an update is not published.
    pub fn read(files: &[PathBuf], live: &Body) -> Result<Self, PublishError> {
        let known: BTreeMap<&DocumentId, &Document> =
            live.documents.iter().map(|d| (&d.id, d)).collect();
        let mut articles = Self::default();
        for file in files {
            let batch = import::read(Kind::Knowledge, file, &Mapping::default())?;
            if let Some(first) = batch.rejected.first() {
                return Err(PublishError::Rejected {
                    file: file.clone(),
                    rejected: batch.rejected.len(),
                    first: first.to_string(),
                });
            }
            let Records::Documents(documents) = batch.records else {
                continue;
            };
            for document in documents {
                let live = known.get(&document.id);
                articles.added += usize::from(live.is_none());
                if live.is_none_or(|live| **live != document) {
                    articles.changed.push(document);
                }
            }
        }
        Ok(articles)
    }

    /// `body` with these articles in place of its own of the same ids.
    pub fn laid_over(&self, mut body: Body) -> Body {
        let is_replaced = |document: &Document| self.changed.iter().any(|c| c.id == document.id);
        body.documents.retain(|document| !is_replaced(document));
        body.documents.extend(self.changed.iter().cloned());
        body
    }
}

/// Plays `dialogues` against a server of its own over `body`; `heard` is told of every dialogue.
///
/// # Errors
/// [`PublishError::House`], [`PublishError::Replay`].
pub async fn rehearse(
    body: Body,
    config: Config,
    dialogues: &[Dialogue],
    heard: impl FnMut(&[PlayedTurn]),
) -> Result<Vec<PlayedTurn>, PublishError> {
    let plan = Plan {
        name: "own".to_owned(),
        body,
        config,
        keep: None,
    };
    let house = House::open(plan).await?;
    let played = replay(&house.desk(PATIENCE), dialogues, heard).await;
    house.close().await;
    Ok(played?)
}

/// Puts `candidate` in the place of the configuration `live`, which is kept beside it; gives the path
/// of what was live.
///
/// # Errors
/// [`PublishError::Replace`]; then `live` is as it was.
pub fn replace_config(live: &Path, candidate: &Path) -> Result<PathBuf, PublishError> {
    let failed = |source| PublishError::Replace {
        file: live.to_owned(),
        source,
    };
    let beside = |ending: &str| {
        let mut name = live.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        live.with_file_name(name)
    };
    let (kept, new) = (beside(".before"), beside(".new"));
    std::fs::copy(live, &kept).map_err(failed)?;
    std::fs::copy(candidate, &new).map_err(failed)?;
    std::fs::rename(&new, live).map_err(failed)?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use crm::Visibility;

    use super::*;
    use frontdesk::Company;

    fn document(id: &str, content: &str) -> Document {
        Document {
            id: DocumentId(id.to_owned()),
            title: id.to_owned(),
            content: content.to_owned(),
            url: None,
            language: None,
            visibility: Visibility::Public,
        }
    }

    fn live() -> Body {
        Body {
            company: Company::default(),
            customers: Vec::new(),
            products: Vec::new(),
            orders: Vec::new(),
            documents: vec![document("fees", "It is $5."), document("hours", "9 to 5.")],
        }
    }

    #[test]
    fn only_what_reads_otherwise_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("articles.jsonl");
        let rows = [
            r#"{"id": "fees", "title": "fees", "content": "It is $7."}"#,
            r#"{"id": "hours", "title": "hours", "content": "9 to 5."}"#,
            r#"{"id": "returns", "title": "returns", "content": "30 days."}"#,
        ];
        std::fs::write(&file, rows.join("\n")).unwrap();
        let articles = Articles::read(std::slice::from_ref(&file), &live()).unwrap();
        let ids = |documents: &[Document]| -> Vec<String> {
            documents.iter().map(|d| d.id.0.clone()).collect()
        };
        assert_eq!(ids(&articles.changed), ["fees", "returns"]);
        assert_eq!(articles.added, 1);
        let after = articles.laid_over(live());
        assert_eq!(ids(&after.documents), ["hours", "fees", "returns"]);
        assert_eq!(after.documents[1].content, "It is $7.");
        let again = Articles::read(&[file], &after).unwrap();
        assert_eq!(again, Articles::default());
    }

    #[test]
    fn an_update_with_a_bad_row_is_not_half_published() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("articles.jsonl");
        std::fs::write(
            &file,
            "{\"id\": \"a\", \"title\": \"a\", \"content\": \"b\"}\n{\"id\": 3}",
        )
        .unwrap();
        let error = Articles::read(&[file], &live()).unwrap_err();
        assert!(
            matches!(error, PublishError::Rejected { rejected: 1, .. }),
            "{error}"
        );
    }

    #[test]
    fn the_configuration_that_was_live_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("frontdesk.toml"), "old").unwrap();
        std::fs::write(path("candidate.toml"), "new").unwrap();
        let kept = replace_config(&path("frontdesk.toml"), &path("candidate.toml")).unwrap();
        assert_eq!(
            std::fs::read_to_string(path("frontdesk.toml")).unwrap(),
            "new"
        );
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "old");
        assert!(!path("frontdesk.toml.new").exists());
        let error = replace_config(&path("none.toml"), &path("candidate.toml")).unwrap_err();
        assert!(error.to_string().contains("none.toml"), "{error}");
    }
}
