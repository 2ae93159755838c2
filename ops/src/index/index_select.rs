//! Index select: whole slices of `x` at the indices along an axis, as an embedding lookup does.
//!
//! # Shape
//! `x`: `[.., n, ..]`, any element type; `index`: `i64`, any, often `[k]` -> `y`: the dimensions of
//! `x` with those of `index` in the place of the axis. Bounded dimensions stay bounded.
//!
//! # Gradient
//! `dx` is `index_add` of `dy` onto zeros at the same indices, without those of
//! [`IndexSelect::without_gradient_at`]; none for `index`. An index of several dimensions has one
//! if `y` has at most one that is bounded.
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
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};
use synfire_runtime::value::Value;

use crate::arrange::reshape::{Extent, reshape};
use crate::device::on_device;
use crate::host::indices::in_range;
use crate::host::pieces::pieces;
use crate::host::strided::by_size;
use crate::require;
use crate::sample::{Expect, Sample, Subject, Tensor, bounded_first, ramp, reference};
use crate::torch::Torch;

mod backward; // the gradient

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("index_select", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
        let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
        Ok(vec![case.apply(index_select(axis), &[x, index])])
    }),
    ("take", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
        let flat = case.apply(reshape(&[Extent::Infer]), &[x]);
        Ok(vec![case.apply(index_select(0), &[flat, index])])
    }),
];

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

    /// The dimensions or extents of the output: those of the index in the place of the axis.
    fn taken<T: Copy>(&self, x: &[T], index: &[T]) -> impl Iterator<Item = T> {
        let (before, behind) = (&x[..self.axis], &x[self.axis + 1..]);
        before.iter().chain(index).chain(behind).copied().collect::<Vec<_>>().into_iter()
    }
}

impl Operator for IndexSelect {
    fn contract(&self) -> Contract {
        let contract = Contract::new("index_select").input("x").input("index").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, index) = (&inputs[0], &inputs[1]);
        require::axis("x", x, self.axis)?;
        require::element("index", index, &[Element::I64])?;
        if x.rank() - 1 + index.rank() > RANK_MAX {
            let most = RANK_MAX + 1 - x.rank();
            return Err(SpecError::new("index", index, format!("at most {most} dimensions")));
        }
        Ok(vec![Spec::new(x.element, self.taken(&x.dimensions, &index.dimensions))])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let first = inputs[0].rank() as u8;
        axes.inputs[1].iter_mut().for_each(|label| *label += first);
        axes.outputs[0] = self.taken(&axes.inputs[0], &axes.inputs[1]).collect();
        // Only the slices taken are read.
        let bytes = (inputs[1].bytes() + 2 * outputs[0].bytes()) as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        backward::gradient(*self, backward)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube(*self))
    }
}

struct OnHost(IndexSelect);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, index, mut y) = (firing.input(0), firing.input(1), firing.output(0));
        let (extents, places, axis) = (x.extents(), index.extents(), self.0.axis);
        let indices = index.elements::<i64>();
        in_range("index_select", "index", indices, &places, extents[axis])?;
        let mut taken = [0; RANK_MAX];
        let rank = extents.len() - 1 + places.len();
        taken[..axis].copy_from_slice(&extents[..axis]);
        taken[axis..axis + places.len()].copy_from_slice(&places);
        taken[axis + places.len()..rank].copy_from_slice(&extents[axis + 1..]);
        y.set_extents(&taken[..rank]);
        let slices = Slices { indices, extents, axis };
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

    use super::{FireError, IndexSelect};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::lookup::{Moves, dense, look_up};

    pub(super) struct OnCube(pub(super) IndexSelect);

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, index) = (call.input(0), call.input(1));
            let (extents, places, axis) = (x.extents(), index.extents(), self.0.axis);
            let taken: Vec<usize> = self.0.taken(&extents, &places).collect();
            let y = call.set_extents(0, &taken);
            let [to_x, to_index] = [&extents, &places].map(|extents| dense(extents));
            let (still, none) = (vec![0; places.len()], vec![0; extents.len()]);
            let moves = Moves {
                source: self.0.taken(&to_x, &still).collect(),
                index: self.0.taken(&none, &to_index).collect(),
                place: to_x[axis],
                bound: extents[axis],
            };
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
    let mut padded = case("padded", 0, &[5, 3], &[4, 1, 4]);
    padded.subject = Subject::Operator(Arc::new(index_select(0).without_gradient_at(9)));
    let shaped = |name: &str, axis: usize, extents: &[usize], indices: Value| {
        Sample::new(name, index_select(axis), vec![ramp(f32, extents), indices], along(axis))
    };
    let some = vec![
        shaped("matrix of indices", 1, &[2, 5, 3], Value::new(&[2, 2], &[4_i64, 0, 3, 4])),
        shaped("one index", 1, &[2, 5, 3], Value::new(&[], &[3_i64])),
        shaped("bounded matrix", 0, &[5, 3], Value::new(&[2, 2], &[4_i64, 0, 3, 4]))
            .with_specs(vec![Spec::f32([5, 3]), bounded_first(Element::I64, 3, &[2])]),
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
            "too many axes",
            index_select(0),
            specs(Spec::new(Element::I64, [1; 8])),
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
    let (x, index) = (&inputs[0], &inputs[1]);
    let extents = [&x.extents[..axis], &index.extents, &x.extents[axis + 1..]].concat();
    Tensor::from_fn(&extents, |place| {
        let (before, rest) = place.split_at(axis);
        let (at, behind) = rest.split_at(index.extents.len());
        x.at(&[before, &[index.at(at) as usize], behind].concat())
    })
}
