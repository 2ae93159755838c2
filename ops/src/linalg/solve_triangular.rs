//! Triangular systems: `x` with `a * x = b`, by substitution.
//!
//! # Shape
//! `a`: `f32` or `f64` `[.., n, n]`, of which one triangle is read; `b`: `[.., n, column]`, with
//! the same dimensions before, which may be bounded. `x`: as `b`.
//!
//! # Gradient
//! `db = a^-T dx`, and `da` is the triangle of `-db x^T` that is read.
//!
//! # Numerics
//! Sums run in the element type. A diagonal of 0 divides by it, as PyTorch's
//! `linalg.solve_triangular`. On the host only.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::solve_triangular::solve_triangular;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let a = Value::new(&[2, 2], &[2.0_f32, 0.0, 1.0, 4.0]);
//! let b = Value::new(&[2, 1], &[2.0_f32, 9.0]);
//! assert_eq!(fire_once(&solve_triangular(), &[a, b])?[0].elements::<f32>(), [1.0, 2.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::Spec;

use super::solve::{columns, diagonal_heavy};
use crate::arrange::transpose::transpose;
use crate::arrange::triangle::{tril, triu};
use crate::dense::matmul::{doubled, matmul, names::find};
use crate::host::matrices::{
    EachMatrix, Field, Plane, Tail, each_matrix, matrix, metadata, outcome, square,
};
use crate::pointwise::unary::neg;
use crate::sample::{Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("solve_triangular", |case| {
    let a = find(case, &["a", "A", "x"]).ok_or("no input `a`")?;
    let b = find(case, &["b", "B", "y"]).ok_or("no input `b`")?;
    let mut operator = solve_triangular();
    if case.flag("upper", false)? {
        operator = operator.upper();
    }
    if case.flag("unitriangular", false)? {
        operator = operator.unit();
    }
    match case.flag("left", true)? {
        true => Ok(vec![case.apply(operator, &[a, b])]),
        false => {
            // x a = b is a^T x^T = b^T.
            operator.is_upper = !operator.is_upper;
            let (a, b) = (turned(case, a), turned(case, b));
            let x = case.apply(operator, &[a, b]);
            Ok(vec![turned(case, x)])
        }
    }
})];

/// With rows and columns exchanged.
pub(crate) fn turned(draft: &mut Draft, wire: Wire) -> Wire {
    let Some(rank) = draft.spec(wire).map(Spec::rank).filter(|&rank| rank >= 2) else {
        return wire;
    };
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    draft.apply(transpose(&order), &[wire])
}

/// The system of a lower triangle.
#[must_use]
pub fn solve_triangular() -> SolveTriangular {
    SolveTriangular { is_upper: false, is_unit: false }
}

/// See [`solve_triangular`].
#[derive(Clone, Copy, Debug)]
pub struct SolveTriangular {
    is_upper: bool,
    is_unit: bool,
}

impl SolveTriangular {
    /// Reads the upper triangle.
    #[must_use]
    pub fn upper(mut self) -> Self {
        self.is_upper = true;
        self
    }

    /// Takes the diagonal for ones, whatever it is.
    #[must_use]
    pub fn unit(mut self) -> Self {
        self.is_unit = true;
        self
    }
}

impl EachMatrix<1> for SolveTriangular {
    const FAILURE: &'static str = "has no solution";

    fn tails(&self, inputs: &[[usize; 2]]) -> [Tail; 1] {
        [matrix(inputs[1][0], inputs[1][1])]
    }

    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], [x]: [&mut [T]; 1]) -> bool {
        let [a, b] = [inputs[0], inputs[1]];
        x.copy_from_slice(b.data);
        let (count, width) = (a.rows, b.columns);
        for step in 0..count {
            let row = if self.is_upper { count - 1 - step } else { step };
            let done = if self.is_upper { row + 1..count } else { 0..row };
            for column in 0..width {
                let mut rest = x[row * width + column];
                for k in done.clone() {
                    rest -= a.data[row * count + k] * x[k * width + column];
                }
                let pivot = a.data[row * count + row];
                x[row * width + column] = if self.is_unit { rest } else { rest / pivot };
            }
        }
        true
    }
}

impl Operator for SolveTriangular {
    fn contract(&self) -> Contract {
        let contract = Contract::new("solve_triangular").input("a").input("b").output("x");
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
        let opposite = Self { is_upper: !self.is_upper, ..*self };
        let db = backward.apply(opposite, &[a, dx]);
        let da = backward.wants(0).then(|| {
            let product = backward.apply(matmul().transpose_b(), &[db, x]);
            let product = backward.apply(neg(), &[product]);
            let inside = i64::from(self.is_unit);
            let triangle = if self.is_upper { triu(inside) } else { tril(-inside) };
            backward.apply(triangle, &[product])
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

/// Both triangles, units, batches, `f64`, one element, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: SolveTriangular, before: &[usize], sizes: [usize; 2]| {
        let [n, width] = sizes;
        let a = diagonal_heavy(&[before, &[n, n]].concat());
        let b = noise(2, &[before, &[n, width]].concat());
        let expect = reference(move |inputs| vec![by_columns(operator, inputs)]);
        Sample::new(name, operator, vec![a, b], expect)
    };
    let (lower, upper) = (solve_triangular, || solve_triangular().upper());
    let wide = {
        let inputs = vec![doubled(&diagonal_heavy(&[3, 3])), doubled(&noise(2, &[3, 2]))];
        let expect = reference(move |inputs| vec![by_columns(upper(), inputs)]);
        Sample::new("of f64", upper(), inputs, expect)
    };
    let specs = |a: [usize; 2], b: [usize; 2]| vec![Spec::f32(a), Spec::f32(b)];
    vec![
        case("lower", lower(), &[], [5, 3]),
        case("upper", upper(), &[2, 3], [4, 2]),
        case("unit lower", lower().unit(), &[2], [3, 1]),
        case("unit upper", upper().unit(), &[], [4, 7]),
        case("one element", lower(), &[], [1, 1]),
        case("none", lower(), &[2], [0, 3]),
        case("no columns", lower(), &[], [3, 0]),
        wide,
        Sample::rejected("not square", lower(), specs([2, 3], [2, 1]), "a", Some(1)),
        Sample::rejected("rows", lower(), specs([2, 2], [3, 1]), "b", Some(0)),
        Sample::rejected("vector", lower(), vec![Spec::f32([2, 2]), Spec::f32([2])], "b", None),
    ]
}

/// The expectation: what each solved row takes from the rows that are left.
fn by_columns(operator: SolveTriangular, inputs: &[Tensor]) -> Tensor {
    let (a, mut x) = (&inputs[0], inputs[1].clone());
    let rank = x.extents.len();
    let [n, width] = [x.extents[rank - 2], x.extents[rank - 1]];
    let order: Vec<usize> =
        if operator.is_upper { (0..n).rev().collect() } else { (0..n).collect() };
    for batch in 0..x.data.len() / (n * width).max(1) {
        let x = &mut x.data[batch * n * width..(batch + 1) * n * width];
        let at = |row: usize, column: usize| a.data[(batch * n + row) * n + column];
        for (step, &row) in order.iter().enumerate() {
            for column in 0..width {
                let pivot = if operator.is_unit { 1.0 } else { at(row, row) };
                x[row * width + column] /= pivot;
                for &later in &order[step + 1..] {
                    x[later * width + column] -= at(later, row) * x[row * width + column];
                }
            }
        }
    }
    x
}
