//! Cycles of the extended graph: deadlock freedom, capacities and the predicted period.
//!
//! Nodes are volleys, feeds and outlets, each firing once an iteration. Edges carry tokens, counted
//! in whole iterations (Reiter, "Scheduling parallel computations", 1968):
//! - *data*: from writer to reader, `delay / tokens` ahead;
//! - *credit*: from reader back to writer, `(slots - delay) / tokens` ahead;
//! - *order*: from each volley of a lane to the next, and one token from the last to the first.
//!
//! The plan is live if and only if every directed cycle carries a token. Its period is the largest
//! ratio of seconds to tokens over all cycles, found by raising the ratio from cycle to cycle until
//! no cycle exceeds it. Capacities grow on the critical cycle until credits no longer bind: two
//! slots in a homogeneous pipeline, `s + 1` over a skip of `s` stages.

use serde::{Deserialize, Serialize};

use super::{PlanData, SLOTS_MAX};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::GraphData;

/// Iterations that one register may hold at most.
const DEPTH_MAX: u64 = 64;

/// Seconds that it takes to hand a token to another thread that is awake.
const HOP_S: f64 = 1e-6;

/// How close to the credit-free period is good enough.
const CLOSE_ENOUGH: f64 = 1.001;

/// The expected period of one iteration and the cycle that sets it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// Seconds from one iteration to the next, in steady state.
    pub seconds: f64,
    /// The critical cycle: what waits for what.
    pub cycle: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Data(usize),
    Credit(usize),
    Order,
}

#[derive(Clone, Copy, Debug)]
struct Arc {
    from: usize,
    to: usize,
    tokens: u64,
    why: Why,
}

struct Extended<'a> {
    data: &'a PlanData,
    /// Seconds of each node: volleys first, then one for every actor outside of a lane.
    seconds: Vec<f64>,
    arcs: Vec<Arc>,
}

/// Sets capacities and the period, or tells which cycle deadlocks.
pub(super) fn size(
    graph: &GraphData,
    limits: &super::Limits,
    data: &mut PlanData,
) -> Result<(), Faults> {
    let chosen: Vec<bool> = data
        .registers
        .iter()
        .map(|register| limits.capacities.contains_key(&register.name))
        .collect();
    for (register, &chosen) in data.registers.iter_mut().zip(&chosen) {
        if chosen {
            register.slots = u32::try_from(limits.capacities[&register.name]).unwrap_or(u32::MAX);
        }
    }
    fits(graph, data)?;
    let free = Extended::new(data, Credits::Endless);
    free.dead_cycle().map_or(Ok(()), |cycle| Err(free.deadlock(&cycle)))?;
    let (target, _) = free.critical();
    loop {
        let extended = Extended::new(data, Credits::Counted);
        extended.dead_cycle().map_or(Ok(()), |cycle| Err(extended.deadlock(&cycle)))?;
        let (seconds, cycle) = extended.critical();
        let growable = cycle.iter().filter_map(|&arc| match extended.arcs[arc].why {
            Why::Credit(link) => Some(data.links[link].register as usize),
            _ => None,
        });
        let depth = |register: usize| {
            let own = &data.registers[register];
            u64::from((own.slots - own.initial) / own.tokens.max(1))
        };
        let smallest = growable
            .filter(|&register| !chosen[register] && depth(register) < DEPTH_MAX)
            .min_by_key(|&register| data.registers[register].stride());
        match smallest.filter(|_| seconds > target * CLOSE_ENOUGH) {
            Some(register) => data.registers[register].slots += data.registers[register].tokens,
            None => {
                let cycle = cycle.iter().map(|&arc| extended.say(arc)).collect();
                data.period = Period { seconds, cycle };
                loosen(limits.slack, &chosen, data);
                return Ok(());
            }
        }
    }
}

/// Adds slack to every register, but for chosen ones, that a link carries between threads. More
/// credits cannot take a token off any cycle, so what was live stays live.
fn loosen(slack: u32, chosen: &[bool], data: &mut PlanData) {
    let lane = |actor: u32| data.actors[actor as usize].lane;
    let mut between: Vec<u32> = data
        .links
        .iter()
        .filter(|link| lane(link.from).is_none() || lane(link.from) != lane(link.to))
        .map(|link| link.register)
        .collect();
    between.sort_unstable();
    between.dedup();
    for register in between.into_iter().filter(|&register| !chosen[register as usize]) {
        let own = &mut data.registers[register as usize];
        // Beyond the largest ring the verifier says so.
        own.slots = own.slots.saturating_add(slack.saturating_mul(own.tokens));
    }
}

fn raise(register: &super::Register, least: u32) -> String {
    format!("raise the capacity of {} from {} to {least}", register.name, register.slots)
}

