//! The desk: answers that are looked up, not written.
//!
//! Orders, profile and catalogue are structured, and a language model that reads them out of a
//! table gets them wrong. The desk finds which record a message is about ([`reference`]), what is
//! asked of it ([`aspect`], by the head), and puts the answer into words with the templates of `prompts/`. It
//! reads English; of other languages it finds what needs no words: numbers and names.
//!
//! It sees only the records it is given: the session's own customer and the public catalogue.

mod aspect;
mod catalogue;
mod orders;
mod products;
mod profile;
mod reference;
mod suggest;
mod view;

use crm::{Customer, Order, OrderId, ProductId};
use language::Words;
use serde::{Deserialize, Serialize};
use understand::Scored;

use aspect::Aspects;
pub(crate) use catalogue::Catalogue;

use crate::currency::Currency;
use crate::facts::{Fact, FactKind};
use crate::prompts::{PromptError, Prompts};

/// What the desk remembers between turns: what "it" and "the other one" point to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Focus {
    /// Orders last talked about.
    pub orders: Vec<OrderId>,
    /// Product last talked about.
    pub product: Option<ProductId>,
    /// Options last asked for (`over-ear`), as stored in the catalogue.
    pub options: Vec<String>,
    /// SKU last named with a price.
    pub sku: Option<String>,
    /// What was last asked of them: what "and the other one?" asks again.
    pub asked: Aspects,
}

/// Whose records the desk may read, and what a message says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Enquiry<'a> {
    /// The message, in English.
    pub text: &'a str,
    /// Label of its intent, where that is clear.
    pub intent: Option<&'a str>,
    /// What it asks of a record.
    pub asks: &'a [Scored],
    /// Whether it asks again, of something else, what was asked before.
    pub same_again: bool,
    /// Whether it goes on from what was said before.
    pub follows: bool,
    /// Whether it asks for a rule in a supposed case.
    pub hypothetical: bool,
    /// Whether it wishes for something to buy.
    pub wish: bool,
    /// Label that is likely, clear or not: enough where something of the customer's own is named.
    pub leaning: Option<&'a str>,
    /// The session's customer; `None` for a visitor.
    pub customer: Option<&'a Customer>,
    /// That customer's orders, newest first.
    pub orders: &'a [Order],
    /// What the conversation was about.
    pub focus: &'a Focus,
    /// The order whose things the message means without naming them in the catalogue's words.
    pub meant: Option<&'a OrderId>,
}

impl Enquiry<'_> {
    /// Whether its intent is clear, and one of `labels`.
    fn wants_any(&self, labels: &[&str]) -> bool {
        self.intent.is_some_and(|intent| labels.contains(&intent))
    }
}

/// How far the desk's words answer the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// Nothing is left to say.
    Whole,
    /// The facts belong into the answer; a policy or an explanation is still missing.
    Partial,
    /// Background only: facts for the model, not for the customer's eyes yet.
    Background,
}

/// What the desk found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// How far it goes.
    pub completeness: Completeness,
    /// The words, each with its source.
    pub facts: Vec<Fact>,
    /// What else is known of the one record that it tells of, `name: value` of an order, a sentence of a
    /// product: what is asked for belongs to the answer.
    pub details: Vec<String>,
    /// What the conversation is about from now on.
    pub focus: Focus,
    /// Whether an order that it tells of can no longer be changed.
    pub settled: bool,
    /// Whether it tells of several orders because none was named.
    pub of_all_orders: bool,
}

impl Finding {
    /// Whether it is what the catalogue says of products, for the model to answer from.
    pub(crate) fn describes_products(&self) -> bool {
        self.completeness == Completeness::Background && self.is_of_products()
    }

    /// Whether it is what the catalogue says of products.
    pub(crate) fn is_of_products(&self) -> bool {
        let mut facts = self.facts.iter();
        facts.all(|fact| fact.kind == FactKind::Product)
    }

    /// Whether nothing is left to say.
    pub(crate) fn is_whole(&self) -> bool {
        self.completeness == Completeness::Whole
    }

    /// The same, answering as far as `completeness` says.
    pub(crate) fn with(self, completeness: Completeness) -> Self {
        Self {
            completeness,
            ..self
        }
    }
}

/// Why the desk says no instead of looking something up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declined {
    /// An order number that is not this customer's. Whether it exists is not told.
    NotYourOrder,
    /// Orders are asked about, and nobody is signed in.
    SignInFirst,
}

/// What comes of an enquiry at the desk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DeskAnswer {
    /// Not a matter for the desk.
    Nothing,
    /// Found.
    Found(Finding),
    /// Not told.
    Declined(Declined),
}

/// The desk.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    /// The shop's products.
    pub catalogue: &'a Catalogue,
    /// How amounts are written.
    pub currency: &'a Currency,
    /// The words.
    pub prompts: &'a Prompts,
    /// Language of the words.
    pub language: &'a str,
}

impl Desk<'_> {
    /// Looks up what `enquiry` asks for.
    ///
    /// # Errors
    /// [`PromptError`] when a template fails.
    pub(crate) fn look_up(&self, enquiry: &Enquiry<'_>) -> Result<DeskAnswer, PromptError> {
        let words = Words::new(enquiry.text, self.prompts.own_pack());
        let mut aspects = Aspects::of(enquiry.asks);
        if aspects.is_empty() && enquiry.same_again {
            aspects.clone_from(&enquiry.focus.asked);
        }
        let named = reference::find(&words, self.prompts.own_pack(), enquiry, self.catalogue);
        let enquiry = &Enquiry {
            intent: enquiry
                .intent
                .or(enquiry.leaning.filter(|_| !named.items.is_empty())),
            ..*enquiry
        };
        if named.foreign_order {
            return Ok(DeskAnswer::Declined(Declined::NotYourOrder));
        }
        if enquiry.customer.is_none() && is_about_own_orders(&named, &aspects, enquiry) {
            return Ok(DeskAnswer::Declined(Declined::SignInFirst));
        }
        if let Some(finding) = self.profile(enquiry, &aspects)? {
            return Ok(DeskAnswer::Found(finding));
        }
        // "Do you ship to Norway, and what does it cost?", after talk of a blanket.
        if enquiry.wants_any(&["delivery_options"]) && !named.anything() {
            return Ok(DeskAnswer::Nothing);
        }
        if let Some(finding) = self.orders(enquiry, &aspects, &named)? {
            return Ok(DeskAnswer::Found(finding));
        }
        if let Some(finding) = self.products(enquiry, &words, &aspects, &named)? {
            return Ok(DeskAnswer::Found(finding));
        }
        Ok(DeskAnswer::Nothing)
    }
}

/// Whether `asks` are of something that a product has.
pub(crate) fn asks_of_products(asks: &[Scored]) -> bool {
    Aspects::of(asks).any_of_product()
}

/// Whether somebody who is not signed in asks about an order of their own.
fn is_about_own_orders(named: &reference::Named, aspects: &Aspects, enquiry: &Enquiry<'_>) -> bool {
    // "Can I change something I ordered?" asks for a rule that anybody may know.
    let own_order = enquiry.wants_any(orders::OF_RECORDS) && aspects.any_of_order_alone();
    named.order_number || (own_order && !enquiry.hypothetical)
}

#[cfg(test)]
mod tests;
