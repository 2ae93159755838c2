//! Adding an operator touches one file and one line: nothing else names it.
//!
//! Constructors are used wherever a graph is built; what must not be is a second list of operators,
//! or code that asks which operator it has. Both say names as text, or take `samples`, `TORCH` and
//! `ONNX` out of operator files, which the list of the catalogue alone does.

use std::collections::BTreeSet;

use synfire_ops::CATALOG;

use super::obey;
use super::source::{Source, rust};

/// Where no operator is named at all, besides what lies in `ops/src` outside operator files.
const PLACES: [&str; 5] =
    ["runtime/src/", "ops/src/", "graphs/src/cli/", "graphs/src/conform/", "tests/laws/"];

/// Words that are an operator's name by chance, where they say something else.
const WORDS: [(&str, &str); 6] = [
    ("ops/src/losses.rs", "mean"),
    ("ops/src/losses.rs", "reduction"),
    ("ops/src/losses.rs", "sum"),
    ("ops/src/window/sliding/case.rs", "pad"),
    ("runtime/src/graph.rs", "copy"),
    ("runtime/src/place.rs", "copy"),
];

/// As many other operator files may one operator file name: PyTorch's words for attributes, such as
/// `bilinear`, are names too, and a case may be another operator's. More would be a list.
const CHANCES: usize = 2;

/// The names of operator files, and of all operators in them.
struct Names {
    files: BTreeSet<String>,
    all: BTreeSet<String>,
}

impl Names {
    fn of_the_catalogue() -> Self {
        let files: BTreeSet<String> = CATALOG.iter().map(|entry| entry.name.to_owned()).collect();
        let samples = CATALOG.iter().flat_map(|entry| (entry.samples)());
        let all = samples.map(|sample| sample.subject.name().to_owned());
        Self { all: all.chain(files.iter().cloned()).collect(), files }
    }
}

/// The name of the operator file that a file is, or is a part of.
fn owner(source: &Source) -> Option<&'static str> {
    let owner = CATALOG.iter().find(|entry| {
        let own = format!("ops/src/{}/{}", entry.kind, entry.name);
        let rest = source.path.strip_prefix(&own);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    });
    owner.map(|entry| entry.name)
}

/// The string literals of one word in a line.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

/// The operator files that a line takes `samples`, `TORCH` or `ONNX` from.
fn taken<'a>(line: &'a str, names: &'a Names) -> impl Iterator<Item = &'a str> {
    let parts = ["::samples", "::TORCH", "::ONNX"];
    let parts = parts.into_iter().flat_map(|part| line.match_indices(part));
    let before = parts.map(|(at, _)| {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        line[..at].rsplit(|c| !is_name(c)).next().unwrap_or("")
    });
    before.filter(|name| names.files.contains(*name))
}

/// The places where a file names operators that it must not name.
fn breaches(source: &Source, names: &Names) -> Vec<String> {
    let owner = owner(source);
    let is_shared = owner.is_none() && PLACES.iter().any(|place| source.path.starts_with(place));
    let (mut found, mut others) = (Vec::new(), BTreeSet::new());
    for (number, line) in source.outside_tests() {
        for name in taken(line, names).filter(|name| owner != Some(*name)) {
            if is_shared {
                found.push(format!("{}:{number}: takes from {name}", source.path));
            }
            others.insert(name);
        }
        for name in literals(line) {
            let is_word = WORDS.contains(&(source.path.as_str(), name));
            if is_shared && names.all.contains(name) && !is_word {
                found.push(format!("{}:{number}: names {name}", source.path));
            }
            if owner.is_some_and(|owner| owner != name) && names.files.contains(name) {
                others.insert(name);
            }
        }
    }
    if owner.is_some() && others.len() > CHANCES {
        found.push(format!("{}: names {others:?}", source.path));
    }
    found
}

#[test]
fn an_operator_is_one_file_and_one_line() {
    let names = Names::of_the_catalogue();
    let found = rust().flat_map(|source| breaches(&source, &names));
    obey("operators are named in their own files, and listed in ops/src/lib.rs alone", found);
}

#[test]
fn words_that_are_excused_are_said() {
    let says = |source: &Source, word: &str| {
        source.outside_tests().any(|(_, line)| literals(line).any(|literal| literal == word))
    };
    let gone = WORDS
        .iter()
        .filter(|(path, word)| !rust().any(|source| source.path == *path && says(&source, word)));
    obey("WORDS can only shrink", gone.map(|(path, word)| format!("{path} no longer says {word}")));
}

#[test]
fn a_second_list_of_operators_is_seen() {
    let names = Names::of_the_catalogue();
    let quoted = |names: &[&str]| {
        let rows = names.iter().map(|name| format!("        \"{name}\" => {name}(),\n"));
        rows.collect::<String>()
    };
    let arms = quoted(&["softmax", "linear", "concat"]);
    let list = format!("&[{}::{}]", "softmax", "samples");
    for (path, text, expect) in [
        ("ops/src/registry.rs", &arms, 3),
        ("runtime/src/plan/kinds.rs", &arms, 3),
        ("graphs/src/cli/names.rs", &arms, 3),
        ("ops/src/arrange/slice.rs", &arms, 1),
        ("ops/src/registry.rs", &list, 1),
        // Its own file, and where graphs are built.
        ("ops/src/normalize/softmax.rs", &quoted(&["softmax"]), 0),
        ("graphs/src/models/network.rs", &arms, 0),
    ] {
        let source = Source { path: path.to_owned(), text: text.clone() };
        assert_eq!(breaches(&source, &names).len(), expect, "{path}:\n{text}");
    }
}
