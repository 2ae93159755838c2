//! The networks of PPN: a window of maps, encoders, and decoders with and without side features.

use synfire_ops::arrange::concat::concat;
use synfire_ops::arrange::reshape::{Extent, reshape};
use synfire_ops::perception::points_to_bev::{BevMode, points_to_bev};
use synfire_ops::pool::max_pool2d::max_pool2d;
use synfire_runtime::define::{Draft, Initial, Wire};

use super::{Config, Wiring};
use crate::blocks::{Layer, convolution, transposed_convolution};

/// The last maps as channels, oldest first: one new map and a delay line.
pub(super) fn window(config: &Config, draft: &mut Draft, cloud: Wire) -> Wire {
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
            x = convolution(draft, &layer(config, "", level, "").kernel(first).channels(width), x);
            x = convolution(draft, &layer(config, "", level, "_1").kernel(3).channels(width), x);
            x = draft.apply(max_pool2d(2), &[x]);
            if side {
                let own = layer(config, "pool", level, "").kernel(3).channels(width);
                sides.push(convolution(draft, &own, x));
            }
        });
    }
    (x, sides)
}

/// A block as the networks are built for.
fn layer(config: &Config, kind: &str, level: usize, suffix: &str) -> Layer {
    Layer::new(kind, level, suffix).mode(config.mode)
}

/// Up-samples to the size of the level above.
fn up(config: &Config, draft: &mut Draft, level: usize, x: Wire) -> Wire {
    // Stride 2 gives 2 (n - 1) + kernel cells: 2 or 3, so that the level above is met.
    let kernel = config.size_at(level - 1) - 2 * (config.size_at(level) - 1);
    let own = layer(config, "tran", level, "").kernel(kernel).stride(2);
    transposed_convolution(draft, &own.channels(config.channels(level - 1)), x)
}

/// The network with side features.
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
            let own = layer(config, "up", level, "").kernel(first).channels(width);
            let x = transposed_convolution(draft, &own, x);
            let own = layer(config, "up", level, "_1").kernel(3).channels(last);
            decoded = transposed_convolution(draft, &own, x);
        });
    }
    decoded
}

/// The network without.
fn reconstruction(config: &Config, draft: &mut Draft, maps: Wire) -> Wire {
    let (mut x, _) = encoder(config, draft, maps, false);
    for level in (1..=config.widths.len()).rev() {
        draft.scope(&format!("decoder{level}"), |draft| {
            x = up(config, draft, level, x);
            let width = if level == 1 { 1 } else { config.channels(level - 1) };
            let own = layer(config, "up", level, "").kernel(3).channels(width);
            x = transposed_convolution(draft, &own, x);
        });
    }
    x
}

/// The two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// With side features.
    Segmentation,
    /// Without.
    Reconstruction,
}

/// One network over its last maps, `f32[batch, maps, size, size]` -> `f32[batch, 1, size, size]`.
pub fn network(config: &Config, draft: &mut Draft, network: Network, maps: Wire) -> Wire {
    draft.scope("ppn", |draft| match network {
        Network::Segmentation => {
            draft.scope("segmentation", |draft| segmentation(config, draft, maps))
        }
        Network::Reconstruction => {
            draft.scope("reconstruction", |draft| reconstruction(config, draft, maps))
        }
    })
}
