//! Runs under a supervisor: feeding, subscribing, stopping, restarting, and every bound.

mod fixture; // the supervisor and a subscriber

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synfire_runtime::control::actix::System;
use synfire_runtime::control::{
    ControlError, DELIVERIES_OPEN_MAX, Feed, OFFERS_MAX, Restart, State, Status,
};
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::fault::Code;
use synfire_runtime::launch::{Options, Weights};
use synfire_runtime::operator::FireError;
use synfire_runtime::plan::{Limits, Plan};
use synfire_runtime::run::{FeedError, RunError};
use synfire_runtime::value::Value;

use self::fixture::{Answers, Control, Numbers, Reader, in_time, numbers};
use crate::fixture::{affine, counter, formula, number, planned};

const LONG: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_millis(50);
const OFTEN: Restart = Restart::OnFailure { most: 2, within: Duration::from_secs(3600) };

fn plan(build: impl FnOnce(&mut Draft, Wire)) -> Arc<Plan> {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    build(&mut draft, x);
    Arc::new(planned(&draft.check().expect("the draft is right"), 1, &[], &Limits::default()))
}

/// `3 x + constant`.
fn line(constant: i64) -> Arc<Plan> {
    plan(|draft, x| {
        let y = draft.apply(affine(constant), &[x]);
        draft.outlet("out", y);
    })
}

/// Passes everything but 13, at which it does something and fails.
fn dreading(dread: impl Fn() + Send + Sync + 'static) -> Arc<Plan> {
    let compute = move |x: &[i64], _| {
        if x[0] == 13 {
            dread();
            return Err(FireError::failed("unlucky"));
        }
        Ok(x[0])
    };
    plan(|draft, x| {
        let y = draft.apply(formula("dread", 1, compute), &[x]);
        draft.outlet("out", y);
    })
}

#[test]
fn what_is_fed_comes_out_in_order() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &line(1), Restart::Never).await;
        let reader = control.read("run", Answers::AtOnce).await;
        control.feed_all("run", 0..500).await;
        let report = control.stop("run", LONG).await.expect("it drains");
        assert_eq!(report.actors[0].fired, 500);
        assert_eq!(numbers(&reader).await, (0..500).map(|x| 3 * x + 1).collect::<Vec<_>>());
    });
}

#[test]
fn two_runs_go_on_side_by_side() {
    in_time(&System::new(), async {
        let control = Control::new();
        let names = ["left", "right"];
        let mut readers = Vec::new();
        for (constant, name) in (1..).zip(names) {
            control.start(name, &line(constant), Restart::Never).await;
            readers.push(control.read(name, Answers::AtOnce).await);
        }
        for number in 0..100 {
            for name in names {
                control.feed_all(name, [number]).await;
            }
        }
        control.stop("left", LONG).await.expect("it drains");
        control.feed_all("right", [100]).await;
        control.stop("right", LONG).await.expect("it drains");
        assert_eq!(numbers(&readers[0]).await, (0..100).map(|x| 3 * x + 1).collect::<Vec<_>>());
        assert_eq!(numbers(&readers[1]).await, (0..101).map(|x| 3 * x + 2).collect::<Vec<_>>());
    });
}

#[test]
fn a_slow_subscriber_loses_nothing_and_holds_few() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &line(0), Restart::Never).await;
        let reader = control.read("run", Answers::Late(20)).await;
        control.feed_all("run", 0..300).await;
        // What was fed is still inside: stopping lets it out.
        control.stop("run", LONG).await.expect("it drains");
        let (numbers, open_max) = reader.send(Numbers).await.expect("an answer");
        assert_eq!(numbers, (0..300).map(|x| 3 * x).collect::<Vec<_>>());
        assert!(open_max <= DELIVERIES_OPEN_MAX, "{open_max}");
    });
}

