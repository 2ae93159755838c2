//! actix: a supervisor owns runs by name. Tokens between nodes never travel through a mailbox; an
//! actor that feeds a run or subscribes to an outlet is at its border.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use synfire::ops::pointwise::unary::square;
use synfire::prelude::*;
use synfire::runtime::control::actix::{Actor, Context, Handler, System};
use synfire::runtime::control::{Delivery, Feed, Restart, Start, Stop, Subscribe, Supervisor};

/// Prints what it gets. A delivery that is answered returns the credit of its token.
struct Printer;

impl Actor for Printer {
    type Context = Context<Self>;
}

impl Handler<Delivery> for Printer {
    type Result = ();

    fn handle(&mut self, delivery: Delivery, _: &mut Context<Self>) {
        let Delivery { run, outlet, output } = delivery;
        match output.value {
            Ok(Some(value)) => println!("{run}/{outlet}: {:?}", value.elements::<f32>()),
            Ok(None) => println!("{run}/{outlet}: null"),
            Err(failure) => println!("{run}/{outlet}: {failure}"),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([1]));
    let y = draft.apply(square(), &[x]);
    draft.outlet("y", y);
    let placed = place(&draft.check()?, &Devices::cpu(1), &Placement::new())?;
    let plan = Arc::new(plan(&placed, &Limits::default())?);

    System::new().block_on(async {
        let supervisor = Supervisor::new().start();
        let name = || "squares".to_owned();
        let restart = Restart::OnFailure { most: 3, within: Duration::from_secs(60) };
        let options = Options::default();
        supervisor.send(Start { name: name(), plan, options, restart }).await??;
        let recipient = Printer.start().recipient();
        let subscribe = Subscribe { name: name(), outlet: "y".to_owned(), recipient };
        supervisor.send(subscribe).await??;
        for x in 1..=5 {
            let value = Value::new(&[1], &[x as f32]);
            supervisor.send(Feed { name: name(), feed: "x".to_owned(), value }).await??;
        }
        // What was fed comes out before the run ends.
        let stop = Stop { name: name(), timeout: Duration::from_secs(5) };
        let report = supervisor.send(stop).await??;
        assert_eq!(report.actors[0].fired, 5);
        Ok(())
    })
}
