//! What a reply rests on: the lines of the facts that answer the question, as far as the heads or, without
//! them, their nearness to it tell.

use guard::is_invitation;
use language::{Pack, sentences};
use understand::{Candidate, Judgement};

use super::super::read::Question;
use super::super::services::{Finder, Reader};
use super::super::{Turn, TurnError};
use super::passages::Found;
use crate::audience::Source;
use crate::config::Answers;
use crate::desk::{Completeness, Finding};
use crate::facts::{Fact, FactKind};

/// Longest quotation of one piece, in characters; longer lines are cut into sentences and items.
const PIECE_CHARS: usize = 200;
/// How much less likely to be of the answer than the best piece another one of an excerpt may be, in
/// log-odds: fifty times. Of 1,440 answered questions to pages of other trades than it was learnt from, the
/// answering line is then in the excerpt as often as with all that fits, at half the length.
const LESS_LIKELY: f32 = 4.0;
/// Share of the best piece's similarity that the others in an excerpt need, where nothing better is known.
const NEAR_THE_BEST: f32 = 0.6;
/// Documents that an excerpt is from at most: more are not read as one answer.
const MOST_DOCUMENTS: usize = 2;

/// Pieces of the facts, the best first.
#[derive(Debug)]
pub(in crate::turn) struct Basis {
    /// What they are pieces of.
    facts: Vec<Fact>,
    pieces: Vec<Piece>,
    /// Whether the heads have judged them.
    judged: bool,
    /// Whether the best of them are the answer.
    answered: bool,
    near: Near,
}

/// How near to the question a piece must be.
#[derive(Clone, Copy, Debug)]
struct Near {
    /// Whether it stands beside what records told: an answer must be certain by its similarity, too.
    beside_records: bool,
    /// To stand beside other words.
    certain: f32,
    /// To be shown where there is no answer.
    worth_showing: f32,
}

/// A sentence, row or short list of a fact.
#[derive(Clone, Debug)]
pub(in crate::turn) struct Piece {
    pub(in crate::turn) text: String,
    /// Its document, for a client; `None` for the catalogue's own words.
    pub(in crate::turn) source: Option<Source>,
    /// Its fact, and its place in it.
    place: (usize, usize),
    /// How near its line is to the question in meaning.
    similarity: f32,
    /// Log-odds that it is of the answer; `None` where no head tells.
    relevance: Option<f32>,
    /// Whether it is of a line that answers one of several questions.
    leads: bool,
    /// Whether customers are not shown its document.
    internal: bool,
}

/// The pages' own words on a question.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::turn) struct Excerpt {
    pub(in crate::turn) text: String,
    /// Where the best of them are from.
    pub(in crate::turn) source: Option<Source>,
    /// Whether they are the answer.
    pub(in crate::turn) certain: bool,
}

/// What the pages `found`, and the products of a `finding` that is not told yet, say to `question`.
pub(super) async fn basis(
    turn: &Turn<'_>,
    (finder, reader): (&dyn Finder, &dyn Reader),
    question: &Question,
    finding: Option<&Finding>,
    found: &Found,
) -> Result<Basis, TurnError> {
    let has_told = finding.is_some_and(|finding| finding.completeness == Completeness::Partial);
    let records = finding.map_or(&[][..], |finding| &finding.facts);
    let is_news = |fact: &&Fact| fact.kind == FactKind::Product && !has_told;
    let mut facts: Vec<Fact> = records.iter().filter(is_news).cloned().collect();
    for fact in &mut facts {
        let lines = fact.text.lines().map(str::to_owned).collect();
        fact.lines = finder.similarity(&found.embedding, lines).await?;
    }
    facts.extend(found.facts.iter().cloned());
    // What customers are not shown, the model may know.
    let is_for_the_model = turn.settings.config.generate.answers == Answers::Generative;
    let readable = facts
        .iter()
        .filter(|fact| is_for_the_model || !fact.internal);
    let facts: Vec<Fact> = readable.cloned().collect();
    let pack = turn.settings.voice.prompts().own_pack();
    let pieces = pieces(&facts, &found.answers, pack);
    let judgement = judge(turn, reader, question, &pieces).await;
    let retrieval = &turn.settings.config.retrieval;
    let near = Near {
        beside_records: has_told,
        certain: retrieval.clear,
        worth_showing: retrieval.floor,
    };
    Ok(Basis::new(facts, pieces, &judgement, near))
}

