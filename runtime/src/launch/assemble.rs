//! Registers, ports and lanes from plan data that [`crate::plan`] has verified.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::memory::{Registers, memory};
use super::{Options, weights};
use crate::actor::bell::{Bell, Sleeper};
use crate::actor::body::{Actor, Scratch};
use crate::actor::lane::Lane;
use crate::actor::register::Port;
use crate::actor::volley::Line;
use crate::crew::Crew;
use crate::define::Initial;
use crate::device::Device;
use crate::fault::{Code, Fault, Faults, Stage};
use crate::firing::InPlace;
use crate::graph::{GraphData, Node, Role};
use crate::observe::{LaneMeter, Mailbox, Tracer};
use crate::operator::Routing;
use crate::plan::{Plan, PlanData, Register, Storage, kernel};
use crate::random::Seed;
use crate::run::{Feed, Inject, Outlet, Shared};
use crate::spec::Spec;
use crate::token::{State, Token};
use crate::value::Value;

/// All parts of a run, not yet running.
pub(crate) struct Assembly {
    pub(crate) lanes: Vec<(Lane, Sleeper)>,
    pub(crate) feeds: BTreeMap<String, Feed>,
    pub(crate) outlets: BTreeMap<String, Outlet>,
    pub(crate) mailboxes: BTreeMap<String, Arc<Mailbox>>,
    pub(crate) shared: Arc<Shared>,
}

pub(super) struct Assembler<'a> {
    pub(super) plan: &'a Plan,
    pub(super) graph: &'a GraphData,
    pub(super) data: &'a PlanData,
    /// Payload and headers of each register.
    pub(super) registers: Registers,
    /// The sleeper of each lane, then of each actor outside of lanes.
    pub(super) sleepers: BTreeMap<usize, Sleeper>,
    pub(super) bells: BTreeMap<usize, Arc<Bell>>,
    pub(super) mailboxes: BTreeMap<String, Arc<Mailbox>>,
    pub(super) shared: Arc<Shared>,
}

/// What a slot holds at first: the given value, or else the initial one.
pub(super) struct First<'a> {
    pub(super) given: Option<&'a Value>,
    pub(super) initial: &'a Initial,
    pub(super) seed: Seed,
}

impl First<'_> {
    /// Its extents, unless they are the bounds.
    fn extents(&self) -> Option<&[usize]> {
        match (self.given, self.initial) {
            (Some(value), _) => Some(&value.extents),
            (None, Initial::Value(value)) => Some(&value.extents),
            (None, _) => None,
        }
    }

    fn write(&self, spec: &Spec, bytes: &mut [u8]) {
        match self.given {
            Some(value) => bytes.copy_from_slice(value.bytes()),
            None => weights::write(self.initial, spec, self.seed, bytes),
        }
    }
}

/// Builds every part.
pub(crate) fn assemble(
    plan: &Plan,
    options: &Options,
    inject: Option<Inject>,
) -> Result<Assembly, Faults> {
    let (graph, data) = (&*plan.placed.graph.0, &plan.data);
    Faults::or(options.weights.misfits(graph), || ())?;
    if let Some(snapshot) = &options.resume {
        Faults::or(snapshot.misfits(plan), || ())?;
    }
    let shared = Shared::new(options, data, inject);
    let registers = memory(plan).map_err(|(name, error)| {
        let fault = Fault::new(Stage::Launch, Code::Device, name).found(error);
        Faults::from(fault.wanted("the memory of the plan"))
    })?;
    let mut sleepers = BTreeMap::new();
    for place in (0..data.lanes.len()).chain(ends(graph).map(|actor| data.lanes.len() + actor)) {
        sleepers.insert(place, Sleeper::new());
    }
    let bells: BTreeMap<usize, Arc<Bell>> =
        sleepers.iter().map(|(&place, sleeper)| (place, sleeper.bell())).collect();
    shared.set_bells(bells.values().cloned().collect());
    let probed = data.registers.iter().filter(|register| data.probes.contains(&register.name));
    let mailbox = |register: &Register| {
        (register.name.clone(), Arc::new(Mailbox::new(Arc::new(register.spec.clone()))))
    };
    let mailboxes = probed.map(mailbox).collect();
    let shared = Arc::new(shared);
    let mut assembler =
        Assembler { plan, graph, data, registers, sleepers, bells, mailboxes, shared };
    assembler.fill(options)?;
    if let Some(snapshot) = &options.resume {
        assembler.restore(snapshot)?;
    }
    let mut lanes = Vec::new();
    for lane in 0..data.lanes.len() {
        lanes.push(assembler.lane(lane, options)?);
    }
    let (feeds, outlets) = (assembler.feeds(options), assembler.outlets());
    let Assembler { mailboxes, shared, .. } = assembler;
    Ok(Assembly { lanes, feeds, outlets, mailboxes, shared })
}

