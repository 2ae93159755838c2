//! Lanes: the order of firings on each device, cut into volleys.

use std::collections::BTreeMap;

use super::{Lane, Limits, PlanData, Step, Volley};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::{Edge, GraphData};
use crate::place::Placed;

/// One lane for each device that has nodes, in device order, and its volleys.
pub(super) fn volleys(
    placed: &Placed,
    limits: &Limits,
    faults: &mut Vec<Fault>,
) -> (Vec<Lane>, Vec<Volley>) {
    let graph = &*placed.graph.0;
    for device in limits.orders.keys() {
        if placed.devices.index_of(device).is_none() {
            let fault = Fault::new(Stage::Plan, Code::UnknownDevice, device.clone());
            let known: Vec<&str> = placed.devices.iter().map(|(name, _)| name).collect();
            let fault = fault.found("an order for an unknown device");
            faults.push(fault.wanted(known.join(" or ")).hint("name a device of the placement"));
        }
    }
    let (mut lanes, mut volleys) = (Vec::new(), Vec::new());
    for device in 0..placed.devices.len() {
        let on_device = |&&(node, _): &&(usize, u64)| placed.device_of[node] == Some(device);
        let mut steps: Vec<Step> = graph
            .order
            .iter()
            .filter(on_device)
            .map(|&(node, times)| Step { actor: node as u32, times: times as u32 })
            .collect();
        if let Some(order) = limits.orders.get(placed.devices.name(device)) {
            reorder(graph, order, &mut steps, faults);
        }
        if steps.is_empty() {
            continue;
        }
        let lane = lanes.len() as u32;
        let first = volleys.len() as u32;
        let mut open: Vec<Step> = Vec::new();
        for step in steps {
            let actor = step.actor as usize;
            let starts = starts_volley(placed, actor) && !waits_already(placed, &open, actor);
            let joins = starts && runs_free(placed, &open);
            if starts && !joins && !open.is_empty() {
                volleys.push(Volley { lane, steps: std::mem::take(&mut open) });
            }
            // A source that ends must end its volley before anything in it has fired.
            let first = joins && graph.nodes[actor].contract.is_source();
            open.insert(if first { 0 } else { open.len() }, step);
        }
        volleys.push(Volley { lane, steps: open });
        lanes.push(Lane {
            device: device as u32,
            volleys: (first..volleys.len() as u32).collect(),
            arena_bytes: 0,
            arena_bound_bytes: 0,
            scratch_bytes: 0,
        });
    }
    rejoin(&mut lanes, &mut volleys);
    (lanes, volleys)
}

/// Sources, and actors that take tokens from another lane or from outside.
fn starts_volley(placed: &Placed, index: usize) -> bool {
    let graph = &*placed.graph.0;
    let node = &graph.nodes[index];
    let mut tokens = node.inputs.iter().filter(|edge| !graph.is_constant(edge));
    node.contract.is_source()
        || tokens.any(|edge| placed.device_of[edge.source] != placed.device_of[index])
}

/// Whether an actor takes from elsewhere only what the steps before it have waited for: tokens of
/// one firing are published together.
fn waits_already(placed: &Placed, steps: &[Step], actor: usize) -> bool {
    let graph = &*placed.graph.0;
    let outside = |actor: usize| {
        let tokens = graph.nodes[actor].inputs.iter().filter(|edge| !graph.is_constant(edge));
        tokens.filter(move |edge| placed.device_of[edge.source] != placed.device_of[actor])
    };
    let is_waited = |edge: &Edge| {
        let mut before = steps.iter().flat_map(|step| outside(step.actor as usize));
        before.any(|own| own.source == edge.source && own.delay() <= edge.delay())
    };
    !graph.nodes[actor].contract.is_source() && outside(actor).all(is_waited)
}

/// Whether steps wait for nothing but themselves, as a counter on a feedback edge does, and only
/// their own lane reads them: they go with what comes next, which ends when its streams end.
fn runs_free(placed: &Placed, steps: &[Step]) -> bool {
    let graph = &*placed.graph.0;
    let has = |actor: usize| steps.iter().any(|step| step.actor as usize == actor);
    let leaves = |(target, _, edge): (usize, usize, &Edge)| {
        has(edge.source) && placed.device_of[target] != placed.device_of[edge.source]
    };
    let waits = |step: &Step| starts_volley(placed, step.actor as usize);
    !steps.iter().any(waits) && !graph.token_edges().any(leaves)
}

