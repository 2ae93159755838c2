//! Edges of maps: the magnitude of Sobel's two derivatives, which has a gradient everywhere.

use std::sync::Arc;

use synfire_ops::broadcast::binary::multiply;
use synfire_ops::dense::conv2d::conv2d;
use synfire_ops::pointwise::unary::{shift, sqrt};
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

/// Both of Sobel's kernels over 8, so that a step from 0 to 1 gives 0.5 beside it: across, down.
const KERNELS: [f32; 18] = [
    -0.125, 0.0, 0.125, -0.25, 0.0, 0.25, -0.125, 0.0, 0.125, //
    -0.125, -0.25, -0.125, 0.0, 0.0, 0.0, 0.125, 0.25, 0.125,
];

/// What is added below the root, so that flat ground has a gradient too.
const EPSILON: f64 = 1e-6;

/// `sqrt(across^2 + down^2 + 1e-6)` of maps: `f32[batch, 1, rows, columns]`, zeros around. Its
/// kernels are the constant `edges/NAME/sobel`.
pub fn edges(draft: &mut Draft, name: &str, map: Wire) -> Wire {
    draft.scope(&format!("edges/{name}"), |draft| {
        let kernels = Arc::new(Value::new(&[2, 1, 3, 3], &KERNELS));
        let kernels = draft.parameter("sobel", Spec::f32([2, 1, 3, 3]), Initial::Value(kernels));
        let slopes = draft.apply(conv2d().padding(1), &[map, kernels]);
        let squares = draft.apply(multiply(), &[slopes, slopes]);
        let total = draft.apply(sum(&[1], Keep::Axes), &[squares]);
        let total = draft.apply(shift(EPSILON), &[total]);
        draft.apply(sqrt(), &[total])
    })
}
