//! Linear systems: `x` with `a * x = b`, by elimination with row pivots.
//!
//! # Shape
//! `a`: `f32` or `f64` `[.., n, n]`; `b`: `[.., n, column]`, with the same dimensions before, which
//! may be bounded. `x`: as `b`.
//!
//! # Gradient
//! `db = a^-T dx`, `da = -db x^T`.
//!
//! # Numerics
//! In the element type. A pivot of exactly 0 fails the firing. As PyTorch's `linalg.solve` of
//! matrices. On the host only, through `nalgebra`.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::solve::solve;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let a = Value::new(&[2, 2], &[0.0_f32, 2.0, 1.0, 0.0]);
//! let b = Value::new(&[2, 1], &[4.0_f32, 3.0]);
//! assert_eq!(fire_once(&solve(), &[a, b])?[0].elements::<f32>(), [3.0, 2.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Spec};
use synfire_runtime::value::Value;

use super::solve_triangular::turned;
use crate::dense::matmul::{doubled, matmul, names::find, regroup};
use crate::host::matrices::{
    EachMatrix, Field, Plane, Tail, each_matrix, matrix, metadata, outcome, square, store,
};
use crate::pointwise::unary::neg;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("solve", |case| {
    let a = find(case, &["a", "A", "x"]).ok_or("no input `a`")?;
    let b = find(case, &["b", "B", "y"]).ok_or("no input `b`")?;
    if !case.flag("left", true)? {
        let (a, b) = (turned(case, a), turned(case, b));
        let x = case.apply(solve(), &[a, b]);
        return Ok(vec![turned(case, x)]);
    }
    // One vector for each matrix.
    let (of_a, of_b) = (case.spec_of(a)?, case.spec_of(b)?);
    let is_vector = of_b.rank() + 1 == of_a.rank()
        && of_a.dimensions.get(..of_b.rank()) == Some(&of_b.dimensions[..]);
    if !is_vector {
        return Ok(vec![case.apply(solve(), &[a, b])]);
    }
    let to = [&of_b.dimensions[..], &[Dimension::Fixed(1)]].concat();
    let column = regroup(case, b, &to).ok_or("vectors with bounded dimensions")?;
    let x = case.apply(solve(), &[a, column]);
    case.spec_of(x)?;
    let x = regroup(case, x, &of_b.dimensions).ok_or("vectors with bounded dimensions")?;
    Ok(vec![x])
})];

/// The system of square matrices.
#[must_use]
pub fn solve() -> Solve {
    Solve
}

/// See [`solve`].
#[derive(Clone, Copy, Debug)]
pub struct Solve;

/// `b` has a row for each of `a`.
pub(crate) fn columns(a: &Spec, b: &Spec) -> Result<(), SpecError> {
    let row = b.rank() - 2;
    let (found, wanted) = (b.dimensions[row], a.dimensions[row]);
    if found == wanted {
        return Ok(());
    }
    Err(SpecError::new("b", found, format!("{wanted}, the rows of port a")).at(row))
}

impl EachMatrix<1> for Solve {
    const FAILURE: &'static str = "of port a is singular";

    fn tails(&self, inputs: &[[usize; 2]]) -> [Tail; 1] {
        [matrix(inputs[1][0], inputs[1][1])]
    }

    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], [x]: [&mut [T]; 1]) -> bool {
        if inputs[0].rows == 0 {
            return true;
        }
        let mut solution = inputs[1].to_matrix();
        let is_solved = inputs[0].to_matrix().lu().solve_mut(&mut solution);
        store(&solution, x);
        is_solved
    }
}

