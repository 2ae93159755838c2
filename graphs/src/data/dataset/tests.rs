//! Views, splits, moments, and data that are refused.

use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

/// Examples of two elements, their index and its square; labels as given.
fn labelled(labels: &[i64], classes: usize) -> Dataset {
    let elements = (0..labels.len()).flat_map(|index| [index as f32, (index * index) as f32]);
    let answers = Answers::Labels { labels: labels.to_vec(), names: names(classes) };
    Dataset::new("test", &[2], Elements::F32(elements.collect()), answers).expect("they are right")
}

fn first(data: &Dataset, index: usize) -> f32 {
    let mut x = [0.0; 2];
    data.read(index, &mut x);
    x[0]
}

#[test]
fn a_selection_of_a_selection_reads_the_right_examples() {
    let data = labelled(&[0, 1, 2, 0, 1, 2], 3);
    let odd = data.select(&[5, 3, 1]).expect("they are there");
    let twice = odd.select(&[2, 0, 2]).expect("they are there");
    assert_eq!([0, 1, 2].map(|index| first(&twice, index)), [1.0, 5.0, 1.0]);
    assert_eq!([0, 1, 2].map(|index| twice.label(index)), [Some(1), Some(2), Some(1)]);
    let error = odd.select(&[3]).expect_err("there are three");
    assert_eq!(error.to_string(), "selection: example 3; wanted an index below 3");
}

#[test]
fn splits_are_disjoint_complete_stratified_and_keyed() {
    // Classes of 3 to 21 examples.
    let labels: Vec<i64> = (0..7).flat_map(|class| vec![class; 3 + 3 * class as usize]).collect();
    let data = labelled(&labels, 7);
    let shares = [8.0, 1.0, 1.0];
    for seed in 0..20 {
        let parts = data.split(&shares, Seed(seed)).expect("the shares are right");
        let mut seen = vec![0; labels.len()];
        for (part, share) in parts.iter().zip(shares) {
            for index in 0..part.count() {
                seen[first(part, index) as usize] += 1;
            }
            let wanted = share / 10.0 * labels.len() as f64;
            assert!((part.count() as f64 - wanted).abs() <= 1.0, "{} of {wanted}", part.count());
            for class in 0..7 {
                let own = (0..part.count()).filter(|&index| part.label(index) == Some(class));
                let wanted = share / 10.0 * (3 + 3 * class) as f64;
                let found = own.count() as f64;
                assert!((found - wanted).abs() <= 1.0, "{found} of class {class}, not {wanted}");
            }
        }
        assert!(seen.iter().all(|&count| count == 1), "each example is in one part");
    }
    let of = |seed| format!("{:?}", data.split(&shares, Seed(seed)).expect("they are right"));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_split_without_classes_is_complete_too() {
    let answers =
        Answers::Numbers { extents: vec![1], values: (0..11).map(|x| x as f32).collect() };
    let elements = Elements::F32((0..22).map(|x| (x / 2) as f32).collect());
    let data = Dataset::new("test", &[2], elements, answers).expect("it is right");
    let parts = data.split(&[1.0, 0.0, 1.0, 0.0], Seed(3)).expect("the shares are right");
    let counts: Vec<usize> = parts.iter().map(Examples::count).collect();
    assert_eq!(counts, [6, 0, 5, 0]);
    for shares in [&[][..], &[0.0], &[1.0, -0.1], &[f64::NAN]] {
        assert!(data.split(shares, Seed(0)).is_err(), "{shares:?}");
    }
}

#[test]
fn bytes_stand_for_zero_to_one() {
    let answers = Answers::Labels { labels: vec![0], names: names(1) };
    let data = Dataset::new("test", &[3], Elements::U8(vec![0, 51, 255]), answers);
    let mut x = [9.0; 3];
    data.expect("it is right").read(0, &mut x);
    assert_eq!(x, [0.0, 0.2, 1.0]);
}

#[test]
fn moments_are_of_the_examples_in_view() {
    let data = labelled(&[0, 0, 0, 0], 1).select(&[1, 3]).expect("they are there");
    let (mean, deviation) = data.moments(Moments::First);
    assert_eq!((mean, deviation), (vec![2.0, 5.0], vec![1.0, 4.0]));
    let (mean, deviation) = data.moments(Moments::All);
    // 1, 1, 3, 9.
    assert_eq!((mean, deviation), (vec![3.5], vec![10.75_f32.sqrt()]));
}

#[test]
fn other_data_are_told_apart_by_their_text() {
    let text = |labels: &[i64]| format!("{:?}", labelled(labels, 3));
    assert_eq!(text(&[0, 1, 2]), text(&[0, 1, 2]));
    assert_ne!(text(&[0, 1, 2]), text(&[0, 2, 1]));
    let data = labelled(&[0, 1, 2], 3);
    let part = |indices: &[usize]| format!("{:?}", data.select(indices).expect("there"));
    assert_ne!(part(&[0, 1]), part(&[1, 0]));
}

#[test]
fn wrong_data_are_refused_by_name() {
    let new = |elements: usize, answers| {
        let elements = Elements::F32(vec![0.0; elements]);
        Dataset::new("somewhere", &[2, 2], elements, answers).expect_err("it is wrong").to_string()
    };
    let labels = |labels: &[i64]| Answers::Labels { labels: labels.to_vec(), names: names(2) };
    let numbers = |count| Answers::Numbers { extents: vec![3], values: vec![0.0; count] };
    for (found, expect) in [
        (new(7, labels(&[0])), "somewhere: 7 elements; wanted examples of extents [2, 2]"),
        (new(8, labels(&[0])), "somewhere: 1 answers; wanted one for each of 2 examples"),
        (
            new(8, labels(&[0, 2])),
            "somewhere: label 2 of example 1; wanted one of 2 classes, from 0",
        ),
        (
            new(8, labels(&[-1, 0])),
            "somewhere: label -1 of example 0; wanted one of 2 classes, from 0",
        ),
        (new(8, numbers(5)), "somewhere: 5 numbers; wanted 2 targets of extents [3]"),
        (new(8, numbers(9)), "somewhere: 3 answers; wanted one for each of 2 examples"),
    ] {
        assert_eq!(found, expect);
    }
}
