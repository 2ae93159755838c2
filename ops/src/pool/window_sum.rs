//! Sums over windows of neighbouring pixels: `y[c, p, q]` is the sum of `x[c, i, j]` over the rows
//! `i` of window row `p` and the columns `j` of window column `q`, perhaps divided by their number.
//!
//! What average pools of any kind, their gradients and the gradients of those come down to: the
//! windows that a pixel is in are neighbours too.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]` with as many
//! rows and columns as the windows cover; the batch may be bounded. `y`: the same with a row and a
//! column for each window row and column.
//!
//! # Gradient
//! `dx` is the sum of `dy`, divided likewise, over the windows that a pixel is in.
//!
//! # Numerics
//! Sums run row by row. A mean divides the sum; its gradient divides `dy` before it adds.
//!
//! # Example
//! ```
//! use synfire_ops::pool::window_sum::even_mean;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 1, 5], &[1.0_f32, 2.0, 3.0, 4.0, 5.0]);
//! let y = fire_once(&even_mean([1, 5], [1, 2]), &[x])?;
//! assert_eq!(y[0].elements::<f32>(), [2.0, 4.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use std::ops::Range;

use synfire_runtime::crew::Crew;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use super::avg_pool2d::Counting;
use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::host::widened::widened;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{self, Image, Spans};

#[cfg(feature = "cube")]
mod cube; // a unit for each sum

/// Sums over windows with these rows and columns.
pub(crate) fn window_sum(spans: [Spans; 2]) -> WindowSum {
    WindowSum { spans, sizes: None, is_transposed: false }
}

/// Means over `places` windows, `[rows, columns]` of them, that together are an image of this
/// extent, as equal as can be: what adaptive average pooling computes.
#[must_use]
pub fn even_mean(extent: [usize; 2], places: [usize; 2]) -> WindowSum {
    let spans = [0, 1].map(|axis| Spans::even(extent[axis], places[axis]));
    window_sum(spans).mean(Counting::Image, [0, 0])
}

/// See [`even_mean`].
#[derive(Clone, Debug)]
pub struct WindowSum {
    /// Rows and columns.
    spans: [Spans; 2],
    /// By what a mean divides: sizes of the windows that are not transposed.
    sizes: Option<[Sizes; 2]>,
    is_transposed: bool,
}

/// The sizes of windows along one direction: the pixels from `low` to before `high` count.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    spans: Spans,
    low: isize,
    high: isize,
}

impl Sizes {
    /// A window without pixels stays 0, divided by 1.
    fn of(&self, place: usize) -> usize {
        let [start, end] = self.spans.bounds(place);
        (end.min(self.high) - start.max(self.low)).max(1) as usize
    }
}

impl WindowSum {
    /// The mean instead; the padding below and behind the image counts if padding counts at all.
    pub(crate) fn mean(mut self, counting: Counting, after: [usize; 2]) -> Self {
        self.sizes = Some([0, 1].map(|axis| {
            let spans = self.spans[axis];
            let extent = spans.extent as isize;
            let (low, high) = match counting {
                Counting::Image => (0, extent),
                Counting::Padding => (spans.first, extent + after[axis] as isize),
            };
            Sizes { spans, low, high }
        }));
        self
    }

    /// What adds to each pixel from the windows that it is in.
    pub(crate) fn transposed(self) -> Self {
        let spans = self.spans.map(|spans| spans.transposed());
        Self { spans, is_transposed: !self.is_transposed, ..self }
    }

    /// By what the numbers of `x` (if `of_input`) or `y` are divided, rows and columns.
    fn divisors(&self, of_input: bool) -> Option<[Sizes; 2]> {
        self.sizes.filter(|_| self.is_transposed == of_input)
    }
}

impl Operator for WindowSum {
    fn contract(&self) -> Contract {
        Contract::new("window_sum").input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, image) = (&inputs[0], Image::of(&inputs[0])?);
        for (axis, spans) in self.spans.iter().enumerate() {
            let (found, dimension) = (image.extent[axis], x.rank() - 2 + axis);
            if spans.step == 0 || spans.divisor == 0 {
                return Err(SpecError::new("x", found, "at least 1").at(dimension));
            }
            if found != spans.extent {
                let wanted = format!("{}, the pixels of the windows", spans.extent);
                return Err(SpecError::new("x", found, wanted).at(dimension));
            }
        }
        Ok(vec![image.output(image.channels, self.spans.map(|spans| spans.places))])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, window::pool_axes(&inputs[0]))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(self.clone().transposed(), &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        match specs.inputs[0].element {
            Element::F64 => on_device!(target, specs, host: OnHost::<f64>::new(self)),
            _ => on_device!(target, specs, host: OnHost::<f32>::new(self),
                cube: cube::OnCube(self.clone())),
        }
    }
}

struct OnHost<T> {
    /// The pixels of each window row and column.
    spans: [Vec<Range<usize>>; 2],
    extent: [usize; 2],
    /// What the numbers of `x` and of `y` are divided by, rows and columns.
    divisors: [Option<[Vec<T>; 2]>; 2],
}

impl<T: Real> OnHost<T> {
    fn new(operator: &WindowSum) -> Self {
        let all = |sizes: Sizes| {
            let places = 0..sizes.spans.places;
            places.map(|place| T::of(sizes.of(place) as f64)).collect()
        };
        let divisors =
            [true, false].map(|of_input| operator.divisors(of_input).map(|sizes| sizes.map(all)));
        let extent = operator.spans.map(|spans| spans.extent);
        Self { spans: operator.spans.map(|spans| spans.all()), extent, divisors }
    }

