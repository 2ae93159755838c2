//! Place: every node gets a device, and copies appear where memories differ.
//!
//! The user chooses by path here or by [`crate::define::Draft::on`]; the longest path wins, then
//! the draft. What is left goes where it would finish first by a simple estimate (list scheduling
//! after Topcuoglu, Hariri and Wu, 2002): nodes in order, each on the device that minimises
//! `max(inputs ready + transfer) + cost`, with the rates of [`Estimate`].
//!
//! CPU devices share host memory, so between them nothing is copied: the reader reads the writer's
//! register. Between an accelerator and the host, and so between two accelerators, a copy actor is
//! inserted on the accelerator's lane and listed in [`Placed::copies`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::schedule;
use crate::device::{Device, Devices};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::{Edge, Graph, GraphData, Node, Role, is_under};
use crate::operator::{Axes, Contract, Metadata};

/// The user's wishes.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    rules: Vec<(String, String)>,
    deny_implicit_copies: bool,
}

impl Placement {
    /// No wishes: the draft's devices, then the estimate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds every node at or below `path` to `device`.
    #[must_use]
    pub fn on(mut self, path: &str, device: &str) -> Self {
        self.rules.push((path.to_owned(), device.to_owned()));
        self
    }

    /// Makes every copy that would have to be inserted a fault.
    #[must_use]
    pub fn deny_implicit_copies(mut self) -> Self {
        self.deny_implicit_copies = true;
        self
    }
}

/// What a device is thought to do in a second, when nothing was measured.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// Multiply-adds per second.
    pub macs_per_s: f64,
    /// Bytes per second to and from its memory.
    pub bytes_per_s: f64,
    /// Seconds to start a kernel.
    pub start_s: f64,
}

impl Estimate {
    /// One current CPU core times the number of cores, or a middling GPU.
    #[must_use]
    pub fn of(device: &Device) -> Self {
        match device {
            Device::Cpu(cpu) => {
                let cores = cpu.cores.len().max(1) as f64;
                Self { macs_per_s: 4e10 * cores, bytes_per_s: 1e10 * cores, start_s: 1e-7 }
            }
            Device::Accelerator(_) => Self { macs_per_s: 4e12, bytes_per_s: 3e11, start_s: 2e-5 },
        }
    }

    /// Seconds of one firing: compute or memory, whichever is slower, and the start.
    #[must_use]
    pub fn seconds(&self, metadata: &Metadata) -> f64 {
        let compute = metadata.macs as f64 / self.macs_per_s;
        self.start_s + compute.max(metadata.bytes as f64 / self.bytes_per_s)
    }
}

/// Bytes per second between an accelerator's memory and the host's, for the estimate.
const TRANSFER_BYTES_PER_S: f64 = 1e10;

/// A copy that was inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyNote {
    /// The stream that is copied, as `node path:port`.
    pub stream: String,
    /// Name of the memory it leaves.
    pub from: String,
    /// Name of the memory it enters.
    pub to: String,
    /// Bytes of a token at its bounds.
    pub bytes: usize,
}

/// A graph with a device for every node.
#[derive(Clone, Debug)]
pub struct Placed {
    pub(crate) graph: Graph,
    pub(crate) devices: Devices,
    /// None for feeds and outlets, which belong to the host's program, and for parameters.
    pub(crate) device_of: Vec<Option<usize>>,
    copies: Vec<CopyNote>,
}

impl Placed {
    /// The copies that were inserted.
    #[must_use]
    pub fn copies(&self) -> &[CopyNote] {
        &self.copies
    }

    /// The same devices and copies for a graph with more nodes.
    pub(crate) fn with_graph(&self, graph: Graph, device_of: Vec<Option<usize>>) -> Self {
        Self { graph, devices: self.devices.clone(), device_of, copies: self.copies.clone() }
    }

