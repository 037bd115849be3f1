//! Opening a turn: what is unanswered, who writes, what was said before.

use crm::{
    Author, Conversation, ConversationId, ConversationState, Customer, Message, Order, TurnId,
};
use understand::Language;

use super::memory::Memory;
use super::services::Records;
use super::{TurnError, history};

/// A turn's beginning.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) turn: TurnId,
    pub(crate) conversation: Conversation,
    /// The session's customer and their orders, newest first. Nobody else's are ever loaded.
    pub(crate) customer: Option<Customer>,
    pub(crate) orders: Vec<Order>,
    /// Messages before those to answer, oldest first.
    pub(crate) history: Vec<Message>,
    /// The messages to answer, as one text: a burst is one turn.
    pub(crate) text: String,
    /// Id of the quick reply that was pressed last, where one was.
    pub(crate) pressed: Option<String>,
    /// `seq` of the last message to answer.
    pub(crate) through_seq: i64,
    pub(crate) memory: Memory,
}

/// Loads what a turn needs; `None` when the bot has nothing to answer.
pub(crate) async fn open(
    records: &dyn Records,
    id: ConversationId,
    turn: TurnId,
) -> Result<Option<Opened>, TurnError> {
    let Some(conversation) = records.find_conversation(id).await? else {
        return Ok(None);
    };
    if conversation.state != ConversationState::Bot {
        return Ok(None);
    }
    let unanswered = records.unanswered_messages(&conversation).await?;
    let (Some(first), Some(last)) = (unanswered.first(), unanswered.last()) else {
        return Ok(None);
    };
    let mut history = history::load(records, id).await?;
    history.retain(|message| message.seq < first.seq);
    let customer = match &conversation.customer {
        Some(customer) => records.find_customer(customer).await?,
        None => None,
    };
    let orders = match &customer {
        Some(customer) => records.orders_of(&customer.id).await?,
        None => Vec::new(),
    };
    let texts: Vec<&str> = unanswered
        .iter()
        .map(|message| message.text.trim())
        .collect();
    Ok(Some(Opened {
        turn,
        customer,
        orders,
        history,
        text: texts.join("\n"),
        pressed: last.pressed.clone(),
        through_seq: last.seq,
        memory: Memory::read(&conversation.memory),
        conversation,
    }))
}

impl Opened {
    /// Language of the conversation so far.
    pub(crate) fn usual_language(&self) -> Language {
        self.conversation
            .language
            .as_deref()
            .map_or_else(Language::english, Language::from_tag)
    }

    /// The bot's last message.
    pub(crate) fn answered_before(&self) -> Option<&str> {
        let mut said = self.history.iter().rev();
        let last = said.find(|message| message.author == Author::Bot)?;
        Some(&last.text)
    }

    /// Whether the bot has said `text`, word for word, in what the turn looks back on.
    pub(crate) fn has_been_told(&self, text: &str) -> bool {
        let said = |message: &Message| message.author == Author::Bot && message.text == text;
        self.history.iter().any(said)
    }

    /// What the customer asked before.
    pub(crate) fn asked_before(&self) -> Option<&str> {
        Some(self.memory.asked.as_str()).filter(|asked| !asked.is_empty())
    }

    /// The customer's name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.customer.as_ref()?.name.as_deref()
    }
}
