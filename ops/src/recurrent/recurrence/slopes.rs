//! Gradients of the recurrences: the factors of each step, and the adjoint scan over them.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::{Backward, Gradient, Operator};

use super::{Kind, Recurrence, Walk};
use crate::arrange::concat::concat;
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::slice::slice;
use crate::arrange::split::split;
use crate::broadcast::binary::{add, less_equal, multiply, subtract};
use crate::broadcast::cast::cast;
use crate::dense::linear::linear;
use crate::dense::matmul::{as_rows, matmul};
use crate::gradient::{spec, sum_to};
use crate::pointwise::unary::{fill, scale, shift, sigmoid, square, step, tanh};
use crate::recurrent::tangent::{Factors, Linear, spread};
use crate::reduce::reduction::{Keep, sum};
use crate::scan::cumulative::cumsum;
use crate::scan::lag::lag;

/// Whether each step of each row, `[time, batch, 1]`, lies before its length; `like` is a sequence.
pub(in crate::recurrent) fn active(
    draft: &mut Draft,
    walk: Walk,
    lengths: Wire,
    like: Wire,
) -> Wire {
    let element = spec(draft, like).element;
    let one = draft.apply(slice(2, 0, 1, 1), &[like]);
    let ones = draft.apply(fill(1.0), &[one]);
    let numbers = draft.apply(cumsum(walk.time_axis()), &[ones]);
    let lengths = draft.apply(cast(element), &[lengths]);
    let mut extents = [Extent::Is(1); 3];
    extents[walk.batch_axis()] = Extent::Infer;
    let lengths = draft.apply(reshape(&extents), &[lengths]);
    draft.apply(less_equal(), &[numbers, lengths])
}

/// The state before each step, from that after each and the first, if there is one.
pub(in crate::recurrent) fn before(
    draft: &mut Draft,
    walk: Walk,
    states: Wire,
    first: Option<Wire>,
) -> Wire {
    let lag =
        if walk.is_reversed { lag(walk.time_axis()).reversed() } else { lag(walk.time_axis()) };
    let Some(first) = first else { return draft.apply(lag, &[states]) };
    let mut extents = [Extent::Is(1), Extent::Is(1), spec(draft, first).bound(1).into()];
    extents[walk.batch_axis()] = Extent::Infer;
    let first = draft.apply(reshape(&extents), &[first]);
    draft.apply(lag.with_first(), &[states, first])
}

/// The gradient of the weight of a linear layer over whole sequences: `dy^T * x`.
pub(in crate::recurrent) fn by_weight(draft: &mut Draft, x: Wire, dy: Wire) -> Wire {
    if let (Some(x), Some(dy)) = (as_rows(draft, x), as_rows(draft, dy)) {
        return draft.apply(matmul().transpose_a(), &[dy, x]);
    }
    let each = draft.apply(matmul().transpose_a(), &[dy, x]);
    draft.apply(sum(&[0], Keep::Nothing), &[each])
}

/// What a step multiplies the state by, as [`Factors`] have it, and what turns the gradient of the
/// product with the weight into that of the input, where they differ.
struct Slopes {
    factors: Factors,
    /// The factor of each gate on the side of the input.
    input: Option<Wire>,
}

/// A draft in which formulas are written.
struct Formula<'a, 'b>(&'a mut Backward<'b>);

impl Formula<'_, '_> {
    fn product(&mut self, wires: &[Wire]) -> Wire {
        let (first, rest) = wires.split_first().expect("a product has factors");
        rest.iter().fold(*first, |own, &next| self.0.apply(multiply(), &[own, next]))
    }

    fn sum(&mut self, a: Wire, b: Wire) -> Wire {
        self.0.apply(add(), &[a, b])
    }

    /// `1 - x`.
    fn rest(&mut self, x: Wire) -> Wire {
        let negative = self.0.apply(scale(-1.0), &[x]);
        self.0.apply(shift(1.0), &[negative])
    }

    /// The logistic function and its derivative.
    fn logistic(&mut self, x: Wire) -> [Wire; 2] {
        let y = self.0.apply(sigmoid(), &[x]);
        let rest = self.rest(y);
        [y, self.product(&[y, rest])]
    }

    /// `1 - y^2`, the derivative of a hyperbolic tangent `y`.
    fn bow(&mut self, y: Wire) -> Wire {
        let square = self.0.apply(square(), &[y]);
        self.rest(square)
    }

    /// The gates of whole sequences.
    fn gates(&mut self, x: Wire, count: usize) -> Vec<Wire> {
        let hidden = spec(self.0, x).bound(2) / count;
        self.0.apply_many(split(2, &vec![hidden; count]), &[x])
    }

    fn joined(&mut self, gates: &[Wire]) -> Wire {
        self.0.apply(concat(2, gates.len()), gates)
    }
}

