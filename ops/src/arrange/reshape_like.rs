//! Reshape like: the same elements in the same order under the extents of another stream.
//!
//! It is what a gradient needs where only the stream itself knows its extents; where they are
//! fixed, [`reshape`] says the same without a second stream.
//!
//! # Shape
//! `x`, `like`: of as many elements by their bounds -> `y`: the element type of `x`, the dimensions
//! of `like`, whose values are not looked at. Any element type.
//!
//! # Gradient
//! `dx` is `dy` reshaped like `x`. None for `like`.
//!
//! # Numerics
//! Exact: bytes are moved. A firing in which `x` and `like` differ in number fails.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::reshape_like::reshape_like;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let (x, like) = (Value::new(&[4], &[1_i32, 2, 3, 4]), Value::new(&[2, 2], &[0.0_f32; 4]));
//! assert_eq!(fire_once(&reshape_like(), &[x, like])?[0].extents, [2, 2]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::reshape::{Extent, extent_of, reshape};
use crate::device::on_device;
use crate::gradient::spec;
use crate::host::strided::{Strided, copy};
use crate::sample::{Expect, Sample, Tensor, bounded_first, ramp, reference};

/// The elements of `x` under the extents of `like`.
#[must_use]
pub fn reshape_like() -> ReshapeLike {
    ReshapeLike
}

/// See [`reshape_like`].
#[derive(Clone, Debug)]
pub struct ReshapeLike;

/// `x` under the extents of `like`, by `reshape` wherever specs alone tell them.
pub(crate) fn under_extents_of(draft: &mut Draft, x: Wire, like: Wire) -> Wire {
    let (own, target) = (spec(draft, x), spec(draft, like));
    if own.dimensions == target.dimensions && own.is_fixed() {
        return x;
    }
    let extents: Vec<Extent> = target.dimensions.iter().copied().map(extent_of).collect();
    let plain = reshape(&extents);
    let fits = plain.shape(&[own]).is_ok_and(|y| y[0].dimensions == target.dimensions);
    if fits { draft.apply(plain, &[x]) } else { draft.apply(reshape_like(), &[x, like]) }
}

impl Operator for ReshapeLike {
    fn contract(&self) -> Contract {
        let contract = Contract::new("reshape_like").input("x").input("like").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, like) = (&inputs[0], &inputs[1]);
        if x.elements() != like.elements() {
            return Err(SpecError::new("x", x, format!("as many elements as {like}")));
        }
        Ok(vec![like.with_element(x.element)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let fresh = outputs[0].rank() as u8;
        axes.inputs[0].iter_mut().for_each(|label| *label += fresh);
        let bytes = 2 * outputs[0].bytes() as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, dy) = (backward.input(0), backward.upstream(0));
        Gradient::Of(vec![Some(under_extents_of(backward, dy, x)), None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost, cube: cube::OnCube)
    }
}

struct OnHost;

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        let (extents, like) = (x.extents(), firing.input(1).extents());
        as_many(&extents, &like)?;
        y.set_extents(&like);
        copy(crew, x.spec().element, &Strided::dense(&extents), x.bytes(), y.bytes());
        Ok(())
    }
}

/// The extents of one firing hold as many elements.
fn as_many(x: &[usize], like: &[usize]) -> Result<(), FireError> {
    if x.iter().product::<usize>() == like.iter().product::<usize>() {
        return Ok(());
    }
    Err(FireError::failed(format!("reshape_like: port x: found {x:?}; wanted as many as {like:?}")))
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, Strided, as_many};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::strided::copy;

    pub(super) struct OnCube;

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, like) = (call.input(0), call.input(1).extents());
            as_many(&x.extents(), &like)?;
            let y = call.set_extents(0, &like);
            copy(call, &Strided::dense(&x.extents()), &x, &y)
        }
    }
}

/// Every element type, scalars, empty, two bounded dimensions, other numbers, and a rejection.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, element: Element, [x, like]: [&[usize]; 2]| {
        let expect =
            reference(|inputs| vec![Tensor::new(&inputs[1].extents, inputs[0].data.clone())]);
        Sample::new(name, reshape_like(), vec![ramp(element, x), ramp(f32, like)], expect)
    };
    let every = Element::ALL.map(|element| case(&format!("{element}"), element, [&[6], &[2, 3]]));
    let pair = |bounds: [usize; 2]| Spec::f32(bounds.map(Dimension::UpTo));
    let some = vec![
        case("scalar", f32, [&[1, 1], &[]]),
        case("empty", f32, [&[0, 3], &[2, 0]]),
        case("bounded", f32, [&[10, 2], &[5, 4]])
            .with_specs(vec![bounded_first(f32, 14, &[2]), bounded_first(f32, 7, &[4])]),
        case("two bounded", f32, [&[6, 2], &[3, 4]]).with_specs(vec![pair([8, 5]), pair([5, 8])]),
        Sample::new(
            "another number",
            reshape_like(),
            vec![ramp(f32, &[3, 2]), ramp(f32, &[5])],
            Expect::Fails("port x: found [3, 2]; wanted as many as [5]"),
        )
        .with_specs(vec![bounded_first(f32, 5, &[2]), bounded_first(f32, 10, &[])]),
        Sample::rejected("more", reshape_like(), vec![Spec::f32([4]), Spec::f32([3])], "x", None),
    ];
    every.into_iter().chain(some).collect()
}
