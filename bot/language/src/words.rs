//! Words in the form in which texts are compared.

use std::collections::{HashMap, HashSet};
use std::fmt;

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
use rust_stemmers::Stemmer;
use unicode_segmentation::UnicodeSegmentation;

use crate::pack::{set, stemmer};
use crate::sections::{Segmentation, WordForms};

/// Fewest letters that a word keeps when an ending is cut off.
const SHORTEST_STEM: usize = 3;

/// How a language's words are cut and compared.
#[derive(Default)]
pub(crate) struct Forms {
    segmentation: Segmentation,
    stemmer: Option<Stemmer>,
    possessives: Vec<String>,
    plurals: Vec<(String, String)>,
    function: HashSet<String>,
}

impl fmt::Debug for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forms")
            .field("segmentation", &self.segmentation)
            .finish_non_exhaustive()
    }
}

impl Forms {
    pub(crate) fn new(forms: Option<&WordForms>) -> Self {
        forms.map_or_else(Self::default, |forms| Self {
            segmentation: forms.segmentation,
            stemmer: forms.stemmer.as_deref().and_then(stemmer),
            possessives: forms.possessives.clone(),
            plurals: forms.plurals.clone(),
            function: set(&forms.function),
        })
    }

    pub(crate) fn words(&self, text: &str) -> Vec<String> {
        let cut = self.cut(text).into_iter();
        cut.map(|word| self.stem(word)).collect()
    }

    pub(crate) fn content(&self, text: &str) -> Vec<String> {
        let cut = self.cut(text).into_iter();
        cut.filter(|word| !self.function.contains(&lower(word)))
            .map(|word| self.stem(word))
            .collect()
    }

    pub(crate) fn stem(&self, word: &str) -> String {
        let lower = lower(word);
        let cut_off = self.possessives.iter();
        let bare = cut_off
            .filter_map(|ending| lower.strip_suffix(ending.as_str()))
            .next()
            .unwrap_or(&lower);
        match &self.stemmer {
            Some(stemmer) => stemmer.stem(bare).into_owned(),
            None => bare.to_owned(),
        }
    }

    pub(crate) fn singular(&self, word: &str) -> String {
        if self.plurals.is_empty() {
            return self.stem(word);
        }
        let short = self.plurals.iter().find_map(|(ending, instead)| {
            let bare = word.strip_suffix(ending.as_str())?;
            let singular = format!("{bare}{instead}");
            (singular.chars().count() >= SHORTEST_STEM).then_some(singular)
        });
        short.unwrap_or_else(|| word.to_owned())
    }

    /// The text's words in order, in its own letters.
    pub(crate) fn cut<'t>(&self, text: &'t str) -> Vec<&'t str> {
        match self.segmentation {
            Segmentation::Spaces => text.unicode_words().collect(),
            Segmentation::Dictionary => segments(text),
        }
    }
}

/// The words of a text of any language, in lower case: by dictionary in scripts without spaces.
#[must_use]
pub fn plain(text: &str) -> Vec<String> {
    segments(text).into_iter().map(lower).collect()
}

/// A text cut by Unicode's word boundaries, and by dictionary in scripts without spaces.
fn segments(text: &str) -> Vec<&str> {
    const SEGMENTER: fn() -> WordSegmenterBorrowed<'static> =
        || WordSegmenter::new_dictionary(WordBreakInvariantOptions::default());
    let mut words = Vec::new();
    let mut from = 0;
    let breaks = SEGMENTER();
    let mut breaks = breaks.segment_str(text).iter_with_word_type();
    // The first boundary is the text's beginning.
    let _ = breaks.next();
    for (to, kind) in breaks {
        if kind.is_word_like() {
            words.extend(text.get(from..to));
        }
        from = to;
    }
    words
}

fn lower(word: &str) -> String {
    word.to_lowercase().replace('\u{2019}', "'")
}

/// Weights of words by inverse document frequency: words that few of the texts hold weigh more.
#[derive(Debug)]
pub struct IdfWeights(HashMap<String, f32>);

impl IdfWeights {
    /// The weights of the words among `texts`.
    pub fn among<'a>(texts: impl Iterator<Item = &'a HashSet<String>> + Clone) -> Self {
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
    pub fn share(&self, asked: &HashSet<String>, held: &HashSet<String>) -> f32 {
        let weight = |word: &String| self.0.get(word).copied().unwrap_or(0.0);
        let total: f32 = asked.iter().map(weight).sum();
        let shared: f32 = asked.intersection(held).map(weight).sum();
        if total > 0.0 { shared / total } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::tests::pack;

    #[test]
    fn forms_of_a_word_are_one() {
        for (tag, forms) in [
            ("en", "return returned returns returning return's"),
            ("de", "Rückgabe Rückgaben"),
        ] {
            let stems: HashSet<String> = pack(tag).words(forms).into_iter().collect();
            assert_eq!(stems.len(), 1, "{stems:?}");
        }
    }

    #[test]
    fn little_words_carry_nothing() {
        assert_eq!(pack("en").content("What is the fee of it?"), ["fee"]);
        assert_eq!(pack("de").content("Was ist die Gebühr dafür?"), ["gebuhr"]);
    }

    #[test]
    fn a_text_without_spaces_is_cut_by_dictionary() {
        let chinese = pack("zh");
        assert_eq!(
            chinese.words("是否可以送货到德国？"),
            ["是否", "可以", "送货", "到", "德国"]
        );
        assert_eq!(chinese.content("是否可以送货到德国？"), ["送货", "德国"]);
        assert_eq!(plain("The lamp 送货"), ["the", "lamp", "送货"]);
    }

    #[test]
    fn a_rare_word_weighs_more() {
        let english = pack("en");
        let set = |text: &str| -> HashSet<String> { english.content(text).into_iter().collect() };
        let texts = ["blue fee", "green fee", "red fee"].map(set);
        let weights = IdfWeights::among(texts.iter());
        let asked = set("the blue fee");
        let only = |word: &str| HashSet::from([word.to_owned()]);
        assert!(weights.share(&asked, &only("blue")) > weights.share(&asked, &only("fee")));
        assert!((weights.share(&asked, &asked) - 1.0).abs() < 1e-6);
    }
}
