//! A generation request: prompt, limits, sampling and deadline.

use std::time::Instant;

/// Who says a part of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The rules.
    System,
    /// The customer, and the facts of this turn.
    User,
    /// Earlier replies.
    Assistant,
}

impl Role {
    /// Its name in chat templates and in the OpenAI protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a prompt; the model's own chat template joins them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PromptMessage {
    /// Who says it.
    pub role: Role,
    /// What. Markup of the chat template in here is plain text to the model.
    pub content: String,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Prompt, unchanging parts first: a common prefix with an earlier request is not computed again.
    pub prompt: Vec<PromptMessage>,
    /// Most tokens to write.
    pub max_tokens: usize,
    /// The reply ends before the first of these to be complete; empty ones are ignored.
    pub stop: Vec<String>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Whom it is for: conversations are served in turn, so that one that asks for much does not hold
    /// up the others. `None` is a conversation of its own.
    pub conversation: Option<u64>,
    /// When nobody wants it any more: a request that still waits then fails with
    /// [`crate::GenerateError::TooLate`], a reply ends with [`crate::Finish::Deadline`].
    pub deadline: Option<Instant>,
    /// Whether to guess ahead where the reply copies its prompt, or says what others were told; it is then
    /// remembered for others, too. It changes how fast the reply comes, and what it says only as far as
    /// rounding does. Only models on this machine do it.
    pub speculate: bool,
}

impl Request {
    /// The likeliest reply to `prompt`, of at most `max_tokens`.
    pub fn new(prompt: Vec<PromptMessage>, max_tokens: usize) -> Self {
        Self {
            prompt,
            max_tokens,
            stop: Vec::new(),
            sampling: Sampling::default(),
            conversation: None,
            deadline: None,
            speculate: true,
        }
    }
}

/// How tokens are chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Seed of the sampler.
    pub seed: u32,
    /// 0 is greedy. Even so two replies may differ: what else is computed with a reply changes how its
    /// numbers are rounded, and where the model wavers between two words, that decides.
    pub temperature: f32,
    /// What the reply must look like.
    pub form: Form,
    /// Added to the logits of tokens, named by their text, which must be one token to the model;
    /// negative infinity forbids it. Only models on this machine take it.
    pub bias: Vec<(String, f32)>,
}

/// What a reply must look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Form {
    /// Anything.
    #[default]
    Free,
    /// A text of this grammar, in llguidance's variant of Lark, from its rule `start`
    /// (<https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md>). Only models on this machine
    /// take it.
    Grammar(String),
    /// JSON of this schema.
    Json(serde_json::Value),
}
