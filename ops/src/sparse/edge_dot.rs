//! Edge dot product: `z_e = x[row_e] . y[column_e]` for each edge, the elements of a dense product
//! where a sparse matrix has them.
//!
//! # Shape
//! `x`: `f32` or `f64` `[rows, features]`; `y`: `[columns, features]`; `row`, `column`:
//! `i64[edges]` -> `z`: `[edges]`. The number of edges may be bounded.
//!
//! # Gradient
//! With `dz` as the values of a sparse matrix: `dx` is its product with `y`, `dy` that of the
//! transposed one with `x`, both by [`coo_matmul`]. None for the indices.
//!
//! # Numerics
//! Sums in the element type, in order. An index that is out of range fails the firing; an
//! accelerator gives 0 there.
//!
//! # Example
//! ```
//! use synfire_ops::sparse::edge_dot::edge_dot;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]);
//! let (row, column) = (Value::new(&[2], &[0_i64, 0]), Value::new(&[2], &[1_i64, 0]));
//! let z = fire_once(&edge_dot(), &[x.clone(), x, row, column])?;
//! assert_eq!(z[0].elements::<f32>(), [11.0, 5.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Extents, Spec};
use synfire_runtime::value::Value;

use super::coo_matmul::{coo_matmul, matrix};
use crate::device::on_device;
use crate::host::erased::parts;
use crate::host::indices::in_range;
use crate::host::real::Real;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::Torch;

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// What libraries around PyTorch call it.
pub const TORCH: &[Torch] = &[("edge_dot", |case| {
    let x = case.operand(&["x", "a", "src"])?;
    let y = case.either(&["y", "b", "other", "dst"]).unwrap_or(x);
    let row = case.operand(&["row", "rows"])?;
    let column = case.operand(&["column", "col", "cols"])?;
    Ok(vec![case.apply(edge_dot(), &[x, y, row, column])])
})];

/// The dot product of two rows for each edge.
#[must_use]
pub fn edge_dot() -> EdgeDot {
    EdgeDot
}

/// See [`edge_dot`].
#[derive(Clone, Copy, Debug)]
pub struct EdgeDot;

/// The number of edges of this firing, on which all ports agree.
pub(super) fn edges<const N: usize>(
    operator: &str,
    ports: [(&str, Extents); N],
) -> Result<usize, FireError> {
    let (_, first) = ports[0];
    match ports.iter().find(|(_, extents)| extents[0] != first[0]) {
        None => Ok(first[0]),
        Some((port, extents)) => {
            let (found, wanted) = (extents[0], first[0]);
            Err(FireError::failed(format!(
                "{operator}: port {port}, dimension 0: found {found}; wanted {wanted}"
            )))
        }
    }
}

