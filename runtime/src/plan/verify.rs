//! The independent reading: whether plan data is what launching may rely on.
//!
//! Launching turns offsets into slices, so whatever it relies on is checked here, for a plan that
//! was just made and for one that came from a file alike: indexes, sizes, who writes what, that no
//! two living registers overlap, that every step comes after what it reads, that every cycle of
//! the extended graph carries a token.

use super::{ALIGNMENT, PlanData, Storage};
use crate::fault::{Code, Fault, Stage};
use crate::place::Placed;

/// What may be checked for: a rule, and where it is broken.
type Checked = Result<(), Box<Fault>>;

fn rule(holds: bool, name: &str, wanted: &str) -> Checked {
    if holds {
        return Ok(());
    }
    let fault = Fault::new(Stage::Plan, Code::Format, name).found("a plan that breaks a rule");
    Err(Box::new(fault.wanted(wanted).hint("plan the graph anew")))
}

/// Checks every rule.
pub(crate) fn verify(placed: &Placed, data: &PlanData) -> Checked {
    identity(placed, data)?;
    indexes(placed, data)?;
    registers(placed, data)?;
    steps(data)?;
    overlaps(placed, data)?;
    super::cycle::live(data).map_err(|faults| Box::new(faults.0[0].clone()))
}

fn identity(placed: &Placed, data: &PlanData) -> Checked {
    let graph = &placed.graph.0;
    rule(data.fingerprint == graph.fingerprint(), "", "the graph that the plan was made for")?;
    let names = placed.devices.iter().map(|(name, _)| name);
    rule(names.eq(data.devices.iter().map(String::as_str)), "", "the devices of the plan")?;
    rule(data.actors.len() == graph.nodes.len(), "", "one actor for each node")?;
    for (actor, node) in data.actors.iter().zip(&graph.nodes) {
        rule(actor.path == node.path, &actor.path, "actors in the order of nodes")?;
        let times = u64::from(actor.times) == node.repetitions;
        rule(times, &actor.path, "the firings that balance the rates")?;
        rule(actor.seconds.is_finite() && actor.seconds >= 0.0, &actor.path, "finite seconds")?;
    }
    rule((1..=1 << 16).contains(&data.batch), "", "a batch of 1 to 65536")
}

fn indexes(placed: &Placed, data: &PlanData) -> Checked {
    let (lanes, volleys) = (data.lanes.len(), data.volleys.len());
    let (actors, registers) = (data.actors.len(), data.registers.len());
    for (index, lane) in data.lanes.iter().enumerate() {
        let name = format!("lane {index}");
        rule((lane.device as usize) < data.devices.len(), &name, "a known device")?;
        let mut own = lane.volleys.iter().map(|&volley| volley as usize);
        rule(own.all(|v| v < volleys && data.volleys[v].lane as usize == index), &name, "volleys")?;
    }
    let mut listed: Vec<u32> = data.lanes.iter().flat_map(|lane| lane.volleys.clone()).collect();
    listed.sort_unstable();
    rule(listed.iter().copied().eq(0..volleys as u32), "", "every volley in one lane, once")?;
    for volley in &data.volleys {
        rule(!volley.steps.is_empty(), "", "volleys with steps")?;
        let mut steps = volley.steps.iter();
        rule(steps.all(|s| (s.actor as usize) < actors && s.times > 0), "", "known actors")?;
    }
    for (index, actor) in data.actors.iter().enumerate() {
        let (name, node) = (&actor.path, &placed.graph.0.nodes[index]);
        let lane = actor.lane.map(|lane| lane as usize);
        rule(lane.is_none_or(|lane| lane < lanes), name, "a known lane")?;
        let device = lane.map(|lane| data.lanes[lane].device as usize);
        rule(device == placed.device_of[index], name, "its device's lane")?;
        rule(actor.inputs.len() == node.inputs.len(), name, "its node's inputs")?;
        let outputs = actor.outputs.len() == node.outputs.len() || node.is_parameter();
        rule(outputs, name, "its node's outputs")?;
        let known = |register: &u32| (*register as usize) < registers;
        rule(actor.outputs.iter().all(known), name, "known registers")?;
        let inlets = actor.inputs.iter().all(|inlet| known(&inlet.register));
        rule(inlets, name, "known registers")?;
        let links = actor.inputs.iter().filter_map(|inlet| inlet.link);
        rule(links.clone().all(|l| (l as usize) < data.links.len()), name, "known links")?;
        let fused = actor.fused_into.iter().chain(&actor.stages);
        rule(fused.clone().all(|&other| (other as usize) < actors), name, "known actors")?;
    }
    for link in &data.links {
        let known = (link.register as usize) < registers
            && (link.from as usize) < actors
            && (link.to as usize) < actors;
        rule(known, "", "links between known actors")?;
    }
    Ok(())
}

