//! A checked graph as a draft again: how a step adds nodes to a graph.

use std::sync::Arc;

use super::{Draft, DraftNode, Initial, Kind, Wire};
use crate::differentiate::Arithmetic;
use crate::fault::{Code, Fault, Line, Stage};
use crate::graph::{Edge, First, Graph, Role, is_under};
use crate::operator::Operator;

/// Where a draft stood before [`Draft::enter`].
pub(crate) struct Outer {
    scope: Vec<String>,
    line: Option<Line>,
}

impl Graph {
    /// The draft of this graph, every path and source line as it was.
    pub(crate) fn reopen(&self) -> Draft {
        let mut draft = Draft::new();
        let nodes = &self.0.nodes;
        draft.nodes.reserve(nodes.len());
        for node in nodes {
            let kind = match &node.role {
                Role::Operator(operator) => Kind::Operator(operator.clone()),
                Role::Feed => Kind::Feed,
                Role::Outlet => Kind::Outlet,
                Role::Parameter(initial) => Kind::Parameter(initial.clone()),
                Role::Derived { operator, .. } => Kind::Operator(operator.clone()),
                Role::Copy { .. } => unreachable!("only `place` adds copies"),
            };
            let (path, device, line) = (node.path.clone(), node.device.clone(), node.line);
            draft.names.insert(path.clone(), 1);
            let outputs = node.outputs.clone();
            draft.nodes.push(DraftNode { path, kind, inputs: Vec::new(), outputs, device, line });
        }
        for (index, node) in nodes.iter().enumerate() {
            draft.nodes[index].inputs = match &node.role {
                Role::Derived { sources, .. } => {
                    sources.iter().map(|path| draft.wire_of(path)).collect()
                }
                _ => node.inputs.iter().map(|edge| draft.redraw(edge, node.line)).collect(),
            };
        }
        draft
    }
}

impl Draft {
    /// An edge as wires and delays.
    fn redraw(&mut self, edge: &Edge, line: Line) -> Wire {
        let wire = self.outlet_of(edge.source, edge.port);
        // The delay nearest to the reader holds the oldest tokens, so the youngest come first here.
        let same = |a: &First, b: &First| a.parameter.is_some() && a.parameter == b.parameter;
        edge.initial.chunk_by(same).rev().fold(wire, |wire, tokens| {
            let (steps, First { initial, parameter }) = (tokens.len(), &tokens[0]);
            let path = match parameter {
                Some(path) => path.to_string(),
                None => self.next(&format!("{}/delay", self.nodes[edge.source].path)),
            };
            if let Some(node) = self.nodes.iter().position(|node| node.path == path) {
                return self.outlet_of(node, 0);
            }
            let outputs = self.nodes[edge.source].outputs[edge.port].clone();
            self.names.insert(path.clone(), 1);
            let (initial, is_parameter) = (initial.clone(), parameter.is_some());
            let kind = Kind::Delay { steps, initial, is_parameter };
            let (inputs, outputs) = (vec![wire], vec![outputs]);
            self.nodes.push(DraftNode { path, kind, inputs, outputs, device: None, line });
            self.outlet_of(self.nodes.len() - 1, 0)
        })
    }

    /// Output `port` of a node.
    pub(crate) fn outlet_of(&self, node: usize, port: usize) -> Wire {
        Wire { draft: self.id, node: node as u32, port: port as u32 }
    }

    /// The output of the feed or parameter at `path`.
    pub(crate) fn wire_of(&self, path: &str) -> Wire {
        let node = self.nodes.iter().position(|node| node.path == path);
        self.outlet_of(node.expect("the path was looked up before"), 0)
    }

    /// What the outlet at `path` reads.
    pub(crate) fn read_by(&self, path: &str) -> Wire {
        let node = self.nodes.iter().find(|node| node.path == path);
        node.expect("the path was looked up before").inputs[0]
    }

    /// A scope for one differentiation: `gradient`, or numbered.
    pub(crate) fn gradient_scope(&self) -> String {
        let taken = |scope: &String| self.nodes.iter().any(|node| is_under(&node.path, scope));
        let mut scopes = (1_u32..).map(|number| match number {
            1 => "gradient".to_owned(),
            _ => format!("gradient_{number}"),
        });
        scopes.find(|scope| !taken(scope)).expect("a draft has few nodes")
    }

    /// Gives what is added next the line and the device of a node, and a path below `scope`.
    pub(crate) fn enter(&mut self, node: usize, scope: &str) -> Outer {
        let node = &self.nodes[node];
        self.devices.push(node.device.clone());
        let outer = vec![scope.to_owned(), node.path.clone()];
        Outer {
            line: self.line.replace(node.line),
            scope: std::mem::replace(&mut self.scope, outer),
        }
    }

    /// Adds with the line and for the device of another node.
    pub(crate) fn like<R>(
        &mut self,
        line: Line,
        device: Option<String>,
        build: impl FnOnce(&mut Self) -> R,
    ) -> R {
        self.devices.push(device);
        let outer = self.line.replace(line);
        let result = build(self);
        self.line = outer;
        self.devices.pop();
        result
    }

    /// Applies an operator of another graph under a name; all its outputs.
    pub(crate) fn apply_shared(
        &mut self,
        name: &str,
        operator: Arc<dyn Operator>,
        inputs: &[Wire],
    ) -> Vec<Wire> {
        let count = operator.contract().outputs.len();
        let first = self.add_operator(name, operator, inputs);
        (0..count).map(|port| self.outlet_of(first.node as usize, port)).collect()
    }

    /// Goes back to where the draft stood.
    pub(crate) fn leave(&mut self, outer: Outer) {
        self.devices.pop();
        (self.scope, self.line) = (outer.scope, outer.line);
    }

    /// Zeros of the extents of a wire; a constant where the wire is one.
    pub(crate) fn zeros_like(&mut self, arithmetic: Arithmetic, wire: Wire) -> Wire {
        let source = &self.nodes[wire.node as usize];
        if !matches!(source.kind, Kind::Parameter(_)) {
            return (arithmetic.fill)(self, wire, 0.0);
        }
        let spec = source.outputs[0].clone();
        let name = self.next(&self.path("zeros"));
        let name = name.rsplit('/').next().expect("a path has a name").to_owned();
        self.parameter(&name, spec, Initial::Zeros)
    }

    /// Notes that a loss does not depend on what it is differentiated by.
    pub(crate) fn independent(&mut self, by: Wire, loss: &str) {
        if !self.faults.is_empty() {
            return;
        }
        let node = &self.nodes[by.node as usize];
        let fault = Fault::new(Stage::Differentiate, Code::NotDifferentiable, node.path.clone());
        let fault = fault.found(format!("the loss {loss} does not depend on it")).line(node.line);
        let fault = fault.wanted("a way from it to the loss that has a gradient");
        self.faults.push(fault.hint("leave it out of what is differentiated by"));
    }
}
