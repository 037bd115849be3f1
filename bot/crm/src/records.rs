//! What is kept beside the conversations: who writes on which channel, ratings, events, totals.

use serde::Serialize;
use sqlx::types::{Json, Text};
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use crate::conversations::load;
use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

/// How much the store holds. Removed products and documents do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Customers.
    pub customers: u64,
    /// Products.
    pub products: u64,
    /// Orders.
    pub orders: u64,
    /// Knowledge documents.
    pub documents: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages, whoever wrote them.
    pub messages: u64,
    /// Turns ended.
    pub outcomes: u64,
}

impl Store {
    /// The customer behind a channel's user.
    pub async fn find_identity(
        &self,
        channel: &str,
        external_id: &str,
    ) -> Result<Option<CustomerId>, CrmError> {
        let customer: Option<String> = sqlx::query_scalar(
            "SELECT customer FROM identities WHERE channel = ? AND external_id = ?",
        )
        .bind(channel)
        .bind(external_id)
        .fetch_optional(self.read())
        .await?;
        Ok(customer.map(CustomerId))
    }

    /// Notes who a channel's user is; the latest word counts.
    pub async fn link_identity(
        &self,
        channel: &str,
        external_id: &str,
        customer: &CustomerId,
    ) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO identities (channel, external_id, customer) VALUES (?, ?, ?)
             ON CONFLICT (channel, external_id) DO UPDATE SET customer = excluded.customer",
        )
        .bind(channel)
        .bind(external_id)
        .bind(customer.as_str())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Rates a conversation from 1 to 5. A second rating replaces the first.
    ///
    /// # Errors
    /// [`CrmError::NotAScore`], [`CrmError::UnknownConversation`].
    pub async fn rate(
        &self,
        conversation: ConversationId,
        score: u8,
        comment: Option<&str>,
        at: Millis,
    ) -> Result<(), CrmError> {
        if !(1..=5).contains(&score) {
            return Err(CrmError::NotAScore { score });
        }
        let mut tx = self.write().await?;
        load(&mut tx, conversation).await?;
        sqlx::query(
            "INSERT INTO ratings (conversation, score, comment, at) VALUES (?, ?, ?, ?)
             ON CONFLICT (conversation) DO UPDATE
             SET score = excluded.score, comment = excluded.comment, at = excluded.at",
        )
        .bind(Text(conversation))
        .bind(score)
        .bind(comment)
        .bind(at.0)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The conversation's rating.
    pub async fn find_rating(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Rating>, CrmError> {
        Ok(
            sqlx::query_as("SELECT score, comment, at FROM ratings WHERE conversation = ?")
                .bind(Text(conversation))
                .fetch_optional(self.read())
                .await?,
        )
    }

    /// Writes down that something happened.
    ///
    /// # Errors
    /// [`CrmError::UnknownConversation`] when it is said to have happened in one.
    pub async fn append_event(
        &self,
        kind: &str,
        conversation: Option<ConversationId>,
        data: serde_json::Value,
        at: Millis,
    ) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        if let Some(conversation) = conversation {
            load(&mut tx, conversation).await?;
        }
        sqlx::query("INSERT INTO events (kind, conversation, data, at) VALUES (?, ?, ?, ?)")
            .bind(kind)
            .bind(conversation.map(Text))
            .bind(Json(data))
            .bind(at.0)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// The last `limit` events, newest first.
    pub async fn recent_events(&self, limit: u32) -> Result<Vec<Event>, CrmError> {
        Ok(
            sqlx::query_as("SELECT * FROM events ORDER BY id DESC LIMIT ?")
                .bind(limit)
                .fetch_all(self.read())
                .await?,
        )
    }

    /// How much the store holds.
    pub async fn counts(&self) -> Result<Counts, CrmError> {
        Ok(sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM customers) AS customers,
                    (SELECT COUNT(*) FROM products WHERE NOT deleted) AS products,
                    (SELECT COUNT(*) FROM orders) AS orders,
                    (SELECT COUNT(*) FROM documents WHERE NOT deleted) AS documents,
                    (SELECT COUNT(*) FROM conversations) AS conversations,
                    (SELECT COUNT(*) FROM messages) AS messages,
                    (SELECT COUNT(*) FROM outcomes) AS outcomes",
        )
        .fetch_one(self.read())
        .await?)
    }
}

