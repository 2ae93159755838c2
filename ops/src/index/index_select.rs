//! Index select: whole slices of `x` at the indices along an axis, as an embedding lookup does.
//!
//! # Shape
//! `x`: `[.., n, ..]`, any element type; `index`: `i64[k]` -> `y`: `[.., k, ..]`. Bounded
//! dimensions stay bounded.
//!
//! # Gradient
//! `dx` is `index_add` of `dy` onto zeros at the same indices; none for `index`.
//!
//! # Numerics
//! Exact: bytes are moved, a slice is one `memcpy`. An index outside `0..n`, negative ones too,
//! fails the firing. As PyTorch's `index_select`. An accelerator cannot fail for one index: it
//! gives zeros there.
//!
//! # Example
//! ```
//! use synfire_ops::index::index_select::index_select;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[3, 2], &[0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0]);
//! let y = fire_once(&index_select(0), &[x, Value::new(&[2], &[2_i64, 0])])?;
//! assert_eq!(y[0].elements::<f32>(), [4.0, 5.0, 0.0, 1.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use std::sync::Arc;

use bytemuck::Pod;
use synfire_runtime::crew::Crew;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};
use synfire_runtime::value::Value;

use super::index_add::index_add;
use crate::arrange::reshape::{Extent, reshape};
use crate::broadcast::{binary::equal, cast::cast, select::where_};
use crate::device::on_device;
use crate::gradient::spec;
use crate::host::indices::in_range;
use crate::host::pieces::pieces;
use crate::host::strided::by_size;
use crate::pointwise::unary::fill;
use crate::require;
use crate::sample::{Expect, Sample, Subject, Tensor, ramp, reference};

/// The slices of `x` at the indices along `axis`.
#[must_use]
pub fn index_select(axis: usize) -> IndexSelect {
    IndexSelect { axis, padding: None }
}

/// See [`index_select`].
#[derive(Clone, Copy, Debug)]
pub struct IndexSelect {
    axis: usize,
    padding: Option<usize>,
}

impl IndexSelect {
    /// The same, but the slice at `place` gets no gradient.
    #[must_use]
    pub fn without_gradient_at(self, place: usize) -> Self {
        Self { padding: Some(place), ..self }
    }

    /// `dy` with zeros where the index is `place`.
    fn without(&self, draft: &mut Draft, place: usize, [index, dy]: [Wire; 2]) -> Wire {
        let spec = spec(draft, dy);
        let floats = draft.apply(cast(spec.element), &[index]);
        let place = draft.apply(fill(place as f64), &[floats]);
        let place = draft.apply(cast(Element::I64), &[place]);
        let is_place = draft.apply(equal(), &[index, place]);
        let mut along = vec![Extent::Is(1); spec.rank()];
        along[self.axis] = Extent::Infer;
        let is_place = draft.apply(reshape(&along), &[is_place]);
        let zeros = draft.apply(fill(0.0), &[dy]);
        draft.apply(where_(), &[is_place, zeros, dy])
    }
}

impl Operator for IndexSelect {
    fn contract(&self) -> Contract {
        let contract = Contract::new("index_select").input("x").input("index").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let mut y = inputs[0].clone();
        require::axis("x", &y, self.axis)?;
        require::element("index", &inputs[1], &[Element::I64])?;
        require::rank("index", &inputs[1], 1)?;
        y.dimensions[self.axis] = inputs[1].dimensions[0];
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let label = inputs[0].rank() as u8;
        axes.inputs[1][0] = label;
        axes.outputs[0][self.axis] = label;
        // Only the slices taken are read.
        let bytes = (inputs[1].bytes() + 2 * outputs[0].bytes()) as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, index, dy) = (backward.input(0), backward.input(1), backward.upstream(0));
        let dy = self.padding.map_or(dy, |place| self.without(backward, place, [index, dy]));
        let zeros = backward.apply(fill(0.0), &[x]);
        let dx = backward.apply(index_add(self.axis, 1.0), &[zeros, index, dy]);
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
        let extents = x.extents();
        let indices = index.elements::<i64>();
        in_range("index_select", "index", indices, &index.extents(), extents[self.axis])?;
        let mut taken = [0; RANK_MAX];
        taken[..extents.len()].copy_from_slice(&extents);
        taken[self.axis] = indices.len();
        y.set_extents(&taken[..extents.len()]);
        let slices = Slices { indices, extents, axis: self.axis };
        by_size!(x.spec().element, on_slices(firing.crew(), &slices, x.bytes(), y.bytes()));
        Ok(())
    }
}

