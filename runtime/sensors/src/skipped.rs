//! What a reader left out, counted by reason.
//!
//! Why: a reader that drops silently hides a wrong port, a wrong model or a dying sensor.
//! Invariant: everything that is in the file and not in a cloud is counted here or is an error.

use std::fmt;

/// Declares the reasons once: the variant, and the words that follow its count in a report.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $words:literal,)*) => {
        /// Why a packet, a block of firings or a point was left out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of the report.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The words that follow the count in a report, such as `position packets`.
            pub fn words(self) -> &'static str {
                match self { $(Reason::$name => $words,)* }
            }
        }
    };
}

reasons! {
    /// A packet of the sensor's position port: expected, holds no point.
    PositionPacket "position packets",
    /// A frame that holds no UDP datagram, or one that is cut, fragmented or damaged.
    NotUdp "frames without a whole UDP datagram",
    /// A datagram for another port.
    OtherPort "datagrams of another port",
    /// A datagram of the data port that has not 1206 bytes.
    WrongSize "data packets of another size than 1206 bytes",
    /// A data packet of a sensor whose angles this crate does not know.
    UnknownModel "data packets of an unknown sensor model",
    /// A data packet whose return mode is none of strongest, last, dual.
    UnknownReturnMode "data packets of an unknown return mode",
    /// A packet record of a kind that holds no capture time or no interface.
    UnsupportedRecord "packet records of an unsupported kind",
    /// A block of firings without its start mark, or with an azimuth beyond 359.99 degrees.
    BadBlock "blocks of firings with a wrong mark or azimuth",
    /// The azimuth jumped between two packets: firings were lost before the capture.
    AzimuthGap "jumps of the azimuth, where packets were lost",
    /// A frame reached the limit of points and was handed over before its end.
    FrameCut "frames cut at the limit of points",
    /// The laser saw nothing: distance zero, or a stored point exactly at the origin.
    NoReturn "points without a return",
    /// The second return of a dual firing, equal to the first.
    RepeatedReturn "second returns equal to the first",
    /// A point with a coordinate or intensity that is not a finite number.
    NotFinite "points that are not finite",
    /// A point beyond the limit of points.
    BeyondLimit "points beyond the limit",
    /// A byte after the last announced point of a file.
    TrailingByte "bytes after the last point",
}

/// Counts of what was left out so far, by [`Reason`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    counts: [u64; Reason::ALL.len()],
}

impl Skipped {
    /// How often `reason` occurred.
    pub fn count(&self, reason: Reason) -> u64 {
        self.counts[reason as usize]
    }

    /// The reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.iter().map(|&reason| (reason, self.count(reason))).filter(|entry| entry.1 > 0)
    }

    /// True when nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    pub(crate) fn add(&mut self, reason: Reason, count: u64) {
        let total = &mut self.counts[reason as usize];
        *total = total.saturating_add(count);
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("nothing skipped");
        }
        for (index, (reason, count)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(out, "{comma}{count} {}", reason.words())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_lists_only_what_occurred() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.to_string(), "nothing skipped");
        skipped.add(Reason::NoReturn, 3);
        skipped.add(Reason::PositionPacket, 9);
        assert_eq!(skipped.to_string(), "9 position packets, 3 points without a return");
    }

    #[test]
    fn a_count_saturates() {
        let mut skipped = Skipped::default();
        skipped.add(Reason::NotFinite, u64::MAX);
        skipped.add(Reason::NotFinite, 1);
        assert_eq!(skipped.count(Reason::NotFinite), u64::MAX);
    }
}
