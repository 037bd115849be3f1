//! EmbeddingGemma as a graph for ONNX Runtime.
//!
//! Gemma 3 layers that look both ways: normalised by root mean square (Zhang and Sennrich, 2019)
//! before and behind each half, queries and keys normalised by head and turned by their places (Su
//! et al., 2021), three heads of queries to one of keys and values. Matrices are multiplied in 8-bit
//! integers by blocks of 32 inputs; cosines move by 0.002.

use std::ops::Range;

use ort::editor::ONNX_DOMAIN;
use ort::operator::Attribute;

use super::MOST_TOKENS;
use super::weights::Weights;
use crate::encoder::EncoderError;
use crate::encoder::operators::{Builder, RUNTIME_DOMAIN};
use crate::encoder::session::{MASK, STATES, output};

/// Length of a state.
pub(super) const WIDTH: usize = 768;
pub(super) const LAYERS: usize = 24;
/// Layer, from 1, whose states tell best whether a passage answers a question that is read with it: measured
/// on layers 10 to 24 by what a linear head makes of them.
pub(super) const JOINT_LAYER: usize = 14;
/// The last layer of each stage, from 1.
pub(super) const STAGES: [usize; 2] = [JOINT_LAYER, LAYERS];
/// Heads of queries, for one of keys and one of values.
const HEADS: usize = 3;
const HEAD_WIDTH: usize = 256;
/// Length of a state within a layer's feed-forward part.
const INNER: usize = 1152;
/// Inputs of a matrix that share a scale.
const BLOCK: usize = 32;
const EPSILON: f32 = 1e-6;
/// Every so many layers one sees the whole text, and turns slower.
const GLOBAL_EVERY: usize = 6;

/// Names of the cosines and sines by which local and global layers turn, with the base of their
/// wavelengths.
const TURNS: [(&str, f64); 2] = [("local", 10_000.0), ("global", 1_000_000.0)];

/// The layers numbered `layers` from 0, from the states below them to those behind the last.
///
/// # Errors
/// Those of the weights and of ONNX Runtime.
pub(super) fn graph(weights: &Weights, layers: Range<usize>) -> Result<Builder, EncoderError> {
    let end = layers.end;
    let builder = Builder::new(WIDTH, &[end])?;
    let mut gemma = Gemma { builder, weights };
    gemma.shared()?;
    let mut below = STATES.to_owned();
    for layer in layers {
        let above = match layer + 1 {
            number if number == end && end < LAYERS => output(end),
            number => format!("states{number}"),
        };
        gemma.layer(layer, &below, &above)?;
        below = above;
    }
    if end == LAYERS {
        gemma.norm(&below, &output(LAYERS), "norm.weight", WIDTH)?;
    }
    Ok(gemma.builder)
}

struct Gemma<'w> {
    builder: Builder,
    weights: &'w Weights,
}

