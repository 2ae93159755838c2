//! From the named fields of a file to the four values of a point.
//!
//! What: which field names carry what, and how intensity gets its 0..=1 scale. PCD, PLY and raw
//! files differ in how they store a row; from the row on they share this file.
//!
//! Intensity, the first that the file has: an `intensity` field; the luminance of a colour; 0.
//! Files do not say the scale of their intensity, so it is taken from the largest value of the
//! cloud: up to 1 (floats only) it is kept, up to 255 it is divided by 255, above by 65 535.

use crate::{
    Cloud, Limits,
    error::Complaint,
    number::Number,
    skipped::{Reason, Skipped},
};

/// What a field of a file means to a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    X,
    Y,
    Z,
    Intensity,
    /// Red, green and blue in the low three bytes of one number.
    Packed,
    Red,
    Green,
    Blue,
    Label,
}

/// How many values a [`Row`] holds: one per [`Role`].
const ROLE_COUNT: usize = Role::Label as usize + 1;

/// The values of one point, by [`Role`].
pub(crate) type Row = [f64; ROLE_COUNT];

impl Role {
    /// The role of a field by its name, in the spellings that are in use.
    pub(crate) fn of(name: &str) -> Option<Role> {
        match name.to_ascii_lowercase().as_str() {
            "x" => Some(Role::X),
            "y" => Some(Role::Y),
            "z" => Some(Role::Z),
            "i" | "intensity" | "intensities" | "scalar_intensity" | "reflectance"
            | "reflectivity" => Some(Role::Intensity),
            "rgb" | "rgba" => Some(Role::Packed),
            "r" | "red" | "diffuse_red" => Some(Role::Red),
            "g" | "green" | "diffuse_green" => Some(Role::Green),
            "b" | "blue" | "diffuse_blue" => Some(Role::Blue),
            "label" | "class" | "classification" | "scalar_label" => Some(Role::Label),
            _ => None,
        }
    }
}

/// Where the intensity of a point comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Brightness {
    Field { is_float: bool },
    Packed,
    Channels { full_scale: f64 },
    Absent,
}

/// Turns rows into points of a cloud.
#[derive(Debug)]
pub(crate) struct Gatherer {
    brightness: Brightness,
    has_label: bool,
    brightness_max: f64,
    points_max: usize,
}

impl Gatherer {
    /// Checks that the fields can make a point.
    pub(crate) fn new(fields: &[(Role, Number)], limits: &Limits) -> Result<Gatherer, Complaint> {
        let find = |role: Role| fields.iter().find(|field| field.0 == role).map(|field| field.1);
        for (role, name) in [(Role::X, "x"), (Role::Y, "y"), (Role::Z, "z")] {
            if find(role).is_none() {
                let hint = "only clouds with x, y and z can be read; rename the fields";
                return Err(Complaint::malformed(format!("no field {name}"), "x, y and z", hint));
            }
        }
        for (index, field) in fields.iter().enumerate() {
            if fields[..index].iter().any(|earlier| earlier.0 == field.0) {
                let found = format!("two fields that mean {:?}", field.0);
                let hint = "rename one of the two fields";
                return Err(Complaint::malformed(found, "one of each", hint));
            }
        }
        let channels = (find(Role::Red), find(Role::Green), find(Role::Blue));
        let brightness = match (find(Role::Intensity), find(Role::Packed), channels) {
            (Some(number), _, _) => Brightness::Field { is_float: number.is_float() },
            (None, Some(_), _) => Brightness::Packed,
            (None, None, (Some(number), Some(_), Some(_))) => {
                Brightness::Channels { full_scale: number.full_scale() }
            }
            _ => Brightness::Absent,
        };
        Ok(Gatherer {
            brightness,
            has_label: find(Role::Label).is_some(),
            brightness_max: 0.0,
            points_max: limits.points_max,
        })
    }

    /// Adds the point of one row, or counts why not.
    pub(crate) fn push(&mut self, row: &Row, cloud: &mut Cloud, skipped: &mut Skipped) {
        let [x, y, z] = [row[Role::X as usize], row[Role::Y as usize], row[Role::Z as usize]];
        let point = [x as f32, y as f32, z as f32, self.brightness(row) as f32];
        if !point.iter().all(|value| value.is_finite()) {
            return skipped.add(Reason::NotFinite, 1);
        }
        if point[..3] == [0.0; 3] {
            return skipped.add(Reason::NoReturn, 1);
        }
        if cloud.points.len() >= self.points_max {
            return skipped.add(Reason::BeyondLimit, 1);
        }
        self.brightness_max = self.brightness_max.max(f64::from(point[3]));
        cloud.points.push(point);
        if self.has_label {
            cloud.labels.push(row[Role::Label as usize] as u32);
        }
    }

