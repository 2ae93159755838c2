//! Check: a draft becomes a graph, or all its faults are told at once.
//!
//! Delays and feedbacks dissolve into edges with initial tokens; then rates are balanced, one
//! iteration is run symbolically from the initial tokens, and routing is held against its
//! selectors. Shapes were worked out while drafting.

mod join; // inputs that can never be present together
mod rate; // the balance equations
pub(crate) mod schedule; // one iteration, or the cycle that forbids it

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::sync::Arc;

use crate::define::{DELAY_MAX, Draft, DraftNode, Initial, Kind};
use crate::fault::{Code, Fault, Faults, Line, Stage};
use crate::graph::{Edge, First, Graph, GraphData, Node, Role, Updated};
use crate::operator::{Axes, Contract, Metadata, Routing};
use crate::spec::Spec;

impl Draft {
    /// Checks the draft.
    ///
    /// # Errors
    /// All faults that can be found, those noted while drafting included.
    pub fn check(self) -> Result<Graph, Faults> {
        let mut faults = self.faults.clone();
        let (mut nodes, resolved) = resolve(&self, &mut faults);
        let updated = updated(&self);
        // What follows relies on every edge being resolved; names and shapes are told by then.
        if !resolved {
            return Faults::or(faults, || unreachable!("unresolved edges are faults"));
        }
        derive(&mut nodes);
        let mut balanced = triggers(&nodes, &mut faults);
        balanced &= rate::balance(&mut nodes, &mut faults);
        let mut graph = GraphData { nodes, updated, order: Vec::new() };
        if balanced {
            graph.order = schedule::iteration(&graph, &mut faults);
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
            continue;
        }
        let foreign = |f: &Fault| f.code == Code::ForeignHandle && f.node == node.path;
        if node.inputs.is_empty() && !faults.iter().any(foreign) {
            let fault = Fault::new(Stage::Check, Code::Feedback, node.path.clone());
            let fault = fault.found("a feedback that was never closed").wanted("a source");
            faults.push(fault.line(node.line).hint("call `Draft::close` with its source"));
        }
        misfit(node, faults);
    }
    let mut resolved = true;
    let mut behind = BTreeMap::new();
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
        for (edge, &wire) in edges.iter().zip(&node.inputs) {
            let Some(edge) = edge.as_ref().filter(|edge| edge.delay() > 0) else { continue };
            let line = draft.nodes[draft.source(wire).0].line;
            let same = behind.entry((edge.source, edge.port)).or_insert_with(Vec::new);
            same.push((node.path.clone(), line, edge.initial.clone()));
        }
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
    behind.values().for_each(|readers| suffixes(readers, faults));
    (nodes, resolved)
}

/// The parameters that are updated.
fn updated(draft: &Draft) -> Vec<Updated> {
    let updated = |node: &DraftNode| {
        let Kind::Delay { initial, is_parameter: true, .. } = &node.kind else { return None };
        let (path, spec) = (node.path.clone(), node.outputs.first()?.clone());
        Some(Updated { path, initial: initial.clone(), spec, line: node.line })
    };
    draft.nodes.iter().filter_map(updated).collect()
}

/// Readers behind delays of one output share its register, so the initial tokens of each must be
/// the last ones of the longest delay's.
fn suffixes(readers: &[(String, Line, Vec<First>)], faults: &mut Vec<Fault>) {
    let Some((_, other, longest)) = readers.iter().max_by_key(|reader| reader.2.len()) else {
        return;
    };
    for (path, line, initial) in readers.iter().filter(|(.., own)| !longest.ends_with(own)) {
        let fault = Fault::new(Stage::Check, Code::Initial, path.clone());
        let fault = fault.found(format!("{} initial tokens of their own", initial.len()));
        let fault = fault.wanted("the last of the longest delay of the same stream");
        let fault = fault.line(*line).line(*other);
        faults.push(fault.hint("delay a delayed stream, or copy the stream first"));
    }
}

