//! Top k: the largest or smallest elements along an axis, best first, and where they were.
//!
//! [`top_k`] and [`sort`](super::sort::sort) work along any axis; the primitives behind them,
//! [`last_top_k`] and [`last_sort`], along the last one.
//!
//! # Shape
//! `x`: `[.., n]`, `f32`, `f64`, `i32`, `i64` or `u8` -> `values`: `[.., k]`, as `x`, and
//! `indices`: `i64[.., k]`. For a `k` the axis is fixed and not shorter; other dimensions may be
//! bounded.
//!
//! # Gradient
//! `dx` is `scatter_add` of `dvalues` onto zeros at the indices. `indices` have none.
//!
//! # Numerics
//! Exact, and stable: of equal elements the one with the lower index comes first, where PyTorch
//! leaves `topk` open; `0` and `-0` are equal. A NaN is larger than every number, as in PyTorch.
//! The host keeps a heap of `k` for each line; an accelerator counts for each element how many are
//! before it: fast for lines up to a few thousand.
//!
//! # Example
//! ```
//! use synfire_ops::index::top_k::{Order, last_top_k};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[4], &[2.0_f32, 7.0, 3.0, 7.0]);
//! let y = fire_once(&last_top_k(3, Order::Descending), &[x])?;
//! assert_eq!(y[0].elements::<f32>(), [7.0, 7.0, 3.0]);
//! assert_eq!(y[1].elements::<i64>(), [1, 3, 2]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, RANK_MAX, Spec};
use synfire_runtime::value::Value;

use super::scatter::scatter_add;
use crate::arrange::transpose::transpose;
use crate::device::on_device;
use crate::pointwise::unary::fill;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, ramp, reference};
use crate::torch::Torch;

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod on_host;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("topk", |case| {
    let x = case.operand(&["x", "input", "self"])?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, -1)?;
    let count = case.sizes("k", 1, 1)?[0];
    let is_largest = case.flag("largest", true)?;
    // Sorted is one of the orders that are right when none is asked for.
    case.flag("sorted", true)?;
    let order = if is_largest { Order::Descending } else { Order::Ascending };
    Ok(top_k(case, x, axis, (count, order)).into())
})];

/// Which elements come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The largest.
    Descending,
    /// The smallest.
    Ascending,
}

/// The values and indices of the first `count` elements along `axis` in an order.
pub fn top_k(draft: &mut Draft, x: Wire, axis: usize, how: (usize, Order)) -> [Wire; 2] {
    along(draft, x, axis, last_top_k(how.0, how.1))
}

/// A primitive of the last axis along `axis`.
pub(super) fn along(draft: &mut Draft, x: Wire, axis: usize, last: TopK) -> [Wire; 2] {
    let rank = draft.spec(x).map_or(0, Spec::rank);
    if axis + 1 >= rank {
        // Past the last: a permutation that does not fit is rejected.
        let x = if axis + 1 > rank.max(1) { draft.apply(transpose(&[axis]), &[x]) } else { x };
        return pair(draft.apply_many(last, &[x]));
    }
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis, rank - 1);
    let turned = draft.apply(transpose(&order), &[x]);
    let found = pair(draft.apply_many(last, &[turned]));
    found.map(|wire| draft.apply(transpose(&order), &[wire]))
}

fn pair(wires: Vec<Wire>) -> [Wire; 2] {
    [wires[0], wires[1]]
}

/// The first `count` elements along the last axis in an order.
#[must_use]
pub fn last_top_k(count: usize, order: Order) -> TopK {
    TopK { count: Some(count), order }
}

/// All elements along the last axis in an order.
#[must_use]
pub fn last_sort(order: Order) -> TopK {
    TopK { count: None, order }
}

/// See [`last_top_k`] and [`last_sort`].
#[derive(Clone, Copy, Debug)]
pub struct TopK {
    /// All of them if none.
    count: Option<usize>,
    order: Order,
}

impl TopK {
    /// The extents of the outputs.
    fn taken(&self, extents: &[usize]) -> ([usize; RANK_MAX], usize) {
        let mut taken = [0; RANK_MAX];
        taken[..extents.len()].copy_from_slice(extents);
        let count = self.count.unwrap_or(extents[extents.len() - 1]);
        taken[extents.len() - 1] = count;
        (taken, count)
    }
}

