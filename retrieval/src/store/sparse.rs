//! BM25 as sparse vectors, the same for the embedded engine and the server.
//!
//! The engine's own tokenizer for many languages drops every token without a letter, and with it
//! order numbers and prices; its plain one keeps them but takes a Chinese sentence for one word. So
//! scripts written without spaces are cut here into overlapping pairs of characters, which search
//! as well as words do and cannot be cut differently in question and passage; the plain tokenizer
//! does the rest. Term frequencies are computed here, inverse document frequencies by the engine.

use std::borrow::Cow;

use qdrant_edge::bm25_embed::{EdgeBm25, EdgeBm25Config, EdgeBm25Error};
use qdrant_edge::external::ordered_float::NotNan;
use qdrant_edge::{SparseVector, TokenizerType};

/// Words of a usual passage: longer ones count a word less, shorter ones more.
const USUAL_LENGTH: u16 = 100;

/// Turns texts into BM25 vectors.
#[derive(Debug)]
pub(crate) struct Bm25(EdgeBm25);

impl Bm25 {
    pub(crate) fn new() -> Result<Self, EdgeBm25Error> {
        let config = EdgeBm25Config {
            avg_len: NotNan::from(USUAL_LENGTH),
            tokenizer: TokenizerType::Word,
            ascii_folding: Some(true),
            ..EdgeBm25Config::default()
        };
        EdgeBm25::new(config).map(Self)
    }

    /// `None` for a text without words: the engine refuses empty vectors.
    pub(crate) fn document(&self, text: &str) -> Option<SparseVector> {
        Some(self.0.embed_document(&with_pairs(text))).filter(|vector| !vector.indices.is_empty())
    }

    /// `None` for a text without words, or with none but "the" and its like.
    pub(crate) fn query(&self, text: &str) -> Option<SparseVector> {
        Some(self.0.embed_query(&with_pairs(text))).filter(|vector| !vector.indices.is_empty())
    }
}

/// `text` with each run of unspaced script replaced by its pairs of characters, spaced.
fn with_pairs(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unspaced) {
        return Cow::Borrowed(text);
    }
    let mut spaced = String::with_capacity(text.len() * 2);
    let mut run: Vec<char> = Vec::new();
    for character in text.chars() {
        if is_unspaced(character) {
            run.push(character);
        } else {
            push_pairs(&mut spaced, &mut run);
            spaced.push(character);
        }
    }
    push_pairs(&mut spaced, &mut run);
    Cow::Owned(spaced)
}

/// A run of one character is its own word.
fn push_pairs(spaced: &mut String, run: &mut Vec<char>) {
    for pair in run.windows(run.len().clamp(1, 2)) {
        spaced.push(' ');
        spaced.extend(pair);
        spaced.push(' ');
    }
    run.clear();
}

/// Chinese, Japanese, Korean and Thai.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{0E00}'..='\u{0E7F}'
        | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many words of `query` occur in `document`.
    fn shared(query: &str, document: &str) -> usize {
        let bm25 = Bm25::new().unwrap();
        let (query, document) = (bm25.query(query), bm25.document(document));
        let found = document.map(|vector| vector.indices).unwrap_or_default();
        query.map_or(0, |query| {
            query
                .indices
                .iter()
                .filter(|word| found.contains(word))
                .count()
        })
    }

    #[test]
    fn chinese_is_cut_into_pairs_and_found_inside_a_sentence() {
        assert_eq!(with_pairs("退款需要7天。"), " 退款  款需  需要 7 天 。");
        assert_eq!(shared("退款", "您的退款将在三天内到账"), 1);
        assert_eq!(shared("发票", "您的退款将在三天内到账"), 0);
    }

    #[test]
    fn numbers_and_codes_are_words() {
        assert_eq!(shared("order 10428", "Order 10428 was shipped"), 2);
        assert_eq!(shared("$150", "an annual fee of $150"), 1);
        assert_eq!(shared("W7-2210", "part w7-2210"), 2);
    }

    #[test]
    fn inflection_case_and_accents_do_not_matter() {
        assert_eq!(shared("CANCELLING Café orders", "cancel the cafe order"), 3);
    }

    #[test]
    fn a_text_without_words_has_no_vector() {
        let bm25 = Bm25::new().unwrap();
        for text in ["", " \n", "?!…", "the and of", "，。"] {
            assert_eq!(bm25.query(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_finds_itself(text in "\\PC{0,80}") {
            let bm25 = Bm25::new().unwrap();
            if let Some(query) = bm25.query(&text) {
                let document = bm25.document(&text).unwrap();
                prop_assert!(query.indices.iter().all(|word| document.indices.contains(word)));
            }
        }
    }
}
