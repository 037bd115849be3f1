//! Training the heads that tell which lines answer a question and whether any does, on pages of many trades
//! and what is asked of them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use retrieval::{Embedding, Encoder, EncoderError, Titled};
use serde::Deserialize;

use super::{LabelledSet, ReadExamples, Row, TrainError, TrainOptions, Trained};
use crate::evidence::{Candidate, Gathered, Seen};
use crate::examples::{Part, json_lines, part_of};
use crate::features::{behind, in_context};
use crate::head::Head;
use crate::heads::{ANSWERED, Heads, IRRELEVANT, RELEVANCE, RELEVANT, Standard, UNANSWERED};
use crate::metrics::HeldOut;
use crate::solver::{Parameters, Sparse};

/// An article, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Page {
    /// What the company does: pages of one trade are searched together, and held out together.
    pub trade: String,
    /// Its title.
    pub title: String,
    /// Its sentences, list items and rows.
    pub lines: Vec<String>,
    /// What is asked.
    pub questions: Vec<PageQuestion>,
}

/// A question to a page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PageQuestion {
    /// As a customer types it.
    pub text: String,
    /// The message before, where it goes on from that.
    #[serde(default)]
    pub before: Option<String>,
    /// Places of the lines that answer it, from 0, the best first; none of a near miss.
    pub answer: Vec<usize>,
}

/// Reads pages, one JSON object a line.
///
/// # Errors
/// [`TrainError::Read`], or [`TrainError::Line`] with the first line that is not a page.
pub fn read_pages(path: &Path) -> Result<Vec<Page>, TrainError> {
    json_lines(path, |page: &Page| {
        let is_there = |question: &PageQuestion| {
            let mut answer = question.answer.iter();
            answer.all(|line| *line < page.lines.len())
        };
        let all = page.questions.iter().all(is_there);
        if all {
            Ok(())
        } else {
            Err("an answer names a line that the page does not have".into())
        }
    })
}

/// How much more weights may grow than [`TrainOptions::c`] says. The numbers of a state are about 1, and
/// there are hundreds of them, where a message is read in parts of length 1: by cross-validation over trades.
const LOOSENESS: f32 = 1.0 / 60_000.0;
/// Parts that trades are dealt into, so that lines are judged by what was learnt from other trades.
const FOLDS: u32 = 3;
/// Questions that are read at a time.
const BATCH: usize = 64;

/// Trains the heads [`RELEVANCE`] and [`ANSWERED`] on what is asked of `pages`; a fifth of the trades is held
/// out. `progress` hears the share done, in `[0, 1]`.
///
/// # Errors
/// [`TrainError::TooFew`] where questions of both kinds are missing: with an answer, and without.
pub fn train_on_pages(
    encoder: &Encoder,
    pages: &[Page],
    options: TrainOptions,
    mut progress: impl FnMut(f32, &str),
) -> Result<Trained, TrainError> {
    let options = TrainOptions {
        c: options.c * LOOSENESS,
        ..options
    };
    let cases = cases_of(encoder, pages)?;
    let (standard, seen) = read(encoder, &cases, &mut progress)?;
    let cases: Vec<(&Case, &Seen)> = cases.iter().zip(&seen).collect();
    progress(1.0, "head relevance");
    let lines = Lines::of(&cases);
    let (relevance, of_lines) = lines.train(options)?;
    progress(1.0, "head answered");
    let judged = lines.judged_by_others(&cases, options)?;
    let (answered, of_questions) = train_answered(&cases, &judged, options)?;
    let name = |name: &str| name.to_owned();
    Ok(Trained {
        heads: Heads {
            by_name: HashMap::from([(name(RELEVANCE), relevance), (name(ANSWERED), answered)]),
            standard: Some(standard),
            encoder: name(encoder.name()),
            version: version(pages),
            ..Heads::default()
        },
        held_out: vec![(name(RELEVANCE), of_lines), (name(ANSWERED), of_questions)],
    })
}

/// Names a training by what it was trained on.
fn version(pages: &[Page]) -> String {
    let mut hasher = crc32fast::Hasher::new();
    for page in pages {
        let lines = [&page.title].into_iter().chain(&page.lines);
        lines.for_each(|line| hasher.update(line.as_bytes()));
        for question in &page.questions {
            hasher.update(question.text.as_bytes());
            let answer = question.answer.iter();
            answer.for_each(|line| hasher.update(&line.to_le_bytes()));
        }
    }
    format!("evidence-{}-{:08x}", pages.len(), hasher.finalize())
}

