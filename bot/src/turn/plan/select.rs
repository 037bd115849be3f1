//! Of the passages found, what may be read by the model and quoted to a customer.

use std::collections::HashSet;

use guard::has_placeholder;
use language::{Pack, Packs};

use crate::audience::Source;
use crate::facts::{Fact, FactKind};
use crate::library::Hit;

/// Sources shown under a reply at most.
const MOST_SOURCES: usize = 3;
/// Longest excerpt shown at once, in characters.
const EXCERPT_CHARS: usize = 320;

/// A block of a passage.
struct Block {
    /// Its place in the passage.
    place: usize,
    /// Its lines, each with its similarity to the question.
    lines: Vec<(String, f32)>,
}

impl Block {
    fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|(line, _)| line.as_str()).collect();
        lines.join("\n")
    }

    fn similarity(&self) -> f32 {
        let lines = self.lines.iter().map(|(_, similarity)| *similarity);
        lines.fold(-1.0, f32::max)
    }
}

/// The passages as facts, in their order, each block once. They are in the language of `pack`; a hole may have
/// been left in any of `packs`.
pub(super) fn facts(hits: &[Hit], pack: &Pack, packs: &Packs) -> Vec<Fact> {
    let mut known = HashSet::new();
    let of_hit = |hit: &Hit| {
        let mut blocks = blocks(hit, pack, packs);
        blocks.retain(|block| known.insert(block.text()));
        fact(hit, &blocks)
    };
    hits.iter().filter_map(of_hit).collect()
}

/// Makes the similarity of each line the mean of its own and its document's, for which two passages
/// speak: of two lines alike, the one whose page is about the question answers it.
pub(super) fn weigh_by_document(hits: &mut [Hit]) {
    let farthest = hits.iter().map(|hit| hit.similarity).fold(1.0, f32::min);
    let of_document = |document: &str| {
        let own = hits.iter().filter(|hit| hit.document == document);
        let mut best: Vec<f32> = own.map(|hit| hit.similarity).collect();
        best.sort_by(|a, b| b.total_cmp(a));
        // Another passage of the document is at most as near as the farthest one found.
        let second = best.get(1).copied().unwrap_or(farthest);
        (best.first().copied().unwrap_or(farthest) + second) / 2.0
    };
    let documents: Vec<f32> = hits.iter().map(|hit| of_document(&hit.document)).collect();
    for (hit, document) in hits.iter_mut().zip(documents) {
        let lines = hit.blocks.iter_mut().flat_map(|block| &mut block.lines);
        lines.for_each(|line| *line = (*line + document) / 2.0);
    }
}

/// The blocks of the hit that are nearest to the question, in order, short enough to be read at a glance.
pub(super) fn excerpt(hit: &Hit, pack: &Pack, packs: &Packs) -> String {
    let mut blocks = blocks(hit, pack, packs);
    blocks.sort_by(|a, b| b.similarity().total_cmp(&a.similarity()));
    let mut spent = 0;
    let mut is_first = true;
    blocks.retain(|block| {
        let cost = block.text().chars().count();
        let fits = std::mem::take(&mut is_first) || spent + cost <= EXCERPT_CHARS;
        spent += if fits { cost } else { 0 };
        fits
    });
    blocks.sort_by_key(|block| block.place);
    fact(hit, &blocks).map_or_else(String::new, |fact| fact.prose())
}

/// The documents that the facts come from, for customers' eyes.
pub(super) fn sources(facts: &[Fact]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for source in facts
        .iter()
        .filter(|fact| !fact.internal)
        .filter_map(Fact::as_source)
    {
        if !sources.iter().any(|known| known.id == source.id) {
            sources.push(source);
        }
    }
    sources.truncate(MOST_SOURCES);
    sources
}

fn blocks(hit: &Hit, pack: &Pack, packs: &Packs) -> Vec<Block> {
    let blocks = hit.blocks.iter().enumerate().map(|(place, near)| {
        let lines = near.block.text.lines().zip(&near.lines);
        let lines = lines.map(|(line, similarity)| (sayable(line, pack, packs), *similarity));
        let lines = lines.filter(|(line, _)| !line.is_empty()).collect();
        Block { place, lines }
    });
    blocks.filter(|block| !block.lines.is_empty()).collect()
}

