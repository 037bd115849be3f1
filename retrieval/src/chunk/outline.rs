//! Where a Markdown document may be cut: its sections and tables. All ranges are in bytes.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use text_splitter::{ChunkConfig, MarkdownSplitter};

use super::PassageLength;

/// Where a comment of HTML begins and ends.
const COMMENT: (&str, &str) = ("<!--", "-->");

/// A document without the comments in it, which no reader of its page sees. What is code stays.
pub(super) fn without_comments(content: &str) -> Cow<'_, str> {
    if !content.contains(COMMENT.0) {
        return Cow::Borrowed(content);
    }
    let mut seen = String::with_capacity(content.len());
    let mut read = 0;
    for (event, range) in Parser::new_ext(content, Options::ENABLE_TABLES).into_offset_iter() {
        if !matches!(event, Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_)) {
            continue;
        }
        while let Some(begin) = find(content, COMMENT.0, read.max(range.start)..range.end) {
            seen.push_str(content.get(read..begin).unwrap_or_default());
            let end = find(content, COMMENT.1, begin..range.end);
            read = end.map_or(range.end, |end| end + COMMENT.1.len());
        }
    }
    seen.push_str(content.get(read..).unwrap_or_default());
    Cow::Owned(seen)
}

/// Where `text` begins within a range of the content.
fn find(content: &str, text: &str, range: Range<usize>) -> Option<usize> {
    let found = content.get(range.clone())?.find(text)?;
    Some(range.start + found)
}

/// Where sections and tables lie in a document.
#[derive(Default)]
pub(super) struct Outline {
    sections: Vec<Section>,
    tables: Vec<Table>,
}

#[derive(Default)]
struct Section {
    /// From the heading itself to the next one.
    range: Range<usize>,
    /// Where the text below the heading begins.
    body: usize,
    headings: Vec<String>,
    level: Option<HeadingLevel>,
}

struct Table {
    range: Range<usize>,
    /// Where the first row below the header begins.
    rows: usize,
}

impl Outline {
    /// The document's text, in pieces that are not too long; some are short.
    pub(super) fn pieces(&self, content: &str, length: PassageLength) -> Vec<Piece> {
        let sections = self.sections.iter();
        sections
            .flat_map(|section| section.pieces(content, length))
            .collect()
    }

    pub(super) fn of(content: &str) -> Self {
        let mut outline = Self {
            sections: vec![Section::default()],
            tables: Vec::new(),
        };
        let mut path: Vec<(HeadingLevel, String)> = Vec::new();
        let mut depth = 0_usize;
        let mut heading: Option<(HeadingLevel, String)> = None;
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(content, options).into_offset_iter() {
            match event {
                // A heading inside a quote or a list is part of its text.
                Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                    heading = Some((level, String::new()));
                    depth += 1;
                }
                Event::Start(tag) => {
                    outline.note_table(&tag, &range);
                    depth += 1;
                }
                Event::End(end) => {
                    depth = depth.saturating_sub(1);
                    if let Some((level, text)) =
                        heading.take_if(|_| matches!(end, TagEnd::Heading(_)))
                    {
                        path.retain(|(above, _)| *above < level);
                        path.push((level, text.trim().to_owned()));
                        outline.begin_section(range, level, &path);
                    }
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some((_, heading)) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::InlineMath(_)
                | Event::DisplayMath(_)
                | Event::Html(_)
                | Event::InlineHtml(_)
                | Event::FootnoteReference(_)
                | Event::SoftBreak
                | Event::HardBreak
                | Event::Rule
                | Event::TaskListMarker(_) => {}
            }
        }
        outline.close(content);
        outline
    }

    fn begin_section(
        &mut self,
        heading: Range<usize>,
        level: HeadingLevel,
        path: &[(HeadingLevel, String)],
    ) {
        if let Some(last) = self.sections.last_mut() {
            last.range.end = heading.start;
        }
        self.sections.push(Section {
            range: heading.start..heading.end,
            body: heading.end,
            headings: path.iter().map(|(_, text)| text.clone()).collect(),
            level: Some(level),
        });
    }

