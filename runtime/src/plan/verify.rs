//! The independent reading: whether plan data is what launching may rely on.
//!
//! Launching turns offsets into slices, so whatever it relies on is checked here, for a plan that
//! was just made and for one that came from a file alike: indexes, sizes, who writes what, that no
//! two living registers overlap, that every step comes after what it reads, that every cycle of
//! the extended graph carries a token.

use super::arena::last_use;
use super::{ALIGNMENT, BATCH_MAX, PlanData, SLOTS_MAX, Storage};
use crate::fault::{Code, Fault, Stage};
use crate::graph::{Edge, Role};
use crate::operator::Fusion;
use crate::place::{Placed, memory};
use crate::spec::BYTES_MAX;

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
    steps(data)?;
    registers(placed, data)?;
    storage(placed, data)?;
    links(placed, data)?;
    fusion(placed, data)?;
    absorbed(data)?;
    for volley in &data.volleys {
        let early = super::lane::early(placed, data, volley);
        rule(early.is_none(), "", "every step after what it reads")?;
    }
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
    rule((1..=BATCH_MAX).contains(&data.batch), "", "a batch of 1 to 65536")
}

fn indexes(placed: &Placed, data: &PlanData) -> Checked {
    let (lanes, volleys) = (data.lanes.len(), data.volleys.len());
    let (actors, registers) = (data.actors.len(), data.registers.len());
    for (index, lane) in data.lanes.iter().enumerate() {
        let name = format!("lane {index}");
        rule((lane.device as usize) < data.devices.len(), &name, "a known device")?;
        let mut own = lane.volleys.iter().map(|&volley| volley as usize);
        rule(own.all(|v| v < volleys && data.volleys[v].lane as usize == index), &name, "volleys")?;
        rule(!lane.volleys.is_empty(), &name, "lanes with volleys")?;
        let others = data.lanes[..index].iter().all(|other| other.device != lane.device);
        rule(others, &name, "one lane for each device")?;
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

/// Sizes, and that every register is what its writer's and readers' nodes want.
fn registers(placed: &Placed, data: &PlanData) -> Checked {
    let graph = &*placed.graph.0;
    let mut sum = 0_u64;
    for register in &data.registers {
        let name = &register.name;
        rule(register.spec.fits(), name, "a spec that fits memory")?;
        rule((1..=SLOTS_MAX).contains(&register.slots), name, "1 to 2^22 slots")?;
        rule(register.initial <= register.slots, name, "room for the initial tokens")?;
        sum = sum.saturating_add(register.bytes());
    }
    rule(sum < 1 << 62, "", "registers that fit memory together")?;
    let mut writers = vec![0_u32; data.registers.len()];
    for (index, (actor, node)) in data.actors.iter().zip(&graph.nodes).enumerate() {
        let name = &actor.path;
        for (port, &register) in actor.outputs.iter().enumerate() {
            writers[register as usize] += u32::from(actor.fused_into.is_none());
            let own = &data.registers[register as usize];
            let spec = node.outputs.get(if node.is_parameter() { 0 } else { port });
            rule(spec == Some(&own.spec), name, "outputs of its node's specs")?;
            if node.is_parameter() {
                let constant = own.tokens == 0 && own.slots == 1 && own.initial == 0;
                rule(constant, name, "constants of one slot")?;
                continue;
            }
            let rate = u64::from(node.contract.outputs[port].rate);
            let tokens = u64::from(own.tokens) == node.repetitions * rate;
            rule(tokens, name, "tokens that follow from rates")?;
            rule(own.slots >= own.tokens, name, "room for one iteration")?;
            let memory = super::register::written(placed, index).map(|device| device as u32);
            rule(own.memory == memory, name, "registers in the memory that it writes")?;
        }
        for (inlet, edge) in actor.inputs.iter().zip(&node.inputs) {
            let register = &data.registers[inlet.register as usize];
            rule(register.spec == *graph.spec(edge), name, "inputs of its node's specs")?;
            rule(inlet.delay as usize == edge.delay(), name, "its edges' delays")?;
            rule(inlet.delay <= register.initial, name, "initial tokens for the delay")?;
            let is_copy = matches!(node.role, Role::Copy { .. });
            let memory = memory(&placed.devices, placed.device_of[index]).map(|d| d as u32);
            rule(is_copy || register.memory == memory, name, "inputs in its own memory")?;
        }
    }
    rule(writers.iter().all(|&writers| writers <= 1), "", "one writer for each register")?;
    for (index, register) in data.registers.iter().enumerate() {
        let readers = data.actors.iter().flat_map(|actor| &actor.inputs);
        let delays = readers.filter(|inlet| inlet.register as usize == index).map(|i| i.delay);
        let most = delays.max().unwrap_or(0);
        rule(register.initial == most, &register.name, "as many initial tokens as delays")?;
        let inside = super::cycle::is_read_inside(data, index as u32);
        let room = register.slots.saturating_sub(register.initial) >= register.tokens;
        let in_place =
            register.slots == register.initial && super::update::is_in_place(graph, data, index);
        rule(room || !inside || in_place, &register.name, "room beside the initial tokens")?;
    }
    Ok(())
}

/// Where registers lie.
fn storage(placed: &Placed, data: &PlanData) -> Checked {
    let mut ends = vec![0; data.lanes.len()];
    for register in &data.registers {
        let name = &register.name;
        let memory = register.memory.map(|device| device as usize);
        let known =
            memory.is_none_or(|d| d < data.devices.len() && !placed.devices.device(d).is_host());
        rule(known, name, "memory of a known accelerator")?;
        let Storage::Arena { lane, offset } = register.storage else { continue };
        let Some(own) = data.lanes.get(lane as usize) else {
            return rule(false, name, "a known lane");
        };
        let end = register.bytes().checked_add(offset);
        rule(end.is_some_and(|end| end <= own.arena_bytes), name, "a place inside its arena")?;
        ends[lane as usize] = end.unwrap_or(0).max(ends[lane as usize]);
        rule(offset.is_multiple_of(ALIGNMENT), name, "an aligned place")?;
        let device = crate::place::memory(&placed.devices, Some(own.device as usize));
        rule(device == memory, name, "the memory of its lane")?;
        rule(register.initial == 0, name, "no initial tokens in an arena")?;
    }
    for (lane, end) in data.lanes.iter().zip(ends) {
        let name = &data.devices[lane.device as usize];
        rule(lane.arena_bytes == end, name, "an arena as large as its registers")?;
        rule(lane.scratch_bytes <= BYTES_MAX as u64, name, "scratch that fits memory")?;
    }
    for actor in data.actors.iter().filter(|actor| actor.fused_into.is_none()) {
        let mut outputs =
            actor.outputs.iter().map(|&output| data.registers[output as usize].storage);
        let fits = match actor.lane {
            Some(_) => outputs.all(|own| own != Storage::Nowhere),
            None => outputs.all(|own| own == Storage::Own),
        };
        rule(fits, &actor.path, "outputs with a place")?;
    }
    Ok(())
}

/// Every stream is read where its writer leaves it, over a link exactly if it leaves its volley.
fn links(placed: &Placed, data: &PlanData) -> Checked {
    let graph = &*placed.graph.0;
    let volley_of = data.volley_of();
    let home = |actor: usize| {
        let own = data.actors[actor].fused_into.map_or(actor, |producer| producer as usize);
        volley_of[own]
    };
    let mut seen = vec![0_u32; data.links.len()];
    for (index, (actor, node)) in data.actors.iter().zip(&graph.nodes).enumerate() {
        let name = &actor.path;
        for (input, (inlet, edge)) in actor.inputs.iter().zip(&node.inputs).enumerate() {
            let source = &data.actors[edge.source];
            let register = &data.registers[inlet.register as usize];
            if graph.is_constant(edge) {
                let constant = source.outputs.contains(&inlet.register) && inlet.link.is_none();
                rule(constant, name, "constants written by its parameters")?;
                continue;
            }
            if actor.fused_into.is_some() && input == 0 {
                rule(inlet.link.is_none(), name, "a stage beside its producer")?;
                continue;
            }
            let here = source.outputs.get(edge.port) == Some(&inlet.register);
            rule(here && register.storage != Storage::Nowhere, name, "inputs from its sources")?;
            let leaves = home(edge.source).is_none() || home(edge.source) != home(index);
            rule(inlet.link.is_some() == leaves, name, "links between volleys and only there")?;
            let Some(link) = inlet.link.map(|link| link as usize) else { continue };
            seen[link] += 1;
            let link = data.links[link];
            let same = link.register == inlet.register
                && link.to as usize == index
                && link.from as usize == edge.source
                && link.delay == inlet.delay;
            rule(same, name, "links that agree with their inputs")?;
            rule(register.storage == Storage::Own, name, "links over own memory")?;
        }
    }
    rule(seen.iter().all(|&count| count == 1), "", "one input for each link")?;
    let mut readers: Vec<(u32, u32)> = data.links.iter().map(|l| (l.register, l.reader)).collect();
    readers.sort_unstable();
    let numbered = readers
        .chunk_by(|a, b| a.0 == b.0)
        .all(|own| own.iter().map(|r| r.1).eq(0..own.len() as u32));
    rule(numbered, "", "one head for each reader")
}

/// Stages follow each other over output 0 of their producer, and nobody else reads between them.
fn fusion(placed: &Placed, data: &PlanData) -> Checked {
    let graph = &*placed.graph.0;
    for (index, actor) in data.actors.iter().enumerate() {
        let name = &actor.path;
        if let Some(producer) = actor.fused_into {
            let producer = &data.actors[producer as usize];
            let known = producer.stages.iter().filter(|&&stage| stage as usize == index).count();
            rule(known == 1 && producer.fused_into.is_none(), name, "a producer of its own")?;
            rule(actor.stages.is_empty(), name, "no stages of a stage")?;
        }
        let mut last = index;
        for &stage in &actor.stages {
            let (node, own) = (&graph.nodes[stage as usize], &data.actors[stage as usize]);
            let follows = own.fused_into == Some(index as u32)
                && own.lane == actor.lane
                && own.times == actor.times
                && node.contract.fusion == Fusion::Stage
                && node
                    .inputs
                    .first()
                    .is_some_and(|e| (e.source, e.port, e.delay()) == (last, 0, 0))
                && node.inputs[1..].iter().all(|edge| graph.is_constant(edge));
            rule(follows, &own.path, "stages in a row")?;
            last = stage as usize;
        }
        let reads_between = |(target, _, edge): (usize, usize, &Edge)| {
            let between = actor.stages.iter().take(actor.stages.len().saturating_sub(1));
            let between = std::iter::once(index).chain(between.map(|&stage| stage as usize));
            let is_stage = data.actors[target].fused_into == Some(index as u32);
            edge.port == 0 && !is_stage && between.into_iter().any(|own| own == edge.source)
        };
        if !actor.stages.is_empty() {
            let kept = actor.outputs.first() == data.actors[last].outputs.first();
            rule(kept, name, "the output of its last stage")?;
            rule(!graph.token_edges().any(reads_between), name, "no reader between stages")?;
        }
    }
    Ok(())
}

/// What was absorbed is computed by another, and by nobody else: no actor and no probe names it.
fn absorbed(data: &PlanData) -> Checked {
    for own in &data.absorbed {
        let stays = data.actors.iter().any(|actor| actor.path == own.into && actor.lane.is_some());
        rule(stays, &own.into, "an actor for what was absorbed")?;
        rule(own.operators.len() == own.nodes.len() + 1, &own.into, "an operator for each part")?;
        for path in &own.nodes {
            let is_left = data.actors.iter().any(|actor| actor.path == *path);
            let probes = data.probes.iter().filter_map(|probe| probe.rsplit_once(':'));
            let is_probed = probes.into_iter().any(|(probed, _)| probed == path);
            rule(!is_left && !is_probed, path, "no trace of what was absorbed")?;
        }
    }
    Ok(())
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
    }
    Ok(())
}

/// No two registers of one arena lie over each other while both live, but for in-place pairs.
fn overlaps(placed: &Placed, data: &PlanData) -> Checked {
    for volley in &data.volleys {
        let mut alive: Vec<(u32, u64, u64, usize)> = Vec::new();
        for (position, step) in volley.steps.iter().enumerate() {
            let actor = &data.actors[step.actor as usize];
            let in_place = &placed.graph.0.nodes[step.actor as usize].contract.in_place;
            for (port, &register) in actor.outputs.iter().enumerate() {
                let own = &data.registers[register as usize];
                let Storage::Arena { lane, offset } = own.storage else { continue };
                rule(lane == volley.lane, &own.name, "the arena of its lane")?;
                let end = offset + own.bytes();
                let last = last_use(data, &volley.steps, register);
                let partner = in_place
                    .iter()
                    .find(|&&(_, output)| output == port)
                    .map(|&(input, _)| actor.inputs[input].register)
                    .filter(|&input| own.slots == 1 && reads(actor, input) == 1);
                for &(other, start, stop, until) in &alive {
                    let apart = other == register || end <= start || stop <= offset;
                    let same = (start, stop) == (offset, end);
                    let pair = same && Some(other) == partner && until == position;
                    let over = until < position || pair;
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

fn reads(actor: &super::Actor, register: u32) -> usize {
    actor.inputs.iter().filter(|inlet| inlet.register == register).count()
}
