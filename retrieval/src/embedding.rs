//! The vector a text becomes.
//!
//! An [`Embedding`] has length 1 by construction, so the cosine of two of them is their dot product
//! and no caller has to remember to normalise.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A unit-length vector. Cheap to compare, not cheap to copy: 1.5 KB for 384 dimensions.
#[derive(Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

/// The numbers have no direction: none at all, only zeros, or one that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a vector that is empty, all zeros or not finite has no direction and cannot be searched")]
pub struct NoDirection;

impl Embedding {
    /// Scales `values` to length 1.
    ///
    /// # Errors
    /// [`NoDirection`] where that is impossible.
    pub fn normalised(mut values: Vec<f32>) -> Result<Self, NoDirection> {
        let length = dot(&values, &values).sqrt();
        if !length.is_normal() {
            return Err(NoDirection);
        }
        for value in &mut values {
            *value = (f64::from(*value) / length) as f32;
        }
        Ok(Self(values))
    }

    /// What lies between two readings of one text, as near to the one as to the other; the first where they
    /// are opposite, or of different models.
    #[must_use]
    pub fn between(&self, other: &Self) -> Self {
        if self.0.len() != other.0.len() {
            return self.clone();
        }
        let sum = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(own, theirs)| own + theirs);
        Self::normalised(sum.collect()).unwrap_or_else(|_| self.clone())
    }

    /// How alike two texts are, in `[-1, 1]`.
    ///
    /// Vectors of different dimensions come from different models and have nothing in common: 0.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f32 {
        self.cosine_with(&other.0)
    }

    /// [`Self::cosine`] with numbers that are known to be of unit length, such as stored ones.
    pub(crate) fn cosine_with(&self, unit: &[f32]) -> f32 {
        if self.0.len() == unit.len() {
            dot(&self.0, unit).clamp(-1.0, 1.0) as f32
        } else {
            0.0
        }
    }

    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// How many numbers there are.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.0.len()
    }
}

/// A quarter of an [`Embedding`]'s size, for a payload: its numbers as signed bytes of one scale.
/// Cosines differ in the third decimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompactEmbedding(Vec<i8>);

impl CompactEmbedding {
    pub(crate) fn cosine(&self, other: &Embedding) -> f32 {
        let values = self.0.iter().copied().map(f32::from).collect();
        Embedding::normalised(values).map_or(-1.0, |own| own.cosine(other))
    }
}

impl From<&Embedding> for CompactEmbedding {
    fn from(embedding: &Embedding) -> Self {
        let values = embedding.as_slice();
        let largest = values
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = f32::from(i8::MAX) / largest.max(f32::MIN_POSITIVE);
        Self(
            values
                .iter()
                .map(|value| (value * scale).round() as i8)
                .collect(),
        )
    }
}

impl Serialize for CompactEmbedding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().map(|value| value.cast_unsigned()).collect();
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for CompactEmbedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
        Ok(Self(bytes.into_iter().map(u8::cast_signed).collect()))
    }
}

/// In double precision: the sum of 384 rounded products is then exact to the last bit of an `f32`.
fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

impl fmt::Debug for Embedding {
    /// The dimension only: 384 numbers in a log line help nobody.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Embedding({} dimensions)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_compact_one_is_near_the_same_as_before(
            values in proptest::collection::vec(-1.0_f32..1.0, 8..64),
            others in proptest::collection::vec(-1.0_f32..1.0, 64),
        ) {
            prop_assume!(values.iter().any(|value| value.abs() > 1e-3));
            let embedding = Embedding::normalised(values.clone()).unwrap();
            let other = Embedding::normalised(others[..values.len()].to_vec());
            prop_assume!(other.is_ok());
            let other = other.unwrap();
            let written = serde_json::to_string(&CompactEmbedding::from(&embedding)).unwrap();
            let read: CompactEmbedding = serde_json::from_str(&written).unwrap();
            prop_assert!((read.cosine(&other) - embedding.cosine(&other)).abs() < 0.02);
        }

        #[test]
        fn an_embedding_has_length_one_and_is_most_like_itself(
            values in proptest::collection::vec(-1e3_f32..1e3, 1..64),
        ) {
            prop_assume!(values.iter().any(|value| value.abs() > 1e-3));
            let embedding = Embedding::normalised(values).unwrap();
            prop_assert!((dot(&embedding.0, &embedding.0) - 1.0).abs() < 1e-5);
            prop_assert!(embedding.cosine(&embedding) > 0.99999);
        }
    }

    #[test]
    fn the_cosine_is_that_of_the_angle() {
        let east = Embedding::normalised(vec![2.0, 0.0]).unwrap();
        let north_east = Embedding::normalised(vec![3.0, 3.0]).unwrap();
        let west = Embedding::normalised(vec![-0.1, 0.0]).unwrap();
        assert!((east.cosine(&north_east) - 0.5_f32.sqrt()).abs() < 1e-6);
        assert_eq!(east.cosine(&west), -1.0);
    }

    #[test]
    fn numbers_without_a_direction_are_refused() {
        for values in [
            vec![],
            vec![0.0, 0.0],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY],
        ] {
            assert_eq!(Embedding::normalised(values), Err(NoDirection));
        }
    }

    #[test]
    fn vectors_of_different_models_have_nothing_in_common() {
        let two = Embedding::normalised(vec![1.0, 0.0]).unwrap();
        let three = Embedding::normalised(vec![1.0, 0.0, 0.0]).unwrap();
        assert_eq!(two.cosine(&three), 0.0);
    }
}
