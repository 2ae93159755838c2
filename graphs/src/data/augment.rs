//! Augmentation: variations of an example, drawn anew in each epoch.
//!
//! A draw is a function of a seed alone; [`batches`](super::batches::batches) derives that from the
//! seed of the data, the epoch and the index of the example, so that it depends neither on the
//! batch nor on what came before.
//!
//! Those that move an image act on the last two axes, rows and columns, for all channels alike, and
//! what comes in from outside is 0: apply the mean and the deviation of the data afterwards.

use synfire_runtime::random::Seed;

/// One variation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Augment {
    /// Moves an image by up to so many rows and columns, up or down, left or right.
    Shift {
        /// The most rows and columns.
        most: [usize; 2],
    },
    /// A window of this size, anywhere in the image with a border of zeros around it.
    Crop {
        /// The width of the border.
        padding: usize,
        /// Rows and columns of the window.
        size: [usize; 2],
    },
    /// The window of this size in the middle: what stands for [`Augment::Crop`] in evaluation.
    Centre {
        /// Rows and columns of the window.
        size: [usize; 2],
    },
    /// Left and right exchanged.
    Flip {
        /// How often, 0 to 1.
        probability: f64,
    },
    /// Normal noise on every element.
    Noise {
        /// Its standard deviation.
        deviation: f64,
    },
    /// A square of zeros around a random place, cut off at the edges of the image. DeVries and
    /// Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.
    CutOut {
        /// Rows and columns of the square.
        side: usize,
    },
}

impl Augment {
    /// The extents of an example after it.
    ///
    /// # Errors
    /// What was found and what was wanted, when it cannot be applied to such examples.
    pub(super) fn extents(&self, extents: &[usize]) -> Result<Vec<usize>, (String, String)> {
        let found = || format!("{self:?} of an example {extents:?}");
        let image = match *extents {
            [.., rows, columns] => Some([rows, columns]),
            _ => None,
        };
        let fits = |padding: usize, size: [usize; 2]| {
            let room = image.unwrap_or_default().map(|extent| extent + 2 * padding);
            size[0] > 0 && size[1] > 0 && size[0] <= room[0] && size[1] <= room[1]
        };
        let (is_right, wanted) = match *self {
            Self::Flip { probability } => ((0.0..=1.0).contains(&probability), "0 to 1"),
            Self::Noise { deviation } => {
                (deviation >= 0.0 && deviation.is_finite(), "a finite deviation of at least 0")
            }
            Self::Crop { padding, size } => (fits(padding, size), "a window that fits"),
            Self::Centre { size } => (fits(0, size), "a window that fits"),
            Self::Shift { .. } | Self::CutOut { .. } => (true, ""),
        };
        if image.is_none() && !matches!(self, Self::Noise { .. }) {
            return Err((found(), "rows and columns: at least two axes".to_owned()));
        }
        if !is_right {
            return Err((found(), wanted.to_owned()));
        }
        let mut extents = extents.to_vec();
        if let (Self::Crop { size, .. } | Self::Centre { size }, [.., rows, columns]) =
            (self, &mut extents[..])
        {
            [*rows, *columns] = *size;
        }
        Ok(extents)
    }

    /// Whether it moves what is in an image, so that a target that is an image would not fit.
    pub(super) fn moves(&self) -> bool {
        !matches!(self, Self::Noise { .. } | Self::CutOut { .. })
    }

    /// Applies it to `x` of these extents; `spare` takes as many elements. Gives the count of
    /// elements and rows and columns after it.
    pub(super) fn apply(
        &self,
        image: Image,
        x: &mut Vec<f32>,
        spare: &mut Vec<f32>,
        seed: Seed,
    ) -> Image {
        let window =
            |size: [usize; 2], corner: [isize; 2], x: &mut Vec<f32>, spare: &mut Vec<f32>| {
                let moved = Image { size, ..image };
                move_window((image, x), (moved, spare), corner);
                std::mem::swap(x, spare);
                moved
            };
        // One of `most` + 1 places on each axis.
        let place = |counter: u64, most: usize| seed.index(counter, most + 1) as isize;
        match *self {
            Self::Shift { most } => {
                let corner =
                    [0, 1].map(|axis| place(axis as u64, 2 * most[axis]) - most[axis] as isize);
                window(image.size, corner, x, spare)
            }
            Self::Crop { padding, size } => {
                let corner = [0, 1].map(|axis| {
                    let room = image.size[axis] + 2 * padding - size[axis];
                    place(axis as u64, room) - padding as isize
                });
                window(size, corner, x, spare)
            }
            Self::Centre { size } => {
                let corner = [0, 1].map(|axis| ((image.size[axis] - size[axis]) / 2) as isize);
                window(size, corner, x, spare)
            }
            Self::Flip { probability } => {
                if seed.uniform(0) < probability {
                    x[..image.elements()].chunks_exact_mut(image.size[1]).for_each(<[_]>::reverse);
                }
                image
            }
            Self::Noise { deviation } => {
                let own = x[..image.elements()].iter_mut().zip(0..);
                own.for_each(|(x, at)| *x += (deviation * seed.normal(at)) as f32);
                image
            }
            Self::CutOut { side } => {
                let centre = [0, 1].map(|axis| seed.index(axis as u64, image.size[axis]));
                cut_out(image, x, centre, side);
                image
            }
        }
    }
}

