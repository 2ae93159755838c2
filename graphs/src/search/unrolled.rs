//! The hypergradient of one unrolled step: how validation changes with the architecture when the
//! weights take one step of their training first.
//!
//! Liu, Simonyan and Yang, "DARTS: differentiable architecture search", 2019, equations 6 to 8:
//!
//! ```text
//! w'   = w - xi (momentum velocity + grad_w L_train(w, alpha) + decay w)
//! v    = grad_w' L_val(w', alpha)
//! w+-  = w +- epsilon v,   epsilon = 0.01 / |v|
//! grad = grad_alpha L_val(w', alpha)
//!        - xi (grad_alpha L_train(w+, alpha) - grad_alpha L_train(w-, alpha)) / (2 epsilon)
//! ```
//!
//! Four calls of the model: with `w`, `w'`, `w+` and `w-` as its weights. The second term is the
//! product of `v` with the mixed second derivative, by central differences; the difference is exact
//! where the training loss is quadratic.

use synfire_ops::broadcast::binary::{add, multiply, subtract};
use synfire_ops::broadcast::cast::cast;
use synfire_ops::differentiate::gradients;
use synfire_ops::pointwise::stop_gradient::stop_gradient;
use synfire_ops::pointwise::unary::{clamp, fill, recip, scale, sqrt, square};
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::bilevel::Bilevel;

/// How far the weights are moved along `v`, as a vector: `epsilon |v|`.
const DISTANCE: f64 = 0.01;

/// `|v|` counts as at least this, so that a validation loss at its minimum gives no NaN.
const NORM_MIN: f64 = 1e-12;

/// How the weights are thought to follow the architecture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unroll {
    /// `xi`, the length of the step; the rate of the weights' own step where it is not said.
    pub xi: Option<f64>,
    /// The part of the velocity in the step: the momentum of the weights' optimiser. One without a
    /// velocity counts as one whose velocity is zero.
    pub momentum: f64,
    /// The part of the weight in the step: the decay of the weights' optimiser.
    pub weight_decay: f64,
}

impl Default for Unroll {
    /// A plain step of gradient descent at the weights' own rate.
    fn default() -> Self {
        Self { xi: None, momentum: 0.0, weight_decay: 0.0 }
    }
}

/// The step of the weights that is looked ahead.
pub struct Inner {
    /// How it is taken.
    pub unroll: Unroll,
    /// The rate of the weights' own step, a scalar.
    pub rate: Wire,
    /// The velocity of each weight, where there is one.
    pub velocities: Vec<Option<Wire>>,
}

/// Adds the hypergradient; the validation loss at `w'`, and the gradient by each of the
/// architecture's wires.
pub fn hypergradient(draft: &mut Draft, own: &Bilevel<'_>, inner: &Inner) -> (Wire, Vec<Wire>) {
    let loss = |draft: &mut Draft, batch: &[Wire], weights: &[Wire]| {
        own.supernet.loss(draft, batch, weights, own.alphas)
    };
    let ahead = draft.scope("ahead", |draft| {
        let loss = loss(draft, own.training, own.weights);
        let slopes = gradients(draft, loss, own.weights);
        let xi = inner.xi(draft);
        let step = |place: usize| {
            let weight = own.weights[place];
            let slope = or_zeros(draft, slopes[place], weight);
            inner.step(draft, xi, place, [weight, slope])
        };
        (0..own.weights.len()).map(step).collect::<Vec<Wire>>()
    });
    let validation = draft.scope("validation", |draft| loss(draft, own.validation, &ahead));
    let by: Vec<Wire> = ahead.iter().chain(own.alphas).copied().collect();
    let slopes = gradients(draft, validation, &by);
    let mut slopes: Vec<Wire> =
        slopes.iter().zip(&by).map(|(&slope, &of)| or_zeros(draft, slope, of)).collect();
    let direct = slopes.split_off(ahead.len());
    let direction = slopes;

    let norm = draft.scope("norm", |draft| norm(draft, &direction, inner.rate));
    let epsilon = draft.apply(recip(), &[norm]);
    let epsilon = draft.apply(scale(DISTANCE), &[epsilon]);
    let mut side = |name: &str, sign: f64| {
        draft.scope(name, |draft| {
            let length = draft.apply(scale(sign), &[epsilon]);
            let moved = own.weights.iter().zip(&direction);
            let moved: Vec<Wire> = moved.map(|(&w, &v)| along(draft, w, length, v)).collect();
            let loss = loss(draft, own.training, &moved);
            gradients(draft, loss, own.alphas)
        })
    };
    let sides = [side("plus", 1.0), side("minus", -1.0)];
    draft.scope("indirect", |draft| {
        let xi = inner.xi(draft);
        // xi / (2 epsilon).
        let factor = in_type_of(draft, norm, xi);
        let factor = draft.apply(multiply(), &[factor, norm]);
        let factor = draft.apply(scale(0.5 / DISTANCE), &[factor]);
        let total = |(place, &direct): (usize, &Wire)| {
            let alpha = own.alphas[place];
            let [plus, minus] =
                [0, 1].map(|side: usize| or_zeros(draft, sides[side][place], alpha));
            let apart = draft.apply(subtract(), &[plus, minus]);
            let factor = in_type_of(draft, alpha, factor);
            let indirect = draft.apply(multiply(), &[apart, factor]);
            draft.apply(subtract(), &[direct, indirect])
        };
        let slopes = direct.iter().enumerate().map(total).collect();
        (validation, slopes)
    })
}

