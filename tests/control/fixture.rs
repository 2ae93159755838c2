//! A supervisor with short calls, and a subscriber that keeps what it gets.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use synfire_runtime::control::actix::{
    self, Actor, ActorContext, Addr, Context, Handler, Message, MessageResult, ResponseFuture,
    SystemRunner,
};
use synfire_runtime::control::{
    Abort, ControlError, Delivery, Feed, Observe, Restart, Start, Status, Stop, Subscribe,
    Supervisor,
};
use synfire_runtime::launch::Options;
use synfire_runtime::observe::Report;
use synfire_runtime::plan::Plan;
use synfire_runtime::value::Value;

const LIMIT: Duration = Duration::from_secs(40);

/// When a reader answers a delivery.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Answers {
    AtOnce,
    /// After others had their turn this often.
    Late(usize),
    Never,
    /// Stops instead at this delivery.
    UntilStopped(usize),
}

/// Keeps the numbers delivered; a failure is -1.
pub(crate) struct Reader {
    answers: Answers,
    numbers: Vec<i64>,
    open: Rc<Cell<usize>>,
    open_max: usize,
}

impl Reader {
    pub(crate) fn new(answers: Answers) -> Addr<Self> {
        Self { answers, numbers: Vec::new(), open: Rc::default(), open_max: 0 }.start()
    }
}

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Handler<Delivery> for Reader {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, delivery: Delivery, context: &mut Context<Self>) -> Self::Result {
        let value = delivery.output.value.map(|value| value.expect("nothing is null here"));
        self.numbers.push(value.map_or(-1, |value| value.elements::<i64>()[0]));
        let (open, answers) = (self.open.clone(), self.answers);
        open.set(open.get() + 1);
        self.open_max = self.open_max.max(open.get());
        if matches!(answers, Answers::UntilStopped(count) if count == self.numbers.len()) {
            context.stop();
        }
        Box::pin(async move {
            match answers {
                Answers::Late(turns) => pass(turns).await,
                Answers::Never => pending().await,
                Answers::AtOnce | Answers::UntilStopped(_) => {}
            }
            open.set(open.get() - 1);
        })
    }
}

/// Lets others have their turn this often.
async fn pass(turns: usize) {
    let mut left = turns;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Asks for the numbers so far and for the most deliveries that were open at once.
pub(crate) struct Numbers;

impl Message for Numbers {
    type Result = (Vec<i64>, usize);
}

impl Handler<Numbers> for Reader {
    type Result = MessageResult<Numbers>;

    fn handle(&mut self, _: Numbers, _: &mut Context<Self>) -> Self::Result {
        MessageResult((self.numbers.clone(), self.open_max))
    }
}

/// A supervisor with short calls.
#[derive(Clone)]
pub(crate) struct Control(pub(crate) Addr<Supervisor>);

impl Control {
    pub(crate) fn new() -> Self {
        Self(Supervisor::new().start())
    }

    pub(crate) async fn start(&self, name: &str, plan: &Arc<Plan>, restart: Restart) {
        let started = self.try_start(name, plan, restart, Options::default()).await;
        started.expect("the plan launches");
    }

    pub(crate) async fn try_start(
        &self,
        name: &str,
        plan: &Arc<Plan>,
        restart: Restart,
        options: Options,
    ) -> Result<(), ControlError> {
        let (name, plan) = (name.to_owned(), plan.clone());
        self.0.send(Start { name, plan, options, restart }).await.expect("an answer")
    }

    pub(crate) async fn feed(
        &self,
        name: &str,
        feed: &str,
        number: i64,
    ) -> Result<(), ControlError> {
        let value = Value::new(&[1], &[number]);
        let message = Feed { name: name.to_owned(), feed: feed.to_owned(), value };
        self.0.send(message).await.expect("an answer")
    }

    pub(crate) async fn feed_all(&self, name: &str, numbers: impl IntoIterator<Item = i64>) {
        for number in numbers {
            self.feed(name, "in", number).await.expect("the run takes it");
        }
    }

    /// Feeds all at once, without waiting for an answer.
    pub(crate) fn flood(&self, name: &'static str, numbers: Range<i64>) -> Flood {
        let flood = Flood(Rc::default());
        for number in numbers {
            let (control, answers) = (self.clone(), flood.0.clone());
            actix::spawn(async move {
                let answer = control.feed(name, "in", number).await;
                answers.borrow_mut().insert(number, answer);
            });
        }
        flood
    }

    pub(crate) async fn subscribe(
        &self,
        name: &str,
        outlet: &str,
        reader: &Addr<Reader>,
    ) -> Result<(), ControlError> {
        let recipient = reader.clone().recipient();
        let message = Subscribe { name: name.to_owned(), outlet: outlet.to_owned(), recipient };
        self.0.send(message).await.expect("an answer")
    }

    pub(crate) async fn read(&self, name: &str, answers: Answers) -> Addr<Reader> {
        let reader = Reader::new(answers);
        self.subscribe(name, "out", &reader).await.expect("nobody else reads it");
        reader
    }

    pub(crate) async fn stop(&self, name: &str, timeout: Duration) -> Result<Report, ControlError> {
        self.0.send(Stop { name: name.to_owned(), timeout }).await.expect("an answer")
    }

    pub(crate) async fn abort(&self, name: &str) -> Result<Report, ControlError> {
        self.0.send(Abort { name: name.to_owned() }).await.expect("an answer")
    }

    /// Asks until the status is as wanted.
    pub(crate) async fn wait(&self, name: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        loop {
            let mut rows = self.0.send(Observe).await.expect("an answer");
            let status = rows.remove(name).expect("the run is known");
            if wanted(&status) {
                return status;
            }
        }
    }
}

/// The answers so far to numbers that were fed at once.
pub(crate) struct Flood(Rc<RefCell<Answered>>);

type Answered = BTreeMap<i64, Result<(), ControlError>>;

impl Flood {
    /// Lets others have their turn until the answers are as wanted.
    pub(crate) async fn wait(&self, wanted: impl Fn(&Answered) -> bool) -> Answered {
        while !wanted(&self.0.borrow()) {
            pass(1).await;
        }
        self.0.borrow().clone()
    }

    /// Waits until one is refused; which one depends on when the run took others.
    pub(crate) async fn refusal(&self) -> ControlError {
        let answers = self.wait(|answers| answers.values().any(Result::is_err)).await;
        answers.into_values().find_map(Result::err).expect("one was refused")
    }
}

pub(crate) async fn numbers(reader: &Addr<Reader>) -> Vec<i64> {
    reader.send(Numbers).await.expect("an answer").0
}

/// Runs a test on a system, with a limit.
pub(crate) fn in_time<T>(system: &SystemRunner, test: impl Future<Output = T>) -> T {
    let test = async { actix::clock::timeout(LIMIT, test).await };
    system.block_on(test).expect("nothing hangs")
}
