//! Synfire's operator catalogue: one file and one line here for each operator.
//!
//! An operator file holds, in this order: its documentation (formula, `# Shape`, `# Gradient`,
//! `# Numerics`, `# Example`), parameters and constructor, the shape rule and metadata, the host
//! kernel, the CubeCL kernel (`mod cube`), and samples. The laws in [`laws`] hold for every entry.

pub mod sample; // what an operator's samples say
pub mod laws; // what holds for every operator
pub mod coverage; // what every operator has
pub mod torch; // what an operator is called by PyTorch
pub mod device; // accelerators through CubeCL
pub mod host; // what host kernels share

mod catalog; // the `operators!` list macro
mod reject; // how composites reject
mod require; // what shape rules demand
mod gradient; // what gradients share
pub mod differentiate; // a graph that computes gradients too
pub mod window; // parameters of convolutions and pools

pub use catalog::Entry;

catalog::operators! {
    arrange: concat, split, split_like, slice, pad, crop, pad_fold, inset, reshape, reshape_like,
        transpose, expand, flip, stack;
    index: gather, index_select, index_add, scatter, one_hot;
    route: copy, switch, merge, deal, collect, pace;
    perception: points_to_bev;
    pointwise: unary, elementary, activation;
    broadcast: binary, select, cast;
    reduce: reduction, arg, extreme;
    scan: cumulative, linear_scan, lag;
    dense: matmul, linear, conv2d, conv_transpose2d, bilinear, einsum, outer, addmm, conv2d_weight;
    pool: max_pool2d, avg_pool2d;
    normalize: softmax, batch_norm, batch_norm_reestimate, row_norm, group_norm, instance_norm,
        lp_normalise, weight_norm, local_response_norm;
    resample: resize, interpolate;
}
