//! The messages of conversations: taken in at the door, written by the server's side, read again.
//!
//! Within a conversation they are numbered from 1 without gaps. Lists come in that order.

use sqlx::types::{Json, Text};
use sqlx::{Sqlite, Transaction};

use crate::conversations::{load, set_answered};
use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Stores a customer's message. When this returns, the message is on disk and may be
    /// acknowledged. Sent again under the same client id, it is stored once; the first text stays.
    ///
    /// While a person answers, the message counts as answered: it is theirs, also if the bot takes
    /// over again.
    ///
    /// # Errors
    /// [`CrmError::ConversationClosed`], [`CrmError::UnknownConversation`]. A message that was
    /// stored before the end stays a [`Accepted::Duplicate`] after it.
    pub async fn accept_message(&self, message: AcceptMessage) -> Result<Accepted, CrmError> {
        let id = message.conversation;
        let mut tx = self.write().await?;
        if let Some(seq) = seq_of(&mut tx, &message).await? {
            return Ok(Accepted::Duplicate { seq });
        }
        let conversation = load(&mut tx, id).await?;
        let answered = match conversation.state {
            ConversationState::Bot => conversation.answered_seq,
            ConversationState::Human => conversation.last_seq + 1,
            ConversationState::Closed => return Err(CrmError::ConversationClosed(id)),
        };
        let new = NewMessage::text(Author::Customer, message.text);
        let stored = append(&mut tx, id, new, Some(message.client_id), message.at).await?;
        set_answered(&mut tx, id, answered).await?;
        tx.commit().await?;
        Ok(Accepted::Stored { seq: stored.seq })
    }

    /// Appends a message of the server's side outside of a turn: a greeting, an agent's words.
    pub async fn append_message(
        &self,
        conversation: ConversationId,
        new: NewMessage,
        at: Millis,
    ) -> Result<Message, CrmError> {
        let mut tx = self.write().await?;
        let message = append(&mut tx, conversation, new, None, at).await?;
        tx.commit().await?;
        Ok(message)
    }

    /// At most `limit` messages after `after_seq`, the earliest of them.
    pub async fn messages_after(
        &self,
        conversation: ConversationId,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<Message>, CrmError> {
        Ok(sqlx::query_as(
            "SELECT * FROM messages WHERE conversation = ? AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(Text(conversation))
        .bind(after_seq)
        .bind(limit)
        .fetch_all(self.read())
        .await?)
    }

    /// The last `limit` messages.
    pub async fn recent_messages(
        &self,
        conversation: ConversationId,
        limit: u32,
    ) -> Result<Vec<Message>, CrmError> {
        Ok(sqlx::query_as(
            "SELECT * FROM (SELECT * FROM messages WHERE conversation = ?
                            ORDER BY seq DESC LIMIT ?) AS latest
             ORDER BY seq",
        )
        .bind(Text(conversation))
        .bind(limit)
        .fetch_all(self.read())
        .await?)
    }

    /// The customer's messages that are still owed an answer, by the line that `conversation`
    /// draws.
    pub async fn unanswered_messages(
        &self,
        conversation: &Conversation,
    ) -> Result<Vec<Message>, CrmError> {
        Ok(sqlx::query_as(
            "SELECT * FROM messages WHERE conversation = ? AND seq > ? AND author = ? ORDER BY seq",
        )
        .bind(Text(conversation.id))
        .bind(conversation.answered_seq)
        .bind(Text(Author::Customer))
        .fetch_all(self.read())
        .await?)
    }
}

