//! What is asked of an order, a product or a profile, as the head `asks` tells it.

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use understand::Scored;

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

/// The aspects that a message asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Aspects(Vec<Aspect>);

impl Aspects {
    /// Those of the head's labels; one that a company has added is not the desk's.
    pub(crate) fn of(asks: &[Scored]) -> Self {
        let aspect = |scored: &Scored| {
            let label: StrDeserializer<'_, serde::de::value::Error> =
                scored.label.as_str().into_deserializer();
            Aspect::deserialize(label).ok()
        };
        Self(asks.iter().filter_map(aspect).collect())
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
        self.any_of_order_alone() || self.has(Aspect::Price) || self.has(Aspect::Options)
    }

    /// Whether anything is asked that only an order has.
    pub(crate) fn any_of_order_alone(&self) -> bool {
        use Aspect::{
            Address, Arrival, Contents, Count, Number, Payment, Refund, Status, Total, Tracking,
        };
        [
            Status, Tracking, Arrival, Address, Total, Contents, Payment, Refund, Count, Number,
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

    #[test]
    fn labels_are_the_aspects_names_and_others_are_passed_over() {
        let scored = |label: &str| Scored {
            label: label.into(),
            probability: 0.9,
        };
        let asks = [scored("saved_payments"), scored("weather"), scored("price")];
        let aspects = Aspects::of(&asks);
        assert_eq!(aspects.0, [Aspect::SavedPayments, Aspect::Price]);
        assert!(aspects.any_of_order() && !aspects.any_of_order_alone());
    }
}
