//! Schedules: the rate at each step, as a small graph over the number of steps taken so far.
//!
//! All of them are computed in `f32`, number by number, so they run where the model runs. A count
//! in `f32` is exact to 2^24 steps.

use std::f64::consts::FRAC_PI_2;
use std::fmt;

use synfire_ops::broadcast::binary::less;
use synfire_ops::broadcast::select::where_;
use synfire_ops::pointwise::unary::{clamp, cos, exp, fill, floor, log, round, square};
use synfire_runtime::define::{Draft, Wire};

use super::TrainingError;
use super::algebra::Algebra;

/// The rate of each step.
pub trait Schedule: fmt::Debug {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first that does not, by name.
    fn check(&self) -> Result<(), TrainingError> {
        Ok(())
    }

    /// The rate of a step, a scalar, from the number of steps before it, a scalar of `f32`.
    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire;
}

/// The same rate always.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(pub f64);

impl Schedule for Constant {
    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire {
        draft.apply(fill(self.0), &[step])
    }
}

/// `initial * factor^floor(step / interval)`. As PyTorch's `StepLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    /// The first rate.
    pub initial: f64,
    /// What each drop multiplies by.
    pub factor: f64,
    /// Steps from drop to drop.
    pub interval: u32,
}

impl Schedule for StepDecay {
    fn check(&self) -> Result<(), TrainingError> {
        positive("schedule.interval", self.interval)?;
        let factor = self.factor;
        TrainingError::unless(factor > 0.0, "schedule.factor", factor, "more than 0")
    }

    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire {
        // From the middle of a step, so that no rounding moves a drop.
        let middle = draft.shifted(step, 0.5);
        let intervals = draft.scaled(1.0 / f64::from(self.interval), middle);
        let drops = draft.apply(floor(), &[intervals]);
        let power = draft.scaled(self.factor.ln(), drops);
        let power = draft.apply(exp(), &[power]);
        draft.scaled(self.initial, power)
    }
}

/// Half a cosine from `initial` to `last`: `last + (initial - last) * (1 + cos(pi * step / steps))
/// / 2`, and `last` from then on. Loshchilov and Hutter, "SGDR", 2017, without restarts. As
/// PyTorch's `CosineAnnealingLR` up to `steps`, where that one rises again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// The first rate.
    pub initial: f64,
    /// The last rate.
    pub last: f64,
    /// Steps from the one to the other.
    pub steps: u32,
}

impl Schedule for Cosine {
    fn check(&self) -> Result<(), TrainingError> {
        positive("schedule.steps", self.steps)
    }

    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire {
        let way = part(draft, step, f64::from(self.steps));
        between(draft, [self.initial, self.last], way)
    }
}

/// A cosine whose fall is steeper at first: `last + (initial - last) * (p^(1 + c) - p) / (p^2 - p)`
/// with `c = (1 + cos(pi * step / steps)) / 2`. Hundt, Jain and Hager, "sharpDARTS", 2019. A power
/// of 1 is the cosine itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosinePower {
    /// The first rate.
    pub initial: f64,
    /// The last rate.
    pub last: f64,
    /// Steps from the one to the other.
    pub steps: u32,
    /// The power `p`: 10 in the paper.
    pub power: f64,
}

impl Schedule for CosinePower {
    fn check(&self) -> Result<(), TrainingError> {
        positive("schedule.steps", self.steps)?;
        TrainingError::unless(self.power >= 1.0, "schedule.power", self.power, "at least 1")
    }

    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire {
        let Self { initial, last, steps, power } = *self;
        if power == 1.0 {
            return Cosine { initial, last, steps }.rate(draft, step);
        }
        let way = part(draft, step, f64::from(steps));
        let height = half_cosine(draft, way);
        // (p^(1 + c) - p) / (p^2 - p) = (p^c - 1) / (p - 1).
        let exponent = draft.scaled(power.ln(), height);
        let raised = draft.apply(exp(), &[exponent]);
        let raised = draft.shifted(raised, -1.0);
        let raised = draft.scaled((initial - last) / (power - 1.0), raised);
        draft.shifted(raised, last)
    }
}

/// A straight rise from `start` times the first rate of another schedule to that rate, in `steps`
/// steps, and then the other from its beginning. As PyTorch's `LinearLR` and the other one in a
/// `SequentialLR`.
#[derive(Debug)]
pub struct WarmUp {
    /// The part of the rate that it starts with.
    pub start: f64,
    /// Steps of the rise.
    pub steps: u32,
    /// What follows.
    pub then: Box<dyn Schedule>,
}

impl Schedule for WarmUp {
    fn check(&self) -> Result<(), TrainingError> {
        positive("schedule.steps", self.steps)?;
        TrainingError::unless(self.start >= 0.0, "schedule.start", self.start, "at least 0")?;
        self.then.check()
    }

    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire {
        let steps = f64::from(self.steps);
        let way = part(draft, step, steps);
        let risen = draft.scaled(1.0 - self.start, way);
        let risen = draft.shifted(risen, self.start);
        let behind = draft.shifted(step, -steps);
        let behind = draft.apply(clamp(0.0, f64::INFINITY), &[behind]);
        let rate = draft.scope("then", |draft| self.then.rate(draft, behind));
        draft.times(rate, risen)
    }
}

