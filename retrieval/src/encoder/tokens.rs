//! A text's tokens: the pieces of a unigram model over characters (SentencePiece), found the way
//! that the encoder was trained with.

use std::collections::{HashMap, HashSet};

use tokenizers::models::unigram::Unigram;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{Model, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::weights::Vocabulary;

/// Stands for a space in front of a word.
const SPACE: char = '\u{2581}';

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

    /// The tokens of `text`, at most `most`, with the two that mark its ends.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub(super) fn of(&self, text: &str, most: usize) -> tokenizers::Result<Vec<u32>> {
        let mut pieces = PreTokenizedString::from(self.normalised(text).as_str());
        self.spaces.pre_tokenize(&mut pieces)?;
        pieces.tokenize(|part| self.model.tokenize(part.get()))?;
        let mut tokens = vec![self.start];
        let found = pieces.get_splits(OffsetReferential::Normalized, OffsetType::None);
        let found = found.iter().filter_map(|(_, _, tokens)| tokens.as_ref());
        tokens.extend(found.flatten().map(|token| token.id));
        tokens.truncate(most.saturating_sub(1));
        tokens.push(self.end);
        Ok(tokens)
    }

    /// The words that the model knows as a whole, in small letters.
    pub(super) fn words(&self) -> HashSet<String> {
        let pieces = self.model.get_vocab().into_keys();
        let words = pieces.filter_map(|piece| piece.strip_prefix(SPACE).map(str::to_lowercase));
        words
            .filter(|word| !word.is_empty() && word.chars().all(char::is_alphabetic))
            .collect()
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
