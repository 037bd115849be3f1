//! The text of an HTML body, as far as a person would read it. Nothing of it is run or fetched.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content nobody reads.
const UNREAD: &[&str] = &["script", "style", "title", "template", "svg", "xml"];
/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "article", "aside", "body", "center", "dd", "div", "dl", "dt", "fieldset", "footer", "form",
    "header", "hr", "html", "li", "main", "nav", "ol", "pre", "section", "tr", "ul",
];
/// Elements with a blank line above and below.
const PARAGRAPHS: &[&str] = &[
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "table",
];
/// Attributes by which clients tell a quotation from an indented text.
const QUOTATIONS: &[&str] = &[
    "type=\"cite\"",
    "type='cite'",
    "type=cite",
    "quote",
    "cite=",
];
/// Outlook's name for the header of the original.
const ORIGINAL: &str = "divrplyfwdmsg";

/// The text of `html`, its quotations behind `> `.
pub(super) fn text(html: &str) -> String {
    let mut page = Page::default();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        page.write(before);
        rest = page.tag(tag);
    }
    page.write(rest);
    page.line();
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    /// The line that is being written.
    line: String,
    /// Whether white space came since.
    is_spaced: bool,
    /// The blockquotes that are open: whether each is a quotation.
    quotes: Vec<bool>,
    /// How many elements are open whose white space counts.
    preformatted: usize,
}

impl Page {
    /// Reads the tag that `rest` begins with, behind its `<`, and gives what follows.
    fn tag<'x>(&mut self, rest: &'x str) -> &'x str {
        if let Some(comment) = rest.strip_prefix("!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        if rest.starts_with(['!', '?']) {
            return rest.split_once('>').map_or("", |(_, rest)| rest);
        }
        let (is_end, named) = match rest.strip_prefix('/') {
            Some(named) => (true, named),
            None => (false, rest),
        };
        let end = named.find(|letter: char| !letter.is_ascii_alphanumeric());
        let (name, behind) = named.split_at(end.unwrap_or(named.len()));
        if name.is_empty() {
            self.write("&lt;"); // No tag: somebody writes of less.
            return rest;
        }
        let name = name.to_ascii_lowercase();
        let (attributes, rest) = attributes(behind);
        if !is_end && UNREAD.contains(&name.as_str()) && !attributes.ends_with('/') {
            return behind_element(rest, &name);
        }
        self.element(&name, attributes, is_end);
        rest
    }

    fn element(&mut self, name: &str, attributes: &str, is_end: bool) {
        match name {
            "br" => self.end_line(),
            "td" | "th" => self.is_spaced = true,
            "blockquote" => {
                self.paragraph();
                if is_end {
                    self.quotes.pop();
                } else {
                    let attributes = attributes.to_ascii_lowercase();
                    let is_quotation = QUOTATIONS.iter().any(|mark| attributes.contains(mark));
                    self.quotes.push(is_quotation);
                }
            }
            _ if PARAGRAPHS.contains(&name) => self.paragraph(),
            _ if BLOCKS.contains(&name) => {
                self.line();
                match (name, is_end) {
                    ("li", false) => self.line.push_str("- "),
                    ("pre", false) => self.preformatted += 1,
                    ("pre", true) => self.preformatted = self.preformatted.saturating_sub(1),
                    ("div", false) if attributes.to_ascii_lowercase().contains(ORIGINAL) => {
                        self.line.push_str("-----Original Message-----");
                        self.line();
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Writes text between tags, with its entities.
    fn write(&mut self, text: &str) {
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let (token, behind) = token(rest, letter);
            rest = behind;
            match letter {
                '\n' if self.preformatted > 0 => self.end_line(),
                ' ' | '\t' if self.preformatted > 0 => self.line.push(letter),
                _ if letter.is_whitespace() && letter != '\u{a0}' => self.is_spaced = true,
                _ => {
                    if self.is_spaced && !self.line.is_empty() {
                        self.line.push(' ');
                    }
                    self.is_spaced = false;
                    add_html_token(&mut self.line, token.as_bytes(), false);
                }
            }
        }
    }

    /// Ends the line, if there is one.
    fn line(&mut self) {
        if !self.line.trim().is_empty() {
            self.end_line();
        }
        self.line.clear();
        self.is_spaced = false;
    }

    fn end_line(&mut self) {
        let quoted = self.quotes.iter().filter(|quoted| **quoted).count();
        self.text
            .extend(std::iter::repeat_n("> ", quoted.min(MOST_MARKS)));
        let line = std::mem::take(&mut self.line).replace('\u{a0}', " ");
        // The mark of a signature ends in a space.
        self.text.push_str(if line == "-- " {
            &line
        } else {
            line.trim_end()
        });
        self.text.push('\n');
        self.is_spaced = false;
    }

    fn paragraph(&mut self) {
        self.line();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }
}

/// How many marks a line has at most, however often it was quoted.
const MOST_MARKS: usize = 8;

/// An entity, or one letter, and what follows.
fn token(text: &str, letter: char) -> (&str, &str) {
    const LONGEST: usize = 32;
    let entity = match letter {
        '&' => text.bytes().take(LONGEST).position(|byte| byte == b';'),
        _ => None,
    };
    let inner = |end: usize| text.get(1..end).unwrap_or_default();
    let is_entity = |end: &usize| {
        let mut letters = inner(*end).chars();
        letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '#')
    };
    let end = entity.filter(is_entity).map(|end| end + 1);
    text.split_at(end.unwrap_or(letter.len_utf8()))
}

/// The attributes of a tag, and what follows it: a `>` between quotation marks does not end it.
fn attributes(tag: &str) -> (&str, &str) {
    let mut open = None;
    let mut is_value = false;
    for (at, letter) in tag.char_indices() {
        match (open, letter) {
            (None, '>') => {
                let (attributes, rest) = tag.split_at(at);
                return (attributes, rest.get(1..).unwrap_or_default());
            }
            (None, '"' | '\'') if is_value => open = Some(letter),
            (Some(mark), letter) if mark == letter => open = None,
            _ => {}
        }
        is_value = letter == '=' || (is_value && letter.is_whitespace());
    }
    (tag, "")
}

/// What follows the element `name` whose content begins with `rest`.
fn behind_element<'x>(rest: &'x str, name: &str) -> &'x str {
    let mut rest = rest;
    while let Some((_, tag)) = rest.split_once("</") {
        rest = tag;
        let end = tag.get(..name.len()).unwrap_or_default();
        if end.eq_ignore_ascii_case(name) {
            return tag.split_once('>').map_or("", |(_, rest)| rest);
        }
    }
    ""
}
