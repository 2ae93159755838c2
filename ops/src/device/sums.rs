//! Fourier and cosine transforms of lines on a device: a sum over the whole line for each output.
//!
//! ```text
//! y[o] = after[o] * sum over i of before[i] * x[i] * e^(+- 2 pi i phase / period)
//! phase = first(o) + i * step(o)        first and step: a + b * o
//! ```
//!
//! Phases are whole numbers, reduced to one period, so angles are exact: the waves stand in a
//! table. The work grows with the square of the length.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::kernel::{Call, Constant, CubeKernel, size};
use crate::host::lines::{Edges, Line};

/// The longest period: twice its phases are still words.
const PERIOD_MAX: usize = 1 << 30;

/// The phase of each term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Angles {
    /// Phases of a whole turn.
    pub(crate) period: usize,
    /// `[a, b]` of the phase `a + b * o` of the first term.
    pub(crate) first: [usize; 2],
    /// The same for what is added from one term to the next.
    pub(crate) step: [usize; 2],
}

/// The sign of the angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Positive.
    Left,
    /// Negative.
    Right,
}

/// A transform of lines.
pub(crate) struct Sums {
    lines: [Line; 2],
    angles: Angles,
    /// The cosine and the sine of each phase.
    waves: Constant,
    before: Constant,
    after: Constant,
}

impl Sums {
    /// Of lines that become lines, in a direction.
    ///
    /// # Errors
    /// For element types other than `f32`, and periods beyond words.
    pub(crate) fn new(
        lines: [Line; 2],
        angles: Angles,
        turn: Turn,
        element: Element,
    ) -> Result<Self, KernelError> {
        if element != Element::F32 {
            return Err(KernelError::Absent);
        }
        if angles.period > PERIOD_MAX {
            let cause = format!("a line of {}: sums have at most {PERIOD_MAX}", lines[0].length);
            return Err(KernelError::Refused(cause));
        }
        let sign = if turn == Turn::Left { 1.0 } else { -1.0 };
        let wave = |phase: usize| {
            let angle = sign * std::f64::consts::TAU * phase as f64 / angles.period as f64;
            [angle.cos() as f32, angle.sin() as f32]
        };
        let waves: Vec<f32> = (0..angles.period).flat_map(wave).collect();
        let [before, after] = lines.map(|line| factors(Edges::ONE, line));
        Ok(Self { lines, angles, waves: Constant::new(&waves), before, after })
    }

    /// The same with factors for its inputs and outputs.
    pub(crate) fn weighed(mut self, before: Edges, after: Edges) -> Self {
        self.before = factors(before, self.lines[0]);
        self.after = factors(after, self.lines[1]);
        self
    }
}

/// A factor for each element of a line.
fn factors(edges: Edges, line: Line) -> Constant {
    let factors = (0..line.length).map(|index| edges.at(index, line.length) as f32);
    Constant::new(&factors.collect::<Vec<f32>>())
}

impl CubeKernel for Sums {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [from, to] = self.lines;
        let x = call.input(0);
        let mut extents = x.extents()[..x.extents().len() - from.rank()].to_vec();
        extents.push(to.length);
        if to.is_complex {
            extents.push(2);
        }
        let y = call.set_extents(0, &extents);
        let count = y.elements() / to.rank();
        let tables = [&self.waves, &self.before, &self.after];
        let [waves, before, after] = tables.map(|table| table.array(call));
        let (waves, before, after) = (waves?, before?, after?);
        let Angles { period, first, step } = self.angles;
        call.each(count, |client, cubes, units| {
            let shape = ShapeLaunch::new(
                size(count),
                size(from.length),
                size(to.length),
                size(period),
                size(first[0]),
                size(first[1]),
                size(step[0]),
                size(step[1]),
            );
            let kinds = (from.is_complex, to.is_complex);
            let (x, y) = (x.array(), y.array());
            sums::launch::<R>(
                client, cubes, units, x, waves, before, after, y, shape, kinds.0, kinds.1,
            );
        })
    }
}

/// Lengths of lines, and phases.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Shape {
    count: u32,
    from: u32,
    to: u32,
    period: u32,
    first_constant: u32,
    first_factor: u32,
    step_constant: u32,
    step_factor: u32,
}

#[cube(launch)]
fn sums(
    x: &Array<f32>,
    waves: &Array<f32>,
    before: &Array<f32>,
    after: &Array<f32>,
    y: &mut Array<f32>,
    shape: Shape,
    #[comptime] from_complex: bool,
    #[comptime] to_complex: bool,
) {
    let unit = ABSOLUTE_POS as u32;
    if unit < shape.count {
        let line = unit / shape.to * shape.from;
        let output = unit % shape.to;
        let step = (shape.step_constant + shape.step_factor * output) % shape.period;
        let mut phase = (shape.first_constant + shape.first_factor * output) % shape.period;
        let mut real = 0.0f32;
        let mut imaginary = 0.0f32;
        for i in 0..shape.from {
            let weight = before[i as usize];
            let cos = waves[(2 * phase) as usize];
            let sin = waves[(2 * phase + 1) as usize];
            if comptime!(from_complex) {
                let re = weight * x[(2 * (line + i)) as usize];
                let im = weight * x[(2 * (line + i) + 1) as usize];
                real += re * cos - im * sin;
                imaginary += re * sin + im * cos;
            } else {
                let re = weight * x[(line + i) as usize];
                real += re * cos;
                imaginary += re * sin;
            }
            phase += step;
            if phase >= shape.period {
                phase -= shape.period;
            }
        }
        let weight = after[output as usize];
        if comptime!(to_complex) {
            y[(2 * unit) as usize] = weight * real;
            y[(2 * unit + 1) as usize] = weight * imaginary;
        } else {
            y[unit as usize] = weight * real;
        }
    }
}
