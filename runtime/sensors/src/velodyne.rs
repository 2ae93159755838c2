//! Sweeps out of recorded Velodyne packets: HDL-32E, VLP-16 (Puck), VLP-32C (Ultra Puck).
//!
//! The factory bytes of each packet select model and return mode. The azimuth of a point is that
//! of its block plus the share of the step to the next block that had passed when its laser fired.
//! Invariants: a packet is held until all its blocks are in a cloud; a sweep holds at most
//! `points_max` points; everything left out is counted.

mod model;
mod packet;
mod turn;

use crate::{
    Cloud, CloudSource, Limits, Next, SensorError,
    capture::{Capture, Ports},
    error::Complaint,
    skipped::{Reason, Skipped},
};

use model::{Beam, CHANNEL_COUNT, MODELS};
use packet::{BLOCK_COUNT, Packet};
use turn::Turn;

/// Where a sweep ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// At the azimuth of the first firing of the recording: the first sweep is a whole one.
    RecordingStart,
    /// At this azimuth in degrees, clockwise from the front of the sensor; 0 is the wrap.
    Azimuth(f32),
}

/// How to find sweeps in captured packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacketOptions {
    /// UDP port of the data packets.
    pub data_port: u16,
    /// UDP port of the position packets, which are counted and passed over.
    pub position_port: u16,
    /// Where sweeps are cut.
    pub cut: Cut,
}

impl PacketOptions {
    /// The ports of the manuals, and whole sweeps from the first firing on.
    pub const STANDARD: PacketOptions =
        PacketOptions { data_port: 2368, position_port: 8308, cut: Cut::RecordingStart };
}

/// Sweeps of one capture.
pub(crate) struct PacketSource {
    capture: Capture,
    ports: Ports,
    points_max: usize,
    skipped: Skipped,
    beams: [[Beam; CHANNEL_COUNT]; MODELS.len()],
    turn: Turn,
    packet: Packet,
    /// The turn of the head during each block of the packet.
    steps: [u16; BLOCK_COUNT],
    /// The first block that is in no cloud yet; `BLOCK_COUNT` when the packet is used up.
    block_next: usize,
    /// What ended the capture, kept back until the sweep before it has been handed over.
    fault: Option<SensorError>,
    finished: bool,
}

impl PacketSource {
    pub(crate) fn new(capture: Capture, limits: &Limits, options: &PacketOptions) -> PacketSource {
        let cut = match options.cut {
            Cut::RecordingStart => None,
            Cut::Azimuth(degrees) => {
                Some((degrees.rem_euclid(360.0) * 100.0) as u16 % packet::TURN)
            }
        };
        PacketSource {
            capture,
            ports: Ports { data: options.data_port, position: options.position_port },
            points_max: limits.points_max,
            skipped: Skipped::default(),
            beams: std::array::from_fn(|index| MODELS[index].beams()),
            turn: Turn::new(cut),
            packet: Packet::new(),
            steps: [0; BLOCK_COUNT],
            block_next: BLOCK_COUNT,
            fault: None,
            finished: false,
        }
    }

    /// Takes the next data packet; false at the end of the capture.
    fn next_packet(&mut self) -> Result<bool, SensorError> {
        loop {
            let bytes = &mut self.packet.bytes;
            let Some(time_ns) = self.capture.next(self.ports, bytes, &mut self.skipped)? else {
                return Ok(false);
            };
            match self.packet.read_trailer(time_ns) {
                Ok(()) => {
                    self.steps = self.turn.steps(&self.packet);
                    self.block_next = 0;
                    return Ok(true);
                }
                Err(reason) => self.skipped.add(reason, 1),
            }
        }
    }

    /// Adds blocks until the sweep ends or the packet is used up; true when the sweep ends.
    fn take_blocks(&mut self, cloud: &mut Cloud, blocks: &mut u64) -> bool {
        while self.block_next < BLOCK_COUNT {
            let block = self.block_next;
            let Some(azimuth) = self.packet.azimuth(block) else {
                self.skipped.add(Reason::BadBlock, 1);
                self.block_next += 1;
                continue;
            };
            if *blocks > 0 && self.turn.passes_cut(azimuth) {
                return true;
            }
            if *blocks > 0 && cloud.points.len() + CHANNEL_COUNT > self.points_max {
                self.skipped.add(Reason::FrameCut, 1);
                return true;
            }
            if *blocks == 0 {
                cloud.event_time_ns = self.packet.block_time_ns(block);
            }
            if !self.turn.advance(azimuth) {
                self.skipped.add(Reason::AzimuthGap, 1);
            }
            self.add_points(block, azimuth, cloud);
            *blocks += 1;
            self.block_next += 1;
        }
        false
    }

    fn add_points(&mut self, block: usize, azimuth: u16, cloud: &mut Cloud) {
        let unit_m = MODELS[self.packet.model_index].distance_unit_m;
        let twin = (block % self.packet.returns == 1).then(|| block - 1);
        for (channel, beam) in self.beams[self.packet.model_index].iter().enumerate() {
            let (distance, reflectivity) = self.packet.measurement(block, channel);
            let repeats = |twin| self.packet.measurement(twin, channel).0 == distance;
            if distance == 0 {
                self.skipped.add(Reason::NoReturn, 1);
            } else if twin.is_some_and(repeats) {
                self.skipped.add(Reason::RepeatedReturn, 1);
            } else if cloud.points.len() >= self.points_max {
                self.skipped.add(Reason::BeyondLimit, 1);
            } else {
                let passed = f64::from(self.steps[block]) * beam.block_share;
                let turned_deg = (f64::from(azimuth) + passed) / 100.0 + beam.azimuth_offset_deg;
                let (sine, cosine) = turned_deg.to_radians().sin_cos();
                let distance_m = f64::from(distance) * unit_m;
                let level_m = distance_m * beam.elevation_cos;
                // The sensor turns clockwise seen from above; y points to the left.
                let x = (level_m * cosine) as f32;
                let y = (-level_m * sine) as f32;
                let z = (distance_m * beam.elevation_sin + beam.height_m) as f32;
                cloud.points.push([x, y, z, f32::from(reflectivity) / 255.0]);
            }
        }
    }

    /// The answer at the end of the capture, when no firing is waiting.
    fn end(&mut self) -> Result<Next, SensorError> {
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(Next::End),
        }
    }

    fn no_packet(&self) -> SensorError {
        let found = format!("no data packet ({})", self.skipped);
        let wanted = format!("Velodyne data packets on UDP port {}", self.ports.data);
        let hint = "check the port and the model of the sensor";
        self.capture.error(Complaint::empty(found, wanted, hint))
    }
}

impl CloudSource for PacketSource {
    fn next(&mut self, cloud: &mut Cloud) -> Result<Next, SensorError> {
        cloud.clear();
        self.turn.start_sweep();
        let mut blocks = 0;
        while !self.finished {
            if self.take_blocks(cloud, &mut blocks) {
                cloud.sweep_deg = self.turn.swept_deg();
                return Ok(Next::Filled);
            }
            match self.next_packet() {
                Ok(true) => {}
                Ok(false) => {
                    self.finished = true;
                    if !self.turn.has_started() {
                        self.fault = Some(self.no_packet());
                    }
                }
                Err(fault) => {
                    self.finished = true;
                    self.fault = Some(fault);
                }
            }
        }
        if blocks == 0 {
            return self.end();
        }
        cloud.sweep_deg = self.turn.swept_deg();
        Ok(Next::Filled)
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }
}
