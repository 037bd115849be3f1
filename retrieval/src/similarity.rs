//! What a cosine means.

/// How near two texts are in meaning, from the cosine of their embeddings.
///
/// Encoders differ in what a cosine says: with one, unrelated texts have 0.81, with another 0.1. This
/// puts them on one scale: by about 0.2, two texts of one company that have nothing to do with each
/// other; by 0.6, a question and the passage that answers it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    zero: f32,
    spread: f32,
}

impl Similarity {
    /// A cosine of `zero` is a similarity of 0, and every step from there counts `spread` times.
    pub(crate) const fn spread(zero: f32, spread: f32) -> Self {
        Self { zero, spread }
    }

    /// The similarity, in `[-1, 1]`.
    #[must_use]
    pub fn of(self, cosine: f32) -> f32 {
        ((cosine - self.zero) * self.spread).clamp(-1.0, 1.0)
    }
}
