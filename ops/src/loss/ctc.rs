//! Connectionist temporal classification: minus the logarithm of the probability of a sequence of
//! labels, over all ways to spread it over time, with blanks between. Graves et al.,
//! "Connectionist temporal classification: labelling unsegmented sequence data with recurrent
//! neural networks", 2006.
//!
//! [`ctc_each`] is the loss of each item; a primitive, because its recursion over time is no fixed
//! graph. [`ctc`] is the whole loss.
//!
//! # Shape
//! `log_probs`: `[time, batch, class]`, `f32` or `f64`; `targets`: `i64`, `[batch, label]`, or all
//! items one after the other; `input_lengths`, `target_lengths`: `i64[batch]` -> `loss`: `[batch]`,
//! `forward`: `[batch, time, 2 * label + 2]`. All fixed.
//!
//! `forward` is what [`ctc_gradient`](super::ctc_gradient) needs: the logarithms of the forward
//! probabilities of labels and blanks, at each time less the largest, which stands at the end.
//!
//! # Gradient
//! [`ctc_gradient`](super::ctc_gradient): minus the probability that a class is met at a time. For
//! logarithms that come from a softmax, [`Ctc::of_softmax`] adds the probability of the class
//! itself, as PyTorch does, which changes nothing behind that softmax. `forward` has none.
//!
//! # Numerics
//! Each step is measured from its largest number, so long sequences lose no digits. Where no way
//! exists the loss is infinite and its gradient NaN, unless [`ctc`] makes both 0. As PyTorch's
//! `ctc_loss`. Lengths and labels out of range fail the firing; an accelerator cuts them instead.
//!
//! # Example
//! ```
//! use synfire_ops::loss::ctc::ctc_each;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let even = Value::new(&[2, 1, 2], &[0.5_f32.ln(); 4]);
//! let target = Value::new(&[1, 1], &[1_i64]);
//! let [two, one] = [2_i64, 1].map(|length| Value::new(&[1], &[length]));
//! let loss = fire_once(&ctc_each(0), &[even, target, two, one])?;
//! // Of four ways, (1, 1), (1, blank) and (blank, 1) say 1.
//! assert!((loss[0].elements::<f32>()[0] + 0.75_f32.ln()).abs() < 1e-6);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::broadcast::binary::{divide, equal};
use crate::broadcast::cast::cast;
use crate::broadcast::select::where_;
use crate::device::on_device;
use crate::losses::Total;
use crate::pointwise::unary::{clamp, fill};
use crate::require;
use crate::sample::Sample;
use crate::torch::Torch;

mod conformance; // as PyTorch calls it
#[cfg(feature = "cube")]
pub(super) mod cube; // a cube for each item
mod examples; // what the samples are
pub(super) mod on_host; // the recursion
pub(super) use examples::Example;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("ctc_loss", conformance::build)];

/// What becomes of items whose loss is infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Infinite {
    /// They stay, with a gradient of NaN.
    Kept,
    /// Their loss and gradient are 0.
    Zero,
}

/// The loss of `[log_probs, targets, input_lengths, target_lengths]`, where the first come from a
/// softmax. The mean is that of the losses over the lengths of their targets.
pub fn ctc(
    draft: &mut Draft,
    inputs: [Wire; 4],
    blank: usize,
    infinite: Infinite,
    total: Total,
) -> Wire {
    let mut losses = draft.apply_many(ctc_each(blank).of_softmax(), &inputs)[0];
    if infinite == Infinite::Zero {
        let [zero, endless] = [0.0, f64::INFINITY].map(|x| draft.apply(fill(x), &[losses]));
        let is_endless = draft.apply(equal(), &[losses, endless]);
        losses = draft.apply(where_(), &[is_endless, zero, losses]);
    }
    if total == Total::Mean {
        let element = draft.spec(losses).map_or(Element::F32, |spec| spec.element);
        let lengths = draft.apply(cast(Element::I32), &[inputs[3]]);
        let lengths = draft.apply(cast(element), &[lengths]);
        let lengths = draft.apply(clamp(1.0, f64::INFINITY), &[lengths]);
        losses = draft.apply(divide(), &[losses, lengths]);
    }
    total.of(draft, losses)
}

