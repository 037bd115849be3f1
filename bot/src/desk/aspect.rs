//! What is asked of an order, a product or a profile: a table of phrases an operator can read.

use serde::{Deserialize, Serialize};

use language::Words;

/// Something one can ask of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aspect {
    /// Where an order stands.
    Status,
    /// Its tracking number.
    Tracking,
    /// When it arrives.
    Arrival,
    /// Where it goes.
    Address,
    /// What it cost in all.
    Total,
    /// What one thing costs.
    Price,
    /// What is in it.
    Contents,
    /// How it was paid.
    Payment,
    /// What came back.
    Refund,
    /// How many orders.
    Count,
    /// Its number.
    Number,
    /// Colour, size, material...
    Options,
    /// The cheapest one.
    Cheapest,
    /// The dearest one.
    Dearest,
    /// Whether it can be bought now.
    Stock,
    /// Saved payment methods.
    SavedPayments,
    /// Balance of a gift card.
    GiftCard,
    /// Saved e-mail, address, name.
    Profile,
    /// Points, tier and what else the company notes.
    Membership,
}

/// Phrases that ask for an aspect; `*` stands for any word ending.
const PHRASES: &[(Aspect, &[&str])] = &[
    (
        Aspect::Status,
        &[
            "status",
            "where is",
            "where's",
            "where are",
            "wheres",
            "where has",
            "track",
            "tracking",
            "shipped",
            "delivered",
            "arrived",
            "arrive yet",
            "did those arrive",
            "did it arrive",
            "sent yet",
            "been sent",
            "on its way",
            "on the way",
            "left the building",
            "still pending",
            "is it pending",
            "gone out",
            "dispatched",
            "radio silence",
            "state of",
            "how far",
            "what state",
        ],
    ),
    (
        Aspect::Tracking,
        &[
            "tracking",
            "track",
            "tracking number",
            "tracking no",
            "follow it",
            "parcel number",
            "courier number",
        ],
    ),
    (
        Aspect::Arrival,
        &[
            "when will",
            "when does",
            "when is it",
            "when do i get",
            "what date",
            "which date",
            "what day",
            "eta",
            "arrival date",
            "delivery date",
            "expected",
            "how soon",
        ],
    ),
    (
        Aspect::Address,
        &[
            "address",
            "going to",
            "where's that going",
            "ship to",
            "shipped to",
            "shipping to",
            "sent to",
            "send it to",
            "sending it to",
            "coming to me",
            "delivered to",
            "deliver it to",
            "which city",
            "where is it being",
            "where was it sent",
            "where did you send",
            "headed",
        ],
    ),
    (
        Aspect::Total,
        &[
            "total",
            "in total",
            "altogether",
            "whole thing cost",
            "the whole order",
            "invoice",
            "how much is my order",
            "how much was my order",
            "how much is my pending",
            "how much is my",
            "what did i pay",
            "how much did i pay",
            "did i pay",
            "order cost",
            "the order come to",
            "sum",
        ],
    ),
    (
        Aspect::Price,
        &[
            "price",
            "priced",
            "cost",
            "costs",
            "how much",
            "by itself",
            "each",
            "per piece",
            "paid for that",
            "charge for",
            "expensive",
            "cheap",
            "cheaper",
        ],
    ),
    (
        Aspect::Contents,
        &[
            "what's in",
            "whats in",
            "what is in",
            "which items",
            "what items",
            "did i order",
            "did i buy",
            "contain*",
            "how many items",
            "how many things",
            "how many did",
            "how many are in",
            "the other item",
            "what else is in",
            "actually get",
        ],
    ),
    (
        Aspect::Payment,
        &[
            "which card",
            "what card",
            "paid with",
            "pay with",
            "payment method did",
            "how did i pay",
            "what's it on",
            "whats it on",
            "charged to",
            "which payment method",
            "what payment method",
            "did i use",
        ],
    ),
    (
        Aspect::Refund,
        &[
            "refund*",
            "send back to me",
            "sent back to me",
            "did you send back",
            "do i get back",
            "came back to me",
            "get back",
            "got back",
            "get for",
            "money back",
            "reimburs*",
        ],
    ),
    (
        Aspect::Count,
        &[
            "how many orders",
            "how many of my orders",
            "how many pending orders",
            "number of orders",
        ],
    ),
    (
        Aspect::Number,
        &[
            "order number",
            "order numbr",
            "order no",
            "which order",
            "which one has",
            "which one had",
            "which one of them",
            "order id",
            "which one is",
        ],
    ),
    (
        Aspect::Options,
        &[
            "color",
            "colour",
            "size",
            "material",
            "storage",
            "capacity",
            "capacities",
            "which types",
            "what types",
            "types are",
            "kinds",
            "sizes",
            "colors",
            "colours",
            "materials",
            "diameter",
            "options",
            "variants",
            "versions",
            "style",
            "length",
            "storge",
            "which ones",
            "come in",
            "wireless",
            "wired",
        ],
    ),
    (
        Aspect::Cheapest,
        &[
            "cheapest",
            "lowest price",
            "least expensive",
            "cheaper",
            "lowest",
            "most affordable",
        ],
    ),
    (
        Aspect::Dearest,
        &[
            "most expensive",
            "priciest",
            "dearest",
            "costliest",
            "highest price",
        ],
    ),
    (
        Aspect::Stock,
        &[
            "in stock",
            "available",
            "availability",
            "do you have",
            "do you sell",
            "have you got",
            "got any",
            "sold out",
            "can i buy",
            "can i get",
            "do you carry",
            "is something you have",
            "do you stock",
        ],
    ),
    (
        Aspect::SavedPayments,
        &[
            "saved payment",
            "payment methods i have",
            "payment methods saved",
            "payment methods do i have",
            "methods i have saved",
            "cards do i have",
            "methods on my account",
            "methods on file",
            "cards on file",
            "cards saved",
        ],
    ),
    (
        Aspect::GiftCard,
        &[
            "gift card balance",
            "on my gift card",
            "left on my gift",
            "gift card have",
            "gift card's balance",
            "balance of my gift",
        ],
    ),
    (
        Aspect::Profile,
        &[
            "email do you have",
            "email on my account",
            "email on file",
            "e mail on file",
            "address on file",
            "address do you have",
            "my default address",
            "my saved address",
            "name on my account",
            "my profile",
            "phone number do you have",
        ],
    ),
    (
        Aspect::Membership,
        &[
            "my points",
            "my tier",
            "loyalty points",
            "points do i",
            "points have i",
            "points hav i",
            "how many points",
            "points i have",
        ],
    ),
];

