//! Conformance: folders of cases that another framework computed, run and written out.
//!
//! A folder, or a zip archive of one: `index.json` lists `KIND/NAME`; each case is `NAME.json`,
//! which says what it is, and `NAME.npz`, its arrays. `OUT/KIND/NAME.npz` gets what Synfire
//! computes. For a case of kind `ops` that is every output `out_<i>` and every gradient
//! `grad_<input>` of the sum of inner products of the outputs with their cotangents `cot_<i>`; for
//! one of kind `onnx` the outputs of the model beside it, under their own names.
//! Where the case holds expected arrays of these names they are compared: `max |a - b| <= 1e-4 (max
//! |b| + 0.01)`, NaN with NaN, infinity with infinity.

mod folder; // cases in files, or in one archive
pub mod npz; // arrays in files
mod operator; // one operator with its gradients
mod model; // one ONNX model

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use folder::Folder;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use synfire_ops::sample::tensor;
use synfire_runtime::value::Value;

/// Allowed difference relative to the largest magnitude of what is expected.
const RELATIVE: f64 = 1e-4;

/// How a folder of cases went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Cases that agree with what is expected.
    pub passed: usize,
    /// Cases that were computed and differ.
    pub differ: Vec<String>,
    /// Cases that cannot be run, with the reason.
    pub refused: Vec<(String, String)>,
}

/// Runs every case of the folder or archive `from` and writes what comes out below `to`; says on
/// `out` how each case that does not pass went, and a count at the end.
///
/// # Errors
/// When the index or a folder cannot be read or written. A case that cannot be run is no error.
pub fn run(from: &Path, to: &Path, out: &mut dyn Write) -> Result<Outcome> {
    let mut folder = Folder::open(from)?;
    let names: Vec<String> = serde_json::from_slice(&folder.read("index.json")?)
        .into_diagnostic()
        .wrap_err_with(|| format!("{}: index.json is no list of KIND/NAME", from.display()))?;
    let mut outcome = Outcome::default();
    for name in names {
        match case(&mut folder, to, &name) {
            Ok(breaches) if breaches.is_empty() => outcome.passed += 1,
            Ok(breaches) => {
                let breaches = breaches.join("; ");
                writeln!(out, "{name}: differs: {breaches}").into_diagnostic()?;
                outcome.differ.push(name);
            }
            Err(reason) => {
                let reason = format!("{reason:#}").replace('\n', " ");
                writeln!(out, "{name}: not run: {reason}").into_diagnostic()?;
                outcome.refused.push((name, reason));
            }
        }
    }
    writeln!(
        out,
        "{} cases: {} pass, {} differ, {} not run",
        outcome.passed + outcome.differ.len() + outcome.refused.len(),
        outcome.passed,
        outcome.differ.len(),
        outcome.refused.len(),
    )
    .into_diagnostic()?;
    Ok(outcome)
}

/// Runs one case; how its arrays differ from those expected.
fn case(from: &mut Folder, to: &Path, name: &str) -> Result<Vec<String>> {
    let (kind, own) = name.split_once('/').ok_or_else(|| miette!("`{name}` is no KIND/NAME"))?;
    if !is_plain(kind) || !is_plain(own) {
        return Err(miette!("`{name}` leaves its folder"));
    }
    let about = from.read(&format!("{name}.json"))?;
    let about: serde_json::Value = serde_json::from_slice(&about).into_diagnostic()?;
    let arrays = npz::read(&from.read(&format!("{name}.npz"))?)?;
    let found = match kind {
        "ops" => operator::run(&about, &arrays).map_err(|reason| miette!("{reason}"))?,
        "onnx" => {
            let file = model::file(&about).map_err(|reason| miette!("{reason}"))?;
            let bytes = from.read(&format!("{kind}/{file}"))?;
            model::run(&bytes, &arrays).map_err(|reason| miette!("{reason}"))?
        }
        _ => return Err(miette!("cases of kind `{kind}` are not run yet")),
    };
    let folder = to.join(kind);
    std::fs::create_dir_all(&folder).into_diagnostic()?;
    npz::write(&folder.join(format!("{own}.npz")), &found)?;
    let is_expected = |name: &str| match kind {
        "onnx" => found.contains_key(name),
        _ => name.starts_with("out_") || name.starts_with("grad_"),
    };
    Ok(compare(&found, &arrays, &is_expected))
}

/// Whether a part of a path names something in its folder.
fn is_plain(part: &str) -> bool {
    !part.is_empty() && !part.contains(['/', '\\']) && part != ".."
}

/// How what was found differs from what a case expects.
fn compare(
    found: &BTreeMap<String, Value>,
    expected: &BTreeMap<String, Value>,
    is_expected: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, expected) in expected.iter().filter(|(name, _)| is_expected(name)) {
        match found.get(name) {
            None => breaches.push(format!("no {name}")),
            Some(found) if found.extents != expected.extents => breaches
                .push(format!("{name} is {:?}, expected {:?}", found.extents, expected.extents)),
            Some(found) => {
                breaches.extend(distance(found, expected).map(|d| format!("{name} {d}")))
            }
        }
    }
    breaches
}

/// The largest difference, if it is too large.
fn distance(found: &Value, expected: &Value) -> Option<String> {
    let (found, expected) = (tensor(found).data, tensor(expected).data);
    let finite = expected.iter().filter(|x| x.is_finite());
    let largest = finite.fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let apart = |(a, b): (&f64, &f64)| match a == b || (a.is_nan() && b.is_nan()) {
        true => 0.0,
        false if (a - b).is_nan() => f64::INFINITY,
        false => (a - b).abs(),
    };
    let worst = found.iter().zip(&expected).map(apart).fold(0.0, f64::max);
    let allowed = RELATIVE * (largest + 0.01);
    (worst > allowed).then(|| format!("is off by {worst:.3e}, allowed {allowed:.3e}"))
}
