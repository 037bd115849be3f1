//! A CSV file as rows of named fields. Says what is wrong with a row as a row; what the fields
//! mean is left to others.

use std::io;
use std::path::Path;
use std::str;

use csv::{ByteRecord, StringRecord};

use super::ImportError;
use super::mapping::{Mapping, same};

/// A CSV file being read.
pub(super) struct Table<'f, R> {
    file: &'f Path,
    reader: csv::Reader<io::Chain<R, &'static [u8]>>,
    columns: Vec<String>,
    record: ByteRecord,
}

/// A row with as many fields as the header.
pub(super) struct Row<'t> {
    /// The line it starts in, from 1.
    pub(super) line: u64,
    columns: &'t [String],
    fields: StringRecord,
}

/// A row that is none.
pub(super) struct BadRow {
    /// The line it starts in, from 1.
    pub(super) line: u64,
    /// The id it would have, if the fields up to it are whole.
    pub(super) id: Option<String>,
    /// What is wrong.
    pub(super) reason: String,
}

impl<'f, R: io::Read> Table<'f, R> {
    /// Reads the header, which must have the columns `required`.
    pub(super) fn open(
        input: R,
        file: &'f Path,
        mapping: &Mapping,
        required: &[&str],
    ) -> Result<Self, ImportError> {
        // Flexible, so that a row of the wrong length comes to us, with its line and id. Rows end
        // at `\n` alone, and the last one too, so that lines can be counted: taking `\r\n` for an
        // end, the reader stops between the two. The `\r` is trimmed from the last field.
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(input.chain(&b"\n"[..]));
        let header = reader
            .byte_headers()
            .map_err(|error| unreadable(file, error))?;
        let names = names(header, file)?;
        let columns = columns(&names, file, mapping)?;
        let missing = |column: &str| ImportError::MissingColumn {
            file: file.to_owned(),
            column: column.to_owned(),
            found: names.join(", "),
        };
        let has = |names: &[String], column: &str| names.iter().any(|name| same(name, column));
        if let Some(source) = mapping.sources().find(|source| !has(&names, source)) {
            return Err(missing(source));
        }
        if let Some(column) = required.iter().find(|column| !has(&columns, column)) {
            return Err(missing(column));
        }
        Ok(Self {
            file,
            reader,
            columns,
            record: ByteRecord::new(),
        })
    }

    /// The next row that is not blank; `None` at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<Result<Row<'_>, BadRow>>, ImportError> {
        loop {
            let read = self.reader.read_byte_record(&mut self.record);
            if !read.map_err(|error| unreadable(self.file, error))? {
                return Ok(None);
            }
            if self.record.len() > 1
                || !self
                    .record
                    .iter()
                    .all(|field| field.trim_ascii().is_empty())
            {
                return Ok(Some(self.row()));
            }
        }
    }

    /// The line that the record starts in. Where the reader started is too early by the blank
    /// lines that it passed over; where it stands now is after the record's own lines.
    fn line(&self) -> u64 {
        let before = self.record.position().map_or(0, csv::Position::line);
        let newlines = self
            .record
            .iter()
            .flatten()
            .filter(|&&byte| byte == b'\n')
            .count() as u64;
        before.max(self.reader.position().line().saturating_sub(1 + newlines))
    }

    fn row(&self) -> Result<Row<'_>, BadRow> {
        let line = self.line();
        let bad = |reason| BadRow {
            line,
            id: self.id(),
            reason,
        };
        let (found, wanted) = (self.record.len(), self.columns.len());
        if found != wanted {
            let several_lines = self.record.iter().any(|field| field.contains(&b'\n'));
            let hint = if several_lines {
                "; is a quote left open?"
            } else {
                ""
            };
            return Err(bad(format!(
                "{found} fields where the header has {wanted}{hint}"
            )));
        }
        let fields = StringRecord::from_byte_record(self.record.clone())
            .map_err(|_| bad("not UTF-8: save the file as UTF-8".to_owned()))?;
        Ok(Row {
            line,
            columns: &self.columns,
            fields,
        })
    }

    fn id(&self) -> Option<String> {
        let position = self.columns.iter().position(|name| same(name, "id"))?;
        let id = str::from_utf8(self.record.get(position)?).ok()?.trim();
        (!id.is_empty()).then(|| id.to_owned())
    }
}

impl Row<'_> {
    /// The field of this column; `None` when it is blank or there is no such column.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        let position = self.columns.iter().position(|name| same(name, column))?;
        self.fields
            .get(position)
            .map(str::trim)
            .filter(|field| !field.is_empty())
    }

    /// The field of this column, or a reason against the row.
    pub(super) fn require(&self, column: &str) -> Result<&str, String> {
        self.get(column).ok_or_else(|| format!("no {column}"))
    }

    /// The field of this column as owned text.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        self.get(column).map(str::to_owned)
    }

    /// Whether there is such a column at all.
    pub(super) fn has_column(&self, column: &str) -> bool {
        self.columns.iter().any(|name| same(name, column))
    }

    /// Every field that is not blank, with its column.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns
            .iter()
            .zip(&self.fields)
            .map(|(column, field)| (column.as_str(), field.trim()))
            .filter(|(column, field)| !column.is_empty() && !field.is_empty())
    }
}

/// The header's names as written.
fn names(header: &ByteRecord, file: &Path) -> Result<Vec<String>, ImportError> {
    header
        .iter()
        .map(|name| str::from_utf8(name).map(|name| name.trim().to_owned()))
        .collect::<Result<_, _>>()
        .map_err(|_| ImportError::UnreadableHeader {
            file: file.to_owned(),
        })
}

/// The fields that the columns fill; empty for a column that fills none.
fn columns(names: &[String], file: &Path, mapping: &Mapping) -> Result<Vec<String>, ImportError> {
    let mut columns: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let field = mapping.field(name).unwrap_or_default();
        if !field.is_empty() && columns.iter().any(|column| same(column, field)) {
            let (file, column) = (file.to_owned(), field.to_owned());
            return Err(ImportError::DuplicateColumn { file, column });
        }
        columns.push(field.to_owned());
    }
    Ok(columns)
}

/// With flexible rows of bytes, nothing but reading itself can fail.
fn unreadable(file: &Path, error: csv::Error) -> ImportError {
    ImportError::Unreadable {
        file: file.to_owned(),
        source: error.into(),
    }
}