/// What the heads make of the question and the pieces; nothing where they fail.
async fn judge(
    turn: &Turn<'_>,
    reader: &dyn Reader,
    question: &Question,
    pieces: &[Piece],
) -> Judgement {
    let candidate = |piece: &Piece| Candidate {
        page: piece.place.0,
        title: piece.source.as_ref().map(|source| source.title.clone()),
        place: piece.place.1,
        text: piece.text.clone(),
        similarity: piece.similarity,
    };
    let before = turn.opened.asked_before().filter(|_| question.follows);
    let candidates = pieces.iter().map(candidate).collect();
    let judged = reader.judge(&turn.reading.text, before, candidates).await;
    judged.unwrap_or_else(|error| {
        // What was found stands: the reply is not lost for want of a judgement.
        tracing::warn!("what was found could not be judged: {error}");
        Judgement::default()
    })
}

impl Basis {
    fn new(facts: Vec<Fact>, mut pieces: Vec<Piece>, judgement: &Judgement, near: Near) -> Self {
        for (piece, relevance) in pieces.iter_mut().zip(&judgement.relevance) {
            piece.relevance = *relevance;
        }
        // What was not read is behind what was.
        let relevance = |piece: &Piece| piece.relevance.unwrap_or(f32::NEG_INFINITY);
        pieces.sort_by(|a, b| {
            let by_relevance = relevance(b).total_cmp(&relevance(a));
            by_relevance.then(b.similarity.total_cmp(&a.similarity))
        });
        let is_clear = pieces.iter().any(|piece| piece.similarity >= near.certain);
        let answered = judgement.answered.unwrap_or(is_clear);
        Self {
            facts,
            pieces,
            judged: judgement.answered.is_some(),
            answered: answered && (is_clear || !near.beside_records),
            near,
        }
    }

    /// Whether the heads say that the facts answer the question; `None` without heads that do.
    pub(super) fn answers(&self) -> Option<bool> {
        self.judged.then_some(self.answered)
    }

    /// The best pieces of knowledge as the facts that they are of, `budget` characters at most: that of the
    /// best piece first, for a small model begins with it and may go no further.
    pub(super) fn passages(&self, budget: usize) -> Vec<Fact> {
        let of_knowledge = |piece: &&Piece| {
            let fact = self.facts.get(piece.place.0);
            fact.is_some_and(|fact| fact.kind == FactKind::Knowledge)
        };
        let mut chosen: Vec<&Piece> = Vec::new();
        let mut spent = 0;
        for piece in self.pieces.iter().filter(of_knowledge) {
            let length = piece.text.chars().count();
            let is_new = chosen.iter().all(|known| known.text != piece.text);
            if is_new && (chosen.is_empty() || spent + length <= budget) {
                spent += length;
                chosen.push(piece);
            }
        }
        let mut passages: Vec<(usize, Fact)> = Vec::new();
        for piece in by_page(chosen) {
            match passages.last_mut() {
                Some((number, passage)) if *number == piece.place.0 => {
                    passage.text.push('\n');
                    passage.text.push_str(&piece.text);
                }
                _ => passages.extend(self.facts.get(piece.place.0).map(|fact| {
                    let text = piece.text.clone();
                    (
                        piece.place.0,
                        Fact {
                            text,
                            ..fact.clone()
                        },
                    )
                })),
            }
        }
        passages.into_iter().map(|(_, passage)| passage).collect()
    }

    /// The pieces that may stand beside the model's words.
    pub(in crate::turn) fn certain(&self) -> impl Iterator<Item = &Piece> {
        let is_near = |piece: &&Piece| piece.similarity >= self.near.certain;
        self.quotable().filter(is_near)
    }

