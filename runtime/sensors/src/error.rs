//! The one error of this crate.
//!
//! What: which file, at which byte, what was found there, what was wanted, and what to do about it.
//! Why: a user with a broken recording should be able to find the broken byte without a debugger.
//! Invariant: every error names a file; no reader of this crate panics on foreign bytes.

use std::io;

use thiserror::Error;

/// The class of a [`SensorError`], for callers that act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operating system could not open or read the file.
    Unreadable,
    /// The bytes are of no format this crate reads.
    Foreign,
    /// The file holds no point cloud at all.
    Empty,
    /// The file ends before what it announces.
    Truncated,
    /// The file breaks the rules of its own format.
    Malformed,
    /// The file, or what it announces, is larger than the [`Limits`](crate::Limits).
    Oversized,
}

/// Why a recording could not be read.
///
/// After an error a source is finished: it answers [`Next::End`](crate::Next::End) from then on.
#[derive(Debug, Error)]
#[error("{file} at byte {offset}: found {found}, wanted {wanted}; {hint}")]
pub struct SensorError {
    /// The class of the error.
    pub fault: Fault,
    /// The file as the caller named it.
    pub file: String,
    /// Bytes from the start of the file to what could not be read.
    pub offset: u64,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub wanted: String,
    /// What to try next.
    pub hint: &'static str,
    /// The error of the operating system, when there is one.
    pub source: Option<io::Error>,
}

/// What was found, what was wanted, and a hint: an error before its place is known.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) fault: Fault,
    pub(crate) found: String,
    pub(crate) wanted: String,
    pub(crate) hint: &'static str,
}

impl Complaint {
    /// The file breaks the rules of its format.
    pub(crate) fn malformed(
        found: impl Into<String>,
        wanted: impl Into<String>,
        hint: &'static str,
    ) -> Complaint {
        Complaint { fault: Fault::Malformed, found: found.into(), wanted: wanted.into(), hint }
    }

    /// The file announces more than the limits allow.
    pub(crate) fn oversized(found: impl Into<String>, wanted: impl Into<String>) -> Complaint {
        let hint = "raise the limit if the file is trusted";
        Complaint { fault: Fault::Oversized, found: found.into(), wanted: wanted.into(), hint }
    }

    /// The file ends too early.
    pub(crate) fn truncated(found: impl Into<String>, wanted: impl Into<String>) -> Complaint {
        let hint = "the file was cut short; copy or record it again";
        Complaint { fault: Fault::Truncated, found: found.into(), wanted: wanted.into(), hint }
    }

    /// The file holds nothing to read.
    pub(crate) fn empty(
        found: impl Into<String>,
        wanted: impl Into<String>,
        hint: &'static str,
    ) -> Complaint {
        Complaint { fault: Fault::Empty, found: found.into(), wanted: wanted.into(), hint }
    }

    /// The bytes are not of a format we read.
    pub(crate) fn foreign(
        found: impl Into<String>,
        wanted: impl Into<String>,
        hint: &'static str,
    ) -> Complaint {
        Complaint { fault: Fault::Foreign, found: found.into(), wanted: wanted.into(), hint }
    }

    /// Adds the place, which makes the error complete.
    pub(crate) fn at(self, file: &str, offset: u64) -> SensorError {
        let Complaint { fault, found, wanted, hint } = self;
        SensorError { fault, file: file.to_owned(), offset, found, wanted, hint, source: None }
    }
}

/// Renders foreign bytes for an error: printable, quoted, and never more than 40 of them.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 40;
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("\"{}\"{more}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_file_offset_found_wanted_and_hint() {
        let error = Complaint::truncated("7 bytes", "16 bytes of a point").at("street.bin", 32);
        let expect = "street.bin at byte 32: found 7 bytes, wanted 16 bytes of a point; \
                      the file was cut short; copy or record it again";
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn foreign_bytes_are_quoted_and_cut() {
        assert_eq!(quoted(b"a\n\xff"), "\"a\\n\\xff\"");
        assert!(quoted(&[b'x'; 100]).ends_with("\"..."));
    }
}
