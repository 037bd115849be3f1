//! Numbers, amounts, dates, ids and links of a text, in one form whatever their spelling.

use std::sync::LazyLock;

use regex::Regex;

/// A number with its thousands separators and decimals, or an id of letters and digits.
static VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\d{1,3}(?:,\d{3})+(?:\.\d+)?|[a-z]*\d+(?:\.\d+)?[a-z]*(?:[-/]\d+)*|[一二三四五六七八九十百]+(?:天|日|个|年|月|小时|元|%)").ok()
});

static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[\w.+-]+@[\w-]+\.[\w.-]*\w|https?://[^\s)>\]]+|\bwww\.[^\s)>\]]+").ok()
});

/// Number words that count as their digits, and the other way round.
const NUMBER_WORDS: &[(&str, &str)] = &[
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
];

/// The values of `text`. Months by name are left to the names check; `1` is no claim.
pub(in crate::turn) fn values(text: &str) -> impl Iterator<Item = String> {
    let plain = without_links(text);
    let mut found: Vec<String> = VALUE
        .as_ref()
        .map(|pattern| {
            pattern
                .find_iter(&plain)
                .flat_map(|value| normal(value.as_str()))
                .collect()
        })
        .unwrap_or_default();
    for word in plain.split(|c: char| !c.is_alphabetic()) {
        let lower = word.to_lowercase();
        found.extend(
            NUMBER_WORDS
                .iter()
                .find(|(known, _)| *known == lower)
                .map(|(_, digits)| (*digits).to_owned()),
        );
    }
    found.retain(|value| value != "1" && !value.is_empty());
    found.into_iter()
}

/// The links and addresses of `text`, lower case.
pub(super) fn links(text: &str) -> impl Iterator<Item = String> {
    let found: Vec<String> = LINK
        .as_ref()
        .map(|pattern| {
            let trimmed = |link: &str| {
                link.trim_end_matches(['.', ',', ';', '!', '?'])
                    .to_lowercase()
            };
            pattern
                .find_iter(text)
                .map(|link| trimmed(link.as_str()))
                .collect()
        })
        .unwrap_or_default();
    found.into_iter()
}

fn without_links(text: &str) -> String {
    LINK.as_ref().map_or_else(
        || text.to_owned(),
        |pattern| pattern.replace_all(text, " ").into_owned(),
    )
}

/// `$3,359.00` and `3359` are one value; a date or range (`2026-11-24`, `2-3`) is one value and its
/// parts too; so is a number with its unit (`10th`, `5000mAh`).
fn normal(value: &str) -> Vec<String> {
    let lower = value.to_lowercase();
    if lower.contains(['-', '/']) {
        return lower.split(['-', '/']).flat_map(normal).collect();
    }
    let bare = lower.replace(',', "");
    let letters_first = bare.starts_with(|c: char| c.is_ascii_alphabetic());
    if letters_first {
        return vec![
            bare.trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .to_owned(),
        ];
    }
    let number = bare.trim_end_matches(|c: char| c.is_alphabetic());
    if bare.ends_with('k') && !number.is_empty() {
        return vec![format!("{number}000")];
    }
    let number = if number.is_empty() {
        bare.as_str()
    } else {
        number
    };
    if number.contains('.') {
        let short = number.trim_end_matches('0').trim_end_matches('.');
        return vec![short.to_owned()];
    }
    let short = number.trim_start_matches('0');
    vec![if short.is_empty() { "0" } else { short }.to_owned()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<String> {
        values(text).collect()
    }

    #[test]
    fn spellings_of_one_value_are_one() {
        assert_eq!(all("$3,359.00"), all("3359"));
        assert_eq!(all("7.0%"), all("7 percent"));
        assert_eq!(all("five days"), all("5 days"));
        assert_eq!(all("50k"), all("50,000"));
        assert_eq!(all("#W7532822"), all("order 7532822"));
    }

    #[test]
    fn different_values_stay_apart() {
        assert_ne!(all("$3,359.07"), all("$3,359.70"));
        assert_ne!(all("10 days"), all("100 days"));
    }

    #[test]
    fn a_range_is_its_ends() {
        assert_eq!(all("2-3 business days"), ["2", "3"]);
    }

    #[test]
    fn links_are_found_without_the_full_stop() {
        assert_eq!(
            links("See https://example.com/help. Or mail A@b.org!").collect::<Vec<_>>(),
            ["https://example.com/help", "a@b.org"]
        );
    }

    proptest! {
        #[test]
        fn grouping_never_matters(number in 1000_u64..100_000_000) {
            let plain = number.to_string();
            let mut grouped = String::new();
            for (at, digit) in plain.chars().enumerate() {
                if at > 0 && (plain.len() - at) % 3 == 0 { grouped.push(','); }
                grouped.push(digit);
            }
            prop_assert_eq!(all(&plain), all(&grouped));
        }

        #[test]
        fn any_text_can_be_read(text in ".{0,200}") {
            let _ = all(&text);
            let _ = links(&text).count();
        }
    }
}