    fn note_table(&mut self, tag: &Tag<'_>, range: &Range<usize>) {
        if matches!(tag, Tag::Table(_)) {
            self.tables.push(Table {
                range: range.clone(),
                rows: range.end,
            });
        } else if let Some(table) = self.tables.last_mut()
            && matches!(tag, Tag::TableRow)
        {
            table.rows = table.rows.min(range.start);
        }
    }

    /// Ends the last section and settles which headings stay in the text: one with nothing below
    /// it, not even a subheading, would be lost otherwise.
    fn close(&mut self, content: &str) {
        if let Some(last) = self.sections.last_mut() {
            last.range.end = content.len();
        }
        let next_levels: Vec<_> = self
            .sections
            .iter()
            .skip(1)
            .map(|next| next.level)
            .collect();
        for (place, section) in self.sections.iter_mut().enumerate() {
            let next = next_levels.get(place).copied().flatten();
            let has_subheading = section.level.is_some() && next > section.level;
            if is_blank(content, section.body..section.range.end) && !has_subheading {
                section.body = section.range.start;
            }
        }
    }

    /// The group's slice, under the header of the table that its beginning is in the middle of.
    pub(super) fn text(&self, group: &Piece, content: &str, length: PassageLength) -> String {
        let text = slice(content, group.range.clone());
        let start = group.range.start;
        let table = self
            .tables
            .iter()
            .find(|table| (table.rows..table.range.end).contains(&start));
        let header = table.map_or("", |table| slice(content, table.range.start..table.rows));
        let fits = characters(header) + 1 + characters(text) <= length.most;
        if header.is_empty() || !fits {
            text.to_owned()
        } else {
            format!("{header}\n{text}")
        }
    }
}

/// A passage to be: consecutive text under common headings.
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    /// Where the heading right above begins, for a piece that begins a section.
    pub(super) heading: Option<usize>,
    pub(super) headings: Vec<String>,
}

impl Section {
    /// The section's text, in pieces that are not too long.
    fn pieces(&self, content: &str, length: PassageLength) -> Vec<Piece> {
        let body = slice(content, self.body..self.range.end);
        let start = self.body + offset(content, self.body, body);
        let piece = |place: usize, range| Piece {
            range,
            heading: (place == 0).then_some(self.range.start),
            headings: self.headings.clone(),
        };
        if body.is_empty() {
            return Vec::new();
        }
        if characters(body) <= length.most {
            return vec![piece(0, start..start + body.len())];
        }
        let splitter = splitter(length);
        let cuts = splitter.chunk_indices(body).enumerate();
        cuts.map(|(place, (at, cut))| piece(place, start + at..start + at + cut.len()))
            .collect()
    }
}

fn splitter(length: PassageLength) -> MarkdownSplitter<text_splitter::Characters> {
    let most = length.most.max(1);
    let usual = length.usual.clamp(1, most);
    MarkdownSplitter::new(ChunkConfig::new(usual..=most))
}

/// The text of a range, without white space around it; leading spaces of its first line stay,
/// because they may be a list's indentation.
pub(super) fn slice(content: &str, range: Range<usize>) -> &str {
    let text = content.get(range).unwrap_or_default().trim_end();
    let first_line = text.len() - text.trim_start().len();
    let line_start = text.get(..first_line).and_then(|blank| blank.rfind('\n'));
    text.get(line_start.map_or(0, |newline| newline + 1)..)
        .unwrap_or_default()
}

/// Where `part`, a slice of `content` from `start` on, begins behind `start`.
fn offset(content: &str, start: usize, part: &str) -> usize {
    let from = content.get(start..).unwrap_or_default();
    (part.as_ptr() as usize).saturating_sub(from.as_ptr() as usize)
}

fn is_blank(content: &str, range: Range<usize>) -> bool {
    content.get(range).unwrap_or_default().trim().is_empty()
}

pub(super) fn characters(text: &str) -> usize {
    text.chars().count()
}
