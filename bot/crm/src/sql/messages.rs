//! The messages of conversations: taken in at the door, written by the server's side, read again.

use sqlx::types::{Json, Text};

use super::conversations::load;
use super::states::set_answered;
use super::{Pool, Tx, attachments, conversations, deliveries};
use crate::error::{CrmError, Fault};
use crate::types::*;

pub(crate) async fn accept(tx: &mut Tx, message: AcceptMessage) -> Result<Accepted, Fault> {
    let id = message.conversation;
    let conversation = load(tx, id).await?;
    if let Some(seq) = seq_of(tx, &message).await? {
        return Ok(Accepted::Duplicate { seq });
    }
    let answered = match conversation.state {
        ConversationState::Bot => conversation.answered_seq,
        ConversationState::Human => conversation.last_seq + 1,
        ConversationState::Closed => return Err(CrmError::ConversationClosed(id).into()),
    };
    let stored = Message {
        seq: next_seq(tx, id).await?,
        author: Author::Customer,
        text: message.text,
        sources: serde_json::Value::Array(Vec::new()),
        quick_replies: serde_json::Value::Array(Vec::new()),
        client_id: Some(message.client_id),
        pressed: message.pressed,
        at: message.at,
    };
    insert(tx, id, &stored).await?;
    conversations::heard(tx, id, message.reply_context, message.at).await?;
    attachments::put(tx, id, stored.seq, message.attachments, message.at).await?;
    set_answered(tx, id, answered).await?;
    Ok(Accepted::Stored { seq: stored.seq })
}

pub(crate) async fn edit(
    tx: &mut Tx,
    conversation: ConversationId,
    client_id: String,
    text: String,
) -> Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar(
        "UPDATE messages SET text = $1 WHERE conversation = $2 AND client_id = $3 RETURNING seq",
    )
    .bind(text)
    .bind(Text(conversation))
    .bind(client_id)
    .fetch_optional(&mut **tx)
    .await?)
}

pub(crate) async fn withdraw(
    tx: &mut Tx,
    conversation: ConversationId,
    client_id: String,
) -> Result<Option<i64>, Fault> {
    let Some(seq) = edit(tx, conversation, client_id, String::new()).await? else {
        return Ok(None);
    };
    attachments::withdraw(tx, conversation, seq).await?;
    // There is nothing to answer any more.
    sqlx::query(
        "UPDATE conversations SET answered_seq = $1 WHERE id = $2 AND answered_seq = $1 - 1",
    )
    .bind(seq)
    .bind(Text(conversation))
    .execute(&mut **tx)
    .await?;
    Ok(Some(seq))
}

/// Appends a message of the server's side under the next number, and has it leave.
pub(crate) async fn append(
    tx: &mut Tx,
    conversation: ConversationId,
    new: NewMessage,
    at: Millis,
) -> Result<Message, Fault> {
    let message = note(tx, conversation, new, at).await?;
    deliveries::put(tx, conversation, message.seq, at).await?;
    Ok(message)
}

/// Appends a message that the customer has read already.
pub(crate) async fn note(
    tx: &mut Tx,
    conversation: ConversationId,
    new: NewMessage,
    at: Millis,
) -> Result<Message, Fault> {
    let NewMessage {
        author,
        text,
        sources,
        quick_replies,
    } = new;
    let message = Message {
        seq: next_seq(tx, conversation).await?,
        author,
        text,
        sources,
        quick_replies,
        client_id: None,
        pressed: None,
        at,
    };
    insert(tx, conversation, &message).await?;
    Ok(message)
}

pub(crate) async fn after(
    pool: &Pool,
    conversation: ConversationId,
    after_seq: i64,
    limit: u32,
) -> Result<Vec<Message>, Fault> {
    Ok(sqlx::query_as(
        "SELECT * FROM messages WHERE conversation = $1 AND seq > $2 ORDER BY seq LIMIT $3",
    )
    .bind(Text(conversation))
    .bind(after_seq)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?)
}

pub(crate) async fn recent(
    pool: &Pool,
    conversation: ConversationId,
    limit: u32,
) -> Result<Vec<Message>, Fault> {
    Ok(sqlx::query_as(
        "SELECT * FROM (SELECT * FROM messages WHERE conversation = $1
                        ORDER BY seq DESC LIMIT $2) AS latest
         ORDER BY seq",
    )
    .bind(Text(conversation))
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?)
}

