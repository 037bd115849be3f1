//! What the tests of several modules need: a store in a folder of its own, and sample records.

use std::collections::BTreeMap;

use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::store::Store;
use crate::types::*;

/// A store whose folder goes when the test ends.
pub(crate) struct Scratch {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
}

impl Scratch {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("crm.db")).await.unwrap();
        Self { store, folder }
    }

    /// Opens the file a second time, as another process would.
    pub(crate) async fn reopen(&self) -> Store {
        Store::open(&self.folder.path().join("crm.db"))
            .await
            .unwrap()
    }

    /// Opens the conversation of that number, anonymous.
    pub(crate) async fn conversation(&self, number: u128) -> ConversationId {
        let id = conversation_id(number);
        let new = NewConversation {
            id,
            channel: "web".into(),
            customer: None,
            language: None,
            at: Millis(1),
        };
        self.store.open_conversation(new).await.unwrap();
        id
    }

    /// Accepts a message under a client id and gives its number.
    pub(crate) async fn say(&self, conversation: ConversationId, client_id: &str) -> i64 {
        match self
            .store
            .accept_message(saying(conversation, client_id))
            .await
            .unwrap()
        {
            Accepted::Stored { seq } => seq,
            Accepted::Duplicate { seq } => panic!("{client_id} was stored before as {seq}"),
        }
    }

    /// The conversation as it stands.
    pub(crate) async fn load(&self, id: ConversationId) -> Conversation {
        self.store.find_conversation(id).await.unwrap().unwrap()
    }
}

pub(crate) fn conversation_id(number: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(number))
}

pub(crate) fn saying(conversation: ConversationId, client_id: &str) -> AcceptMessage {
    let text = format!("text of {client_id}");
    AcceptMessage {
        conversation,
        client_id: client_id.into(),
        text,
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
