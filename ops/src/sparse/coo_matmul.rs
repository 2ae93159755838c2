//! A sparse matrix, as a list of its elements, times a dense one: `y = S x`, where `S` is the sum
//! of `values_e` at `(row_e, column_e)`.
//!
//! # Shape
//! `values`: `f32` or `f64` `[edges]`; `row`, `column`: `i64[edges]`, in any order, repeated where
//! values shall add up; `x`: `[columns, features]` -> `y`: `[rows, features]`. The number of edges
//! may be bounded; the number of rows is a parameter. In a graph, `y` is for each node the sum of
//! what its edges bring, so this is message passing too.
//!
//! # Gradient
//! `dvalues` is the [`edge_dot`] of `dy` and `x`; `dx` the product of the transposed matrix, that
//! is with `row` and `column` exchanged, and `dy`. None for the indices.
//!
//! # Numerics
//! Sums in ascending order of the edges, one rounding each. An index that is out of range fails the
//! firing; an accelerator leaves that edge out. There each output searches all edges, so that sums
//! have one order: a matrix of many is better held by [`csr_matmul`](super::csr_matmul).
//!
//! # Example
//! ```
//! use synfire_ops::sparse::coo_matmul::coo_matmul;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let values = Value::new(&[2], &[2.0_f32, 3.0]);
//! let (row, column) = (Value::new(&[2], &[1_i64, 0]), Value::new(&[2], &[0_i64, 1]));
//! let x = Value::new(&[2, 1], &[10.0_f32, 20.0]);
//! let y = fire_once(&coo_matmul(2), &[values, row, column, x])?;
//! assert_eq!(y[0].elements::<f32>(), [60.0, 20.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::edge_dot::{edge_dot, edges};
use crate::device::on_device;
use crate::host::indices::in_range;
use crate::host::pieces::{Grid, strips};
use crate::host::real::Real;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod names; // what PyTorch calls products of sparse matrices
pub use names::TORCH;

/// Parts of the rows that search the edges for their own.
const SHARES: usize = 8;

/// A sparse matrix of this many rows times a dense one.
#[must_use]
pub fn coo_matmul(rows: usize) -> CooMatmul {
    CooMatmul { rows }
}

/// See [`coo_matmul`].
#[derive(Clone, Copy, Debug)]
pub struct CooMatmul {
    rows: usize,
}

impl Operator for CooMatmul {
    fn contract(&self) -> Contract {
        let contract = Contract::new("coo_matmul").input("values").input("row").input("column");
        contract.input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (values, x) = (&inputs[0], &inputs[3]);
        require::element("values", values, &[Element::F32, Element::F64])?;
        require::rank("values", values, 1)?;
        let indices = values.with_element(Element::I64);
        require::alike("row", &inputs[1], &indices, None)?;
        require::alike("column", &inputs[2], &indices, None)?;
        matrix("x", x, values)?;
        let mut y = x.clone();
        y.dimensions[0] = Dimension::Fixed(self.rows);
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let macs = (inputs[0].bound(0) * inputs[3].bound(1)) as u64;
        let axes = Axes::parse("e,e,e,kf->mf");
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let [values, row, column, x] = [0, 1, 2, 3].map(|port| backward.input(port));
        let dy = backward.upstream(0);
        let by_edge = [dy, x, row, column];
        let dvalues = backward.wants(0).then(|| backward.apply(edge_dot(), &by_edge));
        let transposed = coo_matmul(backward.input_spec(3).bound(0));
        let dx = backward.wants(3).then(|| backward.apply(transposed, &[values, column, row, dy]));
        Gradient::Of(vec![dvalues, None, None, dx])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube::new(*self, specs)?)
    }
}

/// A dense matrix of fixed extents, with the element type of `like`.
pub(super) fn matrix(port: &str, x: &Spec, like: &Spec) -> Result<(), SpecError> {
    require::element(port, x, &[like.element])?;
    require::rank(port, x, 2)?;
    require::fixed(port, x, 0)?;
    require::fixed(port, x, 1).map(|_| ())
}

struct OnHost(CooMatmul);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F32 => on_host::<f32>(self.0, firing),
            _ => on_host::<f64>(self.0, firing),
        }
    }
}

