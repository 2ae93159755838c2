//! The recurrences linearised: how a small change of the state goes on from step to step, and the
//! same transposed, which is back-propagation through time.
//!
//! A step has the factors `keep` of `h`, `forget` of `c`, `link` from `c` to `h`, and `slope` of
//! each gate's product with the weight. For an LSTM, with `a = weight * h`:
//!
//! ```text
//! tangent:  c' = u_c + forget * c + sum of slope_i * a_i, slope_f * a_f, slope_g * a_g
//!           h' = u   + keep * h   + slope_o * a_o + link * c'
//! adjoint:  h' = u   + h,   c' = u_c + c + link * h'   go out, then
//!           h  = keep * h' + weight^T * (slope_i * c', slope_f * c', slope_g * c', slope_o * h')
//!           c  = forget * c'
//! ```
//!
//! Without `c` all gates are of `h`: 1 for [`rnn_tangent_scan`], 3 for [`gru_tangent_scan`].
//!
//! # Shape
//! All `f32` or all `f64`. `u` (and `u_cell`): `[time, batch, hidden]` or `[batch, time, hidden]`;
//! `initial` (and `initial_cell`): `[batch, hidden]`; `keep` (and `forget`, `link`): as `u`;
//! `slope`: as `u` with `gate * hidden` features; `weight`: `[gate * hidden, hidden]`. -> `h` (and
//! `c`): as `u`; `h_last` (and `c_last`): as `initial`. `time` and `batch` may be bounded.
//!
//! # Gradient
//! By `u` and `initial`, the scan that is transposed to this one, over the gradients of the
//! outputs; by the factors and the weight, products of the two scans: so it has one of any order.
//!
//! # Numerics
//! IEEE; the product of a step is that of `linear`.
//!
//! # Example
//! ```
//! use synfire_ops::recurrent::tangent::rnn_tangent_scan;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let sequence = |elements: &[f32]| Value::new(&[2, 1, 1], elements);
//! let (u, initial) = (sequence(&[1.0, 1.0]), Value::new(&[1, 1], &[2.0_f32]));
//! let (keep, slope) = (sequence(&[0.0, 1.0]), sequence(&[0.5, 0.5]));
//! let inputs = [u, initial, keep, slope, Value::new(&[1, 1], &[4.0_f32])];
//! // 1 + 0.5 * 4 * 2, and 1 + (1 + 0.5 * 4) * 5.
//! assert_eq!(fire_once(&rnn_tangent_scan(), &inputs)?[0].elements::<f32>(), [5.0, 16.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::algebra::Time;
use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, Spec};

use super::recurrence::{Cell, GRU, LSTM, TANH, Walk, before, by_weight, weight_of};
use crate::broadcast::binary::multiply;
use crate::dense::linear::linear;
use crate::device::on_device;
use crate::require;
use crate::sample::{Sample, bounded_first, wide};

#[cfg(feature = "cube")]
mod cube; // one cube for each row of a batch
mod definition; // what samples expect
mod factors; // the inputs that a step multiplies by
mod on_host; // the loops over steps
use definition::sample;
pub(super) use factors::{Factors, spread};
use on_host::OnHost;

/// The tangent of a plain recurrence.
#[must_use]
pub fn rnn_tangent_scan() -> Linear {
    Linear { cell: TANH, walk: Walk::default(), is_adjoint: false }
}

/// The tangent of gated recurrent units.
#[must_use]
pub fn gru_tangent_scan() -> Linear {
    Linear { cell: GRU, ..rnn_tangent_scan() }
}

/// The tangent of long short-term memory.
#[must_use]
pub fn lstm_tangent_scan() -> Linear {
    Linear { cell: LSTM, ..rnn_tangent_scan() }
}

/// See [`rnn_tangent_scan`], [`gru_tangent_scan`] and [`lstm_tangent_scan`].
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    cell: &'static Cell,
    /// That of the recurrence; an adjoint goes the other way.
    walk: Walk,
    is_adjoint: bool,
}

impl Linear {
    /// What takes gradients back through a recurrence.
    pub(super) fn of(cell: &'static Cell, walk: Walk) -> Self {
        Self { cell, walk, is_adjoint: true }
    }