/// Feeds and outlets.
pub(super) fn ends(graph: &GraphData) -> impl Iterator<Item = usize> {
    let nodes = graph.nodes.iter().enumerate();
    nodes.filter(|(_, node)| matches!(node.role, Role::Feed | Role::Outlet)).map(|(at, _)| at)
}

impl Assembler<'_> {
    pub(super) fn port(&self, register: u32, rate: u32, start: u32) -> Port {
        let (payload, headers) =
            self.registers[register as usize].clone().expect("verified: the register exists");
        let spec = Arc::new(self.data.registers[register as usize].spec.clone());
        Port::new(spec, payload, headers, rate).starting_at(u64::from(start))
    }

    /// Writes parameters and initial tokens.
    fn fill(&mut self, options: &Options) -> Result<(), Faults> {
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if let Role::Parameter(initial) = &node.role {
                let given = options.weights.given(&node.path);
                let first = First { given, initial, seed: options.seed.named(&node.path) };
                for &register in &self.data.actors[index].outputs {
                    self.store(register, 0, &first)?;
                }
            }
            if let Role::Derived { .. } = &node.role {
                let value = options.weights.value(self.graph, index, options.seed);
                let value = value.map_err(|error| {
                    let fault = Fault::new(Stage::Launch, Code::Weight, node.path.clone());
                    Faults::from(fault.found(error).wanted("a value").line(node.line))
                })?;
                let first =
                    First { given: Some(&value), initial: &Initial::Zeros, seed: options.seed };
                for &register in &self.data.actors[index].outputs {
                    self.store(register, 0, &first)?;
                }
            }
            for (edge, inlet) in node.inputs.iter().zip(&self.data.actors[index].inputs) {
                let register = &self.data.registers[inlet.register as usize];
                if inlet.delay > 0 && inlet.delay == register.initial {
                    for (slot, own) in edge.initial.iter().enumerate() {
                        let parameter = own.parameter.as_deref();
                        let given = parameter.and_then(|path| options.weights.given(path));
                        let seed = parameter.map_or(options.seed, |path| options.seed.named(path));
                        let first = First { given, initial: &own.initial, seed };
                        self.store(inlet.register, slot as u32, &first)?;
                    }
                }
            }
        }
        Ok(())
    }

    #[expect(unsafe_code, reason = "nothing runs yet, so every slot is held here")]
    pub(super) fn store(&self, register: u32, slot: u32, first: &First<'_>) -> Result<(), Faults> {
        let port = self.port(register, 1, slot);
        let mut token = Token::default();
        token.fill_extents(&port.spec);
        if let Some(extents) = first.extents() {
            token.set_extents(&port.spec, extents);
        }
        let is_null = first.given.is_none() && *first.initial == Initial::Null;
        token.state = if is_null { State::NULL } else { State::VALUE };
        port.set_token(0, token);
        if is_null {
            return Ok(());
        }
        let count = port.payload_bytes(0);
        if let Some(buffer) = port.buffer(0) {
            let register = &self.data.registers[register as usize];
            let device = register.memory.expect("buffers are on an accelerator") as usize;
            let Device::Accelerator(device) = self.plan.placed.devices.device(device) else {
                unreachable!("verified: memory of an accelerator")
            };
            let mut bytes = vec![0; count];
            first.write(&port.spec, &mut bytes);
            return device.upload(&bytes, buffer).map_err(|error| {
                let fault = Fault::new(Stage::Launch, Code::Device, register.name.clone());
                Faults::from(fault.found(error).wanted("its first value on the device"))
            });
        }
        // SAFETY: no lane has been started.
        let payload = unsafe { port.payload_mut(0) };
        first.write(&port.spec, &mut payload[..count]);
        Ok(())
    }

    fn lane(&mut self, index: usize, options: &Options) -> Result<(Lane, Sleeper), Faults> {
        let lane = &self.data.lanes[index];
        let mut own: BTreeMap<u32, usize> = BTreeMap::new();
        let mut actors = Vec::new();
        let mut volleys = Vec::new();
        for &volley in &lane.volleys {
            for step in &self.data.volleys[volley as usize].steps {
                if let Entry::Vacant(place) = own.entry(step.actor) {
                    place.insert(actors.len());
                    actors.push(self.actor(step.actor, options.before())?);
                }
            }
            volleys.push(self.volley(volley as usize, index, &own, options));
        }
        let name = self.plan.placed.devices.name(lane.device as usize);
        let indexes: Vec<usize> = actors.iter().map(|actor: &Actor| actor.index).collect();
        let volley_of: Vec<usize> = self.volleys_of(index, &indexes);
        let crew = match self.plan.placed.devices.device(lane.device as usize) {
            Device::Cpu(cpu) => Crew::new(&cpu.cores, cpu.pinned),
            Device::Accelerator(_) => Crew::solo(),
        };
        let mut lane = Lane {
            actors,
            volleys,
            order: options.order,
            batch: self.data.batch,
            next: 0,
            crew,
            scratch: Scratch::new(lane.scratch_bytes as usize).map_err(|error| {
                let fault = Fault::new(Stage::Launch, Code::Device, name).found(error);
                Faults::from(fault.wanted("scratch memory of the plan"))
            })?,
            shared: self.shared.clone(),
            meter: Arc::new(LaneMeter::new(name, (&indexes, &volley_of), options.sampling)),
            tracer: Tracer::new(options.clock.clone(), options.sampling),
            watched: options.sampling.every > 0 || self.shared.inject.is_some(),
            line: Line::default(),
            index,
            before: options.before(),
            cells: self.cells(index),
        };
        lane.prepare().map_err(|(actor, error)| {
            let node = &self.graph.nodes[actor];
            let fault = Fault::new(Stage::Launch, Code::Device, node.path.clone()).found(error);
            Faults::from(fault.wanted("constants that its kernel can use").line(node.line))
        })?;
        Ok((lane, self.sleepers.remove(&index).expect("every lane has a sleeper")))
    }

    /// The place in the lane of the volley of each actor.
    fn volleys_of(&self, lane: usize, actors: &[usize]) -> Vec<usize> {
        let volleys = &self.data.lanes[lane].volleys;
        let fires = |actor: usize, volley: u32| {
            let steps = &self.data.volleys[volley as usize].steps;
            steps.iter().any(|step| step.actor as usize == actor)
        };
        let place = |&actor: &usize| {
            volleys.iter().position(|&volley| fires(actor, volley)).expect("verified: it has one")
        };
        actors.iter().map(place).collect()
    }

    fn actor(&self, index: u32, before: u64) -> Result<Actor, Faults> {
        let actor = &self.data.actors[index as usize];
        let node = &self.graph.nodes[index as usize];
        let kernel = kernel(&self.plan.placed, index as usize).map_err(|e| refuse(node, &e))?;
        let (inputs, stages) = self.inputs(actor, node)?;
        let output = |(&own, port): (&u32, &crate::operator::Port)| {
            self.port(own, port.rate, self.data.registers[own as usize].initial)
        };
        let outputs: Vec<Port> =
            actor.outputs.iter().zip(&node.contract.outputs).map(output).collect();
        let pairs = InPlace::of(&inputs, &outputs);
        let moves = inputs.iter().chain(&outputs).any(Port::moves);
        let carries = |input: &(usize, &crate::plan::Inlet)| {
            self.data.registers[input.1.register as usize].tokens > 0
        };
        let tokens = || actor.inputs.iter().enumerate().filter(carries);
        let is_strict = |input: usize| match node.contract.routing {
            Routing::Merge { first } => input < first,
            _ => true,
        };
        let holds = |(input, own): (usize, &crate::plan::Inlet)| (input as u32, own.delay > 0);
        let is_checked = |(_, own): &(usize, &crate::plan::Inlet)| {
            own.link.is_some() || self.data.registers[own.register as usize].storage == Storage::Own
        };
        let written = self.written(actor, node);
        let mut built = Actor {
            index: index as usize,
            kernel,
            stages,
            inputs: inputs.into(),
            outputs: outputs.into(),
            strict: tokens().map(|(i, _)| i as u32).filter(|&i| is_strict(i as usize)).collect(),
            tokens: tokens().map(holds).collect(),
            checked: tokens().filter(is_checked).map(holds).collect(),
            linked: tokens().filter(|(_, own)| own.link.is_some()).map(|(i, _)| i as u32).collect(),
            held: (0..actor.outputs.len() as u32)
                .filter(|&o| self.data.registers[actor.outputs[o as usize] as usize].initial > 0)
                .collect(),
            written,
            probed: self.probed(actor),
            is_source: node.contract.is_source(),
            is_switch: matches!(node.contract.routing, Routing::Switch { .. }),
            is_merge: matches!(node.contract.routing, Routing::Merge { .. }),
            is_plain: false,
            pairs,
            moves,
            firings: before * u64::from(actor.times),
        };
        built.is_plain = node.contract.routing == Routing::Static
            && !built.is_source
            && built.checked.is_empty()
            && built.written.is_empty()
            && built.probed.is_empty();
        Ok(built)
    }

    /// The input ports of an actor, then the constants of its stages, and the stages with the first
    /// input that holds theirs.
    fn inputs(
        &self,
        actor: &crate::plan::Actor,
        node: &Node,
    ) -> Result<(Vec<Port>, Stages), Faults> {
        let inlet = |inlet: &crate::plan::Inlet, rate: u32| {
            let register = &self.data.registers[inlet.register as usize];
            let rate = if register.tokens == 0 { 0 } else { rate };
            self.port(inlet.register, rate, register.initial - inlet.delay)
        };
        let own = actor.inputs.iter().zip(&node.contract.inputs);
        let mut inputs: Vec<Port> = own.map(|(own, port)| inlet(own, port.rate)).collect();
        let mut stages = Stages::new();
        for &stage in &actor.stages {
            let stage_node = &self.graph.nodes[stage as usize];
            let built = kernel_stage(self.plan, stage as usize)
                .ok_or_else(|| refuse(stage_node, &"no stage"))?;
            stages.push((built, inputs.len()));
            let constants = &self.data.actors[stage as usize].inputs[1..];
            inputs.extend(constants.iter().map(|own| inlet(own, 0)));
        }
        Ok((inputs, stages))
    }

    /// The mailboxes of an actor's outputs that are looked at.
    fn probed(&self, actor: &crate::plan::Actor) -> Vec<(u32, Arc<Mailbox>)> {
        let outputs = (0..).zip(&actor.outputs);
        let mailbox = |(output, &register): (u32, &u32)| {
            let name = &self.data.registers[register as usize].name;
            Some((output, self.mailboxes.get(name)?.clone()))
        };
        outputs.filter_map(mailbox).collect()
    }

    /// The outputs whose tokens are written even while the line is clean: all but those that stay
    /// inside the volley, one token of fixed extents a firing.
    fn written(&self, actor: &crate::plan::Actor, node: &Node) -> Vec<u32> {
        let routes = node.contract.is_source() || node.contract.routing != Routing::Static;
        let is_written = |&output: &u32| {
            let register = &self.data.registers[actor.outputs[output as usize] as usize];
            let inside = matches!(register.storage, Storage::Arena { .. });
            routes || !inside || !register.spec.is_fixed() || register.slots > 1
        };
        (0..actor.outputs.len() as u32).filter(is_written).collect()
    }
}

/// Stages with the first input that holds their constants.
type Stages = Vec<(Box<dyn crate::operator::PieceStage>, usize)>;

fn refuse(node: &Node, error: &dyn std::fmt::Display) -> Faults {
    let fault = Fault::new(Stage::Launch, Code::NoKernel, node.path.clone());
    Faults::from(fault.found(error).wanted("the kernel of the plan").line(node.line))
}

fn kernel_stage(plan: &Plan, index: usize) -> Option<Box<dyn crate::operator::PieceStage>> {
    kernel(&plan.placed, index).ok()?.stage()
}
