//! Spans: the neighbouring pixels under each of some windows, along one direction.
//!
//! Window `p` spans the pixels from `floor((p * step + first) / divisor)` to before
//! `floor((p * step + last) / divisor)`, as far as there are such. Windows that slide and windows
//! that divide an image evenly are of this form, and so are the windows that a pixel is in.

use std::ops::Range;

/// The spans of all windows along one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spans {
    /// Pixels.
    pub(crate) extent: usize,
    /// Windows.
    pub(crate) places: usize,
    /// At least 1, as is the divisor.
    pub(crate) step: usize,
    pub(crate) first: isize,
    pub(crate) last: isize,
    pub(crate) divisor: usize,
}

impl Spans {
    /// Windows over `length` pixels, `stride` apart, the first of which starts `before` pixels
    /// before the image.
    pub(crate) fn sliding(
        [length, stride, before]: [usize; 3],
        extent: usize,
        places: usize,
    ) -> Self {
        let first = -(before as isize);
        Self { extent, places, step: stride, first, last: first + length as isize, divisor: 1 }
    }

    /// Windows that together are the image, as equal as can be: from `floor(p * extent / places)`
    /// to before `ceil((p + 1) * extent / places)`. An image without pixels has no windows.
    pub(crate) fn even(extent: usize, places: usize) -> Self {
        // Without windows step and divisor do not matter.
        let (step, divisor) = if places == 0 { (extent.max(1), 1) } else { (extent, places) };
        let last = (extent + divisor - 1) as isize;
        Self { extent, places, step, first: 0, last, divisor }
    }

    /// Windows over all pixels, each of them.
    pub(crate) fn everywhere(extent: usize, places: usize) -> Self {
        let divisor = places.max(1);
        let last = (extent * divisor) as isize;
        Self { extent, places, step: 1, first: 0, last, divisor }
    }

    /// For each pixel, the windows that it is in; the other way round twice is this one again.
    pub(crate) fn transposed(&self) -> Self {
        let both = (self.divisor + self.step - 1) as isize;
        Self {
            extent: self.places,
            places: self.extent,
            step: self.divisor,
            first: both - self.last,
            last: both - self.first,
            divisor: self.step,
        }
    }

    /// Where a window starts and ends, inside the image or not.
    pub(crate) fn bounds(&self, place: usize) -> [isize; 2] {
        let start = (place * self.step) as isize;
        [self.first, self.last].map(|at| (start + at).div_euclid(self.divisor as isize))
    }

    /// The pixels of a window.
    pub(crate) fn span(&self, place: usize) -> Range<usize> {
        let [start, end] = self.bounds(place).map(|at| at.clamp(0, self.extent as isize) as usize);
        start..end.max(start)
    }

    /// The pixels of every window.
    pub(crate) fn all(&self) -> Vec<Range<usize>> {
        (0..self.places).map(|place| self.span(place)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spans: &Spans) {
        let back = spans.transposed();
        assert_eq!(back.transposed(), *spans);
        for pixel in 0..spans.extent {
            let inside = (0..spans.places).filter(|&place| spans.span(place).contains(&pixel));
            assert!(inside.eq(back.span(pixel)), "{spans:?} at {pixel}");
        }
    }

    #[test]
    fn a_pixel_is_in_the_windows_of_its_transposed_span() {
        for extent in 1..13 {
            for places in 1..15 {
                check(&Spans::even(extent, places));
                check(&Spans::everywhere(extent, places));
                assert!(Spans::everywhere(extent, places).all().iter().all(|s| s.len() == extent));
                for [length, stride, before] in [[3, 1, 1], [2, 2, 0], [1, 3, 0], [5, 2, 2]] {
                    check(&Spans::sliding([length, stride, before], extent, places));
                }
            }
        }
    }

    #[test]
    fn even_windows_are_those_of_rounded_fractions() {
        let spans = |extent, places| Spans::even(extent, places).all();
        assert_eq!(spans(7, 3), [0..3, 2..5, 4..7]);
        assert_eq!(spans(2, 3), [0..1, 0..2, 1..2]);
        assert!(spans(4, 0).is_empty());
    }
}
