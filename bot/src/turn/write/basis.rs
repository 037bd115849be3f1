//! What a reply rests on: the facts' own words that come nearest to the question. A small model
//! leaves out half of a rule ("3 %, at least $5"), says yes where the rule says when, or gives up
//! early; what it leaves out is quoted.

use std::collections::HashSet;

use guard::{Guard, is_invitation, values};
use language::{Pack, sentences};

use super::super::plan::Sought;
use super::super::services::Finder;
use super::super::{Turn, TurnError};
use crate::audience::Source;
use crate::config::Backend;
use crate::facts::{Fact, FactKind};

/// Longest quotation of one piece, in characters; longer lines are cut into sentences and items.
const PIECE_CHARS: usize = 200;
/// Share of the best piece's similarity that the others in an excerpt need.
const NEAR_THE_BEST: f32 = 0.6;
/// Documents that an excerpt is from at most: more are not read as one answer.
const MOST_DOCUMENTS: usize = 2;
/// Share of a piece's words from which a verdict has told it.
const TOLD: f32 = 0.8;

/// Pieces of the facts that a customer may read, nearest to the question first.
#[derive(Debug)]
pub(super) struct Basis {
    pieces: Vec<Piece>,
    near: Near,
    /// Longest excerpt, in characters.
    budget: usize,
    /// Values of the question, which a verdict would have to compare.
    asked: HashSet<String>,
    /// The language of the facts.
    pack: Pack,
}

/// From which similarity on a piece is good enough.
#[derive(Clone, Copy, Debug)]
struct Near {
    /// To stand beside the model's words.
    certain: f32,
    /// To be shown where there is no answer.
    worth_showing: f32,
}

/// A sentence, row or short list of a fact.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Its document, for a client; `None` for the catalogue's own words.
    pub(super) source: Option<Source>,
    /// Its fact, and its place in it.
    place: (usize, usize),
    /// How near it is to the question in meaning.
    similarity: f32,
    /// Whether it is of a line that answers one of several questions.
    leads: bool,
}

/// The pages' own words on a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    /// The same as it stands on the pages: a line each, below the titles.
    pub(super) passage: String,
    /// Where the first of them are from.
    pub(super) source: Option<Source>,
    /// Whether they are near enough to be the answer.
    pub(super) certain: bool,
}

/// What a reply lacks.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    pub(super) piece: &'a Piece,
    /// Whether the reply is no more than a yes or no that compares numbers, which a small model
    /// cannot be trusted with, or that the rule denies: the rule stands in its place.
    pub(super) instead: bool,
}

/// The pieces of `facts` that belong to `question`, which they were `sought` for, without what the desk
/// `has_told` already.
pub(super) async fn basis(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    facts: &[Fact],
    question: &str,
    sought: &Sought,
    has_told: bool,
) -> Result<Basis, TurnError> {
    let pack = turn.settings.voice.prompts().own_pack();
    let retrieval = &turn.settings.config.retrieval;
    // The desk has told its own facts.
    let is_news = |fact: &&Fact| !has_told || fact.kind != FactKind::Product;
    let mut facts: Vec<Fact> = facts.iter().filter(is_news).cloned().collect();
    for fact in &mut facts {
        if fact.kind == FactKind::Product {
            let lines = fact.text.lines().map(str::to_owned).collect();
            fact.lines = finder.similarity(&sought.embedding, lines).await?;
        }
    }
    let near = Near {
        certain: retrieval.clear,
        worth_showing: retrieval.floor,
    };
    Ok(Basis {
        pieces: pieces(&facts, &sought.answers, pack),
        near,
        budget: if will_be_translated(turn) {
            retrieval.fact_chars / 2
        } else {
            retrieval.fact_chars
        },
        asked: value_set(question, pack),
        pack: pack.clone(),
    })
}

/// Whether the pages' words will be translated, which the model takes seconds for.
fn will_be_translated(turn: &Turn<'_>) -> bool {
    let settings = turn.settings;
    settings.config.generate.backend != Backend::None
        && turn.language() != settings.voice.fallback()
}