    /// The pieces that a customer may read.
    fn quotable(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| !piece.internal)
    }

    /// The best pieces' words, in the order of their pages, `budget` characters at most; `None` when none is
    /// near.
    pub(in crate::turn) fn excerpt(&self, budget: usize) -> Option<Excerpt> {
        let best = self.quotable().next()?;
        // What answers may be what customers are not shown.
        let certain = self.answered && self.pieces.first().is_some_and(|first| !first.internal);
        let is_worth_showing = |piece: &Piece| piece.similarity >= self.near.worth_showing;
        if !certain && !self.quotable().any(is_worth_showing) {
            return None;
        }
        let mut chosen: Vec<&Piece> = Vec::new();
        let mut spent = 0;
        let leading = self.quotable().filter(|piece| piece.leads);
        let others = self.quotable().filter(|piece| self.is_near(piece, best));
        for piece in leading.chain(others) {
            let length = piece.text.chars().count();
            let fits = chosen.is_empty() || spent + length <= budget;
            let is_new = chosen.iter().all(|known| known.text != piece.text);
            if fits && is_new && (piece.leads || joins(&chosen, piece)) {
                spent += length;
                chosen.push(piece);
            }
        }
        let mut text = String::new();
        for piece in by_page(chosen) {
            sentences::append(&mut text, &piece.text);
        }
        (!text.is_empty()).then(|| Excerpt {
            text,
            source: best.source.clone(),
            certain,
        })
    }

    /// Whether `piece` may be quoted beside the `best` one.
    fn is_near(&self, piece: &Piece, best: &Piece) -> bool {
        match (piece.relevance, best.relevance) {
            (Some(own), Some(most)) => own >= most - LESS_LIKELY,
            (None, Some(_)) => false,
            (_, None) => {
                let least = best.similarity * NEAR_THE_BEST;
                piece.similarity >= least.max(self.near.worth_showing)
            }
        }
    }
}

/// Pieces page by page, that of the first one first.
fn by_page(mut pieces: Vec<&Piece>) -> Vec<&Piece> {
    let pages: Vec<usize> = pieces.iter().map(|piece| piece.place.0).collect();
    let rank = |piece: &Piece| pages.iter().position(|page| *page == piece.place.0);
    pieces.sort_by_key(|piece| (rank(piece), piece.place));
    pieces
}

/// Whether `piece` is from one of the documents of those `chosen`, or there is room for one more.
fn joins(chosen: &[&Piece], piece: &Piece) -> bool {
    let id = |piece: &Piece| piece.source.as_ref().map(|source| source.id.clone());
    let mut documents: Vec<_> = chosen.iter().map(|known| id(known)).collect();
    documents.sort();
    documents.dedup();
    documents.contains(&id(piece)) || documents.len() < MOST_DOCUMENTS
}

/// The pieces of product descriptions and of knowledge. Those of the lines `answers` lead.
fn pieces(facts: &[Fact], answers: &[String], pack: &Pack) -> Vec<Piece> {
    let shown = facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| match fact.kind {
            FactKind::Knowledge | FactKind::Product => true,
            FactKind::Order | FactKind::Profile => false,
        });
    let mut pieces: Vec<Piece> = Vec::new();
    for (number, fact) in shown {
        for (line, similarity) in fact.text.lines().zip(&fact.lines) {
            let told = cut(line, pack).into_iter();
            for text in told.filter(|text| !is_invitation(pack, text)) {
                pieces.push(Piece {
                    text,
                    source: fact.as_source(),
                    place: (number, pieces.len()),
                    similarity: *similarity,
                    relevance: None,
                    leads: answers.iter().any(|answer| answer == line),
                    internal: fact.internal,
                });
            }
        }
    }
    pieces
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
pub(in crate::turn) mod tests {
    use super::*;
    use crate::prompts::Prompts;

    pub(in crate::turn) const QUESTION: &str =
        "What does the Blue Account charge at a foreign ATM?";