impl Operator for Solve {
    fn contract(&self) -> Contract {
        let contract = Contract::new("solve").input("a").input("b").output("x");
        contract.tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let outputs = outcome(self, &["a", "b"], inputs)?;
        square("a", &inputs[0])?;
        columns(&inputs[0], &inputs[1])?;
        Ok(outputs)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        metadata(inputs, outputs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (a, x, dx) = (backward.input(0), backward.output(0), backward.upstream(0));
        let a = turned(backward, a);
        let db = backward.apply(solve(), &[a, dx]);
        let da = backward.wants(0).then(|| {
            let product = backward.apply(matmul().transpose_b(), &[db, x]);
            backward.apply(neg(), &[product])
        });
        Gradient::Of(vec![da, Some(db)])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        each_matrix!(target, specs, self)
    }
}

/// Matrices of noise whose diagonal outweighs the rest.
pub(crate) fn diagonal_heavy(extents: &[usize]) -> Value {
    let mut numbers = noise(1, extents).elements::<f32>();
    let n = extents[extents.len() - 1];
    for (place, number) in numbers.iter_mut().enumerate() {
        if place / n % n == place % n {
            *number += 2.0 * n as f32 * number.signum();
        }
    }
    Value::new(extents, &numbers)
}

/// One system, batches, a pivot of 0, `f64`, one element, none; a singular matrix, what does not
/// fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, a: Value, b: Value| {
        Sample::new(name, solve(), vec![a, b], reference(|x| vec![by_gauss_jordan(&x[0], &x[1])]))
    };
    let exchange = Value::new(&[2, 2], &[0.0_f32, 2.0, 1.0, 0.5]);
    let singular = Value::new(&[2, 2, 2], &[1.0_f32, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 4.0]);
    let fails = Expect::Fails("matrix 1 of port a is singular");
    let specs = |a: &[usize], b: &[usize]| vec![Spec::f32(a.to_vec()), Spec::f32(b.to_vec())];
    vec![
        case("one system", diagonal_heavy(&[5, 5]), noise(2, &[5, 3])),
        case("batches", diagonal_heavy(&[2, 3, 4, 4]), noise(2, &[2, 3, 4, 1])),
        case("pivot of 0", exchange, noise(2, &[2, 2])),
        case("of f64", doubled(&diagonal_heavy(&[2, 3, 3])), doubled(&noise(2, &[2, 3, 2]))),
        case("one element", diagonal_heavy(&[1, 1]), noise(2, &[1, 1])),
        case("none", noise(1, &[0, 0]), noise(2, &[0, 3])),
        case("no batch", noise(1, &[0, 3, 3]), noise(2, &[0, 3, 2])),
        Sample::new("singular", solve(), vec![singular, noise(2, &[2, 2, 1])], fails),
        Sample::rejected("not square", solve(), specs(&[2, 3], &[2, 1]), "a", Some(1)),
        Sample::rejected("rows", solve(), specs(&[2, 2], &[3, 1]), "b", Some(0)),
        Sample::rejected("batches differ", solve(), specs(&[2, 2, 2], &[3, 2, 1]), "b", Some(0)),
        Sample::rejected("vector", solve(), specs(&[2], &[2]), "a", None),
    ]
}

/// The expectation: both sides reduced until `a` is the identity.
pub(crate) fn by_gauss_jordan(a: &Tensor, b: &Tensor) -> Tensor {
    let (mut a, mut x) = (a.clone(), b.clone());
    let rank = b.extents.len();
    let [n, width] = [b.extents[rank - 2], b.extents[rank - 1]];
    for batch in 0..a.data.len() / (n * n).max(1) {
        let a = &mut a.data[batch * n * n..(batch + 1) * n * n];
        let x = &mut x.data[batch * n * width..(batch + 1) * n * width];
        for pivot in 0..n {
            let size = |row: &usize| a[row * n + pivot].abs();
            let largest = (pivot..n).max_by(|p, q| size(p).total_cmp(&size(q))).unwrap_or(pivot);
            (0..n).for_each(|k| a.swap(pivot * n + k, largest * n + k));
            (0..width).for_each(|k| x.swap(pivot * width + k, largest * width + k));
            let head = a[pivot * n + pivot];
            (0..n).for_each(|k| a[pivot * n + k] /= head);
            (0..width).for_each(|k| x[pivot * width + k] /= head);
            for row in (0..n).filter(|&row| row != pivot) {
                let factor = a[row * n + pivot];
                (0..n).for_each(|k| a[row * n + k] -= factor * a[pivot * n + k]);
                (0..width).for_each(|k| x[row * width + k] -= factor * x[pivot * width + k]);
            }
        }
    }
    x
}
