//! Data files as bytes, plain or compressed by gzip, with a bound on what is read.

use std::io::Read;
use std::path::Path;

use super::dataset::DataError;

/// More bytes than any data file of ours has, compressed or not.
pub(super) const BYTES_MAX: u64 = 4 << 30;

/// All bytes of a file, decompressed if they are compressed.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let place = path.display().to_string();
    let wanted = "a file that can be read";
    let size = std::fs::metadata(path).map_err(|error| DataError::new(&place, error, wanted))?;
    if size.len() > BYTES_MAX {
        let found = format!("{} bytes", size.len());
        return Err(DataError::new(&place, found, format!("at most {BYTES_MAX}")));
    }
    let bytes = std::fs::read(path).map_err(|error| DataError::new(&place, error, wanted))?;
    plain(&place, bytes)
}

/// These bytes, decompressed if they begin as gzip does.
pub(super) fn plain(place: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
    let read = decoder.take(BYTES_MAX + 1).read_to_end(&mut plain);
    if let Err(error) = read {
        return Err(DataError::new(place, format!("damaged gzip: {error}"), "a whole file"));
    }
    if plain.len() as u64 > BYTES_MAX {
        let found = format!("more than {BYTES_MAX} bytes");
        return Err(DataError::new(place, found, format!("at most {BYTES_MAX}, decompressed")));
    }
    Ok(plain)
}
