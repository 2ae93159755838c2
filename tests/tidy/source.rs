//! The text files of the repository, and the parts of one that rules are about.

use std::fs;
use std::path::Path;

/// A text file.
pub(super) struct Source {
    /// From the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// The folder that it lies in; empty for the root.
    pub(super) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The name of the module that it holds.
    pub(super) fn module(&self) -> &str {
        let own = if self.path.ends_with("/mod.rs") { self.folder() } else { &self.path };
        let name = own.rsplit('/').next().unwrap_or(own);
        name.trim_end_matches(".rs")
    }

    /// Whether all of it is for tests.
    pub(super) fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        self.path.starts_with("fuzz/") || parts.any(|part| part == "tests" || part == "tests.rs")
    }

    /// The number and text of each line of code, without comments.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The lines of code before the tests at the foot: `#[cfg(test)]` and then a module.
    pub(super) fn outside_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_foot = |pair: &[&str]| {
            let is_for_tests = pair[0].starts_with("#[cfg(") && has_word(pair[0], "test");
            is_for_tests && has_word(pair[1], "mod") && pair[1].ends_with('{')
        };
        let foot = lines.windows(2).position(is_foot).unwrap_or(lines.len());
        let last = if self.is_test() { 0 } else { foot };
        self.code().take_while(move |(number, _)| *number <= last)
    }

    /// The folder of the catalogue and the name of the operator file, if it is one.
    pub(super) fn operator(&self) -> Option<(&str, &str)> {
        let (kind, file) = self.path.strip_prefix("ops/src/")?.split_once('/')?;
        let is_shared = ["device", "host"].contains(&kind);
        // A folder beside a file of its name belongs to that file.
        let belongs = root().join(format!("ops/src/{kind}.rs")).is_file();
        let name = file.strip_suffix(".rs").filter(|name| !name.contains('/'))?;
        (!is_shared && !belongs).then_some((kind, name))
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file that must be there.
pub(super) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file that is not built or ignored, sorted; bytes that are no text are replaced.
pub(super) fn sources() -> Vec<Source> {
    let (mut sources, mut folders) = (Vec::new(), vec![root().to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the repository can be read") {
            let path = entry.expect("the repository can be read").path();
            let name = path.strip_prefix(root()).expect("it lies below the root");
            let name = name.to_string_lossy().replace('\\', "/");
            let is_built = name.starts_with("target") || name.starts_with("fuzz/target");
            if is_built || [".git", "out", "fuzz/artifacts"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                sources.push(Source { path: name, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Every Rust file.
pub(super) fn rust() -> impl Iterator<Item = Source> {
    sources().into_iter().filter(|source| source.path.ends_with(".rs"))
}

/// Whether `needle` stands in `line` as a whole word.
pub(super) fn has_word(line: &str, needle: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(needle).any(|(at, _)| {
        let after = line[at + needle.len()..].chars().next();
        !is_word(line[..at].chars().next_back()) && !is_word(after)
    })
}
