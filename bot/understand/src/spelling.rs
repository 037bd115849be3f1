//! Misspelt words, put right before they are read: the encoder cuts a word that it does not know
//! into syllables, and "delvery to germny" means nothing to it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use random_word::Lang;
use strsim::osa_distance;
use unicode_segmentation::UnicodeSegmentation;

/// Shortest word that is put right: among short ones, every word has a neighbour.
const LEAST_LETTERS: usize = 5;
/// English words, in small letters.
static ENGLISH: LazyLock<HashSet<&str>> =
    LazyLock::new(|| random_word::all(Lang::En).iter().copied().collect());
/// Letters from which a word may be wrong in two places.
const TWO_MISTAKES: usize = 8;

/// What the company's words are, and which of them a misspelt one is.
///
/// A word is misspelt when neither the company nor a dictionary has it. It becomes the company's
/// word nearest to it by edits (insertions, deletions, substitutions and transpositions of
/// neighbours), the more frequent one of several. First and last letter must agree: mistakes are
/// seldom there, and a different ending is a different form of the word. A word near none stays, and
/// so do names: what is capitalised within a sentence, and what holds a digit or sign.
#[derive(Clone, Debug)]
pub struct Spelling {
    /// Words that are right beside those of English, in small letters: names, other languages'.
    dictionary: HashSet<String>,
    /// The company's words in small letters, with how often each occurs.
    words: HashMap<String, usize>,
}

impl Spelling {
    /// One that knows no company yet, and changes nothing. `dictionary` is of words that are right
    /// beside those of English, in small letters.
    #[must_use]
    pub fn new(dictionary: HashSet<String>) -> Self {
        Self {
            dictionary,
            words: HashMap::new(),
        }
    }

    /// Takes in the words of a text of the company's.
    pub fn learn(&mut self, text: &str) {
        for word in text.unicode_words() {
            if is_word(word) {
                *self.words.entry(normal(word)).or_default() += 1;
            }
        }
    }

    /// `message` with its misspelt words put right.
    #[must_use]
    pub fn correct<'a>(&self, message: &'a str) -> Cow<'a, str> {
        let shouts = !message.chars().any(char::is_lowercase);
        let mut corrected = String::new();
        let mut taken = 0;
        let mut begins = true;
        for (at, word) in message.split_word_bound_indices() {
            if !word.contains(char::is_alphanumeric) {
                begins |= word.contains(['.', '!', '?', '\n']);
                continue;
            }
            let is_name = !shouts && !begins && word.contains(char::is_uppercase);
            begins = false;
            let after = at + word.len();
            let is_address =
                message[..at].ends_with(['@', '/']) || message[after..].starts_with('@');
            if is_name || is_address || !is_word(word) {
                continue;
            }
            if let Some(right) = self.right(&normal(word)) {
                corrected.push_str(&message[taken..at]);
                corrected.push_str(right);
                taken = after;
            }
        }
        if taken == 0 {
            return Cow::Borrowed(message);
        }
        corrected.push_str(&message[taken..]);
        Cow::Owned(corrected)
    }

    /// The word that `word` was meant to be; `None` when it is one, or like none.
    fn right(&self, word: &str) -> Option<&str> {
        let letters = word.chars().count();
        let is_right = self.words.contains_key(word)
            || self.dictionary.contains(word)
            || ENGLISH.contains(word);
        if letters < LEAST_LETTERS || is_right || word.contains('\'') {
            return None;
        }
        let most = if letters >= TWO_MISTAKES { 2 } else { 1 };
        let near = self.words.iter().filter_map(|(right, count)| {
            let may_be = ends(right) == ends(word) && right.len().abs_diff(word.len()) <= most;
            let distance = may_be.then(|| osa_distance(word, right))?;
            (distance <= most).then_some((distance, std::cmp::Reverse(*count), right))
        });
        near.min().map(|(_, _, right)| right.as_str())
    }
}

/// The first letter and the last.
fn ends(word: &str) -> (Option<char>, Option<char>) {
    (word.chars().next(), word.chars().next_back())
}

/// Letters only, but for an apostrophe: no code, number or address.
fn is_word(word: &str) -> bool {
    word.chars()
        .all(|c| c.is_alphabetic() || matches!(c, '\'' | '\u{2019}'))
}

fn normal(word: &str) -> String {
    word.to_lowercase().replace('\u{2019}', "'")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shop() -> Spelling {
        let dictionary = ["porto", "wifi"];
        let mut spelling = Spelling::new(dictionary.map(str::to_owned).into());
        spelling.learn(
            "Delivery to Germany takes 4 to 7 days. We accept cards, which we doesn't like.",
        );
        spelling
            .learn("A house. The Squall jacket, delivery included. Addresses: address, redress.");
        spelling
    }

    #[test]
    fn a_misspelt_word_becomes_the_companys() {
        for (written, right) in [
            (
                "how long does delvery take to germny",
                "how long does delivery take to germany",
            ),
            ("whcih cards do you acept?", "which cards do you accept?"),
            ("Delivrey is late", "delivery is late"),
            ("WHERE IS MY JAKCET", "WHERE IS MY jacket"),
            ("it doesnt fit", "it doesn't fit"),
            ("my adress, please", "my address, please"),
        ] {
            assert_eq!(shop().correct(written), right);
        }
    }

    #[test]
    fn words_names_codes_and_addresses_stay() {
        for text in [
            "a mouse in the house of porto",
            "I am Jackett and live in Germanie",
            "order W1234567, housse5",
            "write to delvery@housee.example or /delvery",
            "amex ok to, what's more we'nt",
            "the deliverer accepts, advertise germanic",
            "配送时间",
        ] {
            assert_eq!(shop().correct(text), text);
        }
    }

    #[test]
    fn of_two_words_as_near_the_frequent_one_is_taken() {
        let mut spelling = Spelling::new(HashSet::new());
        spelling.learn("slipper slapper slopper slipper");
        assert_eq!(spelling.correct("slpper"), "slipper");
    }

    proptest! {
        #[test]
        fn whoever_knows_nothing_changes_nothing(text in ".{0,200}") {
            prop_assert_eq!(Spelling::new(HashSet::new()).correct(&text), text.as_str());
        }

        #[test]
        fn what_is_right_stays_and_only_words_change(text in "([a-zA-Z'@/0-9.!? 退]{0,12} ?){0,12}") {
            let spelling = shop();
            let once = spelling.correct(&text).into_owned();
            let signs = |text: &str| -> String { text.chars().filter(|c| !c.is_alphabetic() && *c != '\'').collect() };
            prop_assert_eq!(signs(&once), signs(&text));
            prop_assert_eq!(spelling.correct(&once), once.as_str());
        }
    }
}
