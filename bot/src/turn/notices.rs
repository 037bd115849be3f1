//! Words that are said outside of a turn: the welcome, a hand-over by button, the end.

use crm::ConversationId;

use super::decide::HandOverReason;
use super::{TurnError, Turns};

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

    async fn language_of(&self, id: ConversationId) -> Result<String, TurnError> {
        let found = self.store.find_conversation(id).await?;
        Ok(found
            .and_then(|conversation| conversation.language)
            .unwrap_or_else(|| "en".into()))
    }
}
