//! The plan as plain data: lanes, volleys, actors, registers and links, each an index to others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Absorbed, Period, Recompute};
use crate::place::Placed;
use crate::spec::Spec;

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
    /// See [`crate::plan::Limits::batch`].
    pub batch: u32,
    /// See [`crate::plan::Limits::probes`].
    pub probes: Vec<String>,
    /// What one operator computes in the place of several, one after the other.
    pub absorbed: Vec<Absorbed>,
    /// What is computed again instead of kept, one after the other.
    pub recomputed: Vec<Recompute>,
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
    /// A bound on the tables of the run: actors, ports, slots, links, lanes. Host only.
    pub control_bytes: u64,
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
            + self.control_bytes
    }
}

impl PlanData {
    pub(super) fn memory(&self, placed: &Placed) -> Vec<MemoryRow> {
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
        rows.entry(None).or_default().control_bytes = self.control_bytes();
        let name = |memory: Option<usize>| memory.map_or("host", |d| placed.devices.name(d));
        rows.into_iter().map(|(key, row)| MemoryRow { memory: name(key).into(), ..row }).collect()
    }

    /// A bound on what a run holds besides payloads: measured tables are 40 to 90 % of it.
    fn control_bytes(&self) -> u64 {
        let rows = (self.actors.len() + self.registers.len() + self.links.len()) as u64;
        let slots: u64 = self.registers.iter().map(|register| u64::from(register.slots)).sum();
        rows * CONTROL_ROW + slots * CONTROL_SLOT + self.lanes.len() as u64 * CONTROL_LANE
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

/// Bytes of tables for each actor, register and link: names, ports, spec, meters.
const CONTROL_ROW: u64 = 1 << 10;

/// Bytes for each slot: its header, one cache line.
const CONTROL_SLOT: u64 = 64;

/// Bytes for each lane: thread, channels, meters.
const CONTROL_LANE: u64 = 16 << 10;

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
