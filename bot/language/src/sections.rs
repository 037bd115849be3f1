//! The sections of a pack, as its file spells them.
//!
//! Entries are written as texts are compared: in lower case, with straight apostrophes. The order
//! of entries matters only where a field says so.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A pack's file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sections {
    /// What a model is told to answer in: "English", "中文".
    pub name: String,
    /// How to tell the language by its script.
    pub detection: Option<Detection>,
    /// Words and their forms.
    pub words: Option<WordForms>,
    /// How a price is limited.
    pub limits: Option<Limits>,
    /// What states of an order are called.
    pub statuses: Option<Statuses>,
    /// What does and does not end a sentence.
    pub sentences: Option<SentenceEnds>,
    /// How numbers are written.
    pub numbers: Option<Numbers>,
    /// What numbers count.
    pub units: Option<Units>,
    /// Names of days and months.
    pub days: Option<Days>,
    /// How something is denied.
    pub negation: Option<Negation>,
    /// What joins clauses.
    pub clauses: Option<Clauses>,
    /// How a condition begins.
    pub conditions: Option<Conditions>,
    /// How to tell a name.
    pub names: Option<Names>,
    /// Politeness that claims nothing.
    pub courtesies: Option<Courtesies>,
    /// Yes and no.
    pub answers: Option<Answers>,
    /// First-person claims to have done something.
    pub deeds: Option<Deeds>,
    /// Fixed phrases, by what they say.
    pub phrases: Option<Phrases>,
    /// How lists are told from sentences.
    pub lists: Option<Lists>,
    /// Repairs of a model's wording.
    pub wording: Option<Wording>,
}

/// How to tell the language by its script.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// Unicode scripts of which this is the language most written: `["Han"]`.
    pub scripts: Vec<String>,
    /// Whether a single letter of them decides, whatever stands beside it: a text of Han and Kana
    /// is in the language of Kana.
    #[serde(default)]
    pub decisive: bool,
}

/// How a text is cut into words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segmentation {
    /// At spaces and punctuation, by Unicode's word boundaries.
    #[default]
    Spaces,
    /// By ICU4X's dictionaries: for scripts without spaces.
    Dictionary,
}

/// Words and their forms.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordForms {
    /// How a text is cut into words.
    #[serde(default)]
    pub segmentation: Segmentation,
    /// Name of the Snowball algorithm, in lower case.
    pub stemmer: Option<String>,
    /// Endings cut off before stemming: `'s`.
    #[serde(default)]
    pub possessives: Vec<String>,
    /// Plural endings with what stands in their place, the first that fits; where there are none,
    /// stems tell plurals.
    #[serde(default)]
    pub plurals: Vec<(String, String)>,
    /// Words that carry no content.
    #[serde(default)]
    pub function: Vec<String>,
}

/// How a price is limited.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// What stands before the largest number: "under", "at most".
    #[serde(default)]
    pub before: Vec<String>,
    /// What stands behind it: "以下".
    #[serde(default)]
    pub behind: Vec<String>,
}

/// What states of an order are called, in words that stand before or behind it ("my pending order").
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Statuses {
    /// It waits.
    pub pending: Vec<String>,
    /// It is under way within the company.
    pub processed: Vec<String>,
    /// It is under way to the customer.
    pub shipped: Vec<String>,
    /// It has come.
    pub delivered: Vec<String>,
    /// It was called off.
    pub cancelled: Vec<String>,
}

/// What does and does not end a sentence.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentenceEnds {
    /// Words, without their last full stop, before a full stop that ends no sentence.
    #[serde(default)]
    pub abbreviations: Vec<String>,
    /// Whether a full stop behind a number of one or two digits makes an ordinal of it.
    #[serde(default)]
    pub ordinal_points: bool,
}

/// How numbers are written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Decimal separator.
    #[serde(default = "point")]
    pub decimal: char,
    /// Separator of thousands.
    #[serde(default = "comma")]
    pub grouping: char,
    /// Number words with their values.
    #[serde(default)]
    pub words: BTreeMap<String, u32>,
    /// Numerals of a script that writes numbers without spaces, with their values; from ten on
    /// they multiply what stands before them.
    #[serde(default)]
    pub numerals: BTreeMap<char, u32>,
    /// Words behind such numerals by which they are told from ordinary words.
    #[serde(default)]
    pub counters: Vec<String>,
}

fn point() -> char {
    '.'
}

fn comma() -> char {
    ','
}

/// What numbers count.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    /// Currencies by name; their signs need no entry.
    #[serde(default)]
    pub money: Vec<String>,
    /// Words for a hundredth.
    #[serde(default)]
    pub percent: Vec<String>,
    /// Lengths of time, and what stands before them: "working days".
    #[serde(default)]
    pub time: Vec<String>,
    /// Words between the ends of a range.
    #[serde(default)]
    pub ranges: Vec<String>,
}

