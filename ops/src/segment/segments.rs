//! Segment reductions: the slices of `x` that have one identity, reduced to one.
//!
//! | operator | of segment `s` |
//! |---|---|
//! | [`segment_sum`] | the sum of all `x_i` with `ids_i = s` |
//! | [`segment_max`], [`segment_min`] | the largest, the smallest |
//! | [`segment_mean`] | the mean, a composite: the sum divided by the count |
//!
//! # Shape
//! `x`: `f32` or `f64`, `[.., n, ..]`; `ids`: `i64[n]`, in any order -> `y`: `[.., count, ..]`.
//! `n` may be bounded; the number of segments is a parameter.
//!
//! # Gradient
//! Sum: `dx_i = dy` of its segment. Max and min: `dy` to the elements equal to the extreme, in
//! equal parts; PyTorch shares positive slopes only and gives each element a negative one in full,
//! which is no subgradient. None for `ids`.
//!
//! # Numerics
//! Sums in ascending order of `i`, one rounding each. A NaN makes its segment NaN. A segment
//! without slices is 0 (sum), `-inf` (max), `+inf` (min) or NaN (mean). As PyTorch's
//! `segment_reduce`. An identity outside `0..count` fails the firing; an accelerator leaves that
//! slice out.
//!
//! # Example
//! ```
//! use synfire_ops::segment::segments::segment_sum;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[4], &[1.0_f32, 2.0, 3.0, 4.0]);
//! let ids = Value::new(&[4], &[1_i64, 0, 1, 1]);
//! assert_eq!(fire_once(&segment_sum(0, 3), &[x, ids])?[0].elements::<f32>(), [2.0, 8.0, 0.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use crate::arrange::slice::slice;
use crate::broadcast::binary::{divide, equal, maximum, multiply};
use crate::broadcast::cast::cast;
use crate::broadcast::select::where_;
use crate::device::on_device;
use crate::host::indices::in_range;
use crate::host::number::Number;
use crate::host::pieces::{Grid, strips};
use crate::host::real::Real;
use crate::index::index_select::index_select;
use crate::pointwise::unary::fill;
use crate::require;
use crate::sample::Sample;

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod examples; // the samples
mod names; // PyTorch's names
pub(super) use examples::{by_searching, hashed};
pub use names::TORCH;
pub(super) use names::segments_of;

/// Sums of the slices along `axis` for each of `count` segments.
#[must_use]
pub fn segment_sum(axis: usize, count: usize) -> Segments {
    Segments { axis, count, reduction: Reduction::Sum }
}

/// The largest of the slices along `axis` for each of `count` segments.
#[must_use]
pub fn segment_max(axis: usize, count: usize) -> Segments {
    Segments { axis, count, reduction: Reduction::Max }
}

/// The smallest of the slices along `axis` for each of `count` segments.
#[must_use]
pub fn segment_min(axis: usize, count: usize) -> Segments {
    Segments { axis, count, reduction: Reduction::Min }
}

/// Means of the slices along `axis` for each of `count` segments.
pub fn segment_mean(draft: &mut Draft, x: Wire, ids: Wire, axis: usize, count: usize) -> Wire {
    draft.scope("segment_mean", |draft| {
        let sums = draft.apply(segment_sum(axis, count), &[x, ids]);
        let Some(spec) = draft.spec(x).cloned() else { return sums };
        if axis >= spec.rank() {
            return sums;
        }
        // One for each slice, of which the first place on every other axis is enough.
        let is_cut = |other: &usize| *other != axis && spec.dimensions[*other].bound() > 1;
        let has_no_first = |&(other, dimension): &(usize, &Dimension)| {
            other != axis && (dimension.is_bounded() || dimension.bound() == 0)
        };
        let place = match spec.dimensions.iter().enumerate().find(has_no_first) {
            Some(_) => x,
            None => (0..spec.rank())
                .filter(is_cut)
                .fold(x, |wire, other| draft.apply(slice(other, 0, 1, 1), &[wire])),
        };
        let ones = draft.apply(fill(1.0), &[place]);
        let counts = draft.apply(segment_sum(axis, count), &[ones, ids]);
        let [zeros, least, none] =
            [0.0, 1.0, f64::NAN].map(|value| draft.apply(fill(value), &[counts]));
        // Where there is nothing, a division would make slopes NaN too.
        let is_empty = draft.apply(equal(), &[counts, zeros]);
        let divisor = draft.apply(maximum(), &[counts, least]);
        let means = draft.apply(divide(), &[sums, divisor]);
        draft.apply(where_(), &[is_empty, none, means])
    })
}

