//! A model as a draft: node after node, each by the file of the catalogue that knows its name.
//!
//! A constant stays a constant until a node wants its wire; then it is a parameter of its own name.
//! What is computed from constants alone has a value while importing, and where it is computed from
//! weights it is also built, so that the weights under their own names stay what can be trained.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use synfire_ops::CATALOG;
use synfire_ops::onnx::{Build, Head, Node as Building, Operand};
use synfire_ops::route::pace::pace;
use synfire_runtime::define::{Draft, Wire};

use super::parse::{Model, Node};
use super::structure::{Given, Structure, rule};
use super::{ImportError, Imported, Missing, evaluate};

/// Builds a draft, or tells of all nodes why it cannot.
pub(super) fn build(model: Model) -> Result<Imported, ImportError> {
    let mut builder = Builder::new(&model);
    for (index, node) in model.nodes.iter().enumerate() {
        builder.node(index, node);
    }
    builder.finish()
}

struct Builder<'a> {
    model: &'a Model,
    draft: Draft,
    /// What every name is that is known by now.
    operands: BTreeMap<&'a str, Operand>,
    /// Names that have a path of their own.
    paths: BTreeSet<String>,
    /// Names that are weights, or computed from weights alone; by which node.
    weights: BTreeMap<&'a str, Option<usize>>,
    /// Names that something reads.
    read: BTreeSet<&'a str>,
    /// Names that come after something missing.
    lost: BTreeSet<&'a str>,
    inputs: Vec<(String, Wire)>,
    missing: Vec<Missing>,
}

impl<'a> Builder<'a> {
    fn new(model: &'a Model) -> Self {
        let reads = model.nodes.iter().flat_map(|node| &node.inputs).chain(&model.outputs);
        let mut builder = Self {
            model,
            draft: Draft::new(),
            operands: BTreeMap::new(),
            paths: BTreeSet::new(),
            weights: BTreeMap::new(),
            read: reads.map(String::as_str).collect(),
            lost: BTreeSet::new(),
            inputs: Vec::new(),
            missing: Vec::new(),
        };
        for (name, spec) in &model.inputs {
            let path = builder.path(name);
            let wire = builder.draft.feed(&path, spec.clone());
            builder.operands.insert(name, Operand::stream(wire));
            builder.inputs.push((path, wire));
        }
        for (name, value) in &model.constants {
            let path = builder.path(name);
            builder.operands.insert(name, Operand::constant(&path, Arc::new(value.clone())));
            // One number alone is a setting.
            if value.element.is_float() && !value.extents.is_empty() {
                builder.weights.insert(name, None);
            }
        }
        builder
    }

    /// A path that no other name has.
    fn path(&mut self, name: &str) -> String {
        let plain = sanitised(name);
        let numbered = (2..).map(|number| format!("{plain}_{number}"));
        let mut all = std::iter::once(plain.clone()).chain(numbered);
        let path = all.find(|path| !self.paths.contains(path)).expect("numbers do not end");
        self.paths.insert(path.clone());
        path
    }

    fn node(&mut self, index: usize, node: &'a Node) {
        if let Err(reason) = self.try_node(index, node) {
            self.lost.extend(node.outputs.iter().map(String::as_str));
            // What comes after something missing is told by that.
            if let Some(reason) = reason {
                self.missing.push(Missing::of(&node.name, &node.kind, reason));
            }
        }
    }

    /// Adds a node; the error is why not, or none where that is told already.
    fn try_node(&mut self, index: usize, node: &'a Node) -> Result<(), Option<String>> {
        let known = CATALOG.iter().flat_map(|entry| entry.onnx.reads);
        let builds: Vec<Build> =
            known.filter(|(name, _)| *name == node.kind).map(|(_, build)| *build).collect();
        let rule = rule(&node.kind);
        if builds.is_empty() && rule.is_none() {
            return Err(Some("no operator of the catalogue is known to ONNX by this name".into()));
        }
        if let Some(twice) = node.outputs.iter().find(|name| self.is_given(name)) {
            return Err(Some(format!("output `{twice}` is given before")));
        }
        let inputs = self.inputs_of(node)?;
        if let Some(rule) = rule {
            let given = inputs.iter().map(Option::as_ref).collect();
            let structure = Structure { draft: &self.draft, node, inputs: given };
            let given = rule(&structure).map_err(Some)?;
            return self.give(node, given, inputs);
        }
        let head = Head {
            opset: self.model.opset,
            attributes: node.attributes.clone(),
            outputs: node.outputs.iter().map(|name| self.read.contains(&**name)).collect(),
        };
        let mut operands = inputs.iter().flatten();
        let is_constant =
            operands.clone().next().is_some() && operands.all(|operand| operand.value().is_some());
        if is_constant {
            return self.fold(index, node, (&builds, &head), &inputs);
        }
        for name in &node.inputs {
            self.compute(name)?;
        }
        let inputs = self.inputs_of(node)?;
        let wires = self.apply(node, (&builds, &head), &inputs)?;
        for (name, wire) in node.outputs.iter().zip(wires).filter(|(name, _)| !name.is_empty()) {
            self.operands.insert(name, Operand::stream(wire));
        }
        self.unnamed(node)
    }

