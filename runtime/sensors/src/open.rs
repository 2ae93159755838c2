//! Opening a recording: which format it is, and whether it is within the limits.
//!
//! The first bytes decide. Only raw floats have none of their own, so their extension decides.

use std::{fs::File, io::Read, path::Path};

use crate::{
    CloudSource, Limits, SensorError,
    capture::Capture,
    error::{Complaint, Fault, quoted},
    file::FileSource,
    input::Input,
    pcd, ply, raw,
    velodyne::{PacketOptions, PacketSource},
};

/// Enough bytes to know a format, should a PCD file start with a long comment.
const HEAD_BYTES: usize = 512;

/// A format of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Capture,
    Pcd,
    Ply,
    Raw,
}

/// Opens a recording of point clouds, with the standard [`PacketOptions`] where it holds packets.
///
/// # Errors
/// When the file cannot be read, is of no known format, is empty, or is beyond the limits.
///
/// # Example
/// ```
/// use std::path::Path;
/// use synfire_sensors::{Cloud, Limits, Next, open};
///
/// let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/vlp16_road.pcap");
/// let mut source = open(&path, &Limits::STANDARD)?;
/// let mut cloud = Cloud::default();
/// while source.next(&mut cloud)? == Next::Filled {
///     assert_eq!(cloud.points.len(), 22_591);
/// }
/// # Ok::<(), synfire_sensors::SensorError>(())
/// ```
pub fn open(path: &Path, limits: &Limits) -> Result<Box<dyn CloudSource + Send>, SensorError> {
    open_packets(path, limits, &PacketOptions::STANDARD)
}

/// Opens a recording like [`open`], with options for the packets it may hold.
///
/// # Errors
/// As [`open`].
pub fn open_packets(
    path: &Path,
    limits: &Limits,
    options: &PacketOptions,
) -> Result<Box<dyn CloudSource + Send>, SensorError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        let hint = "check the path and the permissions";
        let (found, wanted) = (error.to_string(), "a readable file".to_owned());
        let complaint = Complaint { fault: Fault::Unreadable, found, wanted, hint };
        SensorError { source: Some(error), ..complaint.at(&name, 0) }
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        let hint = "name one file of the directory";
        return Err(Complaint::foreign("a directory", "a file", hint).at(&name, 0));
    }
    if metadata.len() > limits.file_bytes_max {
        let wanted = format!("at most {} bytes (file_bytes_max)", limits.file_bytes_max);
        let found = format!("{} bytes", metadata.len());
        return Err(Complaint::oversized(found, wanted).at(&name, 0));
    }
    read(&name, Box::new(file), limits, options)
}

/// Reads a recording from any stream; `name` stands for the file in errors and gives the extension.
///
/// # Errors
/// As [`open`]; a stream beyond the limits is noticed when it has been read that far.
pub fn read(
    name: &str,
    reader: Box<dyn Read + Send>,
    limits: &Limits,
    options: &PacketOptions,
) -> Result<Box<dyn CloudSource + Send>, SensorError> {
    let mut input = Input::new(name, reader, limits);
    let head = input.ahead(HEAD_BYTES)?;
    if head.is_empty() {
        let hint = "the recorder may not have been stopped properly";
        return Err(input.error(Complaint::empty("0 bytes", "a recording", hint)));
    }
    let Some(format) = format_of(head, name) else {
        let found = quoted(head);
        let wanted = "PCAP, pcapng, PCD or PLY, or floats in a file .bin or .f32";
        let hint = "convert the file, or rename it if it holds raw floats";
        return Err(input.error(Complaint::foreign(found, wanted, hint)));
    };
    Ok(match format {
        Format::Capture => Box::new(PacketSource::new(Capture::open(input)?, limits, options)),
        Format::Pcd => Box::new(FileSource::new(pcd::read, input, limits)),
        Format::Ply => Box::new(FileSource::new(ply::read, input, limits)),
        Format::Raw => Box::new(FileSource::new(raw::read, input, limits)),
    })
}

fn format_of(head: &[u8], name: &str) -> Option<Format> {
    const CAPTURES: [[u8; 4]; 5] = [
        [0xA1, 0xB2, 0xC3, 0xD4],
        [0xD4, 0xC3, 0xB2, 0xA1],
        [0xA1, 0xB2, 0x3C, 0x4D],
        [0x4D, 0x3C, 0xB2, 0xA1],
        [0x0A, 0x0D, 0x0D, 0x0A],
    ];
    if CAPTURES.iter().any(|magic| head.starts_with(magic)) {
        return Some(Format::Capture);
    }
    if head.starts_with(b"ply\n") || head.starts_with(b"ply\r") {
        return Some(Format::Ply);
    }
    let lines = || head.split(|&byte| byte == b'\n');
    let first = lines().find(|line| !line.starts_with(b"#") && !line.trim_ascii().is_empty());
    let is_pcd =
        |line: &[u8]| [&b"VERSION "[..], b"FIELDS "].iter().any(|key| line.starts_with(key));
    if head.starts_with(b"# .PCD") || first.is_some_and(is_pcd) {
        return Some(Format::Pcd);
    }
    let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "bin" | "f32" => Some(Format::Raw),
        "pcd" if head.starts_with(b"#") => Some(Format::Pcd),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_first_bytes_decide_and_then_the_extension() {
        let check = |head: &[u8], name: &str, expect: Option<Format>| {
            assert_eq!(format_of(head, name), expect, "{name}");
        };
        check(&[0xD4, 0xC3, 0xB2, 0xA1], "a.pcd", Some(Format::Capture));
        check(&[0x0A, 0x0D, 0x0D, 0x0A], "a", Some(Format::Capture));
        check(b"ply\r\n", "a.bin", Some(Format::Ply));
        check(b"# .PCD v0.7\n", "a", Some(Format::Pcd));
        check(b"# by hand\n\nVERSION 0.7\n", "a", Some(Format::Pcd));
        check(b"\x00\x00", "a.BIN", Some(Format::Raw));
        check(b"\x00\x00", "a.f32", Some(Format::Raw));
        check(b"plywood", "a.ply", None);
        check(b"GIF89a", "a.gif", None);
    }

    #[test]
    fn files_that_are_no_recording_are_refused_by_kind() {
        let check = |bytes: &[u8], name: &str, expect: Fault| {
            let reader = Box::new(Cursor::new(bytes.to_vec()));
            let read = read(name, reader, &Limits::STANDARD, &PacketOptions::STANDARD);
            assert_eq!(read.err().map(|error| error.fault), Some(expect), "{name}");
        };
        check(b"", "empty.pcap", Fault::Empty);
        check(b"", "empty.bin", Fault::Empty);
        check(b"GIF89a", "picture.pcap", Fault::Foreign);
        check(&[0xD4, 0xC3, 0xB2, 0xA1, 2, 0], "cut.pcap", Fault::Truncated);
        check(&[0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0], "cut.pcapng", Fault::Truncated);
        check(&[0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 1, 1, 1, 1], "odd.pcapng", Fault::Malformed);
    }

    #[test]
    fn paths_that_cannot_be_read_are_refused_by_kind() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
        let check = |name: &str, bytes_max: u64, expect: Fault| {
            let limits = Limits { file_bytes_max: bytes_max, ..Limits::STANDARD };
            let error = open(&directory.join(name), &limits).err().expect("it is refused");
            assert_eq!(error.fault, expect);
            assert!(error.to_string().contains(name));
        };
        check("data/absent.pcap", 1 << 20, Fault::Unreadable);
        check("data", 1 << 20, Fault::Foreign);
        check("data/vlp16_road.pcap", 1000, Fault::Oversized);
    }
}
