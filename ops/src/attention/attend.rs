//! Attention: `y = softmax(scale * q * k^T + mask) * v`, without the matrix of all scores.
//!
//! Blocks of queries pass over blocks of keys and keep, for each query, the largest score so far,
//! the sum of the weights relative to it, and the weighed sum of values (Dao et al. 2022), so the
//! memory is that of the outputs.
//!
//! # Shape
//! `q`: `f32` or `f64` `[.., head, query, feature]`; `k`: `[.., group, key, feature]`; `v`:
//! `[.., group, key, value]`; the same dimensions before, all or none of which, with the heads, may
//! be missing. Heads are a multiple of groups: neighbouring heads share one. `mask`, with
//! [`Attend::masked`]: `bool` (true: may attend) or of the type of `q` (added to the scores),
//! broadcast to `[.., head, query, key]`. All but features, values and unequal heads may be
//! bounded. `y`: `[.., head, query, value]`; `log_sum`: `[.., head, query]`, the logarithm of the
//! sum of the exponentials of the scores.
//!
//! # Gradient
//! By `q`, `k` and `v` block by block too ([`attend_backward`](super::attend_backward)); by a
//! `mask` that is added, through the whole matrix, whose size it has.
//!
//! # Numerics
//! As PyTorch's `scaled_dot_product_attention`: a query that may attend to nothing gives 0, and a
//! `log_sum` of `-inf`. Sums run in the element type. Keys outside the window are not read in whole
//! blocks, so a NaN or an infinite value there may leave no trace where PyTorch has NaN. A device
//! takes `f32`, and at most 256 features and values.
//!
//! # Example
//! ```
//! use synfire_ops::attention::attend::attend;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let q = Value::new(&[2, 1], &[0.0_f32, 0.0]);
//! let v = Value::new(&[2, 1], &[1.0_f32, 3.0]);
//! let y = fire_once(&attend().causal(), &[q.clone(), q, v])?;
//! assert_eq!(y[0].elements::<f32>(), [1.0, 2.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::broadcast::binary::{multiply, subtract};
use crate::device::on_device;
use crate::reduce::reduction::{Keep, sum};
use crate::require;
use crate::sample::Sample;
use crate::torch::Torch;

#[cfg(feature = "cube")]
pub(crate) mod cube; // on accelerators
pub(crate) mod form; // its parts, written out
pub(crate) mod geometry; // what it shares with its gradient on the host
mod names; // what PyTorch calls it
mod on_host; // blocks
pub(crate) mod trials; // its samples

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = names::NAMES;

/// Attention of all queries to all keys, scaled by `1 / sqrt(features)`.
#[must_use]
pub fn attend() -> Attend {
    Attend { scale: None, before: None, after: None, is_masked: false, written: None }
}

/// See [`attend`].
#[derive(Clone, Debug)]
pub struct Attend {
    scale: Option<f64>,
    before: Option<usize>,
    after: Option<usize>,
    pub(crate) is_masked: bool,
    /// What is different where it stands for parts that were written out.
    pub(crate) written: Option<Written>,
}

/// How the parts of attention differ from the operator: a query that may attend to nothing gives
/// NaN, as a softmax of `-inf` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Whether a mask of truth values says what is hidden, instead of what may be attended to.
    pub(crate) hides: bool,
}

impl Attend {
    /// Query `i` attends to keys up to `i` only.
    #[must_use]
    pub fn causal(mut self) -> Self {
        self.after = Some(0);
        self
    }

    /// Query `i` attends to keys from `i - before` to `i + after` only.
    #[must_use]
    pub fn window(mut self, before: usize, after: usize) -> Self {
        (self.before, self.after) = (Some(before), Some(self.after.unwrap_or(after).min(after)));
        self
    }

    /// Sets what scores are multiplied by.
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Adds the input `mask`.
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.is_masked = true;
        self
    }

    /// What scores are multiplied by.
    pub(crate) fn factor(&self, features: usize) -> f64 {
        self.scale.unwrap_or(1.0 / (features.max(1) as f64).sqrt())
    }

    /// The diagonals of the scores that are attended to.
    pub(crate) fn diagonals(&self) -> [Option<i64>; 2] {
        let far = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        [self.before.map(|before| -far(before)), self.after.map(far)]
    }

    /// What `q`, `k`, `v` and the mask must be for each other.
    pub(crate) fn check(&self, inputs: &[&Spec]) -> Result<(), SpecError> {
        let [q, k, v] = [inputs[0], inputs[1], inputs[2]];
        require::element("q", q, &[Element::F32, Element::F64])?;
        if q.rank() < 2 {
            return Err(SpecError::new("q", q, "at least 2 dimensions"));
        }
        let rank = q.rank();
        let features = require::fixed("q", q, rank - 1)?;
        for (name, spec) in [("k", k), ("v", v)] {
            require::element(name, spec, &[q.element])?;
            require::rank(name, spec, rank)?;
            for axis in 0..rank.saturating_sub(3) {
                same(name, spec, axis, (q.dimensions[axis], "q"))?;
            }
        }
        if rank > 2 {
            heads(q, k)?;
            same("v", v, rank - 3, (k.dimensions[rank - 3], "k"))?;
        }
        same("k", k, rank - 1, (features.into(), "q"))?;
        same("v", v, rank - 2, (k.dimensions[rank - 2], "k"))?;
        require::fixed("v", v, rank - 1)?;
        inputs.get(3).map_or(Ok(()), |mask| masks(mask, q, k))
    }
}