fn registers(placed: &Placed, data: &PlanData) -> Checked {
    for register in &data.registers {
        let name = &register.name;
        rule(register.spec.fits(), name, "a spec that fits memory")?;
        rule(register.slots >= 1 && register.slots < 1 << 24, name, "1 to 2^24 slots")?;
        rule(register.initial <= register.slots, name, "room for the initial tokens")?;
        let memory = register.memory.map(|device| device as usize);
        let known =
            memory.is_none_or(|d| d < data.devices.len() && !placed.devices.device(d).is_host());
        rule(known, name, "memory of a known accelerator")?;
        if let Storage::Arena { lane, offset } = register.storage {
            let Some(own) = data.lanes.get(lane as usize) else {
                return rule(false, name, "a known lane");
            };
            let bytes = register.stride().checked_mul(u64::from(register.slots));
            let end = bytes.and_then(|bytes| bytes.checked_add(offset));
            rule(end.is_some_and(|end| end <= own.arena_bytes), name, "a place inside its arena")?;
            rule(offset.is_multiple_of(ALIGNMENT), name, "an aligned place")?;
            let device = crate::place::memory(&placed.devices, Some(own.device as usize));
            rule(device == memory, name, "the memory of its lane")?;
            rule(register.initial == 0, name, "no initial tokens in an arena")?;
        }
    }
    for (index, actor) in data.actors.iter().enumerate() {
        let node = &placed.graph.0.nodes[index];
        for (inlet, edge) in actor.inputs.iter().zip(&node.inputs) {
            let register = &data.registers[inlet.register as usize];
            let spec = placed.graph.0.spec(edge);
            rule(register.spec == *spec, &actor.path, "inputs of its node's specs")?;
            rule(inlet.delay as usize == edge.delay(), &actor.path, "its edges' delays")?;
            rule(inlet.delay <= register.initial, &actor.path, "initial tokens for the delay")?;
            let source = &data.actors[edge.source];
            let written = match actor.fused_into {
                Some(_) => true,
                None => source.outputs.contains(&inlet.register) || source.fused_into.is_some(),
            };
            rule(written, &actor.path, "inputs written by its sources")?;
            if let Some(link) = inlet.link {
                let link = data.links[link as usize];
                let same = link.register == inlet.register
                    && link.to as usize == index
                    && link.from as usize == edge.source
                    && link.delay == inlet.delay;
                rule(same, &actor.path, "links that agree with their inputs")?;
                rule(register.storage == Storage::Own, &actor.path, "links over own memory")?;
            }
        }
        for (port, (&register, spec)) in actor.outputs.iter().zip(&node.outputs).enumerate() {
            let own = &data.registers[register as usize];
            rule(own.spec == *spec, &actor.path, "outputs of its node's specs")?;
            let rate = u64::from(node.contract.outputs[port].rate);
            let tokens = if node.is_parameter() { 0 } else { node.repetitions * rate };
            rule(u64::from(own.tokens) == tokens, &actor.path, "tokens that follow from rates")?;
        }
    }
    let mut readers: Vec<(u32, u32)> = data.links.iter().map(|l| (l.register, l.reader)).collect();
    readers.sort_unstable();
    readers.dedup();
    rule(readers.len() == data.links.len(), "", "one head for each reader")
}

