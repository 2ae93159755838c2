//! Failures: under `Skip` a firing that fails, or panics, costs only what depends on it. The token
//! that it should have given comes out as the failure, and everything else goes on.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;
use std::time::Duration;

use synfire::ops::broadcast::binary::{add, remainder};
use synfire::prelude::*;
use synfire::runtime::run::FaultPolicy;

fn main() -> Result<(), Box<dyn Error>> {
    let number = || Spec::new(Element::I64, [1]);
    let mut draft = Draft::new();
    let a = draft.feed("a", number());
    let b = draft.feed("b", number());
    let rest = draft.apply(remainder(), &[a, b]);
    let sum = draft.apply(add(), &[a, b]);
    draft.outlet("rest", rest);
    draft.outlet("sum", sum);

    let placed = place(&draft.check()?, &Devices::cpu(1), &Placement::new())?;
    let plan = plan(&placed, &Limits::default())?;
    let options = Options { policy: FaultPolicy::Skip, ..Options::default() };
    let mut run = launch(&plan, &options)?;
    let [mut a, mut b] = ["a", "b"].map(|path| run.feed(path).expect("the draft has this feed"));
    let outlets = ["rest", "sum"].map(|path| run.outlet(path).expect("the draft has this outlet"));
    let [mut rest, mut sum] = outlets;

    let timeout = Duration::from_secs(5);
    for divisor in [4_i64, 0, 3] {
        a.send(&Value::new(&[1], &[10_i64]), timeout)?;
        b.send(&Value::new(&[1], &[divisor]), timeout)?;
        let whole = sum.receive(timeout)?.value?.ok_or("a null token")?;
        assert_eq!(whole.elements::<i64>(), [10 + divisor], "the other branch goes on");
        match rest.receive(timeout)?.value {
            Ok(value) => {
                let value = value.ok_or("a null token")?;
                println!("10 modulo {divisor}: {}", value.elements::<i64>()[0]);
            }
            Err(failure) => println!("10 modulo {divisor}: {failure}"),
        }
    }
    drop((a, b, rest, sum));
    let report = run.finish(timeout)?;
    assert_eq!(report.failure_count, 1);
    Ok(())
}