impl Basis {
    /// One that nothing is known of.
    pub(super) fn empty(pack: &Pack) -> Self {
        Self {
            pieces: Vec::new(),
            near: Near {
                certain: 1.0,
                worth_showing: 1.0,
            },
            budget: 0,
            asked: HashSet::new(),
            pack: pack.clone(),
        }
    }

    /// What `reply` should have said of the nearest piece that `guard` lets pass; `None` when it
    /// says enough, or nothing is certain.
    pub(super) fn missing_from(&self, reply: &str, guard: &Guard) -> Option<Missing<'_>> {
        let said = value_set(reply, &self.pack);
        let mut certain = self.certain();
        let piece = certain.find(|piece| guard.check(&piece.text).is_ok())?;
        let has_new = !value_set(&piece.text, &self.pack).is_subset(&said);
        let verdict = guard.is_verdict(reply);
        let words = content_set(&piece.text, &self.pack);
        let told = content_set(reply, &self.pack).intersection(&words).count();
        let told = told as f32 / words.len().max(1) as f32;
        (has_new || verdict && told < TOLD).then_some(Missing {
            piece,
            instead: verdict
                && (has_new && !self.asked.is_empty() || guard.is_denied_by(reply, &piece.text)),
        })
    }

    /// Whether `reply` says yes or no to a number of the question, and no piece is certain enough to
    /// bear it: "yes, you get 20 % off" was the customer's wish.
    pub(super) fn agrees_without_a_rule(&self, reply: &str, guard: &Guard) -> bool {
        let repeats = !value_set(reply, &self.pack).is_disjoint(&self.asked);
        let mut certain = self.certain();
        repeats && guard.is_verdict(reply) && !certain.any(|piece| guard.check(&piece.text).is_ok())
    }

    /// The pieces that may stand beside the model's words.
    fn certain(&self) -> impl Iterator<Item = &Piece> {
        let pieces = self.pieces.iter();
        pieces.take_while(|piece| piece.similarity >= self.near.certain)
    }

    /// The nearest pieces' words, in the order of their pages, short enough to be read at a glance; `None`
    /// when none is near.
    pub(super) fn excerpt(&self) -> Option<Excerpt> {
        let best = self.pieces.first()?;
        let least = self.near.worth_showing.max(best.similarity * NEAR_THE_BEST);
        let mut chosen: Vec<&Piece> = Vec::new();
        let mut spent = 0;
        let leading = self.pieces.iter().filter(|piece| piece.leads);
        let near = self.pieces.iter().filter(|piece| piece.similarity >= least);
        for piece in leading.chain(near) {
            let length = piece.text.chars().count();
            let fits = chosen.is_empty() || spent + length <= self.budget;
            let is_new = chosen.iter().all(|known| known.text != piece.text);
            if fits && is_new && (piece.leads || joins(&chosen, piece)) {
                spent += length;
                chosen.push(piece);
            }
        }
        chosen.sort_by_key(|piece| piece.place);
        let (mut text, mut passage, mut document) = (String::new(), String::new(), None);
        for piece in &chosen {
            sentences::append(&mut text, &piece.text);
            let title = piece.source.as_ref().map(|source| source.title.as_str());
            if title != document {
                document = title;
                passage.extend([title.unwrap_or_default(), "\n"]);
            }
            passage.extend([piece.text.as_str(), "\n"]);
        }
        passage.truncate(passage.trim_end().len());
        (!chosen.is_empty()).then(|| Excerpt {
            text,
            passage,
            source: best.source.clone(),
            certain: best.similarity >= self.near.certain,
        })
    }
}

/// Whether `piece` is from one of the documents of those `chosen`, or there is room for one more.
fn joins(chosen: &[&Piece], piece: &Piece) -> bool {
    let id = |piece: &Piece| piece.source.as_ref().map(|source| source.id.clone());
    let mut documents: Vec<_> = chosen.iter().map(|known| id(known)).collect();
    documents.sort();
    documents.dedup();
    documents.contains(&id(piece)) || documents.len() < MOST_DOCUMENTS
}