/// What the heads see of the questions and their candidates, and what they see them by.
fn read(
    encoder: &Encoder,
    cases: &[Case],
    progress: &mut impl FnMut(f32, &str),
) -> Result<(Standard, Vec<Seen>), TrainError> {
    let mut readings = Vec::with_capacity(cases.len());
    for batch in cases.chunks(BATCH) {
        let batch = batch.iter().map(|case| case.gathered.asked.clone());
        readings.extend(encoder.read_jointly(&batch.collect::<Vec<_>>())?);
        progress(
            readings.len() as f32 / cases.len() as f32,
            "reading the pages",
        );
    }
    let states = readings.iter().flat_map(|reading| {
        let lines = reading.passages.iter().flatten().flatten();
        [&reading.question].into_iter().chain(lines)
    });
    let standard = Standard::over(states.map(Vec::as_slice));
    let seen = cases.iter().zip(&readings);
    let seen =
        seen.map(|(case, reading)| Seen::new(&standard, &case.gathered, reading, &case.candidates));
    let seen = seen.collect();
    Ok((standard, seen))
}

/// The lines of the questions that have an answer among theirs, as examples of [`RELEVANCE`].
struct Lines {
    read: ReadExamples,
    set: LabelledSet,
    /// By example, the fold of its trade.
    folds: Vec<u32>,
}

impl Lines {
    fn of(cases: &[(&Case, &Seen)]) -> Self {
        let mut set = LabelledSet {
            name: RELEVANCE,
            labels: vec![IRRELEVANT.to_owned(), RELEVANT.to_owned()],
            rows: Vec::new(),
        };
        let (mut read, mut folds) = (ReadExamples::default(), Vec::new());
        for (case, seen) in cases {
            if !case.is_answer.contains(&true) {
                continue;
            }
            for line in &seen.lines {
                let is_answer = case.is_answer.get(line.number) == Some(&true);
                set.rows.push(Row {
                    example: folds.len(),
                    label: usize::from(is_answer),
                    part: case.part,
                });
                folds.push(case.fold);
                let features = seen.of_line(line);
                read.width = features.len();
                read.vectors.push(Sparse::new(&features));
            }
        }
        Self { read, set, folds }
    }

    fn train(&self, options: TrainOptions) -> Result<(Head, HeldOut), TrainError> {
        if !self.set.is_enough() {
            return Err(TrainError::TooFew);
        }
        self.set.train(&self.read, None, options)
    }

    /// By question, the log-odds of each of its lines, by a head that was trained on other trades.
    fn judged_by_others(
        &self,
        cases: &[(&Case, &Seen)],
        options: TrainOptions,
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        let others = |fold: u32| {
            let nothing = Parameters::zero(self.read.width, self.set.labels.len());
            let is_other = |row: &Row| self.folds.get(row.example) != Some(&fold);
            let fitted = self.set.fit(&self.read, options, nothing, is_other);
            fitted.map(|(head, _)| head)
        };
        let heads = (0..FOLDS).map(others).collect::<Result<Vec<_>, _>>()?;
        let judge = |(case, seen): &(&Case, &Seen)| {
            let head = heads.get(case.fold as usize);
            let log_odds =
                |features: &[f32]| head.map_or(0.0, |head| head.log_odds(features, RELEVANT));
            let lines = seen.lines.iter();
            lines.map(|line| log_odds(&seen.of_line(line))).collect()
        };
        Ok(cases.iter().map(judge).collect())
    }
}

fn train_answered(
    cases: &[(&Case, &Seen)],
    judged: &[Vec<f32>],
    options: TrainOptions,
) -> Result<(Head, HeldOut), TrainError> {
    let mut set = LabelledSet {
        name: ANSWERED,
        labels: vec![ANSWERED.to_owned(), UNANSWERED.to_owned()],
        rows: Vec::new(),
    };
    let mut read = ReadExamples::default();
    for ((case, seen), relevance) in cases.iter().zip(judged) {
        let Some(answered) = case.answered else {
            continue;
        };
        set.rows.push(Row {
            example: read.vectors.len(),
            label: usize::from(!answered),
            part: case.part,
        });
        let features = seen.of_answer(relevance);
        read.width = features.len();
        read.vectors.push(Sparse::new(&features));
    }
    if !set.is_enough() {
        return Err(TrainError::TooFew);
    }
    set.train(&read, None, options)
}

