//! Metadata: what one firing costs and how axes are related, from shapes alone.

use crate::algebra::Time;
use crate::spec::Spec;

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
