//! One Velodyne data packet: 12 blocks of 100 bytes, a time stamp, two factory bytes.
//!
//! A block is the mark FF EE, an azimuth in hundredths of a degree, and 32 channels of a distance
//! (two bytes) and a reflectivity (one byte), all little-endian.
//! Invariant: every access is by a block index below [`BLOCK_COUNT`] and a channel below 32, so
//! that a packet of the right length can be read without failing.

use crate::skipped::Reason;

use super::model::{CHANNEL_COUNT, MODELS};

pub(crate) const PACKET_BYTES: usize = 1206;
pub(crate) const BLOCK_COUNT: usize = 12;
const BLOCK_BYTES: usize = 100;

/// Azimuths of a full turn, in the unit of the packet.
pub(crate) const TURN: u16 = 36_000;

/// How far the clock of the sensor may be from the clock of the capture to count as set by GPS.
const CLOCK_SKEW_NS_MAX: i64 = 2_000_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// One data packet and what its factory bytes say.
pub(crate) struct Packet {
    pub(crate) bytes: [u8; PACKET_BYTES],
    /// Place of the model in [`MODELS`].
    pub(crate) model_index: usize,
    /// How many blocks show the same firings: 2 where both returns of a laser are sent.
    pub(crate) returns: usize,
    /// Time of the first firing.
    pub(crate) time_ns: i64,
}

impl Packet {
    pub(crate) fn new() -> Packet {
        Packet { bytes: [0; PACKET_BYTES], model_index: 0, returns: 1, time_ns: 0 }
    }

    /// Reads what follows the blocks of freshly copied bytes.
    pub(crate) fn read_trailer(&mut self, capture_ns: i64) -> Result<(), Reason> {
        let [mode, product_id] = [self.bytes[PACKET_BYTES - 2], self.bytes[PACKET_BYTES - 1]];
        let model_index = MODELS.iter().position(|model| model.product_id == product_id);
        self.model_index = model_index.ok_or(Reason::UnknownModel)?;
        self.returns = match mode {
            0x37 | 0x38 => 1,
            0x39 => 2,
            _ => return Err(Reason::UnknownReturnMode),
        };
        let stamp = &self.bytes[PACKET_BYTES - 6..PACKET_BYTES - 2];
        let sensor_us = u32::from_le_bytes([stamp[0], stamp[1], stamp[2], stamp[3]]);
        self.time_ns = event_time_ns(capture_ns, sensor_us);
        Ok(())
    }

    /// The azimuth of a block in hundredths of a degree, if the block is sound.
    pub(crate) fn azimuth(&self, block: usize) -> Option<u16> {
        let head = &self.bytes[block * BLOCK_BYTES..][..4];
        let azimuth = u16::from_le_bytes([head[2], head[3]]);
        (head[..2] == [0xFF, 0xEE] && azimuth < TURN).then_some(azimuth)
    }

    /// The distance, in units of the model, and the reflectivity of a channel.
    pub(crate) fn measurement(&self, block: usize, channel: usize) -> (u16, u8) {
        assert!(block < BLOCK_COUNT && channel < CHANNEL_COUNT, "channels are iterated in range");
        let bytes = &self.bytes[block * BLOCK_BYTES + 4 + 3 * channel..][..3];
        (u16::from_le_bytes([bytes[0], bytes[1]]), bytes[2])
    }

    /// Time of the first firing of a block.
    pub(crate) fn block_time_ns(&self, block: usize) -> i64 {
        let passed_us = (block / self.returns) as f64 * MODELS[self.model_index].block_us;
        self.time_ns.saturating_add((passed_us * 1000.0) as i64)
    }
}

/// Joins the sensor's microseconds past the hour and the capture's own time.
///
/// The hour is the one that brings the two closest together. A sensor without GPS counts from
/// when it was switched on; then the two stay apart, and the time of the capture is taken.
fn event_time_ns(capture_ns: i64, sensor_us: u32) -> i64 {
    let past_hour_us = i64::from(sensor_us);
    if past_hour_us >= HOUR_US {
        return capture_ns;
    }
    let hour_ns = HOUR_US * 1000;
    let hours = capture_ns.div_euclid(hour_ns);
    let near = [hours - 1, hours, hours + 1]
        .map(|hour| hour.saturating_mul(hour_ns).saturating_add(past_hour_us * 1000))
        .into_iter()
        .min_by_key(|time_ns| time_ns.abs_diff(capture_ns))
        .expect("three hours were tried");
    if near.abs_diff(capture_ns) <= CLOCK_SKEW_NS_MAX as u64 { near } else { capture_ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensor_and_capture_time_are_joined_over_the_hour() {
        let hour_ns = 3_600_000_000_000;
        let check = |capture_ns: i64, sensor_us: u32, expect: i64| {
            assert_eq!(event_time_ns(capture_ns, sensor_us), expect);
        };
        check(5 * hour_ns + 1_000_000, 400, 5 * hour_ns + 400_000);
        check(5 * hour_ns + 100_000, 3_599_999_900, 5 * hour_ns - 100_000);
        check(5 * hour_ns - 100_000, 100, 5 * hour_ns + 100_000);
        // No GPS, and a stamp that no hour has.
        check(5 * hour_ns, 1_800_000_000, 5 * hour_ns);
        check(5 * hour_ns, u32::MAX, 5 * hour_ns);
        check(i64::MAX, 7, i64::MAX);
    }
}
