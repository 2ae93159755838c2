//! Recurrent cells, composites: one step, for streams whose state is a feedback.
//!
//! | cell | with `a = W_ih x + b_ih` and `b = W_hh h + b_hh` |
//! |---|---|
//! | [`rnn_tanh_cell`] | `h' = tanh(a + b)` |
//! | [`rnn_relu_cell`] | `h' = max(a + b, 0)` |
//! | [`gru_cell`] | `r, z = sigmoid(a + b)`, `n = tanh(a + r * b)`, `h' = n + z * (h - n)` |
//! | [`lstm_cell`] | `i, f, o = sigmoid(a + b)`, `g = tanh(a + b)`, `c' = f * c + i * g`, |
//! | | `h' = o * tanh(c')` |
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., in]`; `h` (and `c`): `[.., hidden]`, with the same dimensions before,
//! which may be bounded; weights: [`Weights`]. -> `h'` (and `c'`): as `h`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of its parts. As PyTorch's `rnn_tanh_cell`, `rnn_relu_cell`, `gru_cell` and `lstm_cell`.
//!
//! # Example
//! ```
//! use synfire_ops::recurrent::cell::{Weights, gru_cell};
//! use synfire_runtime::{define::{Draft, Initial}, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let first = Initial::Uniform { bound: 0.5 };
//! let input = draft.parameter("input", Spec::f32([12, 3]), first.clone());
//! let hidden = draft.parameter("hidden", Spec::f32([12, 4]), first);
//! let weights = Weights { input, hidden, biases: None };
//! let (h, feedback) = draft.feedback(Spec::f32([2, 4]), 1, Initial::Zeros);
//! let next = gru_cell(&mut draft, x, h, &weights);
//! draft.close(feedback, next);
//! assert_eq!(draft.spec(next), Some(&Spec::f32([2, 4])));
//! ```

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::recurrence::{Cell, GRU, Kind, LSTM, Plain, RELU, State, TANH};
use crate::arrange::split::split;
use crate::broadcast::binary::{add, multiply, subtract};
use crate::dense::linear::linear;
use crate::pointwise::unary::{relu, sigmoid, tanh};
use crate::reject::reject;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("rnn_cell", |case| {
        let is_relu = case.text("nonlinearity", "tanh")? == "relu";
        named(case, if is_relu { RELU } else { TANH })
    }),
    ("rnn_tanh_cell", |case| named(case, TANH)),
    ("rnn_relu_cell", |case| named(case, RELU)),
    ("gru_cell", |case| named(case, GRU)),
    ("lstm_cell", |case| named(case, LSTM)),
];

fn named(case: &mut Case<'_>, cell: &Cell) -> Result<Vec<Wire>, String> {
    let x = first(case, &["x", "input"]).ok_or("no input `x`")?;
    let weights = Weights::named(case, "")?;
    let states = [["h", "hx", "h0", "h_0"], ["c", "cx", "c0", "c_0"]];
    let mut state = Vec::new();
    for names in &states[..cell.states] {
        state.push(match first(case, names) {
            Some(part) => part,
            None => zeros(case, names[0], x, weights.hidden)?,
        });
    }
    Ok(step(case, cell, x, &state, &weights))
}

/// Zeros with the dimensions of `x`, and the features of a recurrent weight.
fn zeros(case: &mut Case<'_>, name: &str, x: Wire, weight: Wire) -> Result<Wire, String> {
    let mut own = case.spec_of(x)?;
    let features = own.dimensions.last_mut().ok_or("a scalar `x`")?;
    *features = Dimension::Fixed(case.spec_of(weight)?.bound(1));
    Ok(case.parameter(&format!("zeros_{name}"), own, Initial::Zeros))
}

/// The first input that has one of these names.
pub(super) fn first(case: &Case<'_>, names: &[&str]) -> Option<Wire> {
    names.iter().find_map(|name| case.optional(name))
}

/// The weights of a cell, or of one direction of one layer, as PyTorch lays them out.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    /// Of the input: `[gate * hidden, in]`.
    pub input: Wire,
    /// Of the state: `[gate * hidden, hidden]`.
    pub hidden: Wire,
    /// Of the input and of the state: `[gate * hidden]`.
    pub biases: Option<[Wire; 2]>,
}

