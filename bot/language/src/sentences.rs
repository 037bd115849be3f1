//! Cuts text into sentences, also while it is still arriving.

use std::collections::HashSet;
use std::sync::Arc;

use crate::sections::SentenceEnds;

/// What does and does not end a sentence. Cloning is cheap.
///
/// A caller that knows the language takes the pack's; one that does not takes
/// [`crate::Packs::boundaries`], which knows the abbreviations of all languages.
#[derive(Clone, Debug, Default)]
pub struct Boundaries {
    abbreviations: Arc<HashSet<String>>,
    ordinal_points: bool,
}

impl Boundaries {
    pub(crate) fn new(ends: Option<&SentenceEnds>) -> Self {
        ends.map_or_else(Self::default, |ends| Self {
            abbreviations: Arc::new(ends.abbreviations.iter().cloned().collect()),
            ordinal_points: ends.ordinal_points,
        })
    }

    /// The abbreviations of all of them. Ordinals are left out: what is one in one language ends a
    /// sentence in another.
    pub(crate) fn union<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let abbreviations = all.flat_map(|each| each.abbreviations.iter().cloned());
        Self {
            abbreviations: Arc::new(abbreviations.collect()),
            ordinal_points: false,
        }
    }

    /// All sentences of a finished text.
    #[must_use]
    pub fn split(&self, text: &str) -> Vec<String> {
        let mut sentences = Sentences::new(self);
        let mut all = sentences.push(text);
        all.extend(sentences.finish());
        all
    }

    fn is_abbreviation(&self, before: &str) -> bool {
        let word = before
            .rsplit(char::is_whitespace)
            .next()
            .unwrap_or_default();
        let word = word.trim_start_matches('(').to_lowercase();
        let is_short_number = word.chars().all(|c| c.is_ascii_digit()) && word.len() <= 2;
        // A list number ("1. Open the app") belongs to what follows.
        self.abbreviations.contains(&word)
            || is_short_number && (before.trim() == word || self.ordinal_points && !word.is_empty())
    }

    /// End of the first sentence, past the white space that follows it: known only once something
    /// comes after it, since `3.` may go on as `3.5`.
    fn first_end(&self, text: &str) -> Option<usize> {
        for (at, c) in text.char_indices() {
            let after = at + c.len_utf8();
            match c {
                '。' | '！' | '？' => return Some(skip_space(text, after)),
                '\n' if !text[..at].trim().is_empty() => return Some(skip_space(text, after)),
                '.' | '!' | '?' => {
                    let closing = text[after..]
                        .find(|c| !matches!(c, '.' | '!' | '?' | '"' | '\'' | ')' | '”'))
                        .map(|offset| after + offset)?;
                    let next = text[closing..].chars().next()?;
                    if next.is_whitespace() && !(c == '.' && self.is_abbreviation(&text[..at])) {
                        let end = skip_space(text, closing);
                        // The white space may go on in the next piece; a word must have begun.
                        return (end < text.len()).then_some(end);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Sentences out of text that arrives in pieces.
#[derive(Debug, Default)]
pub struct Sentences {
    boundaries: Boundaries,
    pending: String,
}

impl Sentences {
    /// Takes sentences to end as `boundaries` has it.
    #[must_use]
    pub fn new(boundaries: &Boundaries) -> Self {
        Self {
            boundaries: boundaries.clone(),
            pending: String::new(),
        }
    }

    /// Takes in `text`; gives the sentences that are complete now, each with its trailing space.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        self.pending.push_str(text);
        let mut complete = Vec::new();
        while let Some(end) = self.boundaries.first_end(&self.pending) {
            let rest = self.pending.split_off(end);
            complete.push(std::mem::replace(&mut self.pending, rest));
        }
        complete
    }

    /// What is left at the end of the stream.
    #[must_use]
    pub fn finish(self) -> Option<String> {
        (!self.pending.trim().is_empty()).then_some(self.pending)
    }
}

/// Whether the end of `text` ends a sentence.
#[must_use]
pub fn is_whole(text: &str) -> bool {
    let text = text.trim_end().trim_end_matches(['"', '\'', ')', '”']);
    text.ends_with(['.', '!', '?', '。', '！', '？'])
}

/// Adds `next` to `text` as a sentence of its own.
pub fn append(text: &mut String, next: &str) {
    if !text.is_empty() {
        // Items of a list may end with a comma.
        let ended = text.ends_with(['.', '!', '?', ':', ';', ',', '。', '！', '？', '，', '；']);
        text.push_str(if ended { " " } else { ". " });
    }
    text.push_str(next);
}

fn skip_space(text: &str, from: usize) -> usize {
    text[from..]
        .find(|c: char| !c.is_whitespace())
        .map_or(text.len(), |offset| from + offset)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packs::tests::pack;

    fn trimmed(text: &str) -> Vec<String> {
        trimmed_in("en", text)
    }

    fn trimmed_in(tag: &str, text: &str) -> Vec<String> {
        pack(tag)
            .boundaries()
            .split(text)
            .iter()
            .map(|sentence| sentence.trim().to_owned())
            .collect()
    }

    #[test]
    fn amounts_and_abbreviations_do_not_end_sentences() {
        assert_eq!(
            trimmed("It costs $3.50 a month, e.g. by card. Is that all? Yes!"),
            [
                "It costs $3.50 a month, e.g. by card.",
                "Is that all?",
                "Yes!"
            ]
        );
        assert_eq!(
            trimmed("We open at 9 a.m. on Saturdays."),
            ["We open at 9 a.m. on Saturdays."]
        );
    }

    #[test]
    fn chinese_sentences_end_without_a_space() {
        assert_eq!(
            trimmed("您好。订单已发货！还有问题吗？"),
            ["您好。", "订单已发货！", "还有问题吗？"]
        );
    }

    #[test]
    fn german_abbreviations_and_ordinals_do_not_end_sentences() {
        assert_eq!(
            trimmed_in(
                "de",
                "Das geht z. B. am 3. November. Oder ca. zwei Tage später."
            ),
            [
                "Das geht z. B. am 3. November.",
                "Oder ca. zwei Tage später."
            ]
        );
    }

    #[test]
    fn all_abbreviations_are_known_where_the_language_is_not() {
        let packs = [pack("en"), pack("de")];
        let all = Boundaries::union(packs.iter().map(crate::Pack::boundaries));
        let text = "Cards, e.g. Visa, bzw. Amex. It takes 14. Then it is over.";
        assert_eq!(all.split(text).len(), 3);
    }

    #[test]
    fn a_sentence_comes_out_when_the_next_begins() {
        let mut sentences = Sentences::default();
        assert!(sentences.push("It is $3.").is_empty());
        assert_eq!(sentences.push("50. Th"), ["It is $3.50. "]);
        assert_eq!(sentences.finish().as_deref(), Some("Th"));
    }

    #[test]
    fn a_sentence_without_its_end_is_told() {
        for whole in ["It is $3.50.", "(It is late!) ", "还有问题吗？"] {
            assert!(is_whole(whole), "{whole}");
        }
        for cut_off in ["It is $3.50", "You may return it,", "", "She said \"yes\""] {
            assert!(!is_whole(cut_off), "{cut_off}");
        }
    }

    #[test]
    fn what_is_appended_stands_apart() {
        let mut text = String::new();
        for line in ["Fees", "None.", "Limit: $5"] {
            append(&mut text, line);
        }
        assert_eq!(text, "Fees. None. Limit: $5");
        let mut items = String::from("You can: change it,");
        append(&mut items, "send it back.");
        assert_eq!(items, "You can: change it, send it back.");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_changed(text in "[a-zA-Z0-9 .!?\n。？\")]{0,120}", cut in 0_usize..120) {
            let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
            let mut sentences = Sentences::default();
            let mut joined: String = sentences.push(&text[..cut]).concat();
            joined.push_str(&sentences.push(&text[cut..]).concat());
            joined.push_str(&sentences.finish().unwrap_or_default());
            prop_assert_eq!(joined.trim_end(), text.trim_end());
        }
    }
}
