//! Split like: parts of an axis as long as other streams are.
//!
//! It undoes a `concat` whose inputs only know their extents when they are there; where they are
//! fixed, [`split`](super::split::split) says the same without other streams.
//!
//! # Shape
//! `x`: any; `like0`, `like1`, ...: of the same rank, together as long as `x` by their bounds ->
//! `y0`, `y1`, ...: as `x`, but along the axis as `like0`, `like1`, ..., whose values are not
//! looked at. Any element type; 1 to 64 parts.
//!
//! # Gradient
//! `dx` is the `concat` of `dy0`, `dy1`, ... along the axis. None for `like0`, `like1`, ...
//!
//! # Numerics
//! Exact: bytes are moved. A firing in which the parts together are not the axis fails.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::split_like::split_like;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let (one, two) = (Value::new(&[1], &[0.0_f32]), Value::new(&[2], &[0.0_f32; 2]));
//! let y = fire_once(&split_like(0, 2), &[Value::new(&[3], &[1_i32, 2, 3]), one, two])?;
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
use synfire_runtime::spec::{Element, Spec};

use super::concat::concat;
use crate::device::on_device;
use crate::host::strided::{SOURCES_MAX, Strided, copy};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, ramp, reference};

/// `count` parts of `axis`, each as long as its stream.
#[must_use]
pub fn split_like(axis: usize, count: usize) -> SplitLike {
    SplitLike { axis, count }
}

/// See [`split_like`].
#[derive(Clone, Debug)]
pub struct SplitLike {
    axis: usize,
    count: usize,
}

impl Operator for SplitLike {
    fn contract(&self) -> Contract {
        let contract = Contract::new("split_like").input("x").input_list("like", self.count);
        contract.output_list("y", self.count).tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, likes) = (&inputs[0], &inputs[1..]);
        require::axis("x", x, self.axis)?;
        require::count("like", likes.len(), SOURCES_MAX)?;
        let part = |(index, like): (usize, &Spec)| {
            require::rank(&format!("like{index}"), like, x.rank())?;
            let mut y = x.clone();
            y.dimensions[self.axis] = like.dimensions[self.axis];
            Ok(y)
        };
        let parts: Vec<Spec> = likes.iter().enumerate().map(part).collect::<Result<_, _>>()?;
        let sum: usize = parts.iter().map(|y| y.bound(self.axis)).sum();
        if sum != x.bound(self.axis) {
            let wanted = format!("{sum}, all parts together");
            return Err(SpecError::new("x", x.dimensions[self.axis], wanted).at(self.axis));
        }
        Ok(parts)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // The axis of the input is consumed, that of each output produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        let first = inputs[0].rank() as u8;
        let parts = axes.inputs[1..].iter_mut().zip(&mut axes.outputs);
        for (label, (like, part)) in (first..).zip(parts) {
            (like[self.axis], part[self.axis]) = (label, label);
        }
        let bytes = 2 * outputs.iter().map(|y| y.bytes() as u64).sum::<u64>();
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let parts: Vec<Wire> = (0..self.count).map(|part| backward.upstream(part)).collect();
        let dx = backward.apply(concat(self.axis, self.count), &parts);
        let mut gradients = vec![None; 1 + self.count];
        gradients[0] = Some(dx);
        Gradient::Of(gradients)
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

/// The lengths of the parts are the axis, of this extent, together.
fn covers(extent: usize, lengths: impl Iterator<Item = usize>) -> Result<(), FireError> {
    let sum: usize = lengths.sum();
    let fault = || format!("split_like: port x: found {extent}; wanted {sum}, all parts together");
    if sum == extent { Ok(()) } else { Err(FireError::failed(fault())) }
}

struct OnHost {
    axis: usize,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, axis) = (firing.input(0), self.axis);
        let length = |firing: &Firing<'_>, part: usize| firing.input(1 + part).extents()[axis];
        let parts = firing.inputs() - 1;
        covers(x.extents()[axis], (0..parts).map(|part| length(firing, part)))?;
        let mut start = 0;
        for output in 0..parts {
            let count = length(firing, output);
            let part = Strided::dense(&x.extents()).slice(axis, start, count, 1);
            let mut y = firing.output(output);
            y.set_extents(&part.extents());
            copy(firing.crew(), x.spec().element, &part, x.bytes(), y.bytes());
            start += count;
        }
        Ok(())
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, Strided, covers};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::strided::copy;

    pub(super) struct OnCube {
        pub(super) axis: usize,
    }

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, axis) = (call.input(0), self.axis);
            let parts = 1..call.inputs();
            let lengths: Vec<usize> = parts.map(|port| call.input(port).extents()[axis]).collect();
            covers(x.extents()[axis], lengths.iter().copied())?;
            let mut start = 0;
            for (output, &count) in lengths.iter().enumerate() {
                let part = Strided::dense(&x.extents()).slice(axis, start, count, 1);
                let y = call.set_extents(output, &part.extents());
                copy(call, &part, &x, &y)?;
                start += count;
            }
            Ok(())
        }
    }
}

/// Every element type, an empty part, bounded, parts that do not cover, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, axis: usize, element: Element, shapes: &[&[usize]]| {
        let likes = shapes[1..].iter().map(|extents| ramp(f32, extents));
        let inputs: Vec<_> = std::iter::once(ramp(element, shapes[0])).chain(likes).collect();
        let expect = reference(move |inputs| by_shifting(inputs, axis));
        Sample::new(name, split_like(axis, shapes.len() - 1), inputs, expect)
    };
    let every = Element::ALL.map(|element| {
        case(&format!("middle axis, {element}"), 1, element, &[&[3, 7, 5], &[3, 2, 5], &[3, 5, 5]])
    });
    let bounded = |bound: usize| bounded_first(f32, bound, &[3]);
    let some = vec![
        case("empty part", 0, f32, &[&[3, 2], &[0, 2], &[3, 2]]),
        case("one part", 0, f32, &[&[3], &[3]]),
        case("bounded", 0, f32, &[&[5, 3], &[2, 3], &[3, 3]]).with_specs(vec![
            bounded(9),
            bounded(4),
            bounded(5),
        ]),
        Sample::new(
            "uncovered",
            split_like(0, 1),
            vec![ramp(f32, &[4, 3]), ramp(f32, &[3, 3])],
            Expect::Fails("split_like: port x: found 4; wanted 3"),
        )
        .with_specs(vec![bounded(9), bounded(9)]),
        Sample::rejected(
            "too short",
            split_like(0, 2),
            vec![Spec::f32([4]), Spec::f32([2]), Spec::f32([3])],
            "x",
            Some(0),
        ),
        Sample::rejected("missing axis", split_like(1, 1), vec![Spec::f32([1]); 2], "x", None),
        Sample::rejected("no parts", split_like(0, 0), vec![Spec::f32([0])], "like", None),
        Sample::rejected(
            "another rank",
            split_like(0, 1),
            vec![Spec::f32([1]), Spec::f32([1, 1])],
            "like0",
            None,
        ),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: each part asks the input at an index shifted by the parts before it.
fn by_shifting(inputs: &[Tensor], axis: usize) -> Vec<Tensor> {
    let (x, likes) = (&inputs[0], &inputs[1..]);
    let part = |k: usize| {
        let mut extents = x.extents.clone();
        extents[axis] = likes[k].extents[axis];
        Tensor::from_fn(&extents, |index| {
            let mut index = index.to_vec();
            index[axis] += likes[..k].iter().map(|like| like.extents[axis]).sum::<usize>();
            x.at(&index)
        })
    };
    (0..likes.len()).map(part).collect()
}
