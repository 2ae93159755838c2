//! ONNX: what a node of a model is here, and what an operator of ours is there.
//!
//! An operator file may hold `pub const ONNX: Onnx`: the names of ONNX operators with builders of
//! the same thing, and a function that writes the file's own operators as nodes. Importer and
//! exporter ask every file of the catalogue; no list of names stands anywhere else.
//!
//! A node's inputs are streams or constants. A builder that wants a number (axes, extents, scales)
//! asks for the constant; one that wants a wire gets a parameter of the constant's name.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::value::Value;

mod element; // element types
mod node; // one node while it is built
mod write; // operators as nodes of a model
pub use element::{element, element_number, floats};
pub use node::{Head, Node, elements, sizes};
pub use write::{Emit, Nodes, Ports, Setting};

/// Builds a node: its outputs in ONNX's order, or a sentence that says what is not supported.
pub type Build = fn(&mut Node<'_>) -> Result<Vec<Wire>, String>;

/// Writes an operator as nodes; none where it is another file's. The error says what ONNX lacks.
pub type Write = fn(&dyn Any, &mut Emit<'_>) -> Option<Result<(), String>>;

/// What ONNX has of an operator file.
#[derive(Clone, Copy)]
pub struct Onnx {
    /// ONNX operators by name.
    pub reads: &'static [(&'static str, Build)],
    /// The file's own operators as nodes.
    pub writes: Option<Write>,
}

impl Onnx {
    /// Nothing.
    pub const NONE: Self = Self { reads: &[], writes: None };

    /// These operators of ONNX.
    #[must_use]
    pub const fn reads(reads: &'static [(&'static str, Build)]) -> Self {
        Self { reads, writes: None }
    }

    /// The same, and the way back.
    #[must_use]
    pub const fn writes(self, write: Write) -> Self {
        Self { writes: Some(write), ..self }
    }
}

/// The table of an operator file that has none of its own.
pub(crate) const ONNX: Onnx = Onnx::NONE;

/// An attribute of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Numbers.
    Numbers(Vec<f64>),
    /// Words.
    Texts(Vec<String>),
    /// A tensor.
    Tensor(Value),
    /// Anything else, by its name: a graph, a sparse tensor.
    Other(&'static str),
}

/// What an input of a node is; clones are the same operand.
#[derive(Clone, Debug)]
pub struct Operand {
    /// Its name, made a path.
    name: String,
    /// The stream or parameter, once there is one.
    wire: Arc<OnceLock<Wire>>,
    /// The value, where it is a constant.
    value: Option<Arc<Value>>,
}

impl Operand {
    /// A stream.
    #[must_use]
    pub fn stream(wire: Wire) -> Self {
        Self { name: String::new(), wire: Arc::new(wire.into()), value: None }
    }

    /// A constant; a parameter `name` as soon as something wants its wire.
    #[must_use]
    pub fn constant(name: &str, value: Arc<Value>) -> Self {
        Self { name: name.to_owned(), wire: Arc::default(), value: Some(value) }
    }

    /// Says what its wire is, to all clones; a wire that it has already stays.
    #[must_use]
    pub fn computed(self, wire: Wire) -> Self {
        self.wire.get_or_init(|| wire);
        self
    }

    /// The path that it has as a parameter.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.name
    }

    /// Its wire, if it has one already.
    #[must_use]
    pub fn wire(&self) -> Option<Wire> {
        self.wire.get().copied()
    }

    /// Its value, where it is a constant.
    #[must_use]
    pub fn value(&self) -> Option<&Arc<Value>> {
        self.value.as_ref()
    }

    /// Its wire; a constant becomes a parameter.
    pub fn demand(&self, draft: &mut Draft) -> Wire {
        *self.wire.get_or_init(|| {
            let value = self.value.clone().expect("an operand is a stream or a constant");
            let (spec, initial) = (value.spec(), Initial::Value(value));
            draft.at_root(|draft| draft.parameter(&self.name, spec, initial))
        })
    }
}
