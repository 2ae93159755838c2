//! Scaling of the loss, so that gradients of 16 bits neither vanish nor overflow.
//!
//! Micikevicius et al., "Mixed precision training", 2018, with the scale found by trial: a step
//! whose gradients are not all finite is left out, and the scale is smaller from then on; after
//! enough good steps it grows. As PyTorch's `GradScaler`. A step left out counts for nobody: the
//! schedule, the optimiser's moments and averages stay where they are.

use synfire_ops::broadcast::binary::{greater_equal, logical_and};
use synfire_ops::broadcast::select::where_;
use synfire_ops::pointwise::finite::is_finite;
use synfire_ops::pointwise::unary::{fill, recip};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::algebra::{Algebra, sum_all};
use super::{Slope, TrainingError, as_element, beside, scale_all};

/// How the scale is found.
#[derive(Clone, Debug, PartialEq)]
pub struct LossScale {
    /// The first scale.
    pub initial: f64,
    /// What it is multiplied by after `interval` good steps in a row.
    pub growth: f64,
    /// What it is multiplied by after a step that overflowed.
    pub backoff: f64,
    /// Good steps in a row until it grows; below 2^24.
    pub interval: u32,
}

impl Default for LossScale {
    /// From 65 536, doubled after 2 000 good steps, halved after a bad one.
    fn default() -> Self {
        Self { initial: 65_536.0, growth: 2.0, backoff: 0.5, interval: 2_000 }
    }
}

impl LossScale {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        let Self { initial, growth, backoff, interval } = *self;
        TrainingError::unless(initial > 0.0, "loss_scale.initial", initial, "more than 0")?;
        TrainingError::unless(growth >= 1.0, "loss_scale.growth", growth, "at least 1")?;
        let is_part = backoff > 0.0 && backoff < 1.0;
        TrainingError::unless(is_part, "loss_scale.backoff", backoff, "between 0 and 1")?;
        let is_count = (1..1 << 24).contains(&interval);
        TrainingError::unless(is_count, "loss_scale.interval", interval.into(), "1 to 2^24 - 1")
    }

    /// Adds the cells.
    pub(super) fn open(&self, draft: &mut Draft) -> Scaling {
        let mut cell = |name: &str, initial| {
            draft.parameter(name, Spec::f32([0_usize; 0]), Initial::Constant(initial))
        };
        let (factor, good) = (cell("loss_scale", self.initial), cell("good_steps", 0.0));
        Scaling { own: self.clone(), factor, good }
    }
}

/// The scale in one training.
pub(super) struct Scaling {
    own: LossScale,
    /// The scale, a scalar.
    pub(super) factor: Wire,
    /// Good steps in a row so far, a scalar.
    good: Wire,
}

impl Scaling {
    /// The loss times the scale.
    pub(super) fn scaled(&self, draft: &mut Draft, loss: Wire) -> Wire {
        let element = draft.spec(loss).map_or(Element::F32, |spec| spec.element);
        let factor = as_element(draft, self.factor, element);
        draft.times(loss, factor)
    }

    /// Takes the scale off the gradients.
    pub(super) fn unscale(&self, draft: &mut Draft, slopes: &mut [Slope]) {
        let share = draft.apply(recip(), &[self.factor]);
        scale_all(draft, slopes, share);
    }

    /// Moves the scale on, at the `last` batch of each step; whether this is one and all gradients
    /// are finite.
    pub(super) fn close(&self, draft: &mut Draft, slopes: &[Slope], last: Option<Wire>) -> Wire {
        let mut signs = Vec::new();
        for slope in slopes {
            // 0 of all that is finite, else NaN: one number for each parameter, no overflow.
            signs.push(beside(draft, "finite", slope, |draft| {
                let nothing = draft.scaled(0.0, slope.gradient);
                draft.total(nothing)
            }));
        }
        draft.scope("loss_scale", |draft| {
            let sum = sum_all(draft, &signs).unwrap_or(self.factor);
            let finite = is_finite(draft, sum);
            for (cell, next) in [self.factor, self.good].into_iter().zip(self.next(draft, finite)) {
                let next = match last {
                    Some(last) => draft.apply(where_(), &[last, next, cell]),
                    None => next,
                };
                draft.update(cell, next);
            }
            last.map_or(finite, |last| draft.apply(logical_and(), &[last, finite]))
        })
    }

    /// The next scale and the next number of good steps.
    fn next(&self, draft: &mut Draft, gate: Wire) -> [Wire; 2] {
        let good = draft.shifted(self.good, 1.0);
        let [zero, enough] =
            [0.0, f64::from(self.own.interval)].map(|x| draft.apply(fill(x), &[good]));
        let grows = draft.apply(greater_equal(), &[good, enough]);
        let larger = draft.scaled(self.own.growth, self.factor);
        let smaller = draft.scaled(self.own.backoff, self.factor);
        let kept = draft.apply(where_(), &[grows, larger, self.factor]);
        let counted = draft.apply(where_(), &[grows, zero, good]);
        [
            draft.apply(where_(), &[gate, kept, smaller]),
            draft.apply(where_(), &[gate, counted, zero]),
        ]
    }
}
