//! Lines of a tensor along one axis, one cube for each: what softmax, norms and reductions share.

use cubecl::prelude::*;
use synfire_runtime::spec::Extents;

use super::kernel::size;

/// Units of a cube that works on one line; a power of two.
pub(crate) const LINE_UNITS: u32 = 64;

/// The lines along an axis: line `l` starts at element `l / stride * length * stride + l % stride`
/// and goes on in steps of `stride`.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
pub(crate) struct Lines {
    /// How many there are.
    pub(crate) count: u32,
    /// Elements of each.
    pub(crate) length: u32,
    /// Elements from one to the next.
    pub(crate) stride: u32,
}

/// The lines of a tensor of these extents along `axis`; none when the tensor is empty.
pub(crate) fn along(extents: &Extents, axis: usize) -> Lines {
    let stride = extents[axis + 1..].iter().product();
    let count = extents[..axis].iter().product::<usize>() * stride;
    Lines { count: size(count), length: size(extents[axis]), stride: size(stride) }
}

impl Lines {
    /// As an argument of a kernel.
    pub(crate) fn argument<R: Runtime>(&self) -> LinesLaunch<R> {
        LinesLaunch::new(self.count, self.length, self.stride)
    }
}

/// The element at which a line starts.
#[cube]
pub(crate) fn start_of(lines: &Lines, line: u32) -> u32 {
    line / lines.stride * lines.length * lines.stride + line % lines.stride
}

/// The sum of a value over the units of a cube, for all of them. A tree, so always the same bits.
#[cube]
pub(crate) fn sum_of_cube<F: Float>(value: F) -> F {
    let mut shared = SharedMemory::<F>::new(comptime!(LINE_UNITS as usize));
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let half = RuntimeCell::<u32>::new(comptime!(LINE_UNITS / 2).runtime());
    while half.read() > 0 {
        if UNIT_POS < half.read() {
            let other = shared[(UNIT_POS + half.read()) as usize];
            shared[UNIT_POS as usize] += other;
        }
        sync_cube();
        half.store(half.read() / 2);
    }
    shared[0]
}

/// The largest value over the units of a cube, for all of them.
#[cube]
pub(crate) fn max_of_cube<F: Float>(value: F) -> F {
    let mut shared = SharedMemory::<F>::new(comptime!(LINE_UNITS as usize));
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let half = RuntimeCell::<u32>::new(comptime!(LINE_UNITS / 2).runtime());
    while half.read() > 0 {
        if UNIT_POS < half.read() {
            let other = shared[(UNIT_POS + half.read()) as usize];
            shared[UNIT_POS as usize] = max(shared[UNIT_POS as usize], other);
        }
        sync_cube();
        half.store(half.read() / 2);
    }
    shared[0]
}
