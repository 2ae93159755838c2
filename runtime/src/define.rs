//! Define: a [`Draft`] is the builder that a user writes a graph against.
//!
//! Every call records its caller's line. Handles are small `Copy` values that remember their
//! draft, so a handle of another draft is a fault and not a wrong graph. No call panics or returns
//! an error: what is wrong is noted and returned, all at once, by [`Draft::check`].
//!
//! Specs are worked out as the draft grows, so a model may ask [`Draft::spec`] of what it built.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::fault::{Code, Fault, Line, Stage};
use crate::operator::{Operator, SpecError};
use crate::spec::{BYTES_MAX, RANK_MAX, Spec};
use crate::token::BOUNDED_MAX;
use crate::value::Value;

mod listing; // what a draft holds so far
mod reopen; // a checked graph as a draft again
mod update; // parameters that change

/// An outlet of a node in a draft: what calls of the draft take and give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    draft: u32,
    node: u32,
    port: u32,
}

/// A feedback that still wants its source: see [`Draft::feedback`].
#[derive(Clone, Copy, Debug)]
#[must_use = "an open feedback is a fault: close it with `Draft::close`"]
pub struct Feedback {
    draft: u32,
    node: u32,
}

/// The first value of a parameter or of a delay.
#[derive(Clone, Debug, PartialEq)]
pub enum Initial {
    /// Every element zero.
    Zeros,
    /// Every element this number.
    Constant(f64),
    /// Uniform in `-bound..bound`, keyed by seed and path.
    Uniform {
        /// The largest magnitude.
        bound: f64,
    },
    /// Normal with mean zero, keyed by seed and path.
    Normal {
        /// The standard deviation.
        deviation: f64,
    },
    /// Normal with mean zero, without what lies beyond a bound; keyed by seed and path.
    TruncatedNormal {
        /// The standard deviation before it is cut; what is left has a smaller one.
        deviation: f64,
        /// The largest magnitude; more than six deviations are as six.
        bound: f64,
    },
    /// A matrix with orthonormal rows, or columns where there are more rows, all such matrices
    /// alike; keyed by seed and path. The first axis counts rows, all others together columns.
    Orthogonal {
        /// What it is multiplied by.
        gain: f64,
    },
    /// Exactly this value.
    Value(Arc<Value>),
    /// No value: what depends on it gives null. Not for parameters.
    Null,
}

/// The largest number of initial tokens on one edge; far more than any model keeps.
pub(crate) const DELAY_MAX: usize = 1 << 20;

