//! Every path computes, moves and chooses the same numbers.

use super::*;

struct Axpy<'a>(&'a [f32], &'a mut [f32]);

impl Job<f32> for Axpy<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f32>>(self, has: Has<L>) -> usize {
        let count = self.0.len().min(self.1.len()) / L::LANES;
        for vector in 0..count {
            let (x, to) = (&self.0[vector * L::LANES..], &mut self.1[vector * L::LANES..]);
            let x = L::read(has, x);
            x.mul_add(L::splat(has, 0.0), L::read(has, to)).add(x).write(to);
        }
        count * L::LANES
    }
}

/// The outcomes of `even`, both of `interleave`, both of `larger`, and of `transpose`, of vectors
/// with the numbers of `x`, and of its reverse.
struct Moves<'a>(&'a [f32]);

impl Job<f32> for Moves<'_> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f32>>(self, has: Has<L>) -> Self::Output {
        let lanes = L::LANES;
        let reversed: Vec<f32> = self.0[..lanes].iter().rev().copied().collect();
        let (a, b) = (L::read(has, self.0), L::read(has, &reversed));
        let [low, high] = a.interleave(b);
        let [most, marks] = a.larger(b, [b, a]);
        let mut square = [a; LANES_MAX];
        for (row, vector) in square.iter_mut().enumerate().take(lanes) {
            *vector = L::read(has, &self.0[row * lanes..]);
        }
        transpose(&mut square);
        let all = [a.even(b), low, high, most, marks].into_iter().chain(square).take(5 + lanes);
        let numbers = |vector: L| {
            let mut numbers = vec![0.0; lanes];
            vector.write(&mut numbers);
            numbers
        };
        all.map(numbers).collect()
    }
}

#[test]
fn every_path_adds_the_same_numbers() {
    let x: Vec<f32> = (0..64).map(|n| n as f32).collect();
    for path in Path::available() {
        let mut y = vec![1.0; 64];
        assert_eq!(f32::dispatch(path, Axpy(&x, &mut y)), 64, "{path:?}");
        assert!(y.iter().zip(&x).all(|(y, x)| *y == 1.0 + x), "{path:?}");
    }
}

#[test]
fn every_path_moves_lanes_as_it_should() {
    let x: Vec<f32> = (0..256).map(|n| (n * 89 % 256) as f32).collect();
    for path in Path::available() {
        let lanes = path.tile::<f32>().lanes;
        let (a, b): (&[f32], Vec<f32>) = (&x[..lanes], x[..lanes].iter().rev().copied().collect());
        let both = [a, &b].concat();
        let found = f32::dispatch(path, Moves(&x));
        let is = |number: usize, expect: &dyn Fn(usize) -> f32| {
            let expect: Vec<f32> = (0..lanes).map(expect).collect();
            assert_eq!(found[number], expect, "{path:?}, outcome {number}");
        };
        is(0, &|lane| both[2 * lane]);
        is(1, &|lane| [a[lane / 2], b[lane / 2]][lane % 2]);
        is(2, &|lane| [a[lanes / 2 + lane / 2], b[lanes / 2 + lane / 2]][lane % 2]);
        is(3, &|lane| a[lane].max(b[lane]));
        is(4, &|lane| if b[lane] > a[lane] { a[lane] } else { b[lane] });
        for row in 0..lanes {
            is(5 + row, &|lane| x[lane * lanes + row]);
        }
    }
}

#[test]
fn the_larger_of_two_is_the_last_nan() {
    struct Of([f32; 2]);
    impl Job<f32> for Of {
        type Output = f32;

        #[inline(always)]
        fn run<L: Lanes<Scalar = f32>>(self, has: Has<L>) -> f32 {
            let [own, other] = self.0.map(|number| L::splat(has, number));
            let marks = [1.0, 2.0].map(|mark| L::splat(has, mark));
            let mut mark = vec![0.0; L::LANES];
            own.larger(other, marks)[1].write(&mut mark);
            mark[0]
        }
    }
    for path in Path::available() {
        let pairs = [([0.0, 0.0], 1.0), ([f32::NAN, 1.0], 1.0), ([1.0, f32::NAN], 2.0)];
        for (pair, mark) in pairs.into_iter().chain([([f32::NAN; 2], 2.0), ([1.0, 2.0], 2.0)]) {
            assert_eq!(f32::dispatch(path, Of(pair)), mark, "{path:?}: {pair:?}");
        }
    }
}

#[test]
fn the_best_path_is_the_first_and_the_last_is_portable() {
    let all = Path::available();
    assert_eq!(Path::best(), all[0]);
    assert_eq!(all.last(), Some(&Path(Kind::Portable)));
}

#[test]
fn tiles_are_whole_vectors() {
    for path in Path::available() {
        let tile = path.tile::<f32>();
        assert!(tile.lanes <= LANES_MAX && tile.columns.is_multiple_of(tile.lanes));
    }
}
