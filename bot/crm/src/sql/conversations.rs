//! Conversations: opening them, and whose they are.

use serde_json::json;
use sqlx::types::{Json, Text};

use super::{Pool, Tx, events, messages};
use crate::error::{CrmError, Fault};
use crate::types::*;

pub(crate) async fn open(
    tx: &mut Tx,
    new: NewConversation,
    greeting: Option<NewMessage>,
) -> Result<Opened, Fault> {
    let (pushed, reply_context) = (new.pushed, new.reply_context);
    let conversation = Conversation {
        id: new.id,
        channel: new.channel,
        thread: new.thread,
        customer: new.customer,
        state: ConversationState::Bot,
        language: new.language,
        memory: serde_json::Value::Null,
        last_seq: 0,
        answered_seq: 0,
        created_at: new.at,
    };
    if !insert(tx, &conversation, pushed, reply_context).await? {
        let Conversation {
            id,
            channel,
            thread,
            ..
        } = conversation;
        let known = find_thread(&mut **tx, channel, thread).await?;
        let taken = CrmError::ConversationExists(id);
        return Ok(Opened::Known(known.ok_or(taken)?));
    }
    let (id, at) = (conversation.id, conversation.created_at);
    let channel = json!({"channel": conversation.channel});
    events::append(tx, events::OPENED, Some(id), channel, at).await?;
    let greeting = match greeting {
        Some(greeting) => Some(Box::new(messages::append(tx, id, greeting, at).await?)),
        None => None,
    };
    let last_seq = greeting.as_ref().map_or(0, |greeting| greeting.seq);
    Ok(Opened::New {
        conversation: Conversation {
            last_seq,
            ..conversation
        },
        greeting,
    })
}

/// Inserts the row, unless its id is taken or its thread has a conversation.
async fn insert(
    tx: &mut Tx,
    conversation: &Conversation,
    pushed: bool,
    reply_context: Option<String>,
) -> Result<bool, Fault> {
    let inserted = sqlx::query(
        "INSERT INTO conversations (id, channel, thread, customer, state, state_since, state_seq,
                                    language, memory, last_seq, answered_seq, created_at, pushed,
                                    reply_context, heard_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, 0, 0, $6, $9, $10, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(Text(conversation.id))
    .bind(&conversation.channel)
    .bind(&conversation.thread)
    .bind(conversation.customer.as_ref().map(CustomerId::as_str))
    .bind(Text(conversation.state))
    .bind(conversation.created_at.0)
    .bind(&conversation.language)
    .bind(Json(&conversation.memory))
    .bind(pushed)
    .bind(reply_context)
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// The customer was heard: so they can be written to.
pub(super) async fn heard(
    tx: &mut Tx,
    conversation: ConversationId,
    reply_context: Option<String>,
    at: Millis,
) -> Result<(), Fault> {
    let reach = Reach {
        conversation,
        reply_context,
        blocked: false,
        heard_at: Some(at),
    };
    set_reach(tx, reach).await
}

pub(crate) async fn set_reach(tx: &mut Tx, reach: Reach) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE conversations SET reply_context = COALESCE($1, reply_context), blocked = $2,
                                  heard_at = COALESCE($3, heard_at)
         WHERE id = $4",
    )
    .bind(reach.reply_context)
    .bind(reach.blocked)
    .bind(reach.heard_at.map(|at| at.0))
    .bind(Text(reach.conversation))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) async fn find(pool: &Pool, id: ConversationId) -> Result<Option<Conversation>, Fault> {
    Ok(sqlx::query_as("SELECT * FROM conversations WHERE id = $1")
        .bind(Text(id))
        .fetch_optional(pool)
        .await?)
}

pub(crate) async fn find_thread(
    executor: impl sqlx::Executor<'_, Database = super::Db>,
    channel: String,
    thread: String,
) -> Result<Option<Conversation>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM conversations WHERE channel = $1 AND thread = $2")
            .bind(channel)
            .bind(thread)
            .fetch_optional(executor)
            .await?,
    )
}

pub(crate) async fn list(
    pool: &Pool,
    after: Option<ConversationId>,
    limit: u32,
) -> Result<Vec<Conversation>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM conversations WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn bind(
    tx: &mut Tx,
    id: ConversationId,
    customer: CustomerId,
    at: Millis,
) -> Result<(), Fault> {
    match load(tx, id).await?.customer {
        Some(already) if already == customer => return Ok(()),
        Some(_) => return Err(CrmError::OtherCustomer(id).into()),
        None => {}
    }
    sqlx::query("UPDATE conversations SET customer = $1 WHERE id = $2")
        .bind(customer.as_str())
        .bind(Text(id))
        .execute(&mut **tx)
        .await?;
    events::append(tx, events::BOUND, Some(id), json!({}), at).await
}

