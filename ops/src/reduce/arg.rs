//! Where the largest or smallest element along one axis is: `y = argmax x`, `y = argmin x`.
//!
//! # Shape
//! `x`: `f32`, `f64`, `i32`, `i64` or `u8` -> `y`: `i64`, where the axis has extent 1
//! ([`Keep::Axes`]) or is gone ([`Keep::Nothing`]).
//!
//! # Gradient
//! None: the output is an index. [`super::extreme`] has the elements themselves.
//!
//! # Numerics
//! Exact. Of equal elements the first one is meant; `0` and `-0` are equal. A NaN is larger and
//! smaller than every number, as in PyTorch, so the first NaN is meant. Over an axis of extent 0
//! there is none: rejected, or a failed firing where a bounded axis is empty.
//!
//! # Example
//! ```
//! use synfire_ops::reduce::{arg::argmax, reduction::Keep};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let scores = [Value::new(&[2, 3], &[0.1_f32, 0.7, 0.2, 0.5, 0.0, 0.5])];
//! assert_eq!(fire_once(&argmax(1, Keep::Nothing), &scores)?[0].elements::<i64>(), [1, 0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::{cast_slice, cast_slice_mut};
use synfire_runtime::crew::Crew;
use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, Spec};
use synfire_runtime::value::Value;

use super::reduction::{self, Keep};
use crate::arrange::reshape::{Extent, reshape};
use crate::device::on_device;
use crate::host::erased::shares;
use crate::host::number::Number;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

#[cfg(feature = "cube")]
mod cube; // on accelerators

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] =
    &[("argmax", |case| named(case, argmax)), ("argmin", |case| named(case, argmin))];

fn named(case: &mut Case<'_>, arg: fn(usize, Keep) -> Arg) -> Result<Vec<Wire>, String> {
    let (x, keep) = (case.input("x")?, reduction::keep(case)?);
    if let Some(axis) = reduction::one_axis(case)? {
        return Ok(vec![case.apply(arg(axis, keep), &[x])]);
    }
    // Without an axis, the index in row-major order.
    let rank = if keep == Keep::Axes { case.spec_of(x)?.rank() } else { 0 };
    let flat = case.apply(reshape(&[Extent::Infer]), &[x]);
    let index = case.apply(arg(0, Keep::Nothing), &[flat]);
    Ok(vec![case.apply(reshape(&vec![Extent::Is(1); rank]), &[index])])
}

/// Input elements below which a share of the output is not worth another core.
const GRAIN: usize = 16 * 1024;

/// The index of the largest element along `axis`.
#[must_use]
pub fn argmax(axis: usize, keep: Keep) -> Arg {
    Arg { name: "argmax", axis, keep, extreme: Extreme::Largest }
}

/// The index of the smallest element along `axis`.
#[must_use]
pub fn argmin(axis: usize, keep: Keep) -> Arg {
    Arg { name: "argmin", axis, keep, extreme: Extreme::Smallest }
}

/// See [`argmax`] and [`argmin`].
#[derive(Clone, Debug)]
pub struct Arg {
    name: &'static str,
    axis: usize,
    keep: Keep,
    extreme: Extreme,
}

#[derive(Clone, Copy, Debug)]
enum Extreme {
    Largest,
    Smallest,
}

impl Arg {
    /// The extents of the output for an input of these extents.
    fn outcome(&self, extents: &[usize]) -> Result<Extents, FireError> {
        let Self { name, axis, keep, .. } = *self;
        let outcome = keep.extents(extents, &[axis]);
        if extents[axis] == 0 && outcome.elements() > 0 {
            let cause = format!("port x has extent 0 at dimension {axis}: no {name} of nothing");
            return Err(FireError::failed(cause));
        }
        Ok(outcome)
    }
}

impl Operator for Arg {
    fn contract(&self) -> Contract {
        Contract::new(self.name).input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        let numbers = [Element::F32, Element::F64, Element::I32, Element::I64, Element::U8];
        require::element("x", x, &numbers)?;
        require::axis("x", x, self.axis)?;
        if x.bound(self.axis) == 0 {
            return Err(SpecError::new("x", 0, "an extent of at least 1").at(self.axis));
        }
        let one = Dimension::Fixed(1);
        Ok(vec![Spec::new(Element::I64, self.keep.output(&x.dimensions, &[self.axis], one))])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let axes = self.keep.axes(inputs[0].rank(), &[self.axis]);
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Absent("an index has no derivative")
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let element = specs.inputs[0].element;
        on_device!(
            target,
            specs,
            host: OnHost { operator: self.clone(), element },
            cube: cube::OnCube::new(self.clone(), element)?
        )
    }
}

struct OnHost {
    operator: Arg,
    element: Element,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let Arg { axis, extreme, .. } = self.operator;
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        let extents = x.extents();
        y.set_extents(&self.operator.outcome(&extents)?);
        if y.bytes().is_empty() {
            return Ok(());
        }
        let slabs = [extents[axis], extents[axis + 1..].iter().product()];
        let on_host = match self.element {
            Element::F32 => on_host::<f32>,
            Element::F64 => on_host::<f64>,
            Element::I32 => on_host::<i32>,
            Element::I64 => on_host::<i64>,
            _ => on_host::<u8>,
        };
        on_host(crew, (extreme, slabs), x.bytes(), y.bytes());
        Ok(())
    }
}

