//! Recurrent networks over sequences, composites: layers of recurrences, in one or both directions.
//!
//! Each direction of each layer is a linear layer over the whole sequence and a
//! [recurrence](super::recurrence); of two directions the features are joined.
//!
//! # Shape
//! `x`: `f32` or `f64` `[time, batch, in]`, or `[batch, time, in]`; `h0` (and `c0`): `[layer *
//! direction, batch, hidden]` in either layout, else zeros; [`Network`] has weights and lengths. ->
//! `y`: as `x` with `direction * hidden` features; `h_n` (and `c_n`): as `h0`. `time` and `batch`
//! may be bounded. At most 64 directions of layers.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As PyTorch's `rnn_tanh`, `rnn_relu`, `gru` and `lstm`, without dropout and projections. With
//! lengths, as for its packed sequences: from its length on, a row keeps its state and has an
//! output of 0, and the other direction starts from its last step. A length may be 0.
//!
//! # Example
//! ```
//! use synfire_ops::recurrent::network::{Layout, Network, lstm};
//! use synfire_ops::recurrent::cell::Weights;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([8, 2, 3]));
//! let (input, hidden) =
//!     (draft.feed("input", Spec::f32([20, 3])), draft.feed("hidden", Spec::f32([20, 5])));
//! let weights = [Weights { input, hidden, biases: None }];
//! let network = Network::new(&weights, Layout::TimeFirst);
//! let [y, h_n, _] = lstm(&mut draft, x, None, &network);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([8, 2, 5])));
//! assert_eq!(draft.spec(h_n), Some(&Spec::f32([1, 2, 5])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::cell::Weights;
use super::recurrence::{Cell, GRU, LSTM, RELU, Recurrence, TANH, Walk, active};
use crate::arrange::concat::concat;
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::slice::slice;
use crate::arrange::stack::stack;
use crate::broadcast::select::where_;
use crate::dense::linear::linear;
use crate::pointwise::unary::fill;
use crate::reject::reject;
use crate::sample::{Expect, Sample, wide};
use crate::torch::Torch;

mod definition; // what samples expect
mod names; // what PyTorch calls them

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("rnn", |case| {
        let is_relu = case.text("nonlinearity", "tanh")? == "relu";
        names::build(case, if is_relu { RELU } else { TANH })
    }),
    ("rnn_tanh", |case| names::build(case, TANH)),
    ("rnn_relu", |case| names::build(case, RELU)),
    ("gru", |case| names::build(case, GRU)),
    ("lstm", |case| names::build(case, LSTM)),
];

/// The order of the first two axes of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[time, batch, feature]`.
    TimeFirst,
    /// `[batch, time, feature]`.
    BatchFirst,
}

/// A recurrent network, whatever its cells are.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// Those of each layer; with two directions, first those of the one ahead, then of the other.
    pub weights: &'a [Weights],
    /// 1, or 2 for both directions.
    pub directions: usize,
    /// That of the input and of the output.
    pub layout: Layout,
    /// The steps of each row that count: `i64` `[batch]`.
    pub lengths: Option<Wire>,
}

impl<'a> Network<'a> {
    /// Layers in one direction, over whole sequences.
    #[must_use]
    pub fn new(weights: &'a [Weights], layout: Layout) -> Self {
        Self { weights, directions: 1, layout, lengths: None }
    }
}

/// A plain network with the hyperbolic tangent: `y` and `h_n`.
///
/// Inputs that do not fit are a fault of the draft, here and below.
pub fn rnn_tanh(draft: &mut Draft, x: Wire, h0: Option<Wire>, network: &Network<'_>) -> [Wire; 2] {
    two(run(draft, TANH, x, h0.as_slice(), network))
}

/// A plain network with the rectifier: `y` and `h_n`.
pub fn rnn_relu(draft: &mut Draft, x: Wire, h0: Option<Wire>, network: &Network<'_>) -> [Wire; 2] {
    two(run(draft, RELU, x, h0.as_slice(), network))
}

/// A network of gated recurrent units: `y` and `h_n`.
pub fn gru(draft: &mut Draft, x: Wire, h0: Option<Wire>, network: &Network<'_>) -> [Wire; 2] {
    two(run(draft, GRU, x, h0.as_slice(), network))
}

/// A network of long short-term memory, from `[h0, c0]`: `y`, `h_n` and `c_n`.
pub fn lstm(
    draft: &mut Draft,
    x: Wire,
    state: Option<[Wire; 2]>,
    network: &Network<'_>,
) -> [Wire; 3] {
    let initial = state.map_or(Vec::new(), Vec::from);
    let outputs = run(draft, LSTM, x, &initial, network);
    [outputs[0], outputs[1], outputs[2]]
}

fn two(outputs: Vec<Wire>) -> [Wire; 2] {
    [outputs[0], outputs[1]]
}

