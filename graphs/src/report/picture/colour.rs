//! Colours: the theme of all pictures, and the scales that turn a share of a range into a colour.

/// Red, green and blue, in the usual (sRGB) encoding.
pub type Colour = [u8; 3];

/// Marks a value that is not a number; on no scale.
pub const NAN_COLOUR: Colour = [255, 0, 170];
pub(super) const BACKGROUND: Colour = [18, 20, 27];
/// The ground of a plot, a little darker than what surrounds it.
pub(super) const PLOT: Colour = [11, 12, 16];
pub(super) const GRID: Colour = [33, 37, 47];
pub(super) const TEXT: Colour = [200, 205, 215];

/// A scale of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMap {
    /// Black to white.
    Grey,
    /// Dark violet over blue and green to pale yellow; lightness rises evenly.
    Perceptual,
}

/// Nine points at equal steps of lightness (0.24 to 0.92), hue (295 to 110 degrees) and chroma
/// (0.11 to 0.16, less where a screen cannot show it) in OKLCH.
const PERCEPTUAL: [Colour; 9] = [
    [37, 11, 76],
    [33, 43, 110],
    [1, 77, 131],
    [2, 108, 138],
    [4, 139, 147],
    [7, 171, 150],
    [77, 201, 134],
    [160, 222, 114],
    [235, 238, 98],
];

impl ColourMap {
    /// The colour at `share` of the range; beyond 0 and 1 the ends of the scale go on, and what is
    /// not a number is [`NAN_COLOUR`].
    #[must_use]
    pub fn at(self, share: f32) -> Colour {
        if share.is_nan() {
            return NAN_COLOUR;
        }
        let share = share.clamp(0.0, 1.0);
        match self {
            Self::Grey => [(share * 255.0).round() as u8; 3],
            Self::Perceptual => {
                let place = share * (PERCEPTUAL.len() - 1) as f32;
                let index = (place.floor() as usize).min(PERCEPTUAL.len() - 2);
                let rest = place - index as f32;
                let (low, high) = (PERCEPTUAL[index], PERCEPTUAL[index + 1]);
                [0, 1, 2].map(|part| {
                    let (low, high) = (f32::from(low[part]), f32::from(high[part]));
                    (low + (high - low) * rest).round() as u8
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_middle_and_not_a_number() {
        for (scale, share, expect) in [
            (ColourMap::Grey, -1.0, [0, 0, 0]),
            (ColourMap::Grey, 0.5, [128, 128, 128]),
            (ColourMap::Grey, f32::INFINITY, [255, 255, 255]),
            (ColourMap::Perceptual, 0.0, PERCEPTUAL[0]),
            (ColourMap::Perceptual, 0.5, PERCEPTUAL[4]),
            (ColourMap::Perceptual, 1.0, PERCEPTUAL[8]),
            (ColourMap::Perceptual, f32::NAN, NAN_COLOUR),
        ] {
            assert_eq!(scale.at(share), expect, "{scale:?} at {share}");
        }
    }

    #[test]
    fn a_higher_value_is_never_darker() {
        let luminance = |share: f32| {
            let linear =
                ColourMap::Perceptual.at(share).map(|part| (f32::from(part) / 255.0).powf(2.2));
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        for step in 0..100_u8 {
            let (low, high) = (f32::from(step) / 100.0, f32::from(step + 1) / 100.0);
            assert!(luminance(high) > luminance(low) - 5e-4, "darker at {high}");
        }
    }
}
