//! Differentiate: a graph becomes one that also computes the gradient of its loss.
//!
//! [`gradients`] walks a draft from the loss towards what it is differentiated by and asks every
//! operator on the way for its [`Gradient`]. What it adds are ordinary nodes, below the scope
//! `gradient`, on the device of the node that they belong to: they are checked, placed, planned and
//! differentiated like any other.
//!
//! # Rules
//! 1. A node is asked once, after everything that reads it: the gradient of its outputs is the sum
//!    of what its readers gave, in the order in which the readers were asked, which is fixed by the
//!    draft alone.
//! 2. A delay is where an iteration ends, so a gradient does not pass it. [`differentiate`] unrolls
//!    a window of iterations first when it shall pass ([`Through`]).
//! 3. Behind a switch, a gradient is null where its branch was not taken. Where it joins a stream
//!    that is always there, a merge by the same selector gives zeros instead.
//! 4. What has no derivative is a fault that names the way from the loss to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::define::{Draft, Kind, Wire};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::graph::Graph;
use crate::operator::Operator;

mod gradient; // what an operator knows about its derivative
mod presence; // where a stream behind a switch has values
mod unroll; // a window of iterations as one

pub use gradient::{Arithmetic, Backward, Gradient};

/// How far gradients go back in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// Not past a delay: each iteration by itself.
    Cut,
    /// Through windows of this many iterations, whose state goes on from window to window:
    /// truncated back-propagation through time.
    Truncated(usize),
    /// Through whole sequences of this many iterations, each starting from the initial tokens.
    Full(usize),
}

/// What is differentiated by what.
#[derive(Clone, Debug)]
pub struct Question {
    /// The outlet that gives the loss, a stream of one-element tokens.
    pub loss: String,
    /// The parameters and feeds, by path.
    pub by: Vec<String>,
    /// How far gradients go back in time.
    pub through: Through,
}

impl Question {
    /// The loss at an outlet by parameters and feeds, each iteration by itself.
    #[must_use]
    pub fn new(loss: &str, by: &[&str]) -> Self {
        let by = by.iter().map(|&path| path.to_owned()).collect();
        Self { loss: loss.to_owned(), by, through: Through::Cut }
    }

    /// Sets how far gradients go back in time.
    #[must_use]
    pub fn through(mut self, through: Through) -> Self {
        self.through = through;
        self
    }
}

/// The graph with one more outlet, `gradient/<path>`, for each path that the loss is differentiated
/// by. Unrolled, an iteration is a whole window: the gradient is that of the sum of its losses.
///
/// # Errors
/// Paths that do not exist, a loss of more than one element, operators without a derivative on the
/// way, and whatever the check of the new graph finds.
pub fn differentiate(
    graph: &Graph,
    arithmetic: Arithmetic,
    question: &Question,
) -> Result<Graph, Faults> {
    let steps = match question.through {
        Through::Cut => 1,
        Through::Truncated(steps) | Through::Full(steps) => steps,
    };
    let mut faults = unknown(graph, question);
    if question.through != Through::Cut && graph.0.nodes.iter().any(|n| n.repetitions > 1) {
        let fault = Fault::new(Stage::Differentiate, Code::Rate, "");
        let fault = fault.found("nodes that fire several times in an iteration");
        let fault = fault.wanted("one firing of each node, to unroll iterations");
        faults.push(fault.hint("differentiate each iteration by itself: `Through::Cut`"));
    }
    if steps == 0 {
        let fault = Fault::new(Stage::Differentiate, Code::Option, "");
        faults.push(fault.found("a window of 0 iterations").wanted("at least one"));
    }
    Faults::or(faults, || ())?;
    let (mut draft, losses) = match question.through {
        Through::Cut => {
            let draft = graph.reopen();
            let loss = draft.read_by(&question.loss);
            (draft, vec![loss])
        }
        _ => unroll::unroll(graph, arithmetic, question, steps),
    };
    let ones: Vec<(Wire, Wire)> =
        losses.iter().map(|&loss| (loss, (arithmetic.fill)(&mut draft, loss, 1.0))).collect();
    let by: Vec<Wire> = question.by.iter().map(|path| draft.wire_of(path)).collect();
    let found = gradients(&mut draft, arithmetic, &ones, &by);
    for ((path, wire), by) in question.by.iter().zip(found).zip(by) {
        match wire {
            Some(wire) => draft.outlet(&format!("gradient/{path}"), wire),
            None => draft.independent(by, &question.loss),
        }
    }
    draft.check()
}