/// Every actor of a lane fires as often as it must, in one volley, after what it reads there.
fn steps(data: &PlanData) -> Checked {
    let mut fired = vec![0_u64; data.actors.len()];
    let mut home = vec![None; data.actors.len()];
    for (index, volley) in data.volleys.iter().enumerate() {
        for step in &volley.steps {
            let actor = &data.actors[step.actor as usize];
            let name = &actor.path;
            rule(actor.lane == Some(volley.lane), name, "steps on their actor's lane")?;
            rule(actor.fused_into.is_none(), name, "no step for a fused actor")?;
            let one = home[step.actor as usize].replace(index).is_none_or(|old| old == index);
            rule(one, name, "an actor in one volley")?;
            fired[step.actor as usize] += u64::from(step.times);
        }
    }
    for (index, actor) in data.actors.iter().enumerate() {
        let wanted = match (actor.lane, actor.fused_into) {
            (Some(_), None) => u64::from(actor.times),
            _ => 0,
        };
        rule(fired[index] == wanted, &actor.path, "as many steps as firings")?;
        if let Some(producer) = actor.fused_into {
            let stages = &data.actors[producer as usize].stages;
            rule(stages.contains(&(index as u32)), &actor.path, "a producer that knows its stage")?;
        }
    }
    for (index, volley) in data.volleys.iter().enumerate() {
        let mut written: Vec<u32> = Vec::new();
        for step in &volley.steps {
            let actor = &data.actors[step.actor as usize];
            for inlet in actor.inputs.iter().filter(|inlet| inlet.link.is_none()) {
                let register = &data.registers[inlet.register as usize];
                let ready = inlet.delay > 0
                    || register.tokens == 0
                    || written.contains(&inlet.register)
                    // Interleaved firings: the symbolic run of `check` showed the order to be possible.
                    || data.volleys[index].steps.iter().filter(|s| s.actor == step.actor).count() > 1;
                rule(ready, &actor.path, "every step after what it reads")?;
            }
            written.extend(&actor.outputs);
        }
    }
    Ok(())
}

/// No two registers of one arena lie over each other while both live, but for in-place pairs.
fn overlaps(placed: &Placed, data: &PlanData) -> Checked {
    for volley in &data.volleys {
        let mut alive: Vec<(u32, u64, u64, usize)> = Vec::new();
        for (position, step) in volley.steps.iter().enumerate() {
            let actor = &data.actors[step.actor as usize];
            let in_place = placed.graph.0.nodes[step.actor as usize].contract.in_place;
            for (port, &register) in actor.outputs.iter().enumerate() {
                let own = &data.registers[register as usize];
                let Storage::Arena { lane, offset } = own.storage else { continue };
                rule(lane == volley.lane, &own.name, "the arena of its lane")?;
                let end = offset + own.stride() * u64::from(own.slots);
                let last = last_reader(data, volley, register).max(position);
                let partner = in_place
                    .filter(|&(_, output)| output == port)
                    .map(|(input, _)| actor.inputs[input].register);
                for &(other, start, stop, until) in &alive {
                    let apart = other == register || end <= start || stop <= offset;
                    let over = until < position || (Some(other) == partner && until == position);
                    rule(apart || over, &own.name, "a place of its own while others live")?;
                }
                if !alive.iter().any(|&(other, ..)| other == register) {
                    alive.push((register, offset, end, last));
                }
            }
        }
    }
    Ok(())
}

fn last_reader(data: &PlanData, volley: &super::Volley, register: u32) -> usize {
    let reads = |step: &super::Step| {
        data.actors[step.actor as usize].inputs.iter().any(|inlet| inlet.register == register)
    };
    volley.steps.iter().rposition(reads).unwrap_or(0)
}
