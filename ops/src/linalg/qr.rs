//! The QR factorisation: `x = q * r` with orthonormal columns of `q` and an upper triangle `r`.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., row, column]`, any dimensions before, which may be bounded. With `k`
//! the smaller of both, `q`: `[.., row, k]`, `r`: `[.., k, column]`.
//!
//! # Gradient
//! `dx = (dq + q s) r^-T` with `s` the symmetric matrix whose lower triangle is that of
//! `r dr^T - dq^T q` (Liao et al. 2019). Of more columns than rows there is none here.
//!
//! # Numerics
//! Reflections column by column in the element type, with the signs of LAPACK: the diagonal of `r`
//! is below 0 where the reflected element was above. As PyTorch's `linalg.qr` of mode `reduced`. On
//! the host only; written out here, since libraries differ in these signs.
//!
//! # Example
//! ```
//! use synfire_ops::linalg::qr::qr;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 1], &[3.0_f32, 4.0]);
//! let r = &fire_once(&qr(), &[x])?[1];
//! assert_eq!(r.elements::<f32>(), [-5.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use nalgebra::DMatrix;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::solve_triangular::{solve_triangular, turned};
use crate::arrange::triangle::tril;
use crate::broadcast::binary::{add, subtract};
use crate::dense::matmul::{doubled, matmul, names::find};
use crate::host::matrices::{
    EachMatrix, Field, Plane, Tail, each_matrix, matrix, metadata, outcome, store,
};
use crate::sample::{Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("qr", |case| {
    let x = find(case, &["x", "a", "A", "input"]).ok_or("no input `x`")?;
    match case.text("mode", "reduced")?.as_str() {
        "reduced" => Ok(case.apply_many(qr(), &[x])),
        other => Err(format!("mode `{other}`, wanted `reduced`")),
    }
})];

/// Both factors.
#[must_use]
pub fn qr() -> Qr {
    Qr
}

/// See [`qr`].
#[derive(Clone, Copy, Debug)]
pub struct Qr;

impl EachMatrix<2> for Qr {
    const FAILURE: &'static str = "of port x has no factors";

    fn tails(&self, inputs: &[[usize; 2]]) -> [Tail; 2] {
        let [rows, columns] = inputs[0];
        let both = rows.min(columns);
        [matrix(rows, both), matrix(both, columns)]
    }

    fn compute<T: Field>(&self, inputs: &[Plane<'_, T>], [q, r]: [&mut [T]; 2]) -> bool {
        let mut upper = inputs[0].to_matrix();
        let (rows, both) = (upper.nrows(), upper.nrows().min(upper.ncols()));
        let mut reflections = Vec::new();
        for step in 0..both {
            let mut normal = upper.view((step, step), (rows - step, 1)).into_owned();
            let (head, rest) = (normal[0], normal.rows_range(1..).norm());
            if rest == T::zero() {
                continue; // as it is: LAPACK reflects nothing then
            }
            let norm = nalgebra::ComplexField::hypot(head, rest);
            let diagonal = if head < T::zero() { norm } else { -norm };
            normal[0] = head - diagonal;
            normal /= normal.norm();
            reflect(&mut upper, step, &normal, step);
            upper[(step, step)] = diagonal;
            upper.view_mut((step + 1, step), (rows - step - 1, 1)).fill(T::zero());
            reflections.push((step, normal));
        }
        let mut orthonormal = DMatrix::identity(rows, both);
        for (step, normal) in reflections.iter().rev() {
            reflect(&mut orthonormal, *step, normal, 0);
        }
        store(&orthonormal, q);
        store(&upper.rows(0, both).into_owned(), r);
        true
    }
}

/// Reflects the rows from `first_row` of the columns from `first_column` at the plane of a normal.
fn reflect<T: Field>(
    matrix: &mut DMatrix<T>,
    first_row: usize,
    normal: &DMatrix<T>,
    first_column: usize,
) {
    let two: T = nalgebra::convert(2.0);
    for column in first_column..matrix.ncols() {
        let mut part = matrix.view_mut((first_row, column), (normal.nrows(), 1));
        let along = part.dot(normal) * two;
        part.zip_apply(normal, |own, normal| *own -= along * normal);
    }
}

impl Operator for Qr {
    fn contract(&self) -> Contract {
        Contract::new("qr").input("x").output("q").output("r").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        outcome(self, &["x"], inputs)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        metadata(inputs, outputs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let x = backward.input_spec(0);
        if x.bound(x.rank() - 2) < x.bound(x.rank() - 1) {
            return Gradient::Absent("a QR factorisation of more columns than rows");
        }
        let (q, r) = (backward.output(0), backward.output(1));
        let (dq, dr) = (backward.upstream(0), backward.upstream(1));
        let left = backward.apply(matmul().transpose_b(), &[r, dr]);
        let right = backward.apply(matmul().transpose_a(), &[dq, q]);
        let both = backward.apply(subtract(), &[left, right]);
        let lower = backward.apply(tril(0), &[both]);
        let strict = backward.apply(tril(-1), &[both]);
        let mirrored = turned(backward, strict);
        let symmetric = backward.apply(add(), &[lower, mirrored]);
        let along = backward.apply(matmul(), &[q, symmetric]);
        let sum = backward.apply(add(), &[dq, along]);
        // The solution of dx * r^T = sum.
        let sum = turned(backward, sum);
        let dx = backward.apply(solve_triangular().upper(), &[r, sum]);
        Gradient::one(turned(backward, dx))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        each_matrix!(target, specs, self)
    }
}

/// Tall, square, wide, batches, `f64`, a column that is not reflected, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: Value| {
        Sample::new(name, qr(), vec![x], reference(|x| by_projections(&x[0])))
    };
    vec![
        case("tall", noise(1, &[5, 3])),
        case("square", noise(2, &[4, 4])),
        case("wide", noise(3, &[3, 5])),
        case("batches", noise(4, &[2, 3, 4, 2])),
        case("of f64", doubled(&noise(5, &[2, 4, 3]))),
        case("triangle", Value::new(&[2, 2], &[-2.0_f32, 1.0, 0.0, 3.0])),
        case("one element", noise(6, &[1, 1])),
        case("no columns", noise(7, &[3, 0])),
        case("no rows", noise(7, &[0, 3])),
        Sample::rejected("vector", qr(), vec![Spec::f32([3])], "x", None),
    ]
}

