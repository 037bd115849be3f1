//! Files of the company's into the store: CSV and JSON Lines, and folders of Markdown.
//!
//! A row that cannot be used is reported with its file, line and reason, and costs no other row.
//! Only what makes the whole file unusable (it cannot be read, a column is missing) is an error.
//! The shapes of the files are described at [`Kind`].

mod csv_groups;
mod csv_rows;
mod json_rows;
mod knowledge;
mod mapping;
pub(crate) mod native;
mod rows;
mod storing;
mod table;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::CrmError;
use crate::types::*;

use rows::Collector;

pub use mapping::Mapping;
pub use storing::import;

#[cfg(test)]
mod tests;

/// What a file holds.
///
/// JSON Lines have the shapes of [`Customer`], [`Product`], [`Order`] and [`Document`], except that
/// money is a decimal number or string (`49.9`, `"49.90"`), ids may be numbers, and an order's
/// `total` may be left out. CSV files have a header row; columns may come in any order:
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `id`, `name`, `email`, `phone`, `language`, `address` (lines separated by `;`), `city`,
    /// `region`, `postal_code`, `country`; every other column becomes an attribute.
    Customers,
    /// One row a variant: `id`, `name`, `category`, `description`, `sku` (else the id), `price`,
    /// `available` (yes or no; without the column, yes) and `option.NAME`. What belongs to the
    /// product need stand in one of its rows only. A bad row costs its variant.
    Products,
    /// One row an item: `id`, `customer`, `status`, `placed_on`, `product`, `sku`, `name`,
    /// `quantity` (else 1), `price`, `total`, `carrier`, `tracking` (separated by `;`),
    /// `expected`, `option.NAME`, `attribute.NAME`, `address` and `address_city`,
    /// `address_region`, `address_postal_code`, `address_country`. What belongs to the order need
    /// stand in one of its rows only. A bad row costs the order: told with an item missing, it
    /// would be told wrongly.
    Orders,
    /// `id`, `title`, `content`, `url`, `language`, `visibility` (`public`, which it is without
    /// the column, or `internal`); or a folder of Markdown files, see
    /// [`read`].
    Knowledge,
}

impl Kind {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Products => "products",
            Self::Orders => "orders",
            Self::Knowledge => "knowledge",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ImportError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [
            Self::Customers,
            Self::Products,
            Self::Orders,
            Self::Knowledge,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .ok_or_else(|| ImportError::UnknownKind {
            word: word.to_owned(),
        })
    }
}

/// The usable records of a file, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Records {
    /// Customers.
    Customers(Vec<Customer>),
    /// Products.
    Products(Vec<Product>),
    /// Orders.
    Orders(Vec<Order>),
    /// Knowledge documents.
    Documents(Vec<Document>),
}

/// A row, or a whole Markdown file, that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The file.
    pub file: PathBuf,
    /// The row's first line, from 1; `None` for a file as a whole.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What reading gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// What can be stored.
    pub records: Records,
    /// What was left out.
    pub rejected: Vec<Rejection>,
    /// Line of each record, for what the store alone can find wrong.
    lines: Vec<u64>,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records stored (or found in the store as they are).
    pub accepted: usize,
    /// What was left out.
    pub rejected: Vec<Rejection>,
}

/// Why a file could not be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file or folder cannot be read.
    #[error("cannot read {}: check the path and its permissions", file.display())]
    Unreadable {
        /// The file or folder.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The name says nothing of the format.
    #[error(
        "cannot tell the format of {}: name it .csv or .jsonl; knowledge may be a folder of \
         Markdown files",
        file.display()
    )]
    UnknownFormat {
        /// The file.
        file: PathBuf,
    },
    /// No such kind of file.
    #[error("{word:?} cannot be imported: choose customers, products, orders or knowledge")]
    UnknownKind {
        /// What was asked for.
        word: String,
    },
    /// A CSV file has no header that can be read.
    #[error("the header row of {} is not UTF-8: save the file as UTF-8", file.display())]
    UnreadableHeader {
        /// The file.
        file: PathBuf,
    },
    /// A CSV file lacks a column that a mapping names, or without which no row is usable.
    #[error(
        "{} has no column {column:?}, only: {found}; if it goes by another name there, map it with \
         target=source",
        file.display()
    )]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column missed.
        column: String,
        /// The columns there are.
        found: String,
    },
    /// Two columns of a CSV file mean the same.
    #[error("{} has two columns {column:?}: remove or rename one", file.display())]
    DuplicateColumn {
        /// The file.
        file: PathBuf,
        /// Their name.
        column: String,
    },
    /// A mapping is not of the form `target=source`, or says something twice.
    #[error("{pair:?} is not a usable mapping: write target=source, each name once")]
    BadMapping {
        /// What was written.
        pair: String,
    },
    /// A mapping fills a field that these records do not have.
    #[error("{kind} have no field {target:?}: a mapping is written target=source")]
    UnknownTarget {
        /// What is imported.
        kind: Kind,
        /// The field named.
        target: String,
    },
    /// The thread that read the file was stopped.
    #[error("reading was interrupted: import the file again")]
    Interrupted,
    /// The store failed. Records before the failure are stored; importing again does no harm.
    #[error(transparent)]
    Store(#[from] CrmError),
}

/// Reads what `path` holds, without a store. Blocks; memory grows with the records, not the file.
///
/// For knowledge, `path` may be a folder: every `.md` file in it and below becomes a document. Its
/// id is the path without extension, its title the front matter's `title`, else the first `# `
/// heading, else the file's name. Hidden files and links are passed over.
///
/// # Errors
/// [`ImportError`] when nothing of the file can be used; single rows are in [`Batch::rejected`].
pub fn read(kind: Kind, path: &Path, mapping: &Mapping) -> Result<Batch, ImportError> {
    mapping.check(kind)?;
    let unreadable = |source| ImportError::Unreadable {
        file: path.to_owned(),
        source,
    };
    let about = path.metadata().map_err(unreadable)?;
    if about.is_dir() {
        return match kind {
            Kind::Knowledge => knowledge::read_folder(path),
            Kind::Customers | Kind::Products | Kind::Orders => Err(ImportError::UnknownFormat {
                file: path.to_owned(),
            }),
        };
    }
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let read = match extension.to_ascii_lowercase().as_str() {
        "csv" => read_csv,
        "jsonl" | "ndjson" => read_json,
        _ => {
            return Err(ImportError::UnknownFormat {
                file: path.to_owned(),
            });
        }
    };
    read(kind, File::open(path).map_err(unreadable)?, path, mapping)
}

fn read_csv<R: io::Read>(
    kind: Kind,
    input: R,
    file: &Path,
    mapping: &Mapping,
) -> Result<Batch, ImportError> {
    match kind {
        Kind::Customers => csv_rows::customers(input, file, mapping).map(Collector::into_batch),
        Kind::Products => csv_groups::products(input, file, mapping).map(Collector::into_batch),
        Kind::Orders => csv_groups::orders(input, file, mapping).map(Collector::into_batch),
        Kind::Knowledge => csv_rows::documents(input, file, mapping).map(Collector::into_batch),
    }
}

fn read_json<R: io::Read>(
    kind: Kind,
    input: R,
    file: &Path,
    mapping: &Mapping,
) -> Result<Batch, ImportError> {
    match kind {
        Kind::Customers => json_rows::read::<Customer>(input, file, mapping),
        Kind::Products => json_rows::read::<Product>(input, file, mapping),
        Kind::Orders => json_rows::read::<Order>(input, file, mapping),
        Kind::Knowledge => json_rows::read::<Document>(input, file, mapping),
    }
}
