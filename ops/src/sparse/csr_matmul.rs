//! A sparse matrix, as compressed rows, times a dense one: the elements of row `r` are `values_e`
//! at `column_e` for `offsets_r <= e < offsets_{r+1}`.
//!
//! # Shape
//! `values`: `f32` or `f64` `[edges]`; `offsets`: `i64[rows + 1]`; `column`: `i64[edges]`; `x`:
//! `[columns, features]` -> `y`: `[rows, features]`. The number of edges may be bounded.
//!
//! # Gradient
//! That of [`coo_matmul`], with the row of each edge from [`segment_ids`]: `dvalues` is the
//! [`edge_dot`] of `dy` and `x`, `dx` the product of the transposed matrix and `dy`.
//!
//! # Numerics
//! Sums in ascending order of the edges, one rounding each. Rows are shared out among the cores.
//! Offsets that do not cover all edges in order, and columns out of range, fail the firing; an
//! accelerator leaves out what is not there.
//!
//! # Example
//! ```
//! use synfire_ops::sparse::csr_matmul::csr_matmul;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let values = Value::new(&[2], &[2.0_f32, 3.0]);
//! let (offsets, column) = (Value::new(&[3], &[0_i64, 0, 2]), Value::new(&[2], &[0_i64, 1]));
//! let x = Value::new(&[2, 1], &[10.0_f32, 20.0]);
//! let y = fire_once(&csr_matmul(), &[values, offsets, column, x])?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 80.0]);
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

use super::coo_matmul::{by_dense_matrix, coo_matmul, matrix};
use super::edge_dot::{edge_dot, edges};
use crate::device::on_device;
use crate::host::indices::in_range;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::segment::segment_ids::{covers, segment_ids};

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// A sparse matrix of compressed rows times a dense one.
#[must_use]
pub fn csr_matmul() -> CsrMatmul {
    CsrMatmul
}

/// See [`csr_matmul`].
#[derive(Clone, Copy, Debug)]
pub struct CsrMatmul;

impl Operator for CsrMatmul {
    fn contract(&self) -> Contract {
        let contract = Contract::new("csr_matmul").input("values").input("offsets");
        contract.input("column").input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [values, offsets, column, x] = inputs else { unreachable!("there are four inputs") };
        require::element("values", values, &[Element::F32, Element::F64])?;
        require::rank("values", values, 1)?;
        require::element("offsets", offsets, &[Element::I64])?;
        require::rank("offsets", offsets, 1)?;
        let rows = require::fixed("offsets", offsets, 0)?.checked_sub(1);
        let rows =
            rows.ok_or_else(|| SpecError::new("offsets", 0, "at least the first 0").at(0))?;
        require::alike("column", column, &values.with_element(Element::I64), None)?;
        matrix("x", x, values)?;
        let mut y = x.clone();
        y.dimensions[0] = Dimension::Fixed(rows);
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let macs = (inputs[0].bound(0) * inputs[3].bound(1)) as u64;
        let axes = Axes::parse("e,o,e,kf->mf");
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let [values, offsets, column, x] = [0, 1, 2, 3].map(|port| backward.input(port));
        let dy = backward.upstream(0);
        let row = backward.apply(segment_ids(), &[offsets, values]);
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
        on_device!(target, specs, host: OnHost, cube: cube::OnCube::new(specs)?)
    }
}

struct OnHost;

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F32 => on_host::<f32>(firing),
            _ => on_host::<f64>(firing),
        }
    }
}

