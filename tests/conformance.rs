//! Cases that PyTorch computed: `tests/conform/torch.zip`, written by `generate.py` beside it.

use std::path::Path;

use synfire::conform;

#[test]
fn every_case_of_pytorch_passes() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conform/torch.zip");
    let out = std::env::temp_dir().join(format!("synfire-conform-{}", std::process::id()));
    let mut said = Vec::new();
    let outcome = conform::run(Path::new(cases), &out, &mut said).expect("the archive can be read");
    std::fs::remove_dir_all(&out).expect("it was just written");
    let said = String::from_utf8_lossy(&said);
    assert!(outcome.differ.is_empty() && outcome.refused.is_empty(), "{said}");
    assert_eq!(outcome.passed, 500);
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
