//! The JSON shape in which records enter and leave: that of the types, but with money as a decimal
//! and ids also as numbers. Which fields those are is written down once, for both directions.

use std::iter;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Records;
use crate::types::*;

/// A field within a record: names from the outside in, `*` for every element of a list or object.
type Path = &'static [&'static str];

/// A record that files hold.
pub(crate) trait Native: Serialize + DeserializeOwned {
    /// Fields that hold money.
    const MONEY: &'static [Path];
    /// Fields that hold text and may be written as numbers or booleans.
    const TEXT: &'static [Path];

    /// The record's id.
    fn id(&self) -> &str;

    /// Records of this type, wrapped.
    fn wrap(records: Vec<Self>) -> Records;

    /// Fills what may be left out, money being integers by now.
    fn complete(_record: &mut Value) -> Result<(), String> {
        Ok(())
    }

    /// What the shape alone does not guarantee.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Native for Customer {
    const MONEY: &'static [Path] = &[&["payment_methods", "*", "balance"]];
    const TEXT: &'static [Path] = &[
        &["id"],
        &["phone"],
        &["address", "postal_code"],
        &["payment_methods", "*", "id"],
        &["payment_methods", "*", "last_four"],
        &["attributes", "*"],
    ];

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn wrap(records: Vec<Self>) -> Records {
        Records::Customers(records)
    }

    /// Refuses a card number in full: what is not stored cannot be told to anyone.
    fn check(&self) -> Result<(), String> {
        let digits = self
            .payment_methods
            .iter()
            .filter_map(|method| method.last_four.as_deref());
        match digits
            .map(|digits| digits.chars().count())
            .find(|&count| count > 4)
        {
            Some(count) => Err(format!(
                "last_four has {count} characters: keep the last four"
            )),
            None => Ok(()),
        }
    }
}

impl Native for Product {
    const MONEY: &'static [Path] = &[&["variants", "*", "price"]];
    const TEXT: &'static [Path] = &[
        &["id"],
        &["variants", "*", "sku"],
        &["variants", "*", "options", "*"],
    ];

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn wrap(records: Vec<Self>) -> Records {
        Records::Products(records)
    }

    fn check(&self) -> Result<(), String> {
        if self.variants.is_empty() {
            return Err("a product needs at least one variant".to_owned());
        }
        Ok(())
    }
}

impl Native for Order {
    const MONEY: &'static [Path] = &[
        &["total"],
        &["items", "*", "price"],
        &["payments", "*", "amount"],
    ];
    const TEXT: &'static [Path] = &[
        &["id"],
        &["customer"],
        &["address", "postal_code"],
        &["items", "*", "product"],
        &["items", "*", "sku"],
        &["items", "*", "options", "*"],
        &["shipments", "*", "tracking", "*"],
        &["shipments", "*", "skus", "*"],
        &["attributes", "*"],
    ];

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn wrap(records: Vec<Self>) -> Records {
        Records::Orders(records)
    }

    fn complete(record: &mut Value) -> Result<(), String> {
        let Some(fields) = record.as_object_mut() else {
            return Ok(());
        };
        if fields.get("total").is_some_and(|total| !total.is_null()) {
            return Ok(());
        }
        let Some(items) = fields.get("items") else {
            return Ok(());
        };
        let items = Vec::<OrderItem>::deserialize(items).map_err(|error| error.to_string())?;
        let total = Order::items_total(&items).ok_or("the sum of the items is too large")?;
        fields.insert("total".to_owned(), total.0.into());
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.items.is_empty() {
            return Err("an order needs at least one item".to_owned());
        }
        if self.items.iter().any(|item| item.quantity == 0) {
            return Err("quantity is 0: leave the item out".to_owned());
        }
        Ok(())
    }
}

impl Native for Document {
    const MONEY: &'static [Path] = &[];
    const TEXT: &'static [Path] = &[&["id"], &["title"]];

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn wrap(records: Vec<Self>) -> Records {
        Records::Documents(records)
    }

    fn check(&self) -> Result<(), String> {
        if self.content.trim().is_empty() {
            return Err("the document is empty".to_owned());
        }
        Ok(())
    }
}

/// A record from the shape of files.
pub(crate) fn decode<T: Native>(mut value: Value) -> Result<T, String> {
    if !value.is_object() {
        return Err("not a JSON object".to_owned());
    }
    for path in T::TEXT {
        change(&mut value, path, &mut text_from_scalar)?;
    }
    for path in T::MONEY {
        change(&mut value, path, &mut cents_from_decimal)?;
    }
    T::complete(&mut value)?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// A record in the shape of files.
pub(crate) fn encode<T: Native>(record: &T) -> Result<Value, String> {
    let mut value = serde_json::to_value(record).map_err(|error| error.to_string())?;
    for path in T::MONEY {
        change(&mut value, path, &mut decimal_from_cents)?;
    }
    Ok(value)
}

/// Applies `change_one` to what stands at `path`. What is absent or `null`, or of another shape, is
/// passed over: deserialising says so better.
fn change(
    value: &mut Value,
    path: &[&str],
    change_one: &mut dyn FnMut(&mut Value) -> Result<(), String>,
) -> Result<(), String> {
    let Some((step, rest)) = path.split_first() else {
        return if value.is_null() {
            Ok(())
        } else {
            change_one(value)
        };
    };
    let mut below: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(list) if *step == "*" => Box::new(list.iter_mut()),
        Value::Object(fields) if *step == "*" => Box::new(fields.values_mut()),
        Value::Object(fields) => Box::new(fields.get_mut(*step).into_iter()),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Box::new(iter::empty())
        }
    };
    below
        .try_for_each(|value| change(value, rest, change_one))
        .map_err(|reason| match *step {
            "*" => reason,
            step => format!("{step}: {reason}"),
        })
}

fn text_from_scalar(value: &mut Value) -> Result<(), String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Ok(()),
    };
    *value = Value::String(text);
    Ok(())
}

fn cents_from_decimal(value: &mut Value) -> Result<(), String> {
    let amount: Result<Money, MoneyError> = match value {
        Value::Number(number) => number.to_string().parse(),
        Value::String(text) => text.parse(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err("not an amount: write a number such as 49.90".to_owned());
        }
    };
    *value = amount.map_err(|error| error.to_string())?.0.into();
    Ok(())
}

fn decimal_from_cents(value: &mut Value) -> Result<(), String> {
    let cents = value
        .as_i64()
        .ok_or("an amount is not an integer of cents")?;
    *value = Money(cents).to_string().into();
    Ok(())
}
