//! Plan: lanes, volleys, registers, credits and bytes, as data.
//!
//! Planning cuts each device's order of firings into *volleys*, straight lines that fire whole;
//! lays registers inside a volley into one arena by liveness; gives every register that leaves its
//! volley a ring whose capacity is computed; and checks, on the graph extended by lane order and
//! credits, that every directed cycle holds a token. The result is verified by an independent
//! reading (`verify`) before anyone may launch it.
//!
//! A volley is cut before every actor that takes tokens from another lane or from outside, unless
//! the volley has waited for them already, and before every source. So a volley waits at its start
//! only, and tokens that others wait for are published in its middle, as soon as they exist.

mod data; // what a plan holds
mod absorb; // several nodes become one operator
mod lane; // orders and volleys
mod register; // every output gets a register
mod fuse; // pointwise chains into their producer
mod update; // states written where they lie
mod cycle; // tokens on cycles: deadlock, capacities, period
mod arena; // registers of one volley, by liveness
mod rematerialise; // values computed again instead of kept
mod verify; // the independent reading
mod explain; // for people

use std::collections::BTreeMap;

use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::{GraphData, Role};
use crate::operator::{Kernel, KernelError, Specs, Workspace};
use crate::place::{Estimate, Placed};

pub use absorb::Absorbed;
pub use cycle::Period;
pub(crate) use data::ALIGNMENT;
pub use data::{Actor, Inlet, Lane, Link, MemoryRow, PlanData, Register, Step, Storage, Volley};
pub use rematerialise::Recompute;
pub(crate) use verify::verify;

/// What the user may say about a plan.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest planned bytes of a memory, by device name; `host` for all CPU devices. What
    /// does not fit is computed again where it is needed again, if that helps.
    pub memory_bytes: BTreeMap<String, u64>,
    /// Capacities in tokens, by `node path:port`, instead of computed ones.
    pub capacities: BTreeMap<String, usize>,
    /// Iterations of room beyond the computed capacities where streams pass between threads. The
    /// computed ones suffice for constant times; one more lets a lane go on while its neighbour was
    /// held up, and costs one token each.
    pub slack: u32,
    /// The order of node paths on a device, instead of the order of definition.
    pub orders: BTreeMap<String, Vec<String>>,
    /// Streams, by `node path:port`, that shall be observable: they are not fused away.
    pub probes: Vec<String>,
    /// Whether nodes are fused: chains into their producer, several into one operator.
    pub fusion: bool,
    /// Whether registers inside a volley share memory.
    pub reuse: bool,
    /// Iterations that a lane may run of one volley before it looks at the next: 1 to 65536.
    pub batch: u32,
    /// Measured seconds of one firing, by node path, instead of estimates.
    pub seconds: BTreeMap<String, f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: BTreeMap::new(),
            capacities: BTreeMap::new(),
            slack: 0,
            orders: BTreeMap::new(),
            probes: Vec::new(),
            fusion: true,
            reuse: true,
            batch: 1,
            seconds: BTreeMap::new(),
        }
    }
}

/// The most iterations that a lane runs of one volley before it looks at the next.
pub(crate) const BATCH_MAX: u32 = 1 << 16;

/// The most tokens that one register holds.
pub(crate) const SLOTS_MAX: u32 = 1 << 22;

/// A verified plan for one placed graph.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) placed: Placed,
    pub(crate) data: PlanData,
}

/// What kernels need, by the path of their node.
type Workspaces = BTreeMap<String, Workspace>;

