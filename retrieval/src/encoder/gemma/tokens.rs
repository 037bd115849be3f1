//! Byte-pair tokens, by the published tokenizer.

use std::collections::HashSet;

use crate::encoder::model::{Tokenizer, words};

/// Cuts texts into tokens.
pub(super) struct Tokens {
    tokenizer: tokenizers::Tokenizer,
    marks: (u32, u32),
}

impl Tokens {
    /// # Errors
    /// Those of the tokenizer, when `json` describes none, or one without marks.
    pub(super) fn new(json: &[u8]) -> tokenizers::Result<Self> {
        let tokenizer = tokenizers::Tokenizer::from_bytes(json)?;
        let mark = |name: &str| {
            let token = tokenizer.token_to_id(name);
            token.ok_or_else(|| format!("the vocabulary has no {name}"))
        };
        let marks = (mark("<bos>")?, mark("<eos>")?);
        Ok(Self { tokenizer, marks })
    }
}

impl Tokenizer for Tokens {
    fn tokens(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false)?;
        Ok(encoding.get_ids().to_vec())
    }

    fn marks(&self) -> (u32, u32) {
        self.marks
    }

    fn words(&self) -> HashSet<String> {
        words(self.tokenizer.get_vocab(false).into_keys())
    }
}
