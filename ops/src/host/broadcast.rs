//! Broadcasting, as in NumPy: shapes are aligned at their last dimension, and a dimension of
//! extent 1 is repeated to the extent of its partners.
//!
//! A bounded dimension matches only an equal bounded dimension or a fixed 1. The actual extents of
//! two bounded dimensions must agree in every firing: an actual extent of 1 is not repeated, so
//! that no token changes its meaning by its size.

use std::ops::Range;

use synfire_runtime::firing::ViewMut;
use synfire_runtime::operator::{Axes, FireError, SpecError};
use synfire_runtime::spec::{Dimension, Extents, RANK_MAX, Spec};

/// The largest number of operands.
pub(crate) const OPERANDS_MAX: usize = 3;

/// The dimensions that all ports have in common.
///
/// # Errors
/// Names the first port, and its dimension, that does not match the ports before it.
pub(crate) fn common(ports: &[(&str, &Spec)]) -> Result<Vec<Dimension>, SpecError> {
    let rank = ports.iter().map(|(_, spec)| spec.rank()).max().unwrap_or(0);
    let mut all = vec![Dimension::Fixed(1); rank];
    for (name, spec) in ports {
        for (axis, &found) in spec.dimensions.iter().enumerate() {
            let wanted = &mut all[rank - spec.rank() + axis];
            if *wanted == Dimension::Fixed(1) {
                *wanted = found;
            } else if found != Dimension::Fixed(1) && found != *wanted {
                let error = SpecError::new(name, found, format!("{wanted} or 1")).at(axis);
                return Err(error.hint("dimensions are aligned from the last one"));
            }
        }
    }
    Ok(all)
}

/// The extents of the output in this firing.
///
/// # Errors
/// Names the two ports whose bounded dimensions differ.
pub(crate) fn actual(
    dimensions: &[Dimension],
    ports: &[(&str, &Spec, Extents)],
) -> Result<Extents, FireError> {
    let rank = dimensions.len();
    let mut all = [1; RANK_MAX];
    let mut owner = [None; RANK_MAX];
    for (name, spec, extents) in ports {
        for (axis, (&dimension, &found)) in spec.dimensions.iter().zip(&**extents).enumerate() {
            let place = rank - spec.rank() + axis;
            if dimension != dimensions[place] {
                continue; // a fixed 1 that is repeated
            }
            match owner[place] {
                Some(first) if all[place] != found => {
                    return Err(FireError::failed(format!(
                        "port {name} has extent {found} at dimension {axis}, port {first} has {}",
                        all[place]
                    )));
                }
                _ => (all[place], owner[place]) = (found, Some(name)),
            }
        }
    }
    Ok(Extents::new(&all[..rank]))
}

/// The extents of an input of so many axes whose place `y` has taken: both hold as many elements,
/// so what `y` has more are leading axes of extent 1.
pub(crate) fn in_place(rank: usize, y: &ViewMut<'_>) -> Extents {
    let extents = y.extents();
    Extents::new(&extents[extents.len() - rank..])
}

/// Labels: an axis of the output for each axis of an input that is not repeated.
pub(crate) fn axes(inputs: &[Spec], outputs: &[Spec]) -> Axes {
    let output = &outputs[0];
    let labels = |spec: &Spec| {
        let first = output.rank() - spec.rank();
        let label = |axis: usize| match spec.dimensions[axis] == output.dimensions[first + axis] {
            true => (first + axis) as u8,
            false => Axes::BROADCAST,
        };
        (0..spec.rank()).map(label).collect()
    };
    Axes {
        inputs: inputs.iter().map(labels).collect(),
        outputs: vec![(0..output.rank() as u8).collect()],
    }
}

/// How each operand moves while the output is written from its first to its last element.
///
/// Axes are merged where all operands allow it: equal shapes are one axis, a row operand two, a
/// channel operand three. Along the last axis an operand either moves in step or stays.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    rank: usize,
    extents: [usize; RANK_MAX],
    /// Elements that each operand moves for one step along the axis.
    strides: [[usize; OPERANDS_MAX]; RANK_MAX],
}

impl Walk {
    /// The walk of operands with these extents over an output of extents that [`actual`] gave.
    pub(crate) fn new(operands: &[&[usize]], output: &[usize]) -> Self {
        let mut walk =
            Self { rank: 0, extents: [1; RANK_MAX], strides: [[0; OPERANDS_MAX]; RANK_MAX] };
        for (axis, &extent) in output.iter().enumerate().filter(|(_, extent)| **extent != 1) {
            let mut strides = [0; OPERANDS_MAX];
            for (stride, operand) in strides.iter_mut().zip(operands) {
                let missing = output.len() - operand.len();
                if axis >= missing && operand[axis - missing] == extent {
                    *stride = operand[axis - missing + 1..].iter().product();
                }
            }
            walk.push(extent, strides);
        }
        walk.rank = walk.rank.max(1);
        walk
    }

    /// The extents of the merged axes.
    #[cfg(feature = "cube")]
    pub(crate) fn extents(&self) -> &[usize] {
        &self.extents[..self.rank]
    }

    /// Elements that each operand moves for one step along each merged axis.
    #[cfg(feature = "cube")]
    pub(crate) fn strides(&self) -> &[[usize; OPERANDS_MAX]] {
        &self.strides[..self.rank]
    }

