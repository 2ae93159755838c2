//! Pieces that models share: a block used twice lives here.

mod convolution; // convolution, batch norm, activation

pub use convolution::{Layer, convolution, transposed_convolution};
