//! What a source of batches promises: permutations, exact resumption, variations by key, refusals.

use std::collections::BTreeSet;

use synfire_runtime::crew::Crew;
use synfire_runtime::operator::FireError;
use synfire_runtime::solo::Solo;
use synfire_runtime::value::Value;

use super::super::dataset::{Answers, Dataset, Elements};
use super::*;

/// Images of 4 x 4; each holds its index; ten classes by index.
fn data(count: usize) -> Dataset {
    let elements = (0..count).flat_map(|index| vec![index as f32; 16]).collect();
    let labels = (0..count as i64).map(|index| index % 10).collect();
    let names = (0..10).map(|class| class.to_string()).collect();
    let answers = Answers::Labels { labels, names };
    Dataset::new("test", &[4, 4], Elements::F32(elements), answers).expect("it is right")
}

/// What firings give until the end, at most so many.
fn fired(source: &Batches, most: usize) -> Vec<Vec<Value>> {
    let mut solo = Solo::new(source, &[], &[]).expect("it has a kernel");
    let mut all = Vec::new();
    for _ in 0..most {
        match solo.fire(&[], &Crew::solo()) {
            Ok(values) => all.push(values.into_iter().flatten().collect()),
            Err(FireError::End) => break,
            Err(error) => panic!("{error}"),
        }
    }
    all
}

/// The index that each image of a batch holds.
fn indices(batch: &[Value]) -> Vec<usize> {
    batch[0].elements::<f32>().chunks_exact(16).map(|image| image[0] as usize).collect()
}

#[test]
fn every_epoch_is_another_permutation() {
    let all = fired(&batches(data(12), 4, Seed(3)).epochs(5), 100);
    assert_eq!(all.len(), 15, "five epochs of three batches, then the end");
    let mut orders = BTreeSet::new();
    for epoch in all.chunks(3) {
        let order: Vec<usize> = epoch.iter().flat_map(|batch| indices(batch)).collect();
        let unique: BTreeSet<usize> = order.iter().copied().collect();
        assert_eq!(unique, (0..12).collect(), "each example once");
        for batch in epoch {
            let labels = batch[1].elements::<i64>();
            let wanted = indices(batch).into_iter().map(|index| index as i64 % 10);
            assert!(labels.into_iter().eq(wanted), "labels go with their images");
        }
        orders.insert(order);
    }
    assert_eq!(orders.len(), 5);
    assert_eq!(fired(&batches(data(12), 4, Seed(3)).epochs(5), 100), all);
    assert_ne!(fired(&batches(data(12), 4, Seed(4)).epochs(5), 100), all);
}

#[test]
fn each_place_of_an_epoch_holds_each_example_as_often_as_any_other() {
    let all = fired(&batches(data(5), 5, Seed(1)).epochs(2000), 2000);
    let mut counts = [[0_u32; 5]; 5];
    for batch in &all {
        for (place, index) in indices(batch).into_iter().enumerate() {
            counts[place][index] += 1;
        }
    }
    // 400 expected, deviation 18.
    assert!(counts.iter().flatten().all(|&count| count.abs_diff(400) < 90), "{counts:?}");
}

fn varied() -> Batches {
    let source = batches(data(30), 4, Seed(9)).epochs(3);
    let source = source.augment(Augment::Shift { most: [1, 1] });
    let source = source.augment(Augment::Noise { deviation: 0.1 });
    source.augment(Augment::CutOut { side: 2 }).mixup(0.4).normalise(&[14.5], &[8.7])
}

#[test]
fn a_run_that_goes_on_at_any_step_sees_the_same_bits() {
    let whole = fired(&varied(), 100);
    assert_eq!(whole.len(), 21);
    for step in [1, 6, 7, 8, 20, 21, 50] {
        let rest = fired(&varied().starting_at(step as u64), 100);
        assert_eq!(rest, whole[step.min(21)..], "from step {step}");
    }
}

#[test]
fn variations_depend_on_the_example_and_the_epoch_not_on_the_batch() {
    let images = |size: usize| {
        let source = batches(data(12), size, Seed(5)).in_order().epochs(2);
        let source = source.augment(Augment::Noise { deviation: 0.3 });
        let all = fired(&source, 100);
        all.iter().flat_map(|batch| batch[0].elements::<f32>()).collect::<Vec<_>>()
    };
    let (small, large) = (images(3), images(12));
    assert_eq!(small, large);
    assert_ne!(small[..192], small[192..], "another epoch, another draw");
}

