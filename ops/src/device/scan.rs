//! Scans along an axis: a cube for each line, each unit of it a stretch; or, where there are many
//! lines or short ones, a unit for each line.
//!
//! What is carried is two numbers. A unit reduces its stretch, takes what the units before it have
//! found, in order, and then walks its stretch again: always the same bits.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::kernel::{Call, Tensor, size};
use super::lines::{LINE_UNITS, Lines, along, start_of};
use crate::host::scan::Course;

/// Lines from which on a unit for each keeps a device busy.
const MANY: usize = 8192;

/// What the elements of a line become together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Running {
    /// Their sum, in the first number.
    Sum,
    /// Their product, in the first number.
    Product,
    /// `(top, sum)`, which is `e^top * sum`.
    LogSumExp,
    /// `h -> a * h + b`, as `(a, b)`.
    Map,
    /// The same with the factor of the place before.
    LaggedMap,
}

/// The ports of a scan; where it has no factors or no initial state, any tensor stands for them.
pub(crate) struct Ports<'a> {
    /// The factors.
    pub(crate) a: &'a Tensor,
    /// The elements.
    pub(crate) b: &'a Tensor,
    /// The state before the first place of each line.
    pub(crate) initial: Option<&'a Tensor>,
    /// The output.
    pub(crate) y: &'a Tensor,
}

/// Scans along `axis`.
pub(crate) fn scan<R: Runtime>(
    call: &Call<'_, R>,
    Ports { a, b, initial, y }: Ports<'_>,
    axis: usize,
    (course, running): (Course, Running),
) -> Result<(), FireError> {
    let lines = along(&y.extents(), axis);
    let (count, length) = (lines.count as usize, lines.length as usize);
    let is_alone = count >= MANY || length < 2 * LINE_UNITS as usize;
    let stretch = if is_alone { length } else { length.div_ceil(LINE_UNITS as usize) };
    let launch = |client: &ComputeClient<R>, cubes: CubeCount, units: CubeDim| {
        scan_lines::launch::<R>(
            client,
            cubes,
            units,
            a.array(),
            b.array(),
            initial.unwrap_or(b).array(),
            y.array(),
            lines.argument(),
            size(stretch),
            initial.is_some(),
            is_alone,
            course,
            running,
        );
    };
    if is_alone { call.each(count, launch) } else { call.cubes(count, LINE_UNITS, launch) }
}

#[cube(launch)]
fn scan_lines(
    a: &Array<f32>,
    b: &Array<f32>,
    initial: &Array<f32>,
    y: &mut Array<f32>,
    lines: Lines,
    stretch: u32,
    #[comptime] has_initial: bool,
    #[comptime] is_alone: bool,
    #[comptime] course: Course,
    #[comptime] running: Running,
) {
    let line = if comptime!(is_alone) { ABSOLUTE_POS as u32 } else { CUBE_POS as u32 };
    if line < lines.count {
        let unit = if comptime!(is_alone) { 0u32.runtime() } else { UNIT_POS };
        let start = start_of(&lines, line);
        let from = min(unit * stretch, lines.length);
        let to = min(from + stretch, lines.length);
        let mut p = nothing(running);
        let mut q = 0.0f32;
        if comptime!(has_initial) {
            q = initial[line as usize];
        }
        if comptime!(!is_alone) {
            let mut found_p = SharedMemory::<f32>::new(comptime!(LINE_UNITS as usize));
            let mut found_q = SharedMemory::<f32>::new(comptime!(LINE_UNITS as usize));
            let mut own_p = nothing(running);
            let mut own_q = 0.0f32;
            for k in from..to {
                let factor = factor_at(a, start, k, &lines, has_initial, course, running);
                let x = b[element(start, k, &lines, course) as usize];
                let next = first(own_p, own_q, factor, x, running);
                own_q = second(own_p, own_q, factor, x, running);
                own_p = next;
            }
            found_p[UNIT_POS as usize] = own_p;
            found_q[UNIT_POS as usize] = own_q;
            sync_cube();
            for other in 0..unit {
                let other_p = found_p[other as usize];
                let other_q = found_q[other as usize];
                let next = first_of_both(p, other_p, running);
                q = second_of_both(p, q, other_p, other_q, running);
                p = next;
            }
        }
        for k in from..to {
            let at = element(start, k, &lines, course) as usize;
            let x = b[at];
            let factor = factor_at(a, start, k, &lines, has_initial, course, running);
            if comptime!(course.is_exclusive) {
                y[at] = outcome(p, q, running);
            }
            let next = first(p, q, factor, x, running);
            q = second(p, q, factor, x, running);
            p = next;
            if comptime!(!course.is_exclusive) {
                y[at] = outcome(p, q, running);
            }
        }
    }
}