impl Weights {
    /// Those whose names in a case end with `suffix`.
    pub(super) fn named(case: &Case<'_>, suffix: &str) -> Result<Self, String> {
        let find = |side: &str, names: [&str; 2]| {
            let names = names.map(|name| format!("{name}_{side}{suffix}"));
            first(case, &[&names[0], &names[1]])
        };
        let weight = |side: &str| {
            let missing = || format!("no input `weight_{side}{suffix}`");
            find(side, ["weight", "w"]).ok_or_else(missing)
        };
        let biases = [find("ih", ["bias", "b"]), find("hh", ["bias", "b"])];
        let biases = match biases {
            [Some(input), Some(hidden)] => Some([input, hidden]),
            [None, None] => None,
            _ => return Err(format!("one of `bias_ih{suffix}` and `bias_hh{suffix}` alone")),
        };
        Ok(Self { input: weight("ih")?, hidden: weight("hh")?, biases })
    }
}

/// One step of a plain recurrence with the hyperbolic tangent.
///
/// Inputs that do not fit are a fault of the draft, here and below.
pub fn rnn_tanh_cell(draft: &mut Draft, x: Wire, h: Wire, weights: &Weights) -> Wire {
    step(draft, TANH, x, &[h], weights)[0]
}

/// One step of a plain recurrence with the rectifier.
pub fn rnn_relu_cell(draft: &mut Draft, x: Wire, h: Wire, weights: &Weights) -> Wire {
    step(draft, RELU, x, &[h], weights)[0]
}

/// One step of a gated recurrent unit.
pub fn gru_cell(draft: &mut Draft, x: Wire, h: Wire, weights: &Weights) -> Wire {
    step(draft, GRU, x, &[h], weights)[0]
}

/// One step of long short-term memory, from and to `[h, c]`.
pub fn lstm_cell(draft: &mut Draft, x: Wire, state: [Wire; 2], weights: &Weights) -> [Wire; 2] {
    let next = step(draft, LSTM, x, &state, weights);
    [next[0], next[1]]
}

/// The state after a step.
pub(super) fn step(
    draft: &mut Draft,
    cell: &Cell,
    x: Wire,
    state: &[Wire],
    weights: &Weights,
) -> Vec<Wire> {
    let side = |draft: &mut Draft, x: Wire, weight: Wire, bias: Option<Wire>| match bias {
        Some(bias) => draft.apply(linear().bias(), &[x, weight, bias]),
        None => draft.apply(linear(), &[x, weight]),
    };
    let bias = |side: usize| weights.biases.map(|biases| biases[side]);
    let a = side(draft, x, weights.input, bias(0));
    let b = side(draft, state[0], weights.hidden, bias(1));
    let (Some(gates), Some(own)) = (draft.spec(b), draft.spec(state[0])) else {
        return vec![b; cell.states];
    };
    let last = own.rank() - 1;
    let hidden = own.bound(last);
    if gates.bound(last) != cell.gates * hidden {
        let wanted = format!("{} times {hidden}, the features of port x1", cell.gates);
        let error = SpecError::new("x3", Dimension::Fixed(gates.bound(last)), wanted).at(0);
        let inputs = [x, state[0], weights.input, weights.hidden];
        return vec![reject(draft, "cell", ("x", &inputs), error); cell.states];
    }
    let sizes = vec![hidden; cell.gates];
    let mut gates = |wire| draft.apply_many(split(last, &sizes), &[wire]);
    if cell.kind == Kind::Gru {
        let (a, b) = (gates(a), gates(b));
        let [reset, update] = [0, 1].map(|gate| {
            let sum = draft.apply(add(), &[a[gate], b[gate]]);
            draft.apply(sigmoid(), &[sum])
        });
        let damped = draft.apply(multiply(), &[reset, b[2]]);
        let sum = draft.apply(add(), &[a[2], damped]);
        let new = draft.apply(tanh(), &[sum]);
        let apart = draft.apply(subtract(), &[state[0], new]);
        let kept = draft.apply(multiply(), &[update, apart]);
        return vec![draft.apply(add(), &[new, kept])];
    }
    let sum = draft.apply(add(), &[a, b]);
    match cell.kind {
        Kind::Relu => vec![draft.apply(relu(), &[sum])],
        Kind::Lstm => remember(draft, sum, state[1], &sizes),
        _ => vec![draft.apply(tanh(), &[sum])],
    }
}

