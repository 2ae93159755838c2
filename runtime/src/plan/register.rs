//! Registers: one for each output, a replica of a parameter for each memory that reads it, and a
//! link for each stream that leaves its volley.

use std::collections::BTreeMap;

use super::{Inlet, Limits, Link, PlanData, Register, Storage};
use crate::graph::Role;
use crate::place::{Placed, memory};

pub(super) fn assign(placed: &Placed, limits: &Limits, data: &mut PlanData) {
    let graph = &*placed.graph.0;
    for (lane, own) in data.lanes.iter().enumerate() {
        for &volley in &own.volleys {
            for step in &data.volleys[volley as usize].steps {
                data.actors[step.actor as usize].lane = Some(lane as u32);
            }
        }
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        if node.is_parameter() {
            continue;
        }
        let place = written(placed, index);
        for (port, spec) in node.outputs.iter().enumerate() {
            let tokens = node.repetitions * u64::from(node.contract.outputs[port].rate);
            data.actors[index].outputs.push(data.registers.len() as u32);
            data.registers.push(Register {
                name: format!("{}:{}", node.path, node.contract.outputs[port].name),
                spec: spec.clone(),
                memory: place.map(|device| device as u32),
                slots: tokens as u32,
                initial: 0,
                tokens: tokens as u32,
                storage: Storage::Arena { lane: 0, offset: 0 },
            });
        }
    }
    inlets(placed, data);
    for name in &limits.capacities {
        if let Some(register) = data.registers.iter_mut().find(|own| own.name == *name.0) {
            // A chosen capacity makes sense only for memory of its own.
            register.storage = Storage::Own;
        }
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        if matches!(node.role, Role::Feed) {
            // A feed is outside of every arena, even if nobody reads it.
            let register = data.actors[index].outputs[0];
            data.registers[register as usize].storage = Storage::Own;
        }
    }
    for register in &mut data.registers {
        register.slots = (register.initial + register.tokens).max(1);
    }
}

/// Where every input comes from, and the links of those that leave their volley.
fn inlets(placed: &Placed, data: &mut PlanData) {
    let graph = &*placed.graph.0;
    let volley_of = data.volley_of();
    let mut replicas = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for edge in &node.inputs {
            let inlet = if graph.is_constant(edge) {
                let place = memory(&placed.devices, placed.device_of[index]);
                let register = *replicas
                    .entry((edge.source, place))
                    .or_insert_with(|| replica(graph, edge.source, place, data));
                Inlet { register, delay: 0, link: None }
            } else {
                let register = data.actors[edge.source].outputs[edge.port];
                let delay = edge.delay() as u32;
                let own = &mut data.registers[register as usize];
                own.initial = own.initial.max(delay);
                let leaves =
                    volley_of[edge.source].is_none() || volley_of[edge.source] != volley_of[index];
                let link = leaves.then(|| {
                    let reader = data.links.iter().filter(|link| link.register == register).count();
                    data.links.push(Link {
                        register,
                        from: edge.source as u32,
                        to: index as u32,
                        delay,
                        reader: reader as u32,
                    });
                    data.links.len() as u32 - 1
                });
                if link.is_some() || delay > 0 {
                    data.registers[register as usize].storage = Storage::Own;
                }
                Inlet { register, delay, link }
            };
            data.actors[index].inputs.push(inlet);
        }
    }
}

/// The memory that a node writes: a copy to the host runs on the accelerator's lane but writes host
/// memory.
pub(super) fn written(placed: &Placed, index: usize) -> Option<usize> {
    match placed.graph.0.nodes[index].role {
        Role::Copy { to } => to,
        _ => memory(&placed.devices, placed.device_of[index]),
    }
}

fn replica(
    graph: &crate::graph::GraphData,
    parameter: usize,
    place: Option<usize>,
    data: &mut PlanData,
) -> u32 {
    let node = &graph.nodes[parameter];
    let register = data.registers.len() as u32;
    data.actors[parameter].outputs.push(register);
    data.registers.push(Register {
        name: node.path.clone(),
        spec: node.outputs[0].clone(),
        memory: place.map(|device| device as u32),
        slots: 1,
        initial: 0,
        tokens: 0,
        storage: Storage::Own,
    });
    register
}
