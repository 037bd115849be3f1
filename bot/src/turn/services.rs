//! What the stages of a turn ask of the rest of the program: small traits, with doubles in the tests.

use std::sync::Arc;

use async_trait::async_trait;
use crm::{
    Conversation, ConversationId, CrmError, Customer, CustomerId, FinishedTurn, Message, Order,
    ProductId, Store,
};
use generate::Generator;
use guard::Instructions;
use parking_lot::RwLock;
use retrieval::Embedding;
use understand::{Candidate, Judgement, Language, Understander, Understanding};

use super::TurnError;
use crate::audience::Hub;
use crate::clock::Clock;
use crate::config::Config;
use crate::desk::Catalogue;
use crate::library::{Hit, Library, Query};
use crate::voice::Voice;

/// The CRM store, as a turn sees it.
#[async_trait]
pub(crate) trait Records: Send + Sync {
    /// The conversation as it stands.
    async fn find_conversation(&self, id: ConversationId)
    -> Result<Option<Conversation>, CrmError>;
    /// The customer's messages that are owed an answer.
    async fn unanswered_messages(
        &self,
        conversation: &Conversation,
    ) -> Result<Vec<Message>, CrmError>;
    /// The last `limit` messages, in order.
    async fn recent_messages(
        &self,
        id: ConversationId,
        limit: u32,
    ) -> Result<Vec<Message>, CrmError>;
    /// The customer of that id.
    async fn find_customer(&self, id: &CustomerId) -> Result<Option<Customer>, CrmError>;
    /// The customer's orders, newest first.
    async fn orders_of(&self, customer: &CustomerId) -> Result<Vec<Order>, CrmError>;
    /// Ends a turn in one transaction; gives its messages as numbered.
    async fn finish_turn(&self, turn: FinishedTurn) -> Result<Vec<Message>, CrmError>;
}

#[async_trait]
impl Records for Store {
    async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, CrmError> {
        Self::find_conversation(self, id).await
    }

    async fn unanswered_messages(
        &self,
        conversation: &Conversation,
    ) -> Result<Vec<Message>, CrmError> {
        Self::unanswered_messages(self, conversation).await
    }

    async fn recent_messages(
        &self,
        id: ConversationId,
        limit: u32,
    ) -> Result<Vec<Message>, CrmError> {
        Self::recent_messages(self, id, limit).await
    }

    async fn find_customer(&self, id: &CustomerId) -> Result<Option<Customer>, CrmError> {
        Self::find_customer(self, id).await
    }

    async fn orders_of(&self, customer: &CustomerId) -> Result<Vec<Order>, CrmError> {
        Self::orders_of(self, customer).await
    }

    async fn finish_turn(&self, turn: FinishedTurn) -> Result<Vec<Message>, CrmError> {
        Self::finish_turn(self, turn).await
    }
}

/// Reads messages.
#[async_trait]
pub(crate) trait Reader: Send + Sync {
    /// The language of `text`; `usual` is that of the conversation so far.
    async fn language(&self, text: &str, usual: &Language) -> Result<Language, TurnError>;
    /// What the heads make of a message, and its embedding, alone and behind what was said `before`.
    async fn understand(
        &self,
        text: &str,
        before: Option<&str>,
        language: &Language,
    ) -> Result<Understanding, TurnError>;
    /// Which of `candidates`, and whether any, answer the question `text`, which goes on from what was said
    /// `before`.
    async fn judge(
        &self,
        text: &str,
        before: Option<&str>,
        candidates: Vec<Candidate>,
    ) -> Result<Judgement, TurnError>;
    /// Version of the heads, as outcomes record it.
    fn version(&self) -> String;
}

/// The trained heads, off the async threads.
pub(crate) struct Heads(pub(crate) Arc<Understander>);

#[async_trait]
impl Reader for Heads {
    async fn language(&self, text: &str, usual: &Language) -> Result<Language, TurnError> {
        let heads = Arc::clone(&self.0);
        let (text, usual) = (text.to_owned(), usual.clone());
        blocking(move || heads.language(&text, &usual)).await
    }

    async fn understand(
        &self,
        text: &str,
        before: Option<&str>,
        language: &Language,
    ) -> Result<Understanding, TurnError> {
        let heads = Arc::clone(&self.0);
        let (text, language) = (text.to_owned(), language.clone());
        let before = before.map(str::to_owned);
        Ok(blocking(move || heads.understand(&text, before.as_deref(), language)).await??)
    }

    async fn judge(
        &self,
        text: &str,
        before: Option<&str>,
        candidates: Vec<Candidate>,
    ) -> Result<Judgement, TurnError> {
        let heads = Arc::clone(&self.0);
        let text = text.to_owned();
        let before = before.map(str::to_owned);
        Ok(blocking(move || heads.judge(&text, before.as_deref(), &candidates)).await??)
    }

    fn version(&self) -> String {
        self.0.version().to_owned()
    }
}

/// Finds what is known.
#[async_trait]
pub(crate) trait Finder: Send + Sync {
    /// `message` with its misspelt words put right, by the company's own.
    fn spelled(&self, message: &str) -> String;
    /// The passages for a query, best first.
    async fn passages(&self, query: &Query) -> Result<Vec<Hit>, TurnError>;
    /// The products most similar to a wish, best first, with their similarity.
    async fn products(
        &self,
        wish: &str,
        embedding: &Embedding,
        limit: usize,
    ) -> Result<Vec<(ProductId, f32)>, TurnError>;
    /// The similarity of each of `texts` to a query, in their order.
    async fn similarity(
        &self,
        query: &Embedding,
        texts: Vec<String>,
    ) -> Result<Vec<f32>, TurnError>;
}

#[async_trait]
impl Finder for Library {
    fn spelled(&self, message: &str) -> String {
        Self::spelled(self, message)
    }

    async fn passages(&self, query: &Query) -> Result<Vec<Hit>, TurnError> {
        Ok(self.search_knowledge(query).await?)
    }

    async fn products(
        &self,
        wish: &str,
        embedding: &Embedding,
        limit: usize,
    ) -> Result<Vec<(ProductId, f32)>, TurnError> {
        let found = self.search_products(wish.to_owned(), embedding.clone(), limit);
        Ok(found.await?)
    }

    async fn similarity(
        &self,
        query: &Embedding,
        texts: Vec<String>,
    ) -> Result<Vec<f32>, TurnError> {
        Ok(Self::similarity(self, query.clone(), texts).await?)
    }
}

/// What a turn works with. Its stages are handed the ones that they use.
pub(crate) struct Services {
    /// The CRM store.
    pub records: Arc<dyn Records>,
    /// The classifier.
    pub reader: Arc<dyn Reader>,
    /// The index.
    pub finder: Arc<dyn Finder>,
    /// The products by name; replaced when the catalogue changes.
    pub catalogue: Arc<RwLock<Arc<Catalogue>>>,
    /// What writes.
    pub generator: Arc<dyn Generator>,
    /// Who listens.
    pub hub: Arc<Hub>,
    /// What every stage reads.
    pub settings: Settings,
}

/// What every stage of a turn reads and none changes: the company's words and rules, and the time.
pub(crate) struct Settings {
    /// The company's ready words.
    pub voice: Voice,
    /// The instructions that no reply may repeat.
    pub instructions: Instructions,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// The configuration.
    pub config: Arc<Config>,
}

/// Runs what blocks for milliseconds off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TurnError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| TurnError::ShuttingDown)
}
