//! Faults: what is wrong with a graph, said once and completely.
//!
//! Every stage before launch collects all faults that it can find and returns them together. A
//! fault names its stage, a stable code, the node path, the port, what was found and wanted, the
//! source lines of both ends, and a hint. The same list prints for people and compares in tests.

use std::fmt;
use std::panic::Location;

/// The step of the way through that found the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Building the draft.
    Define,
    /// Shapes, rates, cycles and joins.
    Check,
    /// Gradients.
    Differentiate,
    /// Devices and copies.
    Place,
    /// Lanes, order, capacities and memory.
    Plan,
    /// Weights, threads and device memory.
    Launch,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Define => "define",
            Self::Check => "check",
            Self::Differentiate => "differentiate",
            Self::Place => "place",
            Self::Plan => "plan",
            Self::Launch => "launch",
        })
    }
}

/// A stable name for each kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A handle of another draft was used.
    ForeignHandle,
    /// Two nodes, feeds or outlets have one name.
    DuplicateName,
    /// An operator got the wrong number of inputs.
    InputCount,
    /// An operator rejected its input shapes or element types.
    Shape,
    /// A port is larger than any register can be.
    TooLarge,
    /// A feedback was never closed, or closed twice.
    Feedback,
    /// Initial tokens do not fit their edge.
    Initial,
    /// Rates around the graph contradict each other.
    Rate,
    /// A cycle holds too few initial tokens to ever fire.
    Cycle,
    /// Inputs of one node can never be present together.
    Join,
    /// A gradient was asked of something that has none.
    NotDifferentiable,
    /// A device was named that does not exist.
    UnknownDevice,
    /// A path was named that does not exist.
    UnknownPath,
    /// No kernel for this operator on this device.
    NoKernel,
    /// A copy between devices was needed but denied.
    ImplicitCopy,
    /// Lane order or capacities would deadlock.
    Deadlock,
    /// A memory limit is exceeded.
    Memory,
    /// A serialised plan is damaged, foreign or does not fit the graph.
    Format,
    /// A weight is missing, foreign or of the wrong shape.
    Weight,
    /// A device refused a kernel or an allocation.
    Device,
    /// A run option that cannot hold.
    Option,
}

/// A line of the user's program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Line(&'static Location<'static>);

impl Line {
    /// The caller's line.
    #[track_caller]
    #[must_use]
    pub fn here() -> Self {
        Self(Location::caller())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The step that found it.
    pub stage: Stage,
    /// Its kind.
    pub code: Code,
    /// Path of the node, empty when the whole graph is meant.
    pub node: String,
    /// The port, empty when the whole node is meant.
    pub port: String,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
    /// The source lines concerned: first the node's, then the other end's.
    pub lines: Vec<Line>,
    /// What to do about it.
    pub hint: String,
}

impl Fault {
    pub(crate) fn new(stage: Stage, code: Code, node: impl Into<String>) -> Self {
        Self {
            stage,
            code,
            node: node.into(),
            port: String::new(),
            found: String::new(),
            wanted: String::new(),
            lines: Vec::new(),
            hint: String::new(),
        }
    }

    pub(crate) fn port(mut self, port: impl Into<String>) -> Self {
        self.port = port.into();
        self
    }

    pub(crate) fn found(mut self, found: impl fmt::Display) -> Self {
        self.found = found.to_string();
        self
    }

    pub(crate) fn wanted(mut self, wanted: impl fmt::Display) -> Self {
        self.wanted = wanted.to_string();
        self
    }

    pub(crate) fn line(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{:?}]", self.stage, self.code)?;
        if !self.node.is_empty() {
            write!(f, " at {}", self.node)?;
        }
        if !self.port.is_empty() {
            write!(f, ", port {}", self.port)?;
        }
        write!(f, ": found {}", self.found)?;
        if !self.wanted.is_empty() {
            write!(f, "; wanted {}", self.wanted)?;
        }
        for (index, line) in self.lines.iter().enumerate() {
            write!(f, "{}{line}", if index == 0 { " (" } else { ", from " })?;
        }
        if !self.lines.is_empty() {
            f.write_str(")")?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n    hint: {}", self.hint)?;
        }
        Ok(())
    }
}

/// Every fault that a stage found; never empty.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// `value` when nothing is wrong, else all faults.
    pub(crate) fn or<T>(faults: Vec<Fault>, value: impl FnOnce() -> T) -> Result<T, Self> {
        if faults.is_empty() { Ok(value()) } else { Err(Self(faults)) }
    }

    /// The codes, in order: what tests compare.
    #[must_use]
    pub fn codes(&self) -> Vec<Code> {
        self.0.iter().map(|fault| fault.code).collect()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
