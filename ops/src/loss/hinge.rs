//! Hinge loss: `max(0, 1 - t * x)` for a target `t` of 1 or -1, or its square.
//!
//! # Shape
//! `x`, target `t`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by both inputs; 0 at the hinge.
//!
//! # Numerics
//! PyTorch has no such loss; this is scikit-learn's `hinge_loss` of two classes.
//!
//! # Example
//! ```
//! use synfire_ops::loss::hinge::{Power, hinge};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = hinge(&mut draft, x, target, Power::One, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::multiply;
use crate::losses::{Pointwise, Total};
use crate::pointwise::unary::{neg, relu, shift, square};
use crate::sample::Sample;

/// How a missed margin counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// As it is.
    One,
    /// Squared.
    Two,
}

/// What `x` misses of a margin of 1 on the side of a target of 1 or -1.
pub fn hinge(draft: &mut Draft, x: Wire, target: Wire, power: Power, total: Total) -> Wire {
    let margin = draft.apply(multiply(), &[x, target]);
    let missing = draft.apply(neg(), &[margin]);
    let missing = draft.apply(shift(1.0), &[missing]);
    let mut losses = draft.apply(relu(), &[missing]);
    if power == Power::Two {
        losses = draft.apply(square(), &[losses]);
    }
    total.of(draft, losses)
}

/// As every loss of pairs, at the hinge, and squared.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "hinge",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            hinge(draft, wires[0], wires[1], Power::One, total)
        },
        inputs: &[|x| x, |t| t.signum()],
        expected: |x| 0.5 * ((1.0 - x[0] * x[1]) + (1.0 - x[0] * x[1]).abs()),
    };
    let squared = Pointwise {
        name: "hinge",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            hinge(draft, wires[0], wires[1], Power::Two, total)
        },
        inputs: &[|x| x, |t| t.signum()],
        expected: |x| (1.0 - x[0] * x[1]).max(0.0).powi(2),
    };
    let mut samples = pointwise.samples();
    samples.extend(squared.samples());
    samples.push(pointwise.literal("at the hinge", &[&[1.0, -1.0, 0.0], &[1.0, -1.0, 1.0]]));
    samples.push(pointwise.mixed());
    samples
}
