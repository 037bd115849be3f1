//! Numbers, amounts, dates, ids and links of a text, in one form whatever their spelling.
//!
//! The normal form of a number is its digits with a point before the decimals: `3359.07`. A date or
//! a range is its parts, an id its digits, a month beside a number its own number. `1` is no claim
//! and no value.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex::Regex;

use crate::Pack;
use crate::sections::{Days, Numbers};

#[expect(
    clippy::expect_used,
    reason = "the pattern is part of the binary, and tests use it"
)]
static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[\w.+-]+@[\w-]+\.[\w.-]*\w|https?://[^\s)>\]]+|\bwww\.[^\s)>\]]+")
        .expect("the pattern is valid")
});

/// Reads numbers where no pack says how they are written.
static PLAIN: LazyLock<NumberReader> = LazyLock::new(|| NumberReader::new(None, None));

/// How a language writes numbers.
#[derive(Debug)]
pub(crate) struct NumberReader {
    /// A number with its thousands separators and decimals, or an id of letters and digits.
    pattern: Regex,
    decimal: char,
    grouping: char,
    words: HashMap<String, u32>,
    numerals: BTreeMap<char, u32>,
    counters: Vec<String>,
    months: Vec<String>,
}

impl NumberReader {
    #[expect(
        clippy::expect_used,
        reason = "the separators are escaped, so that the pattern is valid whatever they are"
    )]
    pub(crate) fn new(numbers: Option<&Numbers>, days: Option<&Days>) -> Self {
        let decimal = numbers.map_or('.', |numbers| numbers.decimal);
        let grouping = numbers.map_or(',', |numbers| numbers.grouping);
        let group = regex::escape(&grouping.to_string());
        let point = regex::escape(&decimal.to_string());
        let dotted = days.is_some_and(|days| days.dotted_dates);
        let date = if dotted {
            r"(?P<date>\b(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.(?:\d{4}\b|\d{2}\b)?)|"
        } else {
            ""
        };
        // With both separators, the last one is the decimal one in every language; and a point alone
        // is understood as such, since data are written with it.
        let both = r"\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:\.\d{3})+,\d+|";
        let pattern = format!(
            r"(?i){date}{both}\d{{1,3}}(?:{group}\d{{3}})+(?:{point}\d+)?|[a-z]*\d+(?:(?:{point}|\.)\d+)?[a-z]*(?:[-/]\d+)*"
        );
        let lower = |month: &String| month.to_lowercase();
        Self {
            pattern: Regex::new(&pattern).expect("the pattern is valid"),
            decimal,
            grouping,
            words: numbers
                .map(|numbers| numbers.words.clone().into_iter().collect())
                .unwrap_or_default(),
            numerals: numbers
                .map(|numbers| numbers.numerals.clone())
                .unwrap_or_default(),
            counters: numbers
                .map(|numbers| numbers.counters.clone())
                .unwrap_or_default(),
            months: days
                .map(|days| days.months.iter().map(lower).collect())
                .unwrap_or_default(),
        }
    }

    fn read(&self, text: &str) -> Vec<String> {
        let plain = LINK.replace_all(text, " ");
        let mut found: Vec<String> = Vec::new();
        for value in self.pattern.captures_iter(&plain) {
            let (whole, date) = (value.get(0), value.name("date"));
            match (whole, date) {
                (Some(whole), Some(date)) if !is_amount(&plain[..whole.start()]) => {
                    found.extend(date.as_str().split('.').map(without_zeros));
                }
                (Some(whole), _) => {
                    self.normalise(whole.as_str().trim_end_matches('.'), &mut found);
                }
                (None, _) => {}
            }
        }
        for word in plain.split(|c: char| !c.is_alphabetic()) {
            let value = self.words.get(&word.to_lowercase());
            found.extend(value.map(u32::to_string));
        }
        self.read_months(&plain, &mut found);
        self.read_numerals(&plain, &mut found);
        found.retain(|value| value != "1" && !value.is_empty());
        found
    }

    /// `$3,359.00` and `3359` are one value; a date or range (`2026-11-24`, `2-3`) is its parts; a
    /// number with its unit (`10th`, `5000mAh`) is the number.
    fn normalise(&self, value: &str, found: &mut Vec<String>) {
        let lower = value.to_lowercase();
        if lower.contains(['-', '/']) {
            for part in lower.split(['-', '/']) {
                self.normalise(part, found);
            }
            return;
        }
        let bare = self.ungrouped(&lower);
        if bare.starts_with(|c: char| c.is_ascii_alphabetic()) {
            found.push(
                bare.trim_start_matches(|c: char| c.is_ascii_alphabetic())
                    .to_owned(),
            );
            return;
        }
        let number = bare.trim_end_matches(|c: char| c.is_alphabetic());
        if bare.ends_with('k') && !number.is_empty() {
            found.push(format!("{number}000"));
            return;
        }
        found.push(if number.contains('.') {
            let short = number.trim_end_matches('0').trim_end_matches('.');
            short.to_owned()
        } else {
            without_zeros(number)
        });
    }

    /// The number without thousands separators, and with a point before its decimals.
    fn ungrouped(&self, number: &str) -> String {
        if let (Some(comma), Some(point)) = (number.rfind(','), number.rfind('.')) {
            let (grouping, decimal) = if comma < point {
                (',', '.')
            } else {
                ('.', ',')
            };
            return number.replace(grouping, "").replace(decimal, ".");
        }
        if self.decimal == '.' {
            return number.replace(self.grouping, "");
        }
        if number.contains(self.decimal) {
            return number.replace(self.grouping, "").replace(self.decimal, ".");
        }
        // A separator before three digits parts thousands; before others it is a decimal point.
        let mut parts = number.split(self.grouping);
        let grouped = parts.next().is_some() && parts.all(|part| part.len() == 3);
        if grouped {
            number.replace(self.grouping, "")
        } else {
            number.replace(self.grouping, ".")
        }
    }

    /// Months beside a number: "24 November", "November 24".
    fn read_months(&self, text: &str, found: &mut Vec<String>) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_number = |word: Option<&&str>| {
            word.is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        };
        for (at, word) in words.iter().enumerate() {
            let bare = word.trim_matches(|c: char| !c.is_alphabetic());
            if !bare.starts_with(char::is_uppercase) {
                continue;
            }
            let lower = bare.to_lowercase();
            let month = self.months.iter().position(|month| *month == lower);
            let before = at.checked_sub(1).and_then(|before| words.get(before));
            if let Some(month) = month
                && (is_number(before) || is_number(words.get(at + 1)))
            {
                found.push((month + 1).to_string());
            }
        }
    }

    /// Numerals before what they count: 二十三天.
    fn read_numerals(&self, text: &str, found: &mut Vec<String>) {
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| self.numerals.contains_key(&c)) {
            let run = &rest[start..];
            let end = run
                .find(|c: char| !self.numerals.contains_key(&c))
                .unwrap_or(run.len());
            let (numeral, behind) = run.split_at(end);
            if self
                .counters
                .iter()
                .any(|counter| behind.starts_with(counter.as_str()))
            {
                found.extend(self.numeral(numeral).map(|value| value.to_string()));
            }
            rest = behind;
        }
    }

    /// The value of a numeral; `None` where it is too large to be meant.
    fn numeral(&self, numeral: &str) -> Option<u32> {
        let (mut total, mut pending) = (0_u32, None);
        for sign in numeral.chars() {
            let value = *self.numerals.get(&sign)?;
            if value < 10 {
                pending = Some(
                    pending
                        .unwrap_or(0_u32)
                        .checked_mul(10)?
                        .checked_add(value)?,
                );
            } else {
                // Of digits in a row, the last one is multiplied: 统一三十天 is thirty days.
                let times = pending.take().map_or(1, |digits| digits % 10);
                total = total.checked_add(value.checked_mul(times)?)?;
            }
        }
        total.checked_add(pending.unwrap_or(0))
    }
}

