//! Two levels that take turns: architecture on validation data, weights on training data.
//!
//! `min_alpha L_val(w*(alpha), alpha)` where `w*(alpha)` minimises `L_train(w, alpha)`: Liu,
//! Simonyan and Yang, "DARTS: differentiable architecture search", 2019, equations 3 and 4,
//! algorithm 1. A step is two phases, first the architecture's, then the weights', and each is an
//! iteration of one static graph:
//!
//! ```text
//!  phase (0, 1, 0, ..) <-- 1 - phase, a feedback edge
//!     |
//!  switch(phase) <-- validation batch         switch(phase) <-- training batch
//!     | 0                                        | 1
//!  L_val(w, alpha), or L_val(w', alpha)       L_train(w, alpha)
//!  its gradient by alpha                      its gradient by w
//!  optimiser of alpha                         optimiser of w
//!     |                                          |
//!  merge(phase): alpha, moments, counter      merge(phase): w, moments, counter
//! ```
//!
//! A model is a function of its weights and architecture, so each loss is another call of it with
//! other weight tokens. What stands behind the switch has tokens in its own phase only, so no
//! kernel of the other phase runs and no optimiser sees a gradient that is none; merges hand its
//! state on, bit by bit.

use synfire_ops::broadcast::binary::subtract;
use synfire_ops::differentiate::gradients;
use synfire_ops::route::merge::merge;
use synfire_ops::route::pace::pace;
use synfire_ops::route::switch::switch;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::unrolled::{Inner, Unroll, hypergradient, or_zeros};
use crate::optimisers::{Phase, Trained, Training, TrainingError};

/// A model whose weights and architecture are given with each call: the same sub-graph, any number
/// of times, with other tokens. It must make no parameters of its own.
pub trait Supernet {
    /// Adds one call; its loss on a batch, one number.
    fn loss(&self, draft: &mut Draft, batch: &[Wire], weights: &[Wire], alphas: &[Wire]) -> Wire;
}

/// What the gradient by the architecture takes into account.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Order {
    /// The weights as they are: `grad_alpha L_val(w, alpha)`.
    #[default]
    First,
    /// That the weights follow the architecture: see [`hypergradient`].
    Second(Unroll),
}

/// What is searched.
pub struct Bilevel<'a> {
    /// The model.
    pub supernet: &'a dyn Supernet,
    /// The streams of a training batch, one token of each in an iteration; both phases of a step
    /// see the same.
    pub training: &'a [Wire],
    /// The streams of a validation batch, likewise.
    pub validation: &'a [Wire],
    /// The weights: parameters that nothing updates yet.
    pub weights: &'a [Wire],
    /// The architecture: parameters that nothing updates yet.
    pub alphas: &'a [Wire],
}

/// How it is searched.
#[derive(Debug)]
pub struct Rules {
    /// The gradient by the architecture.
    pub order: Order,
    /// What updates the weights.
    pub weights: Training,
    /// What updates the architecture.
    pub architecture: Training,
}

/// Iterations of a step.
pub const PHASES: u64 = 2;

/// The number of the architecture's phase.
const ARCHITECTURE: usize = 0;

/// The number of the weights' phase.
const WEIGHTS: usize = 1;

