//! Keeps customers' personal data out of logs.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What is masked: e-mail addresses, card and account numbers, telephone numbers. Names and street addresses cannot be told by a pattern; messages are therefore logged
/// only at debug level, masked and cut.
static PERSONAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        (?P<email>[\w.+-]+@[\w-]+\.[\w.-]+)
        | (?P<iban>\b[A-Z]{2}\d{2}[\ ]?(?:[A-Z0-9]{4}[\ ]?){2,7}[A-Z0-9]{1,4}\b)
        | (?P<number>\+?\d(?:[\ ().-]{0,2}\d){6,18})
        ",
    )
    .ok()
});

/// Longest text in a log line, in characters.
const MOST_CHARS: usize = 120;

/// `text` fit for a log: personal data masked, on one line, cut.
pub(crate) fn masked(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(pattern) = PERSONAL.as_ref() else {
        return "[masked]".into();
    };
    let masked = pattern.replace_all(&one_line, |found: &Captures<'_>| {
        let kind = ["email", "iban"]
            .into_iter()
            .find(|kind| found.name(kind).is_some());
        format!("[{}]", kind.unwrap_or("number"))
    });
    let mut cut: String = masked.chars().take(MOST_CHARS).collect();
    if cut.len() < masked.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_and_numbers_are_masked() {
        for (text, expected) in [
            (
                "write to ada.l+shop@example.co.uk please",
                "write to [email] please",
            ),
            (
                "card 4111 1111 1111 1111 was charged",
                "card [number] was charged",
            ),
            ("call +353 (0)91 555 0142", "call [number]"),
            ("IBAN IE29 AIBK 9311 5212 3456 78", "IBAN [iban]"),
            ("order of 2 lamps, 49.00", "order of 2 lamps, 49.00"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    proptest! {
        #[test]
        fn an_address_never_survives(before in "[a-z ]{0,30}", name in "[a-z]{1,10}", after in "[a-z ]{0,30}") {
            let masked = masked(&format!("{before} {name}@example.com {after}"));
            prop_assert!(!masked.contains('@'), "{}", masked);
        }
    }
}
