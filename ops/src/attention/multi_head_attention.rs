//! Attention of several heads, a composite: projections of queries, keys and values, attention of
//! each head, and a projection of all heads together.
//!
//! # Shape
//! `query`: `f32` or `f64` `[batch, query, feature]`; `key`: `[batch, key, own feature]`, `value`
//! likewise; all weights as of a [`linear`](crate::dense::linear) layer, in any float type that
//! `query` has; the heads divide the features of the projected queries. A batch may be bounded,
//! or be left out. `y`: `[batch, query, output feature]`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of its parts. As PyTorch's `MultiheadAttention` with `batch_first`, without dropout.
//!
//! # Example
//! ```
//! use synfire_ops::attention::attend::attend;
//! use synfire_ops::attention::multi_head_attention::{Layer, Projections, multi_head_attention};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 5, 6]));
//! let weights = ["query", "key", "value", "output"];
//! let layer = |name| Layer { weight: draft.feed(name, Spec::f32([6, 6])), bias: None };
//! let [query, key, value, output] = weights.map(layer);
//! let projections = Projections { query, key, value, output, heads: 3 };
//! let inputs = [x, x, x];
//! let y = multi_head_attention(&mut draft, &projections, &attend(), (inputs, None));
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 5, 6])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Spec};

use super::attend::{Attend, attend};
use crate::arrange::transpose::transpose;
use crate::dense::linear::linear;
use crate::dense::matmul::regroup;
use crate::reject::reject;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::Torch;

mod names; // what PyTorch calls it

/// PyTorch's names.
pub const TORCH: &[Torch] = names::NAMES;

/// A linear layer.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// `[out, in]`.
    pub weight: Wire,
    /// `[out]`.
    pub bias: Option<Wire>,
}

/// The weights of all projections.
#[derive(Clone, Copy, Debug)]
pub struct Projections {
    /// Of queries.
    pub query: Layer,
    /// Of keys.
    pub key: Layer,
    /// Of values.
    pub value: Layer,
    /// Of all heads together.
    pub output: Layer,
    /// How many heads.
    pub heads: usize,
}

/// Attention of heads: queries, keys, values, and a mask where `operator` has one.
///
/// Inputs that do not fit are a fault of the draft.
pub fn multi_head_attention(
    draft: &mut Draft,
    projections: &Projections,
    operator: &Attend,
    (inputs, mask): ([Wire; 3], Option<Wire>),
) -> Wire {
    let layers = [projections.query, projections.key, projections.value];
    let mut heads = Vec::new();
    for (layer, x) in layers.into_iter().zip(inputs) {
        let projected = apply(draft, layer, x);
        match split(draft, projected, projections.heads) {
            Ok(wire) => heads.push(wire),
            Err(error) => {
                return reject(draft, "multi_head_attention", ("x", &[projected]), error);
            }
        }
    }
    heads.extend(mask);
    let y = draft.apply_many(operator.clone(), &heads)[0];
    match join(draft, y) {
        Ok(joined) => apply(draft, projections.output, joined),
        Err(error) => reject(draft, "multi_head_attention", ("x", &[y]), error),
    }
}

fn apply(draft: &mut Draft, layer: Layer, x: Wire) -> Wire {
    match layer.bias {
        Some(bias) => draft.apply(linear().bias(), &[x, layer.weight, bias]),
        None => draft.apply(linear(), &[x, layer.weight]),
    }
}

fn known(draft: &Draft, wire: Wire) -> Result<Spec, SpecError> {
    draft.spec(wire).cloned().ok_or_else(|| SpecError::new("x0", "a fault", "a spec"))
}

/// `[.., row, head * feature]` as `[.., head, row, feature]`.
fn split(draft: &mut Draft, wire: Wire, heads: usize) -> Result<Wire, SpecError> {
    let spec = known(draft, wire)?;
    let last = spec.rank() - 1;
    let features = spec.bound(last);
    let wanted = || format!("a multiple of {heads}, the heads");
    if heads == 0 || !features.is_multiple_of(heads) {
        return Err(SpecError::new("x0", features, wanted()).at(last));
    }
    if last == 0 {
        return Err(SpecError::new("x0", spec, "at least 2 dimensions"));
    }
    let mut to = spec.dimensions.clone();
    to.splice(last.., [Dimension::Fixed(heads), Dimension::Fixed(features / heads)]);
    let apart = regroup(draft, wire, &to);
    let apart = apart.ok_or_else(|| SpecError::new("x0", spec, "at most one bounded dimension"))?;
    Ok(draft.apply(transpose(&exchanged(to.len())), &[apart]))
}

