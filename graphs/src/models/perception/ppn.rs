//! PPN, the parallel perception network: two networks over one LiDAR cloud, one device each.
//!
//! Source: Suwesh, "Parallel-Perception-Network". The cloud goes to both devices; each makes its
//! own bird's-eye-view map, keeps the last 16, and runs its own network: a *segmentation* network
//! that passes side features from every level of its encoder to its decoder, and a *reconstruction*
//! network without any. No data crosses between the branches.
//!
//! ```text
//! cloud -+-> map -> 16 maps -> encoder 1..6 -> decoder 6..1 (+ side features) -> segmentation
//!        +-> map -> 16 maps -> encoder 1..6 -> decoder 6..1 ------------------> reconstruction
//! ```
//!
//! # Shape
//! `cloud`: `f32[up to points, 4]` (x, y, z in metres, intensity) -> two maps
//! `f32[1, 1, size, size]`.
//!
//! # Parameters
//! `paper()`: 46,482,099 and 27,607,363 trained ones, 131,208,201,216 and 94,233,134,080
//! multiply-adds. Names in files are the reference's: `segmentation.conv1.weight`, see
//! [`weight_name`].
//!
//! # Differences
//! The published decoder of the segmentation network reads the encoder's side features only, so
//! most of its parameters are dead; [`Wiring::Intended`] reads the decoder's own output, which
//! is meant. The published map depends on the order of points; here a cell is a maximum. Frames
//! before the first are empty maps.

use synfire_ops::arrange::concat::concat;
use synfire_ops::arrange::reshape::{Extent, reshape};
use synfire_ops::perception::points_to_bev::{BevMode, points_to_bev};
use synfire_ops::pool::max_pool2d::max_pool2d;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::blocks::{Layer, convolution, transposed_convolution};

/// What the decoder of the segmentation network up-samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// The decoder's output of the level below.
    Intended,
    /// The encoder's side feature: as published, with a dead decoder.
    Published,
}

/// The sizes of a PPN.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Cells along each side of a map.
    pub size: usize,
    /// Maps that one frame looks at.
    pub maps: usize,
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Metres of a cell.
    pub resolution_m: f32,
    /// The largest number of points of a cloud.
    pub points: usize,
    /// See [`Wiring`].
    pub wiring: Wiring,
}

impl Config {
    /// As published, with the intended wiring.
    #[must_use]
    pub fn paper() -> Self {
        let widths = vec![32, 64, 128, 256, 512, 1024];
        Self { size: 1000, resolution_m: 0.2, widths, ..Self::compact() }
    }

    /// For CPUs.
    #[must_use]
    pub fn compact() -> Self {
        Self {
            size: 256,
            maps: 16,
            widths: vec![8, 16, 32, 64, 128, 256],
            resolution_m: 0.4,
            points: 131_072,
            wiring: Wiring::Intended,
        }
    }

    /// For tests.
    #[must_use]
    pub fn tiny() -> Self {
        Self { size: 26, maps: 4, widths: vec![2, 3, 4], points: 256, ..Self::compact() }
    }

    fn channels(&self, level: usize) -> usize {
        if level == 0 { self.maps } else { self.widths[level - 1] }
    }

    /// Cells along each side at a level: halved, rounded down, by each pool.
    fn size_at(&self, level: usize) -> usize {
        self.size >> level
    }
}

/// What a PPN gives for each cloud.
#[derive(Clone, Copy, Debug)]
pub struct Outputs {
    /// `f32[1, 1, size, size]`.
    pub segmentation: Wire,
    /// `f32[1, 1, size, size]`.
    pub reconstruction: Wire,
}

/// The graph with its feed `cloud` and outlets `segmentation` and `reconstruction`.
#[must_use]
pub fn draft(config: &Config) -> Draft {
    let mut draft = Draft::new();
    let points = [Dimension::UpTo(config.points), Dimension::Fixed(4)];
    let cloud = draft.feed("cloud", Spec::new(Element::F32, points));
    let outputs = define(config, &mut draft, cloud);
    draft.outlet("segmentation", outputs.segmentation);
    draft.outlet("reconstruction", outputs.reconstruction);
    draft
}

/// Both networks over one stream of clouds.
pub fn define(config: &Config, draft: &mut Draft, cloud: Wire) -> Outputs {
    let mut maps = |branch: &str| {
        draft.scope("ppn", |draft| draft.scope(branch, |draft| window(config, draft, cloud)))
    };
    let maps = ["segmentation", "reconstruction"].map(&mut maps);
    networks(config, draft, maps)
}

