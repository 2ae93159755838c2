//! Stack: the inputs one after the other along a new axis.
//!
//! # Shape
//! `x0`, `x1`, ...: all alike -> `y`: the same with an axis of extent `count` inserted before
//! `axis`. Any element type; 1 to 64 inputs of at most 7 dimensions.
//!
//! # Gradient
//! `dx_k` is place `k` of `dy` along the axis.
//!
//! # Numerics
//! Exact: bytes are moved. Bounded axes must have one actual extent in all inputs; a firing in
//! which they differ fails. As PyTorch's `stack`.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::stack::stack;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let (a, b) = (Value::new(&[2], &[1_i32, 2]), Value::new(&[2], &[3_i32, 4]));
//! assert_eq!(fire_once(&stack(1, 2), &[a, b])?[0].elements::<i32>(), [1, 3, 2, 4]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use super::{concat::listed, reshape_like::under_extents_of, slice::slice};
use crate::device::on_device;
use crate::host::strided::{SOURCES_MAX, interleave};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("stack", |case| {
    let parts = listed(case)?;
    let (rank, place) =
        (case.spec_of(parts[0])?.rank() as i64, case.integer(case.spelling(&["dim", "axis"]), 0)?);
    let place = if place < 0 { place + rank + 1 } else { place };
    let axis = usize::try_from(place).map_err(|_| format!("a new axis {place}"))?;
    Ok(vec![case.apply(stack(axis, parts.len()), &parts)])
})];

/// `count` inputs along a new axis `axis`.
#[must_use]
pub fn stack(axis: usize, count: usize) -> Stack {
    Stack { axis, count }
}

/// See [`stack`].
#[derive(Clone, Debug)]
pub struct Stack {
    axis: usize,
    count: usize,
}

impl Operator for Stack {
    fn contract(&self) -> Contract {
        let contract = Contract::new("stack").input_list("x", self.count);
        contract.output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::count("x", inputs.len(), SOURCES_MAX)?;
        let mut y = inputs[0].clone();
        if self.axis > y.rank() || y.rank() == RANK_MAX {
            let wanted = format!("{} to {} dimensions", self.axis, RANK_MAX - 1);
            return Err(SpecError::new("x0", y, wanted));
        }
        for (index, x) in inputs.iter().enumerate() {
            require::alike(&format!("x{index}"), x, &y, None)?;
        }
        y.dimensions.insert(self.axis, Dimension::Fixed(self.count));
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.outputs[0] = axes.inputs[0].clone();
        axes.outputs[0].insert(self.axis, inputs[0].rank() as u8);
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        let parts = (0..self.count).map(|place| {
            backward.wants(place).then(|| {
                let part = backward.apply(slice(self.axis, place, place + 1, 1), &[dy]);
                let x = backward.input(place);
                under_extents_of(backward, part, x)
            })
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
        let extents = stacked(self.axis, parts)?;
        let mut y = firing.output(0);
        y.set_extents(&extents);
        let rows = extents[..self.axis].iter().product();
        let element = y.spec().element;
        interleave(firing.crew(), element, rows, &sources[..firing.inputs()], y.bytes());
        Ok(())
    }
}

/// The extents of the inputs of one firing on top of each other.
fn stacked(axis: usize, mut parts: impl Iterator<Item = Extents>) -> Result<Extents, FireError> {
    let first = parts.next().expect("the shape rule saw an input");
    let mut count = 1;
    for found in parts {
        if found != first {
            return Err(FireError::failed(format!(
                "stack: port x{count}: found extents {found:?}; wanted {first:?} as x0"
            )));
        }
        count += 1;
    }
    let mut extents = [count; RANK_MAX];
    extents[..axis].copy_from_slice(&first[..axis]);
    extents[axis + 1..=first.len()].copy_from_slice(&first[axis..]);
    Ok(Extents::new(&extents[..=first.len()]))
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, stacked};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::strided::interleave;

    pub(super) struct OnCube {
        pub(super) axis: usize,
    }

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let parts = (0..call.inputs()).map(|index| call.input(index).extents());
            let extents = stacked(self.axis, parts)?;
            call.set_extents(0, &extents);
            interleave(call, extents[..self.axis].iter().product())
        }
    }
}

/// Every element type, first, middle and last place, scalars, empty, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let parts = |element: Element, count: usize, extents: &[usize]| {
        let longer: Vec<usize> = std::iter::once(count).chain(extents.iter().copied()).collect();
        let all = ramp(element, &longer);
        let bytes = (all.bytes().len() / count).max(1);
        (0..count)
            .map(|k| all.bytes().iter().copied().skip(k * bytes).take(bytes).collect())
            .map(|bytes| synfire_runtime::value::Value::from_bytes(element, extents, bytes))
            .collect::<Vec<_>>()
    };
    let along = |axis: usize| reference(move |inputs| vec![by_index(inputs, axis)]);
    let f32 = Element::F32;
    let every = Element::ALL.map(|element| {
        let inputs = parts(element, 3, &[5, 7]);
        Sample::new(format!("middle, {element}"), stack(1, 3), inputs, along(1))
    });
    let some = vec![
        Sample::new("first", stack(0, 2), parts(f32, 2, &[3, 5]), along(0)),
        Sample::new("last", stack(2, 2), parts(f32, 2, &[3, 5]), along(2)),
        Sample::new("scalars", stack(0, 3), parts(f32, 3, &[]), along(0)),
        Sample::new("empty", stack(1, 2), parts(f32, 2, &[3, 0]), along(1)),
        Sample::new("bounded", stack(1, 2), parts(f32, 2, &[2, 3]), along(1))
            .with_specs(vec![bounded_first(f32, 5, &[3]); 2]),
        Sample::rejected(
            "another extent",
            stack(0, 2),
            vec![Spec::f32([2, 3]), Spec::f32([2, 4])],
            "x1",
            Some(1),
        ),
        Sample::rejected("axis too far", stack(2, 1), vec![Spec::f32([2])], "x0", None),
        Sample::rejected("too many axes", stack(0, 1), vec![Spec::f32([1; 8])], "x0", None),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: the new axis's index says which input to ask.
fn by_index(inputs: &[Tensor], axis: usize) -> Tensor {
    let mut extents = inputs[0].extents.clone();
    extents.insert(axis, inputs.len());
    Tensor::from_fn(&extents, |index| {
        let mut index = index.to_vec();
        let input = index.remove(axis);
        inputs[input].at(&index)
    })
}
