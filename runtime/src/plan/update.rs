//! Updates in place: a state that is read before it is written needs one slot, not two.
//!
//! The token behind a delay of one step and the token that replaces it share a slot when everything
//! happens inside one volley, all who read the old token fire before the writer, and the writer
//! itself works in place on it. So the weights of a training step are updated where they lie.

use super::{PlanData, Storage};
use crate::graph::GraphData;

/// Gives one slot to every register that is updated in place.
pub(super) fn in_place(graph: &GraphData, chosen: impl Fn(&str) -> bool, data: &mut PlanData) {
    for pair in pairs(graph, data) {
        let register = data.actors[pair.writer].outputs[pair.output] as usize;
        if !chosen(&data.registers[register].name) && is_possible(data, &pair) {
            data.registers[register].slots = 1;
        }
    }
}

/// Whether a register holds the old token and the new one in one slot.
pub(super) fn is_in_place(graph: &GraphData, data: &PlanData, register: usize) -> bool {
    let is_own = |pair: &Pair| {
        let own = data.actors[pair.writer].outputs.get(pair.output);
        own.is_some_and(|&own| own as usize == register)
    };
    let pair = pairs(graph, data).into_iter().find(is_own);
    pair.is_some_and(|pair| is_possible(data, &pair))
}

/// An output that may take the place of what its actor reads behind a delay of one step.
struct Pair {
    writer: usize,
    input: usize,
    output: usize,
}

fn pairs(graph: &GraphData, data: &PlanData) -> Vec<Pair> {
    let of_node = |(writer, node): (usize, &crate::graph::Node)| {
        let actor = &data.actors[writer];
        let pairs = node.contract.in_place.iter().filter(|_| actor.fused_into.is_none());
        let delayed = |&&(input, _): &&(usize, usize)| {
            actor.inputs.get(input).is_some_and(|inlet| inlet.delay == 1)
        };
        let pairs = pairs.filter(delayed);
        pairs.map(|&(input, output)| Pair { writer, input, output }).collect::<Vec<_>>()
    };
    graph.nodes.iter().enumerate().flat_map(of_node).collect()
}

fn is_possible(data: &PlanData, &Pair { writer, input, output }: &Pair) -> bool {
    let actor = &data.actors[writer];
    let Some(&register) = actor.outputs.get(output) else { return false };
    let own = &data.registers[register as usize];
    let reads = |actor: &super::Actor| actor.inputs.iter().any(|i| i.register == register);
    let alone = actor.inputs.iter().filter(|inlet| inlet.register == register).count() == 1;
    let single = own.initial == 1 && own.tokens == 1 && own.storage == Storage::Own;
    if !(single && alone && actor.inputs[input].register == register) {
        return false;
    }
    let steps = |volley: &&super::Volley| volley.steps.iter().any(|s| s.actor as usize == writer);
    let Some(volley) = data.volleys.iter().find(steps) else { return false };
    let place = |actor: usize| volley.steps.iter().position(|s| s.actor as usize == actor);
    let at = place(writer);
    let mut others = data.actors.iter().enumerate().filter(|(_, actor)| reads(actor));
    others.all(|(index, other)| {
        let mut inlets = other.inputs.iter().filter(|inlet| inlet.register == register);
        let position = place(other.fused_into.map_or(index, |producer| producer as usize));
        index == writer
            || inlets.all(|inlet| {
                let order = if inlet.delay == 1 { position < at } else { position > at };
                inlet.link.is_none() && position.is_some() && order
            })
    })
}