fn on_host<T: Real>(firing: &mut Firing<'_>) -> Result<(), FireError> {
    let [values, offsets, column, x] = [0, 1, 2, 3].map(|port| firing.input(port));
    let count = edges("csr_matmul", [("values", values.extents()), ("column", column.extents())])?;
    let [columns, features] = [x.extents()[0], x.extents()[1]];
    let (offsets, column) = (offsets.elements::<i64>(), column.elements::<i64>());
    covers("csr_matmul", offsets, count)?;
    in_range("csr_matmul", "column", column, &[count], columns)?;
    let (values, x) = (values.elements::<T>(), x.elements::<T>());
    let mut y = firing.output(0);
    pieces(firing.crew(), y.elements::<T>(), features, &|first, piece| {
        for (row, y) in (first / features..).zip(piece.chunks_exact_mut(features)) {
            y.fill(T::of(0.0));
            for edge in offsets[row] as usize..offsets[row + 1] as usize {
                let x = &x[column[edge] as usize * features..][..features];
                y.iter_mut().zip(x).for_each(|(y, &x)| *y = *y + values[edge] * x);
            }
        }
    });
    Ok(())
}

/// Plain, rows of none, none at all, many, `f64`, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, lengths: &[usize], x: Value| {
        let mut offsets = vec![0_i64];
        for &length in lengths {
            offsets.push(offsets[offsets.len() - 1] + length as i64);
        }
        let count = offsets[lengths.len()] as usize;
        let column: Vec<i64> = (0..count).map(|e| (e * (e + 5) % x.extents[0]) as i64).collect();
        let values = noise(1, &[count]);
        let values = if x.element == Element::F64 { wide(&values) } else { values };
        let row: Vec<f64> =
            lengths.iter().enumerate().flat_map(|(r, &n)| vec![r as f64; n]).collect();
        let (rows, row) = (lengths.len(), Tensor::new(&[count], row));
        let expect = reference(move |inputs| {
            let [values, _, column, x] = [0, 1, 2, 3].map(|port: usize| inputs[port].clone());
            vec![by_dense_matrix(&[values, row.clone(), column, x], rows)]
        });
        let offsets = Value::new(&[offsets.len()], &offsets);
        let inputs = vec![values, offsets, Value::new(&[count], &column), x];
        Sample::new(name, csr_matmul(), inputs, expect)
    };
    let edge = |element| bounded_first(element, 20, &[]);
    let (f32, i64) = (Element::F32, Element::I64);
    let i64s = |n: usize| Spec::new(i64, [n]);
    let bounded = vec![edge(f32), i64s(4), edge(i64), Spec::f32([4, 2])];
    let many: Vec<usize> = (0..101).map(|row| row * row % 7).collect();
    let wrong = |offsets: [i64; 3], column: i64| {
        let (offsets, column) = (Value::new(&[3], &offsets), Value::new(&[2], &[0, column]));
        vec![noise(1, &[2]), offsets, column, noise(2, &[3, 1])]
    };
    let uncovered = Expect::Fails("port offsets: found 1 at [2]; wanted 2");
    let beyond = Expect::Fails("port column: found 3 at [1]; wanted 0 to below 3");
    let specs = |offsets: Spec, x: Spec| vec![Spec::f32([3]), offsets, i64s(3), x];
    let x = || Spec::f32([2, 5]);
    vec![
        case("plain", &[3, 1, 4, 2], noise(2, &[7, 3])),
        case("wide", &[2, 0, 5], noise(3, &[5, 37])),
        case("many", &many, noise(4, &[11, 2])),
        case("one row", &[1], noise(5, &[1, 1])),
        case("no edges", &[0, 0, 0], noise(6, &[2, 5])),
        case("no rows", &[], noise(6, &[2, 5])),
        case("of f64", &[2, 0, 3], wide(&noise(7, &[3, 2]))),
        case("bounded", &[3, 0, 4], noise(8, &[4, 2])).with_specs(bounded),
        Sample::new("uncovered", csr_matmul(), wrong([0, 1, 1], 0), uncovered),
        Sample::new("no such column", csr_matmul(), wrong([0, 1, 2], 3), beyond),
        Sample::rejected("no offsets", csr_matmul(), specs(i64s(0), x()), "offsets", Some(0)),
        Sample::rejected("no matrix", csr_matmul(), specs(i64s(3), Spec::f32([2])), "x", None),
    ]
}
