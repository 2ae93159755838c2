//! Two devices: a CPU device is a set of cores, and branches that are bound to two of them run at
//! the same time. Placement is said beside the graph; the plan prints what came of it.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;
use std::time::Duration;

use synfire::ops::broadcast::binary::subtract;
use synfire::ops::pointwise::unary::{sigmoid, tanh};
use synfire::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([256]));
    let left = draft.scope("left", |draft| draft.apply(tanh(), &[x]));
    let right = draft.scope("right", |draft| draft.apply(sigmoid(), &[x]));
    let y = draft.apply(subtract(), &[left, right]);
    draft.outlet("y", y);
    let graph = draft.check()?;

    // The same graph on one device and on two gives the same bits.
    let devices = Devices::new();
    let devices = devices.with_cores("cpu:0", vec![0], false).with_cores("cpu:1", vec![1], false);
    let alone = Placement::new().on("left", "cpu:0").on("right", "cpu:0").on("subtract", "cpu:0");
    let apart = alone.clone().on("right", "cpu:1");
    let mut results = Vec::new();
    for wishes in [alone, apart] {
        let plan = plan(&place(&graph, &devices, &wishes)?, &Limits::default())?;
        println!("{}", plan.explain());
        let mut run = launch(&plan, &Options::default())?;
        let mut feed = run.feed("x").ok_or("no such feed")?;
        let mut outlet = run.outlet("y").ok_or("no such outlet")?;
        let timeout = Duration::from_secs(5);
        feed.send(&Value::new(&[256], &[0.75_f32; 256]), timeout)?;
        results.push(outlet.receive(timeout)?.value?);
    }
    assert_eq!(results[0], results[1]);
    Ok(())
}
