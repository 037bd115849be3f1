//! What a conversation remembers between turns.

use serde::{Deserialize, Serialize};

use super::open::Opened;
use super::read::Question;
use super::write::Reply;
use crate::desk::Focus;

/// Longest topic carried over, in characters.
const TOPIC_CHARS: usize = 240;

/// What a conversation is about, and how it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// The records talked about.
    pub(crate) focus: Focus,
    /// The last questions, in the desk's language: what "and the other one?" goes on from.
    pub(crate) topic: String,
    /// The last message that asked something, as the customer wrote it: courtesies between two questions
    /// do not part them.
    pub(crate) asked: String,
    /// Angry messages in a row.
    pub(crate) angry: u32,
    /// Whether the last message was an attack, or asked for others' data.
    pub(crate) declined: bool,
    /// What the bot has asked and waits to hear.
    pub(crate) pending: Option<Pending>,
}

/// A question of the bot's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pending {
    /// "Would you like me to pass you on?"
    OfferedPerson,
}

impl Memory {
    /// Reads what the store kept. What another version wrote in another form is forgotten, which
    /// the log says.
    pub(crate) fn read(kept: &serde_json::Value) -> Self {
        if kept.is_null() {
            return Self::default();
        }
        Self::deserialize(kept).unwrap_or_else(|error| {
            tracing::warn!(
                "a conversation's memory is of another version and is forgotten: {error}"
            );
            Self::default()
        })
    }

    /// What is remembered once a turn is answered: one place for what the desk and the search go on
    /// from, so that they cannot disagree.
    pub(crate) fn after(
        opened: &Opened,
        question: Option<&Question>,
        angry: u32,
        reply: &Reply,
    ) -> Self {
        let before = &opened.memory;
        let topic = match (question, &reply.query) {
            (Some(_), Some(query)) if reply.reaction.is_about_something() => query.clone(),
            (Some(question), None) if reply.reaction.is_about_something() => {
                let text = question.text.trim();
                if question.follows {
                    before.with_topic(text)
                } else {
                    text.to_owned()
                }
            }
            _ => before.topic.clone(),
        };
        let asks = question.is_some() && reply.reaction.is_about_something();
        let asked = if asks { &opened.text } else { &before.asked };
        Self {
            asked: last_chars(asked, TOPIC_CHARS),
            focus: reply.focus.clone().unwrap_or_else(|| before.focus.clone()),
            topic: last_chars(&topic, TOPIC_CHARS),
            angry,
            declined: reply.reaction.declines_an_attack(),
            pending: reply.pending,
        }
    }

    /// A message after what was talked about.
    pub(crate) fn with_topic(&self, message: &str) -> String {
        format!("{} {message}", self.topic)
    }
}

/// The last `most` characters of `text`, from the beginning of a word on.
fn last_chars(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count - most).collect();
    tail.split_once(' ')
        .map_or(tail.as_str(), |(_, rest)| rest)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_topic_is_cut_at_a_word() {
        assert_eq!(
            last_chars("what does the blue account charge", 16),
            "account charge"
        );
        assert_eq!(last_chars("short", 14), "short");
    }

    #[test]
    fn memory_of_an_earlier_version_is_read_and_of_a_strange_one_forgotten() {
        let earlier = json!({ "topic": "returns", "angry": 2, "declined": true });
        let memory = Memory::read(&earlier);
        assert_eq!((memory.topic.as_str(), memory.angry), ("returns", 2));
        assert_eq!(memory.pending, None);
        for strange in [json!("x"), json!({ "angry": "very" }), json!(null)] {
            assert_eq!(Memory::read(&strange), Memory::default());
        }
    }

    #[test]
    fn memory_is_kept_as_it_was() {
        let memory = Memory {
            topic: "returns".into(),
            pending: Some(Pending::OfferedPerson),
            ..Memory::default()
        };
        let kept = serde_json::to_value(&memory).unwrap();
        assert_eq!(Memory::read(&kept), memory);
    }
}