/// Names of days and months.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// The seven, Monday first, as they are written within a sentence.
    pub weekdays: Vec<String>,
    /// The twelve, as they are written within a sentence; none where dates name no months.
    #[serde(default)]
    pub months: Vec<String>,
    /// Phrases that name a day, with its distance from today.
    #[serde(default)]
    pub relative: BTreeMap<String, i64>,
    /// Phrases that look like one of these and name no day: "good morning" where the word for
    /// morning is the word for tomorrow.
    #[serde(default)]
    pub ordinary: Vec<String>,
    /// Such a phrase with its weekday: `{said} ({weekday})`.
    pub named: String,
    /// A date with its weekday: `{date}, a {weekday}`.
    pub in_full: String,
    /// Whether dates are written 24.11.2026.
    #[serde(default)]
    pub dotted_dates: bool,
}

/// How something is denied.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negation {
    /// Words that deny.
    #[serde(default)]
    pub words: Vec<String>,
    /// Marks that deny within a word or a text without spaces.
    #[serde(default)]
    pub marks: Vec<String>,
    /// Phrases that deny nothing in spite of such a word.
    #[serde(default)]
    pub exceptions: Vec<String>,
}

/// What joins clauses; each is tried in order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clauses {
    /// Between parts that claim something each.
    pub joints: Vec<String>,
    /// Within such parts.
    #[serde(default)]
    pub inner_joints: Vec<String>,
}

/// How a condition begins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Its first words, with the space behind them where there is one.
    pub openers: Vec<String>,
}

/// How a name is told from other words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameStyle {
    /// Names are capitalised within a sentence, and other words are not.
    Capitalised,
}

/// How to tell a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// By what.
    pub style: NameStyle,
    /// Words that look like names and are none, beside days.
    #[serde(default)]
    pub others: Vec<String>,
    /// First letters of contractions that look like names, as "I'd" and "It's" do.
    #[serde(default)]
    pub contractions: Vec<String>,
}

/// Politeness that claims nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Courtesies {
    /// Beginnings of polite sentences.
    pub openers: Vec<String>,
    /// Openers that agree: with anything behind them, they claim it.
    #[serde(default)]
    pub agreements: Vec<String>,
    /// Joints behind which a polite sentence may claim something: " but ".
    #[serde(default)]
    pub joints: Vec<String>,
    /// Beginnings of invitations to call or write.
    #[serde(default)]
    pub invitations: Vec<String>,
}

/// Yes and no.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Words that affirm at the beginning of a sentence.
    pub yes: Vec<String>,
    /// Words that deny there.
    pub no: Vec<String>,
    /// What else answers a question alone and tells nothing.
    #[serde(default)]
    pub bare: Vec<String>,
}

/// First-person claims to have done something, or to be about to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deeds {
    /// Fixed phrases.
    #[serde(default)]
    pub phrases: Vec<String>,
    /// Subjects and verbs, each with each.
    #[serde(default)]
    pub composed: Vec<ComposedPhrases>,
}

/// Phrases of a subject and a verb, each with each.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposedPhrases {
    /// Subjects, with their auxiliaries: "i have".
    pub subjects: Vec<String>,
    /// Verbs: "cancelled".
    pub verbs: Vec<String>,
    /// Whether other words of the clause may stand between the two.
    #[serde(default)]
    pub apart: bool,
}

/// Fixed phrases, by what they say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrases {
    /// That something can be done after all.
    #[serde(default)]
    pub promises: Vec<String>,
    /// That the facts do not answer.
    #[serde(default)]
    pub confessions: Vec<String>,
    /// What stands in brackets where a value was forgotten.
    #[serde(default)]
    pub placeholders: Vec<String>,
}

/// How lists are told from sentences.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    /// Question words that begin a heading, each with the space behind it where there is one.
    pub headings: Vec<String>,
    /// Words that make a sentence of a line wherever they stand.
    pub modals: Vec<String>,
    /// Words that make a sentence of a line's main clause.
    pub verbs: Vec<String>,
    /// What begins a clause beyond the main one, with the spaces around it.
    pub relatives: Vec<String>,
}

/// Repairs of a model's wording.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    /// Patterns of citations that customers cannot follow: "the facts state that ".
    #[serde(default)]
    pub citing: Vec<String>,
    /// How the customer is spoken to instead of about.
    pub third_person: Option<ThirdPerson>,
}

/// Forms of speaking about the customer that can be put right word by word.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThirdPerson {
    /// "the customer".
    pub subjects: Vec<String>,
    /// Its possessive ending, with what takes the place of both: `["'s", "your"]`.
    pub possessive: Option<(String, String)>,
    /// "you".
    pub second: String,
    /// Verbs behind the subject, with their forms in the second person.
    pub verbs: BTreeMap<String, String>,
}

/// A part of a pack that some check needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// [`WordForms::function`].
    FunctionWords,
    /// [`Numbers`].
    Numbers,
    /// [`Units`].
    Units,
    /// [`Negation`].
    Negation,
    /// [`Conditions`].
    Conditions,
    /// [`Names`].
    Names,
    /// [`Answers`].
    Answers,
    /// [`Deeds`].
    Deeds,
    /// [`Phrases::promises`].
    Promises,
    /// [`Phrases::placeholders`].
    Placeholders,
}