/// Half a cosine up to the peak and half a one down to next to nothing. Smith and Topin,
/// "Super-convergence", 2019. As PyTorch's `OneCycleLR`, whose momentum is not followed; the last
/// rate stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// The largest rate.
    pub peak: f64,
    /// Steps in all.
    pub steps: u32,
    /// The part of the steps that it rises for: 0.3 in PyTorch.
    pub rise: f64,
    /// The peak over the first rate: 25 in PyTorch.
    pub start_divisor: f64,
    /// The first rate over the last: 10,000 in PyTorch.
    pub end_divisor: f64,
}

impl OneCycle {
    /// With PyTorch's settings.
    #[must_use]
    pub fn new(peak: f64, steps: u32) -> Self {
        Self { peak, steps, rise: 0.3, start_divisor: 25.0, end_divisor: 1e4 }
    }
}

impl Schedule for OneCycle {
    fn check(&self) -> Result<(), TrainingError> {
        let Self { rise, steps, .. } = *self;
        positive("schedule.steps", steps)?;
        let both = rise * f64::from(steps) > 1.0 && rise < 1.0;
        TrainingError::unless(both, "schedule.rise", rise, "more than one step and not all")?;
        for (name, divisor) in [
            ("schedule.start_divisor", self.start_divisor),
            ("schedule.end_divisor", self.end_divisor),
        ] {
            TrainingError::unless(divisor > 0.0, name, divisor, "more than 0")?;
        }
        Ok(())
    }

    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire {
        let first = self.peak / self.start_divisor;
        let (top, end) = (self.rise * f64::from(self.steps) - 1.0, f64::from(self.steps) - 1.0);
        let up = part(draft, step, top);
        let up = between(draft, [first, self.peak], up);
        let down = draft.shifted(step, -top);
        let down = part(draft, down, end - top);
        let down = between(draft, [self.peak, first / self.end_divisor], down);
        let turn = draft.apply(fill(top), &[step]);
        let is_rising = draft.apply(less(), &[step, turn]);
        draft.apply(where_(), &[is_rising, up, down])
    }
}

/// Half a cosine from `initial` towards `last`, again and again, each `growth` times as long as the
/// one before. Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
/// As PyTorch's `CosineAnnealingWarmRestarts`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmRestarts {
    /// The rate after a restart.
    pub initial: f64,
    /// The rate that each cosine falls to.
    pub last: f64,
    /// Steps of the first cosine.
    pub period: u32,
    /// How much longer each is than the one before; a whole number.
    pub growth: u32,
}

impl Schedule for WarmRestarts {
    fn check(&self) -> Result<(), TrainingError> {
        positive("schedule.period", self.period)?;
        positive("schedule.growth", self.growth)
    }

    fn rate(&self, draft: &mut Draft, step: Wire) -> Wire {
        let (period, growth) = (f64::from(self.period), f64::from(self.growth));
        // From the middle of a step, so that no rounding moves a restart.
        let middle = draft.shifted(step, 0.5);
        let periods = draft.scaled(1.0 / period, middle);
        let (begin, length) = if self.growth == 1 {
            let restarts = draft.apply(floor(), &[periods]);
            let begin = draft.scaled(period, restarts);
            (begin, draft.apply(fill(period), &[step]))
        } else {
            // After n restarts, (growth^n - 1) / (growth - 1) first periods are over.
            let grown = draft.scaled(growth - 1.0, periods);
            let grown = draft.shifted(grown, 1.0);
            let grown = draft.apply(log(), &[grown]);
            let restarts = draft.scaled(1.0 / growth.ln(), grown);
            let restarts = draft.apply(floor(), &[restarts]);
            let times = power_of(draft, growth, restarts);
            let before = draft.shifted(times, -1.0);
            let begin = draft.scaled(period / (growth - 1.0), before);
            (begin, draft.scaled(period, times))
        };
        let since = draft.minus(step, begin);
        let way = draft.over(since, length);
        between(draft, [self.initial, self.last], way)
    }
}

/// `base^count` for whole numbers, rounded to a whole number.
fn power_of(draft: &mut Draft, base: f64, count: Wire) -> Wire {
    let exponent = draft.scaled(base.ln(), count);
    let power = draft.apply(exp(), &[exponent]);
    draft.apply(round(), &[power])
}

/// How much of `steps` steps is over, from 0 to 1.
fn part(draft: &mut Draft, step: Wire, steps: f64) -> Wire {
    let part = draft.scaled(1.0 / steps, step);
    draft.apply(clamp(0.0, 1.0), &[part])
}

/// `(1 + cos(pi * way)) / 2`, as the square of the cosine of half the angle: near the end the sum
/// would cancel.
fn half_cosine(draft: &mut Draft, way: Wire) -> Wire {
    let angle = draft.scaled(FRAC_PI_2, way);
    let cosine = draft.apply(cos(), &[angle]);
    draft.apply(square(), &[cosine])
}

/// Half a cosine from the first rate, where `way` is 0, to the second, where it is 1.
fn between(draft: &mut Draft, [from, to]: [f64; 2], way: Wire) -> Wire {
    let height = half_cosine(draft, way);
    let above = draft.scaled(from - to, height);
    draft.shifted(above, to)
}

/// A count of at least one.
fn positive(name: &str, count: u32) -> Result<(), TrainingError> {
    TrainingError::unless(count > 0, name, f64::from(count), "at least 1")
}