    fn is_given(&self, name: &str) -> bool {
        !name.is_empty() && (self.operands.contains_key(name) || self.lost.contains(name))
    }

    fn inputs_of(&self, node: &Node) -> Result<Vec<Option<Operand>>, Option<String>> {
        let mut inputs = Vec::new();
        for name in &node.inputs {
            if name.is_empty() {
                inputs.push(None);
                continue;
            }
            if self.lost.contains(&**name) {
                return Err(None);
            }
            let operand = self.operands.get(&**name);
            let unknown = || Some(format!("input `{name}` is given by nothing before"));
            inputs.push(Some(operand.ok_or_else(unknown)?.clone()));
        }
        // Those left out at the end are as if they were not there.
        while matches!(inputs.last(), Some(None)) {
            inputs.pop();
        }
        Ok(inputs)
    }

    /// Outputs of what is no operator.
    fn give(
        &mut self,
        node: &'a Node,
        given: Given,
        inputs: Vec<Option<Operand>>,
    ) -> Result<(), Option<String>> {
        let Some(name) = node.outputs.first() else { return Ok(()) };
        let operand = match given {
            Given::Same => {
                let weight = node.inputs.first().and_then(|input| self.weights.get(&**input));
                if let Some(origin) = weight.copied() {
                    self.weights.insert(name, origin);
                }
                inputs.into_iter().next().flatten().ok_or_else(|| Some("no input 0".to_owned()))?
            }
            Given::Value(value) => Operand::constant(&self.path(name), Arc::new(value)),
        };
        self.operands.insert(name, operand);
        self.unnamed(node)
    }

    /// Every output that is read must have been given.
    fn unnamed(&self, node: &Node) -> Result<(), Option<String>> {
        let absent = node
            .outputs
            .iter()
            .find(|name| self.read.contains(&***name) && !name.is_empty() && !self.is_given(name));
        absent.map_or(Ok(()), |name| Err(Some(format!("its output `{name}` is not supported"))))
    }

    /// A node over constants: its outputs are constants.
    fn fold(
        &mut self,
        index: usize,
        node: &'a Node,
        (builds, head): (&[Build], &Head),
        inputs: &[Option<Operand>],
    ) -> Result<(), Option<String>> {
        let tried = builds.iter().map(|&build| evaluate::evaluate(build, head, inputs));
        let values = first(tried).map_err(Some)?;
        let is_weight = node.inputs.iter().any(|name| self.weights.contains_key(&**name))
            && node.outputs.len() == 1;
        for (name, value) in node.outputs.iter().zip(values).filter(|(name, _)| !name.is_empty()) {
            if is_weight && value.element.is_float() {
                self.weights.insert(name, Some(index));
            }
            let path = self.path(name);
            self.operands.insert(name, Operand::constant(&path, Arc::new(value)));
        }
        self.unnamed(node)
    }

