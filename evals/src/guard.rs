//! What the guard withholds of sentences that are known to be true or false.
//!
//! A case is a sentence in answer to a question about a document: written by hand, or one of the
//! document's own, unchanged or with a fact altered by a program. It is checked against the whole
//! document, whereas a live reply is checked against the passages that were retrieved.

mod altered;
mod articles;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ::guard::Withheld;
use serde::{Deserialize, Serialize};

use crate::jsonl::{self, JsonlError};
use crate::packs::{JUDGED, boundaries, packs};
use crate::report::table;
use crate::summary::Tally;
use crate::worlds::Body;

/// Why cases cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// A file of cases cannot be read.
    #[error(transparent)]
    File(#[from] JsonlError),
    /// A case is about a document that the world does not have.
    #[error("the world has no document {0:?}")]
    NoDocument(String),
}

/// What a sentence is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A document of the world, by its id.
    Document(String),
    /// An article that comes with the case, of a company of its own.
    Article(String),
}

impl fmt::Display for About {
    /// The document's id, or the article's first words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WORDS: usize = 6;
        match self {
            Self::Document(id) => f.write_str(id),
            Self::Article(text) => {
                let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
                write!(f, "{} …", words.join(" "))
            }
        }
    }
}

/// A sentence to be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
    /// What was asked.
    pub question: String,
    /// The sentence.
    pub says: String,
    /// Whether the document says so, too.
    pub supported: bool,
    /// What was altered, or how it is put.
    pub kind: String,
}

/// A document as the guard sees it.
struct Source {
    id: String,
    passages: Vec<Passage>,
}

struct Passage {
    title: String,
    text: String,
}

impl Passage {
    fn as_given(&self) -> ::guard::Passage<'_> {
        ::guard::Passage {
            title: &self.title,
            text: &self.text,
        }
    }
}

/// A case that was judged wrongly.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// The case.
    #[serde(flatten)]
    pub case: Case,
    /// Why a true sentence was withheld; `None` for a false one that would have left.
    pub withheld: Option<Withheld>,
}

/// What came of all cases.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// False sentences that were withheld.
    pub caught: Tally,
    /// True sentences that were withheld.
    pub withheld_by_mistake: Tally,
    /// Sentences withheld, by what was altered; true ones by how they are put.
    pub by_kind: BTreeMap<String, Tally>,
    /// What was judged wrongly.
    pub mistakes: Vec<Mistake>,
}

/// Reads cases, one JSON object a line: a case, or an article with all that is said of it.
///
/// # Errors
/// [`CasesError::File`].
pub fn read(file: &Path) -> Result<Vec<Case>, CasesError> {
    Ok(jsonl::read(file, articles::cases)?.concat())
}

/// Cases that a program makes of the English documents of `world`, at most `most` of each kind.
pub fn made(world: &Body, most: usize) -> Vec<Case> {
    altered::cases(&sources(world), most)
}

/// Has every case checked.
///
/// # Errors
/// [`CasesError::NoDocument`].
pub fn judge(world: &Body, cases: Vec<Case>) -> Result<Report, CasesError> {
    let sources = sources(world);
    let by_id: BTreeMap<&str, &Source> = sources.iter().map(|s| (s.id.as_str(), s)).collect();
    let mut report = Report {
        caught: Tally::default(),
        withheld_by_mistake: Tally::default(),
        by_kind: BTreeMap::new(),
        mistakes: Vec::new(),
    };
    for case in cases {
        let alone;
        let (source, company) = match &case.about {
            About::Document(id) => {
                let source = by_id.get(id.as_str()).copied();
                let source = source.ok_or_else(|| CasesError::NoDocument(id.clone()))?;
                (source, world.company.name.as_str())
            }
            About::Article(text) => {
                alone = Source::of_article(text);
                (&alone, "")
            }
        };
        let passages = source.passages.iter();
        let passages: Vec<_> = passages.map(Passage::as_given).collect();
        let (question, says) = (&case.question, &case.says);
        let withheld = ::guard::withheld(packs(), JUDGED, &passages, question, company, says);
        let is_withheld = withheld.is_some();
        let tally = if case.supported {
            &mut report.withheld_by_mistake
        } else {
            &mut report.caught
        };
        tally.count(is_withheld);
        let by_kind = report.by_kind.entry(case.kind.clone()).or_default();
        by_kind.count(is_withheld);
        if is_withheld == case.supported {
            report.mistakes.push(Mistake { case, withheld });
        }
    }
    Ok(report)
}

