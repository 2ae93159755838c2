//! The inverse of a matrix, a composite: the solution of `x * y = 1`.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., n, n]`, any dimensions before, which may be bounded. `y`: the same.
//!
//! # Gradient
//! That of [`solve`](super::solve).
//!
//! # Numerics
//! Those of [`solve`](super::solve): a singular matrix fails the firing. As PyTorch's `linalg.inv`.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::inverse::inverse;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 3]));
//! let y = inverse(&mut draft, x);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3, 3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::solve::{by_gauss_jordan, diagonal_heavy, solve};
use crate::arrange::triangle::{tril, triu};
use crate::dense::matmul::names::find;
use crate::pointwise::unary::fill;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("inv", from_case), ("inverse", from_case)];

fn from_case(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
    Ok(vec![inverse(case, x)])
}

/// The inverse of each matrix.
pub fn inverse(draft: &mut Draft, x: Wire) -> Wire {
    let one = identity(draft, x);
    draft.apply(solve(), &[x, one])
}

/// Matrices like these with ones on the diagonal, and zeros elsewhere.
pub(crate) fn identity(draft: &mut Draft, x: Wire) -> Wire {
    let ones = draft.apply(fill(1.0), &[x]);
    let lower = draft.apply(tril(0), &[ones]);
    draft.apply(triu(0), &[lower])
}

/// One matrix, batches, one element, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let sample = |name: &str, x: Value| {
        let build = |draft: &mut Draft, wires: &[Wire]| vec![inverse(draft, wires[0])];
        let expect = reference(|inputs| {
            let x = &inputs[0];
            let one = Tensor::from_fn(&x.extents, |at| {
                f64::from(u8::from(at[at.len() - 1] == at[at.len() - 2]))
            });
            vec![by_gauss_jordan(x, &one)]
        });
        Sample::composite(name, "inverse", build, vec![x], expect)
    };
    let wrong = sample("not square", diagonal_heavy(&[3, 3]));
    let expect = Expect::Rejected { port: "a", dimension: Some(1) };
    vec![
        sample("one matrix", diagonal_heavy(&[5, 5])),
        sample("batches", diagonal_heavy(&[2, 3, 3, 3])),
        sample("one element", noise(1, &[1, 1])),
        sample("none", noise(1, &[2, 0, 0])),
        Sample { inputs: Vec::new(), specs: vec![Spec::f32([3, 2])], expect, ..wrong },
    ]
}
