//! Pad: places before and after each axis, constant or taken from the inside.
//!
//! # Shape
//! `x`: `[.., n, ..]` -> `y`: `[.., before + n + after, ..]`. A bounded axis stays bounded; padded,
//! it takes a constant only. Any element type.
//!
//! # Gradient
//! `dx` is `crop` of `dy`, but for constants `pad_fold`: with the padding where it came from.
//!
//! # Numerics
//! Exact: bytes are moved. [`PadMode::Reflect`] leaves out the edge and reaches `n - 1` places at
//! most, [`PadMode::Circular`] `n`, [`PadMode::Replicate`] any number of a non-empty axis. As
//! PyTorch's `pad`. A constant is rounded to the element type; integers saturate.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::pad::{PadMode, pad};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[3], &[1_i32, 2, 3]);
//! let y = fire_once(&pad(&[2], &[1], PadMode::Reflect), &[x])?;
//! assert_eq!(y[0].elements::<i32>(), [3, 2, 1, 2, 3, 2]);
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
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use super::{crop::crop, pad_fold::pad_fold};
use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::host::strided::{Odometer, by_size, pattern};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod torch; // PyTorch's name
mod onnx; // what ONNX calls it
pub use {onnx::ONNX, torch::TORCH};

/// What the padding holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// This value.
    Constant(f64),
    /// The inside mirrored at the edge element.
    Reflect,
    /// The edge element.
    Replicate,
    /// The inside from the other end.
    Circular,
}

/// `before[k]` and `after[k]` places around axis `k`.
#[must_use]
pub fn pad(before: &[usize], after: &[usize], mode: PadMode) -> Pad {
    Pad { before: before.to_vec(), after: after.to_vec(), mode }
}

/// See [`pad`].
#[derive(Clone, Debug)]
pub struct Pad {
    pub(super) before: Vec<usize>,
    pub(super) after: Vec<usize>,
    pub(super) mode: PadMode,
}

impl Pad {
    /// The extents of the output.
    fn padded(&self, extents: &[usize]) -> Extents {
        let mut padded = [0; RANK_MAX];
        for (axis, extent) in extents.iter().enumerate() {
            padded[axis] = self.before[axis] + extent + self.after[axis];
        }
        Extents::new(&padded[..extents.len()])
    }

    pub(super) fn pads(&self, axis: usize) -> bool {
        self.before[axis] + self.after[axis] > 0
    }

    /// Where place `place` of an axis of `extent` comes from; none where it is the constant.
    pub(super) fn source(&self, axis: usize, place: usize, extent: usize) -> Option<usize> {
        let (n, k) = (extent as isize, place as isize - self.before[axis] as isize);
        let inside = (0..n).contains(&k);
        let source = match self.mode {
            _ if inside => k,
            PadMode::Constant(_) => return None,
            PadMode::Reflect if k < 0 => -k,
            PadMode::Reflect => 2 * (n - 1) - k,
            PadMode::Replicate => k.clamp(0, n - 1),
            PadMode::Circular => k.rem_euclid(n),
        };
        Some(source as usize)
    }
}

impl Operator for Pad {
    fn contract(&self) -> Contract {
        Contract::new("pad").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let mut y = inputs[0].clone();
        [&self.before, &self.after]
            .into_iter()
            .try_for_each(|n| require::rank("x", &y, n.len()))?;
        for axis in (0..y.rank()).filter(|&axis| self.pads(axis)) {
            let (before, after) = (self.before[axis], self.after[axis]);
            if !matches!(self.mode, PadMode::Constant(_)) {
                let extent = require::fixed("x", &y, axis)?;
                let least = match self.mode {
                    PadMode::Reflect => before.max(after) + 1,
                    PadMode::Circular => before.max(after),
                    _ => 1,
                };
                if extent < least {
                    let wanted = format!("{least} or more to pad {before} and {after}");
                    return Err(SpecError::new("x", extent, wanted).at(axis));
                }
            }
            y.dimensions[axis] = match y.dimensions[axis] {
                Dimension::Fixed(extent) => Dimension::Fixed(before + extent + after),
                Dimension::UpTo(bound) => Dimension::UpTo(before + bound + after),
            };
        }
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        for axis in (0..inputs[0].rank()).filter(|&axis| self.pads(axis)) {
            axes.outputs[0][axis] = (inputs[0].rank() + axis) as u8;
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (dy, before, after) = (backward.upstream(0), &self.before, &self.after);
        Gradient::one(match self.mode {
            PadMode::Constant(_) => backward.apply(crop(before, after), &[dy]),
            mode => backward.apply(pad_fold(before, after, mode), &[dy]),
        })
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(self.clone()), cube: cube::OnCube(self.clone()))
    }
}

struct OnHost(Pad);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        let (extents, padded) = (x.extents(), self.0.padded(&x.extents()));
        y.set_extents(&padded);
        let rows = Rows { pad: &self.0, extents, padded };
        by_size!(x.spec().element, on_rows(crew, &rows, x.spec().element, x.bytes(), y.bytes()));
        Ok(())
    }
}

/// One firing, seen as rows along the last axis that is padded; what lies behind it moves along.
struct Rows<'a> {
    pad: &'a Pad,
    extents: Extents,
    padded: Extents,
}

