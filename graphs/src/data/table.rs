//! CSV tables: a row is an example, its columns are features but for what is wanted.
//!
//! A class is any text; classes are in the order of their numbers where all are whole numbers, else
//! of their texts, unless they are given: give them where several files must agree.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use csv::StringRecord;

use super::dataset::{Answers, DataError, Dataset, Elements};
use super::file;

/// A column by its name in the header or its number from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By name; wants a header.
    Name(String),
    /// By number.
    Index(usize),
    /// The one at the end.
    Last,
}

/// What is wanted of an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The class in this column.
    Class(Column),
    /// The numbers in these columns.
    Numbers(Vec<Column>),
}

/// How a table is to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// What is wanted; all other columns are features.
    pub wanted: Wanted,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Between two fields.
    pub separator: u8,
    /// The extents of an example; one axis of all features where there are none.
    pub extents: Vec<usize>,
    /// Features are multiplied by this.
    pub scale: f32,
    /// The classes by number; all that are there, in order, where none are given.
    pub classes: Vec<String>,
}

impl Format {
    /// Commas, a header, features as they are.
    #[must_use]
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            header: true,
            separator: b',',
            extents: Vec::new(),
            scale: 1.0,
            classes: Vec::new(),
        }
    }
}

/// Reads a file, plain or compressed by gzip.
///
/// # Errors
/// When it cannot be read, a row has more or fewer fields than the first, a feature is no finite
/// number, a class is none of those given, or a column is missing; with line and column.
pub fn read(path: &Path, format: &Format) -> Result<Dataset, DataError> {
    parse(&path.display().to_string(), &file::read(path)?, format)
}

/// Reads the plain bytes of a file from `place`.
pub(super) fn parse(place: &str, bytes: &[u8], format: &Format) -> Result<Dataset, DataError> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(format.header).delimiter(format.separator).trim(csv::Trim::All);
    let mut reader = builder.from_reader(bytes);
    let header = match format.header {
        true => reader.headers().map_err(|error| misread(place, &error))?.clone(),
        false => StringRecord::new(),
    };
    let mut table: Option<Table<'_>> = None;
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| misread(place, &error))? {
        let table = match &mut table {
            Some(table) => table,
            None => table.insert(Table::new(place, format, &header, record.len())?),
        };
        table.add(&record)?;
    }
    match table {
        Some(table) => table.finish(),
        None => Err(DataError::new(place, "no row", "at least one")),
    }
}

/// What the reader could not make fields of.
fn misread(place: &str, error: &csv::Error) -> DataError {
    let line = |position: Option<&csv::Position>| match position {
        Some(position) => format!("{place}, line {}", position.line()),
        None => place.to_owned(),
    };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            DataError::new(line(pos.as_ref()), format!("{len} fields"), expected_len)
        }
        csv::ErrorKind::Utf8 { pos, err } => {
            DataError::new(line(pos.as_ref()), format!("text that is not UTF-8: {err}"), "UTF-8")
        }
        _ => DataError::new(place, error, "a table"),
    }
}

/// What has been read so far.
struct Table<'a> {
    place: &'a str,
    format: &'a Format,
    header: &'a StringRecord,
    /// The columns of what is wanted.
    wanted: Vec<usize>,
    features: Vec<usize>,
    elements: Vec<f32>,
    numbers: Vec<f32>,
    /// The class of each row, as a place in `seen`.
    rows: Vec<usize>,
    seen: BTreeMap<String, usize>,
}

