//! NumPy's `.npz`: a zip archive of arrays, each with a header that is a Python dictionary.
//!
//! Row-major and column-major arrays of the element types that Synfire has, little-endian, are
//! read; row-major ones are written. Format: NEP 1, "A simple file format for NumPy arrays".

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Write};
use std::path::Path;

use miette::{IntoDiagnostic, Result, bail, miette};
use synfire_runtime::spec::{BYTES_MAX, Element};
use synfire_runtime::value::Value;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Element types and their names in a header.
const NAMES: [(&str, Element); 7] = [
    ("<f4", Element::F32),
    ("<f8", Element::F64),
    ("<f2", Element::F16),
    ("<i4", Element::I32),
    ("<i8", Element::I64),
    ("|u1", Element::U8),
    ("|b1", Element::Bool),
];

const MAGIC: &[u8] = b"\x93NUMPY";

/// Every array of an archive, by name.
///
/// # Errors
/// When the bytes are no archive or hold something else than arrays.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, Value>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).into_diagnostic()?;
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).into_diagnostic()?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        let mut bytes = Vec::new();
        let limit = BYTES_MAX as u64 + 65_536;
        entry.take(limit).read_to_end(&mut bytes).map_err(|e| miette!("{name}: {e}"))?;
        let value = array(&bytes).map_err(|error| miette!("{name}: {error}"))?;
        arrays.insert(name, value);
    }
    Ok(arrays)
}

/// Writes arrays under their names.
///
/// # Errors
/// When the file cannot be written, or an array has no name for its element type.
pub fn write(path: &Path, arrays: &BTreeMap<String, Value>) -> Result<()> {
    let file = File::create(path).into_diagnostic()?;
    let mut archive = ZipWriter::new(BufWriter::new(file));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, value) in arrays {
        archive.start_file(format!("{name}.npy"), stored).into_diagnostic()?;
        let Some((element, _)) = NAMES.iter().find(|(_, element)| *element == value.element) else {
            bail!("{name}: {} has no name in NumPy", value.element);
        };
        archive.write_all(&header(element, &value.extents)).into_diagnostic()?;
        archive.write_all(value.bytes()).into_diagnostic()?;
    }
    archive.finish().into_diagnostic()?.flush().into_diagnostic()
}

/// Magic, version 1.0, and the dictionary, padded to 64 bytes.
fn header(element: &str, extents: &[usize]) -> Vec<u8> {
    let comma = if extents.len() == 1 { "," } else { "" };
    let shape = extents.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let mut text =
        format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({shape}{comma}), }}");
    let length = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    text.push_str(&" ".repeat(length - text.len() - 1));
    text.push('\n');
    let length = u16::try_from(length).expect("a shape of few dimensions is short").to_le_bytes();
    [MAGIC, &[1, 0], &length, text.as_bytes()].concat()
}

/// One array from the bytes of its file.
fn array(bytes: &[u8]) -> Result<Value, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("no NumPy array")?;
    let short = || "it ends in its header".to_owned();
    let (length, rest) = match rest.first().ok_or_else(short)? {
        1 => {
            let length = rest.get(2..4).ok_or_else(short)?;
            (usize::from(u16::from_le_bytes([length[0], length[1]])), &rest[4..])
        }
        2 | 3 => {
            let length = rest.get(2..6).ok_or_else(short)?;
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            (length as usize, &rest[6..])
        }
        version => return Err(format!("version {version} of the format")),
    };
    let (text, data) = rest.split_at_checked(length).ok_or_else(short)?;
    let text = std::str::from_utf8(text).map_err(|_| "a header that is no text".to_owned())?;
    let of = |key: &str| {
        let after = text.split_once(&format!("'{key}':")).map(|(_, after)| after.trim_start());
        after.ok_or_else(|| format!("a header without `{key}`: {text}"))
    };
    let descriptor = of("descr")?.trim_start_matches('\'').split('\'').next().unwrap_or("");
    let element = NAMES.iter().find(|(name, _)| *name == descriptor);
    let element = element.ok_or_else(|| format!("elements of type `{descriptor}`"))?.1;
    let shape = of("shape")?.trim_start_matches('(').split(')').next().unwrap_or("");
    let extents: Result<Vec<usize>, _> =
        shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse).collect();
    let extents = extents.map_err(|_| format!("a shape `({shape})`"))?;
    let elements = extents.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent));
    let wanted = elements.and_then(|n| n.checked_mul(element.bytes()));
    if wanted != Some(data.len()) {
        return Err(format!("{} bytes for {extents:?} of {element}", data.len()));
    }
    let data = match of("fortran_order")?.starts_with("True") {
        true => row_major(&extents, element.bytes(), data),
        false => data.to_vec(),
    };
    Ok(Value::from_bytes(element, &extents, data))
}

/// A column-major array as a row-major one.
fn row_major(extents: &[usize], size: usize, data: &[u8]) -> Vec<u8> {
    let mut rows = Vec::with_capacity(data.len());
    for flat in 0..data.len() / size {
        let (mut rest, mut place, mut block) = (flat, 0, data.len() / size);
        for &extent in extents {
            block /= extent;
            // The first axis is the fastest in the file.
            let (index, below) = (rest / block, rest % block);
            rest = below;
            place += index * (data.len() / size / block / extent);
        }
        rows.extend_from_slice(&data[place * size..][..size]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let path = std::env::temp_dir().join(format!("synfire-npz-{}.npz", std::process::id()));
        let arrays = BTreeMap::from([
            ("x".to_owned(), Value::new(&[2, 3], &[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])),
            ("index".to_owned(), Value::new(&[1], &[-7_i64])),
            ("scalar".to_owned(), Value::new(&[], &[0.5_f64])),
            ("none".to_owned(), Value::new(&[0, 4], &[] as &[f32])),
        ]);
        write(&path, &arrays).expect("a temporary file can be written");
        let bytes = std::fs::read(&path).expect("it was just written");
        assert_eq!(read(&bytes).expect("it was just written"), arrays);
        std::fs::remove_file(&path).expect("it was just written");
    }

    #[test]
    fn column_major_becomes_row_major() {
        let columns: Vec<u8> = vec![1, 4, 2, 5, 3, 6];
        assert_eq!(row_major(&[2, 3], 1, &columns), [1, 2, 3, 4, 5, 6]);
        let deep: Vec<u8> = (0..24).collect();
        let rows = row_major(&[2, 3, 4], 1, &deep);
        assert_eq!(rows[..5], [0, 6, 12, 18, 2]);
    }

    #[test]
    fn damage_is_an_error() {
        let whole = [header("<f4", &[2]), vec![0; 8]].concat();
        assert!(array(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(array(&whole[..end]).is_err(), "{end} bytes of {}", whole.len());
        }
        let other = header(">f4", &[2]);
        assert!(array(&[other, vec![0; 8]].concat()).expect_err("big-endian").contains(">f4"));
    }
}