impl FromRow<'_, SqliteRow> for Counts {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            customers: row.try_get("customers")?,
            products: row.try_get("products")?,
            orders: row.try_get("orders")?,
            documents: row.try_get("documents")?,
            conversations: row.try_get("conversations")?,
            messages: row.try_get("messages")?,
            outcomes: row.try_get("outcomes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::*;

    #[tokio::test]
    async fn a_channels_user_is_a_customer_and_the_latest_word_counts() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store
            .link_identity("telegram", "42", &"c1".into())
            .await
            .unwrap();
        store
            .link_identity("web", "42", &"c2".into())
            .await
            .unwrap();
        store
            .link_identity("telegram", "42", &"c3".into())
            .await
            .unwrap();
        let found = store.find_identity("telegram", "42").await.unwrap();
        assert_eq!(found, Some("c3".into()));
        assert_eq!(
            store.find_identity("web", "42").await.unwrap(),
            Some("c2".into())
        );
        assert_eq!(store.find_identity("telegram", "43").await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_last_rating_counts_and_only_the_scale_is_taken() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = scratch.conversation(1).await;
        store.rate(id, 1, Some("slow"), Millis(5)).await.unwrap();
        store.rate(id, 5, None, Millis(6)).await.unwrap();
        let rating = Rating {
            score: 5,
            comment: None,
            at: Millis(6),
        };
        assert_eq!(store.find_rating(id).await.unwrap(), Some(rating));
        for score in [0, 6] {
            let outcome = store.rate(id, score, None, Millis(7)).await;
            assert!(
                matches!(outcome, Err(CrmError::NotAScore { .. })),
                "{outcome:?}"
            );
        }
        let outcome = store.rate(conversation_id(9), 3, None, Millis(7)).await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownConversation(_))),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn events_are_read_newest_first() {
        let scratch = Scratch::new().await;
        let id = scratch.conversation(1).await;
        let store = &scratch.store;
        store
            .append_event("start", None, json!({"version": 1}), Millis(1))
            .await
            .unwrap();
        store
            .append_event("hand_over", Some(id), json!(null), Millis(2))
            .await
            .unwrap();
        let outcome = store
            .append_event("x", Some(conversation_id(9)), json!(1), Millis(3))
            .await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownConversation(_))),
            "{outcome:?}"
        );
        let events = store.recent_events(9).await.unwrap();
        let hand_over = Event {
            kind: "hand_over".into(),
            conversation: Some(id),
            data: json!(null),
            at: Millis(2),
        };
        assert_eq!(events.len(), 2);
        assert_eq!(events[0], hand_over);
        assert_eq!(events[1].data, json!({"version": 1}));
    }

    #[tokio::test]
    async fn counts_leave_out_what_was_removed() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        store
            .upsert_products(&[product("p1"), product("p2")])
            .await
            .unwrap();
        store.upsert_orders(&[order("o1", "c1")]).await.unwrap();
        store
            .upsert_documents(&[document("d1"), document("d2")])
            .await
            .unwrap();
        store.remove_documents(&["d1".into()]).await.unwrap();
        store.remove_products(&["p1".into()]).await.unwrap();
        let id = scratch.conversation(1).await;
        scratch.say(id, "a").await;
        store.finish_turn(turn(id, 1)).await.unwrap();
        let expected = Counts {
            customers: 1,
            products: 1,
            orders: 1,
            documents: 1,
            conversations: 1,
            messages: 2,
            outcomes: 1,
        };
        assert_eq!(store.counts().await.unwrap(), expected);
    }
}