    /// As far from the question in meaning as the numbers say, by line.
    fn passage(title: &str, text: &str, lines: &[f32]) -> Fact {
        Fact {
            lines: lines.to_vec(),
            ..Fact::passage(title, text)
        }
    }

    pub(in crate::turn) fn facts() -> Vec<Fact> {
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

    /// What is certain from 0.6 on, and worth showing from 0.3 on.
    fn judged(facts: &[Fact], judgement: &Judgement, beside_records: bool) -> Basis {
        let prompts = Prompts::builtin().unwrap();
        let near = Near {
            beside_records,
            certain: 0.6,
            worth_showing: 0.3,
        };
        let pieces = pieces(facts, &[], prompts.own_pack());
        Basis::new(facts.to_vec(), pieces, judgement, near)
    }

    /// What nearness alone makes of them.
    pub(in crate::turn) fn basis_of(facts: &[Fact]) -> Basis {
        judged(facts, &Judgement::default(), false)
    }

    #[test]
    fn nothing_is_quoted_that_is_far_from_the_question() {
        let mut facts = facts();
        let lines = facts.iter_mut().flat_map(|fact| &mut fact.lines);
        lines.for_each(|near| *near = 0.2);
        assert_eq!(basis_of(&facts).excerpt(400), None);
    }

    #[test]
    fn procedures_are_for_the_model_and_invitations_for_nobody() {
        let basis = basis_of(&facts());
        let texts = || basis.pieces.iter().map(|piece| piece.text.as_str());
        assert!(texts().all(|text| !text.contains("1-800")));
        let passages = basis.passages(400);
        assert!(passages.iter().any(|passage| passage.internal));
        let titles = basis.certain().filter_map(|piece| piece.source.as_ref());
        let titles: Vec<&str> = titles.map(|source| &*source.title).collect();
        assert_eq!(titles, ["ATMs abroad with the Blue Account > Fees"]);
        // The procedure is nearer: what may be quoted is perhaps not the answer.
        assert!(!basis.excerpt(400).expect("facts").certain);
    }

    #[test]
    fn the_excerpt_begins_with_what_is_nearest_and_is_short() {
        let excerpt = basis_of(&facts()[..2]).excerpt(400).expect("facts");
        let text = &excerpt.text;
        assert!(
            text.starts_with("Foreign ATM fee: the greater of 3%"),
            "{text}"
        );
        assert!(text.chars().count() <= 400);
        assert!(excerpt.certain);
        let title = excerpt.source.map(|source| source.title);
        assert_eq!(
            title.as_deref(),
            Some("ATMs abroad with the Blue Account > Fees")
        );
    }

    #[test]
    fn what_the_heads_take_for_the_answer_is_quoted_alone() {
        // The fee is nearest, and the limit is what was asked for.
        let relevance = vec![Some(-3.0), Some(2.0), Some(-2.5)];
        let judgement = Judgement {
            relevance,
            answered: Some(true),
        };
        let excerpt = judged(&facts(), &judgement, false)
            .excerpt(400)
            .expect("facts");
        assert_eq!(excerpt.text, "Daily ATM limit: $500");
        let title = excerpt.source.map(|source| source.title);
        assert_eq!(title.as_deref(), Some("Blue Account at a glance"));
    }

    #[test]
    fn near_lines_that_do_not_answer_are_not_certain_and_far_ones_are_not_beside_records() {
        let judgement = |answered| Judgement {
            relevance: vec![Some(0.0), Some(-1.0), None],
            answered: Some(answered),
        };
        let certain = |basis: Basis| basis.excerpt(400).expect("facts").certain;
        assert!(!certain(judged(&facts(), &judgement(false), false)));
        let mut far = facts();
        let lines = far.iter_mut().flat_map(|fact| &mut fact.lines);
        lines.for_each(|near| *near = near.min(0.4));
        assert!(certain(judged(&far, &judgement(true), false)));
        assert!(!certain(judged(&far, &judgement(true), true)));
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
