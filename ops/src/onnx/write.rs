//! Operators as nodes of a model.

use std::collections::BTreeMap;

use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{Attribute, element_number, floats};

/// One node of a model, by names of tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What ONNX calls the operator.
    pub kind: &'static str,
    /// Names of its inputs; an empty one is left out.
    pub inputs: Vec<String>,
    /// Names of its outputs.
    pub outputs: Vec<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// What an operator was written as.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nodes {
    /// In an order in which they can be computed.
    pub nodes: Vec<Setting>,
    /// Constants by name.
    pub constants: Vec<(String, Value)>,
}

/// What an operator reads and gives.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Names and specs of its inputs.
    pub inputs: Vec<(String, Spec)>,
    /// Names and specs of its outputs.
    pub outputs: Vec<(String, Spec)>,
    /// Which outputs somebody reads.
    pub read: Vec<bool>,
}

/// An operator while it is written.
pub struct Emit<'a> {
    path: &'a str,
    ports: &'a Ports,
    names: usize,
    written: Nodes,
}

impl<'a> Emit<'a> {
    /// An operator at a path; what it needs of its own is named below it.
    #[must_use]
    pub fn new(path: &'a str, ports: &'a Ports) -> Self {
        Self { path, ports, names: 0, written: Nodes::default() }
    }

    /// What was written.
    #[must_use]
    pub fn into_nodes(self) -> Nodes {
        self.written
    }

    /// The name of an input.
    #[must_use]
    pub fn input(&self, index: usize) -> String {
        self.ports.inputs[index].0.clone()
    }

    /// The names of all inputs.
    #[must_use]
    pub fn inputs(&self) -> Vec<String> {
        self.ports.inputs.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The spec of an input.
    #[must_use]
    pub fn input_spec(&self, index: usize) -> &Spec {
        &self.ports.inputs[index].1
    }

    /// The name of an output.
    #[must_use]
    pub fn output(&self, index: usize) -> String {
        self.ports.outputs[index].0.clone()
    }

    /// The names of all outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<String> {
        self.ports.outputs.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The spec of an output.
    #[must_use]
    pub fn output_spec(&self, index: usize) -> &Spec {
        &self.ports.outputs[index].1
    }

    /// Whether somebody reads an output.
    #[must_use]
    pub fn is_read(&self, index: usize) -> bool {
        self.ports.read.get(index).copied().unwrap_or(false)
    }

    /// A new name.
    pub fn name(&mut self) -> String {
        self.names += 1;
        format!("{}/{}", self.path, self.names)
    }

    /// A constant; its name.
    pub fn constant(&mut self, value: Value) -> String {
        let name = self.name();
        self.written.constants.push((name.clone(), value));
        name
    }

    /// A constant of whole numbers; its name.
    pub fn integers(&mut self, numbers: &[usize]) -> String {
        let numbers: Vec<i64> = numbers.iter().map(|&n| n as i64).collect();
        self.constant(Value::new(&[numbers.len()], &numbers))
    }

    /// One number of the element type of input 0; its name.
    pub fn number(&mut self, number: f64) -> String {
        self.floats(&[], &[number])
    }

    /// Numbers of the element type of input 0; their name.
    pub fn floats(&mut self, extents: &[usize], numbers: &[f64]) -> String {
        self.floats_of(self.input_spec(0).element, extents, numbers)
    }

    /// Numbers of a float type; their name.
    pub fn floats_of(&mut self, element: Element, extents: &[usize], numbers: &[f64]) -> String {
        self.constant(floats(element, extents, numbers))
    }

    /// The last node: a tensor as the element type of output 0.
    pub fn cast(&mut self, x: &str) {
        let to = element_number(self.output_spec(0).element);
        self.last("Cast", &[x.to_owned()], &[("to", to.into())]);
    }

    /// A tensor as another element type; its name.
    pub fn step_cast(&mut self, x: &str, element: Element) -> String {
        self.step("Cast", &[x.to_owned()], &[("to", element_number(element).into())])
    }

    /// A node that gives a tensor of its own; the tensor's name.
    pub fn step(
        &mut self,
        kind: &'static str,
        inputs: &[String],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = self.name();
        self.node(kind, inputs, std::slice::from_ref(&name), attributes);
        name
    }

    /// A node that gives the operator's outputs.
    pub fn last(
        &mut self,
        kind: &'static str,
        inputs: &[String],
        attributes: &[(&str, Attribute)],
    ) {
        let outputs = self.outputs();
        self.node(kind, inputs, &outputs, attributes);
    }

    /// A node.
    pub fn node(
        &mut self,
        kind: &'static str,
        inputs: &[String],
        outputs: &[String],
        attributes: &[(&str, Attribute)],
    ) {
        let attributes = attributes.iter().map(|(name, own)| ((*name).to_owned(), own.clone()));
        self.written.nodes.push(Setting {
            kind,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            attributes: attributes.collect(),
        });
    }
}

impl From<usize> for Attribute {
    fn from(number: usize) -> Self {
        Self::Integer(number as i64)
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Attribute {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&[usize]> for Attribute {
    fn from(numbers: &[usize]) -> Self {
        Self::Integers(numbers.iter().map(|&n| n as i64).collect())
    }
}

impl<const N: usize> From<[usize; N]> for Attribute {
    fn from(numbers: [usize; N]) -> Self {
        Self::from(&numbers[..])
    }
}
