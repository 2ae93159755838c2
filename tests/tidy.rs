//! House rules that no compiler checks. Each rule names every file that breaks it, at once.
//!
//! A rule is about the text of a file, so these tests read and never build. The words that they
//! look for are put together while they run: a rule must not find itself.

mod operators; // one file and one line for each
mod source; // the text files of the repository

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, has_word, rust, sources, text};

/// The only files that may say `unsafe`; each must say it, so the list can only shrink.
const UNSAFE_FILES: &[&str] = &[
    "ops/src/device/cuda.rs",
    "ops/src/device/queue.rs",
    "ops/src/host/blocks.rs",
    "ops/src/host/conv.rs",
    "ops/src/host/conv_transpose.rs",
    "ops/src/host/conv_weight.rs",
    "ops/src/host/depthwise.rs",
    "ops/src/host/disjoint.rs",
    "ops/src/host/erased.rs",
    "ops/src/host/gemm.rs",
    "ops/src/host/kernel.rs",
    "ops/src/host/pieces.rs",
    "ops/src/host/simd.rs",
    "ops/src/host/tile.rs",
    "runtime/src/actor/body.rs",
    "runtime/src/actor/register.rs",
    "runtime/src/actor/ring.rs",
    "runtime/src/crew.rs",
    "runtime/src/firing.rs",
    "runtime/src/launch/assemble.rs",
    "runtime/src/observe/allocations.rs",
    "runtime/src/run/feed.rs",
    "runtime/src/run/outlet.rs",
    "runtime/src/solo.rs",
    "tests/memory.rs",
];

/// How many lines above an `unsafe` block its reason may begin.
const SAFETY_LINES: usize = 6;

/// A package, and the packages that it must not depend on: arrows run one way.
const ARROWS: &[(&str, &[&str])] = &[
    ("runtime", &["synfire", "synfire-ops", "synfire-sensors", "cubecl", "wgpu", "cudarc"]),
    ("runtime/sensors", &["synfire", "synfire-ops", "cubecl", "wgpu", "cudarc"]),
    ("ops", &["synfire", "synfire-sensors"]),
    ("graphs", &["cubecl", "wgpu", "cudarc"]),
];

/// Fails with the rule and all that breaks it.
fn obey(rule: &str, breaches: impl IntoIterator<Item = String>) {
    let breaches: Vec<String> = breaches.into_iter().collect();
    assert!(breaches.is_empty(), "{rule}\n    {}\n", breaches.join("\n    "));
}

#[test]
fn every_file_says_what_it_is() {
    let silent = rust().filter(|source| !source.text.starts_with("//!"));
    obey("a Rust file opens with `//!`: what it is and why", silent.map(|source| source.path));
}

#[test]
fn no_file_is_too_long() {
    let long = rust().filter_map(|source| {
        let most = if source.path.starts_with("examples/") {
            80
        } else if source.path.starts_with("graphs/src/models/") {
            150
        } else if source.operator().is_some() {
            300
        } else {
            400
        };
        let count = source.text.lines().count();
        (count > most).then(|| format!("{}: {count} lines, at most {most}", source.path))
    });
    obey("a file has one subject; divide it where it has two", long);
}

#[test]
fn no_line_is_too_long() {
    let long = rust().flat_map(|source| {
        let lines = source.text.lines().enumerate();
        let lines = lines.filter(|(_, line)| line.chars().count() > 100);
        let at = |(index, line): (usize, &str)| {
            format!("{}:{}: {} columns", source.path, index + 1, line.chars().count())
        };
        lines.map(at).collect::<Vec<_>>()
    });
    obey("a line ends by column 100", long);
}

#[test]
fn files_are_named_after_their_subject() {
    let banned = ["utils", "util", "helpers", "helper", "common", "misc", "manager", "base"];
    let vague =
        rust().filter(|source| source.path.split(['/', '.']).any(|part| banned.contains(&part)));
    obey(&format!("a name says the subject, not one of {banned:?}"), vague.map(|own| own.path));
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let macros = ["todo", "dbg", "unimplemented"].map(|name| format!("{name}!"));
    let attributes = ["ignore", "should_panic"].map(|name| format!("#[{name}"));
    let sleep = format!("thread::{}(", "sleep");
    let found = rust().flat_map(|source| {
        let mut words: Vec<&String> = macros.iter().chain(&attributes).collect();
        if source.is_test() {
            words.push(&sleep);
        }
        let mut found = Vec::new();
        for (number, line) in source.code() {
            let banned = words.iter().filter(|word| line.contains(word.as_str()));
            found.extend(banned.map(|word| format!("{}:{number}: {word}", source.path)));
        }
        found
    });
    obey("finish it, wait for an event instead of sleeping, let a failure be a value", found);
}