/// Every register must hold its initial tokens and those of one iteration.
fn fits(graph: &GraphData, data: &PlanData) -> Result<(), Faults> {
    let mut faults = Vec::new();
    let streams = data.registers.iter().enumerate().filter(|(_, register)| register.tokens > 0);
    for (index, register) in streams {
        let inside = is_read_inside(data, index as u32) || !is_linked(data, index as u32);
        // Updated in place, a token takes the slot of the one before.
        let in_place =
            register.slots == register.initial && super::update::is_in_place(graph, data, index);
        let tokens = if inside && !in_place { register.tokens } else { 0 };
        let least = register.initial + tokens;
        if register.slots < least.max(1) {
            let fault = Fault::new(Stage::Plan, Code::Deadlock, register.name.clone());
            let fault = fault.found(format!("a capacity of {}", register.slots));
            let fault = fault.wanted(format!("at least {} tokens", least.max(1)));
            faults.push(fault.hint(raise(register, least.max(1))));
        }
        if register.slots > SLOTS_MAX {
            let fault = Fault::new(Stage::Plan, Code::Memory, register.name.clone());
            let fault = fault.found(format!("a capacity of {}", register.slots));
            let fault = fault.wanted(format!("at most {SLOTS_MAX} tokens"));
            faults.push(fault.hint("lower its capacity, its delay or its rate"));
        }
    }
    Faults::or(faults, || ())
}

fn is_linked(data: &PlanData, register: u32) -> bool {
    data.links.iter().any(|link| link.register == register)
}

/// Whether somebody reads it in the volley of its writer, where no credit is asked for.
pub(super) fn is_read_inside(data: &PlanData, register: u32) -> bool {
    let mut inlets = data.actors.iter().flat_map(|actor| &actor.inputs);
    inlets.any(|inlet| inlet.register == register && inlet.link.is_none())
}

/// Verifies that a finished plan is live; the text names the cycle.
pub(super) fn live(data: &PlanData) -> Result<(), Faults> {
    let extended = Extended::new(data, Credits::Counted);
    extended.dead_cycle().map_or(Ok(()), |cycle| Err(extended.deadlock(&cycle)))
}

