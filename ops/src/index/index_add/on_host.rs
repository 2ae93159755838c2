//! Slices added or copied on the host: pieces of the output are shared out, and each looks through
//! all indices for its own slices, so that sums have one order for every crew.

use synfire_runtime::crew::Crew;
use synfire_runtime::firing::{Firing, Pair, ViewMut};
use synfire_runtime::operator::{FireError, Kernel};
use synfire_runtime::spec::{Element, Extents};

use super::{Effect, IndexAdd};
use crate::host::indices::in_range;
use crate::host::pieces::pieces;
use crate::host::scatter::Number;

pub(super) struct OnHost(pub(super) IndexAdd);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let mut y = match firing.pair(0, 0) {
            Pair::Same(y) => y,
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                y.bytes().copy_from_slice(x.bytes());
                y
            }
        };
        let alpha = if let Effect::Add(alpha) = self.0.effect { alpha } else { 1.0 };
        match y.spec().element {
            Element::F32 => self.slices::<f32>(firing, &mut y, alpha as f32),
            Element::F64 => self.slices::<f64>(firing, &mut y, alpha),
            _ => self.slices::<i64>(firing, &mut y, alpha as i64),
        }
    }
}

impl OnHost {
    fn slices<T: Number>(
        &self,
        firing: &Firing<'_>,
        y: &mut ViewMut<'_>,
        alpha: T,
    ) -> Result<(), FireError> {
        let (index, source) = (firing.input(1), firing.input(2));
        let (extents, indices) = (y.extents(), index.elements::<i64>());
        self.0.fits([&extents, &index.extents(), &source.extents()])?;
        let bound = extents[self.0.axis];
        in_range(self.0.name(), "index", indices, &index.extents(), bound)?;
        let slices = Slices { indices, extents, axis: self.0.axis };
        let (crew, y, source) = (firing.crew(), y.elements::<T>(), source.elements::<T>());
        match self.0.effect {
            Effect::Add(_) => on_slices(crew, &slices, (y, source), |y, s| y.plus(s.times(alpha))),
            Effect::Copy => on_slices(crew, &slices, (y, source), |_, s| s),
        }
        Ok(())
    }
}

/// Which slices one firing meets; the indices are in range.
struct Slices<'a> {
    indices: &'a [i64],
    extents: Extents,
    axis: usize,
}

/// Each piece of the output looks through all indices for its own slices, in ascending order.
fn on_slices<T: Number>(
    crew: &Crew,
    slices: &Slices<'_>,
    (y, source): (&mut [T], &[T]),
    update: impl Fn(T, T) -> T + Sync,
) {
    let Slices { indices, extents, axis } = slices;
    let (extent, slice) = (extents[*axis], extents[axis + 1..].iter().product::<usize>());
    pieces(crew, y, slice, &|offset, piece| {
        let (first, count) = (offset / slice, piece.len() / slice);
        for outer in first / extent..=(first + count - 1) / extent {
            for (k, &index) in indices.iter().enumerate() {
                let row = outer * extent + index as usize;
                if !(first..first + count).contains(&row) {
                    continue;
                }
                let source = &source[(outer * indices.len() + k) * slice..][..slice];
                let y = &mut piece[(row - first) * slice..][..slice];
                y.iter_mut().zip(source).for_each(|(y, &source)| *y = update(*y, source));
            }
        }
    });
}
