//! What the company brings: customers, products, orders and the documents it answers from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CustomerId, DocumentId, Money, OrderId, ProductId};

/// A postal address; empty parts are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Street and number, one or two lines.
    pub lines: Vec<String>,
    /// City.
    pub city: Option<String>,
    /// State, province or county.
    pub region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country, as the company writes it.
    pub country: Option<String>,
}

/// A saved way to pay. Never a full card number: `last_four` only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentMethod {
    /// The company's id of it, used by [`Payment::method`].
    pub id: String,
    /// `credit_card`, `paypal`, `gift_card`, `bank_transfer`...
    pub kind: String,
    /// Card brand.
    pub brand: Option<String>,
    /// Last four digits.
    pub last_four: Option<String>,
    /// Balance left, of a gift card.
    pub balance: Option<Money>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The company's id.
    pub id: CustomerId,
    /// Full name.
    #[serde(default)]
    pub name: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(default)]
    pub phone: Option<String>,
    /// Preferred language, a BCP 47 tag.
    #[serde(default)]
    pub language: Option<String>,
    /// Default address.
    #[serde(default)]
    pub address: Option<Address>,
    /// Saved ways to pay.
    #[serde(default)]
    pub payment_methods: Vec<PaymentMethod>,
    /// Anything else the company keeps (`tier`, `points`, `since`...).
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// One buyable form of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The company's item number.
    pub sku: String,
    /// Options such as colour and size.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Price.
    pub price: Money,
    /// Whether it can be ordered now.
    pub available: bool,
}

/// A product with its variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The company's id.
    pub id: ProductId,
    /// Name.
    pub name: String,
    /// Category.
    #[serde(default)]
    pub category: Option<String>,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// At least one buyable form.
    pub variants: Vec<Variant>,
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum OrderStatus {
    /// Placed, can still be changed.
    Pending,
    /// Being prepared, can no longer be changed.
    Processed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Cancelled.
    Cancelled,
    /// The customer has asked to return it.
    ReturnRequested,
    /// The customer has asked to exchange it.
    ExchangeRequested,
    /// A status of the company's own.
    Other(String),
}

impl OrderStatus {
    /// The stored word (`return_requested`).
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::ReturnRequested => "return_requested",
            Self::ExchangeRequested => "exchange_requested",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for OrderStatus {
    fn from(word: String) -> Self {
        match word.trim().to_lowercase().replace([' ', '-'], "_").as_str() {
            "pending" => Self::Pending,
            "processed" | "processing" => Self::Processed,
            "shipped" | "in_transit" => Self::Shipped,
            "delivered" => Self::Delivered,
            "cancelled" | "canceled" => Self::Cancelled,
            "return_requested" => Self::ReturnRequested,
            "exchange_requested" => Self::ExchangeRequested,
            _ => Self::Other(word),
        }
    }
}

impl From<OrderStatus> for String {
    fn from(status: OrderStatus) -> Self {
        status.as_str().to_owned()
    }
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderItem {
    /// The product bought.
    pub product: ProductId,
    /// The variant bought.
    #[serde(default)]
    pub sku: Option<String>,
    /// Its name when it was bought.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub quantity: u32,
    /// Price of one.
    pub price: Money,
    /// Options such as colour and size.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// From the customer.
    Payment,
    /// Back to the customer.
    Refund,
}

/// Money paid or refunded for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Which way.
    pub kind: PaymentKind,
    /// How much.
    pub amount: Money,
    /// [`PaymentMethod::id`], or the method in words.
    pub method: String,
}

/// A parcel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shipment {
    /// Carrier.
    pub carrier: Option<String>,
    /// Tracking numbers.
    pub tracking: Vec<String>,
    /// SKUs inside; empty means the whole order.
    pub skus: Vec<String>,
    /// Expected delivery, a date as the company writes it (`2026-12-03`).
    pub expected: Option<String>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The company's number, as printed.
    pub id: OrderId,
    /// Who ordered.
    pub customer: CustomerId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Day it was placed (`2026-11-18`).
    #[serde(default)]
    pub placed_on: Option<String>,
    /// What was bought.
    pub items: Vec<OrderItem>,
    /// Sum charged; when absent in an import, the sum of the items.
    pub total: Money,
    /// Where it goes.
    #[serde(default)]
    pub address: Option<Address>,
    /// Money moved.
    #[serde(default)]
    pub payments: Vec<Payment>,
    /// Parcels.
    #[serde(default)]
    pub shipments: Vec<Shipment>,
    /// Anything else (`cancel_reason`...).
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl Order {
    /// Price times quantity over all items; `None` beyond 64 bits.
    pub fn items_total(items: &[OrderItem]) -> Option<Money> {
        let sums: Option<Vec<_>> = items
            .iter()
            .map(|item| item.price.times(item.quantity))
            .collect();
        Money::sum(sums?)
    }
}

/// A knowledge document: the text passages are cut from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The company's id, or the file's path within the imported folder.
    pub id: DocumentId,
    /// Title.
    pub title: String,
    /// Markdown or plain text.
    pub content: String,
    /// Public address to link to.
    #[serde(default)]
    pub url: Option<String>,
    /// BCP 47 tag, when known.
    #[serde(default)]
    pub language: Option<String>,
    /// Who may be shown it.
    #[serde(default)]
    pub visibility: Visibility,
}

/// Who may be shown a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody: replies quote it and link to it.
    #[default]
    Public,
    /// The company's own people. Plain facts of it may be told; it is not quoted, shown or linked to.
    Internal,
}

impl Visibility {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
        }
    }

    /// The visibility of that name, in letters of any case; `None` for any other word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Public, Self::Internal]
            .into_iter()
            .find(|visibility| word.trim().eq_ignore_ascii_case(visibility.as_str()))
    }
}
