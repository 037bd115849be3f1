//! Whether a message wishes for something to buy, and what that may cost.

use std::sync::LazyLock;

use crm::Money;
use language::Pack;
use regex::{Captures, Regex};
use understand::Understanding;

use super::BELIEVED;
use crate::currency::Currency;
use crate::desk;

/// An amount as people write it, and what is measured by it.
static AMOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(\d+(?:[.,]\d{1,2})?)\s?((?:%|[cmkμ]?m|[km]?g|[mc]?l)\b|\p{L}+)?").ok()
});

/// Whether a message asks something of a product.
pub(super) fn asks_of_products(understanding: &Understanding) -> bool {
    let intent = &understanding.intent;
    intent.top() == "product_question" && intent.confidence() >= BELIEVED
        || desk::asks_of_products(&understanding.asks)
}

/// What it may cost at most, in the company's `currency`: "under 100", "max 50 euro".
pub(super) fn price_limit(text: &str, pack: Option<&Pack>, currency: &Currency) -> Option<Money> {
    let sections = pack?.sections();
    let limits = sections.limits.as_ref()?;
    let units = sections.units.as_ref();
    let times = units.map_or(&[][..], |units| &units.time);
    let names = units.map_or(&[][..], |units| &units.money);
    let text = text.to_lowercase();
    let is_limit = |found: &Captures<'_>| {
        let Some(number) = found.get(1) else {
            return false;
        };
        let before = text[..number.start()].trim_end_matches(is_money_sign);
        let behind = text[number.end()..].trim_start_matches(is_money_sign);
        let named = names
            .iter()
            .find_map(|name| behind.strip_prefix(name.as_str()));
        let behind = named.unwrap_or(behind).trim_start();
        let is_before = |phrase: &String| ends_with_words(before, phrase);
        let is_behind = |phrase: &String| behind.starts_with(phrase.as_str());
        let measured = found.get(2).is_some_and(|unit| {
            let unit = unit.as_str();
            MEASURES.contains(&unit) || times.iter().any(|time| time == unit)
        });
        !measured && (limits.before.iter().any(is_before) || limits.behind.iter().any(is_behind))
    };
    let amount = AMOUNT.as_ref()?.captures_iter(&text).find(is_limit)?;
    currency.parse(amount.get(1)?.as_str())
}

/// A sign of a currency, or the space beside it.
fn is_money_sign(sign: char) -> bool {
    sign.is_whitespace() || MONEY_SIGNS.contains(sign)
}

/// The signs of Unicode's category Sc that are in everyday use.
const MONEY_SIGNS: &str = "$¢£¤¥€₩₪₫₭₮₱₴₸₹₺₽₿฿﷼";

/// Signs of units that are no money, the same in most languages.
const MEASURES: &[&str] = &["%", "m", "cm", "mm", "km", "g", "kg", "mg", "l", "ml", "cl"];

fn ends_with_words(text: &str, phrase: &str) -> bool {
    let before = text
        .strip_suffix(phrase)
        .and_then(|rest| rest.chars().last());
    text.ends_with(phrase)
        && before.is_none_or(|last| !last.is_alphanumeric() || !phrase.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::Prompts;

    #[test]
    fn a_limit_is_an_amount_of_money() {
        let prompts = Prompts::builtin().unwrap();
        for (language, text, limit) in [
            ("en", "something for a walk under 100", Some(10_000)),
            ("en", "a gift, max 50 euro", Some(5_000)),
            ("en", "a gift for up to €49.90 please", Some(4_990)),
            ("en", "a board under 40 cm, below $30", Some(3_000)),
            (
                "en",
                "a flask that keeps tea hot for at most 12 hours",
                None,
            ),
            ("en", "a rug under 2 kg", None),
            ("en", "a pen, not more than 20 euros", Some(2_000)),
            ("en", "a pen for 20 euros or less", Some(2_000)),
            ("en", "a warm jumper", None),
            ("de", "ein Geschenk unter 50 Euro", Some(5_000)),
            ("de", "ein Geschenk, 50 Euro höchstens", Some(5_000)),
            ("zh", "100元以下的礼物", Some(10_000)),
            ("zh", "礼物，不超过80元", Some(8_000)),
        ] {
            let limit = limit.map(Money);
            let found = price_limit(text, prompts.pack(language), &Currency::default());
            assert_eq!(found, limit, "{text}");
        }
    }
}
