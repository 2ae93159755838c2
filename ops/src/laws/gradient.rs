//! The laws of derivatives: gradients against central differences, of any order, in `f64`.

use std::collections::BTreeMap;

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::fault::Code;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options;
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{feeds, input_name};
use crate::differentiate::vector_jacobian;
use crate::sample::{Expect, Sample, Subject, noise, tensor};

/// What a sample showed of its derivative.
#[derive(Clone, Debug, PartialEq)]
pub enum Derivative {
    /// It agrees with this many central differences.
    Agrees(usize),
    /// There is none, and why, or the sample has nothing to differentiate.
    Absent(String),
}

/// Elements of one input that are moved.
const MOVED: usize = 5;

/// Elements of a sample beyond which it is too slow to differentiate.
const LARGE: usize = 3000;

/// The gradient of a sample's operator by every float input, and with `order` 2 the gradient of
/// that gradient too, against central differences. Points where the differences to the two sides
/// disagree are kinks and left out.
///
/// # Errors
/// The first derivative that differs.
pub fn gradient(sample: &Sample, order: u32) -> Result<Derivative, String> {
    if sample.skips_gradient {
        return Ok(Derivative::Absent("a sample without a derivative".into()));
    }
    let with_values = matches!(sample.expect, Expect::Outputs(_) | Expect::Reference(_));
    let inputs: Option<Vec<Value>> = sample.inputs.iter().cloned().collect();
    let Some(inputs) = inputs.filter(|_| with_values) else {
        return Ok(Derivative::Absent("a sample without values".into()));
    };
    let is_plain = has_plain_rates(&sample.subject) && !inputs.iter().any(is_half);
    let elements: usize = inputs.iter().map(|x| x.extents.iter().product::<usize>()).sum();
    if !is_plain || elements > LARGE {
        return Ok(Derivative::Absent("a sample that is not differentiated".into()));
    }
    let specs: Vec<Spec> = sample.specs.iter().map(wide_spec).collect();
    if super::alone(&sample.subject, &specs).is_err() {
        // Without `f64` there are no differences: right only where there is no derivative either.
        let narrow =
            Function { subject: sample.subject.clone(), specs: sample.specs.clone(), inputs };
        return narrow.is_absent();
    }
    let mut function = Function {
        subject: sample.subject.clone(),
        specs,
        inputs: inputs.iter().map(wide).collect(),
    };
    function.takes_parameters()?;
    for _ in 1..order {
        match function.derived()? {
            Ok(derived) => function = derived,
            Err(reason) => return Ok(Derivative::Absent(reason)),
        }
    }
    function.check()
}

/// A function and the point at which it is looked at.
struct Function {
    subject: Subject,
    specs: Vec<Spec>,
    inputs: Vec<Value>,
}

/// Names of outlets, in the order of their index.
fn name(kind: &str, index: usize) -> String {
    format!("{kind}{index:03}")
}

