//! Batches: a source operator that gives a graph its examples, so that data are actors like all
//! else.
//!
//! What a batch holds is a function of (examples, seed, number of the firing) alone: firing `f` is
//! batch `f % steps` of epoch `f / steps`, the order of an epoch is a permutation keyed by seed and
//! epoch, and variations of an example are keyed by seed, epoch and its index. So a run that goes
//! on at firing `f` sees what it would have seen, and every device, lane and schedule sees the same
//! bits. No state has to be kept.
//!
//! # Prefetch
//! A source fires whenever its output has a free slot. On the lane of its reader it takes turns
//! with it; on a lane of its own it runs ahead by as many batches as the stream has credits, and
//! waits there: `draft.on("cpu:1", |draft| draft.apply_many(batches, &[]))` is a loader thread with
//! a bounded buffer. `Limits::capacities` sets its length.
//!
//! # Shape
//! `x`: `f32[batch, ...example]`; then `label`: `i64[batch]`, or with mixup
//! `f32[batch, class]`; or `target`: `f32[batch, ...]` where numbers are wanted; then, when padded,
//! `weight`: `f32[batch]`, 1 for an example, 0 for what only fills the last batch of an epoch.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use synfire::data::batches::batches;
//! use synfire::data::dataset::{Answers, Dataset, Elements};
//! use synfire::runtime::interpret::interpret;
//! use synfire::prelude::*;
//! use synfire::runtime::random::Seed;
//!
//! let labels = vec![0, 1, 0, 1];
//! let names = vec!["low".to_owned(), "high".to_owned()];
//! let elements = Elements::F32(vec![0.1, 0.9, 0.2, 0.8]);
//! let data = Dataset::new("levels", &[1], elements, Answers::Labels { labels, names })?;
//! let mut draft = Draft::new();
//! let source = batches(data, 2, Seed(7)).epochs(3);
//! let [x, label] = draft.apply_many(source, &[])[..] else { unreachable!("two outputs") };
//! draft.outlet("x", x);
//! draft.outlet("label", label);
//! let graph = draft.check().expect("the draft is right");
//! let streams = interpret(&graph, &Options::default(), &Default::default())?;
//! assert_eq!(streams["label"].len(), 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod kernel; // fills batches

use std::fmt;
use std::sync::Arc;

use synfire_runtime::device::Target as Device;
use synfire_runtime::operator::{
    Axes, Contract, Kernel, KernelError, Metadata, Operator, SpecError, Specs, Tolerance,
};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Element, Spec};

use super::augment::{Augment, Image};
use super::dataset::{Examples, Target};

/// In which order an epoch goes through the examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Shuffled,
    Stored,
}

/// What becomes of the examples that fill no batch at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Dropped,
    Padded,
}

/// The source; made by [`batches`].
#[derive(Clone)]
pub struct Batches {
    examples: Arc<dyn Examples>,
    size: usize,
    seed: Seed,
    order: Order,
    rest: Rest,
    /// How often the examples are gone through; without end where it is not said.
    epochs: Option<u64>,
    /// The batch that firing 0 gives.
    first: u64,
    /// How often each batch is given.
    times: u64,
    augments: Vec<Augment>,
    mixup: Option<f64>,
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

/// Batches of `size` examples, shuffled in each epoch, without end; the last examples of an epoch,
/// if they fill no batch, are left out of it.
#[must_use]
pub fn batches(examples: impl Examples + 'static, size: usize, seed: Seed) -> Batches {
    Batches {
        examples: Arc::new(examples),
        size,
        seed,
        order: Order::Shuffled,
        rest: Rest::Dropped,
        epochs: None,
        first: 0,
        times: 1,
        augments: Vec::new(),
        mixup: None,
        mean: Vec::new(),
        deviation: Vec::new(),
    }
}

impl Batches {
    /// The examples in the order in which they are stored.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.order = Order::Stored;
        self
    }

    /// Fills the last batch of an epoch with examples from its start, so that none is left out, and
    /// adds the output `weight`, which is 0 for these.
    #[must_use]
    pub fn padded(mut self) -> Self {
        self.rest = Rest::Padded;
        self
    }

    /// The stream ends after so many epochs.
    #[must_use]
    pub fn epochs(mut self, count: u64) -> Self {
        self.epochs = Some(count);
        self
    }

    /// Firing 0 gives batch `step`, counted from the start of epoch 0: for a run that goes on where
    /// another was, and whose firings count from 0 again.
    #[must_use]
    pub fn starting_at(mut self, step: u64) -> Self {
        self.first = step;
        self
    }

    /// Gives each batch `times` times in a row: for a graph whose step takes several iterations.
    #[must_use]
    pub fn repeated(mut self, times: u64) -> Self {
        self.times = times.max(1);
        self
    }

    /// Varies each example; what was added before comes first.
    #[must_use]
    pub fn augment(mut self, augment: Augment) -> Self {
        self.augments.push(augment);
        self
    }

    /// Mixes each example and what is wanted for it with any other, after all variations: `w` of
    /// the one and `1 - w` of the other, `w` of the beta distribution with both parameters `alpha`.
    /// Labels become distributions over classes. Zhang et al., "mixup: beyond empirical risk
    /// minimization", 2018.
    #[must_use]
    pub fn mixup(mut self, alpha: f64) -> Self {
        self.mixup = Some(alpha);
        self
    }