/// The factors by projections (Gram and Schmidt), twice for accuracy; each sign that of a
/// reflection: opposite to what it reflects, which its own column tells.
fn by_projections(x: &Tensor) -> Vec<Tensor> {
    let (before, last) = x.extents.split_at(x.extents.len() - 2);
    let [rows, columns] = [last[0], last[1]];
    let both = rows.min(columns);
    let (mut q, mut r) = (Vec::new(), Vec::new());
    for batch in 0..before.iter().product::<usize>() {
        let at = |row: usize, column: usize| x.data[(batch * rows + row) * columns + column];
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for column in 0..both {
            let mut rest: Vec<f64> = (0..rows).map(|row| at(row, column)).collect();
            for _ in 0..2 {
                for done in &basis {
                    let along: f64 = done.iter().zip(&rest).map(|(a, b)| a * b).sum();
                    rest.iter_mut().zip(done).for_each(|(rest, done)| *rest -= along * done);
                }
            }
            let norm = rest.iter().map(|x| x * x).sum::<f64>().sqrt();
            let unit: Vec<f64> = rest.iter().map(|x| x / norm).collect();
            basis.push(signed(unit, &basis, rows));
        }
        q.extend((0..rows * both).map(|place| basis[place % both][place / both]));
        r.extend((0..both * columns).map(|place| {
            let (row, column) = (place / columns, place % columns);
            let along: f64 = (0..rows).map(|k| basis[row][k] * at(k, column)).sum();
            if row <= column { along } else { 0.0 }
        }));
    }
    let extents = |tail: [usize; 2]| [before, &tail].concat();
    vec![Tensor::new(&extents([rows, both]), q), Tensor::new(&extents([both, columns]), r)]
}

/// A unit vector with the sign that reflections give it: brought to the axes by the reflections of
/// those before, its head is below 0, or it is the axis itself and stays.
fn signed(unit: Vec<f64>, basis: &[Vec<f64>], rows: usize) -> Vec<f64> {
    let step = basis.len();
    let mut image = unit.clone();
    let mut images = basis.to_vec();
    for done in 0..step {
        // The reflection that takes the image of `done` to its axis.
        let mut normal = images[done].clone();
        normal[..done].fill(0.0);
        normal[done] -= 1.0;
        let square: f64 = normal.iter().map(|x| x * x).sum();
        if square < 1e-20 {
            continue;
        }
        for other in images.iter_mut().chain([&mut image]) {
            let along: f64 = normal.iter().zip(&*other).map(|(a, b)| a * b).sum();
            let factor = 2.0 * along / square;
            other.iter_mut().zip(&normal).for_each(|(x, normal)| *x -= factor * normal);
        }
    }
    let rest: f64 = (step + 1..rows).map(|k| image[k].abs()).sum();
    let keeps = rest < 1e-12;
    // Of an axis itself `r` keeps the sign of its element, so `q` has 1 there.
    let flips = if keeps { image[step] < 0.0 } else { image[step] > 0.0 };
    if flips { unit.iter().map(|x| -x).collect() } else { unit }
}