impl Gemma<'_> {
    /// What all layers use: how states are cut into heads, and how these are turned.
    fn shared(&mut self) -> ort::Result<()> {
        let head = HEAD_WIDTH as i64;
        self.builder
            .constant("by_head", &[4], &[0_i64, 0, -1, head])?;
        self.builder.constant("joined", &[3], &[0_i64, 0, -1])?;
        self.builder.constant("first_place", &[1], &[0_i64])?;
        self.builder
            .constant("keys_and_values", &[3], &[HEADS as i64 * head, head, head])?;
        self.builder
            .constant("halves", &[2], &[INNER as i64, INNER as i64])?;
        for (name, base) in TURNS {
            let angle = |place: usize, pair: usize| {
                let exponent = 2.0 * pair as f64 / HEAD_WIDTH as f64;
                place as f64 / base.powf(exponent)
            };
            let angles = (0..MOST_TOKENS)
                .flat_map(|place| (0..HEAD_WIDTH / 2).map(move |pair| angle(place, pair)));
            let angles: Vec<f64> = angles.collect();
            let shape = [MOST_TOKENS, HEAD_WIDTH / 2];
            let cosines: Vec<f32> = angles.iter().map(|angle| angle.cos() as f32).collect();
            let sines: Vec<f32> = angles.iter().map(|angle| angle.sin() as f32).collect();
            self.builder
                .constant(&format!("{name}.cosines"), &shape, &cosines)?;
            self.builder
                .constant(&format!("{name}.sines"), &shape, &sines)?;
        }
        Ok(())
    }

    fn layer(&mut self, number: usize, from: &str, to: &str) -> Result<(), EncoderError> {
        let part = |name: &str| format!("{to}.{name}");
        let own = |name: &str| format!("layers.{number}.{name}.weight");
        self.norm(from, &part("in"), &own("input_layernorm"), WIDTH)?;
        self.attention(number, to)?;
        self.norm(
            &part("attended"),
            &part("attended.norm"),
            &own("post_attention_layernorm"),
            WIDTH,
        )?;
        let (attended, middle) = (part("attended.norm"), part("middle"));
        self.builder.add(from, &attended, &middle)?;
        let before = own("pre_feedforward_layernorm");
        self.norm(&middle, &part("feed"), &before, WIDTH)?;
        self.feed_forward(number, to)?;
        self.norm(
            &part("outer"),
            &part("outer.norm"),
            &own("post_feedforward_layernorm"),
            WIDTH,
        )?;
        self.builder.add(&middle, &part("outer.norm"), to)?;
        Ok(())
    }

    /// From `in` to `attended`.
    fn attention(&mut self, number: usize, to: &str) -> Result<(), EncoderError> {
        let part = |name: &str| format!("{to}.{name}");
        let own = |name: &str| format!("layers.{number}.self_attn.{name}.weight");
        let is_global = (number + 1).is_multiple_of(GLOBAL_EVERY);
        let [local, global] = TURNS.map(|(name, _)| name);
        let turn = if is_global { global } else { local };
        let wide = HEADS * HEAD_WIDTH;
        let rows = [
            ("q_proj", wide),
            ("k_proj", HEAD_WIDTH),
            ("v_proj", HEAD_WIDTH),
        ];
        let rows = rows.map(|(name, outputs)| (own(name), outputs));
        self.linear(&part("in"), &part("qkv"), WIDTH, &rows)?;
        let [query, key, value] = ["query", "key", "value"].map(part);
        self.split(&part("qkv"), "keys_and_values", &[&query, &key, &value])?;
        self.turned(&query, HEADS, &own("q_norm"), turn)?;
        self.turned(&key, 1, &own("k_norm"), turn)?;
        let [query, key] = [query, key].map(|name| format!("{name}.turned"));
        let (keys, values) = (part("keys"), part("values"));
        self.repeated(&key, &keys)?;
        self.repeated(&value, &values)?;
        self.builder.node(
            ("MultiHeadAttention", RUNTIME_DOMAIN),
            &[&query, &keys, &values, "", MASK],
            &part("heads"),
            [Attribute::new("num_heads", HEADS as i64)?],
        )?;
        let mixed = [(own("o_proj"), WIDTH)];
        self.linear(&part("heads"), &part("attended"), wide, &mixed)
    }

    /// From `feed` to `outer`: gated by a GELU (Shazeer, 2020).
    fn feed_forward(&mut self, number: usize, to: &str) -> Result<(), EncoderError> {
        let part = |name: &str| format!("{to}.{name}");
        let own = |name: &str| format!("layers.{number}.mlp.{name}.weight");
        let rows = ["gate_proj", "up_proj"].map(|name| (own(name), INNER));
        self.linear(&part("feed"), &part("inner"), WIDTH, &rows)?;
        self.split(&part("inner"), "halves", &[&part("gate"), &part("up")])?;
        self.builder.node(
            ("Gelu", ONNX_DOMAIN),
            &[&part("gate")],
            &part("gelu"),
            [Attribute::new("approximate", "tanh".to_owned())?],
        )?;
        self.builder.node(
            ("Mul", ONNX_DOMAIN),
            &[&part("gelu"), &part("up")],
            &part("gated"),
            [],
        )?;
        let rows = [(own("down_proj"), WIDTH)];
        self.linear(&part("gated"), &part("outer"), INNER, &rows)
    }

    /// `name` normalised by head and turned, as `name.turned`.
    fn turned(
        &mut self,
        name: &str,
        heads: usize,
        norm: &str,
        turn: &str,
    ) -> Result<(), EncoderError> {
        let part = |step: &str| format!("{name}.{step}");
        let (cut, normed, joined) = (part("cut"), part("normed"), part("joined"));
        let reshape = ("Reshape", ONNX_DOMAIN);
        let builder = &mut self.builder;
        builder.node(reshape, &[name, "by_head"], &cut, [])?;
        self.norm(&cut, &normed, norm, HEAD_WIDTH)?;
        let builder = &mut self.builder;
        builder.node(reshape, &[&normed, "joined"], &joined, [])?;
        let [cosines, sines] = ["cosines", "sines"].map(|what| format!("{turn}.{what}"));
        builder.node(
            ("RotaryEmbedding", RUNTIME_DOMAIN),
            &[&joined, "first_place", &cosines, &sines],
            &part("turned"),
            [
                Attribute::new("num_heads", heads as i64)?,
                Attribute::new("rotary_embedding_dim", HEAD_WIDTH as i64)?,
            ],
        )?;
        Ok(())
    }

    /// One head's states for each head of queries.
    fn repeated(&mut self, from: &str, to: &str) -> ort::Result<()> {
        let axis = [Attribute::new("axis", -1_i64)?];
        let concat = ("Concat", ONNX_DOMAIN);
        self.builder.node(concat, &[from; HEADS], to, axis)
    }

    fn split(&mut self, from: &str, sizes: &str, to: &[&str]) -> ort::Result<()> {
        let axis = [Attribute::new("axis", -1_i64)?];
        let operator = ("Split", ONNX_DOMAIN);
        self.builder.branching(operator, &[from, sizes], to, axis)
    }

    /// Multiplies by matrices of `inputs` columns that stand on top of each other, each given by its
    /// name and its rows.
    fn linear(
        &mut self,
        from: &str,
        to: &str,
        inputs: usize,
        matrices: &[(String, usize)],
    ) -> Result<(), EncoderError> {
        let blocks = inputs / BLOCK;
        let (mut numbers, mut scales, mut outputs) = (Vec::new(), Vec::new(), 0);
        for (name, rows) in matrices {
            numbers.extend(self.weights.numbers(name, &[*rows, blocks, BLOCK])?);
            scales.extend(
                self.weights
                    .floats(&format!("{name}.scales"), &[*rows, blocks])?,
            );
            outputs += rows;
        }
        let [weights, scale] = ["weights", "scale"].map(|part| format!("{to}.{part}"));
        let shape = [outputs, blocks, BLOCK];
        self.builder.constant(&weights, &shape, &numbers)?;
        self.builder.constant(&scale, &[outputs, blocks], &scales)?;
        self.builder.node(
            ("MatMulNBits", RUNTIME_DOMAIN),
            &[from, &weights, &scale],
            to,
            [
                Attribute::new("K", inputs as i64)?,
                Attribute::new("N", outputs as i64)?,
                Attribute::new("bits", 8_i64)?,
                Attribute::new("block_size", BLOCK as i64)?,
                // States become 8-bit integers, too.
                Attribute::new("accuracy_level", 4_i64)?,
            ],
        )?;
        Ok(())
    }

    /// Normalises by root mean square; the weights are differences from 1.
    fn norm(&mut self, from: &str, to: &str, name: &str, width: usize) -> Result<(), EncoderError> {
        let mut scale = self.weights.floats(name, &[width])?;
        scale.iter_mut().for_each(|weight| *weight += 1.0);
        let constant = format!("{to}.scale");
        self.builder.constant(&constant, &[width], &scale)?;
        self.builder.node(
            ("SimplifiedLayerNormalization", ONNX_DOMAIN),
            &[from, &constant],
            to,
            [
                Attribute::new("axis", -1_i64)?,
                Attribute::new("epsilon", EPSILON)?,
                Attribute::new("stash_type", 1_i64)?,
            ],
        )?;
        Ok(())
    }
}
