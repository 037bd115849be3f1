//! Amounts, durations and shares with what they are of: in a table of prices every number is some
//! row's, and the right one is that of the row which the sentence speaks of.

use std::collections::HashSet;

use super::Grounds;
use super::content;
use super::values::values;
use crate::turn::words::{self, Rarity};

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

/// A statement of the facts with its measures.
#[derive(Clone, Debug)]
struct Measured {
    measures: Vec<Measure>,
    words: HashSet<String>,
}

/// The measures of records and passages.
#[derive(Debug, Default)]
pub(super) struct Measures {
    statements: Vec<Measured>,
    question: HashSet<String>,
}

impl Measures {
    pub(super) fn new(grounds: &Grounds<'_>) -> Self {
        let records = grounds.records.iter().map(|record| ("", record));
        let passages = grounds.passages.iter();
        let passages = passages.map(|fact| (fact.title.as_str(), &fact.text));
        let statements = records.chain(passages).flat_map(|(title, text)| {
            let sentences = retrieval::sentences::split(text).into_iter();
            sentences.map(move |sentence| Measured {
                measures: measures(&sentence),
                words: plain(&format!("{title} {sentence}")),
            })
        });
        Self {
            statements: statements.collect(),
            question: plain(grounds.question),
        }
    }

    /// A value of `sentence` in whose place the facts have another: one that is said of what the
    /// sentence speaks of, where this one is said of something else.
    pub(super) fn misplaced(&self, sentence: &str, told: &HashSet<String>) -> Option<String> {
        content::clauses(sentence).find_map(|clause| {
            let said = plain(clause);
            let measures = measures(clause).into_iter();
            measures
                .filter(|measure| !told.contains(&measure.value))
                .find(|measure| self.is_misplaced(measure, &said))
                .map(|measure| measure.value)
        })
    }

    fn is_misplaced(&self, measure: &Measure, said: &HashSet<String>) -> bool {
        let counted = |known: &&Measured| known.measures.iter().any(|m| m.unit == measure.unit);
        let alike: Vec<&Measured> = self.statements.iter().filter(counted).collect();
        let rarity = Rarity::among(alike.iter().map(|known| &known.words));
        let fit = |known: &Measured| {
            let asked: HashSet<String> = self.question.difference(said).cloned().collect();
            rarity.share(said, &known.words) + QUESTION_WEIGHT * rarity.share(&asked, &known.words)
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

/// Content words that are no numbers.
fn plain(text: &str) -> HashSet<String> {
    let words = words::content(text);
    words
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
        .filter(|word| !is_time(word))
        .collect()
}

/// Whether a stemmed word is a unit of time.
fn is_time(word: &str) -> bool {
    const UNITS: &[&str] = &[
        "day", "days", "week", "weeks", "month", "months", "year", "years", "hour", "hours",
        "minut", "minute", "minutes", "work", "working", "business",
    ];
    UNITS.contains(&word)
}

/// The numbers of `text` that have a unit.
fn measures(text: &str) -> Vec<Measure> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut all = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(unit) = unit(word, words.get(at + 1..).unwrap_or_default()) else {
            continue;
        };
        all.extend(values(word).map(|value| Measure { value, unit }));
    }
    all
}

/// What the number in `word` counts; `None` where it has none, or counts something else.
fn unit(word: &str, behind: &[&str]) -> Option<Unit> {
    if word.contains(['$', '€', '£', '¥']) {
        return Some(Unit::Money);
    }
    if word.contains('%') || behind.first().is_some_and(|next| next.starts_with('%')) {
        return Some(Unit::Percent);
    }
    values(word).next()?;
    for next in behind.iter().take(UNIT_WITHIN) {
        let bare = next.trim_matches(|c: char| !c.is_alphanumeric());
        let lower = bare.to_lowercase();
        if is_time(&lower) {
            return Some(Unit::Time);
        }
        if ["dollars", "dollar", "euros", "euro", "pounds"].contains(&lower.as_str()) {
            return Some(Unit::Money);
        }
        let goes_on =
            ["to", "or", "and"].contains(&lower.as_str()) || values(next).next().is_some();
        if !goes_on {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Fact;

    fn misplaced(question: &str, sentence: &str) -> Option<String> {
        let facts = [
            Fact::passage(
                "Delivery > Standard",
                "Where to: Ireland; Price: €4.90; Time: 2 to 4 working days\n\
                 Where to: Norway, Iceland; Price: €9.90; Time: 5 to 8 working days\n\
                 An engraving adds three working days.",
            ),
            Fact::passage(
                "Returns",
                "You can send things back within 30 days of delivery.\n\
                 Bring the parcel to any counter within 14 days.",
            ),
        ];
        let measures = Measures::new(&Grounds {
            passages: &facts,
            records: &[],
            conversation: &[],
            told: "",
            question,
            company: "",
            same_language: true,
        });
        measures.misplaced(sentence, &HashSet::new())
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
        let units = |text: &str| -> Vec<Unit> {
            measures(text)
                .into_iter()
                .map(|measure| measure.unit)
                .collect()
        };
        assert_eq!(units("5 to 8 working days"), [Unit::Time, Unit::Time]);
        assert_eq!(units("$20 or 3 %"), [Unit::Money, Unit::Percent]);
        assert_eq!(units("order 17 has 3 mugs"), []);
    }
}
