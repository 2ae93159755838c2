//! Point clouds from above: forward is up, y grows to the left, axes in metres, a legend below.

use super::{
    Ink, Picture,
    colour::{BACKGROUND, Colour, ColourMap, GRID, NAN_COLOUR, PLOT, TEXT},
    map::{Drawn, Range, scale_bar, share},
    text_size,
};

/// Room for the numbers on the left, in pixels.
const MARGIN: usize = 40;
/// Room for the numbers and the legend below, in pixels.
const FOOT: usize = 56;
/// About so many grid lines on each side of the middle.
const TICKS: f32 = 4.0;
const EGO_COLOUR: Colour = [255, 255, 255];
const SMALL: Ink = Ink { colour: TEXT, scale: 1 };

/// What the colour of a point says.
#[derive(Debug, Clone, Copy)]
pub enum Colouring<'a> {
    /// Its class: an index into the legend for every point.
    Class {
        /// One for each point.
        indices: &'a [u8],
        /// Name and colour of every class.
        legend: &'a [(&'a str, Colour)],
    },
    /// Its height z, in metres.
    Height(Range),
    /// Its intensity.
    Intensity(Range),
}

/// A point cloud (x, y, z, intensity) and how to draw it.
#[derive(Debug, Clone, Copy)]
pub struct CloudView<'a> {
    /// The points, in the frame of the vehicle that sees them.
    pub points: &'a [[f32; 4]],
    /// The plot shows this far in all four directions.
    pub reach_m: f32,
    /// Side of the plot in pixels, without the margins.
    pub side: usize,
    /// What the colours say.
    pub colouring: Colouring<'a>,
}

/// Draws a cloud from above; the higher of two points covers the lower one.
///
/// Points with a coordinate that is not finite are counted as `nan_count` and not drawn; one whose
/// colour has no value is drawn in [`NAN_COLOUR`] and counted too. With classes, the limits are the
/// first and the last class.
///
/// # Panics
/// The plot has no extent or is larger than [`SIDE_MAX`](super::SIDE_MAX), or there is not one
/// class index for each point.
#[must_use]
pub fn draw_cloud(view: &CloudView<'_>) -> Drawn {
    assert!(view.reach_m.is_finite() && view.reach_m > 0.0, "a plot has an extent");
    let mut picture = Picture::filled(MARGIN + view.side, view.side + FOOT, BACKGROUND);
    picture.fill([MARGIN as i32, 0], [view.side, view.side], PLOT);
    draw_grid(&mut picture, view);
    let (colours, limits) = point_colours(view);
    let is_seen = |index: &usize| view.points[*index][..3].iter().all(|value| value.is_finite());
    let mut order: Vec<usize> = (0..view.points.len()).filter(is_seen).collect();
    order.sort_by(|&left, &right| view.points[left][2].total_cmp(&view.points[right][2]));
    let dot = view.side.div_ceil(500);
    let uncoloured = order.iter().filter(|&&index| colours[index] == NAN_COLOUR).count();
    let nan_count = view.points.len() - order.len() + uncoloured;
    for index in order {
        let [x, y, ..] = view.points[index];
        if x.abs() < view.reach_m && y.abs() < view.reach_m {
            let corner = view.pixel(x, y).map(|place| place - (dot / 2) as i32);
            picture.fill(corner, [dot, dot], colours[index]);
        }
    }
    // A dot at the edge may stick out into the margin.
    picture.fill([0, view.side as i32], [MARGIN + view.side, FOOT], BACKGROUND);
    picture.fill([0, 0], [MARGIN, view.side], BACKGROUND);
    draw_numbers(&mut picture, view);
    draw_ego(&mut picture, view);
    draw_legend(&mut picture, view, limits);
    Drawn { picture, limits, nan_count }
}

impl CloudView<'_> {
    /// The pixel of a place: x runs up, y to the left.
    fn pixel(&self, x: f32, y: f32) -> [i32; 2] {
        let pixels_per_m = self.side as f32 / (2.0 * self.reach_m);
        let place = |metres: f32| ((self.reach_m - metres) * pixels_per_m).floor() as i32;
        [place(y) + MARGIN as i32, place(x)]
    }

    /// The places of the grid lines: multiples of 1, 2 or 5 times a power of ten.
    fn ticks(&self) -> Vec<f32> {
        let wanted = self.reach_m / TICKS;
        let power = 10.0_f32.powi(wanted.log10().floor() as i32);
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|&step| step >= wanted).unwrap_or(10.0 * power);
        let count = ((self.reach_m * 0.99) / step).floor() as i32;
        (-count..=count).map(|index| index as f32 * step).collect()
    }
}

fn point_colours(view: &CloudView<'_>) -> (Vec<Colour>, [f32; 2]) {
    let scaled = |part: usize, range: Range| {
        let values: Vec<f32> = view.points.iter().map(|point| point[part]).collect();
        let limits = range.limits(&values);
        let colour = |&value: &f32| ColourMap::Perceptual.at(share(value, limits));
        (values.iter().map(colour).collect(), limits)
    };
    match view.colouring {
        Colouring::Height(range) => scaled(2, range),
        Colouring::Intensity(range) => scaled(3, range),
        Colouring::Class { indices, legend } => {
            assert_eq!(indices.len(), view.points.len(), "every point has a class");
            let colour = |&index: &u8| {
                legend.get(usize::from(index)).map_or(NAN_COLOUR, |&(_, colour)| colour)
            };
            let last = legend.len().saturating_sub(1) as f32;
            (indices.iter().map(colour).collect(), [0.0, last])
        }
    }
}

