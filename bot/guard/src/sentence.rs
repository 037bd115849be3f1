//! A sentence of a reply, parsed once for all checks.

use language::values::{links, values};

use crate::measures::Measured;
use crate::statement::{Reader, Statement};
use crate::{Guard, claims};

/// A sentence with all that checks ask of it.
pub(crate) struct Sentence<'s> {
    pub(crate) text: &'s str,
    /// In the form in which phrases are compared.
    pub(crate) normal: String,
    pub(crate) values: Vec<String>,
    pub(crate) links: Vec<String>,
    /// What the whole of it says.
    pub(crate) statement: Statement,
    /// Its parts that claim something each.
    pub(crate) clauses: Vec<Clause>,
    /// What is joined within those parts.
    pub(crate) inner_clauses: Vec<Statement>,
    /// The case that it speaks of: "if you pay by cheque".
    pub(crate) condition: Option<Statement>,
    /// Whether it is politeness and nothing else.
    pub(crate) is_courtesy: bool,
}

/// A part of a sentence that claims something.
pub(crate) struct Clause {
    pub(crate) statement: Statement,
    /// Its amounts and durations; `None` where words are not compared.
    pub(crate) measured: Option<Measured>,
}

impl<'s> Sentence<'s> {
    /// Parses `text`; the parts that only comparing checks need are left empty where `guard`
    /// compares no words.
    pub(crate) fn parse(text: &'s str, guard: &Guard) -> Self {
        let reply = guard.reply.as_ref();
        let reader = Reader::new(guard.compared.as_ref().or(reply));
        let compared = guard.compared.as_ref();
        let clauses = compared.iter().flat_map(|pack| {
            let clauses = reader.clauses(text).into_iter();
            clauses.map(|clause| Clause {
                statement: reader.statement(clause),
                measured: Some(Measured::new("", clause, pack)),
            })
        });
        let inner = compared.iter().flat_map(|_| reader.inner_clauses(text));
        let condition = compared.and_then(|pack| claims::condition(pack, text));
        Self {
            text,
            normal: language::normal(text),
            values: values(text, reply),
            links: links(text),
            statement: reader.statement(text),
            clauses: clauses.collect(),
            inner_clauses: inner.map(|clause| reader.statement(clause)).collect(),
            condition: condition.map(|case| reader.statement(case)),
            is_courtesy: compared.is_some_and(|pack| claims::is_courtesy(pack, text)),
        }
    }

    /// What its clauses say.
    pub(crate) fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.clauses.iter().map(|clause| &clause.statement)
    }
}
