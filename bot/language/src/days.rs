//! Days named from where they are said: "tomorrow" is a Saturday, and the opening hours know it
//! under that name only.

use std::borrow::Cow;

use jiff::civil::Date;
use regex::Regex;

use crate::Pack;
use crate::sections::{Days, Segmentation, WordForms};
use crate::validate::Fault;

/// A language's names of days.
#[derive(Debug)]
pub(crate) struct RelativeDays {
    days: Days,
    /// One of the phrases; `None` where there is none.
    pattern: Option<Regex>,
}

impl RelativeDays {
    /// # Errors
    /// Phrases that are too many or too long to look for.
    pub(crate) fn new(days: Days, words: Option<&WordForms>) -> Result<Self, Fault> {
        let mut phrases: Vec<&String> = days.relative.keys().chain(&days.ordinary).collect();
        // "The day after tomorrow" before "tomorrow".
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
        let spaced = words.is_none_or(|words| words.segmentation == Segmentation::Spaces);
        let edge = if spaced { r"\b" } else { "" };
        let escaped = |texts: &mut dyn Iterator<Item = &String>| -> String {
            let texts: Vec<String> = texts.map(|text| regex::escape(text)).collect();
            texts.join("|")
        };
        let endings = escaped(&mut words.iter().flat_map(|words| &words.possessives));
        let ending = if endings.is_empty() {
            String::new()
        } else {
            format!(r"(?:(?:{endings})\b)?")
        };
        let any = escaped(&mut phrases.iter().copied());
        let pattern = match phrases.first() {
            Some(longest) => {
                let pattern = Regex::new(&format!("(?i){edge}(?P<day>{any}){edge}{ending}"));
                Some(pattern.map_err(|error| Fault::pattern("days.relative", longest, &error))?)
            }
            None => None,
        };
        Ok(Self { days, pattern })
    }

    fn weekday(&self, day: Date) -> &str {
        let from_monday = usize::from(day.weekday().to_monday_zero_offset().unsigned_abs());
        self.days
            .weekdays
            .get(from_monday)
            .map_or("", String::as_str)
    }
}

/// The message with its relative days named: "tomorrow (Saturday)". A language without names of
/// days leaves it as it is.
pub fn with_weekdays<'m>(message: &'m str, today: Date, pack: Option<&Pack>) -> Cow<'m, str> {
    let Some(names) = pack.and_then(Pack::relative_days) else {
        return Cow::Borrowed(message);
    };
    let Some(pattern) = &names.pattern else {
        return Cow::Borrowed(message);
    };
    pattern.replace_all(message, |found: &regex::Captures<'_>| {
        let said = found.get(0).map_or("", |said| said.as_str());
        let phrase = found.name("day").map_or("", |day| day.as_str());
        let offset = names.days.relative.get(&phrase.to_lowercase());
        let day = offset.and_then(|&offset| today.checked_add(jiff::Span::new().days(offset)).ok());
        // An ordinary phrase names no day, and so does one beyond the end of the calendar.
        day.map_or_else(
            || said.to_owned(),
            |day| {
                let named = names.days.named.replace("{said}", said);
                named.replace("{weekday}", names.weekday(day))
            },
        )
    })
}

/// A day for a model: `2026-11-20, a Friday`; the bare date in a language without names of days.
pub fn in_full(day: Date, pack: Option<&Pack>) -> String {
    pack.and_then(Pack::relative_days).map_or_else(
        || day.to_string(),
        |names| {
            let dated = names.days.in_full.replace("{date}", &day.to_string());
            dated.replace("{weekday}", names.weekday(day))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::tests::pack;

    #[test]
    fn relative_days_get_their_names() {
        let friday = jiff::civil::date(2026, 11, 20);
        for (tag, message, named) in [
            (
                "en",
                "When do you open tomorrow?",
                "When do you open tomorrow (Saturday)?",
            ),
            (
                "en",
                "Today or the day after tomorrow?",
                "Today (Friday) or the day after tomorrow (Sunday)?",
            ),
            ("en", "It came yesterday.", "It came yesterday (Thursday)."),
            (
                "en",
                "Tomorrow's opening hours?",
                "Tomorrow's (Saturday) opening hours?",
            ),
            ("en", "When do you open?", "When do you open?"),
            (
                "de",
                "Guten Morgen, haben Sie morgen oder übermorgen auf?",
                "Guten Morgen, haben Sie morgen (Samstag) oder übermorgen (Sonntag) auf?",
            ),
            ("zh", "明天开门吗？", "明天（星期六）开门吗？"),
        ] {
            assert_eq!(with_weekdays(message, friday, Some(&pack(tag))), named);
        }
        assert_eq!(with_weekdays("tomorrow", friday, None), "tomorrow");
    }

    #[test]
    fn a_day_at_the_end_of_the_calendar_stays_unnamed() {
        let english = pack("en");
        let named = with_weekdays("tomorrow", Date::MAX, Some(&english));
        assert_eq!(named, "tomorrow");
    }

    #[test]
    fn a_day_in_full_has_its_weekday() {
        let friday = jiff::civil::date(2026, 11, 20);
        for (tag, told) in [
            ("en", "2026-11-20, a Friday"),
            ("de", "2026-11-20, ein Freitag"),
            ("zh", "2026-11-20，星期五"),
            ("es", "2026-11-20"),
        ] {
            assert_eq!(in_full(friday, Some(&pack(tag))), told);
        }
    }

    #[test]
    fn a_phrase_that_is_too_long_to_look_for_is_an_error_that_names_its_key() {
        let days = r#"weekdays = ["a", "b", "c", "d", "e", "f", "g"]"#;
        let long = "a".repeat(3_000_000);
        let source = format!(
            "name = \"X\"\n[days]\n{days}\nnamed = \"{{said}} {{weekday}}\"\nin_full = \"{{date}} {{weekday}}\"\nrelative = {{ \"{long}\" = 1 }}\n"
        );
        let sources = [("xx".to_owned(), source)].into();
        let error = crate::Packs::from_sources(&sources)
            .unwrap_err()
            .to_string();
        assert!(error.contains("days.relative"), "{error}");
        assert!(error.len() < 500, "{} bytes", error.len());
    }
}
