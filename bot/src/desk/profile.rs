//! Questions about the customer's own profile: saved payment methods, gift cards, address.

use std::collections::BTreeMap;

use serde::Serialize;

use super::aspect::{Aspect, Aspects};
use super::view::{self, MethodView};
use super::{Completeness, Desk, Enquiry, Finding};
use crate::facts::{Fact, FactKind};
use crate::prompts::PromptError;

#[derive(Debug, Serialize)]
struct ProfileContext {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    methods: Vec<MethodView>,
    attributes: BTreeMap<String, String>,
    asked_methods: bool,
    asked_gift_card: bool,
    asked_attributes: bool,
}

impl Desk<'_> {
    /// Answers from the profile, or `None` when nothing of it is asked.
    pub(super) fn profile(
        &self,
        enquiry: &Enquiry<'_>,
        aspects: &Aspects,
    ) -> Result<Option<Finding>, PromptError> {
        let asked_methods = aspects.has(Aspect::SavedPayments);
        let asked_gift_card = aspects.has(Aspect::GiftCard);
        let asked_profile = aspects.has(Aspect::Profile) || aspects.has(Aspect::Membership);
        let Some(customer) = enquiry.customer else {
            return Ok(None);
        };
        if !(asked_methods || asked_gift_card || asked_profile) {
            return Ok(None);
        }
        let context = ProfileContext {
            name: customer.name.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
            address: customer.address.as_ref().map(view::address),
            methods: customer
                .payment_methods
                .iter()
                .map(|method| view::method(method, self.currency))
                .collect(),
            attributes: customer.attributes.clone(),
            asked_methods,
            asked_gift_card,
            asked_attributes: aspects.has(Aspect::Membership),
        };
        let text = self.prompts.render(self.language, "profile", &context)?;
        let fact = Fact::of_record(
            FactKind::Profile,
            customer.id.as_str(),
            "Your profile",
            text,
        );
        Ok(Some(Finding {
            completeness: Completeness::Whole,
            facts: vec![fact],
            details: Vec::new(),
            focus: enquiry.focus.clone(),
            settled: false,
            of_all_orders: false,
        }))
    }
}
