//! A web shop of 50 product types, 500 customers and 1,000 orders.
//!
//! The service policy is its knowledge: one document a section, `policy/cancel-pending-order`. The
//! shop's orders have no dates, so none are told.

use std::collections::BTreeMap;
use std::path::Path;

use crm::{
    Address, Customer, Document, DocumentId, Money, Order, OrderItem, Payment, PaymentKind,
    PaymentMethod, Product, Shipment, Variant, Visibility,
};
use serde::Deserialize;
use serde_json::Number;

use super::{Body, WorldError, american, malformed, read};

pub(super) fn load(folder: &Path) -> Result<Body, WorldError> {
    let (database, policy) = (folder.join("db.json"), folder.join("policy.md"));
    let shop: Database =
        serde_json::from_str(&read(&database)?).map_err(|error| malformed(&database, error))?;
    let told = |reason: String| malformed(&database, reason);
    Ok(Body {
        company: american("the shop", "2026-11-20"),
        customers: collect(shop.users, user).map_err(told)?,
        products: collect(shop.products, product).map_err(told)?,
        orders: collect(shop.orders, order).map_err(told)?,
        documents: sections(&read(&policy)?),
    })
}

#[derive(Deserialize)]
struct Database {
    products: BTreeMap<String, ProductRow>,
    users: BTreeMap<String, UserRow>,
    orders: BTreeMap<String, OrderRow>,
}

#[derive(Deserialize)]
struct ProductRow {
    name: String,
    variants: BTreeMap<String, VariantRow>,
}

#[derive(Deserialize)]
struct VariantRow {
    options: BTreeMap<String, String>,
    available: bool,
    price: Number,
}

#[derive(Deserialize)]
struct UserRow {
    name: NameRow,
    address: AddressRow,
    email: String,
    payment_methods: BTreeMap<String, MethodRow>,
}

#[derive(Deserialize)]
struct NameRow {
    first_name: String,
    last_name: String,
}

#[derive(Deserialize)]
struct AddressRow {
    address1: String,
    address2: String,
    city: String,
    country: String,
    state: String,
    zip: String,
}

#[derive(Deserialize)]
struct MethodRow {
    source: String,
    brand: Option<String>,
    last_four: Option<String>,
    balance: Option<Number>,
}

#[derive(Deserialize)]
struct OrderRow {
    user_id: String,
    address: AddressRow,
    items: Vec<ItemRow>,
    status: String,
    fulfillments: Vec<FulfillmentRow>,
    payment_history: Vec<PaymentRow>,
}

