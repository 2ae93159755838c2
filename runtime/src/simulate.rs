//! Simulate: the lanes of a plan on one thread, in a seeded order, under a virtual clock.
//!
//! The very code of the data plane runs: lanes are polled one volley at a time, feeds and outlets
//! act as a program would, and a seed decides who moves next, how long each move takes, who stalls
//! and which firings fail. A schedule that deadlocks is found because nobody can move; one seed
//! always gives one schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::actor::lane::{Lane, Polled};
use crate::clock::{Clock, VirtualClock};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::interpret::Streams;
use crate::launch::{Options, assemble};
use crate::observe::{LaneMeter, Report};
use crate::plan::Plan;
use crate::random::Seed;
use crate::run::{Feed, FeedError, Inject, Outlet, OutletError, Output};

/// What the simulator is to inject.
#[derive(Clone, Default)]
pub struct Simulation {
    /// Decides everything.
    pub seed: Seed,
    /// Streams to feed; feeds without a stream end at once.
    pub feeds: Streams,
    /// Firings that shall fail.
    pub inject: Option<Inject>,
    /// How often, in a thousand moves, somebody stalls for a thousand times as long.
    pub stalls_per_mille: u64,
}

/// What came out of a simulation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that came out of each outlet, in order.
    pub outlets: BTreeMap<String, Vec<Output>>,
    /// Counters.
    pub report: Report,
    /// Virtual nanoseconds from start to end.
    pub elapsed_ns: u64,
    /// Moves that were made.
    pub moves: u64,
}

/// Why a simulation did not come to its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SimulateError {
    /// The plan could not be launched.
    #[error(transparent)]
    Launch(#[from] Faults),
    /// Nobody could move, yet something had not ended: a deadlock.
    #[error("after {moves} moves nobody can move; not ended: {waiting}")]
    Deadlock {
        /// Who had not ended.
        waiting: String,
        /// Moves made before.
        moves: u64,
    },
}

/// Who may move.
enum Player {
    Lane(Box<Lane>),
    Feed { path: String, feed: Feed, left: std::vec::IntoIter<Option<crate::value::Value>> },
    Outlet { path: String, outlet: Outlet },
}

/// What a player's turn came to.
#[derive(PartialEq, Eq)]
enum Turn {
    Moved,
    Waits,
    Ended,
}

/// Runs `plan` to the end of its feeds and sources.
///
/// # Errors
/// When it cannot be launched or deadlocks.
pub fn simulate(
    plan: &Plan,
    options: &Options,
    simulation: &Simulation,
) -> Result<Outcome, SimulateError> {
    misfits(plan, &simulation.feeds)?;
    let clock = Arc::new(VirtualClock::default());
    let options = Options { clock: clock.clone(), ..options.clone() };
    let assembly = assemble(plan, &options, simulation.inject.clone())?;
    let shared = assembly.shared;
    let mut meters: Vec<Arc<LaneMeter>> = Vec::new();
    let mut players = Vec::new();
    for (lane, _sleeper) in assembly.lanes {
        meters.push(lane.meter.clone());
        players.push(Player::Lane(Box::new(lane)));
    }
    for (path, feed) in assembly.feeds {
        let left = simulation.feeds.get(&path).cloned().unwrap_or_default().into_iter();
        players.push(Player::Feed { path, feed, left });
    }
    for (path, outlet) in assembly.outlets {
        players.push(Player::Outlet { path, outlet });
    }
    let names = players.iter().filter_map(|player| match player {
        Player::Outlet { path, .. } => Some((path.clone(), Vec::new())),
        _ => None,
    });
    let mut table = Table {
        ready_ns: vec![0; players.len()],
        outlets: names.collect(),
        waiting: BTreeSet::new(),
        players: players.into_iter().map(Some).collect(),
        clock,
        dice: Dice { seed: simulation.seed, thrown: 0 },
        stalls: simulation.stalls_per_mille,
        moves: 0,
    };
    while !table.is_over() {
        table.turn()?;
    }
    let report = Report::new(&plan.data, meters.iter().map(|meter| &**meter), &shared);
    let (elapsed_ns, moves) = (table.clock.now_ns(), table.moves);
    Ok(Outcome { outlets: table.outlets, report, elapsed_ns, moves })
}

struct Dice {
    seed: Seed,
    thrown: u64,
}

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.thrown += 1;
        self.seed.index(self.thrown, bound)
    }
}

struct Table {
    players: Vec<Option<Player>>,
    ready_ns: Vec<u64>,
    outlets: BTreeMap<String, Vec<Output>>,
    /// Players that could not move since somebody last did.
    waiting: BTreeSet<usize>,
    clock: Arc<VirtualClock>,
    dice: Dice,
    stalls: u64,
    moves: u64,
}

