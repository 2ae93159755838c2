//! Eigenvalues and eigenvectors of symmetric matrices: `(x + x^T) / 2 = v * diag(w) * v^T`.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., n, n]`, any dimensions before, which may be bounded. `w`: `[.., n]`,
//! ascending; `v`: `[.., n, n]`, eigenvectors in columns.
//!
//! # Gradient
//! `dx` is the symmetric part of `v (diag(dw) + f * (v^T dv)) v^T` with
//! `f[i, j] = 1 / (w[j] - w[i])`, 0 on the diagonal: infinite where eigenvalues coincide and the
//! loss depends on eigenvectors, as PyTorch has it.
//!
//! # Numerics
//! In the element type. As PyTorch's `linalg.eigh`, but of the symmetric part instead of one
//! triangle. The sign of each eigenvector, and of several with one eigenvalue the choice, is any. A
//! matrix that is not finite fails the firing. On the host only, through `nalgebra`.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::eigh::eigh;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[3.0_f32, 0.0, 0.0, 1.0]);
//! assert_eq!(fire_once(&eigh(), &[x])?[0].elements::<f32>(), [1.0, 3.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use nalgebra::SymmetricEigen;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Spec};
use synfire_runtime::value::Value;

use super::cholesky::positive;
use super::inverse::identity;
use super::solve_triangular::turned;
use crate::broadcast::binary::{add, multiply, subtract};
use crate::dense::matmul::{doubled, matmul, names::find, regroup};
use crate::gradient::spec;
use crate::host::matrices::{
    EachMatrix, Field, Plane, Tail, each_matrix, matrix, metadata, outcome, square,
};
use crate::pointwise::unary::{recip, scale};
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// Sweeps after which a matrix counts as one without eigenvalues.
const SWEEPS_MAX: usize = 10_000;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("eigh", |case| {
        let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
        case.text("UPLO", "L")?;
        Ok(case.apply_many(eigh(), &[x]))
    }),
    ("eigvalsh", |case| {
        let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
        case.text("UPLO", "L")?;
        let mut outputs = case.apply_many(eigh(), &[x]);
        outputs.truncate(1);
        Ok(outputs)
    }),
];

/// Eigenvalues and eigenvectors.
#[must_use]
pub fn eigh() -> Eigh {
    Eigh
}

/// See [`eigh`].
#[derive(Clone, Copy, Debug)]
pub struct Eigh;

impl EachMatrix<2> for Eigh {
    const FAILURE: &'static str = "of port x has no eigenvalues";

    fn tails(&self, inputs: &[[usize; 2]]) -> [Tail; 2] {
        let n = inputs[0][0];
        [[Some(n), None], matrix(n, n)]
    }

    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], [w, v]: [&mut [T]; 2]) -> bool {
        let n = inputs[0].rows;
        if n == 0 {
            return true;
        }
        let half: T = nalgebra::convert(0.5);
        let symmetric = (inputs[0].to_matrix() + inputs[0].transposed()) * half;
        if symmetric.iter().any(|x| !x.is_finite()) {
            return false;
        }
        let Some(found) = SymmetricEigen::try_new(symmetric, T::default_epsilon(), SWEEPS_MAX)
        else {
            return false;
        };
        let mut order: Vec<usize> = (0..n).collect();
        let value = |place: usize| found.eigenvalues[place];
        order
            .sort_by(|&a, &b| value(a).partial_cmp(&value(b)).unwrap_or(std::cmp::Ordering::Equal));
        for (place, &from) in order.iter().enumerate() {
            w[place] = value(from);
            for row in 0..n {
                v[row * n + place] = found.eigenvectors[(row, from)];
            }
        }
        true
    }
}

