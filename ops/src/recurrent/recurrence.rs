//! Recurrences over a sequence whose input has met its weights already: one product of the whole
//! sequence before, so that only what depends on the state is done step by step.
//!
//! | operator | step, with `a = weight * h + bias` |
//! |---|---|
//! | [`rnn_tanh_scan`] | `h = tanh(x + a)` |
//! | [`rnn_relu_scan`] | `h = max(x + a, 0)` |
//! | [`gru_scan`] | `r, z = sigmoid(x + a)`, `n = tanh(x + r * a)`, `h = n + z * (h - n)` |
//! | [`lstm_scan`] | `i, f, o = sigmoid(x + a)`, `g = tanh(x + a)`, `c = f * c + i * g`, |
//! | | `h = o * tanh(c)` |
//!
//! [`Recurrence::reversed`] goes from the last step to the first. From its length on, a row keeps
//! its state. [`network`](super::network) builds whole networks from them.
//!
//! # Shape
//! `x`: `f32` or `f64` `[time, batch, gate * hidden]`, or `[batch, time, ..]` with
//! [`Recurrence::batch_first`], the gates in PyTorch's order (`r, z, n`; `i, f, g, o`); `weight`:
//! `[gate * hidden, hidden]`. Then, as asked for: `bias`: `[gate * hidden]`; `h0` (and `c0`):
//! `[batch, hidden]`, else zeros; `lengths`: `i64` `[batch]`, from 0 to `time`. -> `h` (and `c`):
//! the states after each step, like `x` with `hidden` features; `h_last` (and `c_last`):
//! `[batch, hidden]`. `time` and `batch` may be bounded.
//!
//! # Gradient
//! Every gate is computed again from `h` (and `c`), all steps at once. Each derivative of a step is
//! a factor of the state's, so the pass back is linear, and has a [gradient](super::tangent) too.
//!
//! # Numerics
//! As PyTorch's networks. The product of a step is that of `linear`. A length out of range fails
//! the firing on the host; on an accelerator it counts as `time`.
//!
//! # Example
//! ```
//! use synfire_ops::recurrent::recurrence::rnn_relu_scan;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[3, 1, 1], &[1.0_f32, 0.0, 2.0]);
//! let y = fire_once(&rnn_relu_scan(), &[x, Value::new(&[1, 1], &[0.5_f32])])?;
//! assert_eq!(y[0].elements::<f32>(), [1.0, 0.5, 2.25]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::algebra::Time;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::device::on_device;
use crate::require;
use crate::sample::{Expect, Sample, bounded_first, wide};

mod cells; // the rows of the family
#[cfg(feature = "cube")]
mod cube; // one cube for each row of a batch
mod definition; // what samples expect, those of whole networks too
mod on_host; // the loop over steps
mod onnx; // how they are written for ONNX
mod ports; // where the optional inputs are
mod product; // what a step multiplies
mod slopes; // the gradients
mod walk; // the order of steps
pub(super) use cells::{Cell, GRU, Kind, LSTM, RELU, STATES_MAX, TANH};
#[cfg(feature = "cube")]
pub(super) use cube::{UNITS, keep, place_of, row_of};
use definition::sample;
pub(super) use definition::{Plain, State};
use on_host::OnHost;
pub(super) use on_host::Outputs;
pub use onnx::ONNX;
pub(super) use product::{Room, StepProduct};
pub(super) use slopes::{active, before, by_weight};
pub(super) use walk::Walk;

/// The plain recurrence with the hyperbolic tangent.
#[must_use]
pub fn rnn_tanh_scan() -> Recurrence {
    Recurrence::of(TANH)
}

/// The plain recurrence with the rectifier.
#[must_use]
pub fn rnn_relu_scan() -> Recurrence {
    Recurrence::of(RELU)
}

/// The gated recurrent unit (Cho and others 2014), its reset gate applied behind the product.
#[must_use]
pub fn gru_scan() -> Recurrence {
    Recurrence::of(GRU)
}

