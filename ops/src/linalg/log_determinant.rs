//! The sign and the logarithm of the magnitude of a determinant.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., n, n]`, any dimensions before, which may be bounded. `sign`,
//! `logarithm`: those before.
//!
//! # Gradient
//! By `logarithm`: `dx = x^-T dlogarithm`; the sign is constant. A singular matrix has none: the
//! firing fails.
//!
//! # Numerics
//! From the pivots of an elimination, in the element type; a singular matrix has sign 0 and
//! logarithm -inf. As PyTorch's `linalg.slogdet`. On the host only, through `nalgebra`.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::log_determinant::log_determinant;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[0.0_f32, 1.0, 1.0, 0.0]);
//! let outputs = fire_once(&log_determinant(), &[x])?;
//! assert_eq!(outputs[0].elements::<f32>(), [-1.0]);
//! assert_eq!(outputs[1].elements::<f32>(), [0.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Spec};
use synfire_runtime::value::Value;

use super::inverse::inverse;
use super::solve::diagonal_heavy;
use super::solve_triangular::turned;
use crate::broadcast::binary::multiply;
use crate::dense::matmul::{doubled, names::find, regroup};
use crate::gradient::spec;
use crate::host::matrices::{
    EachMatrix, Field, Plane, Tail, each_matrix, metadata, outcome, square,
};
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("slogdet", |case| {
        let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
        Ok(case.apply_many(log_determinant(), &[x]))
    }),
    ("logdet", |case| {
        let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
        Ok(case.apply_many(log_determinant(), &[x]).split_off(1))
    }),
];

/// Sign and logarithm.
#[must_use]
pub fn log_determinant() -> LogDeterminant {
    LogDeterminant
}

/// See [`log_determinant`].
#[derive(Clone, Copy, Debug)]
pub struct LogDeterminant;

impl EachMatrix<2> for LogDeterminant {
    const FAILURE: &'static str = "of port x has no determinant";

    fn tails(&self, _: &[[usize; 2]]) -> [Tail; 2] {
        [[None, None]; 2]
    }

    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], [sign, log]: [&mut [T]; 2]) -> bool {
        (sign[0], log[0]) = (T::one(), T::zero());
        if inputs[0].rows == 0 {
            return true;
        }
        let pivots = inputs[0].to_matrix().lu();
        sign[0] = pivots.p().determinant::<T>();
        for &pivot in pivots.u().diagonal().iter() {
            if pivot == T::zero() {
                (sign[0], log[0]) = (T::zero(), -T::one() / T::zero());
                return true;
            }
            if pivot < T::zero() {
                sign[0] = -sign[0];
            }
            log[0] += nalgebra::ComplexField::abs(pivot).ln();
        }
        true
    }
}

impl Operator for LogDeterminant {
    fn contract(&self) -> Contract {
        let contract = Contract::new("log_determinant").input("x").output("sign");
        contract.output("logarithm").tolerance(Tolerance::SUM)
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
        if !backward.has_upstream(1) {
            return Gradient::Of(vec![None]);
        }
        let (x, dlog) = (backward.input(0), backward.upstream(1));
        let to = [spec(backward, dlog).dimensions, vec![Dimension::Fixed(1); 2]].concat();
        let Some(dlog) = regroup(backward, dlog, &to) else {
            return Gradient::Absent("several bounded dimensions of determinants");
        };
        let inverse = inverse(backward, x);
        let inverse = turned(backward, inverse);
        Gradient::one(backward.apply(multiply(), &[inverse, dlog]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        each_matrix!(target, specs, self)
    }
}

/// One matrix, batches, `f64`, a singular one, one element, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: Value| {
        let expect = reference(|inputs| {
            let batch = &inputs[0].extents[..inputs[0].extents.len() - 2];
            let all = by_permutations(&inputs[0]);
            let of = |f: fn(&f64) -> f64| Tensor::new(batch, all.iter().map(f).collect());
            let sign = |x: &f64| if *x == 0.0 { 0.0 } else { x.signum() };
            vec![of(sign), of(|x| x.abs().ln())]
        });
        Sample::new(name, log_determinant(), vec![x], expect)
    };
    let singular = Value::new(&[2, 2], &[1.0_f32, 2.0, 2.0, 4.0]);
    let literal = [0.0, f64::NEG_INFINITY].map(|x| Tensor::new(&[], vec![x])).to_vec();
    let literal = Expect::Outputs(literal);
    vec![
        case("one matrix", diagonal_heavy(&[5, 5])),
        case("batches", noise(3, &[2, 3, 3, 3])),
        case("of f64", doubled(&diagonal_heavy(&[2, 4, 4]))),
        case("one element", noise(1, &[1, 1])),
        case("none", noise(1, &[2, 0, 0])),
        Sample::new("singular", log_determinant(), vec![singular], literal).without_gradient(),
        Sample::rejected("not square", log_determinant(), vec![Spec::f32([3, 2])], "x", Some(1)),
    ]
}

/// Each determinant as the sum of all products of one element of each row and column.
pub(crate) fn by_permutations(x: &Tensor) -> Vec<f64> {
    let n = x.extents[x.extents.len() - 1];
    let count: usize = x.extents[..x.extents.len() - 2].iter().product();
    fn minor(plane: &[f64], n: usize, columns: &[usize]) -> f64 {
        let row = n - columns.len();
        let term = |(place, &column): (usize, &usize)| {
            let rest: Vec<usize> =
                columns.iter().copied().filter(|&other| other != column).collect();
            let sign = if place % 2 == 0 { 1.0 } else { -1.0 };
            sign * plane[row * n + column] * minor(plane, n, &rest)
        };
        if columns.is_empty() { 1.0 } else { columns.iter().enumerate().map(term).sum() }
    }
    let columns: Vec<usize> = (0..n).collect();
    let plane = |number: usize| &x.data[number * n * n..(number + 1) * n * n];
    (0..count).map(|number| minor(plane(number), n, &columns)).collect()
}