/// The state of an LSTM after a step, from the sums of all gates.
fn remember(draft: &mut Draft, sum: Wire, c: Wire, sizes: &[usize]) -> Vec<Wire> {
    let last = draft.spec(sum).map_or(0, |spec| spec.rank() - 1);
    let gates = draft.apply_many(split(last, sizes), &[sum]);
    let [input, forget, output] =
        [0, 1, 3].map(|gate: usize| draft.apply(sigmoid(), &[gates[gate]]));
    let new = draft.apply(tanh(), &[gates[2]]);
    let (kept, added) =
        (draft.apply(multiply(), &[forget, c]), draft.apply(multiply(), &[input, new]));
    let c = draft.apply(add(), &[kept, added]);
    let bent = draft.apply(tanh(), &[c]);
    vec![draft.apply(multiply(), &[output, bent]), c]
}

/// Each cell with and without biases, one element, vectors, no rows, bounded, of `f64`; what does
/// not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (name, cell) in
        [("rnn_tanh_cell", TANH), ("rnn_relu_cell", RELU), ("gru_cell", GRU), ("lstm_cell", LSTM)]
    {
        let sample =
            |what: &str, rows: &[usize], features| sample(what, (name, cell), rows, features);
        let mut double = sample("of f64", &[2], [3, 2, 2]);
        double.inputs.iter_mut().flatten().for_each(|value| *value = wide(value));
        double.specs.iter_mut().for_each(|spec| *spec = spec.with_element(Element::F64));
        let mut bounded = sample("bounded rows", &[4], [3, 5, 2]);
        bounded.specs[0] = bounded_first(Element::F32, 9, &[3]);
        for spec in &mut bounded.specs[1..=cell.states] {
            *spec = bounded_first(Element::F32, 9, &[5]);
        }
        let mut other = sample("weight", &[2], [3, 5, 2]);
        other.specs[2 + cell.states] = Spec::f32([cell.gates * 5, 4]);
        samples.extend([
            sample("rows", &[3], [5, 7, 2]),
            sample("one element", &[1], [1, 1, 0]),
            sample("a vector", &[], [3, 4, 0]),
            sample("no rows", &[0], [3, 4, 2]),
            bounded,
            double,
            Sample {
                inputs: Vec::new(),
                expect: Expect::Rejected { port: "", dimension: None },
                ..other
            },
        ]);
    }
    samples
}

fn sample(
    what: &str,
    (name, cell): (&'static str, &'static Cell),
    rows: &[usize],
    [features, hidden, biases]: [usize; 3],
) -> Sample {
    let count = cell.gates * hidden;
    let mut inputs = vec![noise(1, &[rows, &[features]].concat())];
    inputs.extend((0..cell.states as u64).map(|part| noise(2 + part, &[rows, &[hidden]].concat())));
    inputs.extend([noise(5, &[count, features]), noise(6, &[count, hidden])]);
    inputs.extend((0..biases as u64).map(|key| noise(7 + key, &[count])));
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let (state, rest) = wires[1..].split_at(cell.states);
        let biases = rest.get(2).zip(rest.get(3)).map(|(&a, &b)| [a, b]);
        step(draft, cell, wires[0], state, &Weights { input: rest[0], hidden: rest[1], biases })
    };
    let expect = reference(move |inputs| by_definition(cell, inputs));
    Sample::composite(what, name, build, inputs, expect)
}

/// One row at a time.
fn by_definition(cell: &Cell, inputs: &[Tensor]) -> Vec<Tensor> {
    let (state, rest) = inputs[1..].split_at(cell.states);
    let plain = Plain { kind: cell.kind, weight: &rest[1], bias: rest.get(3) };
    let hidden = rest[1].extents[1];
    let mut next = state.to_vec();
    for row in 0..next[0].data.len() / hidden {
        let part = |part: usize| {
            state.get(part).map_or(vec![0.0; hidden], |s| s.data[row * hidden..][..hidden].to_vec())
        };
        let own: State = [part(0), part(1)];
        let features = rest[0].extents[1];
        let x = &inputs[0].data[row * features..][..features];
        let after = plain.step(&plain_input(x, &rest[0], rest.get(2)), &own);
        for (next, after) in next.iter_mut().zip(&after) {
            next.data[row * hidden..][..hidden].copy_from_slice(after);
        }
    }
    next
}

/// The input's part of the gates.
pub(super) fn plain_input(x: &[f64], weight: &Tensor, bias: Option<&Tensor>) -> Vec<f64> {
    let sum = |row: usize| {
        let products = x.iter().enumerate().map(|(k, x)| x * weight.at(&[row, k]));
        products.sum::<f64>() + bias.map_or(0.0, |bias| bias.data[row])
    };
    (0..weight.extents[0]).map(sum).collect()
}