/// The loss of each item; class `blank` stands for no label.
#[must_use]
pub fn ctc_each(blank: usize) -> Ctc {
    Ctc { blank, slope: Slope::Exact }
}

/// What the gradient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slope {
    /// That of the loss.
    Exact,
    /// With the probability of the class added.
    OfSoftmax,
}

/// See [`ctc_each`].
#[derive(Clone, Debug)]
pub struct Ctc {
    pub(super) blank: usize,
    pub(super) slope: Slope,
}

impl Ctc {
    /// The same with PyTorch's gradient, for logarithms that come from a softmax.
    #[must_use]
    pub fn of_softmax(self) -> Self {
        Self { slope: Slope::OfSoftmax, ..self }
    }

    /// What the inputs must be; time, batch, classes and the most labels of an item.
    pub(super) fn extents(&self, inputs: &[Spec]) -> Result<[usize; 4], SpecError> {
        let (x, targets) = (&inputs[0], &inputs[1]);
        require::element("log_probs", x, &[Element::F32, Element::F64])?;
        require::rank("log_probs", x, 3)?;
        let [time, batch, classes] = [0, 1, 2].map(|axis| require::fixed("log_probs", x, axis));
        let [time, batch, classes] = [time?, batch?, classes?];
        if self.blank >= classes {
            let wanted = format!("above {}, which is the blank", self.blank);
            return Err(SpecError::new("log_probs", classes, wanted).at(2));
        }
        require::element("targets", targets, &[Element::I64])?;
        let labels = match targets.rank() {
            1 => require::fixed("targets", targets, 0)?,
            _ => {
                require::rank("targets", targets, 2)?;
                let rows = require::fixed("targets", targets, 0)?;
                if rows != batch {
                    return Err(SpecError::new("targets", rows, batch).at(0));
                }
                require::fixed("targets", targets, 1)?
            }
        };
        let lengths = Spec::new(Element::I64, [batch]);
        require::alike("input_lengths", &inputs[2], &lengths, None)?;
        require::alike("target_lengths", &inputs[3], &lengths, None)?;
        Ok([time, batch, classes, labels])
    }
}

impl Operator for Ctc {
    fn contract(&self) -> Contract {
        Contract::new("ctc")
            .input("log_probs")
            .input("targets")
            .input("input_lengths")
            .input("target_lengths")
            .output("loss")
            .output("forward")
            .tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [time, batch, _, labels] = self.extents(inputs)?;
        let loss = Spec::new(inputs[0].element, [batch]);
        Ok(vec![loss, Spec::new(inputs[0].element, [batch, time, 2 * labels + 2])])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let targets = if inputs[1].rank() == 1 { "l" } else { "nl" };
        let axes = Axes::parse(&format!("tnc,{targets},n,n->n,nts"));
        Metadata::streaming(inputs, outputs, axes).with_macs(3 * outputs[1].elements() as u64)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        if backward.has_upstream(1) {
            return Gradient::Absent("only the loss has a derivative, not the forward variables");
        }
        let inputs = [0, 1, 2, 3].map(|input| backward.input(input));
        let (forward, dy) = (backward.output(1), backward.upstream(0));
        let operator = super::ctc_gradient::ctc_gradient(self.clone());
        let dx = backward.apply(operator, &[&inputs[..], &[forward, dy]].concat());
        Gradient::Of(vec![Some(dx), None, None, None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: on_host::Forward::new(self, specs),
            cube: cube::Forward::new(self, specs)?
        )
    }
}

/// Words with repeats and without, other blanks, shorter items, no labels, impossible ones, targets
/// one after the other, `f64`, nothing; the whole loss; what is out of range.
#[must_use]
pub fn samples() -> Vec<Sample> {
    examples::samples()
}
