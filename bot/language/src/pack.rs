//! A language's pack, ready for use.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use regex::Regex;
use rust_stemmers::{Algorithm, Stemmer};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

use crate::days::RelativeDays;
use crate::detection::Scripts;
use crate::phrases::whole;
use crate::sections::{ComposedPhrases, Section, Sections};
use crate::sentences::Boundaries;
use crate::validate::Fault;
use crate::values::NumberReader;
use crate::wording::Repairs;
use crate::words::Forms;

/// What is known about a language. Cloning is cheap.
#[derive(Clone)]
pub struct Pack(Arc<Inner>);

struct Inner {
    tag: String,
    sections: Sections,
    forms: Arc<Forms>,
    numbers: NumberReader,
    days: Option<RelativeDays>,
    repairs: Repairs,
    boundaries: Boundaries,
    deeds: Vec<String>,
    deeds_apart: Vec<ComposedPhrases>,
    scripts: Option<Scripts>,
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pack").field(&self.0.tag).finish()
    }
}

impl PartialEq for Pack {
    /// Packs of one language are the same.
    fn eq(&self, other: &Self) -> bool {
        self.0.tag == other.0.tag
    }
}

impl Eq for Pack {}

impl Pack {
    /// Prepares `sections`.
    ///
    /// # Errors
    /// A pattern or the name of a script that is none.
    pub(crate) fn new(tag: &str, sections: Sections) -> Result<Self, Fault> {
        let citing = sections.wording.iter().flat_map(|wording| &wording.citing);
        let citing = citing
            .map(|pattern| {
                Regex::new(&format!("(?i){pattern}"))
                    .map_err(|error| Fault::pattern("wording.citing", pattern, &error))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let scripts = Scripts::of(&sections).map_err(|script| Fault::script(&script))?;
        let (deeds, deeds_apart) = deeds(&sections);
        let third_person = sections
            .wording
            .as_ref()
            .and_then(|wording| wording.third_person.clone());
        Ok(Self(Arc::new(Inner {
            tag: tag.to_owned(),
            forms: Arc::new(Forms::new(sections.words.as_ref())),
            numbers: NumberReader::new(sections.numbers.as_ref(), sections.days.as_ref()),
            days: sections
                .days
                .clone()
                .map(|days| RelativeDays::new(days, sections.words.as_ref()))
                .transpose()?,
            repairs: Repairs::new(citing, third_person),
            boundaries: Boundaries::new(sections.sentences.as_ref()),
            deeds,
            deeds_apart,
            scripts,
            sections,
        })))
    }

    /// The language's primary BCP 47 subtag: the name of the pack's folder.
    pub fn tag(&self) -> &str {
        &self.0.tag
    }

    /// What a model is told to answer in.
    pub fn name(&self) -> &str {
        &self.0.sections.name
    }

    /// The entries as the file has them.
    pub fn sections(&self) -> &Sections {
        &self.0.sections
    }

    /// Whether the pack has what `section` names; what needs it is off otherwise.
    pub fn has(&self, section: Section) -> bool {
        let all = &self.0.sections;
        let phrases = all.phrases.as_ref();
        match section {
            Section::FunctionWords => all.words.as_ref().is_some_and(|w| !w.function.is_empty()),
            Section::Numbers => all.numbers.is_some(),
            Section::Units => all.units.is_some(),
            Section::Negation => all.negation.is_some(),
            Section::Conditions => all.conditions.is_some(),
            Section::Names => all.names.is_some(),
            Section::Answers => all.answers.is_some(),
            Section::Deeds => all.deeds.is_some(),
            Section::Promises => phrases.is_some_and(|p| !p.promises.is_empty()),
            Section::Placeholders => phrases.is_some_and(|p| !p.placeholders.is_empty()),
        }
    }

    /// The words of a text in the form they are compared in.
    pub fn words(&self, text: &str) -> Vec<String> {
        self.0.forms.words(text)
    }

    /// The words of a text that carry content, in the form they are compared in.
    pub fn content(&self, text: &str) -> Vec<String> {
        self.0.forms.content(text)
    }

    /// One word in the form it is compared in.
    pub fn stem(&self, word: &str) -> String {
        self.0.forms.stem(word)
    }

    /// The word without a plural ending; its stem where the pack lists no plural endings.
    pub fn singular(&self, word: &str) -> String {
        self.0.forms.singular(word)
    }

    /// Whether the word, in lower case, carries no content.
    pub fn is_function_word(&self, word: &str) -> bool {
        let words = self.0.sections.words.as_ref();
        words.is_some_and(|words| words.function.iter().any(|known| known == word))
    }

    /// How sentences end.
    pub fn boundaries(&self) -> &Boundaries {
        &self.0.boundaries
    }

    /// The parts of a sentence that say something each.
    pub fn clauses<'s>(&self, sentence: &'s str) -> Vec<&'s str> {
        let clauses = self.0.sections.clauses.as_ref();
        cut(vec![sentence], clauses.map(|clauses| &clauses.joints))
    }

