//! Lookups on accelerators, for `f32`: a unit for each point and channel, or, transposed, for each
//! line of the image, which goes through all points in order.
//!
//! An image without depth is one of depth 1 with a single tap along it.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::points::{Method, Padding};
use super::{AXES_MAX, GridSample};
use crate::device::kernel::{Call, Constant, CubeKernel, size};
use crate::device::real::{is_nan, round_ties_even};
use crate::resample::resize::Align;

pub(super) struct OnCube {
    kind: Kind,
    /// Depth, rows, columns.
    image: [usize; AXES_MAX],
    points: usize,
    orders: [u32; AXES_MAX],
    onto: Option<Vec<usize>>,
    /// The polynomial of each tap along depth, rows and columns.
    weights: Constant,
}

/// What kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    axes: u32,
    taps: u32,
    /// 0: zeros, 1: border, 2: reflection.
    padding: u32,
    is_aligned: bool,
}

impl OnCube {
    pub(super) fn new(
        operator: &GridSample,
        [image, points]: [Vec<usize>; 2],
        element: Element,
    ) -> Result<Self, KernelError> {
        if element != Element::F32 {
            return Err(KernelError::Absent);
        }
        let axes = image.len();
        let mut deep = [1; AXES_MAX];
        deep[AXES_MAX - axes..].copy_from_slice(&image);
        let orders = [2, 1, 0].map(|coordinate| operator.orders[coordinate]);
        let none = |axis: usize| axis + axes < AXES_MAX;
        let method = |axis: usize| if none(axis) { Method::Nearest } else { operator.method };
        let weights = (0..AXES_MAX).flat_map(|axis| method(axis).weights(orders[axis]));
        let weights: Vec<f32> = weights.flatten().map(|weight| weight as f32).collect();
        let padding = match operator.padding {
            Padding::Zeros => 0,
            Padding::Border => 1,
            Padding::Reflection => 2,
        };
        Ok(Self {
            kind: Kind {
                axes: size(axes),
                taps: size(operator.method.taps()),
                padding,
                is_aligned: operator.align == Align::Centers,
            },
            image: deep,
            points: points.iter().product(),
            orders,
            onto: operator.onto.clone(),
            weights: Constant::new(&weights),
        })
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (x, grid) = (call.input(0), call.input(1));
        let (found, batch) = (grid.extents()[0], x.extents()[0]);
        if found != batch {
            let cause = format!("port grid, dimension 0: found {found}; wanted {batch} as x has");
            return Err(FireError::failed(cause));
        }
        let mut extents = call.output(0).extents().to_vec();
        extents[0] = batch;
        let y = call.set_extents(0, &extents);
        let planes = batch * extents[1];
        let lines = self.image[0] * self.image[1];
        let each = if self.onto.is_some() { lines } else { self.points };
        let count = planes * each;
        let weights = self.weights.array(call)?;
        let [depth, rows, columns] = [0, 1, 2].map(|axis| {
            let (extent, order) = (self.image[axis], self.orders[axis]);
            AxisLaunch::new(size(extent), extent as f32, order)
        });
        let (points, channels) = (size(self.points), size(extents[1]));
        call.each(count, |client, cubes, units| {
            let image = ImageLaunch::new(size(count), points, channels, depth, rows, columns);
            let (x, grid, y) = (x.array(), grid.array(), y.array());
            if self.onto.is_some() {
                spread::launch::<R>(client, cubes, units, x, grid, weights, y, image, self.kind);
            } else {
                look_up::launch::<R>(client, cubes, units, x, grid, weights, y, image, self.kind);
            }
        })
    }
}

/// An axis of the image.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Axis {
    extent: u32,
    length: f32,
    order: u32,
}

/// The image and what is looked up in it.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Image {
    /// Units.
    count: u32,
    /// Points of one image.
    points: u32,
    channels: u32,
    depth: Axis,
    rows: Axis,
    columns: Axis,
}

/// Where a point lies along an axis.
#[derive(Clone, Copy, CubeType)]
struct Place {
    /// The first tap.
    first: f32,
    /// The way from the tap before the point to the point.
    share: f32,
    /// What weights are multiplied by.
    factor: f32,
}

/// A place held at the borders; what is no number is held at 0.
#[cube]
fn held(place: f32, last: f32) -> f32 {
    select(is_nan(place), 0.0, max(min(place, last), 0.0))
}

/// A place mirrored at the ends; behind it the sign of the derivative.
#[cube]
fn mirrored(place: f32, axis: Axis, #[comptime] kind: Kind) -> (f32, f32) {
    let low = comptime!(if kind.is_aligned { 0.0f32 } else { -0.5f32 });
    let span = select(comptime!(kind.is_aligned), axis.length - 1.0, axis.length);
    let period = max(span + span, 1.0);
    let way = (place - low).abs();
    let rest = way - (way / period).floor() * period;
    let is_back = rest > period - rest;
    let inside = select(is_back, period - rest, rest) + low;
    let side = select(is_back == (place < low), 1.0f32, -1.0f32);
    (select(span > 0.0, inside, 0.0), select(span > 0.0, side, 0.0))
}

