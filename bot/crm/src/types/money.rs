//! Amounts of money: exact integers inside, decimals (`49.90`) where people read and write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in minor units (cents) of the shop's one currency.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(pub i64);

/// Why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not digits with at most one decimal point.
    #[error("{text:?} is not an amount: write digits and a decimal point, such as 1299.00")]
    NotADecimal {
        /// What was written.
        text: String,
    },
    /// Fractions of a cent, which we will not round away.
    #[error("{text:?} has fractions of a cent: write two decimals")]
    FractionOfACent {
        /// What was written.
        text: String,
    },
    /// Beyond what 64 bits of cents hold.
    #[error("{text:?} is too large an amount")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

impl Money {
    /// This amount `quantity` times; `None` beyond 64 bits.
    pub fn times(self, quantity: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(quantity)).map(Self)
    }

    /// The sum of `amounts`; `None` beyond 64 bits.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut amounts = amounts.into_iter();
        amounts
            .try_fold(0_i64, |sum, amount| sum.checked_add(amount.0))
            .map(Self)
    }
}

/// Writes two decimals and no currency: `49.90`, `-0.05`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// Reads a plain decimal. Signs for currencies and thousands are refused, not guessed at: `1,299`
/// is a different amount in different countries.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim();
        let (negative, digits) = match digits.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, digits),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.')
        {
            return Err(MoneyError::NotADecimal {
                text: text.to_owned(),
            });
        }
        let (cents, beyond) = fraction.split_at(fraction.len().min(2));
        if beyond.bytes().any(|digit| digit != b'0') {
            return Err(MoneyError::FractionOfACent {
                text: text.to_owned(),
            });
        }
        // Folding towards the sign reaches the smallest amount too, whose negation has no room.
        format!("{whole}{cents:0<2}")
            .bytes()
            .try_fold(0_i64, |amount, digit| {
                let digit = i64::from(digit - b'0');
                amount
                    .checked_mul(10)?
                    .checked_add(if negative { -digit } else { digit })
            })
            .map(Self)
            .ok_or_else(|| MoneyError::TooLarge {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_to_the_cent() {
        for (text, cents) in [
            ("49.90", 4990),
            ("49.9", 4990),
            ("49", 4900),
            (" 0.05 ", 5),
            ("-3.5", -350),
            ("7.1000", 710),
            ("92233720368547758.07", i64::MAX),
            ("-92233720368547758.08", i64::MIN),
        ] {
            assert_eq!(text.parse(), Ok(Money(cents)), "{text}");
        }
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        for text in [
            "", "-", ".", ".5", "5.", "1,299.00", "€5", "1e3", "--1", "4 9", "٣", "NaN",
        ] {
            let outcome = text.parse::<Money>();
            assert!(
                matches!(outcome, Err(MoneyError::NotADecimal { .. })),
                "{text}: {outcome:?}"
            );
        }
        let outcome = "49.905".parse::<Money>();
        assert!(
            matches!(outcome, Err(MoneyError::FractionOfACent { .. })),
            "{outcome:?}"
        );
        let outcome = "92233720368547758.08".parse::<Money>();
        assert!(
            matches!(outcome, Err(MoneyError::TooLarge { .. })),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_sum_beyond_the_range_is_none() {
        assert_eq!(Money::sum([Money(1), Money(2)]), Some(Money(3)));
        assert_eq!(Money::sum([Money(i64::MAX), Money(1)]), None);
        assert_eq!(Money(i64::MAX).times(2), None);
    }

    proptest! {
        #[test]
        fn every_amount_is_read_back_as_written(cents: i64) {
            prop_assert_eq!(Money(cents).to_string().parse(), Ok(Money(cents)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}|-?[0-9]{0,25}[.]?[0-9]{0,5}") {
            if let Ok(amount) = text.parse::<Money>() {
                prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            }
        }
    }
}
