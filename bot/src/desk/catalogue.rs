//! The shop's products, ready to be found by the words a customer uses for them.

use std::collections::HashMap;

use crm::{Product, ProductId, Variant};

use language::{Pack, Words};

/// Least share of a name's weight that must be written for the product to be meant.
const NAMED: f32 = 0.5;
/// The same for one of a customer's own few things, where half a name is enough.
const OWN_NAMED: f32 = 0.3;

/// All products, by name.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    /// The language that products are named in.
    pack: Pack,
    entries: Vec<Entry>,
    /// In how many names a word occurs.
    frequency: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Entry {
    product: Product,
    name: Words,
}

impl Catalogue {
    /// A catalogue of `products`, named in the language of `pack`.
    pub(crate) fn new(products: Vec<Product>, pack: &Pack) -> Self {
        let entries: Vec<Entry> = products
            .into_iter()
            .map(|product| Entry {
                name: Words::new(&product.name, pack),
                product,
            })
            .collect();
        let mut frequency = HashMap::new();
        for word in entries.iter().flat_map(|entry| entry.name.iter()) {
            *frequency.entry(pack.singular(word)).or_insert(0) += 1;
        }
        Self {
            pack: pack.clone(),
            entries,
            frequency,
        }
    }

    /// The product with this id.
    pub(crate) fn find(&self, id: &ProductId) -> Option<&Product> {
        self.entries
            .iter()
            .map(|entry| &entry.product)
            .find(|product| product.id == *id)
    }

    /// Products that the words name, the most fully named ones only.
    pub(crate) fn named_in(&self, words: &Words) -> Vec<&Product> {
        let shares = self
            .entries
            .iter()
            .map(|entry| (self.share(&entry.name, words), entry));
        let named: Vec<_> = shares.filter(|(share, _)| *share >= NAMED).collect();
        let best = named.iter().map(|(share, _)| *share).fold(0.0, f32::max);
        named
            .into_iter()
            .filter(|(share, _)| *share > best - 0.05)
            .map(|(_, entry)| &entry.product)
            .collect()
    }

    /// How far one of a customer's own things is named, or `None` when it is not.
    pub(crate) fn own_share(&self, name: &str, words: &Words) -> Option<f32> {
        let share = self.share(&words.other(name), words);
        (share >= OWN_NAMED).then_some(share)
    }

    /// Weight of the name's words that occur, over the weight of all. Rare words weigh more, the
    /// last word (what the thing is) twice.
    fn share(&self, name: &Words, words: &Words) -> f32 {
        let last = name.len().saturating_sub(1);
        let (mut written, mut all) = (0.0, 0.0);
        for (at, word) in name.iter().enumerate() {
            let weight = self.rarity(word) * if at == last { 2.0 } else { 1.0 };
            all += weight;
            if words.contains_like(word) {
                written += weight;
            }
        }
        if all > 0.0 { written / all } else { 0.0 }
    }

    fn rarity(&self, word: &str) -> f32 {
        let count = self
            .frequency
            .get(&self.pack.singular(word))
            .copied()
            .unwrap_or(1)
            .max(1);
        (1.0 + self.entries.len() as f32 / count as f32).ln()
    }
}

/// Options of a product's variants: names in alphabetical order, each with its values.
pub(crate) fn option_values(variants: &[Variant]) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in variants.iter().flat_map(|variant| &variant.options) {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) if values.contains(value) => {}
            Some((_, values)) => values.push(value.clone()),
            None => all.push((name.clone(), vec![value.clone()])),
        }
    }
    all.sort();
    all.iter_mut()
        .for_each(|(_, values)| values.sort_by(|a, b| by_number(a, b)));
    all
}

/// `5000mAh` before `10000mAh`: by the leading number where both have one.
fn by_number(a: &str, b: &str) -> std::cmp::Ordering {
    let number = |text: &str| {
        let digits: String = text
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        digits.parse::<f64>().ok()
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) if a != b => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}

