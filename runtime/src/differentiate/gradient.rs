//! Gradients: what an operator knows about its derivative, written with other operators.
//!
//! [`Operator::gradient`](crate::operator::Operator::gradient) adds nodes to the draft that is
//! being differentiated. They are nodes like any other: placed, planned, fused, run on every device
//! and differentiated again.

use std::ops::{Deref, DerefMut};

use crate::define::{Draft, Wire};
use crate::spec::Spec;

/// What an operator answers when it is asked for its gradient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// The gradient of the loss by each input, each of the spec of its input. `None` where it is
    /// zero everywhere, such as for an index, and for inputs that are not wanted.
    Of(Vec<Option<Wire>>),
    /// It has none, and why: a fault where a loss depends on it.
    Absent(&'static str),
}

impl Gradient {
    /// That of an operator with one input.
    #[must_use]
    pub fn one(wire: Wire) -> Self {
        Self::Of(vec![Some(wire)])
    }
}

/// The operators that differentiation itself needs; the runtime has none of its own.
#[derive(Clone, Copy)]
pub struct Arithmetic {
    /// Adds two streams of one spec.
    pub add: fn(&mut Draft, Wire, Wire) -> Wire,
    /// A stream like the given one in which every element is this number.
    pub fill: fn(&mut Draft, Wire, f64) -> Wire,
    /// The value of branch `k` where the selector, the first wire, is `k`.
    pub merge: fn(&mut Draft, Wire, &[Wire]) -> Wire,
    /// Each `count` tokens of a stream as one token of each of `count` streams.
    pub deal: fn(&mut Draft, Wire, usize) -> Vec<Wire>,
    /// One token of each stream after the other as tokens of one: the inverse of `deal`.
    pub collect: fn(&mut Draft, &[Wire]) -> Wire,
    /// The first wire, which may be a constant, once for each token of the second.
    pub pace: fn(&mut Draft, Wire, Wire) -> Wire,
}

/// One node that is being differentiated, and the draft that its gradient is added to: a
/// `Backward` is used as the [`Draft`] it stands for.
pub struct Backward<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) arithmetic: Arithmetic,
    pub(super) inputs: Vec<Wire>,
    pub(super) outputs: Vec<Wire>,
    pub(super) upstream: Vec<Option<Wire>>,
    pub(super) wanted: Vec<bool>,
}

impl Backward<'_> {
    /// Input `index` of the node.
    #[must_use]
    pub fn input(&self, index: usize) -> Wire {
        self.inputs[index]
    }

    /// The number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Output `index` of the node.
    #[must_use]
    pub fn output(&self, index: usize) -> Wire {
        self.outputs[index]
    }

    /// The gradient of the loss by output `index`; zeros if the loss does not depend on it.
    pub fn upstream(&mut self, index: usize) -> Wire {
        if let Some(wire) = self.upstream[index] {
            return wire;
        }
        let zeros = (self.arithmetic.fill)(self.draft, self.outputs[index], 0.0);
        self.upstream[index] = Some(zeros);
        zeros
    }

    /// Whether the loss depends on output `index`; it does on at least one.
    #[must_use]
    pub fn has_upstream(&self, index: usize) -> bool {
        self.upstream[index].is_some()
    }

    /// Whether the gradient by input `index` is used at all.
    #[must_use]
    pub fn wants(&self, index: usize) -> bool {
        self.wanted[index]
    }

    /// The spec of input `index`.
    ///
    /// # Panics
    /// Never: only drafts without faults are differentiated.
    #[must_use]
    pub fn input_spec(&self, index: usize) -> Spec {
        let spec = self.draft.spec(self.inputs[index]);
        spec.expect("only drafts without faults are differentiated").clone()
    }
}

impl Deref for Backward<'_> {
    type Target = Draft;
    fn deref(&self) -> &Draft {
        self.draft
    }
}

impl DerefMut for Backward<'_> {
    fn deref_mut(&mut self) -> &mut Draft {
        self.draft
    }
}
