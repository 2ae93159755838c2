//! Split: parts of an axis as outputs of their own.
//!
//! # Shape
//! `x`: `[.., sum sizes, ..]` -> `y0`, `y1`, ...: `[.., sizes[k], ..]`. The axis is fixed, others
//! may be bounded. Any element type; 1 to 64 outputs.
//!
//! # Gradient
//! `dx` is the `concat` of `dy0`, `dy1`, ... along the axis.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `split` with sizes.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::split::split;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&split(0, &[1, 2]), &[Value::new(&[3], &[1_i32, 2, 3])])?;
//! assert_eq!(y[1].elements::<i32>(), [2, 3]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::concat::concat;
use super::reshape::{Extent, reshape};
use crate::device::on_device;
use crate::host::strided::{SOURCES_MAX, Strided, copy};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Attribute, Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("split", torch),
    ("split_with_sizes", torch),
    ("chunk", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let extent = case.spec_of(x)?.bound(axis);
        let chunks = case.sizes(case.spelling(&["chunks", "n"]), 1, 1)?[0].max(1);
        let sizes = equal_parts(extent, extent.div_ceil(chunks));
        Ok(case.apply_many(split(axis, &sizes), &[x]))
    }),
    ("tensor_split", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let extent = case.spec_of(x)?.bound(axis);
        let name = case.spelling(&["indices_or_sections", "sections", "indices"]);
        let given = case.integers(name)?.ok_or("no sections")?;
        let mut ends: Vec<usize> = match case.attribute(name) {
            Some(Attribute::List(_)) => {
                let inside = |&at: &i64| if at < 0 { at + extent as i64 } else { at };
                given.iter().map(|at| inside(at).clamp(0, extent as i64) as usize).collect()
            }
            // The first parts have one more where they cannot all be alike.
            _ => {
                let count = usize::try_from(given[0]).unwrap_or(0).max(1);
                let (each, more) = (extent / count, extent % count);
                (1..count).map(|part| part * each + part.min(more)).collect()
            }
        };
        ends.push(extent);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let sizes = starts.zip(&ends).map(|(start, end)| end.saturating_sub(start));
        Ok(case.apply_many(split(axis, &sizes.collect::<Vec<_>>()), &[x]))
    }),
    ("unbind", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        let mut extents = case.spec_of(x)?.bounds();
        let count = extents.remove(axis);
        let extents: Vec<Extent> = extents.into_iter().map(Extent::Is).collect();
        let parts = case.apply_many(split(axis, &vec![1; count]), &[x]);
        Ok(parts.into_iter().map(|part| case.apply(reshape(&extents), &[part])).collect())
    }),
];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
    let extent = case.spec_of(x)?.bound(axis);
    let spellings =
        ["split_size_or_sections", "split_size", "split_sizes", "sizes", "sections", "size"];
    let name = case.spelling(&spellings);
    let given = case.integers(name)?.ok_or("no split size")?;
    let sizes: Result<Vec<usize>, _> = given.iter().map(|&n| usize::try_from(n)).collect();
    let sizes = sizes.map_err(|_| format!("sizes {given:?}"))?;
    let is_list = matches!(case.attribute(name), Some(Attribute::List(_)));
    let sizes = if is_list { sizes } else { equal_parts(extent, sizes[0]) };
    Ok(case.apply_many(split(axis, &sizes), &[x]))
}

/// Parts of `size` and a shorter last one; one of none where the extent is none.
fn equal_parts(extent: usize, size: usize) -> Vec<usize> {
    let size = size.max(1);
    let count = extent.div_ceil(size).max(1);
    (0..count).map(|part| size.min(extent - part * size)).collect()
}

/// The parts of `axis` of these `sizes`, in order; together they are the axis.
#[must_use]
pub fn split(axis: usize, sizes: &[usize]) -> Split {
    Split { axis, sizes: sizes.to_vec() }
}

/// See [`split`].
#[derive(Clone, Debug)]
pub struct Split {
    axis: usize,
    sizes: Vec<usize>,
}

