//! Who waits for whom: volleys with their streams and rings, feeds and outlets with their bells.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Options;
use super::assemble::{Assembler, ends};
use crate::actor::register::Headers;
use crate::actor::ring::Ring;
use crate::actor::volley::{Grant, Step, Volley, Wait};
use crate::graph::Role;
use crate::plan::Link;
use crate::run::{Feed, Outlet};

impl Assembler<'_> {
    pub(super) fn volley(
        &self,
        index: usize,
        lane: usize,
        own: &BTreeMap<u32, usize>,
        options: &Options,
    ) -> Volley {
        let plan = &self.data.volleys[index];
        let members: Vec<u32> = plan.steps.iter().map(|step| step.actor).collect();
        let links = || self.data.links.iter().enumerate();
        let waits: Vec<Wait> = links()
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
            grants,
            has_effect: members.iter().any(|actor| contract(actor).effect),
            starts_by_itself: waits.is_empty() || contract(&members[0]).is_source(),
            waits,
            ended: false,
            iteration: options.before(),
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
            port: self.port(link.register, 1, register.initial - link.delay),
        }
    }

    /// Lets the link's meter see the ring and where its reader starts.
    fn meter(&self, link: usize, ring: &Arc<Ring>, head: u64) {
        let meter = &self.shared.links[link];
        meter.head.set(head);
        assert!(meter.ring.set(ring.clone()).is_ok(), "a link has one reader");
    }

    /// Where an actor sleeps: its lane, or a place of its own outside.
    pub(super) fn place(&self, actor: u32) -> usize {
        let lane = self.data.actors[actor as usize].lane;
        lane.map_or(self.data.lanes.len() + actor as usize, |lane| lane as usize)
    }

    pub(super) fn feeds(&mut self, options: &Options) -> BTreeMap<String, Feed> {
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
            let tokens = u64::from(self.data.registers[register as usize].tokens);
            let sequence = options.before() * tokens;
            let mut feed =
                Feed::new(port, u64::from(initial), (sleeper, bells), self.shared.clone(), clock);
            feed.starts_at(sequence);
            feeds.insert(node.path.clone(), feed);
        }
        feeds
    }

    pub(super) fn outlets(&mut self) -> BTreeMap<String, Outlet> {
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
