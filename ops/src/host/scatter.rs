//! Scattered reductions onto a tensor: the arithmetic behind `scatter_add`, `scatter_max`, ...
//!
//! Invariant: a slab is reduced by one task, in ascending order of the source's index, so the
//! result is the same for every crew.

use synfire_runtime::spec::{Extents, Scalar};

use super::indices::Targets;
use super::strided::{Odometer, dense_strides};

/// The indices of one firing, in range, and the extents that they meet.
pub struct Walk<'a> {
    /// The indices.
    pub indices: &'a [i64],
    /// Their extents.
    pub places: Extents,
    /// The extents of the source.
    pub sources: Extents,
    /// The extents of the output.
    pub extents: Extents,
    /// The axis that the indices replace.
    pub axis: usize,
}

impl Walk<'_> {
    /// Reduces onto slab `at` of the output (all from the axis on, behind one index of what is
    /// before it), in ascending order of the source's index.
    pub fn slab<T: Number>(
        &self,
        at: usize,
        y: &mut [T],
        source: &[T],
        reduce: impl Fn(T, T) -> T,
    ) {
        let (axis, last) = (self.axis, self.places.len() - 1);
        let outer = Odometer::<0>::new(&self.extents[..axis], [], at);
        let beyond = |(place, extent): (&usize, &usize)| place >= extent;
        if self.indices.is_empty() || outer.index().iter().zip(&self.places[..axis]).any(beyond) {
            return;
        }
        let targets = Targets::new(&self.extents, axis);
        let strides = dense_strides(&self.sources);
        let flat = |extents: &Extents| {
            let lead = outer.index().iter().zip(&extents[..axis]);
            let lead = lead.fold(0, |flat, (place, extent)| flat * extent + place);
            lead * extents[axis..].iter().product::<usize>()
        };
        let block: usize = self.places[axis..].iter().product();
        let indices = &self.indices[flat(&self.places)..][..block];
        let source = &source[flat(&self.sources)..];
        let (inner, row) = (&self.places[axis..last], self.places[last]);
        let strides = [&targets.strides[axis..], &strides[axis..]];
        let mut rows = Odometer::new(inner, strides, 0);
        for indices in indices.chunks_exact(row) {
            let [to, from] = rows.offsets.map(|offset| offset as usize);
            for (column, (&index, &value)) in indices.iter().zip(&source[from..]).enumerate() {
                let y = &mut y[to + index as usize * targets.place + column * targets.step];
                *y = reduce(*y, value);
            }
            rows.advance();
        }
    }
}

/// A number that can be scattered.
pub trait Number: Scalar {
    /// The sum; integers wrap.
    fn plus(self, other: Self) -> Self;
    /// The product; integers wrap.
    fn times(self, other: Self) -> Self;
    /// The maximum in a total order of bits: of two zeros +0, of a NaN and another the one NaN.
    fn larger(self, other: Self) -> Self;
    /// The minimum in a total order of bits: of two zeros -0, of a NaN and another the one NaN.
    fn smaller(self, other: Self) -> Self;
}

macro_rules! floats {
    ($($float:ty),+) => {
        $(impl Number for $float {
            fn plus(self, other: Self) -> Self {
                self + other
            }

            fn times(self, other: Self) -> Self {
                self * other
            }

            fn larger(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() {
                    return Self::NAN;
                }
                match self.partial_cmp(&other) {
                    Some(std::cmp::Ordering::Less) => other,
                    Some(std::cmp::Ordering::Greater) => self,
                    // Equal bits, but for the sign of zeros.
                    _ => Self::from_bits(self.to_bits() & other.to_bits()),
                }
            }

            fn smaller(self, other: Self) -> Self {
                -(-self).larger(-other)
            }
        })+
    };
}
floats!(f32, f64);

impl Number for i64 {
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }

    fn larger(self, other: Self) -> Self {
        self.max(other)
    }

    fn smaller(self, other: Self) -> Self {
        self.min(other)
    }
}
