//! Documents into passages: pieces short enough to quote, long enough to stand alone.
//!
//! A document is cut at its headings. A section too long is cut further where Markdown allows,
//! between blocks before sentences before words; a section too short joins its neighbour. Nothing
//! is lost, invented or reordered: a passage's text is a slice of the document, except that a
//! table's header is repeated where the table goes on, and that comments are left out. Lengths are
//! in characters.

mod blocks;
mod outline;

use serde::{Deserialize, Serialize};

pub use blocks::{Block, blocks};
use outline::{Outline, Piece, characters, slice, without_comments};

/// Something to be known: an article, a policy, a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Unique among all documents; indexing it again replaces the old one.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// Markdown, or plain text.
    pub content: String,
    /// Where a customer can read it.
    #[serde(default)]
    pub url: Option<String>,
    /// BCP 47 tag, such as `en`.
    #[serde(default)]
    pub language: String,
    /// Whether it is the company's own business, and not to be shown.
    #[serde(default)]
    pub internal: bool,
}

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Id of its document.
    pub document: String,
    /// Its place in the document, from 0.
    pub ordinal: u32,
    /// Title of the document.
    pub title: String,
    /// The headings above it, outermost first, without the title.
    pub headings: Vec<String>,
    /// Markdown.
    pub text: String,
    /// Where a customer can read the document.
    pub url: Option<String>,
    /// BCP 47 tag.
    pub language: String,
    /// Whether the document is the company's own business, and not to be shown.
    #[serde(default)]
    pub internal: bool,
}

impl Passage {
    /// What the passage is about: its title and headings.
    #[must_use]
    pub fn topic(&self) -> String {
        let mut topic = self.title.clone();
        for heading in &self.headings {
            topic.push_str(" > ");
            topic.push_str(heading);
        }
        topic
    }

    /// The passage with its topic, as the encoder and BM25 read it.
    #[must_use]
    pub fn in_context(&self) -> String {
        format!("{}: {}", self.topic(), self.text)
    }
}

/// How long passages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassageLength {
    /// A passage shorter than this joins its neighbour where both fit into one.
    pub least: usize,
    /// Where a long section is cut, pieces get about this long.
    pub usual: usize,
    /// No passage is longer.
    pub most: usize,
}

impl Default for PassageLength {
    fn default() -> Self {
        Self {
            least: 200,
            usual: 500,
            most: 900,
        }
    }
}

/// Cuts a document into passages of the usual length. One without text has none.
#[must_use]
pub fn chunk(document: &Document) -> Vec<Passage> {
    chunk_to(document, PassageLength::default())
}

/// Cuts a document into passages of a given length.
#[must_use]
pub fn chunk_to(document: &Document, length: PassageLength) -> Vec<Passage> {
    let content = without_comments(&document.content);
    let outline = Outline::of(&content);
    let pieces = outline.pieces(&content, length);
    let groups = join_short(pieces, &content, length);
    let passages = groups
        .into_iter()
        .enumerate()
        .map(|(place, group)| Passage {
            document: document.id.clone(),
            ordinal: u32::try_from(place).unwrap_or(u32::MAX),
            title: document.title.clone(),
            text: outline.text(&group, &content, length),
            headings: without_title(group.headings, &document.title),
            url: document.url.clone(),
            language: document.language.clone(),
            internal: document.internal,
        });
    passages.collect()
}

/// Many documents repeat their title as the first heading.
fn without_title(mut headings: Vec<String>, title: &str) -> Vec<String> {
    if headings
        .first()
        .is_some_and(|first| first.trim() == title.trim())
    {
        headings.remove(0);
    }
    headings
}

/// Joins a short piece with the one before it, or that with it, where both fit into one passage.
fn join_short(pieces: Vec<Piece>, content: &str, length: PassageLength) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let short = |piece: &Piece| characters(slice(content, piece.range.clone())) < length.least;
        let together = joined
            .last()
            .filter(|last| short(last) || short(&piece))
            .map(|last| join(last, &piece))
            .filter(|both| characters(slice(content, both.range.clone())) <= length.most);
        match (together, joined.last_mut()) {
            (Some(both), Some(last)) => *last = both,
            (Some(_) | None, _) => joined.push(piece),
        }
    }
    joined
}

