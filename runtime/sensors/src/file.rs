//! The source of one cloud from one file: what PCD, PLY and raw files have in common.
//!
//! A format is a function that reads the whole cloud. A cloud is handed over complete or not at
//! all: after an error the caller's cloud is empty.

use crate::{Cloud, CloudSource, Limits, Next, SensorError, input::Input, skipped::Skipped};

/// Reads the one cloud of a file.
pub(crate) type ReadCloud =
    fn(&mut Input, &Limits, &mut Cloud, &mut Skipped) -> Result<(), SensorError>;

/// A file with one cloud.
pub(crate) struct FileSource {
    read: ReadCloud,
    input: Input,
    limits: Limits,
    skipped: Skipped,
    finished: bool,
}

impl FileSource {
    pub(crate) fn new(read: ReadCloud, input: Input, limits: &Limits) -> FileSource {
        FileSource { read, input, limits: *limits, skipped: Skipped::default(), finished: false }
    }
}

impl CloudSource for FileSource {
    fn next(&mut self, cloud: &mut Cloud) -> Result<Next, SensorError> {
        cloud.clear();
        if self.finished {
            return Ok(Next::End);
        }
        self.finished = true;
        let read = (self.read)(&mut self.input, &self.limits, cloud, &mut self.skipped);
        if read.is_err() {
            cloud.clear();
        }
        read.map(|()| Next::Filled)
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::input::tests::input;

    /// Reads a file of at most 1000 points to its end.
    pub(crate) fn read_all(read: ReadCloud, bytes: &[u8]) -> Result<(Cloud, Skipped), SensorError> {
        let limits = Limits { points_max: 1000, ..Limits::STANDARD };
        let mut source = FileSource::new(read, input(bytes), &limits);
        let mut cloud = Cloud::default();
        assert_eq!(source.next(&mut cloud)?, Next::Filled);
        let filled = cloud.clone();
        assert_eq!(source.next(&mut cloud)?, Next::End);
        Ok((filled, source.skipped.clone()))
    }
}