impl Table {
    fn is_over(&self) -> bool {
        self.players.iter().all(Option::is_none)
    }

    /// Lets one player that is ready try to move; time passes when none is.
    fn turn(&mut self) -> Result<(), SimulateError> {
        let alive = || self.players.iter().enumerate().filter(|(_, player)| player.is_some());
        let candidates: Vec<usize> =
            alive().map(|(at, _)| at).filter(|at| !self.waiting.contains(at)).collect();
        if candidates.is_empty() {
            return Err(self.deadlock());
        }
        let now = self.clock.now_ns();
        let ready: Vec<usize> =
            candidates.iter().copied().filter(|&at| self.ready_ns[at] <= now).collect();
        if ready.is_empty() {
            let next = candidates.iter().map(|&at| self.ready_ns[at]).min().unwrap_or(now);
            self.clock.advance_ns(next - now);
            return Ok(());
        }
        let at = ready[self.dice.below(ready.len())];
        let turn = self.players[at]
            .as_mut()
            .map_or(Turn::Ended, |player| player.turn(&mut self.dice, &mut self.outlets));
        match turn {
            Turn::Waits => {
                self.waiting.insert(at);
            }
            Turn::Moved => {
                let long = self.dice.below(1000) < self.stalls as usize;
                let took = self.dice.below(1000) as u64 * if long { 1000 } else { 1 };
                self.ready_ns[at] = now + took;
            }
            // Dropping a feed ends its stream, dropping an outlet leaves its ring.
            Turn::Ended => self.players[at] = None,
        }
        if turn != Turn::Waits {
            self.waiting.clear();
            self.moves += 1;
        }
        Ok(())
    }

    fn deadlock(&self) -> SimulateError {
        let names: Vec<String> = self.players.iter().flatten().map(Player::name).collect();
        SimulateError::Deadlock { waiting: names.join(", "), moves: self.moves }
    }
}

impl Player {
    fn name(&self) -> String {
        match self {
            Self::Lane(lane) => format!("lane {}", lane.meter.device),
            Self::Feed { path, .. } => format!("feed {path}"),
            Self::Outlet { path, .. } => format!("outlet {path}"),
        }
    }

    fn turn(&mut self, dice: &mut Dice, outlets: &mut BTreeMap<String, Vec<Output>>) -> Turn {
        match self {
            Self::Lane(lane) => lane_turn(lane, dice),
            Self::Feed { feed, left, .. } => feed_turn(feed, left),
            Self::Outlet { path, outlet } => match outlet.try_receive() {
                Ok(output) => {
                    outlets.get_mut(path).expect("every outlet has a stream").push(output);
                    Turn::Moved
                }
                Err(OutletError::Empty) => Turn::Waits,
                Err(OutletError::Ended) => Turn::Ended,
            },
        }
    }
}

fn lane_turn(lane: &mut Lane, dice: &mut Dice) -> Turn {
    if lane.order == crate::Order::Ready {
        // Any order is allowed, so the dice say where to look first.
        lane.next = dice.below(lane.volleys.len());
    }
    match lane.poll() {
        Polled::Fired => Turn::Moved,
        Polled::Idle => Turn::Waits,
        Polled::Done => Turn::Ended,
    }
}

fn feed_turn(feed: &mut Feed, left: &mut std::vec::IntoIter<Option<crate::value::Value>>) -> Turn {
    let Some(next) = left.as_slice().first() else { return Turn::Ended };
    let sent = match next {
        Some(value) => feed.try_send(value),
        None => feed.try_send_null(),
    };
    match sent {
        Ok(()) => {
            left.next();
            Turn::Moved
        }
        Err(FeedError::Full) => Turn::Waits,
        Err(FeedError::Closed) => Turn::Ended,
        Err(FeedError::Misfit { .. }) => unreachable!("streams were held against their feeds"),
    }
}

/// Streams for feeds that do not exist, and values that are no tokens of their feed.
fn misfits(plan: &Plan, streams: &Streams) -> Result<(), Faults> {
    let mut faults = Vec::new();
    for (path, stream) in streams {
        let fault = Fault::new(Stage::Launch, Code::Option, path.clone());
        match plan.placed.graph().feeds().find(|(own, _)| own == path) {
            None => faults.push(fault.found("a stream for no feed").wanted("the path of a feed")),
            Some((_, spec)) => {
                let misfit = stream.iter().flatten().find(|value| !value.fits(spec));
                faults.extend(misfit.map(|value| fault.found(value.spec()).wanted(spec)));
            }
        }
    }
    Faults::or(faults, || ())
}
