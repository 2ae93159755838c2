//! Readers of point clouds: recorded LiDAR packets and point cloud files.
//!
//! What: [`open`] finds out the format of a file and returns a [`CloudSource`], which fills a
//! [`Cloud`] of the caller, again and again. Formats: PCAP and pcapng with Velodyne packets
//! (HDL-32E, VLP-16, VLP-32C), PCD, PLY, raw 32-bit floats.
//! Why here: sensors know nothing of graphs, and the runtime knows nothing of sensors.
//!
//! Invariants: foreign bytes lead to a [`SensorError`] or to a counted [`Reason`], never to a
//! panic, to endless work, or to memory beyond the [`Limits`]; a steady stream does not allocate.

// In the order of reading.
mod cloud;
mod error;
mod open;
mod skipped;
// The formats with one cloud per file, and what they share.
mod fields;
mod file;
mod lzf;
mod number;
mod pcd;
mod ply;
mod raw;
// Recorded packets.
mod capture;
mod velodyne;
// The bytes below all of them.
mod input;

pub use cloud::{Cloud, CloudSource, Limits, Next};
pub use error::{Fault, SensorError};
pub use open::{open, open_packets, read};
pub use skipped::{Reason, Skipped};
pub use velodyne::{Cut, PacketOptions};
