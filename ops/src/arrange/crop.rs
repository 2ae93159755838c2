//! Crop: places taken away at both ends of each axis, as [`pad`] adds them.
//!
//! # Shape
//! `x`: `[.., n, ..]` -> `y`: `[.., n - before - after, ..]`. A bounded axis stays bounded; a token
//! that is shorter than what is taken away gives none. Any element type.
//!
//! # Gradient
//! `dx` is `dy` with zeros around it.
//!
//! # Numerics
//! Exact: bytes are moved, all axes at once. As PyTorch's `pad` by negative widths.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::crop::crop;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[5], &[0_i32, 1, 2, 3, 4]);
//! assert_eq!(fire_once(&crop(&[1], &[2]), &[x])?[0].elements::<i32>(), [1, 2]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::arrange::pad::{PadMode, pad};
use crate::device::on_device;
use crate::host::strided::{Strided, Viewed};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// All but the first `before[k]` and the last `after[k]` places of axis `k`.
#[must_use]
pub fn crop(before: &[usize], after: &[usize]) -> Crop {
    Crop { before: before.to_vec(), after: after.to_vec() }
}

/// See [`crop`].
#[derive(Clone, Debug)]
pub struct Crop {
    before: Vec<usize>,
    after: Vec<usize>,
}

impl Crop {
    /// What an axis loses.
    fn loss(&self, axis: usize) -> usize {
        self.before[axis] + self.after[axis]
    }
}

impl Operator for Crop {
    fn contract(&self) -> Contract {
        Contract::new("crop").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let mut y = inputs[0].clone();
        require::rank("x", &y, self.before.len())?;
        require::rank("x", &y, self.after.len())?;
        for (axis, dimension) in y.dimensions.iter_mut().enumerate() {
            let (loss, bound) = (self.loss(axis), dimension.bound());
            if bound < loss {
                let wanted = format!("{loss} or more to take away");
                return Err(SpecError::new("x", dimension, wanted).at(axis));
            }
            *dimension = match dimension {
                Dimension::Fixed(_) => Dimension::Fixed(bound - loss),
                Dimension::UpTo(_) => Dimension::UpTo(bound - loss),
            };
        }
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        for axis in (0..inputs[0].rank()).filter(|&axis| self.loss(axis) > 0) {
            axes.outputs[0][axis] = (inputs[0].rank() + axis) as u8;
        }
        // Only the places that stay are read.
        let bytes = 2 * outputs[0].bytes() as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        let around = pad(&self.before, &self.after, PadMode::Constant(0.0));
        Gradient::one(backward.apply(around, &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let crop = self.clone();
        let view = move |extents: &[usize]| {
            (0..extents.len()).fold(Strided::dense(extents), |view, axis| {
                let count = extents[axis].saturating_sub(crop.loss(axis));
                view.slice(axis, crop.before[axis], count, 1)
            })
        };
        on_device!(target, specs, host: Viewed(view), cube: Viewed(view))
    }
}

/// Every element type, one and several axes, all of an axis, scalars, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let by = |before: &'static [usize], after: &'static [usize]| {
        reference(move |inputs| vec![by_index(&inputs[0], before, after)])
    };
    let case =
        |name: &str, extents: &[usize], before: &'static [usize], after: &'static [usize]| {
            Sample::new(name, crop(before, after), vec![ramp(f32, extents)], by(before, after))
        };
    let every = Element::ALL.map(|element| {
        let x = vec![ramp(element, &[5, 7])];
        Sample::new(format!("plane, {element}"), crop(&[1, 2], &[1, 0]), x, by(&[1, 2], &[1, 0]))
    });
    let some = vec![
        case("middle axis", &[2, 11, 3], &[0, 3, 0], &[0, 1, 0]),
        case("several pieces", &[41, 1009], &[1, 1], &[0, 7]),
        case("nothing", &[3], &[0], &[0]),
        case("all", &[3, 2], &[1, 0], &[2, 0]),
        case("scalar", &[], &[], &[]),
        case("empty", &[0, 4], &[0, 1], &[0, 1]),
        case("bounded", &[6, 3], &[2, 0], &[1, 1]).with_specs(vec![bounded_first(f32, 9, &[3])]),
        Sample::rejected("too short", crop(&[2], &[2]), vec![Spec::f32([3])], "x", Some(0)),
        Sample::rejected("another rank", crop(&[1], &[1]), vec![Spec::f32([3, 3])], "x", None),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: each place asks for the one `before` places later.
fn by_index(x: &Tensor, before: &[usize], after: &[usize]) -> Tensor {
    let left = |(axis, n): (usize, &usize)| n - before[axis] - after[axis];
    let extents: Vec<usize> = x.extents.iter().enumerate().map(left).collect();
    Tensor::from_fn(&extents, |index| {
        let index: Vec<usize> =
            index.iter().zip(before).map(|(place, skip)| place + skip).collect();
        x.at(&index)
    })
}