/// Both networks over their last maps, `f32[1, maps, size, size]` each, oldest first.
pub fn networks(config: &Config, draft: &mut Draft, maps: [Wire; 2]) -> Outputs {
    draft.scope("ppn", |draft| Outputs {
        segmentation: draft.scope("segmentation", |draft| segmentation(config, draft, maps[0])),
        reconstruction: draft
            .scope("reconstruction", |draft| reconstruction(config, draft, maps[1])),
    })
}

/// The reference's name of a parameter path: without the model and the level.
#[must_use]
pub fn weight_name(path: &str) -> String {
    let is_scope =
        |part: &&str| *part == "ppn" || part.starts_with("encoder") || part.starts_with("decoder");
    path.split('/').filter(|part| !is_scope(part)).collect::<Vec<_>>().join(".")
}

/// The last maps as channels, oldest first: one new map and a delay line.
fn window(config: &Config, draft: &mut Draft, cloud: Wire) -> Wire {
    draft.scope("window", |draft| {
        let view = points_to_bev(config.size, config.resolution_m, BevMode::Plain);
        let map = draft.apply(view, &[cloud]);
        let extents = [1, 1, config.size, config.size].map(Extent::Is);
        let map = draft.apply(reshape(&extents), &[map]);
        let ages = (0..config.maps).rev();
        let maps: Vec<Wire> = ages.map(|age| draft.delay(map, age, Initial::Zeros)).collect();
        draft.apply(concat(1, maps.len()), &maps)
    })
}

/// Both encoders; gives the pooled output of every level, `side` says what else is made of it.
fn encoder(config: &Config, draft: &mut Draft, maps: Wire, side: bool) -> (Wire, Vec<Wire>) {
    let (mut x, mut sides) = (maps, Vec::new());
    for level in 1..=config.widths.len() {
        draft.scope(&format!("encoder{level}"), |draft| {
            let width = config.channels(level);
            let first = if level == 1 { 1 } else { 3 };
            x = convolution(draft, &Layer::new("", level, "").kernel(first).channels(width), x);
            x = convolution(draft, &Layer::new("", level, "_1").kernel(3).channels(width), x);
            x = draft.apply(max_pool2d(2), &[x]);
            if side {
                let layer = Layer::new("pool", level, "").kernel(3).channels(width);
                sides.push(convolution(draft, &layer, x));
            }
        });
    }
    (x, sides)
}

/// Up-samples to the size of the level above.
fn up(config: &Config, draft: &mut Draft, level: usize, x: Wire) -> Wire {
    // Stride 2 gives 2 (n - 1) + kernel cells: 2 or 3, so that the level above is met.
    let kernel = config.size_at(level - 1) - 2 * (config.size_at(level) - 1);
    let layer = Layer::new("tran", level, "").kernel(kernel).stride(2);
    transposed_convolution(draft, &layer.channels(config.channels(level - 1)), x)
}

fn segmentation(config: &Config, draft: &mut Draft, maps: Wire) -> Wire {
    let (_, sides) = encoder(config, draft, maps, true);
    let mut decoded = sides[sides.len() - 1];
    for level in (1..=config.widths.len()).rev() {
        draft.scope(&format!("decoder{level}"), |draft| {
            let below = match config.wiring {
                Wiring::Intended => decoded,
                Wiring::Published => sides[level - 1],
            };
            let skip = if level == 1 { maps } else { sides[level - 2] };
            let x = up(config, draft, level, below);
            let x = draft.apply(concat(1, 2), &[x, skip]);
            let width = config.channels(level - 1);
            let (first, last) = if level == 1 { (1, 1) } else { (3, width) };
            let layer = Layer::new("up", level, "").kernel(first).channels(width);
            let x = transposed_convolution(draft, &layer, x);
            let layer = Layer::new("up", level, "_1").kernel(3).channels(last);
            decoded = transposed_convolution(draft, &layer, x);
        });
    }
    decoded
}

fn reconstruction(config: &Config, draft: &mut Draft, maps: Wire) -> Wire {
    let (mut x, _) = encoder(config, draft, maps, false);
    for level in (1..=config.widths.len()).rev() {
        draft.scope(&format!("decoder{level}"), |draft| {
            x = up(config, draft, level, x);
            let width = if level == 1 { 1 } else { config.channels(level - 1) };
            let layer = Layer::new("up", level, "").kernel(3).channels(width);
            x = transposed_convolution(draft, &layer, x);
        });
    }
    x
}
