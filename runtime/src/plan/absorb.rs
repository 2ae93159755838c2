//! Absorption: several nodes become the one operator that their last one knows them to be.
//!
//! Before anything else is planned, nodes are asked for their form (see [`crate::mark`]), later
//! ones first, and the form takes the place of the last part where nobody could tell: the parts
//! are pure, fire equally often, once for each token, on one device that has a kernel of the form;
//! and between them no delay lies, no probe looks, no capacity was chosen, and nobody else reads, a
//! gradient for instance. Streams keep their names, and the plan says what was absorbed, so that a
//! loaded plan is held against the same graph.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Limits, stream};
use crate::check::schedule;
use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::{Graph, GraphData, Node, Role};
use crate::mark::{Form, Part};
use crate::operator::{Contract, Routing};
use crate::place::Placed;

/// Nodes that one operator computes: part of a plan, since it replaces them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absorbed {
    /// The path of the last one, which stays.
    pub into: String,
    /// Paths of the others, in the order of nodes.
    pub nodes: Vec<String>,
    /// Names of all their operators, the last one's last.
    pub operators: Vec<String>,
}

/// The placed graph with every form that can take its place, and what these are.
pub(super) fn absorb(placed: &Placed, limits: &Limits) -> (Placed, Vec<Absorbed>) {
    let kept: Vec<&String> = limits.probes.iter().chain(limits.capacities.keys()).collect();
    let nodes = placed.graph.0.nodes.iter().rev();
    let last: Vec<&String> =
        nodes.filter(|node| node.contract.form.is_some()).map(|node| &node.path).collect();
    let (mut placed, mut all) = (placed.clone(), Vec::new());
    for path in last {
        if let Some((next, absorbed)) = placed.absorb(path, &kept) {
            placed = next;
            all.push(absorbed);
        }
    }
    (placed, all)
}

impl Limits {
    /// Orders without what was absorbed.
    pub(super) fn without(&self, absorbed: &[Absorbed]) -> Self {
        let mut limits = self.clone();
        let is_gone = |path: &String| absorbed.iter().any(|own| own.nodes.contains(path));
        limits.orders.values_mut().for_each(|order| order.retain(|path| !is_gone(path)));
        limits
    }
}

impl Placed {
    /// The same that was done before.
    pub(super) fn absorb_again(&self, what: &Absorbed, probes: &[String]) -> Result<Self, Faults> {
        match self.absorb(&what.into, &probes.iter().collect::<Vec<_>>()) {
            Some((placed, absorbed)) if absorbed == *what => Ok(placed),
            _ => {
                let fault = Fault::new(Stage::Plan, Code::Format, what.into.clone());
                let fault = fault.found(format!("a node that absorbed {:?}", what.nodes));
                Err(fault.wanted("what the graph allows").hint("plan the graph anew").into())
            }
        }
    }

    /// The form at the node `path` in place of its parts, if it has one and nobody could tell;
    /// streams in `kept` stay.
    fn absorb(&self, path: &str, kept: &[&String]) -> Option<(Self, Absorbed)> {
        let graph = &*self.graph.0;
        let last = graph.index_of(path)?;
        let form = graph.nodes[last].contract.form?(&Part::new(graph, last))?;
        let parts = parts(graph, last, &form)?;
        let is_kept =
            |name: &&String| stream(graph, name).is_some_and(|own| parts.contains(&own.0));
        let silent = parts.iter().all(|&part| self.may_vanish(part, last, &parts));
        if parts.is_empty() || !silent || kept.iter().any(is_kept) {
            return None;
        }
        let names = parts.iter().chain([&last]).map(|&part| graph.nodes[part].contract.name);
        let absorbed = Absorbed {
            into: path.to_owned(),
            nodes: parts.iter().map(|&part| graph.nodes[part].path.clone()).collect(),
            operators: names.map(str::to_owned).collect(),
        };
        let node = node(graph, last, &form)?;
        let placed = self.replaced(last, node, &parts)?;
        super::kernel(&placed, placed.graph.0.index_of(path)?).ok()?;
        Some((placed, absorbed))
    }

