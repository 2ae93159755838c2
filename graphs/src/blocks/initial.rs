//! First values of weights, by the rules that training papers name.
//!
//! Each gives an [`Initial`], drawn at launch from the run's seed and the path of the parameter.
//! [`critical`] derives variances from the activation itself, for networks that are deep.
//!
//! # Example
//! ```
//! use synfire::blocks::initial::{Fan, Nonlinearity, kaiming_normal};
//! use synfire::prelude::*;
//!
//! let mut draft = Draft::new();
//! let extents = [64, 32, 3, 3];
//! let first = kaiming_normal(&extents, Fan::In, Nonlinearity::Relu);
//! let Initial::Normal { deviation } = first else { unreachable!("it is normal") };
//! assert!((deviation - 1.0 / 12.0).abs() < 1e-12); // sqrt(2 / 288)
//! let weight = draft.parameter("weight", Spec::f32(extents), first);
//! # assert!(draft.spec(weight).is_some());
//! ```

mod criticality; // variances at which deep networks neither explode nor vanish

pub use criticality::{Critical, CriticalError, Kernels, critical};

use synfire_runtime::define::Initial;

/// How many inputs an output of a layer has, and outputs an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// Inputs that each output reads.
    pub inputs: usize,
    /// Outputs that each input reaches.
    pub outputs: usize,
}

impl Fans {
    /// Of a weight `[out, in, ...]`, where the axes behind are a window: `linear` and `conv`. Of
    /// fewer than two axes both are the number of elements. A transposed convolution has
    /// `[in, out, ...]`: see [`Fans::transposed`].
    #[must_use]
    pub fn of(extents: &[usize]) -> Self {
        match *extents {
            [outputs, inputs, ref window @ ..] => {
                let window: usize = window.iter().product();
                Self { inputs: (inputs * window).max(1), outputs: (outputs * window).max(1) }
            }
            _ => {
                let elements = extents.iter().product::<usize>().max(1);
                Self { inputs: elements, outputs: elements }
            }
        }
    }

    /// Inputs and outputs exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { inputs: self.outputs, outputs: self.inputs }
    }

    fn side(self, fan: Fan) -> f64 {
        match fan {
            Fan::In => self.inputs as f64,
            Fan::Out => self.outputs as f64,
        }
    }
}

/// Which of the [`Fans`] sets the variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// The variance of activations stays from layer to layer.
    In,
    /// The variance of gradients stays.
    Out,
}

/// What follows a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing.
    Linear,
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// Zero below zero.
    Relu,
    /// Another slope below zero.
    LeakyRelu {
        /// The slope.
        slope: f64,
    },
    /// The self-normalising one.
    Selu,
}

impl Nonlinearity {
    /// The factor on the standard deviation that makes up for it, as PyTorch has it.
    #[must_use]
    pub fn gain(self) -> f64 {
        match self {
            Self::Linear | Self::Sigmoid => 1.0,
            Self::Tanh => 5.0 / 3.0,
            Self::Relu => std::f64::consts::SQRT_2,
            Self::LeakyRelu { slope } => (2.0 / (1.0 + slope * slope)).sqrt(),
            Self::Selu => 0.75,
        }
    }
}

/// Normal, of deviation `gain / sqrt(fan)`. He et al., "Delving deep into rectifiers", 2015.
#[must_use]
pub fn kaiming_normal(extents: &[usize], fan: Fan, nonlinearity: Nonlinearity) -> Initial {
    Initial::Normal { deviation: nonlinearity.gain() / Fans::of(extents).side(fan).sqrt() }
}

/// Uniform, of the same deviation.
#[must_use]
pub fn kaiming_uniform(extents: &[usize], fan: Fan, nonlinearity: Nonlinearity) -> Initial {
    let deviation = nonlinearity.gain() / Fans::of(extents).side(fan).sqrt();
    Initial::Uniform { bound: 3.0_f64.sqrt() * deviation }
}

/// Normal, of variance `2 gain^2 / (inputs + outputs)`. Glorot and Bengio, "Understanding the
/// difficulty of training deep feedforward neural networks", 2010.
#[must_use]
pub fn xavier_normal(extents: &[usize], gain: f64) -> Initial {
    Initial::Normal { deviation: xavier_deviation(extents, gain) }
}

/// Uniform, of the same variance.
#[must_use]
pub fn xavier_uniform(extents: &[usize], gain: f64) -> Initial {
    Initial::Uniform { bound: 3.0_f64.sqrt() * xavier_deviation(extents, gain) }
}

fn xavier_deviation(extents: &[usize], gain: f64) -> f64 {
    let Fans { inputs, outputs } = Fans::of(extents);
    gain * (2.0 / (inputs + outputs) as f64).sqrt()
}

/// `gain` times a matrix with orthonormal rows, or columns where it has more rows: the first axis
/// against all others. Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of
/// learning in deep linear neural networks", 2014.
#[must_use]
pub fn orthogonal(gain: f64) -> Initial {
    Initial::Orthogonal { gain }
}

/// Normal of this deviation, without what is larger than `bound`: the deviation of what stays is
/// smaller.
#[must_use]
pub fn truncated_normal(deviation: f64, bound: f64) -> Initial {
    Initial::TruncatedNormal { deviation, bound }
}

#[cfg(test)]
mod tests;