impl Operator for Split {
    fn contract(&self) -> Contract {
        let contract = Contract::new("split").input("x");
        contract.output_list("y", self.sizes.len()).tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::axis("x", x, self.axis)?;
        require::count("y", self.sizes.len(), SOURCES_MAX)?;
        let extent = require::fixed("x", x, self.axis)?;
        let sum: usize = self.sizes.iter().sum();
        if extent != sum {
            let wanted = format!("{sum}, the sum of the sizes {:?}", self.sizes);
            return Err(SpecError::new("x", extent, wanted).at(self.axis));
        }
        let part = |&size: &usize| {
            let mut y = x.clone();
            y.dimensions[self.axis] = Dimension::Fixed(size);
            y
        };
        Ok(self.sizes.iter().map(part).collect())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // The axis of the input is consumed, that of each output produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        let first = inputs[0].rank() as u8;
        for (label, port) in (first..).zip(axes.outputs.iter_mut()) {
            port[self.axis] = label;
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let parts: Vec<Wire> = (0..self.sizes.len()).map(|part| backward.upstream(part)).collect();
        Gradient::one(backward.apply(concat(self.axis, parts.len()), &parts))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(self.clone()), cube: cube::OnCube(self.clone()))
    }
}

struct OnHost(Split);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let x = firing.input(0);
        let mut start = 0;
        for (output, &size) in self.0.sizes.iter().enumerate() {
            let part = Strided::dense(&x.extents()).slice(self.0.axis, start, size, 1);
            let mut y = firing.output(output);
            y.set_extents(&part.extents());
            copy(firing.crew(), x.spec().element, &part, x.bytes(), y.bytes());
            start += size;
        }
        Ok(())
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, Split, Strided};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::strided::copy;

    pub(super) struct OnCube(pub(super) Split);

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, mut start) = (call.input(0), 0);
            for (output, &size) in self.0.sizes.iter().enumerate() {
                let part = Strided::dense(&x.extents()).slice(self.0.axis, start, size, 1);
                let y = call.set_extents(output, &part.extents());
                copy(call, &part, &x, &y)?;
                start += size;
            }
            Ok(())
        }
    }
}

/// Every element type, outer and inner axes, empty parts, a bounded other axis, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let parts = |axis: usize, sizes: &'static [usize]| {
        reference(move |inputs| by_shifting(&inputs[0], axis, sizes))
    };
    let f32 = Element::F32;
    let every = Element::ALL.map(|element| {
        let x = ramp(element, &[3, 7, 5]);
        Sample::new(
            format!("middle axis, {element}"),
            split(1, &[2, 5]),
            vec![x],
            parts(1, &[2, 5]),
        )
    });
    let x = |extents: &[usize]| vec![ramp(f32, extents)];
    let some = vec![
        Sample::new("outer axis", split(0, &[1, 4]), x(&[5, 3]), parts(0, &[1, 4])),
        Sample::new("columns", split(1, &[1, 1, 1]), x(&[7, 3]), parts(1, &[1, 1, 1])),
        Sample::new("pieces", split(1, &[997, 3]), x(&[37, 1000]), parts(1, &[997, 3])),
        Sample::new("empty parts", split(0, &[0, 2, 0]), x(&[2]), parts(0, &[0, 2, 0])),
        Sample::new("bounded", split(1, &[1, 2]), x(&[4, 3]), parts(1, &[1, 2]))
            .with_specs(vec![bounded_first(f32, 9, &[3])]),
        Sample::rejected("wrong sum", split(0, &[1, 1]), vec![Spec::f32([3])], "x", Some(0)),
        Sample::rejected(
            "bounded axis",
            split(0, &[1, 1]),
            vec![bounded_first(f32, 2, &[])],
            "x",
            Some(0),
        ),
        Sample::rejected("missing axis", split(1, &[1]), vec![Spec::f32([1])], "x", None),
        Sample::rejected("no parts", split(0, &[]), vec![Spec::f32([0])], "y", None),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: each part asks the input at an index shifted by the sizes before it.
fn by_shifting(x: &Tensor, axis: usize, sizes: &[usize]) -> Vec<Tensor> {
    let part = |k: usize| {
        let mut extents = x.extents.clone();
        extents[axis] = sizes[k];
        Tensor::from_fn(&extents, |index| {
            let mut index = index.to_vec();
            index[axis] += sizes[..k].iter().sum::<usize>();
            x.at(&index)
        })
    };
    (0..sizes.len()).map(part).collect()
}