#[test]
fn exceptions_from_lints_give_reasons() {
    let unreasoned = rust().flat_map(|source| {
        let mut found = Vec::new();
        for level in ["allow", "expect"] {
            for opening in [format!("#[{level}("), format!("#![{level}(")] {
                for (at, _) in source.text.match_indices(&opening) {
                    let rest = &source.text[at..];
                    let attribute = &rest[..rest.find(")]").unwrap_or(rest.len())];
                    let number = source.text[..at].lines().count().max(1);
                    if level == "allow" || !attribute.contains("reason = ") {
                        found.push(format!("{}:{number}: {opening}", source.path));
                    }
                }
            }
        }
        found
    });
    obey("a lint exception is an `#[expect(lint, reason = \"...\")]`", unreasoned);
}

#[test]
fn libraries_never_unwrap() {
    let needle = format!(".{}()", "unwrap");
    let found = rust().filter(|source| source.path.contains("src/")).flat_map(|source| {
        let lines = source.outside_tests().filter(|(_, line)| line.contains(&needle));
        lines.map(|(number, _)| format!("{}:{number}", source.path)).collect::<Vec<_>>()
    });
    obey("a library returns an error, or `expect`s an invariant in words", found);
}

#[test]
fn only_preludes_reexport_everything() {
    let globs = rust().filter(|source| source.module() != "prelude").flat_map(|source| {
        let lines = source.code().filter(|(_, line)| {
            let line = line.trim_start();
            line.starts_with("pub") && line.contains("use ") && line.ends_with("::*;")
        });
        lines.map(|(number, _)| format!("{}:{number}", source.path)).collect::<Vec<_>>()
    });
    obey("re-exports are listed by name", globs);
}

#[test]
fn plans_depend_on_no_hash() {
    let runtime = rust().filter(|source| source.path.starts_with("runtime/src/"));
    let hashed = runtime.flat_map(|source| {
        let lines = source.outside_tests().filter(|(_, line)| line.contains("HashMap"));
        lines.map(|(number, _)| format!("{}:{number}", source.path)).collect::<Vec<_>>()
    });
    obey("the runtime is reproducible: ordered maps or index vectors, never a `HashMap`", hashed);
}

#[test]
fn unsafe_code_is_where_it_is_known_to_be() {
    let needle = ["un", "safe"].concat();
    let says = |source: &Source| source.code().any(|(_, line)| has_word(line, &needle));
    let found: BTreeSet<String> = rust().filter(says).map(|source| source.path).collect();
    let known: BTreeSet<String> = UNSAFE_FILES.iter().map(|&path| path.to_owned()).collect();
    let new = found.difference(&known).map(|path| format!("{path} is not in the list"));
    let old = known.difference(&found).map(|path| format!("{path} has none, or is gone"));
    obey(&format!("{needle} code lives in the files of UNSAFE_FILES"), new.chain(old));
}

#[test]
fn unsafe_code_says_on_what_it_rests() {
    let needle = ["un", "safe"].concat();
    let openings = [format!("{needle} {{"), format!("{needle} impl")];
    let found = rust().flat_map(|source| {
        let lines: Vec<&str> = source.text.lines().collect();
        let mut found = Vec::new();
        for (number, line) in source.code().filter(|(_, line)| has_word(line, &needle)) {
            let first = number.saturating_sub(1 + SAFETY_LINES);
            let is_said = lines[first..number].iter().any(|line| line.contains("// SAFETY:"));
            if openings.iter().any(|opening| line.contains(opening)) && !is_said {
                found.push(format!("{}:{number}", source.path));
            }
        }
        found
    });
    obey("name the rule that it rests on in a `// SAFETY:` comment just above", found);
}

#[test]
fn accelerator_code_stays_in_its_place() {
    let (name, attribute) = (["cube", "cl"].concat(), ["#[", "cube"].concat());
    let found = rust().filter(|source| source.path.contains("src/")).flat_map(|source| {
        let is_operator = source.path.starts_with("ops/src/");
        let is_free = source.path.starts_with("ops/src/device/")
            || (is_operator && source.module() == "cube");
        let (mut found, mut inside) = (Vec::new(), is_free);
        for (number, line) in source.code() {
            inside |= is_operator && line.starts_with("mod cube {");
            if !inside && (has_word(line, &name) || line.contains(&attribute)) {
                found.push(format!("{}:{number}", source.path));
            }
            inside &= is_free || line != "}";
        }
        found
    });
    obey("CubeCL is named in ops/src/device and in the `mod cube` of operators only", found);
}

/// The lines `kind: name, name;` of `operators!`, by kind.
fn catalogue(list: &str) -> BTreeMap<&str, Vec<&str>> {
    let (_, rows) = list.split_once("operators! {").expect("ops/src/lib.rs has the list");
    let (rows, _) = rows.split_once('}').expect("the list ends");
    let rows = rows.split(';').filter_map(|row| row.split_once(':'));
    rows.map(|(kind, names)| (kind.trim(), names.split(',').map(str::trim).collect())).collect()
}

