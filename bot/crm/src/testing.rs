//! Sample records for the tests of several modules.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use crate::types::*;

pub(crate) fn conversation_id(number: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(number))
}

/// An anonymous conversation on a thread of its own.
pub(crate) fn opening(number: u128) -> NewConversation {
    NewConversation {
        id: conversation_id(number),
        channel: "web".into(),
        thread: format!("thread {number}"),
        customer: None,
        language: None,
        pushed: false,
        reply_context: None,
        at: Millis(1),
    }
}

/// A change of state that expects the conversation to be in `from`.
pub(crate) fn changing(
    conversation: ConversationId,
    from: ConversationState,
    to: ConversationState,
) -> StateChange {
    StateChange {
        conversation,
        from: vec![from],
        to,
        notice: None,
        at: Millis(4),
    }
}

pub(crate) fn saying(conversation: ConversationId, client_id: &str) -> AcceptMessage {
    let text = format!("text of {client_id}");
    AcceptMessage {
        conversation,
        client_id: client_id.into(),
        text,
        pressed: None,
        reply_context: None,
        attachments: Vec::new(),
        at: Millis(2),
    }
}

/// A turn that answers with one message.
pub(crate) fn turn(conversation: ConversationId, through_seq: i64) -> FinishedTurn {
    FinishedTurn {
        outcome: Outcome {
            turn: TurnId(Uuid::from_u128(
                conversation.0.as_u128() * 1000 + through_seq as u128,
            )),
            conversation,
            through_seq,
            intent: "track_order".into(),
            sentiment: "neutral".into(),
            action: "answer".into(),
            record: json!({"probabilities": {"track_order": 0.9}}),
            at: Millis(3),
        },
        messages: vec![NewMessage::text(Author::Bot, "It is on its way.")],
        state: ConversationState::Bot,
        memory: json!({"topic": "order"}),
        language: Some("en".into()),
    }
}

pub(crate) fn customer(id: &str) -> Customer {
    Customer {
        id: id.into(),
        name: Some("Yusuf Rossi".into()),
        email: Some("yusuf@example.com".into()),
        phone: None,
        language: Some("en".into()),
        address: Some(Address {
            city: Some("Philadelphia".into()),
            ..Address::default()
        }),
        payment_methods: vec![PaymentMethod {
            id: "gift".into(),
            kind: "gift_card".into(),
            balance: Some(Money(1250)),
            ..PaymentMethod::default()
        }],
        attributes: BTreeMap::from([("tier".into(), "gold".into())]),
    }
}

pub(crate) fn product(id: &str) -> Product {
    Product {
        id: id.into(),
        name: "Keyboard".into(),
        category: Some("Office".into()),
        description: None,
        variants: vec![Variant {
            sku: format!("{id}-1"),
            options: BTreeMap::from([("switch".into(), "clicky".into())]),
            price: Money(4990),
            available: true,
        }],
    }
}

pub(crate) fn document(id: &str) -> Document {
    Document {
        id: id.into(),
        title: "Returns".into(),
        content: "Within 30 days.".into(),
        url: Some("https://example.com/returns".into()),
        language: None,
        visibility: Visibility::Public,
    }
}

pub(crate) fn order(id: &str, customer: &str) -> Order {
    Order {
        id: id.into(),
        customer: customer.into(),
        status: OrderStatus::Shipped,
        placed_on: Some("2026-11-18".into()),
        items: vec![OrderItem {
            product: "p1".into(),
            sku: None,
            name: "Keyboard".into(),
            quantity: 2,
            price: Money(4990),
            options: BTreeMap::new(),
        }],
        total: Money(9980),
        address: None,
        payments: vec![Payment {
            kind: PaymentKind::Payment,
            amount: Money(9980),
            method: "gift".into(),
        }],
        shipments: vec![Shipment {
            tracking: vec!["T1".into()],
            ..Shipment::default()
        }],
        attributes: BTreeMap::new(),
    }
}
