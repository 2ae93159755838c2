//! The file formats of plans and snapshots: magic and version, then bincode with a size limit.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::{Code, Fault, Faults, Stage};
use crate::plan::PlanData;

/// What decoding may claim for files up to that size, and for larger ones.
const SMALL: usize = 64 << 20;
const LARGE: usize = 16 << 30;

/// What a file of ours holds.
pub(crate) trait Format: Serialize + DeserializeOwned {
    /// First bytes of every such file.
    const MAGIC: [u8; 8];
    /// Raised with every change of what it holds.
    const VERSION: u32;
    /// More bytes than any has; decoding allocates no more.
    const BYTES_MAX: usize;
    /// What it is, for people.
    const NAME: &'static str;

    /// As bytes.
    fn write(&self) -> Vec<u8> {
        let mut bytes = Self::MAGIC.to_vec();
        bytes.extend(Self::VERSION.to_le_bytes());
        let body = bincode::serde::encode_to_vec(self, bincode::config::standard());
        bytes.extend(body.expect("it holds only what bincode can write"));
        bytes
    }

    /// From bytes.
    fn read(bytes: &[u8]) -> Result<Self, Faults> {
        let fault = |found: String, wanted: &str| {
            Faults::from(Fault::new(Stage::Plan, Code::Format, "").found(found).wanted(wanted))
        };
        let Some((_, rest)) = bytes.split_first_chunk::<8>().filter(|(m, _)| **m == Self::MAGIC)
        else {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(8)]).into_owned();
            let wanted = format!("a Synfire {}", Self::NAME);
            return Err(fault(format!("a file that starts with {start:?}"), &wanted));
        };
        let Some((version, body)) = rest.split_first_chunk::<4>() else {
            return Err(fault(format!("a file that ends at byte {}", bytes.len()), "a version"));
        };
        let version = u32::from_le_bytes(*version);
        if version != Self::VERSION {
            let wanted = format!("version {}", Self::VERSION);
            return Err(fault(format!("version {version}"), &wanted));
        }
        if body.len() > Self::BYTES_MAX {
            let wanted = format!("at most {}", Self::BYTES_MAX);
            return Err(fault(format!("{} bytes", bytes.len()), &wanted));
        }
        let config = bincode::config::standard();
        // A damaged length claims no more memory than such a file may need.
        let decoded = match body.len() {
            ..=SMALL => bincode::serde::decode_from_slice(body, config.with_limit::<SMALL>()),
            _ => bincode::serde::decode_from_slice(body, config.with_limit::<LARGE>()),
        };
        match decoded {
            Ok((data, read)) if read == body.len() => Ok(data),
            Ok((_, read)) => {
                let found = format!("more bytes after the {}, from byte {}", Self::NAME, 12 + read);
                Err(fault(found, "nothing more"))
            }
            Err(error) => {
                Err(fault(format!("damaged data: {error}"), &format!("a whole {}", Self::NAME)))
            }
        }
    }
}

impl Format for PlanData {
    const MAGIC: [u8; 8] = *b"SYNFPLAN";
    const VERSION: u32 = 3;
    const BYTES_MAX: usize = 64 << 20;
    const NAME: &'static str = "plan";
}

impl PlanData {
    /// The plan as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.write()
    }

    /// A plan from bytes; [`crate::plan::Plan::bind`] then holds it against a graph.
    ///
    /// # Errors
    /// When the bytes are foreign, of another version, too many, damaged or followed by others.
    pub fn decode(bytes: &[u8]) -> Result<Self, Faults> {
        Self::read(bytes)
    }
}