#[test]
fn padded_epochs_leave_nothing_out_and_weigh_what_fills_as_nothing() {
    let source = batches(data(10), 4, Seed(2)).in_order().padded().epochs(2);
    let all = fired(&source, 100);
    assert_eq!(all.len(), 6);
    assert_eq!(indices(&all[2]), [8, 9, 0, 1]);
    assert_eq!(all[2][2].elements::<f32>(), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(all[5], all[2]);
    assert_eq!(all[1][2].elements::<f32>(), [1.0; 4]);
    // More than the examples in one batch.
    let few = fired(&batches(data(3), 8, Seed(2)).in_order().padded().epochs(1), 100);
    assert_eq!(indices(&few[0]), [0, 1, 2, 0, 1, 2, 0, 1]);
}

#[test]
fn mixup_mixes_images_and_labels_by_the_same_share() {
    let source = batches(data(10), 5, Seed(8)).mixup(0.5).epochs(20);
    let mut partners = BTreeSet::new();
    for batch in fired(&source, 100) {
        let x = batch[0].elements::<f32>();
        assert_eq!(batch[1].extents, [5, 10]);
        let shares = batch[1].elements::<f32>();
        for (image, shares) in x.chunks_exact(16).zip(shares.chunks_exact(10)) {
            assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            // An image holds its class here, so the mix is the mean class.
            let mean: f32 = shares.iter().zip(0..).map(|(share, class)| share * class as f32).sum();
            assert!((image[0] - mean).abs() < 1e-4, "{} and {mean}", image[0]);
            partners.insert(shares.iter().filter(|&&share| share > 0.0).count());
        }
    }
    assert!(partners.contains(&2), "most are mixtures of two classes: {partners:?}");
}

#[test]
fn numbers_are_given_as_they_are_and_mixed() {
    let answers = Answers::Numbers { extents: vec![2], values: vec![1.0, 2.0, 3.0, 4.0] };
    let data = Dataset::new("test", &[1], Elements::F32(vec![0.0, 1.0]), answers);
    let data = data.expect("it is right");
    let plain = fired(&batches(data.clone(), 2, Seed(0)).in_order(), 1);
    assert_eq!(plain[0][1], Value::new(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]));
    for batch in fired(&batches(data, 2, Seed(0)).mixup(1.0), 20) {
        let (x, y) = (batch[0].elements::<f32>(), batch[1].elements::<f32>());
        for (x, y) in x.iter().zip(y.chunks_exact(2)) {
            let wanted = [1.0 + 2.0 * x, 2.0 + 2.0 * x];
            assert!(y.iter().zip(wanted).all(|(y, wanted)| (y - wanted).abs() < 1e-6));
        }
    }
}

#[test]
fn normalisation_comes_last_and_by_channel() {
    let answers = Answers::Numbers { extents: vec![1], values: vec![0.0] };
    let data = Dataset::new("test", &[3, 2], Elements::F32(vec![1.0; 6]), answers);
    let source =
        batches(data.expect("it is right"), 1, Seed(0)).augment(Augment::Centre { size: [3, 1] });
    let source = source.normalise(&[0.0, 1.0, 3.0], &[2.0, 0.0, 4.0]);
    assert_eq!(fired(&source, 1)[0][0], Value::new(&[1, 3, 1], &[0.5_f32, 0.0, -0.5]));
}

#[test]
fn what_cannot_be_is_refused_while_drafting() {
    let refused = |source: Batches| source.shape(&[]).expect_err("it is wrong").to_string();
    let own = || batches(data(10), 4, Seed(0));
    for (found, expect) in [
        (
            refused(batches(data(10), 0, Seed(0))),
            "port x: found batches of 0 from 10 examples; \
             wanted at least 1 a batch, less than 2^32 examples",
        ),
        (refused(batches(data(3), 4, Seed(0))), "port x: found 3 examples; wanted at least 4"),
        (refused(own().mixup(0.0)), "port x: found mixup of alpha 0; wanted 0.01 to 100"),
        (
            refused(own().normalise(&[0.0; 3], &[1.0; 3])),
            "port x: found 3 means and 3 deviations; \
             wanted 1 of each, or 4: one for each index of the first axis",
        ),
        (
            refused(own().normalise(&[f32::NAN], &[1.0])),
            "port x: found NaN in mean and deviation; wanted finite numbers",
        ),
        (
            refused(own().augment(Augment::Centre { size: [5, 5] })),
            "port x: found Centre { size: [5, 5] } of an example [4, 4]; \
             wanted a window that fits",
        ),
    ] {
        assert_eq!(found, expect);
    }
}

#[test]
fn images_as_targets_do_not_go_with_what_moves_the_input() {
    let answers = Answers::Numbers { extents: vec![2, 2], values: vec![0.0; 4] };
    let data = Dataset::new("test", &[2, 2], Elements::F32(vec![0.0; 4]), answers);
    let source = batches(data.expect("it is right"), 1, Seed(0));
    let noisy = source.clone().augment(Augment::Noise { deviation: 0.1 });
    assert!(noisy.shape(&[]).is_ok());
    assert!(source.augment(Augment::Flip { probability: 0.5 }).shape(&[]).is_err());
}
