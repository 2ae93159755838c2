//! PCD point clouds (Point Cloud Library, versions 0.5 to 0.7): ascii, binary, binary_compressed.
//!
//! One file is one cloud. The `VIEWPOINT` is not applied: points stay in the frame of the file.
//! Invariants: what the header announces is held against the limits before any point is read;
//! the memory used follows the bytes that are there, never a number in the header alone.

mod header;

use std::str;

use crate::{
    Cloud, Limits, SensorError,
    error::{Complaint, quoted},
    fields::{Gatherer, Row},
    input::Input,
    lzf,
    number::Order,
    skipped::{Reason, Skipped},
};

use header::{Data, Field, Header};

/// How much of a compressed body is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads the one cloud of a PCD file.
pub(crate) fn read(
    input: &mut Input,
    limits: &Limits,
    cloud: &mut Cloud,
    skipped: &mut Skipped,
) -> Result<(), SensorError> {
    let header = Header::read(input, limits)?;
    let gatherer = Gatherer::new(&header.roles(), limits);
    let gatherer = gatherer.map_err(|complaint| input.error(complaint))?;
    let mut body = Body { gatherer, header: &header, cloud, skipped };
    match header.data {
        Data::Ascii => body.read_ascii(input)?,
        Data::Binary => body.read_binary(input)?,
        Data::BinaryCompressed => body.read_compressed(input, limits)?,
    }
    body.gatherer.finish(body.cloud);
    let trailing = input.drain()?;
    skipped.add(Reason::TrailingByte, trailing);
    Ok(())
}

/// What reading the points needs: the header, and where points and counts go.
struct Body<'a> {
    gatherer: Gatherer,
    header: &'a Header,
    cloud: &'a mut Cloud,
    skipped: &'a mut Skipped,
}

impl Body<'_> {
    fn read_ascii(&mut self, input: &mut Input) -> Result<(), SensorError> {
        let mut index = 0;
        while index < self.header.points {
            let offset = input.offset();
            let Some(line) = input.line()? else {
                let found = format!("{index} points");
                let wanted = format!("{} points", self.header.points);
                return Err(input.error(Complaint::truncated(found, wanted)));
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            match parse_line(line, self.header) {
                Ok(row) => self.gatherer.push(&row, self.cloud, self.skipped),
                Err(complaint) => {
                    let placed = input.error(complaint);
                    return Err(SensorError { offset, ..placed });
                }
            }
            index += 1;
        }
        Ok(())
    }

    fn read_binary(&mut self, input: &mut Input) -> Result<(), SensorError> {
        for _ in 0..self.header.points {
            let bytes = input.exact(self.header.stride_bytes, "a point")?;
            let row = decode_row(self.header, |field| {
                &bytes[field.offset_bytes..][..field.number.bytes()]
            });
            self.gatherer.push(&row, self.cloud, self.skipped);
        }
        Ok(())
    }

    /// The compressed body is two sizes, then the fields one after the other, not interleaved.
    fn read_compressed(&mut self, input: &mut Input, limits: &Limits) -> Result<(), SensorError> {
        let points = self.header.points;
        let sizes = input.exact(8, "the sizes of the compressed body")?;
        let size = |at: usize| Order::Little.u32(&sizes[at..at + 4]);
        let (packed_bytes, plain_bytes) = (u64::from(size(0)), u64::from(size(4)));
        let expect = points as u64 * self.header.stride_bytes as u64;
        if plain_bytes != expect {
            let found = format!("{plain_bytes} bytes announced after decompression");
            let wanted = format!("{expect} bytes for {points} points");
            let hint = "the header does not belong to this body";
            return Err(input.error(Complaint::malformed(found, wanted, hint)));
        }
        let plain_max = limits.file_bytes_max.min(packed_bytes * lzf::EXPANSION_MAX);
        if plain_bytes > plain_max {
            let found = format!("{plain_bytes} bytes announced in {packed_bytes} compressed");
            let wanted = format!("at most {plain_max} bytes");
            return Err(input.error(Complaint::oversized(found, wanted)));
        }
        let start = input.offset();
        let packed = read_chunks(input, packed_bytes)?;
        let mut plain = Vec::new();
        lzf::decompress(&packed, expect as usize, &mut plain).map_err(|(at, reason)| {
            let hint = "the file was damaged; copy it again";
            let complaint = Complaint::malformed(reason, "LZF data", hint);
            SensorError { offset: start + at as u64, ..input.error(complaint) }
        })?;
        for index in 0..points {
            let row = decode_row(self.header, |field| {
                let column = field.offset_bytes * points;
                &plain[column + index * field.width_bytes..][..field.number.bytes()]
            });
            self.gatherer.push(&row, self.cloud, self.skipped);
        }
        Ok(())
    }
}

/// Reads a body of announced size without trusting the announcement with memory.
fn read_chunks(input: &mut Input, bytes: u64) -> Result<Vec<u8>, SensorError> {
    let mut body = Vec::new();
    while (body.len() as u64) < bytes {
        let step = (bytes - body.len() as u64).min(CHUNK_BYTES as u64) as usize;
        body.extend_from_slice(input.exact(step, "the compressed body")?);
    }
    Ok(body)
}

fn decode_row<'a>(header: &Header, bytes_of: impl Fn(&Field) -> &'a [u8]) -> Row {
    let mut row = Row::default();
    for field in &header.fields {
        let bytes = bytes_of(field);
        row[field.role as usize] = match field.is_packed() {
            true => field.number.decode_bits(bytes, Order::Little),
            false => field.number.decode(bytes, Order::Little),
        };
    }
    row
}