    fn compute(&self, crew: &Crew, x: &[T], y: &mut [T]) {
        let ([rows, columns], [tall, wide]) = (&self.spans, self.extent);
        let [of_input, of_output] = &self.divisors;
        pieces(crew, y, columns.len(), &|offset, piece| {
            for (number, y) in piece.chunks_exact_mut(columns.len()).enumerate() {
                let row = offset / columns.len() + number;
                let (plane, row) = (row / rows.len() * tall, row % rows.len());
                for (column, y) in y.iter_mut().enumerate() {
                    let mut sum = T::of(0.0);
                    for i in rows[row].clone() {
                        let span = columns[column].clone();
                        let line = &x[(plane + i) * wide..][span.clone()];
                        sum = match of_input {
                            None => line.iter().fold(sum, |sum, &x| sum + x),
                            Some([down, across]) => {
                                let pairs = line.iter().zip(&across[span]);
                                pairs.fold(sum, |sum, (&x, &size)| sum + x / (down[i] * size))
                            }
                        };
                    }
                    *y = match of_output {
                        None => sum,
                        Some([down, across]) => sum / (down[row] * across[column]),
                    };
                }
            }
        });
    }
}

impl<T: Real> Kernel for OnHost<T> {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        window::set_batch(&mut y, &x);
        self.compute(crew, x.elements(), y.elements());
        Ok(())
    }
}

/// Even and sliding windows, more of them than pixels, sums and means, transposed too, both ranks,
/// one pixel, nothing, bounded batches, `f64`; wrong extents and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: WindowSum, x: &[usize]| {
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, vec![noise(1, x)], expect)
    };
    let sliding = |length: usize, stride: usize, before: usize, extent: usize, places: usize| {
        Spans::sliding([length, stride, before], extent, places)
    };
    let both = || [sliding(3, 2, 1, 17, 9), sliding(4, 3, 2, 23, 9)];
    let padded = || window_sum(both()).mean(Counting::Padding, [1, 1]);
    let inside = || window_sum(both()).mean(Counting::Image, [1, 1]);
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 7, 9])];
    let rejected = |name: &str, x: Spec, dimension| {
        Sample::rejected(name, even_mean([7, 9], [2, 2]), vec![x], "x", dimension)
    };
    vec![
        case("even", even_mean([7, 11], [3, 4]), &[2, 3, 7, 11]),
        case("even, more than pixels", even_mean([3, 2], [7, 5]), &[1, 2, 3, 2]),
        case("whole image", even_mean([13, 17], [1, 1]), &[2, 3, 13, 17]),
        case("one pixel", even_mean([1, 1], [1, 1]), &[1, 1, 1]),
        case("sums", window_sum(both()), &[2, 3, 17, 23]),
        case("padding counted", padded(), &[2, 17, 23]),
        case("image counted", inside(), &[1, 2, 17, 23]),
        case("sums, transposed", window_sum(both()).transposed(), &[2, 3, 9, 9]),
        case("padding counted, transposed", padded().transposed(), &[2, 9, 9]),
        case("image counted, transposed", inside().transposed(), &[1, 2, 9, 9]),
        case("even, transposed", even_mean([7, 11], [3, 4]).transposed(), &[2, 3, 3, 4]),
        case("many rows", even_mean([2, 2], [181, 127]), &[1, 1, 2, 2]),
        case("empty batch", even_mean([4, 4], [2, 3]), &[0, 3, 4, 4]),
        case("no places", even_mean([4, 4], [0, 3]), &[1, 3, 4, 4]),
        case("bounded batch", even_mean([7, 9], [2, 5]), &[2, 3, 7, 9]).with_specs(bounded),
        Sample::new("f64", padded(), vec![window::wide(1, &[2, 17, 23])], by_definition(padded())),
        rejected("other rows", Spec::f32([1, 8, 9]), Some(1)),
        rejected("other columns", Spec::f32([1, 1, 7, 8]), Some(3)),
        rejected("two dimensions", Spec::f32([7, 9]), None),
        rejected("integers", Spec::new(Element::I64, [1, 7, 9]), None),
        Sample::rejected(
            "no pixels",
            even_mean([0, 4], [2, 2]),
            vec![Spec::f32([1, 0, 4])],
            "x",
            Some(1),
        ),
    ]
}

/// The definition, by asking each pair of a window and a pixel.
fn by_definition(operator: WindowSum) -> Expect {
    reference(move |inputs| {
        let x = &inputs[0];
        let first = x.extents.len() - 2;
        let mut extents = x.extents.clone();
        for axis in 0..2 {
            extents[first + axis] = operator.spans[axis].places;
        }
        let size = |at: [usize; 2], of_input: bool| match operator.divisors(of_input) {
            Some(sizes) => (sizes[0].of(at[0]) * sizes[1].of(at[1])) as f64,
            None => 1.0,
        };
        let covers = |axis: usize, place: usize, pixel: usize| {
            let Spans { step, first, last, divisor, .. } = operator.spans[axis];
            let (place, pixel) = ((place * step) as isize, (pixel * divisor) as isize);
            place + first < pixel + divisor as isize && pixel + divisor as isize <= place + last
        };
        vec![Tensor::from_fn(&extents, |at| {
            let [p, q] = [at[first], at[first + 1]];
            let (mut sum, mut pixel) = (0.0, at.to_vec());
            for i in (0..x.extents[first]).filter(|&i| covers(0, p, i)) {
                for j in (0..x.extents[first + 1]).filter(|&j| covers(1, q, j)) {
                    pixel[first..].copy_from_slice(&[i, j]);
                    sum += x.at(&pixel) / size([i, j], true);
                }
            }
            sum / size([p, q], false)
        })]
    })
}
