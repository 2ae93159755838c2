//! The recorded files in `data/`: known counts, known points, sane ranges.
//!
//! The expected points of the packets come from a separate calculation in Python, written from
//! the formulas and tables of the manuals.

use synfire_sensors::{Cloud, Cut, PacketOptions, Reason};

use crate::read_sound;

/// Compares single points within half a millimetre.
fn check_points(cloud: &Cloud, expect: &[(usize, [f32; 4])]) {
    for &(index, point) in expect {
        let close = |pair: (&f32, &f32)| (pair.0 - pair.1).abs() < 5e-4;
        let found = cloud.points[index];
        assert!(found.iter().zip(&point).all(close), "point {index}: {found:?}, not {point:?}");
    }
}

fn elevations_deg(cloud: &Cloud) -> impl Iterator<Item = f32> + '_ {
    cloud.points.iter().map(|[x, y, z, _]| z.atan2(x.hypot(*y)).to_degrees())
}

#[test]
fn the_road_is_one_whole_sweep_of_a_vlp_16() {
    let outcome = read_sound("data/vlp16_road.pcap", &PacketOptions::STANDARD);
    let [cloud] = outcome.clouds.as_slice() else { panic!("one sweep") };
    assert_eq!(cloud.points.len(), 22_591);
    assert_eq!(outcome.skipped.to_string(), "6209 points without a return");
    assert_eq!(cloud.event_time_ns, 1_519_637_061_085_268_000);
    assert!((cloud.sweep_deg - 357.46).abs() < 0.01, "{}", cloud.sweep_deg);
    check_points(
        cloud,
        &[
            (0, [7.7059, -0.4619, -2.0573, 0.0510]),
            (13, [15.6380, -0.9670, 3.6075, 0.0706]),
            (19, [10.2860, -0.6586, -1.9954, 0.0510]),
            (1482, [3.6475, -1.5075, 1.0463, 0.0627]),
            (7013, [-2.3975, -6.0708, -0.5673, 0.0431]),
            (14_013, [-5.2723, 4.8360, 0.8733, 0.0431]),
            (21_013, [8.5157, 4.1761, -2.1800, 0.0353]),
            (22_569, [15.2537, -0.2483, 1.3310, 0.0706]),
        ],
    );
    // The vertical correction of up to 11.2 mm turns near points by less than half a degree.
    assert!(elevations_deg(cloud).all(|angle| (-15.5..15.5).contains(&angle)));
    assert_eq!(cloud.points.iter().filter(|point| point[2] > 0.0).count(), 10_594);
}

#[test]
fn the_street_is_part_of_a_sweep_of_an_hdl_32e() {
    let outcome = read_sound("data/hdl32e_street.pcap", &PacketOptions::STANDARD);
    let [cloud] = outcome.clouds.as_slice() else { panic!("one sweep") };
    assert_eq!(cloud.points.len(), 30_596);
    assert_eq!(outcome.skipped.count(Reason::PositionPacket), 9);
    assert_eq!(outcome.skipped.count(Reason::NoReturn), 4348);
    assert_eq!(outcome.skipped.iter().count(), 2, "{}", outcome.skipped);
    assert_eq!(cloud.event_time_ns, 1_355_262_377_070_101_000);
    assert!((cloud.sweep_deg - 214.88).abs() < 0.01, "{}", cloud.sweep_deg);
    check_points(
        cloud,
        &[
            (0, [-2.7050, 2.4126, -2.1495, 0.0667]),
            (13, [-19.2008, 17.1625, -0.5979, 0.0941]),
            (7013, [-0.0277, 4.0660, -2.2846, 0.0471]),
            (14_013, [7.3829, 6.8462, -2.6358, 0.0314]),
            (21_013, [6.4406, -0.8967, -2.3668, 0.0431]),
            (28_013, [3.0406, -4.9745, -1.9700, 0.0392]),
        ],
    );
    assert!(elevations_deg(cloud).all(|angle| (-30.7..10.7).contains(&angle)));
}

#[test]
fn a_sweep_can_be_cut_at_any_azimuth_without_losing_points() {
    let check = |cut: f32, expect: &[usize]| {
        let options = PacketOptions { cut: Cut::Azimuth(cut), ..PacketOptions::STANDARD };
        let outcome = read_sound("data/vlp16_road.pcap", &options);
        let counts: Vec<usize> = outcome.clouds.iter().map(|cloud| cloud.points.len()).collect();
        assert_eq!(counts, expect, "cut at {cut}");
        assert_eq!(outcome.point_count(), 22_591);
        let times = outcome.clouds.iter().map(|cloud| cloud.event_time_ns);
        assert!(times.is_sorted_by(|earlier, later| earlier < later));
    };
    check(0.0, &[22_509, 82]);
    check(360.0, &[22_509, 82]);
    check(180.0, &[10_932, 11_659]);
    check(-90.0, &[16_691, 5900]);
}

#[test]
fn the_corner_is_an_organised_cloud_with_holes() {
    let outcome = read_sound("data/vlp16_corner.pcd", &PacketOptions::STANDARD);
    let [cloud] = outcome.clouds.as_slice() else { panic!("one cloud") };
    assert_eq!(cloud.points.len() + 12_095, 1809 * 16);
    assert_eq!(outcome.skipped.count(Reason::NoReturn), 12_095);
    let header_bytes = 467_200 - outcome.skipped.count(Reason::TrailingByte) - 1809 * 16 * 16;
    assert_eq!(header_bytes, 182);
    assert_eq!(cloud.points.iter().filter(|point| point[2] > 0.0).count(), 7736);
    assert!(elevations_deg(cloud).all(|angle| (-15.01..15.01).contains(&angle)));
}

#[test]
fn the_ascii_shape_has_its_colours_as_intensity() {
    let outcome = read_sound("data/shape_ascii.pcd", &PacketOptions::STANDARD);
    let [cloud] = outcome.clouds.as_slice() else { panic!("one cloud") };
    assert_eq!(cloud.points.len(), 213);
    assert_eq!(cloud.points[0][..3], [0.93773, 0.33763, 0.0]);
    // 4.2108e+06 has the bits 4A8080E0: red and green 128, blue 224.
    let expect = (0.299 * 128.0 + 0.587 * 128.0 + 0.114 * 224.0) / 255.0;
    assert!((cloud.points[0][3] - expect).abs() < 1e-5);
    assert!(outcome.skipped.is_empty(), "{}", outcome.skipped);
}

#[test]
fn the_memory_of_a_cloud_is_kept_from_sweep_to_sweep() {
    let options = PacketOptions { cut: Cut::Azimuth(180.0), ..PacketOptions::STANDARD };
    let path = crate::beside("data/vlp16_road.pcap");
    let limits = synfire_sensors::Limits::STANDARD;
    let mut source = synfire_sensors::open_packets(&path, &limits, &options).unwrap();
    let mut cloud = Cloud { points: Vec::with_capacity(30_000), ..Cloud::default() };
    let place = cloud.points.as_ptr();
    while source.next(&mut cloud).unwrap() == synfire_sensors::Next::Filled {}
    assert_eq!((cloud.points.as_ptr(), cloud.points.capacity()), (place, 30_000));
}
