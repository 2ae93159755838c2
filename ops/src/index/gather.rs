//! Gather: `y[i][j] = x[index[i][j]][j]` (here along axis 0) for each place of the index.
//!
//! # Shape
//! `x`: any of at least one dimension; `index`: `i64` of the same rank, nowhere longer than `x` but
//! along the axis -> `y`: the shape of `index`. Bounded dimensions of `index` stay bounded. Any
//! element type.
//!
//! # Gradient
//! `dx` is `scatter_add` of `dy` onto zeros at the same indices; none for `index`.
//!
//! # Numerics
//! Exact: bytes are moved. An index outside `0..n`, negative ones too, fails the firing. As
//! PyTorch's `gather`. An accelerator cannot fail for one index: it gives zero there.
//!
//! # Example
//! ```
//! use synfire_ops::index::gather::gather;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]);
//! let index = Value::new(&[2, 1], &[1_i64, 0]);
//! assert_eq!(fire_once(&gather(1), &[x, index])?[0].elements::<f32>(), [2.0, 3.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::Pod;
use synfire_runtime::crew::Crew;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, Spec};
use synfire_runtime::value::Value;

use super::scatter::scatter_add;
use crate::arrange::expand::expand;
use crate::arrange::reshape::{Extent, reshape};
use crate::device::on_device;
use crate::host::indices::{Targets, fits, in_range};
use crate::host::pieces::pieces;
use crate::host::strided::{Odometer, by_size};
use crate::pointwise::unary::fill;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, ramp, reference};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("gather", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        Ok(vec![case.apply(gather(axis), &[x, index])])
    }),
    ("take_along_dim", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
        let name = case.spelling(&["dim", "axis"]);
        if case.attribute(name).is_none() {
            let [x, index] = [x, index].map(|wire| case.apply(reshape(&[Extent::Infer]), &[wire]));
            return Ok(vec![case.apply(gather(0), &[x, index])]);
        }
        let axis = case.axis(name, x, 0)?;
        // But for the axis, they are broadcast to each other.
        let extents = [case.spec_of(x)?.bounds(), case.spec_of(index)?.bounds()];
        let pairs = extents[0].iter().zip(&extents[1]).map(|(&x, &i)| if x == 1 { i } else { x });
        let common: Vec<usize> = pairs.collect();
        let [x, index] = [(x, &extents[0]), (index, &extents[1])].map(|(wire, own)| {
            let mut target = common.clone();
            target[axis] = own[axis];
            case.apply(expand(&target), &[wire])
        });
        Ok(vec![case.apply(gather(axis), &[x, index])])
    }),
];

/// The elements of `x` at the indices along `axis`.
#[must_use]
pub fn gather(axis: usize) -> Gather {
    Gather { axis }
}

/// See [`gather`].
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    axis: usize,
}

impl Operator for Gather {
    fn contract(&self) -> Contract {
        let contract = Contract::new("gather").input("x").input("index").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, index) = (&inputs[0], &inputs[1]);
        require::axis("x", x, self.axis)?;
        require::element("index", index, &[Element::I64])?;
        require::rank("index", index, x.rank())?;
        for axis in (0..x.rank()).filter(|&axis| axis != self.axis) {
            require::within("index", index, axis, &x.dimensions[axis])?;
        }
        Ok(vec![index.with_element(x.element)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        // An axis of `x` is kept where the index runs along all of it.
        for (axis, label) in axes.inputs[0].iter_mut().enumerate() {
            let whole = inputs[0].dimensions[axis] == inputs[1].dimensions[axis];
            if axis == self.axis || !whole {
                *label += inputs[0].rank() as u8;
            }
        }
        // One element is read for each one written.
        let bytes = (inputs[1].bytes() + 2 * outputs[0].bytes()) as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, index, dy) = (backward.input(0), backward.input(1), backward.upstream(0));
        let zeros = backward.apply(fill(0.0), &[x]);
        let dx = backward.apply(scatter_add(self.axis), &[zeros, index, dy]);
        Gradient::Of(vec![Some(dx), None])
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
        let (x, index, mut y) = (firing.input(0), firing.input(1), firing.output(0));
        let (extents, places) = (x.extents(), index.extents());
        fits("gather", &places, &extents, Some(self.axis))?;
        let indices = index.elements::<i64>();
        in_range("gather", "index", indices, &places, extents[self.axis])?;
        y.set_extents(&places);
        let targets = Targets::new(&extents, self.axis);
        let element = x.spec().element;
        let lookup = Lookup { indices, places, targets };
        by_size!(element, on_rows(firing.crew(), &lookup, x.bytes(), y.bytes()));
        Ok(())
    }
}

