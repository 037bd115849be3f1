//! Questions about what the shop sells: which kinds there are, what they cost, what is in stock.

use crm::{Product, ProductId, Variant};
use serde::Serialize;

use super::aspect::{Aspect, Aspects};
use super::catalogue::{option_values, options_in};
use super::orders::NOT_LOOKUPS;
use super::reference::Named;
use super::view::{self, VariantView};
use super::{Completeness, Desk, Enquiry, Finding, Focus};
use crate::facts::{Fact, FactKind};
use crate::prompts::PromptError;
use language::{Pack, Words};

/// Products compared at most, variants listed at most.
const MOST_PRODUCTS: usize = 3;
const MOST_VARIANTS: usize = 4;

#[derive(Debug, Serialize)]
struct OptionView {
    name: String,
    values: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ProductContext {
    name: String,
    description: Option<String>,
    /// Options asked for, in words (`over-ear, wireless`).
    wanted: String,
    /// Options whose values are asked ("which sizes").
    options: Vec<OptionView>,
    /// In stock and as wanted, cheapest first; at most four.
    in_stock: Vec<VariantView>,
    /// How many more there are.
    more: usize,
    /// As wanted but sold out.
    sold_out: usize,
    cheapest: Option<VariantView>,
    dearest: Option<VariantView>,
    /// The one variant talked about, when its options are asked.
    this_one: Option<VariantView>,
    asked_price: bool,
}

impl Desk<'_> {
    /// Answers from the catalogue, or `None` when the message names no product or asks nothing that
    /// the catalogue knows.
    pub(super) fn products(
        &self,
        enquiry: &Enquiry<'_>,
        words: &Words,
        aspects: &Aspects,
        named: &Named,
    ) -> Result<Option<Finding>, PromptError> {
        let products = self.choose_products(enquiry, words, aspects, named);
        if products.is_empty() {
            return Ok(None);
        }
        let asks = asks_catalogue(enquiry, aspects);
        let (mut facts, mut details) = (Vec::new(), Vec::new());
        let mut focus = Focus {
            orders: enquiry.focus.orders.clone(),
            asked: aspects.clone(),
            ..Focus::default()
        };
        for product in products.iter().take(MOST_PRODUCTS) {
            let wanted = wanted(product, words, self.prompts.own_pack(), enquiry.focus);
            let context = self.context(product, &wanted, words, aspects, enquiry.focus);
            focus.product = Some(product.id.clone());
            focus.options = wanted.iter().map(|(_, value)| value.clone()).collect();
            focus.sku = sku_told(product, &wanted, aspects);
            let mut text = self.prompts.render(self.language, "product", &context)?;
            if !asks
                && let Some(description) = &product.description
                && !text.contains(description.as_str())
            {
                // What it is made of and how it is used, for the model to answer from.
                text = format!("{text} {}: {description}", product.name);
            }
            if asks && products.len() == 1 {
                details = self.sentences(product);
            }
            facts.push(Fact::of_record(
                FactKind::Product,
                product.id.as_str(),
                &product.name,
                text,
            ));
        }
        facts.retain(|fact| !fact.text.is_empty());
        let completeness = if facts.is_empty() || !asks {
            Completeness::Background
        } else if enquiry.wants_any(NOT_LOOKUPS) {
            Completeness::Partial
        } else {
            Completeness::Whole
        };
        Ok(Some(Finding {
            completeness,
            facts,
            details,
            focus,
            settled: false,
            of_all_orders: false,
        }))
    }

    /// The sentences of what a product is like.
    fn sentences(&self, product: &Product) -> Vec<String> {
        let description = product.description.as_deref().unwrap_or_default();
        let sentences = self.prompts.own_pack().boundaries().split(description);
        let sentences = sentences.iter().map(|sentence| sentence.trim().to_owned());
        sentences.filter(|sentence| !sentence.is_empty()).collect()
    }

    /// What the catalogue says of the product `id` to `enquiry`; `None` where it has it no more.
    ///
    /// # Errors
    /// [`PromptError`] when a template fails.
    pub(crate) fn describe(
        &self,
        id: &ProductId,
        enquiry: &Enquiry<'_>,
    ) -> Result<Option<Finding>, PromptError> {
        let words = Words::new(enquiry.text, self.prompts.own_pack());
        let named = Named {
            products: vec![id.clone()],
            ..Named::default()
        };
        self.products(enquiry, &words, &Aspects::of(enquiry.asks), &named)
    }

    fn choose_products(
        &self,
        enquiry: &Enquiry<'_>,
        words: &Words,
        aspects: &Aspects,
        named: &Named,
    ) -> Vec<&Product> {
        let find = |id: &ProductId| self.catalogue.find(id);
        if !named.products.is_empty() {
            return named.products.iter().filter_map(find).collect();
        }
        let Some(focused) = enquiry.focus.product.as_ref().and_then(find) else {
            return Vec::new();
        };
        let asks_options =
            !options_in(words, self.prompts.own_pack(), &focused.variants).is_empty();
        let follows = enquiry.follows && (aspects.any_of_product() || asks_options);
        if follows { vec![focused] } else { Vec::new() }
    }

