//! What a reply may rest on.

use language::sentences;
use serde::Serialize;

use crate::audience::Source;

/// Where a fact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FactKind {
    /// A passage of the knowledge base.
    Knowledge,
    /// One of this customer's orders.
    Order,
    /// A product of the catalogue.
    Product,
    /// This customer's profile.
    Profile,
}

/// A statement with its source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Fact {
    /// Where it comes from.
    pub kind: FactKind,
    /// Id of the document, order, product or customer.
    pub source: String,
    /// What to show as its source.
    pub title: String,
    /// Where to link.
    pub url: Option<String>,
    /// What it states: one line for each paragraph, list or row of a table.
    pub text: String,
    /// Similarity in meaning to the question, of a passage or the nearest of its lines.
    pub similarity: Option<f32>,
    /// Similarity of each line of the text, of a passage.
    #[serde(skip)]
    pub lines: Vec<f32>,
    /// From a document that customers are not shown.
    pub internal: bool,
}

impl Fact {
    /// A passage as the tests of the turn need it.
    #[cfg(test)]
    pub(crate) fn passage(title: &str, text: &str) -> Self {
        Self {
            kind: FactKind::Knowledge,
            source: title.to_lowercase(),
            title: title.into(),
            url: None,
            text: text.into(),
            similarity: Some(0.6),
            lines: text.lines().map(|_| 0.6).collect(),
            internal: title.starts_with("Internal"),
        }
    }

    /// A fact of the desk.
    pub(crate) fn of_record(kind: FactKind, source: &str, title: &str, text: String) -> Self {
        Self {
            kind,
            source: source.into(),
            title: title.into(),
            url: None,
            text,
            similarity: None,
            lines: Vec::new(),
            internal: false,
        }
    }

    /// The title and the headings below it, as words before a colon.
    pub(crate) fn label(&self) -> String {
        self.title.replace(" > ", ": ")
    }

    /// The statements as one paragraph.
    pub(crate) fn prose(&self) -> String {
        let mut prose = String::with_capacity(self.text.len());
        for line in self.text.lines() {
            sentences::append(&mut prose, line);
        }
        prose
    }

    /// What a client shows; `None` for records, which are the customer's own.
    pub(crate) fn as_source(&self) -> Option<Source> {
        match self.kind {
            FactKind::Knowledge => Some(Source {
                id: self.source.clone(),
                title: self.title.clone(),
                url: self.url.clone(),
            }),
            FactKind::Order | FactKind::Product | FactKind::Profile => None,
        }
    }
}
