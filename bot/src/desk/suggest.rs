//! Products found by what they are like: "something warm for the sofa".

use crm::{Money, Product, ProductId};
use language::Pack;
use serde::Serialize;

use super::{Completeness, Desk, Finding, Focus};
use crate::facts::{Fact, FactKind};
use crate::prompts::PromptError;

#[derive(Debug, Serialize)]
struct SuggestionView {
    name: String,
    /// Of the cheapest variant that can be had, else of the cheapest.
    price: String,
    /// Whether other variants cost more.
    from: bool,
    available: bool,
    /// First sentence of the description.
    about: Option<String>,
}

impl Desk<'_> {
    /// Names the products `ids`, best first, with price and stock; `None` when the catalogue has
    /// none of them any more.
    ///
    /// # Errors
    /// [`PromptError`] when a template fails.
    pub(crate) fn suggest(&self, ids: &[ProductId]) -> Result<Option<Finding>, PromptError> {
        let products: Vec<&Product> = ids
            .iter()
            .filter_map(|id| self.catalogue.find(id))
            .collect();
        let facts = products
            .iter()
            .map(|product| {
                let view = self.view(product);
                let text = self.prompts.render(self.language, "suggest", &view)?;
                let id = product.id.as_str();
                Ok(Fact::of_record(FactKind::Product, id, &product.name, text))
            })
            .collect::<Result<Vec<_>, PromptError>>()?;
        let only = match products.as_slice() {
            [only] => Some(only.id.clone()),
            _ => None,
        };
        Ok((!facts.is_empty()).then_some(Finding {
            completeness: Completeness::Whole,
            facts,
            details: Vec::new(),
            focus: Focus {
                product: only,
                ..Focus::default()
            },
            settled: false,
            of_all_orders: false,
        }))
    }

    /// Whether a variant of the product costs no more than `limit`.
    pub(crate) fn costs_at_most(&self, id: &ProductId, limit: Money) -> bool {
        let least = self.catalogue.find(id).and_then(|product| {
            let prices = product.variants.iter().map(|variant| variant.price);
            prices.min()
        });
        least.is_some_and(|price| price <= limit)
    }

    fn view(&self, product: &Product) -> SuggestionView {
        let available = product.variants.iter().any(|variant| variant.available);
        let offered = || {
            product
                .variants
                .iter()
                .filter(|variant| variant.available || !available)
                .map(|variant| variant.price)
        };
        let (least, most) = (offered().min(), offered().max());
        SuggestionView {
            name: product.name.clone(),
            price: least.map_or_else(String::new, |price| self.currency.format(price)),
            from: least != most,
            available,
            about: product
                .description
                .as_deref()
                .and_then(|text| first_sentence(text, self.prompts.own_pack())),
        }
    }
}

fn first_sentence(text: &str, pack: &Pack) -> Option<String> {
    pack.boundaries()
        .split(text)
        .first()
        .map(|sentence| sentence.trim().to_owned())
}
