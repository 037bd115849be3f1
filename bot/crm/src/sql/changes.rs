//! The change feed and the marks of those who follow it, see [`Change`].

use std::ops::Range;

use sqlx::types::Json;
use sqlx::{FromRow, Row as _};

use super::{Pool, Row, Tx};
use crate::changes::Change;
use crate::error::Fault;
use crate::types::*;

impl<'r, T: FromRow<'r, Row>> FromRow<'r, Row> for Change<T> {
    fn from_row(row: &'r Row) -> Result<Self, sqlx::Error> {
        let revision = row.try_get("revision")?;
        if row.try_get("deleted")? {
            Ok(Self::Remove {
                revision,
                id: row.try_get("id")?,
            })
        } else {
            Ok(Self::Upsert {
                revision,
                record: T::from_row(row)?,
            })
        }
    }
}

pub(crate) async fn customers(
    pool: &Pool,
    after_revision: i64,
    limit: u32,
) -> Result<Vec<Change<Customer>>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM customers WHERE revision > $1 ORDER BY revision LIMIT $2")
            .bind(after_revision)
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn products(
    pool: &Pool,
    after_revision: i64,
    limit: u32,
) -> Result<Vec<Change<Product>>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM products WHERE revision > $1 ORDER BY revision LIMIT $2")
            .bind(after_revision)
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn documents(
    pool: &Pool,
    after_revision: i64,
    limit: u32,
) -> Result<Vec<Change<Document>>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM documents WHERE revision > $1 ORDER BY revision LIMIT $2")
            .bind(after_revision)
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn mark(pool: &Pool, name: String) -> Result<Option<serde_json::Value>, Fault> {
    let mark: Option<Json<_>> = sqlx::query_scalar("SELECT value FROM index_marks WHERE name = $1")
        .bind(name)
        .fetch_optional(pool)
        .await?;
    Ok(mark.map(|Json(value)| value))
}

pub(crate) async fn set_mark(
    tx: &mut Tx,
    name: String,
    value: serde_json::Value,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO index_marks (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(Json(value))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Draws the next `count` revisions. To be called before anything else in a transaction, see the
/// schema: revisions must become visible in the order in which they were drawn.
pub(super) async fn draw_revisions(tx: &mut Tx, count: usize) -> Result<Range<i64>, Fault> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last: i64 =
        sqlx::query_scalar("UPDATE revision_counter SET value = value + $1 RETURNING value")
            .bind(count)
            .fetch_one(&mut **tx)
            .await?;
    Ok(last - count + 1..last + 1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    /// Follows the documents' feed to its end in pages of `limit`.
    async fn follow(store: &Store, mut after: i64, limit: u32) -> Vec<Change<Document>> {
        let mut seen: Vec<Change<Document>> = Vec::new();
        loop {
            let page = store.changed_documents(after, limit).await.unwrap();
            let Some(last) = page.last() else { return seen };
            assert!(page.len() <= limit as usize);
            after = last.revision();
            seen.extend(page);
        }
    }

    fn revisions(changes: &[Change<Document>]) -> Vec<i64> {
        changes.iter().map(Change::revision).collect()
    }

    #[tokio::test]
    async fn a_follower_sees_every_change_once_whatever_the_size_of_its_pages() {
        let scratch = Scratch::new().await;
        let documents: Vec<_> = (0..7)
            .map(|number| document(&format!("d{number}")))
            .collect();
        scratch.store.upsert_documents(&documents).await.unwrap();
        for limit in [1, 3, 7, 100] {
            let changes = follow(&scratch.store, 0, limit).await;
            let records: Vec<_> = changes
                .iter()
                .map(|change| match change {
                    Change::Upsert { record, .. } => record.clone(),
                    Change::Remove { id, .. } => panic!("{id} was never removed"),
                })
                .collect();
            assert_eq!(records, documents, "pages of {limit}");
        }
    }

    #[tokio::test]
    async fn a_removed_document_leaves_a_tombstone_until_it_comes_back() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store
            .upsert_documents(&[document("d1"), document("d2")])
            .await
            .unwrap();
        let mark = follow(store, 0, 10).await.last().unwrap().revision();
        store
            .remove_documents(&["d1".into(), "never was".into()])
            .await
            .unwrap();
        let changes = follow(store, mark, 10).await;
        let [Change::Remove { revision, id }] = &changes[..] else {
            panic!("{changes:?}")
        };
        assert_eq!(id, "d1");
        assert!(*revision > mark);
        let mark = changes[0].revision();
        store.remove_documents(&["d1".into()]).await.unwrap();
        assert_eq!(follow(store, mark, 10).await, [], "it was gone already");
        store.upsert_documents(&[document("d1")]).await.unwrap();
        let changes = follow(store, mark, 10).await;
        assert!(
            matches!(&changes[..], [Change::Upsert { record, .. }] if *record == document("d1")),
            "{changes:?}"
        );
    }

    #[tokio::test]
    async fn a_record_written_again_as_it_was_is_no_change() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let undated = Document {
            url: None,
            ..document("d2")
        };
        store
            .upsert_documents(&[document("d1"), undated.clone()])
            .await
            .unwrap();
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        store.upsert_products(&[product("p1")]).await.unwrap();
        let before = revisions(&follow(store, 0, 10).await);
        let customers = store.changed_customers(0, 10).await.unwrap();
        let products = store.changed_products(0, 10).await.unwrap();

        store
            .upsert_documents(&[document("d1"), undated])
            .await
            .unwrap();
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        store.upsert_products(&[product("p1")]).await.unwrap();
        assert_eq!(revisions(&follow(store, 0, 10).await), before);
        assert_eq!(store.changed_customers(0, 10).await.unwrap(), customers);
        assert_eq!(store.changed_products(0, 10).await.unwrap(), products);

        let edited = Document {
            url: None,
            ..document("d1")
        };
        store
            .upsert_documents(std::slice::from_ref(&edited))
            .await
            .unwrap();
        assert_eq!(follow(store, before[1], 10).await.len(), 1);
        let hidden = Document {
            visibility: Visibility::Internal,
            ..edited
        };
        store
            .upsert_documents(std::slice::from_ref(&hidden))
            .await
            .unwrap();
        let changes = follow(store, before[1], 10).await;
        assert!(
            matches!(&changes[..], [Change::Upsert { record, .. }] if *record == hidden),
            "{changes:?}"
        );
    }

    #[tokio::test]
    async fn all_kinds_of_records_share_one_count() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store.upsert_documents(&[document("d1")]).await.unwrap();
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        store.upsert_products(&[product("p1")]).await.unwrap();
        let mark = store.changed_products(0, 1).await.unwrap()[0].revision();
        assert_eq!(store.changed_documents(mark, 10).await.unwrap(), []);
        assert_eq!(store.changed_customers(mark, 10).await.unwrap(), []);
        store
            .upsert_customers(&[Customer {
                phone: Some("1".into()),
                ..customer("c1")
            }])
            .await
            .unwrap();
        assert_eq!(
            store.changed_customers(mark, 10).await.unwrap()[0].revision(),
            mark + 1
        );
    }

    #[tokio::test]
    async fn an_index_finds_its_mark_again() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        assert_eq!(store.index_mark("knowledge").await.unwrap(), None);
        for revision in [3, 4] {
            let mark = serde_json::json!({"revision": revision});
            store.set_index_mark("knowledge", &mark).await.unwrap();
            assert_eq!(store.index_mark("knowledge").await.unwrap(), Some(mark));
        }
        assert_eq!(store.index_mark("products").await.unwrap(), None);
    }
}