    /// Gives `(x - mean) / deviation`, with one number for all, or one for each index of the first
    /// axis of an example. It comes last, and a deviation of 0 counts as 1.
    #[must_use]
    pub fn normalise(mut self, mean: &[f32], deviation: &[f32]) -> Self {
        self.mean = mean.to_vec();
        self.deviation = deviation.to_vec();
        self
    }

    /// Batches of an epoch; 0 where there is no whole one.
    #[must_use]
    pub fn steps(&self) -> u64 {
        let (count, size) = (self.examples.count(), self.size.max(1));
        match self.rest {
            Rest::Dropped => (count / size) as u64,
            Rest::Padded => count.div_ceil(size) as u64,
        }
    }

    /// The extents of an example after all variations.
    fn extents(&self) -> Result<Vec<usize>, SpecError> {
        let extents = self.examples.extents().to_vec();
        self.augments.iter().try_fold(extents, |extents, augment| {
            augment.extents(&extents).map_err(|(found, wanted)| SpecError::new("x", found, wanted))
        })
    }

    /// What cannot be.
    fn check(&self) -> Result<(), SpecError> {
        let wrong = |found: String, wanted: &str| Err(SpecError::new("x", found, wanted));
        let (count, size) = (self.examples.count(), self.size);
        if size == 0 || u32::try_from(count).is_err() {
            let found = format!("batches of {size} from {count} examples");
            return wrong(found, "at least 1 a batch, less than 2^32 examples");
        }
        if self.steps() == 0 {
            let error =
                SpecError::new("x", format!("{count} examples"), format!("at least {size}"));
            return Err(error.hint("make the batch smaller, or have it padded"));
        }
        if let Some(alpha) = self.mixup.filter(|alpha| !(0.01..=100.0).contains(alpha)) {
            return wrong(format!("mixup of alpha {alpha}"), "0.01 to 100");
        }
        if let Target::Numbers(extents) = self.examples.target()
            && let Some(augment) = self.augments.iter().find(|augment| augment.moves())
            && extents.len() > 1
        {
            let found = format!("{augment:?} where the target has extents {extents:?}");
            return wrong(found, "a target that does not move with the image");
        }
        let extents = self.extents()?;
        if extents.contains(&0) {
            return wrong(format!("examples {extents:?}"), "at least one element");
        }
        let groups = extents.first().copied().unwrap_or(1);
        let (mean, deviation) = (self.mean.len(), self.deviation.len());
        if mean != deviation || ![0, 1, groups].contains(&mean) {
            let found = format!("{mean} means and {deviation} deviations");
            let wanted = format!("1 of each, or {groups}: one for each index of the first axis");
            return wrong(found, &wanted);
        }
        let numbers = self.mean.iter().chain(&self.deviation);
        match numbers.into_iter().find(|number| !number.is_finite()) {
            Some(number) => wrong(format!("{number} in mean and deviation"), "finite numbers"),
            None => Ok(()),
        }
    }

    /// The most elements that an example has between two variations.
    fn elements_max(&self) -> usize {
        let mut extents = self.examples.extents().to_vec();
        let mut most = Image::of(&extents).elements();
        for augment in &self.augments {
            extents = augment.extents(&extents).unwrap_or(extents);
            most = most.max(Image::of(&extents).elements());
        }
        most
    }
}

/// Short, and other for every other stream of batches: it is part of a graph's fingerprint.
impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batches({:?}, {}, {:?}, ", self.examples, self.size, self.seed)?;
        write!(f, "{:?}, {:?}, {:?}, {}, ", self.order, self.rest, self.epochs, self.first)?;
        write!(f, "{}, ", self.times)?;
        let (mean, deviation) = (&self.mean, &self.deviation);
        write!(f, "{:?}, {:?}, {mean:?}, {deviation:?})", self.augments, self.mixup)
    }
}

impl Operator for Batches {
    fn contract(&self) -> Contract {
        let answer = match self.examples.target() {
            Target::Class(_) => "label",
            Target::Numbers(_) => "target",
        };
        let contract = Contract::new("batches").output("x").output(answer);
        let contract = match self.rest {
            Rest::Dropped => contract,
            Rest::Padded => contract.output("weight"),
        };
        contract.counts().tolerance(Tolerance::EXACT)
    }

    fn shape(&self, _inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        self.check()?;
        let batch = |extents: &[usize]| [&[self.size], extents].concat();
        let answer = match (self.examples.target(), self.mixup) {
            (Target::Class(_), None) => Spec::new(Element::I64, [self.size]),
            (Target::Class(names), Some(_)) => Spec::f32([self.size, names.len()]),
            (Target::Numbers(extents), _) => Spec::f32(batch(extents)),
        };
        let mut outputs = vec![Spec::f32(batch(&self.extents()?)), answer];
        if self.rest == Rest::Padded {
            outputs.push(Spec::f32([self.size]));
        }
        Ok(outputs)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // The batch is one axis; each of the others is an axis of its own.
        let mut next = 0;
        let labels = outputs.iter().map(|spec| {
            let own = (1..spec.rank()).map(|_| {
                next += 1;
                next
            });
            std::iter::once(0).chain(own).collect()
        });
        let axes = Axes { inputs: Vec::new(), outputs: labels.collect() };
        Metadata::streaming(inputs, outputs, axes)
    }

    fn kernel(
        &self,
        target: Device<'_>,
        _specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        match target {
            Device::Host => Ok(Box::new(kernel::Loader::new(self.clone()))),
            Device::Accelerator(_) => Err(KernelError::Absent),
        }
    }
}

#[cfg(test)]
mod tests;
