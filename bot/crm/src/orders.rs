//! Orders. They are looked up by customer and number together: a number alone opens nothing.

use std::collections::HashSet;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Sqlite, Transaction};

use crate::changes::draw_revisions;
use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

/// Ids asked for in one statement, well below the number of parameters that SQLite takes.
const IDS_A_QUERY: usize = 500;

impl Store {
    /// Adds or replaces orders, all or none.
    ///
    /// # Errors
    /// [`CrmError::UnknownCustomer`] names the first order of nobody.
    pub async fn upsert_orders(&self, orders: &[Order]) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        let revisions = draw_revisions(&mut tx, orders.len()).await?;
        for (order, revision) in orders.iter().zip(revisions) {
            upsert_order(&mut tx, order, revision)
                .await
                .map_err(|error| explain(order, error))?;
        }
        Ok(tx.commit().await?)
    }

    /// The order of that number, if it is that customer's.
    pub async fn find_order(
        &self,
        customer: &CustomerId,
        id: &OrderId,
    ) -> Result<Option<Order>, CrmError> {
        Ok(
            sqlx::query_as("SELECT * FROM orders WHERE id = ? AND customer = ?")
                .bind(id.as_str())
                .bind(customer.as_str())
                .fetch_optional(self.read())
                .await?,
        )
    }

    /// The customer's orders, newest first; those of no known day come last.
    pub async fn orders_of(&self, customer: &CustomerId) -> Result<Vec<Order>, CrmError> {
        Ok(sqlx::query_as(
            "SELECT * FROM orders WHERE customer = ?
             ORDER BY placed_on IS NULL, placed_on DESC, id DESC",
        )
        .bind(customer.as_str())
        .fetch_all(self.read())
        .await?)
    }

    /// At most `limit` orders by number; `after_id` is the last one seen.
    pub async fn list_orders(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Order>, CrmError> {
        Ok(
            sqlx::query_as("SELECT * FROM orders WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after_id.unwrap_or_default())
                .bind(limit)
                .fetch_all(self.read())
                .await?,
        )
    }

    /// Those of `ids` that are customers.
    pub(crate) async fn known_customers(
        &self,
        ids: &[&CustomerId],
    ) -> Result<HashSet<CustomerId>, CrmError> {
        let mut known = HashSet::new();
        for some in ids.chunks(IDS_A_QUERY) {
            let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM customers WHERE id IN (");
            let mut list = query.separated(", ");
            for id in some {
                list.push_bind(id.as_str());
            }
            list.push_unseparated(")");
            let found: Vec<String> = query
                .build_query_scalar()
                .persistent(false)
                .fetch_all(self.read())
                .await?;
            known.extend(found.into_iter().map(CustomerId));
        }
        Ok(known)
    }
}

async fn upsert_order(
    tx: &mut Transaction<'_, Sqlite>,
    order: &Order,
    revision: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO orders (id, customer, status, placed_on, items, total, address, payments,
                             shipments, attributes, revision)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE
         SET customer = excluded.customer, status = excluded.status,
             placed_on = excluded.placed_on, items = excluded.items, total = excluded.total,
             address = excluded.address, payments = excluded.payments,
             shipments = excluded.shipments, attributes = excluded.attributes,
             revision = excluded.revision
         WHERE (orders.customer, orders.status, orders.placed_on, orders.items, orders.total,
                orders.address, orders.payments, orders.shipments, orders.attributes)
               IS DISTINCT FROM
               (excluded.customer, excluded.status, excluded.placed_on, excluded.items,
                excluded.total, excluded.address, excluded.payments, excluded.shipments,
                excluded.attributes)",
    )
    .bind(order.id.as_str())
    .bind(order.customer.as_str())
    .bind(order.status.as_str())
    .bind(&order.placed_on)
    .bind(Json(&order.items))
    .bind(order.total.0)
    .bind(order.address.as_ref().map(Json))
    .bind(Json(&order.payments))
    .bind(Json(&order.shipments))
    .bind(Json(&order.attributes))
    .bind(revision)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The one foreign key of an order is its customer.
fn explain(order: &Order, error: sqlx::Error) -> CrmError {
    match error.as_database_error() {
        Some(cause) if cause.is_foreign_key_violation() => CrmError::UnknownCustomer {
            order: order.id.clone(),
            customer: order.customer.clone(),
        },
        Some(_) | None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[tokio::test]
    async fn nobody_reads_anothers_order() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store
            .upsert_customers(&[customer("c1"), customer("c2")])
            .await
            .unwrap();
        store.upsert_orders(&[order("#W1", "c1")]).await.unwrap();
        let of = |customer: &str| {
            let customer = CustomerId::from(customer);
            async move { store.find_order(&customer, &"#W1".into()).await.unwrap() }
        };
        assert_eq!(of("c1").await, Some(order("#W1", "c1")));
        assert_eq!(of("c2").await, None);
        assert_eq!(of("' OR '1' = '1").await, None);
        assert_eq!(store.orders_of(&"c2".into()).await.unwrap(), []);
    }

    #[tokio::test]
    async fn orders_come_newest_first_and_undated_ones_last() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        let placed = |id: &str, day: Option<&str>| Order {
            placed_on: day.map(str::to_owned),
            ..order(id, "c1")
        };
        let orders = [
            placed("undated", None),
            placed("old", Some("2025-01-31")),
            placed("new", Some("2026-11-20")),
            placed("middle", Some("2026-02-01")),
        ];
        store.upsert_orders(&orders).await.unwrap();
        let listed = store.orders_of(&"c1".into()).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|order| order.id.as_str()).collect();
        assert_eq!(ids, ["new", "middle", "old", "undated"]);
    }

    #[tokio::test]
    async fn an_order_of_nobody_is_named_and_keeps_all_the_others_out() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        let outcome = store
            .upsert_orders(&[order("o1", "c1"), order("o2", "ghost")])
            .await;
        let Err(CrmError::UnknownCustomer { order, customer }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((order.as_str(), customer.as_str()), ("o2", "ghost"));
        assert_eq!(store.counts().await.unwrap().orders, 0);
    }

    #[tokio::test]
    async fn known_customers_are_found_among_more_than_one_query_takes() {
        let scratch = Scratch::new().await;
        let customers: Vec<_> = (0..1200)
            .map(|number| customer(&format!("c{number}")))
            .collect();
        scratch.store.upsert_customers(&customers).await.unwrap();
        let ids: Vec<CustomerId> = (600..1800).map(|n| CustomerId(format!("c{n}"))).collect();
        let known = scratch
            .store
            .known_customers(&ids.iter().collect::<Vec<_>>())
            .await
            .unwrap();
        assert_eq!(known.len(), 600);
        assert!(known.contains(&"c1199".into()) && !known.contains(&"c1200".into()));
    }
}
