//! Differentiation with the operators of this catalogue.
//!
//! [`gradients`] adds to a draft, for whoever goes on building with the gradient, such as an
//! optimiser; [`differentiate()`] is the step from a checked graph to one that computes gradients
//! too. How it works stands in [`synfire_runtime::differentiate`].
//!
//! ```
//! use synfire_ops::broadcast::binary::multiply;
//! use synfire_ops::differentiate::{Question, differentiate};
//! use synfire_runtime::{define::{Draft, Initial}, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32::<usize>([]));
//! let w = draft.parameter("w", Spec::f32::<usize>([]), Initial::Constant(3.0));
//! let loss = draft.apply(multiply(), &[x, w]);
//! draft.outlet("loss", loss);
//! let graph = differentiate(&draft.check()?, &Question::new("loss", &["w"]))?;
//! assert!(graph.outlets().any(|(path, _)| path == "gradient/w"));
//! # Ok::<(), synfire_runtime::fault::Faults>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::differentiate::{self, Arithmetic};
use synfire_runtime::fault::Faults;
use synfire_runtime::graph::Graph;

pub use synfire_runtime::differentiate::{Question, Through};

use crate::broadcast::binary::add;
use crate::pointwise::unary::fill;
use crate::route::collect::collect;
use crate::route::deal::deal;
use crate::route::merge::merge;
use crate::route::pace::pace;

/// What differentiation computes with.
const ARITHMETIC: Arithmetic = Arithmetic {
    add: |draft, a, b| draft.apply(add(), &[a, b]),
    fill: |draft, like, value| draft.apply(fill(value), &[like]),
    merge: |draft, selector, branches| {
        let inputs: Vec<Wire> = std::iter::once(selector).chain(branches.iter().copied()).collect();
        draft.apply(merge(branches.len()), &inputs)
    },
    deal: |draft, stream, count| draft.apply_many(deal(count), &[stream]),
    collect: |draft, streams| draft.apply(collect(streams.len()), streams),
    pace: |draft, value, stream| draft.apply(pace(), &[value, stream]),
};

/// Adds the gradient of `loss`, a stream of one-element tokens, by each wire of `by`; `None` where
/// the loss does not depend on it. Faults are noted in the draft.
#[track_caller]
pub fn gradients(draft: &mut Draft, loss: Wire, by: &[Wire]) -> Vec<Option<Wire>> {
    let one = (ARITHMETIC.fill)(draft, loss, 1.0);
    differentiate::gradients(draft, ARITHMETIC, &[(loss, one)], by)
}

/// Adds the gradient by each wire of `by` of the sum of inner products of each pair of a wire and
/// its cotangent: the product of the cotangents with the Jacobian.
pub fn vector_jacobian(
    draft: &mut Draft,
    pairs: &[(Wire, Wire)],
    by: &[Wire],
) -> Vec<Option<Wire>> {
    differentiate::gradients(draft, ARITHMETIC, pairs, by)
}

/// The graph with an outlet `gradient/<path>` for each path that the loss is differentiated by.
///
/// # Errors
/// Paths that do not exist, a loss of more than one element, operators on the way that have no
/// derivative, named with the way that leads to them.
pub fn differentiate(graph: &Graph, question: &Question) -> Result<Graph, Faults> {
    differentiate::differentiate(graph, ARITHMETIC, question)
}