impl Inner {
    /// `xi`, a scalar.
    fn xi(&self, draft: &mut Draft) -> Wire {
        match self.unroll.xi {
            Some(xi) => draft.apply(fill(xi), &[self.rate]),
            None => self.rate,
        }
    }

    /// A weight after the step; to what comes next it is a constant.
    fn step(&self, draft: &mut Draft, xi: Wire, place: usize, own: [Wire; 2]) -> Wire {
        let [weight, mut slope] = own;
        let Unroll { momentum, weight_decay, .. } = self.unroll;
        let velocity = self.velocities.get(place).copied().flatten();
        let more = [(momentum, velocity), (weight_decay, Some(weight))];
        for (part, wire) in more {
            if let Some(wire) = wire.filter(|_| part != 0.0) {
                let scaled = draft.apply(scale(part), &[wire]);
                slope = draft.apply(add(), &[slope, scaled]);
            }
        }
        let xi = in_type_of(draft, weight, xi);
        let step = draft.apply(multiply(), &[slope, xi]);
        let next = draft.apply(subtract(), &[weight, step]);
        draft.apply(stop_gradient(), &[next])
    }
}

/// `weight + length * direction`; to what comes next it is a constant.
fn along(draft: &mut Draft, weight: Wire, length: Wire, direction: Wire) -> Wire {
    let length = in_type_of(draft, weight, length);
    let step = draft.apply(multiply(), &[direction, length]);
    let moved = draft.apply(add(), &[weight, step]);
    draft.apply(stop_gradient(), &[moved])
}

/// The Euclidean norm of all together, a scalar of the type of the first; of none, like `rate`.
fn norm(draft: &mut Draft, parts: &[Wire], rate: Wire) -> Wire {
    let mut total: Option<Wire> = None;
    for &part in parts {
        let axes: Vec<usize> = (0..draft.spec(part).map_or(0, Spec::rank)).collect();
        let squares = draft.apply(square(), &[part]);
        let squares = draft.apply(sum(&axes, Keep::Nothing), &[squares]);
        total = Some(match total {
            Some(total) => {
                let squares = in_type_of(draft, total, squares);
                draft.apply(add(), &[total, squares])
            }
            None => squares,
        });
    }
    let total = or_zeros(draft, total, rate);
    let norm = draft.apply(sqrt(), &[total]);
    draft.apply(clamp(NORM_MIN, f64::INFINITY), &[norm])
}

/// A gradient, or zeros where the loss does not depend on a wire.
pub(super) fn or_zeros(draft: &mut Draft, slope: Option<Wire>, of: Wire) -> Wire {
    slope.unwrap_or_else(|| draft.apply(fill(0.0), &[of]))
}

/// A stream as one of the element type of another.
fn in_type_of(draft: &mut Draft, other: Wire, wire: Wire) -> Wire {
    let element = |wire: Wire| draft.spec(wire).map_or(Element::F32, |spec| spec.element);
    let (own, wanted) = (element(wire), element(other));
    if own == wanted { wire } else { draft.apply(cast(wanted), &[wire]) }
}
