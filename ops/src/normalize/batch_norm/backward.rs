//! The gradients of both forms, as graphs.

use synfire_runtime::define::Wire;
use synfire_runtime::operator::{Backward, Gradient};
use synfire_runtime::spec::Dimension;

use super::BatchNorm;
use crate::arrange::reshape::{Extent, reshape};
use crate::broadcast::binary::{add, divide, multiply, subtract};
use crate::pointwise::unary::{fill, neg, rsqrt, scale, shift, square};
use crate::reduce::reduction::{Keep, mean, sum};
use crate::route::pace::pace;

/// The gradient of one node.
struct Graph<'a, 'b> {
    draft: &'a mut Backward<'b>,
    /// All axes but the channel.
    axes: Vec<usize>,
    /// A vector of the channels, as it is broadcast to `x`.
    column: Vec<Extent>,
    epsilon: f64,
}

/// The gradient by `x`, weight, bias and the running numbers.
pub(super) fn gradient(operator: &BatchNorm, draft: &mut Backward<'_>) -> Gradient {
    let x = draft.input_spec(0);
    let axes = (0..x.rank()).filter(|&axis| axis != operator.axis).collect();
    let mut column = vec![Extent::Is(1); x.rank() - operator.axis];
    column[0] = Extent::Is(x.bound(operator.axis));
    let mut graph = Graph { draft, axes, column, epsilon: operator.epsilon };
    // Learnt vectors are constants as a rule, of which nothing alone is computed.
    let x = graph.draft.input(0);
    let learnt = [1, 2, 3, 4].map(|input| graph.draft.input(input));
    let learnt = learnt.map(|wire| graph.draft.apply(pace(), &[wire, x]));
    match operator.momentum {
        None => graph.of_learnt(learnt),
        Some(momentum) => graph.of_measured(momentum, learnt[0]),
    }
}

impl Graph<'_, '_> {
    fn column(&mut self, vector: Wire) -> Wire {
        self.draft.apply(reshape(&self.column), &[vector])
    }

    fn times(&mut self, a: Wire, b: Wire) -> Wire {
        self.draft.apply(multiply(), &[a, b])
    }

    fn minus(&mut self, a: Wire, b: Wire) -> Wire {
        self.draft.apply(subtract(), &[a, b])
    }

    /// The sum of each channel.
    fn total(&mut self, x: Wire) -> Wire {
        self.draft.apply(sum(&self.axes, Keep::Nothing), &[x])
    }

    /// The average of each channel, as it is broadcast to `x`.
    fn average(&mut self, x: Wire) -> Wire {
        self.draft.apply(mean(&self.axes, Keep::Axes), &[x])
    }

    /// One over the deviation.
    fn inverse(&mut self, variance: Wire) -> Wire {
        let above = self.draft.apply(shift(self.epsilon), &[variance]);
        self.draft.apply(rsqrt(), &[above])
    }

    /// Of mean and variance that do not depend on `x`.
    fn of_learnt(&mut self, [weight, _, centre, variance]: [Wire; 4]) -> Gradient {
        let x = self.draft.input(0);
        let dy = self.draft.upstream(0);
        let wants = [0, 1, 2, 3, 4].map(|input| self.draft.wants(input));
        let inverse = self.inverse(variance);
        let slope = self.times(weight, inverse);
        let mut gradients = [None; 5];
        if wants[0] {
            let slope = self.column(slope);
            gradients[0] = Some(self.times(dy, slope));
        }
        if wants[2] || wants[3] {
            let total = self.total(dy);
            gradients[2] = wants[2].then_some(total);
            let against = self.times(slope, total);
            gradients[3] = wants[3].then(|| self.draft.apply(neg(), &[against]));
        }
        if wants[1] || wants[4] {
            let centre = self.column(centre);
            let apart = self.minus(x, centre);
            let weighed = self.times(dy, apart);
            let total = self.total(weighed);
            let scaled = self.times(total, inverse);
            gradients[1] = wants[1].then_some(scaled);
            let square = self.draft.apply(square(), &[inverse]);
            let along = self.times(weight, square);
            let along = self.times(along, scaled);
            gradients[4] = wants[4].then(|| self.draft.apply(scale(-0.5), &[along]));
        }
        Gradient::Of(gradients.to_vec())
    }

    /// Of the mean and variance of `x`, with what the running numbers become.
    fn of_measured(&mut self, momentum: f64, weight: Wire) -> Gradient {
        let x = self.draft.input(0);
        let dy = self.draft.upstream(0);
        let centre = self.average(x);
        let apart = self.minus(x, centre);
        let squares = self.draft.apply(square(), &[apart]);
        let variance = self.average(squares);
        let inverse = self.inverse(variance);
        let normal = self.times(apart, inverse);
        let weighed = self.times(dy, normal);
        let mut gradients = [None; 5];
        gradients[1] = self.draft.wants(1).then(|| self.total(weighed));
        gradients[2] = self.draft.wants(2).then(|| self.total(dy));
        if self.draft.wants(0) {
            let level = self.average(dy);
            let along = self.average(weighed);
            let along = self.times(normal, along);
            let rest = self.minus(dy, level);
            let rest = self.minus(rest, along);
            let weight = self.column(weight);
            let slope = self.times(weight, inverse);
            let by_output = self.times(slope, rest);
            gradients[0] = Some(self.with_running(momentum, by_output, apart));
        }
        for (input, output) in [(3, 1), (4, 2)] {
            if self.draft.wants(input) && self.draft.has_upstream(output) {
                let running = self.draft.upstream(output);
                let kept = self.draft.apply(scale(1.0 - momentum), &[running]);
                gradients[input] = Some(kept);
            }
        }
        Gradient::Of(gradients.to_vec())
    }

    /// Adds to `dx` what comes through the running numbers: the mean depends on `x` by one over
    /// the count, the unbiased variance by twice the distance over one less.
    fn with_running(&mut self, momentum: f64, mut dx: Wire, apart: Wire) -> Wire {
        for output in [1, 2] {
            if !self.draft.has_upstream(output) {
                continue;
            }
            let running = self.draft.upstream(output);
            let running = self.column(running);
            let running = self.draft.apply(scale(momentum * output as f64), &[running]);
            let count = self.count(output - 1);
            let share = self.draft.apply(divide(), &[running, count]);
            let by_each = match output {
                1 => share,
                _ => self.times(apart, share),
            };
            dx = self.draft.apply(add(), &[dx, by_each]);
        }
        dx
    }

    /// The numbers of each channel, less some, as it is broadcast to `x`.
    fn count(&mut self, less: usize) -> Wire {
        let x = self.draft.input(0);
        let spec = self.draft.input_spec(0);
        let running = self.draft.output(1);
        let is_fixed = |&axis: &usize| matches!(spec.dimensions[axis], Dimension::Fixed(_));
        let count = if self.axes.iter().all(is_fixed) {
            let count: usize = self.axes.iter().map(|&axis| spec.bound(axis)).product();
            self.draft.apply(fill(count as f64 - less as f64), &[running])
        } else {
            // Only the stream itself knows its extents.
            let ones = self.draft.apply(fill(1.0), &[x]);
            let count = self.total(ones);
            self.draft.apply(shift(-(less as f64)), &[count])
        };
        self.column(count)
    }
}
