//! Dice loss: `1 - (2 * sum p * t + s) / (sum p + sum t + s)` for each class, the sums over all
//! items and places, then the mean over the classes: how little prediction and target overlap.
//! Milletari, Navab and Ahmadi, "V-Net: fully convolutional neural networks for volumetric medical
//! image segmentation", 2016.
//!
//! # Shape
//! `probability`, target: `f32` or `f64`, broadcast to each other, the classes along an axis -> a
//! scalar, or `[class]`.
//!
//! # Gradient
//! That of its parts, by both inputs.
//!
//! # Numerics
//! `smooth` is added to both sides of the quotient; with 0 a class that neither has is NaN. PyTorch
//! has no such loss.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::dice::dice, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [p, t] = ["p", "t"].map(|name| draft.feed(name, Spec::f32([2, 20, 64, 64])));
//! let loss = dice(&mut draft, [p, t], 1, 1.0, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{add, divide, multiply};
use crate::losses::Total;
use crate::pointwise::unary::{neg, scale, shift};
use crate::reduce::reduction::{Keep, sum};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};

/// How little the distributions `probability` and `target` of classes along `axis` overlap; `Each`
/// leaves the classes apart.
pub fn dice(
    draft: &mut Draft,
    [probability, target]: [Wire; 2],
    axis: usize,
    smooth: f64,
    total: Total,
) -> Wire {
    let products = draft.apply(multiply(), &[probability, target]);
    let both = draft.apply(add(), &[probability, target]);
    let [overlap, size] = [products, both].map(|wire| {
        let rank = draft.spec(wire).map_or(0, Spec::rank);
        let axes: Vec<usize> = (0..rank).filter(|&other| other != axis).collect();
        draft.apply(sum(&axes, Keep::Nothing), &[wire])
    });
    let overlap = draft.apply(scale(2.0), &[overlap]);
    let [overlap, size] = [overlap, size].map(|wire| draft.apply(shift(smooth), &[wire]));
    let score = draft.apply(divide(), &[overlap, size]);
    let losses = draft.apply(neg(), &[score]);
    let losses = draft.apply(shift(1.0), &[losses]);
    total.of(draft, losses)
}

/// Each total, images, other axes, a bounded batch; other extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |axis: usize, total: Total| {
        move |draft: &mut Draft, wires: &[Wire]| {
            vec![dice(draft, [wires[0], wires[1]], axis, 0.5, total)]
        }
    };
    let case = |name: &str, x: &[usize], axis: usize, total: Total| {
        let expect = reference(move |inputs| vec![total.of_tensor(by_definition(inputs, axis))]);
        let inputs = [1, 2].map(|key| {
            let positive = noise(key, x).elements::<f32>().into_iter().map(f32::abs);
            Value::new(x, &positive.collect::<Vec<_>>())
        });
        Sample::composite(name, "dice", build(axis, total), inputs.to_vec(), expect)
    };
    let bounded = vec![bounded_first(Element::F32, 9, &[3]); 2];
    let specs = vec![Spec::f32([3, 2]), Spec::f32([3, 4])];
    vec![
        case("apart", &[5, 7], 1, Total::Each),
        case("image", &[2, 3, 5, 2], 1, Total::Mean),
        case("last axis", &[5, 3], 1, Total::Sum),
        case("one class", &[5, 1], 1, Total::Mean),
        case("bounded", &[4, 3], 1, Total::Mean).with_specs(bounded),
        Sample::composite_rejected("mismatch", "dice", build(1, Total::Mean), specs),
    ]
}

/// Class by class.
fn by_definition(inputs: &[Tensor], axis: usize) -> Tensor {
    let (p, t) = (&inputs[0], &inputs[1]);
    Tensor::from_fn(&[p.extents[axis]], |class| {
        let mut sums = [0.0; 2];
        let _ = Tensor::from_fn(&p.extents, |at| {
            if at[axis] == class[0] {
                sums[0] += 2.0 * p.at(at) * t.at(at);
                sums[1] += p.at(at) + t.at(at);
            }
            0.0
        });
        1.0 - (sums[0] + 0.5) / (sums[1] + 0.5)
    })
}
