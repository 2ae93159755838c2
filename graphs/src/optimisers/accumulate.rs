//! Accumulation: one step of the mean gradient of several batches.
//!
//! Every batch is an iteration like any other; its gradient goes into a sum on a feedback edge, and
//! only the last of a round opens the gate of the step. A graph in which the model fires several
//! times for one firing of the optimiser would do the same with a copy of weight and gradient for
//! each batch; this way there is one sum, whatever the number of batches.

use synfire_ops::broadcast::binary::{add, equal, not_equal};
use synfire_ops::broadcast::select::where_;
use synfire_ops::pointwise::unary::{fill, scale, shift};
use synfire_ops::route::pace::pace;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::Spec;

use super::{Slope, as_element, beside};

/// Makes the gradients those of `batches` batches so far; whether a batch is the last of its round,
/// if there are rounds. `rhythm` has a token for each batch.
pub(super) fn accumulate(
    draft: &mut Draft,
    batches: u32,
    rhythm: Wire,
    slopes: &mut [Slope],
) -> Option<Wire> {
    if batches == 1 {
        return None;
    }
    let (is_last, is_amid, zero) = draft.scope("sum", |draft| {
        let phase = draft.parameter("batch", Spec::f32([0_usize; 0]), Initial::Zeros);
        let phase_now = draft.apply(pace(), &[phase, rhythm]);
        let last = draft.apply(fill(f64::from(batches - 1)), &[phase_now]);
        let zero = draft.apply(fill(0.0), &[phase_now]);
        let is_last = draft.apply(equal(), &[phase_now, last]);
        let is_amid = draft.apply(not_equal(), &[phase_now, last]);
        let next = draft.apply(shift(1.0), &[phase_now]);
        let next = draft.apply(where_(), &[is_amid, next, zero]);
        draft.update(phase, next);
        (is_last, is_amid, zero)
    });
    for slope in slopes {
        slope.gradient = beside(draft, "sum", slope, |draft| {
            let sum = draft.parameter("gradient", slope.spec.clone(), Initial::Zeros);
            let total = draft.apply(add(), &[sum, slope.gradient]);
            let zero = as_element(draft, zero, slope.spec.element);
            let next = draft.apply(where_(), &[is_amid, total, zero]);
            draft.update(sum, next);
            draft.apply(scale(1.0 / f64::from(batches)), &[total])
        });
    }
    Some(is_last)
}
