//! The discrete Fourier transform of real lines along the last axis, and the way back:
//!
//! | operator | |
//! |---|---|
//! | [`rdft`] | `y[k] = scale w[k] sum over j of x[j] e^(-2 pi i j k / n)` for `k <= n / 2` |
//! | [`irdft`] | `y[j] = scale sum over k of w[k] Re(x[k] e^(2 pi i j k / n))` over the same `k` |
//!
//! The other half of the spectrum of a real line mirrors this one. So the way back counts twice
//! what has a mirror image: there `w` is 2, and 1 for `k = 0` and `k = n / 2`. On the way forth `w`
//! is 1. [`Rdft::middle`] sets the 2 and the 1 otherwise.
//!
//! Complex numbers are pairs `(re, im)` on an axis of extent 2 behind the others. `rfft` and
//! `irfft` are this along any axes, with PyTorch's norms and lengths.
//!
//! # Shape
//! [`rdft`]: `x`: `f32` or `f64` `[.., n]` with a fixed `n` of at least one -> `y`:
//! `[.., n / 2 + 1, 2]`. [`irdft`]: the other way round, with a given `n`. Other dimensions may be
//! bounded.
//!
//! # Gradient
//! Each one's is the other, of `dy` with the same scale and weights. So the gradient by the
//! imaginary parts that the way back does not look at (`k = 0` and `k = n / 2`) is 0.
//!
//! # Numerics
//! On the host a fast transform of any length (the crate `realfft`). On accelerators a sum over
//! the whole line for each output, `n^2 / 2` in all, with exact angles: `f32` only.
//!
//! # Example
//! ```
//! use synfire_ops::spectral::rdft::rdft;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[4], &[1.0_f32, 0.0, -1.0, 0.0]);
//! assert_eq!(fire_once(&rdft(1.0), &[x])?[0].elements::<f32>(), [0.0, 0.0, 2.0, 0.0, 0.0, 0.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::dft::{length, pairs};
use crate::device::on_device;
use crate::host::lines::Line;
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};

mod on_host; // planned transforms

/// The spectrum of real lines along the last axis, times `scale`.
#[must_use]
pub fn rdft(scale: f64) -> Rdft {
    Rdft { back_to: None, scale, middle: 1.0 }
}

/// The real lines of `length` of a spectrum, times `scale`.
#[must_use]
pub fn irdft(length: usize, scale: f64) -> Rdft {
    Rdft { back_to: Some(length), scale, middle: 2.0 }
}

/// See [`rdft`] and [`irdft`].
#[derive(Clone, Copy, Debug)]
pub struct Rdft {
    /// The length of the real line on the way back.
    back_to: Option<usize>,
    scale: f64,
    middle: f64,
}

impl Rdft {
    /// Sets how often that counts which has a mirror image.
    #[must_use]
    pub fn middle(mut self, weight: f64) -> Self {
        self.middle = weight;
        self
    }

    /// How long the real line is.
    fn real_length(&self, x: &Spec) -> Result<usize, SpecError> {
        let Some(wanted) = self.back_to else {
            require::element("x", x, &[Element::F32, Element::F64])?;
            let axis = x.rank().checked_sub(1);
            let axis = axis.ok_or_else(|| SpecError::new("x", x, "at least 1 dimension"))?;
            return length("x", x, axis);
        };
        match pairs("x", x)? {
            _ if wanted == 0 => Err(SpecError::new("x", x, "a line of at least one element")),
            found if found == wanted / 2 + 1 => Ok(wanted),
            found => Err(SpecError::new("x", found, wanted / 2 + 1).at(x.rank() - 2)),
        }
    }

    /// How often bin `k` of a real line of `length` counts.
    fn weight(&self, k: usize, length: usize) -> f64 {
        if k == 0 || 2 * k == length { 1.0 } else { self.middle }
    }
}

impl Operator for Rdft {
    fn contract(&self) -> Contract {
        let name = if self.back_to.is_some() { "irdft" } else { "rdft" };
        Contract::new(name).input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let length = self.real_length(&inputs[0])?;
        let mut y = inputs[0].clone();
        if self.back_to.is_some() {
            y.dimensions.truncate(y.rank() - 2);
            y.dimensions.push(length.into());
        } else {
            y.dimensions.pop();
            y.dimensions.extend([length / 2 + 1, 2].map(Dimension::Fixed));
        }
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let lines = inputs[0].rank() - if self.back_to.is_some() { 2 } else { 1 };
        axes.inputs[0][lines..].iter_mut().for_each(|label| *label += 2 + lines as u8);
        let length = self.real_length(&inputs[0]).expect("the shape rule accepted this input");
        let steps = length.next_power_of_two().trailing_zeros() as usize;
        let elements = inputs[0].elements().max(outputs[0].elements());
        // As complex lines of half the length.
        Metadata::streaming(inputs, outputs, axes).with_macs((3 * elements * steps / 2) as u64)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let x = backward.input_spec(0);
        let length = self.real_length(&x).expect("only drafts without faults are differentiated");
        let back_to = if self.back_to.is_some() { None } else { Some(length) };
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(Self { back_to, ..*self }, &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let x = &specs.inputs[0];
        let length = self.real_length(x).expect("the shape rule accepted this input");
        let real = Line { length, is_complex: false };
        let half = Line { length: length / 2 + 1, is_complex: true };
        let lines = if self.back_to.is_some() { [half, real] } else { [real, half] };
        let of = x.element;
        on_device!(
            target,
            specs,
            host: on_host::kernel(*self, lines, (of, specs.cores)),
            cube: cube::kernel(*self, lines, of)?
        )
    }
}

#[cfg(feature = "cube")]
mod cube {
    use super::{Element, KernelError, Line, Rdft};
    use crate::device::sums::{Angles, Sums, Turn};
    use crate::host::lines::Edges;

