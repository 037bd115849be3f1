//! What the company brings, but for its orders: customers, products and knowledge documents.
//!
//! Every change draws a revision, see [`changes`](crate::changes). A record that is written again
//! as it was keeps its revision, so that importing a file twice gives an index nothing to do.

use sqlx::types::Json;
use sqlx::{Sqlite, Transaction};

use crate::changes::draw_revisions;
use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Adds or replaces customers, all or none.
    pub async fn upsert_customers(&self, customers: &[Customer]) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        let revisions = draw_revisions(&mut tx, customers.len()).await?;
        for (customer, revision) in customers.iter().zip(revisions) {
            upsert_customer(&mut tx, customer, revision).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Adds or replaces products, all or none. A removed product comes back.
    pub async fn upsert_products(&self, products: &[Product]) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        let revisions = draw_revisions(&mut tx, products.len()).await?;
        for (product, revision) in products.iter().zip(revisions) {
            upsert_product(&mut tx, product, revision).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Adds or replaces documents, all or none. A removed document comes back.
    pub async fn upsert_documents(&self, documents: &[Document]) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        let revisions = draw_revisions(&mut tx, documents.len()).await?;
        for (document, revision) in documents.iter().zip(revisions) {
            upsert_document(&mut tx, document, revision).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Removes products, all or none; ids that are not there are passed over. Orders keep what
    /// they say of a product.
    pub async fn remove_products(&self, ids: &[ProductId]) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        let revisions = draw_revisions(&mut tx, ids.len()).await?;
        for (id, revision) in ids.iter().zip(revisions) {
            sqlx::query(
                "UPDATE products SET name = '', category = NULL, description = NULL,
                     variants = '[]', deleted = TRUE, revision = ?
                 WHERE id = ? AND NOT deleted",
            )
            .bind(revision)
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Removes documents, all or none; ids that are not there are passed over.
    pub async fn remove_documents(&self, ids: &[DocumentId]) -> Result<(), CrmError> {
        let mut tx = self.write().await?;
        let revisions = draw_revisions(&mut tx, ids.len()).await?;
        for (id, revision) in ids.iter().zip(revisions) {
            sqlx::query(
                "UPDATE documents SET title = '', content = '', url = NULL, language = NULL,
                     deleted = TRUE, revision = ?
                 WHERE id = ? AND NOT deleted",
            )
            .bind(revision)
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// The customer of that id.
    pub async fn find_customer(&self, id: &CustomerId) -> Result<Option<Customer>, CrmError> {
        Ok(sqlx::query_as("SELECT * FROM customers WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(self.read())
            .await?)
    }

    /// The product of that id.
    pub async fn find_product(&self, id: &ProductId) -> Result<Option<Product>, CrmError> {
        Ok(
            sqlx::query_as("SELECT * FROM products WHERE id = ? AND NOT deleted")
                .bind(id.as_str())
                .fetch_optional(self.read())
                .await?,
        )
    }

    /// The document of that id.
    pub async fn find_document(&self, id: &DocumentId) -> Result<Option<Document>, CrmError> {
        Ok(
            sqlx::query_as("SELECT * FROM documents WHERE id = ? AND NOT deleted")
                .bind(id.as_str())
                .fetch_optional(self.read())
                .await?,
        )
    }

    /// At most `limit` customers by id; `after_id` is the last one seen.
    pub async fn list_customers(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Customer>, CrmError> {
        Ok(
            sqlx::query_as("SELECT * FROM customers WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after_id.unwrap_or_default())
                .bind(limit)
                .fetch_all(self.read())
                .await?,
        )
    }

    /// At most `limit` products by id; `after_id` is the last one seen.
    pub async fn list_products(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Product>, CrmError> {
        Ok(sqlx::query_as(
            "SELECT * FROM products WHERE id > ? AND NOT deleted ORDER BY id LIMIT ?",
        )
        .bind(after_id.unwrap_or_default())
        .bind(limit)
        .fetch_all(self.read())
        .await?)
    }

    /// At most `limit` documents by id; `after_id` is the last one seen.
    pub async fn list_documents(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, CrmError> {
        Ok(sqlx::query_as(
            "SELECT * FROM documents WHERE id > ? AND NOT deleted ORDER BY id LIMIT ?",
        )
        .bind(after_id.unwrap_or_default())
        .bind(limit)
        .fetch_all(self.read())
        .await?)
    }
}

async fn upsert_customer(
    tx: &mut Transaction<'_, Sqlite>,
    customer: &Customer,
    revision: i64,
) -> Result<(), CrmError> {
    sqlx::query(
        "INSERT INTO customers (id, name, email, phone, language, address, payment_methods,
                                attributes, revision)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE
         SET name = excluded.name, email = excluded.email, phone = excluded.phone,
             language = excluded.language, address = excluded.address,
             payment_methods = excluded.payment_methods, attributes = excluded.attributes,
             revision = excluded.revision
         WHERE (customers.name, customers.email, customers.phone, customers.language,
                customers.address, customers.payment_methods, customers.attributes)
               IS DISTINCT FROM
               (excluded.name, excluded.email, excluded.phone, excluded.language,
                excluded.address, excluded.payment_methods, excluded.attributes)",
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

async fn upsert_product(
    tx: &mut Transaction<'_, Sqlite>,
    product: &Product,
    revision: i64,
) -> Result<(), CrmError> {
    sqlx::query(
        "INSERT INTO products (id, name, category, description, variants, deleted, revision)
         VALUES (?, ?, ?, ?, ?, FALSE, ?)
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

async fn upsert_document(
    tx: &mut Transaction<'_, Sqlite>,
    document: &Document,
    revision: i64,
) -> Result<(), CrmError> {
    sqlx::query(
        "INSERT INTO documents (id, title, content, url, language, deleted, revision)
         VALUES (?, ?, ?, ?, ?, FALSE, ?)
         ON CONFLICT (id) DO UPDATE
         SET title = excluded.title, content = excluded.content, url = excluded.url,
             language = excluded.language, deleted = excluded.deleted,
             revision = excluded.revision
         WHERE (documents.title, documents.content, documents.url, documents.language,
                documents.deleted)
               IS DISTINCT FROM
               (excluded.title, excluded.content, excluded.url, excluded.language,
                excluded.deleted)",
    )
    .bind(document.id.as_str())
    .bind(&document.title)
    .bind(&document.content)
    .bind(&document.url)
    .bind(&document.language)
    .bind(revision)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

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
        assert_eq!(
            store.find_product(&"p1".into()).await.unwrap(),
            Some(product("p1"))
        );
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
        let ids = ["p10", "p2", "p3", "p4"];
        store.upsert_products(&ids.map(product)).await.unwrap();
        store.upsert_documents(&ids.map(document)).await.unwrap();
        store.upsert_customers(&ids.map(customer)).await.unwrap();
        store
            .remove_products(&["p3".into(), "never was".into()])
            .await
            .unwrap();
        store.remove_documents(&["p3".into()]).await.unwrap();
        assert_eq!(store.find_product(&"p3".into()).await.unwrap(), None);
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
}