/// The pieces of product descriptions, and of knowledge that customers may see; nearest first. Those of the
/// lines `answers` lead.
fn pieces(facts: &[Fact], answers: &[String], pack: &Pack) -> Vec<Piece> {
    let shown = facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| match fact.kind {
            FactKind::Knowledge => !fact.internal,
            FactKind::Product => true,
            FactKind::Order | FactKind::Profile => false,
        });
    let mut pieces: Vec<Piece> = Vec::new();
    for (number, fact) in shown {
        let lines = fact.text.lines().zip(&fact.lines).enumerate();
        for (at, (line, similarity)) in lines {
            let told = cut(line, pack).into_iter();
            let told = told.filter(|text| !is_invitation(pack, text));
            pieces.extend(told.map(|text| Piece {
                text,
                source: fact.as_source(),
                place: (number, at),
                similarity: *similarity,
                leads: answers.iter().any(|answer| answer == line),
            }));
        }
    }
    pieces.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    pieces
}

fn content_set(text: &str, pack: &Pack) -> HashSet<String> {
    pack.content(text).into_iter().collect()
}

fn value_set(text: &str, pack: &Pack) -> HashSet<String> {
    values(text, Some(pack)).into_iter().collect()
}

/// A line, or the sentences and items of a long one.
fn cut(line: &str, pack: &Pack) -> Vec<String> {
    let is_long = |text: &str| text.chars().count() > PIECE_CHARS;
    if !is_long(line) {
        return vec![line.to_owned()];
    }
    let sentences = pack.boundaries().split(line).into_iter();
    let pieces = sentences.flat_map(|sentence| {
        let between = if is_long(&sentence) { "; " } else { "\n" };
        let items: Vec<String> = sentence
            .split(between)
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect();
        items
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use guard::{Grounds, Instructions, Passage};

    use crate::prompts::Prompts;

    const QUESTION: &str = "What does the Blue Account charge at a foreign ATM?";

    /// As far from the question in meaning as the numbers say, by line.
    fn passage(title: &str, text: &str, lines: &[f32]) -> Fact {
        Fact {
            lines: lines.to_vec(),
            ..Fact::passage(title, text)
        }
    }

    fn facts() -> Vec<Fact> {
        vec![
            passage(
                "ATMs abroad with the Blue Account > Fees",
                "Foreign ATM fee: the greater of 3% of the withdrawal, or $5.00\n\
                 If you have any questions about a foreign ATM, call 1-800-555.",
                &[0.8, 0.7],
            ),
            passage(
                "Blue Account at a glance",
                "Daily ATM limit: $500\nCompanies cannot open the account.",
                &[0.4, 0.3],
            ),
            passage(
                "Internal: ATM fees",
                "Foreign ATM fee of the Blue Account: $5.00",
                &[0.9],
            ),
        ]
    }

    fn basis_of(question: &str, facts: &[Fact]) -> Basis {
        let prompts = Prompts::builtin().unwrap();
        let pack = prompts.own_pack();
        Basis {
            pieces: pieces(facts, &[], pack),
            near: Near {
                certain: 0.6,
                worth_showing: 0.3,
            },
            budget: 400,
            asked: value_set(question, pack),
            pack: pack.clone(),
        }
    }

    fn basis(question: &str) -> Basis {
        basis_of(question, &facts())
    }

    fn guard(question: &str) -> Guard {
        let prompts = Prompts::builtin().unwrap();
        let facts = facts();
        let mut passages = Vec::new();
        for Fact { title, text, .. } in &facts {
            passages.push(Passage { title, text });
        }
        Guard::new(&Grounds {
            packs: prompts.packs(),
            language: "en",
            facts_language: "en",
            instructions: &Instructions::default(),
            passages: &passages,
            records: &[],
            conversation: &[question.to_owned()],
            told: "",
            closed: false,
            question,
            company: "Rho",
        })
    }

    fn missing(question: &str, reply: &str) -> Option<(String, bool)> {
        let basis = basis(question);
        let missing = basis.missing_from(reply, &guard(question))?;
        Some((missing.piece.text.clone(), missing.instead))
    }

    #[test]
    fn half_a_rule_is_completed() {
        let rule = "Foreign ATM fee: the greater of 3% of the withdrawal, or $5.00";
        assert_eq!(
            missing(QUESTION, "The Blue Account charges $5.00."),
            Some((rule.to_owned(), false))
        );
        assert_eq!(
            missing(QUESTION, "It is 3% of the withdrawal, at least $5.00."),
            None
        );
    }

    #[test]
    fn a_verdict_is_said_with_its_rule_and_one_that_compares_numbers_gives_way_to_it() {
        let rule = "Foreign ATM fee: the greater of 3% of the withdrawal, or $5.00".to_owned();
        let question = "Does the Blue Account charge a foreign ATM fee?";
        let verdict = "Yes, the Blue Account charges a foreign ATM fee.";
        assert_eq!(missing(question, verdict), Some((rule.clone(), false)));
        let question = "Does the Blue Account charge a foreign ATM fee on a withdrawal of 20?";
        assert_eq!(missing(question, verdict), Some((rule, true)));
    }

    #[test]
    fn a_yes_to_a_number_of_the_question_needs_a_rule() {
        let wish = "Can you give me a 20% discount today?";
        let leaves = |basis: &Basis, reply: &str| basis.agrees_without_a_rule(reply, &guard(wish));
        let mut far = facts();
        far[0].lines = vec![0.3, 0.3];
        let without = basis_of(wish, &far);
        assert!(leaves(&without, "Yes, you can get a 20% discount today."));
        assert!(!leaves(&without, "No, we give no discounts."));
        assert!(!leaves(&without, "Yes, it charges a fee."));
        let with = basis(wish);
        assert!(!leaves(&with, "Yes, you can get a 20% discount today."));
    }

    #[test]
    fn a_yes_that_the_rule_denies_gives_way_to_it() {
        let question = "Is the Blue Account at a glance open to companies?";
        let mut facts = facts();
        facts[0].lines = vec![0.3, 0.2];
        facts[1].lines = vec![0.4, 0.8];
        let basis = basis_of(question, &facts);
        let reply = "Yes, companies can open one.";
        let missing = basis.missing_from(reply, &guard(question)).unwrap();
        assert_eq!(missing.piece.text, "Companies cannot open the account.");
        assert!(missing.instead);
    }

    #[test]
    fn nothing_is_quoted_that_is_far_from_the_question() {
        let question = "Do you sell umbrellas?";
        let mut facts = facts();
        facts
            .iter_mut()
            .flat_map(|fact| &mut fact.lines)
            .for_each(|near| *near = 0.2);
        let basis = basis_of(question, &facts);
        assert!(
            basis
                .missing_from("No, we do not.", &guard(question))
                .is_none()
        );
        assert_eq!(basis.excerpt(), None);
    }

    #[test]
    fn procedures_and_invitations_are_not_quoted() {
        let basis = basis(QUESTION);
        let texts = || basis.pieces.iter().map(|piece| piece.text.as_str());
        assert!(texts().all(|text| !text.contains("1-800")));
        assert!(basis.pieces.iter().all(|piece| {
            piece
                .source
                .as_ref()
                .is_some_and(|source| !source.title.starts_with("Internal"))
        }));
    }

    #[test]
    fn the_excerpt_begins_with_what_is_nearest_and_is_short() {
        let excerpt = basis(QUESTION).excerpt().expect("facts");
        let text = &excerpt.text;
        assert!(
            text.starts_with("Foreign ATM fee: the greater of 3%"),
            "{text}"
        );
        assert!(text.chars().count() <= basis(QUESTION).budget);
        assert!(excerpt.certain);
        let title = excerpt.source.map(|source| source.title);
        assert_eq!(
            title.as_deref(),
            Some("ATMs abroad with the Blue Account > Fees")
        );
    }

    #[test]
    fn a_long_line_is_cut_into_sentences_and_items() {
        let item = "word ".repeat(20);
        let line = format!("First. {item}; {item}; {item}. Last one.");
        let pieces = cut(&line, Prompts::builtin().unwrap().own_pack());
        assert_eq!(pieces.len(), 5);
        assert_eq!(pieces[0], "First.");
        assert_eq!(pieces[4], "Last one.");
    }
}
