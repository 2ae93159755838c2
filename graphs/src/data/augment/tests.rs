//! What each variation does to an image, and that its draws are spread as they should be.

use super::*;

/// Two channels of 3 x 4, each element its number from 1.
fn image() -> (Image, Vec<f32>) {
    (Image::of(&[2, 3, 4]), (1..=24).map(|x| x as f32).collect())
}

fn applied(augment: Augment, seed: u64) -> (Image, Vec<f32>) {
    let (image, mut x) = image();
    let most = augment.extents(&[2, 3, 4]).expect("it fits").iter().product::<usize>().max(24);
    x.resize(most, -1.0);
    let mut spare = vec![-1.0; most];
    let image = augment.apply(image, &mut x, &mut spare, Seed(seed));
    x.truncate(image.elements());
    (image, x)
}

/// The rows of a channel.
fn rows(image: Image, x: &[f32], channel: usize) -> Vec<&[f32]> {
    let plane = image.size[0] * image.size[1];
    x[channel * plane..][..plane].chunks_exact(image.size[1]).collect()
}

#[test]
fn a_shift_moves_all_channels_alike_and_fills_with_zeros() {
    let mut moves = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (image, x) = applied(Augment::Shift { most: [1, 2] }, seed);
        assert_eq!(image.size, [3, 4]);
        // Where the first element of an image shifted by (down, right) would come from.
        let found = (-1_isize..=1).flat_map(|down| (-2_isize..=2).map(move |right| (down, right)));
        let found: Vec<_> = found
            .filter(|&(down, right)| {
                (0..24).all(|at| {
                    let (channel, row, column) = (at / 12, at / 4 % 3, at % 4);
                    let (row, column) = (row as isize - down, column as isize - right);
                    let inside = (0..3).contains(&row) && (0..4).contains(&column);
                    let from = channel as isize * 12 + row * 4 + column + 1;
                    x[at] == if inside { from as f32 } else { 0.0 }
                })
            })
            .collect();
        assert_eq!(found.len(), 1, "it is one shift of the image");
        moves.insert(found[0]);
    }
    assert_eq!(moves.len(), 15, "every shift comes");
}

#[test]
fn crops_are_windows_of_the_padded_image() {
    let mut corners = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let (image, x) = applied(Augment::Crop { padding: 1, size: [2, 5] }, seed);
        assert_eq!((image.size, x.len()), ([2, 5], 20));
        corners.insert(x.iter().map(|x| *x as i64).collect::<Vec<_>>());
    }
    // Rows: 5 - 2 + 1 places, columns: 6 - 5 + 1.
    assert_eq!(corners.len(), 8);
    let (image, x) = applied(Augment::Centre { size: [1, 2] }, 0);
    assert_eq!((image.size, x), ([1, 2], vec![6.0, 7.0, 18.0, 19.0]));
}

#[test]
fn a_flip_turns_rows_round_as_often_as_it_should() {
    let (image, x) = applied(Augment::Flip { probability: 1.0 }, 0);
    assert_eq!(rows(image, &x, 1)[0], [16.0, 15.0, 14.0, 13.0]);
    let flips =
        (0..4000).filter(|&seed| applied(Augment::Flip { probability: 0.3 }, seed).1[0] != 1.0);
    let flips = flips.count() as f64 / 4000.0;
    assert!((flips - 0.3).abs() < 0.03, "{flips}");
    assert_eq!(applied(Augment::Flip { probability: 0.0 }, 5).1, image_elements());
}

fn image_elements() -> Vec<f32> {
    image().1
}

#[test]
fn noise_has_its_deviation() {
    let differences = (0..500).flat_map(|seed| {
        let (_, x) = applied(Augment::Noise { deviation: 0.5 }, seed);
        x.into_iter().zip(image_elements()).map(|(a, b)| f64::from(a - b)).collect::<Vec<_>>()
    });
    let all: Vec<f64> = differences.collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let square = all.iter().map(|x| x * x).sum::<f64>() / all.len() as f64;
    assert!(mean.abs() < 0.02 && (square - 0.25).abs() < 0.02, "{mean}, {square}");
}

#[test]
fn cut_out_leaves_all_but_a_square() {
    for seed in 0..100 {
        let (image, x) = applied(Augment::CutOut { side: 2 }, seed);
        let zeros = |channel| {
            let rows = rows(image, &x, channel);
            let all = rows.iter().enumerate().flat_map(|(row, values)| {
                let columns = values.iter().enumerate().filter(|(_, x)| **x == 0.0);
                columns.map(move |(column, _)| (row, column)).collect::<Vec<_>>()
            });
            all.collect::<Vec<_>>()
        };
        let own = zeros(0);
        assert_eq!(own, zeros(1), "the same for every channel");
        assert!([1, 2, 4].contains(&own.len()), "a square, cut at an edge: {own:?}");
        let kept = x.iter().zip(image_elements()).filter(|(_, was)| *was != 0.0);
        assert!(kept.into_iter().all(|(&x, was)| x == 0.0 || x == was));
    }
}

#[test]
fn what_cannot_be_applied_is_refused() {
    for (augment, extents, wanted) in [
        (Augment::Flip { probability: 0.5 }, &[9][..], "rows and columns: at least two axes"),
        (Augment::Flip { probability: 1.5 }, &[3, 3], "0 to 1"),
        (Augment::Noise { deviation: f64::NAN }, &[9], "a finite deviation of at least 0"),
        (Augment::Crop { padding: 1, size: [6, 2] }, &[3, 3], "a window that fits"),
        (Augment::Centre { size: [0, 1] }, &[3, 3], "a window that fits"),
    ] {
        assert_eq!(augment.extents(extents).expect_err(wanted).1, wanted);
    }
    assert_eq!(Augment::Noise { deviation: 0.1 }.extents(&[9]), Ok(vec![9]));
    assert_eq!(Augment::Crop { padding: 4, size: [5, 6] }.extents(&[3, 9, 9]), Ok(vec![3, 5, 6]));
}

#[test]
fn shares_of_a_mix_have_the_moments_of_the_beta_distribution() {
    for alpha in [0.2, 1.0, 4.0] {
        let all: Vec<f64> = (0..20_000).map(|seed| beta(alpha, Seed(seed))).collect();
        assert!(all.iter().all(|share| (0.0..=1.0).contains(share)));
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
        let wanted = 1.0 / (4.0 * (2.0 * alpha + 1.0));
        assert!((mean - 0.5).abs() < 0.01, "alpha {alpha}: mean {mean}");
        assert!((variance / wanted - 1.0).abs() < 0.05, "alpha {alpha}: variance {variance}");
    }
}
