//! Frames: overlapping parts of one axis beside each other,
//! `y[.., p, k, ..] = x[.., p s + k d - before, ..]` with stride `s`, dilation `d` and zeros
//! outside.
//!
//! What a convolution sees at each place along an axis (two of them make the columns of an image,
//! see [`unfold`](super::unfold)), the frames of an audio signal, the patches of a transformer.
//!
//! # Shape
//! `x`: any of at least one dimension, of any element type; the axis is fixed, others may be
//! bounded. `y`: the same with an axis of `(padding + extent - d (taps - 1) - 1) / s + 1` places,
//! rounded down, and one of taps in place of it, or where [`Frames::axes`] puts them.
//!
//! # Gradient
//! `dx` is [`overlap_add`] of `dy`: each element gets the sum over the frames it is in.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `Tensor.unfold`, which puts the taps last.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::frames::frames;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[5], &[1_i32, 2, 3, 4, 5]);
//! let y = fire_once(&frames(0, 3).stride(2), &[x])?;
//! assert_eq!(y[0].extents, [2, 3]);
//! assert_eq!(y[0].elements::<i32>(), [1, 2, 3, 3, 4, 5]);
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
use synfire_runtime::spec::{Element, Spec};

use super::overlap_add::overlap_add;
use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::host::strided::{Odometer, by_size, dense_strides};
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::window::{Framing, Walk, framing_setters};

/// Frames of `taps` elements of `axis`, one for each place where a whole frame fits.
#[must_use]
pub fn frames(axis: usize, taps: usize) -> Frames {
    Frames { framing: Framing::new(axis, taps) }
}

/// See [`frames`].
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    pub(super) framing: Framing,
}

framing_setters!(Frames);

impl Operator for Frames {
    fn contract(&self) -> Contract {
        Contract::new("frames").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(vec![self.framing.framed(&inputs[0])?])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let labels: Vec<u8> = (0..inputs[0].rank() as u8).collect();
        let fresh = [labels.len() as u8, labels.len() as u8 + 1];
        let framed = self.framing.spread(&labels, fresh).into_iter().flatten().collect();
        let axes = Axes { inputs: vec![labels], outputs: vec![framed] };
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let extent = backward.input_spec(0).bound(self.framing.axis);
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(overlap_add(0, 1, extent).framing(self.framing), &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let framing = self.framing;
        on_device!(target, specs, host: OnHost { framing }, cube: cube::OnCube { framing })
    }
}

struct OnHost {
    framing: Framing,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, mut y) = (firing.input(0), firing.output(0));
        let (whole, axis) = (x.extents(), self.framing.axis);
        let walk = self.framing.walk(&whole);
        y.set_extents(&walk.extents);
        let rows = Rows {
            walk: walk.merged(),
            extent: whole[axis] as isize,
            step: dense_strides(&whole)[axis],
            before: self.framing.padding[0] as isize,
        };
        by_size!(x.spec().element, on_rows(firing.crew(), &rows, x.bytes(), y.bytes()));
        Ok(())
    }
}

/// The frames of one firing, as rows along their last axis.
struct Rows {
    walk: Walk,
    /// Of the framed axis, and the elements from one place of it to the next.
    extent: isize,
    step: isize,
    before: isize,
}

fn on_rows<T: Pod + Send + Sync>(crew: &Crew, rows: &Rows, from: &[u8], to: &mut [u8]) {
    let from: &[T] = bytemuck::cast_slice(from);
    let to: &mut [T] = bytemuck::cast_slice_mut(to);
    let Walk { extents, strides, positions } = &rows.walk;
    let last = extents.len() - 1;
    pieces(crew, to, extents[last], &|offset, piece| {
        let both = [&strides[..last], &positions[..last]];
        let mut place = Odometer::new(&extents[..last], both, offset / extents[last]);
        for row in piece.chunks_exact_mut(extents[last]) {
            let [start, position] = place.offsets;
            rows.fill(from, (start, position - rows.before), row);
            place.advance();
        }
    });
}

