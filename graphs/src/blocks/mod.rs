//! Pieces that models share: a block used twice lives here.

pub mod edge; // edges of maps
pub mod initial; // first values of weights
pub mod layer; // one layer with its parameters
mod batch_norm; // for training and evaluation
mod precision; // floats of 16 bits
mod convolution; // convolution, batch norm, activation

pub use batch_norm::{Mode, Norm, normalise};
pub use convolution::{Layer, convolution, transposed_convolution};
pub use precision::Precision;
pub(crate) use precision::as_element;
