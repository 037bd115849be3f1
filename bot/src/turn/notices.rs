//! Words that are said outside of a turn: the welcome, a hand-over by button, the end, a failure.

use crm::ConversationId;

use super::decide::HandOverReason;
use super::{TurnError, Turns};
use crate::protocol::{ErrorCode, ServerFrame};

impl Turns {
    /// The language of a conversation with somebody whose language has this BCP 47 tag: theirs where
    /// there are templates in it, else English.
    pub(crate) fn language_for(&self, tag: &str) -> String {
        let language = understand::Language::from_tag(tag);
        self.prompts.supported(language.as_str()).to_owned()
    }

    /// First contact: says that this is an AI and how to reach a person (EU AI Act, article 50).
    pub(crate) fn welcome(&self, language: &str, name: Option<&str>) -> Result<String, TurnError> {
        Ok(self
            .prompts
            .render(language, "hello", &self.visitor(name))?)
    }

    /// What a customer is told who asked for a person by the button.
    pub(crate) async fn hand_over_notice(&self, id: ConversationId) -> Result<String, TurnError> {
        let language = self.language_of(id).await?;
        Ok(self.reasoned(&language, "handover", HandOverReason::Requested)?)
    }

    /// What is said when the customer ends the conversation.
    pub(crate) async fn ended_notice(&self, id: ConversationId) -> Result<String, TurnError> {
        Ok(self
            .prompts
            .render(&self.language_of(id).await?, "ended", &self.visitor(None))?)
    }

    /// Tells the clients of `id` that its turn has failed for now. The message stays stored and is
    /// answered with the next one, or after the next start.
    pub(crate) async fn apologise(&self, id: ConversationId) {
        let message = self.failed_notice(id).await.unwrap_or_else(|error| {
            tracing::error!("the apology could not be written: {error}");
            "Something went wrong on our side.".to_owned()
        });
        let frame = ServerFrame::Error {
            code: ErrorCode::Unavailable,
            message,
            retry_after: Some(60.0),
        };
        self.hub.send(id, &ServerFrame::typing(false));
        self.hub.send(id, &frame);
    }

    async fn failed_notice(&self, id: ConversationId) -> Result<String, TurnError> {
        let language = self.language_of(id).await?;
        Ok(self
            .prompts
            .render(&language, "failed", &self.visitor(None))?)
    }

    async fn language_of(&self, id: ConversationId) -> Result<String, TurnError> {
        let found = self.store.find_conversation(id).await?;
        Ok(found
            .and_then(|conversation| conversation.language)
            .unwrap_or_else(|| "en".into()))
    }
}
