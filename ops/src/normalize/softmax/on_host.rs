//! The host kernel: a line is read twice and written twice while it is in cache.

use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs};
use synfire_runtime::spec::{Dimension, Element};

use super::{Form, Softmax};
use crate::host::number::Number;
use crate::host::pieces::{Grid, STRIP, Strip, strips};
use crate::host::real::Real;

/// The kernel of [`Softmax`].
pub(super) struct OnHost {
    softmax: Softmax,
    /// The length of rows of `f32` along the last axis, where that is the axis.
    row: Option<usize>,
}

impl OnHost {
    pub(super) fn new(softmax: Softmax, specs: &Specs<'_>) -> Self {
        let x = &specs.inputs[0];
        let is_row = x.element == Element::F32 && softmax.axis + 1 == x.rank();
        let row = match x.dimensions.last() {
            Some(&Dimension::Fixed(length)) if is_row => Some(length),
            _ => None,
        };
        Self { softmax, row }
    }
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let crew = firing.crew();
        let mut y = match firing.pair(0, 0) {
            Pair::Same(y) => y,
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                y.bytes().copy_from_slice(x.bytes());
                y
            }
        };
        let lines = Grid::lines(&y.extents(), self.softmax.axis);
        let form = self.softmax.form;
        match y.spec().element {
            Element::F32 => strips(crew, y.elements::<f32>(), lines, &|s| on_strip(s, form)),
            _ => strips(crew, y.elements::<f64>(), lines, &|s| on_strip(s, form)),
        }
        Ok(())
    }

    fn stage(&self) -> Option<Box<dyn PieceStage>> {
        let form = self.softmax.form;
        Some(Box::new(Rows { form, length: self.row? }))
    }
}

/// Rows inside an operator that reads them.
struct Rows {
    form: Form,
    length: usize,
}

impl PieceStage for Rows {
    fn apply(&self, piece: &mut [f32], _offset: usize) {
        piece.chunks_exact_mut(self.length.max(1)).for_each(|row| on_line(row, self.form));
    }
}

/// The lines of a strip, side by side, in place.
fn on_strip<T: Real + Number>(mut strip: Strip<'_, T>, form: Form) {
    if let Some(line) = strip.dense() {
        return on_line(line, form);
    }
    let (places, width) = (strip.places.clone(), strip.width);
    let (mut tops, mut sums) = ([T::of(f64::NEG_INFINITY); STRIP], [T::of(0.0); STRIP]);
    for place in places.clone() {
        tops.iter_mut().zip(strip.row(place)).for_each(|(top, x)| *top = larger(*top, *x));
    }
    for place in places.clone() {
        for ((x, top), sum) in strip.row(place).iter_mut().zip(tops).zip(&mut sums) {
            let (rest, power) = parts(*x, top, form);
            (*x, *sum) = (rest, *sum + power);
        }
    }
    for place in places {
        for (x, sum) in strip.row(place).iter_mut().zip(&sums[..width]) {
            *x = finished(*x, *sum, form);
        }
    }
}

/// A dense line, in place.
fn on_line<T: Real + Number>(line: &mut [T], form: Form) {
    let top = line.iter().fold(T::of(f64::NEG_INFINITY), |top, x| larger(top, *x));
    let mut sum = T::of(0.0);
    for x in &mut *line {
        let (rest, power) = parts(*x, top, form);
        (*x, sum) = (rest, sum + power);
    }
    line.iter_mut().for_each(|x| *x = finished(*x, sum, form));
}

/// A NaN stays: no number is larger.
#[inline]
fn larger<T: Real + Number>(top: T, x: T) -> T {
    if x > top || x.is_nan() { x } else { top }
}

/// What stays in place of `x` until the sum is known, and what the sum takes.
#[inline]
fn parts<T: Real>(x: T, top: T, form: Form) -> (T, T) {
    let below = x - top;
    let power = below.exp();
    (if form == Form::Shares { power } else { below }, power)
}

#[inline]
fn finished<T: Real>(rest: T, sum: T, form: Form) -> T {
    if form == Form::Shares { rest / sum } else { rest - sum.ln() }
}
