//! Two levels that take turns: architecture on validation data, weights on training data.
//!
//! `min_alpha L_val(w*(alpha), alpha)` where `w*(alpha)` minimises `L_train(w, alpha)`: Liu, Simonyan
//! and Yang, "DARTS: differentiable architecture search", 2019, equations 3 and 4, algorithm 1. A
//! step is two phases, first the architecture's, then the weights':
//!
//! ```text
//!   phase (0, 1, 0, ..) <-- 1 - phase, a feedback edge
//!     |
//!  switch <-- collect <-- validation batch, training batch
//!     | 0                                        | 1
//!  L_val(w, alpha), or L_val(w', alpha)       L_train(w, alpha)
//!  its gradient by alpha                      its gradient by w
//!  optimiser of alpha                         optimiser of w
//!     |                                          |
//!  merge(phase): alpha, moments, counter      merge(phase): w, moments, counter
//! ```
//!
//! This is one static graph whose iteration is a step: sources give one batch each, everything behind
//! the switch fires twice. A model is a function of its weights and architecture, so each loss is
//! another call of it with other weight tokens. What stands behind the switch has tokens in its own
//! phase only, so no kernel of the other phase runs and no optimiser sees a gradient that is none;
//! merges hand its state on, bit by bit.

use synfire_ops::broadcast::binary::subtract;
use synfire_ops::differentiate::gradients;
use synfire_ops::route::collect::collect;
use synfire_ops::route::deal::deal;
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
    /// The streams of a training batch, one token of each in a step.
    pub training: &'a [Wire],
    /// The streams of a validation batch.
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

/// The losses of each step, before its updates: one token of each in a step.
#[derive(Clone, Copy, Debug)]
pub struct Losses {
    /// On the validation batch; of the second order, with the weights one step ahead.
    pub validation: Wire,
    /// On the training batch.
    pub training: Wire,
}

/// The number of the architecture's phase.
const ARCHITECTURE: usize = 0;

/// The number of the weights' phase.
const WEIGHTS: usize = 1;

impl Bilevel<'_> {
    /// Adds to the draft what takes the steps of a search.
    ///
    /// # Errors
    /// As [`Training::follow`], for either level.
    pub fn alternate(&self, draft: &mut Draft, rules: &Rules) -> Result<Losses, TrainingError> {
        let selector = phase(draft);
        let batches = routed(draft, selector, [self.validation, self.training]);
        let (training, trained) = draft.scope("weights", |draft| {
            let phase = Phase { selector, own: WEIGHTS, count: 2 };
            self.weight_phase(draft, rules, phase, &batches[WEIGHTS])
        })?;
        let validation = draft.scope("architecture", |draft| {
            let phase = Phase { selector, own: ARCHITECTURE, count: 2 };
            self.architecture_phase(draft, rules, phase, (&batches[ARCHITECTURE], &trained))
        })?;
        let both = draft.apply(merge(2), &[selector, validation, training]);
        let losses = draft.apply_many(deal(2), &[both]);
        Ok(Losses { validation: losses[ARCHITECTURE], training: losses[WEIGHTS] })
    }

    fn weight_phase(
        &self,
        draft: &mut Draft,
        rules: &Rules,
        phase: Phase,
        batch: &[Wire],
    ) -> Result<(Wire, Trained), TrainingError> {
        let [weights, alphas] = self.tokens(draft, batch);
        let loss = self.supernet.loss(draft, batch, &weights, &alphas);
        let slopes = gradients(draft, loss, &weights);
        let pairs = paired(draft, self.weights, &weights, &slopes);
        Ok((loss, rules.weights.follow(draft, &pairs, Some(phase))?))
    }

    fn architecture_phase(
        &self,
        draft: &mut Draft,
        rules: &Rules,
        phase: Phase,
        (batch, trained): (&[Wire], &Trained),
    ) -> Result<Wire, TrainingError> {
        let [weights, alphas] = self.tokens(draft, batch);
        let (loss, slopes) = match rules.order {
            Order::First => {
                let loss = self.supernet.loss(draft, batch, &weights, &alphas);
                (loss, gradients(draft, loss, &alphas))
            }
            Order::Second(unroll) => {
                // The batch that the weights are about to be trained on.
                let ahead = [self.training, self.training];
                let ahead = routed(draft, phase.selector, ahead).swap_remove(phase.own);
                let call = Bilevel {
                    supernet: self.supernet,
                    training: &ahead,
                    validation: batch,
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

/// Two tokens of each pair of streams in a step, each sent where its phase is: `streams[phase]`.
fn routed(draft: &mut Draft, selector: Wire, pairs: [&[Wire]; 2]) -> Vec<Vec<Wire>> {
    draft.scope("batch", |draft| {
        let mut routed = Vec::new();
        for (&first, &second) in pairs[0].iter().zip(pairs[1]) {
            let both = draft.apply(collect(2), &[first, second]);
            routed.push(draft.apply_many(switch(2), &[selector, both]));
        }
        (0..2).map(|phase| routed.iter().map(|own| own[phase]).collect()).collect()
    })
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
