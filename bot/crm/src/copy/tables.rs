//! The tables of a store and their columns, in an order in which references find what they refer to.

use std::collections::BTreeMap;

use super::json::{plain, typed};
use crate::types::*;

/// A table.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its columns, those of the primary key first.
    pub(crate) columns: &'static [Column],
    /// How many columns make the primary key.
    pub(crate) key: usize,
    /// Whether a new store has a row in it.
    pub(crate) seeded: bool,
}

/// A column.
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Text or NULL.
    Text,
    /// BIGINT, or SQLite's INTEGER.
    Int,
    /// SMALLINT.
    Small,
    /// BOOLEAN.
    Bool,
    /// JSON or NULL, and how its text is written anew.
    Json(fn(&str) -> Option<String>),
}

/// `[text "a", "b"; int "c"]` and so on, as columns.
macro_rules! columns {
    ($($kind:expr => $($name:literal)+;)+) => {
        &[$($(Column { name: $name, kind: $kind },)+)+]
    };
}

const fn table(name: &'static str, key: usize, columns: &'static [Column]) -> Table {
    Table {
        name,
        columns,
        key,
        seeded: false,
    }
}

/// A table is added here with its migration; a test compares the columns with the schema's.
pub(crate) static TABLES: &[Table] = &[
    Table {
        seeded: true,
        ..table(
            "revision_counter",
            1,
            columns! { Kind::Small => "id"; Kind::Int => "value"; },
        )
    },
    table(
        "customers",
        1,
        columns! {
            Kind::Text => "id" "name" "email" "phone" "language";
            Kind::Json(typed::<Address>) => "address";
            Kind::Json(typed::<Vec<PaymentMethod>>) => "payment_methods";
            Kind::Json(typed::<BTreeMap<String, String>>) => "attributes";
            Kind::Bool => "deleted";
            Kind::Int => "revision";
        },
    ),
    table(
        "identities",
        2,
        columns! { Kind::Text => "channel" "external_id" "customer"; },
    ),
    table(
        "products",
        1,
        columns! {
            Kind::Text => "id" "name" "category" "description";
            Kind::Json(typed::<Vec<Variant>>) => "variants";
            Kind::Bool => "deleted";
            Kind::Int => "revision";
        },
    ),
    table(
        "documents",
        1,
        columns! {
            Kind::Text => "id" "title" "content" "url" "language" "visibility";
            Kind::Bool => "deleted";
            Kind::Int => "revision";
        },
    ),
    table(
        "orders",
        1,
        columns! {
            Kind::Text => "id" "customer" "status" "placed_on";
            Kind::Json(typed::<Vec<OrderItem>>) => "items";
            Kind::Int => "total";
            Kind::Json(typed::<Address>) => "address";
            Kind::Json(typed::<Vec<Payment>>) => "payments";
            Kind::Json(typed::<Vec<Shipment>>) => "shipments";
            Kind::Json(typed::<BTreeMap<String, String>>) => "attributes";
            Kind::Int => "revision";
        },
    ),
    table(
        "conversations",
        1,
        columns! {
            Kind::Text => "id" "channel" "thread" "customer" "state" "language";
            Kind::Int => "state_since" "state_seq";
            Kind::Json(plain) => "memory";
            Kind::Int => "last_seq" "answered_seq" "created_at";
            Kind::Bool => "pushed" "blocked";
            Kind::Text => "reply_context";
            Kind::Int => "heard_at";
        },
    ),
    table(
        "messages",
        2,
        columns! {
            Kind::Text => "conversation";
            Kind::Int => "seq";
            Kind::Text => "author" "text" "client_id" "pressed";
            Kind::Json(plain) => "sources" "quick_replies";
            Kind::Int => "at";
        },
    ),
    table(
        "deliveries",
        2,
        columns! {
            Kind::Text => "conversation";
            Kind::Int => "seq";
            Kind::Text => "channel" "state" "error";
            Kind::Int => "due_at" "claimed_until" "token" "tries" "at";
            Kind::Json(plain) => "parts";
        },
    ),
    table(
        "attachments",
        3,
        columns! {
            Kind::Text => "conversation";
            Kind::Int => "seq" "number";
            Kind::Text => "channel" "place" "name" "content_type" "state" "error" "content";
            Kind::Int => "size" "due_at" "claimed_until" "token" "tries";
        },
    ),
    table(
        "listeners",
        1,
        columns! {
            Kind::Text => "channel" "cursor";
            Kind::Int => "until" "token";
        },
    ),
    table(
        "outcomes",
        1,
        columns! {
            Kind::Text => "turn" "conversation";
            Kind::Int => "through_seq";
            Kind::Text => "intent" "sentiment" "action";
            Kind::Json(plain) => "record";
            Kind::Int => "at";
        },
    ),
    table(
        "ratings",
        1,
        columns! {
            Kind::Text => "conversation";
            Kind::Small => "score";
            Kind::Text => "comment";
            Kind::Int => "at";
        },
    ),
    table(
        "events",
        1,
        columns! {
            Kind::Int => "id";
            Kind::Text => "kind" "conversation";
            Kind::Json(plain) => "data";
            Kind::Int => "at";
        },
    ),
    table(
        "index_marks",
        1,
        columns! { Kind::Text => "name"; Kind::Json(plain) => "value"; },
    ),
];
