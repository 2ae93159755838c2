//! Searchsorted: where a value would have to go into a sorted row, as bucketise does.
//!
//! # Shape
//! `sorted`: `[n]`, or `[.., n]` with the leading dimensions of `values`; `values`: `[.., m]` (any
//! where `sorted` is one row), both `f32`, `f64`, `i32` or `i64` -> `i64`, as `values`. Bounded
//! dimensions stay bounded.
//!
//! # Gradient
//! None: the output is an index.
//!
//! # Numerics
//! Exact. [`Side::Left`]: the first place whose element is not below the value; [`Side::Right`]:
//! the first whose element is above it; `n` where there is none. A NaN goes behind all. `sorted`
//! must ascend, which is not checked. As PyTorch's `searchsorted` and, with one row, `bucketize`.
//!
//! # Example
//! ```
//! use synfire_ops::index::searchsorted::{Side, searchsorted};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let edges = Value::new(&[3], &[1.0_f32, 3.0, 5.0]);
//! let values = Value::new(&[4], &[0.0_f32, 3.0, 4.0, 9.0]);
//! let y = fire_once(&searchsorted(Side::Left), &[edges, values])?;
//! assert_eq!(y[0].elements::<i64>(), [0, 1, 2, 3]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::cast_slice;
use synfire_runtime::crew::Crew;
use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::number::Number;
use crate::host::pieces::pieces;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("searchsorted", |case| {
        let names = ["sorted_sequence", "sorted", "boundaries", "seq", "sequence", "s", "bins"];
        match case.either(&names) {
            Some(sorted) => {
                let names = ["x", "values", "input", "v", "value", "y"];
                torch(case, sorted, &names)
            }
            None => {
                let sorted = case.operand(&["x", "a"])?;
                torch(case, sorted, &["y", "values", "v", "input", "b", "other"])
            }
        }
    }),
    ("bucketize", |case| {
        let given = case.either(&["boundaries", "bins", "b", "sorted_sequence", "y", "edges"]);
        let sorted = given.or(case.vector("boundaries")?).ok_or("no boundaries")?;
        torch(case, sorted, &["x", "input", "values"])
    }),
];

fn torch(case: &mut Case<'_>, sorted: Wire, names: &[&str]) -> Result<Vec<Wire>, String> {
    let values = case.operand(names)?;
    case.flag("out_int32", false)?;
    let is_right = case.flag("right", false)? || case.text("side", "left")? == "right";
    let side = if is_right { Side::Right } else { Side::Left };
    Ok(vec![case.apply(searchsorted(side), &[sorted, values])])
}

/// On which side of equal elements a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// In front of them.
    Left,
    /// Behind them.
    Right,
}

/// Where each of the values would go into its sorted row.
#[must_use]
pub fn searchsorted(side: Side) -> Searchsorted {
    Searchsorted { side }
}

/// See [`searchsorted`].
#[derive(Clone, Copy, Debug)]
pub struct Searchsorted {
    side: Side,
}

/// Whether there is a row for each row of values, whose extents must agree in one firing.
fn has_rows(sorted: &[usize], values: &[usize]) -> Result<bool, FireError> {
    if sorted.len() == 1 {
        return Ok(false);
    }
    let rows = [sorted, values].map(|extents| &extents[..extents.len() - 1]);
    if rows[0] == rows[1] {
        return Ok(true);
    }
    let [found, wanted] = rows;
    Err(FireError::failed(format!("searchsorted: port sorted: found {found:?}, wanted {wanted:?}")))
}

impl Operator for Searchsorted {
    fn contract(&self) -> Contract {
        let contract = Contract::new("searchsorted").input("sorted").input("values").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (sorted, values) = (&inputs[0], &inputs[1]);
        let numbers = [Element::F32, Element::F64, Element::I32, Element::I64];
        require::element("sorted", sorted, &numbers)?;
        require::element("values", values, &[sorted.element])?;
        require::axis("sorted", sorted, 0)?;
        if sorted.rank() > 1 {
            require::alike("sorted", sorted, values, Some(sorted.rank() - 1))?;
        }
        Ok(vec![values.with_element(Element::I64)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        if let Some(label) = axes.inputs[0].last_mut() {
            *label = (inputs[0].rank().max(inputs[1].rank())) as u8;
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Absent("its output is an index")
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube::new(*self, specs)?)
    }
}

struct OnHost(Searchsorted);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, sorted, values) = (firing.crew(), firing.input(0), firing.input(1));
        let mut y = firing.output(0);
        let (own, extents) = (sorted.extents(), values.extents());
        y.set_extents(&extents);
        // Values of each row, or none where one row is for all.
        let width = has_rows(&own, &extents)?.then(|| extents[extents.len() - 1]);
        let rows = Rows { side: self.0.side, length: own[own.len() - 1], width };
        let on_values = match sorted.spec().element {
            Element::F32 => on_values::<f32>,
            Element::F64 => on_values::<f64>,
            Element::I32 => on_values::<i32>,
            _ => on_values::<i64>,
        };
        on_values((crew, rows), sorted.bytes(), values.bytes(), y.elements::<i64>());
        Ok(())
    }
}

