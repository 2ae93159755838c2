//! Concat: the inputs one after the other along an axis.
//!
//! # Shape
//! `x0`, `x1`, ...: `[.., n_k, ..]`, alike but for the axis -> `y`: `[.., sum n_k, ..]`. Where one
//! `n_k` is bounded, so is the sum. Any element type; 1 to 64 inputs.
//!
//! # Gradient
//! `dx_k` is the part of `dy` that came from `x_k`: `slice` along the axis, or `split_like` where
//! the axis is bounded.
//!
//! # Numerics
//! Exact: bytes are moved. Other bounded axes must have one actual extent in all inputs; a firing
//! in which they differ fails. As PyTorch's `cat`.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::concat::concat;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let (a, b) = (Value::new(&[2], &[1_i32, 2]), Value::new(&[1], &[3_i32]));
//! assert_eq!(fire_once(&concat(0, 2), &[a, b])?[0].elements::<i32>(), [1, 2, 3]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use super::{slice::slice, split_like::split_like, stack::stack};
use crate::device::on_device;
use crate::host::strided::{SOURCES_MAX, interleave};
use crate::require;
use crate::sample::{Sample, Tensor, ramp, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("cat", torch),
    ("concat", torch),
    ("concatenate", torch),
    ("hstack", |case| {
        let parts = listed(case)?;
        let axis = usize::from(case.spec_of(parts[0])?.rank() > 1);
        Ok(vec![case.apply(concat(axis, parts.len()), &parts)])
    }),
    ("vstack", |case| {
        let parts = listed(case)?;
        if case.spec_of(parts[0])?.rank() < 2 {
            return Ok(vec![case.apply(stack(0, parts.len()), &parts)]);
        }
        Ok(vec![case.apply(concat(0, parts.len()), &parts)])
    }),
];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let parts = listed(case)?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), parts[0], 0)?;
    Ok(vec![case.apply(concat(axis, parts.len()), &parts)])
}

/// The inputs of an operator that takes a list: all floats, by their names, numbers in order.
pub(super) fn listed(case: &Case<'_>) -> Result<Vec<Wire>, String> {
    let mut parts = Vec::new();
    for name in case.input_names() {
        let wire = case.input(name)?;
        if case.spec_of(wire)?.element.is_float() {
            let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let number = name[word.len()..].parse::<u64>().ok();
            parts.push((word.to_owned(), number, wire));
        }
    }
    parts.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let parts: Vec<Wire> = parts.into_iter().map(|(_, _, wire)| wire).collect();
    if parts.is_empty() { Err("no float input".into()) } else { Ok(parts) }
}

/// The concatenation of `count` inputs along `axis`.
#[must_use]
pub fn concat(axis: usize, count: usize) -> Concat {
    Concat { axis, count }
}

/// See [`concat()`].
#[derive(Clone, Debug)]
pub struct Concat {
    axis: usize,
    count: usize,
}

impl Operator for Concat {
    fn contract(&self) -> Contract {
        let contract = Contract::new("concat").input_list("x", self.count);
        contract.output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::count("x", inputs.len(), SOURCES_MAX)?;
        let mut y = inputs[0].clone();
        require::axis("x0", &y, self.axis)?;
        for (index, x) in inputs.iter().enumerate() {
            require::alike(&format!("x{index}"), x, &y, Some(self.axis))?;
        }
        let sum = inputs.iter().map(|x| x.bound(self.axis)).sum();
        let varies = inputs.iter().any(|x| x.dimensions[self.axis].is_bounded());
        y.dimensions[self.axis] = if varies { Dimension::UpTo(sum) } else { Dimension::Fixed(sum) };
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // The joined axis of each input is consumed, that of the output produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        let first = outputs[0].rank() as u8;
        for (label, port) in (first..).zip(axes.inputs.iter_mut()) {
            port[self.axis] = label;
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (dy, axis) = (backward.upstream(0), self.axis);
        let specs: Vec<Spec> = (0..self.count).map(|part| backward.input_spec(part)).collect();
        if specs.iter().any(|x| x.dimensions[axis].is_bounded()) {
            let parts = (0..self.count).map(|part| backward.input(part));
            let inputs: Vec<Wire> = std::iter::once(dy).chain(parts).collect();
            let parts = backward.apply_many(split_like(axis, self.count), &inputs);
            return Gradient::Of(parts.into_iter().map(Some).collect());
        }
        let mut end = 0;
        let parts = specs.iter().enumerate().map(|(part, x)| {
            let start = end;
            end += x.bound(axis);
            let part = backward.wants(part).then(|| slice(axis, start, end, 1));
            part.map(|part| backward.apply(part, &[dy]))
        });
        Gradient::Of(parts.collect())
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let axis = self.axis;
        on_device!(target, specs, host: OnHost { axis }, cube: cube::OnCube { axis })
    }
}

struct OnHost {
    axis: usize,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let mut sources: [&[u8]; SOURCES_MAX] = [&[]; SOURCES_MAX];
        for (index, source) in sources.iter_mut().enumerate().take(firing.inputs()) {
            *source = firing.input(index).bytes();
        }
        let parts = (0..firing.inputs()).map(|index| firing.input(index).extents());
        let extents = joined(self.axis, parts)?;
        let mut y = firing.output(0);
        y.set_extents(&extents);
        let rows = extents[..self.axis].iter().product();
        let element = y.spec().element;
        interleave(firing.crew(), element, rows, &sources[..firing.inputs()], y.bytes());
        Ok(())
    }
}

