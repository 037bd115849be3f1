//! Labelled dialogues: what customers wrote, and what must hold of the answers.
//!
//! A file holds one JSON object per line. Every key under `expect` is a check and an absent key
//! checks nothing, so an unknown key is an error: a misspelt check would otherwise pass for ever.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::jsonl::{self, JsonlError};
use crate::wording;

/// A conversation to be played.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dialogue {
    /// Unique within its file.
    pub id: String,
    /// Name of the world that it is about; empty where it is about a company's own data.
    #[serde(default)]
    pub world: String,
    /// What the customer writes in, a BCP 47 tag.
    #[serde(default)]
    pub language: Option<String>,
    /// Id of the signed-in customer; `None` for an anonymous visitor.
    #[serde(default)]
    pub customer: Option<String>,
    /// What kind of dialogue it is, in free words.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The customer's messages, in order.
    pub turns: Vec<Turn>,
}

/// One message of the customer's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Turn {
    /// Its text, sent as it is.
    pub user: String,
    /// What must hold of the answer.
    #[serde(default)]
    pub expect: Expect,
}

/// What must hold of the answer to a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// The message's intent; `out_of_scope` where none fits.
    pub intent: Option<String>,
    /// The feeling of the message.
    pub sentiment: Option<Sentiment>,
    /// Documents of which one must be retrieved.
    pub documents: Option<Vec<String>>,
    /// Facts that the reply must state, each a list of accepted wordings.
    pub facts: Option<Vec<Vec<String>>>,
    /// Wordings that the reply must not contain.
    pub forbid: Option<Vec<String>>,
    /// False where the world holds no answer. True checks nothing.
    pub answerable: Option<bool>,
    /// Whether the turn must pass the conversation to a person.
    pub handoff: Option<bool>,
    /// True where the request must be declined. False checks nothing.
    pub refuse: Option<bool>,
}

/// The feeling of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentiment {
    /// Annoyed, sad or angry.
    Negative,
    /// Neither.
    Neutral,
    /// Pleased.
    Positive,
}

impl fmt::Display for Sentiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Positive => "positive",
        })
    }
}

/// Reads all dialogues of a file.
///
/// # Errors
/// [`JsonlError`] for the first line that is no sound dialogue.
pub fn read(file: &Path) -> Result<Vec<Dialogue>, JsonlError> {
    let mut ids = HashSet::new();
    jsonl::read(file, |line| {
        let dialogue: Dialogue = jsonl::json(line)?;
        dialogue.check()?;
        if !ids.insert(dialogue.id.clone()) {
            return Err(format!(
                "a dialogue {:?} came before: rename one",
                dialogue.id
            ));
        }
        Ok(dialogue)
    })
}

/// Where the dialogues of `file` stand in another language: `dialogues.de.jsonl` beside
/// `dialogues.jsonl`.
pub fn translation(file: &Path, language: &str) -> PathBuf {
    let extension = file.extension().and_then(|extension| extension.to_str());
    file.with_extension(format!("{language}.{}", extension.unwrap_or("jsonl")))
}

/// Whether `translated` are `dialogues` in another language, so that their figures can be compared:
/// the same ones, turn by turn.
///
/// # Errors
/// The first dialogue that is missing, or has other turns.
pub fn check_translation(dialogues: &[Dialogue], translated: &[Dialogue]) -> Result<(), String> {
    for dialogue in dialogues {
        let id = &dialogue.id;
        let other = translated.iter().find(|other| other.id == *id);
        let turns = other.map(|other| other.turns.len());
        if turns != Some(dialogue.turns.len()) {
            return Err(match turns {
                None => format!("the dialogue {id:?} is not translated"),
                Some(turns) => format!(
                    "the dialogue {id:?} has {} turns, its translation {turns}",
                    dialogue.turns.len()
                ),
            });
        }
    }
    Ok(())
}

impl Dialogue {
    /// What the JSON shape alone does not forbid.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.turns.is_empty() {
            return Err("the dialogue has no turns: write at least one".to_owned());
        }
        for (number, turn) in (1..).zip(&self.turns) {
            turn.check()
                .map_err(|reason| format!("turn {number}: {reason}"))?;
        }
        Ok(())
    }
}