/// An example as images of rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// How many.
    pub(super) channels: usize,
    /// Rows and columns of each.
    pub(super) size: [usize; 2],
}

impl Image {
    /// What these extents are, with one row where they have none.
    pub(super) fn of(extents: &[usize]) -> Self {
        match *extents {
            [ref channels @ .., rows, columns] => {
                Self { channels: channels.iter().product(), size: [rows, columns] }
            }
            _ => Self { channels: 1, size: [1, extents.iter().product()] },
        }
    }

    pub(super) fn elements(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }
}

/// Copies the window of `from` whose first place is `corner`, with zeros outside.
fn move_window(
    (image, from): (Image, &[f32]),
    (moved, to): (Image, &mut [f32]),
    corner: [isize; 2],
) {
    let inside = |at: usize, axis: usize| {
        let at = usize::try_from(at as isize + corner[axis]).ok()?;
        (at < image.size[axis]).then_some(at)
    };
    for channel in 0..moved.channels {
        for row in 0..moved.size[0] {
            let own = &mut to[(channel * moved.size[0] + row) * moved.size[1]..][..moved.size[1]];
            let Some(source) = inside(row, 0) else {
                own.fill(0.0);
                continue;
            };
            let source = &from[(channel * image.size[0] + source) * image.size[1]..];
            let value = |column| inside(column, 1).map_or(0.0, |at| source[at]);
            own.iter_mut().zip(0..).for_each(|(y, column)| *y = value(column));
        }
    }
}

/// Zeros in a square of `side` around `centre`.
fn cut_out(image: Image, x: &mut [f32], centre: [usize; 2], side: usize) {
    let span = |axis: usize| {
        let from = centre[axis].saturating_sub(side / 2);
        // Past the centre by what is left of the side.
        from..(centre[axis] + side.div_ceil(2)).min(image.size[axis])
    };
    for plane in x[..image.elements()].chunks_exact_mut(image.size[0] * image.size[1]) {
        for row in span(0) {
            plane[row * image.size[1]..][span(1)].fill(0.0);
        }
    }
}

/// A number in 0 to 1 of the beta distribution with both parameters `alpha`: two of the gamma
/// distribution by the method of Marsaglia and Tsang, "A simple method for generating gamma
/// variables", 2000.
pub(super) fn beta(alpha: f64, seed: Seed) -> f64 {
    let [a, b] = [0, 1].map(|which| gamma(alpha, seed.derive(which)));
    if a + b > 0.0 { a / (a + b) } else { f64::from(u8::from(seed.uniform(0) < 0.5)) }
}

/// Refusals come to less than one in twenty, so that many never come in a row.
const TRIES_MAX: u64 = 100;

fn gamma(shape: f64, seed: Seed) -> f64 {
    let raised = if shape < 1.0 { shape + 1.0 } else { shape };
    let d = raised - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    let tried = (0..TRIES_MAX).find_map(|attempt| {
        let seed = seed.derive(attempt);
        let x = seed.normal(0);
        let v = (1.0 + c * x).powi(3);
        let accepted =
            v > 0.0 && (1.0 - seed.uniform(2)).ln() < 0.5 * x * x + d * (1.0 - v + v.ln());
        accepted.then_some(d * v)
    });
    let raised = tried.unwrap_or(d);
    if shape < 1.0 { raised * (1.0 - seed.uniform(u64::MAX)).powf(1.0 / shape) } else { raised }
}

#[cfg(test)]
mod tests;