/// Dimension `axis` of a port is that of another.
fn same(port: &str, spec: &Spec, axis: usize, wanted: (Dimension, &str)) -> Result<(), SpecError> {
    let (wanted, other) = wanted;
    if spec.dimensions[axis] == wanted {
        return Ok(());
    }
    let wanted = format!("{wanted}, as port {other}");
    Err(SpecError::new(port, spec.dimensions[axis], wanted).at(axis))
}

/// The heads of `q` are a multiple of those of `k`.
fn heads(q: &Spec, k: &Spec) -> Result<(), SpecError> {
    let axis = q.rank() - 3;
    let (own, groups) = (q.dimensions[axis], k.dimensions[axis]);
    let divides = match (own, groups) {
        (Dimension::Fixed(own), Dimension::Fixed(groups)) => {
            groups > 0 && own.is_multiple_of(groups)
        }
        _ => false,
    };
    if own == groups || divides {
        return Ok(());
    }
    let error = SpecError::new("k", groups, format!("a divisor of {own}, the heads of port q"));
    Err(error.at(axis))
}

/// A mask is broadcast to the scores.
fn masks(mask: &Spec, q: &Spec, k: &Spec) -> Result<(), SpecError> {
    require::element("mask", mask, &[Element::Bool, q.element])?;
    let rank = q.rank();
    let Some(missing) = rank.checked_sub(mask.rank()) else {
        return Err(SpecError::new("mask", mask, format!("at most {rank} dimensions")));
    };
    for (axis, &found) in mask.dimensions.iter().enumerate() {
        let place = missing + axis;
        let keys = k.dimensions[rank - 2];
        let wanted = if place == rank - 1 { keys } else { q.dimensions[place] };
        if found != wanted && found != Dimension::Fixed(1) {
            return Err(SpecError::new("mask", found, format!("{wanted} or 1")).at(axis));
        }
    }
    Ok(())
}

impl Operator for Attend {
    fn contract(&self) -> Contract {
        let contract = Contract::new("attend").input("q").input("k").input("v");
        let contract = if self.is_masked { contract.input("mask") } else { contract };
        contract.output("y").output("log_sum").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        self.check(&inputs.iter().collect::<Vec<_>>())?;
        let (mut y, mut log_sum) = (inputs[0].clone(), inputs[0].clone());
        log_sum.dimensions.pop();
        if let Some(last) = y.dimensions.last_mut() {
            *last = inputs[2].dimensions[inputs[2].rank() - 1];
        }
        Ok(vec![y, log_sum])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let (q, labels) = (&inputs[0], geometry::Labels::of(&inputs[0]));
        let keys = inputs[1].bound(inputs[1].rank() - 2) as u64;
        let macs = (q.elements() as u64 + outputs[0].elements() as u64) * keys;
        let mut axes = Axes {
            inputs: vec![
                labels.matrix(0, 2, q, q),
                labels.matrix(1, 2, &inputs[1], q),
                labels.matrix(1, 3, &inputs[2], q),
            ],
            outputs: vec![labels.matrix(0, 3, q, q), labels.of_queries()],
        };
        axes.inputs.extend(inputs.get(3).map(|mask| labels.mask(mask)));
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let [q, k, v] = [0, 1, 2].map(|input| backward.input(input));
        let (y, log_sum, dy) = (backward.output(0), backward.output(1), backward.upstream(0));
        let weighed = backward.apply(multiply(), &[dy, y]);
        let last = backward.input_spec(0).rank() - 1;
        let mut delta = backward.apply(sum(&[last], Keep::Nothing), &[weighed]);
        if backward.has_upstream(1) {
            let dlog_sum = backward.upstream(1);
            delta = backward.apply(subtract(), &[delta, dlog_sum]);
        }
        let mut inputs: Vec<Wire> = vec![q, k, v, log_sum, delta, dy];
        inputs.extend(self.is_masked.then(|| backward.input(3)));
        let operator = super::attend_backward::attend_backward(self.clone());
        let gradients = backward.apply_many(operator, &inputs);
        let mut gradients: Vec<Option<Wire>> = gradients.into_iter().map(Some).collect();
        if self.is_masked {
            let is_added = backward.input_spec(3).element.is_float() && backward.wants(3);
            let mut of_mask = None;
            if is_added {
                of_mask = super::attend_backward::by_mask(self, backward, &inputs);
                if of_mask.is_none() {
                    return Gradient::Absent("an added mask beside several bounded dimensions");
                }
            }
            gradients.push(of_mask);
        }
        Gradient::Of(gradients)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if specs.inputs[0].element == Element::F64 {
            return on_device!(target, specs, host: on_host::OnHost::<f64>::new(self, specs));
        }
        if self.written.is_some() && self.is_masked {
            return on_device!(target, specs, host: on_host::OnHost::<f32>::new(self, specs));
        }
        on_device!(
            target,
            specs,
            host: on_host::OnHost::<f32>::new(self, specs),
            cube: cube::OnCube::new(self, specs)?
        )
    }
}

/// Plain, heads, groups, masks of both kinds, causal, windows, long, nothing to attend to, empty,
/// `f64`, bounded; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    trials::samples()
}
