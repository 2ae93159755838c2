//! PLY point clouds (Stanford): ascii, binary little endian, binary big endian.
//!
//! One file is one cloud: the element `vertex`. Elements before it are passed over, elements after
//! it are left unread; list properties are passed over.
//! Invariant: every row that is read takes at least one byte or line of the file, so that no
//! announced count can make the reader run longer than the file is.

mod header;

use std::str;

use crate::{
    Cloud, Limits, SensorError,
    error::{Complaint, quoted},
    fields::{Gatherer, Role, Row},
    input::Input,
    number::{Number, Order},
    skipped::Skipped,
};

use header::{Body, Element, Header, Kind};

/// Reads the one cloud of a PLY file.
pub(crate) fn read(
    input: &mut Input,
    limits: &Limits,
    cloud: &mut Cloud,
    skipped: &mut Skipped,
) -> Result<(), SensorError> {
    let header = Header::read(input, limits)?;
    let vertex = &header.elements[header.vertex_index];
    let gatherer = Gatherer::new(&roles(vertex), limits);
    let mut gatherer = gatherer.map_err(|complaint| input.error(complaint))?;
    let read_row = |input: &mut Input, element: &Element| match header.body {
        Body::Ascii => read_line(input, element),
        Body::Binary(order) => read_bytes(input, element, order),
    };
    for element in &header.elements[..header.vertex_index] {
        for _ in 0..element.count {
            read_row(input, element)?;
        }
    }
    for _ in 0..vertex.count {
        gatherer.push(&read_row(input, vertex)?, cloud, skipped);
    }
    gatherer.finish(cloud);
    Ok(())
}

fn roles(vertex: &Element) -> Vec<(Role, Number)> {
    let scalar = |kind: Kind| match kind {
        Kind::Scalar(number) => Some(number),
        Kind::List { .. } => None,
    };
    let role = |property: &header::Property| Some((property.role?, scalar(property.kind)?));
    vertex.properties.iter().filter_map(role).collect()
}

/// Reads one binary row; the values of lists and of foreign properties are passed over.
fn read_bytes(input: &mut Input, element: &Element, order: Order) -> Result<Row, SensorError> {
    let mut row = Row::default();
    for property in &element.properties {
        match property.kind {
            Kind::Scalar(number) => {
                let bytes = input.exact(number.bytes(), "a property")?;
                if let Some(role) = property.role {
                    row[role as usize] = number.decode(bytes, order);
                }
            }
            Kind::List { count, item } => {
                let length = count.decode(input.exact(count.bytes(), "a list length")?, order);
                let bytes = list_length(length).map_err(|complaint| input.error(complaint))?;
                input.discard(bytes * item.bytes() as u64, "a list")?;
            }
        }
    }
    Ok(row)
}

/// Reads one row of text, which is one line.
fn read_line(input: &mut Input, element: &Element) -> Result<Row, SensorError> {
    let offset = input.offset();
    let Some(line) = input.line()? else {
        let wanted = format!("{} lines of element {}", element.count, element.name);
        return Err(input.error(Complaint::truncated("the end of the file", wanted)));
    };
    parse_line(line, element).map_err(|complaint| SensorError { offset, ..input.error(complaint) })
}

fn parse_line(line: &[u8], element: &Element) -> Result<Row, Complaint> {
    let bad = |wanted: &str| {
        let hint = "every line of an ascii PLY body is one row of its element";
        Complaint::malformed(quoted(line), wanted, hint)
    };
    let text = str::from_utf8(line).map_err(|_| bad("text"))?;
    let mut words = text.split_ascii_whitespace();
    let mut row = Row::default();
    for property in &element.properties {
        let word = words.next().ok_or_else(|| bad("one number for every property"))?;
        match property.kind {
            Kind::Scalar(number) => {
                let value = number.parse(word).ok_or_else(|| bad("numbers"))?;
                if let Some(role) = property.role {
                    row[role as usize] = value;
                }
            }
            Kind::List { count, .. } => {
                let length = count.parse(word).ok_or_else(|| bad("a list length"))?;
                for _ in 0..list_length(length)? {
                    words.next().ok_or_else(|| bad("as many numbers as the list announces"))?;
                }
            }
        }
    }
    match words.next() {
        Some(_) => Err(bad("no more numbers than properties")),
        None => Ok(row),
    }
}

