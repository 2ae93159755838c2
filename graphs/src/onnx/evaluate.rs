//! What is computed from constants alone is computed while importing: chains of shapes above all.
//!
//! The node is built in a draft of its own and run once by the sequential reference, so there is no
//! second implementation of any operator.

use std::sync::Arc;

use synfire_ops::onnx::{Build, Head, Node, Operand};
use synfire_runtime::define::Draft;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

/// The largest value that is computed while importing.
const BYTES_MAX: usize = 256 << 20;

/// The number of elements of a spec, if it may be computed while importing.
pub(super) fn bounded(spec: &Spec) -> Result<usize, String> {
    let bounds = spec.bounds();
    let count = bounds.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent));
    let count =
        count.filter(|&n| n.checked_mul(spec.element.bytes()).is_some_and(|n| n <= BYTES_MAX));
    count.ok_or_else(|| format!("a constant {spec}, wanted at most {BYTES_MAX} bytes"))
}

/// The outputs of a node whose inputs are constants.
pub(super) fn evaluate(
    build: Build,
    head: &Head,
    inputs: &[Option<Operand>],
) -> Result<Vec<Value>, String> {
    let mut draft = Draft::new();
    let mut feeds = Streams::new();
    let mut operands: Vec<Option<Operand>> = inputs.to_vec();
    for (index, operand) in operands.iter_mut().enumerate() {
        let Some(own) = operand.as_ref() else { continue };
        let value: Arc<Value> = own.value().expect("all inputs are constants").clone();
        let name = format!("input{index}");
        let wire = draft.feed(&name, value.spec());
        feeds.insert(name.clone(), vec![Some((*value).clone())]);
        *operand = Some(Operand::constant(&name, value).computed(wire));
    }
    let mut node = Node::new(&mut draft, head, operands);
    let outputs = build(&mut node)?;
    let unread = node.unread();
    if !unread.is_empty() {
        return Err(format!("attributes that are not known: {}", unread.join(", ")));
    }
    for (index, &wire) in outputs.iter().enumerate() {
        if let Some(spec) = draft.spec(wire) {
            bounded(spec)?;
        }
        draft.outlet(&format!("output{index}"), wire);
    }
    let count = outputs.len();
    let graph = draft.check().map_err(|faults| faults.to_string())?;
    let mut outlets =
        interpret(&graph, &Options::default(), &feeds).map_err(|error| error.to_string())?;
    let mut take = |index: usize| {
        let stream = outlets.get_mut(&format!("output{index}"));
        stream.and_then(Vec::pop).flatten().ok_or_else(|| format!("output {index} is nothing"))
    };
    (0..count).map(&mut take).collect()
}
