//! One iteration, run symbolically from the initial tokens.
//!
//! If it completes, it returns every edge to its initial tokens and so can run for ever in bounded
//! memory. If it cannot, some nodes wait for each other in a circle: that cycle is the fault, and
//! the smallest number of missing tokens on one of its feedbacks is the hint.

use crate::fault::{Code, Fault, Stage};
use crate::graph::GraphData;

/// Runs of firings `(node, times)` of one iteration, in an order that is possible.
pub(crate) fn iteration(graph: &GraphData) -> Result<Vec<(usize, u64)>, Fault> {
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
            return Ok(order);
        }
        if !moved {
            return Err(stuck(graph, &waiting, &left));
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

/// The cycle of nodes that wait for each other.
fn stuck(graph: &GraphData, waiting: &[Vec<u64>], left: &[u64]) -> Fault {
    let blocked_by = |node: usize| {
        let inputs = graph.nodes[node].inputs.iter().enumerate();
        inputs.filter(|(_, edge)| !graph.is_constant(edge)).find_map(|(input, edge)| {
            let wanted = u64::from(graph.nodes[node].contract.inputs[input].rate);
            let missing = wanted.saturating_sub(waiting[node][input]);
            (missing > 0 && left[edge.source] > 0).then_some((edge.source, missing))
        })
    };
    let start = left.iter().position(|&left| left > 0).expect("a stuck iteration has firings left");
    let mut path = vec![start];
    let mut missing = Vec::new();
    let cycle = loop {
        let last = path[path.len() - 1];
        let (next, lacking) = blocked_by(last).expect("a stuck node waits for another one");
        missing.push(lacking);
        if let Some(first) = path.iter().position(|&node| node == next) {
            missing.drain(..first);
            break path.split_off(first);
        }
        path.push(next);
    };
    let names: Vec<&str> =
        cycle.iter().rev().map(|&node| graph.nodes[node].path.as_str()).collect();
    let fewest = missing.iter().min().copied().unwrap_or(1);
    let first = &graph.nodes[cycle[0]];
    let mut fault = Fault::new(Stage::Check, Code::Cycle, first.path.clone())
        .found(format!("a cycle that can never fire: {} -> {}", names.join(" -> "), names[0]))
        .wanted("enough initial tokens on every cycle")
        .line(first.line)
        .hint(format!("add {fewest} initial token(s) to one feedback of the cycle"));
    if let Some(&other) = cycle.get(1) {
        fault = fault.line(graph.nodes[other].line);
    }
    fault
}
