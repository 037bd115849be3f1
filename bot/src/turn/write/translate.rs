//! The pages' words in the customer's language, by the model.

use std::collections::HashSet;
use std::time::Instant;

use generate::{Chunk, Finish, Generator, PromptMessage, Request, Role};
use guard::values;
use serde::Serialize;
use understand::Language;

use super::super::services::Reader;
use super::super::{Turn, TurnError, outcome};

/// Fewest and most tokens of a translation.
const TOKENS: std::ops::RangeInclusive<usize> = 32..=320;

#[derive(Serialize)]
struct TranslateContext<'a> {
    language: &'a str,
    text: &'a str,
}

/// `text` in the customer's language; `None` where it is in that language, the model cannot translate it
/// now, or what it wrote is in another language or lacks a value of the text.
///
/// # Errors
/// [`TurnError`] of the reader.
pub(super) async fn translate(
    turn: &Turn<'_>,
    reader: &dyn Reader,
    generator: &dyn Generator,
    text: &str,
) -> Result<Option<String>, TurnError> {
    let prompts = turn.settings.voice.prompts();
    let own = Language::from_tag(prompts.fallback());
    let wanted = turn.language();
    let written_in = reader.language(text, &own).await?;
    if written_in.as_str() == wanted {
        return Ok(None);
    }
    let Some(translation) = written(turn, generator, text).await else {
        return Ok(None);
    };
    let read = |text, language| -> HashSet<String> {
        values(text, prompts.pack(language)).into_iter().collect()
    };
    let of_text = read(text, written_in.as_str());
    let is_whole = of_text.is_subset(&read(&translation, wanted));
    let language = reader.language(&translation, &own).await?;
    Ok(Some(translation).filter(|_| is_whole && language.as_str() == wanted))
}

/// What the model writes.
async fn written(turn: &Turn<'_>, generator: &dyn Generator, text: &str) -> Option<String> {
    let settings = turn.settings;
    super::wait(generator, &settings.config.generate)?;
    let voice = &settings.voice;
    let language = voice.prompts().language_name(turn.language());
    // Alone: beside what was said before, a small model translates that.
    let context = TranslateContext { language, text };
    let content = voice.render(voice.fallback(), "translate", &context).ok()?;
    let prompt = vec![PromptMessage {
        role: Role::User,
        content,
    }];
    let request = Request {
        max_tokens: text.chars().count().clamp(*TOKENS.start(), *TOKENS.end()),
        stop: vec!["\n\n".into()],
        // It has nothing in common with what the conversation said: that stays as it is.
        conversation: None,
        deadline: Some(Instant::now() + super::longest_wait(&settings.config.generate)),
        ..super::request(turn, prompt)
    };
    let mut generation = generator.generate(request).await.ok()?;
    let mut translation = String::new();
    while let Some(chunk) = generation.next().await {
        match chunk.ok()? {
            Chunk::Text(piece) => translation.push_str(&piece),
            // Half a sentence may say the opposite of the whole.
            Chunk::Done { finish, .. } if finish != Finish::Stop => return None,
            Chunk::Done { .. } => break,
        }
    }
    outcome::count_tokens(&generation.usage());
    let translation = translation.trim();
    (!translation.is_empty()).then(|| translation.to_owned())
}
