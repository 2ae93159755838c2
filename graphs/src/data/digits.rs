//! Handwritten digits: two sets that come with Synfire, and the whole of MNIST from a folder.
//!
//! Where they come from and under which licence: `assets/data/README.md`. Images have no channel
//! axis, and elements are 0 to 1.

use std::path::{Path, PathBuf};

use super::dataset::{DataError, Dataset};
use super::table::{Column, Format, Wanted};
use super::{file, idx, table};

const SMALL: &[u8] = include_bytes!("../../assets/data/digits.csv.gz");
const SAMPLE_IMAGES: &[u8] = include_bytes!("../../assets/data/mnist-5k-images-idx3-ubyte.gz");
const SAMPLE_LABELS: &[u8] = include_bytes!("../../assets/data/mnist-5k-labels-idx1-ubyte.gz");

fn names() -> Vec<String> {
    (0..10).map(|class| class.to_string()).collect()
}

/// 1797 images of 8 x 8, in 17 levels.
///
/// # Panics
/// Never: the data are part of the program, and a test reads them.
#[must_use]
pub fn digits() -> Dataset {
    let format = Format {
        header: false,
        extents: vec![8, 8],
        scale: 1.0 / 16.0,
        classes: names(),
        ..Format::new(Wanted::Class(Column::Last))
    };
    let bytes = file::plain("digits", SMALL.to_vec());
    let data = bytes.and_then(|bytes| table::parse("digits", &bytes, &format));
    data.expect("the shipped digits are whole")
}

/// 5000 images of 28 x 28 from the training set of MNIST, 500 of each class, one class after the
/// other.
///
/// # Panics
/// Never: the data are part of the program, and a test reads them.
#[must_use]
pub fn mnist_sample() -> Dataset {
    let parsed = |name: &str, bytes: &[u8]| {
        file::plain(name, bytes.to_vec()).and_then(|bytes| idx::parse(name, &bytes))
    };
    let places = ["images of the sample".to_owned(), "labels of the sample".to_owned()];
    let images = parsed(&places[0], SAMPLE_IMAGES).expect("the shipped images are whole");
    let labels = parsed(&places[1], SAMPLE_LABELS).expect("the shipped labels are whole");
    idx::assemble(&places, images, labels, &names()).expect("the shipped sample is whole")
}

/// MNIST: 60 000 images of 28 x 28 for training and 10 000 for tests.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// For training.
    pub train: Dataset,
    /// For tests.
    pub test: Dataset,
}

/// Reads MNIST from a folder with its four files, each plain or with `.gz` behind its name.
///
/// # Errors
/// When a file is missing, and then how to get it, or damaged.
pub fn mnist(folder: &Path) -> Result<Mnist, DataError> {
    let part = |name: &str| {
        let images = find(folder, &format!("{name}-images-idx3-ubyte"))?;
        let labels = find(folder, &format!("{name}-labels-idx1-ubyte"))?;
        idx::dataset(&images, &labels, &names())
    };
    Ok(Mnist { train: part("train")?, test: part("t10k")? })
}

/// The folder where `fetch-mnist.sh` puts MNIST: `mnist` in `SYNFIRE_DATA`, or in `synfire` in the
/// user's cache.
#[must_use]
pub fn mnist_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = || match set("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(set("HOME").unwrap_or_default()).join(".cache"),
    };
    set("SYNFIRE_DATA").map_or_else(|| cache().join("synfire"), PathBuf::from).join("mnist")
}

fn find(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    let files = [folder.join(name), folder.join(format!("{name}.gz"))];
    let found = files.iter().find(|path| path.is_file()).cloned();
    found.ok_or_else(|| {
        let wanted = "the file; graphs/assets/data/fetch-mnist.sh fetches it";
        DataError::new(files[0].display(), "missing", wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{Examples, Moments};

    fn of_class(data: &Dataset) -> [usize; 10] {
        let mut counts = [0; 10];
        (0..data.count()).filter_map(|at| data.label(at)).for_each(|own| counts[own as usize] += 1);
        counts
    }

    #[test]
    fn the_shipped_digits_are_those_of_their_origin() {
        let data = digits();
        assert_eq!((data.count(), data.extents()), (1797, &[8, 8][..]));
        assert_eq!(of_class(&data), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let (mean, deviation) = data.moments(Moments::All);
        // 4.884165 and 6.016788 of 16, by numpy.
        assert!((mean[0] * 16.0 - 4.884_165).abs() < 1e-4, "{mean:?}");
        assert!((deviation[0] * 16.0 - 6.016_788).abs() < 1e-4, "{deviation:?}");
        let mut x = [0.0; 64];
        data.read(0, &mut x);
        assert_eq!(
            x[..8].iter().map(|x| x * 16.0).collect::<Vec<_>>()[2..6],
            [5.0, 13.0, 9.0, 1.0]
        );
    }

    #[test]
    fn the_shipped_sample_of_mnist_is_that_of_its_origin() {
        let data = mnist_sample();
        assert_eq!((data.count(), data.extents()), (5000, &[28, 28][..]));
        assert_eq!(of_class(&data), [500; 10]);
        assert_eq!([data.label(0), data.label(4999)], [Some(0), Some(9)]);
        let (mean, deviation) = data.moments(Moments::All);
        assert!((mean[0] - SAMPLE_MEAN).abs() < 1e-5, "{mean:?}");
        assert!((deviation[0] - SAMPLE_DEVIATION).abs() < 1e-5, "{deviation:?}");
    }

    /// By numpy.
    const SAMPLE_MEAN: f32 = 0.131_319_63;
    const SAMPLE_DEVIATION: f32 = 0.308_550_3;

    #[test]
    fn mnist_that_is_missing_says_how_to_get_it() {
        let error = mnist(Path::new("no/such/folder")).expect_err("it is missing");
        assert_eq!(
            error.to_string(),
            "no/such/folder/train-images-idx3-ubyte: missing; \
             wanted the file; graphs/assets/data/fetch-mnist.sh fetches it"
        );
    }

    #[test]
    fn mnist_is_read_where_it_was_fetched() {
        let folder = mnist_folder();
        if !folder.is_dir() {
            println!("skipped: no MNIST in {}", folder.display());
            return;
        }
        let mnist = mnist(&folder).expect("it is whole");
        assert_eq!((mnist.train.count(), mnist.test.count()), (60_000, 10_000));
        assert_eq!(of_class(&mnist.test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    }
}
