//! Conversations: opening them, whose they are, who answers in them.

use sqlx::types::{Json, Text};
use sqlx::{Sqlite, Transaction};

use crate::error::CrmError;
use crate::messages::append;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Opens a conversation in state [`ConversationState::Bot`] with a memory of JSON `null`.
    ///
    /// # Errors
    /// [`CrmError::ConversationExists`] when the id is taken.
    pub async fn open_conversation(&self, new: NewConversation) -> Result<Conversation, CrmError> {
        let conversation = Conversation {
            id: new.id,
            channel: new.channel,
            customer: new.customer,
            state: ConversationState::Bot,
            language: new.language,
            memory: serde_json::Value::Null,
            last_seq: 0,
            answered_seq: 0,
            created_at: new.at,
        };
        let mut tx = self.write().await?;
        let inserted = sqlx::query(
            "INSERT INTO conversations (id, channel, customer, state, state_since, language, memory,
                                        last_seq, answered_seq, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(Text(conversation.id))
        .bind(&conversation.channel)
        .bind(conversation.customer.as_ref().map(CustomerId::as_str))
        .bind(Text(conversation.state))
        .bind(conversation.created_at.0)
        .bind(&conversation.language)
        .bind(Json(&conversation.memory))
        .bind(conversation.created_at.0)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(CrmError::ConversationExists(conversation.id));
        }
        tx.commit().await?;
        Ok(conversation)
    }

    /// The conversation as it stands.
    pub async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, CrmError> {
        Ok(sqlx::query_as("SELECT * FROM conversations WHERE id = ?")
            .bind(Text(id))
            .fetch_optional(self.read())
            .await?)
    }

    /// Makes an anonymous conversation `customer`'s; does nothing where it is already.
    ///
    /// # Errors
    /// [`CrmError::OtherCustomer`] instead of handing one customer's words to another.
    pub async fn bind_customer(
        &self,
        id: ConversationId,
        customer: &CustomerId,
    ) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        match load(&mut tx, id).await?.customer {
            Some(already) if already == *customer => return Ok(()),
            Some(_) => return Err(CrmError::OtherCustomer(id)),
            None => {}
        }
        sqlx::query("UPDATE conversations SET customer = ? WHERE id = ?")
            .bind(customer.as_str())
            .bind(Text(id))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Changes who answers and, in the same breath, says so with `notice`.
    ///
    /// Handing over to a person and closing make every message so far theirs: the bot, should it
    /// come back, does not answer them.
    pub async fn set_state(
        &self,
        id: ConversationId,
        state: ConversationState,
        notice: Option<NewMessage>,
        at: Millis,
    ) -> Result<Option<Message>, CrmError> {
        let mut tx = self.write().await?;
        let before = load(&mut tx, id).await?;
        if state != before.state {
            change_state(&mut tx, id, state, at).await?;
        }
        match state {
            ConversationState::Bot => {}
            ConversationState::Human | ConversationState::Closed => {
                set_answered(&mut tx, id, before.last_seq).await?;
            }
        }
        let message = match notice {
            Some(notice) => Some(append(&mut tx, id, notice, None, at).await?),
            None => None,
        };
        tx.commit().await?;
        Ok(message)
    }

    /// The customer's last `limit` conversations, newest first.
    pub async fn recent_conversations(
        &self,
        customer: &CustomerId,
        limit: u32,
    ) -> Result<Vec<Conversation>, CrmError> {
        Ok(sqlx::query_as(
            "SELECT * FROM conversations WHERE customer = ?
             ORDER BY created_at DESC, id DESC LIMIT ?",
        )
        .bind(customer.as_str())
        .bind(limit)
        .fetch_all(self.read())
        .await?)
    }

    /// At most `limit` conversations by id, which is by start; `after` is the last one seen.
    pub async fn list_conversations(
        &self,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Conversation>, CrmError> {
        Ok(
            sqlx::query_as("SELECT * FROM conversations WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after.map(|id| id.to_string()).unwrap_or_default())
                .bind(limit)
                .fetch_all(self.read())
                .await?,
        )
    }
}

/// The conversation as the transaction sees it.
pub(crate) async fn load(
    tx: &mut Transaction<'_, Sqlite>,
    id: ConversationId,
) -> Result<Conversation, CrmError> {
    sqlx::query_as("SELECT * FROM conversations WHERE id = ?")
        .bind(Text(id))
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(CrmError::UnknownConversation(id))
}

/// Draws the line up to which messages are answered.
pub(crate) async fn set_answered(
    tx: &mut Transaction<'_, Sqlite>,
    id: ConversationId,
    answered_seq: i64,
) -> Result<(), CrmError> {
    sqlx::query("UPDATE conversations SET answered_seq = ? WHERE id = ?")
        .bind(answered_seq)
        .bind(Text(id))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes a new state and since when it holds.
pub(crate) async fn change_state(
    tx: &mut Transaction<'_, Sqlite>,
    id: ConversationId,
    state: ConversationState,
    since: Millis,
) -> Result<(), CrmError> {
    sqlx::query("UPDATE conversations SET state = ?, state_since = ? WHERE id = ?")
        .bind(Text(state))
        .bind(since.0)
        .bind(Text(id))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[tokio::test]
    async fn a_conversation_is_found_as_it_was_opened() {
        let scratch = Scratch::new().await;
        let new = NewConversation {
            id: conversation_id(1),
            channel: "web".into(),
            customer: Some("c1".into()),
            language: Some("zh".into()),
            at: Millis(1_700_000_000_000),
        };
        let opened = scratch.store.open_conversation(new.clone()).await.unwrap();
        assert_eq!(opened.state, ConversationState::Bot);
        assert_eq!(scratch.load(opened.id).await, opened);
        assert_eq!(
            scratch
                .store
                .find_conversation(conversation_id(2))
                .await
                .unwrap(),
            None
        );

        let again = scratch.store.open_conversation(new).await;
        assert!(
            matches!(again, Err(CrmError::ConversationExists(_))),
            "{again:?}"
        );
    }

    #[tokio::test]
    async fn an_anonymous_conversation_becomes_one_customers_and_stays_theirs() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let (owner, other) = (CustomerId::from("c1"), CustomerId::from("c2"));
        scratch.store.bind_customer(id, &owner).await.unwrap();
        scratch.store.bind_customer(id, &owner).await.unwrap();
        let outcome = scratch.store.bind_customer(id, &other).await;
        assert!(
            matches!(outcome, Err(CrmError::OtherCustomer(_))),
            "{outcome:?}"
        );
        assert_eq!(scratch.load(id).await.customer, Some(owner));
        let outcome = scratch
            .store
            .bind_customer(conversation_id(9), &other)
            .await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownConversation(_))),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn what_a_person_took_over_is_not_the_bots_to_answer() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "before").await;
        let notice = NewMessage::text(Author::System, "A person will answer.");
        let human = ConversationState::Human;
        let told = scratch
            .store
            .set_state(id, human, Some(notice), Millis(5))
            .await
            .unwrap();
        assert_eq!(told.map(|message| message.seq), Some(2));
        scratch.say(id, "meanwhile").await;
        let conversation = scratch.load(id).await;
        assert_eq!(conversation.state, human);
        assert!(
            scratch
                .store
                .unanswered_messages(&conversation)
                .await
                .unwrap()
                .is_empty()
        );

        scratch
            .store
            .set_state(id, ConversationState::Bot, None, Millis(6))
            .await
            .unwrap();
        assert_eq!(scratch.store.unanswered().await.unwrap(), []);
        let after = scratch.say(id, "after").await;
        let conversation = scratch.load(id).await;
        let owed = scratch
            .store
            .unanswered_messages(&conversation)
            .await
            .unwrap();
        assert_eq!(
            owed.iter().map(|message| message.seq).collect::<Vec<_>>(),
            [after]
        );
    }

    #[tokio::test]
    async fn conversations_list_newest_first_for_a_customer_and_in_pages_for_all() {
        let scratch = Scratch::new().await;
        for number in 1..=5 {
            let customer = if number == 3 { "other" } else { "c1" };
            let new = NewConversation {
                id: conversation_id(number),
                channel: "web".into(),
                customer: Some(customer.into()),
                language: None,
                at: Millis(number as i64),
            };
            scratch.store.open_conversation(new).await.unwrap();
        }
        let recent = scratch
            .store
            .recent_conversations(&"c1".into(), 3)
            .await
            .unwrap();
        let ids = |list: Vec<Conversation>| list.into_iter().map(|c| c.id).collect::<Vec<_>>();
        assert_eq!(ids(recent), [5, 4, 2].map(conversation_id));

        let page = scratch.store.list_conversations(None, 2).await.unwrap();
        assert_eq!(ids(page), [1, 2].map(conversation_id));
        let page = scratch
            .store
            .list_conversations(Some(conversation_id(2)), 9)
            .await
            .unwrap();
        assert_eq!(ids(page), [3, 4, 5].map(conversation_id));
    }
}
