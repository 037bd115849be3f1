//! What goes into the store is owned and free of NUL characters.
//!
//! PostgreSQL stores no NUL in a text; SQLite does. For both to hold the same, every argument of
//! every call passes through [`Clean`] on its way in, and NULs are taken out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::types::*;

/// An argument that becomes owned and loses its NUL characters.
pub(crate) trait Clean {
    /// The owned form.
    type Cleaned;

    /// Takes all NUL characters out.
    fn clean(self) -> Self::Cleaned;
}

impl Clean for String {
    type Cleaned = Self;

    fn clean(mut self) -> Self {
        if self.contains('\0') {
            self.retain(|character| character != '\0');
        }
        self
    }
}

impl Clean for &str {
    type Cleaned = String;

    fn clean(self) -> String {
        self.to_owned().clean()
    }
}

impl Clean for Value {
    type Cleaned = Self;

    fn clean(self) -> Self {
        match self {
            Self::String(text) => Self::String(text.clean()),
            Self::Array(values) => Self::Array(values.clean()),
            Self::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name.clean(), value.clean()))
                    .collect(),
            ),
            plain @ (Self::Null | Self::Bool(_) | Self::Number(_)) => plain,
        }
    }
}

impl Clean for &Value {
    type Cleaned = Value;

    fn clean(self) -> Value {
        self.clone().clean()
    }
}

impl<T: Clean> Clean for Option<T> {
    type Cleaned = Option<T::Cleaned>;

    fn clean(self) -> Self::Cleaned {
        self.map(T::clean)
    }
}

impl<T: Clean> Clean for Vec<T> {
    type Cleaned = Vec<T::Cleaned>;

    fn clean(self) -> Self::Cleaned {
        self.into_iter().map(T::clean).collect()
    }
}

impl<T: Clean + Clone> Clean for &[T] {
    type Cleaned = Vec<T::Cleaned>;

    fn clean(self) -> Self::Cleaned {
        self.iter().cloned().map(T::clean).collect()
    }
}

impl<K: Clean<Cleaned = K> + Ord, V: Clean<Cleaned = V>> Clean for BTreeMap<K, V> {
    type Cleaned = Self;

    fn clean(self) -> Self {
        self.into_iter()
            .map(|(key, value)| (key.clean(), value.clean()))
            .collect()
    }
}

macro_rules! text_ids {
    ($($id:ident),+ $(,)?) => {$(
        impl Clean for $id {
            type Cleaned = Self;

            fn clean(self) -> Self {
                Self(self.0.clean())
            }
        }

        impl Clean for &$id {
            type Cleaned = $id;

            fn clean(self) -> $id {
                self.clone().clean()
            }
        }
    )+};
}

text_ids!(CustomerId, ProductId, OrderId, DocumentId);

macro_rules! without_text {
    ($($plain:ty),+ $(,)?) => {$(
        impl Clean for $plain {
            type Cleaned = Self;

            fn clean(self) -> Self {
                self
            }
        }
    )+};
}

without_text!(
    bool,
    u8,
    u32,
    i64,
    Money,
    Millis,
    ConversationId,
    TurnId,
    ConversationState,
    Author,
    PaymentKind,
    Visibility,
);

impl Clean for DeliveryOutcome {
    type Cleaned = Self;

    fn clean(self) -> Self {
        match self {
            Self::Parts { parts, until } => Self::Parts {
                parts: parts.clean(),
                until,
            },
            Self::Sent { parts } => Self::Sent {
                parts: parts.clean(),
            },
            Self::Later { due_at, error } => Self::Later {
                due_at,
                error: error.clean(),
            },
            Self::Dead { error } => Self::Dead {
                error: error.clean(),
            },
        }
    }
}

impl Clean for AttachmentOutcome {
    type Cleaned = Self;

    fn clean(self) -> Self {
        match self {
            Self::Stored {
                content,
                content_type,
            } => Self::Stored {
                content,
                content_type: content_type.clean(),
            },
            Self::Later { due_at, error } => Self::Later {
                due_at,
                error: error.clean(),
            },
            Self::Refused { error } => Self::Refused {
                error: error.clean(),
            },
        }
    }
}

/// Cleans field by field; a new field that is not named here does not compile.
macro_rules! records {
    ($($record:ident { $($field:ident),+ $(,)? })+) => {$(
        impl Clean for $record {
            type Cleaned = Self;

            fn clean(self) -> Self {
                let Self { $($field),+ } = self;
                Self { $($field: $field.clean()),+ }
            }
        }
    )+};
}

records! {
    NewConversation { id, channel, thread, customer, language, pushed, reply_context, at }
    Reach { conversation, reply_context, blocked, heard_at }
    NewAttachment { place, name, content_type, size }
    SettleAttachment { conversation, seq, number, token, outcome }
    Listen { channel, at, until }
    ClaimDeliveries { channel, limit, at, until }
    SettleDelivery { conversation, seq, token, outcome }
    StateChange { conversation, from, to, notice, at }
    AcceptMessage { conversation, client_id, text, pressed, reply_context, attachments, at }
    NewMessage { author, text, sources, quick_replies }
    Outcome { turn, conversation, through_seq, intent, sentiment, action, record, at }
    FinishedTurn { outcome, messages, state, memory, language }
    Address { lines, city, region, postal_code, country }
    PaymentMethod { id, kind, brand, last_four, balance }
    Customer { id, name, email, phone, language, address, payment_methods, attributes }
    Variant { sku, options, price, available }
    Product { id, name, category, description, variants }
    OrderItem { product, sku, name, quantity, price, options }
    Payment { kind, amount, method }
    Shipment { carrier, tracking, skus, expected }
    Order {
        id, customer, status, placed_on, items, total, address, payments, shipments, attributes,
    }
    Document { id, title, content, url, language, visibility }
}

impl Clean for OrderStatus {
    type Cleaned = Self;

    fn clean(self) -> Self {
        match self {
            Self::Other(word) => Self::Other(word.clean()),
            known @ (Self::Pending
            | Self::Processed
            | Self::Shipped
            | Self::Delivered
            | Self::Cancelled
            | Self::ReturnRequested
            | Self::ExchangeRequested) => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nul_is_taken_out_of_texts_keys_and_nested_values_and_nothing_else_is() {
        assert_eq!("a\0b\u{1}\0".clean(), "ab\u{1}");
        let value = json!({"k\0": ["\0", {"x": "y\0\\u0000"}, 1.5, null, true]});
        let cleaned = json!({"k": ["", {"x": "y\\u0000"}, 1.5, null, true]});
        assert_eq!(value.clean(), cleaned);
        let attributes = BTreeMap::from([("tier\0".to_owned(), "go\0ld".to_owned())]);
        let cleaned = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
        assert_eq!(attributes.clean(), cleaned);
    }
}
