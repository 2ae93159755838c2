//! Operators: what a node computes, said as data, and the kernels that compute it.
//!
//! The runtime never matches on an operator: all that it must know stands in the [`Contract`] and
//! the [`Metadata`]. `synfire-ops` is one catalogue of operators; a user's own are equals.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::algebra::Time;
use crate::device::Target;
use crate::mark::{Mark, Recognise};
use crate::spec::Spec;

pub use crate::differentiate::{Backward, Gradient};

pub use crate::kernel::{FireError, Kernel, KernelError, PieceStage, Workspace};

/// What a node computes. One value of an operator is one node's operator with its parameters.
///
/// It is [`Any`], so that an operator's own file can tell it again; nothing else asks.
pub trait Operator: Any + fmt::Debug + Send + Sync {
    /// Name, ports, rates and guarantees.
    fn contract(&self) -> Contract;

    /// The output specs for these inputs.
    ///
    /// # Errors
    /// When the inputs do not fit; the error names port and dimension.
    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError>;

    /// Exact costs and axes for these inputs and the outputs that [`Operator::shape`] gave.
    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata;

    /// The gradient by each input, written with other operators.
    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let _ = backward;
        Gradient::Absent("it has no derivative")
    }

    /// The kernel for a target, compiled and tried if the target compiles.
    ///
    /// # Errors
    /// When the operator cannot run there.
    fn kernel(&self, target: Target<'_>, specs: &Specs<'_>)
    -> Result<Box<dyn Kernel>, KernelError>;
}

/// A shared operator is that operator.
impl Operator for Arc<dyn Operator> {
    fn contract(&self) -> Contract {
        (**self).contract()
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        (**self).shape(inputs)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        (**self).metadata(inputs, outputs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        (**self).gradient(backward)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        (**self).kernel(target, specs)
    }
}

/// The specs of a node's ports.
#[derive(Clone, Copy, Debug)]
pub struct Specs<'a> {
    /// Input specs in port order.
    pub inputs: &'a [Spec],
    /// Output specs in port order.
    pub outputs: &'a [Spec],
    /// For each input, whether it is a constant of the run: a parameter, there before the first
    /// firing and never changed. A kernel may pack it in [`Kernel::prepare`].
    pub constant: &'a [bool],
    /// The most cores that a firing may have ([`crate::crew::Crew::size`]); at least one.
    pub cores: usize,
}

/// A typed inlet or outlet of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in errors and plans.
    pub name: String,
    /// Tokens of one firing.
    pub rate: u32,
}

/// The pair of operators that route tokens by a selector; everything else is static.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Every input and every output of every firing has a value, or none has.
    Static,
    /// Output `k` has a value when the selector (this input) is `k`, else null.
    Switch {
        /// The input that selects.
        selector: usize,
    },
    /// Takes the value of input `first + k` when the selector (input 0) is `k`.
    Merge {
        /// The input of branch 0.
        first: usize,
    },
}

/// How an operator may be fused with its neighbours in a volley.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fusion {
    /// Not at all.
    None,
    /// Its kernel takes stages: it hands finished pieces of output 0 to them.
    Producer,
    /// It can be a stage over input 0: each output element depends on the same element of input 0
    /// and on constants. It takes further stages too.
    Stage,
    /// The same for whole rows, the lines along the last axis, inside an operator that reads rows.
    Rows,
}

/// How far a device may be from the host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Allowed difference relative to the largest magnitude of the expected output.
    pub relative: f64,
    /// Allowed difference on top.
    pub absolute: f64,
}

impl Tolerance {
    /// Bit equality.
    pub const EXACT: Self = Self { relative: 0.0, absolute: 0.0 };
    /// A few roundings of `f32`.
    pub const CLOSE: Self = Self { relative: 2e-6, absolute: 1e-7 };
    /// A long sum of `f32` in another order.
    pub const SUM: Self = Self { relative: 2e-5, absolute: 1e-6 };
}

/// Ports that may be in an in-place pair: the first of each side.
pub(crate) const PAIR_PORTS: usize = 16;

/// What an operator promises, as data.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The operator's name: lower case, the field's term, equal to its catalogue entry.
    pub name: &'static str,
    /// Input ports.
    pub inputs: Vec<Port>,
    /// Output ports.
    pub outputs: Vec<Port>,
    /// `(input, output)`: the output may take the input's place, when nobody else reads it. A port
    /// is in one pair at most.
    pub in_place: Vec<(usize, usize)>,
    /// How it routes.
    pub routing: Routing,
    /// How it fuses.
    pub fusion: Fusion,
    /// Whether it acts on the world (a file, a screen): its order and number of firings matter.
    pub effect: bool,
    /// Whether its outputs depend on the number of the firing, as random numbers do: it is not a
    /// constant even if all its inputs are.
    pub counts: bool,
    /// How far a device may be from the host.
    pub tolerance: Tolerance,
    /// What it says about itself to those that read it: see [`crate::mark`].
    pub marks: Vec<Mark>,
    /// How it finds a form of which it is the last part.
    pub form: Option<Recognise>,
}

