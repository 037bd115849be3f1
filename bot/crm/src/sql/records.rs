//! Ratings and totals.

use serde_json::json;
use sqlx::types::Text;
use sqlx::{FromRow, Row as _};

use super::conversations::load;
use super::{Pool, Row, Tx, events};
use crate::error::{CrmError, Fault};
use crate::types::*;

pub(crate) async fn rate(
    tx: &mut Tx,
    conversation: ConversationId,
    score: u8,
    comment: Option<String>,
    at: Millis,
) -> Result<(), Fault> {
    if !(1..=5).contains(&score) {
        return Err(CrmError::NotAScore { score }.into());
    }
    load(tx, conversation).await?;
    sqlx::query(
        "INSERT INTO ratings (conversation, score, comment, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (conversation) DO UPDATE
         SET score = excluded.score, comment = excluded.comment, at = excluded.at",
    )
    .bind(Text(conversation))
    .bind(i16::from(score))
    .bind(comment)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    let data = json!({"score": score});
    events::append(tx, events::RATED, Some(conversation), data, at).await
}

pub(crate) async fn find_rating(
    pool: &Pool,
    conversation: ConversationId,
) -> Result<Option<Rating>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM ratings WHERE conversation = $1")
            .bind(Text(conversation))
            .fetch_optional(pool)
            .await?,
    )
}

pub(crate) async fn counts(pool: &Pool) -> Result<Counts, Fault> {
    Ok(sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM customers WHERE NOT deleted) AS customers,
                (SELECT COUNT(*) FROM products WHERE NOT deleted) AS products,
                (SELECT COUNT(*) FROM orders) AS orders,
                (SELECT COUNT(*) FROM documents WHERE NOT deleted) AS documents,
                (SELECT COUNT(*) FROM conversations) AS conversations,
                (SELECT COUNT(*) FROM messages) AS messages,
                (SELECT COUNT(*) FROM outcomes) AS outcomes",
    )
    .fetch_one(pool)
    .await?)
}

impl FromRow<'_, Row> for Counts {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let count = |column| row.try_get(column).map(i64::unsigned_abs);
        Ok(Self {
            customers: count("customers")?,
            products: count("products")?,
            orders: count("orders")?,
            documents: count("documents")?,
            conversations: count("conversations")?,
            messages: count("messages")?,
            outcomes: count("outcomes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

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
