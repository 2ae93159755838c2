//! Overlap-add: frames along one axis put back and summed,
//! `y[.., i, ..] = sum of x[.., p, k, ..]` over all places `p` and taps `k` with
//! `p s + k d - before = i`, with stride `s` and dilation `d`.
//!
//! The transpose of [`frames`] with the same setters: it makes an image of columns (see
//! [`fold`](super::fold)), a signal of its frames.
//!
//! # Shape
//! `x`: `f32` or `f64`, an axis of places and one of taps, which are fixed, others may be bounded
//! -> `y`: without them, with the given extent of the axis, which has as many frames.
//!
//! # Gradient
//! `dx` is [`frames`] of `dy`.
//!
//! # Numerics
//! Sums in the order of taps. Elements in no frame are 0.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::overlap_add::overlap_add;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 3], &[1.0_f32, 2.0, 3.0, 10.0, 20.0, 30.0]);
//! let y = fire_once(&overlap_add(0, 3, 5).stride(2), &[x])?;
//! assert_eq!(y[0].elements::<f32>(), [1.0, 2.0, 13.0, 20.0, 30.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::crew::Crew;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Extents, RANK_MAX, Spec};

use super::frames::frames;
use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::host::strided::{Odometer, dense_strides};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{Framing, framing_setters, wide};

/// Frames of `taps` elements back on an `axis` of `extent` elements.
#[must_use]
pub fn overlap_add(axis: usize, taps: usize, extent: usize) -> OverlapAdd {
    OverlapAdd { framing: Framing::new(axis, taps), extent }
}

/// See [`overlap_add`].
#[derive(Clone, Copy, Debug)]
pub struct OverlapAdd {
    framing: Framing,
    extent: usize,
}

framing_setters!(OverlapAdd);

impl OverlapAdd {
    /// Sets everything but the extent.
    pub(super) fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// The extents of the whole that has frames of these.
    fn whole(&self, frames: &[usize]) -> Extents {
        let others = frames.iter().enumerate();
        let mut others = others.filter(|(axis, _)| !self.framing.to.contains(axis));
        let mut whole = [0; RANK_MAX];
        let rank = frames.len() - 1;
        for (axis, extent) in whole.iter_mut().enumerate().take(rank) {
            let other = if axis == self.framing.axis { None } else { others.next() };
            *extent = other.map_or(self.extent, |(_, &other)| other);
        }
        Extents::new(&whole[..rank])
    }

    /// How the whole lies in its frames.
    fn layout(&self, frames: &Extents) -> Layout {
        let (whole, dense) = (self.whole(frames), dense_strides(frames));
        let [place, tap] = self.framing.to.map(|axis| dense[axis]);
        let mut others = (0..frames.len()).filter(|axis| !self.framing.to.contains(axis));
        let (mut extents, mut rank) = ([0; RANK_MAX], 0);
        let (mut strides, mut positions) = ([0; RANK_MAX], [0; RANK_MAX]);
        for (axis, &extent) in whole.iter().enumerate() {
            let other = if axis == self.framing.axis { None } else { others.next() };
            let stride = other.map_or(0, |axis| dense[axis]);
            let position = isize::from(other.is_none());
            let follows = rank > 0
                && positions[rank - 1] + position == 0
                && strides[rank - 1] == stride * extent as isize;
            if follows {
                (extents[rank - 1], strides[rank - 1]) = (extents[rank - 1] * extent, stride);
            } else {
                (extents[rank], strides[rank], positions[rank]) = (extent, stride, position);
                rank += 1;
            }
        }
        let extents = Extents::new(&extents[..rank]);
        let places = frames[self.framing.to[0]];
        Layout { extents, strides, positions, places, steps: [place, tap] }
    }
}

/// Where the elements of the whole lie in its frames, over as few axes as can be.
struct Layout {
    extents: Extents,
    /// Elements of the frames from one place of each axis to the next; 0 for the framed axis.
    strides: [isize; RANK_MAX],
    /// 1 for the framed axis, else 0.
    positions: [isize; RANK_MAX],
    places: usize,
    /// Elements of the frames from one place, and from one tap, to the next.
    steps: [isize; 2],
}

