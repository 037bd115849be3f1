//! Tokenises a prompt: the model's own chat template around message contents that are only ever
//! text.
//!
//! The template is rendered around placeholders, and the markup between them is tokenised
//! separately from the contents. Special tokens are recognised in markup only, so a customer who
//! writes `<|im_end|>` sends those ten characters. A message's tokens depend on nothing after it,
//! so prompts with the same leading messages have the same token prefix.

use std::sync::Arc;

use llama_cpp_2::model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel};
use llama_cpp_2::token::LlamaToken;

use crate::{GenerateError, PromptMessage, Role};

/// What follows the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The markup that opens a reply.
    Reply,
    /// Nothing yet: other messages may.
    Open,
}

/// Turns prompts into tokens. Shares the model with the engine's thread, which only reads it.
pub(super) struct Prompts {
    model: Arc<LlamaModel>,
    template: LlamaChatTemplate,
}

impl Prompts {
    /// Uses `model`'s template, tried on a short conversation.
    ///
    /// # Errors
    /// Why the model is not one to chat with, as part of a sentence.
    pub(super) fn new(model: Arc<LlamaModel>) -> Result<Self, String> {
        let template = model.chat_template(None).map_err(|_| {
            "it has no chat template; use an instruct or chat version of it".to_owned()
        })?;
        let prompts = Self { model, template };
        let roles = [Role::System, Role::User, Role::Assistant, Role::User];
        prompts.markup(&roles, Ending::Reply)?;
        Ok(prompts)
    }

    /// The tokens of `prompt`; blocks for about a millisecond a thousand tokens.
    pub(super) fn tokens(
        &self,
        prompt: &[PromptMessage],
        ending: Ending,
    ) -> Result<Vec<LlamaToken>, GenerateError> {
        if prompt.is_empty() {
            return Err(GenerateError::backend(
                "a prompt needs at least one message",
            ));
        }
        let roles: Vec<_> = prompt.iter().map(|message| message.role).collect();
        let markup = self
            .markup(&roles, ending)
            .map_err(GenerateError::backend)?;
        let contents = prompt
            .iter()
            .map(|message| message.content.as_str())
            .chain([""]);
        let vocab = self.model.vocab();
        let mut tokens = Vec::new();
        if vocab.should_add_bos() {
            tokens.push(vocab.bos());
        }
        for (markup, content) in markup.iter().zip(contents) {
            let mut marked = vocab.tokenize(markup.as_bytes(), false, true);
            if tokens.len() == 1 && marked.first() == tokens.first() {
                marked.remove(0); // The template begins with the token that begins every text.
            }
            tokens.append(&mut marked);
            vocab.tokenize_into(content.as_bytes(), &mut tokens, false, false);
        }
        Ok(tokens)
    }

    /// What the template writes before, between and after messages of `roles`.
    fn markup(&self, roles: &[Role], ending: Ending) -> Result<Vec<String>, String> {
        let message = |(index, role): (usize, &Role)| {
            LlamaChatMessage::new(role.name().to_owned(), mark(index))
        };
        let messages: Result<Vec<_>, _> = roles.iter().enumerate().map(message).collect();
        let messages = messages.map_err(|error| template_error(&error))?;
        let rendered = self
            .model
            .apply_chat_template(&self.template, &messages, ending == Ending::Reply)
            .map_err(|error| template_error(&error))?;
        between_marks(&rendered, roles.len())
            .ok_or_else(|| "its chat template leaves out or reorders messages".to_owned())
    }
}

fn template_error(error: &dyn std::error::Error) -> String {
    format!("its chat template is none that llama.cpp knows ({error})")
}

/// Stands for the content of message `index`: private-use characters, which no template writes.
fn mark(index: usize) -> String {
    format!("\u{E000}{index}\u{E001}")
}

/// The text around marks `0..count`: one piece more than there are marks. `None` unless each mark
/// occurs, in order.
fn between_marks(rendered: &str, count: usize) -> Option<Vec<String>> {
    let mut rest = rendered;
    let mut pieces = Vec::with_capacity(count + 1);
    for index in 0..count {
        let (before, after) = rest.split_once(&mark(index))?;
        pieces.push(before.to_owned());
        rest = after;
    }
    pieces.push(rest.to_owned());
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_what_stands_around_the_marks() {
        let rendered = format!("<a>{}</a><b>{}</b>", mark(0), mark(1));
        assert_eq!(
            between_marks(&rendered, 2).unwrap(),
            ["<a>", "</a><b>", "</b>"]
        );
    }

    #[test]
    fn the_eleventh_mark_is_not_taken_for_the_second() {
        let rendered: String = (0..12).map(|index| mark(index) + ".").collect();
        let pieces = between_marks(&rendered, 12).unwrap();
        assert_eq!(pieces.len(), 13);
        assert!(pieces[1..].iter().all(|piece| piece == "."));
    }

    #[test]
    fn a_template_that_drops_or_swaps_messages_is_noticed() {
        assert_eq!(between_marks(&mark(1), 2), None);
        assert_eq!(between_marks(&(mark(1) + &mark(0)), 2), None);
    }
}