fn on_host<T: Real>(
    CooMatmul { rows }: CooMatmul,
    firing: &mut Firing<'_>,
) -> Result<(), FireError> {
    let ports = [("values", 0), ("row", 1), ("column", 2)];
    let ports = ports.map(|(name, port)| (name, firing.input(port).extents()));
    let count = edges("coo_matmul", ports)?;
    let [columns, features] = [firing.input(3).extents()[0], firing.input(3).extents()[1]];
    let (row, column) = (firing.input(1).elements::<i64>(), firing.input(2).elements::<i64>());
    in_range("coo_matmul", "row", row, &[count], rows)?;
    in_range("coo_matmul", "column", column, &[count], columns)?;
    let (values, x) = (firing.input(0).elements::<T>(), firing.input(3).elements::<T>());
    let mut y = firing.output(0);
    let grid = Grid::lines(&[rows, features], 0).in_blocks(SHARES);
    strips(firing.crew(), y.elements::<T>(), grid, &|mut strip| {
        for place in strip.places.clone() {
            strip.row(place).fill(T::of(0.0));
        }
        let (first, width) = (strip.line, strip.width);
        for ((&value, &row), &column) in values.iter().zip(row).zip(column) {
            if strip.places.contains(&(row as usize)) {
                let x = &x[column as usize * features + first..][..width];
                let row = strip.row(row as usize).iter_mut().zip(x);
                row.for_each(|(y, &x)| *y = *y + value * x);
            }
        }
    });
    Ok(())
}

/// No order, repeated places, one edge, none, many, `f64`, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, rows: usize, count: usize, x: Value| {
        let index = |step: usize, bound: usize| {
            let at = |edge: usize| (edge * (edge + step) % bound.max(1)) as i64;
            Value::new(&[count], &(0..count).map(at).collect::<Vec<_>>())
        };
        let values = noise(1, &[count]);
        let values = if x.element == Element::F64 { wide(&values) } else { values };
        let inputs = vec![values, index(3, rows), index(5, x.extents[0]), x];
        let expect = reference(move |inputs| vec![by_dense_matrix(inputs, rows)]);
        Sample::new(name, coo_matmul(rows), inputs, expect)
    };
    let edge = |element| bounded_first(element, 20, &[]);
    let (f32, i64) = (Element::F32, Element::I64);
    let bounded = vec![edge(f32), edge(i64), edge(i64), Spec::f32([4, 2])];
    let i64s = |n: usize| Spec::new(i64, [n]);
    let specs = |row: Spec, x: Spec| vec![Spec::f32([3]), row, i64s(3), x];
    let x = || Spec::f32([2, 5]);
    let outside = |row: i64, column: i64| {
        let index = |at: i64| Value::new(&[2], &[0, at]);
        vec![noise(1, &[2]), index(row), index(column), noise(2, &[3, 1])]
    };
    let below_rows = Expect::Fails("port row: found 2 at [1]; wanted 0 to below 2");
    let below_columns = Expect::Fails("port column: found -1 at [1]");
    vec![
        case("plain", 5, 13, noise(2, &[7, 3])),
        case("wide", 3, 11, noise(3, &[5, 37])),
        case("tall", 101, 307, noise(4, &[11, 2])),
        case("one edge", 1, 1, noise(5, &[1, 1])),
        case("no edges", 3, 0, noise(6, &[2, 5])),
        case("no rows", 0, 0, noise(6, &[2, 5])),
        case("of f64", 4, 9, wide(&noise(7, &[3, 2]))),
        case("bounded", 3, 7, noise(8, &[4, 2])).with_specs(bounded),
        Sample::new("no such row", coo_matmul(2), outside(2, 0), below_rows),
        Sample::new("no such column", coo_matmul(2), outside(1, -1), below_columns),
        Sample::rejected("shorter", coo_matmul(2), specs(i64s(2), x()), "row", Some(0)),
        Sample::rejected("no matrix", coo_matmul(2), specs(i64s(3), i64s(2)), "x", None),
    ]
}

/// The expectation: the matrix is written out.
pub(super) fn by_dense_matrix(inputs: &[Tensor], rows: usize) -> Tensor {
    let [values, row, column, x] = inputs else { return Tensor::new(&[0], vec![]) };
    let (columns, features) = (x.extents[0], x.extents[1]);
    let mut dense = vec![0.0; rows * columns];
    for ((value, row), column) in values.data.iter().zip(&row.data).zip(&column.data) {
        dense[*row as usize * columns + *column as usize] += value;
    }
    Tensor::from_fn(&[rows, features], |at| {
        (0..columns).map(|k| dense[at[0] * columns + k] * x.at(&[k, at[1]])).sum()
    })
}
