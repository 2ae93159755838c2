//! Marks: what operators say about themselves to each other, so that one may compute several.
//!
//! An operator may lay *marks* on its [`Contract`]: values of any type, which the runtime carries
//! and never looks into. An operator that reads others may have a *form*: a function that looks
//! back along its inputs, by marks, and tells the one operator that computes what they compute
//! together. The planner asks it and puts the form in their place where nobody could tell (see
//! [`crate::plan`]). So who absorbs names nobody whom it absorbs, and a user's operator is a part
//! of a form by laying the same mark.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::graph::{Edge, GraphData, Role};
use crate::operator::{Contract, Fusion, Operator};
use crate::spec::Spec;

/// What an operator says about itself: a value of a type that its readers may ask for.
#[derive(Clone)]
pub struct Mark(Arc<dyn Any + Send + Sync>);

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark")
    }
}

/// Finds the form of which a node is the last part.
pub type Recognise = fn(&Part<'_>) -> Option<Form>;

/// One operator that computes the first outputs of a node from what other nodes read.
#[derive(Clone, Debug)]
pub struct Form {
    /// The operator.
    pub operator: Arc<dyn Operator>,
    /// Its inputs. All nodes between them and the last part are parts.
    pub inputs: Vec<Stream>,
}

/// What a part reads at one of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    node: usize,
    input: usize,
}

impl Stream {
    pub(crate) fn edge(self, graph: &GraphData) -> &Edge {
        &graph.nodes[self.node].inputs[self.input]
    }
}

/// A node of a graph, as one that reads it sees it.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    graph: &'a GraphData,
    node: usize,
}

impl<'a> Part<'a> {
    pub(crate) fn new(graph: &'a GraphData, node: usize) -> Self {
        Self { graph, node }
    }

    /// Its mark of a type, where it laid one.
    #[must_use]
    pub fn mark<T: 'static>(&self) -> Option<&'a T> {
        let marks = &self.graph.nodes[self.node].contract.marks;
        marks.iter().find_map(|mark| mark.0.downcast_ref())
    }

    /// What it computes, unless it is a feed, a constant or a copy.
    #[must_use]
    pub fn operator(&self) -> Option<&'a Arc<dyn Operator>> {
        match &self.graph.nodes[self.node].role {
            Role::Operator(operator) => Some(operator),
            _ => None,
        }
    }

    /// How it fuses.
    #[must_use]
    pub fn fusion(&self) -> Fusion {
        self.graph.nodes[self.node].contract.fusion
    }

    /// How many inputs it has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.graph.nodes[self.node].inputs.len()
    }

    /// The spec of an input.
    #[must_use]
    pub fn input(&self, input: usize) -> &'a Spec {
        self.graph.spec(&self.graph.nodes[self.node].inputs[input])
    }

    /// What an input reads, as an input of a form.
    #[must_use]
    pub fn stream(&self, input: usize) -> Stream {
        Stream { node: self.node, input }
    }

    /// The node whose output 0 an input reads, unless a delay lies between.
    #[must_use]
    pub fn reads(&self, input: usize) -> Option<Self> {
        let edge = self.graph.nodes[self.node].inputs.get(input)?;
        let beside = edge.port == 0 && edge.delay() == 0;
        beside.then_some(Self { graph: self.graph, node: edge.source })
    }
}

impl Contract {
    /// Lays a mark.
    #[must_use]
    pub fn mark(mut self, mark: impl Any + Send + Sync) -> Self {
        self.marks.push(Mark(Arc::new(mark)));
        self
    }

    /// Sets how it finds a form of which it is the last part.
    #[must_use]
    pub fn form(mut self, recognise: Recognise) -> Self {
        self.form = Some(recognise);
        self
    }
}
