//! The checks: whether what the server did is what a dialogue expects.
//!
//! Judging is a pure function of what was expected and what was observed, so a saved replay can be
//! judged again. Facts must be in the reply as delivered; what a preview showed does not count.

mod observed;

use serde::{Deserialize, Serialize};

use crate::dialogue::Expect;
use crate::wording;

pub use observed::Observed;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The intent is the expected one.
    Intent,
    /// The sentiment is the expected one.
    Sentiment,
    /// An expected document is among the first five retrieved.
    Documents,
    /// The reply states every fact.
    Facts,
    /// The reply has none of the forbidden wordings.
    Forbid,
    /// Where there is no answer, none is given.
    Answerable,
    /// The conversation goes to a person exactly when it should.
    Handoff,
    /// What must be declined is declined.
    Refuse,
}

impl Check {
    /// All checks, in the order they are reported.
    pub const ALL: [Self; 8] = [
        Self::Intent,
        Self::Sentiment,
        Self::Documents,
        Self::Facts,
        Self::Forbid,
        Self::Answerable,
        Self::Handoff,
        Self::Refuse,
    ];

    /// Its key under `expect`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sentiment => "sentiment",
            Self::Documents => "documents",
            Self::Facts => "facts",
            Self::Forbid => "forbid",
            Self::Answerable => "answerable",
            Self::Handoff => "handoff",
            Self::Refuse => "refuse",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Finding {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed {
        /// What was observed instead.
        reason: String,
    },
    /// Nothing can be said: the server never saw the message.
    NotMeasured,
}

/// A check and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was checked.
    pub check: Check,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Carries out every check that `expect` asks for.
pub fn judge(expect: &Expect, observed: &Observed<'_>) -> Vec<Verdict> {
    let checks = Check::ALL.into_iter();
    checks
        .filter_map(|check| {
            let finding = observed.find(check, expect)?;
            Some(Verdict { check, finding })
        })
        .collect()
}

/// Facts that none of `texts` states, by their first wording.
pub fn missing_facts<'a>(facts: &'a [Vec<String>], texts: &[&str]) -> Vec<&'a str> {
    let stated = |fact: &&Vec<String>| {
        fact.iter()
            .any(|wording| texts.iter().any(|text| wording::occurs(wording, text)))
    };
    facts
        .iter()
        .filter(|fact| !stated(fact))
        .filter_map(|fact| fact.first())
        .map(String::as_str)
        .collect()
}
