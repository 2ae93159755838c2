//! A small convolutional network: two convolutions with pooling, two fully connected layers.
//!
//! # Shape
//! `x`: `f32[batch, channel, rows, columns]`, rows and columns at least 4 -> logits
//! `f32[batch, classes]`.
//!
//! # Parameters
//! `mnist()`: 32-64-128-10, 421,642.

use synfire_ops::pointwise::unary::relu;
use synfire_ops::pool::max_pool2d::max_pool2d;
use synfire_ops::random::dropout::dropout;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::random::Seed;

use crate::blocks::Mode;
use crate::blocks::layer::{Start, Window, convolve, dense, flatten};

/// The sizes of the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Channels of each convolution.
    pub channels: Vec<usize>,
    /// Outputs of the hidden layer.
    pub hidden: usize,
    /// The classes.
    pub classes: usize,
    /// The part of the hidden layer that is dropped in training.
    pub dropout: f64,
    /// The key of what is dropped.
    pub seed: Seed,
}

impl Config {
    /// For handwritten digits.
    #[must_use]
    pub fn mnist() -> Self {
        let channels = vec![32, 64];
        Self { channels, hidden: 128, classes: 10, dropout: 0.25, seed: Seed(0) }
    }

    /// For tests.
    #[must_use]
    pub fn tiny() -> Self {
        Self { channels: vec![4, 8], hidden: 16, ..Self::mnist() }
    }
}

/// The logits; layers are called `conv1`, `conv2`, `fc1`, `fc2`.
pub fn define(config: &Config, draft: &mut Draft, x: Wire, mode: Mode) -> Wire {
    let mut y = x;
    for (index, &channels) in config.channels.iter().enumerate() {
        let window = Window { channels, side: 3, stride: 1, has_bias: true };
        y = convolve(draft, &format!("conv{}", index + 1), y, window, Start::He);
        y = draft.apply(relu(), &[y]);
        y = draft.apply(max_pool2d(2), &[y]);
    }
    let y = flatten(draft, y);
    let y = dense(draft, "fc1", y, config.hidden, Start::He);
    let mut y = draft.apply(relu(), &[y]);
    if mode == Mode::Train && config.dropout > 0.0 {
        y = dropout(draft, y, config.dropout, config.seed, 1);
    }
    dense(draft, "fc2", y, config.classes, Start::Xavier)
}