    /// Whether nobody could tell that a part is gone.
    fn may_vanish(&self, part: usize, last: usize, parts: &BTreeSet<usize>) -> bool {
        let graph = &*self.graph.0;
        let (own, end) = (&graph.nodes[part], &graph.nodes[last]);
        let is_inside =
            |reader: usize, delay: usize| delay == 0 && (reader == last || parts.contains(&reader));
        let mut readers = graph.token_edges().filter(|(_, _, edge)| edge.source == part);
        matches!(own.role, Role::Operator(_))
            && is_pure(&own.contract)
            && is_pure(&end.contract)
            && own.repetitions == end.repetitions
            && self.device_of[part] == self.device_of[last]
            && readers.all(|(reader, _, edge)| is_inside(reader, edge.delay()))
    }

    /// Another node in the place of `last`, and none in those of `parts`.
    fn replaced(&self, last: usize, node: Node, parts: &BTreeSet<usize>) -> Option<Self> {
        let old = &*self.graph.0;
        let moved = |index: usize| index - parts.range(..index).count();
        let stays = |index: &usize| !parts.contains(index);
        let mut nodes: Vec<Node> =
            (0..old.nodes.len()).filter(stays).map(|index| old.nodes[index].clone()).collect();
        nodes[moved(last)] = node;
        for edge in nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            edge.source = moved(edge.source);
        }
        let device_of = (0..old.nodes.len()).filter(stays).map(|index| self.device_of[index]);
        let device_of = device_of.collect();
        let updated = self.graph.0.updated.clone();
        let mut graph = GraphData { nodes, updated, order: Vec::new() };
        let mut faults = Vec::new();
        graph.order = schedule::iteration(&graph, &mut faults);
        faults.is_empty().then(|| self.with_graph(Graph(Arc::new(graph)), device_of))
    }
}

/// Whether a node depends on the tokens that it reads alone, one of each, and always answers.
fn is_pure(contract: &Contract) -> bool {
    let mut ports = contract.inputs.iter().chain(&contract.outputs);
    let is_static = contract.routing == Routing::Static && !contract.is_source();
    is_static && !contract.effect && !contract.counts && ports.all(|port| port.rate == 1)
}

/// The nodes between the inputs of a form and its last part, unless there is something else.
fn parts(graph: &GraphData, last: usize, form: &Form) -> Option<BTreeSet<usize>> {
    let inputs: Vec<_> = form.inputs.iter().map(|stream| stream.edge(graph)).collect();
    let (mut parts, mut open) = (BTreeSet::new(), vec![last]);
    while let Some(part) = open.pop() {
        for edge in &graph.nodes[part].inputs {
            let is_input = inputs.iter().any(|own| {
                (own.source, own.port, own.delay()) == (edge.source, edge.port, edge.delay())
            });
            if is_input {
                continue;
            }
            if edge.source == last || !matches!(graph.nodes[edge.source].role, Role::Operator(_)) {
                return None;
            }
            if parts.insert(edge.source) {
                open.push(edge.source);
            }
        }
    }
    Some(parts)
}

/// The node of a form, if it fits in the place of its last part.
fn node(graph: &GraphData, last: usize, form: &Form) -> Option<Node> {
    let old = &graph.nodes[last];
    let inputs = form.inputs.iter().map(|stream| stream.edge(graph).clone()).collect();
    let node = Node { inputs, ..old.clone() };
    let specs = graph.input_specs(&node);
    let contract = form.operator.contract();
    if contract.inputs.len() != specs.len() || !is_pure(&contract) {
        return None;
    }
    let outputs = form.operator.shape(&specs).ok()?;
    let fits =
        outputs.starts_with(&old.outputs) && contract.outputs.starts_with(&old.contract.outputs);
    fits.then(|| Node {
        metadata: form.operator.metadata(&specs, &outputs),
        role: Role::Operator(form.operator.clone()),
        contract,
        outputs,
        ..node
    })
}