#[test]
fn operator_files_are_listed_and_complete() {
    let list = text("ops/src/lib.rs");
    let catalogue = catalogue(&list);
    let wanting = rust().flat_map(|source| {
        let Some((kind, name)) = source.operator() else { return Vec::new() };
        let mut wanting = Vec::new();
        if !catalogue.get(kind).is_some_and(|names| names.contains(&name)) {
            wanting.push("a place in `operators!` of ops/src/lib.rs".to_owned());
        }
        for heading in ["# Shape", "# Gradient", "# Numerics", "# Example"] {
            if !source.text.contains(&format!("\n//! {heading}\n")) {
                wanting.push(heading.to_owned());
            }
        }
        if !source.text.contains("\npub fn samples() -> Vec<Sample> {") {
            wanting.push("`pub fn samples() -> Vec<Sample>`".to_owned());
        }
        wanting.iter().map(|what| format!("{}: {what}", source.path)).collect()
    });
    obey("an operator file has all its parts", wanting);
}

#[test]
fn no_file_is_forgotten() {
    let (list, manifest) = (text("ops/src/lib.rs"), text("Cargo.toml"));
    let catalogue = catalogue(&list);
    let sources: Vec<Source> = rust().collect();
    let is_named = |source: &Source| {
        let module = source.module();
        let is_operator = source.operator().is_some_and(|(kind, name)| {
            catalogue.get(kind).is_some_and(|names| names.contains(&name))
        });
        let folders = ["examples/", "fuzz/fuzz_targets/"];
        let is_root = ["lib", "main"].contains(&module)
            || folders.iter().any(|folder| source.path.starts_with(folder))
            || manifest.contains(&format!("path = \"{}\"", source.path));
        // Beside it or above it: inline modules have folders too.
        let declaration = format!("mod {module};");
        is_operator
            || is_root
            || sources.iter().any(|other| {
                source.path.starts_with(other.folder())
                    && other.code().any(|(_, line)| line.contains(&declaration))
            })
    };
    let forgotten = sources.iter().filter(|source| !is_named(source));
    obey("no module names this file, so nothing builds it", forgotten.map(|own| own.path.clone()));
}

#[test]
fn nothing_names_a_place_on_one_machine() {
    let needle = format!("/{}/", "work");
    let named = sources().into_iter().flat_map(|source| {
        let is_start = |text: &str, at: usize| {
            let before = text[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-}/".contains(c))
        };
        let lines = source.text.lines().enumerate();
        let lines =
            lines.filter(|(_, line)| line.match_indices(&needle).any(|(at, _)| is_start(line, at)));
        lines.map(|(at, _)| format!("{}:{}", source.path, at + 1)).collect::<Vec<_>>()
    });
    obey("paths are relative to the repository: other people have other machines", named);
}

/// Names and values of the dependencies in a manifest, of every kind and target.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let (mut found, mut inside) = (Vec::new(), false);
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.trim_end_matches(']').ends_with("dependencies");
            inside &= !line.contains("workspace.");
        } else if let Some((name, value)) = line.split_once('=')
            && inside
            && !line.starts_with('#')
        {
            found.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

#[test]
fn packages_depend_in_one_direction_on_versions_in_one_table() {
    let mut breaches = Vec::new();
    for (package, banned) in ARROWS.iter().chain(&[(".", &[] as &[&str])]) {
        for (key, value) in dependencies(&text(&format!("{package}/Cargo.toml"))) {
            let name = key.trim_end_matches(".workspace");
            if banned.contains(&name) {
                breaches.push(format!("{package} depends on {name}"));
            }
            let is_inherited = key.ends_with(".workspace") || value.contains("workspace = true");
            if !is_inherited {
                breaches.push(format!("{package} has its own version of {name}"));
            }
        }
    }
    obey("graphs -> ops -> runtime; versions stand in [workspace.dependencies]", breaches);
}

#[test]
fn lines_per_package() {
    let mut lines: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let packages = ["runtime/sensors", "runtime", "ops", "graphs", "tests", "examples", "fuzz"];
    for source in rust() {
        let package = packages.iter().find(|package| source.path.starts_with(*package));
        let [all, library] = lines.entry(package.unwrap_or(&"elsewhere")).or_default();
        *all += source.text.lines().count();
        *library += source.outside_tests().count();
    }
    for (package, [all, library]) in &lines {
        println!("{package:<16} {all:>6} lines, {library:>6} of them library code");
    }
    assert!(!lines.contains_key("elsewhere"), "every Rust file belongs to a package: {lines:?}");
}
