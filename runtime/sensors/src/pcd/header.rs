//! The header of a PCD file: which fields a point has and how the body stores them.
//!
//! Lines may come in any order before `DATA`. `COUNT`, `VIEWPOINT` and `POINTS` may be absent, as
//! versions 0.5 and 0.6 allow.
//! Invariants of a [`Header`]: 1 <= points <= `points_max`; every field lies within the stride;
//! the stride is at most [`STRIDE_BYTES_MAX`].

use std::str;

use crate::{
    Limits, SensorError,
    error::{Complaint, quoted},
    fields::Role,
    input::Input,
    number::Number,
};

const HEADER_LINES_MAX: usize = 100;
const FIELD_COUNT_MAX: usize = 256;
const STRIDE_BYTES_MAX: usize = 64 * 1024;

/// How the body is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Ascii,
    Binary,
    BinaryCompressed,
}

/// One field that means something to a point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) role: Role,
    pub(crate) number: Number,
    /// Place within the bytes of a point.
    pub(crate) offset_bytes: usize,
    /// Bytes of all values of the field: a field may hold several, of which the first counts.
    pub(crate) width_bytes: usize,
    /// Place within the words of a line.
    pub(crate) column_index: usize,
}

impl Field {
    /// True where the four bytes are a colour and not a quantity.
    pub(crate) fn is_packed(&self) -> bool {
        self.role == Role::Packed && self.number.bytes() == 4
    }
}

/// A checked header.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) fields: Vec<Field>,
    pub(crate) stride_bytes: usize,
    pub(crate) column_count: usize,
    pub(crate) points: usize,
    pub(crate) data: Data,
}

/// The header as it is written, word by word.
#[derive(Default)]
struct Words {
    names: Vec<String>,
    sizes: Vec<String>,
    types: Vec<String>,
    counts: Option<Vec<String>>,
    width: Option<u64>,
    height: Option<u64>,
    points: Option<u64>,
}

impl Header {
    /// Reads up to and including the `DATA` line.
    pub(crate) fn read(input: &mut Input, limits: &Limits) -> Result<Header, SensorError> {
        let mut words = Words::default();
        for _ in 0..HEADER_LINES_MAX {
            let Some(line) = input.line()? else {
                let complaint = Complaint::truncated("the end of the file", "a line DATA");
                return Err(input.error(complaint));
            };
            let step = words.take(line);
            match step {
                Ok(None) => {}
                Ok(Some(data)) => {
                    let header = words.check(data, limits);
                    return header.map_err(|complaint| input.error(complaint));
                }
                Err(complaint) => return Err(input.error(complaint)),
            }
        }
        let found = format!("{HEADER_LINES_MAX} lines without DATA");
        let hint = "this is no PCD file, or its header was damaged";
        Err(input.error(Complaint::malformed(found, "a PCD header", hint)))
    }

    /// The roles and types of the fields, for the gatherer.
    pub(crate) fn roles(&self) -> Vec<(Role, Number)> {
        self.fields.iter().map(|field| (field.role, field.number)).collect()
    }
}

impl Words {
    /// Takes one line; the `DATA` line ends the header.
    fn take(&mut self, line: &[u8]) -> Result<Option<Data>, Complaint> {
        let hint = "see the PCD format of the Point Cloud Library";
        let bad = |wanted: &str| Complaint::malformed(quoted(line), wanted, hint);
        let text = str::from_utf8(line).map_err(|_| bad("a line of text in the header"))?;
        let mut parts = text.split_ascii_whitespace();
        let Some(key) = parts.next().filter(|key| !key.starts_with('#')) else {
            return Ok(None);
        };
        let values: Vec<String> = parts.take(FIELD_COUNT_MAX + 1).map(str::to_owned).collect();
        let number = || match values.as_slice() {
            [one] => one.parse::<u64>().map_err(|_| bad("one whole number")),
            _ => Err(bad("one whole number")),
        };
        match key {
            "VERSION" => match values.first().map(|version| version.trim_start_matches('0')) {
                Some(".5" | ".6" | ".7") => {}
                _ => return Err(bad("version 0.5, 0.6 or 0.7")),
            },
            "FIELDS" | "COLUMNS" => self.names = values,
            "SIZE" => self.sizes = values,
            "TYPE" => self.types = values,
            "COUNT" => self.counts = Some(values),
            "WIDTH" => self.width = Some(number()?),
            "HEIGHT" => self.height = Some(number()?),
            "POINTS" => self.points = Some(number()?),
            "VIEWPOINT" => {}
            "DATA" => return data(&values).ok_or_else(|| bad("a known DATA kind")).map(Some),
            _ => return Err(bad("a line of a PCD header")),
        }
        Ok(None)
    }

    fn check(&self, data: Data, limits: &Limits) -> Result<Header, Complaint> {
        let hint = "the lines FIELDS, SIZE, TYPE and COUNT have one word per field each";
        let field_count = self.names.len();
        let lengths = [
            self.sizes.len(),
            self.types.len(),
            self.counts.as_ref().map_or(field_count, Vec::len),
        ];
        if lengths.iter().any(|&length| length != field_count) || field_count > FIELD_COUNT_MAX {
            let found = format!("{field_count} fields and {lengths:?} sizes, types, counts");
            let wanted = format!("as many of each, up to {FIELD_COUNT_MAX}");
            return Err(Complaint::malformed(found, wanted, hint));
        }
        let points = self.point_count(limits)?;
        let mut header =
            Header { fields: Vec::new(), stride_bytes: 0, column_count: 0, points, data };
        for (index, name) in self.names.iter().enumerate() {
            self.place(index, name, &mut header)?;
        }
        Ok(header)
    }