/// The period with other seconds for each actor, such as measured ones.
pub(super) fn period(data: &PlanData, seconds: &dyn Fn(&super::Actor) -> f64) -> Period {
    let mut data = data.clone();
    let own: Vec<f64> = data.actors.iter().map(seconds).collect();
    for (actor, seconds) in data.actors.iter_mut().zip(own) {
        actor.seconds = seconds;
    }
    let extended = Extended::new(&data, Credits::Counted);
    let (seconds, cycle) = extended.critical();
    Period { seconds, cycle: cycle.iter().map(|&arc| extended.say(arc)).collect() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Credits {
    Counted,
    Endless,
}

impl<'a> Extended<'a> {
    fn new(data: &'a PlanData, credits: Credits) -> Self {
        let volley_of = data.volley_of();
        let volleys = data.volleys.len();
        // Fused actors cost what they cost, within the volley of their producer.
        let home = |actor: usize| {
            let producer = data.actors[actor].fused_into.map_or(actor, |index| index as usize);
            volley_of[producer].unwrap_or(volleys + producer)
        };
        let mut seconds = vec![0.0; volleys + data.actors.len()];
        for (index, actor) in data.actors.iter().enumerate() {
            if actor.lane.is_some() {
                seconds[home(index)] += actor.seconds * f64::from(actor.times);
            } else {
                seconds[home(index)] += HOP_S;
            }
        }
        let mut arcs = Vec::new();
        for lane in &data.lanes {
            let volleys = &lane.volleys;
            for (place, &volley) in volleys.iter().enumerate() {
                let next = (place + 1) % volleys.len();
                let (from, to) = (volley as usize, volleys[next] as usize);
                arcs.push(Arc { from, to, tokens: u64::from(next == 0), why: Why::Order });
            }
        }
        for (index, link) in data.links.iter().enumerate() {
            let register = &data.registers[link.register as usize];
            let tokens = u64::from(register.tokens);
            let delay = u64::from(link.delay);
            let (from, to) = (home(link.from as usize), home(link.to as usize));
            arcs.push(Arc { from, to, tokens: delay / tokens, why: Why::Data(index) });
            if credits == Credits::Counted {
                let tokens = (u64::from(register.slots) - delay) / tokens;
                arcs.push(Arc { from: to, to: from, tokens, why: Why::Credit(index) });
            }
        }
        Self { data, seconds, arcs }
    }

    /// A cycle without a token, as arcs in order, if there is one.
    fn dead_cycle(&self) -> Option<Vec<usize>> {
        let mut leaving = vec![Vec::new(); self.seconds.len()];
        for (index, arc) in self.arcs.iter().enumerate().filter(|(_, arc)| arc.tokens == 0) {
            leaving[arc.from].push(index);
        }
        // Depth first with an explicit stack: 0 unseen, 1 on the path, 2 done.
        let mut seen = vec![0_u8; self.seconds.len()];
        for start in 0..self.seconds.len() {
            if seen[start] != 0 {
                continue;
            }
            seen[start] = 1;
            let mut path: Vec<usize> = Vec::new();
            let mut stack = vec![(start, 0)];
            while let Some((node, next)) = stack.last_mut() {
                let Some(&arc) = leaving[*node].get(*next) else {
                    seen[*node] = 2;
                    stack.pop();
                    path.pop();
                    continue;
                };
                *next += 1;
                let to = self.arcs[arc].to;
                if seen[to] == 1 {
                    path.push(arc);
                    let first = path.iter().position(|&arc| self.arcs[arc].from == to);
                    return first.map(|first| path.split_off(first));
                }
                if seen[to] == 0 {
                    seen[to] = 1;
                    path.push(arc);
                    stack.push((to, 0));
                }
            }
        }
        None
    }

    /// The largest ratio of seconds to tokens over all cycles, and a cycle that has it.
    fn critical(&self) -> (f64, Vec<usize>) {
        let mut best = (0.0, Vec::new());
        while let Some(cycle) = self.exceeding(best.0) {
            let seconds: f64 = cycle.iter().map(|&arc| self.seconds[self.arcs[arc].from]).sum();
            let tokens: u64 = cycle.iter().map(|&arc| self.arcs[arc].tokens).sum();
            assert!(tokens > 0, "dead cycles were refused before");
            let ratio = seconds / tokens as f64;
            if ratio <= best.0 * (1.0 + 1e-9) {
                break;
            }
            best = (ratio, cycle);
        }
        best
    }

    /// A cycle whose seconds exceed `ratio` times its tokens (Bellman and Ford's longest paths).
    fn exceeding(&self, ratio: f64) -> Option<Vec<usize>> {
        let nodes = self.seconds.len();
        let mut distance = vec![0.0; nodes];
        let mut by: Vec<Option<usize>> = vec![None; nodes];
        let mut changed = None;
        for _ in 0..=nodes {
            changed = None;
            for (index, arc) in self.arcs.iter().enumerate() {
                let length = self.seconds[arc.from] - ratio * arc.tokens as f64;
                let through = distance[arc.from] + length;
                if through > distance[arc.to] + 1e-12 * (1.0 + through.abs()) {
                    distance[arc.to] = through;
                    by[arc.to] = Some(index);
                    changed = Some(arc.to);
                }
            }
            changed?;
        }
        let mut node = changed?;
        for _ in 0..nodes {
            node = self.arcs[by[node]?].from;
        }
        let mut cycle = Vec::new();
        let first = node;
        loop {
            let arc = by[node]?;
            cycle.push(arc);
            node = self.arcs[arc].from;
            if node == first {
                cycle.reverse();
                return Some(cycle);
            }
        }
    }

    fn name(&self, node: usize) -> &str {
        let volleys = &self.data.volleys;
        let actor = match volleys.get(node) {
            Some(volley) => volley.steps[0].actor as usize,
            None => node - volleys.len(),
        };
        &self.data.actors[actor].path
    }

    /// One arc of a cycle, for people.
    fn say(&self, arc: usize) -> String {
        let arc = self.arcs[arc];
        let by = match arc.why {
            Why::Data(link) => format!("data {}", self.register(link).name),
            Why::Credit(link) => {
                format!(
                    "credits of {} ({} slots)",
                    self.register(link).name,
                    self.register(link).slots
                )
            }
            Why::Order => "lane order".to_owned(),
        };
        format!("{} -[{by}, {} token(s)]-> {}", self.name(arc.from), arc.tokens, self.name(arc.to))
    }

    fn register(&self, link: usize) -> &super::Register {
        &self.data.registers[self.data.links[link].register as usize]
    }

    fn deadlock(&self, cycle: &[usize]) -> Faults {
        let says: Vec<String> = cycle.iter().map(|&arc| self.say(arc)).collect();
        let hint = cycle.iter().find_map(|&arc| match self.arcs[arc].why {
            Why::Credit(link) => {
                let (own, link) = (self.register(link), self.data.links[link]);
                let least = own.tokens + link.delay;
                Some(raise(own, least))
            }
            _ => None,
        });
        let hint = hint.unwrap_or_else(|| {
            "change the lane order, or add an initial token to an edge of the cycle".to_owned()
        });
        let first = self.name(self.arcs[cycle[0]].from).to_owned();
        let fault = Fault::new(Stage::Plan, Code::Deadlock, first);
        let fault =
            fault.found(format!("a cycle without a token:\n      {}", says.join("\n      ")));
        Faults::from(fault.wanted("a token on every cycle").hint(hint))
    }
}

impl super::Plan {
    /// The period of one iteration if a firing of each actor took `seconds(path)`, and the cycle
    /// that sets it: the maximum cycle ratio of the extended graph.
    #[must_use]
    pub fn period(&self, seconds: &dyn Fn(&str) -> Option<f64>) -> Period {
        period(&self.data, &|actor| seconds(&actor.path).unwrap_or(actor.seconds))
    }
}
