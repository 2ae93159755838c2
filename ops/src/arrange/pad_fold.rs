//! Pad fold: the padding added back to the places that it was copied from, as the gradient of
//! `pad` needs it.
//!
//! # Shape
//! `x`: `[.., before + n + after, ..]`, `f32` or `f64`; padded axes are fixed -> `y`: `[.., n,
//! ..]`.
//!
//! # Gradient
//! `dx` is `pad` of `dy` in the same mode, with zeros where that is a constant.
//!
//! # Numerics
//! Sums run in the element type: along a row first the inside, then the padding from its first
//! place to its last; rows in ascending order. Slabs in front of the first padded axis are shared
//! out among the cores. An axis that is padded by a constant is only cropped.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::{pad::PadMode, pad_fold::pad_fold};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[6], &[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
//! let y = fire_once(&pad_fold(&[2], &[1], PadMode::Circular), &[x])?;
//! assert_eq!(y[0].elements::<f32>(), [9.0, 5.0, 7.0]); // 3 + 6, 4 + 1, 5 + 2
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::crew::Crew;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use super::pad::{Pad, PadMode, pad};
use crate::device::on_device;
use crate::host::number::Number;
use crate::host::pieces::pieces;
use crate::host::strided::Odometer;
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// Undoes [`pad`] with the same parameters, adding what was copied.
#[must_use]
pub fn pad_fold(before: &[usize], after: &[usize], mode: PadMode) -> PadFold {
    let mode = if let PadMode::Constant(_) = mode { PadMode::Constant(0.0) } else { mode };
    PadFold { pad: pad(before, after, mode) }
}

/// See [`pad_fold`].
#[derive(Clone, Debug)]
pub struct PadFold {
    pad: Pad,
}

impl PadFold {
    fn loss(&self, axis: usize) -> usize {
        self.pad.before[axis] + self.pad.after[axis]
    }

    /// The extents of the output.
    fn folded(&self, extents: &[usize]) -> Extents {
        let mut folded = [0; RANK_MAX];
        for (axis, extent) in extents.iter().enumerate() {
            folded[axis] = extent.saturating_sub(self.loss(axis));
        }
        Extents::new(&folded[..extents.len()])
    }
}

impl Operator for PadFold {
    fn contract(&self) -> Contract {
        Contract::new("pad_fold").input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let mut y = inputs[0].clone();
        require::element("x", &y, &[Element::F32, Element::F64])?;
        require::rank("x", &y, self.pad.before.len())?;
        require::rank("x", &y, self.pad.after.len())?;
        for axis in (0..y.rank()).filter(|&axis| self.pad.pads(axis)) {
            let (extent, loss) = (require::fixed("x", &y, axis)?, self.loss(axis));
            let Some(inside) = extent.checked_sub(loss) else {
                return Err(SpecError::new("x", extent, format!("{loss} or more")).at(axis));
            };
            y.dimensions[axis] = Dimension::Fixed(inside);
        }
        // What it came from must be something that can be padded so.
        self.pad.shape(std::slice::from_ref(&y))?;
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        for axis in (0..inputs[0].rank()).filter(|&axis| self.pad.pads(axis)) {
            axes.outputs[0][axis] = (inputs[0].rank() + axis) as u8;
        }
        Metadata::streaming(inputs, outputs, axes).with_macs(inputs[0].elements() as u64)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(self.pad.clone(), &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: OnHost(self.clone()),
            cube: cube::OnCube::new(self.clone(), specs)?
        )
    }
}

struct OnHost(PadFold);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        let (padded, extents) = (x.extents(), self.0.folded(&x.extents()));
        y.set_extents(&extents);
        let slabs = Slabs { pad: &self.0.pad, extents, padded };
        match x.spec().element {
            Element::F32 => on_slabs::<f32>(crew, &slabs, x.elements(), y.elements()),
            _ => on_slabs::<f64>(crew, &slabs, x.elements(), y.elements()),
        }
        Ok(())
    }
}

/// One firing, seen as slabs from the first axis that is padded on.
struct Slabs<'a> {
    pad: &'a Pad,
    extents: Extents,
    padded: Extents,
}

fn on_slabs<T: Number>(crew: &Crew, slabs: &Slabs<'_>, x: &[T], y: &mut [T]) {
    let Slabs { pad, extents, padded } = slabs;
    let mut axes = (0..padded.len()).filter(|&axis| pad.pads(axis));
    let Some(first) = axes.next() else { return y.copy_from_slice(x) };
    let last = axes.next_back().unwrap_or(first);
    let [slab, padded_slab] =
        [extents, padded].map(|extents| extents[first..].iter().product::<usize>());
    let cell: usize = extents[last + 1..].iter().product();
    let row = padded[last] * cell;
    pieces(crew, y, slab, &|offset, piece| {
        piece.fill(T::zeroed());
        for (y, at) in piece.chunks_exact_mut(slab).zip(offset / slab..) {
            let x = &x[at * padded_slab..][..padded_slab];
            let mut place = Odometer::<0>::new(&padded[first..last], [], 0);
            for x in x.chunks_exact(row) {
                if let Some(target) = slabs.target(first, place.index()) {
                    let width = extents[last] * cell;
                    slabs.fold(last, x, &mut y[target * width..][..width]);
                }
                place.advance();
            }
        }
    });
}

