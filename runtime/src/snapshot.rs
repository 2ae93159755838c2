//! Snapshot: all state of a run at one iteration, and the file format that carries it.
//!
//! State lives on feedback edges and nowhere else, so a snapshot is the tokens that wait on them
//! between two iterations. A run that is launched with a snapshot goes on as if it had never
//! stopped, bit for bit: registers, numbers of firings, and with them every random number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::{Code, Fault, Faults, Stage};
use crate::format::Format;
use crate::plan::Plan;
use crate::value::Value;

/// All state between two iterations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// How many iterations came before.
    pub iteration: u64,
    /// Which graph it is of.
    pub(crate) graph: u64,
    /// The tokens of each register behind delays, `node path:port`, oldest first; none is null.
    pub(crate) registers: BTreeMap<String, Vec<Option<Value>>>,
    /// The register of each updated parameter.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The run did not come to rest there in time.
    #[error("after {waited_ms} ms not every lane rested after {wanted} iterations: {lanes}")]
    Busy {
        /// The iteration that was asked for.
        wanted: u64,
        /// Where the lanes were.
        lanes: String,
        /// How long was waited.
        waited_ms: u128,
    },
    /// A device would not give its memory.
    #[error("{0}")]
    Device(String),
}

impl Snapshot {
    /// The parameters that are updated, each with the newest value.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, Value> {
        let newest = |(path, register): (&String, &String)| {
            let value = self.registers.get(register)?.last()?.clone()?;
            Some((path.clone(), value))
        };
        self.parameters.iter().filter_map(newest).collect()
    }

    /// The snapshot as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Self::write(self)
    }

    /// A snapshot from bytes.
    ///
    /// # Errors
    /// When the bytes are foreign, of another version, damaged or followed by others.
    pub fn decode(bytes: &[u8]) -> Result<Self, Faults> {
        Self::read(bytes)
    }

    /// Holds it against the graph that is to go on from it.
    pub(crate) fn misfits(&self, plan: &Plan) -> Vec<Fault> {
        let wanted = plan.data.fingerprint;
        if self.graph == wanted {
            return Vec::new();
        }
        let fault = Fault::new(Stage::Launch, Code::Format, "");
        let fault = fault.found(format!("a snapshot of graph {:016x}", self.graph));
        let fault = fault.wanted(format!("one of graph {wanted:016x}"));
        vec![fault.hint("go on with the graph, sizes and devices that the snapshot was taken from")]
    }
}

impl Format for Snapshot {
    const MAGIC: [u8; 8] = *b"SYNFSNAP";
    const VERSION: u32 = 1;
    const BYTES_MAX: usize = 16 << 30;
    const NAME: &'static str = "snapshot";
}