/// Paths of the question that the graph does not have, and a loss that is none.
fn unknown(graph: &Graph, question: &Question) -> Vec<Fault> {
    let mut faults = Vec::new();
    let known = |path: &str| {
        let mut inlets = graph.feeds().chain(graph.parameter_list());
        inlets.any(|(own, _)| own == path)
    };
    for path in question.by.iter().filter(|path| !known(path)) {
        let fault = Fault::new(Stage::Differentiate, Code::UnknownPath, path.clone());
        let fault = fault.found("no feed or parameter of this path").wanted("one");
        faults.push(fault.hint("`Graph::feeds` and `Graph::parameter_list` list them"));
    }
    match graph.outlets().find(|(path, _)| *path == question.loss) {
        None => {
            let fault = Fault::new(Stage::Differentiate, Code::UnknownPath, question.loss.clone());
            let fault = fault.found("no outlet of this path").wanted("the outlet of the loss");
            faults.push(fault.hint("`Graph::outlets` lists them"));
        }
        Some((_, spec)) if !spec.is_fixed() || spec.elements() != 1 || !spec.element.is_float() => {
            let fault = Fault::new(Stage::Differentiate, Code::Shape, question.loss.clone());
            let fault = fault.found(spec).wanted("one float");
            faults.push(fault.hint("a loss is one number: sum it or take its mean"));
        }
        Some(_) => {}
    }
    faults
}

/// Adds to a draft the gradient by each wire of `by` of the sum over `seeds` of the inner products
/// of a wire and its cotangent. `None` where no seed depends on it. Faults are noted in the draft.
pub fn gradients(
    draft: &mut Draft,
    arithmetic: Arithmetic,
    seeds: &[(Wire, Wire)],
    by: &[Wire],
) -> Vec<Option<Wire>> {
    if !draft.faults.is_empty() {
        // What follows relies on known specs; the faults are told by `check`.
        return vec![None; by.len()];
    }
    let scope = draft.gradient_scope();
    let mut walk = Walk::new(draft, arithmetic, by);
    for &(wire, cotangent) in seeds {
        walk.give(wire, cotangent, None);
    }
    for node in walk.order.clone().into_iter().rev() {
        walk.visit(node, &scope);
    }
    let total = |&wire: &Wire| {
        let outer = walk.draft.enter(walk.draft.source(wire).0, &scope);
        let total = walk.total(wire);
        walk.draft.leave(outer);
        total
    };
    by.iter().map(total).collect()
}

/// One differentiation on its way through a draft.
struct Walk<'a> {
    draft: &'a mut Draft,
    arithmetic: Arithmetic,
    /// Nodes of the draft, sources first.
    order: Vec<usize>,
    /// Whether a node depends on what is differentiated by.
    depends: Vec<bool>,
    /// What the readers of an output gave so far, by node and port.
    given: BTreeMap<(usize, usize), Vec<Wire>>,
    /// The reader that first gave something to a node: the way back to the loss.
    asker: BTreeMap<usize, usize>,
    presence: presence::Presence,
}

impl<'a> Walk<'a> {
    fn new(draft: &'a mut Draft, arithmetic: Arithmetic, by: &[Wire]) -> Self {
        let order = order(draft);
        let mut depends = vec![false; draft.nodes.len()];
        for &wire in by {
            depends[draft.source(wire).0] = true;
        }
        for &node in &order {
            depends[node] |= !is_cut(&draft.nodes[node].kind)
                && draft.nodes[node].inputs.iter().any(|&wire| depends[draft.source(wire).0]);
        }
        let (given, asker) = (BTreeMap::new(), BTreeMap::new());
        let presence = presence::Presence::default();
        Self { draft, arithmetic, order, depends, given, asker, presence }
    }

    /// Notes a part of the gradient by a wire.
    fn give(&mut self, wire: Wire, part: Wire, reader: Option<usize>) {
        let mut wire = wire;
        while let Kind::Delay { steps: 0, .. } = self.draft.nodes[self.draft.source(wire).0].kind {
            wire = self.draft.nodes[self.draft.source(wire).0].inputs[0];
        }
        let (node, port) = self.draft.source(wire);
        if !self.depends[node] {
            return;
        }
        // Rule 3.
        let part = self.presence.fill(self.draft, self.arithmetic, wire, part);
        self.given.entry((node, port)).or_default().push(part);
        if let Some(reader) = reader {
            self.asker.entry(node).or_insert(reader);
        }
    }

