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

mod network; // encoders and decoders

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::blocks::Mode;
use network::window;
pub use network::{Network, network};

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
    /// What the norms are built for.
    pub mode: Mode,
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
            mode: Mode::Evaluate,
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
    Outputs {
        segmentation: network(config, draft, Network::Segmentation, maps[0]),
        reconstruction: network(config, draft, Network::Reconstruction, maps[1]),
    }
}

/// The reference's name of a parameter path: without the model and the level.
#[must_use]
pub fn weight_name(path: &str) -> String {
    let is_scope =
        |part: &&str| *part == "ppn" || part.starts_with("encoder") || part.starts_with("decoder");
    path.split('/').filter(|part| !is_scope(part)).collect::<Vec<_>>().join(".")
}
