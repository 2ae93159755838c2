//! Optimisers: a training step as part of the graph.
//!
//! [`Training::train`] adds to a draft what one step does: the gradient of the loss by every
//! trainable parameter, clipping, noise, and the optimiser's update of each parameter, in the
//! parameter's own register. Rates come from a [`Schedule`], which is a small graph over the step
//! counter. Counter, moments and averages are parameters that the graph itself updates, so a step
//! is one firing of the whole graph and the state is what a checkpoint of the run holds.
//!
//! ```
//! use synfire::ops::{dense::linear::linear, loss::mse::mse, losses::Total};
//! use synfire::optimisers::{Adam, Training, schedule::Constant};
//! use synfire::prelude::*;
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([8, 3]));
//! let target = draft.feed("target", Spec::f32([8, 1]));
//! let weight = draft.parameter("weight", Spec::f32([1, 3]), Initial::Normal { deviation: 0.5 });
//! let y = draft.apply(linear(), &[x, weight]);
//! let loss = mse(&mut draft, y, target, Total::Mean);
//! draft.outlet("loss", loss);
//! Training::new(Adam::default(), Constant(1e-3)).train(&mut draft, loss)?;
//! assert!(draft.check().is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use synfire_ops::broadcast::binary::multiply;
use synfire_ops::broadcast::cast::cast;
use synfire_ops::differentiate::gradients;
use synfire_ops::pointwise::unary::{scale, shift};
use synfire_ops::route::pace::pace;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Element, Spec};

use crate::blocks::as_element;

pub mod schedule; // rates by the step
mod step; // one parameter in one step
mod algebra; // formulas over wires
mod group; // parameters that are trained in another way
mod clip; // bounds of gradients
mod noise; // annealed noise on gradients
mod accumulate; // one step of several batches
mod loss_scale; // gradients of few bits
mod average; // averages of weights
mod sgd;
mod adam;
mod rms_prop;
mod adagrad;
mod lars;
mod lion;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use clip::Clip;
pub use group::Group;
pub use lars::Lars;
pub use lion::Lion;
pub use loss_scale::LossScale;
pub use noise::Noise;
pub use rms_prop::RmsProp;
pub use schedule::Schedule;
pub use sgd::Sgd;
pub use step::{Optimiser, Step};

use average::Average;
use step::{Gate, keep};

/// Why a training cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name}: found {found}; wanted {wanted}")]
pub struct TrainingError {
    /// The setting or the path.
    pub name: String,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
}

impl TrainingError {
    fn new(name: impl Into<String>, found: impl fmt::Display, wanted: &str) -> Self {
        Self { name: name.into(), found: found.to_string(), wanted: wanted.into() }
    }

    /// A setting that `holds`, or not.
    fn unless(holds: bool, name: &str, found: f64, wanted: &str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(name, found, wanted)) }
    }
}

/// How a graph is trained.
#[derive(Debug)]
pub struct Training {
    /// What updates the parameters.
    pub optimiser: Box<dyn Optimiser>,
    /// The rate at each step.
    pub schedule: Box<dyn Schedule>,
    /// Parameters with rates and decays of their own, or frozen; the first group that takes a path
    /// decides.
    pub groups: Vec<Group>,
    /// Bounds of the gradient.
    pub clip: Option<Clip>,
    /// Noise on the gradient, behind clipping.
    pub noise: Option<Noise>,
    /// The part of the old in an exponential moving average of every weight, if one is kept, as
    /// the parameter `training/average/<path>`. The first average is the weight after one step.
    pub average: Option<f64>,
    /// Scaling of the loss, for gradients of 16 bits.
    pub loss_scale: Option<LossScale>,
    /// Batches whose mean gradient makes one step; 1 for a step after each. What comes in between
    /// changes nothing but the sums, which are parameters `training/sum/<path>/gradient`.
    pub accumulate: u32,
}

/// What a training made.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The rate of this step, a scalar.
    pub rate: Wire,
    /// The number of this step, from 1, a scalar.
    pub number: Wire,
    /// The norm of all gradients before clipping, where it is clipped by norm.
    pub norm: Option<Wire>,
    /// The scale of the loss in this step, where it is scaled.
    pub loss_scale: Option<Wire>,
    /// Paths and next values of what is trained, in the order of definition.
    pub parameters: Vec<(String, Wire)>,
    /// Paths and next averages of the same, where averages are kept.
    pub averages: Vec<(String, Wire)>,
}

