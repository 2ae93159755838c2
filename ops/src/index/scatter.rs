//! Scatter: the elements of `source` reduced onto `x` at the indices along an axis.
//!
//! | operator | along axis 0 |
//! |---|---|
//! | [`scatter_add`] | `y = x`, then `y[index[i][j]][j] += source[i][j]` |
//! | [`scatter_prod`] | the same with `*=` |
//! | [`scatter_max`] | `y = x`, then `y[index[i][j]][j] = max(.., source[i][j])` |
//! | [`scatter_min`] | the same with `min` |
//! | [`scatter_replace`] | `y = x`, then `y[index[i][j]][j] = source[i][j]` |
//!
//! # Shape
//! `x`: `f32`, `f64` or `i64` of at least one dimension; `index`: `i64` and `source`: as `x`, of
//! the same rank; `index` is nowhere longer than `source`, nor than `x` but along the axis -> `y`:
//! as `x`. Bounded dimensions stay bounded.
//!
//! # Gradient
//! Add: `dx = dy`, `dsource` is `gather` of `dy` at the indices. Product: `dy` times the product of
//! the others. Max and min: where `x` or `source` is the extreme, shared equally among those that
//! are. Replace: `dx` is `dy` with zeros at the indices, `dsource` as of add, for every one of
//! equal indices, as in PyTorch. None for `index`.
//!
//! # Numerics
//! In ascending order of the source's index, one rounding each; integers wrap. Max and min: +0
//! exceeds -0 and a NaN gives NaN, so the order does not matter. Replace: of equal indices the last
//! stays, where PyTorch leaves it open. An index outside `0..n`, negative ones too, fails the
//! firing. As PyTorch's `scatter_reduce` with the input included. An accelerator cannot fail for
//! one index: it leaves that element out.
//!
//! # Example
//! ```
//! use synfire_ops::index::scatter::scatter_add;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2], &[1.0_f32, 2.0]);
//! let source = Value::new(&[3], &[10.0_f32, 20.0, 30.0]);
//! let y = fire_once(&scatter_add(0), &[x, Value::new(&[3], &[1_i64, 0, 1]), source])?;
//! assert_eq!(y[0].elements::<f32>(), [21.0, 42.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair, ViewMut};
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::indices::{fits, in_range};
use crate::host::pieces::pieces;
use crate::host::scatter::{Number, Walk};
use crate::require;
use crate::sample::{Expect, Sample, bounded_first, noise, reference, tensor};

mod backward; // the gradients
#[cfg(feature = "cube")]
mod cube; // on accelerators
mod expected; // what the samples expect
use expected::{by_searching, special};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// Adds the elements of `source` to `x` at the indices along `axis`.
#[must_use]
pub fn scatter_add(axis: usize) -> Scatter {
    Scatter { axis, reduction: Reduction::Add }
}

/// The product of `x` and the elements of `source` at the indices along `axis`.
#[must_use]
pub fn scatter_prod(axis: usize) -> Scatter {
    Scatter { axis, reduction: Reduction::Product }
}

/// The largest of `x` and the elements of `source` at the indices along `axis`.
#[must_use]
pub fn scatter_max(axis: usize) -> Scatter {
    Scatter { axis, reduction: Reduction::Max }
}

/// The smallest of `x` and the elements of `source` at the indices along `axis`.
#[must_use]
pub fn scatter_min(axis: usize) -> Scatter {
    Scatter { axis, reduction: Reduction::Min }
}

/// Puts the elements of `source` in the place of those of `x` at the indices along `axis`.
#[must_use]
pub fn scatter_replace(axis: usize) -> Scatter {
    Scatter { axis, reduction: Reduction::Replace }
}

/// See [`scatter_add`] and the other constructors.
#[derive(Clone, Copy, Debug)]
pub struct Scatter {
    axis: usize,
    reduction: Reduction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reduction {
    Add,
    Product,
    Max,
    Min,
    Replace,
}

impl Reduction {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "scatter_add",
            Self::Product => "scatter_prod",
            Self::Max => "scatter_max",
            Self::Min => "scatter_min",
            Self::Replace => "scatter_replace",
        }
    }
}

impl Operator for Scatter {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.reduction.name()).input("x").input("index");
        let contract = contract.input("source").output("y").in_place(0, 0);
        contract.tolerance(match self.reduction {
            Reduction::Add | Reduction::Product => Tolerance::SUM,
            Reduction::Max | Reduction::Min | Reduction::Replace => Tolerance::EXACT,
        })
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [x, index, source] = inputs else { unreachable!("scatter has three inputs") };
        require::element("x", x, &[Element::F32, Element::F64, Element::I64])?;
        require::axis("x", x, self.axis)?;
        require::element("index", index, &[Element::I64])?;
        require::rank("index", index, x.rank())?;
        require::element("source", source, &[x.element])?;
        require::rank("source", source, x.rank())?;
        for axis in 0..x.rank() {
            require::within("index", index, axis, &source.dimensions[axis])?;
            if axis != self.axis {
                require::within("index", index, axis, &x.dimensions[axis])?;
            }
        }
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let rank = inputs[0].rank() as u8;
        for axis in 0..inputs[0].rank() {
            let extents = [0, 1, 2].map(|input| inputs[input].dimensions[axis]);
            let whole = extents[0] == extents[1] && extents[1] == extents[2];
            if axis == self.axis || !whole {
                axes.inputs[1][axis] += rank;
                axes.inputs[2][axis] += rank * if extents[1] == extents[2] { 1 } else { 2 };
            }
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        backward::gradient(*self, backward)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube::new(*self, specs)?)
    }
}