impl Contract {
    /// A contract without ports.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            inputs: Vec::new(),
            outputs: Vec::new(),
            in_place: Vec::new(),
            routing: Routing::Static,
            fusion: Fusion::None,
            effect: false,
            counts: false,
            tolerance: Tolerance::CLOSE,
            marks: Vec::new(),
            form: None,
        }
    }

    /// Adds an input of rate 1.
    #[must_use]
    pub fn input(self, name: &str) -> Self {
        self.input_rate(name, 1)
    }

    /// Adds an input that takes `rate` tokens in each firing.
    #[must_use]
    pub fn input_rate(mut self, name: &str, rate: u32) -> Self {
        self.inputs.push(Port { name: name.to_owned(), rate });
        self
    }

    /// Adds inputs `name0` to `name{count - 1}`.
    #[must_use]
    pub fn input_list(self, name: &str, count: usize) -> Self {
        (0..count).fold(self, |contract, index| contract.input(&format!("{name}{index}")))
    }

    /// Adds an output of rate 1.
    #[must_use]
    pub fn output(self, name: &str) -> Self {
        self.output_rate(name, 1)
    }

    /// Adds an output that gives `rate` tokens in each firing.
    #[must_use]
    pub fn output_rate(mut self, name: &str, rate: u32) -> Self {
        self.outputs.push(Port { name: name.to_owned(), rate });
        self
    }

    /// Adds outputs `name0` to `name{count - 1}`.
    #[must_use]
    pub fn output_list(self, name: &str, count: usize) -> Self {
        (0..count).fold(self, |contract, index| contract.output(&format!("{name}{index}")))
    }

    /// Output `output` may take the place of input `input`.
    ///
    /// # Panics
    /// When a port has a pair, or a number of 16 or more: a mistake in the operator.
    #[must_use]
    pub fn in_place(mut self, input: usize, output: usize) -> Self {
        let is_free = self.in_place.iter().all(|&(own, other)| own != input && other != output);
        assert!(is_free, "a port is in one in-place pair at most");
        assert!(input.max(output) < PAIR_PORTS, "in-place pairs are of the first ports");
        self.in_place.push((input, output));
        self
    }

    /// Sets how it fuses.
    #[must_use]
    pub fn fusion(mut self, fusion: Fusion) -> Self {
        self.fusion = fusion;
        self
    }

    /// Sets how it routes.
    #[must_use]
    pub fn routing(mut self, routing: Routing) -> Self {
        self.routing = routing;
        self
    }

    /// Marks it as acting on the world.
    #[must_use]
    pub fn effect(mut self) -> Self {
        self.effect = true;
        self
    }

    /// Marks it as depending on the number of the firing.
    #[must_use]
    pub fn counts(mut self) -> Self {
        self.counts = true;
        self
    }

    /// Sets how far a device may be from the host.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// A source: no inputs, so it fires until its kernel says [`FireError::End`].
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.inputs.is_empty()
    }
}

/// What one firing costs and how its axes are related; exact, from shapes alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// Multiply-adds of one firing.
    pub macs: u64,
    /// Bytes read and written by one firing.
    pub bytes: u64,
    /// How axes of inputs and outputs are related.
    pub axes: Axes,
    /// Its algebra along the time axis, when it has one.
    pub time: Time,
}

impl Metadata {
    /// Costs of an operator that touches each element of its ports once.
    #[must_use]
    pub fn streaming(inputs: &[Spec], outputs: &[Spec], axes: Axes) -> Self {
        let bytes = inputs.iter().chain(outputs).map(|spec| spec.bytes() as u64).sum();
        Self { macs: 0, bytes, axes, time: Time::INSTANT }
    }

    /// The same with a number of multiply-adds.
    #[must_use]
    pub fn with_macs(mut self, macs: u64) -> Self {
        self.macs = macs;
        self
    }
}

/// How axes are related: one label for each axis of each port, as in an Einstein sum.
///
/// A label in input and output is *kept*; in inputs only, *consumed*; in an output only,
/// *produced*. [`Axes::BROADCAST`] marks an axis of extent one that is repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axes {
    /// Labels of each input's axes.
    pub inputs: Vec<Vec<u8>>,
    /// Labels of each output's axes.
    pub outputs: Vec<Vec<u8>>,
}

impl Axes {
    /// The label of an axis that is repeated to the extent of its partner.
    pub const BROADCAST: u8 = u8::MAX;

    /// Every port has the same axes as input 0: pointwise.
    #[must_use]
    pub fn pointwise(inputs: &[Spec], outputs: &[Spec]) -> Self {
        let labels = |spec: &Spec| (0..spec.rank() as u8).collect();
        Self {
            inputs: inputs.iter().map(labels).collect(),
            outputs: outputs.iter().map(labels).collect(),
        }
    }

    /// From text such as `"mk,kn->mn"`; one lower-case letter an axis, `.` for broadcast.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let label = |letter: u8| if letter == b'.' { Self::BROADCAST } else { letter };
        let side = |side: &str| {
            side.split(',').map(|port| port.trim().bytes().map(label).collect()).collect()
        };
        let (inputs, outputs) = text.split_once("->").unwrap_or((text, ""));
        Self { inputs: side(inputs), outputs: side(outputs) }
    }
}

/// Why an operator rejects its inputs: which port, which dimension, what was found and wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The input port.
    pub port: String,
    /// The dimension, when one is to blame.
    pub dimension: Option<usize>,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
    /// What to do about it.
    pub hint: String,
}

impl SpecError {
    /// An error about a whole port.
    #[must_use]
    pub fn new(port: &str, found: impl fmt::Display, wanted: impl fmt::Display) -> Self {
        Self {
            port: port.to_owned(),
            dimension: None,
            found: found.to_string(),
            wanted: wanted.to_string(),
            hint: String::new(),
        }
    }

    /// Names the dimension.
    #[must_use]
    pub fn at(mut self, dimension: usize) -> Self {
        self.dimension = Some(dimension);
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {}", self.port)?;
        if let Some(dimension) = self.dimension {
            write!(f, ", dimension {dimension}")?;
        }
        write!(f, ": found {}; wanted {}", self.found, self.wanted)
    }
}