impl Operator for OverlapAdd {
    fn contract(&self) -> Contract {
        Contract::new("overlap_add").input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::element("x", &inputs[0], &[Element::F32, Element::F64])?;
        Ok(vec![self.framing.whole(&inputs[0], self.extent)?])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let labels: Vec<u8> = (0..outputs[0].rank() as u8).collect();
        let fresh = [labels.len() as u8, labels.len() as u8 + 1];
        let framed = self.framing.spread(&labels, fresh).into_iter().flatten().collect();
        let axes = Axes { inputs: vec![framed], outputs: vec![labels] };
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        let mut adjoint = frames(0, 1);
        adjoint.framing = self.framing;
        Gradient::one(backward.apply(adjoint, &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        match specs.inputs[0].element {
            Element::F64 => on_device!(target, specs, host: OnHost(*self)),
            _ => on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube(*self)),
        }
    }
}

struct OnHost(OverlapAdd);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, mut y) = (firing.input(0), firing.output(0));
        let layout = self.0.layout(&x.extents());
        y.set_extents(&self.0.whole(&x.extents()));
        let (crew, sums) = (firing.crew(), Sums { framing: &self.0.framing, layout });
        match x.spec().element {
            Element::F64 => sums.compute::<f64>(crew, x.elements(), y.elements()),
            _ => sums.compute::<f32>(crew, x.elements(), y.elements()),
        }
        Ok(())
    }
}

/// The sums of one firing.
struct Sums<'a> {
    framing: &'a Framing,
    layout: Layout,
}

impl Sums<'_> {
    fn compute<T: Real>(&self, crew: &Crew, from: &[T], to: &mut [T]) {
        let Layout { extents, strides, positions, .. } = &self.layout;
        let last = extents.len() - 1;
        pieces(crew, to, extents[last], &|offset, piece| {
            let both = [&strides[..last], &positions[..last]];
            let mut place = Odometer::new(&extents[..last], both, offset / extents[last]);
            for row in piece.chunks_exact_mut(extents[last]) {
                row.fill(T::of(0.0));
                let [start, position] = place.offsets;
                match positions[last] {
                    0 => self.across(from, (start, position), row),
                    _ => self.along(from, start, row),
                }
                place.advance();
            }
        });
    }

    /// A row of neighbours of one element of the framed axis.
    fn across<T: Real>(&self, from: &[T], (start, position): (isize, isize), row: &mut [T]) {
        let (framing, layout) = (self.framing, &self.layout);
        let stride = layout.strides[layout.extents.len() - 1] as usize;
        for tap in 0..framing.taps {
            let reach = position as usize + framing.padding[0];
            let Some(reach) = reach.checked_sub(tap * framing.dilation) else { break };
            let place = reach / framing.stride;
            if reach.is_multiple_of(framing.stride) && place < layout.places {
                let at = start + place as isize * layout.steps[0] + tap as isize * layout.steps[1];
                let from = from[at as usize..].iter().step_by(stride);
                row.iter_mut().zip(from).for_each(|(y, &x)| *y = *y + x);
            }
        }
    }

    /// The whole framed axis.
    fn along<T: Real>(&self, from: &[T], start: isize, row: &mut [T]) {
        let (framing, layout) = (self.framing, &self.layout);
        for tap in 0..framing.taps {
            let reach = (tap * framing.dilation) as isize - framing.padding[0] as isize;
            let first = (-reach).max(0).unsigned_abs().div_ceil(framing.stride);
            let end = (row.len() as isize - reach).max(0).unsigned_abs().div_ceil(framing.stride);
            for place in first..end.min(layout.places) {
                let at = start + place as isize * layout.steps[0] + tap as isize * layout.steps[1];
                let y = &mut row[(place * framing.stride).strict_add_signed(reach)];
                *y = *y + from[at as usize];
            }
        }
    }
}

