//! Resize: one axis at another resolution, `y[o] = sum over taps k of w[o, k] x[i[o, k]]`.
//!
//! | [`Method`] | taps of an output |
//! |---|---|
//! | `Nearest` | the pixel `floor(o / factor)` |
//! | `NearestExact` | the pixel that holds the output's centre |
//! | `Linear` | two, by their distance |
//! | `Cubic` | four, the cubic convolution with `a = -0.75` |
//! | `SmoothLinear`, `SmoothCubic` | all under the kernel, widened when shrinking (`a = -0.5`) |
//! | `Area` | all that the output covers, equally: the adaptive average |
//!
//! Several axes are resized one after another: `interpolate`. [`Resize::transposed`] is the
//! transposed operator, with the same taps.
//!
//! # Shape
//! `x`: `f32` or `f64` with the axis fixed, of at least one element -> `y`: the axis has the
//! target's extent; with a factor `f` that is `floor(extent * f)`. Other dimensions may be bounded.
//!
//! # Gradient
//! `dx` is the transposed operator of `dy`, whose own gradient is the operator again.
//!
//! # Numerics
//! Taps are computed in `f64`, sums run in the element type in ascending order of the input.
//! Coordinates of the nearest methods are rounded as the element type rounds, so a tie falls as in
//! PyTorch's `interpolate` with `recompute_scale_factor=None`: a given factor is used for
//! coordinates as it is. A tap of weight 0 is still a tap: `0 * inf` is NaN.
//!
//! # Example
//! ```
//! use synfire_ops::resample::resize::{Align, Method, resize};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let operator = resize(0, 4, Method::Linear(Align::Edges));
//! let y = fire_once(&operator, &[Value::new(&[2], &[0.0_f32, 4.0])])?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 1.0, 3.0, 4.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target as Device;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, RANK_MAX, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, tensor};

mod taps; // which inputs an output takes, and how much of them

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

pub use taps::{Align, Method, Target};
use taps::{Rounding, Taps};

/// `axis` resized to an extent, or by a factor.
#[must_use]
pub fn resize(axis: usize, target: impl Into<Target>, method: Method) -> Resize {
    Resize { axis, target: target.into(), method, from: None }
}

/// The largest extent of an axis before or after.
const EXTENT_MAX: usize = 1 << 31;

/// See [`resize`].
#[derive(Clone, Copy, Debug)]
pub struct Resize {
    axis: usize,
    target: Target,
    method: Method,
    /// For the transposed operator the extent that it gives, which the plain one would take.
    from: Option<usize>,
}

impl Resize {
    /// The transposed operator: it takes what this one gives for an axis of `extent`, and gives an
    /// axis of `extent`.
    #[must_use]
    pub fn transposed(self, extent: usize) -> Self {
        Self { from: Some(extent), ..self }
    }

    /// The plain operator's extents of `x` and `y`, where this one's input is `x`.
    fn extents(&self, x: &Spec) -> Result<[usize; 2], SpecError> {
        require::element("x", x, &[Element::F32, Element::F64])?;
        require::axis("x", x, self.axis)?;
        let found = require::fixed("x", x, self.axis)?;
        let wanted = |text: String| SpecError::new("x", found, text).at(self.axis);
        let small = self.from.unwrap_or(found);
        let large = self.target.of(small);
        match self.from {
            _ if small == 0 => Err(wanted("at least one element".into())),
            _ if small.max(large) > EXTENT_MAX => Err(wanted(format!("at most {EXTENT_MAX}"))),
            None if large == 0 => Err(wanted(format!("enough for {:?}", self.target))),
            Some(_) if large == 0 || large != found => Err(wanted(large.to_string())),
            _ => Ok([small, large]),
        }
    }

    fn taps(&self, x: &Spec) -> Result<Taps, SpecError> {
        let rounding = if x.element == Element::F32 { Rounding::Single } else { Rounding::Double };
        let [from, to] = self.extents(x)?;
        let taps = Taps::new([from, to], self.target, self.method, rounding);
        Ok(if self.from.is_some() { taps.transposed() } else { taps })
    }
}

impl Operator for Resize {
    fn contract(&self) -> Contract {
        let name = if self.from.is_some() { "resize_transposed" } else { "resize" };
        Contract::new(name).input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [from, to] = self.extents(&inputs[0])?;
        let mut y = inputs[0].clone();
        y.dimensions[self.axis] = Dimension::Fixed(if self.from.is_some() { from } else { to });
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.inputs[0][self.axis] += inputs[0].rank() as u8;
        let taps = self.taps(&inputs[0]).expect("the shape rule accepted this input");
        let lines = outputs[0].elements() / outputs[0].bound(self.axis).max(1);
        Metadata::streaming(inputs, outputs, axes).with_macs((lines * taps.count()) as u64)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let extent = backward.input_spec(0).bound(self.axis);
        let dy = backward.upstream(0);
        let operator = match self.from {
            Some(_) => Self { from: None, ..*self },
            None => self.transposed(extent),
        };
        Gradient::one(backward.apply(operator, &[dy]))
    }

    fn kernel(
        &self,
        target: Device<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let x = &specs.inputs[0];
        let taps = self.taps(x).expect("the shape rule accepted this input");
        let axis = self.axis;
        on_device!(
            target,
            specs,
            host: OnHost::new(axis, &taps),
            cube: cube::OnCube::new(axis, &taps, x.element)?
        )
    }
}

