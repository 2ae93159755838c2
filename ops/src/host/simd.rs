//! Which vector instructions run, chosen once from what the CPU has.
//!
//! A [`Job`] is written once over [`Lanes`] and compiled once for each [`Path`]. All functions of a
//! job's body must be `#[inline(always)]`, so that they are compiled with the path's instructions.
//! Intrinsics of `std::arch` carry the accumulators; `pulp` would do the same for five more crates.
//!
//! Invariant: a [`Path`] value exists only if this CPU can run it. That makes `Path::run` safe.
#![expect(unsafe_code, reason = "vector instructions, and the calls that enable them")]

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::{
    marker::PhantomData,
    ops::{Add, AddAssign, Mul},
    sync::OnceLock,
};

use bytemuck::Pod;

mod shuffle; // instructions that move lanes
#[cfg(target_arch = "aarch64")]
use shuffle::neon;
#[cfg(target_arch = "x86_64")]
use shuffle::{avx2, avx512};

/// The largest number of lanes of any vector.
pub const LANES_MAX: usize = 16;

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Path {
    /// The fastest path of this CPU; looked up once.
    #[must_use]
    pub fn best() -> Path {
        static BEST: OnceLock<Path> = OnceLock::new();
        *BEST.get_or_init(|| Path::available()[0])
    }

    /// Every path of this CPU, fastest first; the last one is portable.
    #[must_use]
    pub fn available() -> Vec<Path> {
        let mut kinds = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let narrow = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if is_x86_feature_detected!("avx512f") && narrow {
                kinds.push(Kind::Avx512);
            }
            if narrow {
                kinds.push(Kind::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            kinds.push(Kind::Neon);
        }
        kinds.push(Kind::Portable);
        kinds.into_iter().map(Path).collect()
    }

    /// Rows and columns of the product's innermost tile, and lanes of a vector, for `T`.
    #[must_use]
    pub fn tile<T: Element>(self) -> TileSize {
        T::dispatch(self, MeasureTile)
    }
}

/// The size of the innermost tile of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileSize {
    /// Rows of the output.
    pub rows: usize,
    /// Columns of the output: a multiple of `lanes`.
    pub columns: usize,
    /// Elements of one vector.
    pub lanes: usize,
}

/// A number type that the host kernels compute with: `f32`, and `f64` for references.
pub trait Element:
    Pod + Send + Sync + PartialOrd + Add<Output = Self> + AddAssign + Mul<Output = Self>
{
    /// Zero.
    const ZERO: Self;

    /// Runs the job with the instructions of `path`.
    fn dispatch<J: Job<Self>>(path: Path, job: J) -> J::Output;
}

/// A computation written over vectors of any width.
pub trait Job<T> {
    /// What it returns.
    type Output;

    /// Runs with vectors `L`. Implementations must be `#[inline(always)]`.
    fn run<L: Lanes<Scalar = T>>(self, has: Has<L>) -> Self::Output;
}

/// Proof that the CPU has the instructions of `L`; only [`Element::dispatch`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Has<L>(PhantomData<L>);

/// A vector of numbers and the tile that its register file allows.
pub trait Lanes: Copy {
    /// The element type.
    type Scalar: Element;
    /// Elements of one vector.
    const LANES: usize;
    /// Rows of the product's innermost tile: 4, 6 or 8.
    const ROWS: usize;
    /// Vectors in a row of the innermost tile: 1 to 3.
    const VECTORS: usize;

    /// Reads a vector, at any alignment.
    ///
    /// # Safety
    /// `from` is readable for `LANES` elements.
    unsafe fn load(has: Has<Self>, from: *const Self::Scalar) -> Self;

    /// Writes a vector, at any alignment.
    ///
    /// # Safety
    /// `to` is writable for `LANES` elements.
    unsafe fn store(self, to: *mut Self::Scalar);