    /// The transposed scan: with the same factors, it goes from the last step of this one to the
    /// first.
    #[must_use]
    pub fn adjoint(self) -> Self {
        Self { is_adjoint: !self.is_adjoint, ..self }
    }

    /// That of a recurrence from the last step to the first.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.walk = self.walk.turned();
        self
    }

    /// For sequences as `[batch, time, feature]`.
    #[must_use]
    pub fn batch_first(mut self) -> Self {
        self.walk.is_batch_first = true;
        self
    }

    /// The order in which this scan meets the steps.
    fn course(&self) -> Walk {
        if self.is_adjoint { self.walk.turned() } else { self.walk }
    }

    /// Steps and rows of one firing, in which all ports have as many.
    fn sizes(&self, extents: &dyn Fn(usize) -> Extents) -> Result<[usize; 2], FireError> {
        let Contract { name, inputs, .. } = self.contract();
        let sizes @ [_, batch] = self.walk.sizes(&extents(0));
        for (port, input) in inputs.iter().enumerate().take(inputs.len() - 1) {
            let own = extents(port);
            let (found, wanted) = match own.len() {
                2 => ([0, own[0]], [0, batch]),
                _ => (self.walk.sizes(&own), sizes),
            };
            if found != wanted {
                return Err(FireError::failed(format!(
                    "{name}: port {}: found extents {own:?}; wanted {:?} as u",
                    input.name,
                    extents(0)
                )));
            }
        }
        Ok(sizes)
    }
}