#[derive(Deserialize)]
struct ItemRow {
    name: String,
    product_id: String,
    item_id: String,
    price: Number,
    options: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct FulfillmentRow {
    tracking_id: Vec<String>,
    item_ids: Vec<String>,
}

#[derive(Deserialize)]
struct PaymentRow {
    transaction_type: PaymentKind,
    amount: Number,
    payment_method_id: String,
}

/// Turns rows into records; the first that cannot be is named.
fn collect<Row, Record>(
    rows: BTreeMap<String, Row>,
    turn: impl Fn(&str, Row) -> Result<Record, String>,
) -> Result<Vec<Record>, String> {
    rows.into_iter()
        .map(|(id, row)| turn(&id, row).map_err(|reason| format!("{id}: {reason}")))
        .collect()
}

fn user(id: &str, row: UserRow) -> Result<Customer, String> {
    let methods = row.payment_methods.into_iter();
    Ok(Customer {
        id: id.into(),
        name: Some(format!("{} {}", row.name.first_name, row.name.last_name)),
        email: Some(row.email),
        phone: None,
        language: None,
        address: Some(address(row.address)),
        payment_methods: methods
            .map(|(id, row)| method(id, row))
            .collect::<Result<_, _>>()?,
        attributes: BTreeMap::new(),
    })
}

fn method(id: String, row: MethodRow) -> Result<PaymentMethod, String> {
    let balance = row.balance.as_ref().map(money).transpose()?;
    Ok(PaymentMethod {
        id,
        kind: row.source,
        brand: row.brand,
        last_four: row.last_four,
        balance,
    })
}

fn address(row: AddressRow) -> Address {
    let filled = |text: String| (!text.is_empty()).then_some(text);
    Address {
        lines: [row.address1, row.address2]
            .into_iter()
            .filter_map(filled)
            .collect(),
        city: filled(row.city),
        region: filled(row.state),
        postal_code: filled(row.zip),
        country: filled(row.country),
    }
}

fn product(id: &str, row: ProductRow) -> Result<Product, String> {
    let variant = |(sku, row): (String, VariantRow)| {
        let price = money(&row.price)?;
        Ok::<_, String>(Variant {
            sku,
            options: row.options,
            price,
            available: row.available,
        })
    };
    Ok(Product {
        id: id.into(),
        name: row.name,
        category: None,
        description: None,
        variants: row
            .variants
            .into_iter()
            .map(variant)
            .collect::<Result<_, _>>()?,
    })
}

fn order(id: &str, row: OrderRow) -> Result<Order, String> {
    let items: Vec<_> = row.items.into_iter().map(item).collect::<Result<_, _>>()?;
    let total = Order::items_total(&items).ok_or("its items cost more than can be counted")?;
    Ok(Order {
        id: id.into(),
        customer: row.user_id.as_str().into(),
        status: row.status.into(),
        placed_on: None,
        items,
        total,
        address: Some(address(row.address)),
        payments: row
            .payment_history
            .into_iter()
            .map(payment)
            .collect::<Result<_, _>>()?,
        shipments: row.fulfillments.into_iter().map(shipment).collect(),
        attributes: BTreeMap::new(),
    })
}

fn item(row: ItemRow) -> Result<OrderItem, String> {
    Ok(OrderItem {
        product: row.product_id.as_str().into(),
        sku: Some(row.item_id),
        name: row.name,
        quantity: 1,
        price: money(&row.price)?,
        options: row.options,
    })
}

fn payment(row: PaymentRow) -> Result<Payment, String> {
    let amount = money(&row.amount)?;
    Ok(Payment {
        kind: row.transaction_type,
        amount,
        method: row.payment_method_id,
    })
}

fn shipment(row: FulfillmentRow) -> Shipment {
    Shipment {
        carrier: None,
        tracking: row.tracking_id,
        skus: row.item_ids,
        expected: None,
    }
}

/// The cents of a JSON number, which prints as the shortest decimal that means it.
fn money(number: &Number) -> Result<Money, String> {
    number
        .to_string()
        .parse()
        .map_err(|error: crm::MoneyError| error.to_string())
}

/// One document for each `##` section, and one for what comes before the first.
fn sections(policy: &str) -> Vec<Document> {
    let mut parts: Vec<(&str, Vec<&str>)> = vec![("Service policy", Vec::new())];
    for line in policy.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            parts.push((title.trim(), Vec::new()));
        } else if let Some((_, lines)) = parts.last_mut().filter(|_| !line.starts_with("# ")) {
            lines.push(line);
        }
    }
    let documents = parts
        .into_iter()
        .map(|(title, lines)| section(title, &lines.join("\n")));
    documents
        .filter(|document| !document.content.is_empty())
        .collect()
}

