//! Gathers the usable rows of one file and the reasons against the others.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::native::Native;
use super::{Batch, Rejection};

/// The rows of one file so far.
pub(super) struct Collector<T> {
    file: PathBuf,
    records: Vec<T>,
    lines: Vec<u64>,
    rejected: Vec<Rejection>,
    /// Line at which each id was first seen.
    seen: HashMap<String, u64>,
}

impl<T: Native> Collector<T> {
    /// No rows yet.
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            records: Vec::new(),
            lines: Vec::new(),
            rejected: Vec::new(),
            seen: HashMap::new(),
        }
    }

    /// Takes in what became of the row at `line`.
    pub(super) fn add(&mut self, line: u64, row: Result<T, String>) {
        match row.and_then(|record| self.check(line, record)) {
            Ok(record) => {
                self.records.push(record);
                self.lines.push(line);
            }
            Err(reason) => self.reject(line, reason),
        }
    }

    /// Leaves out the row at `line`.
    pub(super) fn reject(&mut self, line: u64, reason: String) {
        self.rejected.push(Rejection {
            file: self.file.clone(),
            line: Some(line),
            reason,
        });
    }

    /// Everything gathered.
    pub(super) fn into_batch(self) -> Batch {
        let Self {
            records,
            lines,
            rejected,
            ..
        } = self;
        Batch {
            records: T::wrap(records),
            rejected,
            lines,
        }
    }

    fn check(&mut self, line: u64, record: T) -> Result<T, String> {
        let id = record.id();
        if id.trim().is_empty() {
            return Err("no id".to_owned());
        }
        record.check()?;
        if let Some(first) = self.seen.get(id) {
            return Err(format!("id {id} is taken by line {first}"));
        }
        self.seen.insert(id.to_owned(), line);
        Ok(record)
    }
}