#[cfg(feature = "cube")]
mod cube; // a unit for each element of the whole

/// Strides and dilations, axes elsewhere, padding, gaps, nothing, bounded, `f64`; wrong places,
/// taps and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let bounded = vec![bounded_first(Element::F32, 5, &[4, 2])];
    let case = |name: &str, x: &[usize], operator: OverlapAdd| {
        Sample::new(name, operator, vec![noise(1, x)], by_adding(operator))
    };
    let rejected = |name: &str, operator: OverlapAdd, x: &[usize], dimension| {
        Sample::rejected(name, operator, vec![Spec::f32(x.to_vec())], "x", dimension)
    };
    let all = overlap_add(1, 3, 11).stride(2).dilation(3).padding(4, 2);
    vec![
        case("plain", &[5, 3], overlap_add(0, 3, 7)),
        case("all", &[2, 6, 3, 5], all),
        case("taps last", &[3, 3, 5, 4], overlap_add(1, 4, 11).stride(3).axes(1, 3)),
        case("places first", &[6, 2, 3, 5], all.axes(0, 2)),
        case("last axis", &[3, 3, 6], all.axes(2, 1)),
        case("places last", &[3, 2, 5, 6], all.axes(3, 0)),
        case("gaps", &[2, 2], overlap_add(0, 2, 13).stride(7).padding(0, 1)),
        case("one element", &[1, 1], overlap_add(0, 1, 1)),
        case("mostly padding", &[9, 3, 2], overlap_add(0, 3, 1).padding(5, 5)),
        case("pieces", &[3, 1999, 5, 2], overlap_add(1, 5, 4001).stride(2)),
        case("none", &[0, 4, 2], overlap_add(1, 2, 5)),
        case("onto none", &[2, 2, 2], overlap_add(1, 2, 0).padding(1, 2)),
        case("outside and behind", &[4, 2, 3, 2], overlap_add(1, 2, 5).axes(0, 3)),
        case("bounded", &[2, 4, 2], overlap_add(1, 2, 5)).with_specs(bounded),
        Sample::new("f64", all, vec![wide(1, &[2, 6, 3, 5])], by_adding(all)),
        rejected("too many places", overlap_add(0, 3, 6), &[5, 3], Some(0)),
        rejected("too few taps", overlap_add(0, 3, 7), &[5, 2], Some(1)),
        rejected("short", overlap_add(0, 3, 2), &[5, 3], Some(0)),
        rejected("no taps", overlap_add(0, 0, 2), &[5, 3], None),
        rejected("one axis", overlap_add(0, 1, 1), &[1], None),
    ]
}

/// The expectation: each element of a frame adds itself to its target.
fn by_adding(operator: OverlapAdd) -> Expect {
    reference(move |inputs| {
        let (x, framing) = (&inputs[0], operator.framing);
        let ([place, tap], before) = (framing.to, framing.padding[0]);
        let without = |index: &[usize]| {
            let mut others = index.to_vec();
            others.remove(place.max(tap));
            others.remove(place.min(tap));
            others
        };
        let mut extents = without(&x.extents);
        extents.insert(framing.axis, operator.extent);
        let mut y = Tensor::from_fn(&extents, |_| 0.0);
        // The flat place of each element's target; none of them is before the first.
        let targets = Tensor::from_fn(&x.extents, |index| {
            let reach = index[place] * framing.stride + index[tap] * framing.dilation;
            let inside = reach.checked_sub(before).filter(|&at| at < operator.extent);
            inside.map_or(-1.0, |at| {
                let mut target = without(index);
                target.insert(framing.axis, at);
                target.iter().zip(&extents).fold(0, |flat, (i, n)| flat * n + i) as f64
            })
        });
        for (x, target) in x.data.iter().zip(&targets.data).filter(|(_, target)| **target >= 0.0) {
            y.data[*target as usize] += x;
        }
        vec![y]
    })
}
