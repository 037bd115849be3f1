//! A message in English, by the model.

use generate::{Chunk, Generator, PromptMessage, Request, Role};
use serde::Serialize;

use super::super::{Turn, outcome};

/// Fewest and most tokens of a translation.
const TOKENS: std::ops::RangeInclusive<usize> = 32..=256;

#[derive(Serialize)]
struct TranslateContext<'a> {
    message: &'a str,
}

/// The messages to answer, in English; `None` when the model cannot translate now.
pub(in crate::turn) async fn translate(
    turn: &Turn<'_>,
    generator: &dyn Generator,
) -> Option<String> {
    let settings = turn.settings;
    super::wait(generator, &settings.config.generate)?;
    let message = &turn.opened.text;
    // Alone: beside what was said before, a small model translates that.
    let context = TranslateContext { message };
    let content = settings.voice.render("en", "translate", &context).ok()?;
    let prompt = vec![PromptMessage {
        role: Role::User,
        content,
    }];
    let request = Request {
        max_tokens: (message.chars().count() * 2).clamp(*TOKENS.start(), *TOKENS.end()),
        stop: vec!["\n\n".into()],
        // It has nothing in common with what the conversation said: that stays as it is.
        conversation: None,
        ..super::request(turn, prompt)
    };
    let mut generation = generator.generate(request).await.ok()?;
    let mut text = String::new();
    while let Some(chunk) = generation.next().await {
        match chunk.ok()? {
            Chunk::Text(piece) => text.push_str(&piece),
            Chunk::Done { .. } => break,
        }
    }
    outcome::count_tokens(&generation.usage());
    let text = text.trim().trim_start_matches("Translation:").trim();
    (!text.is_empty()).then(|| text.to_owned())
}