/// Which slices one firing takes; the indices are in range.
struct Slices<'a> {
    indices: &'a [i64],
    extents: Extents,
    axis: usize,
}

fn on_slices<T: Pod + Send + Sync>(crew: &Crew, slices: &Slices<'_>, x: &[u8], y: &mut [u8]) {
    let x: &[T] = bytemuck::cast_slice(x);
    let y: &mut [T] = bytemuck::cast_slice_mut(y);
    let (indices, extent) = (slices.indices, slices.extents[slices.axis]);
    let slice: usize = slices.extents[slices.axis + 1..].iter().product();
    pieces(crew, y, slice, &|offset, piece| {
        for (y, flat) in piece.chunks_exact_mut(slice).zip(offset / slice..) {
            let (outer, index) = (flat / indices.len(), indices[flat % indices.len()] as usize);
            y.copy_from_slice(&x[(outer * extent + index) * slice..][..slice]);
        }
    });
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::FireError;
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::lookup::{Moves, dense, look_up};

    pub(super) struct OnCube {
        pub(super) axis: usize,
    }

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, index) = (call.input(0), call.input(1));
            let extents = x.extents();
            let mut taken = extents.to_vec();
            taken[self.axis] = index.elements();
            let y = call.set_extents(0, &taken);
            let mut source = dense(&extents);
            let place = std::mem::take(&mut source[self.axis]);
            let along = (0..extents.len()).map(|axis| usize::from(axis == self.axis)).collect();
            let moves = Moves { source, index: along, place, bound: extents[self.axis] };
            look_up(call, [&x, &index, &y], moves)
        }
    }
}

/// Element types, each axis, one place, none, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let along = |axis: usize| reference(move |inputs| vec![by_index(inputs, axis)]);
    let case = |name: &str, axis: usize, extents: &[usize], indices: &[i64]| {
        let inputs = vec![ramp(f32, extents), Value::new(&[indices.len()], indices)];
        Sample::new(name, index_select(axis), inputs, along(axis))
    };
    let every = Element::ALL.map(|element| {
        let inputs = vec![ramp(element, &[3, 7, 5]), Value::new(&[4], &[6_i64, 0, 3, 6])];
        Sample::new(format!("middle axis, {element}"), index_select(1), inputs, along(1))
    });
    let many: Vec<i64> = (0..997).map(|k| k * k % 13).collect();
    let fails = |index: i64, words: &'static str| {
        let inputs = vec![ramp(f32, &[3, 2]), Value::new(&[2], &[0, index])];
        Sample::new(format!("index {index}"), index_select(0), inputs, Expect::Fails(words))
    };
    let specs = |index: Spec| vec![Spec::f32([2, 3]), index];
    let mut padded = case("of integers, padded", 0, &[5, 3], &[4, 1, 4]);
    padded.subject = Subject::Operator(Arc::new(index_select(0).without_gradient_at(9)));
    let some = vec![
        case("embedding", 0, &[11, 7], &[10, 0, 0, 5]),
        case("last axis", 1, &[5, 7], &[6, 1, 1]),
        case("several pieces", 0, &[13, 61], &many),
        case("one place", 0, &[1], &[0]),
        case("none", 0, &[5, 3], &[]),
        case("of none", 1, &[0, 3], &[2, 1]),
        case("bounded", 0, &[5, 3], &[4, 0]).with_specs(vec![
            Spec::f32([Dimension::UpTo(9), Dimension::Fixed(3)]),
            Spec::new(Element::I64, [Dimension::UpTo(6)]),
        ]),
        padded,
        fails(3, "index_select: port index: found 3 at [1]; wanted 0 to below 3"),
        fails(i64::MIN, "at [1]; wanted 0 to below 3"),
        Sample::rejected(
            "index of two axes",
            index_select(0),
            specs(Spec::new(Element::I64, [1, 1])),
            "index",
            None,
        ),
        Sample::rejected("no integers", index_select(0), specs(Spec::f32([2])), "index", None),
        Sample::rejected(
            "missing axis",
            index_select(2),
            specs(Spec::new(Element::I64, [1])),
            "x",
            None,
        ),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: `y` asks `x` at its own index with one entry looked up.
fn by_index(inputs: &[Tensor], axis: usize) -> Tensor {
    let mut extents = inputs[0].extents.clone();
    extents[axis] = inputs[1].data.len();
    Tensor::from_fn(&extents, |place| {
        let mut source = place.to_vec();
        source[axis] = inputs[1].data[place[axis]] as usize;
        inputs[0].at(&source)
    })
}