pub(crate) async fn unanswered(
    pool: &Pool,
    conversation: ConversationId,
    answered_seq: i64,
) -> Result<Vec<Message>, Fault> {
    Ok(sqlx::query_as(
        "SELECT * FROM messages WHERE conversation = $1 AND seq > $2 AND author = $3 ORDER BY seq",
    )
    .bind(Text(conversation))
    .bind(answered_seq)
    .bind(Text(Author::Customer))
    .fetch_all(pool)
    .await?)
}

/// The number that `message` got when it was sent before.
async fn seq_of(tx: &mut Tx, message: &AcceptMessage) -> Result<Option<i64>, Fault> {
    Ok(
        sqlx::query_scalar("SELECT seq FROM messages WHERE conversation = $1 AND client_id = $2")
            .bind(Text(message.conversation))
            .bind(&message.client_id)
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Draws the number of the conversation's next message.
async fn next_seq(tx: &mut Tx, conversation: ConversationId) -> Result<i64, Fault> {
    let seq: Option<i64> = sqlx::query_scalar(
        "UPDATE conversations SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq",
    )
    .bind(Text(conversation))
    .fetch_optional(&mut **tx)
    .await?;
    seq.ok_or(CrmError::UnknownConversation(conversation).into())
}

async fn insert(tx: &mut Tx, conversation: ConversationId, message: &Message) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO messages (conversation, seq, author, text, sources, quick_replies, client_id,
                               pressed, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(Text(conversation))
    .bind(message.seq)
    .bind(Text(message.author))
    .bind(&message.text)
    .bind(Json(&message.sources))
    .bind(Json(&message.quick_replies))
    .bind(&message.client_id)
    .bind(&message.pressed)
    .bind(message.at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::super::testing::*;
    use super::*;

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
        scratch.leave_the_bot(id, ConversationState::Closed).await;

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
            quick_replies: serde_json::json!(["Yes", "No"]),
            ..NewMessage::text(Author::Bot, "“Naïve” \u{1F600} text")
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

    #[tokio::test]
    async fn the_quick_reply_that_was_pressed_is_kept() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let message = AcceptMessage {
            pressed: Some("track".into()),
            ..saying(id, "a")
        };
        scratch.store.accept_message(message).await.unwrap();
        scratch.say(id, "b").await;
        let messages = scratch.store.messages_after(id, 0, 9).await.unwrap();
        assert_eq!(messages[0].pressed.as_deref(), Some("track"));
        assert_eq!(messages[1].pressed, None);
    }

    #[tokio::test]
    async fn nul_characters_are_left_out_wherever_they_stand() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let new = NewConversation {
            thread: "t\0".into(),
            ..opening(1)
        };
        let id = new.id;
        let greeting = NewMessage {
            sources: serde_json::json!([{"id\0": "doc\0-1"}]),
            ..NewMessage::text(Author::Bot, "He\0llo")
        };
        let opened = store.open_conversation(new, Some(greeting)).await.unwrap();
        let Opened::New {
            conversation,
            greeting: Some(greeting),
        } = opened
        else {
            panic!("{opened:?}")
        };
        assert_eq!(conversation.thread, "t");
        assert_eq!(greeting.text, "Hello");
        assert_eq!(greeting.sources, serde_json::json!([{"id": "doc-1"}]));
        assert_eq!(store.recent_messages(id, 1).await.unwrap(), [*greeting]);
        let found = store.find_thread("we\0b", "\0t").await.unwrap();
        assert_eq!(found, Some(conversation));

        scratch.say(id, "a\0").await;
        let again = store.accept_message(saying(id, "a")).await.unwrap();
        assert_eq!(again, Accepted::Duplicate { seq: 2 });
        let mut finished = turn(id, 2);
        finished.memory = serde_json::json!({"topic": "\0order"});
        finished.outcome.intent = "\0track".into();
        store.finish_turn(finished).await.unwrap();
        assert_eq!(
            scratch.load(id).await.memory,
            serde_json::json!({"topic": "order"})
        );
        store.rate(id, 4, Some("fi\0ne"), Millis(9)).await.unwrap();
        let rating = store.find_rating(id).await.unwrap().unwrap();
        assert_eq!(rating.comment.as_deref(), Some("fine"));
        store.upsert_documents(&[document("d\0")]).await.unwrap();
        assert_eq!(
            store.find_document(&"d".into()).await.unwrap(),
            Some(document("d"))
        );
    }
}
