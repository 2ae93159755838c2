//! A residual network for small images.
//!
//! Source: He et al., "Deep residual learning for image recognition", 2016, section 4.2: a 3x3
//! stem, three stages of basic blocks whose widths double while rows and columns halve, a global
//! average, a fully connected layer. A block that changes its size passes its input through a 1x1
//! convolution with norm.
//!
//! # Shape
//! `x`: `f32[batch, channel, rows, columns]` -> logits `f32[batch, classes]`.
//!
//! # Parameters
//! `mnist()`: two blocks in a stage of 16, 32, 64 channels, 174,970 for images of one channel,
//! running statistics not counted.

use synfire_ops::broadcast::binary::add;
use synfire_ops::pointwise::unary::relu;
use synfire_runtime::define::{Draft, Wire};

use crate::blocks::layer::{Start, Window, convolve, dense, global_average};
use crate::blocks::{Mode, Norm, normalise};

/// The sizes of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Channels of each stage.
    pub widths: Vec<usize>,
    /// Blocks of each stage.
    pub blocks: usize,
    /// The classes.
    pub classes: usize,
}

impl Config {
    /// For handwritten digits.
    #[must_use]
    pub fn mnist() -> Self {
        Self { widths: vec![16, 32, 64], blocks: 2, classes: 10 }
    }

    /// For tests.
    #[must_use]
    pub fn tiny() -> Self {
        Self { widths: vec![4, 8], blocks: 1, classes: 10 }
    }
}

/// The logits.
pub fn define(config: &Config, draft: &mut Draft, x: Wire, mode: Mode) -> Wire {
    let stem = config.widths.first().copied().unwrap_or(1);
    let y = unit(draft, "stem", x, (stem, 3, 1), mode);
    let mut y = draft.apply(relu(), &[y]);
    for (stage, &channels) in config.widths.iter().enumerate() {
        for block in 0..config.blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let name = format!("stage{}/block{}", stage + 1, block + 1);
            y = draft.scope(&name, |draft| basic(draft, y, (channels, stride), mode));
        }
    }
    let y = global_average(draft, y);
    dense(draft, "fc", y, config.classes, Start::Xavier)
}

/// Two convolutions, and the input added to what they give.
fn basic(draft: &mut Draft, x: Wire, (channels, stride): (usize, usize), mode: Mode) -> Wire {
    let y = unit(draft, "unit1", x, (channels, 3, stride), mode);
    let y = draft.apply(relu(), &[y]);
    let y = unit(draft, "unit2", y, (channels, 3, 1), mode);
    let same = draft.spec(x) == draft.spec(y);
    let skip = if same { x } else { unit(draft, "skip", x, (channels, 1, stride), mode) };
    let sum = draft.apply(add(), &[y, skip]);
    draft.apply(relu(), &[sum])
}

/// Convolution and norm.
fn unit(
    draft: &mut Draft,
    name: &str,
    x: Wire,
    (channels, side, stride): (usize, usize, usize),
    mode: Mode,
) -> Wire {
    draft.scope(name, |draft| {
        let window = Window { channels, side, stride, has_bias: false };
        let y = convolve(draft, "conv", x, window, Start::He);
        draft.scope("bn", |draft| normalise(draft, y, Norm::default(), mode))
    })
}
