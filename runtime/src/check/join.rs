//! Joins: inputs that can never be present together.
//!
//! Behind a switch, a stream has values only where its selector chose its branch. A node of fixed
//! rates that joins two branches of one selector would only ever give null, and a merge must find
//! in branch `k` what its own selector routed there. Both are seen here, before anything runs.

use std::collections::BTreeMap;

use crate::fault::{Code, Fault, Stage};
use crate::graph::{Edge, GraphData};
use crate::operator::Routing;

/// When a stream has values: for each selector (node, port, delay), the branch it must have chosen.
type Condition = BTreeMap<(usize, usize, usize), usize>;

pub(super) fn presence(graph: &GraphData, faults: &mut Vec<Fault>) {
    let mut conditions: BTreeMap<(usize, usize), Condition> = BTreeMap::new();
    for &(index, _) in &graph.order {
        let node = &graph.nodes[index];
        // A delayed stream is shifted against its selector: nothing is known about it.
        let of = |edge: &Edge| match edge.delay() {
            0 => conditions.get(&(edge.source, edge.port)).cloned().unwrap_or_default(),
            _ => Condition::new(),
        };
        let inputs: Vec<Condition> = node.inputs.iter().map(of).collect();
        let selector = |input: usize| {
            let edge = &node.inputs[input];
            (edge.source, edge.port, edge.delay())
        };
        let mut joined = Condition::new();
        for (input, mut condition) in inputs.into_iter().enumerate() {
            if let Routing::Merge { first } = node.contract.routing
                && input >= first
                && let Some(branch) = condition.remove(&selector(0))
                && branch != input - first
            {
                let port = &node.contract.inputs[input].name;
                let fault = Fault::new(Stage::Check, Code::Join, node.path.clone()).port(port);
                let fault = fault.found(format!("branch {branch} of its selector"));
                let fault = fault.wanted(format!("branch {}", input - first)).line(node.line);
                let fault = fault.line(graph.nodes[node.inputs[input].source].line);
                faults.push(fault.hint("give the branches in the order of the switch"));
            }
            for (selector, branch) in condition {
                if joined.insert(selector, branch).is_some_and(|other| other != branch) {
                    let by = &graph.nodes[selector.0].path;
                    let fault = Fault::new(Stage::Check, Code::Join, node.path.clone());
                    let fault = fault.port(node.contract.inputs[input].name.clone());
                    let fault = fault.found(format!("two different branches of selector {by}"));
                    let fault = fault.wanted("inputs that can be present together");
                    faults.push(fault.line(node.line).hint("join branches with `merge`"));
                }
            }
        }
        for port in 0..node.outputs.len() {
            let mut condition = joined.clone();
            if let Routing::Switch { selector: input } = node.contract.routing {
                condition.insert(selector(input), port);
            }
            if !condition.is_empty() {
                conditions.insert((index, port), condition);
            }
        }
    }
}
