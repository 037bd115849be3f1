//! ONNX Runtime: the library, and runs of graphs over the states of several texts.

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

/// The states of several texts of different lengths, behind some layers.
pub(super) struct States<'l> {
    /// By layer, `[texts, tokens of the longest, width]`.
    by_layer: Vec<(usize, Vec<f32>)>,
    lengths: &'l [usize],
    width: usize,
}

impl States<'_> {
    /// Those of the text at `place` behind `layers`, `tokens x width` each.
    pub(super) fn of_text(&self, place: usize, layers: &[usize]) -> Vec<&[f32]> {
        let longest = longest(self.lengths);
        let start = place * longest * self.width;
        let length = self.lengths.get(place).copied().unwrap_or_default();
        let own = start..start + length * self.width;
        let behind = |layer: &usize| {
            let mut found = self.by_layer.iter().filter(|(number, _)| number == layer);
            let states = found.next().and_then(|(_, states)| states.get(own.clone()));
            states.unwrap_or_default()
        };
        layers.iter().map(behind).collect()
    }
}

/// Some layers of an encoder.
pub(super) struct Stage {
    session: Mutex<Session>,
    /// Those whose states it gives, in their order; from the last of them the next stage goes on.
    outputs: Vec<usize>,
}

impl Stage {
    pub(super) fn new(session: Session, outputs: Vec<usize>) -> Self {
        Self {
            session: session.into(),
            outputs,
        }
    }

    fn last(&self) -> usize {
        self.outputs.last().copied().unwrap_or_default()
    }
}

/// Runs `stages` on the states of several texts, `lengths` tokens each and padded to the longest, as far up
/// as `layers` are, whose states it gives.
///
/// # Errors
/// Those of ONNX Runtime.
pub(super) fn run<'l>(
    stages: &[Stage],
    states: Vec<f32>,
    lengths: &'l [usize],
    layers: &[usize],
) -> ort::Result<States<'l>> {
    let width = states.len() / (longest(lengths) * lengths.len()).max(1);
    let highest = layers.iter().max().copied().unwrap_or_default();
    let mut by_layer = Vec::with_capacity(layers.len());
    let mut below = states;
    for stage in stages {
        let goes_on = stage.last() < highest;
        let is_wanted =
            |layer: &&usize| layers.contains(layer) || goes_on && **layer == stage.last();
        let wanted: Vec<usize> = stage.outputs.iter().filter(is_wanted).copied().collect();
        let mut found = run_stage(stage, below, lengths, &wanted)?;
        if !goes_on {
            by_layer.append(&mut found);
            break;
        }
        below = match found.pop() {
            Some((layer, states)) if layers.contains(&layer) => {
                found.push((layer, states.clone()));
                states
            }
            last => last.map(|(_, states)| states).unwrap_or_default(),
        };
        by_layer.append(&mut found);
    }
    Ok(States {
        by_layer,
        lengths,
        width,
    })
}

fn run_stage(
    stage: &Stage,
    states: Vec<f32>,
    lengths: &[usize],
    layers: &[usize],
) -> ort::Result<Vec<(usize, Vec<f32>)>> {
    let longest = longest(lengths);
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
    let mut session = stage.session.lock();
    let outputs = session.run_with_options(inputs![STATES => states, MASK => mask], &options)?;
    let mut by_layer = Vec::with_capacity(layers.len());
    for layer in layers {
        let name = output(*layer);
        let found = outputs.get(&name);
        let found = found.ok_or_else(|| ort::Error::new(format!("there is no output {name}")))?;
        by_layer.push((*layer, found.try_extract_tensor::<f32>()?.1.to_vec()));
    }
    Ok(by_layer)
}

/// Tokens of the longest text.
fn longest(lengths: &[usize]) -> usize {
    lengths.iter().copied().max().unwrap_or_default().max(1)
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
