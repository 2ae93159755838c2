//! What operators say about themselves to those that read them: the marks of this catalogue.
//!
//! A mark is a formula, not a name: whoever computes the same may lay it, a user's operator too,
//! and is then a part of every form that asks for it (see [`synfire_runtime::mark`]).

/// The product of matrices of inputs 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Whether each operand is taken with rows and columns exchanged.
    pub is_transposed: [bool; 2],
}

/// `y = slope * x + offset`, element by element. Of slope 0, `y` is the offset for any `x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// What `x` is multiplied by.
    pub slope: f64,
    /// What is added.
    pub offset: f64,
}

/// The sum of inputs 0 and 1, broadcast to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum;

/// Input 1 where input 0 is true, else input 2, broadcast to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice;

/// `y = exp(x) / sum exp(x)` along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The axis.
    pub axis: usize,
}

/// Axis `k` of the output is axis `order[k]` of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order(
    /// The order.
    pub Vec<usize>,
);
