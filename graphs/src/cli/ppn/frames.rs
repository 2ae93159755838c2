//! Clouds from a recording or from the synthetic track, again and again if wanted.

use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, Result, bail};
use synfire_runtime::value::Value;
use synfire_sensors::{Cloud, CloudSource, Limits, Next, open};

use super::super::PpnArguments;
use crate::data::track::{Track, TrackConfig};

/// The recording that comes with Synfire: one turn of a VLP-16 on a road.
const SHIPPED: &[u8] = include_bytes!("../../../../runtime/sensors/data/vlp16_road.pcap");

/// How often the shipped recording, one frame long, is streamed unless the user says.
const SHIPPED_REPEAT: u32 = 48;

/// Frames of one repeat of the synthetic track.
const SYNTHETIC_FRAMES: u64 = 48;

/// A stream of clouds of at most a bounded number of points.
pub(super) struct Frames {
    origin: Origin,
    open: Open,
    repeats_left: u32,
    frames_left: u64,
    points_max: usize,
    cloud: Cloud,
    /// For people.
    pub(super) name: String,
    /// Points beyond the bound of the graph, which were left out.
    pub(super) points_cut: u64,
    /// What readers skipped, for people.
    pub(super) skipped: String,
}

#[derive(Clone)]
enum Origin {
    Shipped,
    File(PathBuf),
    Track { seed: u64 },
}

enum Open {
    Reader(Box<dyn CloudSource + Send>),
    Track { track: Box<Track>, index: u64, labels: Vec<crate::data::track::Label> },
}

impl Frames {
    pub(super) fn open(arguments: &PpnArguments, points_max: usize) -> Result<Self> {
        let origin = match arguments.source.as_deref() {
            None => Origin::Shipped,
            Some("synthetic") => Origin::Track { seed: arguments.seed },
            Some(path) => Origin::File(path.into()),
        };
        let (name, repeat, frames) = match &origin {
            Origin::Shipped if arguments.repeat.is_none() && arguments.frames.is_none() => (
                format!("the shipped VLP-16 recording, replayed {SHIPPED_REPEAT} times"),
                SHIPPED_REPEAT,
                u64::MAX,
            ),
            Origin::Shipped => {
                let repeat = arguments.repeat.unwrap_or(u32::MAX);
                ("the shipped VLP-16 recording, replayed".to_owned(), repeat, u64::MAX)
            }
            Origin::Track { .. } => {
                let repeats = u64::from(arguments.repeat.unwrap_or(1));
                ("the synthetic track, 16 beams".to_owned(), 1, SYNTHETIC_FRAMES * repeats)
            }
            Origin::File(path) => {
                (path.display().to_string(), arguments.repeat.unwrap_or(1), u64::MAX)
            }
        };
        let open = origin.open()?;
        let frames_left = arguments.frames.unwrap_or(frames);
        Ok(Self {
            origin,
            open,
            repeats_left: repeat.saturating_sub(1),
            frames_left,
            points_max,
            cloud: Cloud::default(),
            name,
            points_cut: 0,
            skipped: String::new(),
        })
    }

    /// How many frames will come, where that is known.
    pub(super) fn expected(&self) -> Option<u64> {
        match self.origin {
            Origin::Shipped => {
                let repeats = u64::from(self.repeats_left.saturating_add(1));
                Some(repeats.min(self.frames_left)).filter(|&count| count < u64::from(u32::MAX))
            }
            Origin::Track { .. } => Some(self.frames_left),
            Origin::File(_) => Some(self.frames_left).filter(|&count| count < u64::MAX),
        }
    }

    /// The first clouds of the source, repeated if it has fewer; they are not taken from the
    /// stream.
    pub(super) fn first(&self, count: usize) -> Result<Vec<Value>> {
        let mut own = Self {
            origin: self.origin.clone(),
            open: self.origin.open()?,
            repeats_left: count as u32,
            frames_left: count as u64,
            points_max: self.points_max,
            cloud: Cloud::default(),
            name: String::new(),
            points_cut: 0,
            skipped: String::new(),
        };
        let mut clouds = Vec::new();
        while let Some(cloud) = own.next()? {
            clouds.push(cloud);
        }
        if clouds.is_empty() {
            bail!("{}: no cloud in this source", self.name);
        }
        Ok(clouds)
    }

    /// The next cloud, `f32[points, 4]`.
    pub(super) fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if self.frames_left == 0 {
                return Ok(None);
            }
            let filled = match &mut self.open {
                Open::Reader(reader) => {
                    let next = reader.next(&mut self.cloud).into_diagnostic()?;
                    self.skipped = reader.skipped().to_string();
                    next == Next::Filled
                }
                Open::Track { track, index, labels } => {
                    track.scan(*index, &mut self.cloud.points, labels);
                    *index += 1;
                    true
                }
            };
            if filled {
                self.frames_left -= 1;
                return Ok(Some(self.value()));
            }
            if self.repeats_left == 0 {
                return Ok(None);
            }
            self.repeats_left -= 1;
            self.open = self.origin.open()?;
        }
    }

    fn value(&mut self) -> Value {
        let points = self.cloud.points.len().min(self.points_max);
        self.points_cut += (self.cloud.points.len() - points) as u64;
        Value::new(&[points, 4], self.cloud.points[..points].as_flattened())
    }
}

impl Origin {
    fn open(&self) -> Result<Open> {
        Ok(match self {
            Self::Shipped => {
                let options = synfire_sensors::PacketOptions::STANDARD;
                let bytes = Box::new(SHIPPED);
                let name = "vlp16_road.pcap";
                let reader = synfire_sensors::read(name, bytes, &Limits::STANDARD, &options);
                Open::Reader(reader.into_diagnostic()?)
            }
            Self::File(path) => {
                Open::Reader(open(Path::new(path), &Limits::STANDARD).into_diagnostic()?)
            }
            Self::Track { seed } => {
                let track = Track::new(&TrackConfig::sixteen(), *seed).into_diagnostic()?;
                Open::Track { track: Box::new(track), index: 0, labels: Vec::new() }
            }
        })
    }
}
