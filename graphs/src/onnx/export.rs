//! A checked graph as a model: one node or a few for each operator, written by its own file.
//!
//! What has state has no place in the format: edges with initial tokens, and graphs of several
//! rates, are refused, with every operator that no file writes.

use std::any::Any;

use prost::Message;
use synfire_ops::CATALOG;
use synfire_ops::onnx::{Attribute, Emit, Nodes, Ports, Setting, element_number};
use synfire_runtime::graph::{Graph, Member, Part};
use synfire_runtime::launch::Weights;
use synfire_runtime::operator::Operator;
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Dimension, Spec};

use super::{proto, tensor};

/// The set of operators that is written.
const OPSET: i64 = 20;

/// The version of the format that belongs to it.
const IR: i64 = 9;

/// The longest file that the format allows.
const BYTES_MAX: usize = (2 << 30) - 1;

/// Why a graph could not be written: everything at once.
#[derive(Debug, thiserror::Error)]
#[error("{} things have no place in an ONNX model:{}", reasons.len(), lines(reasons))]
pub struct ExportError {
    /// What, by node.
    pub reasons: Vec<String>,
}

fn lines(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("\n  {reason}")).collect()
}

/// Writes a graph with its weights; what `weights` leaves out is initialised from the seed.
///
/// Feeds, outlets and parameters keep their paths as names; a bounded dimension is a named one.
///
/// # Errors
/// When the graph has delays, several rates, or operators that ONNX lacks; all of them are listed.
pub fn export(graph: &Graph, weights: &Weights, seed: Seed) -> Result<Vec<u8>, ExportError> {
    let members = graph.members();
    let mut written = Written::default();
    let mut values = weights.first_values(graph, seed);
    for (index, member) in members.iter().enumerate() {
        written.edges(&members, member);
        match member.part {
            Part::Feed => written.inputs.push(info(member.path, &member.outputs[0])),
            Part::Parameter => {
                let value = values.remove(member.path).expect("every parameter has a value");
                written.constants.push(tensor::written(member.path, &value));
            }
            Part::Outlet => written.outlet(&members, member),
            Part::Operator(operator) => {
                let ports = ports(&members, index);
                written.operator(member.path, operator, &ports);
            }
        }
    }
    written.finish()
}