/// A question to pages of its trade, before candidates of an answer.
struct Case {
    part: Part,
    /// The fold of its trade.
    fold: u32,
    gathered: Gathered,
    candidates: Vec<Candidate>,
    /// By candidate, whether it is of the answer.
    is_answer: Vec<bool>,
    /// Whether the candidates answer the question; `None` where they hold a part of the answer.
    answered: Option<bool>,
}

/// What is asked of `pages`, each question with the candidates that a search among the pages of its trade
/// gives; where these answer it, also with those without the answer. So nothing but the candidates tells the
/// ones from the others.
///
/// # Errors
/// [`EncoderError`].
fn cases_of(encoder: &Encoder, pages: &[Page]) -> Result<Vec<Case>, EncoderError> {
    let mut trades: BTreeMap<&str, Vec<&Page>> = BTreeMap::new();
    for page in pages {
        trades.entry(&page.trade).or_default().push(page);
    }
    let mut cases = Vec::new();
    for pages in trades.values() {
        let library = Library::new(encoder, pages)?;
        for (number, page) in pages.iter().enumerate() {
            for question in &page.questions {
                cases.extend(library.cases(encoder, number, question)?);
            }
        }
    }
    Ok(cases)
}

/// The pages of a trade, to be searched.
struct Library<'p> {
    pages: &'p [&'p Page],
    /// Of each page, and of each of its lines.
    embeddings: Vec<(Embedding, Vec<Embedding>)>,
}