/// The element of place `k` in the order of the course.
#[cube]
fn element(start: u32, k: u32, lines: &Lines, #[comptime] course: Course) -> u32 {
    if comptime!(course.is_reversed) {
        start + (lines.length - 1 - k) * lines.stride
    } else {
        start + k * lines.stride
    }
}

/// The factor of place `k`; 0 at the first of a line without an initial state.
#[cube]
fn factor_at(
    a: &Array<f32>,
    start: u32,
    k: u32,
    lines: &Lines,
    #[comptime] has_initial: bool,
    #[comptime] course: Course,
    #[comptime] running: Running,
) -> f32 {
    match comptime!(running) {
        Running::Map => {
            let factor = a[element(start, k, lines, course) as usize];
            if comptime!(has_initial) { factor } else { select(k == 0, 0.0f32, factor) }
        }
        Running::LaggedMap => {
            let before = select(k == 0, 0u32, k - 1);
            let factor = a[element(start, before, lines, course) as usize];
            select(k == 0, 0.0f32, factor)
        }
        _ => 0.0f32.runtime(),
    }
}

/// The first number of nothing.
#[cube]
fn nothing(#[comptime] running: Running) -> f32 {
    match comptime!(running) {
        Running::Sum => 0.0f32.runtime(),
        // Finite, so that differences are no NaN.
        Running::LogSumExp => f32::min_value(),
        _ => 1.0f32.runtime(),
    }
}

/// The first number after one more element.
#[cube]
fn first(p: f32, _q: f32, factor: f32, x: f32, #[comptime] running: Running) -> f32 {
    match comptime!(running) {
        Running::Sum => p + x,
        Running::Product => p * x,
        Running::LogSumExp => select(x > p, x, p),
        // A zero forgets what has grown, even beyond all numbers.
        _ => select(factor == 0.0, 0.0f32, p * factor),
    }
}

/// The second number after one more element.
#[cube]
fn second(p: f32, q: f32, factor: f32, x: f32, #[comptime] running: Running) -> f32 {
    match comptime!(running) {
        Running::Sum | Running::Product => q,
        Running::LogSumExp => {
            let grown = select(x > p, q * (p - x).exp() + 1.0, q + (x - p).exp());
            select(x == p, q + 1.0, grown)
        }
        _ => factor * q + x,
    }
}

/// The first number of a stretch and the one behind it.
#[cube]
fn first_of_both(p: f32, other: f32, #[comptime] running: Running) -> f32 {
    match comptime!(running) {
        Running::Sum => p + other,
        Running::LogSumExp => select(other > p, other, p),
        _ => p * other,
    }
}

/// The second number of a stretch and the one behind it.
#[cube]
fn second_of_both(p: f32, q: f32, other_p: f32, other_q: f32, #[comptime] running: Running) -> f32 {
    match comptime!(running) {
        Running::Sum | Running::Product => q,
        Running::LogSumExp => {
            let top = select(other_p > p, other_p, p);
            let own = select(p == top, q, q * (p - top).exp());
            own + select(other_p == top, other_q, other_q * (other_p - top).exp())
        }
        _ => select(q == 0.0, other_q, other_p * q + other_q),
    }
}

/// The output.
#[cube]
fn outcome(p: f32, q: f32, #[comptime] running: Running) -> f32 {
    match comptime!(running) {
        Running::Sum | Running::Product => p,
        Running::LogSumExp => p + q.ln(),
        _ => q,
    }
}
