//! Generated packets: models and return modes of which no recording exists, and lost packets.
//!
//! Frames and captures are written by the writers of `etherparse` and `pcap-file`.

use std::time::Duration;

use etherparse::PacketBuilder;
use pcap_file::{
    DataLink,
    pcap::{PcapPacket, PcapWriter},
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::EnhancedPacketBlock, interface_description::InterfaceDescriptionBlock,
        },
    },
};
use proptest::prelude::*;
use synfire_sensors::{Fault, Limits, PacketOptions, Reason};

use crate::{Outcome, read_to_end};

const SINGLE: u8 = 0x37;
const DUAL: u8 = 0x39;
const VLP_16: u8 = 0x22;
const VLP_32C: u8 = 0x28;

/// A packet whose distances tell block and channel apart, from `azimuth` on in steps of 20.
fn payload(mode: u8, product: u8, azimuth: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in 0..12_u16 {
        let turns = if mode == DUAL { block / 2 } else { block };
        bytes.extend([0xFF, 0xEE]);
        bytes.extend(((azimuth + 20 * turns) % 36_000).to_le_bytes());
        for channel in 0..32_u16 {
            let distance = 1000 + 100 * channel + (channel % 4) * (block % 2);
            bytes.extend(distance.to_le_bytes());
            bytes.push(8 * channel as u8);
        }
    }
    bytes.extend(123_456_789_u32.to_le_bytes());
    bytes.extend([mode, product]);
    bytes
}

fn frame(payload: &[u8], port: u16) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9);
    let mut bytes = Vec::new();
    builder.udp(port, port).write(&mut bytes, payload).expect("the payload fits a datagram");
    bytes
}

fn classic(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new()).expect("memory can be written");
    for frame in frames {
        let packet = PcapPacket::new(Duration::from_secs(3723), frame.len() as u32, frame)
            .expect("the time fits");
        writer.write_packet(&packet).expect("memory can be written");
    }
    writer.into_inner()
}

fn next_generation(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = PcapNgWriter::new(Vec::new()).expect("memory can be written");
    let interface =
        InterfaceDescriptionBlock { linktype: DataLink::ETHERNET, snaplen: 0, options: vec![] };
    writer.write_pcapng_block(interface).expect("memory can be written");
    for frame in frames {
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_secs(3723),
            original_len: frame.len() as u32,
            data: frame.into(),
            options: vec![],
        };
        writer.write_pcapng_block(block).expect("memory can be written");
    }
    writer.into_inner()
}

fn read_capture(bytes: &[u8]) -> Outcome {
    read_to_end("generated.pcap", bytes, &Limits::STANDARD, &PacketOptions::STANDARD)
}

fn check_point(outcome: &Outcome, index: usize, expect: [f32; 4]) {
    let found = outcome.clouds[0].points[index];
    let close = |pair: (&f32, &f32)| (pair.0 - pair.1).abs() < 5e-4;
    assert!(found.iter().zip(&expect).all(close), "point {index}: {found:?}, not {expect:?}");
}

#[test]
fn a_vlp_32c_packet_becomes_the_points_of_the_manual() {
    let outcome = read_capture(&classic(&[frame(&payload(SINGLE, VLP_32C, 35_900), 2368)]));
    assert_eq!(outcome.point_count(), 384);
    check_point(&outcome, 0, [3.6251, -0.0253, -1.6905, 0.0]);
    check_point(&outcome, 1, [4.3812, 0.3987, -0.0768, 0.0314]);
    check_point(&outcome, 189, [15.0685, 0.3376, 4.0386, 0.9098]);
    check_point(&outcome, 358, [6.3789, -0.6058, -0.0746, 0.1882]);
    check_point(&outcome, 383, [16.4075, 0.0215, -0.3818, 0.9725]);
}

#[test]
fn a_dual_return_gives_both_points_unless_they_are_equal() {
    let outcome = read_capture(&classic(&[frame(&payload(DUAL, VLP_32C, 35_900), 2368)]));
    assert_eq!(outcome.skipped.count(Reason::RepeatedReturn), 6 * 8);
    assert_eq!(outcome.point_count(), 384 - 6 * 8);
    check_point(&outcome, 0, [3.6251, -0.0253, -1.6905, 0.0]);
    // Block 1 holds the second returns of channels 1, 2, 3, 5, ...
    check_point(&outcome, 34, [5.0147, 0.2094, -1.4050, 0.0941]);
    // Block 4, channel 30, after four blocks of which two are second returns.
    check_point(&outcome, 2 * 32 + 2 * 24 + 30, [15.7385, -0.2541, 2.8699, 0.9412]);
    check_point(&outcome, 335, [16.4035, 0.3651, -0.3818, 0.9725]);
}