fn on_rows<T: Pod + Send + Sync>(
    crew: &Crew,
    rows: &Rows<'_>,
    element: Element,
    from: &[u8],
    to: &mut [u8],
) {
    let from: &[T] = bytemuck::cast_slice(from);
    let to: &mut [T] = bytemuck::cast_slice_mut(to);
    let value = if let PadMode::Constant(value) = rows.pad.mode { value } else { 0.0 };
    let constant: T = bytemuck::pod_read_unaligned(&pattern(element, value)[..size_of::<T>()]);
    let Some(axis) = (0..rows.extents.len()).rev().find(|&axis| rows.pad.pads(axis)) else {
        return to.copy_from_slice(from);
    };
    let cell: usize = rows.extents[axis + 1..].iter().product();
    let row = rows.padded[axis] * cell;
    pieces(crew, to, row, &|offset, piece| {
        let mut place = Odometer::<0>::new(&rows.padded[..axis], [], offset / row);
        for row in piece.chunks_exact_mut(row) {
            match rows.source(place.index()) {
                Some(source) => rows.fill(axis, constant, &from[source * cell..], row),
                None => row.fill(constant),
            }
            place.advance();
        }
    });
}

impl Rows<'_> {
    /// The first cell of the input row behind the output row at `index`.
    fn source(&self, index: &[usize]) -> Option<usize> {
        let flat = index.iter().enumerate().try_fold(0, |flat, (axis, &place)| {
            let extent = self.extents[axis];
            Some(flat * extent + self.pad.source(axis, place, extent)?)
        });
        flat.map(|flat| flat * self.extents[index.len()])
    }

    /// One row of cells; the input row starts `from`.
    fn fill<T: Pod>(&self, axis: usize, constant: T, from: &[T], row: &mut [T]) {
        let (before, extent) = (self.pad.before[axis], self.extents[axis]);
        let cell = row.len() / self.padded[axis];
        let inside = before * cell..(before + extent) * cell;
        row[inside.clone()].copy_from_slice(&from[..inside.len()]);
        for place in (0..before).chain(before + extent..self.padded[axis]) {
            let cells = &mut row[place * cell..][..cell];
            match self.pad.source(axis, place, extent) {
                Some(source) => cells.copy_from_slice(&from[source * cell..][..cell]),
                None => cells.fill(constant),
            }
        }
    }
}

/// Every element type and mode, channels last, empty, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use PadMode::{Circular, Constant, Reflect, Replicate};
    let f32 = Element::F32;
    let case = |name: String, element: Element, extents: &[usize], operator: Pad| {
        let expect = operator.clone();
        let expect = reference(move |inputs| vec![by_walking(&inputs[0], &expect)]);
        Sample::new(name, operator, vec![ramp(element, extents)], expect)
    };
    let every = Element::ALL.into_iter().map(|element| {
        let operator = pad(&[1, 2], &[2, 0], Constant(1.0));
        case(format!("constant, {element}"), element, &[3, 7], operator)
    });
    let modes = [Constant(-1.5), Reflect, Replicate, Circular].into_iter().flat_map(|mode| {
        [
            case(format!("plane, {mode:?}"), f32, &[2, 5, 7], pad(&[0, 4, 3], &[0, 1, 6], mode)),
            case(format!("outer, {mode:?}"), f32, &[5, 3], pad(&[2, 0], &[4, 0], mode)),
            case(format!("last, {mode:?}"), f32, &[3, 5, 2], pad(&[1, 2, 0], &[2, 1, 0], mode)),
            case(format!("pieces, {mode:?}"), f32, &[61, 503], pad(&[1, 1], &[1, 1], mode)),
            case(format!("nothing, {mode:?}"), f32, &[3], pad(&[0], &[0], mode)),
        ]
    });
    let rejected = |name: &str, before: &[usize], x: Spec, dimension| {
        let operator = pad(before, &vec![0; before.len()], Reflect);
        Sample::rejected(name, operator, vec![x], "x", dimension)
    };
    let some = vec![
        case("around none".into(), f32, &[0, 2], pad(&[1, 1], &[1, 0], Constant(7.0))),
        case("scalar".into(), f32, &[], pad(&[], &[], Reflect)),
        case("replicate far".into(), f32, &[1], pad(&[3], &[5], Replicate)),
        case("bounded".into(), f32, &[2, 3], pad(&[1, 1], &[2, 0], Constant(0.0)))
            .with_specs(vec![bounded_first(f32, 5, &[3])]),
        rejected("reflect too far", &[3], Spec::f32([3]), Some(0)),
        rejected("reflect bounded", &[1], bounded_first(f32, 5, &[]), Some(0)),
        rejected("another rank", &[1], Spec::f32([4, 4]), None),
    ];
    every.chain(modes).chain(some).collect()
}

/// The expectation: walks from the edge into the padding one step at a time.
fn by_walking(x: &Tensor, pad: &Pad) -> Tensor {
    let extents: Vec<usize> =
        x.extents.iter().enumerate().map(|(k, n)| pad.before[k] + n + pad.after[k]).collect();
    Tensor::from_fn(&extents, |index| {
        let mut source = Vec::new();
        for (axis, &place) in index.iter().enumerate() {
            let (n, before) = (x.extents[axis], pad.before[axis]);
            let steps = before.saturating_sub(place).max((place + 1).saturating_sub(before + n));
            let at = |low: usize, high: usize| if place < before { low } else { high };
            source.push(match pad.mode {
                _ if steps == 0 => place - before,
                PadMode::Constant(value) => return value,
                PadMode::Reflect => at(steps, (n - 1).wrapping_sub(steps)),
                PadMode::Replicate => at(0, n - 1),
                PadMode::Circular => at(n.wrapping_sub(steps), steps - 1),
            });
        }
        x.at(&source)
    })
}
