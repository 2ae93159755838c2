//! Reductions of any set of axes: which input elements make an output element, and in which order.
//!
//! The order depends on the extents only: along a contiguous row, [`LANES`] sums take elements in
//! turn, in blocks of [`BLOCK`]; the sums of a block, then those of blocks, are merged in order.
//! Where neighbours of the output are neighbours of the input, each output takes its elements in
//! order, in blocks too. So the rounding error grows with the number of blocks, not of elements.

use bytemuck::{cast_slice, cast_slice_mut};
use synfire_runtime::crew::Crew;
use synfire_runtime::spec::{RANK_MAX, Scalar};

use super::erased::shares;

/// Sums that take the elements of a row in turn.
const LANES: usize = 8;
/// Elements of one block of a sum.
const BLOCK: usize = 1024;
/// Neighbouring outputs that are summed side by side.
const COLUMNS: usize = 128;
/// Input elements below which a share of the output is not worth another core.
const GRAIN: usize = 16 * 1024;

/// A reduction of elements of one type, taken in any order that is fixed.
pub(crate) trait Fold {
    /// The input element.
    type In: Scalar;
    /// What is carried along.
    type Sum: Copy;
    /// The output element.
    type Out: Scalar;
    /// The reduction of nothing.
    const START: Self::Sum;
    /// Takes one more element.
    fn step(sum: Self::Sum, x: Self::In) -> Self::Sum;
    /// The reduction of what both have taken.
    fn merge(sum: Self::Sum, other: Self::Sum) -> Self::Sum;
    /// The output for `count` elements.
    fn finish(sum: Self::Sum, count: usize) -> Self::Out;
}

/// Axes that are walked in row-major order; neighbours that lie dense are merged.
#[derive(Clone, Debug)]
struct Odometer {
    rank: usize,
    extents: [usize; RANK_MAX],
    strides: [usize; RANK_MAX],
}

impl Odometer {
    fn new() -> Self {
        Self { rank: 0, extents: [1; RANK_MAX], strides: [0; RANK_MAX] }
    }

    /// Adds an axis inside the others.
    fn push(&mut self, extent: usize, stride: usize) {
        match self.rank.checked_sub(1) {
            Some(last) if self.strides[last] == stride * extent => {
                self.extents[last] *= extent;
                self.strides[last] = stride;
            }
            _ => {
                (self.extents[self.rank], self.strides[self.rank]) = (extent, stride);
                self.rank += 1;
            }
        }
    }

    fn count(&self) -> usize {
        self.extents[..self.rank].iter().product()
    }

    /// Takes away the last axis if it is contiguous; its extent.
    fn pop_contiguous(&mut self) -> Option<usize> {
        let last = self.rank.checked_sub(1).filter(|&last| self.strides[last] == 1)?;
        self.rank = last;
        Some(self.extents[last])
    }

    /// Where the element of a flat index lies.
    fn offset(&self, index: usize) -> usize {
        let (mut rest, mut offset) = (index, 0);
        for axis in (0..self.rank).rev() {
            offset += rest % self.extents[axis] * self.strides[axis];
            rest /= self.extents[axis];
        }
        offset
    }

    /// Calls `body` for every offset, in order.
    #[inline]
    fn each(&self, mut body: impl FnMut(usize)) {
        let (mut index, mut offset) = ([0; RANK_MAX], 0);
        for _ in 0..self.count() {
            body(offset);
            for axis in (0..self.rank).rev() {
                index[axis] += 1;
                offset += self.strides[axis];
                if index[axis] < self.extents[axis] {
                    break;
                }
                offset -= self.strides[axis] * self.extents[axis];
                index[axis] = 0;
            }
        }
    }
}

/// Which input elements make an output element.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    kept: Odometer,
    reduced: Odometer,
    row: Row,
    /// Input elements of one output element.
    count: usize,
}

/// What lies contiguous in the input.
#[derive(Clone, Copy, Debug)]
enum Row {
    /// This many elements of one output element.
    Reduced(usize),
    /// One element for each of this many output elements.
    Kept(usize),
}

impl Layout {
    /// The layout for a dense input of these extents, of which the axes in `axes` are reduced.
    pub(crate) fn new(extents: &[usize], axes: &[usize]) -> Self {
        let (mut kept, mut reduced) = (Odometer::new(), Odometer::new());
        for (axis, &extent) in extents.iter().enumerate().filter(|(_, extent)| **extent != 1) {
            let stride = extents[axis + 1..].iter().product();
            let side = if axes.contains(&axis) { &mut reduced } else { &mut kept };
            side.push(extent, stride);
        }
        let count = reduced.count();
        let row = match (reduced.pop_contiguous(), kept.rank.checked_sub(1)) {
            (Some(length), _) => Row::Reduced(length),
            (None, Some(last)) if kept.strides[last] == 1 => Row::Kept(kept.extents[last]),
            (None, _) => Row::Reduced(1),
        };
        Self { kept, reduced, row, count }
    }

