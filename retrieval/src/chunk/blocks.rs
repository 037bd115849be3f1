//! Cuts a passage of Markdown into the pieces that make sense alone: a table's row needs its header,
//! a list's item its lead, and "Nothing." its heading.

use language::sentences::Boundaries;
use serde::{Deserialize, Serialize};

/// Longest paragraph, list and table that stay whole, in characters.
const PARAGRAPH: usize = 240;
const LIST: usize = 300;
/// What an item may end with that parts it from the next.
const ITEM_ENDS: [char; 4] = [',', ';', '，', '；'];
const TABLE: usize = 500;
/// Longest line that leads a list or a table.
const LEAD: usize = 120;

/// A piece of a passage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its words, without Markdown's signs; a table's rows are lines.
    pub text: String,
    /// The heading that it stands under within the passage; empty when there is none.
    pub heading: String,
}

/// The blocks of `markdown`, in order; a long paragraph's sentences end as `boundaries` has it.
#[must_use]
pub fn blocks(markdown: &str, boundaries: &Boundaries) -> Vec<Block> {
    let mut cutter = Cutter {
        boundaries: boundaries.clone(),
        ..Cutter::default()
    };
    for line in markdown.lines() {
        cutter.line(line);
    }
    cutter.flush();
    cutter.blocks
}

/// What the lines before belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Paragraph,
    List,
    Table,
}

#[derive(Debug, Default)]
struct Cutter {
    boundaries: Boundaries,
    blocks: Vec<Block>,
    heading: String,
    /// Whether a block has been cut under the heading.
    opened: bool,
    /// A paragraph's last line that ends in a colon, kept for the list or table that it leads.
    lead: String,
    kind: Kind,
    lines: Vec<String>,
}

impl Cutter {
    fn line(&mut self, line: &str) {
        let bare = line.trim();
        if bare.starts_with('#') {
            self.flush();
            self.lead.clear();
            self.heading = plain(bare.trim_start_matches('#'));
            self.opened = false;
        } else if bare.is_empty() {
            // A blank line ends a paragraph; lists may be spaced out.
            if self.kind == Kind::Paragraph {
                self.flush();
            }
        } else if bare.starts_with('|') {
            self.go_on(Kind::Table, bare.to_owned());
        } else if let Some(item) = list_item(bare) {
            self.go_on(Kind::List, plain(item));
        } else if self.kind == Kind::List && line.starts_with("  ") {
            self.append(&plain(bare));
        } else {
            self.go_on(Kind::Paragraph, plain(bare));
        }
    }

    fn go_on(&mut self, kind: Kind, line: String) {
        if self.kind != kind {
            self.flush();
            self.kind = kind;
        }
        self.lines.push(line);
    }

    fn append(&mut self, words: &str) {
        if let Some(last) = self.lines.last_mut() {
            last.push(' ');
            last.push_str(words);
        }
    }

    /// Cuts the blocks of the lines gathered.
    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        match self.kind {
            Kind::Paragraph => self.paragraph(&lines.join(" ")),
            Kind::List => {
                let item = |item: &String| item.trim().trim_end_matches(ITEM_ENDS).to_owned();
                self.group(lines.iter().map(item).collect(), "; ", LIST);
            }
            Kind::Table => self.group(rows(&lines), "\n", TABLE),
        }
        self.kind = Kind::Paragraph;
    }

    fn paragraph(&mut self, text: &str) {
        let leads = text.ends_with(':') && text.chars().count() <= LEAD;
        let text = &join(&std::mem::take(&mut self.lead), text);
        if leads {
            self.lead.clone_from(text);
        } else if text.chars().count() <= PARAGRAPH {
            self.push(text);
        } else {
            for sentence in self.boundaries.split(text) {
                self.push(&sentence);
            }
        }
    }

    /// Items with what leads them: together where that is short, else one by one.
    fn group(&mut self, items: Vec<String>, between: &str, most: usize) {
        let lead = std::mem::take(&mut self.lead);
        let together = items.join(between);
        if together.chars().count() <= most {
            self.push(&join(&lead, &together));
        } else {
            for item in items {
                self.push(&join(&lead, &item));
            }
        }
    }

    fn push(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let first = !std::mem::replace(&mut self.opened, true);
        let text = if first && !self.heading.is_empty() {
            format!("{}: {text}", self.heading)
        } else {
            text.to_owned()
        };
        self.blocks.push(Block {
            text,
            heading: self.heading.clone(),
        });
    }
}

fn join(lead: &str, rest: &str) -> String {
    format!("{lead} {rest}").trim().to_owned()
}

/// The words of a list's item; `None` for another line.
fn list_item(line: &str) -> Option<&str> {
    let bullet = line
        .strip_prefix("- ")
        .or_else(|| line.strip_prefix("* "))
        .or_else(|| line.strip_prefix("• "));
    bullet.or_else(|| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let numbered = rest.len() < line.len() && line.len() - rest.len() <= 2;
        rest.strip_prefix(". ").filter(|_| numbered)
    })
}

