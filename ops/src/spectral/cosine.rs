//! The discrete cosine transforms of real lines along the last axis. Without weights they are
//!
//! | [`Kind`] | `y[k] = 2 sum over j of x[j] cos(..)` | undone by |
//! |---|---|---|
//! | `One` | `pi j k / (n - 1)`, the first and the last `x` by half | itself |
//! | `Two` | `pi (2 j + 1) k / 2n` | `Three` |
//! | `Three` | `pi j (2 k + 1) / 2n`, the first `x` by half | `Two` |
//! | `Four` | `pi (2 j + 1) (2 k + 1) / 4n` | itself |
//!
//! but for a factor of `2n` (`One`: `2n - 2`), which one direction or both divide by
//! ([`Norm`]). With [`Norm::Ortho`] first and last places are weighed so that the matrix is
//! orthogonal. `dct` and `idct` are this along any axis.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., n]` with a fixed `n` of at least one (`One`: two) -> `y`: the same.
//! Other dimensions may be bounded.
//!
//! # Gradient
//! The transposed matrix applied to `dy`, which is the operator with its weights exchanged; for
//! [`Norm::Ortho`] the other direction.
//!
//! # Numerics
//! On the host by a fast Fourier transform of twice the length. On accelerators a sum over the
//! whole line for each output, `n^2` in all, with exact angles: `f32` only. Not part of PyTorch;
//! as `dct` and `idct` of SciPy.
//!
//! # Example
//! ```
//! use synfire_ops::spectral::cosine::{Kind, cosine};
//! use synfire_ops::spectral::dft::Direction;
//! use synfire_ops::spectral::fft::Norm;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let operator = cosine(Kind::Two, (Direction::Forward, Norm::Backward));
//! let y = fire_once(&operator, &[Value::new(&[4], &[1.0_f32; 4])])?;
//! let wanted = [8.0_f32, 0.0, 0.0, 0.0];
//! let near = |(y, wanted): (f32, f32)| (y - wanted).abs() < 1e-6;
//! assert!(y[0].elements::<f32>().into_iter().zip(wanted).all(near));
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::dft::{Direction, length};
use super::fft::Norm;
use crate::device::on_device;
use crate::host::lines::{Edges, Line, OnLines};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};

mod on_host; // by Fourier transforms

/// The type of a cosine transform: what it continues its lines with beyond their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mirrored at the first and at the last place.
    One,
    /// Mirrored half a place before the first and behind the last.
    Two,
    /// The transposed of the second.
    Three,
    /// Mirrored half a place before the first, and negated half a place behind the last.
    Four,
}

/// The cosine transform along the last axis in a direction, with a norm.
#[must_use]
pub fn cosine(kind: Kind, (direction, norm): (Direction, Norm)) -> Cosine {
    Cosine { kind, direction, norm, is_transposed: false }
}

/// See [`cosine`].
#[derive(Clone, Copy, Debug)]
pub struct Cosine {
    kind: Kind,
    direction: Direction,
    norm: Norm,
    is_transposed: bool,
}

impl Cosine {
    /// The plain sums of cosines that it is, and the factors of its inputs and outputs.
    fn sums(&self, length: usize) -> (Kind, [Edges; 2]) {
        let period = if self.kind == Kind::One { 2 * (length - 1) } else { 2 * length };
        let kind = match (self.direction, self.kind) {
            (Direction::Inverse, Kind::Two) => Kind::Three,
            (Direction::Inverse, Kind::Three) => Kind::Two,
            (_, kind) => kind,
        };
        let scale = 2.0 * self.norm.scale(self.direction, period);
        let by = if self.norm == Norm::Ortho { std::f64::consts::FRAC_1_SQRT_2 } else { 0.5 };
        let first = Edges { first: by, ..Edges::ONE };
        let both = Edges { last: by, ..first };
        let is_ortho = self.norm == Norm::Ortho;
        let [before, after] = match kind {
            Kind::One if is_ortho => [both, both],
            Kind::One => [both, Edges::ONE],
            Kind::Two if is_ortho => [Edges::ONE, first],
            Kind::Three => [first, Edges::ONE],
            Kind::Two | Kind::Four => [Edges::ONE, Edges::ONE],
        };
        let (before, after) = (before, after.times(scale));
        match (self.is_transposed, kind) {
            (false, _) => (kind, [before, after]),
            (true, Kind::Two) => (Kind::Three, [after, before]),
            (true, Kind::Three) => (Kind::Two, [after, before]),
            (true, _) => (kind, [after, before]),
        }
    }
}

