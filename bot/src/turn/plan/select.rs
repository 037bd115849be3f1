//! The fewest words of facts that keep the answer in: blocks of the passages found, chosen by what
//! they share with the question and how near they are in meaning. On two cores every hundred tokens
//! of prompt cost a second.

use std::collections::HashSet;

use guard::has_placeholder;
use language::{IdfWeights, Pack, Packs};
use retrieval::NearBlock;
use unicode_segmentation::UnicodeSegmentation;

use crate::audience::Source;
use crate::facts::{Fact, FactKind, document_title};
use crate::library::Hit;

/// Sources shown under a reply at most.
const MOST_SOURCES: usize = 3;
/// Longest excerpt shown at once, in characters.
const EXCERPT_CHARS: usize = 320;

/// How much meaning counts beside all that words tell.
const SIMILARITY_WEIGHT: f32 = 6.0;
/// How much a title that the question names counts: "Blue Account" is not about "True Blue Account".
const TITLE_WEIGHT: f32 = 1.2;
/// Length of a usual block, in characters.
const USUAL_CHARS: f32 = 200.0;
/// Length below which a block gains nothing by being short.
const SCRAP_CHARS: usize = 80;

/// What facts are selected for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection<'a> {
    /// The question, with what it follows.
    pub(super) query: &'a str,
    /// The message itself.
    pub(super) latest: &'a str,
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
    text: String,
    words: HashSet<String>,
    similarity: f32,
    score: f32,
}

/// The blocks of `hits` that belong to the question, joined by passage, the document of the best
/// block first.
pub(super) fn facts(hits: &[Hit], selection: &Selection<'_>) -> Vec<Fact> {
    let mut candidates = candidates(hits, selection);
    let rarity = IdfWeights::among(candidates.iter().map(|candidate| &candidate.words));
    let query = words(selection.query);
    let latest = words(selection.latest);
    let asks_amount = asks_amount(selection.latest);
    for candidate in &mut candidates {
        let Some(hit) = hits.get(candidate.hit) else {
            continue;
        };
        let mut context = candidate.words.clone();
        context.extend(words(&hit.title));
        let has_amount = candidate.text.contains(|c: char| c.is_ascii_digit());
        // A table is long because it has rows, of which one will answer.
        let rows = candidate.text.lines().map(|row| row.chars().count());
        // A scrap shares its one word with the question and answers nothing.
        let length = rows.max().unwrap_or(0).max(SCRAP_CHARS) as f32 / USUAL_CHARS;
        let score = rarity.share(&query, &context)
            + rarity.share(&latest, &candidate.words)
            + 0.9 / (1.0 + candidate.hit as f32)
            + TITLE_WEIGHT * title_fit(&hit.title, selection.query, selection.pack)
            + if asks_amount && has_amount { 0.25 } else { 0.0 };
        // A long block shares words with any question, and costs what two short ones do.
        candidate.score = score / (1.0 + length).sqrt() + SIMILARITY_WEIGHT * candidate.similarity;
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
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

/// The blocks of the hit that answer best, in order, short enough to be read at a glance.
pub(super) fn excerpt(hit: &Hit, query: &str, pack: &Pack, packs: &Packs) -> String {
    let selection = Selection {
        query,
        latest: query,
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
        for (position, NearBlock { block, similarity }) in found.blocks.iter().enumerate() {
            let text = sayable(&block.text, selection);
            if text.is_empty() {
                continue;
            }
            let mut words = words(&text);
            words.extend(self::words(&block.heading));
            all.push(Candidate {
                hit,
                position,
                text,
                words,
                similarity: *similarity,
                score: 0.0,
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
                        internal: hit.internal,
                    },
                ));
            }
        }
    }
    facts.into_iter().map(|(_, fact)| fact).collect()
}