    /// Reduces the output elements from `first` on.
    fn reduce<F: Fold>(&self, x: &[F::In], first: usize, y: &mut [F::Out]) {
        if self.count == 0 {
            y.fill(F::finish(F::START, 0));
            return;
        }
        match self.row {
            Row::Reduced(length) => {
                for (index, y) in y.iter_mut().enumerate() {
                    let base = self.kept.offset(first + index);
                    let mut sum = F::START;
                    self.reduced.each(|offset| {
                        sum = F::merge(sum, row::<F>(&x[base + offset..][..length]));
                    });
                    *y = F::finish(sum, self.count);
                }
            }
            Row::Kept(length) => {
                let mut at = 0;
                while at < y.len() {
                    let width = (length - (first + at) % length).min(y.len() - at).min(COLUMNS);
                    let base = self.kept.offset(first + at);
                    self.columns::<F>(&x[base..], &mut y[at..at + width]);
                    at += width;
                }
            }
        }
    }

    /// Reduces neighbouring output elements side by side.
    fn columns<F: Fold>(&self, x: &[F::In], y: &mut [F::Out]) {
        let (mut totals, mut sums, mut steps) = ([F::START; COLUMNS], [F::START; COLUMNS], 0);
        let (totals, sums) = (&mut totals[..y.len()], &mut sums[..y.len()]);
        let close = |totals: &mut [F::Sum], sums: &mut [F::Sum]| {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = F::merge(*total, *sum);
                *sum = F::START;
            }
        };
        self.reduced.each(|offset| {
            let x = &x[offset..][..sums.len()];
            sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = F::step(*sum, x));
            steps += 1;
            if steps % BLOCK == 0 {
                close(totals, sums);
            }
        });
        close(totals, sums);
        y.iter_mut().zip(totals).for_each(|(y, total)| *y = F::finish(*total, self.count));
    }
}

/// The reduction of a contiguous row.
fn row<F: Fold>(x: &[F::In]) -> F::Sum {
    x.chunks(BLOCK).fold(F::START, |total, block| {
        let mut lanes = [F::START; LANES];
        let turns = block.chunks_exact(LANES);
        let rest = turns.remainder();
        for turn in turns {
            for (lane, &x) in lanes.iter_mut().zip(turn) {
                *lane = F::step(*lane, x);
            }
        }
        lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane = F::step(*lane, x));
        F::merge(total, lanes.into_iter().fold(F::START, F::merge))
    })
}

/// Reduces the whole input, both given as bytes.
pub(crate) fn fold<F: Fold>(crew: &Crew, layout: &Layout, x: &[u8], y: &mut [u8]) {
    let (x, size) = (cast_slice(x), size_of::<F::Out>());
    let outputs = (GRAIN / layout.count.max(1)).max(1);
    shares(crew, y, outputs * size, &|first, y| {
        layout.reduce::<F>(x, first / size, cast_slice_mut(y));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum;

    impl Fold for Sum {
        type In = f64;
        type Sum = f64;
        type Out = f64;
        const START: f64 = 0.0;
        fn step(sum: f64, x: f64) -> f64 {
            sum + x
        }
        fn merge(sum: f64, other: f64) -> f64 {
            sum + other
        }
        fn finish(sum: f64, _count: usize) -> f64 {
            sum
        }
    }

    #[test]
    fn blocks_keep_the_error_small() {
        let x = vec![0.1_f64; 1 << 20];
        for (extents, axis) in [([1, 1 << 20], 1), ([1 << 20, 1], 0)] {
            let mut y = [0.0];
            Layout::new(&extents, &[axis]).reduce::<Sum>(&x, 0, &mut y);
            let exact = 0.1 * f64::from(1 << 20);
            assert!((y[0] - exact).abs() < 1e-13 * exact, "{} for {exact}", y[0]);
        }
    }

    #[test]
    fn any_cut_gives_the_same_outputs() {
        let x: Vec<f64> = (0..2 * 3 * 5 * 7).map(f64::from).collect();
        for axes in [&[0][..], &[1], &[3], &[0, 2], &[1, 3], &[0, 1, 2, 3], &[]] {
            let layout = Layout::new(&[2, 3, 5, 7], axes);
            let count = x.len() / layout.count;
            let mut whole = vec![0.0; count];
            layout.reduce::<Sum>(&x, 0, &mut whole);
            assert_eq!(whole.iter().sum::<f64>(), x.iter().sum::<f64>());
            for length in [1, 4] {
                let mut cut = vec![0.0; count];
                for (index, piece) in cut.chunks_mut(length).enumerate() {
                    layout.reduce::<Sum>(&x, index * length, piece);
                }
                assert_eq!(cut, whole);
            }
        }
    }
}
