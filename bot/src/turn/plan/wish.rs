//! Whether a message wishes for something to buy, and what that may cost.

use std::sync::LazyLock;

use crm::Money;
use regex::Regex;
use understand::{OUT_OF_SCOPE, Ranking};

use super::BELIEVED;
use crate::currency::Currency;

static LIMIT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:under|below|less than|cheaper than|max|maximum|up to|at most|no more than|within)\b[^\w\d]*(?:of )?(?:€|\$|£|eur|usd|gbp)? ?(\d+(?:[.,]\d{1,2})?)\b(?: ?(%|cm|mm|m|kg|g|l|ml|litres?|hours?|days?|weeks?|months?|years?|degrees)\b)?",
    )
    .ok()
});

/// How plainly somebody wishes for something to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The catalogue's answer competes with the pages'.
    Perhaps,
    /// "Can you recommend something for a rainy walk?": no page is an answer to that.
    Plain,
}

impl Wish {
    /// Reads it from the English message and what the classifier makes of it.
    pub(super) fn of(english: &str, intent: &Ranking) -> Option<Self> {
        const PLAIN: &[&str] = &[
            "recommend me",
            "recommend something",
            "recommend a ",
            "recommend for",
            "can you suggest",
            "suggest something",
            "do you have something for",
            "have anything for",
            "something for a",
            "something for my",
            "a gift for",
            "a present for",
            "gift idea",
        ];
        const PERHAPS: &[&str] = &[
            "looking for",
            "do you sell",
            "for a friend who",
            "recommend",
        ];
        // Gift requests often come with so much background that they look out of scope.
        const OF_BUYERS: &[&str] = &[
            "product_question",
            "place_order",
            "general_question",
            OUT_OF_SCOPE,
        ];
        let lower = english.to_lowercase();
        let has_any = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
        let asks = intent.top() == "product_question" && intent.confidence() >= BELIEVED;
        if has_any(PLAIN) && OF_BUYERS.contains(&intent.top()) {
            Some(Self::Plain)
        } else {
            (asks || has_any(PLAIN) || has_any(PERHAPS)).then_some(Self::Perhaps)
        }
    }
}

/// What it may cost at most, in the company's `currency`: "under 100", "max 50 euro".
pub(super) fn price_limit(english: &str, currency: &Currency) -> Option<Money> {
    let mut limits = LIMIT.as_ref()?.captures_iter(english);
    let amount = limits.find(|found| found.get(2).is_none())?;
    currency.parse(amount.get(1)?.as_str())
}

#[cfg(test)]
mod tests {
    use understand::Scored;

    use super::*;

    fn wish(english: &str, intent: &str) -> Option<Wish> {
        let scored = |label: &str, probability| Scored {
            label: label.into(),
            probability,
        };
        let ranking = Ranking::new(vec![scored(intent, 0.8), scored("other", 0.2)]);
        Wish::of(english, &ranking)
    }

    #[test]
    fn a_plain_wish_is_told_from_one_that_a_page_may_answer() {
        let rainy = "Can you recommend something for a rainy walk under 100";
        assert_eq!(wish(rainy, "product_question"), Some(Wish::Plain));
        let friend = "what would you recommend for a friend who cooks a lot";
        assert_eq!(wish(friend, "out_of_scope"), Some(Wish::Plain));
        let washing = "do you recommend machine washing";
        assert_eq!(wish(washing, "product_question"), Some(Wish::Perhaps));
        let status = "where is the order with a gift for my mother";
        assert_eq!(wish(status, "track_order"), Some(Wish::Perhaps));
        assert_eq!(wish("when do you open", "general_question"), None);
    }

    #[test]
    fn a_limit_is_an_amount_of_money() {
        for (english, limit) in [
            ("something for a walk under 100", Some(10_000)),
            ("a gift, max 50 euro", Some(5_000)),
            ("a gift for up to €49.90 please", Some(4_990)),
            ("a board under 40 cm, below $30", Some(3_000)),
            ("a flask that keeps tea hot for at most 12 hours", None),
            ("a rug under 2 kg", None),
            ("a warm jumper", None),
        ] {
            let limit = limit.map(Money);
            assert_eq!(
                price_limit(english, &Currency::default()),
                limit,
                "{english}"
            );
        }
    }
}
