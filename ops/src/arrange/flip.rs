//! Flip: the order of some axes reversed.
//!
//! # Shape
//! `x`: any -> `y`: the same, bounded dimensions too. Any element type.
//!
//! # Gradient
//! `dx` is `dy` flipped along the same axes.
//!
//! # Numerics
//! Exact: bytes are moved. An axis named twice is flipped twice. As PyTorch's `flip`.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::flip::flip;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&flip(&[0]), &[Value::new(&[3], &[1_i32, 2, 3])])?;
//! assert_eq!(y[0].elements::<i32>(), [3, 2, 1]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::device::on_device;
use crate::host::strided::{Strided, Viewed};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("flip", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axes = case.axes(case.spelling(&["dims", "dim", "axis", "axes"]), x)?;
        Ok(vec![case.apply(flip(&axes), &[x])])
    }),
    ("flipud", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        Ok(vec![case.apply(flip(&[0]), &[x])])
    }),
    ("fliplr", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        Ok(vec![case.apply(flip(&[1]), &[x])])
    }),
];

/// `axes` in reverse.
#[must_use]
pub fn flip(axes: &[usize]) -> Flip {
    Flip { axes: axes.to_vec() }
}

/// See [`flip`].
#[derive(Clone, Debug)]
pub struct Flip {
    axes: Vec<usize>,
}

impl Operator for Flip {
    fn contract(&self) -> Contract {
        Contract::new("flip").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        self.axes.iter().try_for_each(|&axis| require::axis("x", &inputs[0], axis))?;
        Ok(inputs.to_vec())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // A part of a flipped axis needs another part of the input: consumed and produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        for &axis in &self.axes {
            axes.outputs[0][axis] = (inputs[0].rank() + axis) as u8;
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(self.clone(), &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let axes = self.axes.clone();
        let view = move |extents: &[usize]| {
            axes.iter().fold(Strided::dense(extents), |view, &axis| view.flip(axis))
        };
        on_device!(target, specs, host: Viewed(view), cube: Viewed(view))
    }
}

/// Every element type, inner, outer and several axes, none, empty, bounded, and a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let by = |axes: &'static [usize]| reference(move |inputs| vec![by_index(&inputs[0], axes)]);
    let case = |name: &str, axes: &'static [usize], extents: &[usize]| {
        Sample::new(name, flip(axes), vec![ramp(f32, extents)], by(axes))
    };
    let every = Element::ALL.map(|element| {
        let x = vec![ramp(element, &[3, 7, 5])];
        Sample::new(format!("middle axis, {element}"), flip(&[1]), x, by(&[1]))
    });
    let some = vec![
        case("inner axis", &[1], &[5, 11]),
        case("outer axis", &[0], &[5, 11]),
        case("both axes", &[1, 0], &[5, 11]),
        case("several pieces", &[1], &[37, 1009]),
        case("twice", &[0, 0], &[5]),
        case("no axis", &[], &[3, 2]),
        case("one place", &[0], &[1, 4]),
        case("empty", &[0], &[0, 4]),
        case("bounded", &[0], &[4, 3]).with_specs(vec![bounded_first(f32, 9, &[3])]),
        Sample::rejected("missing axis", flip(&[1]), vec![Spec::f32([2])], "x", None),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: place `k` asks for place `n - 1 - k`.
fn by_index(x: &Tensor, axes: &[usize]) -> Tensor {
    Tensor::from_fn(&x.extents, |index| {
        let mut index = index.to_vec();
        axes.iter().for_each(|&axis| index[axis] = x.extents[axis] - 1 - index[axis]);
        x.at(&index)
    })
}
