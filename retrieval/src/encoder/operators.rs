//! A graph for ONNX Runtime, built in memory node by node.

use ort::editor::{Graph, Model, Node, ONNX_DOMAIN, Opset};
use ort::memory::Allocator;
use ort::operator::Attribute;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::{
    Outlet, PrimitiveTensorElementType, Shape, SymbolicDimensions, Tensor, TensorElementType,
    ValueType,
};

use super::session::{MASK, STATES, output};

/// Operators of ONNX Runtime's own.
pub(super) const RUNTIME_DOMAIN: &str = "com.microsoft";

/// A graph under construction, from states of `width` numbers to such states.
pub(super) struct Builder {
    graph: Graph,
    memory: Allocator,
}

impl Builder {
    /// A graph that gives the states behind the layers `outputs`.
    pub(super) fn new(width: usize, outputs: &[usize]) -> ort::Result<Self> {
        let states =
            |name: String| tensor(name, TensorElementType::Float32, &[-1, -1, width as i64]);
        let mut graph = Graph::new()?;
        graph.set_inputs([
            states(STATES.to_owned()),
            tensor(MASK.to_owned(), TensorElementType::Int32, &[-1, -1]),
        ])?;
        graph.set_outputs(outputs.iter().map(|layer| states(output(*layer))))?;
        Ok(Self {
            graph,
            memory: Allocator::default(),
        })
    }

    pub(super) fn add(&mut self, left: &str, right: &str, to: &str) -> ort::Result<()> {
        self.node(("Add", ONNX_DOMAIN), &[left, right], to, [])
    }

    /// A node of one output.
    pub(super) fn node<const ATTRIBUTES: usize>(
        &mut self,
        operator: (&str, &str),
        inputs: &[&str],
        output: &str,
        attributes: [Attribute; ATTRIBUTES],
    ) -> ort::Result<()> {
        self.branching(operator, inputs, &[output], attributes)
    }

    /// A node of several outputs.
    pub(super) fn branching<const ATTRIBUTES: usize>(
        &mut self,
        (operator, domain): (&str, &str),
        inputs: &[&str],
        outputs: &[&str],
        attributes: [Attribute; ATTRIBUTES],
    ) -> ort::Result<()> {
        let name = outputs.first().copied().unwrap_or_default();
        let node = Node::new(operator, domain, name, inputs, outputs, attributes)?;
        self.graph.add_node(node)
    }

    pub(super) fn constant<T: PrimitiveTensorElementType + Copy + std::fmt::Debug>(
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

    pub(super) fn into_session(self, options: &SessionBuilder) -> ort::Result<Session> {
        let mut model = Model::new([Opset::new(ONNX_DOMAIN, 20)?, Opset::new(RUNTIME_DOMAIN, 1)?])?;
        model.set_graph(self.graph)?;
        model.into_session(options)
    }
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
