//! Feedback: state is an edge that closes a cycle and begins with a token. Here two of them, the
//! count and the mean so far, make a running mean: `mean += (x - mean) / count`.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;
use std::time::Duration;

use synfire::ops::broadcast::binary::{add, divide, subtract};
use synfire::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let number = || Spec::f32([1]);
    let mut draft = Draft::new();
    let x = draft.feed("x", number());
    let one = draft.parameter("one", number(), Initial::Constant(1.0));
    let (count_before, next_count) = draft.feedback(number(), 1, Initial::Zeros);
    let (mean_before, next_mean) = draft.feedback(number(), 1, Initial::Zeros);

    let count = draft.apply(add(), &[count_before, one]);
    let difference = draft.apply(subtract(), &[x, mean_before]);
    let step = draft.apply(divide(), &[difference, count]);
    let mean = draft.apply(add(), &[mean_before, step]);
    draft.close(next_count, count);
    draft.close(next_mean, mean);
    draft.outlet("mean", mean);

    let placed = place(&draft.check()?, &Devices::cpu(1), &Placement::new())?;
    let plan = plan(&placed, &Limits::default())?;
    let mut run = launch(&plan, &Options::default())?;
    let timeout = Duration::from_secs(5);
    let mut feed = run.feed("x").ok_or("no such feed")?;
    let mut outlet = run.outlet("mean").ok_or("no such outlet")?;
    for (x, expected) in [(8.0_f32, 8.0_f32), (4.0, 6.0), (0.0, 4.0), (12.0, 6.0)] {
        feed.send(&Value::new(&[1], &[x]), timeout)?;
        let mean = outlet.receive(timeout)?.value?.ok_or("a null token")?.elements::<f32>()[0];
        println!("{x:>4} -> mean {mean}");
        assert!((mean - expected).abs() < 1e-6, "{mean}, expected {expected}");
    }
    drop((feed, outlet));
    run.finish(timeout)?;
    Ok(())
}
