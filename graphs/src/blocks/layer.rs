//! Layers with their parameters, `NAME/weight` and `NAME/bias`, in PyTorch's shapes.

use synfire_ops::arrange::reshape::{Extent, reshape};
use synfire_ops::dense::conv2d::conv2d;
use synfire_ops::dense::linear::linear;
use synfire_ops::reduce::reduction::{Keep, mean};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::Spec;

use super::initial::{Fan, Nonlinearity, kaiming_normal, xavier_uniform};

/// The first weights of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// [`kaiming_normal`] for ReLU.
    He,
    /// [`xavier_uniform`].
    Xavier,
    /// Normal with this deviation.
    Normal(f64),
}

impl Start {
    fn initial(self, extents: &[usize]) -> Initial {
        match self {
            Self::He => kaiming_normal(extents, Fan::In, Nonlinearity::Relu),
            Self::Xavier => xavier_uniform(extents, 1.0),
            Self::Normal(deviation) => Initial::Normal { deviation },
        }
    }
}

/// Axis 1 of `x`; 1 when `x` is faulty.
fn features(draft: &Draft, x: Wire) -> usize {
    draft.spec(x).filter(|spec| spec.rank() > 1).map_or(1, |spec| spec.bound(1))
}

/// A fully connected layer with bias: `f32[batch, from]` -> `f32[batch, to]`.
pub fn dense(draft: &mut Draft, name: &str, x: Wire, to: usize, start: Start) -> Wire {
    let from = features(draft, x);
    draft.scope(name, |draft| {
        let weight = draft.parameter("weight", Spec::f32([to, from]), start.initial(&[to, from]));
        let bias = draft.parameter("bias", Spec::f32([to]), Initial::Zeros);
        draft.apply(linear().bias(), &[x, weight, bias])
    })
}

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Output channels.
    pub channels: usize,
    /// Side of the kernel.
    pub side: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Whether a bias is added; none where a norm follows.
    pub has_bias: bool,
}

/// A convolution that keeps the size at stride 1: `f32[batch, from, rows, columns]`.
pub fn convolve(draft: &mut Draft, name: &str, x: Wire, window: Window, start: Start) -> Wire {
    let Window { channels, side, stride, has_bias } = window;
    let from = features(draft, x);
    let extents = [channels, from, side, side];
    draft.scope(name, |draft| {
        let weight = draft.parameter("weight", Spec::f32(extents), start.initial(&extents));
        let operator = conv2d().stride(stride).padding(side / 2);
        if !has_bias {
            return draft.apply(operator, &[x, weight]);
        }
        let bias = draft.parameter("bias", Spec::f32([channels]), Initial::Zeros);
        draft.apply(operator.bias(), &[x, weight, bias])
    })
}

/// All axes behind the first as one.
pub fn flatten(draft: &mut Draft, x: Wire) -> Wire {
    let batch = draft.spec(x).filter(|spec| spec.rank() > 0).map_or(1, |spec| spec.bound(0));
    draft.apply(reshape(&[Extent::Is(batch), Extent::Infer]), &[x])
}

/// The mean over rows and columns: `f32[batch, channel, rows, columns]` -> `f32[batch, channel]`.
pub fn global_average(draft: &mut Draft, x: Wire) -> Wire {
    draft.apply(mean(&[2, 3], Keep::Nothing), &[x])
}