/// Plans a placed graph.
///
/// # Errors
/// All operators without a kernel on their device, impossible orders, cycles without tokens,
/// exceeded memory.
pub fn plan(placed: &Placed, limits: &Limits) -> Result<Plan, Faults> {
    let mut faults = Vec::new();
    lane::volleys(placed, limits, &mut faults);
    unknown_streams(&placed.graph.0, limits, &mut faults);
    Faults::or(std::mem::take(&mut faults), || ())?;
    let (placed, absorbed) = match limits.fusion {
        true => absorb::absorb(placed, limits),
        false => (placed.clone(), Vec::new()),
    };
    let limits = &limits.without(&absorbed);
    let workspaces = workspaces(&placed, &mut faults);
    Faults::or(faults, || ())?;
    let kept = attempt(&placed, limits, &workspaces, (absorbed, Vec::new()))?;
    let bytes = |plan: &Plan| plan.memory().iter().map(MemoryRow::total_bytes).sum::<u64>();
    let all = bytes(&kept);
    let plan = rematerialise::within(kept, limits, &workspaces);
    let mut faults = Vec::new();
    for row in plan.memory() {
        if let Some(&limit) = limits.memory_bytes.get(&row.memory)
            && row.total_bytes() > limit
        {
            let fault = Fault::new(Stage::Plan, Code::Memory, row.memory.clone());
            let fault = fault.found(format!("{} bytes", row.total_bytes()));
            let fault = fault.wanted(format!("at most {limit}"));
            let saved = all.saturating_sub(bytes(&plan));
            faults.push(fault.hint(format!(
                "lower capacities, or place nodes on another memory; computing values again \
                 saved {saved} bytes"
            )));
        }
    }
    Faults::or(faults, || plan)
}

/// Plans a placed graph, whatever memory it takes.
fn attempt(
    placed: &Placed,
    limits: &Limits,
    workspaces: &Workspaces,
    (absorbed, recomputed): (Vec<Absorbed>, Vec<Recompute>),
) -> Result<Plan, Faults> {
    let graph = &*placed.graph.0;
    let mut faults = Vec::new();
    let (lanes, volleys) = lane::volleys(placed, limits, &mut faults);
    Faults::or(faults, || ())?;
    let seconds = |index: usize| {
        let node = &graph.nodes[index];
        let device = placed.device_of[index].map(|device| placed.devices.device(device));
        let estimate = device.map(|d| Estimate::of(d).seconds(&node.metadata));
        let path = rematerialise::original(&node.path);
        limits.seconds.get(path).copied().or(estimate).unwrap_or_default()
    };
    let own = |node: &crate::graph::Node| {
        workspaces.get(rematerialise::original(&node.path)).copied().unwrap_or_default()
    };
    let workspaces: Vec<Workspace> = graph.nodes.iter().map(own).collect();
    let mut data = PlanData {
        fingerprint: graph.fingerprint(),
        devices: placed.devices.iter().map(|(name, _)| name.to_owned()).collect(),
        lanes,
        volleys,
        actors: actors(placed, &seconds, &workspaces),
        registers: Vec::new(),
        links: Vec::new(),
        batch: limits.batch.clamp(1, BATCH_MAX),
        probes: limits.probes.clone(),
        absorbed,
        recomputed,
        period: Period::default(),
    };
    register::assign(placed, limits, &mut data);
    if limits.fusion {
        fuse::fuse(placed, limits, &mut data);
    }
    if limits.reuse {
        update::in_place(graph, |name| limits.capacities.contains_key(name), &mut data);
    }
    lane::in_order(placed, &data)?;
    cycle::size(graph, limits, &mut data)?;
    arena::lay_out(placed, limits, &mut data);
    for (index, lane) in data.lanes.iter_mut().enumerate() {
        let own = data.actors.iter().zip(&workspaces).filter(|(a, _)| a.lane == Some(index as u32));
        lane.scratch_bytes = own.map(|(_, w)| w.scratch_bytes as u64).max().unwrap_or(0);
    }
    verify(placed, &data).map_err(|fault| Faults::from(*fault))?;
    Ok(Plan { placed: placed.clone(), data })
}

fn unknown_streams(graph: &GraphData, limits: &Limits, faults: &mut Vec<Fault>) {
    for name in limits.capacities.keys().chain(&limits.probes) {
        if stream(graph, name).is_none() {
            let fault = Fault::new(Stage::Plan, Code::UnknownPath, name.clone());
            let fault = fault.found("no such stream").wanted("`node path:output port`");
            faults.push(fault.hint("the plan prints every stream as its register"));
        }
    }
}

