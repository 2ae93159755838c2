//! Graph: checked and immutable.
//!
//! Only [`crate::define::Draft::check`] makes one, so whoever holds a graph may rely on: all
//! shapes fit, rates balance, one iteration can run from the initial tokens and returns to them,
//! and no node waits for inputs that can never be present together.

mod member; // nodes as others see them

use std::fmt;
use std::sync::Arc;

use crate::algebra::Time;
use crate::define::Initial;
use crate::fault::Line;
use crate::operator::{Contract, Metadata, Operator};
use crate::spec::Spec;

pub use member::{Member, Part, Source};

/// A checked graph; cloning shares it.
#[derive(Clone, Debug)]
pub struct Graph(pub(crate) Arc<GraphData>);

#[derive(Debug)]
pub(crate) struct GraphData {
    pub(crate) nodes: Vec<Node>,
    /// Parameters that are updated: feedback edges, not nodes.
    pub(crate) updated: Vec<Updated>,
    /// One iteration as runs of firings `(node, times)` that is possible from the initial tokens.
    pub(crate) order: Vec<(usize, u64)>,
}

/// What a node is to the runtime.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Operator(Arc<dyn Operator>),
    Feed,
    Outlet,
    Parameter(Initial),
    /// An operator over constants alone, named by path: a constant too, computed once at launch.
    Derived {
        operator: Arc<dyn Operator>,
        sources: Vec<String>,
    },
    /// Moves tokens to the memory of a device, or of the host; only `place` adds these.
    Copy {
        to: Option<usize>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) role: Role,
    pub(crate) contract: Contract,
    pub(crate) inputs: Vec<Edge>,
    pub(crate) outputs: Vec<Spec>,
    pub(crate) metadata: Metadata,
    /// The device that the user chose.
    pub(crate) device: Option<String>,
    /// Firings in one iteration; 0 for a parameter.
    pub(crate) repetitions: u64,
    pub(crate) line: Line,
}

/// A parameter that is updated.
#[derive(Clone, Debug)]
pub(crate) struct Updated {
    pub(crate) path: String,
    pub(crate) initial: Initial,
    pub(crate) spec: Spec,
    pub(crate) line: Line,
}

/// An initial token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct First {
    pub(crate) initial: Initial,
    /// The path of the updated parameter whose first value it is, if it is one.
    pub(crate) parameter: Option<Arc<str>>,
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) source: usize,
    pub(crate) port: usize,
    /// Initial tokens, oldest first.
    pub(crate) initial: Vec<First>,
}

impl Edge {
    pub(crate) fn delay(&self) -> usize {
        self.initial.len()
    }
}

impl Node {
    pub(crate) fn is_parameter(&self) -> bool {
        matches!(self.role, Role::Parameter(_) | Role::Derived { .. })
    }

    /// Whether it is a constant of its own, with a first value.
    pub(crate) fn is_weight(&self) -> bool {
        matches!(self.role, Role::Parameter(_))
    }

    /// What it runs, for people.
    pub(crate) fn label(&self) -> String {
        match &self.role {
            Role::Operator(operator) => format!("{operator:?}"),
            Role::Feed => "feed".into(),
            Role::Outlet => "outlet".into(),
            Role::Parameter(_) => "parameter".into(),
            Role::Derived { operator, sources } => format!("{operator:?} of {sources:?}"),
            Role::Copy { .. } => "copy".into(),
        }
    }
}

impl GraphData {
    pub(crate) fn spec(&self, edge: &Edge) -> &Spec {
        &self.nodes[edge.source].outputs[edge.port]
    }

    pub(crate) fn input_specs(&self, node: &Node) -> Vec<Spec> {
        node.inputs.iter().map(|edge| self.spec(edge).clone()).collect()
    }

    /// Whether an edge carries a constant of the run.
    pub(crate) fn is_constant(&self, edge: &Edge) -> bool {
        self.nodes[edge.source].is_parameter()
    }

    /// Every edge that carries tokens, as `(target, input, edge)`.
    pub(crate) fn token_edges(&self) -> impl Iterator<Item = (usize, usize, &Edge)> {
        self.nodes.iter().enumerate().flat_map(move |(target, node)| {
            let edges = node.inputs.iter().enumerate();
            edges
                .filter(|(_, edge)| !self.is_constant(edge))
                .map(move |(input, edge)| (target, input, edge))
        })
    }

