//! Plan: lanes, volleys, registers, credits and bytes, as data.
//!
//! Planning cuts each device's order of firings into *volleys*, straight lines that fire whole;
//! lays registers inside a volley into one arena by liveness; gives every register that leaves its
//! volley a ring whose capacity is computed; and checks, on the graph extended by lane order and
//! credits, that every directed cycle holds a token. The result is verified by an independent
//! reading ([`verify`]) before anyone may launch it.
//!
//! A volley is cut before every actor that takes tokens from another lane or from outside, and
//! before every source. So a volley waits at its start only, and tokens that others wait for are
//! published in its middle, as soon as they exist.

mod lane; // orders and volleys
mod register; // every output gets a register
mod fuse; // pointwise chains into their producer
mod cycle; // tokens on cycles: deadlock, capacities, period
mod arena; // registers of one volley, by liveness
mod verify; // the independent reading
mod explain; // for people

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::{GraphData, Role};
use crate::operator::{Kernel, KernelError, Specs, Workspace};
use crate::place::{Estimate, Placed};
use crate::spec::Spec;

pub use cycle::Period;
pub(crate) use verify::verify;

/// What the user may say about a plan.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest planned bytes of a memory, by device name; `host` for all CPU devices.
    pub memory_bytes: BTreeMap<String, u64>,
    /// Capacities in tokens, by `node path:port`, instead of computed ones.
    pub capacities: BTreeMap<String, usize>,
    /// The order of node paths on a device, instead of the order of definition.
    pub orders: BTreeMap<String, Vec<String>>,
    /// Streams, by `node path:port`, that shall be observable: they are not fused away.
    pub probes: Vec<String>,
    /// Whether pointwise chains are fused into their producer.
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

/// The plan as plain data: what is printed, saved and loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanData {
    /// Identity of the placed graph that it is for.
    pub fingerprint: u64,
    /// Names of the devices.
    pub devices: Vec<String>,
    /// Lanes, at most one for each device.
    pub lanes: Vec<Lane>,
    /// Volleys, in lane order.
    pub volleys: Vec<Volley>,
    /// Actors, feeds, outlets and parameters: one for each node, at its index.
    pub actors: Vec<Actor>,
    /// Registers: one for each output, and replicas of parameters.
    pub registers: Vec<Register>,
    /// Token streams that leave a volley.
    pub links: Vec<Link>,
    /// See [`Limits::batch`].
    pub batch: u32,
    /// See [`Limits::probes`].
    pub probes: Vec<String>,
    /// What the plan was made to expect: the period of one iteration.
    pub period: Period,
}

/// One thread or submission stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Index of its device.
    pub device: u32,
    /// Its volleys in the order of one iteration.
    pub volleys: Vec<u32>,
    /// Bytes of its arena.
    pub arena_bytes: u64,
    /// The least that its arena could have: the largest sum of live bytes.
    pub arena_bound_bytes: u64,
    /// Bytes of scratch shared by its kernels.
    pub scratch_bytes: u64,
}

/// Actors of a lane that fire as one straight line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volley {
    /// Index of its lane.
    pub lane: u32,
    /// Its steps in order.
    pub steps: Vec<Step>,
}

/// Firings of one actor in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Index of the actor.
    pub actor: u32,
    /// How often it fires.
    pub times: u32,
}

/// A node at run time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Actor {
    /// Node path.
    pub path: String,
    /// Operator name.
    pub operator: String,
    /// Index of its lane; none for feeds, outlets and parameters.
    pub lane: Option<u32>,
    /// Firings in one iteration.
    pub times: u32,
    /// Where its inputs come from.
    pub inputs: Vec<Inlet>,
    /// Registers of its outputs. When others were fused into it, output 0 is the last one's.
    pub outputs: Vec<u32>,
    /// The actor whose firing computes it, when fused.
    pub fused_into: Option<u32>,
    /// The actors that it computes as stages, in order.
    pub stages: Vec<u32>,
    /// Multiply-adds of one firing.
    pub macs: u64,
    /// Expected seconds of one firing.
    pub seconds: f64,
    /// Bytes that its kernel keeps.
    pub kept_bytes: u64,
}

/// One input of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inlet {
    /// The register read.
    pub register: u32,
    /// Initial tokens of this edge: how far it reads behind the writer.
    pub delay: u32,
    /// The link, when the register's writer is outside this volley.
    pub link: Option<u32>,
}

/// The memory of one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// `node path:port`.
    pub name: String,
    /// What it holds.
    pub spec: Spec,
    /// Index of the accelerator whose memory it is in; none for host memory.
    pub memory: Option<u32>,
    /// How many tokens it holds.
    pub slots: u32,
    /// Initial tokens.
    pub initial: u32,
    /// Tokens written in one iteration; 0 for a parameter.
    pub tokens: u32,
    /// Where it lies.
    pub storage: Storage,
}

/// Where a register lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    /// In the arena of a lane.
    Arena {
        /// Index of the lane.
        lane: u32,
        /// Byte offset.
        offset: u64,
    },
    /// In memory of its own.
    Own,
    /// Nowhere: fused away.
    Nowhere,
}

/// A token stream from one volley, feed or source to another volley or outlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The register that carries it.
    pub register: u32,
    /// The writing actor.
    pub from: u32,
    /// The reading actor.
    pub to: u32,
    /// Initial tokens.
    pub delay: u32,
    /// Which of the register's readers this is: its head.
    pub reader: u32,
}

/// Bytes that a plan takes on one memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryRow {
    /// Name of the memory: `host` or an accelerator.
    pub memory: String,
    /// Arenas of its lanes.
    pub arena_bytes: u64,
    /// Registers in memory of their own.
    pub register_bytes: u64,
    /// Parameters.
    pub parameter_bytes: u64,
    /// What kernels keep, such as packed weights.
    pub kept_bytes: u64,
    /// Scratch of its lanes.
    pub scratch_bytes: u64,
}

