//! Damaged and foreign files are errors, whatever is in them.

use synfire::onnx::{ImportError, Options, import, import_file};
use synfire_runtime::random::Seed;

use super::{one, options};

/// Models of few bytes with many kinds of nodes.
const MODELS: [&str; 6] =
    ["shapes_script", "attention_script", "lstm_script", "unet_corners_script", "slice", "gemm"];

#[test]
fn a_model_that_ends_early_is_an_error() {
    for name in MODELS {
        let case = one(name);
        let options = options(&case.arrays);
        let whole = case.model.len();
        // A file may end between its last fields and still be one.
        let ends = (0..whole.min(400)).chain((400..whole).step_by(101));
        let passed = ends.filter(|&end| import(&case.model[..end], &options).is_ok()).count();
        assert!(passed <= 40, "{name}: {passed} beginnings of {whole} bytes pass as a model");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let mut refused = 0;
    for (key, name) in MODELS.into_iter().enumerate() {
        let case = one(name);
        let options = options(&case.arrays);
        let seed = Seed(key as u64);
        for round in 0..400 {
            let mut bytes = case.model.clone();
            for flip in 0..1 + round % 3 {
                let draw = |part: u64| seed.uniform(8 * round + 2 * flip + part);
                // Where nodes and shapes are, as often as where weights are.
                let most = if round % 2 == 0 { bytes.len().min(1500) } else { bytes.len() };
                let place = (draw(0) * most as f64) as usize;
                bytes[place] = (draw(1) * 256.0) as u8;
            }
            match import(&bytes, &options) {
                Ok(imported) => drop(imported.draft.check()),
                Err(error) => {
                    refused += 1;
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
    assert!(refused > 200, "{refused} of 2400 are refused");
}

#[test]
fn other_files_are_no_models() {
    let others: [&[u8]; 4] = [b"", b"PK\x03\x04 an archive", &[0xFF; 64], b"\x08\x08"];
    for other in others {
        let error = import(other, &Options::default()).expect_err("no model");
        assert!(matches!(error, ImportError::Damaged { .. }), "{error}");
    }
    let error = import_file("/nonexistent/model.onnx".as_ref(), &Options::default());
    let error = error.expect_err("no file").to_string();
    assert!(error.contains("/nonexistent/model.onnx"), "{error}");
}

#[test]
fn messages_within_messages_have_an_end() {
    // A graph in an attribute of a node of a graph, and so on.
    let mut bytes = Vec::new();
    for _ in 0..2000 {
        for field in [0x32, 0x2A, 0x0A] {
            let mut length = bytes.len();
            let mut head = vec![field];
            while length >= 0x80 {
                head.push((length & 0x7F) as u8 | 0x80);
                length >>= 7;
            }
            head.push(length as u8);
            bytes = [head, bytes].concat();
        }
        bytes.truncate(60_000);
    }
    let model = [&[0x3A, 0xE0, 0xD4, 0x03][..], &bytes].concat();
    assert!(import(&model, &Options::default()).is_err());
}