/// The conversation as the transaction sees it; until the transaction ends, no other changes it.
pub(super) async fn load(tx: &mut Tx, id: ConversationId) -> Result<Conversation, Fault> {
    sqlx::query_as(for_update!("SELECT * FROM conversations WHERE id = $1"))
        .bind(Text(id))
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(CrmError::UnknownConversation(id).into())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::super::testing::*;
    use super::*;

    #[tokio::test]
    async fn a_conversation_is_found_as_it_was_opened() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let new = NewConversation {
            customer: Some("c1".into()),
            language: Some("zh".into()),
            at: Millis(1_700_000_000_000),
            ..opening(1)
        };
        let greeting = NewMessage::text(Author::Bot, "Hello");
        let opened = store.open_conversation(new, Some(greeting)).await.unwrap();
        let Opened::New {
            conversation,
            greeting: Some(greeting),
        } = opened
        else {
            panic!("{opened:?}")
        };
        assert_eq!(
            (conversation.state, conversation.last_seq),
            (ConversationState::Bot, 1)
        );
        assert_eq!(scratch.load(conversation.id).await, conversation);
        assert_eq!(
            store.recent_messages(conversation.id, 9).await.unwrap(),
            [*greeting]
        );
        let found = store.find_thread("web", "thread 1").await.unwrap();
        assert_eq!(found, Some(conversation));
        for (channel, thread) in [("web", "thread 2"), ("telegram", "thread 1")] {
            let found = store.find_thread(channel, thread).await.unwrap();
            assert_eq!(found, None);
        }
        let found = store.find_conversation(conversation_id(2)).await.unwrap();
        assert_eq!(found, None);
    }

    #[tokio::test]
    async fn an_id_is_taken_by_one_thread_only() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let other = NewConversation {
            thread: "another".into(),
            ..opening(1)
        };
        let outcome = scratch.store.open_conversation(other, None).await;
        assert!(
            matches!(outcome, Err(CrmError::ConversationExists(of)) if of == id),
            "{outcome:?}"
        );
        let same_name_elsewhere = NewConversation {
            channel: "telegram".into(),
            thread: "thread 1".into(),
            ..opening(2)
        };
        let outcome = scratch.store.open_conversation(same_name_elsewhere, None);
        assert!(matches!(outcome.await, Ok(Opened::New { .. })));
    }

    #[tokio::test]
    async fn of_many_openings_of_one_thread_one_greets() {
        let scratch = Scratch::new().await;
        let second = scratch.reopen().await;
        let mut tasks = JoinSet::new();
        for number in 1..=40 {
            let store = if number % 2 == 0 {
                &second
            } else {
                &scratch.store
            }
            .clone();
            let new = NewConversation {
                thread: "one".into(),
                ..opening(number)
            };
            let greeting = NewMessage::text(Author::Bot, "Hello");
            tasks.spawn(async move { store.open_conversation(new, Some(greeting)).await });
        }
        let mut ids = Vec::new();
        let mut opened = 0;
        for outcome in tasks.join_all().await {
            match outcome.unwrap() {
                Opened::New { conversation, .. } => {
                    opened += 1;
                    ids.push(conversation.id);
                }
                Opened::Known(conversation) => ids.push(conversation.id),
            }
        }
        ids.dedup();
        assert_eq!((opened, ids.len()), (1, 1));
        let messages = scratch.store.messages_after(ids[0], 0, 99).await.unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(scratch.store.recent_events(99).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_anonymous_conversation_becomes_one_customers_and_stays_theirs() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = scratch.conversation(1).await;
        let (owner, other) = (CustomerId::from("c1"), CustomerId::from("c2"));
        store.bind_customer(id, &owner, Millis(2)).await.unwrap();
        store.bind_customer(id, &owner, Millis(2)).await.unwrap();
        let outcome = store.bind_customer(id, &other, Millis(2)).await;
        assert!(
            matches!(outcome, Err(CrmError::OtherCustomer(_))),
            "{outcome:?}"
        );
        assert_eq!(scratch.load(id).await.customer, Some(owner));
        let outcome = store
            .bind_customer(conversation_id(9), &other, Millis(2))
            .await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownConversation(_))),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn conversations_list_in_pages() {
        let scratch = Scratch::new().await;
        for number in [3, 1, 5, 2, 4] {
            scratch.conversation(number).await;
        }
        let ids = |list: Vec<Conversation>| list.into_iter().map(|c| c.id).collect::<Vec<_>>();
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