/// A block without the sentences that are nothing for a customer, or have a hole in them.
fn sayable(block: &str, selection: &Selection<'_>) -> String {
    let is_sayable =
        |sentence: &String| !names_a_tool(sentence) && !has_placeholder(selection.packs, sentence);
    let keep = |line: &str| -> String {
        if is_sayable(&line.to_owned()) {
            return line.to_owned();
        }
        selection
            .pack
            .boundaries()
            .split(line)
            .into_iter()
            .filter(is_sayable)
            .collect()
    };
    let lines = block.lines().map(keep).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
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

/// Share of the title's words, headings aside, that the question has.
fn title_fit(title: &str, query: &str, pack: &Pack) -> f32 {
    let content = |text: &str| -> HashSet<String> { pack.content(text).into_iter().collect() };
    let (title, query) = (content(document_title(title)), content(query));
    let shared = title.intersection(&query).count();
    shared as f32 / title.len().max(1) as f32
}

fn asks_amount(text: &str) -> bool {
    const AMOUNT: &[&str] = &[
        "how much",
        "how many",
        "how long",
        "how quickly",
        "how fast",
        "how high",
        "how old",
        "what rate",
        "fee",
        "cost",
        "price",
        "limit",
        "percent",
        "rate",
        "apy",
        "apr",
        "when",
        "hours",
        "days",
        "max",
        "minimum",
        "charge",
        "balance",
        "discount",
    ];
    let lower = text.to_lowercase();
    AMOUNT.iter().any(|word| lower.contains(word))
}

fn words(text: &str) -> HashSet<String> {
    text.unicode_words()
        .map(|word| {
            let lower = word.to_lowercase();
            lower
                .strip_suffix('s')
                .filter(|short| short.len() > 3)
                .unwrap_or(&lower)
                .to_owned()
        })
        .filter(|word| word.chars().count() > 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use language::sentences::Boundaries;

    use super::*;
    use crate::prompts::Prompts;

    fn select(hits: &[Hit], query: &str, budget: usize) -> Vec<Fact> {
        let prompts = Prompts::builtin().unwrap();
        let selection = Selection {
            query,
            latest: query,
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
                    block,
                    similarity: 0.6,
                })
                .collect(),
            url: None,
            internal: false,
            similarity: 0.6,
        }
    }

    #[test]
    fn the_sentence_that_answers_survives_a_small_budget() {
        let long = "Our garden is lovely in spring and nobody ever hurries there. \
            The monthly fee of the account is $20. \
            Branches open early on the days before a holiday, and close late on those after it. \
            Statements are sent by post in the first week of the month, or by e-mail if you prefer.";
        let hits = [
            hit("a", "Accounts", long),
            hit("b", "Garden", "Roses need water every day."),
        ];
        let query = "what is the monthly fee?";
        let facts = select(&hits, query, 45);
        assert_eq!(facts.len(), 1);
        assert_eq!(facts[0].text, "The monthly fee of the account is $20.");
    }

    #[test]
    fn what_is_near_in_meaning_is_chosen_before_what_shares_a_word() {
        let text = "The reply card is blue, and the card is printed on paper.\n\n\
            We take Visa and Mastercard, credit or debit.";
        let mut hits = [hit("p", "Paying", text)];
        hits[0].blocks[0].similarity = 0.1;
        let query = "which card can I pay with?";
        let budget = 60;
        let facts = select(&hits, query, budget);
        assert_eq!(
            facts[0].text,
            "We take Visa and Mastercard, credit or debit."
        );
    }

    #[test]
    fn the_nearest_document_comes_first_in_its_own_order() {
        let policy = |ordinal, text, similarity| {
            let mut hit = hit("policy", "Returns", text);
            hit.ordinal = ordinal;
            hit.blocks[0].similarity = similarity;
            hit
        };
        let mut other = hit("gifts", "Gifts", "A gift comes back with its card.");
        other.blocks[0].similarity = 0.2;
        let hits = [
            other,
            policy(2, "Your money comes back within 3 days.", 0.9),
            policy(0, "You have 30 days to send things back.", 0.7),
        ];
        let query = "what is your return policy?";
        let budget = 300;
        let texts: Vec<String> = select(&hits, query, budget)
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
        let query = "what does delivery to Porto cost?";
        let budget = 300;
        let facts = select(&[hit("d", "Delivery", table)], query, budget);
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
        let facts = select(&hits, "how old", 500);
        assert_eq!(facts[0].text, "The customer must be 18.");
        assert!(
            sources(&facts).is_empty(),
            "an internal document is not shown as a source"
        );
    }
}
