//! Rematerialisation: values computed again where they are needed again, instead of being kept.
//!
//! A value that is read early and then late, as activations are by the backward half of a graph, is
//! alive all the time between. Computed anew just before its late readers, it is alive only around
//! them (Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016). Here
//! that is one rule applied as long as a memory limit is exceeded: of all values, try those that
//! free the most bytes for each second of computing, and keep the first that lowers the plan's
//! bytes. What was only a step on the way to a value is computed again with it. The numbers do not
//! change: a node that is computed twice computes the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Limits, Plan, PlanData, Workspaces, attempt};
use crate::check::schedule;
use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::{Graph, GraphData, Role};
use crate::operator::Routing;
use crate::place::Placed;

/// Values that are computed again: part of a plan, since the actors of a plan include them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recompute {
    /// The nodes that get a twin, each after those it reads.
    pub nodes: Vec<u32>,
    /// The node before which the twins are placed.
    pub before: u32,
    /// The inputs, as node and port, that read the last twin instead of its original.
    pub readers: Vec<(u32, u32)>,
}

/// Values that are tried before the search gives up.
const TRIES: usize = 24;

/// Steps between two readers that are not worth computing a value twice.
const NEAR: usize = 2;

/// The most nodes computed again for one value.
const CHAIN_MAX: usize = 16;

/// The plan with as many values computed again as it takes to stay within the limits, or as few
/// bytes beyond them as can be had.
pub(super) fn within(plan: Plan, limits: &Limits, workspaces: &Workspaces) -> Plan {
    let mut best = plan;
    let mut least = weight(&best, limits);
    while least.0 > 0 {
        let mut candidates = candidates(&best);
        candidates.truncate(TRIES);
        let better = candidates.into_iter().find_map(|candidate| {
            let placed = best.placed.recompute(&candidate).ok()?;
            let mut recomputed = best.data.recomputed.clone();
            recomputed.push(candidate);
            let parts = (best.data.absorbed.clone(), recomputed);
            let next = attempt(&placed, limits, workspaces, parts).ok()?;
            let weight = weight(&next, limits);
            (weight < least).then_some((next, weight))
        });
        let Some(better) = better else { break };
        (best, least) = better;
    }
    best
}

/// Bytes beyond the limits; then bytes in all, for a step on the way to fewer.
fn weight(plan: &Plan, limits: &Limits) -> (u64, u64) {
    let rows = plan.memory();
    let beyond = rows.iter().map(|row| {
        let limit = limits.memory_bytes.get(&row.memory).copied().unwrap_or(u64::MAX);
        row.total_bytes().saturating_sub(limit)
    });
    let bounds = plan.data.lanes.iter().map(|lane| lane.arena_bound_bytes).sum::<u64>();
    let bytes = rows.iter().map(super::MemoryRow::total_bytes).sum::<u64>();
    (beyond.sum(), bytes + bounds)
}

/// Values that are alive over many steps, those that free the most bytes a second first.
fn candidates(plan: &Plan) -> Vec<Recompute> {
    let (graph, data) = (&*plan.placed.graph.0, &plan.data);
    let places = places(data);
    let mut readers: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
    for (target, input, edge) in graph.token_edges() {
        readers.entry((edge.source, edge.port)).or_default().push((target, input));
    }
    let search = Search { plan, graph, places, readers };
    let mut found: Vec<(f64, Recompute)> =
        search.readers.keys().filter_map(|&value| search.candidate(value)).collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The lane of each actor and its place in the order of the lane; a stage is where its producer is.
fn places(data: &PlanData) -> Vec<Option<(u32, usize)>> {
    let mut places = vec![None; data.actors.len()];
    for (index, lane) in data.lanes.iter().enumerate() {
        let steps = lane.volleys.iter().flat_map(|&v| &data.volleys[v as usize].steps);
        for (place, step) in steps.enumerate() {
            places[step.actor as usize] = Some((index as u32, place));
        }
    }
    for (actor, own) in data.actors.iter().enumerate() {
        if let Some(producer) = own.fused_into {
            places[actor] = places[producer as usize];
        }
    }
    places
}

struct Search<'a> {
    plan: &'a Plan,
    graph: &'a GraphData,
    places: Vec<Option<(u32, usize)>>,
    readers: BTreeMap<(usize, usize), Vec<(usize, usize)>>,
}

