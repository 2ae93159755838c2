//! The host kernel: each row is read twice and written once while it is in cache.

use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs};
use synfire_runtime::spec::{Dimension, Element};

use super::{Affine, Centre, RowNorm};
use crate::host::pieces::pieces;
use crate::host::real::Real;

/// Sums that take turns, so that they do not wait for each other.
const TURNS: usize = 8;

/// The kernel of both norms.
pub(super) struct OnHost {
    norm: RowNorm,
    element: Element,
    /// The length of rows along the last axis that are stages: of `f32`, all else constant.
    row: Option<usize>,
}

impl OnHost {
    pub(super) fn new(norm: &RowNorm, specs: &Specs<'_>) -> Self {
        let x = &specs.inputs[0];
        let is_constant = specs.constant[1..].iter().all(|&constant| constant);
        let is_row = is_constant && norm.axes == 1 && x.element == Element::F32;
        let row = match x.dimensions.last() {
            Some(&Dimension::Fixed(length)) if is_row => Some(length),
            _ => None,
        };
        Self { norm: norm.clone(), element: x.element, row }
    }

    fn normalise<R: Real + Into<f64>>(&self, firing: &mut Firing<'_>) {
        let (x, mut y) = match firing.pair(0, 0) {
            Pair::Same(y) => (None, y),
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                (Some(x.elements::<R>()), y)
            }
        };
        let extents = y.extents();
        let length = extents[extents.len() - self.norm.axes..].iter().product();
        let input = |input: usize| firing.input(input).elements::<R>();
        let weight = (self.norm.affine >= Affine::Weight).then(|| input(1));
        let bias = (self.norm.affine == Affine::WeightAndBias).then(|| input(2));
        pieces(firing.crew(), y.elements::<R>(), length, &|offset, piece| {
            if let Some(x) = x {
                piece.copy_from_slice(&x[offset..offset + piece.len()]);
            }
            for row in piece.chunks_exact_mut(length) {
                on_row(&self.norm, row, [weight, bias]);
            }
        });
    }
}

/// One row, in place, multiplied by a weight and with a bias added where there are any.
fn on_row<R: Real + Into<f64>>(norm: &RowNorm, row: &mut [R], affine: [Option<&[R]>; 2]) {
    let count = row.len() as f64;
    let centre = match norm.centre {
        Centre::Mean => sum(row, |x| x) / count,
        Centre::Zero => 0.0,
    };
    let variance = sum(row, |x| (x - centre) * (x - centre)) / count;
    let inverse = R::of(1.0 / (variance + norm.epsilon).sqrt());
    let centre = R::of(centre);
    row.iter_mut().for_each(|x| *x = (*x - centre) * inverse);
    let [weight, bias] = affine;
    if let Some(weight) = weight {
        row.iter_mut().zip(weight).for_each(|(y, &weight)| *y = *y * weight);
    }
    if let Some(bias) = bias {
        row.iter_mut().zip(bias).for_each(|(y, &bias)| *y = *y + bias);
    }
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match self.element {
            Element::F32 => self.normalise::<f32>(firing),
            _ => self.normalise::<f64>(firing),
        }
        Ok(())
    }

    fn stage(&self) -> Option<Box<dyn PieceStage>> {
        let rows = Rows { norm: self.norm.clone(), length: self.row?, affine: [None, None] };
        Some(Box::new(rows))
    }
}

/// Rows inside an operator that reads them.
struct Rows {
    norm: RowNorm,
    length: usize,
    /// Weight and bias, after `prepare`.
    affine: [Option<Vec<f32>>; 2],
}

impl PieceStage for Rows {
    fn prepare(&mut self, firing: &Firing<'_>, first: usize) {
        for (input, values) in self.affine.iter_mut().enumerate().take(self.norm.affine as usize) {
            *values = Some(firing.input(first + input).elements().to_vec());
        }
    }

    fn apply(&self, piece: &mut [f32], _offset: usize) {
        let affine = self.affine.each_ref().map(Option::as_deref);
        let rows = piece.chunks_exact_mut(self.length.max(1));
        rows.for_each(|row| on_row(&self.norm, row, affine));
    }
}

/// The sum of a function of each number of a row, in an order that depends on its length only.
#[inline]
fn sum<R: Real + Into<f64>>(row: &[R], term: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; TURNS];
    let turns = row.chunks_exact(TURNS);
    let rest: f64 = turns.remainder().iter().map(|&x| term(x.into())).sum();
    for turn in turns {
        sums.iter_mut().zip(turn).for_each(|(sum, &x)| *sum += term(x.into()));
    }
    sums.iter().sum::<f64>() + rest
}