#[test]
fn feeding_faster_than_the_graph_is_answered_with_full() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &line(0), Restart::Never).await;
        // Nobody reads: registers fill, then the queue.
        let fed = 0..OFFERS_MAX as i64 + 100;
        let flood = control.flood("run", fed.clone());
        assert_eq!(
            flood.refusal().await.to_string(),
            "feed in of run run: the graph has no room for another token now"
        );
        let reader = control.read("run", Answers::AtOnce).await;
        let answers = flood.wait(|answers| answers.len() == fed.clone().count()).await;
        let is_taken = |(number, answer): (i64, Result<(), ControlError>)| match answer {
            Ok(()) => Some(3 * number),
            Err(ControlError::Feed { error: FeedError::Full, .. }) => None,
            Err(error) => panic!("{error}"),
        };
        let taken: Vec<i64> = answers.into_iter().filter_map(is_taken).collect();
        assert!(taken.len() >= OFFERS_MAX, "{} were taken", taken.len());
        control.stop("run", LONG).await.expect("it drains");
        assert_eq!(numbers(&reader).await, taken);
    });
}

#[test]
fn a_failed_run_is_restarted_and_what_was_offered_carries_over() {
    in_time(&System::new(), async {
        let (release, gate) = sync_channel(0);
        let gate = Mutex::new(gate);
        let dread = move || gate.lock().expect("no panic").recv().expect("it is released");
        let plan = dreading(dread);
        let fed = plan.data().registers.iter().find(|register| register.name == "in:out");
        let slots = i64::from(fed.expect("the feed has a register").slots);
        let control = Control::new();
        control.start("run", &plan, OFTEN).await;
        let reader = control.read("run", Answers::AtOnce).await;
        // The kernel holds 13 and its register; the others fill.
        control.feed_all("run", 10..13 + slots).await;
        let flood = control.flood("run", 13 + slots..13 + slots + OFFERS_MAX as i64);
        release.send(()).expect("the kernel waits");
        let answers = flood.wait(|answers| answers.len() == OFFERS_MAX).await;
        assert!(answers.values().all(Result::is_ok), "fed after the restart: {answers:?}");
        let status = control.wait("run", |status| status.restarts == 1).await;
        assert!(!status.state.is_over());
        control.feed_all("run", [1, 2]).await;
        control.stop("run", LONG).await.expect("the new run drains");
        let passed = 14..13 + slots + OFFERS_MAX as i64;
        let expected: Vec<i64> = [10, 11, 12, -1].into_iter().chain(passed).chain([1, 2]).collect();
        assert_eq!(numbers(&reader).await, expected);
    });
}

#[test]
fn a_run_that_fails_too_often_stays_failed() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &dreading(|| ()), OFTEN).await;
        let reader = control.read("run", Answers::AtOnce).await;
        for restarts in 1..=2 {
            control.feed_all("run", [7, 13]).await;
            let again = |s: &Status| s.restarts == restarts && matches!(s.state, State::Running);
            control.wait("run", again).await;
        }
        control.feed_all("run", [13]).await;
        let status = control.wait("run", |status| status.state.is_over()).await;
        let State::Failed(ControlError::Run { error: RunError::Failed(failure), .. }) =
            status.state
        else {
            panic!("{:?}", status.state)
        };
        assert_eq!((&*failure.node, &*failure.cause, status.restarts), ("dread", "unlucky", 2));
        assert_eq!(status.report.expect("it ran").failure_count, 1);
        assert_eq!(numbers(&reader).await, [7, -1, 7, -1, -1]);
        let error = control.feed("run", "in", 1).await.expect_err("it is closed");
        assert_eq!(error.to_string(), "feed in of run run: the run takes no more tokens");
        let error = control.stop("run", LONG).await.expect_err("the failure is told");
        assert!(error.to_string().contains("unlucky"), "{error}");
        control.start("run", &line(0), Restart::Never).await;
    });
}

#[test]
fn what_does_not_exist_is_named() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &line(0), Restart::Never).await;
        let reader = Reader::new(Answers::AtOnce);
        let told = [
            control.feed("walk", "in", 1).await,
            control.feed("run", "inn", 1).await,
            control.subscribe("run", "in", &reader).await,
            control.stop("walk", LONG).await.map(|_| ()),
            control.try_start("run", &line(0), Restart::Never, Options::default()).await,
            control.subscribe("run", "out", &reader).await,
            control.subscribe("run", "out", &reader).await,
            control.abort("run").await.map(|_| ()),
            control.feed("run", "in", 1).await,
            control.subscribe("run", "out", &reader).await,
        ];
        let told =
            told.map(|result| result.map_or_else(|error| error.to_string(), |()| "ok".into()));
        assert_eq!(
            told,
            [
                "found no run walk; there are: run",
                "run run has no feed inn; its feeds are: in",
                "run run has no outlet in; its outlets are: out",
                "found no run walk; there are: run",
                "run run has not ended; stop it or give another name",
                "ok",
                "outlet out of run run was subscribed to before",
                "ok",
                "feed in of run run: the run takes no more tokens",
                "run run has ended or is being stopped",
            ]
        );
    });
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_the_run_goes_on() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &line(0), Restart::Never).await;
        let reader = control.read("run", Answers::AtOnce).await;
        let (name, feed) = ("run".to_owned(), "in".to_owned());
        let message = Feed { name, feed, value: Value::new(&[2], &[1_i64, 2]) };
        let error = control.0.send(message).await.expect("an answer").expect_err("two numbers");
        assert!(
            matches!(&error, ControlError::Feed { error: FeedError::Misfit { .. }, .. }),
            "{error}"
        );
        control.feed_all("run", [5]).await;
        control.stop("run", LONG).await.expect("it drains");
        assert_eq!(numbers(&reader).await, [15]);
    });
}