/// Under the headings common to both; the first one's own heading comes back into the text where
/// it is not among them.
fn join(first: &Piece, second: &Piece) -> Piece {
    let pairs = first.headings.iter().zip(&second.headings);
    let common: Vec<String> = pairs
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one.clone())
        .collect();
    let above = first
        .heading
        .filter(|_| common.len() < first.headings.len());
    Piece {
        range: above.unwrap_or(first.range.start)..second.range.end,
        heading: first.heading,
        headings: common,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(content: &str) -> Document {
        Document {
            id: "fees".to_owned(),
            title: "Fees".to_owned(),
            content: content.to_owned(),
            ..Document::default()
        }
    }

    fn texts(content: &str) -> Vec<String> {
        chunk(&document(content))
            .into_iter()
            .map(|passage| passage.text)
            .collect()
    }

    fn sentences(count: usize) -> String {
        (0..count)
            .map(|number| format!("This is the sentence number {number} of many. "))
            .collect()
    }

    #[test]
    fn what_no_reader_of_the_page_sees_is_no_part_of_it() {
        let content = "Thirty days.<!-- Ask for the card. --> Free of charge.\n\n\
                       <!--\nSay nothing\n\n## of this.\n-->\n\nWrite `<!-- so -->`.\n\n<!-- to the end";
        assert_eq!(
            texts(content),
            ["Thirty days. Free of charge.\n\n\n\nWrite `<!-- so -->`."]
        );
    }

    #[test]
    fn sections_become_passages_under_their_headings() {
        let body = sentences(8);
        let content =
            format!("# Fees\n\n{body}\n\n## Cards\n\n### Gold `card`\n{body}\n## Loans\n{body}");
        let passages = chunk(&document(&content));
        let headings: Vec<String> = passages.iter().map(Passage::topic).collect();
        assert_eq!(
            headings,
            ["Fees", "Fees > Cards > Gold card", "Fees > Loans"]
        );
        assert!(
            passages.iter().all(|passage| passage.text == body.trim()),
            "{passages:#?}"
        );
        assert_eq!(
            passages
                .iter()
                .map(|passage| passage.ordinal)
                .collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(
            passages[1].in_context(),
            format!("Fees > Cards > Gold card: {}", body.trim())
        );
    }

    #[test]
    fn short_sections_join_and_keep_their_headings_in_the_text() {
        let passages = chunk(&document(
            "## Monthly\n$5 a month.\n\n## Yearly\n$50 a year.",
        ));
        assert_eq!(passages.len(), 1);
        assert_eq!(passages[0].headings, Vec::<String>::new());
        assert_eq!(
            passages[0].text,
            "## Monthly\n$5 a month.\n\n## Yearly\n$50 a year."
        );
    }

    #[test]
    fn a_long_section_is_cut_between_sentences() {
        let pieces = texts(&sentences(60));
        assert!(pieces.len() >= 3, "{}", pieces.len());
        for piece in &pieces {
            assert!(
                piece.starts_with("This is") && piece.ends_with("many."),
                "{piece:?}"
            );
        }
    }

    #[test]
    fn a_table_that_goes_on_in_another_passage_repeats_its_header() {
        let rows: String = (0..60)
            .map(|row| format!("| Card {row} | {row} dollars |\n"))
            .collect();
        let pieces = texts(&format!(
            "Fees by card:\n\n| Card | Fee |\n| --- | --- |\n{rows}"
        ));
        assert!(pieces.len() > 1);
        for piece in &pieces[1..] {
            assert!(
                piece.starts_with("| Card | Fee |\n| --- | --- |\n| Card "),
                "{piece}"
            );
            assert!(piece.ends_with('|'), "{piece}");
        }
    }

    #[test]
    fn a_heading_in_a_quote_is_text() {
        assert_eq!(
            texts("> # Not a heading\n> of ours"),
            ["> # Not a heading\n> of ours"]
        );
    }

    #[test]
    fn a_heading_with_nothing_below_stays_in_the_text() {
        assert_eq!(texts("# Closed on Sundays"), ["# Closed on Sundays"]);
    }

    #[test]
    fn a_document_without_text_has_no_passages() {
        assert!(texts("").is_empty());
        assert!(texts(" \n\t\n").is_empty());
    }

    fn characters_of(text: &str) -> Vec<char> {
        text.chars()
            .filter(|character| !character.is_whitespace())
            .collect()
    }

    fn is_subsequence(part: &[char], whole: &[char]) -> bool {
        let mut rest = whole.iter();
        part.iter().all(|wanted| rest.any(|found| found == wanted))
    }

    fn passages_hold(content: &str, body: &str) -> Result<(), TestCaseError> {
        let length = PassageLength::default();
        let passages = texts(content);
        for text in &passages {
            prop_assert!(
                characters(text) <= length.most,
                "{} characters",
                characters(text)
            );
            prop_assert!(!text.trim().is_empty());
        }
        let together = characters_of(&passages.concat());
        prop_assert!(
            is_subsequence(&characters_of(body), &together),
            "text is missing"
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn no_text_is_lost_or_reordered_and_no_passage_is_too_long(
            sections in proptest::collection::vec(("[A-Z][a-z]{0,9}", 1..6_usize, "(?s).{0,900}"), 0..6),
        ) {
            // Without what Markdown reads as a heading, so that the body is known.
            let plain = |text: &str| text.replace(['#', '=', '-'], "x");
            let mut content = String::new();
            let mut body = String::new();
            for (heading, level, text) in &sections {
                let text = plain(text);
                content.push_str(&format!("{} {heading}\n\n{text}\n\n", "#".repeat(*level)));
                body.push_str(&text);
            }
            passages_hold(&content, &body)?;
        }

        #[test]
        fn any_text_at_all_is_cut_without_panic_and_only_headings_leave_it(content in "(?s).{0,2500}") {
            passages_hold(&content, "")?;
            let without_tables = content.replace('|', "x");
            let together = characters_of(&texts(&without_tables).concat());
            prop_assert!(is_subsequence(&together, &characters_of(&without_tables)), "invented text");
        }

        #[test]
        fn any_markdown_is_cut_without_panic(
            lines in proptest::collection::vec("(#{1,6} |> |[*] |  - |[|] a [|] b [|]|[|]---[|]---[|]|```|===|---|1. )?[a-z 退款。*_`]{0,40}", 0..80),
        ) {
            passages_hold(&lines.join("\n"), "")?;
        }
    }
}
