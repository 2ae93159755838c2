//! Fake quantisation: a float after a round trip through an integer of few bits.
//!
//! `y = (min(max(round(x / scale) + zero, low), high) - zero) * scale`, with one scale and zero
//! point for all, or one for each place of an axis.
//!
//! # Shape
//! `x`: `f32` or `f64`, any, bounded too; `scale`, `zero`: of the type of `x`, `[]`, or with
//! [`FakeQuantise::per_channel`] `[channel]`. `y`: as `x`.
//!
//! # Gradient
//! Straight through: `dx = dy` where the rounded number lies between `low` and `high`, else 0. None
//! by `scale` and `zero`, which count as constants, as PyTorch has it.
//!
//! # Numerics
//! Halves are rounded to the even number; `x` is multiplied by `1 / scale`, which is rounded once.
//! NaN becomes `low`. As PyTorch's `fake_quantize_per_tensor_affine` and
//! `fake_quantize_per_channel_affine` on a CPU. A primitive, since the composite would write five
//! tensors of the size of `x`.
//!
//! # Example
//! ```
//! use synfire_ops::quantise::fake_quantise::fake_quantise;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[3], &[0.3_f32, 0.8, 99.0]);
//! let [scale, zero] = [0.5_f32, 0.0].map(|number| Value::new(&[], &[number]));
//! let y = fire_once(&fake_quantise(-4, 3), &[x, scale, zero])?;
//! assert_eq!(y[0].elements::<f32>(), [0.5, 1.0, 1.5]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{add, greater_equal, less_equal, logical_and, multiply};
use crate::broadcast::select::where_;
use crate::dense::matmul::doubled;
use crate::device::on_device;
use crate::differentiate::vector_jacobian;
use crate::gradient::spec;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::pointwise::unary::{fill, recip, round};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod names; // what PyTorch calls it
pub(crate) mod channels; // one scale, or one for each place of an axis

/// PyTorch's names.
pub const TORCH: &[Torch] = names::NAMES;

/// Rounds to the numbers from `low` to `high`, with one scale for all.
#[must_use]
pub fn fake_quantise(low: i64, high: i64) -> FakeQuantise {
    FakeQuantise { low, high, axis: None }
}

/// See [`fake_quantise`].
#[derive(Clone, Debug)]
pub struct FakeQuantise {
    low: i64,
    high: i64,
    axis: Option<usize>,
}

impl FakeQuantise {
    /// Takes a scale and a zero point for each place of `axis`.
    #[must_use]
    pub fn per_channel(mut self, axis: usize) -> Self {
        self.axis = Some(axis);
        self
    }
}