    /// The same number in every lane.
    fn splat(has: Has<Self>, value: Self::Scalar) -> Self;

    /// `self + other`.
    fn add(self, other: Self) -> Self;

    /// `self * factor + addend`, rounded once where the path has a fused instruction.
    fn mul_add(self, factor: Self, addend: Self) -> Self;

    /// The even lanes of `self`, then those of `next`.
    fn even(self, next: Self) -> Self;

    /// The lanes of `self` and `other` in turn: of their first halves, and of their last ones.
    fn interleave(self, other: Self) -> [Self; 2];

    /// `other` and its mark where `other > self` or `other` is NaN, else `self` and its mark.
    fn larger(self, other: Self, marks: [Self; 2]) -> [Self; 2];

    /// The first elements of a slice.
    #[inline(always)]
    fn read(has: Has<Self>, from: &[Self::Scalar]) -> Self {
        let from = &from[..Self::LANES];
        // SAFETY: `from` has a vector of elements.
        unsafe { Self::load(has, from.as_ptr()) }
    }

    /// Overwrites the first elements of a slice.
    #[inline(always)]
    fn write(self, to: &mut [Self::Scalar]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `to` has a vector of elements.
        unsafe { self.store(to.as_mut_ptr()) }
    }
}

/// Exchanges the rows and columns of the first `L::LANES` vectors: after as many rounds as a lane's
/// number has bits, the two halves of an element's place have changed sides.
#[inline(always)]
pub(super) fn transpose<L: Lanes>(square: &mut [L; LANES_MAX]) {
    let half = L::LANES / 2;
    for _ in 0..L::LANES.ilog2() {
        let before = *square;
        for row in 0..half {
            let [even, odd] = before[row].interleave(before[row + half]);
            (square[2 * row], square[2 * row + 1]) = (even, odd);
        }
    }
}

/// Writes out `impl Lanes` for a register type: the list of its intrinsics.
macro_rules! lanes {
    ($vector:ty, lanes $lanes:literal, rows $rows:literal, vectors $vectors:literal,
     $load:ident, $store:ident, $splat:ident, $add:ident,
     |$x:ident, $y:ident, $z:ident| $mul_add:expr, $shuffles:ident) => {
        impl Lanes for $vector {
            type Scalar = f32;
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            const VECTORS: usize = $vectors;
            #[inline(always)]
            unsafe fn load(_: Has<Self>, from: *const f32) -> Self {
                // SAFETY: readable by the caller's promise; `Has` proves the instructions.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: writable by the caller's promise; `self` came from a `Has`.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            fn splat(_: Has<Self>, value: f32) -> Self {
                // SAFETY: `Has` proves the instructions.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: `self` came from a `Has`, which proves the instructions.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                let ($x, $y, $z) = (self, factor, addend);
                // SAFETY: `self` came from a `Has`, which proves the instructions.
                unsafe { $mul_add }
            }
            #[inline(always)]
            fn even(self, next: Self) -> Self {
                // SAFETY: as above.
                unsafe { $shuffles::even(self, next) }
            }
            #[inline(always)]
            fn interleave(self, other: Self) -> [Self; 2] {
                // SAFETY: as above.
                unsafe { $shuffles::interleave(self, other) }
            }
            #[inline(always)]
            fn larger(self, other: Self, marks: [Self; 2]) -> [Self; 2] {
                // SAFETY: as above.
                unsafe { $shuffles::larger(self, other, marks) }
            }
        }
    };
}

// 24 accumulators, 3 vectors of the right operand, 5 of 32 registers free.
#[cfg(target_arch = "x86_64")]
lanes!(__m512, lanes 16, rows 8, vectors 3,
    _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_add_ps,
    |x, y, z| _mm512_fmadd_ps(x, y, z), avx512);

