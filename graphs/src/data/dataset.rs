//! Datasets: examples in memory with what is wanted for each, a class or numbers.
//!
//! [`Examples`] is the face that [`batches`](super::batches::batches) reads; [`Dataset`] is the
//! plain form of it, that loaders give. A dataset is a view: a selection or a split shares the
//! memory of the whole.
//!
//! Invariants of a dataset: as many answers as examples, every label the number of a class, at most
//! 2^32 - 1 examples.

mod split; // disjoint and complete parts

use std::fmt;
use std::sync::Arc;

use synfire_runtime::random::Seed;
use thiserror::Error;

pub(crate) use split::shuffle;

/// More classes than any dataset of ours has; their numbers are exact in `f32`.
pub const CLASSES_MAX: usize = 1 << 20;

/// Examples that batches are made of. Reading is a function of the index alone, and what `Debug`
/// prints tells other examples apart: it is part of the fingerprint of a graph.
pub trait Examples: fmt::Debug + Send + Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// The extents of one, outermost first.
    fn extents(&self) -> &[usize];

    /// What is wanted for each.
    fn target(&self) -> &Target;

    /// Writes example `index` to `x`, row-major.
    fn read(&self, index: usize, x: &mut [f32]);

    /// Writes what is wanted for example `index` to `y`: the number of its class alone, or as many
    /// numbers as the target has.
    fn answer(&self, index: usize, y: &mut [f32]);
}

/// What is wanted for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of the classes with these names.
    Class(Vec<String>),
    /// Numbers of these extents.
    Numbers(Vec<usize>),
}

impl Target {
    /// How many numbers [`Examples::answer`] writes.
    #[must_use]
    pub fn elements(&self) -> usize {
        match self {
            Self::Class(_) => 1,
            Self::Numbers(extents) => extents.iter().product(),
        }
    }

    /// Classes named by their numbers, `0` to `count - 1`.
    #[must_use]
    pub fn numbered(count: usize) -> Self {
        Self::Class((0..count).map(|class| class.to_string()).collect())
    }
}

/// Why data are not usable: where, what was found there, what was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {found}; wanted {wanted}")]
pub struct DataError {
    /// A path, with a line or a field where that is known; or what was given.
    pub place: String,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
}

impl DataError {
    /// An error at a place.
    #[must_use]
    pub fn new(
        place: impl fmt::Display,
        found: impl fmt::Display,
        wanted: impl fmt::Display,
    ) -> Self {
        let (place, found) = (place.to_string(), found.to_string());
        Self { place, found, wanted: wanted.to_string() }
    }
}

/// The elements of all examples, one after the other.
#[derive(Clone, PartialEq)]
pub enum Elements {
    /// As they are.
    F32(Vec<f32>),
    /// Bytes that stand for 0 to 1, in steps of 1/255: a quarter of the memory.
    U8(Vec<u8>),
}

impl Elements {
    fn count(&self) -> usize {
        match self {
            Self::F32(elements) => elements.len(),
            Self::U8(elements) => elements.len(),
        }
    }
}

/// What is wanted for all examples, one after the other.
#[derive(Clone, PartialEq)]
pub enum Answers {
    /// A class each.
    Labels {
        /// The number of each one's class.
        labels: Vec<i64>,
        /// The names of the classes by number.
        names: Vec<String>,
    },
    /// Numbers.
    Numbers {
        /// The extents of one example's.
        extents: Vec<usize>,
        /// All of them.
        values: Vec<f32>,
    },
}

/// Examples in memory.
#[derive(Clone)]
pub struct Dataset {
    store: Arc<Store>,
    /// Which of the stored ones it has, in this order; all where it is not said.
    chosen: Option<Arc<[u32]>>,
    /// A number that two datasets share only if they are the same.
    digest: u64,
}

struct Store {
    extents: Vec<usize>,
    count: usize,
    elements: Elements,
    target: Target,
    answers: Answers,
}

impl Dataset {
    /// Examples of these extents; `place` is where they come from, for errors.
    ///
    /// # Errors
    /// When the elements are no whole number of examples, there is not one answer for each, a label
    /// is the number of no class, or there are too many.
    pub fn new(
        place: &str,
        extents: &[usize],
        elements: Elements,
        answers: Answers,
    ) -> Result<Self, DataError> {
        let size: usize = extents.iter().product();
        let count = elements.count().checked_div(size).unwrap_or(0);
        if count * size != elements.count() || size == 0 {
            let found = format!("{} elements", elements.count());
            return Err(DataError::new(place, found, format!("examples of extents {extents:?}")));
        }
        if u32::try_from(count).is_err() {
            let wanted = format!("at most {}", u32::MAX);
            return Err(DataError::new(place, format!("{count} examples"), wanted));
        }
        let (found, target) = match &answers {
            Answers::Labels { labels, names } => {
                check_labels(place, labels, names.len())?;
                (labels.len(), Target::Class(names.clone()))
            }
            Answers::Numbers { extents, values } => {
                let size = extents.iter().product::<usize>();
                let found = values.len().checked_div(size).unwrap_or(0);
                if found * size != values.len() {
                    let wanted = format!("{count} targets of extents {extents:?}");
                    return Err(DataError::new(place, format!("{} numbers", values.len()), wanted));
                }
                (found, Target::Numbers(extents.clone()))
            }
        };
        if found != count {
            let found = format!("{found} answers");
            return Err(DataError::new(place, found, format!("one for each of {count} examples")));
        }
        let digest = digest(&elements, &answers);
        let extents = extents.to_vec();
        let store = Arc::new(Store { extents, count, elements, target, answers });
        Ok(Self { store, chosen: None, digest })
    }

