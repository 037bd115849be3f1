//! What the company brings beside customers and orders: products and knowledge documents.

use sqlx::types::Json;

use super::changes::draw_revisions;
use super::{Pool, Tx};
use crate::error::Fault;
use crate::types::*;

pub(crate) async fn upsert_products(tx: &mut Tx, products: Vec<Product>) -> Result<(), Fault> {
    let revisions = draw_revisions(tx, products.len()).await?;
    for (product, revision) in products.iter().zip(revisions) {
        upsert_product(tx, product, revision).await?;
    }
    Ok(())
}

pub(crate) async fn upsert_documents(tx: &mut Tx, documents: Vec<Document>) -> Result<(), Fault> {
    let revisions = draw_revisions(tx, documents.len()).await?;
    for (document, revision) in documents.iter().zip(revisions) {
        upsert_document(tx, document, revision).await?;
    }
    Ok(())
}

pub(crate) async fn remove_products(tx: &mut Tx, ids: Vec<ProductId>) -> Result<u64, Fault> {
    let revisions = draw_revisions(tx, ids.len()).await?;
    let mut removed = 0;
    for (id, revision) in ids.iter().zip(revisions) {
        let emptied = sqlx::query(
            "UPDATE products SET name = '', category = NULL, description = NULL,
                 variants = '[]', deleted = TRUE, revision = $1
             WHERE id = $2 AND NOT deleted",
        )
        .bind(revision)
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
        removed += emptied.rows_affected();
    }
    Ok(removed)
}

pub(crate) async fn remove_documents(tx: &mut Tx, ids: Vec<DocumentId>) -> Result<u64, Fault> {
    let revisions = draw_revisions(tx, ids.len()).await?;
    let mut removed = 0;
    for (id, revision) in ids.iter().zip(revisions) {
        let emptied = sqlx::query(
            "UPDATE documents SET title = '', content = '', url = NULL, language = NULL,
                 deleted = TRUE, revision = $1
             WHERE id = $2 AND NOT deleted",
        )
        .bind(revision)
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
        removed += emptied.rows_affected();
    }
    Ok(removed)
}

pub(crate) async fn find_document(pool: &Pool, id: DocumentId) -> Result<Option<Document>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM documents WHERE id = $1 AND NOT deleted")
            .bind(id.as_str())
            .fetch_optional(pool)
            .await?,
    )
}