    /// The placed graph, copies included.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The devices that it is placed on.
    #[must_use]
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// Path and device of every placed node, in order.
    pub fn placement(&self) -> impl Iterator<Item = (&str, &str)> {
        let nodes = self.graph.0.nodes.iter().zip(&self.device_of);
        nodes.filter_map(|(node, device)| Some((&*node.path, self.devices.name((*device)?))))
    }
}

/// Gives every node a device.
///
/// # Errors
/// All unknown devices and paths, and all copies when they are denied.
pub fn place(graph: &Graph, devices: &Devices, wishes: &Placement) -> Result<Placed, Faults> {
    let mut faults = Vec::new();
    let data = &*graph.0;
    if devices.is_empty() {
        let fault = Fault::new(Stage::Place, Code::UnknownDevice, "").found("no devices");
        return Err(fault.wanted("at least one").hint("begin with `Devices::cpu`").into());
    }
    for (path, _) in &wishes.rules {
        if !data.nodes.iter().any(|node| is_under(&node.path, path)) {
            let fault = Fault::new(Stage::Place, Code::UnknownPath, path.clone());
            let fault = fault.found("no node at or below this path").wanted(near(data, path));
            faults.push(fault.hint("`Graph` prints every path"));
        }
    }
    let mut device_of: Vec<Option<usize>> = vec![None; data.nodes.len()];
    for (node, device) in data.nodes.iter().zip(&mut device_of) {
        if !matches!(node.role, Role::Operator(_)) {
            continue;
        }
        let rules = wishes.rules.iter().filter(|(path, _)| is_under(&node.path, path));
        let rule = rules.max_by_key(|(path, _)| path.len()).map(|(_, device)| device);
        let Some(name) = rule.or(node.device.as_ref()) else { continue };
        *device = devices.index_of(name);
        if device.is_none() {
            let known: Vec<&str> = devices.iter().map(|(name, _)| name).collect();
            let fault = Fault::new(Stage::Place, Code::UnknownDevice, node.path.clone());
            let fault = fault.found(name).wanted(known.join(" or ")).line(node.line);
            faults.push(fault.hint("add the device to `Devices`, or place the node elsewhere"));
        }
    }
    Faults::or(std::mem::take(&mut faults), || ())?;
    fill(data, devices, &mut device_of);
    let mut nodes = data.nodes.clone();
    let copies = insert_copies(data, devices, &mut nodes, &mut device_of);
    if wishes.deny_implicit_copies {
        for copy in &copies {
            let fault = Fault::new(Stage::Place, Code::ImplicitCopy, copy.stream.clone());
            let fault = fault.found(format!("a copy from {} to {}", copy.from, copy.to));
            faults.push(fault.wanted("no implicit copies").hint("place both ends on one memory"));
        }
    }
    let updated = data.updated.clone();
    let mut placed = GraphData { nodes, updated, order: Vec::new() };
    placed.order = schedule::iteration(&placed, &mut faults);
    let graph = Graph(Arc::new(placed));
    Faults::or(faults, || Placed { graph, devices: devices.clone(), device_of, copies })
}

/// The existing path that begins most like `path`.
fn near(graph: &GraphData, path: &str) -> String {
    let common =
        |node: &&Node| node.path.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
    graph.nodes.iter().max_by_key(common).map_or(String::new(), |node| format!("{}?", node.path))
}

