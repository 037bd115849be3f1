//! Days named from where they are said: "tomorrow" is a Saturday, and the opening hours know it
//! under that name only.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday};
use regex::Regex;

static RELATIVE_DAY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:(the day after tomorrow)|(tomorrow)|(today|tonight)|(yesterday))\b(?:'s\b)?",
    )
    .ok()
});

/// Days from today, by the group of [`RELATIVE_DAY`] that matched.
const OFFSETS: [i64; 4] = [2, 1, 0, -1];

/// The English message with its relative days named: "tomorrow (Saturday)".
pub(super) fn with_weekdays(message: &str, today: Date) -> Cow<'_, str> {
    let Some(pattern) = RELATIVE_DAY.as_ref() else {
        return Cow::Borrowed(message);
    };
    pattern.replace_all(message, |found: &regex::Captures<'_>| {
        let said = found.get(0).map_or("", |said| said.as_str());
        let group = (1..=OFFSETS.len()).find(|&group| found.get(group).is_some());
        let day = group
            .and_then(|group| OFFSETS.get(group - 1))
            .and_then(|&offset| today.checked_add(jiff::Span::new().days(offset)).ok());
        day.map_or_else(
            || said.to_owned(),
            |day| format!("{said} ({})", weekday(day)),
        )
    })
}

/// A day for the model: `2026-11-20, a Friday`.
pub(super) fn in_full(day: Date) -> String {
    format!("{day}, a {}", weekday(day))
}

fn weekday(day: Date) -> &'static str {
    match day.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_days_get_their_names() {
        let friday = jiff::civil::date(2026, 11, 20);
        for (message, named) in [
            (
                "When do you open tomorrow?",
                "When do you open tomorrow (Saturday)?",
            ),
            (
                "Today or the day after tomorrow?",
                "Today (Friday) or the day after tomorrow (Sunday)?",
            ),
            ("It came yesterday.", "It came yesterday (Thursday)."),
            ("When do you open?", "When do you open?"),
        ] {
            assert_eq!(with_weekdays(message, friday), named);
        }
    }

    #[test]
    fn a_day_at_the_end_of_the_calendar_stays_unnamed() {
        assert_eq!(with_weekdays("tomorrow", Date::MAX), "tomorrow");
    }
}
