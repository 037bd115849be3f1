//! Records as the index holds them: the text they are found by, and what a hit gives back.

use crm::{Customer, Document, Product, Visibility};
use retrieval::Entry;
use serde_json::json;

/// A document as the chunker reads it.
pub(super) fn document(document: Document) -> retrieval::Document {
    retrieval::Document {
        id: document.id.0,
        title: document.title,
        content: document.content,
        url: document.url,
        language: document.language.unwrap_or_else(|| "en".into()),
        internal: document.visibility == Visibility::Internal,
    }
}

/// A product: its name, category, description and options.
pub(super) fn product(product: &Product) -> Entry {
    let options: Vec<&str> = product
        .variants
        .iter()
        .flat_map(|variant| variant.options.values())
        .map(String::as_str)
        .collect();
    let parts = [product.category.as_deref(), product.description.as_deref()];
    let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join(". ");
    text.push_str(". ");
    text.push_str(&options.join(", "));
    let payload = [
        ("name", json!(product.name)),
        ("category", json!(product.category)),
    ];
    Entry {
        id: product.id.0.clone(),
        title: Some(product.name.clone()),
        text,
        payload: object(payload),
    }
}

/// A customer's profile point: who they are to the company, no address and no payment data.
pub(super) fn customer(customer: &Customer) -> Entry {
    let attributes: Vec<String> = customer
        .attributes
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let language = customer.language.as_deref().unwrap_or("en");
    let text = format!("customer speaking {language}. {}", attributes.join(". "));
    let payload = [
        ("language", json!(language)),
        ("attributes", json!(customer.attributes)),
    ];
    Entry {
        id: customer.id.0.clone(),
        title: None,
        text,
        payload: object(payload),
    }
}

fn object<const N: usize>(
    fields: [(&str, serde_json::Value); N],
) -> serde_json::Map<String, serde_json::Value> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