impl MemoryRow {
    /// The sum.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.arena_bytes
            + self.register_bytes
            + self.parameter_bytes
            + self.kept_bytes
            + self.scratch_bytes
    }
}

/// Plans a placed graph.
///
/// # Errors
/// All operators without a kernel on their device, impossible orders, cycles without tokens,
/// exceeded memory.
pub fn plan(placed: &Placed, limits: &Limits) -> Result<Plan, Faults> {
    let graph = &*placed.graph.0;
    let mut faults = Vec::new();
    let (lanes, volleys) = lane::volleys(placed, limits, &mut faults);
    unknown_streams(graph, limits, &mut faults);
    let workspaces = workspaces(placed, &mut faults);
    Faults::or(std::mem::take(&mut faults), || ())?;
    let seconds = |index: usize| {
        let node = &graph.nodes[index];
        let device = placed.device_of[index].map(|device| placed.devices.device(device));
        let estimate = device.map(|d| Estimate::of(d).seconds(&node.metadata));
        limits.seconds.get(&node.path).copied().or(estimate).unwrap_or_default()
    };
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
        period: Period::default(),
    };
    register::assign(placed, limits, &mut data);
    if limits.fusion {
        fuse::fuse(placed, limits, &mut data);
    }
    lane::in_order(placed, &data)?;
    cycle::size(limits, &mut data)?;
    arena::lay_out(placed, limits, &mut data);
    for (index, lane) in data.lanes.iter_mut().enumerate() {
        let own = data.actors.iter().zip(&workspaces).filter(|(a, _)| a.lane == Some(index as u32));
        lane.scratch_bytes = own.map(|(_, w)| w.scratch_bytes as u64).max().unwrap_or(0);
    }
    verify(placed, &data).map_err(|fault| Faults::from(*fault))?;
    let plan = Plan { placed: placed.clone(), data };
    for row in plan.memory() {
        if let Some(&limit) = limits.memory_bytes.get(&row.memory)
            && row.total_bytes() > limit
        {
            let fault = Fault::new(Stage::Plan, Code::Memory, row.memory.clone());
            let fault = fault.found(format!("{} bytes", row.total_bytes()));
            let fault = fault.wanted(format!("at most {limit}"));
            faults.push(fault.hint("lower capacities, or place nodes on another memory"));
        }
    }
    Faults::or(faults, || plan)
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
fn workspaces(placed: &Placed, faults: &mut Vec<Fault>) -> Vec<Workspace> {
    let nodes = placed.graph.0.nodes.iter().enumerate();
    let workspace = |(index, node): (usize, &crate::graph::Node)| {
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
    nodes.map(workspace).collect()
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

    /// The placed graph that it is for.
    #[must_use]
    pub fn placed(&self) -> &Placed {
        &self.placed
    }

    /// Binds loaded data to the graph that it was made for.
    ///
    /// # Errors
    /// When it was made for another graph or breaks a rule of plans.
    pub fn bind(data: PlanData, placed: &Placed) -> Result<Self, Faults> {
        verify(placed, &data).map_err(|fault| Faults::from(*fault))?;
        Ok(Self { placed: placed.clone(), data })
    }

    /// Exact bytes by memory; the host first.
    #[must_use]
    pub fn memory(&self) -> Vec<MemoryRow> {
        self.data.memory(&self.placed)
    }
}

impl PlanData {
    fn memory(&self, placed: &Placed) -> Vec<MemoryRow> {
        let memory_of = |device: Option<usize>| crate::place::memory(&placed.devices, device);
        let mut rows: BTreeMap<Option<usize>, MemoryRow> = BTreeMap::new();
        for lane in &self.lanes {
            let row = rows.entry(memory_of(Some(lane.device as usize))).or_default();
            row.arena_bytes += lane.arena_bytes;
            row.scratch_bytes += lane.scratch_bytes;
        }
        for register in self.registers.iter().filter(|r| r.storage == Storage::Own) {
            let row = rows.entry(register.memory.map(|device| device as usize)).or_default();
            let bytes = register.bytes();
            if register.tokens == 0 {
                row.parameter_bytes += bytes;
            } else {
                row.register_bytes += bytes;
            }
        }
        for (index, actor) in self.actors.iter().enumerate() {
            if let Some(device) = placed.device_of[index] {
                rows.entry(memory_of(Some(device))).or_default().kept_bytes += actor.kept_bytes;
            }
        }
        let name = |memory: Option<usize>| memory.map_or("host", |d| placed.devices.name(d));
        rows.into_iter().map(|(key, row)| MemoryRow { memory: name(key).into(), ..row }).collect()
    }

    /// The volley of each actor, where it has one.
    pub(crate) fn volley_of(&self) -> Vec<Option<usize>> {
        let mut volley_of = vec![None; self.actors.len()];
        for (index, volley) in self.volleys.iter().enumerate() {
            for step in &volley.steps {
                volley_of[step.actor as usize] = Some(index);
            }
        }
        volley_of
    }
}

/// Registers and their slots start at multiples of this, on every device.
pub(crate) const ALIGNMENT: u64 = 256;

impl Register {
    /// Bytes from one slot to the next.
    pub(crate) fn stride(&self) -> u64 {
        (self.spec.bytes() as u64).next_multiple_of(ALIGNMENT).max(ALIGNMENT)
    }

    /// Bytes of all its slots.
    pub(crate) fn bytes(&self) -> u64 {
        self.stride() * u64::from(self.slots)
    }
}