/// Where a coordinate lies.
#[cube]
fn located(at: f32, axis: Axis, #[comptime] kind: Kind) -> Place {
    let last = axis.length - 1.0;
    let aligned = (at + 1.0) * 0.5 * last;
    let by_edges = ((at + 1.0) * axis.length - 1.0) * 0.5;
    let mut place = select(comptime!(kind.is_aligned), aligned, by_edges);
    let mut slope = 0.5 * select(comptime!(kind.is_aligned), last, axis.length);
    if comptime!(kind.taps < 4 && kind.padding > 0) {
        if comptime!(kind.padding == 2) {
            let (inside, side) = mirrored(place, axis, kind);
            place = inside;
            slope *= side;
        }
        slope = select(place > 0.0 && place < last, slope, 0.0);
        place = held(place, last);
    }
    let mut factor = 1.0f32;
    for _ in 0..axis.order {
        factor *= slope;
    }
    let mut before = place.floor();
    let mut share = place - before;
    if comptime!(kind.taps == 1) {
        before = round_ties_even(place);
        share = 0.0;
    }
    let lead = comptime!(if kind.taps == 4 { 1.0f32 } else { 0.0f32 });
    Place { first: before - lead, share, factor }
}

/// The pixel of a tap; `u32::MAX` for none.
#[cube]
fn pixel(place: Place, tap: u32, axis: Axis, #[comptime] kind: Kind) -> u32 {
    let mut own = place.first + f32::cast_from(tap);
    if comptime!(kind.taps == 4 && kind.padding > 0) {
        if comptime!(kind.padding == 2) {
            let (inside, _side) = mirrored(own, axis, kind);
            own = inside;
        }
        own = held(own, axis.length - 1.0);
    }
    let is_inside = own >= 0.0 && own < axis.length;
    select(is_inside, u32::cast_from(held(own, axis.length)), 0xffff_ffffu32)
}

/// The weight of a tap along the axis of this number.
#[cube]
fn weight(weights: &Array<f32>, place: Place, tap: u32, #[comptime] axis: u32) -> f32 {
    let first = (comptime!(16 * axis) + 4 * tap) as usize;
    let high = weights[first + 3] * place.share + weights[first + 2];
    let low = (high * place.share + weights[first + 1]) * place.share + weights[first];
    place.factor * low
}

/// Where a point lies along depth, rows and columns.
#[cube]
fn around(
    grid: &Array<f32>,
    point: u32,
    image: Image,
    #[comptime] kind: Kind,
) -> (Place, Place, Place) {
    let first = (point * kind.axes) as usize;
    let column = located(grid[first], image.columns, kind);
    let row = located(grid[first + 1], image.rows, kind);
    let deep = located(grid[first + comptime!(kind.axes as usize - 1)], image.depth, kind);
    let flat = comptime!(kind.axes == 2);
    let depth = Place {
        first: select(flat, 0.0f32, deep.first),
        share: select(flat, 0.0f32, deep.share),
        factor: select(flat, 1.0f32, deep.factor),
    };
    (depth, row, column)
}

#[cube(launch)]
fn look_up(
    x: &Array<f32>,
    grid: &Array<f32>,
    weights: &Array<f32>,
    y: &mut Array<f32>,
    image: Image,
    #[comptime] kind: Kind,
) {
    let unit = ABSOLUTE_POS as u32;
    if unit < image.count {
        let plane = unit / image.points;
        let point = plane / image.channels * image.points + unit % image.points;
        let (depth, row, column) = around(grid, point, image, kind);
        let deep = comptime!(if kind.axes == 3 { kind.taps } else { 1 });
        let mut sum = 0.0f32;
        for i in 0..deep {
            let z = pixel(depth, i, image.depth, kind);
            let by_depth = weight(weights, depth, i, 0u32);
            for j in 0..kind.taps {
                let r = pixel(row, j, image.rows, kind);
                let by_row = by_depth * weight(weights, row, j, 1u32);
                for k in 0..kind.taps {
                    let c = pixel(column, k, image.columns, kind);
                    let by_column = by_row * weight(weights, column, k, 2u32);
                    let mut value = 0.0f32;
                    if z < image.depth.extent && r < image.rows.extent && c < image.columns.extent {
                        let line = (plane * image.depth.extent + z) * image.rows.extent + r;
                        value = x[(line * image.columns.extent + c) as usize];
                    }
                    sum += by_column * value;
                }
            }
        }
        y[unit as usize] = sum;
    }
}

#[cube(launch)]
fn spread(
    x: &Array<f32>,
    grid: &Array<f32>,
    weights: &Array<f32>,
    y: &mut Array<f32>,
    image: Image,
    #[comptime] kind: Kind,
) {
    let line = ABSOLUTE_POS as u32;
    if line < image.count {
        let own_row = line % image.rows.extent;
        let own_depth = line / image.rows.extent % image.depth.extent;
        let plane = line / image.rows.extent / image.depth.extent;
        let first = line * image.columns.extent;
        for c in 0..image.columns.extent {
            y[(first + c) as usize] = 0.0f32;
        }
        let deep = comptime!(if kind.axes == 3 { kind.taps } else { 1 });
        for p in 0..image.points {
            let point = plane / image.channels * image.points + p;
            let (depth, row, column) = around(grid, point, image, kind);
            let value = x[(plane * image.points + p) as usize];
            for i in 0..deep {
                if pixel(depth, i, image.depth, kind) == own_depth {
                    let by_depth = weight(weights, depth, i, 0u32);
                    for j in 0..kind.taps {
                        if pixel(row, j, image.rows, kind) == own_row {
                            let by_row = by_depth * weight(weights, row, j, 1u32);
                            for k in 0..kind.taps {
                                let c = pixel(column, k, image.columns, kind);
                                if c < image.columns.extent {
                                    let by_column = by_row * weight(weights, column, k, 2u32);
                                    y[(first + c) as usize] += by_column * value;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
