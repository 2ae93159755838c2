//! Slice: every `step`-th place of an axis from `start` to before `end`.
//!
//! # Shape
//! `x`: `[.., n, ..]` -> `y`: `[.., ceil((end - start) / step), ..]`. A bounded axis stays bounded:
//! a token shorter than `end` gives the places it has. Any element type.
//!
//! # Gradient
//! `dx` is `dy` at the places taken and zero elsewhere.
//!
//! # Numerics
//! Exact: bytes are moved. As NumPy's `x[start:end:step]` for a positive step, but `end` must not
//! exceed the extent or bound.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::slice::slice;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[5], &[0_i32, 1, 2, 3, 4]);
//! assert_eq!(fire_once(&slice(0, 1, 5, 2), &[x])?[0].elements::<i32>(), [1, 3]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::{
    inset::inset,
    pad::{PadMode, pad},
    reshape::{Extent, reshape},
};
use crate::device::on_device;
use crate::host::strided::{Strided, Viewed};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Torch, place};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("slice", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axes = case.integers(case.spelling(&["dim", "axis", "dims", "axes"]))?;
        let axes = axes.unwrap_or(vec![0]);
        let list = |name: &'static str| -> Result<Option<Vec<i64>>, String> {
            let list = case.integers(name)?;
            let fits = list.as_ref().is_none_or(|list| list.len() == axes.len());
            if fits { Ok(list) } else { Err(format!("{axes:?} axes, `{name}` {list:?}")) }
        };
        let starts = list(case.spelling(&["start", "starts"]))?;
        let ends = list(case.spelling(&["end", "ends", "stop"]))?;
        let steps = list(case.spelling(&["step", "steps"]))?;
        let mut y = x;
        for (k, &axis) in axes.iter().enumerate() {
            let spec = case.spec_of(y)?;
            let axis = place(axis, spec.rank())?;
            let extent = spec.bound(axis) as i64;
            let of = |list: &Option<Vec<i64>>, default| list.as_ref().map_or(default, |l| l[k]);
            let inside = |at: i64| (if at < 0 { at + extent } else { at }).clamp(0, extent);
            let (start, end) = (inside(of(&starts, 0)), inside(of(&ends, extent)));
            let step = usize::try_from(of(&steps, 1)).map_err(|_| "a negative step")?;
            let (start, end) = (start as usize, end.max(start) as usize);
            y = case.apply(slice(axis, start, end, step), &[y]);
        }
        Ok(vec![y])
    }),
    ("narrow", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let extent = case.spec_of(x)?.bound(axis) as i64;
        let start = case.integer("start", 0)?;
        let start = usize::try_from(if start < 0 { start + extent } else { start });
        let start = start.map_err(|_| "a start before the axis")?;
        let length = case.sizes("length", 1, 0)?[0];
        Ok(vec![case.apply(slice(axis, start, start + length, 1), &[x])])
    }),
    ("select", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let mut extents = case.spec_of(x)?.bounds();
        let index = place(case.integer("index", 0)?, extents[axis])?;
        let part = case.apply(slice(axis, index, index + 1, 1), &[x]);
        extents.remove(axis);
        let extents: Vec<Extent> = extents.into_iter().map(Extent::Is).collect();
        Ok(vec![case.apply(reshape(&extents), &[part])])
    }),
];

/// The places `start`, `start + step`, ... before `end` of `axis`.
#[must_use]
pub fn slice(axis: usize, start: usize, end: usize, step: usize) -> Slice {
    Slice { axis, start, end, step }
}

/// See [`slice()`].
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    axis: usize,
    start: usize,
    end: usize,
    step: usize,
}

impl Slice {
    /// How many places an axis of this extent gives.
    fn count(&self, extent: usize) -> usize {
        self.end.min(extent).saturating_sub(self.start).div_ceil(self.step)
    }
}

