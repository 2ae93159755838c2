//! First values: what parameters and delays begin with.

use std::sync::Arc;

use crate::value::Value;

/// The first value of a parameter or of a delay.
#[derive(Clone, Debug, PartialEq)]
pub enum Initial {
    /// Every element zero.
    Zeros,
    /// Every element this number.
    Constant(f64),
    /// Uniform in `-bound..bound`, keyed by seed and path.
    Uniform {
        /// The largest magnitude.
        bound: f64,
    },
    /// Normal with mean zero, keyed by seed and path.
    Normal {
        /// The standard deviation.
        deviation: f64,
    },
    /// Normal with mean zero, without what lies beyond a bound; keyed by seed and path.
    TruncatedNormal {
        /// The standard deviation before it is cut; what is left has a smaller one.
        deviation: f64,
        /// The largest magnitude; more than six deviations are as six.
        bound: f64,
    },
    /// A matrix with orthonormal rows, or columns where there are more rows, all such matrices
    /// alike; keyed by seed and path. The first axis counts rows, all others together columns.
    Orthogonal {
        /// What it is multiplied by.
        gain: f64,
    },
    /// Exactly this value.
    Value(Arc<Value>),
    /// No value: what depends on it gives null. Not for parameters.
    Null,
}
