//! Questions about the customer's own orders.

use crm::{Customer, Order, OrderStatus};
use serde::Serialize;

use super::aspect::{Aspect, Aspects};
use super::reference::Named;
use super::view::{self, OrderView};
use super::{Completeness, Desk, Enquiry, Finding, Focus};
use crate::facts::{Fact, FactKind};
use crate::prompts::PromptError;

/// Orders told in full at most; more are only counted and listed.
const MOST_ORDERS: usize = 4;

/// Intents that ask for something to be done, or for a rule.
pub(super) const NOT_LOOKUPS: &[&str] = &[
    "cancel_order",
    "change_order",
    "change_shipping_address",
    "get_refund",
    "check_refund_policy",
    "check_cancellation_fee",
    "complaint",
    "payment_issue",
    "place_order",
    "get_invoice",
    "set_up_shipping_address",
];

/// Intents that the customer's own records answer.
pub(super) const OF_RECORDS: &[&str] = &["track_order", "track_refund", "check_invoice"];

/// Wishes that an order's status allows or forbids: it is told with the rule.
const DEPEND_ON_STATUS: &[&str] = &[
    "cancel_order",
    "change_order",
    "change_shipping_address",
    "get_refund",
];

/// What the template is asked to say, as it reads it.
#[derive(Debug, Default, Serialize)]
struct Asked {
    status: bool,
    tracking: bool,
    arrival: bool,
    address: bool,
    total: bool,
    price: bool,
    contents: bool,
    payment: bool,
    refund: bool,
    dearest: bool,
    cheapest: bool,
}

#[derive(Debug, Serialize)]
struct OrderContext {
    order: OrderView,
    asked: Asked,
    /// Items that the question names; the whole order's when it names none.
    items: Vec<view::ItemView>,
}

#[derive(Debug, Serialize)]
struct OrdersContext {
    status: Option<String>,
    orders: Vec<OrderView>,
}

impl Desk<'_> {
    /// Answers from the customer's orders, or `None` when the message is not about them.
    pub(super) fn orders(
        &self,
        enquiry: &Enquiry<'_>,
        aspects: &Aspects,
        named: &Named,
    ) -> Result<Option<Finding>, PromptError> {
        let Some(customer) = enquiry.customer else {
            return Ok(None);
        };
        if wants_to_buy(enquiry, aspects) && named.orders.is_empty() {
            return Ok(None);
        }
        let chosen = choose(enquiry, aspects, named);
        if chosen.is_empty() {
            return Ok(None);
        }
        let listed = aspects.has(Aspect::Count)
            || (chosen.len() > 1
                && named.items.is_empty()
                && named.orders.is_empty()
                && !asks_each(aspects));
        let facts = if listed {
            vec![self.list(&chosen, customer, named)?]
        } else {
            self.tell(&chosen, customer, enquiry, aspects, named)?
        };
        let focus = Focus {
            orders: chosen.iter().map(|order| order.id.clone()).collect(),
            product: single_product(&chosen, named),
            asked: aspects.clone(),
            ..Focus::default()
        };
        let completeness = completeness(enquiry, aspects, listed);
        let of_all_orders = chosen.len() > 1
            && !aspects.has(Aspect::Count)
            && named.items.is_empty()
            && named.orders.is_empty();
        let settled = chosen.iter().any(|order| is_settled(&order.status));
        let details = match &*chosen {
            [order] => view::details(order),
            _ => Vec::new(),
        };
        Ok(Some(Finding {
            completeness,
            facts,
            details,
            focus,
            settled,
            of_all_orders,
        }))
    }

    fn list(
        &self,
        orders: &[&Order],
        customer: &Customer,
        named: &Named,
    ) -> Result<Fact, PromptError> {
        let context = OrdersContext {
            status: named
                .statuses
                .first()
                .map(|status| status.as_str().to_owned()),
            orders: orders
                .iter()
                .map(|order| view::order(order, customer, self.currency))
                .collect(),
        };
        let text = self.prompts.render(self.language, "orders", &context)?;
        Ok(Fact::of_record(
            FactKind::Order,
            "orders",
            "Your orders",
            text,
        ))
    }

    fn tell(
        &self,
        orders: &[&Order],
        customer: &Customer,
        enquiry: &Enquiry<'_>,
        aspects: &Aspects,
        named: &Named,
    ) -> Result<Vec<Fact>, PromptError> {
        orders
            .iter()
            .take(MOST_ORDERS)
            .map(|order| {
                let context = OrderContext {
                    order: view::order(order, customer, self.currency),
                    asked: asked(enquiry, aspects, named),
                    items: self.items(order, aspects, named),
                };
                let text = self.prompts.render(self.language, "order", &context)?;
                Ok(Fact::of_record(
                    FactKind::Order,
                    order.id.as_str(),
                    order.id.as_str(),
                    text,
                ))
            })
            .collect()
    }

    /// The items that the question is about.
    fn items(&self, order: &Order, aspects: &Aspects, named: &Named) -> Vec<view::ItemView> {
        let all = order
            .items
            .iter()
            .map(|item| view::item(item, self.currency));
        let positions: Vec<usize> = named
            .items
            .iter()
            .filter(|(id, _)| *id == order.id)
            .map(|(_, at)| *at)
            .collect();
        let mut items: Vec<_> = if positions.is_empty() {
            all.collect()
        } else {
            all.enumerate()
                .filter(|(at, _)| positions.contains(at))
                .map(|(_, item)| item)
                .collect()
        };
        if aspects.has(Aspect::Dearest) || aspects.has(Aspect::Cheapest) {
            items.sort_by_key(|item| item.amount);
            if aspects.has(Aspect::Dearest) {
                items.reverse();
            }
            items.truncate(1);
        }
        items
    }
}

