//! Lag: each element one place later along an axis, `y_t = x_{t-1}`.
//!
//! # Shape
//! `x`: `f32` or `f64`, any -> `y`: the same. `y_0` is 0, or with [`Lag::with_first`] the second
//! input `first`, which is like `x` with extent 1 along the axis. The last element of `x` is lost.
//! [`Lag::reversed`] goes the other way, `y_t = x_{t+1}`, with `first` in the last place.
//!
//! # Gradient
//! `dx` is the lag of `dy` the other way; `dfirst` is `dy` at the place of `first`.
//!
//! # Numerics
//! Exact: bytes are moved. Where the axis is empty, `first` is nowhere.
//!
//! # Example
//! ```
//! use synfire_ops::scan::lag::lag;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&lag(0), &[Value::new(&[3], &[1.0_f32, 2.0, 3.0])])?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 1.0, 2.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::multiply;
use crate::device::on_device;
use crate::host::pieces::{Grid, strips};
use crate::host::scan::Course;
use crate::host::strided::by_size;
use crate::pointwise::unary::fill;
use crate::reduce::reduction::{Keep, sum};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// Each element one place later along `axis`.
#[must_use]
pub fn lag(axis: usize) -> Lag {
    Lag { axis, is_reversed: false, has_first: false }
}

/// See [`lag`].
#[derive(Clone, Copy, Debug)]
pub struct Lag {
    axis: usize,
    is_reversed: bool,
    has_first: bool,
}

impl Lag {
    /// Each element one place earlier.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.is_reversed = !self.is_reversed;
        self
    }

    /// With a second input for the place that becomes free.
    #[must_use]
    pub fn with_first(mut self) -> Self {
        self.has_first = true;
        self
    }

    /// In the direction of a scan.
    pub(super) fn on(mut self, course: Course) -> Self {
        self.is_reversed = course.is_reversed;
        self
    }
}

/// `first` or `initial` is like `x` with extent 1 along the axis.
pub(super) fn one_place(port: &str, found: &Spec, x: &Spec, axis: usize) -> Result<(), SpecError> {
    let mut wanted = x.clone();
    wanted.dimensions[axis] = Dimension::Fixed(1);
    require::alike(port, found, &wanted, None)
}

impl Operator for Lag {
    fn contract(&self) -> Contract {
        let contract = Contract::new("lag").input("x");
        let contract = if self.has_first { contract.input("first") } else { contract };
        contract.output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::element("x", x, &[Element::F32, Element::F64])?;
        require::axis("x", x, self.axis)?;
        if self.has_first {
            one_place("first", &inputs[1], x, self.axis)?;
        }
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // A part of the axis needs its neighbour: consumed and produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.outputs[0][self.axis] = inputs[0].rank() as u8;
        if self.has_first {
            axes.inputs[1][self.axis] = Axes::BROADCAST;
        }
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        let back = Self { has_first: false, ..self.reversed() };
        let dx = backward.wants(0).then(|| backward.apply(back, &[dy]));
        if !self.has_first {
            return Gradient::Of(vec![dx]);
        }
        let dfirst = backward.wants(1).then(|| {
            let (x, first) = (backward.input(0), backward.input(1));
            let zeros = backward.apply(fill(0.0), &[x]);
            let one = backward.apply(fill(1.0), &[first]);
            let place = backward.apply(*self, &[zeros, one]);
            let there = backward.apply(multiply(), &[place, dy]);
            backward.apply(sum(&[self.axis], Keep::Axes), &[there])
        });
        Gradient::Of(vec![dx, dfirst])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube::new(*self, specs)?)
    }
}

struct OnHost(Lag);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let x = firing.input(0);
        if self.0.has_first {
            fits("lag", "first", &firing.input(1).extents(), (&x.extents(), self.0.axis))?;
        }
        let mut y = firing.output(0);
        y.set_extents(&x.extents());
        by_size!(x.spec().element, on_lines(self.0, firing, &x.extents(), y.bytes()));
        Ok(())
    }
}