    fn context(
        &self,
        product: &Product,
        wanted: &[(String, String)],
        words: &Words,
        aspects: &Aspects,
        focus: &Focus,
    ) -> ProductContext {
        let matching: Vec<&Variant> = product
            .variants
            .iter()
            .filter(|variant| is_wanted(variant, wanted))
            .collect();
        let mut in_stock: Vec<&Variant> = matching
            .iter()
            .copied()
            .filter(|variant| variant.available)
            .collect();
        in_stock.sort_by_key(|variant| variant.price);
        let show = |variant: &&Variant| view::variant(variant, self.currency);
        let extreme = |aspect| aspects.has(aspect).then_some(&in_stock);
        let lists_options = aspects.has(Aspect::Options)
            && options_in(words, self.prompts.own_pack(), &product.variants).is_empty();
        ProductContext {
            name: product.name.clone(),
            description: product.description.clone(),
            wanted: wanted
                .iter()
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            options: if lists_options {
                asked_options(product, words)
            } else {
                Vec::new()
            },
            cheapest: extreme(Aspect::Cheapest)
                .and_then(|all| all.first())
                .map(show),
            dearest: extreme(Aspect::Dearest)
                .and_then(|all| all.last())
                .map(show),
            this_one: this_one(product, wanted, aspects, focus)
                .map(|v| view::variant(v, self.currency)),
            sold_out: matching.len() - in_stock.len(),
            more: in_stock.len().saturating_sub(MOST_VARIANTS),
            in_stock: in_stock.iter().take(MOST_VARIANTS).map(show).collect(),
            asked_price: aspects.has(Aspect::Price)
                || aspects.has(Aspect::Stock)
                || aspects.has(Aspect::Cheapest),
        }
    }
}

/// Whether something is asked that the catalogue knows: prices, stock, and which kinds there are.
fn asks_catalogue(enquiry: &Enquiry<'_>, aspects: &Aspects) -> bool {
    !enquiry.hypothetical && aspects.any_of_product()
}

/// Options asked for now, and those asked for before that are not replaced.
fn wanted(product: &Product, words: &Words, pack: &Pack, focus: &Focus) -> Vec<(String, String)> {
    let mut wanted = options_in(words, pack, &product.variants);
    if focus.product.as_ref() != Some(&product.id) {
        return wanted;
    }
    for (name, values) in option_values(&product.variants) {
        let kept = values
            .into_iter()
            .find(|value| focus.options.contains(value));
        if let Some(value) = kept
            && !wanted.iter().any(|(asked, _)| *asked == name)
        {
            wanted.push((name, value));
        }
    }
    wanted
}

/// Whether a variant has, for every option asked for, one of the values asked for.
fn is_wanted(variant: &Variant, wanted: &[(String, String)]) -> bool {
    variant.options.iter().all(|(name, value)| {
        let mut asked = wanted.iter().filter(|(asked, _)| asked == name).peekable();
        asked.peek().is_none() || asked.any(|(_, asked)| asked == value)
    })
}

/// The options whose values are asked: those named ("which sizes"), else all.
fn asked_options(product: &Product, words: &Words) -> Vec<OptionView> {
    let all = option_values(&product.variants);
    let named: Vec<_> = all
        .iter()
        .filter(|(name, _)| words.names(&words.other(name)))
        .cloned()
        .collect();
    let chosen = if named.is_empty() { all } else { named };
    chosen
        .into_iter()
        .map(|(name, values)| OptionView { name, values })
        .collect()
}

/// The variant last named, when the message asks what it is like ("and is it wireless?").
fn this_one<'p>(
    product: &'p Product,
    wanted: &[(String, String)],
    aspects: &Aspects,
    focus: &Focus,
) -> Option<&'p Variant> {
    let asks_more = aspects.has(Aspect::Stock) || aspects.has(Aspect::Price);
    if !aspects.has(Aspect::Options) || asks_more || focus.product.as_ref() != Some(&product.id) {
        return None;
    }
    let known = product
        .variants
        .iter()
        .find(|variant| Some(&variant.sku) == focus.sku.as_ref());
    known.or_else(|| {
        let mut matching = product
            .variants
            .iter()
            .filter(|v| v.available && is_wanted(v, wanted));
        matching.next().filter(|_| matching.next().is_none())
    })
}

/// The variant that the answer names: the cheapest, or the only one.
fn sku_told(product: &Product, wanted: &[(String, String)], aspects: &Aspects) -> Option<String> {
    let mut in_stock: Vec<&Variant> = product
        .variants
        .iter()
        .filter(|v| v.available && is_wanted(v, wanted))
        .collect();
    in_stock.sort_by_key(|variant| variant.price);
    let told = if aspects.has(Aspect::Dearest) {
        in_stock.last()
    } else {
        in_stock.first()
    };
    told.filter(|_| {
        in_stock.len() == 1 || aspects.has(Aspect::Cheapest) || aspects.has(Aspect::Dearest)
    })
    .map(|variant| variant.sku.clone())
}