impl Bilevel<'_> {
    /// Adds to the draft what takes the steps of a search. What comes back is the loss of each
    /// iteration before its update: on the validation batch, of the second order with the weights
    /// one step ahead, and on the training batch, in turns.
    ///
    /// # Errors
    /// As [`Training::follow`], for either level.
    pub fn alternate(&self, draft: &mut Draft, rules: &Rules) -> Result<Wire, TrainingError> {
        let selector = phase(draft);
        let (training, trained) = draft.scope("weights", |draft| {
            let phase = Phase { selector, own: WEIGHTS, count: PHASES as usize };
            self.weight_phase(draft, rules, phase)
        })?;
        let validation = draft.scope("architecture", |draft| {
            let phase = Phase { selector, own: ARCHITECTURE, count: PHASES as usize };
            self.architecture_phase(draft, rules, phase, &trained)
        })?;
        Ok(draft.apply(merge(PHASES as usize), &[selector, validation, training]))
    }

    fn weight_phase(
        &self,
        draft: &mut Draft,
        rules: &Rules,
        phase: Phase,
    ) -> Result<(Wire, Trained), TrainingError> {
        let batch = routed(draft, phase, self.training);
        let [weights, alphas] = self.tokens(draft, &batch);
        let loss = self.supernet.loss(draft, &batch, &weights, &alphas);
        let slopes = gradients(draft, loss, &weights);
        let pairs = paired(draft, self.weights, &weights, &slopes);
        Ok((loss, rules.weights.follow(draft, &pairs, Some(phase))?))
    }

    fn architecture_phase(
        &self,
        draft: &mut Draft,
        rules: &Rules,
        phase: Phase,
        trained: &Trained,
    ) -> Result<Wire, TrainingError> {
        let batch = routed(draft, phase, self.validation);
        let [weights, alphas] = self.tokens(draft, &batch);
        let (loss, slopes) = match rules.order {
            Order::First => {
                let loss = self.supernet.loss(draft, &batch, &weights, &alphas);
                (loss, gradients(draft, loss, &alphas))
            }
            Order::Second(unroll) => {
                // The batch that the weights are about to be trained on.
                let ahead = routed(draft, phase, self.training);
                let call = Bilevel {
                    supernet: self.supernet,
                    training: &ahead,
                    validation: &batch,
                    weights: &weights,
                    alphas: &alphas,
                };
                let velocity = |&weight| trained.cell(weight, "velocity");
                let velocities = self.weights.iter().map(velocity).collect();
                let inner = Inner { unroll, rate: trained.rate, velocities };
                let (loss, slopes) = hypergradient(draft, &call, &inner);
                (loss, slopes.into_iter().map(Some).collect())
            }
        };
        let pairs = paired(draft, self.alphas, &alphas, &slopes);
        rules.architecture.follow(draft, &pairs, Some(phase))?;
        Ok(loss)
    }

    /// Weights and architecture as tokens of the phase of a batch: what depends on them alone has
    /// values in that phase alone.
    fn tokens(&self, draft: &mut Draft, batch: &[Wire]) -> [Vec<Wire>; 2] {
        [self.weights, self.alphas].map(|own| {
            let Some(&pacing) = batch.first() else { return own.to_vec() };
            own.iter().map(|&token| draft.apply(pace(), &[token, pacing])).collect()
        })
    }
}

/// The phase of each firing: the architecture's first, then in turns.
fn phase(draft: &mut Draft) -> Wire {
    let spec = || Spec::new(Element::I64, [0_usize; 0]);
    let selector = draft.parameter("phase", spec(), Initial::Zeros);
    let one = draft.parameter("one", spec(), Initial::Constant(1.0));
    let next = draft.apply(subtract(), &[one, selector]);
    draft.update(selector, next);
    selector
}

/// Streams as they are in one phase, and null in all others.
fn routed(draft: &mut Draft, phase: Phase, streams: &[Wire]) -> Vec<Wire> {
    let own = |draft: &mut Draft, &stream| {
        draft.apply_many(switch(phase.count), &[phase.selector, stream])[phase.own]
    };
    draft.scope("batch", |draft| streams.iter().map(|stream| own(draft, stream)).collect())
}

/// Parameters with the gradients by their tokens.
fn paired(
    draft: &mut Draft,
    parameters: &[Wire],
    tokens: &[Wire],
    slopes: &[Option<Wire>],
) -> Vec<(Wire, Wire)> {
    let slopes = tokens.iter().zip(slopes).map(|(&token, &slope)| or_zeros(draft, slope, token));
    parameters.iter().copied().zip(slopes).collect()
}