impl Rows {
    /// One row, whose first element is at `position` of the framed axis.
    fn fill<T: Pod>(&self, from: &[T], (start, position): (isize, isize), row: &mut [T]) {
        let last = self.walk.extents.len() - 1;
        let (stride, moves) = (self.walk.strides[last], self.walk.positions[last]);
        if moves == 0 {
            if !(0..self.extent).contains(&position) {
                return row.fill(T::zeroed());
            }
            let from = &from[(start + position * self.step) as usize..];
            match stride {
                1 => row.copy_from_slice(&from[..row.len()]),
                _ => row.iter_mut().zip(from.iter().step_by(stride as usize)).for_each(copy),
            }
            return;
        }
        let bound = |limit: isize| {
            let places = (limit - position).max(0) as usize;
            places.div_ceil(moves as usize).min(row.len())
        };
        let (first, end) = (bound(0), bound(self.extent));
        row[..first].fill(T::zeroed());
        row[end..].fill(T::zeroed());
        if first < end {
            let position = position + first as isize * moves;
            let from = &from[(start + position * self.step) as usize..];
            let from = from.iter().step_by((moves * self.step) as usize);
            row[first..end].iter_mut().zip(from).for_each(copy);
        }
    }
}

fn copy<T: Copy>((to, from): (&mut T, &T)) {
    *to = *from;
}

#[cfg(feature = "cube")]
mod cube; // a unit for each word of the frames

/// Every element type, strides and dilations, both axes elsewhere, padding, nothing, bounded; wrong
/// axes, frames and extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, element: Element, x: &[usize], operator: Frames| {
        let expect = reference(move |inputs| vec![by_index(&inputs[0], &operator.framing)]);
        Sample::new(format!("{name}, {element}"), operator, vec![ramp(element, x)], expect)
    };
    let rejected = |name: &str, operator: Frames, x: &[usize], dimension| {
        Sample::rejected(name, operator, vec![Spec::f32(x.to_vec())], "x", dimension)
    };
    let all = frames(1, 3).stride(2).dilation(3).padding(4, 2);
    let every = Element::ALL.into_iter().map(|element| case("all", element, &[2, 7, 5], all));
    let some =
        vec![
            case("plain", f32, &[7], frames(0, 3)),
            case("taps last", f32, &[3, 11, 5], frames(1, 4).stride(3).axes(1, 3)),
            case("places first", f32, &[2, 3, 5, 4], all.axes(0, 2)),
            case("last axis", f32, &[3, 17], all.axes(2, 1)),
            case("places last", f32, &[2, 13, 5], all.axes(3, 0)),
            case("last axis in front", f32, &[2, 3, 13], frames(2, 2).padding(1, 0).axes(1, 0)),
            case("one element", f32, &[1], frames(0, 1)),
            case("wide steps", f32, &[9], frames(0, 2).stride(7)),
            case("mostly padding", f32, &[1, 2], frames(0, 3).padding(5, 5)),
            case("only padding", f32, &[2, 0], frames(1, 2).padding(1, 2)),
            case("pieces", f32, &[3, 4001, 2], frames(1, 5).stride(2)),
            case("none", f32, &[0, 5], frames(1, 2)),
            case("bounded", f32, &[2, 5, 3], frames(1, 2).axes(0, 3))
                .with_specs(vec![bounded_first(f32, 5, &[5, 3])]),
            rejected("long frames", frames(1, 3).dilation(3), &[2, 6], Some(1)),
            rejected("no taps", frames(0, 0), &[6], None),
            rejected("no stride", frames(0, 1).stride(0), &[6], None),
            rejected("missing axis", frames(1, 1), &[6], None),
            rejected("one axis for both", frames(0, 1).axes(1, 1), &[6], None),
            rejected("axes elsewhere", frames(0, 1).axes(0, 2), &[6], None),
        ];
    every.chain(some).collect()
}

/// The expectation: each element of a frame asks for its source.
fn by_index(x: &Tensor, framing: &Framing) -> Tensor {
    let Framing { axis, taps, stride, dilation, padding: [before, after], to: [place, tap] } =
        *framing;
    let count = (before + x.extents[axis] + after - dilation * (taps - 1) - 1) / stride + 1;
    let mut extents = x.extents.clone();
    extents.remove(axis);
    let mut added = [(place, count), (tap, taps)];
    added.sort_unstable();
    added.into_iter().for_each(|(to, extent)| extents.insert(to, extent));
    Tensor::from_fn(&extents, |index| {
        let mut source: Vec<usize> = index.to_vec();
        source.remove(place.max(tap));
        source.remove(place.min(tap));
        let Some(at) = (index[place] * stride + index[tap] * dilation).checked_sub(before) else {
            return 0.0;
        };
        source.insert(axis, at);
        if at < x.extents[axis] { x.at(&source) } else { 0.0 }
    })
}
