//! The small encoder: multilingual-e5-small (Wang et al., 2024), twelve layers of 384 numbers, a
//! hundred languages.

mod branch;
mod graph;
mod layer;
mod tokens;
mod weights;

use std::path::Path;

use ort::session::builder::SessionBuilder;

use super::EncoderError;
use super::files::{read_whole, unusable};
use super::model::{Format, Model, Role};
use super::session::Stage;
use crate::similarity::Similarity;

pub use branch::{BRANCHES_AT, Branch};
pub use layer::{Layer, Linear, Norm};
pub(in crate::encoder) use weights::Shape;

/// What a file of this model begins with.
pub(super) const MAGIC: &[u8] = b"E5S1";

/// Layers whose states a reading has beside the last: what a sentence feels like is plainer there
/// than behind the last one, which was trained to tell topics apart.
const MIDDLE_LAYERS: [usize; 2] = [BRANCHES_AT, 10];

/// Tokens of a text that are read.
const MOST_TOKENS: usize = 256;

const FORMAT: Format = Format {
    name: "multilingual-e5-small",
    most_tokens: MOST_TOKENS,
    prompted,
    // Its cosines lie close together (it was trained at a temperature of 0.01): 0.81 at the median of
    // all pairs of a question and a passage of a bank's help centre, 0.88 at that of a question and
    // the passage nearest to it.
    similarity: Similarity::spread(0.773, 5.6),
};

/// Loads the model at `path`.
pub(super) fn load(path: &Path, options: &SessionBuilder) -> Result<Model, EncoderError> {
    let file = read_whole(path)?;
    let weights = weights::Weights::parse(file.into()).map_err(|damage| unusable(path, damage))?;
    let outputs: Vec<usize> = MIDDLE_LAYERS
        .into_iter()
        .chain([weights.shape.layers])
        .collect();
    let norm = Some(&weights.embedding_norm);
    let layers = (0, weights.layers.as_slice());
    let session = graph::session(&weights.shape, norm, layers, &outputs, options);
    Ok(Model {
        format: &FORMAT,
        stages: vec![Stage::new(
            session.map_err(EncoderError::Model)?,
            outputs.clone(),
        )],
        read_behind: outputs,
        joint_layer: BRANCHES_AT,
        width: weights.shape.width,
        tokenizer: Box::new(tokens::Tokens::new(weights.vocabulary).map_err(EncoderError::Tokens)?),
        table: Box::new(weights.table),
        projection: None,
        shape: Some(weights.shape),
    })
}

/// The layers above [`BRANCHES_AT`] of the model at `path`.
pub(super) fn upper_layers(path: &Path) -> Result<Vec<Layer>, EncoderError> {
    let file = read_whole(path)?;
    let weights = weights::Weights::parse(file.into()).map_err(|damage| unusable(path, damage))?;
    let mut layers = weights.layers;
    Ok(layers.split_off(BRANCHES_AT.min(layers.len())))
}

fn prompted(role: Role, title: Option<&str>, text: &str) -> String {
    match (role, title) {
        (Role::Query, _) => format!("query: {text}"),
        (Role::Passage, None) => format!("passage: {text}"),
        (Role::Passage, Some(title)) => format!("passage: {title}: {text}"),
    }
}