impl Operator for Eigh {
    fn contract(&self) -> Contract {
        Contract::new("eigh").input("x").output("w").output("v").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let outputs = outcome(self, &["x"], inputs)?;
        square("x", &inputs[0])?;
        Ok(outputs)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        metadata(inputs, outputs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (w, v, dw) = (backward.output(0), backward.output(1), backward.upstream(0));
        let one = identity(backward, v);
        let Some(row) = row(backward, dw) else {
            return Gradient::Absent("several bounded dimensions of eigenvalues");
        };
        let mut inner = backward.apply(multiply(), &[one, row]);
        if backward.has_upstream(1) {
            let dv = backward.upstream(1);
            let Some(factors) = gaps(backward, w, one) else {
                return Gradient::Absent("several bounded dimensions of eigenvalues");
            };
            let turn = backward.apply(matmul().transpose_a(), &[v, dv]);
            let weighed = backward.apply(multiply(), &[factors, turn]);
            inner = backward.apply(add(), &[inner, weighed]);
        }
        let left = backward.apply(matmul(), &[v, inner]);
        let dx = backward.apply(matmul().transpose_b(), &[left, v]);
        let mirrored = turned(backward, dx);
        let both = backward.apply(add(), &[dx, mirrored]);
        Gradient::one(backward.apply(scale(0.5), &[both]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        each_matrix!(target, specs, self)
    }
}

/// `[.., n]` as `[.., 1, n]`.
fn row(draft: &mut Draft, wire: Wire) -> Option<Wire> {
    let mut to = spec(draft, wire).dimensions;
    to.insert(to.len() - 1, Dimension::Fixed(1));
    regroup(draft, wire, &to)
}

/// `1 / (w[j] - w[i])`, 0 on the diagonal.
fn gaps(draft: &mut Draft, w: Wire, one: Wire) -> Option<Wire> {
    let row = row(draft, w)?;
    let column = turned(draft, row);
    let apart = draft.apply(subtract(), &[row, column]);
    // Ones on the diagonal are divided by, and taken away again.
    let filled = draft.apply(add(), &[apart, one]);
    let inverse = draft.apply(recip(), &[filled]);
    Some(draft.apply(subtract(), &[inverse, one]))
}

/// Eigenvalues of diagonal matrices; of others what depends on no sign: eigenvalues, and
/// projections on each eigenvector.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let diagonal = Value::new(&[3, 3], &[2.0_f32, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.5]);
    let values = Tensor::new(&[3], vec![-1.0, 0.5, 2.0]);
    let vectors = Tensor::new(&[3, 3], vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let literal = Expect::Outputs(vec![values, vectors]);
    let infinite = Value::new(&[1, 1], &[f32::NAN]);
    let fails = Expect::Fails("matrix 0 of port x has no eigenvalues");
    let none = [&[2, 0][..], &[2, 0, 0]].map(|extents| Tensor::new(extents, Vec::new()));
    vec![
        Sample::new("diagonal", eigh(), vec![diagonal], literal).without_gradient(),
        Sample::new("none", eigh(), vec![noise(1, &[2, 0, 0])], Expect::Outputs(none.to_vec())),
        Sample::new("NaN", eigh(), vec![infinite], fails),
        Sample::rejected("not square", eigh(), vec![Spec::f32([3, 2])], "x", Some(1)),
        invariants("one matrix", positive(&[4, 4])),
        invariants("batches", positive(&[2, 3, 3, 3])),
        invariants("of f64", doubled(&positive(&[2, 3, 3]))),
        invariants("one element", noise(1, &[1, 1])),
    ]
}

/// Eigenvalues, and `v * diag(1, 2, ..) * v^T`, which has the signs of no eigenvector.
fn invariants(name: &str, x: Value) -> Sample {
    let build = |draft: &mut Draft, wires: &[Wire]| {
        let outputs = draft.apply_many(eigh(), wires);
        let (w, v) = (outputs[0], outputs[1]);
        // Each eigenvector weighed by the square of its eigenvalue.
        let squares = draft.apply(multiply(), &[w, w]);
        let row = row(draft, squares).expect("samples are fixed");
        let weighed = draft.apply(multiply(), &[v, row]);
        vec![w, draft.apply(matmul().transpose_b(), &[weighed, v])]
    };
    let expect = reference(|inputs| {
        let (w, _) = by_rotations(&inputs[0]);
        vec![w, squared(&inputs[0])]
    });
    Sample::composite(name, "eigh", build, vec![x], expect)
}

/// The square of the symmetric part.
fn squared(x: &Tensor) -> Tensor {
    let n = x.extents[x.extents.len() - 1];
    Tensor::from_fn(&x.extents, |at| {
        let (before, place) = at.split_at(at.len() - 2);
        let part = |i: usize, j: usize| {
            0.5 * (x.at(&[before, &[i, j]].concat()) + x.at(&[before, &[j, i]].concat()))
        };
        (0..n).map(|k| part(place[0], k) * part(k, place[1])).sum()
    })
}

/// Ascending eigenvalues by rotations of two axes at a time (Jacobi), and what is left beside the
/// diagonal.
pub(crate) fn by_rotations(x: &Tensor) -> (Tensor, f64) {
    let (before, last) = x.extents.split_at(x.extents.len() - 2);
    let n = last[1];
    let (mut values, mut left) = (Vec::new(), 0.0_f64);
    for plane in x.data.chunks(n * n) {
        let at = |i: usize, j: usize| 0.5 * (plane[i * n + j] + plane[j * n + i]);
        let mut a: Vec<f64> = (0..n * n).map(|place| at(place / n, place % n)).collect();
        for _ in 0..60 {
            for p in 0..n {
                for q in p + 1..n {
                    let angle = 0.5 * (2.0 * a[p * n + q]).atan2(a[q * n + q] - a[p * n + p]);
                    let (s, c) = angle.sin_cos();
                    for k in 0..n {
                        let (x, y) = (a[k * n + p], a[k * n + q]);
                        (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                    }
                    for k in 0..n {
                        let (x, y) = (a[p * n + k], a[q * n + k]);
                        (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    }
                }
            }
        }
        let mut own: Vec<f64> = (0..n).map(|k| a[k * n + k]).collect();
        own.sort_by(f64::total_cmp);
        values.extend(own);
        let beside = (0..n * n).filter(|place| place / n != place % n);
        left = beside.map(|place| a[place].abs()).fold(left, f64::max);
    }
    (Tensor::new(&[before, &[n]].concat(), values), left)
}