/// A parameter with its gradient.
struct Slope {
    path: String,
    parameter: Wire,
    spec: Spec,
    gradient: Wire,
    /// Its place in [`Training::groups`].
    group: Option<usize>,
}

impl Training {
    /// Training by an optimiser at the rates of a schedule, and nothing else.
    #[must_use]
    pub fn new(optimiser: impl Optimiser + 'static, schedule: impl Schedule + 'static) -> Self {
        Self {
            optimiser: Box::new(optimiser),
            schedule: Box::new(schedule),
            groups: Vec::new(),
            clip: None,
            noise: None,
            average: None,
            loss_scale: None,
            accumulate: 1,
        }
    }

    /// Adds to the draft what trains every parameter that `loss`, a stream of single numbers,
    /// depends on, but for frozen ones and those that something updates already.
    ///
    /// # Errors
    /// Settings out of range, a group that takes no parameter, parameters that are neither `f32`
    /// nor `f64`, and a loss that no parameter is trained by.
    pub fn train(&self, draft: &mut Draft, loss: Wire) -> Result<Trained, TrainingError> {
        self.check()?;
        let candidates = self.candidates(draft)?;
        draft.scope("training", |draft| self.build(draft, loss, candidates))
    }

    fn check(&self) -> Result<(), TrainingError> {
        let own = self.groups.iter().filter_map(|group| group.optimiser.as_deref());
        let mut optimisers = own.chain([&*self.optimiser]);
        optimisers.try_for_each(Optimiser::check)?;
        self.schedule.check()?;
        self.clip.map_or(Ok(()), Clip::check)?;
        self.noise.as_ref().map_or(Ok(()), Noise::check)?;
        self.loss_scale.as_ref().map_or(Ok(()), LossScale::check)?;
        let is_count = (1..1 << 24).contains(&self.accumulate);
        let batches = self.accumulate.into();
        TrainingError::unless(is_count, "accumulate", batches, "1 to 2^24 - 1")?;
        let part = self.average.unwrap_or(0.0);
        TrainingError::unless((0.0..1.0).contains(&part), "average", part, "0 to below 1")
    }

    /// What may be trained: parameters of real numbers that are neither frozen nor updated.
    fn candidates(&self, draft: &Draft) -> Result<Vec<Slope>, TrainingError> {
        let mut taken = vec![false; self.groups.len()];
        let mut candidates = Vec::new();
        for (path, parameter) in draft.parameters() {
            let Some(spec) = draft.spec(parameter).cloned() else { continue };
            let group = self.groups.iter().position(|group| group.takes(&path));
            group.into_iter().for_each(|group| taken[group] = true);
            if !spec.element.is_float() || group.is_some_and(|group| self.groups[group].frozen) {
                continue;
            }
            candidates.push(Slope { path, parameter, spec, gradient: parameter, group });
        }
        match taken.iter().position(|taken| !taken) {
            Some(idle) => {
                let name = format!("groups[{idle}]");
                Err(TrainingError::new(name, "no parameter", "a path that it takes"))
            }
            None => Ok(candidates),
        }
    }

