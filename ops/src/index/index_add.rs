//! Index add: slices of `source` added to `x` at the indices along an axis, or put in their place.
//!
//! | operator | along axis 0 |
//! |---|---|
//! | [`index_add`] | `y = x`, then `y[index[k]] += alpha * source[k]` |
//! | [`index_copy`] | `y = x`, then `y[index[k]] = source[k]` |
//!
//! # Shape
//! `x`: `[.., n, ..]`, `f32`, `f64` or `i64`; `index`: `i64[k]`; `source`: `[.., k, ..]`, as `x` ->
//! `y`: as `x`. Bounded dimensions stay bounded.
//!
//! # Gradient
//! Add: `dx = dy`, `dsource` is `alpha` times `index_select` of `dy`. Copy: `dx` is `dy` with zeros
//! at the indices, `dsource` is `index_select` of `dy`, for every one of equal indices, as in
//! PyTorch. None for `index`.
//!
//! # Numerics
//! In ascending order of `k`, one rounding for the product and one for the sum; of equal indices
//! the last is copied. Integers wrap, and take the whole part of `alpha`. An index outside `0..n`,
//! negative ones too, fails the firing. As PyTorch's functions of these names. An accelerator
//! cannot fail for one index: it leaves that slice out.
//!
//! # Example
//! ```
//! use synfire_ops::index::index_add::index_add;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[3], &[1.0_f32, 2.0, 3.0]);
//! let (index, source) = (Value::new(&[2], &[2_i64, 2]), Value::new(&[2], &[10.0_f32, 20.0]));
//! let y = fire_once(&index_add(0, 2.0), &[x, index, source])?;
//! assert_eq!(y[0].elements::<f32>(), [1.0, 2.0, 63.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::index_select::index_select;
use crate::device::on_device;
use crate::pointwise::unary::{fill, scale};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, ramp, reference};
use crate::torch::Torch;

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod on_host;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("index_add", |case| {
        let (x, alpha) = (case.operand(&["x", "input", "self"])?, case.number("alpha", 1.0)?);
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
        let source = case.operand(&["source", "src", "y", "other"])?;
        Ok(vec![case.apply(index_add(axis, alpha), &[x, index, source])])
    }),
    ("index_copy", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
        let source = case.operand(&["source", "src", "y", "other"])?;
        Ok(vec![case.apply(index_copy(axis), &[x, index, source])])
    }),
    ("index_fill", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
        let value = case.number(case.spelling(&["value", "fill_value"]), 0.0)?;
        let taken = case.apply(index_select(axis), &[x, index]);
        let filled = case.apply(fill(value), &[taken]);
        Ok(vec![case.apply(index_copy(axis), &[x, index, filled])])
    }),
];

/// Adds `alpha` times the slices of `source` to those of `x` at the indices along `axis`.
#[must_use]
pub fn index_add(axis: usize, alpha: f64) -> IndexAdd {
    IndexAdd { axis, effect: Effect::Add(alpha) }
}

/// Puts the slices of `source` in the place of those of `x` at the indices along `axis`.
#[must_use]
pub fn index_copy(axis: usize) -> IndexAdd {
    IndexAdd { axis, effect: Effect::Copy }
}

/// See [`index_add`] and [`index_copy`].
#[derive(Clone, Copy, Debug)]
pub struct IndexAdd {
    axis: usize,
    effect: Effect,
}

#[derive(Clone, Copy, Debug)]
enum Effect {
    Add(f64),
    Copy,
}

impl IndexAdd {
    fn name(&self) -> &'static str {
        match self.effect {
            Effect::Add(_) => "index_add",
            Effect::Copy => "index_copy",
        }
    }

    /// Whether the extents of one firing fit together; the shape rule can only say so of bounds.
    fn fits(&self, [x, index, source]: [&[usize]; 3]) -> Result<(), FireError> {
        let name = self.name();
        let wanted = |axis: usize| if axis == self.axis { index[0] } else { x[axis] };
        let Some(axis) = (0..x.len()).find(|&axis| source[axis] != wanted(axis)) else {
            return Ok(());
        };
        let (found, wanted) = (source[axis], wanted(axis));
        Err(FireError::failed(format!(
            "{name}: port source, dimension {axis}: found {found}; wanted {wanted}"
        )))
    }
}

