//! The kernel of a source of batches: reads, varies, mixes and normalises one example at a time.
//!
//! Nothing is allocated after it is made: the order of an epoch and three examples are kept.

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, Workspace};
use synfire_runtime::random::Seed;

use super::super::augment::{Image, beta};
use super::super::dataset::{Target, shuffle};
use super::{Batches, Order, Rest};

pub(super) struct Loader {
    source: Batches,
    steps: u64,
    /// The examples in the order of an epoch; empty where they come as they are stored.
    order: Vec<u32>,
    /// The epoch whose order it is.
    epoch: Option<u64>,
    /// The example, room to move it, and what it is mixed with.
    own: Vec<f32>,
    spare: Vec<f32>,
    other: Vec<f32>,
    /// What is wanted for one example.
    answer: Vec<f32>,
}

impl Loader {
    pub(super) fn new(source: Batches) -> Self {
        let varies = !source.augments.is_empty() || source.mixup.is_some();
        let room = || if varies { vec![0.0; source.elements_max()] } else { Vec::new() };
        let order = match source.order {
            Order::Shuffled => vec![0; source.examples.count()],
            Order::Stored => Vec::new(),
        };
        Self {
            steps: source.steps(),
            order,
            epoch: None,
            own: room(),
            spare: room(),
            other: if source.mixup.is_some() { room() } else { Vec::new() },
            answer: vec![0.0; source.examples.target().elements()],
            source,
        }
    }

    /// Makes the order that of `epoch`.
    fn order(&mut self, epoch: u64) {
        if self.epoch != Some(epoch) {
            self.order.iter_mut().zip(0..).for_each(|(place, index)| *place = index);
            shuffle(&mut self.order, self.source.seed.named("order").derive(epoch));
            self.epoch = Some(epoch);
        }
    }

    /// The example at a place of the epoch; past its end it starts again.
    fn index(&self, place: usize) -> usize {
        let place = place % self.source.examples.count();
        self.order.get(place).map_or(place, |&index| index as usize)
    }

    /// Writes example `index` as it is in this epoch to `x`, and what is wanted for it to `answer`;
    /// gives its label's number there.
    fn write(&mut self, seeds: &Seeds, index: usize, x: &mut [f32], answer: Answer<'_>) {
        if self.source.augments.is_empty() && self.source.mixup.is_none() {
            self.source.examples.read(index, x);
        } else {
            let mixed = seeds.mixed(&self.source, index);
            if let Some((partner, _)) = mixed {
                self.vary(seeds, partner, x.len());
                self.other[..x.len()].copy_from_slice(&self.own[..x.len()]);
            }
            self.vary(seeds, index, x.len());
            match mixed {
                None => x.copy_from_slice(&self.own[..x.len()]),
                Some((_, share)) => {
                    let pairs = self.own.iter().zip(&self.other);
                    x.iter_mut().zip(pairs).for_each(|(x, (a, b))| *x = b + share * (a - b));
                }
            }
        }
        self.normalise(x);
        let mixed = seeds.mixed(&self.source, index);
        self.answer(index, mixed, answer);
    }

    /// Leaves example `index` after its variations in `own`.
    fn vary(&mut self, seeds: &Seeds, index: usize, elements: usize) {
        let examples = &self.source.examples;
        let mut image = Image::of(examples.extents());
        examples.read(index, &mut self.own[..image.elements()]);
        let seed = seeds.augment.derive(index as u64);
        for (place, augment) in self.source.augments.iter().enumerate() {
            let seed = seed.derive(place as u64);
            image = augment.apply(image, &mut self.own, &mut self.spare, seed);
        }
        assert_eq!(image.elements(), elements, "variations give what the shape says");
    }

    fn normalise(&self, x: &mut [f32]) {
        let groups = self.source.mean.len();
        if groups == 0 {
            return;
        }
        let constants = self.source.mean.iter().zip(&self.source.deviation);
        for (part, (mean, &deviation)) in x.chunks_exact_mut(x.len() / groups).zip(constants) {
            let scale = if deviation == 0.0 { 1.0 } else { 1.0 / deviation };
            part.iter_mut().for_each(|x| *x = (*x - mean) * scale);
        }
    }

