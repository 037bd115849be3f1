//! Amounts, durations and shares with what they are of: in a table of prices every number is some
//! row's, and the right one is that of the row which the sentence speaks of.

use std::collections::HashSet;

use language::values::values;
use language::{IdfWeights, Pack, Units};

use crate::Grounds;

/// How much better another statement must fit than the best one with the value.
const MARGIN: f32 = 0.2;
/// What a word of the question counts beside one of the sentence.
const QUESTION_WEIGHT: f32 = 0.5;
/// Words after a number among which its unit stands: "5 to 8 working days".
const UNIT_WITHIN: usize = 4;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Money,
    Percent,
    Time,
}

/// A number with its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Measure {
    value: String,
    unit: Unit,
}

/// A text with its measures, and what else it speaks of.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    measures: Vec<Measure>,
    words: HashSet<String>,
}

impl Measured {
    /// Reads `text`, which stands under `title`.
    pub(crate) fn new(title: &str, text: &str, pack: &Pack) -> Self {
        let units = pack.sections().units.as_ref();
        Self {
            measures: units
                .map(|units| measures(text, units, pack))
                .unwrap_or_default(),
            words: plain(&format!("{title} {text}"), pack),
        }
    }
}

/// The measures of records and passages.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    statements: Vec<Measured>,
    question: HashSet<String>,
}

impl Measures {
    pub(crate) fn new(grounds: &Grounds<'_>, pack: &Pack) -> Self {
        let records = grounds.records.iter().map(|record| ("", record.as_str()));
        let passages = grounds.passages.iter();
        let passages = passages.map(|passage| (passage.title, passage.text));
        let statements = records.chain(passages).flat_map(|(title, text)| {
            let sentences = pack.boundaries().split(text).into_iter();
            sentences.map(move |sentence| Measured::new(title, &sentence, pack))
        });
        Self {
            statements: statements.collect(),
            question: plain(grounds.question, pack),
        }
    }

    /// A value of `said` in whose place the facts have another: one that is said of what the clause
    /// speaks of, where this one is said of something else.
    pub(crate) fn misplaced(&self, said: &Measured, told: &HashSet<String>) -> Option<String> {
        let measures = said.measures.iter();
        measures
            .filter(|measure| !told.contains(&measure.value))
            .find(|measure| self.is_misplaced(measure, &said.words))
            .map(|measure| measure.value.clone())
    }

    fn is_misplaced(&self, measure: &Measure, said: &HashSet<String>) -> bool {
        let counted = |known: &&Measured| known.measures.iter().any(|m| m.unit == measure.unit);
        let alike: Vec<&Measured> = self.statements.iter().filter(counted).collect();
        let weights = IdfWeights::among(alike.iter().map(|known| &known.words));
        let fit = |known: &Measured| {
            let asked: HashSet<String> = self.question.difference(said).cloned().collect();
            weights.share(said, &known.words)
                + QUESTION_WEIGHT * weights.share(&asked, &known.words)
        };
        let best = |has_it: bool| {
            let has = |known: &&&Measured| known.measures.contains(measure) == has_it;
            let fits = alike.iter().filter(has).map(|known| fit(known));
            fits.max_by(f32::total_cmp)
        };
        match (best(true), best(false)) {
            (Some(with), Some(without)) => without > with + MARGIN,
            (None, _) | (_, None) => false,
        }
    }
}

/// Content words that are neither numbers nor units of time.
fn plain(text: &str, pack: &Pack) -> HashSet<String> {
    let units = pack.sections().units.as_ref();
    let time = units.iter().flat_map(|units| &units.time);
    let time: HashSet<String> = time.map(|unit| pack.stem(unit)).collect();
    let words = pack.content(text).into_iter();
    words
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
        .filter(|word| !time.contains(word))
        .collect()
}

/// The numbers of `text` that have a unit.
fn measures(text: &str, units: &Units, pack: &Pack) -> Vec<Measure> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut all = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let numbers = values(word, Some(pack));
        if numbers.is_empty() {
            continue;
        }
        let behind = words.get(at + 1..).unwrap_or_default();
        if let Some(unit) = unit(word, behind, units, pack) {
            all.extend(numbers.into_iter().map(|value| Measure { value, unit }));
        }
    }
    all
}