/// The number that `message` got when it was sent before.
async fn seq_of(
    tx: &mut Transaction<'_, Sqlite>,
    message: &AcceptMessage,
) -> Result<Option<i64>, CrmError> {
    Ok(
        sqlx::query_scalar("SELECT seq FROM messages WHERE conversation = ? AND client_id = ?")
            .bind(Text(message.conversation))
            .bind(&message.client_id)
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Appends a message under the next number.
pub(crate) async fn append(
    tx: &mut Transaction<'_, Sqlite>,
    conversation: ConversationId,
    new: NewMessage,
    client_id: Option<String>,
    at: Millis,
) -> Result<Message, CrmError> {
    let seq: Option<i64> = sqlx::query_scalar(
        "UPDATE conversations SET last_seq = last_seq + 1 WHERE id = ? RETURNING last_seq",
    )
    .bind(Text(conversation))
    .fetch_optional(&mut **tx)
    .await?;
    let seq = seq.ok_or(CrmError::UnknownConversation(conversation))?;
    let NewMessage {
        author,
        text,
        sources,
        actions,
    } = new;
    let message = Message {
        seq,
        author,
        text,
        sources,
        actions,
        client_id,
        at,
    };
    sqlx::query(
        "INSERT INTO messages (conversation, seq, author, text, sources, actions, client_id, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(Text(conversation))
    .bind(message.seq)
    .bind(Text(message.author))
    .bind(&message.text)
    .bind(Json(&message.sources))
    .bind(Json(&message.actions))
    .bind(&message.client_id)
    .bind(message.at.0)
    .execute(&mut **tx)
    .await?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;
    use crate::testing::*;

    fn seqs(messages: &[Message]) -> Vec<i64> {
        messages.iter().map(|message| message.seq).collect()
    }

    #[tokio::test]
    async fn a_message_sent_twice_is_stored_once_and_keeps_its_first_text() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        assert_eq!(scratch.say(id, "a").await, 1);
        assert_eq!(scratch.say(id, "b").await, 2);
        let again = AcceptMessage {
            text: "another text".into(),
            ..saying(id, "a")
        };
        let outcome = scratch.store.accept_message(again).await.unwrap();
        assert_eq!(outcome, Accepted::Duplicate { seq: 1 });

        let messages = scratch.store.messages_after(id, 0, 10).await.unwrap();
        assert_eq!(seqs(&messages), [1, 2]);
        assert_eq!(messages[0].text, "text of a");
        assert_eq!(messages[0].client_id.as_deref(), Some("a"));
        assert_eq!(messages[0].author, Author::Customer);
    }

    #[tokio::test]
    async fn the_same_client_id_in_two_conversations_is_two_messages() {
        let scratch = Scratch::new().await;
        let (one, two) = (scratch.conversation(1).await, scratch.conversation(2).await);
        assert_eq!(scratch.say(one, "a").await, 1);
        assert_eq!(scratch.say(two, "a").await, 1);
    }

    #[tokio::test]
    async fn a_closed_conversation_takes_no_new_message_but_knows_the_old_ones() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        let closed = ConversationState::Closed;
        scratch
            .store
            .set_state(id, closed, None, Millis(5))
            .await
            .unwrap();

        let outcome = scratch.store.accept_message(saying(id, "b")).await;
        assert!(matches!(outcome, Err(CrmError::ConversationClosed(of)) if of == id));
        let outcome = scratch.store.accept_message(saying(id, "a")).await.unwrap();
        assert_eq!(outcome, Accepted::Duplicate { seq: 1 });
        assert_eq!(scratch.load(id).await.last_seq, 1);
    }

    #[tokio::test]
    async fn a_message_of_no_conversation_is_refused() {
        let scratch = Scratch::new().await;
        let outcome = scratch
            .store
            .accept_message(saying(conversation_id(9), "a"))
            .await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownConversation(_))),
            "{outcome:?}"
        );
        let hello = NewMessage::text(Author::Agent, "Hello");
        let outcome = scratch
            .store
            .append_message(conversation_id(9), hello, Millis(1))
            .await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownConversation(_))),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn many_writers_at_once_leave_no_gap_and_no_double() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let second = scratch.reopen().await;
        let mut tasks = JoinSet::new();
        for number in 0..60 {
            // Every message is sent twice, through two handles that share no lock but the file's.
            for store in [scratch.store.clone(), second.clone()] {
                tasks.spawn(
                    async move { store.accept_message(saying(id, &format!("{number}"))).await },
                );
            }
        }
        let outcomes: Vec<_> = tasks
            .join_all()
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let stored = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Accepted::Stored { .. }));
        assert_eq!(stored.count(), 60);

        let messages = scratch.store.messages_after(id, 0, 1000).await.unwrap();
        assert_eq!(seqs(&messages), (1..=60).collect::<Vec<_>>());
        assert_eq!(scratch.load(id).await.last_seq, 60);
    }

    #[tokio::test]
    async fn lists_ascend_and_keep_to_their_limits() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let hello = NewMessage::text(Author::Bot, "Hello");
        assert_eq!(
            scratch
                .store
                .append_message(id, hello, Millis(1))
                .await
                .unwrap()
                .seq,
            1
        );
        for client_id in ["a", "b", "c"] {
            scratch.say(id, client_id).await;
        }
        let store = &scratch.store;
        assert_eq!(seqs(&store.messages_after(id, 1, 2).await.unwrap()), [2, 3]);
        assert_eq!(seqs(&store.recent_messages(id, 2).await.unwrap()), [3, 4]);
        assert_eq!(
            seqs(&store.recent_messages(id, 9).await.unwrap()),
            [1, 2, 3, 4]
        );
        let conversation = Conversation {
            answered_seq: 2,
            ..scratch.load(id).await
        };
        assert_eq!(
            seqs(&store.unanswered_messages(&conversation).await.unwrap()),
            [3, 4]
        );
        let conversation = scratch.load(id).await;
        assert_eq!(
            seqs(&store.unanswered_messages(&conversation).await.unwrap()),
            [2, 3, 4]
        );
    }

    #[tokio::test]
    async fn what_a_message_rests_on_and_offers_is_kept() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let new = NewMessage {
            sources: serde_json::json!([{"id": "doc-1"}]),
            actions: serde_json::json!(["Yes", "No"]),
            ..NewMessage::text(Author::Bot, "“Naïve” \u{1F600} \0 text")
        };
        let stored = scratch
            .store
            .append_message(id, new, Millis(7))
            .await
            .unwrap();
        assert_eq!(
            scratch.store.recent_messages(id, 1).await.unwrap(),
            [stored]
        );
    }
}
