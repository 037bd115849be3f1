//! Labelled messages, read from a file, and which of them are held out.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{ClassifyError, SENTIMENT};
use crate::dialogue::Dialogue;
use crate::formats;
use crate::jsonl;

/// A message with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The message.
    pub text: String,
    /// Its label.
    pub label: String,
    /// Its sentiment, or its intent where the label is the sentiment: learnt together with the label
    /// where layers are tuned.
    pub beside: Option<String>,
}

/// A message with its labels, of which it may have several or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The message.
    pub text: String,
    /// What was said before it, where it goes on from that.
    pub before: Option<String>,
    /// Its labels.
    pub own: Vec<String>,
}

/// The messages of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Each with one label.
    One(Vec<Labelled>),
    /// Each with a list of labels.
    Any(Vec<Tagged>),
}

/// A message that has the label.
#[derive(Clone, Debug)]
enum Row {
    One(Labelled),
    Any(Tagged),
}

/// What of a file is taken.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Field of the label, or of a list of labels.
    pub field: String,
    /// Fields that must have these values.
    pub only: Vec<(String, String)>,
}

impl Selection {
    /// Reads the labelled messages of files: of JSONL lines with a `text`, and of dialogues in any
    /// format, of whose turns the label is expected. What has no label is passed over.
    ///
    /// # Errors
    /// [`ClassifyError::File`], [`ClassifyError::Dialogues`], [`ClassifyError::Nothing`],
    /// [`ClassifyError::Mixed`].
    pub fn read<'f>(
        &self,
        files: impl IntoIterator<Item = &'f Path>,
    ) -> Result<Rows, ClassifyError> {
        let (mut one, mut any) = (Vec::new(), Vec::new());
        for file in files {
            let before = one.len() + any.len();
            let rows = if formats::is_own(file) {
                jsonl::read(file, |line| self.rows(line))?.concat()
            } else {
                self.of_dialogues(&formats::read(file)?)
            };
            for row in rows {
                match row {
                    Row::One(row) => one.push(row),
                    Row::Any(row) => any.push(row),
                }
            }
            if one.len() + any.len() == before {
                return Err(ClassifyError::Nothing {
                    file: file.to_owned(),
                    field: self.field.clone(),
                    filtered: !self.only.is_empty(),
                });
            }
        }
        match (one.is_empty(), any.is_empty()) {
            (false, false) => Err(ClassifyError::Mixed(self.field.clone())),
            (_, true) => Ok(Rows::One(one)),
            (true, false) => Ok(Rows::Any(any)),
        }
    }

    /// The rows of a line, which is a message or a dialogue.
    fn rows(&self, line: &str) -> Result<Vec<Row>, String> {
        let row: Map<String, Value> = jsonl::json(line)?;
        if row.contains_key("turns") {
            return Ok(self.of_dialogues(&[jsonl::json(line)?]));
        }
        Ok(self.row(&row)?.into_iter().collect())
    }

    fn of_dialogues(&self, dialogues: &[Dialogue]) -> Vec<Row> {
        let turns = dialogues.iter().flat_map(|dialogue| {
            let turns = dialogue.turns.iter();
            turns.map(|turn| {
                let fields = json!({
                    "text": turn.user,
                    "language": dialogue.language,
                    "world": dialogue.world,
                    "intent": turn.expect.intent,
                    "sentiment": turn.expect.sentiment,
                });
                fields.as_object().cloned().unwrap_or_default()
            })
        });
        // Every field is a text: none can be neither a label nor a list.
        turns.filter_map(|turn| self.row(&turn).ok()?).collect()
    }

    fn row(&self, row: &Map<String, Value>) -> Result<Option<Row>, String> {
        let is = |(field, value): &(String, String)| {
            row.get(field).and_then(Value::as_str) == Some(value.as_str())
        };
        if !self.only.iter().all(is) {
            return Ok(None);
        }
        let label = match row.get(&self.field) {
            None | Some(Value::Null) => return Ok(None),
            Some(label) => label,
        };
        let text = row.get("text").and_then(Value::as_str);
        let text = text.ok_or("there is no \"text\"")?.to_owned();
        let neither = || format!("{:?} is neither a label nor a list of labels", self.field);
        let row = match label {
            Value::String(label) => Row::One(Labelled {
                text,
                label: label.clone(),
                beside: self.beside(row),
            }),
            Value::Array(labels) => {
                let labels = labels.iter().map(|label| label.as_str().map(str::to_owned));
                let own: Option<Vec<String>> = labels.collect();
                let own = own.ok_or_else(neither)?;
                let before = row.get("before").and_then(Value::as_str);
                Row::Any(Tagged {
                    text,
                    before: before.map(str::to_owned),
                    own,
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                return Err(neither());
            }
        };
        Ok(Some(row))
    }

    fn beside(&self, row: &Map<String, Value>) -> Option<String> {
        let beside = if self.field == SENTIMENT {
            understand::INTENT
        } else {
            SENTIMENT
        };
        row.get(beside).and_then(Value::as_str).map(str::to_owned)
    }
}

/// A stable fifth of `rows`, chosen by their texts, apart from the rest: `(rest, fifth)`.
pub fn hold_out(rows: Rows) -> (Rows, Rows) {
    match rows {
        Rows::One(rows) => {
            let (rest, fifth) = rows.into_iter().partition(|row| !is_held_out(&row.text));
            (Rows::One(rest), Rows::One(fifth))
        }
        Rows::Any(rows) => {
            let (rest, fifth) = rows.into_iter().partition(|row| !is_held_out(&row.text));
            (Rows::Any(rest), Rows::Any(fifth))
        }
    }
}

fn is_held_out(text: &str) -> bool {
    // Another split than the one that training makes for the temperature.
    let key = format!("held out {}", text.trim().to_lowercase());
    crc32fast::hash(key.as_bytes()).is_multiple_of(5)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("messages.jsonl");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    fn read(file: &Path, field: &str, only: &[(&str, &str)]) -> Result<Rows, ClassifyError> {
        let selection = Selection {
            field: field.to_owned(),
            only: only
                .iter()
                .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()))
                .collect(),
        };
        selection.read([file])
    }

    const MESSAGES: &str = r#"{"text": "hi", "intent": "greeting", "language": "en"}
{"text": "你好", "intent": "greeting", "language": "zh"}

