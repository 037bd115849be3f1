//! EmbeddingGemma-300M (Schechter Vera et al., 2025): twenty-four layers of 768 numbers, a hundred
//! languages, 100 million weights beside the token table.
//!
//! Its file is one that `models` converts from the published one: safetensors, matrices as bytes
//! around 128 in blocks of 32 inputs, the table as signed bytes by row, the tokenizer's JSON. The
//! table stays in the file, two thirds of it: a row is read where its token occurs.

mod graph;
mod tokens;
mod weights;

use std::path::Path;

use ort::session::builder::SessionBuilder;

use super::EncoderError;
use super::model::{Format, Model, Role};
use super::session::Stage;
use crate::similarity::Similarity;
use weights::{Table, Weights};

/// Tokens of a text that are read; behind this many, the layers that look around themselves would
/// not see all.
const MOST_TOKENS: usize = 512;

const FORMAT: Format = Format {
    name: "embeddinggemma-300m",
    most_tokens: MOST_TOKENS,
    prompted,
    // Of questions and the pages that answer them, in a shop and a bank, in three languages: 0.34 at the
    // twentieth, 0.50 at the median; 0.18 at that of all other pairs.
    similarity: Similarity::spread(0.157, 1.75),
};

/// Loads the model at `path`.
pub(super) fn load(path: &Path, options: &SessionBuilder) -> Result<Model, EncoderError> {
    let weights = Weights::open(path)?;
    let tokenizer = weights.bytes("tokenizer.json")?;
    let below = graph::STAGES.iter().scan(0, |below, last| {
        let layers = *below..*last;
        *below = *last;
        Some(layers)
    });
    let stages = below.map(|layers| {
        let last = layers.end;
        let session = graph::graph(&weights, layers)?.into_session(options);
        Ok(Stage::new(
            session.map_err(EncoderError::Model)?,
            vec![last],
        ))
    });
    let stages = stages.collect::<Result<_, EncoderError>>()?;
    let projection = weights.floats("projection.weight", &[graph::WIDTH, graph::WIDTH])?;
    Ok(Model {
        format: &FORMAT,
        stages,
        read_behind: vec![graph::LAYERS],
        joint_layer: graph::JOINT_LAYER,
        width: graph::WIDTH,
        tokenizer: Box::new(tokens::Tokens::new(&tokenizer).map_err(EncoderError::Tokens)?),
        table: Box::new(Table::of(weights)?),
        projection: Some(projection),
        shape: None,
    })
}

/// The prompts that it was trained with (its model card).
fn prompted(role: Role, title: Option<&str>, text: &str) -> String {
    match role {
        Role::Query => format!("task: search result | query: {text}"),
        Role::Passage => format!("title: {} | text: {text}", title.unwrap_or("none")),
    }
}
