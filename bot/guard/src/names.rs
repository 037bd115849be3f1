//! The names in a sentence.

use language::Pack;

/// Names of a sentence: capitalised words that do not begin it, where the pack says that names are
/// told so. Only scripts with capitals have any.
pub(crate) fn names(sentence: &str, pack: &Pack) -> Vec<String> {
    let Some(section) = &pack.sections().names else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut begins = true;
    for word in sentence.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let capital = bare.chars().next().is_some_and(char::is_uppercase);
        let is_contraction = bare.contains('\'')
            && section
                .contractions
                .iter()
                .any(|first| bare.starts_with(first.as_str()));
        if capital
            && !begins
            && !is_contraction
            && !is_known(bare, pack)
            && bare.chars().any(char::is_lowercase)
        {
            found.push(bare.to_owned());
        }
        begins = word.ends_with([':', '.', '!', '?', '-', '•', '*']) || bare.is_empty() && begins;
    }
    found
}

/// Whether the word is capitalised and still no name: an abbreviation, or a day.
fn is_known(word: &str, pack: &Pack) -> bool {
    let sections = pack.sections();
    let lower = word.to_lowercase();
    let possessives = sections.words.iter().flat_map(|words| &words.possessives);
    let bare = possessives
        .filter_map(|ending| lower.strip_suffix(ending.as_str()))
        .next()
        .unwrap_or(&lower);
    let mut others = sections.names.iter().flat_map(|names| &names.others);
    let mut weekdays = sections.days.iter().flat_map(|days| &days.weekdays);
    others.any(|known| known == bare) || weekdays.any(|day| day.to_lowercase() == bare)
}

/// Names that are no more than a kind and a letter, in small letters: "bank a" of "Bank A, Bank B".
/// A model that knows no names makes these up.
pub(crate) fn lettered(text: &str) -> Vec<String> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let words: Vec<String> = text.split_whitespace().map(bare).collect();
    let is_kind = |word: &str| {
        let mut chars = word.chars();
        chars.next().is_some_and(char::is_uppercase) && chars.next().is_some_and(char::is_lowercase)
    };
    let is_letter =
        |word: &str| word.len() == 1 && word != "I" && word.chars().all(|c| c.is_ascii_uppercase());
    words
        .windows(2)
        .filter(|pair| is_kind(&pair[0]) && is_letter(&pair[1]))
        .map(|pair| pair.join(" ").to_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{english, packs};

    #[test]
    fn names_are_capitalised_words_within_a_sentence() {
        let english = english();
        assert_eq!(
            names("Ask for the Platinum Rewards card.", &english),
            ["Platinum", "Rewards"]
        );
        let none = "You can come on Monday. It's an ATM, I'd say.";
        assert_eq!(names(none, &english), Vec::<String>::new());
    }

    #[test]
    fn where_every_noun_is_capitalised_no_name_is_told() {
        let packs = packs();
        let german = packs.require("de").unwrap();
        let sentence = "Fragen Sie nach der Karte im Laden.";
        assert_eq!(names(sentence, german), Vec::<String>::new());
    }
}
