//! Registers, ports and lanes from plan data that [`crate::plan`] has verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Options, weights};
use crate::actor::bell::{Bell, Sleeper};
use crate::actor::lane::{Actor, Grant, Lane, Line, Scratch, Step, Volley, Wait};
use crate::actor::register::{Block, Headers, Payload, Port};
use crate::actor::ring::{Ring, Slot};
use crate::crew::Crew;
use crate::define::Initial;
use crate::device::{Buffer, Device};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::firing::InPlace;
use crate::graph::{GraphData, Role};
use crate::observe::{LaneMeter, Mailbox, Tracer};
use crate::operator::Routing;
use crate::plan::{Link, Plan, PlanData, Register, Storage, kernel};
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

struct Assembler<'a> {
    plan: &'a Plan,
    graph: &'a GraphData,
    data: &'a PlanData,
    /// Payload and headers of each register.
    registers: Vec<Option<(Payload, Headers)>>,
    /// The sleeper of each lane, then of each actor outside of lanes.
    sleepers: BTreeMap<usize, Sleeper>,
    bells: BTreeMap<usize, Arc<Bell>>,
    mailboxes: BTreeMap<String, Arc<Mailbox>>,
    shared: Arc<Shared>,
}

/// Builds every part.
pub(crate) fn assemble(
    plan: &Plan,
    options: &Options,
    inject: Option<Inject>,
) -> Result<Assembly, Faults> {
    let (graph, data) = (&*plan.placed.graph.0, &plan.data);
    Faults::or(options.weights.misfits(graph), || ())?;
    let paths = data.actors.iter().map(|actor| actor.path.clone()).collect();
    let shared =
        Shared::new(options.policy, options.clock.clone(), data.links.len(), paths, inject);
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
    let mut lanes = Vec::new();
    for lane in 0..data.lanes.len() {
        lanes.push(assembler.lane(lane, options)?);
    }
    let (feeds, outlets) = (assembler.feeds(options), assembler.outlets());
    let Assembler { mailboxes, shared, .. } = assembler;
    Ok(Assembly { lanes, feeds, outlets, mailboxes, shared })
}

/// Feeds and outlets.
fn ends(graph: &GraphData) -> impl Iterator<Item = usize> {
    let nodes = graph.nodes.iter().enumerate();
    nodes.filter(|(_, node)| matches!(node.role, Role::Feed | Role::Outlet)).map(|(at, _)| at)
}

/// Allocates every register; the error names the one that could not be had.
fn memory(plan: &Plan) -> Result<Vec<Option<(Payload, Headers)>>, (String, String)> {
    let data = &plan.data;
    let accelerator = |device: u32| match plan.placed.devices.device(device as usize) {
        Device::Accelerator(accelerator) => Some(accelerator.clone()),
        Device::Cpu(_) => None,
    };
    let mut arenas: Vec<(Option<Arc<Block>>, Option<Buffer>)> = Vec::new();
    for lane in &data.lanes {
        let bytes = lane.arena_bytes as usize;
        arenas.push(match accelerator(lane.device) {
            None => {
                let name = data.devices[lane.device as usize].clone();
                let block = Block::new(bytes).map_err(|error| (name, error))?;
                (Some(Arc::new(block)), None)
            }
            Some(_) if bytes == 0 => (None, None),
            Some(device) => {
                let name = data.devices[lane.device as usize].clone();
                let buffer = device.allocate(bytes).map_err(|error| (name, error))?;
                (None, Some(buffer))
            }
        });
    }
    let mut views: BTreeMap<(u32, u64, usize), Buffer> = BTreeMap::new();
    let mut registers = Vec::new();
    for (index, register) in data.registers.iter().enumerate() {
        let (slots, stride) = (register.slots as usize, register.stride() as usize);
        let payload = match (register.storage, register.memory) {
            (Storage::Nowhere, _) => {
                registers.push(None);
                continue;
            }
            (Storage::Own, None) => {
                let block = Block::new(stride * slots);
                let block = block.map_err(|error| (register.name.clone(), error))?;
                Payload::Host { block: Arc::new(block), offset: 0, stride }
            }
            (Storage::Own, Some(device)) => {
                let device = accelerator(device).expect("verified: memory of an accelerator");
                let bytes = register.spec.bytes();
                let buffers: Result<Vec<Buffer>, String> =
                    (0..slots).map(|_| device.allocate(bytes)).collect();
                let buffers = buffers.map_err(|error| (register.name.clone(), error))?;
                Payload::Accelerator { buffers: buffers.into() }
            }
            (Storage::Arena { lane, offset }, None) => {
                let block = arenas[lane as usize].0.clone().expect("host lanes have a block");
                Payload::Host { block, offset: offset as usize, stride }
            }
            (Storage::Arena { lane, offset }, Some(device)) => {
                let device = accelerator(device).expect("verified: memory of an accelerator");
                let arena = arenas[lane as usize].1.as_ref().expect("the arena is not empty");
                let bytes = register.spec.bytes();
                // In-place pairs are recognised by sharing one buffer.
                let view = |slot: usize| (lane, offset + (slot * stride) as u64, bytes);
                let buffers: Vec<Buffer> = (0..slots)
                    .map(view)
                    .map(|key| {
                        let make = || device.view(arena, key.1 as usize, bytes);
                        views.entry(key).or_insert_with(make).clone()
                    })
                    .collect();
                Payload::Accelerator { buffers: buffers.into() }
            }
        };
        registers.push(Some((payload, headers(data, index, register))));
    }
    Ok(registers)
}

