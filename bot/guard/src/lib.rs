//! The guard: no sentence leaves before it is checked against the facts.
//!
//! A sentence is parsed once and goes through a list of [checks](Guard::checks_off). It is withheld
//! when it holds a number, amount, date, id, link, e-mail address or name that occurs neither in
//! the facts nor in the customer's own words; when it denies what its fact affirms, or the other way
//! round; when it claims that something was done; or when too little of what it says is in any fact.
//! The checks are lexical and take microseconds: they run between two tokens.
//!
//! Numbers, dates, links, ids and deeds are checked in every language that has a pack. Words are
//! compared only where reply and facts are in the same one.

mod checks;
mod claims;
mod facts;
mod instructions;
mod measures;
mod names;
mod sentence;
mod statement;

use std::collections::HashSet;

use language::{Pack, Packs, Section};
use serde::Serialize;

pub use claims::{
    confesses_ignorance, consequence, has_placeholder, is_bare_answer, is_invitation,
};
pub use instructions::Instructions;
pub use language::values::values;

use facts::BoundValue;
use measures::Measures;
use sentence::Sentence;
use statement::{Reader, Statement};

/// Why a sentence is withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason", content = "what")]
pub enum Withheld {
    /// A number, amount or date that no fact holds.
    Value(String),
    /// A link or e-mail address that no fact holds.
    Link(String),
    /// A name that no fact holds.
    Name(String),
    /// It denies what a fact affirms, or affirms what it denies.
    Polarity,
    /// It says that something was done, which the bot cannot do.
    Deed,
    /// It says hardly anything that a fact says.
    Unsupported,
    /// It repeats its own instructions.
    Leak,
    /// It has a hole where a value should be.
    Placeholder,
    /// It repeats what the customer has just been told.
    Repeats,
}

/// A passage of the pages.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// Title of its document and the headings above it, parted by ` > `.
    pub title: &'a str,
    /// What it says, one statement or row a line.
    pub text: &'a str,
}

/// The texts that the guard compares with.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'a> {
    /// The languages' packs.
    pub packs: &'a Packs,
    /// Tag of the reply's language.
    pub language: &'a str,
    /// Tag of the language that passages and records are in. Where it is another than the reply's,
    /// words cannot be compared: values, links, deeds and leaks are still checked.
    pub facts_language: &'a str,
    /// What the model is told to do.
    pub instructions: &'a Instructions,
    /// The passages given to the model.
    pub passages: &'a [Passage<'a>],
    /// What the customer's records and the catalogue say.
    pub records: &'a [String],
    /// What the customer wrote in this conversation, and was told.
    pub conversation: &'a [String],
    /// What the reply begins with already; empty when nothing was looked up.
    pub told: &'a str,
    /// Whether the records say that what is asked about can no longer be changed.
    pub closed: bool,
    /// What is asked, with what it goes on from.
    pub question: &'a str,
    /// Name of the company.
    pub company: &'a str,
}

/// Checks the sentences of one reply.
#[derive(Debug)]
pub struct Guard {
    packs: Packs,
    /// Pack of the reply's language.
    reply: Option<Pack>,
    /// The same, where words of reply and facts can be compared.
    compared: Option<Pack>,
    instructions: Instructions,
    closed: bool,
    /// Values of records and passages, each with what it is said of.
    facts_values: Vec<BoundValue>,
    /// Amounts and durations of records and passages.
    measures: Measures,
    /// Values of the conversation.
    told_values: HashSet<String>,
    links: HashSet<String>,
    /// Words of facts and conversation: names may come from either.
    words: HashSet<String>,
    /// Names of a kind and a letter in facts and conversation: "option b".
    lettered: HashSet<String>,
    /// Words of the facts alone: what a sentence claims must come from these.
    fact_words: HashSet<String>,
    statements: Vec<Statement>,
    /// Words of the company's name, which say nothing about its facts.
    company: HashSet<String>,
    /// Words of what the customer has just been told from the records.
    told: HashSet<String>,
}

impl Guard {
    /// A guard for one reply.
    #[must_use]
    pub fn new(grounds: &Grounds<'_>) -> Self {
        let reply = grounds.packs.get(grounds.language).cloned();
        let facts_pack = grounds.packs.get(grounds.facts_language);
        let compared = reply
            .clone()
            .filter(|pack| facts_pack == Some(pack) && pack.has(Section::FunctionWords));
        let reader = Reader::new(compared.as_ref().or(reply.as_ref()));
        let facts = || {
            let passages = grounds.passages.iter();
            let passages = passages.flat_map(|passage| [passage.title, passage.text]);
            grounds.records.iter().map(String::as_str).chain(passages)
        };
        let conversation = || grounds.conversation.iter().map(String::as_str);
        let texts = || facts().chain(conversation());
        let told_values =
            conversation().flat_map(|text| facts::readings(text, [reply.as_ref(), facts_pack]));
        let mut words: HashSet<String> = texts().flat_map(|text| reader.words(text)).collect();
        words.extend(reader.words(grounds.company));
        Self {
            packs: grounds.packs.clone(),
            instructions: grounds.instructions.clone(),
            closed: grounds.closed,
            facts_values: facts::bound_values(grounds, &reader),
            measures: compared
                .as_ref()
                .map(|pack| Measures::new(grounds, pack))
                .unwrap_or_default(),
            told_values: told_values.collect(),
            links: texts().flat_map(language::values::links).collect(),
            words,
            lettered: texts().flat_map(names::lettered).collect(),
            fact_words: facts().flat_map(|fact| reader.words(fact)).collect(),
            company: reader.words(grounds.company).into_iter().collect(),
            told: reader.words(grounds.told).into_iter().collect(),
            statements: compared
                .as_ref()
                .map(|_| facts::statements(grounds, &reader))
                .unwrap_or_default(),
            reply,
            compared,
        }
    }

