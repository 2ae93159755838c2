//! A bounded, buffered byte stream that knows its name and its offset.
//!
//! Why not `BufReader`: the packet parsers want to see ahead and then consume exactly what they
//! used, and an error needs the offset of the byte that was wrong.
//! Invariants: the buffer never grows; `start <= end <= buffer.len()`; at most one byte more than
//! `bytes_max` is ever read, which is how a longer file is noticed.

use std::io::{ErrorKind, Read};

use crate::{
    Fault, Limits, SensorError,
    error::{Complaint, quoted},
};

/// The most a format may look ahead, which bounds a packet record and a line.
pub(crate) const AHEAD_BYTES_MAX: usize = 256 * 1024;

/// A file or stream of one recording.
pub(crate) struct Input {
    file: String,
    reader: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    offset: u64,
    bytes_read: u64,
    bytes_max: u64,
}

impl Input {
    pub(crate) fn new(file: &str, reader: Box<dyn Read + Send>, limits: &Limits) -> Input {
        Input {
            file: file.to_owned(),
            reader,
            buffer: vec![0; AHEAD_BYTES_MAX].into_boxed_slice(),
            start: 0,
            end: 0,
            offset: 0,
            bytes_read: 0,
            bytes_max: limits.file_bytes_max,
        }
    }

    /// Completes a complaint with the file and the current offset.
    pub(crate) fn error(&self, complaint: Complaint) -> SensorError {
        complaint.at(&self.file, self.offset)
    }

    /// Bytes from the start of the file to the first byte not yet consumed.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Looks at the next bytes: at least `count`, or all that remain when the file ends first.
    pub(crate) fn ahead(&mut self, count: usize) -> Result<&[u8], SensorError> {
        assert!(count <= AHEAD_BYTES_MAX, "no format looks further ahead than the buffer");
        while self.end - self.start < count {
            if !self.refill()? {
                break;
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Consumes bytes that `ahead` has shown.
    pub(crate) fn consume(&mut self, count: usize) {
        assert!(count <= self.end - self.start, "only bytes that were seen can be consumed");
        self.start += count;
        self.offset += count as u64;
    }

    /// Takes exactly `count` bytes; `wanted` says what they are.
    pub(crate) fn exact(&mut self, count: usize, wanted: &str) -> Result<&[u8], SensorError> {
        let seen = self.ahead(count)?.len();
        if seen < count {
            let wanted = format!("{count} bytes of {wanted}");
            return Err(self.error(Complaint::truncated(format!("{seen} bytes"), wanted)));
        }
        let start = self.start;
        self.consume(count);
        Ok(&self.buffer[start..start + count])
    }

    /// Passes over `count` bytes of any number.
    pub(crate) fn discard(&mut self, count: u64, wanted: &str) -> Result<(), SensorError> {
        let mut left = count;
        while left > 0 {
            let step = left.min(AHEAD_BYTES_MAX as u64) as usize;
            self.exact(step, wanted)?;
            left -= step as u64;
        }
        Ok(())
    }

    /// Takes one line without its end, or nothing at the end of the file.
    pub(crate) fn line(&mut self) -> Result<Option<&[u8]>, SensorError> {
        let mut wanted = 256;
        let length = loop {
            let seen = self.ahead(wanted)?;
            if let Some(length) = seen.iter().position(|&byte| byte == b'\n') {
                break length;
            }
            match seen.len() {
                0 => return Ok(None),
                all if all < wanted => break all,
                all if all == AHEAD_BYTES_MAX => {
                    let found = format!("a line that starts with {}", quoted(seen));
                    let wanted = format!("a line end within {AHEAD_BYTES_MAX} bytes");
                    let hint = "this is no text file, or its line ends were lost";
                    return Err(self.error(Complaint::malformed(found, wanted, hint)));
                }
                all => wanted = (all * 2).min(AHEAD_BYTES_MAX),
            }
        };
        let start = self.start;
        let with_end = (length + 1).min(self.end - self.start);
        self.consume(with_end);
        let line = &self.buffer[start..start + length];
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// Counts what remains, up to the limit, and consumes it.
    pub(crate) fn drain(&mut self) -> Result<u64, SensorError> {
        let mut count = 0;
        loop {
            let seen = self.ahead(1)?.len();
            if seen == 0 {
                return Ok(count);
            }
            self.consume(seen);
            count += seen as u64;
        }
    }

    /// Moves what is left to the front and reads once; false at the end of the file.
    fn refill(&mut self) -> Result<bool, SensorError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let count = loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        };
        self.end += count;
        self.bytes_read += count as u64;
        if self.bytes_read > self.bytes_max {
            let found = format!("more than {} bytes", self.bytes_max);
            let wanted = format!("at most {} bytes (file_bytes_max)", self.bytes_max);
            return Err(self.error(Complaint::oversized(found, wanted)));
        }
        Ok(count > 0)
    }

    fn unreadable(&self, error: std::io::Error) -> SensorError {
        let complaint = Complaint {
            fault: Fault::Unreadable,
            found: error.to_string(),
            wanted: "readable bytes".to_owned(),
            hint: "check the device and the permissions",
        };
        SensorError { source: Some(error), ..self.error(complaint) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use super::*;

    pub(crate) fn input(bytes: &[u8]) -> Input {
        Input::new("test", Box::new(Cursor::new(bytes.to_vec())), &Limits::STANDARD)
    }

    #[test]
    fn lines_end_at_either_line_end_and_at_the_end_of_the_file() {
        let mut input = input(b"one\r\ntwo\n\nlast");
        for expect in [&b"one"[..], b"two", b"", b"last"] {
            assert_eq!(input.line().unwrap(), Some(expect));
        }
        assert_eq!(input.line().unwrap(), None);
        assert_eq!(input.offset(), 14);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let error = input(&vec![b'x'; AHEAD_BYTES_MAX + 1]).line().unwrap_err();
        assert_eq!(error.fault, Fault::Malformed);
    }

    #[test]
    fn a_truncation_names_its_offset() {
        let mut input = input(&[0; 20]);
        input.exact(16, "a point").unwrap();
        let error = input.exact(16, "a point").unwrap_err();
        assert_eq!((error.fault, error.offset), (Fault::Truncated, 16));
    }

    #[test]
    fn a_stream_beyond_the_limit_is_refused() {
        let limits = Limits { file_bytes_max: 1000, ..Limits::STANDARD };
        let mut input = Input::new("endless", Box::new(std::io::repeat(7)), &limits);
        assert_eq!(input.drain().unwrap_err().fault, Fault::Oversized);
    }
}
