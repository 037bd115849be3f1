//! CSV files in which several rows make one record: a product's variants, an order's items. Rows
//! of one id belong together wherever they stand.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use super::ImportError;
use super::csv_rows::{AddressColumns, address, list};
use super::mapping::Mapping;
use super::native::Native;
use super::rows::Collector;
use super::table::{Row, Table};
use crate::types::*;

const PRODUCT_HEAD: &[&str] = &["name", "category", "description"];

const ORDER_HEAD: &[&str] = &[
    "customer",
    "status",
    "placed_on",
    "total",
    "address",
    "address_city",
    "address_region",
    "address_postal_code",
    "address_country",
];

const ORDER_ADDRESS: AddressColumns = AddressColumns {
    lines: "address",
    city: "address_city",
    region: "address_region",
    postal_code: "address_postal_code",
    country: "address_country",
};

/// The rows of one id.
struct Group<P> {
    id: String,
    /// Line of its first row.
    line: u64,
    /// What belongs to the record as a whole: by column, as first written.
    head: BTreeMap<&'static str, String>,
    /// Attributes of the record as a whole.
    attributes: BTreeMap<String, String>,
    /// What each row adds.
    parts: Vec<P>,
    /// A row of it was rejected.
    spoiled: bool,
}

impl<P> Group<P> {
    fn new(id: &str, line: u64) -> Self {
        Self {
            id: id.to_owned(),
            line,
            head: BTreeMap::new(),
            attributes: BTreeMap::new(),
            parts: Vec::new(),
            spoiled: false,
        }
    }

    fn get(&self, column: &str) -> Option<&str> {
        self.head.get(column).map(String::as_str)
    }

    fn require(&self, column: &str) -> Result<&str, String> {
        self.get(column).ok_or_else(|| format!("no {column}"))
    }

    /// Takes over what `row` says of the whole; two rows must not differ in that.
    fn merge_head(&mut self, row: &Row<'_>, columns: &[&'static str]) -> Result<(), String> {
        for column in columns {
            let Some(field) = row.get(column) else {
                continue;
            };
            let first = self.head.entry(column).or_insert_with(|| field.to_owned());
            if first != field {
                return Err(format!(
                    "{column} is {field:?} here, but {first:?} in another row of {}",
                    self.id
                ));
            }
        }
        self.attributes.extend(prefixed(row, "attribute."));
        Ok(())
    }
}

/// Reads products.
pub(super) fn products<R: io::Read>(
    input: R,
    file: &Path,
    mapping: &Mapping,
) -> Result<Collector<Product>, ImportError> {
    let table = Table::open(input, file, mapping, &["id", "name", "price"])?;
    let mut rows = Collector::new(file);
    for group in groups(table, &mut rows, PRODUCT_HEAD, variant)? {
        if !group.parts.is_empty() {
            rows.add(group.line, product(group));
        }
    }
    Ok(rows)
}

/// Reads orders.
pub(super) fn orders<R: io::Read>(
    input: R,
    file: &Path,
    mapping: &Mapping,
) -> Result<Collector<Order>, ImportError> {
    let required = &["id", "customer", "status", "product", "name", "price"];
    let table = Table::open(input, file, mapping, required)?;
    let mut rows = Collector::new(file);
    for group in groups(table, &mut rows, ORDER_HEAD, line_of_order)? {
        if group.parts.is_empty() {
            // Its rows have been rejected one by one.
        } else if group.spoiled {
            rows.reject(
                group.line,
                format!("order {} has a row that was rejected", group.id),
            );
        } else {
            rows.add(group.line, order(group));
        }
    }
    Ok(rows)
}

