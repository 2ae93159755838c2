//! The gradient of [`attend`](super::attend), with the weights computed again block by block.
//!
//! `p = exp(scores - log_sum)`, `ds = p * (dy * v^T - delta)`, `dq = scale * ds * k`,
//! `dk = scale * ds^T * q`, `dv = p^T * dy`, where `delta` is the sum of `dy * y` over values, less
//! the gradient by `log_sum`.
//!
//! # Shape
//! `q`, `k`, `v`, `mask`, `log_sum`: as [`attend`](super::attend); `dy`: as its `y`; `delta`: as
//! `log_sum`. `dq`, `dk`, `dv`: as `q`, `k`, `v`.
//!
//! # Gradient
//! Written out, with the matrix of all scores: a second derivative takes memory for it. Of unequal
//! heads and groups, and of queries, at most one dimension may be bounded then.
//!
//! # Numerics
//! Sums run in the element type, in an order that depends on the extents only. A query that may
//! attend to nothing has no part in any gradient.
//!
//! # Example
//! ```
//! use synfire_ops::attention::{attend::attend, attend_backward::attend_backward};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! // One key: its weight is 1, so the gradient of its value is that of the output.
//! let [one, zero] = [1.0_f32, 0.0].map(|x| Value::new(&[1, 1], &[x]));
//! let [log_sum, delta] = [1.0_f32, 2.0].map(|x| Value::new(&[1], &[x]));
//! let dy = Value::new(&[1, 1], &[2.0_f32]);
//! let inputs = [one.clone(), one.clone(), one, log_sum, delta, dy];
//! let gradients = fire_once(&attend_backward(attend()), &inputs)?;
//! assert_eq!(gradients[0], zero);
//! assert_eq!(gradients[2].elements::<f32>(), [2.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use super::attend::geometry::Labels;
use super::attend::{Attend, trials};
use super::attend_composite::Heads;
use crate::broadcast::binary::{multiply, subtract};
use crate::device::on_device;
use crate::gradient::{spec, sum_to};
use crate::require;
use crate::sample::Sample;

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod on_host; // blocks
mod second; // the gradient of the gradient

/// The gradient of this attention.
#[must_use]
pub fn attend_backward(attend: Attend) -> AttendBackward {
    AttendBackward { attend }
}

/// See [`attend_backward`].
#[derive(Clone, Debug)]
pub struct AttendBackward {
    attend: Attend,
}

impl Operator for AttendBackward {
    fn contract(&self) -> Contract {
        let contract = Contract::new("attend_backward").input("q").input("k").input("v");
        let contract = contract.input("log_sum").input("delta").input("dy");
        let contract = if self.attend.is_masked { contract.input("mask") } else { contract };
        let contract = contract.output("dq").output("dk").output("dv");
        contract.tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let operands: Vec<&Spec> = inputs[..3].iter().chain(inputs.get(6)).collect();
        self.attend.check(&operands)?;
        let forward: Vec<Spec> = operands.into_iter().cloned().collect();
        let outputs = self.attend.shape(&forward)?;
        require::alike("log_sum", &inputs[3], &outputs[1], None)?;
        require::alike("delta", &inputs[4], &outputs[1], None)?;
        require::alike("dy", &inputs[5], &outputs[0], None)?;
        Ok(inputs[..3].to_vec())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let (q, labels) = (&inputs[0], Labels::of(&inputs[0]));
        let scores = (q.elements() / q.bound(q.rank() - 1).max(1)) as u64
            * inputs[1].bound(inputs[1].rank() - 2) as u64;
        let [features, values] = [0, 2].map(|input: usize| inputs[input].bounds().pop());
        let [features, values] = [features, values].map(|extent| extent.unwrap_or(0) as u64);
        // Scores and weights of both passes, and what is summed.
        let macs = scores * (2 * (features + values) + 2 * features + values);
        let matrices = vec![
            labels.matrix(0, 2, q, q),
            labels.matrix(1, 2, &inputs[1], q),
            labels.matrix(1, 3, &inputs[2], q),
        ];
        let mut axes = Axes { inputs: matrices.clone(), outputs: matrices };
        axes.inputs.extend([labels.of_queries(), labels.of_queries(), labels.matrix(0, 3, q, q)]);
        axes.inputs.extend(inputs.get(6).map(|mask| labels.mask(mask)));
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        second::gradient(&self.attend, backward)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if specs.inputs[0].element == Element::F64 {
            return on_device!(target, specs, host: on_host::OnHost::<f64>::new(self, specs));
        }
        on_device!(
            target,
            specs,
            host: on_host::OnHost::<f32>::new(self, specs),
            cube: cube::OnCube::new(self, specs)?
        )
    }
}

/// The gradient by a mask that is added, from the inputs of [`AttendBackward`].
pub(crate) fn by_mask(operator: &Attend, draft: &mut Draft, inputs: &[Wire]) -> Option<Wire> {
    let [q, k, v, log_sum, delta, dy, mask] = *inputs else { return None };
    let heads = Heads::new(draft, q, k);
    let scores = heads.scores(draft, operator, (q, k, Some(mask)))?;
    let weights = heads.weights(draft, scores, log_sum)?;
    let (dy, v) = (heads.of_queries(draft, dy)?, heads.of_keys(draft, v)?);
    let dweights = draft.apply(crate::dense::matmul::matmul().transpose_b(), &[dy, v]);
    let delta = heads.column(draft, delta)?;
    let apart = draft.apply(subtract(), &[dweights, delta]);
    let dscores = draft.apply(multiply(), &[weights, apart]);
    let dscores = heads.joined(draft, dscores)?;
    if spec(draft, mask).rank() > spec(draft, dscores).rank() {
        return None;
    }
    Some(sum_to(draft, dscores, mask))
}

/// Those of [`attend`](super::attend), with noise for what comes from above.
#[must_use]
pub fn samples() -> Vec<Sample> {
    trials::backward()
}
