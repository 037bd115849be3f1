//! Layers of one's own above the encoder's lower ones.
//!
//! What a message wants is told apart better by layers that were trained for it; what it is like, by
//! those that were trained on a billion texts. So the last layers come twice: a [`Branch`] goes on
//! from the states behind layer [`BRANCHES_AT`], and the lower two thirds of the pass serve both.

use std::sync::Arc;

use super::graph;
use super::layer::Layer;
use crate::embedding::{Embedding, NoDirection};
use crate::encoder::session::{Stage, load_runtime, options, run};
use crate::encoder::{BATCH, Encoder, EncoderError, Reading, mean};

/// Layer behind which a [`Branch`] goes on.
pub const BRANCHES_AT: usize = 8;

/// Layers that go on from a [`Reading`]. Clones share them.
#[derive(Clone)]
pub struct Branch {
    stages: Arc<[Stage]>,
    width: usize,
    /// Number of its last layer, counted from the encoder's first.
    last: usize,
}

impl std::fmt::Debug for Branch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Branch({} layers)", self.last - BRANCHES_AT)
    }
}

impl Branch {
    /// A branch of `layers`, which runs on as many threads as `encoder`.
    ///
    /// # Errors
    /// [`EncoderError::Branch`] where they do not fit the encoder, [`EncoderError::Model`].
    pub fn new(encoder: &Encoder, layers: &[Layer]) -> Result<Self, EncoderError> {
        let shape = encoder.shape().ok_or(EncoderError::Branch)?;
        if layers.is_empty() || !layers.iter().all(|layer| layer.fits(shape.width)) {
            return Err(EncoderError::Branch);
        }
        let runtime = load_runtime(&encoder.loaded.files.runtime)?;
        let last = BRANCHES_AT + layers.len();
        let session = options(&runtime, encoder.loaded.threads).and_then(|options| {
            let above = (BRANCHES_AT, layers);
            graph::session(shape, None, above, &[last], &options)
        });
        let stage = Stage::new(session.map_err(EncoderError::Model)?, vec![last]);
        Ok(Self {
            stages: Arc::new([stage]),
            width: shape.width,
            last,
        })
    }

    /// The mean of the states behind the last layer, for each of `readings`.
    ///
    /// # Errors
    /// [`EncoderError::Encode`] when the model fails.
    pub fn embed(&self, readings: &[Reading]) -> Result<Vec<Embedding>, EncoderError> {
        let mut order: Vec<usize> = (0..readings.len()).collect();
        order.sort_by_key(|at| readings[*at].lower.len());
        let mut embedded = Vec::with_capacity(readings.len());
        for batch in order.chunks(BATCH) {
            let lower: Vec<&[f32]> = batch.iter().map(|at| &*readings[*at].lower).collect();
            let states = self.run(&lower).map_err(EncoderError::Encode)?;
            for (at, embedding) in batch.iter().zip(states) {
                embedded.push((*at, embedding?));
            }
        }
        embedded.sort_by_key(|(at, _)| *at);
        Ok(embedded
            .into_iter()
            .map(|(_, embedding)| embedding)
            .collect())
    }

    fn run(&self, lower: &[&[f32]]) -> ort::Result<Vec<Result<Embedding, NoDirection>>> {
        let longest = lower.iter().map(|states| states.len()).max();
        let longest = longest.unwrap_or_default();
        let mut states = Vec::with_capacity(lower.len() * longest);
        for (row, own) in lower.iter().enumerate() {
            states.extend_from_slice(own);
            states.resize((row + 1) * longest, 0.0);
        }
        let lengths: Vec<usize> = lower.iter().map(|own| own.len() / self.width).collect();
        let states = run(&self.stages, states, &lengths, &[self.last])?;
        let mean_of = |text| {
            let own = states.of_text(text, &[self.last]);
            mean(own.first().copied().unwrap_or_default(), self.width)
        };
        Ok((0..lengths.len()).map(mean_of).collect())
    }
}
