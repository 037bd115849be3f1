//! The guard: no sentence leaves before it is checked against the facts.
//!
//! A sentence is withheld when it holds a number, amount, date, id, link, e-mail address or name
//! that occurs neither in the facts nor in the customer's own words; when it denies what its fact
//! affirms, or the other way round; when it claims that something was done; or when too little of
//! what it says is in any fact. The checks are lexical and take microseconds: they run between two
//! tokens.

mod bound;
mod claims;
mod content;
mod measured;
mod values;

use std::collections::HashSet;

use serde::Serialize;

use bound::BoundValue;
pub(super) use claims::{
    confesses_ignorance, consequence, has_placeholder, is_bare_answer, is_invitation,
};
use measured::Measures;
pub(super) use values::values;

use super::words;
use crate::facts::{Fact, FactKind};

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

/// Why `sentence`, in answer to `question`, is withheld from a customer of `company` where
/// `passages`, each a title and a text, are all that is known; `None` where it may leave.
pub fn withheld(
    passages: &[(&str, &str)],
    question: &str,
    company: &str,
    sentence: &str,
) -> Option<Withheld> {
    let fact = |(title, text): &(&str, &str)| Fact {
        kind: FactKind::Knowledge,
        source: (*title).to_owned(),
        title: (*title).to_owned(),
        url: None,
        text: (*text).to_owned(),
        nearness: None,
        internal: false,
    };
    let guard = Guard::new(&Grounds {
        passages: &passages.iter().map(fact).collect::<Vec<_>>(),
        records: &[],
        conversation: &[question.to_owned()],
        told: "",
        question,
        company,
        same_language: true,
    });
    guard.check(sentence).err()
}

/// What a reply may rest on.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Values of records and passages, each with what it is said of.
    facts_values: Vec<BoundValue>,
    /// Amounts and durations of records and passages.
    measures: Measures,
    /// Values of the conversation.
    told_values: HashSet<String>,
    same_language: bool,
    links: HashSet<String>,
    /// Words of facts and conversation: names may come from either.
    words: HashSet<String>,
    /// Names of a kind and a letter in facts and conversation: "option b".
    lettered: HashSet<String>,
    /// Words of the facts alone: what a sentence claims must come from these.
    fact_words: HashSet<String>,
    statements: Vec<content::Statement>,
    /// Words of the company's name, which say nothing about its facts.
    company: HashSet<String>,
    /// What the customer has just been told from the records.
    told: HashSet<String>,
    /// Whether that says that something can no longer be done.
    told_denies: bool,
}

/// The texts that the guard compares with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grounds<'a> {
    /// The passages given to the model.
    pub passages: &'a [Fact],
    /// What the customer's records and the catalogue say.
    pub records: &'a [String],
    /// What the customer wrote in this conversation, and was told.
    pub conversation: &'a [String],
    /// What the reply begins with already; empty when nothing was looked up.
    pub told: &'a str,
    /// What is asked, with what it goes on from.
    pub question: &'a str,
    /// Name of the company.
    pub company: &'a str,
    /// Whether reply and facts are in one language. Where they are not, words cannot be compared:
    /// values, links, deeds and leaks are still checked.
    pub same_language: bool,
}

impl Guard {
    /// A guard for one reply.
    pub(crate) fn new(grounds: &Grounds<'_>) -> Self {
        let passages = || {
            grounds
                .passages
                .iter()
                .flat_map(|fact| [&fact.title, &fact.text])
        };
        let facts = || grounds.records.iter().chain(passages());
        let texts = || facts().chain(grounds.conversation);
        let told = || grounds.conversation.iter();
        let mut words: HashSet<String> = texts().flat_map(|text| words::all(text)).collect();
        words.extend(words::all(grounds.company));
        Self {
            facts_values: bound::bound_values(grounds),
            measures: Measures::new(grounds),
            told_values: told().flat_map(|text| values(text)).collect(),
            same_language: grounds.same_language,
            links: texts().flat_map(|text| values::links(text)).collect(),
            words,
            lettered: texts().flat_map(|text| content::lettered(text)).collect(),
            fact_words: facts().flat_map(|fact| words::all(fact)).collect(),
            company: words::all(grounds.company).collect(),
            told: words::all(grounds.told).collect(),
            told_denies: claims::no_longer_can(grounds.told),
            statements: content::statements(grounds),
        }
    }