{"text": "hm", "sentiment": "neutral", "language": "en", "emotions": ["doubt", "boredom"]}
{"text": "table", "emotions": []}
"#;

    #[test]
    fn lines_with_the_label_and_the_language_are_read() {
        let (_folder, file) = file(MESSAGES);
        let texts = |only: &[(&str, &str)]| match read(&file, "intent", only).unwrap() {
            Rows::One(rows) => rows.into_iter().map(|row| row.text).collect::<Vec<_>>(),
            Rows::Any(rows) => panic!("{rows:?}"),
        };
        assert_eq!(texts(&[]), ["hi", "你好"]);
        assert_eq!(texts(&[("language", "en")]), ["hi"]);
    }

    #[test]
    fn the_turns_of_dialogues_are_messages_too() {
        let dialogue = r#"{"id": "a", "world": "shop", "language": "en", "turns": [
            {"user": "hello", "expect": {"intent": "greeting", "sentiment": "positive"}},
            {"user": "hm"}]}"#
            .replace('\n', " ");
        let (_folder, own) = file(&format!("{MESSAGES}{dialogue}\n"));
        let texts = |file: &Path, only: &[(&str, &str)]| match read(file, "intent", only).unwrap() {
            Rows::One(rows) => rows,
            Rows::Any(rows) => panic!("{rows:?}"),
        };
        let rows = texts(&own, &[("world", "shop")]);
        assert_eq!((rows.len(), rows[0].text.as_str()), (1, "hello"));
        assert_eq!(rows[0].beside.as_deref(), Some("positive"));

        let folder = tempfile::tempdir().unwrap();
        let stories = folder.path().join("stories.yml");
        let story = "stories:\n- story: s\n  steps:\n  - {user: hi, intent: greet}\n";
        std::fs::write(&stories, story).unwrap();
        assert_eq!(texts(&stories, &[])[0].label, "greet");
    }

    #[test]
    fn lists_of_labels_are_read_as_such() {
        let (_folder, file) = file(MESSAGES);
        let Rows::Any(rows) = read(&file, "emotions", &[]).unwrap() else {
            panic!("these are lists");
        };
        let own: Vec<usize> = rows.iter().map(|row| row.own.len()).collect();
        assert_eq!(own, [2, 0]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let (_folder, broken) = file("{\"text\": \"hi\", \"intent\": \"a\"}\nnot json\n");
        let error = read(&broken, "intent", &[]).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        let (_folder, numbers) = file("{\"text\": \"hi\", \"intent\": [3]}");
        let error = read(&numbers, "intent", &[]).unwrap_err();
        assert!(error.to_string().contains("neither a label"), "{error}");
        let (_folder, both) =
            file("{\"text\": \"hi\", \"intent\": [\"a\"]}\n{\"text\": \"hi\", \"intent\": \"a\"}");
        let error = read(&both, "intent", &[]).unwrap_err();
        assert!(matches!(error, ClassifyError::Mixed(_)), "{error}");
        let (_folder, file) = file(MESSAGES);
        let error = read(&file, "topic", &[]).unwrap_err();
        assert!(matches!(error, ClassifyError::Nothing { .. }), "{error}");
    }

    #[test]
    fn about_a_fifth_is_held_out_and_always_the_same() {
        let rows: Vec<Tagged> = (0..1000)
            .map(|n| Tagged {
                text: format!("message {n}"),
                before: None,
                own: vec!["a".to_owned()],
            })
            .collect();
        let (rest, fifth) = hold_out(Rows::Any(rows.clone()));
        let length = |rows: &Rows| match rows {
            Rows::One(rows) => rows.len(),
            Rows::Any(rows) => rows.len(),
        };
        assert_eq!(length(&rest) + length(&fifth), 1000);
        assert!((150..250).contains(&length(&fifth)), "{}", length(&fifth));
        assert_eq!(hold_out(Rows::Any(rows)).1, fifth);
    }
}
