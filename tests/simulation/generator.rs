//! Graphs at random: chains, joins, delays, feedbacks, rates and routes over CPU devices.

use std::collections::BTreeSet;

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::graph::Graph;
use synfire_runtime::random::Seed;

use crate::fixture::{affine, merge, mix, number, resample, switch};

/// Draws numbers from a seed.
pub(super) struct Dice {
    seed: Seed,
    thrown: u64,
}

impl Dice {
    pub(super) fn new(seed: u64, what: &str) -> Self {
        Self { seed: Seed(seed).named(what), thrown: 0 }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.thrown += 1;
        self.seed.index(self.thrown, bound)
    }

    /// True once in `times` throws.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// A stream and its tokens relative to the feeds', as a fraction in lowest terms.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    pub(super) wire: Wire,
    pub(super) rate: (u32, u32),
}

/// A draft that grows at random.
pub(super) struct Grower {
    pub(super) draft: Draft,
    pub(super) dice: Dice,
    pub(super) streams: Vec<Stream>,
    /// Indexes of streams that somebody reads.
    pub(super) read: BTreeSet<usize>,
    pub(super) devices: usize,
    /// Delays of one stream share its initial tokens, so all delays of a graph are alike.
    pub(super) initial: Initial,
}

impl Grower {
    fn any(&mut self) -> Stream {
        let index = self.dice.below(self.streams.len());
        self.read.insert(index);
        self.streams[index]
    }

    /// Another stream of the same rate; `stream` itself if there is none.
    fn beside(&mut self, stream: Stream) -> Stream {
        let alike: Vec<usize> =
            (0..self.streams.len()).filter(|&s| self.streams[s].rate == stream.rate).collect();
        let index = alike[self.dice.below(alike.len())];
        self.read.insert(index);
        self.streams[index]
    }

    fn add(&mut self, wire: Wire, rate: (u32, u32)) {
        self.streams.push(Stream { wire, rate });
    }

    /// Builds on a random CPU device.
    fn on<R>(&mut self, build: impl FnOnce(&mut Draft) -> R) -> R {
        let device = format!("cpu:{}", self.dice.below(self.devices));
        self.draft.on(&device, build)
    }

    fn affine(&mut self, wire: Wire) -> Wire {
        let constant = self.dice.below(100) as i64;
        self.on(|draft| draft.apply(affine(constant), &[wire]))
    }

    fn chain(&mut self) {
        let stream = self.any();
        let mut wire = stream.wire;
        for _ in 0..=self.dice.below(3) {
            wire = self.affine(wire);
        }
        self.add(wire, stream.rate);
    }

    fn join(&mut self) {
        let stream = self.any();
        let count = 2 + self.dice.below(2);
        let mut wires = vec![stream.wire];
        wires.extend((1..count).map(|_| self.beside(stream).wire));
        let wire = self.on(|draft| draft.apply(mix(count), &wires));
        self.add(wire, stream.rate);
    }

    fn delay(&mut self) {
        let stream = self.any();
        let steps = 1 + self.dice.below(3);
        let late = self.draft.delay(stream.wire, steps, self.initial.clone());
        let wire = self.on(|draft| draft.apply(mix(2), &[stream.wire, late]));
        self.add(wire, stream.rate);
    }

    fn feedback(&mut self) {
        let stream = self.any();
        let steps = 1 + self.dice.below(3);
        let (before, open) = self.draft.feedback(number(), steps, self.initial.clone());
        let sum = self.on(|draft| draft.apply(mix(2), &[stream.wire, before]));
        let mut wire = sum;
        for _ in 0..self.dice.below(3) {
            wire = self.affine(wire);
        }
        self.draft.close(open, wire);
        self.add(sum, stream.rate);
    }

    fn resample(&mut self) {
        let stream = self.any();
        let (take, give) = (1 + self.dice.below(3) as u32, 1 + self.dice.below(3) as u32);
        let (over, under) = (stream.rate.0 * give, stream.rate.1 * take);
        let common = (1..=over.min(under)).rev().find(|n| over % n == 0 && under % n == 0);
        let rate = common.map_or((1, 1), |common| (over / common, under / common));
        if rate.0 > 6 || rate.1 > 6 {
            return;
        }
        let wire = self.on(|draft| draft.apply(resample(take, give), &[stream.wire]));
        self.add(wire, rate);
    }

    fn route(&mut self) {
        let selector = self.any();
        let stream = self.beside(selector);
        let branches = 2 + self.dice.below(2);
        let inputs = [selector.wire, stream.wire];
        let mut wires = self.on(|draft| draft.apply_many(switch(branches), &inputs));
        for wire in &mut wires {
            for _ in 0..self.dice.below(3) {
                *wire = self.affine(*wire);
            }
        }
        wires.insert(0, selector.wire);
        let wire = self.on(|draft| draft.apply(merge(branches), &wires));
        self.add(wire, selector.rate);
    }

    /// A stream with values now and then; the other branch is read by nobody.
    fn sift(&mut self) {
        let selector = self.any();
        let stream = self.beside(selector);
        let inputs = [selector.wire, stream.wire];
        let wires = self.on(|draft| draft.apply_many(switch(2), &inputs));
        let wire = self.affine(wires[0]);
        self.add(wire, selector.rate);
    }

    /// Grows, then lets everything out that nobody reads.
    pub(super) fn grow(mut self, one_rate: bool) -> Graph {
        for _ in 0..4 + self.dice.below(8) {
            match self.dice.below(if one_rate { 11 } else { 14 }) {
                0..3 => self.chain(),
                3..5 => self.join(),
                5 => self.delay(),
                6 | 7 => self.feedback(),
                8 | 9 => self.route(),
                10 => self.sift(),
                _ => self.resample(),
            }
        }
        let unread = (0..self.streams.len()).filter(|stream| !self.read.contains(stream));
        for stream in unread.collect::<Vec<_>>() {
            self.draft.outlet(&format!("out{stream}"), self.streams[stream].wire);
        }
        self.draft.outlet("first", self.streams[0].wire);
        self.draft.check().expect("the generator draws right graphs")
    }
}