impl Operator for IndexAdd {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.name()).input("x").input("index").input("source");
        let contract = contract.output("y").in_place(0, 0);
        contract.tolerance(match self.effect {
            Effect::Add(_) => Tolerance::SUM,
            Effect::Copy => Tolerance::EXACT,
        })
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, index, source) = (&inputs[0], &inputs[1], &inputs[2]);
        require::element("x", x, &[Element::F32, Element::F64, Element::I64])?;
        require::axis("x", x, self.axis)?;
        require::element("index", index, &[Element::I64])?;
        require::rank("index", index, 1)?;
        let mut wanted = x.clone();
        wanted.dimensions[self.axis] = index.dimensions[0];
        require::alike("source", source, &wanted, None)?;
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let label = inputs[0].rank() as u8;
        (axes.inputs[1][0], axes.inputs[2][self.axis]) = (label, label);
        let macs = inputs[2].elements() as u64;
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (index, dy) = (backward.input(1), backward.upstream(0));
        let dsource = backward.wants(2).then(|| {
            let taken = backward.apply(index_select(self.axis), &[dy, index]);
            match self.effect {
                Effect::Add(alpha) if alpha != 1.0 => backward.apply(scale(alpha), &[taken]),
                _ => taken,
            }
        });
        let dx = match self.effect {
            Effect::Add(_) => dy,
            Effect::Copy => {
                let source = backward.input(2);
                let zeros = backward.apply(fill(0.0), &[source]);
                backward.apply(*self, &[dy, index, zeros])
            }
        };
        Gradient::Of(vec![Some(dx), None, dsource])
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

/// Both: each axis, repeats, several pieces, integers, none, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: IndexAdd, extents: &[usize], indices: &[i64]| {
        let mut sources = extents.to_vec();
        sources[operator.axis] = indices.len();
        let index = Value::new(&[indices.len()], indices);
        let inputs = vec![noise(1, extents), index, noise(2, &sources)];
        Sample::new(name, operator, inputs, reference(move |x| vec![by_slices(x, operator)]))
    };
    let many: Vec<i64> = (0..31).map(|k| k * k % 211).collect();
    let both = |axis: usize| [index_add(axis, -2.0), index_copy(axis)].into_iter();
    let cases = both(0).flat_map(|operator| {
        let bounded = vec![
            bounded_first(Element::F32, 9, &[3]),
            bounded_first(Element::I64, 4, &[]),
            bounded_first(Element::F32, 4, &[3]),
        ];
        let integers = vec![ramp(Element::I64, &[5]), Value::new(&[3], &[4_i64, 1, 4])];
        let integers = [integers, vec![ramp(Element::I64, &[3])]].concat();
        let expect = reference(move |x| vec![by_slices(x, operator)]);
        let wrong = vec![noise(1, &[2]), Value::new(&[1], &[2_i64]), noise(2, &[1])];
        [
            case("first axis", operator, &[5, 3], &[4, 0]),
            case("several pieces", operator, &[211, 97], &many),
            case("bounded", operator, &[5, 3], &[3, 1]).with_specs(bounded),
            Sample::new("of integers", operator, integers, expect),
            Sample::new("outside", operator, wrong, Expect::Fails("found 2 at [0]; wanted 0 to")),
        ]
    });
    let inner = both(1).flat_map(|operator| {
        [
            case("middle axis", operator, &[2, 7, 3], &[6, 2, 5]),
            case("last axis", operator, &[5, 11], &[10, 3, 0, 1]),
            case("no index", operator, &[2, 3], &[]),
            case("none", operator, &[0, 3], &[1]),
        ]
    });
    let rejected = |name: &str, specs: [Spec; 3], port, dimension| {
        Sample::rejected(name, index_add(0, 1.0), specs.to_vec(), port, dimension)
    };
    let i64s = |extent: usize| Spec::new(Element::I64, [extent]);
    let some = [
        case("repeats", index_add(0, 1.0), &[5, 3], &[4, 0, 4, 4]),
        rejected("longer", [Spec::f32([2]), i64s(3), Spec::f32([2])], "source", Some(0)),
        rejected("no integers", [Spec::f32([2]), Spec::f32([2]), Spec::f32([2])], "index", None),
        rejected("mixed", [i64s(2), i64s(2), Spec::f32([2])], "source", None),
        rejected("bytes", [Spec::new(Element::U8, [2]), i64s(2), Spec::f32([2])], "x", None),
    ];
    cases.chain(inner).chain(some).collect()
}

/// The expectation: each place of the output looks through the index for itself.
fn by_slices(inputs: &[Tensor], IndexAdd { axis, effect }: IndexAdd) -> Tensor {
    let (x, index, source) = (&inputs[0], &inputs[1], &inputs[2]);
    Tensor::from_fn(&x.extents, |place| {
        let hits = (0..index.data.len()).filter(|&k| index.data[k] as usize == place[axis]);
        let mut values = hits.map(|k| {
            let mut from = place.to_vec();
            from[axis] = k;
            source.at(&from)
        });
        match effect {
            Effect::Add(alpha) => x.at(place) + alpha * values.sum::<f64>(),
            Effect::Copy => values.next_back().unwrap_or(x.at(place)),
        }
    })
}
