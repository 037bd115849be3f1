//! What a head sees of a message: what the encoder makes of it, hashed n-grams of its characters and
//! words beside that, and the states behind layers of its own, where it has some. A head whose labels
//! do not exclude each other sees the message behind the one before it, too: what it goes on from is
//! part of what it says.
//!
//! The n-grams carry what a sub-word encoder blurs: typos, shouting, negations. They cost no second
//! pass.

use std::borrow::Cow;

use retrieval::{Embedding, Reading};

use crate::head::Kind;

/// Number of n-gram buckets.
pub(crate) const BUCKETS: usize = 2048;

/// Length of the n-grams' part beside each layer's, which has length 1: by cross-validation on the
/// default training data.
const NGRAM_WEIGHT: f32 = 0.3;

/// The feature vector of a message: a layer's width for each layer, and `BUCKETS` numbers.
pub(crate) fn features(text: &str, reading: &Reading) -> Vec<f32> {
    let mut all = reading.embedding.as_slice().to_vec();
    for layer in &reading.middle {
        all.extend_from_slice(layer.as_slice());
    }
    all.extend(
        hashed_ngrams(text)
            .into_iter()
            .map(|value| NGRAM_WEIGHT * value),
    );
    all
}

/// `text` as it is read behind what was said `before` it.
pub(crate) fn in_context(before: &str, text: &str) -> String {
    format!("{before}\n{text}")
}

/// `text`, behind what was said `before` it where there is something.
pub(crate) fn behind<'t>(before: Option<&str>, text: &'t str) -> Cow<'t, str> {
    before.map_or(Cow::Borrowed(text), |before| {
        Cow::Owned(in_context(before, text))
    })
}

/// What the heads of one file see of a message.
pub(crate) struct Features {
    own: Vec<f32>,
    branch: Option<Embedding>,
    context: Embedding,
}

impl Features {
    /// Of a message with its [`features`]; `context` is the embedding of the message [behind the one
    /// before it](in_context), or its own.
    pub(crate) fn new(own: Vec<f32>, branch: Option<Embedding>, context: Embedding) -> Self {
        Self {
            own,
            branch,
            context,
        }
    }

    /// What a head of that kind sees.
    pub(crate) fn seen_by(&self, kind: &Kind) -> Vec<f32> {
        let beside = match kind {
            Kind::OneOf => self.branch.as_ref(),
            Kind::AnyOf { .. } => Some(&self.context),
        };
        let beside = beside.into_iter().flat_map(Embedding::as_slice);
        self.own.iter().chain(beside).copied().collect()
    }
}

/// Where the middle layers' parts of a feature vector lie, in an encoder of `dimension` numbers.
pub(crate) fn middle_layers(dimension: usize, width: usize) -> std::ops::Range<usize> {
    dimension..width.saturating_sub(BUCKETS).max(dimension)
}

/// Signed feature hashing (Weinberger et al., 2009) of the distinct n-grams of `text`, scaled to
/// length 1 (all zeros for a text without characters).
///
/// Words and word pairs with 3- and 4-grams of characters; 1- to 3-grams of characters in scripts
/// that do not put spaces between words.
pub(crate) fn hashed_ngrams(text: &str) -> Vec<f32> {
    let normal = normalise(text);
    let mut hashes: Vec<u32> = if is_unspaced(&normal) {
        char_ngrams(&normal, &[1, 2, 3]).collect()
    } else {
        let words: Vec<&str> = normal.split_whitespace().collect();
        let pairs = words.windows(2).map(|pair| hash(&pair.join(" ")));
        char_ngrams(&normal, &[3, 4])
            .chain(words.iter().map(|word| hash(word)))
            .chain(pairs)
            .collect()
    };
    hashes.sort_unstable();
    hashes.dedup();
    let mut buckets = vec![0.0; BUCKETS];
    for hash in hashes {
        let sign = if hash >> 31 == 1 { 1.0 } else { -1.0 };
        if let Some(bucket) = buckets.get_mut(hash as usize % BUCKETS) {
            *bucket += sign;
        }
    }
    let norm = buckets
        .iter()
        .map(|value| value * value)
        .sum::<f32>()
        .sqrt();
    if norm > 0.0 {
        buckets.iter_mut().for_each(|value| *value /= norm);
    }
    buckets
}

/// Whether `text` is mainly in a script written without spaces between words.
pub(crate) fn is_unspaced(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{0e00}'..='\u{0e7f}'))
}

/// Lower case, single spaces, one space at each end so that word ends are n-grams too.
fn normalise(text: &str) -> String {
    let mut normal = String::with_capacity(text.len() + 2);
    normal.push(' ');
    for word in text.split_whitespace() {
        normal.extend(word.chars().flat_map(char::to_lowercase));
        normal.push(' ');
    }
    normal
}

fn char_ngrams<'a>(text: &'a str, sizes: &'a [usize]) -> impl Iterator<Item = u32> + 'a {
    let starts: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    sizes.iter().flat_map(move |&size| {
        starts
            .windows(size + 1)
            .filter_map(|window| text.get(*window.first()?..*window.last()?))
            .map(hash)
            .collect::<Vec<_>>()
    })
}

/// CRC-32: stable over versions and machines, since trained weights depend on it.
fn hash(gram: &str) -> u32 {
    crc32fast::hash(gram.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn a_typo_stays_near_and_another_word_does_not() {
        let right = hashed_ngrams("cancel my delivery");
        let typo = hashed_ngrams("cancel my delivry");
        let other = hashed_ngrams("what time is it");
        assert!(cosine(&right, &typo) > 0.6);
        assert!(cosine(&right, &other) < 0.2);
    }

    #[test]
    fn chinese_messages_share_characters_without_spaces() {
        let a = hashed_ngrams("我要退款");
        let b = hashed_ngrams("请给我退款");
        assert!(cosine(&a, &b) > 0.4);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_vector_of_length_one_or_zero(text in ".{0,200}") {
            let vector = hashed_ngrams(&text);
            prop_assert_eq!(vector.len(), BUCKETS);
            let norm = cosine(&vector, &vector);
            prop_assert!(norm == 0.0 || (norm - 1.0).abs() < 1e-3);
        }

        #[test]
        fn case_and_spacing_do_not_matter(text in "[a-z ]{0,60}") {
            let shouted = text.to_uppercase().replace(' ', "  ");
            prop_assert_eq!(hashed_ngrams(&text), hashed_ngrams(&shouted));
        }
    }
}
