//! What a pack may not say although its types are right.

use crate::pack::algorithm;
use crate::sections::Sections;

/// Longest part of an entry that an error repeats, in characters.
const MOST_SHOWN: usize = 120;

/// An entry that makes no sense.
pub(crate) struct Fault {
    /// Section and key: `words.function`.
    pub(crate) key: String,
    /// The entry, where it is one of several.
    pub(crate) entry: Option<String>,
    what: String,
}

impl Fault {
    fn new<'e>(key: &str, entry: impl Into<Option<&'e str>>, what: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            entry: entry.into().map(str::to_owned),
            what: what.into(),
        }
    }

    /// An entry that is no pattern.
    pub(crate) fn pattern(key: &str, pattern: &str, cause: &regex::Error) -> Self {
        let cause = cause.to_string();
        let last = cause.lines().last().unwrap_or_default().to_owned();
        // What is wrong with it may be its length.
        let shown: String = pattern.chars().take(MOST_SHOWN).collect();
        Self::new(key, pattern, format!("{shown:?} is no pattern: {last}"))
    }

    /// A name that is no script's.
    pub(crate) fn script(name: &str) -> Self {
        let what = format!("Unicode has no script {name:?}");
        Self::new("detection.scripts", name, what)
    }

    pub(crate) fn reason(&self) -> String {
        format!("key \"{}\": {}", self.key, self.what)
    }
}

/// The first entry that makes no sense.
pub(crate) fn first_fault(sections: &Sections) -> Option<Fault> {
    if sections.name.trim().is_empty() {
        return Some(Fault::new("name", None, "it is empty"));
    }
    faulty_phrase(sections)
        .or_else(|| faulty_stemmer(sections))
        .or_else(|| faulty_numbers(sections))
        .or_else(|| faulty_days(sections))
}

/// An empty phrase, or one that no text in lower case can hold.
fn faulty_phrase(sections: &Sections) -> Option<Fault> {
    phrases(sections).into_iter().find_map(|(key, phrase)| {
        if phrase.trim().is_empty() {
            return Some(Fault::new(key, phrase, "an entry is empty"));
        }
        if crate::normal(phrase) == phrase.trim() {
            return None;
        }
        let what = format!("write {phrase:?} in lower case, with straight apostrophes");
        Some(Fault::new(key, phrase, what))
    })
}

/// All phrases that texts are compared with in lower case, with their keys.
fn phrases(sections: &Sections) -> Vec<(&'static str, &str)> {
    let mut all = Vec::new();
    collect(sections, &mut all);
    all
}

fn collect<'s>(sections: &'s Sections, all: &mut Vec<(&'static str, &'s str)>) {
    let mut add = |key: &'static str, entries: &'s [String]| {
        all.extend(entries.iter().map(|entry| (key, entry.as_str())));
    };
    if let Some(words) = &sections.words {
        add("words.possessives", &words.possessives);
        add("words.function", &words.function);
    }
    if let Some(limits) = &sections.limits {
        add("limits.before", &limits.before);
        add("limits.behind", &limits.behind);
    }
    if let Some(statuses) = &sections.statuses {
        add("statuses.pending", &statuses.pending);
        add("statuses.processed", &statuses.processed);
        add("statuses.shipped", &statuses.shipped);
        add("statuses.delivered", &statuses.delivered);
        add("statuses.cancelled", &statuses.cancelled);
    }
    if let Some(ends) = &sections.sentences {
        add("sentences.abbreviations", &ends.abbreviations);
    }
    if let Some(units) = &sections.units {
        add("units.money", &units.money);
        add("units.percent", &units.percent);
        add("units.time", &units.time);
        add("units.ranges", &units.ranges);
    }
    if let Some(negation) = &sections.negation {
        add("negation.words", &negation.words);
        add("negation.marks", &negation.marks);
        add("negation.exceptions", &negation.exceptions);
    }
    if let Some(conditions) = &sections.conditions {
        add("conditions.openers", &conditions.openers);
    }
    if let Some(names) = &sections.names {
        add("names.others", &names.others);
    }
    if let Some(courtesies) = &sections.courtesies {
        add("courtesies.openers", &courtesies.openers);
        add("courtesies.agreements", &courtesies.agreements);
        add("courtesies.invitations", &courtesies.invitations);
    }
    if let Some(answers) = &sections.answers {
        add("answers.yes", &answers.yes);
        add("answers.no", &answers.no);
        add("answers.bare", &answers.bare);
    }
    if let Some(deeds) = &sections.deeds {
        add("deeds.phrases", &deeds.phrases);
        for composed in &deeds.composed {
            add("deeds.composed", &composed.subjects);
            add("deeds.composed", &composed.verbs);
        }
    }
    if let Some(phrases) = &sections.phrases {
        add("phrases.promises", &phrases.promises);
        add("phrases.confessions", &phrases.confessions);
        add("phrases.placeholders", &phrases.placeholders);
    }
    if let Some(lists) = &sections.lists {
        add("lists.headings", &lists.headings);
        add("lists.modals", &lists.modals);
        add("lists.verbs", &lists.verbs);
        add("lists.relatives", &lists.relatives);
    }
}

fn faulty_stemmer(sections: &Sections) -> Option<Fault> {
    let name = sections.words.as_ref()?.stemmer.as_deref()?;
    let what = format!("Snowball has no stemmer {name:?}");
    algorithm(name)
        .is_none()
        .then(|| Fault::new("words.stemmer", name, what))
}

fn faulty_numbers(sections: &Sections) -> Option<Fault> {
    let numbers = sections.numbers.as_ref()?;
    if numbers.decimal == numbers.grouping {
        let what = "it is the same as \"numbers.grouping\"";
        return Some(Fault::new("numbers.decimal", None, what));
    }
    let separates = |c: char| !c.is_alphanumeric();
    for (key, separator) in [
        ("numbers.decimal", numbers.decimal),
        ("numbers.grouping", numbers.grouping),
    ] {
        if !separates(separator) {
            let what = format!("{separator:?} separates nothing");
            return Some(Fault::new(key, None, what));
        }
    }
    let odd = numbers.words.keys().find(|word| {
        word.is_empty() || crate::normal(word) != **word || !word.chars().all(char::is_alphabetic)
    })?;
    let what = format!("write the number word {odd:?} in lower case, as one word");
    Some(Fault::new("numbers.words", odd.as_str(), what))
}

fn faulty_days(sections: &Sections) -> Option<Fault> {
    let days = sections.days.as_ref()?;
    if days.weekdays.len() != 7 {
        let what = format!("a week has 7 days, not {}", days.weekdays.len());
        return Some(Fault::new("days.weekdays", None, what));
    }
    if !matches!(days.months.len(), 0 | 12) {
        let what = format!("a year has 12 months, not {}", days.months.len());
        return Some(Fault::new("days.months", None, what));
    }
    for (key, pattern, part) in [
        ("days.named", &days.named, "{said}"),
        ("days.named", &days.named, "{weekday}"),
        ("days.in_full", &days.in_full, "{date}"),
    ] {
        if !pattern.contains(part) {
            return Some(Fault::new(key, None, format!("it lacks {part}")));
        }
    }
    let odd = days
        .relative
        .keys()
        .find(|phrase| phrase.is_empty() || crate::normal(phrase) != **phrase)?;
    let what = format!("write {odd:?} in lower case");
    Some(Fault::new("days.relative", odd.as_str(), what))
}