impl<'a> Table<'a> {
    fn new(
        place: &'a str,
        format: &'a Format,
        header: &'a StringRecord,
        fields: usize,
    ) -> Result<Self, DataError> {
        let find = |column: &Column| {
            let index = match column {
                Column::Index(index) => Some(*index).filter(|&index| index < fields),
                Column::Last => fields.checked_sub(1),
                Column::Name(name) => header.iter().position(|own| own == name),
            };
            index.ok_or_else(|| {
                let names: Vec<&str> = header.iter().collect();
                let found = match names.is_empty() {
                    true => format!("{fields} columns without names"),
                    false => format!("columns {}", names.join(", ")),
                };
                DataError::new(place, found, column)
            })
        };
        let columns = match &format.wanted {
            Wanted::Class(column) => std::slice::from_ref(column),
            Wanted::Numbers(columns) => columns,
        };
        let wanted: Vec<usize> = columns.iter().map(find).collect::<Result<_, _>>()?;
        let features: Vec<usize> = (0..fields).filter(|index| !wanted.contains(index)).collect();
        let extents = &format.extents;
        if !extents.is_empty() && extents.iter().product::<usize>() != features.len() {
            let found = format!("{} features", features.len());
            return Err(DataError::new(place, found, format!("examples {extents:?}")));
        }
        let (elements, numbers, rows) = (Vec::new(), Vec::new(), Vec::new());
        let seen = BTreeMap::new();
        Ok(Self { place, format, header, wanted, features, elements, numbers, rows, seen })
    }

    fn add(&mut self, record: &StringRecord) -> Result<(), DataError> {
        for &column in &self.features {
            self.elements.push(self.number(record, column)? * self.format.scale);
        }
        if let Wanted::Class(_) = self.format.wanted {
            let name = &record[self.wanted[0]];
            let classes = &self.format.classes;
            if !classes.is_empty() && !classes.iter().any(|own| own == name) {
                let place = self.cell(record, self.wanted[0]);
                let wanted = format!("one of {}", classes.join(", "));
                return Err(DataError::new(place, format!("class {name:?}"), wanted));
            }
            let next = self.seen.len();
            self.rows.push(*self.seen.entry(name.to_owned()).or_insert(next));
            return Ok(());
        }
        for &column in &self.wanted {
            self.numbers.push(self.number(record, column)?);
        }
        Ok(())
    }

    fn number(&self, record: &StringRecord, column: usize) -> Result<f32, DataError> {
        let text = &record[column];
        text.parse().ok().filter(|x: &f32| x.is_finite()).ok_or_else(|| {
            DataError::new(self.cell(record, column), format!("{text:?}"), "a finite number")
        })
    }

    /// A cell, for people.
    fn cell(&self, record: &StringRecord, column: usize) -> String {
        let line = record.position().map_or(0, csv::Position::line);
        match self.header.get(column) {
            Some(name) => format!("{}, line {line}, column {name}", self.place),
            None => format!("{}, line {line}, column {column}", self.place),
        }
    }

    fn finish(self) -> Result<Dataset, DataError> {
        let extents = match &self.format.extents {
            extents if extents.is_empty() => &vec![self.features.len()],
            extents => extents,
        };
        let answers = match &self.format.wanted {
            Wanted::Class(_) => {
                let names = match self.format.classes.is_empty() {
                    true => in_order(self.seen.keys()),
                    false => self.format.classes.clone(),
                };
                // From the order in which they were seen to the order of their numbers.
                let mut numbers = vec![0; self.seen.len()];
                for (name, &seen) in &self.seen {
                    let number = names.iter().position(|own| own == name);
                    numbers[seen] = number.expect("every class was looked for") as i64;
                }
                let labels = self.rows.iter().map(|&seen| numbers[seen]).collect();
                Answers::Labels { labels, names }
            }
            Wanted::Numbers(columns) => {
                Answers::Numbers { extents: vec![columns.len()], values: self.numbers }
            }
        };
        Dataset::new(self.place, extents, Elements::F32(self.elements), answers)
    }
}

/// By number where all are whole numbers, else by text.
fn in_order<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.cloned().collect();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    match numbers {
        Some(_) => names.sort_by_key(|name| name.parse::<i64>().ok()),
        None => names.sort(),
    }
    names
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "column {name}"),
            Self::Index(index) => write!(f, "column number {index}, from 0"),
            Self::Last => f.write_str("a last column"),
        }
    }
}

#[cfg(test)]
mod tests;
