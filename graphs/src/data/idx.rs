//! IDX: the format of MNIST. LeCun, Cortes and Burges, "The MNIST database of handwritten digits",
//! 1998.
//!
//! Two zero bytes, the element type, the number of dimensions, each extent in 32 bits, most
//! significant byte first, then the elements, row-major. Unsigned bytes (`08`) and `f32` (`0D`) are
//! read, plain or compressed by gzip.

use std::path::Path;

use super::dataset::{Answers, DataError, Dataset, Elements};
use super::file;

/// More dimensions than data files of ours have.
const RANK_MAX: usize = 8;

/// What an IDX file holds.
#[derive(Clone, PartialEq)]
pub struct Idx {
    /// Outermost first.
    pub extents: Vec<usize>,
    /// Row-major.
    pub elements: Elements,
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read, is no IDX file, or is longer or shorter than it says.
pub fn read(path: &Path) -> Result<Idx, DataError> {
    parse(&path.display().to_string(), &file::read(path)?)
}

/// Reads the plain bytes of a file from `place`.
pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<Idx, DataError> {
    let wrong = |found: String, wanted: &str| Err(DataError::new(place, found, wanted));
    let Some((&[zero, zero_too, kind, rank], rest)) = bytes.split_first_chunk::<4>() else {
        return wrong(format!("{} bytes", bytes.len()), "an IDX file: 4 bytes and more");
    };
    let rank = usize::from(rank);
    if [zero, zero_too] != [0, 0] || !(1..=RANK_MAX).contains(&rank) {
        let found = format!("a start of {:02x?}", &bytes[..4]);
        return wrong(found, "00 00, an element type, 1 to 8 dimensions");
    }
    let size = match kind {
        0x08 => 1,
        0x0D => 4,
        _ => return wrong(format!("element type {kind:02x}"), "08 (u8) or 0d (f32)"),
    };
    if rest.len() < 4 * rank {
        return wrong(format!("{} bytes of extents", rest.len()), &format!("{}", 4 * rank));
    }
    let (extents, data) = rest.split_at(4 * rank);
    let extent = |four: &[u8]| u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize;
    let extents: Vec<usize> = extents.chunks_exact(4).map(extent).collect();
    let wanted = extents.iter().try_fold(size, |product: usize, &n| product.checked_mul(n));
    if wanted != Some(data.len()) {
        let wanted = wanted.map_or("more than can be".to_owned(), |bytes| bytes.to_string());
        let wanted = format!("{wanted} for extents {extents:?}");
        return wrong(format!("{} bytes of elements", data.len()), &wanted);
    }
    let float = |four: &[u8]| f32::from_be_bytes([four[0], four[1], four[2], four[3]]);
    let elements = match kind {
        0x08 => Elements::U8(data.to_vec()),
        _ => Elements::F32(data.chunks_exact(4).map(float).collect()),
    };
    Ok(Idx { extents, elements })
}

/// Examples from one file and the numbers of their classes from another; `names` are the classes.
///
/// # Errors
/// As [`read`] of each; when the labels are no list of bytes, are not as many as the examples, or
/// are numbers of no class.
pub fn dataset(examples: &Path, labels: &Path, names: &[String]) -> Result<Dataset, DataError> {
    let places = [examples, labels].map(|path| path.display().to_string());
    assemble(&places, read(examples)?, read(labels)?, names)
}

pub(super) fn assemble(
    places: &[String; 2],
    examples: Idx,
    labels: Idx,
    names: &[String],
) -> Result<Dataset, DataError> {
    let [of_examples, of_labels] = places;
    let (Elements::U8(bytes), [count]) = (labels.elements, &labels.extents[..]) else {
        let found = format!("labels of extents {:?}", labels.extents);
        return Err(DataError::new(of_labels, found, "one dimension of unsigned bytes"));
    };
    let (found, extents) = examples.extents.split_first().expect("it has a dimension");
    if found != count {
        let found = format!("{count} labels");
        let wanted = format!("{}, as {of_examples} has examples", examples.extents[0]);
        return Err(DataError::new(of_labels, found, wanted));
    }
    let labels = bytes.into_iter().map(i64::from).collect();
    let answers = Answers::Labels { labels, names: names.to_vec() };
    Dataset::new(of_labels, extents, examples.elements, answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images of 2 x 2.
    const IMAGES: [u8; 24] =
        [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 255];
    const LABELS: [u8; 10] = [0, 0, 8, 1, 0, 0, 0, 2, 1, 0];

    fn refused(bytes: &[u8]) -> String {
        parse("images", bytes).err().expect("it is wrong").to_string()
    }

    fn pair(labels: &[u8]) -> Result<Dataset, DataError> {
        let places = ["images".to_owned(), "labels".to_owned()];
        let names = ["a".to_owned(), "b".to_owned()];
        assemble(&places, parse("images", &IMAGES)?, parse("labels", labels)?, &names)
    }

    #[test]
    fn images_and_labels_make_a_dataset() {
        use crate::data::dataset::Examples;
        let data = pair(&LABELS).expect("they are right");
        assert_eq!((data.count(), data.extents()), (2, &[2, 2][..]));
        assert_eq!([data.label(0), data.label(1)], [Some(1), Some(0)]);
        let mut x = [0.0; 4];
        data.read(1, &mut x);
        assert_eq!(x[3], 1.0);
    }

    #[test]
    fn floats_are_read() {
        let mut bytes = vec![0, 0, 13, 1, 0, 0, 0, 1];
        bytes.extend(1.5_f32.to_be_bytes());
        let idx = parse("x", &bytes).expect("it is right");
        assert!(idx.elements == Elements::F32(vec![1.5]) && idx.extents == [1]);
    }

    #[test]
    fn damaged_files_are_refused_by_name() {
        let mut magic = IMAGES;
        magic[0] = 1;
        let mut kind = IMAGES;
        kind[2] = 11;
        let mut huge = IMAGES;
        huge[4..16].fill(255);
        for (found, expect) in [
            (refused(&[]), "images: 0 bytes; wanted an IDX file: 4 bytes and more"),
            (
                refused(&magic),
                "images: a start of [01, 00, 08, 03]; \
                 wanted 00 00, an element type, 1 to 8 dimensions",
            ),
            (refused(&kind), "images: element type 0b; wanted 08 (u8) or 0d (f32)"),
            (refused(&IMAGES[..9]), "images: 5 bytes of extents; wanted 12"),
            (refused(&IMAGES[..20]), "images: 4 bytes of elements; wanted 8 for extents [2, 2, 2]"),
            (
                refused(&huge),
                "images: 8 bytes of elements; wanted more than can be \
                 for extents [4294967295, 4294967295, 4294967295]",
            ),
            (
                refused(&[&IMAGES[..], &[0]].concat()),
                "images: 9 bytes of elements; wanted 8 for extents [2, 2, 2]",
            ),
        ] {
            assert_eq!(found, expect);
        }
    }

    #[test]
    fn labels_must_fit_the_images() {
        let refused = |labels: &[u8]| pair(labels).expect_err("they do not fit").to_string();
        let mut wrong = LABELS;
        wrong[8] = 2;
        let one = [0, 0, 8, 1, 0, 0, 0, 1, 1];
        for (found, expect) in [
            (refused(&wrong), "labels: label 2 of example 0; wanted one of 2 classes, from 0"),
            (refused(&one), "labels: 1 labels; wanted 2, as images has examples"),
            (
                refused(&IMAGES),
                "labels: labels of extents [2, 2, 2]; wanted one dimension of unsigned bytes",
            ),
        ] {
            assert_eq!(found, expect);
        }
    }

    #[test]
    fn gzip_is_read_and_damage_in_it_is_found() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(&IMAGES).expect("memory takes it");
        let packed = packer.finish().expect("memory takes it");
        assert_eq!(file::plain("x.gz", packed.clone()), Ok(IMAGES.to_vec()));
        for length in [2, packed.len() / 2, packed.len() - 1] {
            let error = file::plain("x.gz", packed[..length].to_vec()).expect_err("it is cut");
            assert!(error.to_string().starts_with("x.gz: damaged gzip: "), "{error}");
        }
        let mut wrong = packed;
        let end = wrong.len() - 6;
        wrong[end] ^= 1;
        assert!(file::plain("x.gz", wrong).is_err(), "the checksum tells");
        let error = read(Path::new("no/such/file")).err().expect("it is missing").to_string();
        assert!(error.starts_with("no/such/file: No such file"), "{error}");
    }
}