pub(crate) async fn list_products(
    pool: &Pool,
    after_id: Option<String>,
    limit: u32,
) -> Result<Vec<Product>, Fault> {
    Ok(
        sqlx::query_as("SELECT * FROM products WHERE id > $1 AND NOT deleted ORDER BY id LIMIT $2")
            .bind(after_id.unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?,
    )
}

pub(crate) async fn list_documents(
    pool: &Pool,
    after_id: Option<String>,
    limit: u32,
) -> Result<Vec<Document>, Fault> {
    Ok(
        sqlx::query_as(
            "SELECT * FROM documents WHERE id > $1 AND NOT deleted ORDER BY id LIMIT $2",
        )
        .bind(after_id.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?,
    )
}

async fn upsert_product(tx: &mut Tx, product: &Product, revision: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO products (id, name, category, description, variants, deleted, revision)
         VALUES ($1, $2, $3, $4, $5, FALSE, $6)
         ON CONFLICT (id) DO UPDATE
         SET name = excluded.name, category = excluded.category,
             description = excluded.description, variants = excluded.variants,
             deleted = excluded.deleted, revision = excluded.revision
         WHERE (products.name, products.category, products.description, products.variants,
                products.deleted)
               IS DISTINCT FROM
               (excluded.name, excluded.category, excluded.description, excluded.variants,
                excluded.deleted)",
    )
    .bind(product.id.as_str())
    .bind(&product.name)
    .bind(&product.category)
    .bind(&product.description)
    .bind(Json(&product.variants))
    .bind(revision)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn upsert_document(tx: &mut Tx, document: &Document, revision: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO documents (id, title, content, url, language, visibility, deleted, revision)
         VALUES ($1, $2, $3, $4, $5, $6, FALSE, $7)
         ON CONFLICT (id) DO UPDATE
         SET title = excluded.title, content = excluded.content, url = excluded.url,
             language = excluded.language, visibility = excluded.visibility,
             deleted = excluded.deleted, revision = excluded.revision
         WHERE (documents.title, documents.content, documents.url, documents.language,
                documents.visibility, documents.deleted)
               IS DISTINCT FROM
               (excluded.title, excluded.content, excluded.url, excluded.language,
                excluded.visibility, excluded.deleted)",
    )
    .bind(document.id.as_str())
    .bind(&document.title)
    .bind(&document.content)
    .bind(&document.url)
    .bind(&document.language)
    .bind(document.visibility.as_str())
    .bind(revision)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[tokio::test]
    async fn records_come_back_as_they_were_written() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        store.upsert_products(&[product("p1")]).await.unwrap();
        store.upsert_documents(&[document("d1")]).await.unwrap();
        assert_eq!(
            store.find_customer(&"c1".into()).await.unwrap(),
            Some(customer("c1"))
        );
        assert_eq!(store.list_products(None, 9).await.unwrap(), [product("p1")]);
        assert_eq!(
            store.find_document(&"d1".into()).await.unwrap(),
            Some(document("d1"))
        );
        assert_eq!(store.find_customer(&"c2".into()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_record_written_again_replaces_the_first_whole() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        store.upsert_customers(&[customer("c1")]).await.unwrap();
        let bare = Customer {
            name: None,
            address: None,
            payment_methods: Vec::new(),
            attributes: Default::default(),
            ..customer("c1")
        };
        store
            .upsert_customers(std::slice::from_ref(&bare))
            .await
            .unwrap();
        assert_eq!(store.find_customer(&"c1".into()).await.unwrap(), Some(bare));
    }

    #[tokio::test]
    async fn lists_are_paged_by_id_and_leave_out_what_was_removed() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let all = ["p10", "p2", "p3", "p4"];
        store.upsert_products(&all.map(product)).await.unwrap();
        store.upsert_documents(&all.map(document)).await.unwrap();
        store.upsert_customers(&all.map(customer)).await.unwrap();
        let ids = ["p3".into(), "never was".into()];
        assert_eq!(store.remove_products(&ids).await.unwrap(), 1);
        assert_eq!(store.remove_products(&ids).await.unwrap(), 0, "gone");
        let ids = ["p3".into(), "never was".into()];
        assert_eq!(store.remove_documents(&ids).await.unwrap(), 1);
        assert_eq!(store.find_document(&"p3".into()).await.unwrap(), None);

        let page = store.list_products(None, 2).await.unwrap();
        assert_eq!(page, ["p10", "p2"].map(product));
        assert_eq!(
            store.list_products(Some("p2"), 9).await.unwrap(),
            [product("p4")]
        );
        assert_eq!(
            store.list_documents(Some("p2"), 9).await.unwrap(),
            [document("p4")]
        );
        assert_eq!(
            store.list_customers(Some("p3"), 9).await.unwrap(),
            [customer("p4")]
        );
    }

    #[tokio::test]
    async fn ids_sort_by_their_bytes_in_whatever_language_the_database_is() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let ids = ["ä", "b", "A", "a", "B", "_", "#1", "10", "9", "\u{1F600}"];
        store.upsert_documents(&ids.map(document)).await.unwrap();
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        let mut listed: Vec<Document> = Vec::new();
        while let page = store
            .list_documents(listed.last().map(|last| last.id.as_str()), 3)
            .await
            .unwrap()
            && !page.is_empty()
        {
            listed.extend(page);
        }
        let listed: Vec<_> = listed.iter().map(|document| document.id.as_str()).collect();
        assert_eq!(listed, sorted);
    }
}
