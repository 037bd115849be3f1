//! Records as the templates see them: words and formatted amounts, no ids that mean nothing to a
//! customer.

use std::collections::BTreeMap;

use crm::{Address, Customer, Money, Order, OrderItem, PaymentKind, PaymentMethod, Variant};
use serde::Serialize;

use crate::currency::Currency;

/// An item of an order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ItemView {
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) price: String,
    /// `color: blue, size: M`.
    pub(crate) options: String,
    #[serde(skip)]
    pub(crate) amount: Money,
}

/// Money that moved.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PaymentView {
    pub(crate) amount: String,
    pub(crate) method: MethodView,
}

/// A way to pay.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct MethodView {
    /// `credit_card`, `paypal`, `gift_card`...
    pub(crate) kind: String,
    pub(crate) brand: Option<String>,
    pub(crate) last_four: Option<String>,
    pub(crate) balance: Option<String>,
}

/// An order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OrderView {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) placed_on: Option<String>,
    pub(crate) items: Vec<ItemView>,
    /// Names and how many of each: `2 Bookshelf, 1 Water Bottle`.
    pub(crate) tally: Vec<(String, u32)>,
    pub(crate) total: String,
    pub(crate) address: Option<String>,
    pub(crate) payments: Vec<PaymentView>,
    pub(crate) refunds: Vec<PaymentView>,
    pub(crate) carrier: Option<String>,
    pub(crate) tracking: Vec<String>,
    pub(crate) expected: Option<String>,
}

/// A variant.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct VariantView {
    pub(crate) options: String,
    pub(crate) price: String,
    pub(crate) available: bool,
}

pub(crate) fn options(options: &BTreeMap<String, String>) -> String {
    options
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(crate) fn address(address: &Address) -> String {
    let city = [&address.city, &address.region, &address.postal_code]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    address
        .lines
        .iter()
        .map(String::as_str)
        .chain([city.as_str()])
        .chain(address.country.as_deref())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

pub(crate) fn item(item: &OrderItem, currency: &Currency) -> ItemView {
    ItemView {
        name: item.name.clone(),
        quantity: item.quantity,
        price: currency.format(item.price),
        options: options(&item.options),
        amount: item.price,
    }
}

pub(crate) fn variant(variant: &Variant, currency: &Currency) -> VariantView {
    VariantView {
        options: options(&variant.options),
        price: currency.format(variant.price),
        available: variant.available,
    }
}

pub(crate) fn method(method: &PaymentMethod, currency: &Currency) -> MethodView {
    MethodView {
        kind: method.kind.clone(),
        brand: method.brand.clone(),
        last_four: method.last_four.clone(),
        balance: method.balance.map(|balance| currency.format(balance)),
    }
}

/// What the company notes of an order, `name: value`.
pub(super) fn details(order: &Order) -> Vec<String> {
    let placed = order.placed_on.iter().map(|on| format!("placed on: {on}"));
    let noted = order.attributes.iter();
    let noted = noted.map(|(name, value)| format!("{}: {value}", name.replace('_', " ")));
    placed.chain(noted).collect()
}

pub(crate) fn order(order: &Order, customer: &Customer, currency: &Currency) -> OrderView {
    let money = |wanted: PaymentKind| -> Vec<PaymentView> {
        order
            .payments
            .iter()
            .filter(|payment| payment.kind == wanted)
            .map(|payment| PaymentView {
                amount: currency.format(payment.amount),
                method: known_method(&payment.method, customer, currency),
            })
            .collect()
    };
    let mut tally: Vec<(String, u32)> = Vec::new();
    for item in &order.items {
        match tally.iter_mut().find(|(name, _)| *name == item.name) {
            Some((_, count)) => *count = count.saturating_add(item.quantity),
            None => tally.push((item.name.clone(), item.quantity)),
        }
    }
    OrderView {
        id: order.id.to_string(),
        status: order.status.as_str().to_owned(),
        placed_on: order.placed_on.clone(),
        items: order
            .items
            .iter()
            .map(|line| item(line, currency))
            .collect(),
        tally,
        total: currency.format(order.total),
        address: order.address.as_ref().map(address),
        payments: money(PaymentKind::Payment),
        refunds: money(PaymentKind::Refund),
        carrier: order
            .shipments
            .iter()
            .find_map(|shipment| shipment.carrier.clone()),
        tracking: order
            .shipments
            .iter()
            .flat_map(|shipment| shipment.tracking.clone())
            .collect(),
        expected: order
            .shipments
            .iter()
            .find_map(|shipment| shipment.expected.clone()),
    }
}

/// The customer's saved method with this id, else the id read as words (`gift_card_123`).
fn known_method(id: &str, customer: &Customer, currency: &Currency) -> MethodView {
    customer
        .payment_methods
        .iter()
        .find(|known| known.id == id)
        .map_or_else(
            || MethodView {
                kind: id
                    .trim_end_matches(|c: char| c.is_ascii_digit() || c == '_')
                    .to_owned(),
                ..MethodView::default()
            },
            |known| method(known, currency),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_method_is_read_as_words() {
        let customer = Customer {
            id: "c".into(),
            name: None,
            email: None,
            phone: None,
            language: None,
            address: None,
            payment_methods: Vec::new(),
            attributes: BTreeMap::new(),
        };
        assert_eq!(
            known_method("gift_card_1725971", &customer, &Currency::default()).kind,
            "gift_card"
        );
    }
}