impl Operator for Linear {
    fn contract(&self) -> Contract {
        let states = self.cell.states;
        let carried =
            ["u", "u_cell"][..states].iter().chain(&["initial", "initial_cell"][..states]);
        let factors = ["keep", "forget", "link"][..2 * states - 1].iter();
        let inputs = carried.chain(factors).chain(&["slope", "weight"]);
        let outputs = ["h", "c"][..states].iter().chain(&["h_last", "c_last"][..states]);
        let contract = Contract::new(self.cell.linear[usize::from(self.is_adjoint)]);
        let contract = inputs.fold(contract, |own, name| own.input(name));
        outputs.fold(contract, |own, name| own.output(name)).tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let u = &inputs[0];
        require::element("u", u, &[Element::F32, Element::F64])?;
        require::rank("u", u, 3)?;
        let Cell { gates, states, .. } = *self.cell;
        let hidden = weight_of(&inputs[inputs.len() - 1], u.element, gates)?;
        if require::fixed("u", u, 2)? != hidden {
            let wanted = format!("{hidden}, as dimension 1 of port weight");
            return Err(SpecError::new("u", u.dimensions[2], wanted).at(2));
        }
        let last = Spec::new(u.element, [u.dimensions[self.walk.batch_axis()], hidden.into()]);
        let mut slope = u.clone();
        slope.dimensions[2] = Dimension::Fixed(gates * hidden);
        let ports = self.contract().inputs;
        for (index, (port, found)) in ports.iter().zip(inputs).enumerate().skip(1) {
            let wanted = match index {
                _ if index + 1 == inputs.len() => continue,
                _ if index + 2 == inputs.len() => &slope,
                _ if (states..2 * states).contains(&index) => &last,
                _ => u,
            };
            require::alike(&port.name, found, wanted, None)?;
        }
        Ok([vec![u.clone(); states], vec![last; states]].concat())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let states = self.cell.states;
        let steps = inputs[0].bound(self.walk.time_axis()).max(1) as u64;
        let macs = outputs[0].elements() * inputs[inputs.len() - 1].bound(0);
        let sequence = |text: [&'static str; 2]| text[usize::from(self.walk.is_batch_first)];
        let mut text = vec![sequence(["tbi", "bti"]); states];
        text.extend(vec!["bi"; states]);
        text.extend(vec![sequence(["tbi", "bti"]); 2 * states - 1]);
        text.extend([sequence(["tbg", "btg"]), "gk"]);
        let results = [vec![sequence(["sbh", "bsh"]); states], vec!["bh"; states]].concat();
        let axes = Axes::parse(&format!("{}->{}", text.join(","), results.join(",")));
        let padding = if self.course().is_reversed { 0 } else { steps - 1 };
        let time = Time::window(steps, 1, 1, padding);
        Metadata { time, ..Metadata::streaming(inputs, outputs, axes).with_macs(macs as u64) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let states = self.cell.states;
        let inputs: Vec<Wire> = (0..backward.inputs()).map(|input| backward.input(input)).collect();
        let own: Vec<Wire> = (0..states).map(|output| backward.output(output)).collect();
        let upstream: Vec<Wire> = (0..2 * states).map(|output| backward.upstream(output)).collect();
        let (slope, weight) = (inputs[inputs.len() - 2], inputs[inputs.len() - 1]);
        let with_factors = [&upstream, &inputs[2 * states..]].concat();
        let carried = backward.apply_many(self.adjoint(), &with_factors);
        // The states that go with the recurrence, and those that go against it.
        let (ahead, first, against) = if self.is_adjoint {
            (&carried[..states], &upstream[states..], &own[..])
        } else {
            (&own[..], &inputs[states..2 * states], &carried[..states])
        };
        let (ahead, against) = (ahead.to_vec(), against.to_vec());
        let earlier: Vec<Wire> = (0..states)
            .map(|part| before(backward, self.walk, ahead[part], Some(first[part])))
            .collect();
        let spread = spread(backward, self.cell, &against);
        let product = backward.apply(linear(), &[earlier[0], weight]);
        let weighed = backward.apply(multiply(), &[slope, spread]);
        let mut pairs: Vec<[Wire; 2]> = (0..states).map(|p| [against[p], earlier[p]]).collect();
        pairs.extend((states > 1).then(|| [against[0], ahead[states - 1]]));
        pairs.push([product, spread]);
        let mut gradients: Vec<Option<Wire>> = carried.iter().copied().map(Some).collect();
        for pair in pairs {
            gradients.push(Some(backward.apply(multiply(), &pair)));
        }
        gradients.push(Some(by_weight(backward, earlier[0], weighed)));
        Gradient::Of(gradients)
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

/// Each cell, tangent and adjoint, both ways and layouts, bounded, of `f64`, empty; what does not
/// fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for own in [rnn_tangent_scan(), gru_tangent_scan(), lstm_tangent_scan()] {
        for own in [own, own.adjoint()] {
            samples.extend([
                sample("plain", own, [5, 3, 4]),
                sample("one element", own, [1, 1, 1]),
                sample("reversed", own.reversed(), [4, 2, 3]),
                sample("batch first", own.batch_first(), [3, 2, 2]),
                sample("no steps", own, [0, 2, 3]),
            ]);
        }
    }
    let one = rnn_tangent_scan();
    let up_to = Dimension::UpTo(9);
    let sequence = || Spec::f32([up_to, up_to, 2.into()]);
    let rows = bounded_first(Element::F32, 9, &[2]);
    let bounded = vec![sequence(), rows, sequence(), sequence(), Spec::f32([2, 2])];
    let specs = |initial: [usize; 2], slope: usize, weight: [usize; 2]| {
        let (u, slope) = (Spec::f32([4, 3, 2]), Spec::f32([4, 3, slope]));
        vec![u.clone(), Spec::f32(initial), u, slope, Spec::f32(weight)]
    };
    let mut double = sample("of f64", lstm_tangent_scan().adjoint(), [3, 2, 3]);
    double.inputs.iter_mut().flatten().for_each(|value| *value = wide(value));
    double.specs.iter_mut().for_each(|spec| *spec = spec.with_element(Element::F64));
    samples.extend([
        sample("many rows", gru_tangent_scan().adjoint(), [3, 67, 19]),
        sample("no rows", one.adjoint(), [2, 0, 3]),
        sample("bounded steps and rows", one, [4, 3, 2]).with_specs(bounded),
        double,
        Sample::rejected("rows", one, specs([2, 2], 2, [2, 2]), "initial", Some(0)),
        Sample::rejected("slope", one, specs([3, 2], 3, [2, 2]), "slope", Some(2)),
        Sample::rejected("hidden", one, specs([3, 2], 2, [3, 3]), "u", Some(2)),
    ]);
    samples
}
