//! A folder of Markdown files as knowledge documents.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::csv_rows::visibility;
use super::native::Native;
use super::{Batch, ImportError, Records, Rejection};
use crate::types::{Document, DocumentId, Visibility};

/// Reads every Markdown file in `folder` and below, in order of their paths.
pub(super) fn read_folder(folder: &Path) -> Result<Batch, ImportError> {
    let mut files = Vec::new();
    let mut rejected = Vec::new();
    walk(folder, &mut files, &mut rejected).map_err(|source| ImportError::Unreadable {
        file: folder.to_owned(),
        source,
    })?;
    files.sort();
    let mut documents = Vec::new();
    let mut ids = HashSet::new();
    for file in files {
        match document(folder, &file).and_then(|document| check(document, &mut ids)) {
            Ok(document) => documents.push(document),
            Err(reason) => rejected.push(Rejection {
                file,
                line: None,
                reason,
            }),
        }
    }
    Ok(Batch {
        records: Records::Documents(documents),
        rejected,
        lines: Vec::new(),
    })
}

/// Finds the Markdown files. A folder below that cannot be read is left out with a reason.
fn walk(
    folder: &Path,
    files: &mut Vec<PathBuf>,
    rejected: &mut Vec<Rejection>,
) -> Result<(), io::Error> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Of the entry itself, not of what a link leads to: links could lead in circles.
        let file_type = entry.file_type()?;
        let path = entry.path();
        if file_type.is_dir() {
            if let Err(error) = walk(&path, files, rejected) {
                let reason = format!("cannot be read: {error}");
                rejected.push(Rejection {
                    file: path,
                    line: None,
                    reason,
                });
            }
        } else if file_type.is_file() && is_markdown(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_markdown(file: &Path) -> bool {
    file.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("md") || extension.eq_ignore_ascii_case("markdown")
    })
}

fn document(folder: &Path, file: &Path) -> Result<Document, String> {
    let id = id(folder, file)?;
    let bytes = fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8: save the file as UTF-8")?;
    parse(id, text.trim_start_matches('\u{feff}'))
}

/// `a.markdown` and `a.md` would both be document `a`.
fn check(document: Document, ids: &mut HashSet<DocumentId>) -> Result<Document, String> {
    document.check()?;
    if !ids.insert(document.id.clone()) {
        return Err(format!(
            "id {} is taken by a file of the same name",
            document.id
        ));
    }
    Ok(document)
}

/// The path below `folder` without its extension, with `/` between its parts on every system.
fn id(folder: &Path, file: &Path) -> Result<DocumentId, String> {
    let below = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    let parts: Option<Vec<_>> = below.iter().map(|part| part.to_str()).collect();
    let parts = parts.ok_or("its name is not UTF-8: rename it")?;
    Ok(DocumentId(parts.join("/")))
}

/// A document of this text: front matter, then Markdown.
fn parse(id: DocumentId, text: &str) -> Result<Document, String> {
    let (matter, content) = split_front_matter(text);
    let setting = |key: &str| {
        matter
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| unquoted(value.trim()).to_owned())
            .filter(|value| !value.is_empty())
    };
    let name = id.as_str().rsplit('/').next().unwrap_or_default();
    Ok(Document {
        title: setting("title")
            .or_else(|| first_heading(content).map(str::to_owned))
            .unwrap_or_else(|| name.to_owned()),
        content: content.trim().to_owned(),
        url: setting("url"),
        language: setting("language"),
        visibility: match setting("visibility") {
            Some(word) => visibility(&word)?,
            None => Visibility::default(),
        },
        id,
    })
}

/// The lines between a first line `---` and the next one, and what follows. Without both, all of
/// it is content: `---` also draws a line.
fn split_front_matter(text: &str) -> (&str, &str) {
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| line.trim_end() == "---") else {
        return ("", text);
    };
    let start = first.len();
    let mut end = start;
    for line in lines {
        let after = end + line.len();
        if line.trim_end() == "---" {
            let matter = text.get(start..end).unwrap_or_default();
            return (matter, text.get(after..).unwrap_or_default());
        }
        end = after;
    }
    ("", text)
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

/// The first heading of the first level. In a block of code, `# ` is a comment.
fn first_heading(content: &str) -> Option<&str> {
    let mut in_code = false;
    for line in content.lines() {
        let line = line.trim_end();
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
        } else if let Some(heading) = line.strip_prefix("# ").filter(|_| !in_code) {
            return Some(heading.trim()).filter(|heading| !heading.is_empty());
        }
    }
    None
}