/// The aspects that a message asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Aspects(Vec<Aspect>);

impl Aspects {
    /// Reads them from the words.
    pub(crate) fn of(words: &Words) -> Self {
        let asked = PHRASES.iter().filter(|(_, phrases)| words.has_any(phrases));
        Self(asked.map(|(aspect, _)| *aspect).collect())
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `aspect` is asked for.
    pub(crate) fn has(&self, aspect: Aspect) -> bool {
        self.0.contains(&aspect)
    }

    /// Whether anything is asked that an order has.
    pub(crate) fn any_of_order(&self) -> bool {
        use Aspect::{
            Address, Arrival, Contents, Count, Number, Options, Payment, Price, Refund, Status,
            Total, Tracking,
        };
        [
            Status, Tracking, Arrival, Address, Total, Price, Contents, Payment, Refund, Count,
            Number, Options,
        ]
        .iter()
        .any(|aspect| self.has(*aspect))
    }

    /// Whether anything is asked that a product has.
    pub(crate) fn any_of_product(&self) -> bool {
        use Aspect::{Cheapest, Dearest, Options, Price, Stock};
        [Price, Stock, Options, Cheapest, Dearest]
            .iter()
            .any(|aspect| self.has(*aspect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::Prompts;

    fn asked(text: &str) -> Vec<Aspect> {
        let prompts = Prompts::builtin().unwrap();
        Aspects::of(&Words::new(text, prompts.own_pack())).0
    }

    #[test]
    fn questions_about_an_order_are_read() {
        assert!(
            asked("Where has my wall clock got to? Do you have a tracking number?")
                .contains(&Aspect::Tracking)
        );
        assert!(asked("what did the whole thing cost me").contains(&Aspect::Total));
        assert!(asked("which card did I use for it?").contains(&Aspect::Payment));
        assert!(asked("Where is it going to?").contains(&Aspect::Address));
        assert!(
            asked("whats the order numbr of the one with the purifier").contains(&Aspect::Number)
        );
    }

    #[test]
    fn a_greeting_asks_for_nothing() {
        assert_eq!(asked("hello there, lovely weather"), []);
    }
}
