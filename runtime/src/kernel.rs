//! Kernels: what computes an operator on one target, and what it may tell.

use std::fmt;

use crate::firing::Firing;

/// Why there is no kernel for a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// The operator has none for this kind of target.
    #[error("there is no kernel for this kind of device")]
    Absent,
    /// The device refused it; the text says why.
    #[error("the device refused its kernel: {0}")]
    Refused(String),
}

/// What computes an operator on one target. A kernel keeps no state from firing to firing: state
/// is a feedback edge. It may keep scratch and packed constants.
pub trait Kernel: Send {
    /// Memory beyond the registers, exact, known before the run.
    fn workspace(&self) -> Workspace {
        Workspace::default()
    }

    /// Called once before the first firing with the constants in place (inputs that are parameters
    /// hold their values, others their initial bytes); packs them. Calls no output.
    ///
    /// # Errors
    /// When the constants are unusable.
    fn prepare(&mut self, _firing: &mut Firing<'_>) -> Result<(), FireError> {
        Ok(())
    }

    /// Computes one firing.
    ///
    /// # Errors
    /// [`FireError::End`] from a source that has nothing more; anything else poisons the outputs.
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError>;

    /// The kernel as a stage over input 0, when the contract says
    /// [`crate::operator::Fusion::Stage`], or [`crate::operator::Fusion::Rows`]: then pieces are
    /// whole rows.
    fn stage(&self) -> Option<Box<dyn PieceStage>> {
        None
    }

    /// Takes stages to run over every finished piece of output 0, in order, when the contract says
    /// that it is a producer or a stage.
    fn absorb(&mut self, _stages: Vec<Box<dyn PieceStage>>) {
        unreachable!("only producers are given stages");
    }
}

/// A pointwise operator applied to pieces of its producer's output while they are in cache.
pub trait PieceStage: Send + Sync {
    /// Reads the constants of its node: inputs from `first` on (its input 0 is left out).
    fn prepare(&mut self, _firing: &Firing<'_>, _first: usize) {}

    /// Replaces a contiguous piece that starts at flat element `offset` of the output.
    fn apply(&self, piece: &mut [f32], offset: usize);
}

/// Memory of a kernel beyond its registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workspace {
    /// Bytes kept from [`Kernel::prepare`] on, such as packed weights.
    pub kept_bytes: usize,
    /// Bytes needed during a firing; shared by all kernels of a lane.
    pub scratch_bytes: usize,
}

/// Why a firing gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FireError {
    /// A source has nothing more to give.
    #[error("end of stream")]
    End,
    /// The firing failed; the text says on what.
    #[error("{0}")]
    Failed(String),
}

impl FireError {
    /// A failure with this text.
    pub fn failed(cause: impl fmt::Display) -> Self {
        Self::Failed(cause.to_string())
    }
}