fn section(title: &str, content: &str) -> Document {
    let slug = title
        .to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join("-");
    Document {
        id: DocumentId(format!("policy/{slug}")),
        title: title.to_owned(),
        content: content.trim().to_owned(),
        url: None,
        language: Some("en".to_owned()),
        visibility: Visibility::Public,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialogue;
    use crate::worlds::World;
    use crate::worlds::tests::shared_data;

    fn database() -> serde_json::Value {
        let address = json!({"address1": "9 Elm St", "address2": "", "city": "Denver",
            "country": "USA", "state": "CO", "zip": "80279"});
        json!({
            "products": {"95": {"name": "T-Shirt", "product_id": "95", "variants": {"961": {
                "item_id": "961", "options": {"size": "M"}, "available": true, "price": 50.88}}}},
            "users": {"noah_1": {"user_id": "noah_1", "address": address,
                "name": {"first_name": "Noah", "last_name": "Brown"}, "email": "n@example.com",
                "payment_methods": {"gift_7": {"source": "gift_card", "id": "gift_7",
                    "balance": 17.0}}, "orders": ["#W1"]}},
            "orders": {"#W1": {"order_id": "#W1", "user_id": "noah_1", "address": address,
                "items": [
                    {"name": "T-Shirt", "product_id": "95", "item_id": "961", "price": 50.88,
                     "options": {"size": "M"}},
                    {"name": "Mug", "product_id": "96", "item_id": "970", "price": 8,
                     "options": {}}],
                "status": "processed",
                "fulfillments": [{"tracking_id": ["3579"], "item_ids": ["961", "970"]}],
                "payment_history": [{"transaction_type": "payment", "amount": 58.88,
                    "payment_method_id": "gift_7"}]}}
        })
    }

    fn load_from(database: &serde_json::Value) -> Result<Body, WorldError> {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("tau2-retail");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("db.json"), database.to_string()).unwrap();
        std::fs::write(
            folder.join("policy.md"),
            "# Policy\n\n## Returns\n\nSoon.\n",
        )
        .unwrap();
        World::Tau2Retail.load(data.path())
    }

    #[test]
    fn a_database_becomes_records() {
        let body = load_from(&database()).unwrap();
        let [customer] = body.customers.as_slice() else {
            panic!("{body:?}")
        };
        assert_eq!(customer.name.as_deref(), Some("Noah Brown"));
        assert_eq!(customer.address.as_ref().unwrap().lines, ["9 Elm St"]);
        assert_eq!(customer.payment_methods[0].balance, Some(Money(1700)));
        assert_eq!(body.products[0].variants[0].price, Money(5088));
        let [order] = body.orders.as_slice() else {
            panic!("{body:?}")
        };
        assert_eq!(
            (order.total, order.status.as_str()),
            (Money(5888), "processed")
        );
        assert_eq!(order.payments[0].kind, PaymentKind::Payment);
        assert_eq!(order.shipments[0].tracking, ["3579"]);
        assert_eq!(body.documents[0].id.as_str(), "policy/returns");
    }

    #[test]
    fn a_record_that_cannot_be_used_is_named() {
        let mut database = database();
        database["orders"]["#W1"]["items"][1]["price"] = json!(8.005);
        let error = load_from(&database).unwrap_err().to_string();
        assert!(error.contains("#W1") && error.contains("8.005"), "{error}");
    }

    #[test]
    fn a_policy_is_cut_at_its_sections() {
        let policy = "# Policy\n\nBe kind.\n\n## Cancel pending order\n\nOnly pending.\n\n\
            ### Reasons\n\nTwo.\n\n## Empty\n\n## Returns\nLater.\n";
        let documents = sections(policy);
        let cut: Vec<_> = documents
            .iter()
            .map(|d| (d.id.as_str(), d.content.as_str()))
            .collect();
        assert_eq!(
            cut,
            [
                ("policy/service-policy", "Be kind."),
                (
                    "policy/cancel-pending-order",
                    "Only pending.\n\n### Reasons\n\nTwo."
                ),
                ("policy/returns", "Later."),
            ]
        );
    }

    #[test]
    fn the_whole_shop_is_read_and_knows_its_dialogues_customers() {
        let Some(data) = shared_data() else { return };
        let body = World::Tau2Retail.load(&data).unwrap();
        assert_eq!(
            (body.products.len(), body.customers.len(), body.orders.len()),
            (50, 500, 1000)
        );
        assert!(
            body.documents
                .iter()
                .any(|d| d.id.as_str() == "policy/return-delivered-order")
        );
        let dialogues = dialogue::read(&data.join("dialogues/train.jsonl")).unwrap();
        let mut signed_in = dialogues.iter().filter(|d| d.world == "tau2-retail");
        assert!(signed_in.all(|dialogue| {
            let customer = dialogue.customer.as_deref();
            customer.is_none_or(|id| body.customers.iter().any(|known| known.id.as_str() == id))
        }));
    }
}