/// What a draft's node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Operator(Arc<dyn Operator>),
    Feed,
    Outlet,
    Parameter(Initial),
    /// A delay of `steps`; resolved into its edges by `check`. A parameter that is updated is one.
    Delay {
        steps: usize,
        initial: Initial,
        is_parameter: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct DraftNode {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// Sources of its inputs; a feedback has none until closed.
    pub(crate) inputs: Vec<Wire>,
    /// Specs of its outputs; empty when it could not be worked out.
    pub(crate) outputs: Vec<Spec>,
    pub(crate) device: Option<String>,
    pub(crate) line: Line,
}

/// A graph under construction.
#[derive(Debug)]
pub struct Draft {
    id: u32,
    pub(crate) nodes: Vec<DraftNode>,
    pub(crate) faults: Vec<Fault>,
    scope: Vec<String>,
    devices: Vec<Option<String>>,
    /// The line of what is added, where it is not the caller's.
    line: Option<Line>,
    /// How often each path was given, to number repeats.
    names: BTreeMap<String, u32>,
}

static NEXT_DRAFT: AtomicU32 = AtomicU32::new(0);

impl Default for Draft {
    fn default() -> Self {
        Self::new()
    }
}

impl Draft {
    /// An empty draft.
    #[must_use]
    pub fn new() -> Self {
        Self {
            // Identity only: it never influences a graph.
            id: NEXT_DRAFT.fetch_add(1, Ordering::Relaxed),
            nodes: Vec::new(),
            faults: Vec::new(),
            scope: Vec::new(),
            devices: Vec::new(),
            line: None,
            names: BTreeMap::new(),
        }
    }

    /// An inlet through which tokens are fed from outside.
    #[track_caller]
    pub fn feed(&mut self, name: &str, spec: Spec) -> Wire {
        self.add(name, Kind::Feed, Vec::new(), vec![spec])
    }

    /// An outlet through which tokens are received outside.
    #[track_caller]
    pub fn outlet(&mut self, name: &str, wire: Wire) {
        self.add(name, Kind::Outlet, vec![wire], Vec::new());
    }

    /// A constant of the run, such as a weight, named by its path.
    #[track_caller]
    pub fn parameter(&mut self, name: &str, spec: Spec, initial: Initial) -> Wire {
        let fault = match &initial {
            Initial::Null => Some("null".to_owned()),
            Initial::Value(value) if !value.fits(&spec) => Some(value.spec().to_string()),
            _ if !spec.is_fixed() => Some("bounded dimensions".to_owned()),
            _ => None,
        };
        if let Some(found) = fault {
            let fault = Fault::new(Stage::Define, Code::Initial, self.path(name)).found(found);
            let fault = fault.wanted(&spec).line(Line::here());
            self.faults.push(fault.hint("a parameter has a first value of its own fixed spec"));
        }
        self.add(name, Kind::Parameter(initial), Vec::new(), vec![spec])
    }

    /// Applies an operator with one output; its node takes the operator's name.
    #[track_caller]
    pub fn apply(&mut self, operator: impl Operator, inputs: &[Wire]) -> Wire {
        self.apply_named(operator.contract().name, operator, inputs)
    }

    /// Applies an operator with one output under a name.
    #[track_caller]
    pub fn apply_named(&mut self, name: &str, operator: impl Operator, inputs: &[Wire]) -> Wire {
        self.add_operator(name, Arc::new(operator), inputs)
    }

    /// Applies an operator with any number of outputs.
    #[track_caller]
    pub fn apply_many(&mut self, operator: impl Operator, inputs: &[Wire]) -> Vec<Wire> {
        let (name, count) = (operator.contract().name, operator.contract().outputs.len());
        let first = self.add_operator(name, Arc::new(operator), inputs);
        (0..count as u32).map(|port| Wire { port, ..first }).collect()
    }

    /// The same stream `steps` tokens later; the first `steps` tokens are `initial`.
    #[track_caller]
    pub fn delay(&mut self, wire: Wire, steps: usize, initial: Initial) -> Wire {
        let spec = self.known(wire);
        let kind = Kind::Delay { steps, initial, is_parameter: false };
        self.add("delay", kind, vec![wire], spec)
    }

    /// A stream whose source comes later in the program, delayed by `steps`: the way to a cycle.
    #[track_caller]
    pub fn feedback(&mut self, spec: Spec, steps: usize, initial: Initial) -> (Wire, Feedback) {
        let kind = Kind::Delay { steps, initial, is_parameter: false };
        let wire = self.add("feedback", kind, Vec::new(), vec![spec]);
        (wire, Feedback { draft: wire.draft, node: wire.node })
    }

    /// Gives a feedback its source.
    #[track_caller]
    pub fn close(&mut self, feedback: Feedback, wire: Wire) {
        if feedback.draft != self.id || wire.draft != self.id {
            return self.foreign(self.path("close"));
        }
        let path = self.nodes[feedback.node as usize].path.clone();
        self.absent(&path, wire);
        let found = self.known(wire);
        let node = &mut self.nodes[feedback.node as usize];
        let fault = Fault::new(Stage::Define, Code::Feedback, node.path.clone());
        if !node.inputs.is_empty() {
            let fault = fault.found("a feedback closed twice").wanted("one source");
            let fault = fault.line(Line::here()).line(node.line);
            self.faults.push(fault.hint("open one feedback for each source"));
            return;
        }
        node.inputs.push(wire);
        if let (Some(found), Some(wanted)) = (found.first(), node.outputs.first())
            && found != wanted
        {
            let fault = fault.found(found).wanted(wanted).line(Line::here()).line(node.line);
            self.faults.push(fault.hint("declare the feedback with the spec of its source"));
        }
    }

    /// Builds a part of the graph under a name; scopes nest.
    pub fn scope<R>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> R) -> R {
        self.scope.push(name.to_owned());
        let result = build(self);
        self.scope.pop();
        result
    }

    /// Builds a part of the graph outside of all scopes, wherever the call stands.
    pub fn at_root<R>(&mut self, build: impl FnOnce(&mut Self) -> R) -> R {
        let scope = std::mem::take(&mut self.scope);
        let result = build(self);
        self.scope = scope;
        result
    }

    /// What is wrong so far; [`Draft::check`] gives it back too.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Builds a part of the graph for a device; the innermost call wins.
    pub fn on<R>(&mut self, device: &str, build: impl FnOnce(&mut Self) -> R) -> R {
        self.devices.push(Some(device.to_owned()));
        let result = build(self);
        self.devices.pop();
        result
    }

    /// The spec of a wire, unless something before it is faulty.
    #[must_use]
    pub fn spec(&self, wire: Wire) -> Option<&Spec> {
        if wire.draft != self.id {
            return None;
        }
        self.nodes[wire.node as usize].outputs.get(wire.port as usize)
    }

    fn known(&self, wire: Wire) -> Vec<Spec> {
        self.spec(wire).cloned().into_iter().collect()
    }

    pub(crate) fn source(&self, wire: Wire) -> (usize, usize) {
        (wire.node as usize, wire.port as usize)
    }

    #[track_caller]
    fn add_operator(&mut self, name: &str, operator: Arc<dyn Operator>, inputs: &[Wire]) -> Wire {
        let contract = operator.contract();
        let (found, wanted) = (inputs.len(), contract.inputs.len());
        let specs: Vec<Spec> = inputs.iter().filter_map(|&wire| self.spec(wire).cloned()).collect();
        let mut outputs = Vec::new();
        if found != wanted {
            let names: Vec<_> = contract.inputs.iter().map(|port| port.name.as_str()).collect();
            let fault = Fault::new(Stage::Define, Code::InputCount, self.next(&self.path(name)));
            let fault = fault.found(format!("{found} inputs"));
            let fault = fault.wanted(format!("{wanted}: {}", names.join(", ")));
            self.faults.push(fault.line(Line::here()).hint("give one wire for each input"));
        } else if specs.len() == found {
            match operator.shape(&specs) {
                Ok(specs) => outputs = specs,
                Err(error) => self.reject(name, &contract.inputs, inputs, error),
            }
        }
        self.add(name, Kind::Operator(operator), inputs.to_vec(), outputs)
    }

    #[track_caller]
    fn reject(
        &mut self,
        name: &str,
        ports: &[crate::operator::Port],
        inputs: &[Wire],
        error: SpecError,
    ) {
        let port = match error.dimension {
            Some(dimension) => format!("{}, dimension {dimension}", error.port),
            None => error.port.clone(),
        };
        let fault = Fault::new(Stage::Check, Code::Shape, self.next(&self.path(name))).port(port);
        let mut fault = fault.found(error.found).wanted(error.wanted).line(Line::here());
        let index = ports.iter().position(|port| port.name == error.port);
        if let Some(wire) = index.and_then(|index| inputs.get(index)) {
            fault = fault.line(self.nodes[wire.node as usize].line);
        }
        self.faults.push(fault.hint(error.hint));
    }

    #[track_caller]
    fn add(&mut self, name: &str, kind: Kind, inputs: Vec<Wire>, outputs: Vec<Spec>) -> Wire {
        let is_named = !matches!(kind, Kind::Operator(_) | Kind::Delay { .. });
        let path = self.unique(name, is_named);
        if inputs.iter().any(|wire| wire.draft != self.id) {
            self.foreign(path.clone());
        }
        let inputs: Vec<Wire> = inputs.into_iter().filter(|wire| wire.draft == self.id).collect();
        for &wire in &inputs {
            self.absent(&path, wire);
        }
        for spec in &outputs {
            let bounded = spec.dimensions.iter().filter(|d| d.is_bounded()).count();
            if !spec.fits() || bounded > BOUNDED_MAX {
                let fault = Fault::new(Stage::Check, Code::TooLarge, path.clone()).found(spec);
                let wanted = format!(
                    "at most {RANK_MAX} dimensions, {BOUNDED_MAX} of them bounded, \
                     {BYTES_MAX} bytes"
                );
                let fault = fault.wanted(wanted).line(Line::here());
                self.faults.push(fault.hint("join dimensions, or split the stream"));
            }
        }
        let outputs = if outputs.iter().all(Spec::fits) { outputs } else { Vec::new() };
        let device = self.devices.last().cloned().flatten();
        // A path to `Line::here` would lose the caller: it is called in place.
        let line = if let Some(line) = self.line { line } else { Line::here() };
        self.nodes.push(DraftNode { path, kind, inputs, outputs, device, line });
        Wire { draft: self.id, node: self.nodes.len() as u32 - 1, port: 0 }
    }

    #[track_caller]
    fn foreign(&mut self, path: String) {
        let fault = Fault::new(Stage::Define, Code::ForeignHandle, path);
        let fault = fault.found("a handle of another draft").wanted("a handle of this draft");
        self.faults.push(fault.line(Line::here()).hint("build both ends with one draft"));
    }

    /// Notes a wire that no output gives: `apply` of an operator without outputs.
    #[track_caller]
    fn absent(&mut self, path: &str, wire: Wire) {
        let source = &self.nodes[wire.node as usize];
        let Kind::Operator(operator) = &source.kind else { return };
        if (wire.port as usize) < operator.contract().outputs.len() {
            return;
        }
        let fault = Fault::new(Stage::Define, Code::InputCount, path);
        let fault = fault.found(format!("a wire of {}, which has no output", source.path));
        let fault = fault.wanted("an output").line(Line::here()).line(source.line);
        self.faults.push(fault.hint("an operator without outputs ends its stream"));
    }

    fn path(&self, name: &str) -> String {
        let mut path = self.scope.join("/");
        if !path.is_empty() {
            path.push('/');
        }
        path + name
    }

    /// The path of a new node. Operators of one name are numbered; names that a user addresses
    /// (feeds, outlets, parameters) must not repeat.
    #[track_caller]
    fn unique(&mut self, name: &str, must_be_new: bool) -> String {
        let path = self.path(name);
        let unique = self.next(&path);
        *self.names.entry(path.clone()).or_insert(0) += 1;
        if unique == path {
            return path;
        }
        if must_be_new {
            let fault = Fault::new(Stage::Define, Code::DuplicateName, path.clone());
            let fault = fault.found("a name given before").wanted("one name for each");
            self.faults.push(fault.line(Line::here()).hint("open a scope or rename it"));
        }
        self.names.insert(unique.clone(), 1);
        unique
    }

    /// The path that the next node called `path` gets: `path` itself, or numbered.
    fn next(&self, path: &str) -> String {
        let Some(&count) = self.names.get(path) else { return path.to_owned() };
        let mut numbers = (count + 1..).map(|number| format!("{path}_{number}"));
        numbers.find(|name| !self.names.contains_key(name)).expect("a draft has few nodes")
    }
}