impl Operator for TopK {
    fn contract(&self) -> Contract {
        let contract = Contract::new(if self.count.is_some() { "top_k" } else { "sort" });
        let contract = contract.input("x").output("values").output("indices");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let mut y = inputs[0].clone();
        let numbers = [Element::F32, Element::F64, Element::I32, Element::I64, Element::U8];
        require::element("x", &y, &numbers)?;
        let Some(last) = y.rank().checked_sub(1) else {
            return Err(SpecError::new("x", y, "at least 1 dimension"));
        };
        if let Some(count) = self.count {
            let extent = require::fixed("x", &y, last)?;
            if extent < count {
                return Err(SpecError::new("x", extent, format!("{count} or more")).at(last));
            }
            y.dimensions[last] = count.into();
        }
        Ok(vec![y.clone(), y.with_element(Element::I64)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let (last, label) = (inputs[0].rank() - 1, inputs[0].rank() as u8);
        axes.outputs.iter_mut().for_each(|port| port[last] = label);
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, indices, dy) = (backward.input(0), backward.output(1), backward.upstream(0));
        let axis = backward.input_spec(0).rank() - 1;
        let zeros = backward.apply(fill(0.0), &[x]);
        Gradient::one(backward.apply(scatter_add(axis), &[zeros, indices, dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: on_host::OnHost(*self),
            cube: cube::OnCube::new(*self, specs)?
        )
    }
}

/// Both orders: none, some and all of a line, ties, special values, integers, any axis, rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use Order::{Ascending, Descending};
    let case = |name: &str, operator: TopK, x: Value| {
        Sample::new(name, operator, vec![x], reference(move |x| by_sorting(&x[0], operator)))
    };
    let nan = f32::NAN;
    let special = Value::new(&[7], &[1.0, nan, -0.0, f32::INFINITY, 0.0, nan, f32::NEG_INFINITY]);
    let literal = |values: [f64; 7], indices: [f64; 7]| {
        let tensors = [values, indices].map(|data| Tensor::new(&[7], data.to_vec()));
        Expect::Outputs(tensors.into())
    };
    let (wide, infinity) = (f64::NAN, f64::INFINITY);
    let up = [-infinity, 0.0, 0.0, 1.0, infinity, wide, wide];
    let up = literal(up, [6.0, 2.0, 4.0, 0.0, 3.0, 1.0, 5.0]);
    let down = [wide, wide, infinity, 1.0, 0.0, 0.0, -infinity];
    let down = literal(down, [1.0, 5.0, 3.0, 0.0, 2.0, 4.0, 6.0]);
    let ties = || Value::new(&[11], &[2_i32, 7, 7, -1, -1, 0, 7, 2, 2, -1, 0]);
    let axis = |name: &str, axis: usize, extents: &[usize]| {
        let build =
            move |draft: &mut Draft, x: &[Wire]| top_k(draft, x[0], axis, (2, Descending)).into();
        let expect = reference(move |inputs| by_turning(&inputs[0], axis));
        Sample::composite(name, "top_k", build, vec![noise(1, extents)], expect)
    };
    let every = [Ascending, Descending].into_iter().flat_map(|order| {
        [
            case("some", last_top_k(3, order), noise(1, &[5, 37])),
            case("one", last_top_k(1, order), noise(2, &[2, 3, 7])),
            case("none", last_top_k(0, order), noise(3, &[2, 5])),
            case("all of a line", last_top_k(7, order), noise(4, &[3, 7])),
            case("of no lines", last_top_k(1, order), noise(4, &[0, 7])),
            case("sorted", last_sort(order), noise(5, &[3, 61])),
            case("ties", last_top_k(8, order), ties()),
            case("ties", last_sort(order), ties()),
            case("bytes", last_sort(order), ramp(Element::U8, &[2, 300])),
            case("many", last_top_k(17, order), noise(6, &[41, 1009])),
            case("empty", last_sort(order), noise(7, &[2, 0])),
        ]
    });
    let some = [
        Sample::new("special", last_sort(Ascending), vec![special.clone()], up),
        Sample::new("special", last_sort(Descending), vec![special], down),
        axis("first axis", 0, &[5, 3]),
        axis("middle axis", 1, &[2, 7, 3]),
        axis("last axis", 1, &[3, 5]),
        case("bounded", last_top_k(2, Ascending), noise(8, &[4, 3]))
            .with_specs(vec![bounded_first(Element::F32, 9, &[3])]),
        case("bounded line", last_sort(Ascending), noise(8, &[4])).with_specs(vec![bounded_first(
            Element::F32,
            9,
            &[],
        )]),
        Sample::rejected("too many", last_top_k(4, Ascending), vec![Spec::f32([3])], "x", Some(0)),
        Sample::rejected("scalar", last_sort(Ascending), vec![Spec::f32::<usize>([])], "x", None),
        Sample::rejected(
            "bounded",
            last_top_k(1, Ascending),
            vec![bounded_first(Element::F32, 9, &[])],
            "x",
            Some(0),
        ),
    ];
    every.chain(some).collect()
}

/// The expectation: each element counts those before it.
fn by_sorting(x: &Tensor, TopK { count, order }: TopK) -> Vec<Tensor> {
    let (&length, lead) = x.extents.split_last().expect("there is an axis");
    let count = count.unwrap_or(length);
    let extents = [lead, &[count]].concat();
    let (mut values, mut indices) = (Vec::new(), Vec::new());
    for line in x.data.chunks(length.max(1)) {
        let mut all: Vec<(usize, f64)> = line.iter().copied().enumerate().collect();
        all.sort_by(|a, b| match order {
            Order::Ascending => a.1.total_cmp(&b.1),
            Order::Descending => b.1.total_cmp(&a.1),
        });
        indices.extend(all[..count].iter().map(|(index, _)| *index as f64));
        values.extend(all[..count].iter().map(|(_, value)| *value));
    }
    vec![Tensor::new(&extents, values), Tensor::new(&extents, indices)]
}

/// The same for two of the largest along any axis: the axis is exchanged with the last.
fn by_turning(x: &Tensor, axis: usize) -> Vec<Tensor> {
    let last = x.extents.len() - 1;
    let turn = |x: &Tensor| {
        let mut extents = x.extents.clone();
        extents.swap(axis, last);
        Tensor::from_fn(&extents, |place| {
            let mut place = place.to_vec();
            place.swap(axis, last);
            x.at(&place)
        })
    };
    by_sorting(&turn(x), last_top_k(2, Order::Descending)).iter().map(turn).collect()
}
