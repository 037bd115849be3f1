//! How amounts of the company's currency are written.

use crm::Money;
use serde::{Deserialize, Serialize};

/// How amounts of the shop's currency are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Currency {
    /// Sign, put before the amount (`$`).
    pub symbol: String,
    /// Digits of the minor unit.
    pub decimals: u32,
}

impl Default for Currency {
    fn default() -> Self {
        Self {
            symbol: "$".into(),
            decimals: 2,
        }
    }
}

impl Currency {
    /// The amount that is written in major units, with a point or a comma before the minor ones
    /// (`49.9`); `None` when it is no such number.
    pub(crate) fn parse(&self, written: &str) -> Option<Money> {
        let (whole, minor) = written.split_once(['.', ',']).unwrap_or((written, ""));
        let places = usize::try_from(self.decimals).ok()?;
        let minor: String = minor
            .chars()
            .chain(std::iter::repeat('0'))
            .take(places)
            .collect();
        format!("{whole}{minor}").parse().ok().map(Money)
    }

    /// `$1,234.50`.
    pub fn format(&self, amount: Money) -> String {
        let unit = 10_i64.saturating_pow(self.decimals).max(1);
        let whole = (amount.0.unsigned_abs() / unit.unsigned_abs()).to_string();
        let mut grouped = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let sign = if amount.0 < 0 { "-" } else { "" };
        let minor = amount.0.unsigned_abs() % unit.unsigned_abs();
        match self.decimals {
            0 => format!("{sign}{}{grouped}", self.symbol),
            places => format!(
                "{sign}{}{grouped}.{minor:0places$}",
                self.symbol,
                places = places as usize
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_and_keep_their_cents() {
        let dollars = Currency::default();
        assert_eq!(dollars.format(Money(335_907)), "$3,359.07");
        assert_eq!(dollars.format(Money(5)), "$0.05");
        assert_eq!(dollars.format(Money(-100_000_000)), "-$1,000,000.00");
        let yen = Currency {
            symbol: "¥".into(),
            decimals: 0,
        };
        assert_eq!(yen.format(Money(1234)), "¥1,234");
    }

    #[test]
    fn amounts_are_read_in_major_units() {
        let dollars = Currency::default();
        for (written, amount) in [
            ("100", Some(10_000)),
            ("49.9", Some(4_990)),
            ("0,05", Some(5)),
            ("many", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(dollars.parse(written), amount.map(Money), "{written}");
        }
    }
}
