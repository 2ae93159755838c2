//! Faults: a wrong graph is refused before anything runs, and all that is wrong is told at once,
//! each with its node, what was found and wanted, the lines of this file, and a hint.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use synfire::ops::arrange::concat::concat;
use synfire::ops::broadcast::binary::add;
use synfire::prelude::*;
use synfire::runtime::fault::Code;

fn main() {
    let mut draft = Draft::new();
    let image = draft.feed("image", Spec::f32([3, 64, 64]));
    let mask = draft.feed("mask", Spec::f32([1, 32, 64]));

    // Two shapes that do not broadcast, one input too few, and a cycle without a source.
    let _ = draft.scope("encoder", |draft| draft.apply(add(), &[image, mask]));
    let _ = draft.apply(concat(0, 3), &[image, mask]);
    let (state, _open) = draft.feedback(Spec::f32([1]), 1, Initial::Zeros);
    draft.outlet("state", state);

    let faults = draft.check().expect_err("the graph is wrong");
    println!("{faults}");
    assert_eq!(faults.codes(), [Code::Shape, Code::InputCount, Code::Feedback]);
}
