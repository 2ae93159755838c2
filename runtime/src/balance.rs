//! Balance: moves nodes between devices by measured cost, for throughput.
//!
//! The period of a pipeline is at least the load of its busiest device. So, as long as it helps, a
//! run of nodes at the beginning or at the end of one part of the graph moves from the busiest to
//! the idlest CPU device: the run that leaves the smaller maximum, and among runs that are as good
//! within a tie of 2 %, the one that sends the fewest bytes between devices. Chains that fuse stay
//! together. Latency of one frame may grow: a frame now crosses devices.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{GraphData, Role};
use crate::operator::Fusion;
use crate::place::{Placed, Placement};

/// Loads that differ by less than this share count as equal.
const TIE: f64 = 0.02;

/// Runs that are tried, at most; each must shorten the period by [`TIE`] or it is the last.
const MOVES_MAX: usize = 16;

/// Wishes that bind every node, with the devices' loads as equal as moving whole runs can make
/// them. `seconds` are those of one firing by node path, such as a profiling run's means; fused
/// stages count as nothing.
#[must_use]
pub fn balance(placed: &Placed, seconds: &BTreeMap<String, f64>) -> Placement {
    let graph = &*placed.graph.0;
    let mut device_of = placed.device_of.clone();
    let cost = |node: usize| {
        let node = &graph.nodes[node];
        seconds.get(&node.path).copied().unwrap_or(0.0) * node.repetitions as f64
    };
    let movable: Vec<usize> = (0..placed.devices.len())
        .filter(|&device| placed.devices.device(device).is_host())
        .collect();
    for _ in 0..MOVES_MAX {
        let load = |device: usize| -> f64 {
            (0..graph.nodes.len()).filter(|&n| device_of[n] == Some(device)).map(cost).sum()
        };
        let by_load = |&a: &usize, &b: &usize| load(a).total_cmp(&load(b));
        let (Some(from), Some(to)) =
            (movable.iter().copied().max_by(by_load), movable.iter().copied().min_by(by_load))
        else {
            break;
        };
        let (heavy, light) = (load(from), load(to));
        let Some(run) = best_run(graph, &device_of, (from, to), &cost, (heavy, light)) else {
            break;
        };
        run.iter().for_each(|&node| device_of[node] = Some(to));
    }
    let mut wishes = Placement::new();
    for (node, device) in graph.nodes.iter().zip(&device_of) {
        if let (Role::Operator(_), Some(device)) = (&node.role, device) {
            wishes = wishes.on(&node.path, placed.devices.name(*device));
        }
    }
    wishes
}

/// The run of nodes whose move from one device to the other helps most, if any helps.
fn best_run(
    graph: &GraphData,
    device_of: &[Option<usize>],
    (from, to): (usize, usize),
    cost: &dyn Fn(usize) -> f64,
    (heavy, light): (f64, f64),
) -> Option<Vec<usize>> {
    let mut best: Option<(f64, usize, Vec<usize>)> = None;
    for part in parts(graph, device_of, from) {
        for run in runs(graph, &part) {
            let moved: f64 = run.iter().map(|&node| cost(node)).sum();
            let period = (heavy - moved).max(light + moved);
            if period > heavy * (1.0 - TIE) {
                continue;
            }
            let bytes = crossing(graph, device_of, &run, to);
            let better = best.as_ref().is_none_or(|(own, own_bytes, _)| {
                period < own * (1.0 - TIE) || (period < own * (1.0 + TIE) && bytes < *own_bytes)
            });
            if better {
                best = Some((period, bytes, run));
            }
        }
    }
    best.map(|(.., run)| run)
}

/// The nodes of a device in order, in parts that no stream connects within the device.
fn parts(graph: &GraphData, device_of: &[Option<usize>], device: usize) -> Vec<Vec<usize>> {
    let own: Vec<usize> = graph
        .order
        .iter()
        .map(|&(node, _)| node)
        .filter(|&node| device_of[node] == Some(device))
        .collect();
    let mut part_of: BTreeMap<usize, usize> = own.iter().map(|&node| (node, node)).collect();
    fn root(part_of: &BTreeMap<usize, usize>, mut node: usize) -> usize {
        while part_of[&node] != node {
            node = part_of[&node];
        }
        node
    }
    for (target, _, edge) in graph.token_edges() {
        if part_of.contains_key(&target) && part_of.contains_key(&edge.source) {
            let (a, b) = (root(&part_of, target), root(&part_of, edge.source));
            part_of.insert(a.max(b), a.min(b));
        }
    }
    let roots: BTreeSet<usize> = own.iter().map(|&node| root(&part_of, node)).collect();
    let of = |first: usize| own.iter().copied().filter(|&n| root(&part_of, n) == first).collect();
    roots.into_iter().map(of).collect()
}

/// Every beginning and every end of a part that does not cut a chain that fuses.
fn runs(graph: &GraphData, part: &[usize]) -> Vec<Vec<usize>> {
    let is_cut = |place: &usize| {
        let node = part[*place];
        graph.nodes[node].contract.fusion != Fusion::Stage
    };
    let cuts: Vec<usize> = (1..part.len()).filter(is_cut).collect();
    let beginnings = cuts.iter().map(|&cut| part[..cut].to_vec());
    let ends = cuts.iter().map(|&cut| part[cut..].to_vec());
    beginnings.chain(ends).chain([part.to_vec()]).collect()
}

/// Bytes that would cross into or out of `run` if it lay on `to`.
fn crossing(graph: &GraphData, device_of: &[Option<usize>], run: &[usize], to: usize) -> usize {
    let on = |node: usize| if run.contains(&node) { Some(to) } else { device_of[node] };
    let edges = graph.token_edges().filter(|(target, _, edge)| {
        let touches = run.contains(target) || run.contains(&edge.source);
        touches && on(*target) != on(edge.source)
    });
    edges.map(|(_, _, edge)| graph.spec(edge).bytes()).sum()
}
