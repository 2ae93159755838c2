//! Fusion: pointwise chains run inside their producer, piece by piece, while it is in cache.
//!
//! A stage joins its producer when it is the only reader of a stream that stays inside the volley,
//! in host memory, of one `f32` shape, and reads nothing else but constants. Faults, probes and
//! names stay: the fused node keeps its row in the plan.

use super::{Limits, PlanData, Storage, stream};
use crate::graph::GraphData;
use crate::operator::Fusion;
use crate::place::Placed;
use crate::spec::Element;

pub(super) fn fuse(placed: &Placed, limits: &Limits, data: &mut PlanData) {
    let graph = &*placed.graph.0;
    let probed: Vec<(usize, usize)> =
        limits.probes.iter().filter_map(|name| stream(graph, name)).collect();
    let mut readers = vec![Vec::new(); graph.nodes.len()];
    for (target, input, edge) in graph.token_edges() {
        readers[edge.source].push((edge.port, target, input));
    }
    for volley in 0..data.volleys.len() {
        let steps = data.volleys[volley].steps.clone();
        for step in &steps {
            let producer = step.actor as usize;
            if data.actors[producer].fused_into.is_some() || !takes_stages(graph, producer) {
                continue;
            }
            let mut last = producer;
            while let Some(stage) = follower(placed, data, &readers[last], last) {
                if probed.contains(&(last, 0)) || data.actors[stage].times != step.times {
                    break;
                }
                let fused_away = data.actors[last].outputs[0];
                if last != producer {
                    // The producer's own output 0 is renamed below, this one just goes.
                    data.registers[fused_away as usize].storage = Storage::Nowhere;
                }
                data.actors[stage].fused_into = Some(producer as u32);
                data.actors[producer].stages.push(stage as u32);
                last = stage;
            }
            if last != producer {
                let (gone, kept) = (data.actors[producer].outputs[0], data.actors[last].outputs[0]);
                data.registers[gone as usize].storage = Storage::Nowhere;
                data.actors[producer].outputs[0] = kept;
            }
        }
        let actors = &data.actors;
        let fires = |step: &super::Step| actors[step.actor as usize].fused_into.is_none();
        data.volleys[volley].steps.retain(fires);
    }
}

fn takes_stages(graph: &GraphData, node: usize) -> bool {
    matches!(graph.nodes[node].contract.fusion, Fusion::Producer | Fusion::Stage)
}

/// The node that can run as a stage over output 0 of `last`, if any.
fn follower(
    placed: &Placed,
    data: &PlanData,
    readers: &[(usize, usize, usize)],
    last: usize,
) -> Option<usize> {
    let graph = &*placed.graph.0;
    let mut of_output = readers.iter().filter(|(port, ..)| *port == 0);
    let (&(_, target, input), None) = (of_output.next()?, of_output.next()) else { return None };
    let node = &graph.nodes[target];
    let register = &data.registers[data.actors[last].outputs[0] as usize];
    let inlet = data.actors[target].inputs.get(input)?;
    let fits = node.contract.fusion == Fusion::Stage
        && input == 0
        && inlet.link.is_none()
        && inlet.delay == 0
        && register.memory.is_none()
        && matches!(register.storage, Storage::Arena { .. })
        && register.spec.element == Element::F32
        && register.spec.is_fixed()
        && node.outputs[0] == register.spec
        && node.inputs[1..].iter().all(|edge| graph.is_constant(edge));
    // The contract is a promise for some parameters; the kernel knows whether these are they.
    (fits && super::kernel(placed, target).is_ok_and(|kernel| kernel.stage().is_some()))
        .then_some(target)
}
