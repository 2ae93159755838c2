//! State: what lanes hand out between two iterations, and how a launch goes on from a snapshot.

use std::collections::BTreeMap;

use super::assemble::{Assembler, First};
use crate::actor::cell::Cell;
use crate::define::Initial;
use crate::device::Device;
use crate::fault::{Code, Fault, Faults, Stage};
use crate::plan::{Plan, PlanData};
use crate::random::Seed;
use crate::snapshot::Snapshot;

impl Plan {
    /// The register of each updated parameter.
    pub(crate) fn updated(&self) -> BTreeMap<String, String> {
        let mut updated = BTreeMap::new();
        for (node, actor) in self.placed.graph.0.nodes.iter().zip(&self.data.actors) {
            for (edge, inlet) in node.inputs.iter().zip(&actor.inputs) {
                let register = &self.data.registers[inlet.register as usize];
                for path in edge.initial.iter().filter_map(|first| first.parameter.as_deref()) {
                    updated.insert(path.to_owned(), register.name.clone());
                }
            }
        }
        updated
    }
}

impl Assembler<'_> {
    /// The registers that a lane hands out: those it writes, and those of feeds that it reads.
    pub(super) fn cells(&self, lane: usize) -> Vec<Cell> {
        let owner = |register: u32| owner(self.data, register);
        let kept = self.data.registers.iter().enumerate().filter(|(_, own)| own.initial > 0);
        let own = kept.filter(|&(index, _)| owner(index as u32) == Some(lane as u32));
        own.map(|(index, register)| Cell {
            name: register.name.clone(),
            port: self.port(index as u32, 1, 0),
            initial: u64::from(register.initial),
            tokens: u64::from(register.tokens),
            device: register.memory.and_then(|device| {
                match self.plan.placed.devices.device(device as usize) {
                    Device::Accelerator(device) => Some(device.clone()),
                    Device::Cpu(_) => None,
                }
            }),
        })
        .collect()
    }

    /// Writes the tokens of a snapshot where the initial ones are.
    pub(super) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Faults> {
        let kept = self.data.registers.iter().enumerate().filter(|(_, own)| own.initial > 0);
        for (index, register) in kept {
            let tokens = snapshot.registers.get(&register.name).map_or(&[][..], Vec::as_slice);
            let fits = |token: &Option<_>| {
                token.as_ref().is_none_or(|value: &crate::value::Value| value.fits(&register.spec))
            };
            if tokens.len() != register.initial as usize || !tokens.iter().all(fits) {
                let fault = Fault::new(Stage::Launch, Code::Format, register.name.clone());
                let fault = fault.found(format!("{} tokens of it in the snapshot", tokens.len()));
                let wanted = format!("{} tokens of {}", register.initial, register.spec);
                return Err(fault.wanted(wanted).into());
            }
            for (slot, token) in tokens.iter().enumerate() {
                let first =
                    First { given: token.as_ref(), initial: &Initial::Null, seed: Seed::default() };
                self.store(index as u32, slot as u32, &first)?;
            }
        }
        Ok(())
    }
}

/// The lane that hands out a register.
fn owner(data: &PlanData, register: u32) -> Option<u32> {
    let writes = |actor: &&crate::plan::Actor| actor.outputs.contains(&register);
    let writer = data.actors.iter().find(|actor| writes(actor) && actor.fused_into.is_none());
    let mut links = data.links.iter().filter(|link| link.register == register);
    let reader = || links.find_map(|link| data.actors[link.to as usize].lane);
    writer.and_then(|actor| actor.lane).or_else(reader)
}