/// Whether what follows `before` is an amount of money.
fn is_amount(before: &str) -> bool {
    before.trim_end().ends_with(['$', '€', '£', '¥'])
}

fn without_zeros(number: &str) -> String {
    let short = number.trim_start_matches('0');
    if short.is_empty() && !number.is_empty() {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

/// The values of `text`, as its language writes them; without a pack, digits alone.
pub fn values(text: &str, pack: Option<&Pack>) -> Vec<String> {
    pack.map_or(&*PLAIN, Pack::number_reader).read(text)
}

/// The links and e-mail addresses of `text`, in lower case.
pub fn links(text: &str) -> Vec<String> {
    let found = LINK.find_iter(text).map(|link| {
        let link = link.as_str().trim_end_matches(['.', ',', ';', '!', '?']);
        link.to_lowercase()
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packs::tests::pack;

    fn english(text: &str) -> Vec<String> {
        values(text, Some(&pack("en")))
    }

    #[test]
    fn spellings_of_one_value_are_one() {
        assert_eq!(english("$3,359.00"), english("3359"));
        assert_eq!(english("7.0%"), english("7 percent"));
        assert_eq!(english("five days"), english("5 days"));
        assert_eq!(english("50k"), english("50,000"));
        assert_eq!(english("#W7532822"), english("order 7532822"));
    }

    #[test]
    fn different_values_stay_apart() {
        assert_ne!(english("$3,359.07"), english("$3,359.70"));
        assert_ne!(english("10 days"), english("100 days"));
    }

    #[test]
    fn a_range_is_its_ends() {
        assert_eq!(english("2-3 business days"), ["2", "3"]);
    }

    #[test]
    fn a_value_is_the_same_in_every_language() {
        for (tag, text, expected) in [
            ("en", "until 2026-11-24", &["2026", "11", "24"][..]),
            ("en", "until 24 November 2026", &["24", "2026", "11"]),
            ("en", "May I ask for two?", &["2"]),
            ("de", "3.359,00 €", &["3359"]),
            ("de", "3.359 €", &["3359"]),
            ("de", "$3,359.00", &["3359"]),
            ("de", "4,90 € oder 4.90 €", &["4.9", "4.9"]),
            ("de", "1.234.567 Stück", &["1234567"]),
            ("de", "am 24.11.2026", &["24", "11", "2026"]),
            ("de", "am 03.12. um 9.30 Uhr", &["3", "12", "9.3"]),
            ("de", "bis 24.12.", &["24", "12"]),
            ("de", "Es kostet $3.50. Oder $3.10.", &["3.5", "3.1"]),
            ("de", "am 3. März", &["3", "3"]),
            ("de", "dreiundzwanzig Tage", &["23"]),
            ("de", "elf von hundert", &["11", "100"]),
            ("de", "Bestellung #W7532822", &["7532822"]),
            ("de", "ein Tag", &[]),
            ("zh", "二十三天", &["23"]),
            ("zh", "两天内，一百五十元", &["2", "150"]),
            ("zh", "二零二六年十一月", &["2026", "11"]),
            ("zh", "统一三十天", &["30"]),
            ("zh", "一个", &[]),
            ("zh", "十分满意", &[]),
        ] {
            assert_eq!(values(text, Some(&pack(tag))), expected, "{tag}: {text}");
        }
    }

    #[test]
    fn digits_are_read_without_a_pack() {
        assert_eq!(values("3,359.00 or five", None), ["3359"]);
    }

    #[test]
    fn links_are_found_without_the_full_stop() {
        assert_eq!(
            links("See https://example.com/help. Or mail A@b.org!"),
            ["https://example.com/help", "a@b.org"]
        );
    }

    proptest! {
        #[test]
        fn grouping_never_matters(number in 1000_u64..100_000_000) {
            let plain = number.to_string();
            for (tag, separator) in [("en", ','), ("de", '.')] {
                let mut grouped = String::new();
                for (at, digit) in plain.chars().enumerate() {
                    if at > 0 && (plain.len() - at) % 3 == 0 { grouped.push(separator); }
                    grouped.push(digit);
                }
                let pack = pack(tag);
                prop_assert_eq!(values(&plain, Some(&pack)), values(&grouped, Some(&pack)));
            }
        }

        #[test]
        fn any_text_can_be_read(text in ".{0,200}") {
            for tag in ["en", "de", "zh"] {
                let _ = values(&text, Some(&pack(tag)));
            }
            let _ = links(&text);
        }
    }
}
