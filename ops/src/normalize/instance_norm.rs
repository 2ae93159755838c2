//! Instance normalisation: each channel of each batch item has mean 0 and variance 1, then its own
//! factor and offset: [`group_norm`] with a group for each channel. Ulyanov, Vedaldi and Lempitsky,
//! "Instance normalization: the missing ingredient for fast stylization", 2016.
//!
//! # Shape
//! `x`: `[batch, channel, ..]`, `f32` or `f64`, the channels fixed, at most one dimension bounded;
//! `weight`, `bias`: `[channel]` -> `y`: as `x`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As PyTorch's `instance_norm` with the statistics of the input; with learnt ones it is
//! [`batch_norm`](super::batch_norm). A channel of one number gives its offset, where PyTorch
//! complains.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::instance_norm::instance_norm;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 6, 5, 5]));
//! let y = instance_norm(&mut draft, x, [None, None], 1e-5);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::group_norm::group_norm;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("instance_norm", |case| {
    let by_input = case.flag("use_input_stats", true)?;
    if !by_input {
        return learnt(case);
    }
    let x = case.operand(&["x", "input"])?;
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-5)?;
    let affine = [case.weight(), case.bias()];
    Ok(vec![instance_norm(case, x, affine, epsilon)])
})];

/// With the running numbers it is a batch norm.
fn learnt(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let y = super::batch_norm::TORCH[0].1(case)?;
    Ok(y[..1].to_vec())
}

/// Channels of each batch item with mean 0 and variance 1, by weight and bias where they are given.
/// `epsilon` is added to the variances.
pub fn instance_norm(draft: &mut Draft, x: Wire, affine: [Option<Wire>; 2], epsilon: f64) -> Wire {
    let channels = draft.spec(x).and_then(|spec| spec.dimensions.get(1));
    let channels = channels.map_or(1, |channels| channels.bound());
    group_norm(draft, x, affine, channels, epsilon)
}

/// Images, series, one number, a bounded batch; no channels at all.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: &[usize]| {
        let inputs = vec![noise(1, x), noise(2, &[x[1]]), noise(3, &[x[1]])];
        let build = |draft: &mut Draft, wires: &[Wire]| {
            vec![instance_norm(draft, wires[0], [Some(wires[1]), Some(wires[2])], 1e-3)]
        };
        let expect = reference(|inputs| vec![by_definition(inputs)]);
        Sample::composite(name, "instance_norm", build, inputs, expect)
    };
    let bounded = vec![bounded_first(Element::F32, 7, &[3, 5]), Spec::f32([3]), Spec::f32([3])];
    let build = |draft: &mut Draft, wires: &[Wire]| {
        vec![instance_norm(draft, wires[0], [None, None], 1e-3)]
    };
    vec![
        case("image", &[2, 3, 5, 7]),
        case("series", &[3, 5, 11]),
        case("one number", &[2, 3, 1]),
        case("bounded batch", &[4, 3, 5]).with_specs(bounded),
        Sample::composite_rejected("one axis", "instance_norm", build, vec![Spec::f32([2])]),
    ]
}

/// Channel by channel.
fn by_definition(inputs: &[Tensor]) -> Tensor {
    let x = &inputs[0];
    let inner: usize = x.extents[2..].iter().product();
    let channels = x.data.chunks(inner).enumerate();
    let normal = channels.flat_map(|(index, channel)| {
        let index = index % x.extents[1];
        let mean = channel.iter().sum::<f64>() / inner as f64;
        let squares = channel.iter().map(|x| x * x).sum::<f64>() / inner as f64;
        let slope = inputs[1].data[index] / (squares - mean * mean + 1e-3).sqrt();
        let bias = inputs[2].data[index];
        channel.iter().map(move |x| (x - mean) * slope + bias).collect::<Vec<_>>()
    });
    Tensor::new(&x.extents, normal.collect())
}
