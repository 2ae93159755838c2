//! The host kernel: one channel after the other.

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel};
use synfire_runtime::spec::Element;

use super::{Kind, PoolScatter};
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::window;

/// The kernel of [`PoolScatter`].
pub(super) struct OnHost(pub(super) PoolScatter);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, index) = (firing.input(0), firing.input(1).elements::<i64>());
        check_batch(self.0.name(), &x.extents(), &firing.input(1).extents())?;
        let pixels: usize = self.0.spans.iter().map(|spans| spans.extent).product();
        if let Some(wrong) = index.iter().find(|&&index| !(-1..pixels as i64).contains(&index)) {
            let name = self.0.name();
            let text = format!("{name}: port index: found {wrong}; wanted -1 to below {pixels}");
            return Err(FireError::failed(text));
        }
        match x.spec().element {
            Element::F64 => self.fire_as::<f64>(firing, index),
            _ => self.fire_as::<f32>(firing, index),
        }
        Ok(())
    }
}

impl OnHost {
    /// One channel after the other; a negative index is behind every pixel.
    fn fire_as<T: Real>(&self, firing: &mut Firing<'_>, index: &[i64]) {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        window::set_batch(&mut y, &x);
        let x = x.elements::<T>();
        let [from, to] = self.0.extents().map(|[rows, columns]| rows * columns);
        pieces(crew, y.elements::<T>(), to, &|offset, piece| {
            for (number, y) in piece.chunks_exact_mut(to).enumerate() {
                let plane = offset / to + number;
                let x = &x[plane * from..][..from];
                if self.0.kind == Kind::Gather {
                    let pairs = y.iter_mut().zip(&index[plane * to..][..to]);
                    pairs.for_each(|(y, &index)| {
                        *y = x.get(index as usize).copied().unwrap_or(T::of(0.0));
                    });
                    continue;
                }
                y.fill(T::of(0.0));
                for (&x, &index) in x.iter().zip(&index[plane * from..][..from]) {
                    match y.get_mut(index as usize) {
                        Some(y) if self.0.kind == Kind::Scatter => *y = *y + x,
                        Some(y) => *y = x,
                        None => {}
                    }
                }
            }
        });
    }
}

/// Both ports have as many images.
pub(super) fn check_batch(name: &str, x: &[usize], index: &[usize]) -> Result<(), FireError> {
    if x[..x.len() - 3] == index[..index.len() - 3] {
        return Ok(());
    }
    let text = format!("{name}: port index has {} images, port x has {}", index[0], x[0]);
    Err(FireError::failed(text))
}