/// Sorts the steps as the user wants; every node of the device must be named once.
fn reorder(graph: &GraphData, order: &[String], steps: &mut [Step], faults: &mut Vec<Fault>) {
    let place =
        |step: &Step| order.iter().position(|path| *path == graph.nodes[step.actor as usize].path);
    let mut fault = |path: &str, found: &str| {
        let fault = Fault::new(Stage::Plan, Code::UnknownPath, path).found(found);
        let fault = fault.wanted("every node of the device once");
        faults.push(fault.hint("`Placed::placement` lists the nodes of each device"));
    };
    for step in steps.iter().filter(|step| place(step).is_none()) {
        fault(&graph.nodes[step.actor as usize].path, "a node that the order leaves out");
    }
    for path in order {
        let is_here = |step: &Step| graph.nodes[step.actor as usize].path == *path;
        if !steps.iter().any(is_here) {
            fault(path, "no such node on the device");
        }
    }
    steps.sort_by_key(|step| place(step).unwrap_or(usize::MAX));
}

/// A firing that reads, inside its volley, what was not written yet.
pub(super) struct Early {
    reader: usize,
    input: usize,
}

/// Runs the steps of a volley symbolically, as no wait protects what stays inside it.
pub(super) fn early(placed: &Placed, data: &PlanData, volley: &Volley) -> Option<Early> {
    let nodes = &placed.graph.0.nodes;
    let mut waiting: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut readers: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
    for actor in volley.steps.iter().map(|step| step.actor as usize) {
        for (input, inlet) in data.actors[actor].inputs.iter().enumerate() {
            let inside = inlet.link.is_none() && data.registers[inlet.register as usize].tokens > 0;
            if inside && waiting.insert((actor, input), u64::from(inlet.delay)).is_none() {
                readers.entry(inlet.register).or_default().push((actor, input));
            }
        }
    }
    for step in &volley.steps {
        let actor = step.actor as usize;
        let contract = &nodes[actor].contract;
        for _ in 0..step.times {
            for ((reader, input), waiting) in waiting.range_mut((actor, 0)..(actor + 1, 0)) {
                let rate = u64::from(contract.inputs[*input].rate);
                let Some(left) = waiting.checked_sub(rate) else {
                    return Some(Early { reader: *reader, input: *input });
                };
                *waiting = left;
            }
            for (register, port) in data.actors[actor].outputs.iter().zip(&contract.outputs) {
                for key in readers.get(register).into_iter().flatten() {
                    *waiting.entry(*key).or_default() += u64::from(port.rate);
                }
            }
        }
    }
    None
}

/// Whether no volley reads what it writes only later: an order that the user gave may.
pub(super) fn in_order(placed: &Placed, data: &PlanData) -> Result<(), Faults> {
    let graph = &*placed.graph.0;
    let fault = |volley: &Volley| {
        let Early { reader, input } = early(placed, data, volley)?;
        let node = &graph.nodes[reader];
        let writer = &graph.nodes[node.inputs[input].source];
        let inlet = data.actors[reader].inputs[input];
        let stream = &data.registers[inlet.register as usize].name;
        let fault = Fault::new(Stage::Plan, Code::Deadlock, node.path.clone());
        let fault = fault.port(node.contract.inputs[input].name.clone()).found(format!(
            "a cycle without enough tokens:\n      \
             {reader} -[lane order, 0 token(s)]-> {writer}\n      \
             {writer} -[data {stream}, {delay} token(s)]-> {reader}",
            reader = node.path,
            writer = writer.path,
            delay = inlet.delay,
        ));
        let fault = fault.wanted("a token on every cycle").line(node.line).line(writer.line);
        Some(fault.hint(format!("put {} before {} in the lane's order", writer.path, node.path)))
    };
    Faults::or(data.volleys.iter().filter_map(fault).collect(), || ())
}

/// Joins volleys that share an actor: an iteration that must interleave firings is one volley.
fn rejoin(lanes: &mut [Lane], volleys: &mut Vec<Volley>) {
    let mut joined: Vec<Volley> = Vec::new();
    for lane in lanes {
        let first = joined.len();
        for &index in &lane.volleys {
            let volley = volleys[index as usize].clone();
            let shares = |own: &Volley| {
                let has = |step: &Step| own.steps.iter().any(|other| other.actor == step.actor);
                volley.steps.iter().any(has)
            };
            match joined[first..].iter().position(shares) {
                Some(earlier) => {
                    let tail: Vec<Volley> = joined.drain(first + earlier + 1..).collect();
                    let own = &mut joined[first + earlier];
                    own.steps.extend(tail.into_iter().flat_map(|volley| volley.steps));
                    own.steps.extend(volley.steps);
                }
                None => joined.push(volley),
            }
        }
        lane.volleys = (first as u32..joined.len() as u32).collect();
    }
    *volleys = joined;
}
