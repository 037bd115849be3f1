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
    /// The amount in major units.
    pub(crate) fn major(&self, amount: Money) -> f64 {
        amount.0 as f64 / 10_f64.powf(self.decimals.into())
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
}
