//! Reading a message: its language, its spelling, and what it means.

use language::days;
use understand::{Language, Understanding, act};

use super::open::Opened;
use super::services::{Finder, Reader};
use super::{Turn, TurnError};

/// What a message means, read in its own language.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// The message, well spelt.
    pub(crate) text: String,
    /// What the heads make of it.
    pub(crate) understanding: Understanding,
    /// Angry messages in a row, this one included.
    pub(crate) angry: u32,
}

impl Reading {
    /// The language that the customer writes in.
    pub(crate) fn language(&self) -> &str {
        self.understanding.language.as_str()
    }
}

/// A message as a question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The message, with the weekdays of its relative days.
    pub(crate) text: String,
    /// Whether it is in the language of the pages, so that words can be compared.
    pub(crate) same_language: bool,
    /// Whether it goes on from the ones before; what there is nothing to go on from stands by itself.
    pub(crate) follows: bool,
}

/// Reads the message of a turn: one pass of the encoder, in the customer's language.
pub(crate) async fn read(
    reader: &dyn Reader,
    finder: &dyn Finder,
    opened: &Opened,
) -> Result<Reading, TurnError> {
    let usual = opened.usual_language();
    let language = reader.language(&opened.text, &usual).await?;
    let text = if language == Language::english() {
        finder.spelled(&opened.text)
    } else {
        opened.text.clone()
    };
    let understanding = reader
        .understand(&text, opened.asked_before(), &language)
        .await?;
    let angry = if understanding.sentiment.top() == "negative" {
        opened.memory.angry + 1
    } else {
        0
    };
    Ok(Reading {
        text,
        understanding,
        angry,
    })
}

/// The question of the message.
pub(super) fn question(turn: &Turn<'_>) -> Question {
    let (settings, reading) = (turn.settings, turn.reading);
    let prompts = settings.voice.prompts();
    let pack = prompts.pack(reading.language());
    let today = settings.clock.today();
    let follows = reading.understanding.does(act::FOLLOWS) && !turn.opened.memory.topic.is_empty();
    Question {
        text: days::with_weekdays(&reading.text, today, pack).into_owned(),
        same_language: reading.language() == prompts.fallback(),
        follows,
    }
}
