//! Convolution, batch norm and leaky ReLU: the block of PPN, in its names.

use synfire_ops::dense::conv_transpose2d::conv_transpose2d;
use synfire_ops::dense::conv2d::conv2d;
use synfire_ops::pointwise::unary::leaky_relu;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::Spec;

use super::batch_norm::{Mode, Norm, normalise};

/// The slope of the activation below zero.
const SLOPE: f64 = 0.01;

/// Names and sizes of one block.
#[derive(Clone, Debug)]
pub struct Layer {
    convolution: String,
    norm: String,
    channels: usize,
    kernel: usize,
    stride: usize,
    mode: Mode,
}

impl Layer {
    /// A block whose parameters are `{kind}conv{level}{suffix}` and `{kind}bn{level}{suffix}`.
    #[must_use]
    pub fn new(kind: &str, level: usize, suffix: &str) -> Self {
        Self {
            convolution: format!("{kind}conv{level}{suffix}"),
            norm: format!("{kind}bn{level}{suffix}"),
            channels: 1,
            kernel: 1,
            stride: 1,
            mode: Mode::Evaluate,
        }
    }

    /// Sets the output channels.
    #[must_use]
    pub fn channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self
    }

    /// Sets the side of the kernel.
    #[must_use]
    pub fn kernel(mut self, kernel: usize) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the stride.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// Sets what it is built for.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Padding that keeps the size at stride 1; none when the size is to grow.
    fn padding(&self) -> usize {
        if self.stride == 1 { self.kernel / 2 } else { 0 }
    }

    /// Weight and bias, the weight normal with He's deviation (He et al., 2015).
    fn parameters(&self, draft: &mut Draft, extents: [usize; 4], fan_in: usize) -> [Wire; 2] {
        let deviation = (2.0 / fan_in as f64).sqrt();
        let weight = Spec::f32(extents);
        [
            draft.parameter("weight", weight, Initial::Normal { deviation }),
            draft.parameter("bias", Spec::f32([self.channels]), Initial::Zeros),
        ]
    }

    fn normalise(&self, draft: &mut Draft, x: Wire) -> Wire {
        let norm = Norm::default();
        let normal = draft.scope(&self.norm, |draft| normalise(draft, x, norm, self.mode));
        draft.apply(leaky_relu(SLOPE), &[normal])
    }
}

/// The channels of `x`, `[batch, channel, row, column]`; 1 when `x` is faulty.
fn channels(draft: &Draft, x: Wire) -> usize {
    draft.spec(x).filter(|spec| spec.rank() == 4).map_or(1, |spec| spec.bound(1))
}

/// Convolution of the same size, norm, activation.
pub fn convolution(draft: &mut Draft, layer: &Layer, x: Wire) -> Wire {
    let from = channels(draft, x);
    let y = draft.scope(&layer.convolution, |draft| {
        let side = layer.kernel;
        let fan_in = from * side * side;
        let [weight, bias] = layer.parameters(draft, [layer.channels, from, side, side], fan_in);
        let window = conv2d().stride(layer.stride).padding(layer.padding()).bias();
        draft.apply(window, &[x, weight, bias])
    });
    layer.normalise(draft, y)
}

/// Transposed convolution, norm, activation: the same size at stride 1, larger at stride 2.
pub fn transposed_convolution(draft: &mut Draft, layer: &Layer, x: Wire) -> Wire {
    let from = channels(draft, x);
    let y = draft.scope(&layer.convolution, |draft| {
        let side = layer.kernel;
        // At stride s an output sees about kernel^2 / s^2 inputs of each channel.
        let fan_in = (from * side * side / (layer.stride * layer.stride)).max(1);
        let [weight, bias] = layer.parameters(draft, [from, layer.channels, side, side], fan_in);
        let window = conv_transpose2d().stride(layer.stride).padding(layer.padding()).bias();
        draft.apply(window, &[x, weight, bias])
    });
    layer.normalise(draft, y)
}
