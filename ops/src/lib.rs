//! Synfire's operator catalogue: one file and one line here for each operator.
//!
//! An operator file holds, in this order: its documentation (formula, `# Shape`, `# Gradient`,
//! `# Numerics`, `# Example`), parameters and constructor, the shape rule and metadata, the host
//! kernel, the CubeCL kernel (`mod cube`), and samples. The laws in [`laws`] hold for every entry.

pub mod sample; // what an operator's samples say
pub mod laws; // what holds for every operator
pub mod coverage; // what every operator has
pub mod torch; // what an operator is called by PyTorch
pub mod onnx; // what an operator is called by ONNX
pub mod device; // accelerators through CubeCL
pub mod host; // what host kernels share

mod catalog; // the `operators!` list macro
mod reject; // how composites reject
mod require; // what shape rules demand
mod gradient; // what gradients share
pub mod differentiate; // a graph that computes gradients too
pub mod window; // parameters of convolutions and pools
pub mod marks; // what operators say to their readers
pub mod losses; // what losses share

pub use catalog::Entry;
use onnx::ONNX;
use torch::TORCH;

catalog::operators! {
    arrange: concat, split, split_like, slice, pad, crop, pad_fold, inset, reshape, reshape_like,
        transpose, expand, flip, stack, tile, roll, channel_shuffle, space_to_depth, diagonal,
        triangle, frames, overlap_add, unfold, fold;
    index: gather, index_select, index_add, embedding, scatter, scatter_reduce, one_hot, top_k,
        sort, searchsorted, masked_fill;
    route: copy, switch, merge, deal, collect, pace;
    perception: points_to_bev;
    pointwise: unary, elementary, activation, prelu, glu, finite, stop_gradient, straight_through;
    broadcast: binary, select, cast, not, combine;
    random: draw, permutation, categorical, gumbel_softmax, dropout;
    reduce: reduction, arg, extreme, variance, norm;
    scan: cumulative, linear_scan, lag, cummax;
    segment: segments, segment_ids, segment_softmax;
    sparse: coo_matmul, csr_matmul, edge_dot;
    dense: matmul, linear, conv2d, conv_transpose2d, bilinear, einsum, tensordot, outer, addmm,
        conv2d_weight, conv1d, conv3d, conv_transpose1d, conv_transpose3d;
    quantise: fake_quantise, to_bytes, from_bytes, integer_matmul, quantised_linear,
        quantised_conv2d;
    attention: attend, attend_backward, attend_composite, rotary, rotary_tables,
        multi_head_attention, sinusoid;
    linalg: solve, solve_triangular, cholesky, qr, eigh, svd, inverse, log_determinant, determinant;
    pool: max_pool2d, avg_pool2d, max_pool2d_indices, pool_scatter, window_sum, max_pool, avg_pool,
        adaptive_pool, max_unpool, lp_pool;
    normalize: softmax, batch_norm, batch_norm_reestimate, row_norm, group_norm, instance_norm,
        lp_normalise, weight_norm, local_response_norm;
    recurrent: cell, network, recurrence, tangent;
    loss: mse, l1, huber, smooth_l1, bce_with_logits, kl_div, poisson_nll, gaussian_nll,
        soft_margin, hinge, hinge_embedding, margin_ranking, bce, nll, cross_entropy, multi_margin,
        focal, dice, lovasz, cosine_similarity, cosine_embedding, triplet_margin, ctc, ctc_gradient;
    resample: resize, interpolate, grid_sample, affine_grid;
    optimise: sgd, adam;
    spectral: dft, rdft, cosine, fft, rfft, dct, stft;
}
