//! The point cloud, the trait of everything that yields clouds, and the limits on both.
//!
//! Axes are those of a vehicle: x forward, y left, z up, in metres, from the sensor.
//! Invariants: every value of a point is finite; intensity is in 0..=1; no point is the origin.

use crate::{SensorError, Skipped};

/// One cloud: a sweep of a scanner, or the content of one file.
///
/// The caller owns it and passes it again, so that a steady stream does not allocate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cloud {
    /// x, y, z in metres and the intensity in 0..=1.
    pub points: Vec<[f32; 4]>,
    /// One class per point where the file holds a `label` field, else empty.
    pub labels: Vec<u32>,
    /// Nanoseconds since 1970 (UTC) of the first firing; 0 where the file holds no time.
    pub event_time_ns: i64,
    /// How far the scanner turned during this cloud; 0 where the file holds no azimuths.
    ///
    /// The first and the last sweep of a recording are usually shorter than 360.
    pub sweep_deg: f32,
}

impl Cloud {
    /// Forgets the points and keeps their memory.
    pub fn clear(&mut self) {
        self.points.clear();
        self.labels.clear();
        self.event_time_ns = 0;
        self.sweep_deg = 0.0;
    }
}

/// What [`CloudSource::next`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The cloud holds the next sweep or file.
    Filled,
    /// There is no further cloud; the one passed in is empty.
    End,
}

/// Anything that yields point clouds, one after the other.
pub trait CloudSource {
    /// Replaces the content of `cloud` by the next cloud.
    ///
    /// # Errors
    /// When the recording is damaged or beyond the limits. After an error the source is finished
    /// and answers [`Next::End`]. Sweeps before the damage have been handed over by then.
    fn next(&mut self, cloud: &mut Cloud) -> Result<Next, SensorError>;

    /// What was left out so far.
    fn skipped(&self) -> &Skipped;
}

/// Bounds on what a source may read and hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Points in one cloud. A file that announces more is refused before anything is allocated;
    /// a sweep that reaches it is handed over and goes on in the next cloud.
    pub points_max: usize,
    /// Bytes of one file. A longer file is refused, on opening where its length is known.
    pub file_bytes_max: u64,
}

impl Limits {
    /// Room for a dense survey scan and an hour of packets: 4 194 304 points and 4 GiB.
    pub const STANDARD: Limits = Limits { points_max: 1 << 22, file_bytes_max: 1 << 32 };
}
