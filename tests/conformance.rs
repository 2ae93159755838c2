//! Cases that others computed: operators by PyTorch, `tests/conform/torch.zip`, and models by
//! onnxruntime, `tests/conform/onnx.zip`, written by the generators beside them.

use std::path::Path;

use synfire::conform;

/// Runs all cases of an archive; every one must pass.
fn all_pass(archive: &str, count: usize) {
    let cases = format!("{}/tests/conform/{archive}", env!("CARGO_MANIFEST_DIR"));
    let out = format!("synfire-conform-{archive}-{}", std::process::id());
    let out = std::env::temp_dir().join(out);
    let mut said = Vec::new();
    let outcome = conform::run(cases.as_ref(), &out, &mut said).expect("the archive can be read");
    std::fs::remove_dir_all(&out).expect("it was just written");
    let said = String::from_utf8_lossy(&said);
    assert!(outcome.differ.is_empty() && outcome.refused.is_empty(), "{said}");
    assert_eq!(outcome.passed, count);
}

#[test]
fn every_case_of_pytorch_passes() {
    all_pass("torch.zip", 500);
}

#[test]
fn every_model_gives_what_onnxruntime_gives() {
    all_pass("onnx.zip", 255);
}

#[test]
fn what_cannot_be_run_is_listed_with_its_reason() {
    let folder = std::env::temp_dir().join(format!("synfire-cases-{}", std::process::id()));
    let ops = folder.join("ops");
    std::fs::create_dir_all(&ops).expect("a temporary folder can be made");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("a temporary file can be written");
    };
    write("index.json", r#"["ops/unknown", "ops/absent", "../ops/outside", "odd"]"#);
    write("ops/unknown.json", r#"{"op": {"type": "frobnicate"}}"#);
    let none = std::collections::BTreeMap::new();
    conform::npz::write(&ops.join("unknown.npz"), &none).expect("it can be written");
    let mut said = Vec::new();
    let outcome = conform::run(&folder, &folder.join("out"), &mut said).expect("an index");
    std::fs::remove_dir_all(&folder).expect("it was just written");
    let said = String::from_utf8_lossy(&said);
    assert_eq!((outcome.passed, outcome.refused.len()), (0, 4), "{said}");
    for words in ["frobnicate", "ops/absent.json", "leaves its folder", "no KIND/NAME"] {
        assert!(said.contains(words), "{words} in {said}");
    }
}

#[test]
fn a_folder_without_an_index_is_an_error() {
    let nowhere = Path::new("/nonexistent/cases");
    assert!(conform::run(nowhere, nowhere, &mut Vec::new()).is_err());
}
