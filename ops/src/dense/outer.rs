//! The outer product of two vectors, a composite: `y[i, j] = a[i] * b[j]`.
//!
//! # Shape
//! `a`: `f32` or `f64` `[row]`, `b`: `[column]`, at most one of them bounded in all; `y`:
//! `[row, column]`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! One rounding of each product. As PyTorch's `outer`, also called `ger`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::outer::outer;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let a = draft.feed("a", Spec::f32([3]));
//! let b = draft.feed("b", Spec::f32([5]));
//! let y = outer(&mut draft, a, b);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([3, 5])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::dense::einsum::einsum;
use crate::dense::matmul::names;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("outer", product), ("ger", product)];

fn product(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let [a, b] = names::operands(case, [names::FIRST, names::SECOND])?;
    Ok(vec![outer(case, a, b)])
}

/// Each element of `a` times each of `b`.
pub fn outer(draft: &mut Draft, a: Wire, b: Wire) -> Wire {
    einsum(draft, "i,j->ij", &[a, b])
}

/// Odd extents, one element, none; a matrix.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let sample = |name: &str, a: &[usize], b: &[usize]| {
        let build = |draft: &mut Draft, wires: &[Wire]| vec![outer(draft, wires[0], wires[1])];
        let expect = reference(|x| {
            let rows = x[0].data.iter().flat_map(|a| x[1].data.iter().map(move |b| b * a));
            vec![Tensor::new(&[x[0].data.len(), x[1].data.len()], rows.collect())]
        });
        Sample::composite(name, "outer", build, vec![noise(1, a), noise(2, b)], expect)
    };
    let expect = Expect::Rejected { port: "operand0", dimension: None };
    vec![
        sample("odd extents", &[7], &[13]),
        sample("one element", &[1], &[1]),
        sample("empty", &[0], &[3]),
        Sample { inputs: Vec::new(), expect, ..sample("matrix", &[2, 2], &[3]) },
    ]
}