    /// These examples, in this order; one may be there more than once.
    ///
    /// # Errors
    /// When an index is not below the count.
    pub fn select(&self, indices: &[usize]) -> Result<Self, DataError> {
        let count = self.count();
        if let Some(index) = indices.iter().find(|&&index| index >= count) {
            let wanted = format!("an index below {count}");
            return Err(DataError::new("selection", format!("example {index}"), wanted));
        }
        let chosen: Arc<[u32]> = indices.iter().map(|&at| self.stored(at) as u32).collect();
        let digest = chosen.iter().fold(Seed(self.digest), |sum, &at| sum.derive(at.into())).0;
        Ok(Self { store: self.store.clone(), chosen: Some(chosen), digest })
    }

    /// The class of an example; none where numbers are wanted.
    ///
    /// # Panics
    /// When `index` is not below the count.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<i64> {
        match &self.store.answers {
            Answers::Labels { labels, .. } => Some(labels[self.stored(index)]),
            Answers::Numbers { .. } => None,
        }
    }

    /// Mean and standard deviation of each index of the first axis over all examples: of each
    /// channel of an image, of each feature of a row. With `axis` [`Moments::All`] of all elements
    /// together, which is what an image without channels wants.
    #[must_use]
    pub fn moments(&self, moments: Moments) -> (Vec<f32>, Vec<f32>) {
        let size: usize = self.store.extents.iter().product();
        let groups = match moments {
            Moments::All => 1,
            Moments::First => self.store.extents.first().copied().unwrap_or(1),
        };
        let mut x = vec![0.0; size];
        // Of each group: sum, and sum of squares around the first example's mean.
        let (mut pivots, mut sums) = (vec![0.0; groups], vec![[0.0_f64; 2]; groups]);
        for index in 0..self.count() {
            self.read(index, &mut x);
            for (group, part) in x.chunks_exact(size / groups).enumerate() {
                if index == 0 {
                    pivots[group] =
                        part.iter().map(|&x| f64::from(x)).sum::<f64>() / part.len() as f64;
                }
                for &x in part {
                    let x = f64::from(x) - pivots[group];
                    sums[group][0] += x;
                    sums[group][1] += x * x;
                }
            }
        }
        let count = (self.count() * (size / groups)).max(1) as f64;
        let of = |(&pivot, [sum, squares]): (&f64, &[f64; 2])| {
            let mean = sum / count;
            ((pivot + mean) as f32, (squares / count - mean * mean).max(0.0).sqrt() as f32)
        };
        pivots.iter().zip(&sums).map(of).unzip()
    }

    /// Where the example lies.
    fn stored(&self, index: usize) -> usize {
        match &self.chosen {
            None => index,
            Some(chosen) => chosen[index] as usize,
        }
    }
}

/// Of what [`Dataset::moments`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moments {
    /// All elements together.
    All,
    /// Each index of the first axis for itself.
    First,
}

fn check_labels(place: &str, labels: &[i64], classes: usize) -> Result<(), DataError> {
    if classes > CLASSES_MAX {
        let wanted = format!("at most {CLASSES_MAX}");
        return Err(DataError::new(place, format!("{classes} classes"), wanted));
    }
    let wrong = labels.iter().position(|&label| label < 0 || label as u64 >= classes as u64);
    let Some(index) = wrong else { return Ok(()) };
    let found = format!("label {} of example {index}", labels[index]);
    Err(DataError::new(place, found, format!("one of {classes} classes, from 0")))
}

/// A number of all that is stored, eight bytes at a time.
fn digest(elements: &Elements, answers: &Answers) -> u64 {
    let add = |sum: Seed, word: u64| sum.derive(word);
    let float = |x: &f32| u64::from(x.to_bits());
    let sum = match elements {
        Elements::F32(all) => all.iter().map(float).fold(Seed(1), add),
        Elements::U8(all) => {
            let words = all
                .chunks(8)
                .map(|eight| eight.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)));
            words.fold(Seed(2), add)
        }
    };
    match answers {
        Answers::Labels { labels, .. } => labels.iter().map(|&x| x as u64).fold(sum, add).0,
        Answers::Numbers { values, .. } => values.iter().map(float).fold(sum, add).0,
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({} of {:?} -> ", self.count(), self.store.extents)?;
        match &self.store.target {
            Target::Class(names) => write!(f, "{} classes", names.len())?,
            Target::Numbers(extents) => write!(f, "{extents:?}")?,
        }
        write!(f, ", {:016x})", self.digest)
    }
}

impl Examples for Dataset {
    fn count(&self) -> usize {
        self.chosen.as_ref().map_or(self.store.count, |chosen| chosen.len())
    }

    fn extents(&self) -> &[usize] {
        &self.store.extents
    }

    fn target(&self) -> &Target {
        &self.store.target
    }

    fn read(&self, index: usize, x: &mut [f32]) {
        let place = self.stored(index) * x.len();
        match &self.store.elements {
            Elements::F32(all) => x.copy_from_slice(&all[place..][..x.len()]),
            Elements::U8(all) => {
                let own = &all[place..][..x.len()];
                x.iter_mut().zip(own).for_each(|(x, &byte)| *x = f32::from(byte) / 255.0);
            }
        }
    }

    fn answer(&self, index: usize, y: &mut [f32]) {
        let place = self.stored(index);
        match &self.store.answers {
            Answers::Labels { labels, .. } => y[0] = labels[place] as f32,
            Answers::Numbers { values, .. } => {
                y.copy_from_slice(&values[place * y.len()..][..y.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
