//! Splits: disjoint parts that are complete together, each with its share of every class.

use synfire_runtime::random::Seed;

use super::{DataError, Dataset, Examples};

impl Dataset {
    /// Parts with these shares of the examples, such as `[8.0, 1.0, 1.0]` for training, validation
    /// and test; only their ratios matter. Every part has its share of every class to within one
    /// example, and of all examples to within one. Which ones is a matter of the seed alone.
    ///
    /// # Errors
    /// When a share is negative or no number, or none is above zero.
    pub fn split(&self, shares: &[f64], seed: Seed) -> Result<Vec<Self>, DataError> {
        let total: f64 = shares.iter().sum();
        if !(total.is_finite() && total > 0.0 && shares.iter().all(|&share| share >= 0.0)) {
            let wanted = "shares of at least 0, one of them above";
            return Err(DataError::new("split", format!("{shares:?}"), wanted));
        }
        let mut sum = 0.0;
        let ends = shares.iter().map(|share| {
            sum += share;
            sum / total
        });
        let mut ends: Vec<f64> = ends.collect();
        // Rounding must lose no example behind the last part that has a share.
        let last = shares.iter().rposition(|&share| share > 0.0).expect("one is above zero");
        ends[last..].fill(1.0);
        let order = self.by_class(seed);
        let mut parts = vec![Vec::new(); shares.len()];
        let mut before = 0;
        for class in order {
            let place = |end: &f64, count: usize| (end * count as f64 + 0.5).floor() as usize;
            let mut from = 0;
            for (part, end) in parts.iter_mut().zip(&ends) {
                // What is left of a rounded share goes on to the next class.
                let to = place(end, before + class.len()) - place(end, before);
                let to = to.clamp(from, class.len());
                part.extend_from_slice(&class[from..to]);
                from = to;
            }
            before += class.len();
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        parts.iter().map(|part| self.select(part)).collect()
    }

    /// The indices of each class in a random order; of all examples where there are no classes.
    fn by_class(&self, seed: Seed) -> Vec<Vec<usize>> {
        let mut classes: Vec<Vec<usize>> = Vec::new();
        for index in 0..self.count() {
            let class = self.label(index).unwrap_or(0) as usize;
            if class >= classes.len() {
                classes.resize_with(class + 1, Vec::new);
            }
            classes[class].push(index);
        }
        for (class, order) in classes.iter_mut().enumerate() {
            shuffle(order, seed.named("split").derive(class as u64));
        }
        classes
    }
}

/// Puts things into a random order, each as likely as any other (Fisher and Yates, 1938, in the
/// form of Durstenfeld, 1964).
pub(crate) fn shuffle<T>(things: &mut [T], seed: Seed) {
    for place in (1..things.len()).rev() {
        things.swap(place, seed.index(place as u64, place + 1));
    }
}
