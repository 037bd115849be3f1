//! Labelled messages, read from a file, and which of them are held out.

use std::path::Path;

use serde_json::{Map, Value};

use super::{ClassifyError, SENTIMENT};

/// A labelled message.
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

/// What of a file is taken.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Field of the label.
    pub field: String,
    /// Fields that must have these values.
    pub only: Vec<(String, String)>,
}

impl Selection {
    /// Reads the labelled messages of a JSONL file; lines without the label are passed over.
    ///
    /// # Errors
    /// [`ClassifyError::Read`], [`ClassifyError::Line`], [`ClassifyError::Nothing`].
    pub fn read(&self, file: &Path) -> Result<Vec<Labelled>, ClassifyError> {
        let text = std::fs::read_to_string(file).map_err(|source| ClassifyError::Read {
            file: file.to_owned(),
            source,
        })?;
        let mut rows = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let row = self.row(line).map_err(|reason| ClassifyError::Line {
                file: file.to_owned(),
                line: at + 1,
                reason,
            })?;
            rows.extend(row);
        }
        if rows.is_empty() {
            return Err(ClassifyError::Nothing {
                file: file.to_owned(),
                field: self.field.clone(),
                filtered: !self.only.is_empty(),
            });
        }
        Ok(rows)
    }

    fn row(&self, line: &str) -> Result<Option<Labelled>, String> {
        let row: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| error.to_string())?;
        let is = |(field, value): &(String, String)| {
            row.get(field).and_then(Value::as_str) == Some(value.as_str())
        };
        if !self.only.iter().all(is) {
            return Ok(None);
        }
        let label = match row.get(&self.field) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(label)) => label.clone(),
            Some(_) => return Err(format!("{:?} is not one label", self.field)),
        };
        let text = row.get("text").and_then(Value::as_str);
        let text = text.ok_or("there is no \"text\"")?.to_owned();
        let beside = if self.field == SENTIMENT {
            understand::INTENT
        } else {
            SENTIMENT
        };
        let beside = row.get(beside).and_then(Value::as_str).map(str::to_owned);
        Ok(Some(Labelled {
            text,
            label,
            beside,
        }))
    }
}

/// A stable fifth of `rows`, chosen by their texts, apart from the rest: `(rest, fifth)`.
pub fn hold_out(rows: Vec<Labelled>) -> (Vec<Labelled>, Vec<Labelled>) {
    let is_held_out = |row: &Labelled| {
        // Another split than the one that training makes for the temperature.
        let key = format!("held out {}", row.text.trim().to_lowercase());
        crc32fast::hash(key.as_bytes()).is_multiple_of(5)
    };
    rows.into_iter().partition(|row| !is_held_out(row))
}
