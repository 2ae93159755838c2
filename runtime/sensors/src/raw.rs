//! Raw point clouds: x, y, z, intensity as little-endian 32-bit floats, nothing else.
//!
//! This is the layout of the KITTI data set (`.bin`). The format has no header, so its only sign
//! is the extension, and its only check is that the length is a multiple of 16 bytes.

use crate::{
    Cloud, Limits, SensorError,
    error::Complaint,
    fields::{Gatherer, Role, Row},
    input::Input,
    number::{Number, Order},
    skipped::Skipped,
};

const POINT_BYTES: usize = 16;
const ROLES: [Role; 4] = [Role::X, Role::Y, Role::Z, Role::Intensity];

/// Reads the one cloud of a raw file.
pub(crate) fn read(
    input: &mut Input,
    limits: &Limits,
    cloud: &mut Cloud,
    skipped: &mut Skipped,
) -> Result<(), SensorError> {
    let fields = ROLES.map(|role| (role, Number::F32));
    let gatherer = Gatherer::new(&fields, limits);
    let mut gatherer = gatherer.expect("the four fields of a raw point are complete");
    let mut count = 0;
    while !input.ahead(1)?.is_empty() {
        if count == limits.points_max {
            let wanted = format!("at most {count} points (points_max)");
            return Err(input.error(Complaint::oversized("another point", wanted)));
        }
        let bytes = input.exact(POINT_BYTES, "a point")?;
        let mut row = Row::default();
        for (role, value) in ROLES.iter().zip(bytes.chunks_exact(4)) {
            row[*role as usize] = Number::F32.decode(value, Order::Little);
        }
        gatherer.push(&row, cloud, skipped);
        count += 1;
    }
    gatherer.finish(cloud);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, Reason, file::tests::read_all};

    fn read_values(values: &[f32], extra: &[u8]) -> Result<(Cloud, Skipped), Fault> {
        let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes.extend(extra);
        read_all(read, &bytes).map_err(|error| error.fault)
    }

    #[test]
    fn points_are_read_and_holes_are_counted() {
        let values = [1.0, 2.0, 3.0, 0.5, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9];
        let (cloud, skipped) = read_values(&values, &[]).unwrap();
        assert_eq!(cloud.points, [[1.0, 2.0, 3.0, 0.5]]);
        assert_eq!(skipped.count(Reason::NotFinite), 1);
        assert_eq!(skipped.count(Reason::NoReturn), 1);
    }

    #[test]
    fn a_cut_point_and_a_point_too_many_are_refused() {
        assert_eq!(read_values(&[1.0; 4], &[0; 15]).unwrap_err(), Fault::Truncated);
        assert_eq!(read_values(&[1.0; 4004], &[]).unwrap_err(), Fault::Oversized);
    }
}