/// Finds the extreme of each of the `inner` interleaved rows of each slab.
fn on_host<T: Number>(
    crew: &Crew,
    (extreme, [length, inner]): (Extreme, [usize; 2]),
    x: &[u8],
    y: &mut [u8],
) {
    let x: &[T] = cast_slice(x);
    let share = (GRAIN / length).max(1) * size_of::<i64>();
    shares(crew, y, share, &|first, y| {
        let first = first / size_of::<i64>();
        for (index, y) in cast_slice_mut::<u8, i64>(y).iter_mut().enumerate() {
            let (slab, column) = ((first + index) / inner, (first + index) % inner);
            let row = x[slab * length * inner + column..].iter().step_by(inner).take(length);
            *y = match extreme {
                Extreme::Largest => first_best(row, |a, b| a > b),
                Extreme::Smallest => first_best(row, |a, b| a < b),
            };
        }
    });
}

/// The index of the first element that no other is better than.
#[inline]
fn first_best<'a, T: Number>(
    row: impl Iterator<Item = &'a T>,
    is_better: impl Fn(T, T) -> bool,
) -> i64 {
    let mut best: Option<(i64, T)> = None;
    for (index, &x) in (0..).zip(row) {
        match best {
            Some((_, top)) if top.is_nan() || !(is_better(x, top) || x.is_nan()) => {}
            _ => best = Some((index, x)),
        }
    }
    best.map_or(0, |(index, _)| index)
}

/// Last, inner and first axis, ties, NaN, each element type, one element, none; wrong axes.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let nan = [1.0, f64::NAN, 3.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
    let nan = || Value::new(&[2, 4], &nan.map(|x| x as f32));
    let ties = || vec![Value::new(&[6], &[2_i32, 7, 7, -1, -1, 0])];
    let literal =
        |extents: &[usize], y: &[f64]| Expect::Outputs(vec![Tensor::new(extents, y.to_vec())]);
    let bounded = vec![bounded_first(Element::F32, 9, &[3])];
    let doubles: Vec<f64> = (0..15).map(|n| f64::from(n * 7 % 15)).collect();
    let plain = |name: &str, extents: &[usize], axis: usize| {
        Sample::new(name, argmax(axis, Keep::Axes), vec![noise(1, extents)], by_sorting(axis))
    };
    vec![
        plain("last axis", &[5, 37], 1),
        plain("inner axis", &[3, 11, 7], 1),
        plain("first axis", &[13, 4], 0),
        plain("one element", &[1], 0),
        plain("nothing kept", &[0, 3], 1),
        plain("many", &[2, 3, 16_411], 1),
        plain("bounded", &[5, 3], 0).with_specs(bounded),
        Sample::new("ties", argmax(0, Keep::Nothing), ties(), literal(&[], &[1.0])),
        Sample::new("ties", argmin(0, Keep::Nothing), ties(), literal(&[], &[3.0])),
        Sample::new("NaN", argmax(1, Keep::Nothing), vec![nan()], literal(&[2], &[1.0, 0.0])),
        Sample::new("NaN", argmin(1, Keep::Nothing), vec![nan()], literal(&[2], &[1.0, 1.0])),
        Sample::new(
            "of f64",
            argmax(1, Keep::Axes),
            vec![Value::new(&[3, 5], &doubles)],
            by_sorting(1),
        ),
        Sample::new(
            "of bytes",
            argmin(0, Keep::Nothing),
            vec![Value::new(&[2, 2], &[255_u8, 3, 254, 4])],
            literal(&[2], &[1.0, 0.0]),
        ),
        Sample::new(
            "of i64",
            argmax(0, Keep::Nothing),
            vec![Value::new(&[3], &[i64::MIN, i64::MAX, 0])],
            literal(&[], &[1.0]),
        ),
        Sample::rejected("empty axis", argmax(0, Keep::Axes), vec![Spec::f32([0])], "x", Some(0)),
        Sample::rejected("missing axis", argmax(1, Keep::Axes), vec![Spec::f32([4])], "x", None),
        Sample::rejected(
            "no order",
            argmin(0, Keep::Axes),
            vec![Spec::new(Element::Bool, [4])],
            "x",
            None,
        ),
    ]
}

/// The expectation for numbers that differ, by sorting indices; the axis stays.
fn by_sorting(axis: usize) -> Expect {
    reference(move |inputs| {
        let x = &inputs[0];
        let mut extents = x.extents.clone();
        extents[axis] = 1;
        vec![Tensor::from_fn(&extents, |index| {
            let at = |k: usize| {
                let mut other = index.to_vec();
                other[axis] = k;
                x.at(&other)
            };
            let mut order: Vec<usize> = (0..x.extents[axis]).collect();
            order.sort_by(|&a, &b| at(b).total_cmp(&at(a)));
            order[0] as f64
        })]
    })
}
