//! Reading a message: its language, its spelling, what it means, and, for a question, the same in
//! the language that the desk reads.

use language::days;
use understand::{Language, Ranking, Understanding, act};

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

/// A message as the desk, the search by words and the guard read it: in English.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The message, or its translation, with the weekdays of its relative days.
    pub(crate) text: String,
    /// Whether it was translated.
    pub(crate) translated: bool,
    /// Whether the reply will be in the language of `text`, so that words can be compared.
    pub(crate) same_language: bool,
    /// What it wants, told from the message and its translation.
    pub(crate) intent: Ranking,
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
        .understand(&text, opened.said_before(), &language)
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

/// The question of a message, in English: itself, or `translation`. Without a translation the desk
/// reads the message as it is, and finds what needs no words: numbers, names, similar passages.
pub(super) async fn question(
    turn: &Turn<'_>,
    reader: &dyn Reader,
    translation: Option<String>,
) -> Result<Question, TurnError> {
    let (settings, reading) = (turn.settings, turn.reading);
    let english = Language::english();
    let intent = &reading.understanding.intent;
    // The classifier has learnt from more English messages than others: both have a say.
    let intent = match &translation {
        Some(text) => {
            let translated = reader.understand(text, None, &english).await?;
            intent.averaged(&translated.intent)
        }
        None => intent.clone(),
    };
    let same_language = reading.understanding.language == english;
    let translated = translation.is_some();
    let text = translation.unwrap_or_else(|| reading.text.clone());
    let prompts = settings.voice.prompts();
    let pack = if translated {
        prompts.pack(english.as_str())
    } else {
        prompts.pack(reading.language())
    };
    let today = settings.clock.today();
    let text = days::with_weekdays(&text, today, pack).into_owned();
    let follows = reading.understanding.does(act::FOLLOWS) && !turn.opened.memory.topic.is_empty();
    Ok(Question {
        text,
        translated,
        same_language,
        intent,
        follows,
    })
}
