//! Pieces that models share: a block used twice lives here.

pub mod initial; // first values of weights
mod convolution; // convolution, batch norm, activation

pub use convolution::{Layer, convolution, transposed_convolution};