    /// The same, and what is joined within them: "we take no orders and keep no lists".
    pub fn inner_clauses<'s>(&self, sentence: &'s str) -> Vec<&'s str> {
        let clauses = self.0.sections.clauses.as_ref();
        let joints = clauses.map(|clauses| &clauses.inner_joints);
        cut(self.clauses(sentence), joints)
    }

    /// Whether the text, in its [`crate::normal`] form, claims that something was or will be done.
    pub fn claims_a_deed(&self, text: &str) -> bool {
        let later = |end: usize, verbs: &[String]| {
            let rest = &text[end..];
            let clause = rest.split(['.', ',', ';', ':', '!', '?']).next();
            let clause = clause.unwrap_or(rest);
            verbs
                .iter()
                .any(|verb| whole(clause, verb).next().is_some())
        };
        let is_apart = |deed: &ComposedPhrases| {
            let mut subjects = deed.subjects.iter();
            subjects.any(|subject| whole(text, subject).any(|(_, end)| later(end, &deed.verbs)))
        };
        crate::contains(text, &self.0.deeds) || self.0.deeds_apart.iter().any(is_apart)
    }

    pub(crate) fn scripts(&self) -> Option<&Scripts> {
        self.0.scripts.as_ref()
    }

    pub(crate) fn forms(&self) -> &Arc<Forms> {
        &self.0.forms
    }

    pub(crate) fn number_reader(&self) -> &NumberReader {
        &self.0.numbers
    }

    pub(crate) fn relative_days(&self) -> Option<&RelativeDays> {
        self.0.days.as_ref()
    }

    pub(crate) fn repairs(&self) -> &Repairs {
        &self.0.repairs
    }
}

/// `parts`, each cut at all of `joints`.
fn cut<'s>(parts: Vec<&'s str>, joints: Option<&Vec<String>>) -> Vec<&'s str> {
    joints.into_iter().flatten().fold(parts, |parts, joint| {
        let parts = parts.into_iter();
        parts.flat_map(|part| part.split(joint.as_str())).collect()
    })
}

/// The phrases that stand in one piece, and those whose parts stand apart.
fn deeds(sections: &Sections) -> (Vec<String>, Vec<ComposedPhrases>) {
    let Some(deeds) = &sections.deeds else {
        return (Vec::new(), Vec::new());
    };
    let spaced = sections
        .words
        .as_ref()
        .is_none_or(|words| words.segmentation == crate::Segmentation::Spaces);
    let between = if spaced { " " } else { "" };
    let (apart, joined): (Vec<_>, Vec<_>) =
        deeds.composed.iter().cloned().partition(|deed| deed.apart);
    let mut phrases: Vec<String> = deeds.phrases.clone();
    for deed in &joined {
        for subject in &deed.subjects {
            let verbs = deed.verbs.iter();
            phrases.extend(verbs.map(|verb| format!("{subject}{between}{verb}")));
        }
    }
    (phrases, apart)
}

/// The Snowball algorithm of this name, in lower case.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    let first = name.chars().next().filter(|first| first.is_lowercase())?;
    let rest = name.get(first.len_utf8()..)?;
    let variant = format!("{}{rest}", first.to_uppercase());
    let read: Result<_, ValueError> = Algorithm::deserialize(variant.into_deserializer());
    read.ok()
}

pub(crate) fn stemmer(name: &str) -> Option<Stemmer> {
    algorithm(name).map(Stemmer::create)
}

/// A set of the entries.
pub(crate) fn set(entries: &[String]) -> HashSet<String> {
    entries.iter().cloned().collect()
}