#[test]
fn a_run_that_ends_by_itself_waits_for_its_readers() {
    in_time(&System::new(), async {
        let control = Control::new();
        let plan = plan(|draft, _| {
            let y = draft.apply(counter(5), &[]);
            draft.outlet("out", y);
        });
        control.start("run", &plan, Restart::Never).await;
        let fired = |status: &Status| status.report.as_ref().is_some_and(|r| r.actors[0].fired > 0);
        let status = control.wait("run", fired).await;
        assert!(matches!(status.state, State::Running), "{:?}", status.state);
        let reader = control.read("run", Answers::AtOnce).await;
        let status = control.wait("run", |status| status.state.is_over()).await;
        assert!(matches!(status.state, State::Ended), "{:?}", status.state);
        assert_eq!(numbers(&reader).await, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn a_subscriber_that_never_answers_is_named_when_stopping() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &line(0), Restart::Never).await;
        let _reader = control.read("run", Answers::Never).await;
        control.feed_all("run", 0..3).await;
        let error = control.stop("run", SOON).await.expect_err("no delivery is answered");
        assert_eq!(
            error.to_string(),
            "run run: after 50 ms the subscribers of out had not answered"
        );
    });
}

#[test]
fn a_subscriber_that_stops_ends_a_run_that_nobody_else_reads() {
    in_time(&System::new(), async {
        let control = Control::new();
        control.start("run", &line(0), Restart::Never).await;
        let _reader = control.read("run", Answers::UntilStopped(3)).await;
        let mut fed = 0;
        while control.feed("run", "in", fed).await.is_ok() {
            fed += 1;
        }
        assert!(fed >= 3);
        let status = control.wait("run", |status| status.state.is_over()).await;
        assert!(matches!(status.state, State::Ended), "{:?}", status.state);
    });
}

#[test]
fn a_plan_that_cannot_be_launched_says_why() {
    in_time(&System::new(), async {
        let control = Control::new();
        let foreign = [("no/such".to_owned(), Value::new(&[1], &[1_i64]))];
        let options = Options { weights: Weights::new(foreign.into()), ..Options::default() };
        let result = control.try_start("run", &line(0), OFTEN, options).await;
        let Err(ControlError::Launch { faults, .. }) = result else { panic!("{result:?}") };
        assert_eq!(faults.codes(), [Code::Weight]);
        control.start("run", &line(0), Restart::Never).await;
    });
}

#[test]
fn a_system_that_is_dropped_leaves_no_thread() {
    let plan = line(0);
    let system = System::new();
    in_time(&system, async {
        let control = Control::new();
        // One run whose subscriber owes answers, and one that waits for a subscriber.
        for name in ["leaving", "unread"] {
            control.start(name, &plan, Restart::Never).await;
        }
        let _reader = control.read("leaving", Answers::Never).await;
        for name in ["leaving", "unread"] {
            control.flood(name, 0..OFFERS_MAX as i64 + 100).refusal().await;
        }
    });
    assert!(Arc::strong_count(&plan) > 1, "the keepers have the plan");
    drop(system);
    assert_eq!(Arc::strong_count(&plan), 1, "every keeper has ended");
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = threads.filter_map(|own| std::fs::read_to_string(own.path().join("comm")).ok());
    let left: Vec<String> = names.filter(|name| name.contains("leav")).collect();
    assert!(left.is_empty(), "{left:?}");
}