impl Function {
    /// The function that gives the gradient of this one's outputs, weighed by cotangents, which are
    /// further inputs; or why there is none.
    fn derived(&self) -> Result<Result<Self, String>, String> {
        let outputs = self.values()?;
        let cotangents = cotangents(&outputs);
        if let Err(reason) = self.differentiated(&cotangents)? {
            return Ok(Err(reason));
        }
        let graph = self.forward()?;
        let out_specs = graph.outlets().map(|(_, spec)| spec.clone());
        let pairs: Vec<(Spec, Option<Value>)> = out_specs.zip(cotangents.iter().cloned()).collect();
        let (mut specs, mut inputs) = (self.specs.clone(), self.inputs.clone());
        for (spec, value) in pairs {
            if let Some(value) = value {
                specs.push(spec);
                inputs.push(value);
            }
        }
        let (subject, count) = (self.subject.clone(), self.specs.len());
        let floats: Vec<bool> = self.specs.iter().map(|spec| spec.element.is_float()).collect();
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            let outputs = subject.apply(draft, &wires[..count]);
            let is_float = |wire: &Wire| draft.spec(*wire).is_some_and(|s| s.element.is_float());
            let weighed: Vec<Wire> = outputs.into_iter().filter(is_float).collect();
            let pairs: Vec<_> = weighed.into_iter().zip(wires[count..].iter().copied()).collect();
            let by = wires[..count].iter().zip(&floats).filter(|(_, is)| **is);
            let by: Vec<Wire> = by.map(|(wire, _)| *wire).collect();
            vector_jacobian(draft, &pairs, &by).into_iter().flatten().collect()
        };
        let subject = Subject::Composite("gradient", std::sync::Arc::new(build));
        Ok(Ok(Self { subject, specs, inputs }))
    }

    /// That there is no derivative of a function that takes no `f64`.
    fn is_absent(&self) -> Result<Derivative, String> {
        let mut draft = Draft::new();
        let wires = feeds(&mut draft, &self.specs);
        let outputs = self.subject.apply(&mut draft, &wires);
        let pairs: Vec<_> = outputs.into_iter().map(|wire| (wire, wire)).collect();
        if vector_jacobian(&mut draft, &pairs, &wires).into_iter().flatten().next().is_some() {
            return Err("it has a gradient, but takes no f64 to hold it against".into());
        }
        Ok(Derivative::Absent("it takes no f64".into()))
    }

    /// That it and its gradient can be built where all inputs but the first are constants of the
    /// run, as weights are.
    fn takes_parameters(&self) -> Result<(), String> {
        let mut draft = Draft::new();
        let mut wires = Vec::new();
        for (index, spec) in self.specs.iter().enumerate() {
            let name = input_name(index);
            wires.push(match index > 0 && spec.is_fixed() {
                true => draft.parameter(&name, spec.clone(), Initial::Zeros),
                false => draft.feed(&name, spec.clone()),
            });
        }
        let outputs = self.subject.apply(&mut draft, &wires);
        let mut pairs = Vec::new();
        for (index, &wire) in outputs.iter().enumerate() {
            let spec = draft.spec(wire).filter(|spec| spec.element.is_float()).cloned();
            if let Some(spec) = spec {
                pairs.push((wire, draft.feed(&input_name(self.specs.len() + index), spec)));
            }
        }
        let by = wires.iter().zip(&self.specs).filter(|(_, spec)| spec.element.is_float());
        let by: Vec<Wire> = by.map(|(wire, _)| *wire).collect();
        vector_jacobian(&mut draft, &pairs, &by);
        let Err(faults) = draft.check() else { return Ok(()) };
        // Of a composite's own nodes over constants with several outputs none is a constant.
        let added = faults.0.iter().find(|fault| fault.node.starts_with("gradient"));
        let differentiable = !faults.codes().contains(&Code::NotDifferentiable);
        match added.filter(|_| differentiable) {
            Some(fault) => Err(format!("with weights as parameters: {fault}")),
            None => Ok(()),
        }
    }

    /// Holds the gradient against differences.
    fn check(&self) -> Result<Derivative, String> {
        let outputs = self.values()?;
        let cotangents = cotangents(&outputs);
        let gradients = match self.differentiated(&cotangents)? {
            Ok(gradients) => gradients,
            Err(reason) => return Ok(Derivative::Absent(reason)),
        };
        let moves = self.moves();
        let losses = self.losses(&moves, &cotangents)?;
        let (base, losses) = losses.split_first().expect("the point itself comes first");
        let has_holes = outputs.iter().filter(|y| y.element == Element::F64);
        let has_holes = has_holes.flat_map(|y| y.elements::<f64>()).any(|y| !y.is_finite());
        let mut agreed = 0;
        for (moved, pair) in moves.iter().zip(losses.chunks_exact(2)) {
            let found = gradients.get(&moved.input).map_or(0.0, |g| g.elements::<f64>()[moved.at]);
            let (plus, minus) = ((pair[0] - base) / moved.by, (base - pair[1]) / moved.by);
            let rounding = 1e-13 * base.abs() / moved.by;
            let is_kink =
                (plus - minus).abs() > 0.02 * (plus.abs() + minus.abs()) + 1e-4 + rounding;
            let expected = (plus + minus) / 2.0;
            // A jump through the middle, as of a sign, has equal differences to the two sides.
            let is_jump = (expected * moved.by).abs() > 1e-3 * (1.0 + base.abs());
            // What stands under an output that is no number may have a gradient that is none.
            let is_hole = has_holes && !found.is_finite();
            if !plus.is_finite() || !minus.is_finite() || is_kink || is_jump || is_hole {
                continue;
            }
            let near = 2e-5 * (1.0 + expected.abs()) + 10.0 * rounding;
            // An infinite cotangent sum has no difference; a NaN gradient there is a breach.
            if (found - expected).abs() > near || found.is_nan() {
                return Err(format!(
                    "gradient by input {}, element {}, is {found:e}, differences give {expected:e}",
                    moved.input, moved.at
                ));
            }
            agreed += 1;
        }
        Ok(Derivative::Agrees(agreed))
    }

    /// Elements to be moved, spread over every float input.
    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (input, value) in self.inputs.iter().enumerate() {
            if value.element != Element::F64 {
                continue;
            }
            let elements = value.elements::<f64>();
            let step = elements.len().div_ceil(MOVED).max(1);
            for (at, x) in elements.iter().enumerate().step_by(step) {
                if x.is_finite() {
                    moves.push(Move { input, at, by: 1e-5 * x.abs().clamp(1e-2, 1e3) });
                }
            }
        }
        moves
    }

    /// The weighed sum of the outputs at the point itself, and after each move to each side.
    fn losses(&self, moves: &[Move], cotangents: &[Option<Value>]) -> Result<Vec<f64>, String> {
        let mut points = vec![self.inputs.clone()];
        for moved in moves {
            for by in [moved.by, -moved.by] {
                let mut inputs = self.inputs.clone();
                let mut elements = inputs[moved.input].elements::<f64>();
                elements[moved.at] += by;
                inputs[moved.input] = Value::new(&inputs[moved.input].extents, &elements);
                points.push(inputs);
            }
        }
        points.push(self.inputs.clone());
        let graph = self.forward()?;
        let loss = |outputs: &BTreeMap<usize, Value>| {
            let pairs = outputs.iter().filter_map(|(&k, y)| Some((y, cotangents[k].as_ref()?)));
            pairs.map(|(y, cotangent)| inner(y, cotangent)).sum::<f64>()
        };
        let together = run(&graph, &points)?;
        let losses: Vec<f64> = together.iter().map(loss).collect();
        let steady = losses.first().map(|x| x.to_bits()) == losses.last().map(|x| x.to_bits());
        if steady {
            return Ok(losses);
        }
        // What depends on the number of the firing, such as random numbers, is started anew.
        let each =
            points.iter().map(|point| Ok(loss(&run(&graph, std::slice::from_ref(point))?[0])));
        each.collect()
    }

    /// The outputs at the point.
    fn values(&self) -> Result<Vec<Value>, String> {
        let outputs = run(&self.forward()?, std::slice::from_ref(&self.inputs))?;
        Ok(outputs.into_iter().flatten().map(|(_, value)| value).collect())
    }

    fn forward(&self) -> Result<Graph, String> {
        super::alone(&self.subject, &self.specs)
    }

    /// The gradients by input, or why there are none.
    fn differentiated(
        &self,
        cotangents: &[Option<Value>],
    ) -> Result<Result<BTreeMap<usize, Value>, String>, String> {
        let mut draft = Draft::new();
        let wires = feeds(&mut draft, &self.specs);
        let outputs = self.subject.apply(&mut draft, &wires);
        let mut inputs = self.inputs.clone();
        let mut pairs = Vec::new();
        for (&wire, cotangent) in outputs.iter().zip(cotangents) {
            let (Some(cotangent), Some(spec)) = (cotangent, draft.spec(wire).cloned()) else {
                continue;
            };
            pairs.push((wire, draft.feed(&input_name(inputs.len()), spec)));
            inputs.push(cotangent.clone());
        }
        let by = |input: &usize| self.specs[*input].element.is_float();
        let by: Vec<usize> = (0..self.specs.len()).filter(by).collect();
        if by.is_empty() || pairs.is_empty() {
            return Ok(Err("no floats".into()));
        }
        let by_wires: Vec<Wire> = by.iter().map(|&input| wires[input]).collect();
        let gradients = vector_jacobian(&mut draft, &pairs, &by_wires);
        let mut places = Vec::new();
        for (&input, wire) in by.iter().zip(gradients) {
            if let Some(wire) = wire {
                if draft.spec(wire) != Some(&self.specs[input]) {
                    let found = draft.spec(wire).map(ToString::to_string);
                    let wanted = &self.specs[input];
                    return Err(format!("gradient by input {input} is {found:?}, not {wanted}"));
                }
                draft.outlet(&name("out", places.len()), wire);
                places.push(input);
            }
        }
        if places.is_empty() && draft.spec(wires[0]).is_some() {
            // Nothing depends on anything, or there is a fault that says why.
            draft.outlet(&name("out", 0), wires[0]);
        }
        let graph = match draft.check() {
            Ok(graph) => graph,
            Err(faults) if faults.codes().contains(&Code::NotDifferentiable) => {
                return Ok(Err(faults.0[0].found.clone()));
            }
            Err(faults) => return Err(faults.to_string()),
        };
        let outputs = run(&graph, &[inputs])?.remove(0);
        let by_place = |(k, value): (usize, Value)| Some((*places.get(k)?, value));
        Ok(Ok(outputs.into_iter().filter_map(by_place).collect()))
    }
}