/// How values meet sorted rows.
#[derive(Clone, Copy)]
struct Rows {
    side: Side,
    length: usize,
    width: Option<usize>,
}

fn on_values<T: Number>((crew, rows): (&Crew, Rows), sorted: &[u8], values: &[u8], y: &mut [i64]) {
    let (sorted, values): (&[T], &[T]) = (cast_slice(sorted), cast_slice(values));
    pieces(crew, y, 1, &|offset, piece| {
        for (at, y) in (offset..).zip(piece) {
            let (value, row) = (values[at], rows.width.map_or(0, |width| at / width));
            let row = &sorted[row * rows.length..][..rows.length];
            // Written so that a NaN goes behind all.
            let place = match rows.side {
                Side::Left => row.partition_point(|&x| x < value || value.is_nan()),
                Side::Right => row.partition_point(|&x| x <= value || value.is_nan()),
            };
            *y = place as i64;
        }
    });
}

/// Both sides: one row, rows of their own, integers, special values, none, bounded, rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let rising = |extents: &[usize]| {
        let count = extents.iter().product::<usize>();
        let length = extents[extents.len() - 1].max(1);
        let row = |k: usize| ((k % length) as f32 - 2.0) * 0.25 - (k / length) as f32 * 0.1;
        Value::new(extents, &(0..count).map(row).collect::<Vec<f32>>())
    };
    let case = |name: &str, side: Side, inputs: Vec<Value>| {
        let expect = reference(move |inputs| vec![by_counting(inputs, side)]);
        Sample::new(name, searchsorted(side), inputs, expect)
    };
    let special = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY, -0.0, 0.25, 0.24];
    let f32 = Element::F32;
    let sides = [Side::Left, Side::Right].into_iter().flat_map(|side| {
        let integers =
            [Value::new(&[5], &[1_i64, 3, 3, 3, 9]), Value::new(&[4], &[3_i64, 0, 9, 10])];
        let bounded = vec![bounded_first(f32, 16, &[]), bounded_first(f32, 9, &[3])];
        let other = vec![Spec::f32([2, 3]), Spec::f32([3, 3])];
        let behind = f64::from(u8::from(side == Side::Right));
        let places = [5.0, 0.0, 5.0, 2.0 + behind, 3.0 + behind, 3.0];
        let literal = Expect::Outputs(vec![Tensor::new(&[6], places.to_vec())]);
        [
            case("one row", side, vec![rising(&[11]), noise(1, &[5, 7])]),
            case("rows of their own", side, vec![rising(&[2, 3, 7]), noise(2, &[2, 3, 5])]),
            case("of integers", side, integers.into()),
            case("scalar", side, vec![rising(&[3]), noise(3, &[])]),
            case("nothing sorted", side, vec![rising(&[0]), noise(4, &[3])]),
            case("no values", side, vec![rising(&[3]), noise(4, &[0, 2])]),
            case("several pieces", side, vec![rising(&[101]), noise(5, &[17_011])]),
            case("bounded", side, vec![rising(&[5]), noise(6, &[4, 3])]).with_specs(bounded),
            Sample::new(
                "special",
                searchsorted(side),
                vec![rising(&[5]), Value::new(&[6], &special)],
                literal,
            ),
            Sample::rejected("other rows", searchsorted(side), other, "sorted", Some(0)),
        ]
    });
    let mixed = vec![Spec::f32([3]), Spec::new(Element::F64, [3])];
    let scalar = vec![Spec::f32::<usize>([]), Spec::f32([3])];
    let some = [
        Sample::rejected("mixed", searchsorted(Side::Left), mixed, "values", None),
        Sample::rejected("no row", searchsorted(Side::Left), scalar, "sorted", None),
    ];
    sides.chain(some).collect()
}

/// The expectation: each value counts the elements of its row that it goes behind.
fn by_counting(inputs: &[Tensor], side: Side) -> Tensor {
    let (sorted, values) = (&inputs[0], &inputs[1]);
    Tensor::from_fn(&values.extents, |place| {
        let length = sorted.extents[sorted.extents.len() - 1];
        let count = (0..length).filter(|&k| {
            let lead = &place[..sorted.extents.len() - 1];
            let x = sorted.at(&[lead, &[k]].concat());
            if side == Side::Left { x < values.at(place) } else { x <= values.at(place) }
        });
        count.count() as f64
    })
}
