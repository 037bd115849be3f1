//! A text's tokens: the pieces of a unigram model over characters (SentencePiece), found the way
//! that the encoder was trained with.

use std::collections::{HashMap, HashSet};

use tokenizers::models::unigram::Unigram;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{Model, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::weights::Vocabulary;
use crate::encoder::model::{SPACE, Tokenizer, words};

/// Cuts texts into tokens.
pub(super) struct Tokens {
    model: Unigram,
    spaces: Metaspace,
    start: u32,
    end: u32,
    replaced: HashMap<char, String>,
}

impl Tokens {
    /// # Errors
    /// Those of the tokenizer: a vocabulary without its own unknown piece.
    pub(super) fn new(vocabulary: Vocabulary) -> tokenizers::Result<Self> {
        Ok(Self {
            model: Unigram::from(vocabulary.pieces, Some(vocabulary.unknown as usize), false)?,
            spaces: Metaspace::new(SPACE, PrependScheme::Always, true),
            start: vocabulary.start,
            end: vocabulary.end,
            replaced: vocabulary.replaced,
        })
    }

    /// `text` in the characters that the vocabulary is written in, with single spaces.
    fn normalised(&self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        for character in text.chars() {
            match self.replaced.get(&character) {
                Some(by) => replaced.push_str(by),
                None => replaced.push(character),
            }
        }
        let words: Vec<&str> = replaced.split_whitespace().collect();
        words.join(" ")
    }
}

impl Tokenizer for Tokens {
    fn tokens(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let mut pieces = PreTokenizedString::from(self.normalised(text).as_str());
        self.spaces.pre_tokenize(&mut pieces)?;
        pieces.tokenize(|part| self.model.tokenize(part.get()))?;
        let found = pieces.get_splits(OffsetReferential::Normalized, OffsetType::None);
        let found = found.iter().filter_map(|(_, _, tokens)| tokens.as_ref());
        Ok(found.flatten().map(|token| token.id).collect())
    }

    fn marks(&self) -> (u32, u32) {
        (self.start, self.end)
    }

    fn words(&self) -> HashSet<String> {
        words(self.model.get_vocab().into_keys())
    }
}
