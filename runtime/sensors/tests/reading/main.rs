//! The readers against recorded files, generated packets, and hostile bytes.
//!
//! One binary for all, with the two ways to read that they share.

mod hostile;
mod packets;
mod recordings;

use std::{fs, io::Cursor, path::PathBuf};

use synfire_sensors::{Cloud, Limits, Next, PacketOptions, SensorError, Skipped, read};

/// A file that lies beside the crate.
fn beside(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn bytes_of(path: &str) -> Vec<u8> {
    fs::read(beside(path)).expect("the file is part of the repository")
}

/// What came out of a recording: the clouds, how it ended, what was left out.
struct Outcome {
    clouds: Vec<Cloud>,
    error: Option<SensorError>,
    skipped: Skipped,
}

impl Outcome {
    fn point_count(&self) -> usize {
        self.clouds.iter().map(|cloud| cloud.points.len()).sum()
    }
}

/// Reads `bytes` to the end and checks what must hold of any file.
fn read_to_end(name: &str, bytes: &[u8], limits: &Limits, options: &PacketOptions) -> Outcome {
    let mut outcome = Outcome { clouds: Vec::new(), error: None, skipped: Skipped::default() };
    let mut source = match read(name, Box::new(Cursor::new(bytes.to_vec())), limits, options) {
        Ok(source) => source,
        Err(error) => return Outcome { error: Some(error), ..outcome },
    };
    let mut cloud = Cloud::default();
    loop {
        match source.next(&mut cloud) {
            Ok(Next::Filled) => outcome.clouds.push(cloud.clone()),
            Ok(Next::End) => break,
            Err(error) => {
                assert!(outcome.error.is_none(), "a source ends after its first error");
                outcome.error = Some(error);
            }
        }
        assert!(outcome.clouds.len() <= bytes.len(), "more clouds than bytes");
    }
    assert_eq!(source.next(&mut cloud).ok(), Some(Next::End), "the end stays the end");
    assert!(cloud.points.is_empty(), "the end leaves an empty cloud");
    outcome.skipped = source.skipped().clone();
    for cloud in &outcome.clouds {
        assert!(cloud.points.len() <= limits.points_max, "a cloud keeps the limit");
        assert!(cloud.labels.is_empty() || cloud.labels.len() == cloud.points.len());
        for point in &cloud.points {
            assert!(point.iter().all(|value| value.is_finite()), "{point:?} is finite");
            assert!((0.0..=1.0).contains(&point[3]), "{point:?} has an intensity in 0..=1");
            assert!(point[..3] != [0.0; 3], "no point is the origin");
        }
    }
    outcome
}

/// Reads a file beside the crate that must be sound.
fn read_sound(path: &str, options: &PacketOptions) -> Outcome {
    let outcome = read_to_end(path, &bytes_of(path), &Limits::STANDARD, options);
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    outcome
}