    /// The gradient by a wire, as far as its readers have been asked (rule 1).
    fn total(&mut self, wire: Wire) -> Option<Wire> {
        let parts = self.given.get_mut(&self.draft.source(wire))?;
        let sum = parts.drain(..).reduce(|a, b| (self.arithmetic.add)(self.draft, a, b))?;
        parts.push(sum);
        Some(sum)
    }

    fn visit(&mut self, node: usize, scope: &str) {
        let Kind::Operator(operator) = &self.draft.nodes[node].kind else { return };
        let operator = operator.clone();
        let ports = operator.contract().outputs.len();
        let asked = (0..ports).any(|port| self.given.contains_key(&(node, port)));
        if !asked || !self.depends[node] {
            return;
        }
        let outer = self.draft.enter(node, scope);
        let outputs: Vec<Wire> = (0..ports).map(|port| self.draft.outlet_of(node, port)).collect();
        let upstream = outputs.iter().map(|&wire| self.total(wire)).collect();
        self.ask(node, &operator, outputs, upstream);
        self.draft.leave(outer);
    }

    /// Asks an operator for its gradient and gives it on.
    fn ask(
        &mut self,
        node: usize,
        operator: &Arc<dyn Operator>,
        outputs: Vec<Wire>,
        upstream: Vec<Option<Wire>>,
    ) {
        let inputs = self.draft.nodes[node].inputs.clone();
        let wanted: Vec<bool> =
            inputs.iter().map(|&wire| self.depends[self.draft.source(wire).0]).collect();
        let gradient = operator.gradient(&mut Backward {
            draft: self.draft,
            arithmetic: self.arithmetic,
            inputs: inputs.clone(),
            outputs,
            upstream,
            wanted: wanted.clone(),
        });
        match gradient {
            Gradient::Absent(reason) => self.absent(node, operator.contract().name, reason),
            Gradient::Of(parts) => {
                assert_eq!(parts.len(), inputs.len(), "{operator:?} has a gradient by each input");
                for ((wire, part), wanted) in inputs.into_iter().zip(parts).zip(wanted) {
                    if let Some(part) = part.filter(|_| wanted) {
                        self.give(wire, part, Some(node));
                    }
                }
            }
        }
    }

    /// Rule 4.
    fn absent(&mut self, node: usize, name: &str, reason: &str) {
        let mut way = vec![self.draft.nodes[node].path.clone()];
        let mut place = node;
        while let Some(&reader) = self.asker.get(&place) {
            way.push(self.draft.nodes[reader].path.clone());
            place = reader;
        }
        way.reverse();
        let own = &self.draft.nodes[node];
        let fault = Fault::new(Stage::Differentiate, Code::NotDifferentiable, own.path.clone());
        let fault = fault.found(format!("{name}: {reason}")).wanted("an operator with a gradient");
        let hint = "the loss asks by way of";
        let hint = format!("{hint} {}; cut it with `stop_gradient`", way.join(" <- "));
        let fault = fault.line(own.line).hint(hint);
        self.draft.faults.push(fault);
    }
}

/// Whether a gradient ends at a node of this kind (rule 2).
fn is_cut(kind: &Kind) -> bool {
    matches!(kind, Kind::Delay { steps: 1.., .. })
}

/// All nodes, each after what it reads; a delay is read before its source.
fn order(draft: &Draft) -> Vec<usize> {
    let mut order = Vec::with_capacity(draft.nodes.len());
    let mut seen = vec![false; draft.nodes.len()];
    for first in 0..draft.nodes.len() {
        // Depth first, without recursion: a graph may be deep.
        let mut stack = vec![(first, 0)];
        while let Some((node, input)) = stack.pop() {
            if input == 0 && std::mem::replace(&mut seen[node], true) {
                continue;
            }
            let own = &draft.nodes[node];
            match own.inputs.get(input).filter(|_| !is_cut(&own.kind)) {
                Some(&wire) => {
                    stack.push((node, input + 1));
                    stack.push((draft.source(wire).0, 0));
                }
                None => order.push(node),
            }
        }
    }
    order
}
