//! The turning head: where it is, how far it came, and where a sweep ends.
//!
//! Azimuths are hundredths of a degree below [`TURN`]. A sweep ends where the azimuth passes the
//! cut. A head that trembles back by less than half a turn does not pass it.

use super::packet::{BLOCK_COUNT, Packet, TURN};

/// The largest step of the azimuth from block to block: more is a loss, not a rotation.
///
/// At 20 turns per second the slowest block (110.592 us) takes 80 hundredths.
const STEP_MAX: u16 = 200;

/// Follows the azimuth from block to block.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    cut: Option<u16>,
    last: Option<u16>,
    swept: u32,
    step: u16,
}

impl Turn {
    /// Sweeps end at `cut`, or where the recording starts when there is none.
    pub(crate) fn new(cut: Option<u16>) -> Turn {
        Turn { cut, ..Turn::default() }
    }

    /// Starts to count a sweep.
    pub(crate) fn start_sweep(&mut self) {
        self.swept = 0;
    }

    /// True once the head was seen anywhere.
    pub(crate) fn has_started(&self) -> bool {
        self.last.is_some()
    }

    /// True when going to `azimuth` ends the sweep.
    pub(crate) fn passes_cut(&self, azimuth: u16) -> bool {
        let (Some(cut), Some(last)) = (self.cut, self.last) else { return false };
        forward(cut, azimuth) + TURN / 2 < forward(cut, last)
    }

    /// Goes to `azimuth`; false when firings in between are missing.
    pub(crate) fn advance(&mut self, azimuth: u16) -> bool {
        self.cut.get_or_insert(azimuth);
        let step = forward(self.last.unwrap_or(azimuth), azimuth);
        self.last = Some(azimuth);
        if step < TURN / 2 {
            self.swept += u32::from(step);
        }
        !(STEP_MAX + 1..TURN - STEP_MAX).contains(&step)
    }

    /// How far the head came during this sweep, in degrees.
    pub(crate) fn swept_deg(&self) -> f32 {
        self.swept as f32 / 100.0
    }

    /// How far the head turns during each block of a packet.
    ///
    /// The next block tells. For the last blocks, and where the next is unsound or lost, the head
    /// is taken to turn on as fast as before.
    pub(crate) fn steps(&mut self, packet: &Packet) -> [u16; BLOCK_COUNT] {
        std::array::from_fn(|block| {
            let next = block + packet.returns;
            let next = if next < BLOCK_COUNT { packet.azimuth(next) } else { None };
            if let Some((azimuth, next)) = packet.azimuth(block).zip(next) {
                let step = forward(azimuth, next);
                if step <= STEP_MAX {
                    self.step = step;
                }
            }
            self.step
        })
    }
}

/// The way from one azimuth to another in the sense of rotation.
fn forward(from: u16, to: u16) -> u16 {
    if to >= from { to - from } else { TURN - (from - to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where in a row of azimuths a sweep ends.
    fn cuts(cut: Option<u16>, azimuths: &[u16]) -> Vec<usize> {
        let mut turn = Turn::new(cut);
        let mut found = Vec::new();
        for (index, &azimuth) in azimuths.iter().enumerate() {
            if turn.passes_cut(azimuth) {
                found.push(index);
            }
            turn.advance(azimuth);
        }
        found
    }

    #[test]
    fn a_sweep_ends_where_the_cut_is_passed() {
        assert_eq!(cuts(Some(0), &[35_900, 35_950, 10, 60]), [2]);
        assert_eq!(cuts(Some(9_000), &[8_900, 8_990, 9_000, 9_010]), [2]);
        assert_eq!(cuts(None, &[100, 20_000, 35_990, 90, 100, 110]), [4]);
    }

    #[test]
    fn a_trembling_head_does_not_end_a_sweep() {
        assert_eq!(cuts(Some(0), &[100, 90, 110, 105]), [0_usize; 0]);
        assert_eq!(cuts(None, &[100, 99, 100]), [2]);
    }

    #[test]
    fn jumps_are_noticed_and_swept_angle_adds_up() {
        let mut turn = Turn::new(Some(0));
        assert!(turn.advance(35_900));
        assert!(turn.advance(35_990));
        assert!(turn.advance(30));
        assert!(!turn.advance(1_000));
        assert!(turn.advance(990));
        assert_eq!(turn.swept_deg(), 11.0);
    }
}
