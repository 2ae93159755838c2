//! The header of a PLY file: its elements, their properties, and how the body stores them.
//!
//! Invariants of a [`Header`]: there is a `vertex` element with 1 to `points_max` rows; every
//! element up to it has a property, so that each of its rows takes room in the file.

use std::str;

use crate::{
    Limits, SensorError,
    error::{Complaint, quoted},
    fields::Role,
    input::Input,
    number::{Number, Order},
};

const HEADER_LINES_MAX: usize = 4096;
const ELEMENT_COUNT_MAX: usize = 64;
const PROPERTY_COUNT_MAX: usize = 256;

/// How the body is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Ascii,
    Binary(Order),
}

/// What a property holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar(Number),
    List { count: Number, item: Number },
}

/// One column of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    /// What it means to a point; nothing for most, and for every list.
    pub(crate) role: Option<Role>,
    pub(crate) kind: Kind,
}

/// One table of the file.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) properties: Vec<Property>,
}

/// A checked header.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) body: Body,
    pub(crate) elements: Vec<Element>,
    pub(crate) vertex_index: usize,
}

impl Header {
    /// Reads up to and including the line `end_header`.
    pub(crate) fn read(input: &mut Input, limits: &Limits) -> Result<Header, SensorError> {
        let mut body = None;
        let mut elements = Vec::new();
        for index in 0..HEADER_LINES_MAX {
            let Some(line) = input.line()? else {
                let complaint = Complaint::truncated("the end of the file", "end_header");
                return Err(input.error(complaint));
            };
            let step = match index {
                0 if line == b"ply" => Ok(false),
                0 => Err(bad(line, "a first line ply")),
                _ => take(line, &mut body, &mut elements),
            };
            match step {
                Ok(false) => {}
                Ok(true) => {
                    let header = check(body, elements, limits);
                    return header.map_err(|complaint| input.error(complaint));
                }
                Err(complaint) => return Err(input.error(complaint)),
            }
        }
        let found = format!("{HEADER_LINES_MAX} lines without end_header");
        let hint = "this is no PLY file, or its header was damaged";
        Err(input.error(Complaint::malformed(found, "a PLY header", hint)))
    }
}

fn bad(line: &[u8], wanted: &str) -> Complaint {
    Complaint::malformed(quoted(line), wanted, "see the PLY format of Stanford")
}

/// Takes one line; true at the end of the header.
fn take(
    line: &[u8],
    body: &mut Option<Body>,
    elements: &mut Vec<Element>,
) -> Result<bool, Complaint> {
    let text = str::from_utf8(line).map_err(|_| bad(line, "a line of text in the header"))?;
    let words: Vec<&str> = text.split_ascii_whitespace().take(6).collect();
    match words.as_slice() {
        [] | ["comment" | "obj_info", ..] => {}
        ["end_header"] => return Ok(true),
        ["format", "ascii", "1.0"] => *body = Some(Body::Ascii),
        ["format", "binary_little_endian", "1.0"] => *body = Some(Body::Binary(Order::Little)),
        ["format", "binary_big_endian", "1.0"] => *body = Some(Body::Binary(Order::Big)),
        ["element", name, count] => {
            let count = count.parse::<u64>().map_err(|_| bad(line, "a count of rows"))?;
            if elements.len() == ELEMENT_COUNT_MAX {
                return Err(bad(line, "at most 64 elements"));
            }
            elements.push(Element { name: (*name).to_owned(), count, properties: Vec::new() });
        }
        ["property", rest @ ..] => {
            let property = property(rest).ok_or_else(|| bad(line, "a property"))?;
            let element = elements.last_mut().ok_or_else(|| bad(line, "an element first"))?;
            if element.properties.len() == PROPERTY_COUNT_MAX {
                return Err(bad(line, "at most 256 properties of an element"));
            }
            element.properties.push(property);
        }
        _ => return Err(bad(line, "a line of a PLY header")),
    }
    Ok(false)
}

fn property(words: &[&str]) -> Option<Property> {
    match words {
        ["list", count, item, _name] => {
            let count = number(count).filter(|count| !count.is_float())?;
            Some(Property { role: None, kind: Kind::List { count, item: number(item)? } })
        }
        [kind, name] => {
            // A PLY colour has one property per channel; a packed one is of other formats.
            let role = Role::of(name).filter(|&role| role != Role::Packed);
            Some(Property { role, kind: Kind::Scalar(number(kind)?) })
        }
        _ => None,
    }
}

fn check(body: Option<Body>, elements: Vec<Element>, limits: &Limits) -> Result<Header, Complaint> {
    let hint = "see the PLY format of Stanford";
    let missing = |wanted: &str| Complaint::malformed("a header without it", wanted, hint);
    let body = body.ok_or_else(|| missing("a line format"))?;
    let vertex_index = elements.iter().position(|element| element.name == "vertex");
    let vertex_index = vertex_index.ok_or_else(|| missing("an element vertex"))?;
    for element in &elements[..=vertex_index] {
        if element.properties.is_empty() && element.count > 0 {
            let found = format!("element {} without a property", quoted(element.name.as_bytes()));
            return Err(Complaint::malformed(found, "at least one property", hint));
        }
    }
    let count = elements[vertex_index].count;
    if count > limits.points_max as u64 {
        let wanted = format!("at most {} points (points_max)", limits.points_max);
        return Err(Complaint::oversized(format!("{count} vertices announced"), wanted));
    }
    if count == 0 {
        let hint = "the recorder wrote a header and no point";
        return Err(Complaint::empty("0 vertices announced", "at least one vertex", hint));
    }
    Ok(Header { body, elements, vertex_index })
}

fn number(word: &str) -> Option<Number> {
    match word {
        "char" | "int8" => Some(Number::I8),
        "uchar" | "uint8" => Some(Number::U8),
        "short" | "int16" => Some(Number::I16),
        "ushort" | "uint16" => Some(Number::U16),
        "int" | "int32" => Some(Number::I32),
        "uint" | "uint32" => Some(Number::U32),
        "float" | "float32" => Some(Number::F32),
        "double" | "float64" => Some(Number::F64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, input::tests::input};

    #[test]
    fn headers_are_accepted_or_refused_by_kind() {
        let check = |text: &str, expect: Option<Fault>| {
            let read = Header::read(&mut input(text.as_bytes()), &Limits::STANDARD);
            assert_eq!(read.err().map(|error| error.fault), expect, "{text}");
        };
        let vertex = "element vertex 1\nproperty float x\n";
        let ascii = "ply\nformat ascii 1.0\n";
        check(&format!("{ascii}{vertex}end_header\n"), None);
        check(&format!("ply\r\nformat ascii 1.0\r\n{vertex}end_header\r\n"), None);
        check(&format!("{ascii}{vertex}"), Some(Fault::Truncated));
        check(&format!("ply\n{vertex}end_header\n"), Some(Fault::Malformed));
        check("ply\nformat ascii 2.0\nend_header\n", Some(Fault::Malformed));
        check(&format!("{ascii}end_header\n"), Some(Fault::Malformed));
        check(&format!("{ascii}property float x\nend_header\n"), Some(Fault::Malformed));
        check(&format!("{ascii}{vertex}property half y\nend_header\n"), Some(Fault::Malformed));
        check(
            &format!("{ascii}{vertex}property list float int y\nend_header\n"),
            Some(Fault::Malformed),
        );
        check(&format!("{ascii}{}", "comment\n".repeat(5000)), Some(Fault::Malformed));
        check(&format!("{ascii}{}", "element e 1\n".repeat(70)), Some(Fault::Malformed));
        check("plyer\n", Some(Fault::Malformed));
    }
}