/// Whether an order with this status can no longer be changed.
fn is_settled(status: &OrderStatus) -> bool {
    matches!(status, OrderStatus::Processed)
}

/// Whether the message is about what the shop sells rather than what was bought.
fn wants_to_buy(enquiry: &Enquiry<'_>, aspects: &Aspects) -> bool {
    !aspects.any_of_order_alone() && (enquiry.wish || aspects.has(Aspect::Stock))
}

/// The orders that the message is about: by number, by meaning, by what is in them, by status, by what was
/// talked about, else all of them where something is asked that only an order has.
fn choose<'o>(enquiry: &Enquiry<'o>, aspects: &Aspects, named: &Named) -> Vec<&'o Order> {
    let has_status =
        |order: &&Order| named.statuses.is_empty() || named.statuses.contains(&order.status);
    let by_id = |id: &crm::OrderId| enquiry.orders.iter().find(|order| order.id == *id);
    if !named.orders.is_empty() {
        return named.orders.iter().filter_map(by_id).collect();
    }
    if let Some(meant) = enquiry.meant.and_then(by_id) {
        return vec![meant];
    }
    let mut holding: Vec<&Order> = Vec::new();
    for (id, _) in &named.items {
        if let Some(order) = by_id(id)
            && !holding.iter().any(|known| known.id == order.id)
        {
            holding.push(order);
        }
    }
    if aspects.has(Aspect::Count) {
        return enquiry.orders.iter().filter(has_status).collect();
    }
    let asks = aspects.any_of_order()
        || enquiry.wants_any(OF_RECORDS)
        || enquiry.wants_any(DEPEND_ON_STATUS);
    let goes_on = enquiry.follows && !enquiry.focus.orders.is_empty();
    if !holding.is_empty() && (asks || goes_on) {
        let in_focus: Vec<&Order> = holding
            .iter()
            .copied()
            .filter(|order| enquiry.focus.orders.contains(&order.id))
            .collect();
        if in_focus.len() == 1 && enquiry.follows && named.statuses.is_empty() {
            return in_focus;
        }
        let matching: Vec<&Order> = holding.iter().copied().filter(has_status).collect();
        return if matching.is_empty() {
            holding
        } else {
            matching
        };
    }
    if !named.statuses.is_empty() && asks && !aspects.has(Aspect::Status) {
        let matching: Vec<&Order> = enquiry.orders.iter().filter(has_status).collect();
        if !matching.is_empty() {
            return matching;
        }
    }
    let focused: Vec<&Order> = enquiry.focus.orders.iter().filter_map(by_id).collect();
    if !focused.is_empty() && asks && enquiry.follows {
        return focused;
    }
    let is_own = aspects.any_of_order_alone() && named.products.is_empty();
    if is_own && !enquiry.hypothetical || enquiry.wants_any(OF_RECORDS) {
        return enquiry.orders.iter().collect();
    }
    Vec::new()
}

/// Aspects worth telling of every order when several are meant.
fn asks_each(aspects: &Aspects) -> bool {
    [
        Aspect::Refund,
        Aspect::Tracking,
        Aspect::Payment,
        Aspect::Total,
        Aspect::Address,
    ]
    .iter()
    .any(|aspect| aspects.has(*aspect))
}

fn asked(enquiry: &Enquiry<'_>, aspects: &Aspects, named: &Named) -> Asked {
    let mut asked = Asked {
        status: aspects.has(Aspect::Status),
        tracking: aspects.has(Aspect::Tracking) || aspects.has(Aspect::Status),
        arrival: aspects.has(Aspect::Arrival),
        address: aspects.has(Aspect::Address),
        total: aspects.has(Aspect::Total)
            && (named.items.is_empty() || !aspects.has(Aspect::Price)),
        price: aspects.has(Aspect::Price) && !aspects.has(Aspect::Total),
        contents: aspects.has(Aspect::Contents) || aspects.has(Aspect::Options),
        payment: aspects.has(Aspect::Payment),
        refund: aspects.has(Aspect::Refund),
        dearest: aspects.has(Aspect::Dearest),
        cheapest: aspects.has(Aspect::Cheapest),
    };
    match enquiry.intent {
        Some("track_refund") => asked.refund = true,
        Some("check_invoice" | "get_invoice") => asked.total = true,
        Some("delivery_period") => asked.arrival = true,
        Some("track_order") if !asked.address => {
            asked.status = true;
            asked.tracking = true;
        }
        _ => {}
    }
    if asked.dearest || asked.cheapest {
        asked.price = true;
    }
    let nothing = !(asked.tracking
        || asked.arrival
        || asked.address
        || asked.total
        || asked.price
        || asked.contents
        || asked.payment
        || asked.refund);
    if nothing {
        asked.status = true;
        asked.contents = !named.items.is_empty() || named.order_number;
    }
    asked
}

fn completeness(enquiry: &Enquiry<'_>, aspects: &Aspects, listed: bool) -> Completeness {
    if enquiry.wants_any(NOT_LOOKUPS) {
        Completeness::Partial
    } else if enquiry.hypothetical {
        Completeness::Background
    } else if listed || aspects.any_of_order() {
        Completeness::Whole
    } else {
        Completeness::Partial
    }
}

/// The one product that the named items are, for "have you got it in green?".
fn single_product(orders: &[&Order], named: &Named) -> Option<crm::ProductId> {
    let mut products = named.items.iter().filter_map(|(id, at)| {
        orders
            .iter()
            .find(|order| order.id == *id)?
            .items
            .get(*at)
            .map(|item| &item.product)
    });
    let first = products.next()?;
    products.all(|other| other == first).then(|| first.clone())
}
