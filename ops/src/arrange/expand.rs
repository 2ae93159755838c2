//! Expand: axes of extent one repeated, and new axes in front.
//!
//! # Shape
//! `x`: each dimension one or the target's, counted from the last -> `y`: the target. A bounded
//! dimension stays bounded; its target is its bound. Any element type.
//!
//! # Gradient
//! `dx` is the sum of `dy` over the repeated axes.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `expand`, but the output is dense.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::expand::expand;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&expand(&[2, 3]), &[Value::new(&[2, 1], &[4_i32, 5])])?;
//! assert_eq!(y[0].elements::<i32>(), [4, 4, 4, 5, 5, 5]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use crate::device::on_device;
use crate::gradient::sum_to;
use crate::host::strided::{Strided, Viewed};
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("expand", torch), ("broadcast_to", torch), ("expand_as", torch)];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let own = case.spec_of(x)?.bounds();
    let sizes = case.integers(case.spelling(&["size", "shape", "sizes"]))?;
    let sizes = match (sizes, case.either(&["other", "y"])) {
        (Some(sizes), _) => sizes,
        (None, Some(like)) => {
            case.spec_of(like)?.bounds().into_iter().map(|extent| extent as i64).collect()
        }
        (None, None) => return Err("no size".into()),
    };
    let missing = sizes.len().saturating_sub(own.len());
    let extents = sizes.iter().enumerate().map(|(axis, &size)| match usize::try_from(size) {
        Ok(size) => Ok(size),
        // -1 leaves an axis as it is.
        Err(_) if axis >= missing => Ok(own[axis - missing]),
        Err(_) => Err(format!("size {size} of a new axis")),
    });
    let extents: Vec<usize> = extents.collect::<Result<_, String>>()?;
    Ok(vec![case.apply(expand(&extents), &[x])])
}

/// The input repeated to `extents`.
#[must_use]
pub fn expand(extents: &[usize]) -> Expand {
    Expand { extents: extents.to_vec() }
}

/// See [`expand`].
#[derive(Clone, Debug)]
pub struct Expand {
    extents: Vec<usize>,
}

impl Operator for Expand {
    fn contract(&self) -> Contract {
        Contract::new("expand").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        let Some(missing) = self.extents.len().checked_sub(x.rank()) else {
            let wanted = format!("at most {} dimensions", self.extents.len());
            return Err(SpecError::new("x", x, wanted));
        };
        let mut y = Spec::new(x.element, self.extents.iter().copied());
        for (axis, &dimension) in x.dimensions.iter().enumerate() {
            let target = self.extents[missing + axis];
            match dimension {
                Dimension::UpTo(bound) if bound == target => {
                    y.dimensions[missing + axis] = dimension
                }
                Dimension::Fixed(extent) if extent == target || extent == 1 => {}
                _ => {
                    let one = if dimension.is_bounded() { "" } else { "1 or " };
                    return Err(SpecError::new("x", dimension, format!("{one}{target}")).at(axis));
                }
            }
        }
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let missing = outputs[0].rank() - inputs[0].rank();
        for (axis, label) in axes.inputs[0].iter_mut().enumerate() {
            let kept = inputs[0].dimensions[axis] == outputs[0].dimensions[missing + axis];
            *label = if kept { (missing + axis) as u8 } else { Axes::BROADCAST };
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, dy) = (backward.input(0), backward.upstream(0));
        Gradient::one(sum_to(backward, dy, x))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let (x, y) = (&specs.inputs[0], &specs.outputs[0]);
        let missing = y.rank() - x.rank();
        let bounds = Extents::new(&y.bounds());
        let bounded: Vec<bool> = x.dimensions.iter().map(|d| d.is_bounded()).collect();
        let view = move |extents: &[usize]| {
            let mut target = [0; RANK_MAX];
            target[..bounds.len()].copy_from_slice(&bounds);
            for (axis, _) in bounded.iter().enumerate().filter(|(_, bounded)| **bounded) {
                target[missing + axis] = extents[axis];
            }
            Strided::dense(extents).expand(&target[..bounds.len()])
        };
        on_device!(target, specs, host: Viewed(view), cube: Viewed(view))
    }
}

/// Every element type, inner, outer and new axes, scalars, to none, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let to =
        |extents: &'static [usize]| reference(move |inputs| vec![by_index(&inputs[0], extents)]);
    let case = |name: &str, extents: &[usize], target: &'static [usize]| {
        Sample::new(name, expand(target), vec![ramp(f32, extents)], to(target))
    };
    let every = Element::ALL.map(|element| {
        let x = vec![ramp(element, &[5, 1, 3])];
        let target = &[2, 5, 7, 3];
        Sample::new(format!("middle and new, {element}"), expand(target), x, to(target))
    });
    let some = vec![
        case("inner axis", &[7, 1], &[7, 11]),
        case("outer axis", &[1, 7], &[11, 7]),
        case("scalar", &[], &[3, 5]),
        case("as it is", &[3, 5], &[3, 5]),
        case("several pieces", &[1, 997, 1], &[5, 997, 11]),
        case("to none", &[1, 3], &[0, 3]),
        Sample::new("bounded", expand(&[9, 3]), vec![ramp(f32, &[4, 1])], to(&[4, 3]))
            .with_specs(vec![bounded_first(f32, 9, &[1])]),
        Sample::rejected("not one", expand(&[4]), vec![Spec::f32([2])], "x", Some(0)),
        Sample::rejected("fewer axes", expand(&[4]), vec![Spec::f32([1, 4])], "x", None),
        Sample::rejected(
            "beyond a bound",
            expand(&[4]),
            vec![bounded_first(f32, 3, &[])],
            "x",
            Some(0),
        ),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: repeated axes are asked at place zero, missing ones not at all.
fn by_index(x: &Tensor, extents: &[usize]) -> Tensor {
    let missing = extents.len() - x.extents.len();
    Tensor::from_fn(extents, |index| {
        let places = index[missing..].iter().zip(&x.extents);
        x.at(&places.map(|(&place, &extent)| place % extent).collect::<Vec<_>>())
    })
}
