//! The file format of plans: a header of magic and version, then bincode with a size limit.

use crate::fault::{Code, Fault, Faults, Stage};
use crate::plan::PlanData;

/// First bytes of every plan file.
const MAGIC: [u8; 8] = *b"SYNFPLAN";

/// Raised with every change of [`PlanData`].
const VERSION: u32 = 3;

/// More bytes than any plan has; decoding allocates no more.
const BYTES_MAX: usize = 64 << 20;

impl PlanData {
    /// The plan as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        let body = bincode::serde::encode_to_vec(self, bincode::config::standard());
        bytes.extend(body.expect("plan data holds only what bincode can write"));
        bytes
    }

    /// A plan from bytes; [`crate::plan::Plan::bind`] then holds it against a graph.
    ///
    /// # Errors
    /// When the bytes are foreign, of another version, too many, damaged or followed by others.
    pub fn decode(bytes: &[u8]) -> Result<Self, Faults> {
        let fault = |found: String, wanted: &str| {
            Faults::from(Fault::new(Stage::Plan, Code::Format, "").found(found).wanted(wanted))
        };
        let Some((magic, rest)) = bytes.split_first_chunk::<8>().filter(|(m, _)| **m == MAGIC)
        else {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(8)]).into_owned();
            return Err(fault(format!("a file that starts with {start:?}"), "a Synfire plan"));
        };
        let Some((version, body)) = rest.split_first_chunk::<4>() else {
            return Err(fault(format!("a file that ends at byte {}", bytes.len()), "a version"));
        };
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(fault(format!("version {version}"), &format!("version {VERSION}")));
        }
        if body.len() > BYTES_MAX {
            return Err(fault(format!("{} bytes", bytes.len()), &format!("at most {BYTES_MAX}")));
        }
        let config = bincode::config::standard().with_limit::<BYTES_MAX>();
        match bincode::serde::decode_from_slice(body, config) {
            Ok((data, read)) if read == body.len() => Ok(data),
            Ok((_, read)) => {
                let at = magic.len() + 4 + read;
                Err(fault(format!("more bytes after the plan, from byte {at}"), "nothing more"))
            }
            Err(error) => Err(fault(format!("damaged data: {error}"), "a whole plan")),
        }
    }
}
