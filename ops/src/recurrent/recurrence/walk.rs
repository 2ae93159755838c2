//! In which order a recurrence meets the steps of its input, and where they lie.

/// The layout of a sequence and the direction through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::recurrent) struct Walk {
    /// `[batch, time, feature]` instead of `[time, batch, feature]`.
    pub(in crate::recurrent) is_batch_first: bool,
    /// From the last step to the first.
    pub(in crate::recurrent) is_reversed: bool,
}

impl Walk {
    /// The other way.
    pub(in crate::recurrent) fn turned(self) -> Self {
        Self { is_reversed: !self.is_reversed, ..self }
    }

    pub(in crate::recurrent) fn time_axis(self) -> usize {
        usize::from(self.is_batch_first)
    }

    pub(in crate::recurrent) fn batch_axis(self) -> usize {
        1 - self.time_axis()
    }

    /// Steps and rows of a sequence.
    pub(in crate::recurrent) fn sizes(self, extents: &[usize]) -> [usize; 2] {
        [extents[self.time_axis()], extents[self.batch_axis()]]
    }

    /// The extents of a sequence of these sizes.
    pub(in crate::recurrent) fn shape(self, sizes: [usize; 2], features: usize) -> [usize; 3] {
        let mut extents = [0, 0, features];
        (extents[self.time_axis()], extents[self.batch_axis()]) = (sizes[0], sizes[1]);
        extents
    }

    /// Where along the time axis step number `turn` of the walk is.
    pub(in crate::recurrent) fn place(self, turn: usize, time: usize) -> usize {
        if self.is_reversed { time - 1 - turn } else { turn }
    }

    /// The rows of features before that of batch `row` at a place, in a sequence of these sizes.
    pub(in crate::recurrent) fn at(
        self,
        place: usize,
        row: usize,
        [time, batch]: [usize; 2],
    ) -> usize {
        if self.is_batch_first { row * time + place } else { place * batch + row }
    }
}