    fn build(
        &self,
        draft: &mut Draft,
        loss: Wire,
        candidates: Vec<Slope>,
    ) -> Result<Trained, TrainingError> {
        let scalar = || Spec::f32([0_usize; 0]);
        let count = draft.parameter("step", scalar(), Initial::Zeros);
        // Without the pace of the loss it would count by itself.
        let paced = draft.apply(pace(), &[count, loss]);
        let number = draft.apply(shift(1.0), &[paced]);
        let rate = draft.scope("rate", |draft| self.schedule.rate(draft, count));
        let loss_scale = self.loss_scale.as_ref().map(|own| own.open(draft));
        let seed = loss_scale.as_ref().map_or(loss, |own| own.scaled(draft, loss));
        let mut slopes = slopes(draft, seed, candidates)?;
        if let Some(own) = &loss_scale {
            own.unscale(draft, &mut slopes);
        }
        let last = accumulate::accumulate(draft, self.accumulate, paced, &mut slopes);
        let truth = match &loss_scale {
            Some(own) => Some(own.close(draft, &slopes, last)),
            None => last,
        };
        let gate = truth.map(|truth| {
            let number = draft.apply(cast(Element::F32), &[truth]);
            Gate { truth, number }
        });
        let norm = self.clip.and_then(|clip| clip.apply(draft, &mut slopes));
        if let Some(noise) = &self.noise {
            noise.apply(draft, count, &mut slopes);
        }
        keep(draft, gate, count, number);
        let average = self.average.map(|part| Average::new(draft, part, number));
        let (mut parameters, mut averages) = (Vec::new(), Vec::new());
        for slope in slopes {
            let path = slope.path.clone();
            let next = self.update(draft, [rate, number], gate, &slope);
            if let Some(average) = &average {
                averages.push((path.clone(), average.follow(draft, gate, &slope, next)));
            }
            parameters.push((path, next));
        }
        let loss_scale = loss_scale.map(|own| own.factor);
        Ok(Trained { rate, number, norm, loss_scale, parameters, averages })
    }

    /// Updates one parameter; its next value.
    fn update(
        &self,
        draft: &mut Draft,
        scalars: [Wire; 2],
        gate: Option<Gate>,
        slope: &Slope,
    ) -> Wire {
        let group = slope.group.map(|group| &self.groups[group]);
        beside(draft, "optimiser", slope, |draft| {
            let element = slope.spec.element;
            let [rate, number] = scalars.map(|wire| as_element(draft, wire, element));
            let rate = match group.map_or(1.0, |group| group.rate) {
                1.0 => rate,
                factor => draft.apply(scale(factor), &[rate]),
            };
            let (parameter, gradient) = (slope.parameter, slope.gradient);
            let (spec, weight_decay) =
                (slope.spec.clone(), group.and_then(|group| group.weight_decay));
            let mut step =
                Step { draft, parameter, gradient, rate, number, spec, weight_decay, gate };
            let own = group.and_then(|group| group.optimiser.as_deref());
            let next = own.unwrap_or(&*self.optimiser).step(&mut step);
            step.keep(parameter, next);
            next
        })
    }
}

/// The gradients of the loss by what it depends on.
fn slopes(
    draft: &mut Draft,
    loss: Wire,
    candidates: Vec<Slope>,
) -> Result<Vec<Slope>, TrainingError> {
    let by: Vec<Wire> = candidates.iter().map(|slope| slope.parameter).collect();
    let found = gradients(draft, loss, &by);
    let pairs = candidates.into_iter().zip(found);
    let slopes: Vec<Slope> =
        pairs.filter_map(|(own, gradient)| Some(Slope { gradient: gradient?, ..own })).collect();
    let wide = |slope: &&Slope| !matches!(slope.spec.element, Element::F32 | Element::F64);
    if let Some(narrow) = slopes.iter().find(wide) {
        let wanted = "f32 or f64, cast where it is read";
        return Err(TrainingError::new(narrow.path.clone(), narrow.spec.element, wanted));
    }
    // A draft with faults has no gradients; its check tells them.
    if slopes.is_empty() && draft.spec(loss).is_some() && draft.is_faultless() {
        let wanted = "a loss that depends on one that is not frozen";
        return Err(TrainingError::new("loss", "no parameter to train", wanted));
    }
    Ok(slopes)
}

/// Builds below a name of its own for a parameter, on the parameter's device.
fn beside<R>(
    draft: &mut Draft,
    name: &str,
    slope: &Slope,
    build: impl FnOnce(&mut Draft) -> R,
) -> R {
    let named = |draft: &mut Draft| {
        draft.scope(name, |draft| draft.scope(&slope.path, |draft| build(draft)))
    };
    match draft.device(slope.parameter).map(str::to_owned) {
        Some(device) => draft.on(&device, named),
        None => named(draft),
    }
}

/// Every gradient times a scalar of `f32`.
fn scale_all(draft: &mut Draft, slopes: &mut [Slope], factor: Wire) {
    for slope in slopes {
        slope.gradient = beside(draft, "scaled", slope, |draft| {
            let factor = as_element(draft, factor, slope.spec.element);
            draft.apply(multiply(), &[slope.gradient, factor])
        });
    }
}