    /// Checks a sentence.
    ///
    /// # Errors
    /// Why it must not leave.
    pub(crate) fn check(&self, sentence: &str) -> Result<(), Withheld> {
        if claims::leaks_instructions(sentence) {
            return Err(Withheld::Leak);
        }
        if has_placeholder(sentence) {
            return Err(Withheld::Placeholder);
        }
        if claims::claims_a_deed(sentence) {
            return Err(Withheld::Deed);
        }
        if let Some(link) = values::links(sentence).find(|link| !self.links.contains(link)) {
            return Err(Withheld::Link(link));
        }
        if self.told_denies && claims::still_promises(sentence) {
            return Err(Withheld::Polarity);
        }
        let said = content::Statement::new(sentence);
        if said.has_content() && said.share_in(&self.told) >= content::REPEATS {
            return Err(Withheld::Repeats);
        }
        if let Some(value) = values(sentence).find(|value| !self.holds_value(value, &said)) {
            return Err(Withheld::Value(value));
        }
        if !self.same_language {
            return Ok(());
        }
        if let Some(value) = self.measures.misplaced(sentence, &self.told_values) {
            return Err(Withheld::Value(value));
        }
        if let Some(name) = content::names(sentence).find(|name| !self.holds_name(name)) {
            return Err(Withheld::Name(name));
        }
        if let Some(name) = content::lettered(sentence).find(|name| !self.lettered.contains(name)) {
            return Err(Withheld::Name(name));
        }
        self.check_support(sentence, &said)
    }

    /// Whether the text is a yes or a no without a value that the customer has not named: all that it
    /// tells is the model's judgement.
    pub(super) fn is_verdict(&self, text: &str) -> bool {
        let new_value = || values(text).any(|value| !self.told_values.contains(&value));
        is_bare_answer(text) || claims::verdict(text).is_some() && !new_value()
    }

    /// Whether `reason` takes back what the verdict before it affirms: "Yes, there is a fee. The fee
    /// is $0."
    pub(super) fn is_taken_back_by(verdict: &str, reason: &str) -> bool {
        let mut amounts = values(reason).peekable();
        claims::verdict(verdict) == Some(true)
            && amounts.peek().is_some()
            && amounts.all(|amount| amount == "0")
    }

    /// Whether `rule` denies what the verdict affirms, or the other way round.
    pub(super) fn is_denied_by(verdict: &str, rule: &str) -> bool {
        let affirms = claims::verdict(verdict);
        affirms.is_some_and(|affirms| affirms == content::denies(rule))
    }

    /// The customer wrote it, or a fact states it of something that the sentence speaks of and that
    /// was asked about: the right number of another thing is a wrong number.
    fn holds_value(&self, value: &str, said: &content::Statement) -> bool {
        let speaks_of = |known: &BoundValue| {
            !self.same_language || (said.shares_a_word_with(&known.of) && !known.neighbours)
        };
        let mut held = self.facts_values.iter();
        self.told_values.contains(value)
            || held.any(|known| known.value == value && speaks_of(known))
    }

    fn holds_name(&self, name: &str) -> bool {
        words::all(name).all(|word| self.words.contains(&word))
    }