/// The node and port that `node path:port` names.
pub(crate) fn stream(graph: &GraphData, name: &str) -> Option<(usize, usize)> {
    let (path, port) = name.rsplit_once(':')?;
    let node = graph.index_of(path)?;
    let ports = &graph.nodes[node].contract.outputs;
    Some((node, ports.iter().position(|own| own.name == port)?))
}

/// The kernel of a node on its device.
pub(crate) fn kernel(placed: &Placed, index: usize) -> Result<Box<dyn Kernel>, KernelError> {
    let graph = &*placed.graph.0;
    let node = &graph.nodes[index];
    let device = placed.device_of[index].expect("only placed nodes have kernels");
    let device = placed.devices.device(device);
    match &node.role {
        Role::Operator(operator) => {
            let inputs = graph.input_specs(node);
            let constant: Vec<bool> = node.inputs.iter().map(|e| graph.is_constant(e)).collect();
            let (outputs, cores) = (&node.outputs, device.cores());
            let specs = Specs { inputs: &inputs, outputs, constant: &constant, cores };
            operator.kernel(device.target(), &specs)
        }
        Role::Copy { .. } => Ok(crate::copy::kernel(device)),
        _ => unreachable!("feeds, outlets and parameters have no device"),
    }
}

/// Builds every kernel once: tells what cannot run, and how much memory the rest wants.
fn workspaces(placed: &Placed, faults: &mut Vec<Fault>) -> Workspaces {
    let nodes = placed.graph.0.nodes.iter().enumerate();
    let mut workspace = |index: usize, node: &crate::graph::Node| {
        let Some(device) = placed.device_of[index] else { return Workspace::default() };
        match kernel(placed, index) {
            Ok(kernel) => kernel.workspace(),
            Err(error) => {
                let fault = Fault::new(Stage::Plan, Code::NoKernel, node.path.clone());
                let name = placed.devices.name(device);
                let fault = fault.found(format!("{} on {name}: {error}", node.contract.name));
                let fault = fault.wanted("a kernel for its device").line(node.line);
                faults.push(fault.hint("place it on a device that has one, such as a CPU"));
                Workspace::default()
            }
        }
    };
    nodes.map(|(index, node)| (node.path.clone(), workspace(index, node))).collect()
}

fn actors(placed: &Placed, seconds: &dyn Fn(usize) -> f64, workspaces: &[Workspace]) -> Vec<Actor> {
    let nodes = placed.graph.0.nodes.iter().enumerate();
    let actor = |(index, node): (usize, &crate::graph::Node)| Actor {
        path: node.path.clone(),
        operator: node.contract.name.to_owned(),
        lane: None,
        times: node.repetitions as u32,
        inputs: Vec::new(),
        outputs: Vec::new(),
        fused_into: None,
        stages: Vec::new(),
        macs: node.metadata.macs,
        seconds: seconds(index),
        kept_bytes: workspaces[index].kept_bytes as u64,
    };
    nodes.map(actor).collect()
}

impl Plan {
    /// The plan as data.
    #[must_use]
    pub fn data(&self) -> &PlanData {
        &self.data
    }

    /// The placed graph that it is for, with forms in the place of what they absorbed and with the
    /// twins of what is computed again.
    #[must_use]
    pub fn placed(&self) -> &Placed {
        &self.placed
    }

    /// Binds loaded data to the graph that it was made for.
    ///
    /// # Errors
    /// When it was made for another graph or breaks a rule of plans.
    pub fn bind(data: PlanData, placed: &Placed) -> Result<Self, Faults> {
        let absorb = |placed: Placed, what| placed.absorb_again(what, &data.probes);
        let placed = data.absorbed.iter().try_fold(placed.clone(), absorb)?;
        let again = |placed: Placed, what: &Recompute| placed.recompute(what);
        let placed = data.recomputed.iter().try_fold(placed, again)?;
        verify(&placed, &data).map_err(|fault| Faults::from(*fault))?;
        Ok(Self { placed, data })
    }

    /// Exact bytes by memory; the host first.
    #[must_use]
    pub fn memory(&self) -> Vec<MemoryRow> {
        self.data.memory(&self.placed)
    }
}
