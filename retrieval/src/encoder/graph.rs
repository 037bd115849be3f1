//! The encoder as a graph for ONNX Runtime, built in memory from its weights.
//!
//! Matrices are multiplied in 8-bit integers: weights by a scale for each output, states by one for
//! each run. On two cores that is twice as fast as in floats, and the vectors keep a cosine of
//! 0.997 with those.

use ort::editor::{Graph, Model, Node, ONNX_DOMAIN, Opset};
use ort::inputs;
use ort::memory::Allocator;
use ort::operator::Attribute;
use ort::session::builder::SessionBuilder;
use ort::session::{OutputSelector, RunOptions, Session};
use ort::value::{
    Outlet, PrimitiveTensorElementType, Shape, SymbolicDimensions, Tensor, TensorElementType,
    ValueType,
};

use super::layer::{Layer, Linear, Norm};
use super::weights::Shape as Size;

/// Operators of ONNX Runtime's own.
const RUNTIME_DOMAIN: &str = "com.microsoft";

/// Input: the tokens' vectors, `[texts, tokens, width]`, floats.
pub(super) const STATES: &str = "states";

/// Input: 1 for a token, 0 for padding, `[texts, tokens]`, 32-bit integers.
pub(super) const MASK: &str = "mask";

/// Name of the states behind a layer, from 1: `[texts, tokens, width]`.
pub(super) fn output(layer: usize) -> String {
    format!("layer{layer}")
}

/// A session over `layers`, of which the first is number `from + 1`, that gives the states behind
/// the layers `outputs`. With a `norm`, what comes in is normalised first.
///
/// # Errors
/// Those of ONNX Runtime.
pub(super) fn session(
    size: &Size,
    norm: Option<&Norm>,
    (from, layers): (usize, &[Layer]),
    outputs: &[usize],
    options: &SessionBuilder,
) -> ort::Result<Session> {
    let width = size.width;
    let states = |name: String| tensor(name, TensorElementType::Float32, &[-1, -1, width as i64]);
    let mut builder = Builder {
        graph: Graph::new()?,
        memory: Allocator::default(),
        width,
        heads: size.attention_heads,
        epsilon: size.epsilon,
    };
    builder.graph.set_inputs([
        states(STATES.to_owned()),
        tensor(MASK.to_owned(), TensorElementType::Int32, &[-1, -1]),
    ])?;
    builder
        .graph
        .set_outputs(outputs.iter().map(|layer| states(output(*layer))))?;
    let mut below = STATES.to_owned();
    if let Some(norm) = norm {
        let normalised = output(from);
        builder.norm(&below, &normalised, norm)?;
        below = normalised;
    }
    for (layer, number) in layers.iter().zip(from + 1..) {
        let above = output(number);
        builder.layer(&below, &above, layer)?;
        below = above;
    }
    let mut model = Model::new([Opset::new(ONNX_DOMAIN, 20)?, Opset::new(RUNTIME_DOMAIN, 1)?])?;
    model.set_graph(builder.graph)?;
    model.into_session(options)
}

/// Runs `session` on the states of several texts, `lengths` tokens each and padded to the longest,
/// and gives what `take` makes of each text's own states behind `layers`.
///
/// # Errors
/// Those of ONNX Runtime.
pub(super) fn run<T>(
    session: &mut Session,
    states: Vec<f32>,
    lengths: &[usize],
    layers: &[usize],
    take: impl Fn(&[&[f32]]) -> T,
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
        take(&own)
    };
    Ok(lengths.iter().enumerate().map(of_text).collect())
}

fn tensor(name: String, ty: TensorElementType, shape: &[i64]) -> Outlet {
    let shape = Shape::new(shape.iter().copied());
    let dimension_symbols = SymbolicDimensions::empty(shape.len());
    Outlet::new(
        name,
        ValueType::Tensor {
            ty,
            shape,
            dimension_symbols,
        },
    )
}

struct Builder {
    graph: Graph,
    memory: Allocator,
    width: usize,
    heads: usize,
    epsilon: f32,
}

