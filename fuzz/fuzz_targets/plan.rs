//! Any bytes as a plan file: refused, or bound to its graph and run to the end.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use synfire_runtime::launch::Options;
use synfire_runtime::place::Placed;
use synfire_runtime::plan::{Plan, PlanData};
use synfire_runtime::simulate::{Simulation, simulate};

#[path = "../../tests/fixture.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod fixture;

static PLACED: LazyLock<Placed> = LazyLock::new(fixture::rich);

/// More bytes than the fuzzer allocates for one plan.
const TRIED_BYTES: u64 = 1 << 24;

fuzz_target!(|bytes: &[u8]| {
    let Ok(data) = PlanData::decode(bytes) else { return };
    let Ok(plan) = Plan::bind(data, &PLACED) else { return };
    let total: u64 = plan.memory().iter().map(|row| row.total_bytes()).sum();
    if total < TRIED_BYTES {
        let simulation = Simulation { feeds: fixture::fed(1..13), ..Simulation::default() };
        simulate(&plan, &Options::default(), &simulation).expect("an accepted plan runs");
    }
});
