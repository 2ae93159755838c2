//! ONNX: models of other frameworks as drafts, and graphs as models.
//!
//! [`import`] reads a file of operator set 13 to 21 and gives a [`Draft`] like any other: it can be
//! placed, streamed, trained and saved. Weights are parameters under the names of the file's
//! initializers, with `/` for scopes. What is computed from constants alone (shapes above all) is
//! computed while importing, and normalisations by fixed statistics are folded into the convolution
//! before them. A model that cannot be imported is refused with everything that is missing.
//!
//! [`export()`] writes a checked graph without delays.

mod proto; // the messages of a file
mod tensor; // tensors and values
mod parse; // bytes as a model
mod affine; // normalisations in convolutions
mod structure; // nodes that are no operators
mod evaluate; // constants from constants
mod build; // a model as a draft
mod export; // a graph as a model

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Dimension;

pub use export::{ExportError, export};

/// How to read a model.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Dimensions that the file does not fix: by their name, such as `batch`, or by input and axis,
    /// such as `x.0`.
    pub dimensions: BTreeMap<String, Dimension>,
}

/// A model that was read.
#[derive(Debug)]
pub struct Imported {
    /// The graph; its feeds and outlets are there already.
    pub draft: Draft,
    /// Paths of the feeds with what they give, in the model's order.
    pub inputs: Vec<(String, Wire)>,
    /// Paths of the outlets with what they take, in the model's order.
    pub outputs: Vec<(String, Wire)>,
    /// Paths of the parameters that can be trained: floats of the file that are more than one
    /// number. Others hold settings; freeze them when you train.
    pub weights: Vec<String>,
}

/// Something that stands in the way of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The node, initializer, input or output; empty for the model itself.
    pub node: String,
    /// What ONNX calls the operator.
    pub kind: String,
    /// Why it cannot be imported.
    pub reason: String,
}

impl Missing {
    fn of(node: &str, kind: &str, reason: impl Into<String>) -> Self {
        Self { node: node.to_owned(), kind: kind.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.node.is_empty(), self.kind.is_empty()) {
            (true, _) => write!(f, "{}", self.reason),
            (false, true) => write!(f, "{}: {}", self.node, self.reason),
            (false, false) => write!(f, "{} ({}): {}", self.node, self.kind, self.reason),
        }
    }
}

/// Why a model could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is no ONNX file, or not all of one.
    #[error("no whole ONNX file: {reason}")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// Something in it has no counterpart here: all of it at once.
    #[error("{} things are missing:{}", missing.len(), lines(missing))]
    Missing {
        /// What, in the order of the file.
        missing: Vec<Missing>,
    },
}

fn lines(missing: &[Missing]) -> String {
    missing.iter().map(|own| format!("\n  {own}")).collect()
}

/// Imports a model from the bytes of its file.
///
/// # Errors
/// When it is no ONNX file, or holds something that has no counterpart here; then all of that is
/// listed. A model whose weights are in other files wants [`import_file`].
pub fn import(bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    read(bytes, None, options)
}

/// Imports a model from its file; weights may be in other files of the same folder.
///
/// # Errors
/// As [`import`], and when the file cannot be read.
pub fn import_file(path: &Path, options: &Options) -> Result<Imported, ImportError> {
    let failed = |error: std::io::Error| ImportError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let bytes = std::fs::read(path).map_err(failed)?;
    read(&bytes, Some(path.parent().unwrap_or(Path::new("."))), options)
}

fn read(bytes: &[u8], folder: Option<&Path>, options: &Options) -> Result<Imported, ImportError> {
    let mut model = parse::parse(bytes, folder, options)?;
    affine::fold(&mut model);
    build::build(model)
}
