//! Captured network traffic, classic PCAP and pcapng, record by record.
//!
//! What: finds the payloads of one UDP port, with their capture time. Everything else is counted.
//! Why not the readers of `pcap-file`: they hide the offset of a damaged record and buffer 8 MB;
//! its parsers work on our own [`Input`].
//! Invariant: a record is at most [`AHEAD_BYTES_MAX`] long, else the capture is damaged.

use std::time::Duration;

use etherparse::{SlicedPacket, TransportSlice};
use pcap_file::{
    DataLink,
    pcap::{PcapParseError, PcapParser, PcapTsResolution},
    pcapng::{Block, PcapNgParseError, PcapNgParser},
};

use crate::{
    SensorError,
    error::Complaint,
    input::{AHEAD_BYTES_MAX, Input},
    skipped::{Reason, Skipped},
};

/// A first guess of how much of a record must be seen: more than a data packet needs.
const RECORD_BYTES_FIRST: usize = 2048;

/// The UDP ports of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) data: u16,
    pub(crate) position: u16,
}

/// A capture file being read.
pub(crate) struct Capture {
    input: Input,
    framing: Framing,
}

enum Framing {
    Classic(PcapParser),
    NextGeneration(Box<PcapNgParser>),
}

/// One record of a capture, before its layers are opened.
struct Record<'a> {
    time_ns: i64,
    link: DataLink,
    frame: &'a [u8],
}

/// What a parser made of the bytes ahead; the bytes it used come with it.
enum Step<'a> {
    Record(Record<'a>, usize),
    Unsupported(usize),
    NoPacket(usize),
    Incomplete,
    Damaged(String),
}

impl Capture {
    /// Reads the header of the capture; the caller has recognised the magic number.
    pub(crate) fn open(mut input: Input) -> Result<Capture, SensorError> {
        let mut wanted = 24;
        loop {
            let bytes = input.ahead(wanted)?;
            let seen = bytes.len();
            let parsed = match bytes.first() {
                Some(0x0A) => PcapNgParser::new(bytes)
                    .map(|(rest, parser)| (rest.len(), Framing::NextGeneration(Box::new(parser))))
                    .map_err(|error| match error {
                        PcapNgParseError::IncompleteBuffer(..) => None,
                        other => Some(chain(&other)),
                    }),
                _ => PcapParser::new(bytes)
                    .map(|(rest, parser)| (rest.len(), Framing::Classic(parser)))
                    .map_err(|error| match error {
                        PcapParseError::IncompleteBuffer(..) => None,
                        other @ PcapParseError::Validation(_) => Some(chain(&other)),
                    }),
            };
            match parsed {
                Ok((rest, framing)) => {
                    input.consume(seen - rest);
                    return Ok(Capture { input, framing });
                }
                Err(Some(found)) => return Err(damaged(&input, found)),
                Err(None) => wanted = more(&input, wanted, seen)?,
            }
        }
    }

    /// Copies the next payload of the data port that is as long as `payload`, and returns its
    /// capture time; nothing at the end of the capture.
    pub(crate) fn next(
        &mut self,
        ports: Ports,
        payload: &mut [u8],
        skipped: &mut Skipped,
    ) -> Result<Option<i64>, SensorError> {
        let mut wanted = RECORD_BYTES_FIRST;
        loop {
            let bytes = self.input.ahead(wanted)?;
            let seen = bytes.len();
            if seen == 0 {
                return Ok(None);
            }
            let (used, time_ns) = match self.framing.step(bytes) {
                Step::Record(record, used) => match datagram(&record, ports, payload.len()) {
                    Ok(found) => {
                        payload.copy_from_slice(found);
                        (used, Some(record.time_ns))
                    }
                    Err(reason) => {
                        skipped.add(reason, 1);
                        (used, None)
                    }
                },
                Step::Unsupported(used) => {
                    skipped.add(Reason::UnsupportedRecord, 1);
                    (used, None)
                }
                Step::NoPacket(used) => (used, None),
                Step::Incomplete => {
                    wanted = more(&self.input, wanted, seen)?;
                    continue;
                }
                Step::Damaged(found) => return Err(damaged(&self.input, found)),
            };
            self.input.consume(used);
            if time_ns.is_some() {
                return Ok(time_ns);
            }
            wanted = RECORD_BYTES_FIRST;
        }
    }