impl Turn {
    fn check(&self) -> Result<(), String> {
        if self.user.trim().is_empty() {
            return Err("the message is empty: a server does not take it".to_owned());
        }
        let Expect {
            documents,
            facts,
            forbid,
            ..
        } = &self.expect;
        if documents.as_ref().is_some_and(Vec::is_empty) {
            return Err("`documents` is empty: name one or leave the key out".to_owned());
        }
        if facts
            .as_ref()
            .is_some_and(|facts| facts.is_empty() || facts.iter().any(Vec::is_empty))
        {
            return Err("`facts` has an empty list: nothing could ever match it".to_owned());
        }
        let mut wordings = facts
            .iter()
            .flatten()
            .flatten()
            .chain(forbid.iter().flatten());
        if wordings.any(|wording| wording::is_blank(wording)) {
            return Err("a wording is blank: it would be found nowhere".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Dialogue>, JsonlError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dialogues.jsonl");
        std::fs::write(&file, text).unwrap();
        read(&file)
    }

    #[test]
    fn a_dialogue_is_read_with_all_its_checks() {
        let line = r#"{"id": "b-1", "world": "bank-knowledge", "language": "en", "customer": null,
            "tags": ["typos"], "turns": [{"user": "whats the fee??", "expect": {
            "intent": "out_of_scope", "sentiment": "neutral", "documents": ["d1"],
            "facts": [["$150", "150 dollars"]], "forbid": ["no fee"], "answerable": false,
            "handoff": false, "refuse": true}}, {"user": "ok"}]}"#
            .replace('\n', " ");
        let dialogues = read_text(&format!("\n{line}\n\n")).unwrap();
        let [dialogue] = dialogues.as_slice() else {
            panic!("{dialogues:?}")
        };
        assert_eq!(dialogue.customer, None);
        let [first, second] = dialogue.turns.as_slice() else {
            panic!("{dialogue:?}")
        };
        assert_eq!(
            first.expect,
            Expect {
                intent: Some("out_of_scope".into()),
                sentiment: Some(Sentiment::Neutral),
                documents: Some(vec!["d1".into()]),
                facts: Some(vec![vec!["$150".into(), "150 dollars".into()]]),
                forbid: Some(vec!["no fee".into()]),
                answerable: Some(false),
                handoff: Some(false),
                refuse: Some(true),
            }
        );
        assert_eq!(second.expect, Expect::default());
    }

    #[test]
    fn a_bad_line_is_named_with_its_reason() {
        let good = r#"{"id": "a", "world": "w", "turns": [{"user": "hi"}]}"#;
        for (bad, reason) in [
            ("{", "EOF"),
            (r#"{"id": "b", "world": "w"}"#, "missing field `turns`"),
            (r#"{"id": "b", "world": "w", "turns": []}"#, "no turns"),
            (
                r#"{"id": "b", "world": "w", "turns": [{"user": " "}]}"#,
                "turn 1: the message",
            ),
            (good, "\"a\" came before"),
            (&expecting(r#"{"fact": [["1"]]}"#), "unknown field `fact`"),
            (&expecting(r#"{"facts": [[]]}"#), "empty list"),
            (&expecting(r#"{"facts": [["$5", " "]]}"#), "blank"),
            (&expecting(r#"{"forbid": [""]}"#), "blank"),
            (&expecting(r#"{"documents": []}"#), "`documents` is empty"),
            (
                &expecting(r#"{"sentiment": "angry"}"#),
                "unknown variant `angry`",
            ),
        ] {
            let said = read_text(&format!("{good}\n\n{bad}\n")).unwrap_err();
            let said = said.to_string();
            assert!(said.contains("dialogues.jsonl, line 3: "), "{bad}: {said}");
            assert!(said.contains(reason), "{bad}: {said}");
        }
    }

    fn expecting(expect: &str) -> String {
        format!(r#"{{"id": "b", "world": "w", "turns": [{{"user": "hi", "expect": {expect}}}]}}"#)
    }

    #[test]
    fn a_translation_has_the_same_turns() {
        let file = Path::new("worlds/shop/dialogues.jsonl");
        let german = translation(file, "de");
        assert_eq!(german, Path::new("worlds/shop/dialogues.de.jsonl"));
        let one = |id: &str, turns: usize| Dialogue {
            id: id.into(),
            world: String::new(),
            language: None,
            customer: None,
            tags: Vec::new(),
            turns: vec![
                Turn {
                    user: "hi".into(),
                    expect: Expect::default()
                };
                turns
            ],
        };
        let dialogues = [one("a", 1), one("b", 2)];
        assert_eq!(check_translation(&dialogues, &dialogues), Ok(()));
        let missing = check_translation(&dialogues, &dialogues[..1]).unwrap_err();
        assert!(missing.contains("\"b\" is not translated"), "{missing}");
        let shorter = check_translation(&dialogues, &[one("a", 1), one("b", 1)]).unwrap_err();
        assert!(
            shorter.contains("has 2 turns, its translation 1"),
            "{shorter}"
        );
    }

    #[test]
    fn the_shops_own_dialogues_are_sound() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds/shop/dialogues.jsonl");
        let dialogues = read(&file).unwrap();
        assert!(dialogues.len() >= 30, "{}", dialogues.len());
        assert!(dialogues.iter().all(|dialogue| dialogue.world == "shop"));
    }

    #[test]
    fn a_missing_file_is_said() {
        let error = read(Path::new("no-such-dialogues.jsonl")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no-such-dialogues.jsonl cannot be read"),
            "{error}"
        );
    }
}
