//! A product of matrices added to something, a composite: `y = beta * c + alpha * (a * b)`.
//!
//! # Shape
//! `a`, `b`: as [`matmul`](super::matmul), so matrices, batches of them, or vectors; `c`: broadcast
//! to the product or the product to it. All of one float type. `y`: what both have in common.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of its parts. As PyTorch's `addmm`, `baddbmm`, `addmv` and `addbmm` (which also sums over
//! the batch): with a `beta` of 0, `c` is not read, so a NaN there is harmless.
//!
//! # Example
//! ```
//! use synfire_ops::dense::addmm::{Factors, addmm};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let specs = [("c", [3, 1]), ("a", [3, 5]), ("b", [5, 7])];
//! let [c, a, b] = specs.map(|(name, extents)| draft.feed(name, Spec::f32(extents)));
//! let y = addmm(&mut draft, c, [a, b], Factors { beta: 0.5, alpha: 2.0 });
//! assert_eq!(draft.spec(y), Some(&Spec::f32([3, 7])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::add;
use crate::dense::matmul::{matmul, names};
use crate::pointwise::unary::scale;
use crate::reduce::reduction::{Keep, sum};
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("addmm", plain),
    ("baddbmm", plain),
    ("addmv", plain),
    ("addbmm", |case| {
        let (c, [a, b], factors) = given(case)?;
        let product = case.apply(matmul(), &[a, b]);
        case.spec_of(product)?;
        let product = case.apply(sum(&[0], Keep::Nothing), &[product]);
        Ok(vec![added(case, c, product, factors)])
    }),
];

fn plain(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let (c, factors_of, factors) = given(case)?;
    Ok(vec![addmm(case, c, factors_of, factors)])
}

/// The inputs and attributes of a case.
fn given(case: &Case<'_>) -> Result<(Wire, [Wire; 2], Factors), String> {
    const ADDED: &[&str] = &["c", "input", "self", "bias", "x", "inp"];
    const LEFT: &[&str] = &["a", "mat1", "batch1", "m1", "mat", "y", "w"];
    const RIGHT: &[&str] = &["b", "mat2", "batch2", "m2", "vec", "z", "w"];
    // Without a name for what is added, `x` and `y` are the matrices.
    let [c, a, b] = match names::find(case, &["c", "input", "self", "bias", "inp"]) {
        Some(c) => {
            let left = [&["x"], LEFT].concat();
            let right = [&["y"], RIGHT].concat();
            let [a, b] = names::operands(case, [&left, &right])?;
            [c, a, b]
        }
        None => names::operands(case, [ADDED, LEFT, RIGHT])?,
    };
    let factors = Factors { beta: case.number("beta", 1.0)?, alpha: case.number("alpha", 1.0)? };
    Ok((c, [a, b], factors))
}

/// What both summands are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// For what is added.
    pub beta: f64,
    /// For the product.
    pub alpha: f64,
}

/// `beta * c + alpha * (a * b)`.
pub fn addmm(draft: &mut Draft, c: Wire, [a, b]: [Wire; 2], factors: Factors) -> Wire {
    let product = draft.apply(matmul(), &[a, b]);
    added(draft, c, product, factors)
}

fn added(draft: &mut Draft, c: Wire, product: Wire, factors: Factors) -> Wire {
    let scaled = |draft: &mut Draft, wire, factor: f64| match factor {
        1.0 => wire,
        _ => draft.apply(scale(factor), &[wire]),
    };
    let product = scaled(draft, product, factors.alpha);
    if factors.beta != 0.0 {
        let c = scaled(draft, c, factors.beta);
        return draft.apply(add(), &[c, product]);
    }
    product
}

/// Matrices, batches, vectors, every kind of broadcasting, both factors; a product that fits not.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let both = Factors { beta: -0.5, alpha: 1.75 };
    let plain = Factors { beta: 1.0, alpha: 1.0 };
    let rejected = sample("another inner extent", both, [&[2, 2], &[2, 3], &[4, 2]]);
    let expect = Expect::Rejected { port: "b", dimension: Some(0) };
    vec![
        sample("matrices", both, [&[3, 7], &[3, 5], &[5, 7]]),
        sample("row", both, [&[7], &[3, 5], &[5, 7]]),
        sample("column", plain, [&[3, 1], &[3, 5], &[5, 7]]),
        sample("batch", both, [&[2, 3, 7], &[2, 3, 5], &[2, 5, 7]]),
        sample("without c", Factors { beta: 0.0, ..both }, [&[3, 7], &[3, 5], &[5, 7]]),
        sample("by vector", both, [&[3], &[3, 5], &[5]]),
        sample("one element", both, [&[], &[1, 1], &[1, 1]]),
        sample("empty", both, [&[2, 3], &[2, 0], &[0, 3]]),
        Sample { inputs: Vec::new(), expect, ..rejected },
    ]
}

fn sample(name: &str, factors: Factors, [c, a, b]: [&[usize]; 3]) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![addmm(draft, wires[0], [wires[1], wires[2]], factors)]
    };
    let expect = reference(move |inputs| {
        let [c, a, b] = [&inputs[0], &inputs[1], &inputs[2]];
        let is_vector = b.extents.len() == 1;
        let rank = a.extents.len();
        let (batch, row) = a.extents.split_at(rank - 2);
        let columns: &[usize] = if is_vector { &[] } else { &b.extents[b.extents.len() - 1..] };
        vec![Tensor::from_fn(&[batch, &row[..1], columns].concat(), |at| {
            let (before, row) = (&at[..rank - 2], at[rank - 2]);
            let terms = (0..a.extents[rank - 1]).map(|k| {
                let column = &at[rank - 1..];
                a.at(&[before, &[row, k]].concat()) * b.at(&[before, &[k], column].concat())
            });
            let own = at[at.len() - c.extents.len()..].iter().zip(&c.extents);
            let c = c.at(&own.map(|(&i, &n)| i.min(n - 1)).collect::<Vec<_>>());
            factors.beta * c + terms.map(|term| factors.alpha * term).sum::<f64>()
        })]
    });
    let inputs = vec![noise(1, c), noise(2, a), noise(3, b)];
    Sample::composite(name, "addmm", build, inputs, expect)
}
