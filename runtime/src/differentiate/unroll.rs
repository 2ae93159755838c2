//! Unroll: a window of iterations as one, so that a gradient goes back through delays.
//!
//! Every node of the graph is there once for each step of the window, below `step<k>`; parameters
//! are shared. What a step reads behind a delay is the earlier step itself, or what the window
//! before left (truncated), or an initial token (full).

use super::{Arithmetic, Question, Through};
use crate::define::{Draft, Initial, Wire};
use crate::graph::{Edge, Graph, GraphData, Node, Role};

/// The unrolled draft and the loss of every step.
pub(super) fn unroll(
    graph: &Graph,
    arithmetic: Arithmetic,
    question: &Question,
    steps: usize,
) -> (Draft, Vec<Wire>) {
    let restarts = matches!(question.through, Through::Full(_));
    let mut unroller = Unroller {
        graph: &graph.0,
        arithmetic,
        steps,
        restarts,
        draft: Draft::new(),
        wires: vec![Vec::new(); graph.0.nodes.len()],
        opened: Vec::new(),
        pace: None,
    };
    unroller.shared();
    for step in 0..steps {
        for &(node, _) in &graph.0.order {
            unroller.step(node, step);
        }
    }
    let node = graph.0.index_of(&question.loss).expect("the path was looked up before");
    let losses = unroller.finish(node);
    (unroller.draft, losses)
}

struct Unroller<'a> {
    graph: &'a GraphData,
    arithmetic: Arithmetic,
    steps: usize,
    restarts: bool,
    draft: Draft,
    /// The outputs of each node at each step so far: `[node][step][port]`.
    wires: Vec<Vec<Vec<Wire>>>,
    /// Feedbacks from window to window, with the node, step and port that close them.
    opened: Vec<(crate::define::Feedback, (usize, usize, usize))>,
    /// A stream of one token a window, for initial tokens to keep pace with.
    pace: Option<Wire>,
}

impl Unroller<'_> {
    /// Feeds, whose tokens are dealt to the steps, and parameters, which all steps share.
    fn shared(&mut self) {
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let wires = match &node.role {
                Role::Feed => {
                    let feed = self
                        .draft
                        .redefine(node, |draft, name| draft.feed(name, node.outputs[0].clone()));
                    let dealt = (self.arithmetic.deal)(&mut self.draft, feed, self.steps);
                    self.pace = self.pace.or(dealt.first().copied());
                    dealt
                }
                Role::Parameter(initial) => {
                    let parameter = self.draft.redefine(node, |draft, name| {
                        draft.parameter(name, node.outputs[0].clone(), initial.clone())
                    });
                    vec![parameter; self.steps]
                }
                Role::Derived { operator, sources } => {
                    let source = |path: &String| {
                        let source = self.graph.index_of(path).expect("sources are nodes");
                        self.wires[source][0][0]
                    };
                    let sources: Vec<Wire> = sources.iter().map(source).collect();
                    let derived = self.draft.redefine(node, |draft, name| {
                        draft.apply_shared(name, operator.clone(), &sources)
                    });
                    vec![derived[0]; self.steps]
                }
                _ => continue,
            };
            self.wires[index] = wires.into_iter().map(|wire| vec![wire]).collect();
        }
    }

    /// One node at one step.
    fn step(&mut self, index: usize, step: usize) {
        let node = &self.graph.nodes[index];
        let Role::Operator(operator) = &node.role else { return };
        let inputs: Vec<Wire> = node.inputs.iter().map(|edge| self.input(edge, step)).collect();
        let outputs = self.draft.scope(&format!("step{step}"), |draft| {
            draft.redefine(node, |draft, name| draft.apply_shared(name, operator.clone(), &inputs))
        });
        self.wires[index].push(outputs);
    }

    /// What a node reads at a step.
    fn input(&mut self, edge: &Edge, step: usize) -> Wire {
        let delay = edge.delay();
        if delay <= step {
            return self.wires[edge.source][step - delay][edge.port];
        }
        let spec = self.graph.spec(edge).clone();
        if self.restarts {
            return self.initial(spec, &edge.initial[step].initial);
        }
        // Token `step + window * steps` of a stream that begins with the initial tokens.
        let windows = (delay - step).div_ceil(self.steps);
        let source = (edge.source, windows * self.steps + step - delay, edge.port);
        let initial = |window: usize| edge.initial[window * self.steps + step].initial.clone();
        let (wire, feedback) = self.draft.feedback(spec, 1, initial(windows - 1));
        self.opened.push((feedback, source));
        // The delay nearest to the reader holds the oldest tokens.
        (0..windows - 1).rev().fold(wire, |wire, window| self.draft.delay(wire, 1, initial(window)))
    }

    /// An initial token as a stream of one token a window.
    fn initial(&mut self, spec: crate::spec::Spec, initial: &Initial) -> Wire {
        let name = format!("initial{}", self.draft.nodes.len());
        let constant = self.draft.parameter(&name, spec, initial.clone());
        match self.pace {
            Some(pace) => (self.arithmetic.pace)(&mut self.draft, constant, pace),
            None => constant,
        }
    }

    /// Gives the feedbacks from window to window their sources.
    fn close(&mut self) {
        for (feedback, (node, step, port)) in std::mem::take(&mut self.opened) {
            let wire = self.wires[node][step][port];
            self.draft.close(feedback, wire);
        }
    }

    /// Collects the outlets again and closes what is open; gives the losses.
    fn finish(&mut self, loss: usize) -> Vec<Wire> {
        let mut losses = Vec::new();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if !matches!(node.role, Role::Outlet) {
                continue;
            }
            let edge = &node.inputs[0];
            let wires: Vec<Wire> = (0..self.steps).map(|step| self.input(edge, step)).collect();
            let stream = (self.arithmetic.collect)(&mut self.draft, &wires);
            self.draft.redefine(node, |draft, name| draft.outlet(name, stream));
            if index == loss {
                losses = wires;
            }
        }
        self.close();
        losses
    }
}

impl Draft {
    /// Builds a node of another graph again, under its path below the present scope, and with its
    /// line and device.
    fn redefine<R>(&mut self, node: &Node, build: impl FnOnce(&mut Self, &str) -> R) -> R {
        self.like(node.line, node.device.clone(), |draft| match node.path.rsplit_once('/') {
            Some((scope, name)) => draft.scope(scope, |draft| build(draft, name)),
            None => build(draft, &node.path),
        })
    }
}
