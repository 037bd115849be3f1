//! Whether a text contains a wording, by the rules of labelled dialogues.
//!
//! Case, spacing and thousands separators are ignored: `$62,500` is in `costs $ 62500 a year`. A
//! wording that begins or ends with a digit must not touch another digit there: `$5` is in neither
//! `$50` nor `$5,000`, and `30 days` is not in `130 days`. A full stop is no digit: `$5` is in
//! `$5.50`.
//!
//! Thousands separators are commas, apostrophes and no-break spaces between groups of three digits.
//! An ordinary space separates two numbers (`choose 2 150-dollar vouchers`), so digits on both
//! sides of it do not touch; within a wording it is spacing and is ignored.

/// One character that counts.
struct Letter {
    letter: char,
    /// Whether it follows the one before at once, without a space.
    joined: bool,
}

/// Whether `text` contains `wording`.
pub fn occurs(wording: &str, text: &str) -> bool {
    let (wording, text) = (fold(wording), fold(text));
    if wording.is_empty() {
        return false;
    }
    text.windows(wording.len())
        .enumerate()
        .any(|(start, window)| {
            let same = window
                .iter()
                .zip(&wording)
                .all(|(a, b)| a.letter == b.letter);
            same && !touches(&text, start) && !touches(&text, start + wording.len())
        })
}

/// Whether nothing of `wording` counts, so that it can be found nowhere.
pub fn is_blank(wording: &str) -> bool {
    fold(wording).is_empty()
}

/// Whether the letters on both sides of the border before `at` are digits without a space between.
fn touches(text: &[Letter], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|before| text.get(before)) else {
        return false;
    };
    text.get(at).is_some_and(|after| {
        after.joined && before.letter.is_ascii_digit() && after.letter.is_ascii_digit()
    })
}

/// The letters that count: lower case, no spacing, no thousands separators.
fn fold(text: &str) -> Vec<Letter> {
    let letters: Vec<char> = text.chars().collect();
    let mut folded = Vec::with_capacity(letters.len());
    let mut joined = true;
    for (at, &letter) in letters.iter().enumerate() {
        if parts_thousands(&letters, at) {
            continue;
        }
        if letter.is_whitespace() {
            joined = false;
            continue;
        }
        for letter in letter.to_lowercase() {
            folded.push(Letter { letter, joined });
            joined = true;
        }
    }
    folded
}

/// Whether the character at `at` stands between groups of thousands: one to three digits (three if
/// another separator comes before them) on its left, exactly three on its right.
fn parts_thousands(letters: &[char], at: usize) -> bool {
    let separates = letters.get(at).is_some_and(|letter| is_separator(*letter));
    let (left, right) = (letters.get(..at), letters.get(at + 1..));
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    separates && (1..=3).contains(&digits(left.iter().rev())) && digits(right.iter()) == 3
}

fn is_separator(letter: char) -> bool {
    matches!(
        letter,
        ',' | '\'' | '\u{2019}' | '\u{a0}' | '\u{2009}' | '\u{202f}'
    )
}

/// How many digits come first.
fn digits<'a>(letters: impl Iterator<Item = &'a char>) -> usize {
    letters.take_while(|letter| letter.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wordings_are_found_by_the_rules() {
        for (wording, text) in [
            ("$150", "The yearly fee is $150."),
            ("No Annual FEE", "there is no annual\nfee"),
            ("17分钟", "您可以在 17 分钟 内取消。"),
            ("$62,500", "up to $62500"),
            ("$62500", "up to $62,500.00"),
            ("62,500 dollars", "62'500 dollars"),
            ("1250000", "1,250,000 points"),
            ("1,250", "1\u{202f}250 €"),
            ("$5", "It costs $5.50"),
            ("5", "5"),
            ("12.5%", "you get 12.5 % off"),
            ("4 to 7", "4 to 7 working days"),
            ("150 dollars", "choose 2 150 dollars vouchers"),
            ("KP206452317IE", "number kp206452317ie"),
            ("ÉTÉ", "en été"),
        ] {
            assert!(occurs(wording, text), "{wording:?} in {text:?}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_not_found() {
        for (wording, text) in [
            ("$5", "It costs $50"),
            ("$5", "It costs $5,000"),
            ("000", "5,000"),
            ("30 days", "within 130 days"),
            ("30 days", "within 1,030 days"),
            ("17分钟", "117分钟"),
            ("250", "1\u{a0}250 €"),
            ("4 to 7", "4 to 70"),
            ("$150", "fee: 150"),
            ("2,5", "25"),
            ("", "anything"),
            (" ", " "),
            ("longer than the text", "short"),
        ] {
            assert!(!occurs(wording, text), "{wording:?} in {text:?}");
        }
    }

    #[test]
    fn a_comma_that_parts_no_thousands_stays() {
        assert!(!occurs("12345", "1,2345"));
        assert!(!occurs("2026100", "in 2026,100 people came"));
        assert!(occurs("100", "in 2026, 100 people came"));
        assert!(occurs("3,5", "3,5 kg"));
    }

    fn grouped(number: u64) -> String {
        let digits = number.to_string();
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    }

    proptest! {
        #[test]
        fn numbers_are_found_with_and_without_separators(number: u64) {
            let (plain, grouped) = (number.to_string(), grouped(number));
            let about = |number: &str| format!("about {number} of them");
            prop_assert!(occurs(&plain, &about(&grouped)));
            prop_assert!(occurs(&grouped, &about(&plain)));
        }

        #[test]
        fn a_wording_that_begins_and_ends_with_a_digit_touches_none(
            wording in "[0-9]([a-z %]{0,6}[0-9])?", before in "[a-z$ ]?", digit in 0_u8..10,
        ) {
            let by_itself = format!("so {before}{wording}, yes");
            prop_assert!(occurs(&wording, &by_itself));
            let before_it = format!("so {before}{digit}{wording}x");
            let after_it = format!("so {before}{wording}{digit}x");
            let alone = |text: &str| !contains_elsewhere(&wording, text);
            prop_assume!(alone(&before_it) && alone(&after_it));
            prop_assert!(!occurs(&wording, &before_it), "{before_it}");
            prop_assert!(!occurs(&wording, &after_it), "{after_it}");
        }

        #[test]
        fn case_and_spacing_never_matter(words in prop::collection::vec("[a-zéß京]{1,5}", 1..6)) {
            let wording = words.join(" ");
            let text = format!("<{}>", words.concat().to_uppercase().to_lowercase());
            let spaced = format!("<{}>", words.join(" \n\t"));
            prop_assert!(occurs(&wording, &spaced));
            prop_assert_eq!(occurs(&wording, &text), !wording.contains('ß') || text.contains('ß'));
        }

        #[test]
        fn any_text_contains_itself_unless_it_is_blank(text in "\\PC{0,40}") {
            prop_assert_eq!(occurs(&text, &text), !is_blank(&text));
        }
    }

    /// Whether `text` holds `wording` twice, overlaps included: then a touched one proves nothing.
    fn contains_elsewhere(wording: &str, text: &str) -> bool {
        let (wording, text) = (wording.replace(' ', ""), text.replace(' ', ""));
        (0..text.len())
            .filter(|at| text.get(*at..).is_some_and(|t| t.starts_with(&wording)))
            .count()
            > 1
    }
}
