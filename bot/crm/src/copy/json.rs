//! JSON text in forms that do not depend on the database: PostgreSQL's JSONB sorts keys its own way
//! and writes out exponents, SQLite keeps the text.
//!
//! Numbers are handled as text: read as floating point and written again they could change.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clean::Clean;

/// The JSON of a record's field, as the record writes it: comparing it with a record that is
/// imported again finds no difference.
pub(super) fn typed<T>(text: &str) -> Option<String>
where
    T: DeserializeOwned + Serialize + Clean<Cleaned = T>,
{
    let value: T = serde_json::from_str(text).ok()?;
    serde_json::to_string(&value.clean()).ok()
}

/// Any JSON with its keys sorted, without spaces and NULs, numbers as they were written.
pub(super) fn plain(text: &str) -> Option<String> {
    rewrite(text, str::to_owned)
}

/// Any JSON in the one form that all texts of the same value have.
pub(super) fn canonical(text: &str) -> Option<String> {
    rewrite(text, decimal)
}

fn rewrite(text: &str, number: fn(&str) -> String) -> Option<String> {
    let mut reader = Reader { rest: text, number };
    let value = reader.value()?;
    reader.skip_spaces();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    number: fn(&str) -> String,
}

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes `word` if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes the first `length` bytes.
    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (token, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(token)
    }

    fn value(&mut self) -> Option<String> {
        for word in ["null", "true", "false"] {
            if self.takes(word) {
                return Some(word.to_owned());
            }
        }
        if self.takes("[") {
            return self.list();
        }
        if self.takes("{") {
            return self.object();
        }
        if self.rest.starts_with('"') {
            return self.string();
        }
        let digits = |byte: char| matches!(byte, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
        let length = self.rest.find(|byte| !digits(byte));
        let token = self.take(length.unwrap_or(self.rest.len()))?;
        (!token.is_empty()).then(|| (self.number)(token))
    }

    fn list(&mut self) -> Option<String> {
        let mut values = Vec::new();
        while !self.takes("]") {
            if !values.is_empty() && !self.takes(",") {
                return None;
            }
            values.push(self.value()?);
        }
        Some(format!("[{}]", values.join(",")))
    }

    fn object(&mut self) -> Option<String> {
        let mut fields: Vec<(String, String)> = Vec::new();
        while !self.takes("}") {
            if !fields.is_empty() && !self.takes(",") {
                return None;
            }
            self.skip_spaces();
            let name = self.string()?;
            if !self.takes(":") {
                return None;
            }
            fields.push((name, self.value()?));
        }
        fields.sort();
        let fields = fields.iter().map(|(name, value)| format!("{name}:{value}"));
        Some(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")))
    }

    fn string(&mut self) -> Option<String> {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|&(_, character)| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let token = self.take(end?.0 + 1)?;
        let text: String = serde_json::from_str(token).ok()?;
        serde_json::to_string(&text.clean()).ok()
    }
}

/// A number as its digits and a power of ten: `-1.50e3` is `-15e2`.
fn decimal(number: &str) -> String {
    let (sign, unsigned) = match number.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", number),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let exponent = exponent - fraction.len() as i64 + dropped as i64;
    format!("{sign}{significant}e{exponent}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn texts_of_one_value_have_one_form() {
        for (one, other) in [
            ("1", "1.0"),
            ("1.5e-7", "0.00000015"),
            ("1e3", "1000"),
            ("-0", "0.0"),
            ("1E+2", "100"),
            (r#"{"b": 1, "a" : [ ]}"#, r#"{"a":[],"b":1}"#),
            (r#""\u00e4\/""#, r#""ä/""#),
            (r#""a\u0000\\u0000""#, r#""a\\u0000""#),
        ] {
            let form = canonical(one);
            assert!(form.is_some(), "{one}");
            assert_eq!(form, canonical(other), "{one}");
        }
        for (one, other) in [("1", "-1"), ("1", "10"), ("[1]", "[1,1]"), (r#""1""#, "1")] {
            assert_ne!(canonical(one), canonical(other), "{one}");
        }
    }

    #[test]
    fn what_is_no_json_has_no_form() {
        for text in [
            "", "{", "[1", "[1 2]", "{1:2}", r#"{"a"}"#, r#""a"#, "nul", "1 2",
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            "[^\0]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[^\0]{0,6}", inner, 0..5)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_kept_whatever_its_layout(value in any_json()) {
            let compact = value.to_string();
            let spread = serde_json::to_string_pretty(&value).unwrap();
            let kept = plain(&compact);
            prop_assert_eq!(&kept, &plain(&spread));
            let kept = kept.unwrap();
            let read: Value = serde_json::from_str(&kept).unwrap();
            prop_assert_eq!(&read, &serde_json::from_str::<Value>(&compact).unwrap());
            prop_assert_eq!(canonical(&kept), canonical(&compact));
        }
    }
}
