//! Hello: two operators between a feed and an outlet, from the draft to the first token.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;
use std::time::Duration;

use synfire::ops::broadcast::binary::add;
use synfire::ops::pointwise::unary::relu;
use synfire::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([3]));
    let bias = draft.parameter("bias", Spec::f32([3]), Initial::Constant(-1.0));
    let sum = draft.apply(add(), &[x, bias]);
    let y = draft.apply(relu(), &[sum]);
    draft.outlet("y", y);

    // Each step returns a new type, so none can be left out.
    let graph = draft.check()?;
    let placed = place(&graph, &Devices::cpu(1), &Placement::new())?;
    let plan = plan(&placed, &Limits::default())?;
    let mut run = launch(&plan, &Options::default())?;

    let timeout = Duration::from_secs(5);
    let mut feed = run.feed("x").ok_or("no such feed")?;
    let mut outlet = run.outlet("y").ok_or("no such outlet")?;
    feed.send(&Value::new(&[3], &[0.5_f32, 1.0, 3.0]), timeout)?;
    let y = outlet.receive(timeout)?.value?.ok_or("a null token")?;
    println!("relu(x - 1) = {:?}", y.elements::<f32>());
    assert_eq!(y.elements::<f32>(), [0.0, 0.0, 2.0]);

    // The feed is dropped, so its stream ends, and with it the run.
    drop(feed);
    drop(outlet);
    run.finish(timeout)?;
    Ok(())
}
