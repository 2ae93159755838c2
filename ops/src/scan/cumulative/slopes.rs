//! The gradients of running reductions.

use synfire_runtime::define::Wire;
use synfire_runtime::operator::{Backward, Gradient};

use super::{Course, Cumulative};
use crate::broadcast::binary::{multiply, subtract};
use crate::pointwise::unary::{clamp, exp};
use crate::scan::lag::lag;
use crate::scan::linear_scan::linear_scan;

pub(super) fn sum(own: &Cumulative, backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    Gradient::one(backward.apply(own.reversed(), &[dy]))
}

pub(super) fn product(own: &Cumulative, backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    let x = backward.input(0);
    let before = Cumulative { course: Course { is_exclusive: true, ..own.course }, ..*own };
    let before = backward.apply(before, &[x]);
    let back = linear_scan(own.axis).on(own.course.turned());
    let rest = if own.course.is_exclusive {
        // s_t = dy_{t+1} + x_{t+1} * s_{t+1}
        let own_gate = backward.apply(back, &[x, dy]);
        backward.apply(lag(own.axis).on(own.course.turned()), &[own_gate])
    } else {
        backward.apply(back.lagged(), &[x, dy])
    };
    Gradient::one(backward.apply(multiply(), &[before, rest]))
}

pub(super) fn log_sum_exp(own: &Cumulative, backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    if own.course.is_exclusive {
        return Gradient::Absent("an exclusive logcumsumexp starts from minus infinity");
    }
    let (x, y) = (backward.input(0), backward.output(0));
    let back = own.course.turned();
    let later = backward.apply(lag(own.axis).on(back), &[y]);
    let fall = backward.apply(subtract(), &[y, later]);
    // Behind the last place there is nothing to fall from.
    let fall = backward.apply(clamp(f64::NEG_INFINITY, 0.0), &[fall]);
    let gate = backward.apply(exp(), &[fall]);
    let carried = backward.apply(linear_scan(own.axis).on(back), &[gate, dy]);
    let share = backward.apply(subtract(), &[x, y]);
    let share = backward.apply(exp(), &[share]);
    Gradient::one(backward.apply(multiply(), &[share, carried]))
}
