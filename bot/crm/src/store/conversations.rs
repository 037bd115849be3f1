//! The chat's side: conversations, their messages, and turns.

use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Opens a conversation in state [`ConversationState::Bot`] with a memory of JSON `null`,
    /// together with its greeting. A thread has one conversation: of several calls at once one
    /// opens it, the others are given it as [`Opened::Known`] and store no greeting.
    ///
    /// # Errors
    /// [`CrmError::ConversationExists`] when the id is taken by another thread's conversation.
    pub async fn open_conversation(
        &self,
        new: NewConversation,
        greeting: Option<NewMessage>,
    ) -> Result<Opened, CrmError> {
        write_with!(self, conversations::open(new, greeting))
    }

    /// The conversation as it stands.
    pub async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, CrmError> {
        read_with!(self, conversations::find(id))
    }

    /// The conversation of a channel's thread.
    pub async fn find_thread(
        &self,
        channel: &str,
        thread: &str,
    ) -> Result<Option<Conversation>, CrmError> {
        read_with!(self, conversations::find_thread(channel, thread))
    }

    /// At most `limit` conversations by id, which is by start; `after` is the last one seen.
    pub async fn list_conversations(
        &self,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Conversation>, CrmError> {
        read_with!(self, conversations::list(after, limit))
    }

    /// Makes an anonymous conversation `customer`'s; does nothing where it is already.
    ///
    /// # Errors
    /// [`CrmError::OtherCustomer`] instead of handing one customer's words to another.
    pub async fn bind_customer(
        &self,
        id: ConversationId,
        customer: &CustomerId,
        at: Millis,
    ) -> Result<(), CrmError> {
        write_with!(self, conversations::bind(id, customer, at))
    }

    /// Changes who answers and, in the same transaction, says so with the notice; or does nothing,
    /// if the conversation is in none of the states expected. Of several calls at once one changes
    /// the state and stores its notice.
    ///
    /// Handing over to a person and closing make every message so far theirs. When a person gives
    /// the conversation back to the bot, the customer's messages after the last one of an agent are
    /// owed an answer; if no agent wrote, those since the hand-over are.
    ///
    /// # Errors
    /// [`CrmError::UnknownConversation`].
    pub async fn change_state(&self, change: StateChange) -> Result<StateChanged, CrmError> {
        write_with!(self, states::change(change))
    }

    /// Stores a customer's message. When this returns, the message is on disk and may be
    /// acknowledged. Sent again under the same client id, it is stored once; the first text stays.
    ///
    /// While a person answers, the message counts as answered: it is theirs, unless they give the
    /// conversation back without a word, see [`change_state`](Self::change_state).
    ///
    /// # Errors
    /// [`CrmError::ConversationClosed`], [`CrmError::UnknownConversation`]. A message that was
    /// stored before the end stays a [`Accepted::Duplicate`] after it.
    pub async fn accept_message(&self, message: AcceptMessage) -> Result<Accepted, CrmError> {
        write_with!(self, messages::accept(message))
    }

    /// Appends a message of the server's side outside of a turn: an agent's words.
    ///
    /// # Errors
    /// [`CrmError::UnknownConversation`].
    pub async fn append_message(
        &self,
        conversation: ConversationId,
        new: NewMessage,
        at: Millis,
    ) -> Result<Message, CrmError> {
        write_with!(self, messages::append(conversation, new, at))
    }

    /// At most `limit` messages after `after_seq`, the earliest of them, ascending.
    pub async fn messages_after(
        &self,
        conversation: ConversationId,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<Message>, CrmError> {
        read_with!(self, messages::after(conversation, after_seq, limit))
    }

    /// The last `limit` messages, ascending.
    pub async fn recent_messages(
        &self,
        conversation: ConversationId,
        limit: u32,
    ) -> Result<Vec<Message>, CrmError> {
        read_with!(self, messages::recent(conversation, limit))
    }

    /// The customer's messages that are still owed an answer, by the line that `conversation`
    /// draws.
    pub async fn unanswered_messages(
        &self,
        conversation: &Conversation,
    ) -> Result<Vec<Message>, CrmError> {
        let (id, answered_seq) = (conversation.id, conversation.answered_seq);
        read_with!(self, messages::unanswered(id, answered_seq))
    }

    /// Ends a turn: stores its outcome and messages, moves the line of what is answered, and keeps
    /// the new state, memory and language, all in one transaction. Returns the messages as
    /// numbered; only then may they be delivered.
    ///
    /// A customer's message that came during the turn stays unanswered unless the turn leaves the
    /// bot's hands: then it is the person's.
    ///
    /// # Errors
    /// [`CrmError::AlreadyAnswered`] and [`CrmError::NotTheBots`]: the turn came too late, after
    /// another answer or a hand-over, and its messages must not be shown. This is what makes
    /// answering exactly-once when a turn is repeated after a crash.
    pub async fn finish_turn(&self, turn: FinishedTurn) -> Result<Vec<Message>, CrmError> {
        write_with!(self, turns::finish(turn))
    }

    /// The bot's conversations with a customer's message that is owed an answer, in order of their
    /// start: to be taken up when Frontdesk starts.
    pub async fn unanswered(&self) -> Result<Vec<ConversationId>, CrmError> {
        read_with!(self, turns::unanswered())
    }

    /// The outcomes of a conversation's turns, in order.
    pub async fn outcomes(&self, conversation: ConversationId) -> Result<Vec<Outcome>, CrmError> {
        read_with!(self, turns::outcomes(conversation))
    }
}