    /// Completes a complaint with the file and the current offset.
    pub(crate) fn error(&self, complaint: Complaint) -> SensorError {
        self.input.error(complaint)
    }
}

impl Framing {
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        match self {
            Framing::Classic(parser) => classic_step(parser, bytes),
            Framing::NextGeneration(parser) => next_generation_step(parser, bytes),
        }
    }
}

fn classic_step<'a>(parser: &PcapParser, bytes: &'a [u8]) -> Step<'a> {
    // The raw record: a wrong snap length or fraction of a second is no reason to lose a packet.
    let (rest, raw) = match parser.next_raw_packet(bytes) {
        Ok(parsed) => parsed,
        Err(PcapParseError::IncompleteBuffer(..)) => return Step::Incomplete,
        Err(other @ PcapParseError::Validation(_)) => return Step::Damaged(chain(&other)),
    };
    let used = bytes.len() - rest.len();
    let header = parser.header();
    let unit_ns = match header.ts_resolution {
        PcapTsResolution::MicroSecond => 1000,
        PcapTsResolution::NanoSecond => 1,
    };
    let time_ns = i64::from(raw.ts_sec) * 1_000_000_000 + i64::from(raw.ts_frac) * unit_ns;
    let frame = &bytes[used - raw.data.len()..used];
    Step::Record(Record { time_ns, link: header.datalink, frame }, used)
}

fn next_generation_step<'a>(parser: &mut PcapNgParser, bytes: &'a [u8]) -> Step<'a> {
    let (rest, block) = match parser.next_block(bytes) {
        Ok(parsed) => parsed,
        Err(PcapNgParseError::IncompleteBuffer(..)) => return Step::Incomplete,
        Err(other) => return Step::Damaged(chain(&other)),
    };
    let used = bytes.len() - rest.len();
    match block {
        Block::EnhancedPacket(packet) => {
            let std::borrow::Cow::Borrowed(frame) = packet.data else {
                return Step::Damaged("a packet that was not read in place".to_owned());
            };
            let interface = parser.interfaces().get(packet.interface_id as usize);
            let Some(link) = interface.map(|interface| interface.linktype) else {
                return Step::Unsupported(used);
            };
            Step::Record(Record { time_ns: nanoseconds(packet.timestamp), link, frame }, used)
        }
        Block::SimplePacket(_) | Block::Packet(_) => Step::Unsupported(used),
        _ => Step::NoPacket(used),
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Opens the layers of a frame down to the UDP payload.
fn datagram<'a>(
    record: &Record<'a>,
    ports: Ports,
    payload_bytes: usize,
) -> Result<&'a [u8], Reason> {
    let sliced = match record.link {
        DataLink::ETHERNET => SlicedPacket::from_ethernet(record.frame),
        DataLink::LINUX_SLL => SlicedPacket::from_linux_sll(record.frame),
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => SlicedPacket::from_ip(record.frame),
        _ => return Err(Reason::UnsupportedRecord),
    };
    let Ok(SlicedPacket { transport: Some(TransportSlice::Udp(udp)), .. }) = sliced else {
        return Err(Reason::NotUdp);
    };
    match udp.destination_port() {
        port if port == ports.data && udp.payload().len() == payload_bytes => Ok(udp.payload()),
        port if port == ports.data => Err(Reason::WrongSize),
        port if port == ports.position => Err(Reason::PositionPacket),
        _ => Err(Reason::OtherPort),
    }
}

/// How many bytes to look ahead for a record that did not fit into `wanted`.
fn more(input: &Input, wanted: usize, seen: usize) -> Result<usize, SensorError> {
    if seen < wanted {
        let found = format!("{seen} bytes");
        return Err(input.error(Complaint::truncated(found, "a whole packet record")));
    }
    if seen == AHEAD_BYTES_MAX {
        let found = format!("a packet record of more than {seen} bytes");
        return Err(damaged(input, found));
    }
    Ok((seen * 2).min(AHEAD_BYTES_MAX))
}

fn damaged(input: &Input, found: String) -> SensorError {
    let hint = "the capture is damaged here; record it again or cut it before this byte";
    input.error(Complaint::malformed(found, "a packet record", hint))
}

/// An error of a parser with the errors that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