    /// Writes what is wanted for example `index`, mixed with what is wanted for its partner.
    fn answer(&mut self, index: usize, mixed: Option<(usize, f32)>, answer: Answer<'_>) {
        let parts = match mixed {
            None => [(index, 1.0), (index, 0.0)],
            Some((partner, share)) => [(index, share), (partner, 1.0 - share)],
        };
        match answer {
            Answer::Label(label) => {
                self.source.examples.answer(index, &mut self.answer);
                *label = self.answer[0] as i64;
            }
            Answer::Distribution(shares) => {
                shares.fill(0.0);
                for (index, share) in parts {
                    self.source.examples.answer(index, &mut self.answer);
                    shares[self.answer[0] as usize] += share;
                }
            }
            Answer::Numbers(numbers) if mixed.is_none() => {
                self.source.examples.answer(index, numbers);
            }
            Answer::Numbers(numbers) => {
                numbers.fill(0.0);
                for (index, share) in parts {
                    self.source.examples.answer(index, &mut self.answer);
                    let sums = numbers.iter_mut().zip(&self.answer);
                    sums.for_each(|(sum, number)| *sum += share * number);
                }
            }
        }
    }
}

/// Where what is wanted for an example is written.
enum Answer<'a> {
    Label(&'a mut i64),
    Distribution(&'a mut [f32]),
    Numbers(&'a mut [f32]),
}

/// The keys of one epoch.
struct Seeds {
    augment: Seed,
    mixup: Seed,
}

impl Seeds {
    fn new(seed: Seed, epoch: u64) -> Self {
        let of = |name| seed.named(name).derive(epoch);
        Self { augment: of("augment"), mixup: of("mixup") }
    }

    /// The example that `index` is mixed with, and its own share.
    fn mixed(&self, source: &Batches, index: usize) -> Option<(usize, f32)> {
        let alpha = source.mixup?;
        let seed = self.mixup.derive(index as u64);
        let partner = seed.index(0, source.examples.count());
        Some((partner, beta(alpha, seed.derive(1)) as f32))
    }
}

impl Kernel for Loader {
    fn workspace(&self) -> Workspace {
        let floats = [&self.own, &self.spare, &self.other, &self.answer];
        let elements: usize = floats.iter().map(|own| own.len()).sum();
        let kept_bytes = size_of::<f32>() * elements + size_of::<u32>() * self.order.len();
        Workspace { kept_bytes, scratch_bytes: 0 }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let batch = self.source.first.saturating_add(firing.index() / self.source.times);
        let (epoch, step) = (batch / self.steps, batch % self.steps);
        if self.source.epochs.is_some_and(|count| epoch >= count) {
            return Err(FireError::End);
        }
        self.order(epoch);
        let seeds = Seeds::new(self.source.seed, epoch);
        let size = self.source.size;
        let first = step as usize * size;
        let (mut x, mut answer) = (firing.output(0), firing.output(1));
        let is_label = matches!(self.source.examples.target(), Target::Class(_))
            && self.source.mixup.is_none();
        let x = x.elements::<f32>();
        let elements = x.len() / size;
        for at in 0..size {
            let index = self.index(first + at);
            let answer = if is_label {
                Answer::Label(&mut answer.elements::<i64>()[at])
            } else {
                let all = answer.elements::<f32>();
                let own = all.len() / size;
                let own = &mut all[at * own..][..own];
                match self.source.examples.target() {
                    Target::Class(_) => Answer::Distribution(own),
                    Target::Numbers(_) => Answer::Numbers(own),
                }
            };
            self.write(&seeds, index, &mut x[at * elements..][..elements], answer);
        }
        if self.source.rest == Rest::Padded {
            let count = self.source.examples.count();
            let mut weight = firing.output(2);
            let weights = weight.elements::<f32>().iter_mut().zip(first..);
            weights.for_each(|(weight, place)| *weight = f32::from(u8::from(place < count)));
        }
        Ok(())
    }
}
