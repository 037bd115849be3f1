//! Customers: who they are, on which channels they write, and forgetting them.

use std::collections::HashSet;

use serde_json::json;
use sqlx::QueryBuilder;
use sqlx::types::{Json, Text};

use super::changes::draw_revisions;
use super::{Db, Pool, Tx, events};
use crate::error::Fault;
use crate::types::*;

/// Ids asked for in one statement, well below the number of parameters that SQLite takes.
const IDS_A_QUERY: usize = 500;

pub(crate) async fn upsert(tx: &mut Tx, customers: Vec<Customer>) -> Result<(), Fault> {
    let revisions = draw_revisions(tx, customers.len()).await?;
    for (customer, revision) in customers.iter().zip(revisions) {
        upsert_one(tx, customer, revision).await?;
    }
    Ok(())
}

async fn upsert_one(tx: &mut Tx, customer: &Customer, revision: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO customers (id, name, email, phone, language, address, payment_methods,
                                attributes, deleted, revision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, FALSE, $9)
         ON CONFLICT (id) DO UPDATE
         SET name = excluded.name, email = excluded.email, phone = excluded.phone,
             language = excluded.language, address = excluded.address,
             payment_methods = excluded.payment_methods, attributes = excluded.attributes,
             deleted = excluded.deleted, revision = excluded.revision
         WHERE (customers.name, customers.email, customers.phone, customers.language,
                customers.address, customers.payment_methods, customers.attributes,
                customers.deleted)
               IS DISTINCT FROM
               (excluded.name, excluded.email, excluded.phone, excluded.language,
                excluded.address, excluded.payment_methods, excluded.attributes,
                excluded.deleted)",
    )
    .bind(customer.id.as_str())
    .bind(&customer.name)
    .bind(&customer.email)
    .bind(&customer.phone)
    .bind(&customer.language)
    .bind(customer.address.as_ref().map(Json))
    .bind(Json(&customer.payment_methods))
    .bind(Json(&customer.attributes))
    .bind(revision)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) async fn find(pool: &Pool, id: CustomerId) -> Result<Option<Customer>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM customers WHERE id = $1 AND NOT deleted")
            .bind(id.as_str())
            .fetch_optional(pool)
            .await?,
    )
}