/// Places what the user left open: see the module's documentation.
fn fill(graph: &GraphData, devices: &Devices, device_of: &mut [Option<usize>]) {
    let estimates: Vec<Estimate> = devices.iter().map(|(_, device)| Estimate::of(device)).collect();
    let mut ready = vec![0.0; graph.nodes.len()];
    let mut free = vec![0.0; devices.len()];
    for &(index, times) in &graph.order {
        let node = &graph.nodes[index];
        if !matches!(node.role, Role::Operator(_)) {
            continue;
        }
        let start = |device: usize, device_of: &[Option<usize>]| {
            let tokens = node.inputs.iter().filter(|edge| !graph.is_constant(edge));
            let inputs = tokens.filter(|edge| edge.delay() == 0).map(|edge| {
                let from = device_of[edge.source];
                let moves = memory(devices, from) != memory(devices, Some(device));
                let bytes = if moves { graph.spec(edge).bytes() as f64 } else { 0.0 };
                ready[edge.source] + bytes / TRANSFER_BYTES_PER_S
            });
            inputs.fold(free[device], f64::max)
        };
        let finish = |device: usize, device_of: &[Option<usize>]| {
            let cost = estimates[device].seconds(&node.metadata) * times as f64;
            start(device, device_of) + cost
        };
        let best = device_of[index].unwrap_or_else(|| {
            let by_finish =
                |&a: &usize, &b: &usize| finish(a, device_of).total_cmp(&finish(b, device_of));
            (0..devices.len()).min_by(by_finish).expect("there is a device")
        });
        let end = finish(best, device_of);
        (device_of[index], free[best], ready[index]) = (Some(best), end, end);
    }
}

/// The memory of a device: none for the host's, which feeds and outlets use too.
pub(crate) fn memory(devices: &Devices, device: Option<usize>) -> Option<usize> {
    device.filter(|&device| !devices.device(device).is_host())
}

fn insert_copies(
    graph: &GraphData,
    devices: &Devices,
    nodes: &mut Vec<Node>,
    device_of: &mut Vec<Option<usize>>,
) -> Vec<CopyNote> {
    let mut notes = Vec::new();
    let mut made: BTreeMap<(usize, usize, Option<usize>), usize> = BTreeMap::new();
    let edges: Vec<(usize, usize, Edge)> =
        graph.token_edges().map(|(target, input, edge)| (target, input, edge.clone())).collect();
    for (target, input, edge) in edges {
        let from = memory(devices, device_of[edge.source]);
        let to = memory(devices, device_of[target]);
        if from == to {
            continue;
        }
        // From accelerator to accelerator by way of the host, each copy on its accelerator's lane.
        let hops = match (from, to) {
            (Some(from), Some(to)) => vec![(from, None), (to, Some(to))],
            (Some(device), None) => vec![(device, None)],
            (None, Some(device)) => vec![(device, Some(device))],
            (None, None) => unreachable!("equal memories need no copy"),
        };
        let (mut source, mut port) = (edge.source, edge.port);
        for (lane, destination) in hops {
            let key = (source, port, destination);
            let copy = *made.entry(key).or_insert_with(|| {
                let name = |memory: Option<usize>| memory.map_or("host", |d| devices.name(d));
                notes.push(CopyNote {
                    stream: format!(
                        "{}:{}",
                        nodes[source].path, nodes[source].contract.outputs[port].name
                    ),
                    from: name(
                        memory(devices, device_of[source]).filter(|_| destination.is_none()),
                    )
                    .to_owned(),
                    to: name(destination).to_owned(),
                    bytes: nodes[source].outputs[port].bytes(),
                });
                nodes.push(copy_node(nodes, source, port, (destination, name(destination))));
                // A copy to the host still runs on the accelerator's lane.
                device_of.push(Some(lane));
                nodes.len() - 1
            });
            (source, port) = (copy, 0);
        }
        nodes[target].inputs[input] = Edge { source, port, initial: edge.initial };
    }
    notes
}

fn copy_node(
    nodes: &[Node],
    source: usize,
    port: usize,
    (to, name): (Option<usize>, &str),
) -> Node {
    let origin = &nodes[source];
    let spec = origin.outputs[port].clone();
    let rate = u64::from(origin.contract.outputs[port].rate);
    let specs = [spec];
    Node {
        path: format!("{}/copy of {} to {name}", origin.path, origin.contract.outputs[port].name),
        role: Role::Copy { to },
        contract: Contract::new("copy").input("in").output("out"),
        inputs: vec![Edge { source, port, initial: Vec::new() }],
        metadata: Metadata::streaming(&specs, &specs, Axes::pointwise(&specs, &specs)),
        outputs: specs.into(),
        device: None,
        repetitions: origin.repetitions * rate,
        line: origin.line,
    }
}