impl Search<'_> {
    /// Whether a node may fire twice: it depends on its inputs and its number alone.
    fn may_repeat(&self, node: usize) -> bool {
        let own = &self.graph.nodes[node];
        let is_pure = own.contract.routing == Routing::Static && !own.contract.effect;
        let once = own.repetitions == 1 && !own.contract.is_source();
        matches!(own.role, Role::Operator(_)) && is_pure && once
    }

    /// What it would take to compute a value again before its late readers, and its worth.
    fn candidate(&self, (node, port): (usize, usize)) -> Option<(f64, Recompute)> {
        let (lane, written) = self.places[node]?;
        if !self.may_repeat(node) {
            return None;
        }
        let mut reads = Vec::new();
        for &(reader, input) in &self.readers[&(node, port)] {
            let (own, place) = self.places[reader]?;
            if own != lane || self.graph.nodes[reader].inputs[input].delay() > 0 {
                return None;
            }
            reads.push((place, reader, input));
        }
        reads.sort_unstable();
        let before = |at: usize| if at == 0 { written } else { reads[at - 1].0 };
        let gap = |at: &usize| reads[*at].0.saturating_sub(before(*at));
        let first = (0..reads.len()).max_by_key(gap)?;
        if gap(&first) <= NEAR {
            return None;
        }
        let late = &reads[first..];
        let nodes = self.chain(node, late[0].0);
        let register = self.plan.data.actors[node].outputs[port] as usize;
        let bytes = self.plan.data.registers[register].bytes() as f64;
        let seconds: f64 =
            nodes.iter().map(|&node| self.plan.data.actors[node as usize].seconds).sum();
        let before = late.iter().map(|&(_, reader, _)| reader).min()? as u32;
        let readers = late.iter().map(|&(_, reader, input)| (reader as u32, input as u32));
        Some((bytes / seconds.max(1e-9), Recompute { nodes, before, readers: readers.collect() }))
    }

    /// The node and what is only on the way to it: sources that nothing reads as late as `late`.
    fn chain(&self, node: usize, late: usize) -> Vec<u32> {
        let mut chain = vec![node];
        let mut next = 0;
        while next < chain.len() && chain.len() < CHAIN_MAX {
            for edge in &self.graph.nodes[chain[next]].inputs {
                let value = (edge.source, edge.port);
                let lives = self.readers.get(&value).into_iter().flatten();
                let lives = lives.filter_map(|&(reader, _)| self.places[reader]);
                let is_alive = lives.max().is_some_and(|(_, place)| place >= late);
                let constant = self.graph.is_constant(edge);
                let known = chain.contains(&edge.source);
                if !constant
                    && !known
                    && !is_alive
                    && edge.delay() == 0
                    && self.may_repeat(edge.source)
                {
                    chain.push(edge.source);
                }
            }
            next += 1;
        }
        // Nodes are in an order in which sources come first.
        chain.sort_unstable();
        chain.into_iter().map(|node| node as u32).collect()
    }
}

impl Placed {
    /// The placed graph with twins of nodes.
    pub(super) fn recompute(&self, what: &Recompute) -> Result<Self, Faults> {
        let old = &*self.graph.0;
        let (count, before) = (what.nodes.len(), what.before as usize);
        let known = |node: u32| (node as usize) < old.nodes.len();
        let inside = what.nodes.iter().all(|&node| known(node))
            && what.readers.iter().all(|&(node, input)| {
                known(node) && (input as usize) < old.nodes[node as usize].inputs.len()
            });
        if !inside || !known(what.before) || count == 0 {
            let fault = Fault::new(Stage::Plan, Code::Format, "");
            let fault =
                fault.found("twins of nodes that do not exist").wanted("nodes of the graph");
            return Err(fault.into());
        }
        let moved = |node: usize| if node < before { node } else { node + count };
        let twin = |node: usize| {
            let place = what.nodes.iter().position(|&own| own as usize == node);
            place.map_or(moved(node), |place| before + place)
        };
        let mut nodes = Vec::with_capacity(old.nodes.len() + count);
        let mut device_of = Vec::with_capacity(old.nodes.len() + count);
        for (index, node) in old.nodes.iter().enumerate() {
            if index == before {
                for &source in &what.nodes {
                    let mut again = old.nodes[source as usize].clone();
                    again.path = again_path(old, &again.path);
                    again.inputs.iter_mut().for_each(|edge| edge.source = twin(edge.source));
                    nodes.push(again);
                    device_of.push(self.device_of[source as usize]);
                }
            }
            let mut node = node.clone();
            for (input, edge) in node.inputs.iter_mut().enumerate() {
                let late = what.readers.contains(&(index as u32, input as u32));
                edge.source = if late { twin(edge.source) } else { moved(edge.source) };
            }
            nodes.push(node);
            device_of.push(self.device_of[index]);
        }
        let updated = self.graph.0.updated.clone();
        let mut graph = GraphData { nodes, updated, order: Vec::new() };
        let mut faults = Vec::new();
        graph.order = schedule::iteration(&graph, &mut faults);
        Faults::or(faults, || self.with_graph(Graph(graph.into()), device_of))
    }
}

/// A path for the next twin of a node.
fn again_path(graph: &GraphData, path: &str) -> String {
    let first = path.split(AGAIN).next().unwrap_or(path);
    let taken = |name: &String| graph.nodes.iter().any(|node| node.path == *name);
    let mut names = (1..).map(|number| format!("{first}{AGAIN}{number}"));
    names.find(|name| !taken(name)).expect("a graph has few nodes")
}

/// Between the path of a node and the number of its twin.
const AGAIN: &str = "@again";

/// The path of the node of which this is the twin, or its own.
pub(super) fn original(path: &str) -> &str {
    path.split(AGAIN).next().unwrap_or(path)
}
