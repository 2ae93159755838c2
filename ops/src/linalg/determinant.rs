//! The determinant, a composite: `sign * e^logarithm` of
//! [`log_determinant`](super::log_determinant).
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., n, n]`, any dimensions before, which may be bounded. `y`: those
//! before.
//!
//! # Gradient
//! `dx = dy * y * x^-T`. Of a singular matrix there is none here, so the firing fails, where
//! PyTorch has one.
//!
//! # Numerics
//! By way of the logarithm, so with a relative error of about the logarithm's absolute one. As
//! PyTorch's `linalg.det` else.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::determinant::determinant;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 3]));
//! let y = determinant(&mut draft, x);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::log_determinant::{by_permutations, log_determinant};
use super::solve::diagonal_heavy;
use crate::broadcast::binary::multiply;
use crate::dense::matmul::names::find;
use crate::pointwise::unary::exp;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("det", from_case), ("determinant", from_case)];

fn from_case(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
    Ok(vec![determinant(case, x)])
}

/// The determinant of each matrix.
pub fn determinant(draft: &mut Draft, x: Wire) -> Wire {
    let parts = draft.apply_many(log_determinant(), &[x]);
    let magnitude = draft.apply(exp(), &[parts[1]]);
    draft.apply(multiply(), &[parts[0], magnitude])
}

/// One matrix, batches, a singular one, one element, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let sample = |name: &str, x: Value| {
        let build = |draft: &mut Draft, wires: &[Wire]| vec![determinant(draft, wires[0])];
        let expect = reference(|inputs| {
            let batch = &inputs[0].extents[..inputs[0].extents.len() - 2];
            vec![Tensor::new(batch, by_permutations(&inputs[0]))]
        });
        Sample::composite(name, "determinant", build, vec![x], expect)
    };
    let singular = Value::new(&[2, 2], &[1.0_f32, 2.0, 2.0, 4.0]);
    let wrong = sample("not square", diagonal_heavy(&[3, 3]));
    let expect = Expect::Rejected { port: "x", dimension: Some(1) };
    vec![
        sample("one matrix", diagonal_heavy(&[4, 4])),
        sample("batches", noise(3, &[2, 3, 3, 3])),
        sample("singular", singular).without_gradient(),
        sample("one element", noise(1, &[1, 1])),
        sample("none", noise(1, &[2, 0, 0])),
        Sample { inputs: Vec::new(), specs: vec![Spec::f32([3, 2])], expect, ..wrong },
    ]
}