    /// Adds an axis inside the others, or makes the last axis longer by it.
    fn push(&mut self, extent: usize, strides: [usize; OPERANDS_MAX]) {
        if let Some(last) = self.rank.checked_sub(1) {
            let outer = self.strides[last];
            if outer.iter().zip(&strides).all(|(outer, inner)| *outer == inner * extent) {
                self.extents[last] *= extent;
                self.strides[last] = strides;
                return;
            }
        }
        self.extents[self.rank] = extent;
        self.strides[self.rank] = strides;
        self.rank += 1;
    }

    /// Calls `body` for the runs along the last axis that together are `range` of the output.
    #[inline]
    pub(crate) fn runs(&self, range: Range<usize>, mut body: impl FnMut(&Run)) {
        if range.is_empty() {
            return;
        }
        let last = self.rank - 1;
        let (inner, steps) = (self.extents[last], self.strides[last]);
        let (mut index, mut bases) = self.row(range.start / inner);
        let (mut at, mut column) = (range.start, range.start % inner);
        while at < range.end {
            let length = (inner - column).min(range.end - at);
            let starts = std::array::from_fn(|k| bases[k] + column * steps[k]);
            body(&Run { range: at - range.start..at - range.start + length, starts, steps });
            at += length;
            column = 0;
            for axis in (0..last).rev() {
                let strides = self.strides[axis];
                index[axis] += 1;
                if index[axis] < self.extents[axis] {
                    (0..OPERANDS_MAX).for_each(|k| bases[k] += strides[k]);
                    break;
                }
                index[axis] = 0;
                let back = self.extents[axis] - 1;
                (0..OPERANDS_MAX).for_each(|k| bases[k] -= strides[k] * back);
            }
        }
    }

    /// The index of a row of the output, and where each operand is at its start.
    fn row(&self, row: usize) -> ([usize; RANK_MAX], [usize; OPERANDS_MAX]) {
        let (mut index, mut bases, mut rest) = ([0; RANK_MAX], [0; OPERANDS_MAX], row);
        for axis in (0..self.rank - 1).rev() {
            index[axis] = rest % self.extents[axis];
            rest /= self.extents[axis];
            (0..OPERANDS_MAX).for_each(|k| bases[k] += index[axis] * self.strides[axis][k]);
        }
        (index, bases)
    }
}

/// Neighbouring elements of the output along which each operand moves in step or stays.
pub(crate) struct Run {
    /// Where they are, counted from the start of the walked range.
    pub(crate) range: Range<usize>,
    starts: [usize; OPERANDS_MAX],
    steps: [usize; OPERANDS_MAX],
}

impl Run {
    /// The part of operand `number` that belongs to this run.
    #[inline]
    pub(crate) fn operand<'a, T: Copy>(&self, number: usize, operand: &'a [T]) -> Operand<'a, T> {
        let start = self.starts[number];
        match self.steps[number] {
            0 => Operand::One(operand[start]),
            _ => Operand::Each(&operand[start..start + self.range.len()]),
        }
    }
}

/// An operand along a run.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a, T> {
    /// The same element everywhere.
    One(T),
    /// An element for each element of the output.
    Each(&'a [T]),
}

impl<T: Copy> Operand<'_, T> {
    /// Copies it to the output.
    #[inline]
    pub(crate) fn copy_to(self, output: &mut [T]) {
        match self {
            Operand::One(value) => output.fill(value),
            Operand::Each(values) => output.copy_from_slice(values),
        }
    }

    /// Copies it to the output where the condition is 0.
    #[inline]
    pub(crate) fn copy_where_not(self, condition: &[u8], output: &mut [T]) {
        let places = output.iter_mut().zip(condition);
        match self {
            Operand::One(value) => places.for_each(|(y, &holds)| {
                *y = if holds == 0 { value } else { *y };
            }),
            Operand::Each(values) => places.zip(values).for_each(|((y, &holds), &value)| {
                *y = if holds == 0 { value } else { *y };
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flat index of each operand at every output element, walked in ranges of `length`.
    fn walked(operands: &[&[usize]], output: &[usize], length: usize) -> Vec<[usize; 2]> {
        let (walk, count) = (Walk::new(operands, output), output.iter().product());
        let mut all = Vec::new();
        for start in (0..count).step_by(length) {
            walk.runs(start..(start + length).min(count), |run| {
                let at = |k: usize, n: usize| run.starts[k] + n * run.steps[k];
                all.extend((0..run.range.len()).map(|n| [at(0, n), at(1, n)]));
            });
        }
        all
    }

    #[test]
    fn axes_merge_where_operands_allow() {
        let rank = |a: &[usize], b: &[usize], y: &[usize]| Walk::new(&[a, b], y).rank;
        assert_eq!(rank(&[2, 3, 4], &[2, 3, 4], &[2, 3, 4]), 1);
        assert_eq!(rank(&[2, 3, 4], &[], &[2, 3, 4]), 1);
        assert_eq!(rank(&[2, 3, 4], &[4], &[2, 3, 4]), 2);
        assert_eq!(rank(&[2, 3, 4, 5], &[3, 1, 1], &[2, 3, 4, 5]), 3);
        assert_eq!(rank(&[1, 1], &[1], &[1, 1]), 1);
    }

    #[test]
    fn any_cut_visits_the_same_operands() {
        let (a, b, y): ([usize; 3], [usize; 2], _) = ([2, 1, 5], [3, 1], [2, 3, 5]);
        let expected: Vec<[usize; 2]> = (0..30).map(|n| [n / 15 * 5 + n % 5, n / 5 % 3]).collect();
        for length in [1, 2, 7, 30] {
            assert_eq!(walked(&[&a, &b], &y, length), expected);
        }
    }
}
