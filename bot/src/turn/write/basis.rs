//! What a reply rests on: the facts' own words that come nearest to the question. A small model
//! leaves out half of a rule ("3 %, at least $5"), says yes where the rule says when, or gives up
//! early; what it leaves out is quoted.

use std::collections::HashSet;

use guard::{Guard, is_invitation, values};
use language::{IdfWeights, Pack, sentences};
use retrieval::Embedding;

use super::super::services::Finder;
use super::super::{Turn, TurnError};
use crate::audience::Source;
use crate::facts::{Fact, FactKind, document_title};

/// Longest quotation of one piece, in characters; longer lines are cut into sentences and items.
const PIECE_CHARS: usize = 200;
/// Longest excerpt shown where the model has no answer, in characters.
const EXCERPT_CHARS: usize = 320;
/// Pieces whose meaning is compared with the question's, the best by their words.
const SHORTLIST: usize = 10;

/// How much meaning counts beside words.
const SIMILARITY_WEIGHT: f32 = 2.5;
/// Each part of what words count.
const WORDS_WEIGHT: f32 = 0.7;
/// How much it counts that a piece has a number at all.
const VALUE_WEIGHT: f32 = 0.15;

/// From this score on a piece is certain enough to stand beside the model's words.
const CERTAIN: f32 = 2.3;
/// The same where the model's words hold a value, which may be all that was asked.
const CERTAIN_BESIDE_A_VALUE: f32 = 2.55;
/// From this score on a piece is worth showing where there is no answer, if it comes near the best.
const WORTH_SHOWING: f32 = 1.2;
/// Share of the best piece's score that the others in an excerpt need.
const NEAR_THE_BEST: f32 = 0.75;
/// Share of a piece's words from which a verdict has told it.
const TOLD: f32 = 0.8;

/// Pieces of the facts that a customer may read, nearest to the question first.
#[derive(Debug)]
pub(super) struct Basis {
    pieces: Vec<Piece>,
    /// Values of the question, which a verdict would have to compare.
    asked: HashSet<String>,
    /// The language of the facts.
    pack: Pack,
}

/// A sentence, row or short list of a fact.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Its document, for a client; `None` for the catalogue's own words.
    pub(super) source: Option<Source>,
    title: String,
    score: f32,
}

/// What a reply lacks.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    pub(super) piece: &'a Piece,
    /// Whether the reply is no more than a yes or no that compares numbers, which a small model
    /// cannot be trusted with, or that the rule denies: the rule stands in its place.
    pub(super) instead: bool,
}

/// The pieces of `facts` that belong to `question`, whose embedding is `embedding`.
pub(super) async fn basis(
    turn: &Turn<'_>,
    finder: &dyn Finder,
    facts: &[Fact],
    question: &str,
    embedding: &Embedding,
) -> Result<Basis, TurnError> {
    let pack = turn.settings.voice.prompts().own_pack();
    let floor = turn.settings.config.retrieval.floor;
    let mut pieces = pieces(facts, question, floor, pack);
    pieces.truncate(SHORTLIST);
    let told = pieces
        .iter()
        .map(|piece| format!("{}: {}", piece.title, piece.text));
    let similarity = finder.similarity(embedding, told.collect()).await?;
    for (piece, similarity) in pieces.iter_mut().zip(similarity) {
        piece.score += SIMILARITY_WEIGHT * similarity;
    }
    pieces.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(Basis {
        pieces,
        asked: value_set(question, pack),
        pack: pack.clone(),
    })
}

impl Basis {
    /// One that nothing is known of.
    pub(super) fn empty(pack: &Pack) -> Self {
        Self {
            pieces: Vec::new(),
            asked: HashSet::new(),
            pack: pack.clone(),
        }
    }

    /// What `reply` should have said of the nearest piece that `guard` lets pass; `None` when it
    /// says enough, or nothing is certain.
    pub(super) fn missing_from(&self, reply: &str, guard: &Guard) -> Option<Missing<'_>> {
        let said = value_set(reply, &self.pack);
        let least = if said.is_subset(&self.asked) {
            CERTAIN
        } else {
            CERTAIN_BESIDE_A_VALUE
        };
        let mut certain = self.pieces.iter().take_while(|piece| piece.score >= least);
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
        let is_certain = |piece: &Piece| piece.score >= CERTAIN && guard.check(&piece.text).is_ok();
        repeats && guard.is_verdict(reply) && !self.pieces.iter().any(is_certain)
    }

    /// The nearest pieces' words, short enough to be read at a glance, with the source of the first;
    /// `None` when none is near.
    pub(super) fn excerpt(&self) -> Option<(String, Option<Source>)> {
        let best = self.pieces.first()?;
        let least = WORTH_SHOWING.max(best.score * NEAR_THE_BEST);
        let mut text = String::new();
        for piece in self.pieces.iter().take_while(|piece| piece.score >= least) {
            let fits = text.chars().count() + piece.text.chars().count() < EXCERPT_CHARS;
            if text.is_empty() || fits {
                sentences::append(&mut text, &piece.text);
            }
        }
        (!text.is_empty()).then(|| (text, best.source.clone()))
    }
}

