//! Interpret: the sequential reference that every plan and schedule is held against.
//!
//! Nodes fire one after the other in the checked order, each with registers of its own and queues
//! without bound between them: no lanes, no volleys, no rings, no sharing of memory, no fusion.

use std::collections::{BTreeMap, VecDeque};

use crate::crew::Crew;
use crate::graph::{Graph, GraphData, Role};
use crate::launch::Options;
use crate::operator::FireError;
use crate::solo::Solo;
use crate::value::Value;

/// Streams by path of their feed or outlet; none is null.
pub type Streams = BTreeMap<String, Vec<Option<Value>>>;

/// Runs `graph` on `feeds` until they or its sources end; gives what comes out.
///
/// # Errors
/// The first failure of a kernel, with the node's path.
pub fn interpret(graph: &Graph, options: &Options, feeds: &Streams) -> Result<Streams, FireError> {
    let data = &*graph.0;
    let mut interpreter = Interpreter::new(data, options, feeds)?;
    while interpreter.iteration()? {}
    Ok(interpreter.outlets)
}

struct Interpreter<'a> {
    graph: &'a GraphData,
    solos: Vec<Option<Solo>>,
    /// What waits at each input of each node.
    queues: Vec<Vec<VecDeque<Option<Value>>>>,
    constants: BTreeMap<usize, Value>,
    feeds: BTreeMap<usize, VecDeque<Option<Value>>>,
    outlets: Streams,
    crew: Crew,
}

impl<'a> Interpreter<'a> {
    fn new(graph: &'a GraphData, options: &Options, feeds: &Streams) -> Result<Self, FireError> {
        let mut solos = Vec::new();
        let mut queues = Vec::new();
        let mut constants = BTreeMap::new();
        let mut waiting = BTreeMap::new();
        let mut outlets = Streams::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let initial = node.inputs.iter().map(|edge| {
                let spec = graph.spec(edge);
                let value = |first| options.weights.first(first, spec, options.seed);
                edge.initial.iter().map(value).collect()
            });
            queues.push(initial.collect());
            let mut solo = None;
            match &node.role {
                Role::Operator(operator) => {
                    let inputs = node.inputs.iter().enumerate();
                    let is_constant = |(i, e)| graph.is_constant(e).then_some(i);
                    let constants: Vec<usize> = inputs.filter_map(is_constant).collect();
                    let specs = graph.input_specs(node);
                    let built = Solo::new(&**operator, &specs, &constants);
                    solo = Some(built.map_err(|error| at(&node.path, &error))?);
                }
                Role::Parameter(_) | Role::Derived { .. } => {
                    let value = options.weights.value(graph, index, options.seed);
                    constants.insert(index, value.map_err(|error| at(&node.path, &error))?);
                }
                Role::Feed => {
                    let stream = feeds.get(&node.path).cloned().unwrap_or_default();
                    waiting.insert(index, stream.into());
                }
                Role::Outlet => {
                    outlets.insert(node.path.clone(), Vec::new());
                }
                Role::Copy { .. } => {}
            }
            solos.push(solo);
        }
        let crew = Crew::solo();
        Ok(Self { graph, solos, queues, constants, feeds: waiting, outlets, crew })
    }

    /// Fires what can fire, each node at most as often as in one iteration; whether any did.
    fn iteration(&mut self) -> Result<bool, FireError> {
        let mut moved = false;
        for &(node, times) in &self.graph.order {
            for _ in 0..times {
                if !self.fire(node)? {
                    break;
                }
                moved = true;
            }
        }
        Ok(moved)
    }

    fn fire(&mut self, index: usize) -> Result<bool, FireError> {
        let node = &self.graph.nodes[index];
        if let Some(feed) = self.feeds.get_mut(&index) {
            let Some(value) = feed.pop_front() else { return Ok(false) };
            self.give(index, vec![value]);
            return Ok(true);
        }
        let Some(inputs) = self.take(index) else { return Ok(false) };
        match &node.role {
            Role::Outlet => {
                let stream = self.outlets.get_mut(&node.path).expect("every outlet has a stream");
                stream.extend(inputs);
            }
            Role::Copy { .. } => self.give(index, inputs),
            _ => {
                let solo = self.solos[index].as_mut().expect("operators have a kernel");
                match solo.fire(&inputs, &self.crew) {
                    Ok(outputs) => self.give(index, outputs),
                    Err(FireError::End) => return Ok(false),
                    Err(error) => return Err(at(&node.path, &error)),
                }
            }
        }
        Ok(true)
    }

    /// The inputs of one firing, if they are all there.
    fn take(&mut self, index: usize) -> Option<Vec<Option<Value>>> {
        let node = &self.graph.nodes[index];
        let rate = |input: usize| node.contract.inputs[input].rate as usize;
        for (input, edge) in node.inputs.iter().enumerate() {
            if !self.graph.is_constant(edge) && self.queues[index][input].len() < rate(input) {
                return None;
            }
        }
        let mut inputs = Vec::new();
        for (input, edge) in node.inputs.iter().enumerate() {
            match self.constants.get(&edge.source) {
                Some(value) => inputs.push(Some(value.clone())),
                None => inputs.extend(self.queues[index][input].drain(..rate(input))),
            }
        }
        Some(inputs)
    }

    /// Hands the outputs of one firing to everyone who reads them.
    fn give(&mut self, index: usize, outputs: Vec<Option<Value>>) {
        let node = &self.graph.nodes[index];
        let mut ports = Vec::new();
        for (port, rate) in node.contract.outputs.iter().map(|port| port.rate).enumerate() {
            ports.extend(std::iter::repeat_n(port, rate as usize));
        }
        for (port, value) in ports.into_iter().zip(outputs) {
            for (target, input, edge) in self.graph.token_edges() {
                if edge.source == index && edge.port == port {
                    self.queues[target][input].push_back(value.clone());
                }
            }
        }
    }
}

fn at(path: &str, error: &FireError) -> FireError {
    FireError::failed(format!("{path}: {error}"))
}