/// The rows of a table, each with the names of its columns: `Ireland: Price €4.90, Time 2 days`.
/// Without a rule under the first row there are no names, and rows are told as they stand.
fn rows(lines: &[String]) -> Vec<String> {
    let table: Vec<Vec<String>> = lines.iter().map(|line| cells(line)).collect();
    match table.as_slice() {
        [header, rule, rows @ ..] if is_rule(rule) && !rows.is_empty() => {
            rows.iter().map(|row| named_row(header, row)).collect()
        }
        rows => {
            let told = rows.iter().filter(|row| !is_rule(row));
            told.map(|row| row.join(", ")).collect()
        }
    }
}

fn is_rule(row: &[String]) -> bool {
    row.iter()
        .all(|cell| cell.trim_matches(['-', ':']).is_empty())
}

fn named_row(header: &[String], row: &[String]) -> String {
    let values: Vec<String> = header
        .iter()
        .zip(row)
        .skip(1)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name} {value}").trim().to_owned())
        .collect();
    let first = [header.first(), row.first()];
    let first: Vec<&str> = first.into_iter().flatten().map(String::as_str).collect();
    let first = first.join(" ").trim().to_owned();
    if values.is_empty() {
        first
    } else {
        format!("{first}: {}", values.join(", "))
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim()
        .trim_matches('|')
        .split('|')
        .map(plain)
        .collect()
}

/// Emphasis is for the eye; the model and the guard read words.
fn plain(text: &str) -> String {
    text.replace("**", "").replace('`', "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(markdown: &str) -> Vec<String> {
        blocks(markdown, &Boundaries::default())
            .into_iter()
            .map(|block| block.text)
            .collect()
    }

    #[test]
    fn items_do_not_keep_the_commas_that_part_them() {
        let list = "Send us:\n\n- the order number,\n- one photograph;\n- a word or two.";
        assert_eq!(
            texts(list),
            ["Send us: the order number; one photograph; a word or two."]
        );
    }

    #[test]
    fn a_row_is_told_with_the_names_of_its_columns() {
        let table = "## Delivery\n\n| Where to | Price | Time |\n| --- | ---: | --- |\n| Ireland | €4.90 | 2 to 4 days |\n| Norway | €9.90 | 5 to 8 days |";
        assert_eq!(
            texts(table),
            [
                "Delivery: Where to Ireland: Price €4.90, Time 2 to 4 days\nWhere to Norway: Price €9.90, Time 5 to 8 days"
            ]
        );
    }

    #[test]
    fn a_list_goes_with_its_lead() {
        let list = "You can pay with:\n\n- Visa\n- **Mastercard**\n  and Maestro\n\nNever in cash.";
        assert_eq!(
            texts(list),
            [
                "You can pay with: Visa; Mastercard and Maestro",
                "Never in cash."
            ]
        );
    }

    #[test]
    fn a_long_list_is_cut_and_each_item_keeps_the_lead() {
        let item = "word ".repeat(30);
        let list = format!("The steps:\n1. {item}\n2. {item}\n3. {item}");
        let blocks = texts(&list);
        assert_eq!(blocks.len(), 3);
        assert!(
            blocks
                .iter()
                .all(|block| block.starts_with("The steps: word"))
        );
    }

    #[test]
    fn a_word_under_a_heading_is_told_with_it() {
        let markdown = "## What it costs\n\nNothing.\n\nReally.";
        let blocks = blocks(markdown, &Boundaries::default());
        assert_eq!(blocks[0].text, "What it costs: Nothing.");
        assert_eq!(blocks[1].text, "Really.");
        assert_eq!(blocks[1].heading, "What it costs");
    }

    #[test]
    fn a_long_paragraph_is_cut_into_sentences() {
        let text = "This sentence has some forty characters. ".repeat(8);
        assert_eq!(texts(&text).len(), 8);
    }

    proptest! {
        #[test]
        fn no_word_is_lost(lines in proptest::collection::vec("(- |## |\\| |1\\. |)[a-z]{1,8}( [a-z]{1,8}){0,6}", 0..12)) {
            let markdown = lines.join("\n");
            let all = texts(&markdown).join(" ");
            let words = |text: &str| {
                let mut words: Vec<String> = text
                    .split(|c: char| !c.is_ascii_alphabetic())
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect();
                words.sort();
                words.dedup();
                words
            };
            // Headings with nothing under them, and a lead that leads nothing, may go.
            let kept = words(&all);
            let body: Vec<&String> = lines.iter().filter(|line| !line.starts_with('#')).collect();
            for line in body {
                for word in words(line) {
                    prop_assert!(kept.contains(&word), "{word} of {line} is lost: {all}");
                }
            }
        }
    }
}