/// The indices of one firing, in range, and how they meet `x`.
struct Lookup<'a> {
    indices: &'a [i64],
    places: Extents,
    targets: Targets,
}

fn on_rows<T: Pod + Send + Sync>(crew: &Crew, lookup: &Lookup<'_>, x: &[u8], y: &mut [u8]) {
    let x: &[T] = bytemuck::cast_slice(x);
    let y: &mut [T] = bytemuck::cast_slice_mut(y);
    let Lookup { indices, places, targets } = lookup;
    let (outer, row) = (&places[..places.len() - 1], places[places.len() - 1]);
    pieces(crew, y, row, &|offset, piece| {
        let mut rows = Odometer::new(outer, [&targets.strides[..]], offset / row);
        for (y, indices) in piece.chunks_exact_mut(row).zip(indices[offset..].chunks_exact(row)) {
            let x = &x[rows.offsets[0] as usize..];
            for (column, (y, &index)) in y.iter_mut().zip(indices).enumerate() {
                *y = x[index as usize * targets.place + column * targets.step];
            }
            rows.advance();
        }
    });
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, fits};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::lookup::{Moves, dense, look_up};

    pub(super) struct OnCube {
        pub(super) axis: usize,
    }

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, index) = (call.input(0), call.input(1));
            let (extents, places) = (x.extents(), index.extents());
            fits("gather", &places, &extents, Some(self.axis))?;
            let y = call.set_extents(0, &places);
            let mut source = dense(&extents);
            let place = std::mem::take(&mut source[self.axis]);
            let bound = extents[self.axis];
            let moves = Moves { source, index: dense(&places), place, bound };
            look_up(call, [&x, &index, &y], moves)
        }
    }
}

/// Element types, each axis, shorter indices, one place, none, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let along = |axis: usize| reference(move |inputs| vec![by_index(inputs, axis)]);
    let hashed = |extents: &[usize], bound: usize| {
        let count = extents.iter().product::<usize>();
        let indices: Vec<i64> = (0..count).map(|k| ((k * k + 3 * k) % bound) as i64).collect();
        Value::new(extents, &indices)
    };
    let case = |name: &str, axis: usize, extents: &[usize], places: &[usize]| {
        let inputs = vec![ramp(f32, extents), hashed(places, extents[axis].max(1))];
        Sample::new(name, gather(axis), inputs, along(axis))
    };
    let every = Element::ALL.map(|element| {
        let inputs = vec![ramp(element, &[3, 7]), hashed(&[3, 5], 7)];
        Sample::new(format!("last axis, {element}"), gather(1), inputs, along(1))
    });
    let wrong = |index: i64| vec![ramp(f32, &[2, 3]), Value::new(&[2, 2], &[0, 1, 2, index])];
    let specs = |index: Spec| vec![Spec::f32([2, 3]), index];
    let i64s = |extents: [usize; 2]| Spec::new(Element::I64, extents);
    let below = "gather: port index: found 3 at [1, 1]; wanted 0 to below 3";
    let negative = "found -1 at [1, 1]";
    let some = vec![
        case("first axis", 0, &[5, 3], &[11, 3]),
        case("middle axis", 1, &[3, 11, 5], &[3, 2, 5]),
        case("shorter", 1, &[3, 7, 5], &[2, 13, 4]),
        case("several pieces", 1, &[211, 13], &[211, 307]),
        case("one place", 0, &[1], &[1]),
        case("none", 0, &[5, 3], &[0, 3]),
        case("of none", 0, &[0, 3], &[0, 3]),
        case("bounded", 0, &[5, 3], &[4, 3]).with_specs(vec![
            Spec::f32([Dimension::UpTo(9), Dimension::Fixed(3)]),
            Spec::new(Element::I64, [Dimension::UpTo(6), Dimension::Fixed(3)]),
        ]),
        Sample::new("outside", gather(1), wrong(3), Expect::Fails(below)),
        Sample::new("negative", gather(1), wrong(-1), Expect::Fails(negative)),
        Sample::rejected("longer", gather(1), specs(i64s([3, 3])), "index", Some(0)),
        Sample::rejected("no integers", gather(1), specs(Spec::f32([2, 3])), "index", None),
        Sample::rejected("missing axis", gather(2), specs(i64s([2, 3])), "x", None),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: `y` asks `x` at its own index with one entry replaced.
fn by_index(inputs: &[Tensor], axis: usize) -> Tensor {
    Tensor::from_fn(&inputs[1].extents, |place| {
        let mut source = place.to_vec();
        source[axis] = inputs[1].at(place) as usize;
        inputs[0].at(&source)
    })
}