    fn check_support(&self, sentence: &str, said: &content::Statement) -> Result<(), Withheld> {
        if claims::is_courtesy(sentence) {
            return Ok(());
        }
        let Some(share) = said.best_support(&self.statements) else {
            return Err(Withheld::Unsupported);
        };
        let clauses: Vec<_> = content::clauses(sentence)
            .map(content::Statement::new)
            .collect();
        let finer = content::finer_clauses(sentence).map(content::Statement::new);
        let mut claims = finer.chain(clauses.iter().cloned());
        if claims.any(|claim| claim.is_contradicted_by(&self.statements)) {
            return Err(Withheld::Polarity);
        }
        if clauses
            .iter()
            .any(|clause| clause.denies_beyond(&self.statements))
        {
            return Err(Withheld::Unsupported);
        }
        // "If you pay by cheque, it costs $5" ties a true value to a case that nobody spoke of.
        let condition = claims::condition(sentence).map(content::Statement::new);
        if condition.is_some_and(|case| case.share_in(&self.words) < content::LEAST_OF_A_CONDITION)
        {
            return Err(Withheld::Unsupported);
        }
        let in_all = said.share_in(&self.fact_words);
        if self.is_verdict(sentence)
            && said.without(&self.company).share_in(&self.fact_words) < content::LEAST_OF_A_VERDICT
        {
            return Err(Withheld::Unsupported);
        }
        if share < content::LEAST_IN_ONE && in_all < content::LEAST_IN_ALL {
            return Err(Withheld::Unsupported);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let facts = [
            Fact::passage(
                "Gold card",
                "The Gold card costs $150 a year. Cash advances are not allowed.",
            ),
            Fact::passage(
                "Returns",
                "Returns are possible within 30 days of delivery; write to help@example.com.",
            ),
        ];
        let conversation = ["My order is #A20417, can I send it back after 10 days?".to_owned()];
        Guard::new(&Grounds {
            passages: &facts,
            records: &[],
            conversation: &conversation,
            told: "Order #A20417 was delivered. It can no longer be changed.",
            question: "can I send it back, and what does the gold card cost?",
            company: "Tern & Teasel",
            same_language: true,
        })
    }

    #[test]
    fn a_neighbours_number_is_withheld() {
        let facts = [
            Fact::passage("Blue Account: Fees", "The monthly fee is $20."),
            Fact::passage("True Blue Business Checking", "The monthly fee is $75."),
        ];
        let guard = Guard::new(&Grounds {
            passages: &facts,
            records: &[],
            conversation: &[],
            told: "",
            question: "what is the monthly fee of the blue account?",
            company: "Rho",
            same_language: true,
        });
        assert_eq!(
            guard.check("The Blue Account costs a monthly fee of $20."),
            Ok(())
        );
        assert_eq!(
            guard.check("The Blue Account costs a monthly fee of $75."),
            Err(Withheld::Value("75".into()))
        );
    }

    #[test]
    fn what_is_listed_as_impossible_is_denied() {
        let listed = "Candles that have been lit.\nStandard delivery is refunded; express is not.";
        let check = |sentence| {
            let passages = [("Returns > What cannot be returned", listed)];
            withheld(&passages, "can I return a candle?", "Tern", sentence)
        };
        let yes = "Yes, you can return candles that have been lit.";
        assert_eq!(check(yes), Some(Withheld::Polarity));
        assert_eq!(
            check("Candles that have been lit cannot be returned."),
            None
        );
        assert_eq!(check("Standard delivery is refunded."), None);
    }

    #[test]
    fn a_yes_before_nothing_is_taken_back() {
        let yes = "Yes, there is a monthly fee.";
        assert!(Guard::is_taken_back_by(yes, "The monthly fee is $0.00."));
        assert!(!Guard::is_taken_back_by(yes, "The monthly fee is $20."));
        assert!(!Guard::is_taken_back_by(yes, "It is charged every month."));
        assert!(!Guard::is_taken_back_by("No.", "The monthly fee is $0.00."));
    }

    #[test]
    fn a_sentence_that_the_facts_hold_passes() {
        for sentence in [
            "The Gold card costs $150 a year.",
            "You can return your order #A20417 within 30 days of delivery.",
            "Cash advances are not allowed.",
            "The Gold card costs $150 a year, and cash advances are not allowed.",
            "If you return your order, it is possible within 30 days of delivery.",
            "I'm sorry about the trouble.",
            "I'm sorry to hear that your parcel has not come.",
            "Certainly!",
            "Tern & Teasel charges 150 dollars a year for the Gold card.",
        ] {
            assert_eq!(guard().check(sentence), Ok(()), "{sentence}");
        }
    }

    #[test]
    fn what_the_facts_do_not_hold_is_withheld() {
        for (sentence, reason) in [
            (
                "The Gold card costs $140 a year.",
                Withheld::Value("140".into()),
            ),
            (
                "The Gold card is free for 30 years.",
                Withheld::Value("30".into()),
            ),
            (
                "You can return it within 45 days.",
                Withheld::Value("45".into()),
            ),
            (
                "Write to support@shop.com.",
                Withheld::Link("support@shop.com".into()),
            ),
            (
                "The Gold card costs $150 a year at Card A and Card B.",
                Withheld::Name("card a".into()),
            ),
            (
                "The Platinum card costs $150 a year.",
                Withheld::Name("Platinum".into()),
            ),
            ("Cash advances are allowed.", Withheld::Polarity),
            ("I have cancelled your order.", Withheld::Deed),
            (
                "The Gold card costs $[value not available] a year.",
                Withheld::Placeholder,
            ),
            ("Your order #A20417 has been delivered.", Withheld::Repeats),
            ("You can still cancel the order.", Withheld::Polarity),
            (
                "The Gold card costs $150 a year, and cheques are not accepted.",
                Withheld::Unsupported,
            ),
            (
                "Yes, cash advances come with bicycles.",
                Withheld::Unsupported,
            ),
            (
                "I'm sorry, but our drivers refuse green parcels.",
                Withheld::Unsupported,
            ),
            ("Of course you can pay in seashells.", Withheld::Unsupported),
            (
                "If you pay by postal cheque, the Gold card costs $150 a year.",
                Withheld::Unsupported,
            ),
            (
                "Our drivers wear green gloves while juggling parcels.",
                Withheld::Unsupported,
            ),
        ] {
            assert_eq!(guard().check(sentence), Err(reason), "{sentence}");
        }
    }
}