/// What the number in `word` counts; `None` where it has no unit, or counts something else.
fn unit(word: &str, behind: &[&str], units: &Units, pack: &Pack) -> Option<Unit> {
    const SIGNS: [char; 4] = ['$', '€', '£', '¥'];
    let is_sign = |text: &str, signs: &[char]| text.starts_with(signs);
    if word.contains(SIGNS)
        || behind
            .first()
            .is_some_and(|next| is_sign(next, &SIGNS) && !has_digit(next))
    {
        return Some(Unit::Money);
    }
    if word.contains('%') || behind.first().is_some_and(|next| next.starts_with('%')) {
        return Some(Unit::Percent);
    }
    for next in behind.iter().take(UNIT_WITHIN) {
        let bare = next.trim_matches(|c: char| !c.is_alphanumeric());
        let lower = bare.to_lowercase();
        if units.time.contains(&lower) {
            return Some(Unit::Time);
        }
        if units.money.contains(&lower) {
            return Some(Unit::Money);
        }
        if units.percent.contains(&lower) {
            return Some(Unit::Percent);
        }
        let goes_on = units.ranges.contains(&lower) || !values(next, Some(pack)).is_empty();
        if !goes_on {
            return None;
        }
    }
    None
}

fn has_digit(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Passage;
    use crate::instructions::Instructions;
    use crate::tests::{english, packs};

    fn misplaced(question: &str, sentence: &str) -> Option<String> {
        let passages = [
            Passage {
                title: "Delivery > Standard",
                text: "Where to: Ireland; Price: €4.90; Time: 2 to 4 working days\n\
                       Where to: Norway, Iceland; Price: €9.90; Time: 5 to 8 working days\n\
                       An engraving adds three working days.",
            },
            Passage {
                title: "Returns",
                text: "You can send things back within 30 days of delivery.\n\
                       Bring the parcel to any counter within 14 days.",
            },
        ];
        let packs = packs();
        let pack = english();
        let measures = Measures::new(
            &Grounds {
                packs: &packs,
                language: "en",
                facts_language: "en",
                instructions: &Instructions::default(),
                passages: &passages,
                records: &[],
                conversation: &[],
                told: "",
                closed: false,
                question,
                company: "",
            },
            &pack,
        );
        let reader = crate::statement::Reader::new(Some(&pack));
        reader.clauses(sentence).into_iter().find_map(|clause| {
            let said = Measured::new("", clause, &pack);
            measures.misplaced(&said, &HashSet::new())
        })
    }

    #[test]
    fn a_value_of_another_row_is_misplaced() {
        let question = "How much is it to Norway?";
        assert_eq!(
            misplaced(question, "Standard delivery to Norway costs €4.90."),
            Some("4.9".into())
        );
        assert_eq!(
            misplaced(question, "To Norway it takes 2 to 4 working days."),
            Some("2".into())
        );
        assert_eq!(misplaced(question, "To Norway it costs €9.90."), None);
        assert_eq!(misplaced(question, "It takes 5 to 8 working days."), None);
        assert_eq!(
            misplaced(question, "It takes 2 to 4 working days."),
            Some("2".into())
        );
    }

    #[test]
    fn a_value_of_another_rule_is_misplaced() {
        let question = "How long can I send it back?";
        assert_eq!(
            misplaced(question, "You have 14 days from delivery to send it back."),
            Some("14".into())
        );
        let right = "You have 30 days from delivery to send it back.";
        assert_eq!(misplaced(question, right), None);
        let both = "You can send it back within 30 days, and bring the parcel to a counter within 14 days.";
        assert_eq!(misplaced(question, both), None);
    }

    #[test]
    fn numbers_count_what_stands_behind_them() {
        let packs = packs();
        let counted = |tag: &str, text: &str| -> Vec<Unit> {
            let pack = packs.require(tag).unwrap();
            let units = pack.sections().units.as_ref().unwrap();
            let measures = measures(text, units, pack).into_iter();
            measures.map(|measure| measure.unit).collect()
        };
        for (tag, text, units) in [
            ("en", "5 to 8 working days", &[Unit::Time, Unit::Time][..]),
            ("en", "5 business days", &[Unit::Time]),
            ("en", "$20 or 3 %", &[Unit::Money, Unit::Percent]),
            ("en", "order 17 has 3 mugs", &[]),
            ("de", "5 bis 8 Werktage", &[Unit::Time, Unit::Time]),
            ("de", "4,90 € oder 3 Prozent", &[Unit::Money, Unit::Percent]),
            ("de", "Bestellung 17 hat 3 Tassen", &[]),
        ] {
            assert_eq!(counted(tag, text), units, "{text}");
        }
    }
}
