//! One iteration, run symbolically from the initial tokens.
//!
//! If it completes, it returns every edge to its initial tokens and so can run for ever in bounded
//! memory. If it cannot, some nodes wait for each other in a circle: that cycle is a fault, and
//! the smallest number of missing tokens on one of its feedbacks is the hint. The missing tokens
//! are then granted, so that the run goes on and finds every other such cycle.

use std::collections::BTreeSet;

use crate::fault::{Code, Fault, Stage};
use crate::graph::GraphData;

/// Runs of firings `(node, times)` of one iteration, in an order that is possible, unless cycles
/// that can never fire are among the faults.
pub(crate) fn iteration(graph: &GraphData, faults: &mut Vec<Fault>) -> Vec<(usize, u64)> {
    let nodes = &graph.nodes;
    let mut waiting: Vec<Vec<u64>> = nodes
        .iter()
        .map(|node| node.inputs.iter().map(|edge| edge.delay() as u64).collect())
        .collect();
    let mut readers: Vec<Vec<(usize, usize, usize)>> = vec![Vec::new(); nodes.len()];
    for (target, input, edge) in graph.token_edges() {
        readers[edge.source].push((edge.port, target, input));
    }
    let mut left: Vec<u64> = nodes.iter().map(|node| node.repetitions).collect();
    let mut order = Vec::new();
    let mut told = BTreeSet::new();
    loop {
        let mut moved = false;
        for node in 0..nodes.len() {
            let times = fireable(graph, node, &waiting[node]).min(left[node]);
            if times == 0 {
                continue;
            }
            moved = true;
            left[node] -= times;
            order.push((node, times));
            for (input, edge) in nodes[node].inputs.iter().enumerate() {
                if !graph.is_constant(edge) {
                    let rate = u64::from(nodes[node].contract.inputs[input].rate);
                    waiting[node][input] -= times * rate;
                }
            }
            for &(port, target, input) in &readers[node] {
                let rate = u64::from(nodes[node].contract.outputs[port].rate);
                waiting[target][input] += times * rate;
            }
        }
        if left.iter().all(|&left| left == 0) {
            return order;
        }
        if !moved {
            let cycle = stuck(graph, &waiting, &left);
            let nodes: BTreeSet<usize> = cycle.iter().map(|wait| wait.node).collect();
            let fewest = cycle.iter().min_by_key(|wait| wait.missing);
            let fewest = fewest.expect("a cycle has nodes");
            // One fault for each cycle, however often it lacks tokens in one iteration.
            if told.insert(nodes) {
                faults.push(dead(graph, &cycle, fewest.missing));
            }
            waiting[fewest.node][fewest.input] += fewest.missing;
        }
    }
}

/// How often a node could fire with the tokens that wait for it.
fn fireable(graph: &GraphData, node: usize, waiting: &[u64]) -> u64 {
    let node = &graph.nodes[node];
    let inputs = node.inputs.iter().enumerate();
    inputs
        .filter(|(_, edge)| !graph.is_constant(edge))
        .map(|(input, _)| waiting[input] / u64::from(node.contract.inputs[input].rate))
        .min()
        .unwrap_or(u64::MAX)
}

/// A node that lacks tokens at an input.
struct Waits {
    node: usize,
    input: usize,
    missing: u64,
}

/// The cycle of nodes that wait for each other, each before the one it waits for.
fn stuck(graph: &GraphData, waiting: &[Vec<u64>], left: &[u64]) -> Vec<Waits> {
    let blocked_by = |node: usize| {
        let inputs = graph.nodes[node].inputs.iter().enumerate();
        inputs.filter(|(_, edge)| !graph.is_constant(edge)).find_map(|(input, edge)| {
            let wanted = u64::from(graph.nodes[node].contract.inputs[input].rate);
            let missing = wanted.saturating_sub(waiting[node][input]);
            let blocks = missing > 0 && left[edge.source] > 0;
            blocks.then_some((edge.source, Waits { node, input, missing }))
        })
    };
    let start = left.iter().position(|&left| left > 0).expect("a stuck iteration has firings left");
    let mut path: Vec<Waits> = Vec::new();
    let mut last = start;
    loop {
        let (next, wait) = blocked_by(last).expect("a stuck node waits for another one");
        path.push(wait);
        if let Some(first) = path.iter().position(|wait| wait.node == next) {
            return path.split_off(first);
        }
        last = next;
    }
}

fn dead(graph: &GraphData, cycle: &[Waits], fewest: u64) -> Fault {
    let names: Vec<&str> =
        cycle.iter().rev().map(|wait| graph.nodes[wait.node].path.as_str()).collect();
    let first = &graph.nodes[cycle[0].node];
    let mut fault = Fault::new(Stage::Check, Code::Cycle, first.path.clone())
        .port(first.contract.inputs[cycle[0].input].name.clone())
        .found(format!("a cycle that can never fire: {} -> {}", names.join(" -> "), names[0]))
        .wanted("enough initial tokens on every cycle")
        .line(first.line)
        .hint(format!("add {fewest} initial token(s) to one feedback of the cycle"));
    if let Some(other) = cycle.get(1) {
        fault = fault.line(graph.nodes[other.node].line);
    }
    fault
}