    /// Builds what is computed from weights alone, so that it follows them.
    fn compute(&mut self, name: &'a str) -> Result<(), Option<String>> {
        let mut waiting = vec![name];
        while let Some(&name) = waiting.last() {
            let origin = self.weights.get(name).copied().flatten();
            let operand = self.operands.get(name);
            let (Some(index), Some(operand)) = (origin, operand) else {
                waiting.pop();
                continue;
            };
            if operand.wire().is_some() {
                waiting.pop();
                continue;
            }
            let node = &self.model.nodes[index];
            let before = node.inputs.iter().map(String::as_str).find(|input| {
                let is_computed = self.weights.get(input).is_some_and(Option::is_some);
                is_computed && self.operands.get(input).is_some_and(|own| own.wire().is_none())
            });
            if let Some(before) = before {
                waiting.push(before);
                continue;
            }
            let operand = operand.clone();
            let known = CATALOG.iter().flat_map(|entry| entry.onnx.reads);
            let builds: Vec<Build> =
                known.filter(|(kind, _)| *kind == node.kind).map(|(_, build)| *build).collect();
            let attributes = node.attributes.clone();
            let head = Head { opset: self.model.opset, attributes, outputs: vec![true] };
            let inputs = self.inputs_of(node)?;
            let wires = self.apply(node, (&builds, &head), &inputs)?;
            let wire = *wires.first().ok_or_else(|| Some("no output".to_owned()))?;
            self.operands.insert(&node.outputs[0], operand.computed(wire));
            waiting.pop();
        }
        Ok(())
    }

    /// Adds a node to the draft, below its name.
    fn apply(
        &mut self,
        node: &Node,
        (builds, head): (&[Build], &Head),
        inputs: &[Option<Operand>],
    ) -> Result<Vec<Wire>, Option<String>> {
        let before = self.draft.faults().len();
        let scope = self.path(&node.name);
        let tried = builds.iter().map(|build| {
            let wires = self.draft.scope(&scope, |draft| {
                let mut building = Building::new(draft, head, inputs.to_vec());
                let wires = build(&mut building)?;
                match building.unread() {
                    unread if unread.is_empty() => Ok(wires),
                    unread => Err(format!("attributes that are not known: {}", unread.join(", "))),
                }
            });
            let faults = &self.draft.faults()[before..];
            let said = faults.iter().map(|fault| {
                let port = if fault.port.is_empty() { "" } else { ", port " };
                let (node, at) = (&fault.node, &fault.port);
                format!("{node}{port}{at}: found {}, wanted {}", fault.found, fault.wanted)
            });
            let said: Vec<String> = said.collect();
            if said.is_empty() { wires } else { Err(said.join("; ")) }
        });
        first(tried).map_err(Some)
    }

    fn finish(mut self) -> Result<Imported, ImportError> {
        let mut outputs = Vec::new();
        for name in &self.model.outputs {
            let path = self.path(name);
            match self.operands.get(&**name) {
                Some(operand) => match self.stream(operand.clone()) {
                    Some(wire) => {
                        self.draft.outlet(&path, wire);
                        outputs.push((path, wire));
                    }
                    None => self.missing.push(Missing::of(name, "output", "of no input")),
                },
                None if self.lost.contains(&**name) => {}
                None => self.missing.push(Missing::of(name, "output", "given by nothing")),
            }
        }
        if !self.missing.is_empty() {
            return Err(ImportError::Missing { missing: self.missing });
        }
        let is_weight = |(name, origin): (&&str, &Option<usize>)| {
            origin.is_none().then(|| self.operands.get(*name)).flatten()
        };
        let weights = self.weights.iter().filter_map(is_weight);
        let weights = weights.filter(|own| own.wire().is_some()).map(|own| own.path().to_owned());
        let weights: BTreeSet<String> = weights.collect();
        let weights = weights.into_iter().collect();
        Ok(Imported { draft: self.draft, inputs: self.inputs, outputs, weights })
    }
}

impl Builder<'_> {
    /// An operand as a stream; a constant is one at the pace of the first input.
    fn stream(&mut self, operand: Operand) -> Option<Wire> {
        if operand.value().is_none() {
            return operand.wire();
        }
        let (_, pacer) = self.inputs.first()?;
        let wire = operand.demand(&mut self.draft);
        Some(self.draft.apply(pace(), &[wire, *pacer]))
    }
}

/// The first that works, or why none does.
fn first<T>(tried: impl Iterator<Item = Result<T, String>>) -> Result<T, String> {
    let mut reasons = Vec::new();
    for one in tried {
        match one {
            Ok(found) => return Ok(found),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join("; or "))
}

/// A name as a path: `/` divides scopes, odd characters become `_`, nothing is empty.
fn sanitised(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-/".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let parts: Vec<&str> = plain.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "_".to_owned() } else { parts.join("/") }
}
