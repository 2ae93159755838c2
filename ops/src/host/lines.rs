//! Transforms of lines, such as Fourier's: each line of the input along its last axis becomes one
//! line of the output, whatever the others hold.
//!
//! A complex number is two neighbours, its real and its imaginary part, on an axis of its own
//! behind the line.

use num_complex::Complex;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, Workspace};
use synfire_runtime::spec::{Element, RANK_MAX};

use super::pieces::{pieces_with, scratch_bytes};
use super::real::Real;
use super::simd;

/// A real number type that transforms are computed in.
pub(crate) trait Number: Real + simd::Element + rustfft::FftNum {}

impl Number for f32 {}
impl Number for f64 {}

/// A transform of one line.
pub(crate) trait Lines<T>: Send + Sync {
    /// Elements of scratch memory.
    fn scratch(&self) -> usize;

    /// Fills `y` with what the line `x` becomes.
    fn transform(&self, x: &[T], y: &mut [T], scratch: &mut [T]);
}

/// The trailing axes of an input and an output that are one line: `[length]` of real numbers or
/// `[length, 2]` of complex ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// How many numbers.
    pub(crate) length: usize,
    /// Whether they are complex.
    pub(crate) is_complex: bool,
}

impl Line {
    /// How many axes it has.
    pub(crate) fn rank(self) -> usize {
        1 + usize::from(self.is_complex)
    }

    /// How many elements it has.
    pub(crate) fn elements(self) -> usize {
        self.length * self.rank()
    }
}

/// Factors of the first, the last and all other elements of a line; one that is both is first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edges {
    pub(crate) first: f64,
    pub(crate) middle: f64,
    pub(crate) last: f64,
}

impl Edges {
    /// All one.
    pub(crate) const ONE: Self = Self { first: 1.0, middle: 1.0, last: 1.0 };

    /// All times a number.
    pub(crate) fn times(self, factor: f64) -> Self {
        let Self { first, middle, last } = self;
        Self { first: first * factor, middle: middle * factor, last: last * factor }
    }

    /// That of an element in a line of `length`.
    pub(crate) fn at(self, index: usize, length: usize) -> f64 {
        match index {
            0 => self.first,
            _ if index + 1 == length => self.last,
            _ => self.middle,
        }
    }
}

/// The host kernel of a transform.
pub(crate) struct OnLines {
    from: Line,
    to: Line,
    cores: usize,
    transform: Transform,
}

enum Transform {
    Narrow(Box<dyn Lines<f32>>),
    Wide(Box<dyn Lines<f64>>),
}

impl OnLines {
    /// For lines `from` that become lines `to`, in one of two element types.
    pub(crate) fn new<N: Lines<f32> + 'static, W: Lines<f64> + 'static>(
        [from, to]: [Line; 2],
        (element, cores): (Element, usize),
        narrow: impl FnOnce() -> N,
        wide: impl FnOnce() -> W,
    ) -> Self {
        let transform = match element {
            Element::F32 => Transform::Narrow(Box::new(narrow())),
            _ => Transform::Wide(Box::new(wide())),
        };
        Self { from, to, cores, transform }
    }

    fn each<T: Number>(&self, firing: &mut Firing<'_>, transform: &dyn Lines<T>) {
        let (x, mut y) = (firing.input(0), firing.output(0));
        let extents = x.extents();
        let outer = extents.len() - self.from.rank();
        let mut target = [2; RANK_MAX];
        target[..outer].copy_from_slice(&extents[..outer]);
        target[outer] = self.to.length;
        y.set_extents(&target[..outer + self.to.rank()]);
        let (from, to) = (self.from.elements(), self.to.elements());
        let (x, crew) = (x.elements::<T>(), firing.crew());
        let workspace = (firing.scratch(), transform.scratch());
        pieces_with(crew, y.elements::<T>(), to, workspace, &|piece| {
            let scratch = &mut piece.scratch[..transform.scratch()];
            for (y, line) in piece.output.chunks_exact_mut(to).zip(piece.offset / to..) {
                transform.transform(&x[line * from..][..from], y, scratch);
            }
        });
    }
}

impl Kernel for OnLines {
    fn workspace(&self) -> Workspace {
        let scratch_bytes = match &self.transform {
            Transform::Narrow(lines) => scratch_bytes::<f32>(lines.scratch(), self.cores),
            Transform::Wide(lines) => scratch_bytes::<f64>(lines.scratch(), self.cores),
        };
        Workspace { kept_bytes: 0, scratch_bytes }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match &self.transform {
            Transform::Narrow(lines) => self.each(firing, &**lines),
            Transform::Wide(lines) => self.each(firing, &**lines),
        }
        Ok(())
    }
}

/// Pairs as complex numbers.
pub(crate) fn complex<T: Number>(pairs: &mut [T]) -> &mut [Complex<T>] {
    bytemuck::cast_slice_mut(pairs)
}
