//! SimpleNet: thirteen plain convolutions with slow growth of widths and late pooling.
//!
//! Source: Hasanpour et al., "Lets keep it simple: using simple architectures to outperform deeper
//! and more complex architectures", 2016, and its published networks: convolution, batch norm,
//! ReLU, dropout of 0.2 in layers 1 to 10; layers 11 and 12 are 1x1 convolutions without norm; max
//! pooling after layers 4, 7, 9, 12 and 13, in layer 7 before its norm.
//!
//! # Shape
//! `x`: `f32[batch, channel, rows, columns]` -> logits `f32[batch, classes]`. Pools round up, so
//! that 28 rows last for five of them.
//!
//! # Parameters
//! `full()`: 5.4 million; `slim()`: 310 thousand, for images of three channels.

use synfire_ops::pointwise::unary::relu;
use synfire_ops::pool::max_pool2d::max_pool2d;
use synfire_ops::random::dropout::dropout;
use synfire_ops::window::Rounding;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::random::Seed;

use crate::blocks::layer::{Start, Window, convolve, dense, flatten};
use crate::blocks::{Mode, Norm, normalise};

/// Layers that a pool follows, from 1.
const POOLED: [usize; 5] = [4, 7, 9, 12, 13];

/// The norm's published momentum of 0.95 is the part that is kept.
const NORM: Norm = Norm { epsilon: 1e-5, momentum: 0.05 };

/// The sizes of a SimpleNet.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Channels of the thirteen layers.
    pub widths: [usize; 13],
    /// How many of the five pools there are: images of 16 rows take three.
    pub pools: usize,
    /// The classes.
    pub classes: usize,
    /// The part that each dropout drops in training.
    pub dropout: f64,
    /// The key of what is dropped.
    pub seed: Seed,
}

impl Config {
    /// As published for CIFAR-10.
    #[must_use]
    pub fn full() -> Self {
        let widths = [64, 128, 128, 128, 128, 128, 256, 256, 256, 512, 2048, 256, 256];
        Self { widths, pools: 5, classes: 10, dropout: 0.2, seed: Seed(0) }
    }

    /// The published network of 310 thousand parameters.
    #[must_use]
    pub fn slim() -> Self {
        let widths = [64, 32, 32, 32, 32, 32, 64, 64, 64, 128, 256, 64, 64];
        Self { widths, ..Self::full() }
    }

    /// For tests.
    #[must_use]
    pub fn tiny() -> Self {
        Self { widths: [4; 13], ..Self::full() }
    }
}

/// The logits; layers are called `layer1` to `layer13`, and `fc`.
pub fn define(config: &Config, draft: &mut Draft, x: Wire, mode: Mode) -> Wire {
    let mut y = x;
    for number in 1..=13 {
        y = draft.scope(&format!("layer{number}"), |draft| layer(config, draft, y, number, mode));
    }
    let y = flatten(draft, y);
    dense(draft, "fc", y, config.classes, Start::Xavier)
}

fn layer(config: &Config, draft: &mut Draft, x: Wire, number: usize, mode: Mode) -> Wire {
    let is_narrow = matches!(number, 11 | 12);
    let side = if is_narrow { 1 } else { 3 };
    let window = Window { channels: config.widths[number - 1], side, stride: 1, has_bias: true };
    let start = if matches!(number, 3..=5) { Start::Normal(0.01) } else { Start::Xavier };
    let mut y = convolve(draft, "conv", x, window, start);
    let pools = POOLED.iter().take(config.pools).any(|&pooled| pooled == number);
    let pool = max_pool2d(2).rounding(Rounding::Ceiling);
    if pools && number == 7 {
        y = draft.apply(pool.clone(), &[y]);
    }
    if !is_narrow {
        y = draft.scope("bn", |draft| normalise(draft, y, NORM, mode));
    }
    y = draft.apply(relu(), &[y]);
    if pools && number != 7 {
        y = draft.apply(pool, &[y]);
    }
    if number <= 10 && mode == Mode::Train && config.dropout > 0.0 {
        y = dropout(draft, y, config.dropout, config.seed, number as u64);
    }
    y
}
