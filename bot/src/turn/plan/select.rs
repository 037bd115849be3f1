//! The fewest words of facts that keep the answer in: blocks of the passages found, chosen by how near
//! they are to the question in meaning. On two cores every hundred tokens
//! of prompt cost a second.

use guard::has_placeholder;
use language::{Pack, Packs};

use crate::audience::Source;
use crate::facts::{Fact, FactKind};
use crate::library::Hit;

/// Sources shown under a reply at most.
const MOST_SOURCES: usize = 3;
/// Longest excerpt shown at once, in characters.
const EXCERPT_CHARS: usize = 320;

/// What facts are selected for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection<'a> {
    /// Characters to spend.
    pub(super) budget: usize,
    /// The language of the pages.
    pub(super) pack: &'a Pack,
    /// All languages, any of which may have left a hole.
    pub(super) packs: &'a Packs,
}

struct Candidate {
    hit: usize,
    position: usize,
    /// Its lines, each with its similarity to the question.
    lines: Vec<(String, f32)>,
    text: String,
    similarity: f32,
}

/// The blocks of `hits` that belong to the question, joined by passage, the document of the best
/// block first.
pub(super) fn facts(hits: &[Hit], selection: &Selection<'_>) -> Vec<Fact> {
    let mut candidates = candidates(hits, selection);
    candidates.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    let mut chosen: Vec<Candidate> = Vec::new();
    let mut spent = 0;
    for candidate in candidates {
        let cost = candidate.text.chars().count();
        let repeats = chosen.iter().any(|known| known.text == candidate.text);
        if repeats || (spent + cost > selection.budget && !chosen.is_empty()) {
            continue;
        }
        spent += cost;
        chosen.push(candidate);
    }
    // The document of what was chosen first comes first, for a small model begins with it and may go
    // no further; within a document its author's order is the one that makes sense.
    let document = |candidate: &Candidate| hits.get(candidate.hit).map(|hit| &hit.document);
    let order: Vec<_> = chosen.iter().map(document).collect();
    chosen.sort_by_cached_key(|candidate| {
        let document = document(candidate);
        let rank = order.iter().position(|known| *known == document);
        let ordinal = hits.get(candidate.hit).map(|hit| hit.ordinal);
        (rank, ordinal, candidate.hit, candidate.position)
    });
    join(hits, &chosen)
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

/// The blocks of the hit that answer best, in order, short enough to be read at a glance.
pub(super) fn excerpt(hit: &Hit, pack: &Pack, packs: &Packs) -> String {
    let selection = Selection {
        budget: EXCERPT_CHARS,
        pack,
        packs,
    };
    let facts = facts(std::slice::from_ref(hit), &selection);
    facts
        .into_iter()
        .next()
        .map(|fact| fact.prose())
        .unwrap_or_default()
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

fn candidates(hits: &[Hit], selection: &Selection<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (hit, found) in hits.iter().enumerate() {
        for (position, near) in found.blocks.iter().enumerate() {
            let lines = near.block.text.lines().zip(&near.lines);
            let lines = lines.map(|(line, similarity)| (sayable(line, selection), *similarity));
            let lines: Vec<(String, f32)> = lines.filter(|(line, _)| !line.is_empty()).collect();
            if lines.is_empty() {
                continue;
            }
            let texts: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
            all.push(Candidate {
                hit,
                position,
                text: texts.join("\n"),
                similarity: lines.iter().map(|(_, near)| *near).fold(-1.0, f32::max),
                lines,
            });
        }
    }
    all
}

fn join(hits: &[Hit], chosen: &[Candidate]) -> Vec<Fact> {
    let mut facts: Vec<(usize, Fact)> = Vec::new();
    for candidate in chosen {
        match facts.last_mut() {
            Some((hit, fact)) if *hit == candidate.hit => {
                fact.similarity = fact.similarity.map(|known| known.max(candidate.similarity));
                fact.text.push('\n');
                fact.text.push_str(&candidate.text);
                fact.lines
                    .extend(candidate.lines.iter().map(|(_, near)| near));
            }
            _ => {
                let Some(hit) = hits.get(candidate.hit) else {
                    continue;
                };
                facts.push((
                    candidate.hit,
                    Fact {
                        kind: FactKind::Knowledge,
                        source: hit.document.clone(),
                        title: hit.title.clone(),
                        url: hit.url.clone(),
                        text: candidate.text.clone(),
                        similarity: Some(hit.similarity.max(candidate.similarity)),
                        lines: candidate.lines.iter().map(|(_, near)| *near).collect(),
                        internal: hit.internal,
                    },
                ));
            }
        }
    }
    facts.into_iter().map(|(_, fact)| fact).collect()
}

/// A line without the sentences that are nothing for a customer, or have a hole in them.
fn sayable(line: &str, selection: &Selection<'_>) -> String {
    let is_sayable =
        |sentence: &String| !names_a_tool(sentence) && !has_placeholder(selection.packs, sentence);
    if is_sayable(&line.to_owned()) {
        return line.to_owned();
    }
    let sentences = selection.pack.boundaries().split(line).into_iter();
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

    fn select(hits: &[Hit], budget: usize) -> Vec<Fact> {
        let prompts = Prompts::builtin().unwrap();
        let selection = Selection {
            budget,
            pack: prompts.own_pack(),
            packs: prompts.packs(),
        };
        facts(hits, &selection)
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
    fn the_nearest_sentence_survives_a_small_budget() {
        let text = "The reply card is blue, and the card is printed on paper.\n\n\
            We take Visa and Mastercard, credit or debit.";
        let mut near = hit("p", "Paying", text);
        near.blocks[0].lines = vec![0.1];
        let garden = hit(
            "b",
            "Garden",
            "Roses need water every day, and in summer twice.",
        );
        let facts = select(&[near, garden], 60);
        assert_eq!(facts.len(), 1);
        assert_eq!(
            facts[0].text,
            "We take Visa and Mastercard, credit or debit."
        );
        assert_eq!(facts[0].lines, [0.6]);
    }

    #[test]
    fn the_nearest_document_comes_first_in_its_own_order() {
        let policy = |ordinal, text, similarity| {
            let mut hit = hit("policy", "Returns", text);
            hit.ordinal = ordinal;
            hit.blocks[0].lines = vec![similarity];
            hit
        };
        let mut other = hit("gifts", "Gifts", "A gift comes back with its card.");
        other.blocks[0].lines = vec![0.2];
        let hits = [
            other,
            policy(2, "Your money comes back within 3 days.", 0.9),
            policy(0, "You have 30 days to send things back.", 0.7),
        ];
        let budget = 300;
        let texts: Vec<String> = select(&hits, budget)
            .into_iter()
            .map(|fact| fact.text)
            .collect();
        assert_eq!(
            texts,
            [
                "You have 30 days to send things back.",
                "Your money comes back within 3 days.",
                "A gift comes back with its card.",
            ]
        );
    }

    #[test]
    fn a_small_table_stays_whole_though_one_row_is_asked_for() {
        let table = "## Standard delivery\n\n| Where to | Price |\n| --- | --- |\n| Ireland | €4.90 |\n| Rest of the Union | €6.90 |";
        let budget = 300;
        let facts = select(&[hit("d", "Delivery", table)], budget);
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
        let facts = select(&hits, 500);
        assert_eq!(facts[0].text, "The customer must be 18.");
        assert!(
            sources(&facts).is_empty(),
            "an internal document is not shown as a source"
        );
    }
}
