//! Arenas: registers that live inside one volley share memory by liveness.
//!
//! A register lives from its writer's first step to the last step that reads or writes it. Where
//! an operator may work in place and is the last reader, its output takes the input's place. Places
//! are found greedily, largest first, each at the lowest offset where no living neighbour lies (the
//! "greedy by size" of Pisarchyk and Lee, 2020); also in order of birth, and the better is kept.
//! One volley runs at a time on a lane, so all volleys of a lane share one arena.

use super::{ALIGNMENT, Limits, PlanData, Storage};
use crate::place::Placed;

/// The life of one place in the arena.
#[derive(Clone, Debug)]
struct Life {
    first: usize,
    last: usize,
    bytes: u64,
    /// The registers that take this place one after the other.
    registers: Vec<u32>,
}

pub(super) fn lay_out(placed: &Placed, limits: &Limits, data: &mut PlanData) {
    for volley in 0..data.volleys.len() {
        let lane = data.volleys[volley].lane;
        let mut lives = lives(placed, limits, data, volley);
        if !limits.reuse {
            lives.iter_mut().for_each(|life| (life.first, life.last) = (0, usize::MAX));
        }
        let by_size = |life: &Life| (u64::MAX - life.bytes, life.first);
        let by_birth = |life: &Life| (life.first as u64, usize::MAX - life.last);
        let (sized, born) = (offsets(&lives, by_size), offsets(&lives, by_birth));
        let (bytes, offsets) = if born.0 < sized.0 { born } else { sized };
        for (life, offset) in lives.iter().zip(offsets) {
            for &register in &life.registers {
                data.registers[register as usize].storage = Storage::Arena { lane, offset };
            }
        }
        let lane = &mut data.lanes[lane as usize];
        lane.arena_bytes = lane.arena_bytes.max(bytes);
        lane.arena_bound_bytes = lane.arena_bound_bytes.max(most_alive(&lives));
    }
}

/// The lives of a volley's arena registers, in-place pairs joined.
fn lives(placed: &Placed, limits: &Limits, data: &PlanData, volley: usize) -> Vec<Life> {
    let steps = &data.volleys[volley].steps;
    let in_arena =
        |register: u32| matches!(data.registers[register as usize].storage, Storage::Arena { .. });
    let mut lives: Vec<Life> = Vec::new();
    let mut life_of = vec![usize::MAX; data.registers.len()];
    for (position, step) in steps.iter().enumerate() {
        let actor = &data.actors[step.actor as usize];
        let contract = &placed.graph.0.nodes[step.actor as usize].contract;
        for (port, &register) in actor.outputs.iter().enumerate() {
            if !in_arena(register) || life_of[register as usize] != usize::MAX {
                continue;
            }
            let own = &data.registers[register as usize];
            let bytes = own.bytes();
            let mut pairs = contract.in_place.iter().filter(|_| limits.reuse);
            let place = pairs.find(|&&(_, output)| output == port);
            let taken = place.and_then(|&(input, _)| {
                let source = actor.inputs[input].register;
                // Read by another input as well, it would change under that one.
                let reads = actor.inputs.iter().filter(|inlet| inlet.register == source).count();
                let life = *life_of.get(source as usize)?;
                let is_last = last_use(data, steps, source) == position;
                let same = data.registers[source as usize].spec.bytes() == own.spec.bytes();
                let single = own.slots == 1 && data.registers[source as usize].slots == 1;
                (life != usize::MAX && is_last && same && single && reads == 1).then_some(life)
            });
            let last = last_use(data, steps, register);
            life_of[register as usize] = taken.unwrap_or(lives.len());
            match taken {
                Some(life) => {
                    lives[life].last = lives[life].last.max(last);
                    lives[life].registers.push(register);
                }
                None => {
                    let registers = vec![register];
                    lives.push(Life { first: position, last, bytes, registers });
                }
            }
        }
    }
    lives
}

/// The last step that reads or writes a register: an actor of several steps writes in each.
pub(super) fn last_use(data: &PlanData, steps: &[super::Step], register: u32) -> usize {
    let uses = |step: &super::Step| {
        let actor = &data.actors[step.actor as usize];
        let reads = actor.inputs.iter().any(|inlet| inlet.register == register);
        reads || actor.outputs.contains(&register)
    };
    steps.iter().rposition(uses).unwrap_or(0)
}

/// Offsets in the order of `lives`, found in the order of `key`, and the bytes they span.
fn offsets<K: Ord>(lives: &[Life], key: impl Fn(&Life) -> K) -> (u64, Vec<u64>) {
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|&index| key(&lives[index]));
    let mut offsets: Vec<Option<u64>> = vec![None; lives.len()];
    let mut end = 0;
    for index in order {
        let life = &lives[index];
        let mut taken: Vec<(u64, u64)> = lives
            .iter()
            .zip(&offsets)
            .filter(|(other, _)| other.first <= life.last && life.first <= other.last)
            .filter_map(|(other, offset)| offset.map(|offset| (offset, offset + other.bytes)))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, stop) in taken {
            if start >= offset + life.bytes {
                break;
            }
            offset = offset.max(stop);
        }
        debug_assert!(offset.is_multiple_of(ALIGNMENT), "lives are whole alignments long");
        offsets[index] = Some(offset);
        end = end.max(offset + life.bytes);
    }
    (end, offsets.into_iter().flatten().collect())
}

/// The largest sum of bytes alive at one step: no layout can be smaller.
fn most_alive(lives: &[Life]) -> u64 {
    let alive = |at: usize| {
        let now = lives.iter().filter(|life| life.first <= at && at <= life.last);
        now.map(|life| life.bytes).sum()
    };
    lives.iter().map(|life| alive(life.first)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(first: usize, last: usize, bytes: u64) -> Life {
        Life { first, last, bytes, registers: Vec::new() }
    }

    #[test]
    fn registers_that_never_live_together_share_a_place() {
        let chain = [life(0, 1, 512), life(1, 2, 512), life(2, 3, 512)];
        let (bytes, places) = offsets(&chain, |life| life.first);
        assert_eq!(bytes, 1024);
        assert_eq!(places[0], places[2]);
        assert_eq!(most_alive(&chain), 1024);
    }

    #[test]
    fn a_skip_keeps_its_place_until_it_is_read() {
        let lives = [life(0, 3, 256), life(1, 2, 256), life(2, 3, 256)];
        let (bytes, places) = offsets(&lives, |life| u64::MAX - life.bytes);
        assert_eq!(bytes, 768);
        assert!(places[1] != places[0] && places[2] != places[0]);
    }
}
