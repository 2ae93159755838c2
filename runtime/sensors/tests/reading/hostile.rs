//! Hostile bytes: every seed of the fuzz corpus as it is, cut at every byte, and changed at random.
//!
//! This is what runs everywhere; `fuzz/` is the same with a fuzzer that looks for new paths. All
//! randomness comes from a fixed seed, so that a failure here repeats.

use std::fs;

use proptest::prelude::*;
use synfire_sensors::{Fault, Limits, PacketOptions};

use crate::{Outcome, beside, read_to_end};

const LIMITS: Limits = Limits { points_max: 5000, file_bytes_max: 1 << 20 };
const CHANGED_FILES_PER_SEED: usize = 400;
const CHANGES_MAX: u64 = 6;

/// SplitMix64 (Steele, Lea, Flood 2014): enough to choose bytes, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// The seeds of one target, by name, in a fixed order.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = beside("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(directory).expect("the corpus is part of the repository");
    let mut seeds: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("the corpus can be listed").path();
            let bytes = fs::read(&path).expect("a seed can be read");
            (format!("{}.{target}", path.display()), bytes)
        })
        .collect();
    seeds.sort();
    seeds
}

fn read_hostile(name: &str, bytes: &[u8]) -> Outcome {
    read_to_end(name, bytes, &LIMITS, &PacketOptions::STANDARD)
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    let length = random.below(9).min(bytes.len() - at);
    match random.below(6) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, b'9'][random.below(6)],
        2 => bytes.insert(at, random.next() as u8),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..at + length)),
        _ => {
            let copy = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
    }
}

#[test]
fn every_seed_is_read_or_refused() {
    for target in ["pcap", "pcd", "ply"] {
        for (name, bytes) in seeds(target) {
            let outcome = read_hostile(&name, &bytes);
            let fault = outcome.error.map(|error| error.fault);
            let expect = match name.rsplit('/').next() {
                Some("huge.pcd" | "huge.ply") => Some(Fault::Oversized),
                Some("foreign.pcap" | "header_only.pcap") => Some(Fault::Empty),
                _ => None,
            };
            assert_eq!(fault, expect, "{name}");
        }
    }
}

#[test]
fn a_seed_cut_at_any_byte_gives_an_error_or_no_more_points() {
    for target in ["pcap", "pcd", "ply"] {
        for (name, bytes) in seeds(target) {
            let whole = read_hostile(&name, &bytes).point_count();
            for length in 0..bytes.len() {
                let cut = read_hostile(&name, &bytes[..length]);
                let points = cut.point_count();
                assert!(points <= whole, "{name} cut at {length}: {points} points of {whole}");
                let loses_nothing = points == whole;
                assert!(
                    cut.error.is_some() || loses_nothing || target == "pcap",
                    "{name} {length}"
                );
            }
        }
    }
}

#[test]
fn changed_seeds_are_read_or_refused() {
    let mut random = Random(20_260_101);
    for target in ["pcap", "pcd", "ply"] {
        for (name, bytes) in seeds(target) {
            for _ in 0..CHANGED_FILES_PER_SEED {
                let mut changed = bytes.clone();
                for _ in 0..=random.next() % CHANGES_MAX {
                    change(&mut changed, &mut random);
                }
                read_hostile(&name, &changed);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_behind_a_magic_number_are_read_or_refused(
        magic in prop::sample::select(vec![
            &b""[..],
            &[0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0],
            &[0xA1, 0xB2, 0x3C, 0x4D, 0, 2, 0, 4],
            &[0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A],
            b"ply\n",
            b"# .PCD v0.7\n",
            b"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 9\nDATA ",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..600),
        extension in prop::sample::select(vec!["bin", "f32", "pcap", "pcd", "ply"]),
    ) {
        read_hostile(&format!("any.{extension}"), &[magic, &tail].concat());
    }
}
