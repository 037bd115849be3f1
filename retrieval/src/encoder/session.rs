//! ONNX Runtime: the library, and a run of a graph over the states of several texts.

use std::path::Path;

use ort::environment::Environment;
use ort::inputs;
use ort::session::builder::SessionBuilder;
use ort::session::{OutputSelector, RunOptions, Session};
use ort::value::Tensor;
use parking_lot::Mutex;

use super::EncoderError;

/// Input: the tokens' vectors, `[texts, tokens, width]`, floats.
pub(super) const STATES: &str = "states";

/// Input: 1 for a token, 0 for padding, `[texts, tokens]`, 32-bit integers.
pub(super) const MASK: &str = "mask";

/// Name of the states behind a layer, from 1: `[texts, tokens, width]`.
pub(super) fn output(layer: usize) -> String {
    format!("layer{layer}")
}

/// Runs `session` on the states of several texts, `lengths` tokens each and padded to the longest,
/// and gives what `take` makes of each text's place and of its own states behind `layers`.
///
/// # Errors
/// Those of ONNX Runtime.
pub(super) fn run<T>(
    session: &mut Session,
    states: Vec<f32>,
    lengths: &[usize],
    layers: &[usize],
    take: impl Fn(usize, &[&[f32]]) -> T,
) -> ort::Result<Vec<T>> {
    let longest = lengths.iter().copied().max().unwrap_or_default().max(1);
    let width = states.len() / (longest * lengths.len()).max(1);
    let mask = lengths
        .iter()
        .flat_map(|length| (0..longest).map(move |place| i32::from(place < *length)));
    let mask = Tensor::from_array(([lengths.len(), longest], mask.collect::<Vec<_>>()))?;
    let states = Tensor::from_array(([lengths.len(), longest, width], states))?;
    let wanted = OutputSelector::no_default();
    let wanted = layers
        .iter()
        .fold(wanted, |wanted, layer| wanted.with(output(*layer)));
    let options = RunOptions::new()?.with_outputs(wanted);
    let outputs = session.run_with_options(inputs![STATES => states, MASK => mask], &options)?;
    let mut by_layer = Vec::with_capacity(layers.len());
    for layer in layers {
        let name = output(*layer);
        let found = outputs.get(&name);
        let found = found.ok_or_else(|| ort::Error::new(format!("there is no output {name}")))?;
        by_layer.push(found.try_extract_tensor::<f32>()?.1);
    }
    let of_text = |(text, length): (usize, &usize)| {
        let start = text * longest * width;
        let own = start..start + length * width;
        let own: Vec<&[f32]> = by_layer
            .iter()
            .map(|states| states.get(own.clone()).unwrap_or_default())
            .collect();
        take(text, &own)
    };
    Ok(lengths.iter().enumerate().map(of_text).collect())
}

/// The arena keeps the memory of the largest batch for ever. Threads spin within a run, which makes
/// it a third faster, and not between two of them, when the cores are the reply model's.
pub(super) fn options(runtime: &Environment, threads: usize) -> ort::Result<SessionBuilder> {
    let cpu = ort::ep::CPU::default().with_arena_allocator(false).build();
    Ok(SessionBuilder::new(runtime)?
        .with_intra_threads(threads)?
        .with_execution_providers([cpu])?
        .with_config_entry("session.force_spinning_stop", "1")?)
}

/// Loads the library, once in a process, before anything else asks for it: later, a missing one is
/// a panic.
pub(super) fn load_runtime(path: &Path) -> Result<Environment, EncoderError> {
    static LOADED: Mutex<Option<Environment>> = Mutex::new(None);
    std::fs::File::open(path).map_err(|source| EncoderError::File {
        path: path.to_owned(),
        source,
    })?;
    let unusable = |reason: String| EncoderError::Runtime {
        path: path.to_owned(),
        reason,
    };
    let mut loaded = LOADED.lock();
    if let Some(runtime) = &*loaded {
        return Ok(runtime.clone());
    }
    let builder = ort::init_from(path).map_err(|reason| unusable(reason.to_string()))?;
    let runtime = builder.build();
    let runtime = runtime.map_err(|reason| unusable(reason.to_string()))?;
    *loaded = Some(runtime.clone());
    Ok(runtime)
}
