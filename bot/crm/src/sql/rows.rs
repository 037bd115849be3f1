//! How rows become records. Columns bear the names of the fields.

use sqlx::types::{Json, Text};
use sqlx::{Error, FromRow, Row as _};

use super::Row;
use crate::types::*;

impl FromRow<'_, Row> for Conversation {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get::<Text<_>, _>("id")?.0,
            channel: row.try_get("channel")?,
            thread: row.try_get("thread")?,
            customer: row
                .try_get::<Option<String>, _>("customer")?
                .map(CustomerId),
            state: row.try_get::<Text<_>, _>("state")?.0,
            language: row.try_get("language")?,
            memory: row.try_get::<Json<_>, _>("memory")?.0,
            last_seq: row.try_get("last_seq")?,
            answered_seq: row.try_get("answered_seq")?,
            created_at: Millis(row.try_get("created_at")?),
        })
    }
}

impl FromRow<'_, Row> for Message {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            seq: row.try_get("seq")?,
            author: row.try_get::<Text<_>, _>("author")?.0,
            text: row.try_get("text")?,
            sources: row.try_get::<Json<_>, _>("sources")?.0,
            quick_replies: row.try_get::<Json<_>, _>("quick_replies")?.0,
            client_id: row.try_get("client_id")?,
            pressed: row.try_get("pressed")?,
            at: Millis(row.try_get("at")?),
        })
    }
}

impl FromRow<'_, Row> for Undelivered {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            conversation: row.try_get::<Text<_>, _>("conversation")?.0,
            seq: row.try_get("seq")?,
            channel: row.try_get("channel")?,
            state: row.try_get::<Text<_>, _>("state")?.0,
            due_at: Millis(row.try_get("due_at")?),
            tries: row.try_get("tries")?,
            error: row.try_get("error")?,
            at: Millis(row.try_get("at")?),
        })
    }
}

impl FromRow<'_, Row> for Attachment {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            seq: row.try_get("seq")?,
            number: row.try_get("number")?,
            name: row.try_get("name")?,
            content_type: row.try_get("content_type")?,
            size: row.try_get("size")?,
            state: row.try_get("state")?,
            error: row.try_get("error")?,
        })
    }
}

impl FromRow<'_, Row> for Outcome {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            turn: row.try_get::<Text<_>, _>("turn")?.0,
            conversation: row.try_get::<Text<_>, _>("conversation")?.0,
            through_seq: row.try_get("through_seq")?,
            intent: row.try_get("intent")?,
            sentiment: row.try_get("sentiment")?,
            action: row.try_get("action")?,
            record: row.try_get::<Json<_>, _>("record")?.0,
            at: Millis(row.try_get("at")?),
        })
    }
}

impl FromRow<'_, Row> for Rating {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            score: score(row.try_get("score")?)?,
            comment: row.try_get("comment")?,
            at: Millis(row.try_get("at")?),
        })
    }
}

/// The schema keeps to 1 to 5; neither database has a type as small.
fn score(stored: i16) -> Result<u8, Error> {
    stored.try_into().map_err(|error| Error::ColumnDecode {
        index: "score".to_owned(),
        source: Box::new(error),
    })
}

impl FromRow<'_, Row> for Event {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let conversation: Option<Text<_>> = row.try_get("conversation")?;
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            conversation: conversation.map(|Text(id)| id),
            data: row.try_get::<Json<_>, _>("data")?.0,
            at: Millis(row.try_get("at")?),
        })
    }
}

impl FromRow<'_, Row> for Customer {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: CustomerId(row.try_get("id")?),
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            phone: row.try_get("phone")?,
            language: row.try_get("language")?,
            address: row
                .try_get::<Option<Json<_>>, _>("address")?
                .map(|Json(address)| address),
            payment_methods: row.try_get::<Json<_>, _>("payment_methods")?.0,
            attributes: row.try_get::<Json<_>, _>("attributes")?.0,
        })
    }
}

impl FromRow<'_, Row> for Product {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: ProductId(row.try_get("id")?),
            name: row.try_get("name")?,
            category: row.try_get("category")?,
            description: row.try_get("description")?,
            variants: row.try_get::<Json<_>, _>("variants")?.0,
        })
    }
}

impl FromRow<'_, Row> for Document {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: DocumentId(row.try_get("id")?),
            title: row.try_get("title")?,
            content: row.try_get("content")?,
            url: row.try_get("url")?,
            language: row.try_get("language")?,
            // A word of a later version is nothing to show.
            visibility: Visibility::named(row.try_get("visibility")?)
                .unwrap_or(Visibility::Internal),
        })
    }
}

impl FromRow<'_, Row> for Order {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: OrderId(row.try_get("id")?),
            customer: CustomerId(row.try_get("customer")?),
            status: row.try_get::<String, _>("status")?.into(),
            placed_on: row.try_get("placed_on")?,
            items: row.try_get::<Json<_>, _>("items")?.0,
            total: Money(row.try_get("total")?),
            address: row
                .try_get::<Option<Json<_>>, _>("address")?
                .map(|Json(address)| address),
            payments: row.try_get::<Json<_>, _>("payments")?.0,
            shipments: row.try_get::<Json<_>, _>("shipments")?.0,
            attributes: row.try_get::<Json<_>, _>("attributes")?.0,
        })
    }
}
