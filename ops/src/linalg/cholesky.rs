//! The Cholesky factor: the lower triangle `y` with `y * y^T = (x + x^T) / 2`.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., n, n]`, any dimensions before, which may be bounded. `y`: the same.
//!
//! # Gradient
//! `dx = (s + s^T) / 2` with `s = y^-T p y^-1` and `p` the lower triangle of `y^T dy` with half its
//! diagonal (Murray 2016).
//!
//! # Numerics
//! In the element type. A matrix that is not positive definite fails the firing. As PyTorch's
//! `linalg.cholesky` of a symmetric matrix; of another one that reads the lower triangle, this the
//! symmetric part, which is what its gradient supposes. On the host only, through `nalgebra`.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::cholesky::cholesky;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[4.0_f32, 2.0, 2.0, 10.0]);
//! assert_eq!(fire_once(&cholesky(), &[x])?[0].elements::<f32>(), [2.0, 0.0, 1.0, 3.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::solve_triangular::{solve_triangular, turned};
use crate::arrange::triangle::tril;
use crate::broadcast::binary::add;
use crate::dense::matmul::{doubled, matmul, names::find};
use crate::host::matrices::{
    EachMatrix, Field, Plane, Tail, each_matrix, matrix, metadata, outcome, square, store,
};
use crate::pointwise::unary::scale;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("cholesky", |case| {
    let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
    let y = case.apply(cholesky(), &[x]);
    Ok(vec![if case.flag("upper", false)? { turned(case, y) } else { y }])
})];

/// The lower factor.
#[must_use]
pub fn cholesky() -> Cholesky {
    Cholesky
}

/// See [`cholesky`].
#[derive(Clone, Copy, Debug)]
pub struct Cholesky;

impl EachMatrix<1> for Cholesky {
    const FAILURE: &'static str = "of port x is not positive definite";

    fn tails(&self, inputs: &[[usize; 2]]) -> [Tail; 1] {
        [matrix(inputs[0][0], inputs[0][1])]
    }

    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], [y]: [&mut [T]; 1]) -> bool {
        if inputs[0].rows == 0 {
            return true;
        }
        let half: T = nalgebra::convert(0.5);
        let symmetric = (inputs[0].to_matrix() + inputs[0].transposed()) * half;
        let factor = nalgebra::Cholesky::new(symmetric);
        factor.is_some_and(|factor| {
            store(&factor.unpack(), y);
            true
        })
    }
}

impl Operator for Cholesky {
    fn contract(&self) -> Contract {
        Contract::new("cholesky").input("x").output("y").tolerance(Tolerance::SUM)
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
        let (y, dy) = (backward.output(0), backward.upstream(0));
        let product = backward.apply(matmul().transpose_a(), &[y, dy]);
        let halved = |draft: &mut Backward<'_>, wire| draft.apply(scale(0.5), &[wire]);
        // Half the triangle with the diagonal and half without is half the diagonal.
        let with = backward.apply(tril(0), &[product]);
        let without = backward.apply(tril(-1), &[product]);
        let both = backward.apply(add(), &[with, without]);
        let inner = halved(backward, both);
        let upper = turned(backward, y);
        let left = backward.apply(solve_triangular().upper(), &[upper, inner]);
        let left = turned(backward, left);
        let other = backward.apply(solve_triangular().upper(), &[upper, left]);
        let mirrored = turned(backward, other);
        let both = backward.apply(add(), &[other, mirrored]);
        Gradient::one(halved(backward, both))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        each_matrix!(target, specs, self)
    }
}

/// Symmetric matrices, all of whose eigenvalues are above 0.
pub(crate) fn positive(extents: &[usize]) -> Value {
    let n = extents[extents.len() - 1];
    let x = noise(1, extents).elements::<f32>();
    let at = |place: usize| {
        let (plane, row, column) = (place / (n * n) * n * n, place / n % n, place % n);
        let sum = x[place] + x[plane + column * n + row];
        0.5 * sum + if row == column { 2.0 * n as f32 + 1.0 } else { 0.0 }
    };
    Value::new(extents, &(0..x.len()).map(at).collect::<Vec<_>>())
}

/// One matrix, batches, `f64`, only half symmetric, one element, none; none that is positive, what
/// does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: Value| {
        Sample::new(name, cholesky(), vec![x], reference(|x| vec![by_elements(&x[0])]))
    };
    let indefinite = Value::new(&[2, 2], &[1.0_f32, 2.0, 2.0, 1.0]);
    let fails = Expect::Fails("matrix 0 of port x is not positive definite");
    let mut tilted = positive(&[3, 3]).elements::<f32>();
    tilted[1] += 0.5;
    vec![
        case("one matrix", positive(&[5, 5])),
        case("batches", positive(&[2, 3, 4, 4])),
        case("of f64", doubled(&positive(&[2, 3, 3]))),
        case("symmetric part", Value::new(&[3, 3], &tilted)),
        case("one element", positive(&[1, 1])),
        case("none", noise(1, &[2, 0, 0])),
        Sample::new("indefinite", cholesky(), vec![indefinite], fails),
        Sample::rejected("not square", cholesky(), vec![Spec::f32([3, 2])], "x", Some(1)),
        Sample::rejected("vector", cholesky(), vec![Spec::f32([3])], "x", None),
    ]
}

/// The factor element by element, from sums over those before.
fn by_elements(x: &Tensor) -> Tensor {
    let n = x.extents[x.extents.len() - 1];
    let mut y = Tensor::new(&x.extents, vec![0.0; x.data.len()]);
    for start in (0..x.data.len()).step_by((n * n).max(1)) {
        for row in 0..n {
            for column in 0..=row {
                let at = |y: &Tensor, i: usize, j: usize| y.data[start + i * n + j];
                let sum: f64 = (0..column).map(|k| at(&y, row, k) * at(&y, column, k)).sum();
                let rest = 0.5 * (at(x, row, column) + at(x, column, row)) - sum;
                let pivot = at(&y, column, column);
                y.data[start + row * n + column] =
                    if row == column { rest.sqrt() } else { rest / pivot };
            }
        }
    }
    y
}