/// The output and the last states, from the initial ones, if any.
fn run(
    draft: &mut Draft,
    cell: &'static Cell,
    x: Wire,
    initial: &[Wire],
    network: &Network<'_>,
) -> Vec<Wire> {
    let (weights, directions) = (network.weights, network.directions);
    let is_whole = (1..=2).contains(&directions) && weights.len().is_multiple_of(directions);
    if !is_whole || weights.is_empty() {
        let found = format!("{} weights for {directions} directions", weights.len());
        let error = SpecError::new("x0", found, "some for each of 1 or 2 directions");
        return vec![reject(draft, "network", ("x", &[x]), error); cell.states + 1];
    }
    let mut states = vec![Vec::new(); cell.states];
    let mut y = x;
    for (layer, weights) in weights.chunks(directions).enumerate() {
        let mut sides = Vec::new();
        for (direction, weights) in weights.iter().enumerate() {
            let part = layer * directions + direction;
            let initial: Vec<Wire> = initial.iter().map(|&all| part_of(draft, all, part)).collect();
            let side = Side { cell, weights, is_reversed: direction == 1, network };
            let (sequence, last) = side.run(draft, y, &initial);
            sides.push(sequence);
            states.iter_mut().zip(last).for_each(|(parts, last)| parts.push(last));
        }
        y = if directions == 1 { sides[0] } else { draft.apply(concat(2, 2), &sides) };
    }
    let last = states.iter().map(|parts| draft.apply(stack(0, parts.len()), parts));
    std::iter::once(y).chain(last.collect::<Vec<_>>()).collect()
}

/// The state `[batch, hidden]` of one direction of one layer.
fn part_of(draft: &mut Draft, all: Wire, part: usize) -> Wire {
    let part = draft.apply(slice(0, part, part + 1, 1), &[all]);
    match draft.spec(part) {
        Some(own) if own.rank() == 3 => {
            let hidden = own.bound(2).into();
            draft.apply(reshape(&[Extent::Infer, hidden]), &[part])
        }
        _ => part,
    }
}

/// One direction of one layer.
struct Side<'a> {
    cell: &'static Cell,
    weights: &'a Weights,
    is_reversed: bool,
    network: &'a Network<'a>,
}

impl Side<'_> {
    /// The output sequence and the parts of the last state.
    fn run(&self, draft: &mut Draft, x: Wire, initial: &[Wire]) -> (Wire, Vec<Wire>) {
        let Weights { input, hidden, biases } = *self.weights;
        let layer = match biases {
            Some([bias, _]) => draft.apply(linear().bias(), &[x, input, bias]),
            None => draft.apply(linear(), &[x, input]),
        };
        let is_batch_first = self.network.layout == Layout::BatchFirst;
        let walk = Walk { is_batch_first, is_reversed: self.is_reversed };
        let mut scan = Recurrence::along(self.cell, walk);
        let mut inputs = vec![layer, hidden];
        if let Some([_, bias]) = biases {
            (scan, inputs) = (scan.bias(), [inputs, vec![bias]].concat());
        }
        if !initial.is_empty() {
            (scan, inputs) = (scan.initial(), [&inputs[..], initial].concat());
        }
        if let Some(lengths) = self.network.lengths {
            (scan, inputs) = (scan.lengths(), [inputs, vec![lengths]].concat());
        }
        let outputs = draft.apply_many(scan, &inputs);
        let (h, last) = (outputs[0], outputs[self.cell.states..].to_vec());
        match self.network.lengths {
            Some(lengths) if draft.spec(h).is_some() => {
                let active = active(draft, walk, lengths, h);
                let zeros = draft.apply(fill(0.0), &[h]);
                (draft.apply(where_(), &[active, h, zeros]), last)
            }
            _ => (h, last),
        }
    }
}

/// Each network, layers, directions and layouts, with states and lengths, step by step, bounded, of
/// `f64`; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use definition::{Shape, sample, step_by_step};
    let plain = Shape { sizes: [4, 2, 3, 2], layers: 1, ..Shape::ONE };
    let mut samples = Vec::new();
    for (name, cell) in [("rnn_tanh", TANH), ("rnn_relu", RELU), ("gru", GRU), ("lstm", LSTM)] {
        let sample = |what: &str, shape: Shape| sample(what, (name, cell), shape);
        let both = Shape { directions: 2, layers: 2, ..plain };
        let lengths: &[i64] = &[2, 4, 0];
        let padded = Shape { sizes: [4, 3, 2, 2], lengths, ..both };
        samples.extend([
            sample("one layer", plain),
            sample("two layers, both directions, state", Shape { is_stateful: true, ..both }),
            sample(
                "batch first, no biases",
                Shape { layout: Layout::BatchFirst, biases: 0, ..plain },
            ),
            sample("lengths", Shape { is_stateful: true, ..padded }),
            sample("lengths, batch first", Shape { layout: Layout::BatchFirst, ..padded }),
            sample("one step of one row", Shape { sizes: [1, 1, 1, 1], ..plain }),
            step_by_step((name, cell), Shape { is_stateful: true, ..plain }),
        ]);
    }
    let mut double = sample("of f64", ("gru", GRU), Shape { directions: 2, ..plain });
    double.inputs.iter_mut().flatten().for_each(|value| *value = wide(value));
    double.specs.iter_mut().for_each(|spec| *spec = spec.with_element(Element::F64));
    let mut bounded = sample("bounded", ("lstm", LSTM), Shape { directions: 2, ..plain });
    let up_to = Dimension::UpTo(9);
    bounded.specs[0] = Spec::f32([up_to, up_to, 3.into()]);
    let mut features = sample("features", ("gru", GRU), plain);
    features.specs[0] = Spec::f32([4, 2, 5]);
    let odd = Shape { directions: 2, ..plain };
    let odd = Sample::composite_rejected(
        "odd",
        "gru",
        move |draft, wires| definition::build(draft, GRU, wires, &Shape { layers: 0, ..odd }),
        vec![Spec::f32([4, 2, 3])],
    );
    let rejected = Expect::Rejected { port: "", dimension: None };
    features = Sample { inputs: Vec::new(), expect: rejected, ..features };
    samples.extend([double, bounded, features, odd]);
    samples
}