impl Builder {
    /// One transformer layer, normalised behind each half (Vaswani et al., 2017).
    fn layer(&mut self, from: &str, to: &str, layer: &Layer) -> ort::Result<()> {
        let name = |part: &str| format!("{to}.{part}");
        for (part, linear) in [
            ("query", &layer.query),
            ("key", &layer.key),
            ("value", &layer.value),
        ] {
            self.linear(from, &name(part), self.width, linear)?;
        }
        self.node(
            ("MultiHeadAttention", RUNTIME_DOMAIN),
            &[&name("query"), &name("key"), &name("value"), "", MASK],
            &name("heads"),
            [Attribute::new("num_heads", self.heads as i64)?],
        )?;
        self.linear(
            &name("heads"),
            &name("attended"),
            self.width,
            &layer.attended,
        )?;
        self.add(from, &name("attended"), &name("sum"))?;
        self.norm(&name("sum"), &name("middle"), &layer.attention_norm)?;
        self.linear(&name("middle"), &name("inner"), self.width, &layer.inner)?;
        self.node(
            ("Gelu", RUNTIME_DOMAIN),
            &[&name("inner")],
            &name("gelu"),
            [],
        )?;
        let inner = layer.inner.bias.len();
        self.linear(&name("gelu"), &name("outer"), inner, &layer.outer)?;
        self.add(&name("middle"), &name("outer"), &name("whole"))?;
        self.norm(&name("whole"), to, &layer.output_norm)
    }

    fn linear(&mut self, from: &str, to: &str, inputs: usize, linear: &Linear) -> ort::Result<()> {
        let outputs = linear.bias.len();
        let (rows, scales) = linear.quantised();
        let columns = (0..inputs).flat_map(|column| rows.iter().skip(column).step_by(inputs));
        let numbers: Vec<i8> = columns.copied().collect();
        let [weights, scale, bias] =
            ["weights", "scale", "bias"].map(|part| format!("{to}.{part}"));
        self.constant(&weights, &[inputs, outputs], &numbers)?;
        self.constant(&scale, &[outputs], &scales)?;
        self.constant(&bias, &[outputs], &linear.bias)?;
        self.node(
            ("DynamicQuantizeMatMul", RUNTIME_DOMAIN),
            &[from, &weights, &scale, "", &bias],
            to,
            [],
        )
    }

    fn norm(&mut self, from: &str, to: &str, norm: &Norm) -> ort::Result<()> {
        let [scale, shift] = ["scale", "shift"].map(|part| format!("{to}.{part}"));
        self.constant(&scale, &[norm.scale.len()], &norm.scale)?;
        self.constant(&shift, &[norm.shift.len()], &norm.shift)?;
        self.node(
            ("LayerNormalization", ONNX_DOMAIN),
            &[from, &scale, &shift],
            to,
            [
                Attribute::new("axis", -1_i64)?,
                Attribute::new("epsilon", self.epsilon)?,
            ],
        )
    }

    fn add(&mut self, left: &str, right: &str, to: &str) -> ort::Result<()> {
        self.node(("Add", ONNX_DOMAIN), &[left, right], to, [])
    }

    fn node<const ATTRIBUTES: usize>(
        &mut self,
        (operator, domain): (&str, &str),
        inputs: &[&str],
        output: &str,
        attributes: [Attribute; ATTRIBUTES],
    ) -> ort::Result<()> {
        let node = Node::new(operator, domain, output, inputs, [output], attributes)?;
        self.graph.add_node(node)
    }

    fn constant<T: PrimitiveTensorElementType + Copy + std::fmt::Debug>(
        &mut self,
        name: &str,
        shape: &[usize],
        numbers: &[T],
    ) -> ort::Result<()> {
        let shape = Shape::new(shape.iter().map(|size| *size as i64));
        let mut constant = Tensor::<T>::new(&self.memory, shape)?;
        constant.extract_tensor_mut().1.copy_from_slice(numbers);
        self.graph.add_initializer(name, constant, false)
    }
}
