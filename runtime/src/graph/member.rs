//! Nodes of a graph as others see them: who writes a graph down in another format.

use super::{Edge, Graph, Role};
use crate::operator::Operator;
use crate::spec::Spec;

/// What a node is.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// It takes tokens from outside.
    Feed,
    /// It gives tokens to the outside.
    Outlet,
    /// A constant with a first value.
    Parameter,
    /// It computes, be it once at launch.
    Operator(&'a dyn Operator),
}

/// Where an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The index of the node.
    pub node: usize,
    /// The index of its output.
    pub port: usize,
    /// Initial tokens on the way.
    pub delay: usize,
}

impl Source {
    fn of(edge: &Edge) -> Self {
        Self { node: edge.source, port: edge.port, delay: edge.delay() }
    }
}

/// A node.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its path.
    pub path: &'a str,
    /// What it is.
    pub part: Part<'a>,
    /// Where its inputs come from.
    pub inputs: Vec<Source>,
    /// The specs of its outputs.
    pub outputs: &'a [Spec],
    /// Firings in one iteration; 0 for a constant.
    pub repetitions: u64,
}

impl Graph {
    /// Every node, in the order of definition; sources are told by their index in it.
    #[must_use]
    pub fn members(&self) -> Vec<Member<'_>> {
        let graph = &*self.0;
        let source = |path: &String| {
            let node = graph.index_of(path).expect("sources are nodes of the graph");
            Source { node, port: 0, delay: 0 }
        };
        let nodes = graph.nodes.iter().map(|node| {
            let inputs = match &node.role {
                Role::Derived { sources, .. } => sources.iter().map(source).collect(),
                _ => node.inputs.iter().map(Source::of).collect(),
            };
            let part = match &node.role {
                Role::Feed => Part::Feed,
                Role::Outlet => Part::Outlet,
                Role::Parameter(_) => Part::Parameter,
                Role::Operator(operator) | Role::Derived { operator, .. } => {
                    Part::Operator(&**operator)
                }
                Role::Copy { .. } => unreachable!("only `place` adds copies"),
            };
            Member {
                path: &node.path,
                part,
                inputs,
                outputs: &node.outputs,
                repetitions: node.repetitions,
            }
        });
        nodes.collect()
    }
}
