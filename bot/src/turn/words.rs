//! Words in the form in which texts are compared.

use std::collections::{HashMap, HashSet};

use unicode_segmentation::UnicodeSegmentation;

/// Words that carry no content.
const FUNCTION_WORDS: &[&str] = &[
    "a", "an", "the", "and", "or", "but", "if", "of", "to", "in", "on", "at", "by", "for", "from",
    "with", "as", "is", "are", "was", "were", "be", "been", "being", "it", "its", "this", "that",
    "these", "those", "you", "your", "yours", "we", "our", "i", "i'm", "my", "me", "us", "they",
    "them", "their", "he", "she", "his", "her", "will", "would", "can", "could", "may", "might",
    "should", "do", "does", "did", "have", "has", "had", "not", "no", "yes", "so", "then", "than",
    "there", "here", "also", "any", "all", "each", "which", "who", "what", "when", "where", "how",
    "please", "just", "only", "up", "out", "about", "into", "per", "it's", "you'll", "you're",
    "we'll", "that's", "there's", "however", "well", "within", "after", "before",
];

/// Words of a text in the form they are compared in; characters of scripts without spaces.
pub(super) fn all(text: &str) -> impl Iterator<Item = String> {
    text.unicode_words().map(stem)
}

/// The words of a text that carry content.
pub(super) fn content(text: &str) -> impl Iterator<Item = String> {
    let carries = |word: &&str| {
        let lower = word.to_lowercase().replace('\u{2019}', "'");
        !FUNCTION_WORDS.contains(&lower.as_str())
    };
    text.unicode_words().filter(carries).map(stem)
}

/// Lower case without the commonest endings: `returned`, `returns` and `return` are one word.
fn stem(word: &str) -> String {
    let lower = word.to_lowercase().replace('\u{2019}', "'");
    let bare = lower.strip_suffix("'s").unwrap_or(&lower);
    for ending in [
        "ations", "ation", "ingly", "ings", "ing", "ments", "ment", "edly", "ies", "ied", "ed",
        "es", "s", "ly", "e", "y",
    ] {
        if let Some(short) = bare.strip_suffix(ending)
            && short.chars().count() >= 4
        {
            return short.to_owned();
        }
    }
    bare.to_owned()
}

/// What each word of some texts tells: words that few of the texts hold weigh more.
#[derive(Debug)]
pub(super) struct Rarity(HashMap<String, f32>);

impl Rarity {
    /// The weights of the words among `texts`.
    pub(super) fn among<'a>(texts: impl Iterator<Item = &'a HashSet<String>> + Clone) -> Self {
        let all = texts.clone().count() as f32;
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for word in texts.flatten() {
            *counts.entry(word.as_str()).or_default() += 1;
        }
        let weigh = |(word, count): (&str, usize)| {
            let weight = (1.0 + all / count as f32).ln();
            (word.to_owned(), weight)
        };
        Self(counts.into_iter().map(weigh).collect())
    }

    /// Share of the weight of `asked` that `held` has, from 0 to 1.
    pub(super) fn share(&self, asked: &HashSet<String>, held: &HashSet<String>) -> f32 {
        let weight = |word: &String| self.0.get(word).copied().unwrap_or(0.0);
        let total: f32 = asked.iter().map(weight).sum();
        let shared: f32 = asked.intersection(held).map(weight).sum();
        if total > 0.0 { shared / total } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one() {
        let forms: HashSet<String> = all("return returned returns returning").collect();
        assert_eq!(forms.len(), 1, "{forms:?}");
    }

    #[test]
    fn little_words_carry_nothing() {
        assert_eq!(
            content("What is the fee of it?").collect::<Vec<_>>(),
            ["fee"]
        );
    }

    #[test]
    fn a_rare_word_weighs_more() {
        let texts = ["blue fee", "green fee", "red fee"];
        let texts: Vec<HashSet<String>> =
            texts.iter().map(|text| content(text).collect()).collect();
        let rarity = Rarity::among(texts.iter());
        let asked: HashSet<String> = content("the blue fee").collect();
        let only = |word: &str| HashSet::from([word.to_owned()]);
        assert!(rarity.share(&asked, &only("blue")) > rarity.share(&asked, &only("fee")));
        assert!((rarity.share(&asked, &asked) - 1.0).abs() < 1e-6);
    }
}