impl Operator for FakeQuantise {
    fn contract(&self) -> Contract {
        Contract::new("fake_quantise").input("x").input("scale").input("zero").output("y")
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::element("x", x, &[Element::F32, Element::F64])?;
        if self.low > self.high {
            let found = format!("{} to {}", self.low, self.high);
            return Err(SpecError::new("x", found, "a range that holds a number"));
        }
        channels::check(("scale", &inputs[1]), x.element, x, self.axis)?;
        channels::check(("zero", &inputs[2]), x.element, x, self.axis)?;
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let labels: Vec<u8> = (0..inputs[0].rank() as u8).collect();
        let own: Vec<u8> = self.axis.map(|axis| axis as u8).into_iter().collect();
        let axes = Axes { inputs: vec![labels.clone(), own.clone(), own], outputs: vec![labels] };
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, dy) = (backward.input(0), backward.upstream(0));
        let [scale, zero] = [1, 2].map(|input| backward.input(input));
        let inside = self.inside(backward, x, [scale, zero]);
        let zeros = backward.apply(fill(0.0), &[dy]);
        let dx = backward.apply(where_(), &[inside, dy, zeros]);
        Gradient::Of(vec![Some(dx), None, None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let operator = self.clone();
        if specs.inputs[0].element == Element::F64 {
            return on_device!(target, specs, host: OnHost(operator, round_trip::<f64>));
        }
        on_device!(
            target,
            specs,
            host: OnHost(operator, round_trip::<f32>),
            cube: cube::OnCube(operator)
        )
    }
}

impl FakeQuantise {
    /// Where the rounded number is in range.
    fn inside(&self, draft: &mut Draft, x: Wire, parameters: [Wire; 2]) -> Wire {
        let rank = spec(draft, x).rank();
        let [scale, zero] = parameters.map(|wire| channels::beside(draft, wire, self.axis, rank));
        let inverse = draft.apply(recip(), &[scale]);
        let scaled = draft.apply(multiply(), &[x, inverse]);
        let rounded = draft.apply(round(), &[scaled]);
        let shifted = draft.apply(add(), &[rounded, zero]);
        let [low, high] =
            [self.low, self.high].map(|bound| draft.apply(fill(bound as f64), &[zero]));
        let above = draft.apply(greater_equal(), &[shifted, low]);
        let below = draft.apply(less_equal(), &[shifted, high]);
        draft.apply(logical_and(), &[above, below])
    }
}

/// The kernel for one number type.
struct OnHost(FakeQuantise, fn(&FakeQuantise, &mut Firing<'_>));

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        (self.1)(&self.0, firing);
        Ok(())
    }
}

fn round_trip<T: Real>(operator: &FakeQuantise, firing: &mut Firing<'_>) {
    let (x, mut y) = (firing.input(0), firing.output(0));
    y.set_extents(&x.extents());
    let [scales, zeros] = [1, 2].map(|input| firing.input(input).elements::<T>());
    let x_extents = x.extents();
    let inner: usize = operator.axis.map_or(1, |axis| x_extents[axis + 1..].iter().product());
    let (low, high) = (T::of(operator.low as f64), T::of(operator.high as f64));
    let x = x.elements::<T>();
    pieces(firing.crew(), y.elements::<T>(), 1, &|offset, piece| {
        let places = piece.iter_mut().zip(&x[offset..]).enumerate();
        for (at, (y, &x)) in places {
            let channel = (offset + at) / inner % scales.len();
            let (scale, zero) = (scales[channel], zeros[channel]);
            let rounded = (x * (T::of(1.0) / scale)).round_ties_even() + zero;
            // A NaN is not above `low`.
            let rounded = if rounded > low { rounded } else { low };
            let rounded = if rounded < high { rounded } else { high };
            *y = (rounded - zero) * scale;
        }
    });
}

/// One scale, one for each channel, signed and not, ties, special values, one element, none,
/// `f64`, bounded; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let values = |extents: &[usize], numbers: &[f32]| Value::new(extents, numbers);
    let one = |number: f32| values(&[], &[number]);
    let case = |name: &str, operator: FakeQuantise, inputs: [Value; 3]| {
        let expect = by_search(operator.clone());
        Sample::new(name, operator, inputs.to_vec(), expect)
    };
    let (small, bytes) = (|| fake_quantise(-8, 7), || fake_quantise(0, 255));
    let ties = values(&[9], &[0.25, 0.75, -0.25, 1.25, 9.0, -9.0, f32::INFINITY, -0.0, 3.5]);
    let nan = values(&[2], &[f32::NAN, f32::NEG_INFINITY]);
    let lowest = Expect::Outputs(vec![Tensor::new(&[2], vec![-4.5, -4.5])]);
    let scales = || values(&[3], &[0.1, 0.25, 0.7]);
    let zeros = || values(&[3], &[-1.0, 0.0, 3.0]);
    let specs = |scale: usize| vec![Spec::f32([2, 3]), Spec::f32([scale]), Spec::f32([3])];
    let bounded = vec![bounded_first(Element::F32, 9, &[3]), Spec::f32([3]), Spec::f32([3])];
    let wide = [noise(6, &[2, 3, 5]), scales(), zeros()].map(|value| doubled(&value));
    let mut samples = vec![
        case("one scale", small(), [noise(1, &[5, 37]), one(0.3), one(1.0)]),
        case("bytes", bytes(), [noise(2, &[5, 7]), one(0.02), one(128.0)]),
        case("channels", small().per_channel(1), [noise(3, &[2, 3, 5]), scales(), zeros()]),
        case("last axis", small().per_channel(1), [noise(4, &[7, 3]), scales(), zeros()]),
        case("ties", small(), [ties, one(0.5), one(1.0)]),
        Sample::new("NaN", small(), vec![nan, one(0.5), one(1.0)], lowest),
        case("one element", small(), [one(0.4), one(0.3), one(0.0)]),
        case("empty", small(), [noise(5, &[0, 3]), one(0.3), one(0.0)]),
        case("of f64", small().per_channel(1), wide),
        case("many", small(), [noise(7, &[3, 16_411]), one(0.3), one(0.0)]),
        case("bounded", small().per_channel(1), [noise(8, &[4, 3]), scales(), zeros()])
            .with_specs(bounded),
        Sample::rejected("channels", small().per_channel(1), specs(2), "scale", Some(0)),
        Sample::rejected("axis", small().per_channel(2), specs(3), "x", None),
        Sample::rejected("one for all", small(), specs(3), "scale", None),
        Sample::rejected("no range", fake_quantise(1, 0), specs(3), "x", None),
    ];
    samples = samples.into_iter().map(Sample::without_gradient).collect();
    samples.push(straight_through());
    samples
}

/// The gradient of the sum of the outputs: 1 where the rounded number is in range.
fn straight_through() -> Sample {
    let build = |draft: &mut Draft, wires: &[Wire]| {
        let y = draft.apply(fake_quantise(-128, 127), wires);
        let ones = draft.apply(fill(1.0), &[y]);
        vector_jacobian(draft, &[(y, ones)], &wires[..1]).into_iter().flatten().collect()
    };
    let x = [0.25_f32, 0.75, -0.25, 62.2, 62.3, -65.7, -65.8, 100.0, f32::NAN, f32::INFINITY];
    let parameters = [0.5_f32, 3.0].map(|number| Value::new(&[], &[number]));
    let inputs = [&[Value::new(&[10], &x)], &parameters[..]].concat();
    // As PyTorch gives it.
    let dx = vec![1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let expect = Expect::Outputs(vec![Tensor::new(&[10], dx)]);
    Sample::composite("straight through", "fake_quantise", build, inputs, expect)
}

/// The expectation: the number of the range that is nearest, the even one of two before the zero
/// point is added.
fn by_search(operator: FakeQuantise) -> Expect {
    reference(move |inputs| {
        let [x, scales, zeros] = [&inputs[0], &inputs[1], &inputs[2]];
        vec![Tensor::from_fn(&x.extents, |at| {
            let channel = operator.axis.map_or(0, |axis| at[axis]);
            let (scale, zero) = (scales.data[channel], zeros.data[channel]);
            let wanted = x.at(at) / scale;
            let distance =
                |n: i64| ((n as f64 - zero - wanted).abs(), (n as f64 - zero) % 2.0 != 0.0);
            let nearest = (operator.low..=operator.high).min_by(|&a, &b| {
                let (a, b) = (distance(a), distance(b));
                // Infinite distances are equal: the sign decides.
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
            });
            let nearest = if wanted == f64::INFINITY { Some(operator.high) } else { nearest };
            (nearest.unwrap_or(0) as f64 - zero) * scale
        })]
    })
}