/// The extents of the inputs of one firing together.
fn joined(axis: usize, parts: impl Iterator<Item = Extents>) -> Result<Extents, FireError> {
    let mut joined: Option<Extents> = None;
    for (index, part) in parts.enumerate() {
        let before = joined.unwrap_or(part);
        if let Some(k) = (0..part.len()).find(|&k| k != axis && part[k] != before[k]) {
            let (found, wanted) = (part[k], before[k]);
            return Err(FireError::failed(format!(
                "concat: port x{index}, dimension {k}: found {found}; wanted {wanted} as x0"
            )));
        }
        let mut extents = [0; RANK_MAX];
        extents[..part.len()].copy_from_slice(&part);
        extents[axis] += joined.map_or(0, |before| before[axis]);
        joined = Some(Extents::new(&extents[..part.len()]));
    }
    Ok(joined.expect("the shape rule saw an input"))
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, joined};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::strided::interleave;

    pub(super) struct OnCube {
        pub(super) axis: usize,
    }

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let parts = (0..call.inputs()).map(|index| call.input(index).extents());
            let extents = joined(self.axis, parts)?;
            call.set_extents(0, &extents);
            interleave(call, extents[..self.axis].iter().product())
        }
    }
}

/// Every element type, outer, inner and middle axes, one input, empty parts, bounded, rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let parts = |element, shapes: &[&[usize]]| shapes.iter().map(|s| ramp(element, s)).collect();
    let along = |axis: usize| reference(move |inputs| vec![by_counting(inputs, axis)]);
    let f32 = Element::F32;
    let every = Element::ALL.map(|element| {
        let inputs = parts(element, &[&[3, 2, 5], &[3, 7, 5]]);
        Sample::new(format!("middle axis, {element}"), concat(1, 2), inputs, along(1))
    });
    let bounded = |bound: usize| Spec::f32([Dimension::UpTo(bound), Dimension::Fixed(3)]);
    let large: &[&[usize]] = &[&[13, 1009], &[13, 2003], &[13, 1]];
    let some = vec![
        Sample::new("outer axis", concat(0, 2), parts(f32, &[&[2, 3], &[1, 3]]), along(0)),
        Sample::new("columns", concat(1, 3), parts(f32, &[&[7, 1], &[7, 1], &[7, 1]]), along(1)),
        Sample::new("several pieces", concat(1, 3), parts(f32, large), along(1)),
        Sample::new("one input", concat(0, 1), parts(f32, &[&[5]]), along(0)),
        Sample::new("empty part", concat(1, 2), parts(f32, &[&[2, 0], &[2, 3]]), along(1)),
        Sample::new("no rows", concat(1, 2), parts(f32, &[&[0, 2], &[0, 3]]), along(1)),
        Sample::new("bounded", concat(0, 2), parts(f32, &[&[2, 3], &[0, 3]]), along(0))
            .with_specs(vec![bounded(4), bounded(1)]),
        Sample::rejected(
            "another extent",
            concat(0, 2),
            vec![Spec::f32([2, 3]), Spec::f32([2, 4])],
            "x1",
            Some(1),
        ),
        Sample::rejected(
            "another element type",
            concat(0, 2),
            vec![Spec::f32([2]), Spec::new(Element::I64, [2])],
            "x1",
            None,
        ),
        Sample::rejected("missing axis", concat(1, 1), vec![Spec::f32([2])], "x0", None),
        Sample::rejected("no inputs", concat(0, 0), vec![], "x", None),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: for each output index, counts through the inputs until it lies in one.
fn by_counting(inputs: &[Tensor], axis: usize) -> Tensor {
    let mut extents = inputs[0].extents.clone();
    extents[axis] = inputs.iter().map(|x| x.extents[axis]).sum();
    Tensor::from_fn(&extents, |index| {
        let mut index = index.to_vec();
        let mut rest = inputs.iter();
        loop {
            let x = rest.next().expect("the extents sum to the output's");
            if index[axis] < x.extents[axis] {
                return x.at(&index);
            }
            index[axis] -= x.extents[axis];
        }
    })
}