fn parse_line(line: &[u8], header: &Header) -> Result<Row, Complaint> {
    let bad = |wanted: String| {
        let hint = "every line of an ascii PCD body is one point";
        Complaint::malformed(quoted(line), wanted, hint)
    };
    let text = str::from_utf8(line).map_err(|_| bad("text".to_owned()))?;
    let mut row = Row::default();
    let mut count = 0;
    let mut fields = header.fields.iter().peekable();
    for (column, word) in text.split_ascii_whitespace().enumerate() {
        count += 1;
        let Some(field) = fields.next_if(|field| field.column_index == column) else { continue };
        let value = match field.is_packed() {
            true => field.number.parse_bits(word),
            false => field.number.parse(word),
        };
        row[field.role as usize] = value.ok_or_else(|| bad(format!("a number for {word:?}")))?;
    }
    if count != header.column_count {
        return Err(bad(format!("{} numbers, not {count}", header.column_count)));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Fault, file::tests::read_all};

    fn header(fields: &str, sizes: &str, types: &str, points: usize, data: &str) -> Vec<u8> {
        format!(
            "VERSION 0.7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nWIDTH {points}\n\
             HEIGHT 1\nPOINTS {points}\nDATA {data}\n"
        )
        .into_bytes()
    }

    #[test]
    fn fields_may_come_in_any_order_and_with_padding() {
        let mut file = b"VERSION .7\nFIELDS label z _ intensity y x\nSIZE 2 8 1 1 4 4\n\
            TYPE U F U U F I\nCOUNT 1 1 3 1 1 1\nWIDTH 1\nHEIGHT 1\nDATA binary\n"
            .to_vec();
        file.extend(7_u16.to_le_bytes());
        file.extend(3.5_f64.to_le_bytes());
        file.extend([9, 9, 9, 51]);
        file.extend(2.5_f32.to_le_bytes());
        file.extend((-4_i32).to_le_bytes());
        let (cloud, _) = read_all(read, &file).unwrap();
        assert_eq!(cloud.points, [[-4.0, 2.5, 3.5, 0.2]]);
        assert_eq!(cloud.labels, [7]);
    }

    #[test]
    fn a_compressed_body_holds_one_field_after_the_other() {
        let mut file = header("x y z", "4 4 4", "F F F", 2, "binary_compressed");
        let plain: Vec<u8> =
            [1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut packed = vec![23];
        packed.extend(&plain);
        file.extend((packed.len() as u32).to_le_bytes());
        file.extend((plain.len() as u32).to_le_bytes());
        file.extend(&packed);
        let (cloud, _) = read_all(read, &file).unwrap();
        assert_eq!(cloud.points, [[1.0, 2.0, 3.0, 0.0], [4.0, 5.0, 6.0, 0.0]]);
    }

    #[test]
    fn bad_bodies_are_refused_by_kind() {
        let check = |points: usize, data: &str, body: &[u8], expect: Fault| {
            let mut file = header("x y z", "4 4 4", "F F F", points, data);
            file.extend(body);
            let error = read_all(read, &file).unwrap_err();
            assert_eq!(error.fault, expect, "{error}");
        };
        check(2, "ascii", b"1 2 3\n", Fault::Truncated);
        check(1, "ascii", b"1 2\n", Fault::Malformed);
        check(1, "ascii", b"1 2 3 4\n", Fault::Malformed);
        check(1, "ascii", b"1 two 3\n", Fault::Malformed);
        check(1, "ascii", b"1 \xff 3\n", Fault::Malformed);
        check(1, "binary", &[0; 11], Fault::Truncated);
        check(0, "binary", &[], Fault::Empty);
        check(1001, "binary", &[0; 12_012], Fault::Oversized);
        check(1, "binary_compressed", &[1, 0, 0, 0, 13, 0, 0, 0], Fault::Malformed);
        check(1, "binary_compressed", &[9, 0, 0, 0, 12, 0, 0, 0], Fault::Truncated);
        check(1, "binary_compressed", &[1, 0, 0, 0, 12, 0, 0, 0, 1], Fault::Malformed);
        check(1, "binary_compressed", &[0, 0, 0, 0, 12, 0, 0, 0], Fault::Oversized);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            points in prop::collection::vec(prop::array::uniform4(0.001_f32..1.0), 1..40),
        ) {
            let head = |data| header("x y z i", "4 4 4 4", "F F F F", points.len(), data);
            let (mut binary, mut ascii) = (head("binary"), head("ascii"));
            for point in &points {
                binary.extend(point.iter().flat_map(|value| value.to_le_bytes()));
                let [x, y, z, intensity] = point;
                ascii.extend(format!("{x} {y} {z} {intensity}\n").into_bytes());
            }
            prop_assert_eq!(&read_all(read, &binary).unwrap().0.points, &points);
            prop_assert_eq!(&read_all(read, &ascii).unwrap().0.points, &points);
        }

        #[test]
        fn any_bytes_end_without_panic(head in ".{0,80}", body: Vec<u8>) {
            let start = b"VERSION 0.7\nFIELDS x y z\n";
            let _ = read_all(read, &[start, head.as_bytes(), &body].concat());
            let mut file = header("x y z", "4 4 4", "F F F", 3, "binary_compressed");
            file.extend(&body);
            let _ = read_all(read, &file);
        }
    }
}
