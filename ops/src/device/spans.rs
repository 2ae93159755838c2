//! Windows of neighbouring pixels on a device.
#![expect(clippy::manual_div_ceil, reason = "kernels have no such method")]

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::kernel::size;
use crate::window::Spans;

/// One direction of [`Spans`] as kernels take it.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
pub(crate) struct Span {
    pub(crate) extent: u32,
    pub(crate) places: u32,
    step: u32,
    first: i32,
    last: i32,
    divisor: u32,
}

/// As an argument of a kernel.
///
/// # Errors
/// When the numbers of its formula leave the range of a device.
pub(crate) fn span<R: Runtime>(spans: &Spans) -> Result<SpanLaunch<R>, FireError> {
    let Spans { extent, places, step, first, last, divisor } = *spans;
    let most = (places * step) as isize + last.abs().max(first.abs());
    if i32::try_from(most).is_err() {
        return Err(FireError::failed("windows whose places times their step exceed 31 bits"));
    }
    let [first, last] = [first, last].map(|n| n as i32);
    Ok(SpanLaunch::new(size(extent), size(places), size(step), first, last, size(divisor)))
}

/// The first pixel of a window.
#[cube]
pub(crate) fn start_of(span: &Span, place: u32) -> u32 {
    bound(span, place, span.first)
}

/// The pixel behind the last of a window.
#[cube]
pub(crate) fn end_of(span: &Span, place: u32) -> u32 {
    bound(span, place, span.last)
}

/// The first pixel that a window sees which sees every `dilation`-th from its start; behind its
/// end, if there is none.
#[cube]
pub(crate) fn first_of(span: &Span, place: u32, dilation: u32) -> u32 {
    // Where it may start before the image, the divisor is 1.
    let at = i32::cast_from(place * span.step) + span.first;
    let outside = u32::cast_from(max(-at, 0i32));
    let first = (outside + dilation - 1) / dilation * dilation - outside;
    select(at < 0, first, start_of(span, place))
}

/// How many pixels of a window count: those from `low` to before `high`; at least 1.
#[cube]
pub(crate) fn size_of(span: &Span, place: u32, low: i32, high: i32) -> u32 {
    let at = i32::cast_from(place * span.step);
    let divisor = i32::cast_from(span.divisor);
    // Divides without rest where the window may start before the image.
    let (start, end) = ((at + span.first) / divisor, (at + span.last) / divisor);
    u32::cast_from(max(min(end, high) - max(start, low), 1i32))
}

#[cube]
fn bound(span: &Span, place: u32, offset: i32) -> u32 {
    let at = max(i32::cast_from(place * span.step) + offset, 0i32);
    min(u32::cast_from(at) / span.divisor, span.extent)
}