/// One element moved to both sides.
struct Move {
    input: usize,
    at: usize,
    by: f64,
}

/// The outlets `out<k>` for each point, one after the other.
fn run(graph: &Graph, points: &[Vec<Value>]) -> Result<Vec<BTreeMap<usize, Value>>, String> {
    let mut streams = Streams::new();
    for point in points {
        for (index, value) in point.iter().enumerate() {
            streams.entry(input_name(index)).or_default().push(Some(value.clone()));
        }
    }
    let named: Vec<String> = graph.feeds().map(|(path, _)| path.to_owned()).collect();
    streams.retain(|path, _| named.contains(path));
    let outlets = interpret(graph, &Options::default(), &streams).map_err(|e| e.to_string())?;
    let mut outputs = vec![BTreeMap::new(); points.len()];
    for (index, stream) in outlets.into_values().enumerate() {
        for (point, value) in stream.into_iter().enumerate() {
            if let Some(value) = value {
                outputs[point].insert(index, value);
            }
        }
    }
    Ok(outputs)
}

/// Weights for the float outputs: none for what is no number, so that one such element, as of a
/// root of a negative one, hides no other.
fn cotangents(outputs: &[Value]) -> Vec<Option<Value>> {
    let weights = |(index, y): (usize, &Value)| {
        let weights = noise(100 + index as u64, &y.extents);
        (y.element == Element::F64).then(|| {
            let pairs = tensor(&weights).data.into_iter().zip(y.elements::<f64>());
            let weights = pairs.map(|(weight, y)| if y.is_finite() { weight } else { 0.0 });
            Value::new(&y.extents, &weights.collect::<Vec<f64>>())
        })
    };
    outputs.iter().enumerate().map(weights).collect()
}

fn inner(y: &Value, weights: &Value) -> f64 {
    let (y, weights) = (y.elements::<f64>(), weights.elements::<f64>());
    y.iter().zip(&weights).filter(|(_, weight)| **weight != 0.0).map(|(y, weight)| y * weight).sum()
}

/// Whether an operator takes and gives one token of each port in a firing.
fn has_plain_rates(subject: &Subject) -> bool {
    let Subject::Operator(operator) = subject else { return true };
    let contract = operator.contract();
    contract.inputs.iter().chain(&contract.outputs).all(|port| port.rate == 1)
}

fn is_half(value: &Value) -> bool {
    matches!(value.element, Element::F16 | Element::BF16)
}

fn wide_spec(spec: &Spec) -> Spec {
    if spec.element.is_float() { spec.with_element(Element::F64) } else { spec.clone() }
}

fn wide(value: &Value) -> Value {
    match value.element {
        Element::F32 => Value::new(&value.extents, &tensor(value).data),
        _ => value.clone(),
    }
}