pub(crate) async fn list(
    pool: &Pool,
    after_id: Option<String>,
    limit: u32,
) -> Result<Vec<Customer>, Fault> {
    Ok(
        sqlx::query_as(
            "SELECT * FROM customers WHERE id > $1 AND NOT deleted ORDER BY id LIMIT $2",
        )
        .bind(after_id.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?,
    )
}

/// Those of `ids` that are customers.
pub(crate) async fn known(pool: &Pool, ids: Vec<CustomerId>) -> Result<HashSet<CustomerId>, Fault> {
    let mut connection = pool.acquire().await?;
    known_to(&mut connection, &ids).await
}

/// Those of `ids` that are customers, as `connection` sees it.
pub(super) async fn known_to(
    connection: &mut <Db as sqlx::Database>::Connection,
    ids: &[CustomerId],
) -> Result<HashSet<CustomerId>, Fault> {
    let mut known = HashSet::new();
    for some in ids.chunks(IDS_A_QUERY) {
        let mut query =
            QueryBuilder::<Db>::new("SELECT id FROM customers WHERE NOT deleted AND id IN (");
        let mut list = query.separated(", ");
        for id in some {
            list.push_bind(id.as_str());
        }
        list.push_unseparated(")");
        let found: Vec<String> = query
            .build_query_scalar()
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
        known.extend(found.into_iter().map(CustomerId));
    }
    Ok(known)
}

pub(crate) async fn find_identity(
    pool: &Pool,
    channel: String,
    external_id: String,
) -> Result<Option<CustomerId>, Fault> {
    let customer: Option<String> = sqlx::query_scalar(
        "SELECT customer FROM identities WHERE channel = $1 AND external_id = $2",
    )
    .bind(channel)
    .bind(external_id)
    .fetch_optional(pool)
    .await?;
    Ok(customer.map(CustomerId))
}

pub(crate) async fn link_identity(
    tx: &mut Tx,
    channel: String,
    external_id: String,
    customer: CustomerId,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO identities (channel, external_id, customer) VALUES ($1, $2, $3)
         ON CONFLICT (channel, external_id) DO UPDATE SET customer = excluded.customer",
    )
    .bind(channel)
    .bind(external_id)
    .bind(customer.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) async fn erase(tx: &mut Tx, id: CustomerId, at: Millis) -> Result<Erased, Fault> {
    let revision = draw_revisions(tx, 1).await?.start;
    let emptied = sqlx::query(
        "UPDATE customers SET name = NULL, email = NULL, phone = NULL, language = NULL,
             address = NULL, payment_methods = '[]', attributes = '{}', deleted = TRUE,
             revision = $1
         WHERE id = $2 AND NOT deleted",
    )
    .bind(revision)
    .bind(id.as_str())
    .execute(&mut **tx)
    .await?;
    let mut erased = Erased {
        customer: emptied.rows_affected() == 1,
        orders: delete(tx, "DELETE FROM orders WHERE customer = $1", id.as_str()).await?,
        identities: delete(
            tx,
            "DELETE FROM identities WHERE customer = $1",
            id.as_str(),
        )
        .await?,
        ..Erased::default()
    };
    // Locked before anything of theirs is deleted, so that no message comes in between.
    let conversations: Vec<Text<ConversationId>> = sqlx::query_scalar(for_update!(
        "SELECT id FROM conversations WHERE customer = $1 ORDER BY id"
    ))
    .bind(id.as_str())
    .fetch_all(&mut **tx)
    .await?;
    if erased == Erased::default() && conversations.is_empty() {
        return Ok(erased);
    }
    // Written first: in SQLite the number of a deleted last event would be given out again.
    events::append(tx, events::ERASED, None, json!({}), at).await?;
    for Text(conversation) in conversations {
        erase_conversation(tx, conversation, &mut erased).await?;
    }
    Ok(erased)
}

async fn erase_conversation(
    tx: &mut Tx,
    id: ConversationId,
    erased: &mut Erased,
) -> Result<(), Fault> {
    let id = id.to_string();
    erased.events += delete(tx, "DELETE FROM events WHERE conversation = $1", &id).await?;
    erased.ratings += delete(tx, "DELETE FROM ratings WHERE conversation = $1", &id).await?;
    erased.outcomes += delete(tx, "DELETE FROM outcomes WHERE conversation = $1", &id).await?;
    delete(tx, "DELETE FROM deliveries WHERE conversation = $1", &id).await?;
    delete(tx, "DELETE FROM attachments WHERE conversation = $1", &id).await?;
    erased.messages += delete(tx, "DELETE FROM messages WHERE conversation = $1", &id).await?;
    erased.conversations += delete(tx, "DELETE FROM conversations WHERE id = $1", &id).await?;
    Ok(())
}

/// Deletes what belongs to `owner` and gives the number of rows.
async fn delete(tx: &mut Tx, statement: &'static str, owner: &str) -> Result<u64, Fault> {
    let deleted = sqlx::query(statement)
        .bind(owner)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::super::testing::*;
    use super::*;
    use crate::changes::Change;
    use crate::error::CrmError;

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

    /// A customer with an order, an identity and two conversations, one of them with all there is.
    async fn somebody(scratch: &Scratch, id: &str, first: u128) {
        let store = &scratch.store;
        store.upsert_customers(&[customer(id)]).await.unwrap();
        let order = order(&format!("order of {id}"), id);
        store.upsert_orders(&[order]).await.unwrap();
        store.link_identity("web", id, &id.into()).await.unwrap();
        for number in [first, first + 1] {
            let conversation = scratch.conversation(number).await;
            store
                .bind_customer(conversation, &id.into(), Millis(2))
                .await
                .unwrap();
        }
        let conversation = conversation_id(first);
        scratch.say(conversation, "a").await;
        store.finish_turn(turn(conversation, 1)).await.unwrap();
        store.rate(conversation, 2, None, Millis(4)).await.unwrap();
    }

    #[tokio::test]
    async fn an_erased_customer_leaves_nothing_but_the_fact() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        somebody(&scratch, "c1", 1).await;
        somebody(&scratch, "c2", 3).await;
        let expected = Erased {
            customer: true,
            orders: 1,
            identities: 1,
            conversations: 2,
            messages: 2,
            outcomes: 1,
            ratings: 1,
            events: 5,
        };
        let erased = store.erase_customer(&"c1".into(), Millis(9)).await;
        assert_eq!(erased.unwrap(), expected);

        assert_eq!(store.find_customer(&"c1".into()).await.unwrap(), None);
        assert_eq!(
            store.list_customers(None, 9).await.unwrap(),
            [customer("c2")]
        );
        assert_eq!(store.orders_of(&"c1".into()).await.unwrap(), []);
        assert_eq!(store.find_identity("web", "c1").await.unwrap(), None);
        assert_eq!(
            store.find_conversation(conversation_id(1)).await.unwrap(),
            None
        );
        assert_eq!(
            store.recent_messages(conversation_id(1), 9).await.unwrap(),
            []
        );
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.customers, counts.conversations), (1, 2));
        assert_eq!(
            store
                .recent_messages(conversation_id(3), 9)
                .await
                .unwrap()
                .len(),
            2
        );

        let events = store.recent_events(99).await.unwrap();
        assert_eq!(events.len(), 6, "the other's five and this one");
        assert_eq!(
            (events[0].kind.as_str(), events[0].conversation),
            ("erased", None)
        );
        assert_eq!(events[0].data, json!({}));
    }

    #[tokio::test]
    async fn an_index_learns_that_a_customer_was_erased_and_that_they_came_back() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        somebody(&scratch, "c1", 1).await;
        let mark = store.changed_customers(0, 9).await.unwrap()[0].revision();
        let id = CustomerId::from("c1");
        store.erase_customer(&id, Millis(9)).await.unwrap();
        let changes = store.changed_customers(mark, 9).await.unwrap();
        let [Change::Remove { revision, id: gone }] = &changes[..] else {
            panic!("{changes:?}")
        };
        assert_eq!(gone, "c1");
        let again = store.erase_customer(&id, Millis(9)).await.unwrap();
        assert_eq!(again, Erased::default());
        assert_eq!(store.changed_customers(*revision, 9).await.unwrap(), []);

        let outcome = store.upsert_orders(&[order("o1", "c1")]).await;
        assert!(
            matches!(outcome, Err(CrmError::UnknownCustomer { .. })),
            "{outcome:?}"
        );
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        let changes = store.changed_customers(*revision, 9).await.unwrap();
        assert!(
            matches!(&changes[..], [Change::Upsert { .. }]),
            "{changes:?}"
        );
        store.upsert_orders(&[order("o1", "c1")]).await.unwrap();
    }

    #[tokio::test]
    async fn a_customer_whom_only_the_login_knows_can_be_erased() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = scratch.conversation(1).await;
        let ghost = CustomerId::from("ghost");
        store.bind_customer(id, &ghost, Millis(2)).await.unwrap();
        let erased = store.erase_customer(&ghost, Millis(9)).await.unwrap();
        assert!(!erased.customer);
        assert_eq!((erased.conversations, erased.events), (1, 2));
        let erased = store.erase_customer(&"nobody".into(), Millis(9)).await;
        assert_eq!(erased.unwrap(), Erased::default());
        assert_eq!(store.recent_events(9).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn messages_that_come_during_an_erasure_are_stored_before_it_or_refused() {
        let scratch = Scratch::new().await;
        somebody(&scratch, "c1", 1).await;
        let mut tasks = JoinSet::new();
        for number in 0..60 {
            let store = scratch.store.clone();
            let message = saying(conversation_id(1 + number % 2), &format!("{number}"));
            tasks.spawn(async move {
                if number == 30 {
                    let erased = store.erase_customer(&"c1".into(), Millis(9)).await;
                    assert_eq!(erased.unwrap().conversations, 2);
                }
                store.accept_message(message).await
            });
        }
        for outcome in tasks.join_all().await {
            let known = matches!(outcome, Ok(_) | Err(CrmError::UnknownConversation(_)));
            assert!(known, "{outcome:?}");
        }
        let counts = scratch.store.counts().await.unwrap();
        assert_eq!((counts.conversations, counts.messages), (0, 0));
    }
}