/// The English documents of `world`.
fn sources(world: &Body) -> Vec<Source> {
    let documents = world.documents.iter();
    let english =
        documents.filter(|document| document.language.as_deref().is_none_or(|tag| tag == JUDGED));
    english
        .map(|document| Source::of(document.id.as_str(), &document.title, &document.content))
        .collect()
}

impl Source {
    /// A document in passages, each block a line, as facts are given to a turn.
    fn of(id: &str, title: &str, content: &str) -> Self {
        let passages = retrieval::chunk(&retrieval::Document {
            id: id.to_owned(),
            title: title.to_owned(),
            content: content.to_owned(),
            url: None,
            language: JUDGED.to_owned(),
            internal: false,
        });
        let passage = |passage: &retrieval::Passage| {
            let blocks = retrieval::blocks(&passage.text, boundaries());
            let lines: Vec<String> = blocks.into_iter().map(|block| block.text).collect();
            Passage {
                title: passage.topic(),
                text: lines.join("\n"),
            }
        };
        Self {
            id: id.to_owned(),
            passages: passages.iter().map(passage).collect(),
        }
    }

    /// An article whose first line is its heading, where it has several.
    fn of_article(text: &str) -> Self {
        let (title, content) = text.split_once('\n').unwrap_or(("", text));
        Self::of("", title, content)
    }
}

/// The figures, as a table, then up to `most` mistakes.
pub fn tables(report: &Report, most: usize) -> String {
    let mut figures = table(["sentences", "withheld", "of", "share", "95 % interval"]);
    let by_kind = report
        .by_kind
        .iter()
        .map(|(kind, tally)| (kind.as_str(), *tally));
    let all = [
        ("false, all", report.caught),
        ("true, all", report.withheld_by_mistake),
    ];
    for (name, tally) in all.into_iter().chain(by_kind) {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let interval = tally
            .interval()
            .map(|[low, high]| format!("{} to {}", percent(low), percent(high)));
        figures.add_row([
            name.to_owned(),
            tally.passed.to_string(),
            tally.total.to_string(),
            tally.share().map_or_else(|| "-".to_owned(), percent),
            interval.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let mut text = figures.trim_fmt() + "\n";
    for Mistake { case, withheld } in report.mistakes.iter().take(most) {
        let judged = match withheld {
            Some(reason) => format!("withheld by mistake: {reason:?}"),
            None => "would have left".to_owned(),
        };
        text += &format!(
            "\n{} ({}): {judged}\n  {}\n",
            case.about, case.kind, case.says
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::World;

    fn shop() -> Body {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds");
        World::Shop.load(&data).unwrap()
    }

    fn cases_of(file: &str) -> Vec<Case> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guard");
        read(&folder.join(file)).unwrap()
    }

    /// What was measured, less a sentence: a figure below it means that the guard has become worse.
    #[test]
    fn the_cases_by_hand_are_judged_as_well_as_before() {
        let report = judge(&shop(), cases_of("cases.jsonl")).unwrap();
        assert_eq!(
            (report.caught.total, report.withheld_by_mistake.total),
            (56, 53)
        );
        assert!(report.caught.passed >= 30, "{:?}", report.caught);
        let mistaken = report.withheld_by_mistake;
        assert!(mistaken.passed <= 3, "{mistaken:?}");
    }

    /// What was measured, less a hundredth.
    #[test]
    fn articles_of_other_companies_are_judged_as_well_as_before() {
        let report = judge(&shop(), cases_of("articles.jsonl")).unwrap();
        assert_eq!(
            (report.caught.total, report.withheld_by_mistake.total),
            (2_297, 1_876)
        );
        assert!(report.caught.passed >= 960, "{:?}", report.caught);
        let mistaken = report.withheld_by_mistake;
        assert!(mistaken.passed <= 695, "{mistaken:?}");
        // Withholding less of everything is no gain: what counts is how far both rates are apart.
        let apart = report.caught.share().unwrap() - mistaken.share().unwrap();
        assert!(apart >= 0.0489, "{apart}");
    }

    #[test]
    fn a_case_about_an_unknown_document_is_an_error() {
        let mut cases = cases_of("cases.jsonl");
        cases[0].about = About::Document("nowhere".to_owned());
        let error = judge(&shop(), cases).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
