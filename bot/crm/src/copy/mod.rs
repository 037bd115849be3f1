//! A whole store into another one, of the same or the other database.
//!
//! The source is read in one snapshot, the target filled in one transaction, read back and compared
//! before it is committed: a copy is whole or not there. Everything is copied as it is: tombstones,
//! revisions, the marks of indexes, the numbers of events.

mod json;
mod tables;

use std::fmt;

use async_trait::async_trait;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::clean::Clean;
use crate::error::CrmError;
use crate::store::Store;

pub(crate) use tables::{Column, Kind, TABLES, Table};

/// Rows read and written at a time; times columns, far fewer than the parameters that either
/// database takes.
pub(crate) const PAGE: usize = 500;

/// A table as copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of its rows in order of their keys, in hexadecimal. Both sides gave the same.
    pub sha256: String,
}

/// Why a store was not copied. The target holds nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The target holds something already.
    #[error("{target} is not empty, there are {table} in it: copy into a new store")]
    NotEmpty {
        /// The target.
        target: String,
        /// A table with rows.
        table: &'static str,
    },
    /// What was read back from the target is not what was read from the source.
    #[error(
        "the copy of {table} is not the original (it has {copied} rows of {original}, or other \
         values): see that nobody else writes to the new store, and copy again"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows read from the source.
        original: u64,
        /// Rows found in the target.
        copied: u64,
    },
    /// A row of the source holds JSON that this version does not write.
    #[error("column {column} of {table} holds JSON that cannot be read: open the source and see")]
    Garbled {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// One of the stores failed.
    #[error(transparent)]
    Store(#[from] CrmError),
}

/// A value as it is read and written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// No text or JSON.
    Null,
    /// A text, or JSON as text.
    Text(String),
    /// An integer of any size.
    Int(i64),
    /// A truth value.
    Bool(bool),
}

/// A row, in the order of [`Table::columns`].
pub(crate) type Cells = Vec<Cell>;

/// A store that is copied from or to, in one transaction.
#[async_trait]
pub(crate) trait Side: Send {
    /// At most [`PAGE`] rows after the one given, in order of their keys.
    async fn page(
        &mut self,
        table: &'static Table,
        after: Option<Cells>,
    ) -> Result<Vec<Cells>, CrmError>;

    /// Empties the table of what a new store has in it.
    async fn clear(&mut self, table: &'static Table) -> Result<(), CrmError>;

    /// Adds rows.
    async fn put(&mut self, table: &'static Table, rows: Vec<Cells>) -> Result<(), CrmError>;

    /// Sets counters of the database's own behind what was put, and commits.
    async fn finish(self: Box<Self>) -> Result<(), CrmError>;
}

/// Copies everything in `from` to `to`, which must be empty, and says what was copied. Others may
/// go on using `from`; what they write meanwhile is not copied.
///
/// # Errors
/// [`CopyError::NotEmpty`] before anything is written; nothing is left of a copy that fails.
///
/// # Cancel safety
/// Dropping the future leaves `to` empty.
pub async fn copy(from: &Store, to: &Store) -> Result<Vec<Copied>, CopyError> {
    let mut source = from.copied_from().await?;
    let mut target = to.copied_to().await?;
    for table in TABLES.iter().filter(|table| !table.seeded) {
        if !target.page(table, None).await?.is_empty() {
            return Err(CopyError::NotEmpty {
                target: to.name().to_owned(),
                table: table.name,
            });
        }
    }
    let mut done = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        if table.seeded {
            target.clear(table).await?;
        }
        let original = walk(table, &mut *source, Some(&mut *target)).await?;
        let copied = walk(table, &mut *target, None).await?;
        if original != copied {
            return Err(CopyError::Differs {
                table: table.name,
                original: original.rows,
                copied: copied.rows,
            });
        }
        let Copied { table, rows, .. } = original;
        tracing::info!(table, rows, "copied");
        done.push(original);
    }
    target.finish().await?;
    Ok(done)
}

/// Reads a whole table, sums it up, and puts its rows into `target`.
async fn walk(
    table: &'static Table,
    source: &mut dyn Side,
    mut target: Option<&mut dyn Side>,
) -> Result<Copied, CopyError> {
    let mut sum = Sha256::new();
    let mut rows = 0;
    let mut after = None;
    loop {
        let page = source.page(table, after.take()).await?;
        after = page.last().cloned();
        if after.is_none() {
            break;
        }
        rows += page.len() as u64;
        let mut tidied = Vec::with_capacity(page.len());
        for row in page {
            let row = tidy(table, row)?;
            add(&mut sum, table, &row)?;
            tidied.push(row);
        }
        if let Some(target) = &mut target {
            target.put(table, tidied).await?;
        }
    }
    Ok(Copied {
        table: table.name,
        rows,
        sha256: format!("{:x}", Hex(&sum.finalize())),
    })
}

/// The row as this version would write it into either database.
fn tidy(table: &'static Table, row: Cells) -> Result<Cells, CopyError> {
    let cells = row.into_iter().zip(table.columns);
    cells
        .map(|(cell, column)| match (cell, column.kind) {
            (Cell::Text(text), Kind::Json(rewrite)) => rewrite(&text)
                .map(Cell::Text)
                .ok_or_else(|| garbled(table, column)),
            (Cell::Text(text), _) => Ok(Cell::Text(text.clean())),
            (plain, _) => Ok(plain),
        })
        .collect()
}

/// Adds a row to a sum. Every value is preceded by its kind and, if a text, its length.
fn add(sum: &mut Sha256, table: &'static Table, row: &[Cell]) -> Result<(), CopyError> {
    for (cell, column) in row.iter().zip(table.columns) {
        match (cell, column.kind) {
            (Cell::Null, _) => sum.update(b"n"),
            (Cell::Bool(value), _) => sum.update([b'b', u8::from(*value)]),
            (Cell::Int(value), _) => {
                sum.update(b"i");
                sum.update(value.to_be_bytes());
            }
            (Cell::Text(text), Kind::Json(_)) => {
                let same = json::canonical(text).ok_or_else(|| garbled(table, column))?;
                add_text(sum, &same);
            }
            (Cell::Text(text), _) => add_text(sum, text),
        }
    }
    Ok(())
}

fn add_text(sum: &mut Sha256, text: &str) {
    sum.update(b"t");
    sum.update((text.len() as u64).to_be_bytes());
    sum.update(text);
}

fn garbled(table: &Table, column: &Column) -> CopyError {
    CopyError::Garbled {
        table: table.name,
        column: column.name,
    }
}

/// Bytes that print as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests;