/// Long short-term memory (Hochreiter and Schmidhuber 1997), with a forget gate.
#[must_use]
pub fn lstm_scan() -> Recurrence {
    Recurrence::of(LSTM)
}

/// See [`rnn_tanh_scan`], [`rnn_relu_scan`], [`gru_scan`] and [`lstm_scan`].
#[derive(Clone, Copy, Debug)]
pub struct Recurrence {
    cell: &'static Cell,
    walk: Walk,
    has_bias: bool,
    has_initial: bool,
    has_lengths: bool,
}

impl Recurrence {
    fn of(cell: &'static Cell) -> Self {
        let walk = Walk::default();
        Self { cell, walk, has_bias: false, has_initial: false, has_lengths: false }
    }

    pub(super) fn along(cell: &'static Cell, walk: Walk) -> Self {
        Self { walk, ..Self::of(cell) }
    }

    /// From the last step to the first.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.walk = self.walk.turned();
        self
    }

    /// For `x` as `[batch, time, feature]`.
    #[must_use]
    pub fn batch_first(mut self) -> Self {
        self.walk.is_batch_first = true;
        self
    }

    /// Adds the input `bias`.
    #[must_use]
    pub fn bias(mut self) -> Self {
        self.has_bias = true;
        self
    }

    /// Adds the input `h0`, and for an LSTM `c0`.
    #[must_use]
    pub fn initial(mut self) -> Self {
        self.has_initial = true;
        self
    }

    /// Adds the input `lengths`.
    #[must_use]
    pub fn lengths(mut self) -> Self {
        self.has_lengths = true;
        self
    }
}