/// See [`segment_sum`], [`segment_max`] and [`segment_min`].
#[derive(Clone, Copy, Debug)]
pub struct Segments {
    axis: usize,
    count: usize,
    reduction: Reduction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reduction {
    Sum,
    Max,
    Min,
}

impl Segments {
    fn name(&self) -> &'static str {
        match self.reduction {
            Reduction::Sum => "segment_sum",
            Reduction::Max => "segment_max",
            Reduction::Min => "segment_min",
        }
    }

    /// The extents of the output; in this firing every slice has an identity.
    fn outcome(&self, x: &[usize], ids: &[usize]) -> Result<Extents, FireError> {
        if x[self.axis] != ids[0] {
            let (name, found, wanted) = (self.name(), ids[0], x[self.axis]);
            return Err(FireError::failed(format!(
                "{name}: port ids, dimension 0: found {found}; wanted {wanted}, as in x"
            )));
        }
        let mut extents = [0; RANK_MAX];
        extents[..x.len()].copy_from_slice(x);
        extents[self.axis] = self.count;
        Ok(Extents::new(&extents[..x.len()]))
    }
}

impl Operator for Segments {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.name()).input("x").input("ids").output("y");
        contract.tolerance(match self.reduction {
            Reduction::Sum => Tolerance::SUM,
            _ => Tolerance::EXACT,
        })
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, ids) = (&inputs[0], &inputs[1]);
        require::element("x", x, &[Element::F32, Element::F64])?;
        require::axis("x", x, self.axis)?;
        let wanted = Spec { element: Element::I64, dimensions: vec![x.dimensions[self.axis]] };
        require::alike("ids", ids, &wanted, None)?;
        let mut y = x.clone();
        y.dimensions[self.axis] = Dimension::Fixed(self.count);
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.inputs[1][0] = self.axis as u8;
        axes.outputs[0][self.axis] = inputs[0].rank() as u8;
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, ids) = (backward.input(0), backward.input(1));
        let (y, dy) = (backward.output(0), backward.upstream(0));
        let select = index_select(self.axis);
        if self.reduction == Reduction::Sum {
            return Gradient::Of(vec![Some(backward.apply(select, &[dy, ids])), None]);
        }
        let element = backward.input_spec(0).element;
        let extremes = backward.apply(select, &[y, ids]);
        let is_extreme = backward.apply(equal(), &[x, extremes]);
        let is_extreme = backward.apply(cast(element), &[is_extreme]);
        let counts = backward.apply(segment_sum(self.axis, self.count), &[is_extreme, ids]);
        let counts = backward.apply(select, &[counts, ids]);
        let slopes = backward.apply(select, &[dy, ids]);
        let parts = backward.apply(divide(), &[slopes, counts]);
        Gradient::Of(vec![Some(backward.apply(multiply(), &[is_extreme, parts])), None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube::new(*self, specs)?)
    }
}

struct OnHost(Segments);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F32 => on_host::<f32>(self.0, firing),
            _ => on_host::<f64>(self.0, firing),
        }
    }
}

fn on_host<T: Real + Number>(operator: Segments, firing: &mut Firing<'_>) -> Result<(), FireError> {
    let Segments { axis, count, reduction } = operator;
    let (x, ids, mut y) = (firing.input(0), firing.input(1), firing.output(0));
    let outcome = operator.outcome(&x.extents(), &ids.extents())?;
    let ids = ids.elements::<i64>();
    in_range(operator.name(), "ids", ids, &[ids.len()], count)?;
    y.set_extents(&outcome);
    let x = x.elements::<T>();
    let (nothing, reduce): (f64, fn(T, T) -> T) = match reduction {
        Reduction::Sum => (0.0, |a, b| a + b),
        Reduction::Max => (f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b }),
        Reduction::Min => (f64::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b }),
    };
    let grid = Grid::lines(&outcome, axis).in_blocks(SHARES);
    strips(firing.crew(), y.elements::<T>(), grid, &|mut strip| {
        for place in strip.places.clone() {
            strip.row(place).fill(T::of(nothing));
        }
        let (slab, column) = (strip.line / grid.inner, strip.line % grid.inner);
        for (index, &id) in ids.iter().enumerate() {
            let id = id as usize;
            if strip.places.contains(&id) {
                let from = (slab * ids.len() + index) * grid.inner + column;
                let x = &x[from..from + strip.width];
                strip.row(id).iter_mut().zip(x).for_each(|(y, &x)| *y = reduce(*y, x));
            }
        }
    });
    Ok(())
}

/// Each reduction, sorted and unsorted, each kind of axis, empty segments, `f64`, NaN, ties, many,
/// none, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    examples::all()
}

/// Parts of the segments that search the identities for their own.
const SHARES: usize = 8;