struct OnHost(Scatter);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let mut y = match firing.pair(0, 0) {
            Pair::Same(y) => y,
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                y.bytes().copy_from_slice(x.bytes());
                y
            }
        };
        match y.spec().element {
            Element::F32 => self.reduce::<f32>(firing, &mut y),
            Element::F64 => self.reduce::<f64>(firing, &mut y),
            _ => self.reduce::<i64>(firing, &mut y),
        }
    }
}

impl OnHost {
    fn reduce<T: Number>(&self, firing: &Firing<'_>, y: &mut ViewMut<'_>) -> Result<(), FireError> {
        let Scatter { axis, reduction } = self.0;
        let (index, source) = (firing.input(1), firing.input(2));
        let (extents, places, sources) = (y.extents(), index.extents(), source.extents());
        fits(reduction.name(), &places, &sources, None)?;
        fits(reduction.name(), &places, &extents, Some(axis))?;
        let indices = index.elements::<i64>();
        in_range(reduction.name(), "index", indices, &places, extents[axis])?;
        let walk = Walk { indices, places, sources, extents, axis };
        let source = source.elements::<T>();
        // Slabs before the axis are independent of each other.
        let slab = extents[axis..].iter().product();
        pieces(firing.crew(), y.elements::<T>(), slab, &|offset, piece| {
            for (y, at) in piece.chunks_exact_mut(slab).zip(offset / slab..) {
                match reduction {
                    Reduction::Add => walk.slab(at, y, source, T::plus),
                    Reduction::Product => walk.slab(at, y, source, T::times),
                    Reduction::Max => walk.slab(at, y, source, T::larger),
                    Reduction::Min => walk.slab(at, y, source, T::smaller),
                    Reduction::Replace => walk.slab(at, y, source, |_, value| value),
                }
            }
        });
        Ok(())
    }
}

/// Every reduction: each axis, shorter indices, special values, none, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let every = |axis: usize| {
        [scatter_add, scatter_prod, scatter_max, scatter_min].map(|new| new(axis)).into_iter()
    };
    let case = |name: &str, operator: Scatter, shapes: [&[usize]; 3]| {
        let [extents, places, sources] = shapes;
        let bound = extents[operator.axis].max(1) as u64;
        let count = places.iter().product::<usize>() as u64;
        let indices: Vec<i64> = (0..count).map(|k| (k * k % 1009 % bound) as i64).collect();
        let inputs = vec![noise(1, extents), Value::new(places, &indices), noise(2, sources)];
        Sample::new(name, operator, inputs, reference(move |x| vec![by_searching(x, operator)]))
    };
    let whole = |element: Element, operator: Scatter| {
        let sample = case("", operator, [&[3, 7], &[3, 11], &[3, 11]]);
        let whole = |value: Value| -> Value {
            let numbers = tensor(&value).data.into_iter().map(|x| (x * 100.0).round());
            match element {
                Element::F64 => Value::new(&value.extents, &numbers.collect::<Vec<f64>>()),
                _ => Value::new(&value.extents, &numbers.map(|x| x as i64).collect::<Vec<i64>>()),
            }
        };
        let mut inputs: Vec<Value> = sample.inputs.into_iter().flatten().collect();
        inputs[0] = whole(inputs[0].clone());
        inputs[2] = whole(inputs[2].clone());
        Sample::new(format!("{element}"), operator, inputs, sample.expect)
    };
    let cases = [0, 1, 2].into_iter().flat_map(every).flat_map(|operator| {
        [
            case("axis", operator, [&[5, 3, 7], &[5, 3, 7], &[5, 3, 7]]),
            case("shorter", operator, [&[5, 4, 7], &[2, 3, 5], &[3, 3, 11]]),
            case("none", operator, [&[2, 3, 1], &[2, 0, 1], &[2, 3, 1]]),
        ]
    });
    let more = every(0).flat_map(|operator| {
        let bounded = vec![
            bounded_first(Element::F32, 9, &[3]),
            bounded_first(Element::I64, 8, &[3]),
            bounded_first(Element::F32, 8, &[3]),
        ];
        [
            case("vector", operator, [&[5], &[1009], &[1009]]),
            case("onto none", operator, [&[0, 3], &[0, 3], &[0, 3]]),
            case("bounded", operator, [&[5, 3], &[4, 3], &[6, 3]]).with_specs(bounded),
            Sample::new(
                "outside",
                operator,
                vec![noise(1, &[2]), Value::new(&[2], &[0_i64, 2]), noise(2, &[2])],
                Expect::Fails("port index: found 2 at [1]; wanted 0 to below 2"),
            ),
        ]
    });
    let slabs = every(1).map(|o| case("several pieces", o, [&[211, 97], &[211, 31], &[211, 31]]));
    let others = every(1).flat_map(|o| [Element::F64, Element::I64].map(|e| whole(e, o)));
    let others = others.chain([whole(Element::I64, scatter_replace(1))]);
    cases.chain(more).chain(slabs).chain(others).chain(special()).collect()
}