fn draw_grid(picture: &mut Picture, view: &CloudView<'_>) {
    for place in view.ticks() {
        let [x, y] = view.pixel(place, place);
        picture.fill([x, 0], [1, view.side], GRID);
        picture.fill([MARGIN as i32, y], [view.side, 1], GRID);
    }
}

fn draw_numbers(picture: &mut Picture, view: &CloudView<'_>) {
    let (margin, side) = (MARGIN as i32, view.side as i32);
    for place in view.ticks() {
        let [x, y] = view.pixel(place, place);
        let text = format!("{}", (place * 1e3).round() / 1e3);
        let width = text_size(&text, 1)[0] as i32;
        picture.fill([x, side], [1, 4], TEXT);
        picture.write([x - width / 2, side + 7], &text, SMALL);
        picture.fill([margin - 4, y], [4, 1], TEXT);
        picture.write([margin - 6 - width, y - 3], &text, SMALL);
    }
    picture.write([0, 0], "x (m)", SMALL);
    picture.write([0, side + 7], "y (m)", SMALL);
}

/// A white arrowhead, pointing forward.
fn draw_ego(picture: &mut Picture, view: &CloudView<'_>) {
    let [x, y] = view.pixel(0.0, 0.0);
    let height = (view.side / 50).max(6) as i32;
    for row in 0..height {
        let half = row / 2;
        let width = (2 * half + 1) as usize;
        picture.fill([x - half, y - height / 2 + row], [width, 1], EGO_COLOUR);
    }
}

fn draw_legend(picture: &mut Picture, view: &CloudView<'_>, limits: [f32; 2]) {
    let y = (view.side + 26) as i32;
    let mut x = MARGIN as i32;
    let name = match view.colouring {
        Colouring::Height(_) => "height (m)",
        Colouring::Intensity(_) => "intensity",
        Colouring::Class { legend, .. } => {
            for &(name, colour) in legend.iter().chain([&("ego", EGO_COLOUR)]) {
                picture.fill([x, y], [9, 9], colour);
                picture.write([x + 14, y + 1], name, SMALL);
                x += 14 + text_size(name, 1)[0] as i32 + 14;
            }
            return;
        }
    };
    picture.write([x, y], name, SMALL);
    x += text_size(name, 1)[0] as i32 + 8;
    let width = (view.side / 2).clamp(1, 240);
    picture.paste([x, y], &scale_bar(width, limits, ColourMap::Perceptual));
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGEND: [(&str, Colour); 2] = [("low", [1, 0, 0]), ("high", [2, 0, 0])];

    fn draw(points: &[[f32; 4]], indices: &[u8]) -> (Drawn, Vec<[i32; 2]>) {
        let colouring = Colouring::Class { indices, legend: &LEGEND };
        let view = CloudView { points, reach_m: 10.0, side: 100, colouring };
        let drawn = draw_cloud(&view);
        let mut found = Vec::new();
        for (row, y) in drawn.picture.rows().take(100).zip(0..) {
            for (colour, x) in row.iter().skip(MARGIN).zip(0..) {
                if *colour == LEGEND[1].1 {
                    found.push([x, y]);
                }
            }
        }
        (drawn, found)
    }

    #[test]
    fn forward_is_up_and_left_is_left() {
        for (point, expect) in [
            ([7.9, 0.1, 0.0, 0.0], vec![[49, 10]]),
            ([0.1, 7.9, 0.0, 0.0], vec![[10, 49]]),
            ([-9.9, -9.9, 0.0, 0.0], vec![[99, 99]]),
            ([10.1, 0.0, 0.0, 0.0], vec![]),
        ] {
            assert_eq!(draw(&[point], &[1]).1, expect, "{point:?}");
        }
    }

    #[test]
    fn the_higher_point_covers_the_lower_one() {
        let points = [[5.0, 5.0, 1.0, 0.0], [5.0, 5.0, 0.0, 0.0]];
        assert_eq!(draw(&points, &[1, 0]).1.len(), 1);
        assert_eq!(draw(&points, &[0, 1]).1.len(), 0);
    }

    #[test]
    fn what_is_not_a_number_is_counted() {
        let points = [[f32::NAN, 0.0, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0], [4.0, 3.0, 0.0, 0.0]];
        assert_eq!(draw(&points, &[1, 1, 9]).0.nan_count, 2);
    }

    #[test]
    fn ticks_are_round_numbers() {
        for (reach_m, expect) in [
            (10.0, vec![-5.0, 0.0, 5.0]),
            (50.0, vec![-40.0, -20.0, 0.0, 20.0, 40.0]),
            (0.8, vec![-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6]),
        ] {
            let colouring = Colouring::Height(Range::Fixed(0.0, 1.0));
            let view = CloudView { points: &[], reach_m, side: 100, colouring };
            let ticks = view.ticks();
            assert_eq!(ticks.len(), expect.len(), "{ticks:?}");
            for (tick, expect) in ticks.iter().zip(expect) {
                assert!((tick - expect).abs() < 1e-6, "{tick}, wanted {expect}");
            }
        }
    }
}
