//! JSON Lines: one object a line.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use super::mapping::Mapping;
use super::native::{Native, decode};
use super::rows::Collector;
use super::{Batch, ImportError};

/// Reads records of one type.
pub(super) fn read<T: Native>(
    input: impl io::Read,
    file: &Path,
    mapping: &Mapping,
) -> Result<Batch, ImportError> {
    let unreadable = |source| ImportError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let mut input = BufReader::new(input);
    let mut rows = Collector::<T>::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let text = if number == 1 {
            without_mark(&line)
        } else {
            &line
        };
        if !text.trim_ascii().is_empty() {
            rows.add(number, record(text, mapping));
        }
    }
    Ok(rows.into_batch())
}

fn record<T: Native>(line: &[u8], mapping: &Mapping) -> Result<T, String> {
    let value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    decode(renamed(value, mapping))
}

/// The value with its outer fields renamed.
fn renamed(value: Value, mapping: &Mapping) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((mapping.field(&name)?.to_owned(), value)))
                .collect(),
        ),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)) => other,
    }
}

/// Some editors begin a UTF-8 file with a byte order mark.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
}
