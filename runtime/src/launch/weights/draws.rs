//! First values that need more than one draw for each number: truncated normal numbers, orthogonal
//! matrices.

use crate::random::Seed;

/// Proposals for one number. At least one in five is taken, so that all are refused never comes.
const TRIES_MAX: u64 = 256;

/// Deviations beyond which a normal number is not looked for.
const REACH: f64 = 6.0;

/// A normal number of this deviation that is no larger than `bound`, by rejection from a uniform
/// one (von Neumann, "Various techniques used in connection with random digits", 1951).
pub(super) fn truncated_normal(deviation: f64, bound: f64, seed: Seed, index: u64) -> f64 {
    let reach = (bound / deviation).min(REACH);
    if !(deviation > 0.0 && reach > 0.0) {
        return 0.0;
    }
    let seed = seed.derive(index);
    let propose = |attempt: u64| reach * (2.0 * seed.uniform(2 * attempt) - 1.0);
    let is_taken = |&attempt: &u64| {
        let x = propose(attempt);
        seed.uniform(2 * attempt + 1) < (-x * x / 2.0).exp()
    };
    deviation * propose((0..TRIES_MAX).find(is_taken).unwrap_or(TRIES_MAX))
}

/// A matrix of the first extent by all others, with orthonormal rows, or columns where it has more
/// rows: Gram and Schmidt's method on normal numbers, which favours no direction (Stewart, "The
/// efficient generation of random orthogonal matrices", 1980). Each vector is made orthogonal
/// twice, which is enough (Giraud et al., 2005).
pub(super) fn orthogonal(extents: &[usize], seed: Seed) -> Vec<f64> {
    let elements: usize = extents.iter().product();
    let rows = extents.first().copied().unwrap_or(1);
    let columns = elements.checked_div(rows).unwrap_or(0);
    let (vectors, length) = (rows.min(columns), rows.max(columns));
    let mut all: Vec<f64> = (0..elements as u64).map(|index| seed.normal(index)).collect();
    for own in 0..vectors {
        let (before, rest) = all.split_at_mut(own * length);
        let vector = &mut rest[..length];
        for _ in 0..2 {
            for other in before.chunks_exact(length) {
                let along = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(x, other)| *x -= along * other);
            }
            let norm = dot(vector, vector).sqrt();
            vector.iter_mut().for_each(|x| *x /= norm);
        }
    }
    if rows <= columns {
        return all;
    }
    let transposed = (0..elements).map(|at| all[at % columns * rows + at / columns]);
    transposed.collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_numbers_stay_in_their_bounds_with_the_moments_of_what_is_left() {
        // Variances of a standard normal number cut at b: 1 - 2 b phi(b) / (2 Phi(b) - 1).
        for (bound, variance) in
            [(0.5, 0.080_589), (1.0, 0.291_125), (2.0, 0.773_741), (3.0, 0.973_337)]
        {
            let numbers = (0..40_000).map(|at| truncated_normal(2.0, 2.0 * bound, Seed(5), at));
            let all: Vec<f64> = numbers.map(|x| x / 2.0).collect();
            assert!(all.iter().all(|x| x.abs() <= bound), "bound {bound}");
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let square = all.iter().map(|x| x * x).sum::<f64>() / all.len() as f64;
            assert!(mean.abs() < 0.02, "bound {bound}: mean {mean}");
            assert!((square / variance - 1.0).abs() < 0.03, "bound {bound}: variance {square}");
        }
        assert_eq!(truncated_normal(0.0, 1.0, Seed(1), 0), 0.0);
        assert_eq!(truncated_normal(1.0, 0.0, Seed(1), 0), 0.0);
        let far: Vec<f64> = (0..9).map(|at| truncated_normal(1.0, f64::MAX, Seed(1), at)).collect();
        assert!(far.iter().all(|x| x.abs() <= REACH));
    }

    #[test]
    fn rows_or_columns_are_orthonormal() {
        for extents in [&[7, 7][..], &[3, 4, 2], &[40, 5], &[1, 6], &[6, 1], &[5], &[], &[0, 3]] {
            let matrix = orthogonal(extents, Seed(3));
            let rows = extents.first().copied().unwrap_or(1);
            let columns = matrix.len().checked_div(rows).unwrap_or(0);
            let at = |row: usize, column: usize| matrix[row * columns + column];
            let few = rows.min(columns);
            for (a, b) in (0..few).flat_map(|a| (0..few).map(move |b| (a, b))) {
                let product: f64 = match rows <= columns {
                    true => (0..columns).map(|k| at(a, k) * at(b, k)).sum(),
                    false => (0..rows).map(|k| at(k, a) * at(k, b)).sum(),
                };
                let wanted = f64::from(u8::from(a == b));
                assert!((product - wanted).abs() < 1e-14, "{extents:?} {a} {b}: {product}");
            }
        }
        assert_ne!(orthogonal(&[4, 4], Seed(1)), orthogonal(&[4, 4], Seed(2)));
    }

    #[test]
    fn every_direction_is_alike() {
        // The mean of an element is 0, of its square 1 / n.
        let all: Vec<f64> = (0..2000).map(|seed| orthogonal(&[3, 3], Seed(seed))[4]).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let square = all.iter().map(|x| x * x).sum::<f64>() / all.len() as f64;
        assert!(mean.abs() < 0.05 && (square - 1.0 / 3.0).abs() < 0.03, "{mean}, {square}");
    }
}
