//! A multilayer perceptron: fully connected layers with ReLU between.
//!
//! # Shape
//! `x`: `f32[batch, ...]`, flattened -> logits `f32[batch, classes]`.
//!
//! # Parameters
//! `mnist()`: 784-512-256-10, 535,818.

use synfire_ops::pointwise::unary::relu;
use synfire_runtime::define::{Draft, Wire};

use crate::blocks::layer::{Start, dense, flatten};

/// The sizes of the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Outputs of each layer, the classes last.
    pub widths: Vec<usize>,
    /// The first weights.
    pub start: Start,
}

impl Config {
    /// For handwritten digits.
    #[must_use]
    pub fn mnist() -> Self {
        Self { widths: vec![512, 256, 10], start: Start::He }
    }

    /// For tests.
    #[must_use]
    pub fn tiny() -> Self {
        Self { widths: vec![16, 10], ..Self::mnist() }
    }
}

/// The logits; layers are called `fc1`, `fc2`, and so on.
pub fn define(config: &Config, draft: &mut Draft, x: Wire) -> Wire {
    let mut y = flatten(draft, x);
    for (index, &width) in config.widths.iter().enumerate() {
        y = dense(draft, &format!("fc{}", index + 1), y, width, config.start);
        if index + 1 < config.widths.len() {
            y = draft.apply(relu(), &[y]);
        }
    }
    y
}