/// See [`Recurrence::gradient`].
pub(super) fn gradient(own: &Recurrence, backward: &mut Backward<'_>) -> Gradient {
    let (walk, ports, states) = (own.walk, own.ports(), own.cell.states);
    let (weight, h) = (backward.input(1), backward.output(0));
    let first =
        |backward: &Backward<'_>, part| ports.initial.map(|port| backward.input(port + part));
    let h0 = first(backward, 0);
    let h_before = before(backward, walk, h, h0);
    let mut slopes = match own.cell.kind {
        Kind::Tanh | Kind::Relu => plain(own, backward),
        Kind::Gru => gru(own, backward, h_before),
        Kind::Lstm => {
            let c0 = first(backward, 1);
            let c = backward.output(1);
            let c_before = before(backward, walk, c, c0);
            lstm(own, backward, [h_before, c_before])
        }
    };
    let active = ports.lengths.map(|port| {
        let lengths = backward.input(port);
        active(backward, walk, lengths, h)
    });
    if let Some(active) = active {
        masked(backward, &mut slopes, active);
    }
    let linear = Linear::of(own.cell, walk);
    let upstream: Vec<Wire> = (0..2 * states).map(|output| backward.upstream(output)).collect();
    let inputs = slopes.factors.inputs(&upstream, weight);
    let outputs = backward.apply_many(linear, &inputs);
    let spread = spread(backward, own.cell, &outputs[..states]);
    let mut formula = Formula(backward);
    let dproduct = formula.product(&[slopes.factors.slope, spread]);
    let dx = slopes.input.map_or(dproduct, |input| formula.product(&[input, spread]));
    let mut gradients = vec![None; own.contract().inputs.len()];
    gradients[0] = Some(dx);
    gradients[1] = backward.wants(1).then(|| by_weight(backward, h_before, dproduct));
    if let Some(port) = ports.bias {
        let bias = backward.input(port);
        gradients[port] = backward.wants(port).then(|| sum_to(backward, dproduct, bias));
    }
    for part in 0..states {
        if let Some(port) = ports.initial {
            gradients[port + part] = Some(outputs[states + part]);
        }
    }
    Gradient::Of(gradients)
}

/// A step beyond a row's length passes the state on.
fn masked(backward: &mut Backward<'_>, slopes: &mut Slopes, active: Wire) {
    let element = spec(backward, slopes.factors.slope).element;
    let active = backward.apply(cast(element), &[active]);
    let mut formula = Formula(backward);
    let idle = formula.rest(active);
    let Slopes { factors, input } = slopes;
    for keep in std::iter::once(&mut factors.keep).chain(&mut factors.forget) {
        let kept = formula.product(&[*keep, active]);
        *keep = formula.sum(kept, idle);
    }
    for factor in std::iter::once(&mut factors.slope).chain(&mut factors.link).chain(input) {
        *factor = formula.product(&[*factor, active]);
    }
}

/// The product with the weight, and the bias, of every step.
fn hidden(own: &Recurrence, backward: &mut Backward<'_>, h_before: Wire) -> Wire {
    let weight = backward.input(1);
    match own.ports().bias.map(|port| backward.input(port)) {
        Some(bias) => backward.apply(linear().bias(), &[h_before, weight, bias]),
        None => backward.apply(linear(), &[h_before, weight]),
    }
}

fn plain(own: &Recurrence, backward: &mut Backward<'_>) -> Slopes {
    let h = backward.output(0);
    let keep = backward.apply(fill(0.0), &[h]);
    let slope = match own.cell.kind {
        Kind::Relu => backward.apply(step(), &[h]),
        _ => Formula(backward).bow(h),
    };
    Slopes { factors: Factors::new(keep, slope), input: None }
}

fn gru(own: &Recurrence, backward: &mut Backward<'_>, h_before: Wire) -> Slopes {
    let (x, product) = (backward.input(0), hidden(own, backward, h_before));
    let mut formula = Formula(backward);
    let (x, product) = (formula.gates(x, 3), formula.gates(product, 3));
    let sums = [0, 1].map(|gate| formula.sum(x[gate], product[gate]));
    let [[reset, reset_slope], [update, update_slope]] = sums.map(|sum| formula.logistic(sum));
    let damped = formula.product(&[reset, product[2]]);
    let new = formula.sum(x[2], damped);
    let new = formula.0.apply(tanh(), &[new]);
    let apart = formula.0.apply(subtract(), &[h_before, new]);
    let (rest, bow) = (formula.rest(update), formula.bow(new));
    let by_new = formula.product(&[rest, bow]);
    let by_reset = formula.product(&[by_new, product[2], reset_slope]);
    let by_update = formula.product(&[apart, update_slope]);
    let by_product = formula.product(&[by_new, reset]);
    let slope = formula.joined(&[by_reset, by_update, by_product]);
    let input = formula.joined(&[by_reset, by_update, by_new]);
    Slopes { factors: Factors::new(update, slope), input: Some(input) }
}

fn lstm(own: &Recurrence, backward: &mut Backward<'_>, [h, c_before]: [Wire; 2]) -> Slopes {
    let (x, product) = (backward.input(0), hidden(own, backward, h));
    let c = backward.output(1);
    let mut formula = Formula(backward);
    let sum = formula.sum(x, product);
    let gates = formula.gates(sum, 4);
    let [[input, input_slope], [forget, forget_slope], [output, output_slope]] =
        [0, 1, 3].map(|gate| formula.logistic(gates[gate]));
    let [new, bent] = [gates[2], c].map(|wire| formula.0.apply(tanh(), &[wire]));
    let [new_bow, bent_bow] = [new, bent].map(|wire| formula.bow(wire));
    let slopes = [
        formula.product(&[new, input_slope]),
        formula.product(&[c_before, forget_slope]),
        formula.product(&[input, new_bow]),
        formula.product(&[bent, output_slope]),
    ];
    let slope = formula.joined(&slopes);
    let link = formula.product(&[output, bent_bow]);
    let keep = formula.0.apply(fill(0.0), &[link]);
    let factors = Factors { forget: Some(forget), link: Some(link), ..Factors::new(keep, slope) };
    Slopes { factors, input: None }
}