/// In this firing, `first` or `initial` is as large as the other port but along the axis.
pub(super) fn fits(
    operator: &str,
    port: &str,
    found: &[usize],
    (extents, axis): (&[usize], usize),
) -> Result<(), FireError> {
    let differs = |other: &usize| *other != axis && found[*other] != extents[*other];
    let Some(other) = (0..extents.len()).find(differs) else { return Ok(()) };
    let (found, wanted) = (found[other], extents[other]);
    Err(FireError::failed(format!(
        "{operator}: port {port}, dimension {other}: found {found}; wanted {wanted}"
    )))
}

fn on_lines<T: Pod + Send + Sync>(
    Lag { axis, is_reversed, has_first }: Lag,
    firing: &Firing<'_>,
    extents: &[usize],
    y: &mut [u8],
) {
    let x: &[T] = cast_slice(firing.input(0).bytes());
    let first: Option<&[T]> = has_first.then(|| cast_slice(firing.input(1).bytes()));
    let grid = Grid::lines(extents, axis);
    strips(firing.crew(), cast_slice_mut::<u8, T>(y), grid, &|mut strip| {
        for place in strip.places.clone() {
            let (line, width) = (strip.line, strip.width);
            let source = if is_reversed { place + 1 } else { place.wrapping_sub(1) };
            match (strip.places.contains(&source), first) {
                (true, _) => {
                    let at = strip.at(source);
                    strip.row(place).copy_from_slice(&x[at..at + width]);
                }
                (false, Some(first)) => {
                    strip.row(place).copy_from_slice(&first[line..line + width]);
                }
                // Zero is all bits zero in every element type.
                (false, None) => strip.row(place).fill(T::zeroed()),
            }
        }
    });
}

/// Both directions, with and without a first element, each kind of axis, none, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Lag, extents: &[usize]| {
        let mut one = extents.to_vec();
        one[operator.axis] = 1;
        let mut inputs = vec![noise(1, extents)];
        inputs.extend(operator.has_first.then(|| noise(2, &one)));
        let axis = (!operator.is_reversed).then_some(operator.axis);
        let expect = reference(move |x| vec![by_index(x, operator)]);
        Sample::new(name, operator, inputs, expect).causal(axis)
    };
    let wide = vec![Value::new(&[3], &[1.0_f64, 2.0, 3.0])];
    let wide_lead = reference(|x| vec![by_index(x, lag(0).reversed())]);
    let first = vec![Spec::f32([3, 2]), Spec::f32([3, 2])];
    vec![
        case("last axis", lag(1), &[5, 37]),
        case("inner axis", lag(1), &[3, 11, 19]),
        case("reversed", lag(0).reversed(), &[7, 3]),
        case("first", lag(1).with_first(), &[3, 5, 2]),
        case("reversed first", lag(1).with_first().reversed(), &[3, 5]),
        case("one place", lag(0), &[1, 3]),
        case("empty", lag(0), &[0, 3]),
        case("bounded", lag(0), &[4, 3]).with_specs(vec![bounded_first(Element::F32, 9, &[3])]),
        Sample::new("of f64", lag(0).reversed(), wide, wide_lead),
        Sample::rejected("long first", lag(0).with_first(), first, "first", Some(0)),
        Sample::rejected("missing axis", lag(1), vec![Spec::f32([2])], "x", None),
    ]
}

/// The expectation: each place asks for the one before, or the one behind.
fn by_index(inputs: &[Tensor], operator: Lag) -> Tensor {
    let x = &inputs[0];
    Tensor::from_fn(&x.extents, |index| {
        let mut index = index.to_vec();
        let place = &mut index[operator.axis];
        let edge = if operator.is_reversed { x.extents[operator.axis] - 1 } else { 0 };
        if *place != edge {
            *place = if operator.is_reversed { *place + 1 } else { *place - 1 };
            return x.at(&index);
        }
        *place = 0;
        inputs.get(1).map_or(0.0, |first| first.at(&index))
    })
}