#[test]
fn both_capture_formats_give_the_same_clouds() {
    let frames = [0, 240, 480].map(|azimuth| frame(&payload(SINGLE, VLP_16, azimuth), 2368));
    let (old, new) = (read_capture(&classic(&frames)), read_capture(&next_generation(&frames)));
    assert_eq!(old.point_count(), 3 * 384);
    assert_eq!(old.clouds, new.clouds);
    // 3723 s and 123.456789 s past the hour are 0.46 s apart: the sensor's clock is taken.
    assert_eq!(old.clouds[0].event_time_ns, 3_723_456_789_000);
}

#[test]
fn every_packet_that_is_left_out_is_counted() {
    let check = |frame: Vec<u8>, expect: Reason| {
        let sound = self::frame(&payload(SINGLE, VLP_16, 0), 2368);
        let outcome = read_capture(&classic(&[frame, sound]));
        assert_eq!(outcome.point_count(), 384);
        assert_eq!(outcome.skipped.count(expect), 1, "{}", outcome.skipped);
        assert_eq!(outcome.skipped.iter().count(), 1, "{}", outcome.skipped);
    };
    let sound = payload(SINGLE, VLP_16, 0);
    check(frame(&sound, 8308), Reason::PositionPacket);
    check(frame(&sound, 2369), Reason::OtherPort);
    check(frame(&sound[1..], 2368), Reason::WrongSize);
    check(frame(&payload(SINGLE, 0x63, 0), 2368), Reason::UnknownModel);
    check(frame(&payload(0x11, VLP_16, 0), 2368), Reason::UnknownReturnMode);
    check(frame(&sound, 2368)[..900].to_vec(), Reason::NotUdp);
    check(vec![1, 2, 3], Reason::NotUdp);
}

#[test]
fn packets_lost_before_the_capture_are_noticed() {
    let frames = [0, 240, 5000].map(|azimuth| frame(&payload(SINGLE, VLP_16, azimuth), 2368));
    let outcome = read_capture(&classic(&frames));
    assert_eq!(outcome.point_count(), 3 * 384);
    assert_eq!(outcome.skipped.to_string(), "1 jumps of the azimuth, where packets were lost");
}

#[test]
fn an_unsound_block_is_left_out_and_its_packet_is_not() {
    let mut bytes = payload(SINGLE, VLP_16, 0);
    bytes[300] = 0;
    bytes[503] = 0xFF;
    let outcome = read_capture(&classic(&[frame(&bytes, 2368)]));
    assert_eq!(outcome.point_count(), 10 * 32);
    assert_eq!(outcome.skipped.to_string(), "2 blocks of firings with a wrong mark or azimuth");
}

#[test]
fn a_capture_without_data_packets_says_what_it_holds_instead() {
    let outcome = read_capture(&classic(&[frame(b"hello", 53)]));
    let error = outcome.error.expect("it is refused");
    assert_eq!(error.fault, Fault::Empty);
    assert!(error.to_string().contains("1 datagrams of another port"), "{error}");
}

#[test]
fn sweeps_before_a_damage_are_handed_over() {
    let mut bytes = classic(&[0, 240].map(|at| frame(&payload(SINGLE, VLP_16, at), 2368)));
    bytes.truncate(bytes.len() - 1);
    let outcome = read_capture(&bytes);
    assert_eq!(outcome.point_count(), 384);
    assert_eq!(outcome.error.map(|error| error.fault), Some(Fault::Truncated));
}

#[test]
fn a_head_that_stands_still_cannot_fill_the_memory() {
    let frames = vec![frame(&payload(SINGLE, VLP_16, 0), 2368); 10];
    let limits = Limits { points_max: 1000, ..Limits::STANDARD };
    let outcome = read_to_end("a.pcap", &classic(&frames), &limits, &PacketOptions::STANDARD);
    assert!(outcome.clouds.len() > 3);
    assert_eq!(outcome.point_count(), 3840);
    let tiny = Limits { points_max: 5, ..Limits::STANDARD };
    let outcome = read_to_end("a.pcap", &classic(&frames), &tiny, &PacketOptions::STANDARD);
    let beyond = outcome.skipped.count(Reason::BeyondLimit);
    assert_eq!(outcome.point_count() as u64 + beyond, 3840);
}

proptest! {
    #[test]
    fn any_payload_of_the_right_size_is_read(
        mut bytes in prop::collection::vec(any::<u8>(), 1206),
        mode in 0x37_u8..=0x39,
        product in prop::sample::select(vec![0x21, VLP_16, VLP_32C]),
        marks in any::<u16>(),
    ) {
        bytes[1204..].copy_from_slice(&[mode, product]);
        for block in (0..12).filter(|block| marks >> block & 1 == 1) {
            bytes[100 * block..][..2].copy_from_slice(&[0xFF, 0xEE]);
        }
        let outcome = read_capture(&classic(&[frame(&bytes, 2368), frame(&bytes, 2368)]));
        prop_assert!(outcome.point_count() <= 768);
    }
}