impl Operator for EdgeDot {
    fn contract(&self) -> Contract {
        let contract = Contract::new("edge_dot").input("x").input("y").input("row");
        contract.input("column").output("z").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [x, y, row, column] = inputs else { unreachable!("there are four inputs") };
        require::element("x", x, &[Element::F32, Element::F64])?;
        matrix("x", x, x)?;
        matrix("y", y, x)?;
        require::alike("y", y, x, Some(0))?;
        require::element("row", row, &[Element::I64])?;
        require::rank("row", row, 1)?;
        require::alike("column", column, row, None)?;
        Ok(vec![row.with_element(x.element)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let macs = (inputs[2].bound(0) * inputs[0].bound(1)) as u64;
        let axes = Axes::parse("mf,kf,e,e->e");
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let [x, y, row, column] = [0, 1, 2, 3].map(|port| backward.input(port));
        let dz = backward.upstream(0);
        let [to_x, to_y] = [0, 1].map(|port| coo_matmul(backward.input_spec(port).bound(0)));
        let dx = backward.wants(0).then(|| backward.apply(to_x, &[dz, row, column, y]));
        let dy = backward.wants(1).then(|| backward.apply(to_y, &[dz, column, row, x]));
        Gradient::Of(vec![dx, dy, None, None])
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
    let [x, y, row, column] = [0, 1, 2, 3].map(|port| firing.input(port));
    let count = edges("edge_dot", [("row", row.extents()), ("column", column.extents())])?;
    let (row, column) = (row.elements::<i64>(), column.elements::<i64>());
    in_range("edge_dot", "row", row, &[count], x.extents()[0])?;
    in_range("edge_dot", "column", column, &[count], y.extents()[0])?;
    let (features, element) = (x.extents()[1], x.spec().element);
    let (x, y) = (x.elements::<T>(), y.elements::<T>());
    let mut z = firing.output(0);
    z.set_extents(&[count]);
    parts(firing.crew(), z.bytes(), element, &|first, part| {
        for (edge, z) in (first..).zip(bytemuck::cast_slice_mut::<u8, T>(part)) {
            let left = &x[row[edge] as usize * features..][..features];
            let right = &y[column[edge] as usize * features..][..features];
            let pairs = left.iter().zip(right);
            *z = pairs.fold(T::of(0.0), |sum, (&a, &b)| sum + a * b);
        }
    });
    Ok(())
}

/// Plain, one edge, none, no features, many, `f64`, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, count: usize, [x, y]: [Value; 2]| {
        let index = |step: usize, bound: usize| {
            let at = |edge: usize| (edge * (edge + step) % bound) as i64;
            Value::new(&[count], &(0..count).map(at).collect::<Vec<_>>())
        };
        let indices = [index(3, x.extents[0]), index(5, y.extents[0])];
        let inputs = [x, y].into_iter().chain(indices).collect();
        Sample::new(name, edge_dot(), inputs, reference(|inputs| vec![by_product(inputs)]))
    };
    let two = |rows: usize, columns: usize, features: usize| {
        [noise(1, &[rows, features]), noise(2, &[columns, features])]
    };
    let edge = || bounded_first(Element::I64, 20, &[]);
    let bounded = vec![Spec::f32([3, 2]), Spec::f32([4, 2]), edge(), edge()];
    let outside = |row: i64| {
        let index = |at: i64| Value::new(&[2], &[0, at]);
        vec![noise(1, &[2, 3]), noise(2, &[2, 3]), index(row), index(1)]
    };
    let i64s = |n: usize| Spec::new(Element::I64, [n]);
    let specs = |y: Spec, column: Spec| vec![Spec::f32([3, 2]), y, i64s(5), column];
    let below = Expect::Fails("port row: found 2 at [1]; wanted 0 to below 2");
    vec![
        case("plain", 13, two(5, 7, 3)),
        case("many", 3001, two(11, 5, 2)),
        case("one edge", 1, two(1, 1, 1)),
        case("no edges", 0, two(2, 3, 2)),
        case("no features", 3, two(2, 3, 0)),
        case("of f64", 7, two(3, 4, 5).map(|x| wide(&x))),
        case("bounded", 6, two(3, 4, 2)).with_specs(bounded),
        Sample::new("no such row", edge_dot(), outside(2), below),
        Sample::rejected("features", edge_dot(), specs(Spec::f32([3, 3]), i64s(5)), "y", Some(1)),
        Sample::rejected("fewer", edge_dot(), specs(Spec::f32([3, 2]), i64s(4)), "column", Some(0)),
        Sample::rejected(
            "bounded rows",
            edge_dot(),
            vec![bounded_first(Element::F32, 3, &[2]), Spec::f32([3, 2]), i64s(5), i64s(5)],
            "x",
            Some(0),
        ),
    ]
}

/// The expectation: elements of the whole product.
fn by_product(inputs: &[Tensor]) -> Tensor {
    let [x, y, row, column] = inputs else { return Tensor::new(&[0], vec![]) };
    let features = x.extents[1];
    let product = Tensor::from_fn(&[x.extents[0], y.extents[0]], |at| {
        (0..features).rev().map(|k| x.at(&[at[0], k]) * y.at(&[at[1], k])).sum()
    });
    let ends = row.data.iter().zip(&column.data);
    let dots = ends.map(|(&row, &column)| product.at(&[row as usize, column as usize]));
    Tensor::new(&row.extents, dots.collect())
}