fn list_length(value: f64) -> Result<u64, Complaint> {
    if (0.0..=f64::from(u32::MAX)).contains(&value) {
        return Ok(value as u64);
    }
    let hint = "the file was damaged, or its header does not belong to it";
    Err(Complaint::malformed(format!("a list of {value}"), "a length of 0 to 2^32 - 1", hint))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Fault, file::tests::read_all};

    const XYZ: &str = "property float x\nproperty float y\nproperty float z\n";

    fn header(format: &str, elements: &str) -> Vec<u8> {
        format!("ply\nformat {format} 1.0\ncomment c\n{elements}end_header\n").into_bytes()
    }

    #[test]
    fn elements_and_lists_around_the_vertices_are_passed_over() {
        let elements = "element camera 1\nproperty list uchar int a\n\
            element vertex 2\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n\
            property list uchar short spare\nproperty double z\nproperty int y\nproperty char x\n\
            element face 1\nproperty list uchar int b\n";
        let mut ascii = header("ascii", elements);
        ascii.extend(b"2 8 9\n255 255 255 1 7 3.5 2 1\n0 0 0 0 6 5 4\n3 0 1 1\n");
        let mut big = header("binary_big_endian", elements);
        big.extend([1, 0, 0, 0, 8, 255, 255, 255, 1, 0, 7]);
        big.extend(3.5_f64.to_be_bytes());
        big.extend([0, 0, 0, 2, 1, 0, 0, 0, 0]);
        big.extend(6.0_f64.to_be_bytes());
        big.extend([0, 0, 0, 5, 4]);
        for file in [ascii, big] {
            let points = read_all(read, &file).unwrap().0.points;
            assert_eq!(points, [[1.0, 2.0, 3.5, 1.0], [4.0, 5.0, 6.0, 0.0]]);
        }
    }

    #[test]
    fn bad_files_are_refused_by_kind() {
        let check = |format: &str, elements: &str, body: &[u8], expect: Fault| {
            let mut file = header(format, elements);
            file.extend(body);
            let error = read_all(read, &file).unwrap_err();
            assert_eq!(error.fault, expect, "{error}");
        };
        let little = "binary_little_endian";
        let vertex = |count: u64| format!("element vertex {count}\n{XYZ}");
        let huge = u64::MAX;
        check("ascii", &vertex(1), b"", Fault::Truncated);
        check("ascii", &vertex(1), b"1 2\n", Fault::Malformed);
        check("ascii", &vertex(1), b"1 2 3 4\n", Fault::Malformed);
        check("ascii", &vertex(1), b"1 two 3\n", Fault::Malformed);
        check(little, &vertex(1), &[0; 11], Fault::Truncated);
        check(little, &vertex(0), &[], Fault::Empty);
        check(little, &vertex(1_000_000_000_000), &[], Fault::Oversized);
        check(little, "element vertex 1\nproperty float x\n", &[0; 4], Fault::Malformed);
        check(little, "element face 1\nproperty float x\n", &[0; 4], Fault::Malformed);
        let nothing = format!("element nothing {huge}\n{}", vertex(1));
        check(little, &nothing, &[0; 12], Fault::Malformed);
        let many = format!("element many {huge}\nproperty uchar a\n{}", vertex(1));
        check(little, &many, &[0; 50], Fault::Truncated);
        check("ascii", &many, b"1\n1\n", Fault::Truncated);
        let list = format!("element vertex 1\nproperty list int double a\n{XYZ}");
        check(little, &list, &(-1_i32).to_le_bytes(), Fault::Malformed);
        check(little, &list, &i32::MAX.to_le_bytes(), Fault::Truncated);
        check("ascii", &list, b"4000000000 1 2 3\n", Fault::Malformed);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            points in prop::collection::vec(prop::array::uniform4(0.001_f32..1.0), 1..40),
        ) {
            let elements =
                format!("element vertex {}\n{XYZ}property float intensity\n", points.len());
            let mut little = header("binary_little_endian", &elements);
            let mut big = header("binary_big_endian", &elements);
            let mut ascii = header("ascii", &elements);
            for point in &points {
                little.extend(point.iter().flat_map(|value| value.to_le_bytes()));
                big.extend(point.iter().flat_map(|value| value.to_be_bytes()));
                let [x, y, z, intensity] = point;
                ascii.extend(format!("{x} {y} {z} {intensity}\r\n").into_bytes());
            }
            for file in [little, big, ascii] {
                prop_assert_eq!(&read_all(read, &file).unwrap().0.points, &points);
            }
        }

        #[test]
        fn any_bytes_end_without_panic(head in ".{0,80}", body: Vec<u8>) {
            let _ = read_all(read, &[b"ply\nformat ascii 1.0\n", head.as_bytes(), &body].concat());
            let list = format!("element vertex 3\nproperty list char float a\n{XYZ}");
            for format in ["ascii", "binary_big_endian"] {
                let mut file = header(format, &list);
                file.extend(&body);
                let _ = read_all(read, &file);
            }
        }
    }
}
