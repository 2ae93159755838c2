//! Dense host kernels: the arithmetic behind `matmul`, `linear`, `conv2d` and `conv_transpose2d`.
//!
//! Pure functions over slices. They know nothing of graphs, actors, shapes of tensors or threads:
//! the caller gives the workspace and a [`synfire_runtime::crew::Crew`], the kernels give back the
//! same bits.
//!
//! Invariants:
//! 1. Work is split over output elements only, never over a sum, and the blocks of a sum depend on
//!    its length only. So results are bit-identical for every crew size and every schedule.
//! 2. No call allocates. Constant operands are packed ahead; the rest uses the workspace.
//! 3. Every output element is finished exactly once, by one task, and then shown to the epilogue.
//! 4. Instruction sets ([`Path`]) may differ from each other in rounding, never from themselves.
//! 5. Arithmetic is IEEE: zeros are multiplied like every other number, so `0 * inf` is NaN.

pub(crate) mod broadcast; // operands of different shapes
pub(crate) mod blocks; // several outputs computed together
pub mod conv;
pub mod conv_transpose;
pub mod conv_weight; // the gradient of a convolution by its weight
pub mod depthwise;
pub mod disjoint; // one output, many writers
pub(crate) mod erased; // outputs of any element type
pub(crate) mod fold; // reductions of any axes
pub mod gemm;
pub mod image; // image patches as the columns of a matrix
pub mod indices; // index tensors and what they point into
pub mod kernel; // the innermost tile of a product
pub(crate) mod matrices; // factorisations of small matrices, one of a batch at a time
pub(crate) mod number; // what binary operators and reductions compute with
pub(crate) mod lines; // transforms of lines along the last axis
pub mod pack; // operands in the order in which the kernel reads them
pub(crate) mod philox; // random words
pub mod phase; // what the phases of a transposed convolution see
pub mod pieces; // an output shared out among cores
pub(crate) mod real; // what pointwise formulas are written over
pub(crate) mod scan; // running reductions along an axis
pub mod scatter; // reductions onto indexed places
pub mod simd; // which instructions run, and what a vector is
pub mod strided; // dense outputs from strided views
pub mod tile; // one cache-sized tile of a product, and how tiles are shared out
pub(crate) mod update; // weights and moments, moved on where they lie
pub(crate) mod widened; // floats of 16 bits in `f32`
pub mod window; // the geometry of convolutions

pub use simd::{Element, Path};

/// What is done to a finished, contiguous piece of the output while it is still in cache.
///
/// It gets the piece and the flat offset of its first element in the output tensor. A piece lies in
/// one row of a product, or in one plane (one batch item, one channel) of an image.
pub type Epilogue<'a, T> = dyn Fn(&mut [T], usize) + Sync + 'a;

#[cfg(test)]
pub(crate) mod fixture;
