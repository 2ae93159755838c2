//! Check: a draft becomes a graph, or all its faults are told at once.
//!
//! Delays and feedbacks dissolve into edges with initial tokens; then rates are balanced, one
//! iteration is run symbolically from the initial tokens, and routing is held against its
//! selectors. Shapes were worked out while drafting.

mod join; // inputs that can never be present together
mod rate; // the balance equations
pub(crate) mod schedule; // one iteration, or the cycle that forbids it

use std::sync::Arc;

use crate::define::{Draft, DraftNode, Initial, Kind};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::{Edge, Graph, GraphData, Node, Role};
use crate::operator::{Axes, Contract, Metadata};
use crate::spec::Spec;

impl Draft {
    /// Checks the draft.
    ///
    /// # Errors
    /// All faults that can be found, those noted while drafting included.
    pub fn check(self) -> Result<Graph, Faults> {
        let mut faults = self.faults.clone();
        let (mut nodes, resolved) = resolve(&self, &mut faults);
        // What follows relies on every edge being resolved; names and shapes are told by then.
        if !resolved {
            return Faults::or(faults, || unreachable!("unresolved edges are faults"));
        }
        triggers(&nodes, &mut faults);
        rate::balance(&mut nodes, &mut faults);
        let mut graph = GraphData { nodes, order: Vec::new() };
        if !faults.iter().any(|fault| fault.code == Code::Rate) {
            match schedule::iteration(&graph) {
                Ok(order) => graph.order = order,
                Err(fault) => faults.push(fault),
            }
            join::presence(&graph, &mut faults);
        }
        Faults::or(faults, || Graph(Arc::new(graph)))
    }
}

/// Nodes without delays, their edges carrying the initial tokens; false when an edge leads nowhere.
fn resolve(draft: &Draft, faults: &mut Vec<Fault>) -> (Vec<Node>, bool) {
    let mut index = vec![usize::MAX; draft.nodes.len()];
    let mut count = 0;
    for (old, node) in draft.nodes.iter().enumerate() {
        if !matches!(node.kind, Kind::Delay { .. }) {
            index[old] = count;
            count += 1;
        } else if node.inputs.is_empty() {
            let fault = Fault::new(Stage::Check, Code::Feedback, node.path.clone());
            let fault = fault.found("a feedback that was never closed").line(node.line);
            faults.push(fault.hint("call `Draft::close` with its source"));
        }
    }
    let mut resolved = true;
    let mut nodes = Vec::with_capacity(count);
    for node in &draft.nodes {
        let role = match &node.kind {
            Kind::Operator(operator) => Role::Operator(operator.clone()),
            Kind::Feed => Role::Feed,
            Kind::Outlet => Role::Outlet,
            Kind::Parameter(initial) => Role::Parameter(initial.clone()),
            Kind::Delay { .. } => continue,
        };
        let edges: Vec<Option<Edge>> =
            node.inputs.iter().map(|&wire| trace(draft, node, wire, &index, faults)).collect();
        let edges_known = edges.iter().all(Option::is_some);
        let inputs: Vec<Edge> = edges.into_iter().flatten().collect();
        let is_known = |edge: &Edge| {
            let source = index.iter().position(|&new| new == edge.source);
            source.is_some_and(|old| draft.nodes[old].outputs.len() > edge.port)
        };
        let shaped = match &role {
            Role::Operator(operator) => node.outputs.len() == operator.contract().outputs.len(),
            _ => true,
        };
        resolved &= edges_known && shaped && inputs.iter().all(is_known);
        nodes.push(finish(node, role, inputs, draft));
    }
    (nodes, resolved)
}

/// Follows a wire through delays to the node that produces it.
fn trace(
    draft: &Draft,
    target: &DraftNode,
    wire: crate::define::Wire,
    index: &[usize],
    faults: &mut Vec<Fault>,
) -> Option<Edge> {
    let mut initial = Vec::new();
    let (mut source, mut port) = draft.source(wire);
    let mut hops = 0;
    while let Kind::Delay { steps, initial: value } = &draft.nodes[source].kind {
        let node = &draft.nodes[source];
        let spec = node.outputs.first()?;
        if let Some(fault) = misfit(value, spec) {
            let fault = Fault::new(Stage::Check, Code::Initial, node.path.clone()).found(fault);
            faults.push(fault.wanted(spec).line(node.line));
            return None;
        }
        // The delay nearest to the reader holds the oldest tokens.
        initial.extend(std::iter::repeat_n(value.clone(), *steps));
        (source, port) = draft.source(*node.inputs.first()?);
        hops += 1;
        if hops > draft.nodes.len() {
            let fault = Fault::new(Stage::Check, Code::Cycle, node.path.clone());
            let fault = fault.found("a cycle of delays without an operator").line(node.line);
            faults.push(fault.wanted("an operator in every cycle"));
            return None;
        }
    }
    let producer = &draft.nodes[source];
    if !initial.is_empty() && matches!(producer.kind, Kind::Parameter(_)) {
        let fault = Fault::new(Stage::Check, Code::Initial, target.path.clone());
        let fault = fault.found(format!("a delay of the constant {}", producer.path));
        faults.push(fault.wanted("a stream").line(target.line).line(producer.line));
        return None;
    }
    Some(Edge { source: index[source], port, initial })
}

fn misfit(initial: &Initial, spec: &Spec) -> Option<String> {
    match initial {
        Initial::Value(value) if !value.fits(spec) => Some(value.spec().to_string()),
        Initial::Uniform { .. } | Initial::Normal { .. } => Some("random initial tokens".into()),
        _ => None,
    }
}

fn finish(node: &DraftNode, role: Role, inputs: Vec<Edge>, draft: &Draft) -> Node {
    let contract = match &role {
        Role::Operator(operator) => operator.contract(),
        Role::Feed => Contract::new("feed").output("out"),
        Role::Outlet => Contract::new("outlet").input("in"),
        Role::Parameter(_) => Contract::new("parameter").output("out"),
        Role::Copy => unreachable!("only `place` adds copies"),
    };
    let metadata = match &role {
        Role::Operator(operator) => {
            let specs: Vec<Spec> =
                node.inputs.iter().filter_map(|&wire| draft.spec(wire).cloned()).collect();
            if specs.len() == contract.inputs.len() && node.outputs.len() == contract.outputs.len()
            {
                operator.metadata(&specs, &node.outputs)
            } else {
                Metadata::streaming(&[], &[], Axes::default())
            }
        }
        _ => Metadata::streaming(&[], &node.outputs, Axes::default()),
    };
    Node {
        path: node.path.clone(),
        role,
        contract,
        inputs,
        outputs: node.outputs.clone(),
        metadata,
        device: node.device.clone(),
        repetitions: 0,
        line: node.line,
    }
}

/// Every node but a source needs a stream to fire it.
fn triggers(nodes: &[Node], faults: &mut Vec<Fault>) {
    for node in nodes {
        let all_constant = node.inputs.iter().all(|edge| nodes[edge.source].is_parameter());
        if !node.inputs.is_empty() && all_constant {
            let fault = Fault::new(Stage::Check, Code::Rate, node.path.clone());
            let fault = fault.found("only constants as inputs").wanted("at least one stream");
            faults.push(fault.line(node.line).hint("compute it ahead and make it a parameter"));
        }
    }
}