impl Slabs<'_> {
    /// The row, behind axis `first`, that a padded row at `index` was copied from.
    fn target(&self, first: usize, index: &[usize]) -> Option<usize> {
        index.iter().zip(first..).try_fold(0, |flat, (&place, axis)| {
            let extent = self.extents[axis];
            Some(flat * extent + self.pad.source(axis, place, extent)?)
        })
    }

    /// Adds a padded row of cells to the row that it was copied from.
    fn fold<T: Number>(&self, axis: usize, x: &[T], y: &mut [T]) {
        let add = |y: &mut [T], x: &[T]| y.iter_mut().zip(x).for_each(|(y, &x)| *y = y.plus(x));
        let (before, extent) = (self.pad.before[axis], self.extents[axis]);
        let cell = x.len() / self.padded[axis];
        add(y, &x[before * cell..][..extent * cell]);
        for place in (0..before).chain(before + extent..self.padded[axis]) {
            if let Some(source) = self.pad.source(axis, place, extent) {
                add(&mut y[source * cell..][..cell], &x[place * cell..][..cell]);
            }
        }
    }
}

/// Every mode, channels last, several pieces, `f64`, nothing padded, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use PadMode::{Circular, Constant, Reflect, Replicate};
    let case = |name: String, extents: &[usize], [before, after]: [&[usize]; 2], mode| {
        let operator = pad_fold(before, after, mode);
        let expect = operator.clone();
        let expect = reference(move |inputs| vec![by_copying(&inputs[0], &expect.pad)]);
        Sample::new(name, operator, vec![noise(1, extents)], expect)
    };
    let modes = [Constant(2.0), Reflect, Replicate, Circular].into_iter().flat_map(|mode| {
        [
            case(format!("plane, {mode:?}"), &[2, 8, 13], [&[0, 2, 3], &[0, 1, 4]], mode),
            case(format!("outer, {mode:?}"), &[11, 3], [&[2, 0], &[4, 0]], mode),
            case(format!("channels last, {mode:?}"), &[6, 8, 2], [&[1, 2, 0], &[2, 1, 0]], mode),
            case(format!("pieces, {mode:?}"), &[211, 97], [&[0, 1], &[0, 2]], mode),
            case(format!("nothing, {mode:?}"), &[3], [&[0], &[0]], mode),
        ]
    });
    let mut doubles = case("of f64".into(), &[3, 7], [&[0, 2], &[0, 1]], Reflect);
    let wide = tensor(&noise(1, &[3, 7])).data;
    doubles.inputs[0] = Some(synfire_runtime::value::Value::new(&[3, 7], &wide));
    doubles.specs = vec![Spec::new(Element::F64, [3, 7])];
    let rejected = |name: &str, x: Spec, dimension| {
        Sample::rejected(name, pad_fold(&[2], &[2], Reflect), vec![x], "x", dimension)
    };
    let some = vec![
        doubles,
        case("replicate far".into(), &[9], [&[3], &[5]], Replicate),
        case("scalar".into(), &[], [&[], &[]], Circular),
        case("bounded".into(), &[2, 6], [&[0, 2], &[0, 1]], Circular)
            .with_specs(vec![bounded_first(Element::F32, 5, &[6])]),
        rejected("too short", Spec::f32([3]), Some(0)),
        rejected("reflected too far", Spec::f32([6]), Some(0)),
        rejected("bounded axis", bounded_first(Element::F32, 9, &[]), Some(0)),
        rejected("integers", Spec::new(Element::I64, [9]), None),
    ];
    modes.chain(some).collect()
}

/// The expectation: every padded place looks for the place that it was copied from.
fn by_copying(x: &Tensor, pad: &Pad) -> Tensor {
    let left = |(axis, n): (usize, &usize)| n - pad.before[axis] - pad.after[axis];
    let extents: Vec<usize> = x.extents.iter().enumerate().map(left).collect();
    let mut y = Tensor::from_fn(&extents, |_| 0.0);
    let _ = Tensor::from_fn(&x.extents, |index| {
        let flat = index.iter().enumerate().try_fold(0, |flat, (axis, &k)| {
            let (n, k) = (extents[axis] as isize, k as isize - pad.before[axis] as isize);
            let source = match pad.mode {
                PadMode::Reflect => (n - 1) - (n - 1 - k.abs()).abs(),
                PadMode::Replicate => k.max(0).min(n - 1),
                PadMode::Circular => (k + n) % n,
                PadMode::Constant(_) => k,
            };
            (0..n).contains(&source).then(|| flat * extents[axis] + source as usize)
        });
        if let Some(flat) = flat {
            y.data[flat] += x.at(index);
        }
        0.0
    });
    y
}