/// Follows a wire through delays to the node that produces it.
fn trace(
    draft: &Draft,
    target: &DraftNode,
    wire: crate::define::Wire,
    index: &[usize],
    faults: &mut Vec<Fault>,
) -> Option<Edge> {
    let (mut source, mut port) = draft.source(wire);
    // The delay nearest to the reader holds the oldest tokens.
    let mut delays = Vec::new();
    while let Kind::Delay { steps, initial, is_parameter } = &draft.nodes[source].kind {
        let node = &draft.nodes[source];
        if delays.len() == draft.nodes.len() {
            let fault = Fault::new(Stage::Check, Code::Cycle, node.path.clone());
            let fault = fault.found("a cycle of delays without an operator").line(node.line);
            let fault = fault.wanted("an operator in every cycle");
            faults.push(fault.hint("close the feedback with the output of an operator"));
            return None;
        }
        let parameter = is_parameter.then(|| node.path.as_str().into());
        delays.push((*steps, First { initial: initial.clone(), parameter }));
        (source, port) = draft.source(*node.inputs.first()?);
    }
    let producer = &draft.nodes[source];
    if !delays.is_empty() && matches!(producer.kind, Kind::Parameter(_)) {
        let fault = Fault::new(Stage::Check, Code::Initial, target.path.clone());
        let fault = fault.found(format!("a delay of the constant {}", producer.path));
        let fault = fault.wanted("a stream").line(target.line).line(producer.line);
        faults.push(fault.hint("a constant is the same at every step: use it as it is"));
        return None;
    }
    let steps = delays.iter().fold(0, |sum: usize, (steps, _)| sum.saturating_add(*steps));
    if steps > DELAY_MAX {
        let fault = Fault::new(Stage::Check, Code::Initial, target.path.clone());
        let fault = fault.found(format!("{steps} initial tokens")).line(target.line);
        let fault = fault.wanted(format!("at most {DELAY_MAX}")).line(producer.line);
        faults.push(fault.hint("delay fewer steps"));
        return None;
    }
    let initial = delays.into_iter().flat_map(|(steps, own)| repeat_n(own, steps));
    Some(Edge { source: index[source], port, initial: initial.collect() })
}

/// Initial tokens must be tokens of their stream.
fn misfit(node: &DraftNode, faults: &mut Vec<Fault>) {
    let Kind::Delay { initial, is_parameter: false, .. } = &node.kind else { return };
    let Some(spec) = node.outputs.first() else { return };
    let found = match initial {
        Initial::Value(value) if !value.fits(spec) => value.spec().to_string(),
        Initial::Uniform { .. }
        | Initial::Normal { .. }
        | Initial::TruncatedNormal { .. }
        | Initial::Orthogonal { .. } => "random initial tokens".into(),
        _ => return,
    };
    let fault = Fault::new(Stage::Check, Code::Initial, node.path.clone()).found(found);
    let fault = fault.wanted(spec).line(node.line);
    faults.push(fault.hint("give a value of the stream's spec, zeros, a constant or null"));
}

fn finish(node: &DraftNode, role: Role, inputs: Vec<Edge>, draft: &Draft) -> Node {
    let contract = match &role {
        Role::Operator(operator) => operator.contract(),
        Role::Feed => Contract::new("feed").output("out"),
        Role::Outlet => Contract::new("outlet").input("in"),
        Role::Parameter(_) => Contract::new("parameter").output("out"),
        Role::Derived { .. } => unreachable!("only `derive` makes these"),
        Role::Copy { .. } => unreachable!("only `place` adds copies"),
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

/// Makes constants of what is computed from constants alone, such as a weight turned over.
fn derive(nodes: &mut [Node]) {
    for index in 0..nodes.len() {
        let node = &nodes[index];
        let Role::Operator(operator) = &node.role else { continue };
        let contract = &node.contract;
        let is_pure = contract.routing == Routing::Static && !contract.effect && !contract.counts;
        let ports = contract.inputs.iter().chain(&contract.outputs);
        let is_one = node.outputs.len() == 1 && node.outputs[0].is_fixed();
        let mut sources = node.inputs.iter().map(|edge| &nodes[edge.source]);
        let constant = !node.inputs.is_empty() && sources.all(Node::is_parameter);
        if !(constant && is_pure && is_one && ports.into_iter().all(|port| port.rate == 1)) {
            continue;
        }
        let sources = node.inputs.iter().map(|edge| nodes[edge.source].path.clone()).collect();
        let role = Role::Derived { operator: operator.clone(), sources };
        let metadata = Metadata::streaming(&[], &node.outputs, Axes::default());
        let contract = Contract::new(contract.name).output("out");
        let node = &mut nodes[index];
        (node.role, node.contract, node.metadata) = (role, contract, metadata);
        node.inputs.clear();
    }
}

/// Every node but a source needs a stream to fire it; whether each has one.
fn triggers(nodes: &[Node], faults: &mut Vec<Fault>) -> bool {
    let before = faults.len();
    for node in nodes {
        let all_constant = node.inputs.iter().all(|edge| nodes[edge.source].is_parameter());
        if !node.inputs.is_empty() && all_constant {
            let fault = Fault::new(Stage::Check, Code::Rate, node.path.clone());
            let fault = fault.found("only constants as inputs").wanted("at least one stream");
            faults.push(fault.line(node.line).hint("compute it ahead and make it a parameter"));
        }
    }
    faults.len() == before
}