struct OnHost {
    axis: usize,
    starts: Vec<u32>,
    places: Vec<u32>,
    narrow: Vec<f32>,
    wide: Vec<f64>,
}

impl OnHost {
    fn new(axis: usize, taps: &Taps) -> Self {
        let narrow = taps.weights.iter().map(|&weight| weight as f32).collect();
        let (starts, places) = (taps.starts.clone(), taps.places.clone());
        Self { axis, starts, places, narrow, wide: taps.weights.clone() }
    }

    fn lines<T: Real>(&self, firing: &mut Firing<'_>, weights: &[T]) {
        let (x, mut y, crew) = (firing.input(0), firing.output(0), firing.crew());
        let (extents, to) = (x.extents(), self.starts.len() - 1);
        let (from, rank) = (extents[self.axis], extents.len());
        let inner: usize = extents[self.axis + 1..].iter().product();
        let mut target = [0; RANK_MAX];
        target[..rank].copy_from_slice(&extents);
        target[self.axis] = to;
        y.set_extents(&target[..rank]);
        let x = x.elements::<T>();
        let taps = |o: usize| {
            let taps = self.starts[o] as usize..self.starts[o + 1] as usize;
            self.places[taps.clone()].iter().zip(&weights[taps])
        };
        let unit = if inner == 1 { to } else { inner };
        pieces(crew, y.elements::<T>(), unit, &|offset, piece| {
            for (y, row) in piece.chunks_exact_mut(unit).zip(offset / unit..) {
                if inner == 1 {
                    let x = &x[row * from..][..from];
                    for (o, y) in y.iter_mut().enumerate() {
                        let add = |sum, (&i, &w): (&u32, &T)| sum + w * x[i as usize];
                        *y = taps(o).fold(T::of(0.0), add);
                    }
                    continue;
                }
                y.fill(T::of(0.0));
                for (&i, &w) in taps(row % to) {
                    let x = &x[(row / to * from + i as usize) * inner..][..inner];
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = *y + w * x);
                }
            }
        });
    }
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F32 => self.lines(firing, &self.narrow),
            _ => self.lines(firing, &self.wide),
        }
        Ok(())
    }
}

#[cfg(feature = "cube")]
mod cube; // a unit for each output
mod dense; // the same, written another way

/// Each method larger and smaller, along each axis, by a factor, transposed; one element, `f64`,
/// none, bounded, special values; rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Resize, x: Value| {
        let axis = operator.axis;
        let from = operator.from.unwrap_or(x.extents[axis]);
        let expect = reference(move |inputs| vec![dense::resized(&inputs[0], operator, from)]);
        Sample::new(format!("{:?}, {name}", operator.method), operator, vec![x], expect)
    };
    let wide = |value: Value| Value::new(&value.extents, &tensor(&value).data);
    let aligned = [Align::Edges, Align::Centers];
    let methods = aligned.into_iter().flat_map(|a| [Method::Linear(a), Method::Cubic(a)]).chain([
        Method::Nearest,
        Method::NearestExact,
        Method::SmoothLinear(Align::Edges),
        Method::SmoothCubic(Align::Edges),
        Method::Area,
    ]);
    let cases = methods.flat_map(|method| {
        let to = move |axis: usize, target: Target| resize(axis, target, method);
        [
            case("larger", to(1, 11.into()), noise(1, &[3, 7])),
            case("smaller, inner", to(1, 3.into()), noise(2, &[2, 7, 5])),
            case("as it is, f64", to(0, 5.into()), wide(noise(3, &[5, 3]))),
            case("to one, f64", to(0, 1.into()), wide(noise(4, &[4, 2]))),
            case("from one", to(0, 4.into()), noise(5, &[1])),
            case("by a factor", to(1, 1.7.into()), noise(6, &[2, 7])),
            case("transposed", to(1, 3.into()).transposed(8), noise(7, &[2, 3])),
            case("transposed, f64", to(0, 7.into()).transposed(3), wide(noise(8, &[7, 5]))),
        ]
    });
    let linear = |axis, target: usize| resize(axis, target, Method::Linear(Align::Edges));
    let special = Value::new(&[3], &[f32::INFINITY, 1.0, f32::NAN]);
    let literal = Expect::Outputs(vec![Tensor::new(&[2], vec![f64::INFINITY, f64::NAN])]);
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 4])];
    let rejected = |name: &str, operator: Resize, extents: &[usize], dimension| {
        Sample::rejected(name, operator, vec![Spec::f32(extents.to_vec())], "x", dimension)
    };
    cases
        .chain([
            case("several pieces", linear(1, 211), noise(9, &[97, 101])),
            case("empty batch", linear(1, 5), noise(10, &[0, 3])),
            case("bounded batch", linear(1, 5), noise(11, &[2, 3, 4])).with_specs(bounded),
            Sample::new("special", linear(0, 2), vec![special], literal),
            rejected("of none", linear(0, 2), &[0], Some(0)),
            rejected("to none", linear(1, 0), &[2, 2], Some(1)),
            rejected("to much", resize(1, 1e30, Method::Nearest), &[2, 2], Some(1)),
            rejected("not the transposed", linear(1, 4).transposed(2), &[2, 3], Some(1)),
            rejected("missing axis", linear(2, 4), &[2, 2], None),
            Sample::rejected(
                "bounded axis",
                linear(0, 4),
                vec![bounded_first(Element::F32, 4, &[])],
                "x",
                Some(0),
            ),
        ])
        .collect()
}
