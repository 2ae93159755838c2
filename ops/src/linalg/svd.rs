//! Singular values: `x = u * diag(s) * v`, with orthonormal columns of `u` and rows of `v`.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., row, column]`, any dimensions before, which may be bounded. With `k`
//! the smaller of both, `u`: `[.., row, k]`, `s`: `[.., k]`, descending, `v`: `[.., k, column]`.
//!
//! # Gradient
//! Of `s` alone: `dx = u diag(ds) v`. By `u` and `v` there is none here.
//!
//! # Numerics
//! In the element type. As PyTorch's `linalg.svd` without `full_matrices`. The sign of each pair of
//! vectors, and of several with one value the choice, is any. A matrix that is not finite fails the
//! firing. On the host only, through `nalgebra`.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::svd::svd;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[0.0_f32, 2.0, -3.0, 0.0]);
//! let s = &fire_once(&svd(), &[x])?[1];
//! assert!(s.elements::<f32>().iter().zip([3.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-6));
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use nalgebra::SVD;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Spec};
use synfire_runtime::value::Value;

use super::eigh::by_rotations;
use crate::broadcast::binary::multiply;
use crate::dense::matmul::{doubled, matmul, names::find, regroup};
use crate::gradient::spec;
use crate::host::matrices::{
    EachMatrix, Field, Plane, Tail, each_matrix, matrix, metadata, outcome, store,
};
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// Sweeps after which a matrix counts as one without singular values.
const SWEEPS_MAX: usize = 10_000;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("svd", |case| {
        let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
        let spec = case.spec_of(x)?;
        let is_square = spec.rank() >= 2
            && spec.dimensions[spec.rank() - 2..][0] == spec.dimensions[spec.rank() - 1];
        if case.flag("full_matrices", false)? && !is_square {
            return Err("full matrices of a matrix that is not square".into());
        }
        Ok(case.apply_many(svd(), &[x]))
    }),
    ("svdvals", |case| {
        let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
        Ok(vec![case.apply_many(svd(), &[x])[1]])
    }),
];

/// Singular values and vectors.
#[must_use]
pub fn svd() -> Svd {
    Svd
}

/// See [`svd`].
#[derive(Clone, Copy, Debug)]
pub struct Svd;

impl EachMatrix<3> for Svd {
    const FAILURE: &'static str = "of port x has no singular values";

    fn tails(&self, inputs: &[[usize; 2]]) -> [Tail; 3] {
        let [rows, columns] = inputs[0];
        let both = rows.min(columns);
        [matrix(rows, both), [Some(both), None], matrix(both, columns)]
    }

    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], [u, s, v]: [&mut [T]; 3]) -> bool {
        if inputs[0].data.is_empty() {
            return true;
        }
        let x = inputs[0].to_matrix();
        if x.iter().any(|x| !x.is_finite()) {
            return false;
        }
        let epsilon = T::default_epsilon() * nalgebra::convert(5.0);
        let found = SVD::try_new(x, true, true, epsilon, SWEEPS_MAX);
        let Some((found, (left, right))) = found.and_then(|mut found| {
            let vectors = found.u.take().zip(found.v_t.take());
            vectors.map(|vectors| (found, vectors))
        }) else {
            return false;
        };
        store(&left, u);
        s.copy_from_slice(found.singular_values.as_slice());
        store(&right, v);
        true
    }
}

impl Operator for Svd {
    fn contract(&self) -> Contract {
        let contract = Contract::new("svd").input("x").output("u").output("s").output("v");
        contract.tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        outcome(self, &["x"], inputs)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        metadata(inputs, outputs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        if backward.has_upstream(0) || backward.has_upstream(2) {
            return Gradient::Absent("singular vectors");
        }
        let (u, v, ds) = (backward.output(0), backward.output(2), backward.upstream(1));
        let Some(weighed) = weighed(backward, u, ds) else {
            return Gradient::Absent("several bounded dimensions of singular values");
        };
        Gradient::one(backward.apply(matmul(), &[weighed, v]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        each_matrix!(target, specs, self)
    }
}

/// Each column of `u` times its number in `s`.
fn weighed(draft: &mut Draft, u: Wire, s: Wire) -> Option<Wire> {
    let mut to = spec(draft, s).dimensions;
    to.insert(to.len() - 1, Dimension::Fixed(1));
    let row = regroup(draft, s, &to)?;
    Some(draft.apply(multiply(), &[u, row]))
}

/// What depends on no sign: singular values, and all three multiplied again; tall, square, wide,
/// batches, `f64`, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let infinite = Value::new(&[1, 2], &[f32::INFINITY, 0.0]);
    let fails = Expect::Fails("matrix 0 of port x has no singular values");
    let none = [&[3, 0][..], &[0], &[0, 0]].map(|extents| Tensor::new(extents, Vec::new()));
    vec![
        values("tall", noise(1, &[5, 3])),
        values("square", noise(2, &[4, 4])),
        values("wide", noise(3, &[2, 3, 5])),
        values("of f64", doubled(&noise(4, &[2, 3, 3]))),
        values("one element", noise(5, &[1, 1])),
        recomposed("tall, multiplied", noise(1, &[5, 3])),
        recomposed("wide, multiplied", noise(2, &[2, 3, 5])),
        Sample::new("none", svd(), vec![noise(1, &[3, 0])], Expect::Outputs(none.to_vec())),
        Sample::new("infinite", svd(), vec![infinite], fails),
        Sample::rejected("vector", svd(), vec![Spec::f32([3])], "x", None),
    ]
}

/// The singular values: the roots of the eigenvalues of `x * x^T`, or of `x^T * x`.
fn values(name: &str, x: Value) -> Sample {
    let build = |draft: &mut Draft, wires: &[Wire]| vec![draft.apply_many(svd(), wires)[1]];
    let expect = reference(|inputs| {
        let x = &inputs[0];
        let (before, last) = x.extents.split_at(x.extents.len() - 2);
        let (both, most) = (last[0].min(last[1]), last[0].max(last[1]));
        let is_tall = last[0] >= last[1];
        let product = Tensor::from_fn(&[before, &[both, both]].concat(), |at| {
            let (batch, place) = at.split_at(at.len() - 2);
            let term = |own: usize, k: usize| {
                let index = if is_tall { [k, own] } else { [own, k] };
                x.at(&[batch, &index].concat())
            };
            (0..most).map(|k| term(place[0], k) * term(place[1], k)).sum()
        });
        let (squares, _) = by_rotations(&product);
        let roots = squares.data.chunks(both);
        let roots = roots.flat_map(|own| own.iter().rev().map(|square| square.max(0.0).sqrt()));
        vec![Tensor::new(&squares.extents, roots.collect())]
    });
    Sample::composite(name, "svd", build, vec![x], expect)
}

/// `u * diag(s) * v`, which is `x`.
fn recomposed(name: &str, x: Value) -> Sample {
    let build = |draft: &mut Draft, wires: &[Wire]| {
        let outputs = draft.apply_many(svd(), wires);
        let left = weighed(draft, outputs[0], outputs[1]).expect("samples are fixed");
        vec![draft.apply(matmul(), &[left, outputs[2]])]
    };
    Sample::composite(name, "svd", build, vec![x], reference(|inputs| inputs.to_vec()))
}
