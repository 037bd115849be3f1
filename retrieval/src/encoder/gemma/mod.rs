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
    let graph = graph::graph(&weights)?;
    let session = graph.into_session(options);
    let projection = weights.floats("projection.weight", &[graph::WIDTH, graph::WIDTH])?;
    Ok(Model {
        format: &FORMAT,
        session: session.map_err(EncoderError::Model)?.into(),
        outputs: vec![graph::LAYERS],
        pair_layer: graph::PAIR_LAYER,
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