    /// Path, spec and line of every parameter: constants in the order of definition, then those
    /// that are updated.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &Spec, Line)> {
        let constants = self.nodes.iter().filter(|node| node.is_weight());
        let constants = constants.map(|node| (node.path.as_str(), &node.outputs[0], node.line));
        let updated = self.updated.iter().map(|own| (own.path.as_str(), &own.spec, own.line));
        constants.chain(updated)
    }

    pub(crate) fn index_of(&self, path: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.path == path)
    }

    /// A number that two graphs share only if they are the same: FNV-1a over their description.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hash = Fnv(0xCBF2_9CE4_8422_2325);
        for node in &self.nodes {
            hash.add(&node.path);
            hash.add(&node.label());
            for edge in &node.inputs {
                hash.add(&format!("{}.{} {:?}", edge.source, edge.port, edge.initial.len()));
            }
            for spec in &node.outputs {
                hash.add(&spec.to_string());
            }
        }
        hash.0
    }
}

struct Fnv(u64);

impl Fnv {
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0xFF]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

impl Graph {
    /// Multiply-adds of one iteration, exact.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.0.nodes.iter().map(|node| node.metadata.macs * node.repetitions).sum()
    }

    /// Multiply-adds of the nodes below a path.
    #[must_use]
    pub fn macs_under(&self, path: &str) -> u64 {
        let nodes = self.0.nodes.iter().filter(|node| is_under(&node.path, path));
        nodes.map(|node| node.metadata.macs * node.repetitions).sum()
    }

    /// Elements of all parameters.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.parameters_under("")
    }

    /// Elements of the parameters below a path.
    #[must_use]
    pub fn parameters_under(&self, path: &str) -> u64 {
        let own = self.0.parameters().filter(|(own, ..)| is_under(own, path));
        own.map(|(_, spec, _)| spec.elements() as u64).sum()
    }

    /// Path and spec of every parameter: constants in the order of definition, then those that are
    /// updated.
    pub fn parameter_list(&self) -> impl Iterator<Item = (&str, &Spec)> {
        self.0.parameters().map(|(path, spec, _)| (path, spec))
    }

    /// Path and spec of every feed, in the order of definition.
    pub fn feeds(&self) -> impl Iterator<Item = (&str, &Spec)> {
        let nodes = self.0.nodes.iter().filter(|node| matches!(node.role, Role::Feed));
        nodes.map(|node| (node.path.as_str(), &node.outputs[0]))
    }

    /// Path and spec of every outlet, in the order of definition.
    pub fn outlets(&self) -> impl Iterator<Item = (&str, &Spec)> {
        let nodes = self.0.nodes.iter().filter(|node| matches!(node.role, Role::Outlet));
        nodes.map(|node| (node.path.as_str(), self.0.spec(&node.inputs[0])))
    }

    /// Path, operator name and multiply-adds of every node that fires, in the order of definition.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let nodes = self.0.nodes.iter().filter(|node| node.repetitions > 0);
        nodes.map(|node| (node.path.as_str(), node.contract.name, node.metadata.macs))
    }

    /// The longest time algebra from any feed or source to the outlet `path`, over edges without
    /// feedback; none when the outlet does not exist or branches of different strides meet.
    #[must_use]
    pub fn time(&self, path: &str) -> Option<Time> {
        let graph = &*self.0;
        let mut times: Vec<Option<Time>> = vec![Some(Time::INSTANT); graph.nodes.len()];
        for &(index, _) in &graph.order {
            let node = &graph.nodes[index];
            let mut joined = None;
            for edge in node.inputs.iter().filter(|edge| !graph.is_constant(edge)) {
                let own = times[edge.source]?.then(Time::delay(edge.delay() as u64));
                joined = Some(joined.map_or(Some(own), |time: Time| time.beside(own))?);
            }
            times[index] = Some(joined.unwrap_or(Time::INSTANT).then(node.metadata.time));
        }
        times[graph.index_of(path)?]
    }
}

/// Whether `path` is `prefix` or lies below it.
pub(crate) fn is_under(path: &str, prefix: &str) -> bool {
    prefix.is_empty()
        || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in &self.0.nodes {
            write!(f, "{} = {}(", node.path, node.contract.name)?;
            for (index, edge) in node.inputs.iter().enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                write!(f, "{separator}{}", self.0.nodes[edge.source].path)?;
                if edge.delay() > 0 {
                    write!(f, "[-{}]", edge.delay())?;
                }
            }
            f.write_str(")")?;
            for spec in &node.outputs {
                write!(f, " -> {spec}")?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}
