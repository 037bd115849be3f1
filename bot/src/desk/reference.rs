//! What a message names: order numbers, things bought, statuses, products.

use crm::{Order, OrderId, OrderStatus, ProductId};

use super::Enquiry;
use super::catalogue::Catalogue;
use language::{Pack, Words};

/// What a message names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Own orders named by number.
    pub(crate) orders: Vec<OrderId>,
    /// Some order number is written.
    pub(crate) order_number: bool,
    /// An order number that is none of the customer's.
    pub(crate) foreign_order: bool,
    /// Own things named, as (order, position of the item).
    pub(crate) items: Vec<(OrderId, usize)>,
    /// Statuses named ("my pending order").
    pub(crate) statuses: Vec<OrderStatus>,
    /// Catalogue products named.
    pub(crate) products: Vec<ProductId>,
}

impl Named {
    /// Whether there is anything.
    pub(crate) fn anything(&self) -> bool {
        self.order_number
            || !self.items.is_empty()
            || !self.statuses.is_empty()
            || !self.products.is_empty()
    }
}

/// Finds what the words of `enquiry` name.
pub(crate) fn find(
    words: &Words,
    pack: &Pack,
    enquiry: &Enquiry<'_>,
    catalogue: &Catalogue,
) -> Named {
    let numbers: Vec<String> = words.iter().filter_map(order_number).collect();
    let own = |number: &String| {
        enquiry
            .orders
            .iter()
            .find(|order| same_number(&order.id, number))
            .map(|order| order.id.clone())
    };
    let bare = words
        .iter()
        .filter(|word| word.len() >= 5)
        .map(str::to_owned);
    let mut orders: Vec<OrderId> = numbers
        .iter()
        .cloned()
        .chain(bare)
        .filter_map(|n| own(&n))
        .collect();
    orders.dedup();
    Named {
        foreign_order: enquiry.customer.is_some()
            && numbers.iter().any(|number| own(number).is_none()),
        order_number: !numbers.is_empty() || !orders.is_empty(),
        orders,
        items: own_items(words, enquiry.orders, catalogue),
        statuses: statuses(words, pack),
        products: catalogue
            .named_in(words)
            .iter()
            .map(|product| product.id.clone())
            .collect(),
    }
}

/// The states that the words name.
fn statuses(words: &Words, pack: &Pack) -> Vec<OrderStatus> {
    let Some(known) = &pack.sections().statuses else {
        return Vec::new();
    };
    let named = [
        (OrderStatus::Pending, &known.pending),
        (OrderStatus::Processed, &known.processed),
        (OrderStatus::Shipped, &known.shipped),
        (OrderStatus::Delivered, &known.delivered),
        (OrderStatus::Cancelled, &known.cancelled),
    ];
    let named = named
        .into_iter()
        .filter(|(_, called)| called.iter().any(|word| words.has(word)));
    named.map(|(status, _)| status).collect()
}

/// The word as an order number: marked by `#`, or letters followed by five digits or more.
fn order_number(word: &str) -> Option<String> {
    let marked = word.starts_with('#');
    let bare = word.trim_start_matches('#');
    let letters = bare.chars().take_while(char::is_ascii_alphabetic).count();
    let digits = bare
        .chars()
        .skip(letters)
        .take_while(char::is_ascii_digit)
        .count();
    let whole = letters + digits == bare.len();
    let plain = (1..=3).contains(&letters) && digits >= 5;
    (whole && (marked && digits >= 3 || plain)).then(|| bare.to_owned())
}

/// Whether `written` is this order's number, with or without `#` and letters.
fn same_number(id: &OrderId, written: &str) -> bool {
    let full = id.as_str().trim_start_matches('#').to_lowercase();
    let digits = full.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let written = written.trim_start_matches('#');
    full == written || (digits.len() >= 5 && digits == written)
}

/// The customer's own things that are named; when some are named more fully, only those.
fn own_items(words: &Words, orders: &[Order], catalogue: &Catalogue) -> Vec<(OrderId, usize)> {
    let mut found: Vec<(f32, OrderId, usize)> = Vec::new();
    for order in orders {
        for (at, item) in order.items.iter().enumerate() {
            if let Some(share) = catalogue.own_share(&item.name, words) {
                found.push((share, order.id.clone(), at));
            }
        }
    }
    let best = found.iter().map(|(share, ..)| *share).fold(0.0, f32::max);
    found
        .into_iter()
        .filter(|(share, ..)| *share > best - 0.35)
        .map(|(_, order, at)| (order, at))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_numbers_are_told_from_other_numbers() {
        assert_eq!(order_number("#w7532822").as_deref(), Some("w7532822"));
        assert_eq!(order_number("w7532822").as_deref(), Some("w7532822"));
        assert_eq!(order_number("#a204").as_deref(), Some("a204"));
        for word in ["12207", "i5", "10000mah", "#", "covid19", "#1"] {
            assert_eq!(order_number(word), None, "{word}");
        }
    }

    #[test]
    fn an_order_is_its_number_with_or_without_sign_and_letter() {
        let id = OrderId("#W7532822".into());
        assert!(same_number(&id, "w7532822"));
        assert!(same_number(&id, "7532822"));
        assert!(!same_number(&id, "753282"));
    }
}