impl Operator for Slice {
    fn contract(&self) -> Contract {
        Contract::new("slice").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let mut y = inputs[0].clone();
        require::axis("x", &y, self.axis)?;
        let Self { start, end, step, .. } = *self;
        let dimension = &mut y.dimensions[self.axis];
        if step == 0 || start > end || end > dimension.bound() {
            let wanted = format!("0 <= start {start} <= end {end} <= extent, step {step} >= 1");
            return Err(SpecError::new("x", dimension, wanted).at(self.axis));
        }
        *dimension = match *dimension {
            Dimension::Fixed(extent) => Dimension::Fixed(self.count(extent)),
            Dimension::UpTo(bound) => Dimension::UpTo(self.count(bound)),
        };
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.outputs[0][self.axis] = inputs[0].rank() as u8;
        // Only the places taken are read.
        let bytes = 2 * outputs[0].bytes() as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, dy, axis) = (backward.input(0), backward.upstream(0), self.axis);
        let spec = backward.input_spec(0);
        let (rank, length) = (spec.rank(), spec.bound(axis));
        let at_axis = |place: usize, elsewhere: usize| {
            let mut all = vec![elsewhere; rank];
            all[axis] = place;
            all
        };
        if self.step == 1 && !spec.dimensions[axis].is_bounded() {
            let (before, after) = (at_axis(self.start, 0), at_axis(length - self.end, 0));
            let around = pad(&before, &after, PadMode::Constant(0.0));
            return Gradient::one(backward.apply(around, &[dy]));
        }
        let inside = inset(&at_axis(self.start, 0), &at_axis(self.step, 1));
        Gradient::one(backward.apply(inside, &[dy, x]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let slice = *self;
        let view = move |extents: &[usize]| {
            let count = slice.count(extents[slice.axis]);
            Strided::dense(extents).slice(slice.axis, slice.start, count, slice.step)
        };
        on_device!(target, specs, host: Viewed(view), cube: Viewed(view))
    }
}

/// Every element type, outer and inner axes, steps, empty, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let at = |axis: usize, start: usize, step: usize, count: usize| {
        reference(move |inputs| vec![by_index(&inputs[0], [axis, start, step, count])])
    };
    let every = Element::ALL.map(|element| {
        let x = vec![ramp(element, &[3, 11, 5])];
        Sample::new(format!("middle axis, {element}"), slice(1, 2, 9, 3), x, at(1, 2, 3, 3))
    });
    let x = |extents: &[usize]| vec![ramp(f32, extents)];
    let bounded = || vec![bounded_first(f32, 10, &[3])];
    let some = vec![
        Sample::new("outer axis", slice(0, 1, 4, 1), x(&[5, 3]), at(0, 1, 1, 3)),
        Sample::new("inner axis", slice(1, 1, 7, 2), x(&[5, 7]), at(1, 1, 2, 3)),
        Sample::new("pieces", slice(1, 1, 900, 1), x(&[37, 1000]), at(1, 1, 1, 899)),
        Sample::new("all", slice(0, 0, 5, 1), x(&[5]), at(0, 0, 1, 5)),
        Sample::new("none", slice(0, 2, 2, 1), x(&[5, 2]), at(0, 2, 1, 0)),
        Sample::new("of none", slice(0, 0, 0, 1), x(&[0, 2]), at(0, 0, 1, 0)),
        Sample::new("bounded", slice(0, 1, 9, 2), x(&[6, 3]), at(0, 1, 2, 3)).with_specs(bounded()),
        Sample::new("too short", slice(0, 5, 9, 2), x(&[3, 3]), at(0, 5, 2, 0))
            .with_specs(bounded()),
        Sample::rejected("past the end", slice(1, 0, 4, 1), vec![Spec::f32([9, 3])], "x", Some(1)),
        Sample::rejected("no step", slice(0, 0, 4, 0), vec![Spec::f32([9])], "x", Some(0)),
        Sample::rejected("backwards", slice(0, 3, 2, 1), vec![Spec::f32([9])], "x", Some(0)),
        Sample::rejected("missing axis", slice(1, 0, 1, 1), vec![Spec::f32([1])], "x", None),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: the element at `start + k * step`.
fn by_index(x: &Tensor, [axis, start, step, count]: [usize; 4]) -> Tensor {
    let mut extents = x.extents.clone();
    extents[axis] = count;
    Tensor::from_fn(&extents, |index| {
        let mut index = index.to_vec();
        index[axis] = start + index[axis] * step;
        x.at(&index)
    })
}
