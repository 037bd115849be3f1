//! Which language a message is written in.

use std::fmt;

use ::language::{Pack, Packs, Section};
use lingua::{IsoCode639_1, LanguageDetector, LanguageDetectorBuilder};
use unicode_segmentation::UnicodeSegmentation;

/// A language, as its two-letter BCP 47 tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// English.
    pub fn english() -> Self {
        Self("en".into())
    }

    /// The primary subtag of a BCP 47 tag (`en-GB` gives `en`); English when there is none.
    pub fn from_tag(tag: &str) -> Self {
        let primary = tag
            .split(['-', '_'])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_lowercase()) {
            Self(primary)
        } else {
            Self::english()
        }
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells languages apart, also in a few words: by their script, as their packs have it, and those of
/// Latin letters by their letters.
pub struct Languages {
    detector: LanguageDetector,
    packs: Packs,
}

impl fmt::Debug for Languages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Languages")
    }
}

impl Languages {
    /// Knows the scripts of `packs`, and the letters of all languages that the program was built
    /// with.
    pub fn new(packs: Packs) -> Self {
        Self {
            detector: LanguageDetectorBuilder::from_all_languages().build(),
            packs,
        }
    }

    /// The pack of `language`.
    pub(crate) fn pack(&self, language: &Language) -> Option<&Pack> {
        self.packs.get(language.as_str())
    }

    /// Whether a whole sentence has none of the words that hold sentences of `language` together: it is
    /// in one that the detector does not know in these letters, as romanised Hindi.
    fn lacks_function_words(&self, text: &str, language: &Language) -> bool {
        let Some(pack) = self.pack(language) else {
            return false;
        };
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.unicode_words().collect();
        pack.has(Section::FunctionWords)
            && words.len() >= WHOLE_SENTENCE
            && !words.iter().any(|word| pack.is_function_word(word))
    }

    /// The language of `text`. What is too short or too unclear to tell is in `usual`, the language
    /// of the conversation so far.
    pub fn detect(&self, text: &str, usual: &Language) -> Language {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        if let Some(pack) = self.packs.by_script(text) {
            return Language(pack.tag().to_owned());
        }
        if letters < 4 {
            return usual.clone();
        }
        let confidences = self.detector.compute_language_confidence_values(text);
        let usual_confidence = confidences
            .iter()
            .find(|(language, _)| tag(language.iso_code_639_1()) == usual.as_str())
            .map_or(0.0, |(_, confidence)| *confidence);
        match confidences.first() {
            // One word is weak evidence against the language used so far ("Hunter", "Tablet").
            Some((language, confidence))
                if *confidence >= needed(text) && *confidence > 2.0 * usual_confidence =>
            {
                let found = Language(tag(language.iso_code_639_1()));
                if self.lacks_function_words(text, &found) {
                    return usual.clone();
                }
                found
            }
            _ => usual.clone(),
        }
    }
}

/// Words from which on a text has function words of its language.
const WHOLE_SENTENCE: usize = 6;

/// How sure the detector must be to leave the usual language.
fn needed(text: &str) -> f64 {
    match text.split_whitespace().count() {
        0..=2 => 0.9,
        3..=5 => 0.6,
        _ => 0.4,
    }
}

fn tag(code: IsoCode639_1) -> String {
    code.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    /// With the packs of `prompts/`.
    fn languages() -> Languages {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prompts");
        let mut sources = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if let Ok(text) = std::fs::read_to_string(path.join("language.toml")) {
                let tag = path.file_name().unwrap().to_string_lossy().into_owned();
                sources.insert(tag, text);
            }
        }
        Languages::new(Packs::from_sources(&sources).unwrap())
    }

    #[test]
    fn whole_sentences_are_told_apart() {
        let languages = languages();
        let en = Language::english();
        for (text, expected) in [
            (
                "Where is my order? It should have been here on Monday.",
                "en",
            ),
            (
                "do u guys charge for paper statments on the evergreen acount",
                "en",
            ),
            ("Hola, ¿en qué estado está mi pedido de la manguera?", "es"),
            ("Wo bleibt mein Paket? Ich warte seit einer Woche.", "de"),
            ("急死我了，everyone pay转错钱了！！多久之内可以取消？", "zh"),
            ("注文した商品はいつ届きますか", "ja"),
            ("Где мой заказ?", "ru"),
            ("أين طلبي؟", "ar"),
            ("איפה ההזמנה שלי?", "he"),
            ("Πού είναι η παραγγελία μου;", "el"),
            ("मेरा ऑर्डर कहाँ है?", "hi"),
            ("Is the Δ-9 lamp in stock?", "en"),
        ] {
            assert_eq!(languages.detect(text, &en).as_str(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_short_keeps_the_language_of_the_conversation() {
        let languages = languages();
        for text in ["ok", "👍👍", "", "12345", "#W2611340"] {
            assert_eq!(
                languages.detect(text, &Language::from_tag("es")).as_str(),
                "es",
                "{text}"
            );
        }
        assert_eq!(
            languages
                .detect("and an Admin?", &Language::english())
                .as_str(),
            "en"
        );
    }

    #[test]
    fn a_language_in_strange_letters_is_not_taken_for_another() {
        let languages = languages();
        let en = Language::english();
        for text in [
            "mera saman kab tak aa jayega, bataiye na please",
            "theek hai lekin paise kitne din mein wapas milenge",
        ] {
            assert_eq!(languages.detect(text, &en), en, "{text}");
        }
    }

    #[test]
    fn a_tag_is_cut_to_its_language() {
        assert_eq!(Language::from_tag("zh-Hans-CN").as_str(), "zh");
        assert_eq!(Language::from_tag("").as_str(), "en");
        assert_eq!(Language::from_tag("<script>").as_str(), "en");
    }
}
