//! Lines of a tensor along one axis, one cube for each: what softmax, norms and reductions share.

use cubecl::prelude::*;
use synfire_runtime::spec::Extents;

use super::kernel::size;
use super::real::is_nan;

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

/// The lines of a tensor of these extents along `axis`; none when the tensor is empty but for that
/// axis.
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

/// What the elements of a line become together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fold {
    /// Their sum.
    Sum,
    /// Their product.
    Product,
    /// The largest; NaN where one is.
    Largest,
    /// The smallest; NaN where one is.
    Smallest,
}

/// What the fold of nothing is.
#[cube]
pub(crate) fn nothing(#[comptime] fold: Fold) -> f32 {
    let bits = match comptime!(fold) {
        Fold::Sum => 0u32,
        Fold::Product => 0x3f80_0000u32,
        Fold::Largest => 0xff80_0000u32,
        Fold::Smallest => 0x7f80_0000u32,
    };
    f32::reinterpret(bits)
}

/// Two of them together.
#[cube]
pub(crate) fn together(a: f32, b: f32, #[comptime] fold: Fold) -> f32 {
    match comptime!(fold) {
        Fold::Sum => a + b,
        Fold::Product => a * b,
        Fold::Largest => select(a > b || is_nan(a), a, b),
        Fold::Smallest => select(a < b || is_nan(a), a, b),
    }
}

/// The values of all units of a cube together, for all of them. A tree, so always the same bits.
#[cube]
pub(crate) fn over_cube(value: f32, #[comptime] fold: Fold) -> f32 {
    let mut shared = SharedMemory::<f32>::new(comptime!(LINE_UNITS as usize));
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let half = RuntimeCell::<u32>::new(comptime!(LINE_UNITS / 2).runtime());
    while half.read() > 0 {
        if UNIT_POS < half.read() {
            let other = shared[(UNIT_POS + half.read()) as usize];
            shared[UNIT_POS as usize] = together(shared[UNIT_POS as usize], other, fold);
        }
        sync_cube();
        half.store(half.read() / 2);
    }
    shared[0]
}
