//! What is asked of a model.

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
    /// Seed of the sampler.
    pub seed: u32,
    /// 0 is greedy. Even so two replies may differ: what else is computed with a reply changes how its
    /// numbers are rounded, and where the model wavers between two words, that decides.
    pub temperature: f32,
}