    /// Brings the intensities of a whole cloud to 0..=1.
    pub(crate) fn finish(&self, cloud: &mut Cloud) {
        let scale = match self.brightness {
            Brightness::Field { is_float: true } if self.brightness_max <= 1.0 => 1.0,
            Brightness::Field { .. } if self.brightness_max <= 255.0 => 255.0,
            Brightness::Field { .. } => 65_535.0,
            Brightness::Packed | Brightness::Channels { .. } | Brightness::Absent => 1.0,
        };
        for point in &mut cloud.points {
            point[3] = (point[3] / scale).clamp(0.0, 1.0);
        }
    }

    fn brightness(&self, row: &Row) -> f64 {
        match self.brightness {
            Brightness::Field { .. } => row[Role::Intensity as usize],
            Brightness::Packed => {
                let bits = row[Role::Packed as usize] as u32;
                let channel = |shift: u32| f64::from(bits >> shift & 0xFF) / 255.0;
                luminance(channel(16), channel(8), channel(0))
            }
            Brightness::Channels { full_scale } => {
                let channel = |role: Role| row[role as usize] / full_scale;
                luminance(channel(Role::Red), channel(Role::Green), channel(Role::Blue))
            }
            Brightness::Absent => 0.0,
        }
    }
}

/// The brightness of a colour after ITU-R BT.601.
fn luminance(red: f64, green: f64, blue: f64) -> f64 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    const XYZ: [(Role, Number); 3] =
        [(Role::X, Number::F32), (Role::Y, Number::F32), (Role::Z, Number::F32)];

    fn gather(extra: &[(Role, Number)], values: &[&[f64]]) -> (Cloud, Skipped) {
        let fields: Vec<_> = XYZ.iter().chain(extra).copied().collect();
        let mut gatherer = Gatherer::new(&fields, &Limits::STANDARD).unwrap();
        let (mut cloud, mut skipped) = (Cloud::default(), Skipped::default());
        for point in values {
            let mut row = [0.0; ROLE_COUNT];
            for (field, value) in fields.iter().zip(*point) {
                row[field.0 as usize] = *value;
            }
            gatherer.push(&row, &mut cloud, &mut skipped);
        }
        gatherer.finish(&mut cloud);
        (cloud, skipped)
    }

    #[test]
    fn intensity_gets_its_scale_from_its_largest_value() {
        let check = |number: Number, given: f64, expect: f32| {
            let values: &[f64] = &[1.0, 2.0, 3.0, given];
            let (cloud, _) = gather(&[(Role::Intensity, number)], &[values]);
            assert!((cloud.points[0][3] - expect).abs() < 1e-6, "{given}: {cloud:?}");
        };
        check(Number::F32, 0.5, 0.5);
        check(Number::F32, 51.0, 0.2);
        check(Number::F32, 13_107.0, 0.2);
        check(Number::U8, 1.0, 1.0 / 255.0);
        check(Number::F32, -3.0, 0.0);
        check(Number::F32, 1e9, 1.0);
    }

    #[test]
    fn colour_becomes_luminance() {
        let white = f64::from(0xFFFF_FFFF_u32);
        let (cloud, _) = gather(&[(Role::Packed, Number::U32)], &[&[1.0, 2.0, 3.0, white]]);
        assert!((cloud.points[0][3] - 1.0).abs() < 1e-6);
        let channels = [Role::Red, Role::Green, Role::Blue].map(|role| (role, Number::U8));
        let (cloud, _) = gather(&channels, &[&[1.0, 2.0, 3.0, 0.0, 255.0, 0.0]]);
        assert!((cloud.points[0][3] - 0.587).abs() < 1e-6);
    }

    #[test]
    fn points_that_are_no_points_are_counted() {
        let rows: &[&[f64]] = &[
            &[f64::NAN, 2.0, 3.0],
            &[1.0, f64::INFINITY, 3.0],
            &[1.0, 2.0, 1e300],
            &[0.0, -0.0, 0.0],
            &[0.0, 0.0, 1.0],
        ];
        let (cloud, skipped) = gather(&[], rows);
        assert_eq!(cloud.points, [[0.0, 0.0, 1.0, 0.0]]);
        assert_eq!(skipped.count(Reason::NotFinite), 3);
        assert_eq!(skipped.count(Reason::NoReturn), 1);
    }

    #[test]
    fn fields_without_z_or_with_two_x_are_rejected() {
        assert!(Gatherer::new(&XYZ[..2], &Limits::STANDARD).is_err());
        let twice = [XYZ[0], XYZ[1], XYZ[2], XYZ[0]];
        assert!(Gatherer::new(&twice, &Limits::STANDARD).is_err());
    }
}