// 12 accumulators, 2 vectors of the right operand, 1 of the left: 4 rows of 3 vectors need all 16
// registers, spill an accumulator, and run at half the speed.
#[cfg(target_arch = "x86_64")]
lanes!(__m256, lanes 8, rows 6, vectors 2,
    _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_add_ps,
    |x, y, z| _mm256_fmadd_ps(x, y, z), avx2);

#[cfg(target_arch = "aarch64")]
lanes!(float32x4_t, lanes 4, rows 8, vectors 3,
    vld1q_f32, vst1q_f32, vdupq_n_f32, vaddq_f32,
    |x, y, z| vfmaq_f32(z, x, y), neon);

/// Eight numbers in an array, for compilers to vectorise with what every CPU has.
#[derive(Clone, Copy)]
pub struct Portable<T>([T; 8]);

impl<T: Element> Lanes for Portable<T> {
    type Scalar = T;
    const LANES: usize = 8;
    const ROWS: usize = 4;
    const VECTORS: usize = 1;

    #[inline(always)]
    unsafe fn load(_: Has<Self>, from: *const T) -> Self {
        // SAFETY: the caller promises 8 readable elements; `[T; 8]` has the alignment of `T`.
        Portable(unsafe { from.cast::<[T; 8]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller promises 8 writable elements; `[T; 8]` has the alignment of `T`.
        unsafe { to.cast::<[T; 8]>().write(self.0) }
    }

    #[inline(always)]
    fn splat(_: Has<Self>, value: T) -> Self {
        Portable([value; 8])
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Portable(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Portable(std::array::from_fn(|lane| self.0[lane] * factor.0[lane] + addend.0[lane]))
    }

    #[inline(always)]
    fn even(self, next: Self) -> Self {
        Portable(std::array::from_fn(|lane| [self, next][lane / 4].0[lane % 4 * 2]))
    }

    #[inline(always)]
    fn interleave(self, other: Self) -> [Self; 2] {
        [0, 4].map(|half| {
            Portable(std::array::from_fn(|lane| [self, other][lane % 2].0[half + lane / 2]))
        })
    }

    #[inline(always)]
    fn larger(self, other: Self, marks: [Self; 2]) -> [Self; 2] {
        let is_nan = |x: T| x.partial_cmp(&x).is_none();
        let takes = |lane: usize| other.0[lane] > self.0[lane] || is_nan(other.0[lane]);
        [[self, other], marks].map(|pair| {
            Portable(std::array::from_fn(|lane| pair[usize::from(takes(lane))].0[lane]))
        })
    }
}

impl Element for f32 {
    const ZERO: f32 = 0.0;

    fn dispatch<J: Job<f32>>(path: Path, job: J) -> J::Output {
        // SAFETY: by the invariant of `Path`, the CPU has the instructions.
        unsafe {
            match path.0 {
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 => with_avx512(job),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 => with_avx2(job),
                #[cfg(target_arch = "aarch64")]
                Kind::Neon => with_neon(job),
                Kind::Portable => job.run(Has::<Portable<f32>>(PhantomData)),
            }
        }
    }
}

impl Element for f64 {
    const ZERO: f64 = 0.0;

    fn dispatch<J: Job<f64>>(_: Path, job: J) -> J::Output {
        job.run(Has::<Portable<f64>>(PhantomData))
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn with_avx512<J: Job<f32>>(job: J) -> J::Output {
    job.run(Has::<__m512>(PhantomData))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<J: Job<f32>>(job: J) -> J::Output {
    job.run(Has::<__m256>(PhantomData))
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn with_neon<J: Job<f32>>(job: J) -> J::Output {
    job.run(Has::<float32x4_t>(PhantomData))
}

/// Reports the tile of a path.
struct MeasureTile;

impl<T> Job<T> for MeasureTile {
    type Output = TileSize;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: Has<L>) -> TileSize {
        TileSize { rows: L::ROWS, columns: L::VECTORS * L::LANES, lanes: L::LANES }
    }
}

#[cfg(test)]
mod tests; // every path does the same
