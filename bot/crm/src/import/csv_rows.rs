//! CSV files of one row a record: customers and knowledge documents.

use std::io;
use std::path::Path;

use super::ImportError;
use super::mapping::{Mapping, same};
use super::native::Native;
use super::rows::Collector;
use super::table::{Row, Table};
use crate::types::*;

/// Columns of a customers file that are no attributes.
const CUSTOMER_COLUMNS: &[&str] = &[
    "id",
    "name",
    "email",
    "phone",
    "language",
    "address",
    "city",
    "region",
    "postal_code",
    "country",
];

/// The names under which the parts of an address stand in a file.
pub(super) struct AddressColumns {
    pub(super) lines: &'static str,
    pub(super) city: &'static str,
    pub(super) region: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) country: &'static str,
}

const CUSTOMER_ADDRESS: AddressColumns = AddressColumns {
    lines: "address",
    city: "city",
    region: "region",
    postal_code: "postal_code",
    country: "country",
};

/// Reads customers.
pub(super) fn customers<R: io::Read>(
    input: R,
    file: &Path,
    mapping: &Mapping,
) -> Result<Collector<Customer>, ImportError> {
    one_a_row(
        Table::open(input, file, mapping, &["id"])?,
        Collector::new(file),
        customer,
    )
}

/// Reads knowledge documents.
pub(super) fn documents<R: io::Read>(
    input: R,
    file: &Path,
    mapping: &Mapping,
) -> Result<Collector<Document>, ImportError> {
    let table = Table::open(input, file, mapping, &["id", "title", "content"])?;
    one_a_row(table, Collector::new(file), document)
}

fn one_a_row<R: io::Read, T: Native>(
    mut table: Table<'_, R>,
    mut rows: Collector<T>,
    record: fn(&Row<'_>) -> Result<T, String>,
) -> Result<Collector<T>, ImportError> {
    while let Some(row) = table.next_row()? {
        match row {
            Ok(row) => rows.add(row.line, record(&row)),
            Err(bad) => rows.reject(bad.line, bad.reason),
        }
    }
    Ok(rows)
}

fn customer(row: &Row<'_>) -> Result<Customer, String> {
    let is_attribute = |column: &str| !CUSTOMER_COLUMNS.iter().any(|known| same(known, column));
    Ok(Customer {
        id: row.require("id")?.into(),
        name: row.text("name"),
        email: row.text("email"),
        phone: row.text("phone"),
        language: row.text("language"),
        address: address(&CUSTOMER_ADDRESS, |column| row.get(column)),
        payment_methods: Vec::new(),
        attributes: row
            .fields()
            .filter(|(column, _)| is_attribute(column))
            .map(|(column, field)| (column.to_owned(), field.to_owned()))
            .collect(),
    })
}

fn document(row: &Row<'_>) -> Result<Document, String> {
    Ok(Document {
        id: row.require("id")?.into(),
        title: row.require("title")?.to_owned(),
        content: row.require("content")?.to_owned(),
        url: row.text("url"),
        language: row.text("language"),
        visibility: match row.text("visibility") {
            Some(word) => visibility(&word)?,
            None => Visibility::default(),
        },
    })
}

/// The visibility of that name.
pub(super) fn visibility(word: &str) -> Result<Visibility, String> {
    let known = Visibility::named(word);
    known.ok_or_else(|| format!("visibility is {word:?}: say public or internal"))
}

/// An address from its columns; `None` when all are blank.
pub(super) fn address<'a>(
    columns: &AddressColumns,
    get: impl Fn(&str) -> Option<&'a str>,
) -> Option<Address> {
    let text = |column| get(column).map(str::to_owned);
    let address = Address {
        lines: get(columns.lines).map(list).unwrap_or_default(),
        city: text(columns.city),
        region: text(columns.region),
        postal_code: text(columns.postal_code),
        country: text(columns.country),
    };
    (address != Address::default()).then_some(address)
}

/// The parts of a field that are separated by `;`.
pub(super) fn list(field: &str) -> Vec<String> {
    field
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
