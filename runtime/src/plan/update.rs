//! Updates in place: a state that is read before it is written needs one slot, not two.
//!
//! The token behind a delay of one step and the token that replaces it share a slot when everything
//! happens inside one volley, all who read the old token fire before the writer, and the writer
//! itself works in place on it. So the weights of a training step are updated where they lie.

use super::{PlanData, Storage};
use crate::graph::GraphData;

/// Gives one slot to every register that is updated in place.
pub(super) fn in_place(graph: &GraphData, chosen: impl Fn(&str) -> bool, data: &mut PlanData) {
    for (writer, output) in written_behind_a_delay(graph, data) {
        let register = data.actors[writer].outputs[output] as usize;
        if !chosen(&data.registers[register].name) && is_possible(graph, data, (writer, output)) {
            data.registers[register].slots = 1;
        }
    }
}

/// Whether a register holds the old token and the new one in one slot.
pub(super) fn is_in_place(graph: &GraphData, data: &PlanData, register: usize) -> bool {
    let own = |&(writer, output): &(usize, usize)| {
        data.actors[writer].outputs.get(output).is_some_and(|&own| own as usize == register)
    };
    let writer = written_behind_a_delay(graph, data).find(own);
    writer.is_some_and(|writer| is_possible(graph, data, writer))
}

/// Actors and outputs that may work in place.
fn written_behind_a_delay(
    graph: &GraphData,
    data: &PlanData,
) -> impl Iterator<Item = (usize, usize)> + use<> {
    let pair = |(index, node): (usize, &crate::graph::Node)| {
        let (input, output) = node.contract.in_place?;
        let inlet = data.actors[index].inputs.get(input)?;
        (inlet.delay == 1 && data.actors[index].fused_into.is_none()).then_some((index, output))
    };
    let pairs: Vec<_> = graph.nodes.iter().enumerate().filter_map(pair).collect();
    pairs.into_iter()
}

fn is_possible(graph: &GraphData, data: &PlanData, (writer, output): (usize, usize)) -> bool {
    let actor = &data.actors[writer];
    let Some(&register) = actor.outputs.get(output) else { return false };
    let own = &data.registers[register as usize];
    let (pair, _) = graph.nodes[writer].contract.in_place.expect("only pairs are asked about");
    let reads = |actor: &super::Actor| actor.inputs.iter().any(|i| i.register == register);
    let alone = actor.inputs.iter().filter(|inlet| inlet.register == register).count() == 1;
    let single = own.initial == 1 && own.tokens == 1 && own.storage == Storage::Own;
    if !(single && alone && actor.inputs[pair].register == register) {
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
