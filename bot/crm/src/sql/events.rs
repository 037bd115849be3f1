//! Events: what happened, written in the transaction in which it did.

use sqlx::types::{Json, Text};

use super::{Pool, Tx};
use crate::error::Fault;
use crate::types::*;

pub(super) const OPENED: &str = "opened";
pub(super) const BOUND: &str = "bound";
pub(super) const RATED: &str = "rated";
pub(super) const ERASED: &str = "erased";

/// The event of entering `state`.
pub(super) fn of_state(state: ConversationState) -> &'static str {
    match state {
        ConversationState::Bot => "returned",
        ConversationState::Human => "handed_over",
        ConversationState::Closed => "closed",
    }
}

pub(super) async fn append(
    tx: &mut Tx,
    kind: &str,
    conversation: Option<ConversationId>,
    data: serde_json::Value,
    at: Millis,
) -> Result<(), Fault> {
    sqlx::query("INSERT INTO events (kind, conversation, data, at) VALUES ($1, $2, $3, $4)")
        .bind(kind)
        .bind(conversation.map(Text))
        .bind(Json(data))
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn recent(pool: &Pool, limit: u32) -> Result<Vec<Event>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM events ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn after(pool: &Pool, id: i64, limit: u32) -> Result<Vec<Event>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM events WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::*;
    use super::*;

    #[tokio::test]
    async fn what_happens_is_written_down_as_it_happens() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = scratch.conversation(1).await;
        let (bot, human) = (ConversationState::Bot, ConversationState::Human);
        for _ in 0..2 {
            store
                .bind_customer(id, &"c1".into(), Millis(2))
                .await
                .unwrap();
        }
        scratch.say(id, "a").await;
        let handing_over = FinishedTurn {
            state: human,
            ..turn(id, 1)
        };
        store.finish_turn(handing_over.clone()).await.unwrap();
        let back = changing(id, human, bot);
        for _ in 0..2 {
            store.change_state(back.clone()).await.unwrap();
        }
        scratch.leave_the_bot(id, human).await;
        let closing = changing(id, human, ConversationState::Closed);
        store.change_state(closing).await.unwrap();
        store.rate(id, 4, Some("good"), Millis(9)).await.unwrap();

        let events = store.events_after(0, 99).await.unwrap();
        assert!(events.iter().all(|event| event.conversation == Some(id)));
        assert!(events.is_sorted_by(|one, next| one.id < next.id));
        let told: Vec<_> = events
            .into_iter()
            .map(|event| (event.kind, event.data))
            .collect();
        let turn = handing_over.outcome.turn;
        let expected = [
            ("opened", json!({"channel": "web"})),
            ("bound", json!({})),
            ("handed_over", json!({"from": "bot", "turn": turn})),
            ("returned", json!({"from": "human"})),
            ("handed_over", json!({"from": "bot"})),
            ("closed", json!({"from": "human"})),
            ("rated", json!({"score": 4})),
        ];
        assert_eq!(told, expected.map(|(kind, data)| (kind.to_owned(), data)));
    }

    #[tokio::test]
    async fn what_is_refused_leaves_no_event() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = scratch.conversation(1).await;
        assert!(store.rate(id, 6, None, Millis(9)).await.is_err());
        assert!(store.finish_turn(turn(id, 9)).await.is_err());
        let outcome = store.open_conversation(opening(1), None).await.unwrap();
        assert!(matches!(outcome, Opened::Known(_)), "{outcome:?}");
        assert_eq!(store.recent_events(9).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn events_are_read_newest_first_or_in_pages() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        for number in 1..=5 {
            scratch.conversation(number).await;
        }
        let recent = store.recent_events(2).await.unwrap();
        let of = |events: &[Event]| -> Vec<_> {
            events
                .iter()
                .filter_map(|event| event.conversation)
                .collect()
        };
        assert_eq!(of(&recent), [5, 4].map(conversation_id));
        let page = store.events_after(0, 3).await.unwrap();
        assert_eq!(of(&page), [1, 2, 3].map(conversation_id));
        let page = store.events_after(page[2].id, 3).await.unwrap();
        assert_eq!(of(&page), [4, 5].map(conversation_id));
    }
}
