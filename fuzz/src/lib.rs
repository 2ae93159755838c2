//! What the targets of the sensor formats share: read any bytes to the end, within small limits.
//!
//! Invariant checked: reading ends, and every point that comes out is finite.

use std::io::Cursor;

use synfire_sensors::{Cloud, Limits, Next, PacketOptions, read};

const LIMITS: Limits = Limits { points_max: 10_000, file_bytes_max: 1 << 20 };

/// Reads `bytes` as a file called `name` and checks what comes out.
pub fn read_to_end(name: &str, bytes: &[u8]) {
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    let Ok(mut source) = read(name, reader, &LIMITS, &PacketOptions::STANDARD) else { return };
    let mut cloud = Cloud::default();
    while let Ok(Next::Filled) = source.next(&mut cloud) {
        assert!(cloud.points.len() <= LIMITS.points_max, "a cloud beyond the limit");
        assert!(cloud.points.iter().flatten().all(|value| value.is_finite()), "a point not finite");
    }
}
