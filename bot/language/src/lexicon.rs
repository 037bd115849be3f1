//! A message cut into words, compared so that plurals, capitals and small typos do not matter.

use std::sync::Arc;

use strsim::osa_distance;

use crate::Pack;
use crate::words::Forms;

/// Fewest letters of a word that may be misspelt: among short words, each has a neighbour.
const LEAST_LETTERS: usize = 5;
/// Letters from which a word may be wrong in two places.
const TWO_MISTAKES: usize = 8;

/// A message cut into words.
#[derive(Clone, Debug)]
pub struct Words {
    words: Vec<String>,
    /// The words joined by single spaces, with one at each end: for phrases.
    text: String,
    forms: Arc<Forms>,
}

impl Words {
    /// Cuts `text` at everything but letters, digits and inner signs (`t-shirt`, `#W12`); a script
    /// without spaces by the pack's segmentation.
    #[must_use]
    pub fn new(text: &str, pack: &Pack) -> Self {
        Self::cut(text, Arc::clone(pack.forms()))
    }

    /// Another text of the same language, cut into words.
    #[must_use]
    pub fn other(&self, text: &str) -> Self {
        Self::cut(text, Arc::clone(&self.forms))
    }

    fn cut(text: &str, forms: Arc<Forms>) -> Self {
        let lower = text.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
        let words: Vec<String> = lower
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '#' | '.' | '-' | '"')))
            .map(|word| word.trim_matches(|c: char| matches!(c, '.' | '-' | '\'' | '"')))
            .flat_map(|word| word.split('-'))
            .filter(|word| !word.is_empty())
            .flat_map(|word| {
                if word.is_ascii() {
                    vec![word]
                } else {
                    forms.cut(word)
                }
            })
            .map(str::to_owned)
            .collect();
        let text = format!(" {} ", words.join(" "));
        Self { words, text, forms }
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// How many words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether the phrase occurs, word for word; a `*` at its end stands for any word ending.
    #[must_use]
    pub fn has(&self, phrase: &str) -> bool {
        match phrase.strip_suffix('*') {
            Some(stem) => self.text.contains(&format!(" {stem}")),
            None => self.text.contains(&format!(" {phrase} ")),
        }
    }

    /// Whether one of the phrases occurs.
    pub fn has_any<S: AsRef<str>>(&self, phrases: &[S]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase.as_ref()))
    }

    /// Whether all words of `name` occur, close together or apart, each with plural and typo.
    #[must_use]
    pub fn names(&self, name: &Self) -> bool {
        !name.words.is_empty() && name.words.iter().all(|word| self.contains_like(word))
    }

    /// Whether a word like `wanted` occurs.
    #[must_use]
    pub fn contains_like(&self, wanted: &str) -> bool {
        let mut words = self.words.iter();
        words.any(|word| alike(word, wanted, &self.forms))
    }
}

/// Whether two words are the same but for plural or a small typo. Short words and words with digits
/// must agree exactly: `i5` is not `i7`.
///
/// A typo changes the inside of a word: the first letter must agree, and a word that goes on where
/// the other ends is another form or another word, as `tablet` is beside `table`.
fn alike(written: &str, wanted: &str, forms: &Forms) -> bool {
    let (written, wanted) = (forms.singular(written), forms.singular(wanted));
    if written == wanted {
        return true;
    }
    let exact = |word: &str| word.chars().any(|c| c.is_ascii_digit());
    let length = written.chars().count().min(wanted.chars().count());
    let goes_on = written.starts_with(&wanted) || wanted.starts_with(&written);
    let begins_alike = written.chars().next() == wanted.chars().next();
    if exact(&written) || exact(&wanted) || length < LEAST_LETTERS || goes_on || !begins_alike {
        return false;
    }
    let most = if length >= TWO_MISTAKES { 2 } else { 1 };
    osa_distance(&written, &wanted) <= most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packs::tests::pack;

    fn words(text: &str) -> Words {
        Words::new(text, &pack("en"))
    }

    fn are_alike(written: &str, wanted: &str) -> bool {
        words(written).contains_like(&wanted.to_lowercase())
    }

    #[test]
    fn plurals_and_typos_are_the_same_word() {
        for (written, wanted) in [
            ("sneekers", "Sneakers"),
            ("sneeker", "Sneakers"),
            ("purifer", "purifier"),
            ("watches", "watch"),
            ("boots", "boot"),
            ("tables", "table"),
            ("bookshelves", "Bookshelf"),
            ("glasses", "glass"),
            ("boxes", "box"),
        ] {
            assert!(are_alike(written, wanted), "{written} {wanted}");
        }
    }

    #[test]
    fn other_words_and_other_numbers_are_not() {
        for (written, wanted) in [
            ("i5", "i7"),
            ("table", "tablet"),
            ("tablet", "table"),
            ("tables", "tablet"),
            ("light", "night"),
            ("mouse", "house"),
            ("table", "lamp"),
            ("bus", "bu"),
        ] {
            assert!(!are_alike(written, wanted), "{written} {wanted}");
        }
    }

    #[test]
    fn a_name_is_found_in_a_sentence() {
        let message = words("Where has my wall-clock got to? And the T-shirts?");
        assert!(message.names(&words("Wall Clock")));
        assert!(message.names(&words("T-Shirt")));
        assert!(!message.names(&words("Wall Mirror")));
    }

    #[test]
    fn a_german_name_is_found_in_other_forms() {
        let german = pack("de");
        let message = Words::new("Wo bleiben meine Wanduhren?", &german);
        assert!(message.names(&Words::new("Wanduhr", &german)));
        assert!(!message.names(&Words::new("Wandspiegel", &german)));
    }

    #[test]
    fn a_chinese_name_is_found_without_spaces() {
        let chinese = pack("zh");
        let message = Words::new("我的台灯什么时候送货？", &chinese);
        assert!(message.names(&Words::new("台灯", &chinese)));
        assert!(!message.names(&Words::new("镜子", &chinese)));
    }

    #[test]
    fn phrases_match_whole_words_only() {
        let words = words("What's it going to cost?");
        assert!(words.has("going to"));
        assert!(words.has("cost"));
        assert!(!words.has("cos"));
        assert!(words.has("cos*"));
        assert!(words.has_any(&["price", "cost"]));
    }

    proptest! {
        #[test]
        fn any_text_can_be_cut(text in ".{0,200}") {
            for tag in ["en", "de", "zh"] {
                let words = Words::new(&text, &pack(tag));
                prop_assert!(words.iter().all(|word| !word.is_empty()));
            }
        }
    }
}