fn fact(hit: &Hit, blocks: &[Block]) -> Option<Fact> {
    let texts: Vec<String> = blocks.iter().map(Block::text).collect();
    let lines = blocks.iter().flat_map(|block| &block.lines);
    let lines: Vec<f32> = lines.map(|(_, similarity)| *similarity).collect();
    (!texts.is_empty()).then(|| Fact {
        kind: FactKind::Knowledge,
        source: hit.document.clone(),
        title: hit.title.clone(),
        url: hit.url.clone(),
        text: texts.join("\n"),
        similarity: Some(lines.iter().copied().fold(hit.similarity, f32::max)),
        lines,
        internal: hit.internal,
    })
}

/// A line without the sentences that are nothing for a customer, or have a hole in them.
fn sayable(line: &str, pack: &Pack, packs: &Packs) -> String {
    let is_sayable =
        |sentence: &String| !names_a_tool(sentence) && !has_placeholder(packs, sentence);
    if is_sayable(&line.to_owned()) {
        return line.to_owned();
    }
    let sentences = pack.boundaries().split(line).into_iter();
    sentences.filter(is_sayable).collect()
}

/// Internal procedures name tools and codes (`open_account_4821`): nothing for a customer.
fn names_a_tool(sentence: &str) -> bool {
    sentence
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|word| {
            let parts = word.split('_').filter(|part| !part.is_empty()).count();
            let is_code = word.len() >= 12
                && word.chars().any(|c| c.is_ascii_digit())
                && word.chars().any(|c| c.is_ascii_uppercase())
                && !word.chars().any(|c| c.is_ascii_lowercase());
            parts >= 2 && word.contains('_') && word.chars().any(|c| c.is_ascii_lowercase())
                || is_code
        })
}

#[cfg(test)]
mod tests {
    use language::sentences::Boundaries;
    use retrieval::NearBlock;

    use super::*;
    use crate::prompts::Prompts;

    fn select(hits: &[Hit]) -> Vec<Fact> {
        let prompts = Prompts::builtin().unwrap();
        facts(hits, prompts.own_pack(), prompts.packs())
    }

    fn hit(document: &str, title: &str, text: &str) -> Hit {
        Hit {
            document: document.into(),
            ordinal: 0,
            title: title.into(),
            text: text.into(),
            blocks: retrieval::blocks(text, &Boundaries::default())
                .into_iter()
                .map(|block| NearBlock {
                    lines: vec![0.6; block.text.lines().count()],
                    block,
                })
                .collect(),
            url: None,
            internal: false,
            language: "en".into(),
            similarity: 0.6,
        }
    }

    #[test]
    fn an_excerpt_is_short_and_keeps_what_is_nearest() {
        let far = "The reply card is blue, and the card is printed on paper. ".repeat(6);
        let text = format!("{far}\n\nWe take Visa and Mastercard, credit or debit.");
        let mut near = hit("p", "Paying", &text);
        let others = near.blocks.iter_mut();
        let others = others.filter(|near| near.block.text.contains("card is"));
        others.for_each(|near| near.lines.fill(0.1));
        let prompts = Prompts::builtin().unwrap();
        let excerpt = excerpt(&near, prompts.own_pack(), prompts.packs());
        assert!(excerpt.chars().count() <= EXCERPT_CHARS, "{excerpt}");
        let nearest = "We take Visa and Mastercard, credit or debit.";
        assert!(excerpt.ends_with(nearest), "{excerpt}");
    }

    #[test]
    fn a_block_that_two_passages_share_is_given_once() {
        let text = "You have 30 days to send things back.";
        let more = format!("{text}\n\nA gift comes back with its card.");
        let facts = select(&[hit("a", "Returns", text), hit("b", "Gifts", &more)]);
        let texts: Vec<&str> = facts.iter().map(|fact| fact.text.as_str()).collect();
        assert_eq!(texts, [text, "A gift comes back with its card."]);
        assert_eq!(facts[1].lines, [0.6]);
    }

    #[test]
    fn a_small_table_stays_whole_though_one_row_is_asked_for() {
        let table = "## Standard delivery\n\n| Where to | Price |\n| --- | --- |\n| Ireland | €4.90 |\n| Rest of the Union | €6.90 |";
        let facts = select(&[hit("d", "Delivery", table)]);
        assert!(facts[0].text.contains("Ireland: Price €4.90"), "{facts:?}");
        assert!(
            facts[0].text.contains("Rest of the Union: Price €6.90"),
            "{facts:?}"
        );
    }

    #[test]
    fn tools_of_internal_procedures_never_leave() {
        let text = "Use open_account_4821 now. The customer must be 18.";
        let hits = [Hit {
            internal: true,
            ..hit("i", "Opening", text)
        }];
        let facts = select(&hits);
        assert_eq!(facts[0].text, "The customer must be 18.");
        assert!(
            sources(&facts).is_empty(),
            "an internal document is not shown as a source"
        );
    }
}