    /// The sums of both ways.
    pub(super) fn kernel(
        operator: Rdft,
        lines: [Line; 2],
        element: Element,
    ) -> Result<Sums, KernelError> {
        let is_back = operator.back_to.is_some();
        let real = lines[usize::from(is_back)].length;
        let half = real / 2;
        let last = operator.weight(half, real);
        let bins = Edges { first: 1.0, middle: operator.middle, last };
        let [before, after] = if is_back { [bins, Edges::ONE] } else { [Edges::ONE, bins] };
        let turn = if is_back { Turn::Left } else { Turn::Right };
        let angles = Angles { period: real, first: [0, 0], step: [0, 1] };
        Ok(Sums::new(lines, angles, turn, element)?.weighed(before, after.times(operator.scale)))
    }
}

/// Both ways, even and odd lengths, one and two elements, `f64`, other weights, many lines, none,
/// bounded; what has no influence; rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Rdft, x| {
        let expect = reference(move |inputs| vec![by_matrix(&inputs[0], operator)]);
        Sample::new(name, operator, vec![x], expect)
    };
    let wide = |key, extents: &[usize]| Value::new(extents, &tensor(&noise(key, extents)).data);
    let bounded = vec![bounded_first(Element::F32, 4, &[6])];
    let rejected = |name: &str, operator: Rdft, spec: Spec, dimension| {
        Sample::rejected(name, operator, vec![spec], "x", dimension)
    };
    vec![
        case("even", rdft(1.0), noise(1, &[3, 16])),
        case("odd", rdft(0.5), noise(2, &[2, 3, 15])),
        case("one element", rdft(1.0), noise(3, &[2, 1])),
        case("two, f64", rdft(1.0), wide(4, &[2])),
        case("prime, f64", rdft(1.0), wide(5, &[2, 13])),
        case("twice", rdft(1.0).middle(2.0), noise(6, &[2, 10])),
        case("many lines", rdft(1.0), noise(7, &[3301, 6])),
        case("no lines", rdft(1.0), noise(8, &[0, 6])),
        case("bounded", rdft(1.0), noise(9, &[3, 6])).with_specs(bounded),
        case("even", irdft(16, 1.0 / 16.0), noise(10, &[3, 9, 2])),
        case("odd", irdft(15, 1.0), noise(11, &[2, 8, 2])),
        case("one element", irdft(1, 1.0), noise(12, &[2, 1, 2])),
        case("two, f64", irdft(2, 1.0), wide(13, &[2, 2])),
        case("prime, f64", irdft(13, 0.25), wide(14, &[2, 7, 2])),
        case("once", irdft(10, 1.0).middle(1.0), noise(15, &[2, 6, 2])),
        case("many lines", irdft(6, 1.0), noise(16, &[2903, 4, 2])),
        rejected("no elements", rdft(1.0), Spec::f32([0]), Some(0)),
        rejected("a scalar", rdft(1.0), Spec::f32::<usize>([]), None),
        rejected("too short", irdft(8, 1.0), Spec::f32([4, 2]), Some(0)),
        rejected("to nothing", irdft(0, 1.0), Spec::f32([1, 2]), None),
        rejected("no pairs", irdft(4, 1.0), Spec::f32([3, 3]), Some(1)),
    ]
}

/// The expectation: entries of the real matrix that each operator is.
fn by_matrix(x: &Tensor, operator: Rdft) -> Tensor {
    let rank = x.extents.len();
    let length = operator.back_to.unwrap_or_else(|| x.extents[rank - 1]);
    // The share of the real element j in part p of bin k, and the other way round.
    let entry = |j: usize, k: usize, part: usize| {
        let angle = std::f64::consts::TAU * (j * k % length) as f64 / length as f64;
        let value = if part == 0 { angle.cos() } else { -angle.sin() };
        operator.scale * operator.weight(k, length) * value
    };
    if operator.back_to.is_some() {
        let extents = [&x.extents[..rank - 2], &[length]].concat();
        return Tensor::from_fn(&extents, |index| {
            let mut other = [&index[..rank - 2], &[0, 0]].concat();
            let terms = (0..length / 2 + 1).flat_map(|k| [(k, 0), (k, 1)]).map(|(k, part)| {
                (other[rank - 2], other[rank - 1]) = (k, part);
                entry(index[rank - 2], k, part) * x.at(&other)
            });
            terms.sum()
        });
    }
    let extents = [&x.extents[..rank - 1], &[length / 2 + 1, 2]].concat();
    Tensor::from_fn(&extents, |index| {
        let mut other = index[..rank].to_vec();
        let terms = (0..length).map(|j| {
            other[rank - 1] = j;
            entry(j, index[rank - 1], index[rank]) * x.at(&other)
        });
        terms.sum()
    })
}
