//! What is known about a language, as data: one pack a language, and the text functions that read
//! it.
//!
//! A pack (`prompts/LANGUAGE/language.toml`) holds the closed classes of a language: function
//! words, negations, number words, units, names of days, abbreviations, yes and no, courtesies, and
//! the first-person phrases by which a bot claims to have done something. [`Packs`] reads them all
//! and names file, line and key of what is wrong. Everything in a pack is optional: what it lacks
//! switches off what needs it, and [`Pack::has`] tells.
//!
//! Stemming is Snowball's, segmentation Unicode's (with ICU4X's dictionaries for scripts without
//! spaces). No function here names a language.

pub mod days;
mod detection;
mod lexicon;
mod pack;
mod packs;
mod phrases;
mod sections;
pub mod sentences;
mod validate;
pub mod values;
pub mod wording;
pub mod words;

pub use lexicon::Words;
pub use pack::Pack;
pub use packs::{PackError, Packs};
pub use phrases::{contains, normal};
pub use sections::{
    Answers, Clauses, ComposedPhrases, Conditions, Courtesies, Days, Deeds, Detection, Limits,
    Lists, NameStyle, Names, Negation, Numbers, Phrases, Section, Sections, Segmentation,
    SentenceEnds, Statuses, ThirdPerson, Units, WordForms, Wording,
};
pub use words::IdfWeights;
