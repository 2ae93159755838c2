//! names
use crate::torch::Torch;
/// PyTorch's names.
pub const TORCH: &[Torch] = &[];