/// Which options of the product the words ask for: pairs of option name and value.
pub(crate) fn options_in(
    words: &Words,
    pack: &Pack,
    variants: &[Variant],
) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for (name, values) in option_values(variants) {
        let cut: Vec<Words> = values.iter().map(|value| words.other(value)).collect();
        for (at, (value, value_words)) in values.iter().zip(&cut).enumerate() {
            let others = || cut.iter().enumerate().filter(|(other, _)| *other != at);
            let is_own = |word: &str| !others().any(|(_, other)| other.contains_like(word));
            let phrase = value_words.iter().collect::<Vec<_>>().join(" ");
            let by_word = value_words.iter().any(|word| {
                is_own(word)
                    && is_telling(pack, word)
                    && (words.contains_like(word) || stem_of(words, word))
            });
            let by_yes = value == "yes" && words.contains_like(&name.to_lowercase());
            if words.has(&phrase) && is_distinct(pack, &phrase) || by_word || by_yes {
                asked.push((name.clone(), value.clone()));
            }
        }
    }
    asked
}

/// A phrase of several words, or one telling word.
fn is_distinct(pack: &Pack, phrase: &str) -> bool {
    phrase.contains(' ') || is_telling(pack, phrase)
}

/// Words that say something by themselves: not `in` of `in-ear`, nor the `yes` of an option.
fn is_telling(pack: &Pack, word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_digit())
        || word.chars().count() > 2 && !pack.is_function_word(word)
}

/// `wooden` asks for `wood`.
fn stem_of(words: &Words, value: &str) -> bool {
    value.chars().count() >= 4
        && words
            .iter()
            .any(|word| word.len() <= value.len() + 2 && word.starts_with(value))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crm::Money;

    use super::*;
    use crate::prompts::Prompts;

    fn product(id: &str, name: &str, options: &[&[(&str, &str)]]) -> Product {
        let variants = options
            .iter()
            .enumerate()
            .map(|(at, options)| Variant {
                sku: format!("{id}-{at}"),
                options: options
                    .iter()
                    .map(|(n, v)| ((*n).into(), (*v).into()))
                    .collect::<BTreeMap<_, _>>(),
                price: Money(1000 + at as i64),
                available: true,
            })
            .collect();
        Product {
            id: id.into(),
            name: name.into(),
            category: None,
            description: None,
            variants,
        }
    }

    fn words(text: &str) -> Words {
        Words::new(text, Prompts::builtin().unwrap().own_pack())
    }

    fn shop() -> Catalogue {
        let products = vec![
            product("1", "Water Bottle", &[&[("color", "red")]]),
            product("2", "Vacuum Cleaner", &[&[("type", "robotic")]]),
            product("3", "Action Camera", &[]),
            product("4", "Digital Camera", &[]),
            product(
                "5",
                "Headphones",
                &[
                    &[("type", "in-ear"), ("connectivity", "wired")],
                    &[("type", "over-ear"), ("connectivity", "wireless")],
                ],
            ),
        ];
        Catalogue::new(products, Prompts::builtin().unwrap().own_pack())
    }

    fn named(text: &str) -> Vec<String> {
        shop()
            .named_in(&words(text))
            .iter()
            .map(|p| p.name.clone())
            .collect()
    }

    #[test]
    fn a_product_is_found_by_its_name_and_not_by_half_of_it() {
        assert_eq!(named("do you sell vacum cleaners?"), ["Vacuum Cleaner"]);
        assert_eq!(
            named("how do i get red wine with water out of a carpet"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_ambiguous_name_gives_all_that_bear_it_and_a_full_one_only_its_own() {
        assert_eq!(named("any cameras?").len(), 2);
        assert_eq!(named("the action camera please"), ["Action Camera"]);
    }

    #[test]
    fn in_stock_does_not_ask_for_in_ear() {
        let prompts = Prompts::builtin().unwrap();
        let pack = prompts.own_pack();
        let shop = shop();
        let variants = &shop.find(&"5".into()).unwrap().variants;
        assert_eq!(
            options_in(&words("which are in stock?"), pack, variants),
            []
        );
        assert_eq!(
            options_in(&words("over-ear and wireless"), pack, variants),
            [
                ("connectivity".into(), "wireless".into()),
                ("type".into(), "over-ear".into())
            ]
        );
    }
}