    /// Checks a sentence.
    ///
    /// # Errors
    /// Why it must not leave.
    pub fn check(&self, sentence: &str) -> Result<(), Withheld> {
        let sentence = Sentence::parse(sentence, self);
        checks::CHECKS
            .iter()
            .filter(|check| check.is_on(self))
            .try_for_each(|check| (check.run)(self, &sentence))
    }

    /// Names of the checks that are off: because the reply's language has no pack, because its pack
    /// lacks what they need, or because the facts are in another language.
    #[must_use]
    pub fn checks_off(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for check in checks::CHECKS
            .iter()
            .filter(|check| !check.is_complete(self))
        {
            if !names.contains(&check.name) {
                names.push(check.name);
            }
        }
        names
    }

    /// Whether the text is a yes or a no without a value that the customer has not named: all that it
    /// tells is the model's judgement.
    #[must_use]
    pub fn is_verdict(&self, text: &str) -> bool {
        let new_value = || {
            let values = values(text, self.reply.as_ref());
            values.iter().any(|value| !self.told_values.contains(value))
        };
        is_bare_answer(&self.packs, text)
            || claims::verdict(&self.packs, text).is_some() && !new_value()
    }

    /// Whether `reason` takes back what the verdict before it affirms: "Yes, there is a fee. The fee
    /// is $0."
    #[must_use]
    pub fn is_taken_back_by(&self, verdict: &str, reason: &str) -> bool {
        let amounts = values(reason, self.reply.as_ref());
        claims::verdict(&self.packs, verdict) == Some(true)
            && !amounts.is_empty()
            && amounts.iter().all(|amount| amount == "0")
    }

    /// Whether `rule` denies what the verdict affirms, or the other way round.
    #[must_use]
    pub fn is_denied_by(&self, verdict: &str, rule: &str) -> bool {
        let affirms = claims::verdict(&self.packs, verdict);
        let denies = Reader::new(self.reply.as_ref()).denies(rule);
        affirms.is_some_and(|affirms| affirms == denies)
    }

    /// Whether the text is a yes or a no and nothing else.
    #[must_use]
    pub fn is_bare_answer(&self, text: &str) -> bool {
        is_bare_answer(&self.packs, text)
    }

    /// Whether the sentence says in the model's own way that the facts do not answer.
    #[must_use]
    pub fn confesses_ignorance(&self, sentence: &str) -> bool {
        confesses_ignorance(&self.packs, sentence)
    }

    /// What a sentence that begins with a condition says of it.
    #[must_use]
    pub fn consequence<'s>(&self, sentence: &'s str) -> Option<&'s str> {
        consequence(self.reply.as_ref()?, sentence)
    }

    /// Pack of the reply's language.
    #[must_use]
    pub fn pack(&self) -> Option<&Pack> {
        self.reply.as_ref()
    }

    /// The customer wrote it, or a fact states it of something that the sentence speaks of and that
    /// was asked about: the right number of another thing is a wrong number.
    fn holds_value(&self, value: &str, said: &Statement) -> bool {
        let speaks_of = |known: &BoundValue| {
            self.compared.is_none() || said.shares_a_word_with(&known.of) && !known.neighbours
        };
        let mut held = self.facts_values.iter();
        self.told_values.contains(value)
            || held.any(|known| known.value == value && speaks_of(known))
    }

    fn holds_name(&self, name: &str) -> bool {
        let reader = Reader::new(self.compared.as_ref());
        let words = reader.words(name);
        words.iter().all(|word| self.words.contains(word))
    }
}

/// Why `sentence`, in answer to `question`, is withheld from a customer of `company` where
/// `passages` of the same language are all that is known; `None` where it may leave.
#[must_use]
pub fn withheld(
    packs: &Packs,
    language: &str,
    passages: &[Passage<'_>],
    question: &str,
    company: &str,
    sentence: &str,
) -> Option<Withheld> {
    let guard = Guard::new(&Grounds {
        packs,
        language,
        facts_language: language,
        instructions: &Instructions::default(),
        passages,
        records: &[],
        conversation: &[question.to_owned()],
        told: "",
        closed: false,
        question,
        company,
    });
    guard.check(sentence).err()
}

#[cfg(test)]
mod tests;