    /// Adds one field to the layout.
    fn place(&self, index: usize, name: &str, header: &mut Header) -> Result<(), Complaint> {
        let kind = (self.types[index].as_str(), self.sizes[index].as_str());
        let number = number(kind).ok_or_else(|| {
            let found = format!("type {} of size {} for field {name}", kind.0, kind.1);
            Complaint::malformed(found, "I or U of 1, 2, 4, 8 or F of 4, 8", "check TYPE and SIZE")
        })?;
        let count_word = self.counts.as_ref().map_or("1", |counts| counts[index].as_str());
        let count = count_word.parse::<usize>().ok().filter(|count| {
            let width = count.checked_mul(number.bytes());
            width.is_some_and(|width| header.stride_bytes + width <= STRIDE_BYTES_MAX)
        });
        let Some(count) = count else {
            let found = format!("count {} for field {name}", quoted(count_word.as_bytes()));
            let wanted = format!("a point of at most {STRIDE_BYTES_MAX} bytes");
            return Err(Complaint::malformed(found, wanted, "check COUNT"));
        };
        let width_bytes = count * number.bytes();
        if let Some(role) = Role::of(name).filter(|_| count > 0) {
            let (offset_bytes, column_index) = (header.stride_bytes, header.column_count);
            header.fields.push(Field { role, number, offset_bytes, width_bytes, column_index });
        }
        header.stride_bytes += width_bytes;
        header.column_count += count;
        Ok(())
    }

    fn point_count(&self, limits: &Limits) -> Result<usize, Complaint> {
        let grid = self.width.zip(self.height).map(|(width, height)| width.checked_mul(height));
        let points = match (self.points, grid) {
            (Some(points), None) => points,
            (None, Some(Some(grid))) => grid,
            (Some(points), Some(Some(grid))) if points == grid => points,
            _ => {
                let found =
                    format!("{:?} x {:?} and {:?} points", self.width, self.height, self.points);
                let hint = "POINTS is WIDTH times HEIGHT";
                return Err(Complaint::malformed(found, "one number of points", hint));
            }
        };
        if points > limits.points_max as u64 {
            let wanted = format!("at most {} points (points_max)", limits.points_max);
            return Err(Complaint::oversized(format!("{points} points announced"), wanted));
        }
        if points == 0 {
            let hint = "the recorder wrote a header and no point";
            return Err(Complaint::empty("0 points announced", "at least one point", hint));
        }
        Ok(points as usize)
    }
}

fn data(values: &[String]) -> Option<Data> {
    match values {
        [word] if word == "ascii" => Some(Data::Ascii),
        [word] if word == "binary" => Some(Data::Binary),
        [word] if word == "binary_compressed" => Some(Data::BinaryCompressed),
        _ => None,
    }
}

fn number(kind: (&str, &str)) -> Option<Number> {
    match kind {
        ("I", "1") => Some(Number::I8),
        ("I", "2") => Some(Number::I16),
        ("I", "4") => Some(Number::I32),
        ("I", "8") => Some(Number::I64),
        ("U", "1") => Some(Number::U8),
        ("U", "2") => Some(Number::U16),
        ("U", "4") => Some(Number::U32),
        ("U", "8") => Some(Number::U64),
        ("F", "4") => Some(Number::F32),
        ("F", "8") => Some(Number::F64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, input::tests::input};

    fn fault_of(text: &str) -> Option<Fault> {
        let read = Header::read(&mut input(text.as_bytes()), &Limits::STANDARD);
        read.err().map(|error| error.fault)
    }

    #[test]
    fn headers_are_accepted_or_refused_by_kind() {
        let check = |head: &str, expect: Option<Fault>| {
            let fields = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\n";
            assert_eq!(fault_of(&format!("{fields}{head}\nDATA ascii\n")), expect, "{head}");
        };
        check("WIDTH 3\nHEIGHT 2", None);
        check("POINTS 6", None);
        check("# comment\n\nVERSION 0.6\nWIDTH 3\nHEIGHT 2\nPOINTS 6", None);
        check("WIDTH 3\nHEIGHT 2\nPOINTS 7", Some(Fault::Malformed));
        check("WIDTH 3", Some(Fault::Malformed));
        check("POINTS 1 2", Some(Fault::Malformed));
        check("POINTS -1", Some(Fault::Malformed));
        check("POINTS 0", Some(Fault::Empty));
        check("POINTS 1000000000000", Some(Fault::Oversized));
        check("WIDTH 18446744073709551615\nHEIGHT 2", Some(Fault::Malformed));
        check("POINTS 1\nCOUNT 1 1", Some(Fault::Malformed));
        check("POINTS 1\nCOUNT 1 1 99999999999999999999", Some(Fault::Malformed));
        check("POINTS 1\nCOUNT 1 1 4000000000000000000", Some(Fault::Malformed));
        check("POINTS 1\nSIZE 4 4 3", Some(Fault::Malformed));
        check("POINTS 1\nVERSION 0.4", Some(Fault::Malformed));
        check("POINTS 1\nDATA zip", Some(Fault::Malformed));
        check(&"\n".repeat(HEADER_LINES_MAX), Some(Fault::Malformed));
        assert_eq!(fault_of("FIELDS x y z\n"), Some(Fault::Truncated));
    }
}