/// `[.., head, row, feature]` as `[.., row, head * feature]`.
fn join(draft: &mut Draft, wire: Wire) -> Result<Wire, SpecError> {
    let rank = known(draft, wire)?.rank();
    let beside = draft.apply(transpose(&exchanged(rank)), &[wire]);
    let spec = known(draft, beside)?;
    let mut to = spec.dimensions.clone();
    let features = spec.bound(rank - 2) * spec.bound(rank - 1);
    to.splice(rank - 2.., [Dimension::Fixed(features)]);
    let joined = regroup(draft, beside, &to);
    joined.ok_or_else(|| SpecError::new("x0", spec, "at most one bounded dimension"))
}

/// The order of axes with the two before the last exchanged.
fn exchanged(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 3, rank - 2);
    order
}

/// Several heads, one, unequal inputs, causal, without a batch; heads that do not divide.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let wrong = sample("heads", attend(), [&[2, 3, 4], &[2, 3, 4]], 3);
    let expect = Expect::Rejected { port: "x0", dimension: Some(2) };
    vec![
        sample("heads of one input", attend(), [&[2, 5, 6], &[2, 5, 6]], 3),
        sample("one head, causal", attend().causal(), [&[2, 4, 3], &[2, 4, 3]], 1),
        sample("other keys", attend(), [&[2, 3, 4], &[2, 7, 5]], 2),
        sample("without a batch", attend(), [&[3, 4], &[5, 4]], 2),
        Sample { inputs: Vec::new(), expect, ..wrong },
    ]
}

fn sample(name: &str, operator: Attend, [query, key]: [&[usize]; 2], heads: usize) -> Sample {
    let [features, own] = [query, key].map(|x| x[x.len() - 1]);
    let is_causal = operator.diagonals()[1] == Some(0);
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let layer = |at: usize| Layer { weight: wires[at], bias: Some(wires[at + 1]) };
        let (query, key, value, output) = (layer(2), layer(4), layer(6), layer(8));
        let projections = Projections { query, key, value, output, heads };
        let inputs = ([wires[0], wires[1], wires[1]], None);
        vec![multi_head_attention(draft, &projections, &operator, inputs)]
    };
    let expect = reference(move |inputs| {
        let project = |x: &Tensor, at: usize| project(x, &inputs[at], &inputs[at + 1]);
        let (q, k) = (project(&inputs[0], 2), project(&inputs[1], 4));
        let (v, width) = (project(&inputs[1], 6), features / heads);
        let [rows, keys] = [&q, &k].map(|x| x.extents[x.extents.len() - 2]);
        let mut place = 0..;
        let mixed = Tensor::from_fn(&q.extents, |at| {
            let flat = place.next().unwrap_or(0);
            let (row, column) = (flat / features, flat % features);
            let (batch, head) = (row / rows, column / width);
            let of = |x: &Tensor, row: usize, f: usize| x.data[row * features + head * width + f];
            let score = |key: usize| {
                let terms = (0..width).map(|f| of(&q, row, f) * of(&k, batch * keys + key, f));
                let score = terms.sum::<f64>() / (width as f64).sqrt();
                if is_causal && key > at[at.len() - 2] { 0.0 } else { score.exp() }
            };
            let weights: Vec<f64> = (0..keys).map(score).collect();
            let sum: f64 = weights.iter().sum();
            let value = |key: usize| of(&v, batch * keys + key, column % width);
            weights.iter().enumerate().map(|(key, weight)| weight / sum * value(key)).sum()
        });
        vec![project(&mixed, 8)]
    });
    let weight = |key, own| [noise(key, &[features, own]), noise(key + 1, &[features])];
    let mut inputs = vec![noise(1, query), noise(2, key)];
    inputs.extend(
        [weight(3, features), weight(5, own), weight(7, own), weight(9, features)].concat(),
    );
    Sample::composite(name, "multi_head_attention", build, inputs, expect)
}

/// A linear layer by definition.
fn project(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    let (last, own) = (x.extents.len() - 1, weight.extents[1]);
    let mut extents = x.extents.clone();
    extents[last] = weight.extents[0];
    Tensor::from_fn(&extents, |at| {
        let term = |k: usize| x.at(&[&at[..last], &[k]].concat()) * weight.at(&[at[last], k]);
        bias.data[at[last]] + (0..own).map(term).sum::<f64>()
    })
}