impl<'p> Library<'p> {
    fn new(encoder: &Encoder, pages: &'p [&'p Page]) -> Result<Self, EncoderError> {
        let titled = pages.iter().map(|page| Titled {
            title: Some(page.title.clone()),
            parts: page.lines.clone(),
        });
        let embedded = encoder.embed_passages(&titled.collect::<Vec<_>>())?;
        let embeddings = embedded.into_iter().map(|page| {
            let parts = page.parts.into_iter();
            let lines = parts.map(|part| part.unwrap_or_else(|| page.whole.clone()));
            let lines = lines.collect();
            (page.whole, lines)
        });
        Ok(Self {
            pages,
            embeddings: embeddings.collect(),
        })
    }

    /// The examples of a question to the page of that `number`.
    fn cases(
        &self,
        encoder: &Encoder,
        number: usize,
        question: &PageQuestion,
    ) -> Result<Vec<Case>, EncoderError> {
        let context = question.before.as_deref();
        let context = context.map(|before| in_context(before, &question.text));
        let texts: Vec<String> = [question.text.clone()].into_iter().chain(context).collect();
        let mut read = encoder.read_batch(&texts)?.into_iter();
        let Some(own) = read.next() else {
            return Ok(Vec::new());
        };
        let query = read.next().map_or_else(
            || own.embedding.clone(),
            |in_context| own.embedding.between(&in_context.embedding),
        );
        let found = self.candidates(|embedding| encoder.similarity().of(query.cosine(embedding)));
        let gather =
            |text: String, candidates: &[Candidate]| Gathered::new(encoder, text, candidates);
        self.before(found, number, question, gather)
    }

    /// A question before what was `found`, and before that without its answer.
    fn before(
        &self,
        found: Vec<Candidate>,
        number: usize,
        question: &PageQuestion,
        gather: impl Fn(String, &[Candidate]) -> Result<Gathered, EncoderError>,
    ) -> Result<Vec<Case>, EncoderError> {
        let is_of_answer =
            |line: &Candidate| line.page == number && question.answer.contains(&line.place);
        let others = found.iter().filter(|line| !is_of_answer(line));
        let others: Vec<Candidate> = others.cloned().collect();
        let has_answer = others.len() < found.len();
        let trade = self.pages.get(number).map_or("", |page| &page.trade);
        let all = [found].into_iter().chain(has_answer.then_some(others));
        let cases = all.map(|candidates| {
            let text = behind(question.before.as_deref(), &question.text).into_owned();
            let gathered = gather(text, &candidates)?;
            let is_answer: Vec<bool> = candidates.iter().map(is_of_answer).collect();
            let holds = |line: &usize| {
                let mut read = gathered.numbers();
                read.any(|at| is_answer[at] && candidates[at].place == *line)
            };
            let holds_best = question.answer.first().is_some_and(holds);
            let holds_any = question.answer.iter().any(holds);
            Ok(Case {
                part: part_of(trade),
                fold: crc32fast::hash(trade.as_bytes()) % FOLDS,
                answered: (holds_best || !holds_any).then_some(holds_best),
                gathered,
                candidates,
                is_answer,
            })
        });
        cases.collect()
    }

    /// All lines, with the means of their and their pages' similarity.
    fn candidates(&self, near: impl Fn(&Embedding) -> f32) -> Vec<Candidate> {
        let pages = self.pages.iter().zip(&self.embeddings).enumerate();
        let of_page =
            |(number, (page, (whole, lines))): (usize, (&&Page, &(Embedding, Vec<_>)))| {
                let whole = near(whole);
                let lines = page.lines.iter().zip(lines).enumerate();
                let candidate = |(place, (line, own)): (usize, (&String, &Embedding))| Candidate {
                    page: number,
                    title: Some(page.title.clone()),
                    place,
                    text: line.clone(),
                    similarity: (whole + near(own)) / 2.0,
                };
                lines.map(candidate).collect::<Vec<_>>()
            };
        pages.flat_map(of_page).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a question to two pages of a clock shop is before, by what is read: its lines, and whether they
    /// answer it.
    fn asked(similarity: [f32; 3], answer: &[usize], tokens: usize) -> Vec<(String, Option<bool>)> {
        let page = |title: &str, lines: &[&str]| Page {
            trade: "clock shop".into(),
            title: title.into(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            questions: Vec::new(),
        };
        let pages = [
            page("Straps", &["A strap costs 12.", "Leather comes in brown."]),
            page("Opening hours", &["We open at nine."]),
        ];
        let pages: Vec<&Page> = pages.iter().collect();
        let unit = Embedding::normalised(vec![1.0]).unwrap();
        let embeddings = pages
            .iter()
            .map(|page| (unit.clone(), vec![unit.clone(); page.lines.len()]));
        let library = Library {
            pages: &pages,
            embeddings: embeddings.collect(),
        };
        let mut found = library.candidates(|_| 0.0);
        let lines = found.iter_mut().zip(similarity);
        lines.for_each(|(line, similarity)| line.similarity = similarity);
        let question = PageQuestion {
            text: "what does a strap cost".into(),
            before: None,
            answer: answer.to_vec(),
        };
        let gather = |text: String, candidates: &[Candidate]| {
            Ok(Gathered::of(
                text,
                candidates,
                &vec![tokens; candidates.len()],
            ))
        };
        let cases = library.before(found, 0, &question, gather).unwrap();
        let read = |case: &Case| {
            let lines = case.gathered.numbers().map(|at| &*case.candidates[at].text);
            lines.collect::<Vec<_>>().join(" ")
        };
        cases
            .iter()
            .map(|case| (read(case), case.answered))
            .collect()
    }

    #[test]
    fn an_answer_is_an_example_with_and_without_its_lines() {
        let asked = asked([0.9, 0.6, 0.2], &[0], 10);
        let with = "A strap costs 12. Leather comes in brown. We open at nine.";
        let without = "Leather comes in brown. We open at nine.";
        let expected = [(with, Some(true)), (without, Some(false))];
        assert_eq!(
            asked,
            expected.map(|(read, answered)| (read.to_owned(), answered))
        );
    }

    #[test]
    fn a_near_miss_is_an_example_of_no_answer() {
        let asked = asked([0.9, 0.6, 0.2], &[], 10);
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].1, Some(false));
    }

    #[test]
    fn half_an_answer_is_neither() {
        // Only one line is read: the second of the answer.
        let asked = asked([0.1, 0.9, 0.2], &[0, 1], 300);
        assert_eq!(asked[0], ("Leather comes in brown.".to_owned(), None));
    }
}
