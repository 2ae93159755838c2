//! A delay line: the last four samples of a stream side by side. All delays of one stream share its
//! registers, so a longer window costs one more register and no copy.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;

use synfire::ops::arrange::concat::concat;
use synfire::ops::broadcast::binary::multiply;
use synfire::ops::reduce::reduction::{Keep, sum};
use synfire::prelude::*;
use synfire::runtime::interpret::{Streams, interpret};

const TAPS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([1]));
    let oldest_first = (0..TAPS).rev();
    let window: Vec<Wire> = oldest_first.map(|k| draft.delay(x, k, Initial::Zeros)).collect();
    let window = draft.apply(concat(0, TAPS), &window);
    let taps = draft.parameter("taps", Spec::f32([TAPS]), Initial::Constant(0.25));
    let weighted = draft.apply(multiply(), &[window, taps]);
    let smooth = draft.apply(sum(&[0], Keep::Axes), &[weighted]);
    draft.outlet("smooth", smooth);
    let graph = draft.check()?;

    // The sequential reference: what every plan of this graph must give, with no plan at all.
    let step = [0.0_f32, 0.0, 8.0, 8.0, 8.0, 8.0, 8.0];
    let stream = step.iter().map(|&x| Some(Value::new(&[1], &[x]))).collect();
    let feeds = Streams::from([("x".to_owned(), stream)]);
    let outlets = interpret(&graph, &Options::default(), &feeds)?;
    let smooth: Vec<f32> =
        outlets["smooth"].iter().flatten().flat_map(Value::elements::<f32>).collect();
    println!("{step:?}\n{smooth:?}");
    assert_eq!(smooth, [0.0, 0.0, 2.0, 4.0, 6.0, 8.0, 8.0]);
    Ok(())
}