impl Operator for Cosine {
    fn contract(&self) -> Contract {
        Contract::new("cosine").input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::element("x", x, &[Element::F32, Element::F64])?;
        let axis = x.rank().checked_sub(1);
        let axis = axis.ok_or_else(|| SpecError::new("x", x, "at least 1 dimension"))?;
        if length("x", x, axis)? < 2 && self.kind == Kind::One {
            return Err(SpecError::new("x", 1, "at least two elements").at(axis));
        }
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let last = inputs[0].rank() - 1;
        axes.inputs[0][last] += inputs[0].rank() as u8;
        let steps = (2 * inputs[0].bound(last)).next_power_of_two().trailing_zeros() as usize;
        // Complex lines of twice the length, three multiply-adds for each of two numbers a step.
        Metadata::streaming(inputs, outputs, axes)
            .with_macs((12 * inputs[0].elements() * steps) as u64)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        let transposed = Self { is_transposed: !self.is_transposed, ..*self };
        Gradient::one(backward.apply(transposed, &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let (x, axis) = (&specs.inputs[0], specs.inputs[0].rank() - 1);
        let line = Line { length: x.bound(axis), is_complex: false };
        let sums = self.sums(line.length);
        on_device!(
            target,
            specs,
            host: OnLines::new(
                [line; 2],
                (x.element, specs.cores),
                || on_host::Waves::<f32>::new(sums, line.length),
                || on_host::Waves::<f64>::new(sums, line.length),
            ),
            cube: cube::kernel(sums, line, x.element)?
        )
    }
}

#[cfg(feature = "cube")]
mod cube {
    use super::{Edges, Element, KernelError, Kind, Line};
    use crate::device::sums::{Angles, Sums, Turn};

    /// The sums of a kind with its factors.
    pub(super) fn kernel(
        (kind, [before, after]): (Kind, [Edges; 2]),
        line: Line,
        element: Element,
    ) -> Result<Sums, KernelError> {
        let length = line.length;
        let angles = match kind {
            Kind::One => Angles { period: 2 * (length - 1), first: [0, 0], step: [0, 1] },
            Kind::Two => Angles { period: 4 * length, first: [0, 1], step: [0, 2] },
            Kind::Three => Angles { period: 4 * length, first: [0, 0], step: [1, 2] },
            Kind::Four => Angles { period: 8 * length, first: [1, 2], step: [2, 4] },
        };
        Ok(Sums::new([line; 2], angles, Turn::Left, element)?.weighed(before, after))
    }
}

/// Every kind, direction and norm; even and odd lengths, the shortest, `f64`, many lines, none,
/// bounded; rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use Direction::{Forward, Inverse};
    let case = |name: &str, operator: Cosine, x: Value| {
        let expect = reference(move |inputs| vec![by_definition(&inputs[0], operator)]);
        Sample::new(format!("{:?}, {name}", operator.kind), operator, vec![x], expect)
    };
    let wide = |key, extents: &[usize]| Value::new(extents, &tensor(&noise(key, extents)).data);
    let kinds = [Kind::One, Kind::Two, Kind::Three, Kind::Four];
    let cases = kinds.into_iter().flat_map(|kind| {
        let with = move |direction, norm| cosine(kind, (direction, norm));
        let transposed = Cosine { is_transposed: true, ..with(Forward, Norm::Backward) };
        let shortest = if kind == Kind::One { 2 } else { 1 };
        [
            case("plain", with(Forward, Norm::Backward), noise(1, &[3, 8])),
            case("inverse, f64", with(Inverse, Norm::Backward), wide(2, &[2, 7])),
            case("orthonormal, f64", with(Forward, Norm::Ortho), wide(3, &[2, 5])),
            case("orthonormal inverse", with(Inverse, Norm::Ortho), noise(4, &[2, 2, 6])),
            case("divided", with(Forward, Norm::Forward), noise(5, &[13])),
            case("transposed", transposed, noise(6, &[2, 6])),
            case("shortest", with(Forward, Norm::Ortho), noise(7, &[3, shortest])),
        ]
    });
    let two = || cosine(Kind::Two, (Forward, Norm::Backward));
    let bounded = vec![bounded_first(Element::F32, 4, &[5])];
    let rejected = |name: &str, operator: Cosine, spec: Spec, dimension| {
        Sample::rejected(name, operator, vec![spec], "x", dimension)
    };
    cases
        .chain([
            case("many lines", two(), noise(8, &[4111, 4])),
            case("no lines", two(), noise(9, &[0, 4])),
            case("bounded", two(), noise(10, &[2, 5])).with_specs(bounded),
            rejected("no elements", two(), Spec::f32([2, 0]), Some(1)),
            rejected("a scalar", two(), Spec::f32::<usize>([]), None),
            rejected(
                "one of one",
                cosine(Kind::One, (Forward, Norm::Ortho)),
                Spec::f32([1]),
                Some(0),
            ),
        ])
        .collect()
}

/// The definition: entries of the matrix, written by their weights. The inverse is what undoes the
/// forward matrix, by way of the orthogonal one.
fn by_definition(x: &Tensor, operator: Cosine) -> Tensor {
    let last = x.extents.len() - 1;
    let n = x.extents[last];
    let (edge, whole) = (n - 1, n as f64);
    let is_end = |j: usize| j == 0 || (operator.kind == Kind::One && j == edge);
    let plain = |k: usize, j: usize| {
        let (a, b) = (j as f64, k as f64);
        let angle = match operator.kind {
            Kind::One => a * b / (whole - 1.0),
            Kind::Two => (a + 0.5) * b / whole,
            Kind::Three => a * (b + 0.5) / whole,
            Kind::Four => (a + 0.5) * (b + 0.5) / whole,
        };
        2.0 * (angle * std::f64::consts::PI).cos()
    };
    let has_ends = [Kind::One, Kind::Three].contains(&operator.kind);
    let double = if operator.kind == Kind::One { 2.0 * (whole - 1.0) } else { 2.0 * whole };
    // Orthogonal: rows and columns of ends by the square root of a half.
    let orthogonal = |k: usize, j: usize| {
        let column = has_ends && is_end(j);
        let row = [Kind::One, Kind::Two].contains(&operator.kind) && is_end(k);
        let ends = i32::from(column) + i32::from(row);
        plain(k, j) * 0.5_f64.sqrt().powi(ends) / double.sqrt()
    };
    let forward = |k: usize, j: usize| plain(k, j) * if has_ends && is_end(j) { 0.5 } else { 1.0 };
    // What undoes it: an orthogonal one transposed, its factors taken back on both sides.
    let inverse = |k: usize, j: usize| {
        let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
        let (row, column) = (orthogonal(j, k), forward(j, k));
        row * ratio(row, column)
    };
    let entry = |k: usize, j: usize| match (operator.norm, operator.direction) {
        (Norm::Ortho, Direction::Forward) => orthogonal(k, j),
        (Norm::Ortho, Direction::Inverse) => orthogonal(j, k),
        (Norm::Backward, Direction::Forward) => forward(k, j),
        (Norm::Backward, Direction::Inverse) => inverse(k, j),
        (Norm::Forward, Direction::Forward) => forward(k, j) / double,
        (Norm::Forward, Direction::Inverse) => inverse(k, j) * double,
    };
    Tensor::from_fn(&x.extents, |index| {
        let mut other = index.to_vec();
        let k = index[last];
        let terms = (0..n).map(|j| {
            other[last] = j;
            x.at(&other) * if operator.is_transposed { entry(j, k) } else { entry(k, j) }
        });
        terms.sum()
    })
}