/// Gathers rows by id, in order of each id's first row.
fn groups<R: io::Read, T: Native, P>(
    mut table: Table<'_, R>,
    rows: &mut Collector<T>,
    head: &[&'static str],
    part: fn(&Row<'_>, &[P]) -> Result<P, String>,
) -> Result<Vec<Group<P>>, ImportError> {
    let mut groups: Vec<Group<P>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some(row) = table.next_row()? {
        let (line, id) = match &row {
            Ok(row) => (row.line, row.text("id")),
            Err(bad) => (bad.line, bad.id.clone()),
        };
        let group = id.and_then(|id| {
            let place = *places.entry(id).or_insert_with_key(|id| {
                groups.push(Group::new(id, line));
                groups.len() - 1
            });
            groups.get_mut(place)
        });
        let outcome = match (row, group) {
            (Ok(row), Some(group)) => take_in(group, &row, head, part),
            (Ok(_), None) => Err("no id".to_owned()),
            (Err(bad), Some(group)) => {
                group.spoiled = true;
                Err(bad.reason)
            }
            (Err(bad), None) => Err(bad.reason),
        };
        if let Err(reason) = outcome {
            rows.reject(line, reason);
        }
    }
    Ok(groups)
}

fn take_in<P>(
    group: &mut Group<P>,
    row: &Row<'_>,
    head: &[&'static str],
    part: fn(&Row<'_>, &[P]) -> Result<P, String>,
) -> Result<(), String> {
    let outcome = part(row, &group.parts).and_then(|part| {
        group.merge_head(row, head)?;
        group.parts.push(part);
        Ok(())
    });
    group.spoiled |= outcome.is_err();
    outcome
}

fn variant(row: &Row<'_>, others: &[Variant]) -> Result<Variant, String> {
    let sku = row.get("sku").map_or_else(|| row.require("id"), Ok)?;
    if others.iter().any(|other| other.sku == sku) {
        return Err(format!("sku {sku} is there already"));
    }
    Ok(Variant {
        sku: sku.to_owned(),
        options: prefixed(row, "option.").collect(),
        price: money("price", row.require("price")?)?,
        available: available(row)?,
    })
}

fn product(group: Group<Variant>) -> Result<Product, String> {
    Ok(Product {
        id: group.id.as_str().into(),
        name: group.require("name")?.to_owned(),
        category: group.get("category").map(str::to_owned),
        description: group.get("description").map(str::to_owned),
        variants: group.parts,
    })
}

/// An item, and the parcel that its row names.
struct OrderLine {
    item: OrderItem,
    parcel: Option<Shipment>,
}

fn line_of_order(row: &Row<'_>, _others: &[OrderLine]) -> Result<OrderLine, String> {
    let quantity = row.get("quantity").unwrap_or("1");
    let item = OrderItem {
        product: row.require("product")?.into(),
        sku: row.text("sku"),
        name: row.require("name")?.to_owned(),
        quantity: quantity
            .parse()
            .map_err(|_| format!("quantity {quantity:?} is not a number: write digits"))?,
        price: money("price", row.require("price")?)?,
        options: prefixed(row, "option.").collect(),
    };
    let parcel = Shipment {
        carrier: row.text("carrier"),
        tracking: row.get("tracking").map(list).unwrap_or_default(),
        skus: Vec::new(),
        expected: row.text("expected"),
    };
    Ok(OrderLine {
        item,
        parcel: (parcel != Shipment::default()).then_some(parcel),
    })
}

fn order(group: Group<OrderLine>) -> Result<Order, String> {
    let total = group
        .get("total")
        .map(|total| money("total", total))
        .transpose()?;
    let id = group.id.as_str().into();
    let customer = group.require("customer")?.into();
    let status = group.require("status")?.to_owned().into();
    let placed_on = group.get("placed_on").map(str::to_owned);
    let address = address(&ORDER_ADDRESS, |column| group.get(column));
    let shipments = shipments(&group.parts);
    let items: Vec<_> = group.parts.into_iter().map(|line| line.item).collect();
    Ok(Order {
        id,
        customer,
        status,
        placed_on,
        total: total
            .or_else(|| Order::items_total(&items))
            .ok_or("the sum of the items is too large")?,
        items,
        address,
        payments: Vec::new(),
        shipments,
        attributes: group.attributes,
    })
}

/// The parcels that the rows name. A single one holds the whole order, also where only one of the
/// rows names it; of several, each holds the SKUs of the rows that do.
fn shipments(lines: &[OrderLine]) -> Vec<Shipment> {
    let mut parcels: Vec<(&Shipment, Vec<String>)> = Vec::new();
    for line in lines {
        let Some(parcel) = &line.parcel else { continue };
        let sku = line.item.sku.clone();
        match parcels.iter_mut().find(|(known, _)| *known == parcel) {
            Some((_, skus)) => skus.extend(sku),
            None => parcels.push((parcel, sku.into_iter().collect())),
        }
    }
    let several = parcels.len() > 1;
    parcels
        .into_iter()
        .map(|(parcel, skus)| Shipment {
            skus: if several { skus } else { Vec::new() },
            ..parcel.clone()
        })
        .collect()
}

fn money(column: &str, field: &str) -> Result<Money, String> {
    field
        .parse()
        .map_err(|error: MoneyError| format!("{column}: {error}"))
}

fn available(row: &Row<'_>) -> Result<bool, String> {
    if !row.has_column("available") {
        return Ok(true);
    }
    let word = row.require("available")?;
    match word.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "1" => Ok(true),
        "no" | "n" | "false" | "0" => Ok(false),
        _ => Err(format!("available is {word:?}: write yes or no")),
    }
}

/// The fields whose columns begin with `prefix`, by what follows it.
fn prefixed(row: &Row<'_>, prefix: &str) -> impl Iterator<Item = (String, String)> {
    row.fields().filter_map(move |(column, field)| {
        let name = column
            .strip_prefix(prefix)
            .filter(|name| !name.is_empty())?;
        Some((name.to_owned(), field.to_owned()))
    })
}
