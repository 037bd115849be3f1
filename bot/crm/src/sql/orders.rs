//! Orders. They are looked up by customer: a number alone opens nothing.

use sqlx::types::Json;

use super::changes::draw_revisions;
use super::{Pool, Tx, customers};
use crate::error::{CrmError, Fault};
use crate::types::*;

pub(crate) async fn upsert(tx: &mut Tx, orders: Vec<Order>) -> Result<(), Fault> {
    let revisions = draw_revisions(tx, orders.len()).await?;
    // The foreign key is not enough: it finds the emptied row of an erased customer.
    let ids: Vec<_> = orders.iter().map(|order| order.customer.clone()).collect();
    let known = customers::known_to(&mut *tx, &ids).await?;
    for (order, revision) in orders.iter().zip(revisions) {
        if !known.contains(&order.customer) {
            return Err(CrmError::UnknownCustomer {
                order: order.id.clone(),
                customer: order.customer.clone(),
            }
            .into());
        }
        upsert_one(tx, order, revision).await?;
    }
    Ok(())
}

async fn upsert_one(tx: &mut Tx, order: &Order, revision: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO orders (id, customer, status, placed_on, items, total, address, payments,
                             shipments, attributes, revision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
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

pub(crate) async fn of(pool: &Pool, customer: CustomerId) -> Result<Vec<Order>, Fault> {
    Ok(sqlx::query_as(
        "SELECT * FROM orders WHERE customer = $1
         ORDER BY placed_on IS NULL, placed_on DESC, id DESC",
    )
    .bind(customer.as_str())
    .fetch_all(pool)
    .await?)
}

pub(crate) async fn list(
    pool: &Pool,
    after_id: Option<String>,
    limit: u32,
) -> Result<Vec<Order>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM orders WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after_id.unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}
#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[tokio::test]
    async fn nobody_reads_anothers_orders() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store
            .upsert_customers(&[customer("c1"), customer("c2")])
            .await
            .unwrap();
        store.upsert_orders(&[order("#W1", "c1")]).await.unwrap();
        let of = async |customer: &str| store.orders_of(&customer.into()).await.unwrap();
        assert_eq!(of("c1").await, [order("#W1", "c1")]);
        assert_eq!(of("c2").await, []);
        assert_eq!(of("' OR '1' = '1").await, []);
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
