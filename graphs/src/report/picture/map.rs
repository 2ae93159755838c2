//! Maps: a grid of numbers as a picture, with an explicit range and a count of what is no number.

use super::{
    Ink, Picture,
    colour::{BACKGROUND, Colour, ColourMap, TEXT},
    font, text_size,
};

/// Height of the coloured strip of a scale bar, in pixels.
const BAR_HEIGHT: usize = 8;

/// The values that the two ends of a colour scale stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// From the first value to the second; pictures with the same limits can be compared.
    Fixed(f32, f32),
    /// From one percentile (0 to 100) of the finite values to another; ignores outliers.
    Percentile(f32, f32),
}

/// Which way a map lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// The first row is at the top, the first value of a row on the left: images.
    Rows,
    /// Rows run along x, forward is up; within a row y grows to the left: bird's-eye maps.
    BirdsEye,
}

/// A grid of numbers and how to draw it.
#[derive(Debug, Clone, Copy)]
pub struct Map<'a> {
    /// Row by row.
    pub values: &'a [f32],
    /// Values in a row.
    pub width: usize,
    /// Which way the rows lie.
    pub orientation: Orientation,
    /// What the ends of the colour scale stand for.
    pub range: Range,
    /// The colour scale.
    pub colours: ColourMap,
}

/// A picture of numbers, and what must be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The picture.
    pub picture: Picture,
    /// The values at the two ends of the colour scale.
    pub limits: [f32; 2],
    /// How many values were not numbers.
    pub nan_count: usize,
}

impl Range {
    /// The values at the two ends. Without a finite value, percentiles give 0 and 1.
    ///
    /// # Panics
    /// A limit is not finite, or a percentile is not within 0 to 100.
    #[must_use]
    pub fn limits(self, values: &[f32]) -> [f32; 2] {
        match self {
            Self::Fixed(low, high) => {
                assert!(low.is_finite() && high.is_finite(), "limits must be finite");
                [low, high]
            }
            Self::Percentile(low, high) => {
                let mut finite: Vec<f32> =
                    values.iter().copied().filter(|value| value.is_finite()).collect();
                finite.sort_by(f32::total_cmp);
                [(low, 0.0), (high, 1.0)].map(|(percentile, otherwise)| {
                    assert!((0.0..=100.0).contains(&percentile), "{percentile} is no percentile");
                    let last = finite.len().saturating_sub(1) as f64;
                    let rank = (last * f64::from(percentile) / 100.0).round() as usize;
                    finite.get(rank).copied().unwrap_or(otherwise)
                })
            }
        }
    }
}

/// Where a value lies between the limits; limits that coincide put their own value at 0.
pub(super) fn share(value: f32, [low, high]: [f32; 2]) -> f32 {
    if low == high {
        return if value.is_nan() { value } else { f32::from(u8::from(value > low)) };
    }
    (value - low) / (high - low)
}

/// Draws a map, one pixel for a value. Infinite values take the colour of their end of the scale.
///
/// # Panics
/// The values do not fill whole rows, there are none, or a side exceeds
/// [`SIDE_MAX`](super::SIDE_MAX).
#[must_use]
pub fn draw_map(map: &Map<'_>) -> Drawn {
    let width = map.width;
    assert!(width > 0 && map.values.len().is_multiple_of(width), "a map has whole rows");
    let height = map.values.len() / width;
    let limits = map.range.limits(map.values);
    let mut picture = Picture::filled(width, height, BACKGROUND);
    for (pixel, &value) in picture.pixels.iter_mut().zip(map.values) {
        *pixel = map.colours.at(share(value, limits));
    }
    if map.orientation == Orientation::BirdsEye {
        picture.pixels.reverse();
    }
    let nan_count = map.values.iter().filter(|value| value.is_nan()).count();
    Drawn { picture, limits, nan_count }
}

/// The legend of a colour scale: a strip with the limits written below its ends.
///
/// # Panics
/// `width` is 0 or greater than [`SIDE_MAX`](super::SIDE_MAX).
#[must_use]
pub fn scale_bar(width: usize, limits: [f32; 2], colours: ColourMap) -> Picture {
    let mut bar = Picture::filled(width, BAR_HEIGHT + 4 + font::LINE, BACKGROUND);
    for x in 0..width {
        let colour: Colour = colours.at(x as f32 / (width - 1).max(1) as f32);
        bar.fill([x as i32, 0], [1, BAR_HEIGHT], colour);
    }
    let [low, high] = limits.map(|limit| format!("{}", (limit * 1e3).round() / 1e3));
    let ink = Ink { colour: TEXT, scale: 1 };
    let y = BAR_HEIGHT as i32 + 4;
    bar.write([0, y], &low, ink);
    let [text_width, _] = text_size(&high, 1);
    bar.write([width as i32 - text_width as i32 + 1, y], &high, ink);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::NAN_COLOUR;

    #[test]
    fn ranges_are_explicit() {
        let values: Vec<f32> =
            (0..=100_u8).map(f32::from).chain([f32::NAN, f32::INFINITY]).collect();
        for (range, values, expect) in [
            (Range::Fixed(-1.0, 2.0), &values[..], [-1.0, 2.0]),
            (Range::Percentile(0.0, 100.0), &values, [0.0, 100.0]),
            (Range::Percentile(1.0, 99.0), &values, [1.0, 99.0]),
            (Range::Percentile(1.0, 99.0), &[], [0.0, 1.0]),
            (Range::Percentile(1.0, 99.0), &[5.0], [5.0, 5.0]),
        ] {
            assert_eq!(range.limits(values), expect, "{range:?}");
        }
    }

    #[test]
    fn a_map_lies_as_it_is_told() {
        let values = [0.0, 1.0, f32::NAN, 0.5, -9.0, f32::INFINITY];
        for (orientation, expect) in [
            (Orientation::Rows, [0, 255, 256, 128, 0, 255]),
            (Orientation::BirdsEye, [255, 0, 128, 256, 255, 0]),
        ] {
            let range = Range::Fixed(0.0, 1.0);
            let colours = ColourMap::Grey;
            let drawn = draw_map(&Map { values: &values, width: 3, orientation, range, colours });
            let level = |colour: &Colour| match *colour {
                NAN_COLOUR => 256,
                [level, ..] => u16::from(level),
            };
            let levels: Vec<u16> = drawn.picture.rows().flatten().map(level).collect();
            assert_eq!(levels, expect, "{orientation:?}");
            assert_eq!((drawn.nan_count, drawn.limits), (1, [0.0, 1.0]));
            assert_eq!((drawn.picture.width(), drawn.picture.height()), (3, 2));
        }
    }

    #[test]
    fn a_constant_map_has_one_colour() {
        assert_eq!(share(2.0, [2.0, 2.0]), 0.0);
        assert_eq!(share(3.0, [2.0, 2.0]), 1.0);
        assert!(share(f32::NAN, [2.0, 2.0]).is_nan());
    }
}