/// What an output of a node is called.
fn name(members: &[Member<'_>], node: usize, port: usize) -> String {
    let member = &members[node];
    if member.outputs.len() == 1 {
        member.path.to_owned()
    } else {
        format!("{}.{port}", member.path)
    }
}

fn ports(members: &[Member<'_>], index: usize) -> Ports {
    let member = &members[index];
    let spec = |node: usize, port: usize| members[node].outputs[port].clone();
    let inputs = member.inputs.iter();
    let inputs = inputs.map(|own| (name(members, own.node, own.port), spec(own.node, own.port)));
    let outputs = 0..member.outputs.len();
    let is_read = |port: usize| {
        let mut all = members.iter().flat_map(|member| &member.inputs);
        all.any(|own| own.node == index && own.port == port)
    };
    Ports {
        inputs: inputs.collect(),
        read: outputs.clone().map(is_read).collect(),
        outputs: outputs.map(|port| (name(members, index, port), spec(index, port))).collect(),
    }
}

/// What is written so far.
#[derive(Default)]
struct Written {
    nodes: Vec<proto::Node>,
    constants: Vec<proto::Tensor>,
    inputs: Vec<proto::ValueInfo>,
    outputs: Vec<proto::ValueInfo>,
    reasons: Vec<String>,
}

impl Written {
    fn edges(&mut self, members: &[Member<'_>], member: &Member<'_>) {
        for source in member.inputs.iter().filter(|source| source.delay > 0) {
            let (from, delay) = (members[source.node].path, source.delay);
            let reason =
                format!("{}: an edge from {from} with {delay} initial tokens", member.path);
            self.reasons.push(reason);
        }
        if member.repetitions > 1 {
            let reason = format!("{}: {} firings an iteration", member.path, member.repetitions);
            self.reasons.push(reason);
        }
    }

    /// An outlet is a name of its own for what it gives.
    fn outlet(&mut self, members: &[Member<'_>], member: &Member<'_>) {
        let source = member.inputs[0];
        let input = name(members, source.node, source.port);
        self.outputs.push(info(member.path, &members[source.node].outputs[source.port]));
        self.nodes.push(proto::Node {
            input: vec![input],
            output: vec![member.path.to_owned()],
            name: format!("{}/outlet", member.path),
            op_type: "Identity".into(),
            ..proto::Node::default()
        });
    }

    fn operator(&mut self, path: &str, operator: &dyn Operator, ports: &Ports) {
        let name = operator.contract().name;
        let own = plain(operator);
        let mut emit = Emit::new(path, ports);
        let writers = CATALOG.iter().filter_map(|entry| entry.onnx.writes);
        let mut done = writers.filter_map(|write| write(own, &mut emit));
        match done.next() {
            Some(Ok(())) => {
                drop(done);
                self.add(path, emit.into_nodes());
            }
            Some(Err(reason)) => self.reasons.push(format!("{path} ({name}): {reason}")),
            None => self.reasons.push(format!("{path} ({name}): ONNX is not known to have it")),
        }
    }

    fn add(&mut self, path: &str, nodes: Nodes) {
        let constants = nodes.constants.iter().map(|(name, value)| tensor::written(name, value));
        self.constants.extend(constants);
        let count = nodes.nodes.len();
        for (index, Setting { kind, inputs, outputs, attributes }) in
            nodes.nodes.into_iter().enumerate()
        {
            let name = if count == 1 { path.to_owned() } else { format!("{path}/node_{index}") };
            self.nodes.push(proto::Node {
                input: inputs,
                output: outputs,
                name,
                op_type: kind.into(),
                attribute: attributes.iter().map(|(name, own)| attribute(name, own)).collect(),
                domain: String::new(),
            });
        }
    }

    fn finish(self) -> Result<Vec<u8>, ExportError> {
        let Self { nodes, constants, inputs, outputs, mut reasons } = self;
        let graph = proto::Graph {
            node: nodes,
            name: "synfire".into(),
            initializer: constants,
            input: inputs,
            output: outputs,
            sparse_initializer: Vec::new(),
        };
        let model = proto::Model {
            ir_version: IR,
            producer_name: "synfire".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph),
            opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPSET }],
            functions: Vec::new(),
        };
        let length = model.encoded_len();
        if length > BYTES_MAX {
            reasons.push(format!("{length} bytes, the format allows {BYTES_MAX}"));
        }
        if reasons.is_empty() { Ok(model.encode_to_vec()) } else { Err(ExportError { reasons }) }
    }
}

/// The operator itself, where it is shared.
fn plain(operator: &dyn Operator) -> &dyn Any {
    let own: &dyn Any = operator;
    match own.downcast_ref::<std::sync::Arc<dyn Operator>>() {
        Some(shared) => plain(&**shared),
        None => own,
    }
}

fn info(name: &str, spec: &Spec) -> proto::ValueInfo {
    let dimension = |(axis, dimension): (usize, &Dimension)| match dimension {
        Dimension::Fixed(extent) => {
            proto::Dimension { dim_value: Some(*extent as i64), dim_param: None }
        }
        Dimension::UpTo(_) => {
            proto::Dimension { dim_value: None, dim_param: Some(format!("{name}.{axis}")) }
        }
    };
    let shape = proto::Shape { dim: spec.dimensions.iter().enumerate().map(dimension).collect() };
    let elem_type = element_number(spec.element) as i32;
    let tensor = proto::TensorType { elem_type, shape: Some(shape) };
    let kind = Some(proto::Type { tensor: Some(tensor) });
    proto::ValueInfo { name: name.to_owned(), kind }
}

fn attribute(name: &str, own: &Attribute) -> proto::Attribute {
    use proto::kind;

    let mut written = proto::Attribute { name: name.to_owned(), ..proto::Attribute::default() };
    written.kind = match own {
        Attribute::Integer(integer) => {
            written.i = *integer;
            kind::INT
        }
        Attribute::Number(number) => {
            written.f = *number as f32;
            kind::FLOAT
        }
        Attribute::Text(text) => {
            written.s = text.clone().into_bytes();
            kind::STRING
        }
        Attribute::Integers(integers) => {
            written.ints.clone_from(integers);
            kind::INTS
        }
        Attribute::Numbers(numbers) => {
            written.floats = numbers.iter().map(|&number| number as f32).collect();
            kind::FLOATS
        }
        Attribute::Texts(texts) => {
            written.strings = texts.iter().map(|text| text.clone().into_bytes()).collect();
            kind::STRINGS
        }
        Attribute::Tensor(value) => {
            written.t = Some(tensor::written("", value));
            kind::TENSOR
        }
        Attribute::Other(_) => unreachable!("no operator writes one"),
    };
    written
}
