//! Any bytes as a file called .pcap.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| synfire_fuzz::read_to_end("fuzz.pcap", bytes));