/// The pieces of product descriptions, and of knowledge that customers may see and that is near
/// enough; best by their words first.
fn pieces(facts: &[Fact], question: &str, floor: f32, pack: &Pack) -> Vec<Piece> {
    let shown = facts.iter().filter(|fact| match fact.kind {
        FactKind::Knowledge => !fact.internal && fact.similarity >= Some(floor),
        FactKind::Product => true,
        FactKind::Order | FactKind::Profile => false,
    });
    let mut all: Vec<(Piece, HashSet<String>)> = Vec::new();
    for fact in shown {
        let told = fact.text.lines().flat_map(|line| cut(line, pack));
        for text in told.filter(|text| !is_invitation(pack, text)) {
            let words = content_set(&format!("{} {text}", fact.title), pack);
            let piece = Piece {
                text,
                source: fact.as_source(),
                title: document_title(&fact.title).to_owned(),
                score: 0.0,
            };
            all.push((piece, words));
        }
    }
    let idf = IdfWeights::among(all.iter().map(|(_, words)| words));
    let asked = content_set(question, pack);
    let score = |(mut piece, in_context): (Piece, HashSet<String>)| {
        let own = content_set(&piece.text, pack);
        let title = content_set(&piece.title, pack);
        let title_fit = title.intersection(&asked).count() as f32 / title.len().max(1) as f32;
        let words = idf.share(&asked, &in_context) + idf.share(&asked, &own) + title_fit;
        let has_value = !values(&piece.text, Some(pack)).is_empty();
        let score = WORDS_WEIGHT * words + if has_value { VALUE_WEIGHT } else { 0.0 };
        let length = piece.text.chars().count() as f32 / PIECE_CHARS as f32;
        piece.score = score / (1.0 + length).sqrt();
        piece
    };
    let mut pieces: Vec<Piece> = all.into_iter().map(score).collect();
    pieces.sort_by(|a, b| b.score.total_cmp(&a.score));
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

    fn facts() -> Vec<Fact> {
        vec![
            Fact::passage(
                "ATMs abroad with the Blue Account > Fees",
                "Foreign ATM fee: the greater of 3% of the withdrawal, or $5.00\n\
                 If you have any questions about a foreign ATM, call 1-800-555.",
            ),
            Fact::passage(
                "Blue Account at a glance",
                "Daily ATM limit: $500\nCompanies cannot open the account.",
            ),
            Fact::passage(
                "Internal: ATM fees",
                "Foreign ATM fee of the Blue Account: $5.00",
            ),
        ]
    }

    fn basis(question: &str) -> Basis {
        let prompts = Prompts::builtin().unwrap();
        let pack = prompts.own_pack();
        let mut pieces = pieces(&facts(), question, 0.3, pack);
        for piece in &mut pieces {
            piece.score += SIMILARITY_WEIGHT * 0.6;
        }
        Basis {
            pieces,
            asked: value_set(question, pack),
            pack: pack.clone(),
        }
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
        let leaves = |question: &str, reply: &str| {
            basis(question).agrees_without_a_rule(reply, &guard(question))
        };
        let wish = "Can you give me a 20% discount today?";
        assert!(leaves(wish, "Yes, you can get a 20% discount today."));
        assert!(!leaves(wish, "No, we give no discounts."));
        assert!(!leaves(QUESTION, "Yes, it charges a fee."));
    }

    #[test]
    fn a_yes_that_the_rule_denies_gives_way_to_it() {
        let question = "Is the Blue Account at a glance open to companies?";
        let rule = ("Companies cannot open the account.".to_owned(), true);
        assert_eq!(
            missing(question, "Yes, companies can open one."),
            Some(rule)
        );
    }

    #[test]
    fn nothing_is_quoted_that_does_not_belong() {
        assert_eq!(missing("Do you sell umbrellas?", "No, we do not."), None);
    }

    #[test]
    fn procedures_and_invitations_are_not_quoted() {
        let basis = basis(QUESTION);
        let texts = || basis.pieces.iter().map(|piece| piece.text.as_str());
        assert!(texts().all(|text| !text.contains("1-800")));
        assert!(
            basis
                .pieces
                .iter()
                .all(|piece| !piece.title.starts_with("Internal"))
        );
    }

    #[test]
    fn the_excerpt_begins_with_what_is_nearest_and_is_short() {
        let (excerpt, source) = basis(QUESTION).excerpt().expect("facts");
        assert!(
            excerpt.starts_with("Foreign ATM fee: the greater of 3%"),
            "{excerpt}"
        );
        assert!(excerpt.chars().count() <= EXCERPT_CHARS);
        let title = source.map(|source| source.title);
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