fn headers(data: &PlanData, index: usize, register: &Register) -> Headers {
    let mut readers: Vec<&Link> =
        data.links.iter().filter(|link| link.register as usize == index).collect();
    readers.sort_by_key(|link| link.reader);
    let slots = register.slots as usize;
    if readers.is_empty() {
        return Headers::Private((0..slots).map(|_| Slot::new()).collect());
    }
    let delays: Vec<usize> = readers.iter().map(|link| link.delay as usize).collect();
    Headers::Ring(Arc::new(Ring::new(slots, register.initial as usize, &delays)))
}

impl Assembler<'_> {
    fn port(&self, register: u32, rate: u32, start: u32) -> Port {
        let (payload, headers) =
            self.registers[register as usize].clone().expect("verified: the register exists");
        let spec = Arc::new(self.data.registers[register as usize].spec.clone());
        Port::new(spec, payload, headers, rate).starting_at(u64::from(start))
    }

    /// Writes parameters and initial tokens.
    fn fill(&mut self, options: &Options) -> Result<(), Faults> {
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if node.is_parameter() {
                let value = options.weights.value(self.graph, index, options.seed);
                for &register in &self.data.actors[index].outputs {
                    self.store(register, 0, Some(&value))?;
                }
            }
            for (edge, inlet) in node.inputs.iter().zip(&self.data.actors[index].inputs) {
                let register = &self.data.registers[inlet.register as usize];
                if inlet.delay > 0 && inlet.delay == register.initial {
                    for (slot, initial) in edge.initial.iter().enumerate() {
                        let value = self.initial(initial, &register.spec, options);
                        self.store(inlet.register, slot as u32, value.as_ref())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn initial(&self, initial: &Initial, spec: &Spec, options: &Options) -> Option<Value> {
        weights::value(initial, spec, options.seed)
    }

    #[expect(unsafe_code, reason = "nothing runs yet, so every slot is held here")]
    fn store(&self, register: u32, slot: u32, value: Option<&Value>) -> Result<(), Faults> {
        let port = self.port(register, 1, slot);
        let mut token = Token::default();
        token.fill_extents(&port.spec);
        token.state = if value.is_some() { State::VALUE } else { State::NULL };
        let Some(value) = value else {
            port.set_token(0, token);
            return Ok(());
        };
        token.set_extents(&port.spec, &value.extents);
        port.set_token(0, token);
        if let Some(buffer) = port.buffer(0) {
            let register = &self.data.registers[register as usize];
            let device = register.memory.expect("buffers are on an accelerator") as usize;
            let Device::Accelerator(device) = self.plan.placed.devices.device(device) else {
                unreachable!("verified: memory of an accelerator")
            };
            return device.upload(value.bytes(), buffer).map_err(|error| {
                let fault = Fault::new(Stage::Launch, Code::Device, register.name.clone());
                Faults::from(fault.found(error).wanted("its first value on the device"))
            });
        }
        // SAFETY: no lane has been started.
        let payload = unsafe { port.payload_mut(0) };
        payload[..value.bytes().len()].copy_from_slice(value.bytes());
        Ok(())
    }

    fn lane(&mut self, index: usize, options: &Options) -> Result<(Lane, Sleeper), Faults> {
        let lane = &self.data.lanes[index];
        let mut own: BTreeMap<u32, usize> = BTreeMap::new();
        let mut actors = Vec::new();
        let mut volleys = Vec::new();
        for &volley in &lane.volleys {
            for step in &self.data.volleys[volley as usize].steps {
                if !own.contains_key(&step.actor) {
                    own.insert(step.actor, actors.len());
                    actors.push(self.actor(step.actor)?);
                }
            }
            volleys.push(self.volley(volley as usize, index, &own));
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
            line: Line::default(),
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

    fn actor(&self, index: u32) -> Result<Actor, Faults> {
        let actor = &self.data.actors[index as usize];
        let node = &self.graph.nodes[index as usize];
        let refuse = |node: &crate::graph::Node, error: &dyn std::fmt::Display| {
            let fault = Fault::new(Stage::Launch, Code::NoKernel, node.path.clone());
            Faults::from(fault.found(error).wanted("the kernel of the plan").line(node.line))
        };
        let kernel = kernel(&self.plan.placed, index as usize).map_err(|e| refuse(node, &e))?;
        let inlet = |inlet: &crate::plan::Inlet, rate: u32| {
            let register = &self.data.registers[inlet.register as usize];
            let rate = if register.tokens == 0 { 0 } else { rate };
            self.port(inlet.register, rate, register.initial - inlet.delay)
        };
        let mut inputs: Vec<Port> = actor
            .inputs
            .iter()
            .zip(&node.contract.inputs)
            .map(|(own, port)| inlet(own, port.rate))
            .collect();
        let mut stages = Vec::new();
        for &stage in &actor.stages {
            let stage_node = &self.graph.nodes[stage as usize];
            let built = kernel_stage(self.plan, stage as usize)
                .ok_or_else(|| refuse(stage_node, &"no stage"))?;
            stages.push((built, inputs.len()));
            let constants = &self.data.actors[stage as usize].inputs[1..];
            inputs.extend(constants.iter().map(|own| inlet(own, 0)));
        }
        let output = |(&own, port): (&u32, &crate::operator::Port)| {
            self.port(own, port.rate, self.data.registers[own as usize].initial)
        };
        let outputs: Vec<Port> =
            actor.outputs.iter().zip(&node.contract.outputs).map(output).collect();
        let pair = InPlace::of(&inputs, &outputs);
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
        Ok(Actor {
            index: index as usize,
            kernel,
            stages,
            inputs,
            outputs,
            strict: tokens().map(|(i, _)| i as u32).filter(|&i| is_strict(i as usize)).collect(),
            tokens: tokens().map(holds).collect(),
            checked: tokens().filter(is_checked).map(holds).collect(),
            linked: tokens().filter_map(|(i, own)| Some((i as u32, own.link?))).collect(),
            held: (0..actor.outputs.len() as u32)
                .filter(|&o| self.data.registers[actor.outputs[o as usize] as usize].initial > 0)
                .collect(),
            written,
            probed: self.probed(actor),
            is_source: node.contract.is_source(),
            is_switch: matches!(node.contract.routing, Routing::Switch { .. }),
            is_merge: matches!(node.contract.routing, Routing::Merge { .. }),
            pair,
            moves,
            firings: 0,
        })
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
    fn written(&self, actor: &crate::plan::Actor, node: &crate::graph::Node) -> Vec<u32> {
        let routes = node.contract.is_source() || node.contract.routing != Routing::Static;
        let is_written = |&output: &u32| {
            let register = &self.data.registers[actor.outputs[output as usize] as usize];
            let inside = matches!(register.storage, Storage::Arena { .. });
            routes || !inside || !register.spec.is_fixed() || register.slots > 1
        };
        (0..actor.outputs.len() as u32).filter(is_written).collect()
    }

    fn volley(&self, index: usize, lane: usize, own: &BTreeMap<u32, usize>) -> Volley {
        let plan = &self.data.volleys[index];
        let members: Vec<u32> = plan.steps.iter().map(|step| step.actor).collect();
        let links = || self.data.links.iter().enumerate();
        let waits = links()
            .filter(|(_, link)| members.contains(&link.to))
            .map(|(at, link)| self.wait(at, link, lane))
            .collect();
        let mut grants = Vec::new();
        let mut steps = Vec::new();
        for (position, step) in plan.steps.iter().enumerate() {
            let first = grants.len();
            let is_last = members.iter().rposition(|&actor| actor == step.actor) == Some(position);
            let outputs = &self.data.actors[step.actor as usize].outputs;
            for &register in outputs.iter().filter(|_| is_last) {
                let Some((_, Headers::Ring(ring))) = &self.registers[register as usize] else {
                    continue;
                };
                let readers = links().filter(|(_, link)| link.register == register);
                let mut places: Vec<usize> = readers
                    .map(|(_, link)| self.place(link.to))
                    .filter(|&place| place != lane)
                    .collect();
                places.dedup();
                grants.push(Grant {
                    ring: ring.clone(),
                    tokens: u64::from(self.data.registers[register as usize].tokens),
                    tail: u64::from(self.data.registers[register as usize].initial),
                    slot: self.data.registers[register as usize].initial as usize
                        % ring.slots().len(),
                    oldest: 0,
                    readers: places.iter().map(|place| self.bells[place].clone()).collect(),
                });
            }
            steps.push(Step {
                actor: own[&step.actor],
                times: step.times,
                publishes: first..grants.len(),
            });
        }
        let contract = |actor: &u32| &self.graph.nodes[*actor as usize].contract;
        Volley {
            steps,
            waits,
            grants,
            has_effect: members.iter().any(|actor| contract(actor).effect),
            starts_with_source: contract(&members[0]).is_source(),
            ended: false,
            iteration: 0,
        }
    }

    fn wait(&self, at: usize, link: &Link, lane: usize) -> Wait {
        let register = &self.data.registers[link.register as usize];
        let Some((_, Headers::Ring(ring))) = &self.registers[link.register as usize] else {
            unreachable!("registers with links have rings")
        };
        let writer = self.place(link.from);
        let head = u64::from(register.initial - link.delay);
        self.meter(at, ring, head);
        Wait {
            ring: ring.clone(),
            reader: link.reader as usize,
            tokens: u64::from(register.tokens),
            head,
            slot: (head + u64::from(register.tokens) - 1) as usize % ring.slots().len(),
            writer: (writer != lane).then(|| self.bells[&writer].clone()),
            is_fed: writer >= self.data.lanes.len(),
            link: at,
        }
    }

    /// Lets the link's meter see the ring and where its reader starts.
    fn meter(&self, link: usize, ring: &Arc<Ring>, head: u64) {
        let meter = &self.shared.links[link];
        meter.head.set(head);
        assert!(meter.ring.set(ring.clone()).is_ok(), "a link has one reader");
    }

    /// Where an actor sleeps: its lane, or a place of its own outside.
    fn place(&self, actor: u32) -> usize {
        let lane = self.data.actors[actor as usize].lane;
        lane.map_or(self.data.lanes.len() + actor as usize, |lane| lane as usize)
    }

    fn feeds(&mut self, options: &Options) -> BTreeMap<String, Feed> {
        let mut feeds = BTreeMap::new();
        for index in ends(self.graph).collect::<Vec<_>>() {
            let node = &self.graph.nodes[index];
            if !matches!(node.role, Role::Feed) {
                continue;
            }
            let register = self.data.actors[index].outputs[0];
            let readers = self.data.links.iter().filter(|link| link.register == register);
            let bells = readers.map(|link| self.bells[&self.place(link.to)].clone()).collect();
            let initial = self.data.registers[register as usize].initial;
            let sleeper = self
                .sleepers
                .remove(&(self.data.lanes.len() + index))
                .expect("every feed has a sleeper");
            let port = self.port(register, 1, initial);
            let clock = options.clock.clone();
            let feed =
                Feed::new(port, u64::from(initial), (sleeper, bells), self.shared.clone(), clock);
            feeds.insert(node.path.clone(), feed);
        }
        feeds
    }

    fn outlets(&mut self) -> BTreeMap<String, Outlet> {
        let mut outlets = BTreeMap::new();
        for index in ends(self.graph).collect::<Vec<_>>() {
            let node = &self.graph.nodes[index];
            if !matches!(node.role, Role::Outlet) {
                continue;
            }
            let inlet = self.data.actors[index].inputs[0];
            let link = inlet.link.expect("outlets read over links") as usize;
            let plan = self.data.links[link];
            let head = self.data.registers[inlet.register as usize].initial - inlet.delay;
            let sleeper = self
                .sleepers
                .remove(&(self.data.lanes.len() + index))
                .expect("every outlet has a sleeper");
            let port = self.port(inlet.register, 1, head);
            self.meter(link, port.ring().expect("outlets read rings"), u64::from(head));
            let writer = self.bells[&self.place(plan.from)].clone();
            let reader = (plan.reader as usize, link);
            let outlet =
                Outlet::new(port, reader, u64::from(head), (sleeper, writer), self.shared.clone());
            outlets.insert(node.path.clone(), outlet);
        }
        outlets
    }
}

fn kernel_stage(plan: &Plan, index: usize) -> Option<Box<dyn crate::operator::PieceStage>> {
    kernel(&plan.placed, index).ok()?.stage()
}