impl Operator for Recurrence {
    fn contract(&self) -> Contract {
        let Cell { scan, states, .. } = *self.cell;
        let mut contract = Contract::new(scan).input("x").input("weight");
        if self.has_bias {
            contract = contract.input("bias");
        }
        if self.has_initial {
            contract = ["h0", "c0"][..states].iter().fold(contract, |own, name| own.input(name));
        }
        if self.has_lengths {
            contract = contract.input("lengths");
        }
        let outputs = ["h", "c"][..states].iter().chain(&["h_last", "c_last"][..states]);
        outputs.fold(contract, |own, name| own.output(name)).tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, weight) = (&inputs[0], &inputs[1]);
        require::element("x", x, &[Element::F32, Element::F64])?;
        require::rank("x", x, 3)?;
        let hidden = weight_of(weight, x.element, self.cell.gates)?;
        let count = self.cell.gates * hidden;
        if require::fixed("x", x, 2)? != count {
            let wanted = format!("{count}, as dimension 0 of port weight");
            return Err(SpecError::new("x", x.dimensions[2], wanted).at(2));
        }
        let batch = x.dimensions[self.walk.batch_axis()];
        let last = Spec::new(x.element, [batch, hidden.into()]);
        let ports = self.ports();
        if let Some(port) = ports.bias {
            require::alike("bias", &inputs[port], &Spec::new(x.element, [count]), None)?;
        }
        for part in 0..if self.has_initial { self.cell.states } else { 0 } {
            let port = ports.initial.expect("it has an initial state") + part;
            require::alike(["h0", "c0"][part], &inputs[port], &last, None)?;
        }
        if let Some(port) = ports.lengths {
            require::alike("lengths", &inputs[port], &Spec::new(Element::I64, [batch]), None)?;
        }
        let mut sequence = x.clone();
        sequence.dimensions[2] = hidden.into();
        let states = self.cell.states;
        Ok([vec![sequence; states], vec![last; states]].concat())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let steps = inputs[0].bound(self.walk.time_axis()) as u64;
        let macs = (inputs[0].elements() * inputs[1].bound(1)) as u64;
        let sequence = |text: [&'static str; 2]| text[usize::from(self.walk.is_batch_first)];
        let mut text = vec![sequence(["tbg", "btg"]), "gk"];
        text.extend(self.has_bias.then_some("g"));
        text.extend(vec!["bi"; if self.has_initial { self.cell.states } else { 0 }]);
        text.extend(self.has_lengths.then_some("b"));
        let states = self.cell.states;
        let results = [vec![sequence(["sbh", "bsh"]); states], vec!["bh"; states]].concat();
        let axes = Axes::parse(&format!("{}->{}", text.join(","), results.join(",")));
        // A step depends on all before it; in reverse, on all behind it.
        let padding = if self.walk.is_reversed { 0 } else { steps.max(1) - 1 };
        let time = Time::window(steps.max(1), 1, 1, padding);
        Metadata { time, ..Metadata::streaming(inputs, outputs, axes).with_macs(macs) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        slopes::gradient(self, backward)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if specs.inputs[0].element == Element::F64 {
            return on_device!(target, specs, host: OnHost::<f64>::new(*self, specs));
        }
        let host = || OnHost::<f32>::new(*self, specs);
        on_device!(target, specs, host: host(), cube: cube::OnCube(*self))
    }
}

/// The hidden features of a weight `[gates * hidden, hidden]`.
pub(super) fn weight_of(weight: &Spec, element: Element, gates: usize) -> Result<usize, SpecError> {
    require::element("weight", weight, &[element])?;
    require::rank("weight", weight, 2)?;
    let (rows, hidden) =
        (require::fixed("weight", weight, 0)?, require::fixed("weight", weight, 1)?);
    if hidden == 0 {
        return Err(SpecError::new("weight", hidden, "at least 1").at(1));
    }
    if rows != gates * hidden {
        let wanted = format!("{gates} times {hidden}, which is dimension 1");
        return Err(SpecError::new("weight", Dimension::Fixed(rows), wanted).at(0));
    }
    Ok(hidden)
}

/// Each cell both ways, with each input there may be, bounded, of `f64`, empty; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let (all, one) = ([rnn_tanh_scan(), rnn_relu_scan(), gru_scan(), lstm_scan()], gru_scan());
    let full = |own: Recurrence| own.bias().initial().lengths();
    let mut samples = Vec::new();
    for own in all {
        samples.extend([
            sample("plain", own, [7, 3, 5], &[]),
            sample("one element", own, [1, 1, 1], &[]),
            sample(
                "bias, initial state, reversed",
                own.bias().initial().reversed(),
                [5, 2, 3],
                &[],
            ),
            sample("batch first, lengths", full(own).batch_first(), [5, 3, 2], &[5, 0, 2]),
            sample("reversed, lengths", full(own).reversed(), [4, 3, 2], &[1, 4, 3]),
            sample("no steps", own.bias().initial(), [0, 2, 3], &[]),
        ]);
    }
    let bounded = |extents: [Dimension; 3]| {
        let rows = bounded_first(Element::F32, 9, &[2]);
        vec![Spec::f32(extents), Spec::f32([6, 2]), Spec::f32([6]), rows]
    };
    let up_to = Dimension::UpTo(9);
    let biased = one.bias().initial();
    let specs = |x: [usize; 3], weight: [usize; 2]| vec![Spec::f32(x), Spec::f32(weight)];
    let mut double = sample("of f64", lstm_scan(), [3, 2, 3], &[]);
    double.inputs.iter_mut().flatten().for_each(|value| *value = wide(value));
    double.specs.iter_mut().for_each(|spec| *spec = spec.with_element(Element::F64));
    let mut long = sample("length", one.lengths(), [3, 2, 2], &[3, 4]);
    long.expect = Expect::Fails("port lengths: found 4 at [1]; wanted 0 to 3");
    samples.extend([
        sample("many rows", one, [3, 67, 31], &[]),
        sample("no rows", one, [2, 0, 3], &[]),
        sample("bounded steps and rows", biased, [4, 3, 2], &[]).with_specs(bounded([
            up_to,
            up_to,
            6.into(),
        ])),
        double,
        long,
        Sample::rejected("gates", one, specs([2, 1, 8], [6, 2]), "x", Some(2)),
        Sample::rejected("weight", one, specs([2, 1, 8], [8, 2]), "weight", Some(0)),
        Sample::rejected("nothing hidden", one, specs([2, 1, 0], [0, 0]), "weight", Some(1)),
    ]);
    samples
}
