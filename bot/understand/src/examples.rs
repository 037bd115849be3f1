//! Labelled messages, and which of them are held out.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::heads::{ACTS, ASKS, CONCERN, EMOTIONS, INJECTION, INTENT, SENTIMENT, TAGGED};
use crate::train::TrainError;

/// Label of a message that raises no concern.
pub const NO_CONCERN: &str = "none";
/// Label of a message without instructions to the bot.
const NO_INJECTION: &str = "none";

/// A labelled message. A head is trained on the examples that carry its label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Example {
    /// The message.
    pub text: String,
    /// What was said just before it, where it goes on from that.
    #[serde(default)]
    pub before: Option<String>,
    /// What it wants.
    #[serde(default)]
    pub intent: Option<String>,
    /// How its writer feels: `negative`, `neutral`, `positive`.
    #[serde(default)]
    pub sentiment: Option<String>,
    /// What a bot must not answer alone: `fraud`, `legal`... or `none`.
    #[serde(default)]
    pub concern: Option<String>,
    /// Whether it gives instructions to the bot: a prompt injection.
    #[serde(default)]
    pub injection: Option<bool>,
    /// All that its writer feels, in labels of one's own: several, one, or none of them.
    #[serde(default)]
    pub emotions: Option<Vec<String>>,
    /// What it asks of a record, in labels of which it may have several or none.
    #[serde(default)]
    pub asks: Option<Vec<String>>,
    /// What it does in the dialogue, in labels of which several or none may hold.
    #[serde(default)]
    pub acts: Option<Vec<String>>,
    /// What it is held out with: the message that a program made it of.
    #[serde(skip)]
    pub made_of: Option<String>,
}

impl Example {
    pub(crate) fn label(&self, head: &str) -> Option<&str> {
        match head {
            INTENT => self.intent.as_deref(),
            SENTIMENT => self.sentiment.as_deref(),
            CONCERN => self.concern.as_deref(),
            INJECTION => self
                .injection
                .map(|is_one| if is_one { INJECTION } else { NO_INJECTION }),
            _ => None,
        }
    }

    /// Whether it is learnt from.
    pub(crate) fn part(&self) -> Part {
        part_of(self.made_of.as_deref().unwrap_or(&self.text))
    }

    /// Its labels for a head whose labels do not exclude each other; `None` where it carries none for
    /// that head, not even the empty list.
    pub(crate) fn tags(&self, head: &str) -> Option<&[String]> {
        match head {
            EMOTIONS => self.emotions.as_deref(),
            ASKS => self.asks.as_deref(),
            ACTS => self.acts.as_deref(),
            _ => None,
        }
    }
}

/// Reads examples, one JSON object a line; empty lines are passed over.
///
/// # Errors
/// [`TrainError::Read`], or [`TrainError::Line`] with the first line that is not an example.
pub fn read_examples(path: &Path) -> Result<Vec<Example>, TrainError> {
    json_lines(path, |example: &Example| {
        if example.text.trim().is_empty() {
            return Err("the text is empty".into());
        }
        Ok(())
    })
}

/// Reads what `check` has nothing against, one JSON object a line; empty lines are passed over.
///
/// # Errors
/// [`TrainError::Read`], or [`TrainError::Line`] with the first line that is none.
pub(crate) fn json_lines<T: DeserializeOwned>(
    path: &Path,
    check: impl Fn(&T) -> Result<(), String>,
) -> Result<Vec<T>, TrainError> {
    let bytes = std::fs::read(path).map_err(|source| TrainError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut all = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let bad = |reason: String| TrainError::Line {
            path: path.to_owned(),
            line: index + 1,
            reason,
        };
        let line = std::str::from_utf8(line).map_err(|_| bad("it is not UTF-8".into()))?;
        let read: T = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        check(&read).map_err(bad)?;
        all.push(read);
    }
    Ok(all)
}

/// Names a training by what it was trained on: equal examples, equal version.
pub(crate) fn version(examples: &[Example]) -> String {
    let mut hasher = crc32fast::Hasher::new();
    for example in examples {
        hasher.update(example.text.as_bytes());
        hasher.update(example.before.as_deref().unwrap_or_default().as_bytes());
        for head in [INTENT, SENTIMENT, CONCERN, INJECTION] {
            hasher.update(example.label(head).unwrap_or("\n").as_bytes());
        }
        for tag in TAGGED.iter().filter_map(|head| example.tags(head)) {
            tag.iter().for_each(|tag| hasher.update(tag.as_bytes()));
        }
    }
    format!("heads-{}-{:08x}", examples.len(), hasher.finalize())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Train,
    Temperature,
    Test,
}

/// A stable fifth is held out: the split must not move when examples are added.
pub(crate) fn part_of(text: &str) -> Part {
    match crc32fast::hash(text.trim().to_lowercase().as_bytes()) % 10 {
        0 => Part::Temperature,
        1 => Part::Test,
        _ => Part::Train,
    }
}

/// Rows of a head with their labels. Where a concern is labelled at all, messages without that
/// label count as raising none: two of them for every labelled one, evenly spread. Where injections
/// are, all messages without that label count as ordinary ones.
pub(crate) fn with_defaults<'e>(name: &str, examples: &'e [Example]) -> Vec<(usize, &'e str)> {
    let mut labelled: Vec<(usize, &str)> = examples
        .iter()
        .enumerate()
        .filter_map(|(at, example)| Some((at, example.label(name)?)))
        .collect();
    let (none, step) = match name {
        _ if labelled.is_empty() => return labelled,
        CONCERN => {
            let plain = examples.len() - labelled.len();
            (NO_CONCERN, plain / (2 * labelled.len()))
        }
        INJECTION => (NO_INJECTION, 1),
        _ => return labelled,
    };
    let plain = (0..examples.len()).filter(|at| examples[*at].label(name).is_none());
    labelled.extend(plain.step_by(step.max(1)).map(|at| (at, none)));
    labelled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, concern: Option<&str>) -> Example {
        Example {
            text: text.into(),
            concern: concern.map(str::to_owned),
            ..Example::default()
        }
    }

    #[test]
    fn messages_without_a_concern_count_as_raising_none() {
        let examples: Vec<Example> = (0..40)
            .map(|n| example(&format!("message {n}"), (n % 20 == 0).then_some("fraud")))
            .collect();
        let labelled = with_defaults(CONCERN, &examples);
        assert_eq!(
            labelled
                .iter()
                .filter(|(_, label)| *label == "fraud")
                .count(),
            2
        );
        assert!(
            labelled
                .iter()
                .filter(|(_, label)| *label == NO_CONCERN)
                .count()
                >= 4
        );
    }

    #[test]
    fn the_same_text_is_always_on_the_same_side() {
        assert_eq!(
            part_of("Where is my order?"),
            part_of(" where is my ORDER? ")
        );
        let held = (0..1000)
            .filter(|n| part_of(&n.to_string()) != Part::Train)
            .count();
        assert!((150..250).contains(&held), "{held} of 1000 are held out");
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("examples.jsonl");
        std::fs::write(
            &path,
            "{\"text\": \"hi\", \"intent\": \"greeting\"}\n\n{\"txt\": 1}\n",
        )
        .unwrap();
        let error = read_examples(&path).unwrap_err();
        assert!(matches!(error, TrainError::Line { line: 3, .. }), "{error}");
        std::fs::write(&path, b"{\"text\": \"caf\xe9\"}\n").unwrap();
        assert!(
            read_examples(&path)
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
    }
}
